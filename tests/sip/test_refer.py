"""sip/refer.py and session_refer.py: what REFER, Replaces and sipfrag say, good and bad; transfers asked for both ways,
watched or not, reported after BYE, run out, refused; which session an INVITE with Replaces means.

Not here: what a transfer does to a call (tests/scenarios), credentials (test_stack_requests).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.actions import Ended, ReferAnswered, ReferNotified, Referred
from sip.errors import SipParseError
from sip.message import Request
from sip.parser import parse_message
from sip.refer import (
    Replaces,
    parse_refer_to,
    parse_replaces,
    parse_sipfrag,
    refer_to_line,
    referred_by,
    wants_no_subscription,
)
from tests.sip.test_session_offer import in_dialog
from tests.sip.two_stacks import ANSWER, RAW, A, B, Network, header, kind, request_text, set_up, udp

# -- what is said ------------------------------------------------------------------------------------------------------


def request(**changes: str) -> Request:
    parsed = parse_message(request_text("REFER", **changes))
    assert isinstance(parsed, Request)
    return parsed


@pytest.mark.parametrize(
    ("value", "uri", "user", "replaces"),
    [
        ("<sip:1003@10.0.0.1>", "sip:1003@10.0.0.1", "1003", None),
        ("sip:1003@10.0.0.1", "sip:1003@10.0.0.1", "1003", None),
        ('"Carol" <sip:1003@h;user=phone>', "sip:1003@h;user=phone", "1003", None),
        ("<sip:1003@h;method=INVITE>", "sip:1003@h", "1003", None),
        ("<tel:+8613800138000>", "tel:+8613800138000", "+8613800138000", None),
        (
            "<sip:1003@h?Replaces=c1%40h%3Bto-tag%3Dt1%3Bfrom-tag%3Df1>",
            "sip:1003@h",
            "1003",
            Replaces("c1@h", "t1", "f1"),
        ),
        (
            "<sip:h?Replaces=c1%3bfrom-tag%3df1%3bto-tag%3dt1%3bearly-only&Require=replaces>",
            "sip:h",
            "",
            Replaces("c1", "t1", "f1", early_only=True),
        ),
    ],
)
def test_refer_to(value: str, uri: str, user: str, replaces: Replaces | None) -> None:
    target = parse_refer_to(request(Refer_To=value))
    assert (target.uri, target.user, target.replaces, target.method) == (uri, user, replaces, "INVITE")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("", 400),
        ("<sip:1003@h", 400),
        ("<sip:1003@h?Replaces=c1>", 400),
        ("<sip:1003@h?Replaces=c1%3Bto-tag%3Dt1>", 400),
        ("<sip:1003@h?Replaces=%3Bto-tag%3Dt1%3Bfrom-tag%3Df1>", 400),
        ("<mailto:carol@h>", 416),
        ("<http://h/>", 416),
    ],
)
def test_refer_to_that_leads_nowhere(value: str, status: int) -> None:
    with pytest.raises(SipParseError) as refused:
        parse_refer_to(request(Refer_To=value))
    assert refused.value.status == status


_TOKEN = st.text("abcdefgh0123456789-.!%*_+`'~", min_size=1, max_size=20)
_CALL_ID = st.text("abcXYZ012@.-_!", min_size=1, max_size=30)


@given(_CALL_ID, _TOKEN, _TOKEN, st.booleans())
def test_replaces_survives_a_refer_to(call_id: str, to_tag: str, from_tag: str, early_only: bool) -> None:
    replaces = Replaces(call_id, to_tag, from_tag, early_only)
    assert parse_replaces(str(replaces)) == replaces
    line = refer_to_line("sip:1003@h", replaces).partition(": ")[2].rstrip("\r\n")
    assert parse_refer_to(request(Refer_To=line)).replaces == replaces


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"SIP/2.0 200 OK\r\n", (200, "OK")),
        (b"SIP/2.0 603 Decline", (603, "Decline")),
        (b"\r\nSIP/2.0 180 Ringing\r\nTo: x\r\n", (180, "Ringing")),
        (b"SIP/2.0 100", (100, "")),
        (b"", None),
        (b"INVITE sip:a SIP/2.0", None),
        (b"SIP/2.0 2000 OK", None),
        (b"\xff\xfe", None),
    ],
)
def test_sipfrag(body: bytes, expected: tuple[int, str] | None) -> None:
    assert parse_sipfrag(body) == expected


@given(st.binary(max_size=200))
def test_any_sipfrag_is_read_or_none(body: bytes) -> None:
    found = parse_sipfrag(body)
    assert found is None or 0 <= found[0] <= 999


def test_referred_by_is_written_anew() -> None:
    assert referred_by(request(Referred_By='"Bob" <sip:bob@h>;cid="x@h"')) == "<sip:bob@h>"
    assert referred_by(request()) == ""


@pytest.mark.parametrize(("value", "is_unwanted"), [("false", True), ("FALSE;x=y", True), ("true", False), ("", False)])
def test_refer_sub(value: str, is_unwanted: bool) -> None:
    assert wants_no_subscription(request(Refer_Sub=value)) is is_unwanted


# -- both ways ---------------------------------------------------------------------------------------------------------


def ask(net: Network, callee: str, **options: object) -> Referred:
    """The callee asks the caller's side to call Carol."""
    net.perform(B, net.stacks[B].refer(callee, "sip:carol@10.0.0.3", net.now, referred_by="<sip:bob@h>", **options))  # type: ignore[arg-type]
    net.run()
    (referred,) = [event for event in net.events[A] if isinstance(event, Referred)]
    assert (referred.target.uri, referred.target.user, referred.by) == ("sip:carol@10.0.0.3", "carol", "<sip:bob@h>")
    return referred


