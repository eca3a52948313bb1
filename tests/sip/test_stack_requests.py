"""sip/stack.py, stack_driver.py, incoming.py: matching of messages, refusals, routing of what we send, credentials,
looked-up names, large requests, failed flows, limits, malformed bytes.

Not here: the course of calls (test_session_calls, test_session_offer), what makes a message malformed (test_torture).
"""

import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.actions import Action, Answered, Ended, IncomingInvite, IncomingRequest, Rejected, RequestDone, Resolve, Send
from sip.credentials import Credentials
from sip.flow import Flow
from sip.stack import Listener, SipStack
from tests.sip.two_stacks import (
    ANSWER,
    FAST,
    OFFER,
    RAW,
    A,
    B,
    Network,
    assert_empty,
    header,
    headers,
    kind,
    make_stack,
    request_text,
    set_up,
    tokens,
    udp,
)


def sends(actions: list[Action]) -> list[Send]:
    return [action for action in actions if isinstance(action, Send)]


def statuses(actions: list[Action]) -> list[str]:
    return [kind(each.data) for each in sends(actions)]


def only(actions: list[Action]) -> bytes:
    (send,) = sends(actions)
    return send.data


def invite(stack: SipStack, now: float = 0.0, **options: object) -> tuple[str, list[Action]]:
    return stack.invite(
        **{  # type: ignore[arg-type]
            "flow": udp(B),
            "uri": f"sip:bob@{B}",
            "from_": f"<sip:alice@{A}>",
            "to": f"<sip:bob@{B}>",
            "now": now,
            "body": OFFER,
            **options,
        }
    )


def reply(request: bytes, status: int, body: bytes = b"", **changes: str) -> bytes:
    """A peer's response to a request of ours."""
    fields = {name: header(request, name) for name in ("Via", "From", "To", "Call-ID", "CSeq")}
    if ";tag=" not in fields["To"] and status > 100:
        fields["To"] += ";tag=peer"
    if status < 300:
        fields["Contact"] = f"<sip:bob@{B}:5060>"
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    text = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"SIP/2.0 {status} Reason\r\n{text}Content-Length: {len(body)}\r\n\r\n".encode() + body


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "changes", "status", "extra"),
    [
        ("BYE", {}, "481", ""),
        ("INFO", {}, "481", ""),
        ("UPDATE", {}, "481", ""),
        ("BYE", {"To": "<sip:bob@10.0.0.2>;tag=none"}, "481", ""),
        ("INVITE", {"To": "<sip:bob@10.0.0.2>;tag=none"}, "481", ""),
        ("MESSAGE", {}, "405", "Allow"),
        ("SUBSCRIBE", {}, "405", "Allow"),
        ("NEWMETHOD", {}, "501", "Allow"),
        ("INVITE", {"Require": "100rel, precondition"}, "420", "Unsupported"),
        ("PRACK", {"RAck": "1 1 INVITE"}, "481", ""),
        ("OPTIONS", {"Require": "nothing"}, "420", "Unsupported"),
        ("INVITE", {"uri": "mailto:bob@10.0.0.2"}, "416", ""),
        ("INVITE", {"Max_Forwards": "0"}, "483", ""),
        ("INVITE", {"Contact": ""}, "400", ""),
        ("INVITE", {"Record_Route": "<sip:p"}, "400", ""),
        ("INVITE", {"body": "x", "Content_Type": "text/plain"}, "415", "Accept"),
    ],
)
def test_refused_by_the_stack(method: str, changes: dict[str, str], status: str, extra: str) -> None:
    stack = make_stack(B)
    data = request_text(method, **changes)
    answer = only(stack.receive(data, RAW, 0.0))
    assert kind(answer) == status
    assert header(answer, "To").count(";tag=") == 1
    assert not extra or header(answer, extra)
    # Statelessly: again the same, and nothing is left.
    assert only(stack.receive(data, RAW, 0.5)) == answer
    assert_empty(stack)


