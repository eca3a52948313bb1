"""sip/session_timer.py: RFC 4028 in both roles: who refreshes (table 2), by UPDATE or re-INVITE, 422 both ways, BYE
when nobody does, a lost BYE found out; sessions without timers; the calendar.

Not here: what the switch asks for (tests/scenarios/test_session_timers).
"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.actions import Answered, Closed, Ended, OfferAnswered, Offered, Refreshed, Rejected
from sip.timers import Calendar
from tests.sip.test_session_offer import in_dialog
from tests.sip.test_stack_requests import invite, reply
from tests.sip.two_stacks import ANSWER, OFFER, RAW, A, B, Network, header, kind, make_stack, request_text, set_up, udp


def answer_offers(net: Network) -> None:
    def accept(host: str, event: object) -> None:
        if isinstance(event, Offered):
            net.perform(host, net.stacks[host].accept_offer(event.session, ANSWER, net.now))

    net.on_event = accept


def hang_up(net: Network, session: str) -> None:
    net.perform(A, net.stacks[A].bye(session, net.now))
    net.finish()
    net.assert_empty()


def of(net: Network, host: str, method: str) -> list[tuple[float, bytes]]:
    """When it was sent first; retransmissions do not count."""
    found: dict[bytes, float] = {}
    for when, source, _, data in net.wire:
        if source == host and kind(data) == method:
            found.setdefault(data, when)
    return [(when, data) for data, when in found.items()]


# -- between two of us -------------------------------------------------------------------------------------------------


def test_the_caller_refreshes_by_update_for_as_long_as_the_call_lasts() -> None:
    net = Network(session_expires_s=600)
    caller, _ = set_up(net)
    net.run(3600.0)
    times = [when for when, _ in of(net, A, "UPDATE")]
    assert len(times) == 12
    assert all(290 <= later - earlier <= 305 for earlier, later in pairwise(times))
    assert of(net, B, "UPDATE") == []
    assert header(of(net, A, "UPDATE")[0][1], "Session-Expires") == "600;refresher=uac"
    assert all(header(data, "Session-Expires") == "600;refresher=uac" for _, data in of(net, B, "200")[1:])
    assert net.names(A) == ["Answered"]
    hang_up(net, caller)


def test_a_lost_bye_is_found_out() -> None:
    net = Network(session_expires_s=600)
    caller, callee = set_up(net)
    net.fate = lambda data: []
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.run(40.0)
    assert net.events[A][-1] == Closed(caller)
    net.fate = lambda data: [0.001]
    start = net.now
    net.run(600.0)
    assert net.events[B][-1] == Ended(callee, "timer_expired", "")
    ((when, bye),) = of(net, B, "BYE")[:1]
    assert when - start <= 600 - 40
    assert "Session timer expired" in header(bye, "Reason")
    net.finish()
    net.assert_empty()


def test_silence_to_a_refresh_ends_the_call() -> None:
    net = Network(session_expires_s=600)
    caller, callee = set_up(net)
    net.fate = lambda data: []
    net.run(601.0)
    assert net.events[A][-1] == Ended(caller, "dialog_lost", "")
    assert net.events[B][-1] == Ended(callee, "timer_expired", "")
    net.finish()
    net.assert_empty()


def test_a_reinvite_counts_as_a_refresh() -> None:
    net = Network(session_expires_s=600)
    answer_offers(net)
    caller, callee = set_up(net)
    for _ in range(6):
        net.run(200.0)
        net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.run(10.0)
    assert of(net, A, "UPDATE") == []
    assert net.names(A).count("OfferAnswered") == 6
    # The callee may send it as well; who refreshes stays who it was.
    net.perform(B, net.stacks[B].reinvite(callee, OFFER, net.now))
    net.run(10.0)
    assert header(of(net, B, "INVITE")[0][1], "Session-Expires") == "600;refresher=uas"
    assert net.stacks[A].sessions[caller].is_refresher
    assert not net.stacks[B].sessions[callee].is_refresher
    hang_up(net, caller)


def test_a_peer_that_wants_it_longer_gets_it_longer() -> None:
    net = Network(session_expires_s=300)
    net.stacks[B]._endpoint.min_se_s = 1000
    caller, _ = set_up(net)
    assert net.sent(B)[:2] == ["422", "200"]
    first, second = [data for _, data in of(net, A, "INVITE")]
    assert (header(first, "Session-Expires"), header(first, "Min-SE")) == ("300", "")
    assert (header(second, "Session-Expires"), header(second, "Min-SE")) == ("1000", "1000")
    assert header(of(net, B, "200")[0][1], "Session-Expires") == "1000;refresher=uac"
    hang_up(net, caller)


def test_a_peer_that_only_says_422_is_given_up() -> None:
    stack = make_stack(A, session_expires_s=300)
    session, actions = invite(stack)
    for least in (400, 500, 600, 700):
        sent = [action.data for action in actions if hasattr(action, "data") and kind(action.data) == "INVITE"]
        actions = stack.receive(reply(sent[-1], 422, Min_SE=str(least)), udp(B), 0.0)
    assert isinstance(actions[-1], Rejected)
    assert actions[-1].session == session


def test_no_timers_when_neither_asks() -> None:
    net = Network()
    caller, _ = set_up(net)
    assert b"Session-Expires" not in b"".join(data for *_, data in net.wire)
    net.run(5000.0)
    assert net.stacks[A].deadline is None
    hang_up(net, caller)


# -- raw callers (we are UAS) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "said", "requires", "we_refresh"),
    [
        # RFC 4028 table 2: does the UAC support it, whom did it name, whom do we name.
        ({}, "1800;refresher=uas", False, True),
        ({"Session_Expires": "600"}, "600;refresher=uas", False, True),
        ({"Supported": "timer"}, "1800;refresher=uac", True, False),
        ({"Supported": "100rel, Timer", "Session_Expires": "600"}, "600;refresher=uac", True, False),
        ({"Supported": "timer", "Session_Expires": "600;refresher=uac"}, "600;refresher=uac", True, False),
        ({"Supported": "timer", "Session_Expires": "600;refresher=uas"}, "600;refresher=uas", False, True),
        ({"Supported": "timer", "Session_Expires": "7200"}, "1800;refresher=uac", True, False),
        ({"Supported": "timer", "Session_Expires": "7200", "Min_SE": "3600"}, "3600;refresher=uac", True, False),
        ({"Supported": "timer", "Require": "timer", "Session_Expires": "90"}, "90;refresher=uac", True, False),
    ],
)
def test_who_refreshes(headers: dict[str, str], said: str, requires: bool, we_refresh: bool) -> None:
    stack = make_stack(B, session_expires_s=1800)
    actions = stack.receive(request_text("INVITE", body=OFFER.decode(), **headers), RAW, 0.0)
    session = actions[0].session  # type: ignore[union-attr]
    answer = stack.answer(session, ANSWER, 0.0)[0].data  # type: ignore[union-attr]
    assert header(answer, "Session-Expires") == said
    assert (header(answer, "Require") == "timer") is requires
    assert stack.sessions[session].is_refresher is we_refresh


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Supported": "timer", "Session_Expires": "60"}, "422"),
        ({"Supported": "timer", "Session_Expires": "89;refresher=uas"}, "422"),
        ({"Supported": "timer", "Session_Expires": "soon"}, "400"),
        ({"Session_Expires": "1800;;"}, "400"),
        ({"Supported": "timer", "Session_Expires": "600", "Min_SE": "x"}, "400"),
    ],
)
def test_an_interval_that_cannot_be(headers: dict[str, str], status: str) -> None:
    stack = make_stack(B, session_expires_s=1800)
    actions = stack.receive(request_text("INVITE", **headers), RAW, 0.0)
    assert kind(actions[-1].data) == status  # type: ignore[union-attr]
    assert (header(actions[-1].data, "Min-SE") == "90") is (status == "422")  # type: ignore[union-attr]
    assert dict(stack.sessions) == {}


def raw_call(net: Network, **headers: str) -> str:
    """A raw peer at 10.0.0.9 that B talks to, and that then says nothing more."""
    stack = net.stacks[B]
    net.perform(B, stack.receive(request_text("INVITE", body=OFFER.decode(), **headers), RAW, net.now))
    session: str = net.events[B][-1].session  # type: ignore[union-attr]
    net.perform(B, stack.answer(session, ANSWER, net.now))
    ack = request_text("ACK", To=f"<sip:bob@{B}>;tag={session}", Via="SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKack")
    net.perform(B, stack.receive(ack, RAW, net.now))
    return session


def test_a_peer_without_timers_and_update_gets_a_reinvite_with_the_same_sdp() -> None:
    net = Network(session_expires_s=600)
    session = raw_call(net)
    net.run(301.0)
    ((_, again),) = of(net, B, "INVITE")
    assert again.partition(b"\r\n\r\n")[2] == ANSWER
    # It answers and knows of no timer: we go on refreshing by ourselves.
    net.perform(B, net.stacks[B].receive(reply(again, 200, OFFER), RAW, net.now))
    assert net.events[B][-1] == Refreshed(session, OFFER)
    assert net.sent(B)[-1] == "ACK"
    net.run(301.0)
    again = of(net, B, "INVITE")[-1][1]
    net.perform(B, net.stacks[B].receive(reply(again, 481), RAW, net.now))
    assert net.events[B][-1] == Ended(session, "dialog_lost", "")
    net.finish()
    net.assert_empty()


@pytest.mark.parametrize("status", [491, 500, 503, 488])
def test_a_refused_refresh_is_tried_again_until_time_is_up(status: int) -> None:
    net = Network(session_expires_s=600)
    session = raw_call(net, Allow="INVITE, UPDATE")
    net.run(300.0)
    for _ in range(3):
        net.run(10.0)
        update = of(net, B, "UPDATE")[-1][1]
        net.perform(B, net.stacks[B].receive(reply(update, status), RAW, net.now))
    assert len(of(net, B, "UPDATE")) == 3
    net.run(10.0)
    net.perform(B, net.stacks[B].receive(reply(of(net, B, "UPDATE")[-1][1], 200), RAW, net.now))
    net.run(200.0)
    assert session in net.stacks[B].sessions
    net.perform(B, net.stacks[B].bye(session, net.now))
    net.finish()
    net.assert_empty()


def test_a_refresher_that_does_not_refresh_is_hung_up_on() -> None:
    net = Network(session_expires_s=1800)
    session = raw_call(net, Supported="timer", Session_Expires="120")
    net.run(75.0)
    assert session in net.stacks[B].sessions
    # UPDATE without a body begins the interval anew, and says how long it is from now on.
    data = in_dialog(net, session, "UPDATE", 50, Supported="timer", Session_Expires="180;refresher=uac")
    data = data.replace(f"sip:alice@{A}".encode(), b"sip:raw@10.0.0.9")
    net.perform(B, net.stacks[B].receive(data, RAW, net.now))
    assert header(net.wire[-1][3], "Session-Expires") == "180;refresher=uac"
    net.run(140.0)
    assert session in net.stacks[B].sessions
    net.run(20.0)
    assert net.events[B][-1] == Ended(session, "timer_expired", "")
    net.finish()
    net.assert_empty()


def test_an_interval_too_small_in_the_dialog_is_422_and_the_call_goes_on() -> None:
    net = Network(session_expires_s=1800)
    _, callee = set_up(net)
    for method in ("UPDATE", "INVITE"):
        data = in_dialog(net, callee, method, 60, Supported="timer", Session_Expires="10")
        net.perform(B, net.stacks[B].receive(data, RAW, net.now))
        if method == "UPDATE":
            assert (net.sent(B)[-1], header(net.wire[-1][3], "Min-SE")) == ("422", "90")
    assert net.stacks[B].sessions[callee].state == "confirmed"


# -- raw callees (we are UAC) ------------------------------------------------------------------------------------------


def answered(headers: dict[str, str]) -> tuple[Network, str]:
    net = Network(session_expires_s=600)
    session, actions = invite(net.stacks[A])
    net.perform(A, actions)
    response = reply(net.wire[-1][3], 200, ANSWER, **headers)
    net.perform(A, net.stacks[A].receive(response, udp(B), net.now))
    assert isinstance(net.events[A][-1], Answered)
    net.stacks.pop(B)
    return net, session


def test_a_callee_without_timers_leaves_us_without() -> None:
    net, session = answered({})
    net.run(5000.0)
    assert net.sent(A) == ["INVITE", "ACK"]
    assert session in net.stacks[A].sessions


def test_a_callee_that_refreshes_and_forgets_it() -> None:
    net, session = answered({"Session-Expires": "300;refresher=uas", "Require": "timer"})
    net.run(260.0)
    assert net.sent(A) == ["INVITE", "ACK"]
    net.run(20.0)
    assert net.events[A][-1] == Ended(session, "timer_expired", "")
    assert net.sent(A)[2] == "BYE"


def test_an_update_that_is_not_known_after_all_leaves_the_reinvite() -> None:
    net, session = answered({"Session-Expires": "300;refresher=uac", "Allow": "INVITE, BYE"})
    net.run(151.0)
    again = net.wire[-1][3]
    assert kind(again) == "INVITE"
    assert again.partition(b"\r\n\r\n")[2] == OFFER
    net.perform(A, net.stacks[A].receive(reply(again, 491), udp(B), net.now))
    # Glare: the owner of the Call-ID waits 2.1 to 4 s.
    net.run(4.5)
    assert len(of(net, A, "INVITE")) == 3
    net.perform(A, net.stacks[A].receive(reply(net.wire[-1][3], 200, ANSWER), udp(B), net.now))
    assert net.events[A][-1] == Refreshed(session, ANSWER)
    assert not [event for event in net.events[A] if isinstance(event, OfferAnswered)]


# -- the calendar ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 1000), st.booleans()), max_size=30), st.floats(0, 1100))
def test_calendar(entries: list[tuple[float, bool]], now: float) -> None:
    calendar = Calendar()
    slots = {str(n): calendar.add(str(n), when) for n, (when, _) in enumerate(entries)}
    for n, (_, is_removed) in enumerate(entries):
        if is_removed:
            calendar.remove(str(n), slots[str(n)])
    due = set(calendar.due(now))
    for n, (when, is_removed) in enumerate(entries):
        if is_removed:
            assert str(n) not in due
        elif when <= now:
            assert str(n) in due
        elif when >= now + Calendar.SLOT_S:
            assert str(n) not in due