def test_a_transfer_is_accepted_and_told_about_to_its_end() -> None:
    net = Network()
    caller, callee = set_up(net)
    referred = ask(net, callee)
    net.perform(A, net.stacks[A].accept_refer(referred.refer, net.now))
    net.run()
    assert net.events[B][-2:] == [ReferAnswered(callee, 202, True), ReferNotified(callee, 100, "Trying", False)]
    for status in (180, 200):
        net.perform(A, net.stacks[A].report_refer(referred.refer, status, net.now))
        net.run()
    assert net.events[B][-2:] == [ReferNotified(callee, 180, "Ringing", False), ReferNotified(callee, 200, "OK", True)]
    states = [header(data, "Subscription-State") for _, s, _, data in net.wire if s == A and kind(data) == "NOTIFY"]
    assert [state.partition(";")[0] for state in states] == ["active", "active", "terminated"]
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.finish()
    net.assert_empty()


def test_news_that_come_before_the_answer_to_a_notify_are_told_once() -> None:
    net = Network()
    caller, callee = set_up(net)
    net.fate = lambda data: [0.2]
    net.perform(B, net.stacks[B].refer(callee, "sip:carol@10.0.0.3", net.now))
    net.run(0.3)
    refer = next(event.refer for event in net.events[A] if isinstance(event, Referred))
    net.perform(A, net.stacks[A].accept_refer(refer, net.now))
    net.perform(A, net.stacks[A].report_refer(refer, 180, net.now))
    net.perform(A, net.stacks[A].report_refer(refer, 486, net.now))
    net.run(2.0)
    assert [e.status for e in net.events[B] if isinstance(e, ReferNotified)] == [100, 486]
    net.perform(A, net.stacks[A].report_refer(refer, 200, net.now))
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.finish()
    assert [e.status for e in net.events[B] if isinstance(e, ReferNotified)] == [100, 486]
    net.assert_empty()