@pytest.mark.parametrize("max_forwards", ["0", "70"])
def test_options_comes_to_the_application_even_without_hops_left(max_forwards: str) -> None:
    stack = make_stack(B)
    (event,) = stack.receive(request_text("OPTIONS", uri=f"sip:{B}", Max_Forwards=max_forwards), RAW, 0.0)
    assert isinstance(event, IncomingRequest)
    answer = only(stack.respond(event.transaction, 200, "OK", 0.0, "Allow: X\r\n", b"abc", "text/plain"))
    assert (kind(answer), header(answer, "Allow"), header(answer, "Content-Type")) == ("200", "X", "text/plain")
    assert answer.endswith(b"\r\n\r\nabc")
    assert stack.respond(event.transaction, 200, "OK", 0.0) == []
    assert only(stack.receive(request_text("OPTIONS", uri=f"sip:{B}", Max_Forwards=max_forwards), RAW, 1.0)) == answer


def test_merged_request_is_482_until_the_first_is_refused() -> None:
    stack = make_stack(B)
    (event,) = stack.receive(request_text("INVITE", body="v=0"), RAW, 0.0)
    assert isinstance(event, IncomingInvite)
    other_path = request_text("INVITE", body="v=0", Via="SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKother")
    assert statuses(stack.receive(other_path, RAW, 0.1)) == ["482"]
    stack.reject(event.session, 503, "Service Unavailable", 0.2)
    third = request_text("INVITE", body="v=0", Via="SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKthird")
    assert isinstance(stack.receive(third, RAW, 0.3)[0], IncomingInvite)


def test_peer_without_magic_cookie_is_matched_by_the_old_rule() -> None:
    stack = make_stack(B, timers=FAST)
    old = {"Via": "SIP/2.0/UDP 10.0.0.9:5060", "From": "<sip:raw@10.0.0.9>;tag=x"}
    first = stack.receive(request_text("INVITE", body="v=0", **old), RAW, 0.0)
    event = next(each for each in first if isinstance(each, IncomingInvite))
    assert statuses(stack.receive(request_text("INVITE", body="v=0", **old), RAW, 0.5)) == ["100"]
    refusal = only(stack.reject(event.session, 486, "Busy Here", 1.0))
    ack = request_text("ACK", **old, To=header(refusal, "To"), CSeq="1 ACK")
    assert stack.receive(ack, RAW, 1.1) == []
    assert stack.n_transactions == 0
    # CANCEL finds its INVITE by the same rule.
    stack = make_stack(B, timers=FAST)
    stack.receive(request_text("INVITE", body="v=0", **old), RAW, 0.0)
    assert statuses(stack.receive(request_text("CANCEL", **old), RAW, 0.5)) == ["200", "487"]


def test_ack_with_the_branch_of_the_invite_confirms_too() -> None:
    stack = make_stack(B)
    (event,) = stack.receive(request_text("INVITE", body="v=0"), RAW, 0.0)
    assert isinstance(event, IncomingInvite)
    ok = only(stack.answer(event.session, ANSWER, 0.0))
    ack = request_text("ACK", To=header(ok, "To"), CSeq="1 ACK")
    assert [type(each).__name__ for each in stack.receive(ack, RAW, 0.1)] == ["Confirmed"]


@pytest.mark.parametrize(
    "changes",
    [{"From": "<sip:raw@10.0.0.9>;tag=wrong"}, {"Call_ID": "wrong"}, {"To": "<sip:bob@10.0.0.2>;tag=wrong"}],
    ids=["remote tag", "Call-ID", "local tag"],
)
def test_dialog_needs_all_three(changes: dict[str, str]) -> None:
    stack = make_stack(B)
    (event,) = stack.receive(request_text("INVITE", body="v=0"), RAW, 0.0)
    assert isinstance(event, IncomingInvite)
    ok = only(stack.answer(event.session, ANSWER, 0.0))
    ack = request_text(
        "ACK", **{"To": header(ok, "To"), "CSeq": "1 ACK", "Via": "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKa", **changes}
    )
    assert stack.receive(ack, RAW, 0.1) == []
    assert stack.sessions[event.session].state == "answered"
    bye = request_text(
        "BYE", **{"To": header(ok, "To"), "CSeq": "2 BYE", "Via": "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKb", **changes}
    )
    assert statuses(stack.receive(bye, RAW, 0.1)) == ["481"]


@pytest.mark.parametrize(
    "changes",
    [{"Via": "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKx"}, {"Via": "SIP/2.0/UDP 10.9.9.9;branch={branch}"}],
    ids=["branch", "sent-by"],
)
def test_responses_that_are_not_ours_are_dropped(changes: dict[str, str]) -> None:
    stack = make_stack(A)
    _, actions = invite(stack)
    request = only(actions)
    branch = header(request, "Via").rpartition("branch=")[2]
    assert stack.receive(reply(request, 200, Via=changes["Via"].format(branch=branch)), udp(B), 0.1) == []
    assert stack.stats.n_unmatched == 1


# -- where responses and requests go -----------------------------------------------------------------------------------

NAT = udp("203.0.113.5", 40001)
STREAM = Flow("tcp", "10.0.0.9", 40001, 1, 4)


@pytest.mark.parametrize(
    ("via", "source", "target", "top"),
    [
        ("10.0.0.9:5060;rport;branch=z9hG4bKq", NAT, ("203.0.113.5", 40001), "received=203.0.113.5;rport=40001"),
        ("10.0.0.9:5070;branch=z9hG4bKq", NAT, ("203.0.113.5", 5070), "received=203.0.113.5"),
        ("10.0.0.9;branch=z9hG4bKq", udp("10.0.0.9", 40001), ("10.0.0.9", 5060), ""),
        ("10.0.0.9:5060;maddr=198.51.100.1;branch=z9hG4bKq", RAW, ("10.0.0.9", 5060), ""),
    ],
    ids=["rport", "sent-by port", "default port", "maddr is not obeyed"],
)  # fmt: skip
def test_responses_go_where_the_rfc_wants(via: str, source: Flow, target: tuple[str, int], top: str) -> None:
    stack = make_stack(B)
    (send,) = sends(stack.receive(request_text("BYE", Via=f"SIP/2.0/UDP {via}"), source, 0.0))
    assert (send.flow.host, send.flow.port) == target
    assert top in header(send.data, "Via")


def test_all_vias_and_record_routes_come_back_in_order() -> None:
    stack = make_stack(B)
    via = "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK1, SIP/2.0/UDP 10.0.0.8;branch=z9hG4bK0"
    data = request_text(
        "INVITE", body="v=0", Via=via, Record_Route="<sip:10.0.0.9;lr>, <sip:10.0.0.8;lr>", Timestamp="5"
    )
    (event,) = stack.receive(data, RAW, 0.0)
    assert isinstance(event, IncomingInvite)
    ringing = only(stack.progress(event.session, 180, "Ringing", 0.0))
    assert headers(ringing, "Via") == [via]
    assert headers(ringing, "Record-Route") == ["<sip:10.0.0.9;lr>, <sip:10.0.0.8;lr>"]
    assert header(ringing, "Timestamp") == "5"
    stack.answer(event.session, ANSWER, 0.0)
    stack.receive(request_text("ACK", To=f"<sip:bob@{B}>;tag={event.session}", CSeq="1 ACK"), RAW, 0.0)
    (bye,) = sends(stack.bye(event.session, 1.0))
    assert bye.data.startswith(b"BYE sip:raw@10.0.0.9:5060 SIP/2.0\r\n")
    assert headers(bye.data, "Route") == ["<sip:10.0.0.9;lr>", "<sip:10.0.0.8;lr>"]


@pytest.mark.parametrize(
    ("source", "via", "contact", "target"),
    [
        (RAW, "10.0.0.9:5060", "sip:raw@10.0.0.9:5080", udp("10.0.0.9", 5080)),
        (NAT, "192.168.1.5:5060;rport", "sip:raw@192.168.1.5:5060", NAT),
        (NAT, "203.0.113.5:5060;rport", "sip:raw@192.168.1.5", NAT),
        (STREAM, "10.0.0.9:5060", "sip:raw@10.0.0.9:5060", STREAM),
    ],
    ids=["contact", "Via behind NAT", "contact behind NAT", "stream"],
)  # fmt: skip
def test_requests_in_a_dialog_reach_the_peer(source: Flow, via: str, contact: str, target: Flow) -> None:
    stack = make_stack(B, transports=("udp", "tcp"))
    branch = f"{via};branch=z9hG4bKraw1"
    (event,) = stack.receive(
        request_text("INVITE", body="v=0", Via=f"SIP/2.0/UDP {branch}", Contact=f"<{contact}>"), source, 0.0
    )
    assert isinstance(event, IncomingInvite)
    stack.answer(event.session, ANSWER, 0.0)
    stack.receive(request_text("ACK", To=f"<sip:bob@{B}>;tag={event.session}", CSeq="1 ACK"), source, 0.0)
    (bye,) = sends(stack.bye(event.session, 1.0))
    assert bye.flow == target
    assert bye.data.startswith(f"BYE {contact} ".encode())