def test_who_asked_may_hang_up_and_is_still_told() -> None:
    net = Network()
    _, callee = set_up(net)
    referred = ask(net, callee)
    net.perform(A, net.stacks[A].accept_refer(referred.refer, net.now))
    net.run()
    net.perform(B, net.stacks[B].bye(callee, net.now))
    net.run()
    assert isinstance(net.events[A][-1], Ended)
    net.perform(A, net.stacks[A].report_refer(referred.refer, 200, net.now))
    net.run()
    last = [data for _, s, _, data in net.wire if s == A and kind(data) == "NOTIFY"][-1]
    assert header(last, "Subscription-State") == "terminated;reason=noresource"
    # Its session is over, so it knows of no subscription either; that ends ours (RFC 5057 §5.1).
    assert net.sent(B)[-1] == "481"
    net.finish()
    net.assert_empty()


def test_no_subscription_when_none_is_wanted() -> None:
    net = Network()
    caller, callee = set_up(net)
    referred = ask(net, callee, is_watched=False)
    net.perform(A, net.stacks[A].accept_refer(referred.refer, net.now))
    net.run()
    assert net.events[B][-1] == ReferAnswered(callee, 202, False)
    net.perform(A, net.stacks[A].report_refer(referred.refer, 200, net.now))
    assert "NOTIFY" not in net.sent(A)
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.finish()
    net.assert_empty()


def test_refused_transfer_leaves_the_call() -> None:
    net = Network()
    caller, callee = set_up(net)
    referred = ask(net, callee)
    net.perform(A, net.stacks[A].refuse_refer(referred.refer, 403, "Forbidden", net.now))
    net.run()
    assert net.events[B][-1] == ReferAnswered(callee, 403, False)
    assert net.stacks[A].sessions[caller].state == net.stacks[B].sessions[callee].state == "confirmed"
    assert net.stacks[A].accept_refer(referred.refer, net.now) == []
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.finish()
    net.assert_empty()


def test_a_subscription_that_nobody_ends_runs_out() -> None:
    net = Network()
    caller, callee = set_up(net)
    referred = ask(net, callee)
    net.perform(A, net.stacks[A].accept_refer(referred.refer, net.now))
    net.run(121.0)
    assert net.events[B][-1] == ReferNotified(callee, 100, "Trying", True)
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.finish()
    net.assert_empty()


def test_a_transfer_nobody_answered_goes_down_with_its_session() -> None:
    net = Network()
    caller, callee = set_up(net)
    ask(net, callee)
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.finish()
    assert "487" in net.sent(A)
    net.assert_empty()


def test_one_refer_of_ours_at_a_time() -> None:
    net = Network()
    _, callee = set_up(net)
    ask(net, callee)
    assert net.stacks[B].refer(callee, "sip:dave@10.0.0.3", net.now) == []


# -- raw peers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "changes", "status"),
    [
        ("REFER", {}, "400"),
        ("REFER", {"Refer_To": "<mailto:x@y>"}, "416"),
        ("REFER", {"Refer_To": "<sip:x@y;method=BYE>"}, "501"),
        ("REFER", {"Refer_To": "<sip:x@y>", "Require": "frobnicate"}, "420"),
        ("NOTIFY", {"Event": "refer", "Subscription_State": "active"}, "481"),
        ("NOTIFY", {"Event": "talk"}, "489"),
        ("NOTIFY", {}, "489"),
        ("SUBSCRIBE", {"Event": "dialog"}, "489"),
        ("SUBSCRIBE", {"Event": "refer"}, "481"),
    ],
)
def test_answers_in_a_dialog(method: str, changes: dict[str, str], status: str) -> None:
    net = Network()
    _, callee = set_up(net)
    data = in_dialog(net, callee, method, 50, **changes)
    for _ in range(2):
        # A retransmission gets the same answer, though its CSeq is used up.
        net.perform(B, net.stacks[B].receive(data, RAW, net.now))
        assert kind(net.wire[-1][3]) == status
    assert net.stacks[B].sessions[callee].state == "confirmed"
    if status == "489":
        assert header(net.wire[-1][3], "Allow-Events") == "refer"