def test_host_name_in_a_contact_is_looked_up_and_requests_keep_their_order() -> None:
    stack = make_stack(A)
    session, actions = invite(stack)
    ok = reply(only(actions), 200, ANSWER, Contact="<sip:bob@pbx.example.com>")
    first = stack.receive(ok, udp(B), 1.0)
    (resolve,) = [each for each in first if isinstance(each, Resolve)]
    assert (resolve.uri, sends(first)) == ("sip:bob@pbx.example.com", [])
    assert stack.receive(ok, udp(B), 1.2) == []
    assert stack.bye(session, 1.3) == []
    after = sends(stack.resolved(resolve.token, [udp("10.0.0.30")], 1.4))
    assert [kind(each.data) for each in after] == ["ACK", "BYE"]
    assert {each.flow for each in after} == {udp("10.0.0.30")}
    assert sends(stack.receive(ok, udp(B), 1.5)) == after[:1]
    stack.receive(reply(after[1].data, 200), udp(B), 1.6)
    stack.poll(100.0)
    assert_empty(stack)


@pytest.mark.parametrize("is_answered", [True, False], ids=["[]", "no answer"])
def test_name_that_leads_nowhere_falls_back_to_where_the_peer_is(is_answered: bool) -> None:
    stack = make_stack(A)
    _, actions = invite(stack)
    ok = reply(only(actions), 200, ANSWER, Contact="<sip:bob@pbx.example.com>")
    resolve = next(each for each in stack.receive(ok, udp(B), 1.0) if isinstance(each, Resolve))
    after = stack.resolved(resolve.token, [], 2.0) if is_answered else stack.poll(33.0)
    (ack,) = sends(after)
    assert (kind(ack.data), ack.flow) == ("ACK", udp(B))


def test_invite_and_request_to_a_name() -> None:
    stack = make_stack(A)
    session, (resolve,) = invite(stack, flow=None, uri="sip:bob@example.com")
    assert isinstance(resolve, Resolve) and resolve.uri == "sip:bob@example.com"
    (sent,) = sends(stack.resolved(resolve.token, [udp("10.0.0.7"), udp("10.0.0.8")], 0.1))
    assert sent.flow == udp("10.0.0.7")
    # The next address when the first cannot be reached (RFC 3263 §4.3).
    (again,) = sends(stack.flow_failed(udp("10.0.0.7"), 0.2))
    assert again.flow == udp("10.0.0.8")
    assert header(again.data, "Call-ID") == header(sent.data, "Call-ID")
    assert stack.flow_failed(udp("10.0.0.8"), 0.3) == [Rejected(session, 503, "Service Unavailable", None)]
    session, (resolve,) = invite(stack, flow=None, uri="sip:bob@example.com", route=("<sip:proxy.example.com;lr>",))
    assert isinstance(resolve, Resolve) and resolve.uri == "sip:proxy.example.com;lr"
    assert stack.resolved(resolve.token, [], 0.4) == [Rejected(session, 503, "Service Unavailable", None)]
    session, (resolve,) = invite(stack, flow=None, uri="sip:bob@example.com")
    assert [type(each).__name__ for each in stack.cancel(session, 0.5)] == ["Closed"]
    token, (resolve,) = stack.request("OPTIONS", "sip:e.com", flow=None, from_="<sip:a@a>", to="<sip:e.com>", now=0.6)
    assert isinstance(resolve, Resolve)
    assert stack.resolved(resolve.token, [], 0.7) == [RequestDone(token, None)]
    assert_empty(stack)