def test_a_second_refer_is_told_apart_and_may_be_unsubscribed() -> None:
    net = Network()
    _, callee = set_up(net)
    stack = net.stacks[B]
    for cseq in (50, 51):
        net.perform(B, stack.receive(in_dialog(net, callee, "REFER", cseq, Refer_To="<sip:x@y>"), RAW, net.now))
        referred = net.events[B][-1]
        assert isinstance(referred, Referred)
        net.perform(B, stack.accept_refer(referred.refer, net.now))
    events = [header(data, "Event") for _, _, _, data in net.wire if kind(data) == "NOTIFY"]
    assert events == ["refer", "refer;id=51"]
    net.perform(
        B, stack.receive(in_dialog(net, callee, "SUBSCRIBE", 52, Event="refer;id=51", Expires="0"), RAW, net.now)
    )
    assert header(net.wire[-1][3], "Expires") == "0"


def test_too_many_transfers_at_once() -> None:
    net = Network()
    _, callee = set_up(net)
    stack = net.stacks[B]
    for cseq in range(50, 59):
        net.perform(B, stack.receive(in_dialog(net, callee, "REFER", cseq, Refer_To="<sip:x@y>"), RAW, net.now))
    assert net.sent(B)[-1] == "503"
    assert len(stack._endpoint.refers) == 8


def test_refer_before_the_call_is_up_and_outside_a_dialog() -> None:
    net = Network()
    stack = net.stacks[B]
    net.perform(B, stack.receive(request_text("INVITE"), RAW, net.now))
    session = net.events[B][-1].session  # type: ignore[union-attr]
    to = f"<sip:bob@{B}>;tag={session}"
    data = request_text("REFER", To=to, CSeq="2 REFER", Refer_To="<sip:x@y>")
    net.perform(B, stack.receive(data, RAW, net.now))
    assert net.sent(B)[-1] == "491"
    via = "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKraw2"
    net.perform(B, stack.receive(request_text("REFER", Via=via, Call_ID="other", Refer_To="<sip:x@y>"), RAW, net.now))
    assert net.sent(B)[-1] == "405"


# -- Replaces ----------------------------------------------------------------------------------------------------------


def test_an_answered_session_is_found_by_what_its_peer_is_told() -> None:
    net = Network()
    caller, callee = set_up(net)
    named = net.stacks[A].dialog_of(caller)
    assert named is not None
    assert net.stacks[B].find_replaced(named) == (callee, 0, "")
    assert net.stacks[B].find_replaced(Replaces(named.call_id, named.to_tag, "other"))[1] == 481
    assert net.stacks[B].find_replaced(Replaces("other", named.to_tag, named.from_tag))[1] == 481
    early = Replaces(named.call_id, named.to_tag, named.from_tag, early_only=True)
    assert net.stacks[B].find_replaced(early)[1] == 486
    net.perform(B, net.stacks[B].bye(callee, net.now))
    assert net.stacks[B].find_replaced(named)[1] == 603


def test_only_who_rings_may_be_replaced_before_the_answer() -> None:
    net = Network()
    caller, actions = net.stacks[A].invite(
        flow=udp(B), uri=f"sip:bob@{B}", from_=f"<sip:alice@{A}>", to=f"<sip:bob@{B}>", now=net.now, body=ANSWER
    )
    net.perform(A, actions)
    net.run()
    callee = net.events[B][0].session  # type: ignore[union-attr]
    assert net.stacks[A].dialog_of(caller) is None
    net.perform(B, net.stacks[B].progress(callee, 180, "Ringing", net.now))
    net.run()
    call_id = net.stacks[A].sessions[caller].call_id
    assert net.stacks[A].find_replaced(Replaces(call_id, caller, callee, early_only=True)) == (caller, 0, "")
    assert net.stacks[B].find_replaced(Replaces(call_id, callee, caller))[1] == 481