@pytest.mark.parametrize(
    ("flow", "via"),
    [
        (Flow("tcp", "10.0.0.2", 5060), "SIP/2.0/TCP 10.0.0.1:5060"),
        (Flow("udp", "2001:db8::2", 5060), "SIP/2.0/UDP [2001:db8::1]:5060"),
        (Flow("udp", "10.0.0.2", 5060, 9), "SIP/2.0/UDP 10.0.0.1:5060"),
    ],
    ids=["transport", "address family", "no such listener"],
)
def test_listener_that_does_not_fit_the_flow_is_replaced(flow: Flow, via: str) -> None:
    listeners = [Listener("udp", A, 5060), Listener("tcp", A, 5060), Listener("udp", "2001:db8::1", 5060)]
    stack = SipStack(listeners, token=tokens(1))
    _, actions = invite(stack, flow=flow)
    assert header(only(actions), "Via").startswith(via)
    _, (resolve,) = invite(stack, flow=None)
    assert isinstance(resolve, Resolve)
    assert header(only(stack.resolved(resolve.token, [flow], 0.0)), "Via").startswith(via)
    _, actions = stack.request("OPTIONS", "sip:x", flow=flow, from_="<sip:a@a>", to="<sip:x>", now=0.0)
    assert header(only(actions), "Via").startswith(via)


def test_large_request_takes_tcp_and_falls_back_to_udp() -> None:
    stack = make_stack(A, transports=("udp", "tcp"))
    session, actions = invite(stack, headers="X-Big: " + "x" * 1300 + "\r\n")
    (sent,) = sends(actions)
    assert sent.flow == Flow("tcp", B, 5060, 1)
    assert header(sent.data, "Via").startswith("SIP/2.0/TCP 10.0.0.1:5060;")
    (again,) = sends(stack.flow_failed(Flow("tcp", B, 5060, 1), 0.1))
    assert again.flow == udp(B)
    assert header(again.data, "Via").startswith("SIP/2.0/UDP ")
    assert header(again.data, "CSeq") == "1 INVITE"
    events = stack.receive(reply(again.data, 200, ANSWER), udp(B), 0.2)
    assert [each.session for each in events if isinstance(each, Answered)] == [session]


def test_cancelled_invite_is_not_tried_at_the_next_address() -> None:
    stack = make_stack(A)
    session, (resolve,) = invite(stack, flow=None)
    assert isinstance(resolve, Resolve)
    stack.resolved(resolve.token, [udp("10.0.0.7"), udp("10.0.0.8")], 0.0)
    stack.cancel(session, 0.1)
    assert [type(each).__name__ for each in stack.flow_failed(udp("10.0.0.7"), 0.2)] == ["Closed"]
    assert_empty(stack)


def test_failed_flow_ends_what_waits_on_it() -> None:
    stack = make_stack(B, transports=("udp", "tcp"))
    stream = Flow("tcp", "10.0.0.9", 40001, 1, 4)
    (event,) = stack.receive(request_text("INVITE", body="v=0"), stream, 0.0)
    assert isinstance(event, IncomingInvite)
    token, _ = stack.request("OPTIONS", "sip:x", flow=stream, from_="<sip:a@a>", to="<sip:x>", now=0.0)
    other, _ = stack.request("OPTIONS", "sip:x", flow=RAW, from_="<sip:a@a>", to="<sip:x>", now=0.0)
    actions = stack.flow_failed(stream, 0.5)
    assert Ended(event.session, "transport_failed", "") in actions
    assert RequestDone(token, None) in actions
    assert RequestDone(other, None) not in actions
    assert not stack.sessions


def test_session_of_a_lost_connection_reaches_its_peer_another_way() -> None:
    stack = make_stack(B, transports=("udp", "tcp"))
    stream = Flow("tcp", "10.0.0.9", 40001, 1, 4)
    contact = "<sip:raw@10.0.0.9:5060;transport=tcp>"
    (event,) = stack.receive(request_text("INVITE", body="v=0", Contact=contact), stream, 0.0)
    assert isinstance(event, IncomingInvite)
    stack.answer(event.session, ANSWER, 0.0)
    stack.receive(request_text("ACK", To=f"<sip:bob@{B}>;tag={event.session}", CSeq="1 ACK"), stream, 0.0)
    stack.flow_failed(stream, 1.0)
    (bye,) = sends(stack.bye(event.session, 1.0))
    assert bye.flow == Flow("tcp", "10.0.0.9", 5060, 1)


# -- credentials -------------------------------------------------------------------------------------------------------

CHALLENGE = 'Digest realm="trunk", nonce="n1", algorithm=MD5, qop="auth"'
TRUNK = Credentials("u", "p", realm="trunk")


def test_challenged_invite_is_repeated_and_its_ack_carries_the_same() -> None:
    stack = make_stack(A)
    session, actions = invite(stack, credentials=TRUNK)
    first = only(actions)
    out = sends(stack.receive(reply(first, 407, Proxy_Authenticate=CHALLENGE), udp(B), 0.1))
    assert [kind(each.data) for each in out] == ["ACK", "INVITE"]
    second = out[1].data
    assert header(second, "CSeq") == "2 INVITE" and header(second, "Via") != header(first, "Via")
    assert header(second, "From") == header(first, "From") and header(second, "Call-ID") == header(first, "Call-ID")
    assert 'realm="trunk"' in header(second, "Proxy-Authorization") and second.endswith(OFFER)
    # A second proxy asks with 401: both answers go along; the To tag of the first refusal does not.
    third = sends(stack.receive(reply(second, 401, WWW_Authenticate=CHALLENGE), udp(B), 0.2))[1].data
    assert (
        header(third, "Authorization") and header(third, "Proxy-Authorization") and header(third, "CSeq") == "3 INVITE"
    )
    assert "tag" not in header(third, "To")
    events = stack.receive(reply(third, 200, ANSWER), udp(B), 0.3)
    ack = only(events)
    assert header(ack, "CSeq") == "3 ACK" and header(ack, "Authorization") == header(third, "Authorization")
    # BYE and re-INVITE are challenged too.
    reinvite = only(stack.reinvite(session, OFFER, 1.0))
    again = sends(stack.receive(reply(reinvite, 401, WWW_Authenticate=CHALLENGE), udp(B), 1.1))[1].data
    assert header(again, "CSeq") == "5 INVITE" and again.endswith(OFFER)
    stack.receive(reply(again, 200, ANSWER), udp(B), 1.2)
    bye = only(stack.bye(session, 2.0))
    again = only(stack.receive(reply(bye, 401, WWW_Authenticate=CHALLENGE), udp(B), 2.1))
    assert (header(again, "CSeq"), kind(again)) == ("7 BYE", "BYE")
    assert [type(each).__name__ for each in stack.receive(reply(again, 200), udp(B), 2.2)] == ["Closed"]


@pytest.mark.parametrize(
    ("credentials", "challenge", "n_rounds"),
    [
        (None, CHALLENGE, 0),
        (TRUNK, CHALLENGE.replace("trunk", "phone"), 0),
        (TRUNK, "Digest nonsense", 0),
        (TRUNK, CHALLENGE, 1),
        (TRUNK, CHALLENGE + ", stale=true", 2),
    ],
    ids=["none", "another realm: nothing leaks", "malformed", "refused once is enough", "stale twice at most"],
)
def test_challenges_that_are_not_answered(credentials: Credentials | None, challenge: str, n_rounds: int) -> None:
    stack = make_stack(A)
    session, actions = invite(stack, credentials=credentials)
    request = only(actions)
    for _ in range(n_rounds):
        out = sends(stack.receive(reply(request, 401, WWW_Authenticate=challenge), udp(B), 0.1))
        request = out[1].data
    events = stack.receive(reply(request, 401, WWW_Authenticate=challenge), udp(B), 0.2)
    assert [kind(each.data) for each in sends(events)] == ["ACK"]
    rejected = events[-1]
    assert isinstance(rejected, Rejected) and (rejected.session, rejected.status) == (session, 401)


def test_cancelled_invite_is_not_repeated_with_credentials() -> None:
    stack = make_stack(A)
    session, actions = invite(stack, credentials=TRUNK)
    stack.cancel(session, 0.1)
    events = stack.receive(reply(only(actions), 401, WWW_Authenticate=CHALLENGE), udp(B), 0.2)
    assert [type(each).__name__ for each in events] == ["Send", "Closed"]


# -- bounds, bad bytes, leaks ------------------------------------------------------------------------------------------


def test_full_tables_answer_503_with_retry_after() -> None:
    stack = make_stack(B, max_sessions=2, max_transactions=3, retry_after_s=7)

    def ask(n: int, method: str) -> list[Action]:
        data = request_text(method, body="v=0" if method == "INVITE" else "", Call_ID=f"c{n}", uri=f"sip:x@{B}",
                            Via=f"SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK{n}")  # fmt: skip
        return stack.receive(data, RAW, 0.0)

    assert isinstance(ask(1, "INVITE")[0], IncomingInvite)
    assert isinstance(ask(2, "INVITE")[0], IncomingInvite)
    refused = only(ask(3, "INVITE"))
    assert (kind(refused), header(refused, "Retry-After")) == ("503", "7")
    assert isinstance(ask(4, "OPTIONS")[0], IncomingRequest)
    assert statuses(ask(5, "OPTIONS")) == ["503"]
    assert stack.stats.n_overload == 2


def test_malformed_requests_are_answered_when_they_can_be() -> None:
    stack = make_stack(B)
    good = request_text("INVITE", body="v=0")
    assert statuses(stack.receive(good.replace(b"CSeq: 1", b"CSeq: x"), RAW, 0.0)) == ["400"]
    assert statuses(stack.receive(good.replace(b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia", 1), RAW, 0.0)) == ["505"]
    assert stack.receive(good.replace(b"INVITE", b"ACK").replace(b"CSeq: 1", b"CSeq: x"), RAW, 0.0) == []
    assert stack.receive(b"\x00\xff" * 50, RAW, 0.0) == []
    assert stack.receive(b"", RAW, 0.0) == []
    assert stack.stats.n_malformed == 5
    assert_empty(stack)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_bytes_make_a_stack_with_calls_fail(data: st.DataObject) -> None:
    """Mutations of what a real call consists of, thrown at both ends of one."""
    net = Network()
    caller, callee = set_up(net)
    net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.run()
    messages = [message for _, _, _, message in net.wire]
    for _ in range(5):
        message = bytearray(data.draw(st.sampled_from(messages)))
        for _ in range(data.draw(st.integers(0, 4))):
            at = data.draw(st.integers(0, len(message) - 1))
            piece = data.draw(st.sampled_from([b"", b"\r\n", b"<", b'"', b";", b",", b"\xff", b"0", b"tag", b"BYE"]))
            message[at : at + data.draw(st.integers(0, 3))] = piece
        for stack in net.stacks.values():
            stack.receive(bytes(message), data.draw(st.sampled_from([RAW, udp(A), udp(B)])), net.now)
            assert stack.stats.n_faults == 0
    del callee


@pytest.mark.parametrize("name", ["uri", "from_", "to", "content_type"])
def test_line_ends_do_not_get_into_a_message(name: str) -> None:
    with pytest.raises(ValueError, match="line end"):
        invite(make_stack(A), **{name: "<sip:a@b>\r\nX: y"})


def test_nothing_is_left_for_the_garbage_collector() -> None:
    net = Network()

    def make_calls() -> None:
        for _ in range(20):
            net.events = {A: [], B: []}
            caller, _ = set_up(net)
            net.perform(A, net.stacks[A].bye(caller, net.now))
            net.run()
        net.finish()
        net.wire.clear()
        net.events = {A: [], B: []}

    make_calls()
    gc.collect()
    gc.disable()
    try:
        make_calls()
        assert gc.collect() == 0
    finally:
        gc.enable()
    net.assert_empty()


def test_a_confirmed_session_keeps_nothing_of_its_invite() -> None:
    net = Network()
    caller, callee = set_up(net)
    net.run(60.0)
    for host, session_id in ((A, caller), (B, callee)):
        stack = net.stacks[host]
        assert stack.n_transactions == 0
        session = stack.sessions[session_id]
        assert not any(
            isinstance(value := getattr(session, name), bytes) and value for name in session.__struct_fields__
        )
        assert len(session.head) < 250
