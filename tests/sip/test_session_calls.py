"""sip/session_uac.py, session_uas.py, session_ack.py, session_requests.py: calls between two stacks in virtual time.
Set-up, early media, late offer, refusal, CANCEL and BYE and their races, lost ACK and 2xx, forks, INFO, OPTIONS.

Not here: re-INVITE and UPDATE (test_session_offer), credentials and routing (test_stack_requests), random loss
(test_stack_network)."""

import pytest

from sip.actions import (
    Answered,
    Cancelled,
    Closed,
    Confirmed,
    Ended,
    IncomingInvite,
    InfoReceived,
    Progressed,
    Rejected,
)
from sip.stack import TransactionTimers
from tests.sip.two_stacks import ANSWER, FAST, OFFER, RAW, A, B, Network, header, kind, request_text, set_up, udp


def call(net: Network, **options: object) -> str:
    session, actions = net.stacks[A].invite(
        flow=udp(B),
        uri=f"sip:bob@{B}",
        from_=f'"Alice" <sip:alice@{A}>',
        to=f"<sip:bob@{B}>",
        now=net.now,
        **{"body": OFFER, **options},  # type: ignore[arg-type]
    )
    net.perform(A, actions)
    return session


def callee_of(net: Network) -> str:
    return [e for e in net.events[B] if isinstance(e, IncomingInvite)][-1].session


def test_a_whole_call() -> None:
    net = Network()
    caller = call(net, headers="X-Call: 7\r\n", contact_user="alice")
    net.run()
    callee = callee_of(net)
    invite = net.wire[0][3]
    assert header(invite, "X-Call") == "7"
    assert header(invite, "Contact") == f"<sip:alice@{A}:5060>"
    assert net.stacks[B].sessions[callee].state == "incoming"
    net.perform(B, net.stacks[B].progress(callee, 183, "Session Progress", net.now, ANSWER))
    net.run()
    assert net.stacks[A].sessions[caller].state == "early"
    net.perform(B, net.stacks[B].answer(callee, ANSWER, net.now))
    net.run()
    assert net.stacks[A].sessions[caller].state == net.stacks[B].sessions[callee].state == "confirmed"
    net.perform(A, net.stacks[A].info(caller, "application/dtmf-relay", b"Signal=5\r\n", net.now))
    net.run()
    net.perform(A, net.stacks[A].bye(caller, net.now, "Q.850;cause=16"))
    net.run()
    progressed, answered, closed = net.events[A]
    assert isinstance(progressed, Progressed) and (progressed.status, progressed.body) == (183, ANSWER)
    assert progressed.remote_tag == callee
    assert isinstance(answered, Answered) and answered.body == ANSWER
    assert isinstance(closed, Closed)
    assert net.events[B][1:] == [
        Confirmed(callee, b""),
        InfoReceived(callee, "application/dtmf-relay", b"Signal=5\r\n"),
        Ended(callee, "bye", "Q.850;cause=16"),
    ]
    assert net.sent(A) == ["INVITE", "PRACK", "ACK", "INFO", "BYE"]
    assert net.sent(B) == ["183", "200", "200", "200", "200"]
    net.finish()
    net.assert_empty()


def test_late_offer_goes_in_the_2xx_and_its_answer_in_the_ack() -> None:
    net = Network()
    caller, callee = set_up(net, offer=b"")
    assert net.events[B][-1] == Confirmed(callee, ANSWER)
    assert [e.body for e in net.events[A] if isinstance(e, Answered)] == [OFFER]
    ack = net.wire[-1][3]
    assert kind(ack) == "ACK" and ack.endswith(ANSWER)
    net.perform(B, net.stacks[B].bye(callee, net.now))
    net.run()
    assert net.events[A][-1] == Ended(caller, "bye", "")
    net.finish()
    net.assert_empty()


def test_bye_before_the_late_answer_sends_ack_first() -> None:
    net = Network()
    caller = call(net, body=b"")
    net.run()
    net.perform(B, net.stacks[B].answer(callee_of(net), OFFER, net.now))
    net.run()
    net.perform(A, net.stacks[A].hang_up(caller, net.now))
    net.run()
    assert net.sent(A) == ["INVITE", "ACK", "BYE"]
    net.finish()
    net.assert_empty()


@pytest.mark.parametrize("status", [302, 404, 486, 603])
def test_refusal(status: int) -> None:
    net = Network()
    caller = call(net)
    net.run()
    callee = callee_of(net)
    net.perform(B, net.stacks[B].hang_up(callee, net.now, status, "No", 'Q.850;cause=17;text="busy"'))
    net.run()
    rejected = net.events[A][-1]
    assert isinstance(rejected, Rejected) and (rejected.session, rejected.status, rejected.reason) == (
        caller,
        status,
        "No",
    )
    assert rejected.response is not None
    assert rejected.response.get("Reason") == 'Q.850;cause=17;text="busy"'
    assert net.events[B][-1] == Closed(callee)
    assert net.sent(A) == ["INVITE", "ACK"]
    net.finish()
    net.assert_empty()


def test_no_answer_at_all_fails_after_32_s() -> None:
    net = Network(fate=lambda data: [])
    caller = call(net)
    net.finish()
    assert [when for when, *_ in net.wire] == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert net.events[A] == [Rejected(caller, 408, "Request Timeout", None)]
    assert net.now == 32.0
    net.assert_empty()


def test_100_after_200_ms_and_ringing_again_every_minute() -> None:
    net = Network()
    call(net)
    net.run(1.0)
    assert net.sent(B) == ["100"]
    net.perform(B, net.stacks[B].progress(callee_of(net), 180, "Ringing", net.now))
    net.run(130.0)
    assert net.sent(B) == ["100", "180", "180", "180"]
    assert net.names(A) == ["Progressed"] * 3


# -- CANCEL ------------------------------------------------------------------------------------------------------------


def test_cancel_waits_for_the_first_provisional() -> None:
    net = Network()
    caller = call(net)
    net.perform(A, net.stacks[A].cancel(caller, net.now, "SIP;cause=200"))
    net.run(0.1)
    assert net.sent(A) == ["INVITE"]
    net.run(0.2)
    assert net.sent(A) == ["INVITE", "CANCEL", "ACK"]
    assert net.events[A] == [Closed(caller)]
    assert net.events[B][-1] == Cancelled(callee_of(net), "SIP;cause=200")
    assert net.sent(B) == ["100", "200", "487"]
    net.finish()
    net.assert_empty()


def test_cancel_while_ringing_and_what_belongs_to_the_invite() -> None:
    net = Network(timers=FAST)
    caller = call(net)
    net.run()
    net.perform(A, net.stacks[A].hang_up(caller, net.now))
    net.run()
    invite, cancel = (data for _, source, _, data in net.wire if kind(data) in ("INVITE", "CANCEL"))
    for name in ("Via", "From", "To", "Call-ID"):
        assert header(invite, name) == header(cancel, name)
    assert header(cancel, "CSeq") == "1 CANCEL"
    assert net.events[A] == [Closed(caller)]
    net.finish()
    net.assert_empty()


def test_2xx_crosses_cancel() -> None:
    net = Network(timers=FAST)
    caller = call(net)
    net.run()
    net.perform(B, net.stacks[B].answer(callee_of(net), ANSWER, net.now))
    net.perform(A, net.stacks[A].cancel(caller, net.now, "SIP;cause=200"))
    net.run()
    assert net.sent(A) == ["INVITE", "CANCEL", "ACK", "BYE"]
    bye = next(data for *_, data in net.wire if kind(data) == "BYE")
    assert header(bye, "Reason") == "SIP;cause=200"
    assert net.events[A] == [Closed(caller)]
    assert net.names(B) == ["IncomingInvite", "Confirmed", "Ended"]
    net.finish()
    net.assert_empty()


def test_final_failure_crosses_cancel() -> None:
    net = Network(timers=FAST)
    caller = call(net)
    net.run()
    net.perform(B, net.stacks[B].reject(callee_of(net), 486, "Busy Here", net.now))
    net.perform(A, net.stacks[A].cancel(caller, net.now))
    net.run()
    assert net.events[A] == [Closed(caller)]
    net.finish()
    net.assert_empty()


def test_cancel_that_nobody_answers_gives_up() -> None:
    is_up = True
    net = Network(timers=FAST, fate=lambda data: [0.001] if is_up else [])
    caller = call(net)
    net.run()
    is_up = False
    net.perform(A, net.stacks[A].cancel(caller, net.now))
    net.run(31.9)
    assert net.events[A] == []
    net.run(0.2)
    assert net.events[A] == [Closed(caller)]


def test_cancel_for_nothing_is_481() -> None:
    net = Network()
    net.perform(B, net.stacks[B].receive(request_text("CANCEL"), RAW, 0.0))
    assert net.sent(B) == ["481"]


# -- BYE ---------------------------------------------------------------------------------------------------------------


def test_byes_cross() -> None:
    net = Network()
    caller, callee = set_up(net)
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.perform(B, net.stacks[B].bye(callee, net.now))
    net.run()
    assert net.events[A][-1] == Closed(caller)
    assert net.events[B][-1] == Closed(callee)
    assert net.sent(A).count("200") == net.sent(B)[1:].count("200") == 1
    net.finish()
    net.assert_empty()


def test_bye_of_the_callee_waits_for_the_ack() -> None:
    net = Network(fate=lambda data: [] if kind(data) == "ACK" and net.now < 2.0 else [0.001])
    call(net)
    net.run()
    callee = callee_of(net)
    net.perform(B, net.stacks[B].answer(callee, ANSWER, net.now))
    net.run()
    net.perform(B, net.stacks[B].hang_up(callee, net.now, reason_header="Q.850;cause=16"))
    net.run(0.3)
    assert "BYE" not in net.sent(B)
    net.run(4.0)
    assert net.sent(B).count("BYE") == 1
    assert net.events[B][-1] == Closed(callee)
    net.finish()
    net.assert_empty()


def test_bye_in_an_early_dialog_ends_the_invite_too() -> None:
    net = Network(timers=FAST)
    net.perform(B, net.stacks[B].receive(request_text("INVITE", body=OFFER.decode()), RAW, 0.0))
    callee = callee_of(net)
    net.perform(B, net.stacks[B].progress(callee, 180, "Ringing", 0.0))
    bye = request_text(
        "BYE", To=f"<sip:bob@{B}>;tag={callee}", CSeq="2 BYE", Via="SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKraw2"
    )
    net.perform(B, net.stacks[B].receive(bye, RAW, 1.0))
    assert net.sent(B) == ["100", "180", "200", "487"]
    assert net.names(B) == ["IncomingInvite", "Cancelled"]


def test_bye_nobody_answers_gives_up() -> None:
    is_up = True
    net = Network(fate=lambda data: [0.001] if is_up else [])
    caller, _ = set_up(net)
    is_up = False
    net.perform(A, net.stacks[A].bye(caller, net.now))
    assert net.stacks[A].bye(caller, net.now) == []
    net.run(31.9)
    assert caller in net.stacks[A].sessions
    net.run(0.2)
    assert net.events[A][-1] == Closed(caller)


@pytest.mark.parametrize("method", ["INVITE", "BYE", "INFO", "UPDATE", "OPTIONS"])
def test_after_bye_every_request_is_481(method: str) -> None:
    net = Network()
    caller, callee = set_up(net)
    session = net.stacks[B].sessions[callee]
    call_id, remote_tag = session.call_id, session.remote_tag
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.run()
    late = request_text(
        method,
        To=f"<sip:bob@{B}>;tag={callee}",
        From=f"<sip:alice@{A}>;tag={remote_tag}",
        Call_ID=call_id,
        CSeq=f"9 {method}",
    )
    net.perform(B, net.stacks[B].receive(late, RAW, net.now))
    assert net.sent(B)[-1] == "481"


# -- ACK and 2xx -------------------------------------------------------------------------------------------------------


def test_2xx_is_repeated_until_the_ack_and_the_ack_for_each() -> None:
    n_lost = 0

    def lose_three_acks(data: bytes) -> list[float]:
        nonlocal n_lost
        if kind(data) == "ACK" and n_lost < 3:
            n_lost += 1
            return []
        return [0.001]

    net = Network(fate=lose_three_acks)
    call(net)
    net.run()
    net.perform(B, net.stacks[B].answer(callee_of(net), ANSWER, net.now))
    start = net.now
    net.run(10.0)
    assert [round(when - start, 3) for when, _, _, data in net.wire if kind(data) == "200"] == [0.0, 0.5, 1.5, 3.5]
    acks = [data for _, _, _, data in net.wire if kind(data) == "ACK"]
    assert len(acks) == 4 and len(set(acks)) == 1
    assert net.names(A) == ["Answered"]
    assert net.names(B) == ["IncomingInvite", "Confirmed"]


def test_no_ack_ends_in_bye() -> None:
    net = Network(fate=lambda data: [] if kind(data) == "ACK" else [0.001])
    caller = call(net)
    net.run()
    callee = callee_of(net)
    net.perform(B, net.stacks[B].answer(callee, ANSWER, net.now))
    start = net.now
    net.finish()
    sent = [(round(when - start, 3), kind(data)) for when, source, _, data in net.wire if source == B and when >= start]
    assert sent[:11] == [(t, "200") for t in (0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)]
    assert sent[11] == (32.0, "BYE")
    assert net.events[B][-1] == Ended(callee, "no_ack", "")
    assert net.names(A) == ["Answered", "Ended"]
    assert caller not in net.stacks[A].sessions
    net.assert_empty()


def test_second_fork_is_acknowledged_and_ended() -> None:
    net = Network(A)
    session = call(net)
    invite = net.wire[0][3]

    def ok(tag: str, host: str) -> bytes:
        return (
            f"SIP/2.0 200 OK\r\nVia: {header(invite, 'Via')}\r\nFrom: {header(invite, 'From')}\r\n"
            f"To: <sip:bob@{B}>;tag={tag}\r\nCall-ID: {header(invite, 'Call-ID')}\r\nCSeq: 1 INVITE\r\n"
            f"Record-Route: <sip:10.0.0.7;lr>\r\nContact: <sip:bob@{host}>\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    net.perform(A, net.stacks[A].receive(ok("one", "10.0.0.3"), udp("10.0.0.7"), 1.0))
    net.perform(A, net.stacks[A].receive(ok("two", "10.0.0.4"), udp("10.0.0.7"), 1.1))
    net.perform(A, net.stacks[A].receive(ok("two", "10.0.0.4"), udp("10.0.0.7"), 1.6))
    net.perform(A, net.stacks[A].receive(ok("one", "10.0.0.3"), udp("10.0.0.7"), 1.7))
    assert net.sent(A) == ["INVITE", "ACK", "ACK", "BYE", "ACK", "ACK"]
    first, second, bye, again, first_again = (data for *_, data in net.wire[1:])
    assert first.startswith(b"ACK sip:bob@10.0.0.3 ") and header(first, "Route") == "<sip:10.0.0.7;lr>"
    assert second.startswith(b"ACK sip:bob@10.0.0.4 ") and header(second, "To").endswith("tag=two")
    assert bye.startswith(b"BYE sip:bob@10.0.0.4 ") and header(bye, "CSeq") == "2 BYE"
    assert again == second
    assert first_again == first
    assert net.names(A) == ["Answered"]
    assert net.stacks[A].sessions[session].remote_tag == "one"


def test_2xx_after_the_session_is_gone_is_ended() -> None:
    net = Network(timers=FAST)
    caller = call(net)
    net.run()
    invite = net.wire[0][3]
    callee = callee_of(net)
    net.fate = lambda data: []
    net.perform(A, net.stacks[A].cancel(caller, net.now))
    net.run(31.0)
    late = (
        f"SIP/2.0 200 OK\r\nVia: {header(invite, 'Via')}\r\nFrom: {header(invite, 'From')}\r\n"
        f"To: <sip:bob@{B}>;tag={callee}\r\nCall-ID: {header(invite, 'Call-ID')}\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:bob@{B}>\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    net.perform(A, net.stacks[A].receive(late, udp(B), net.now))
    assert net.sent(A)[-2:] == ["ACK", "BYE"]


# -- other requests ----------------------------------------------------------------------------------------------------


def test_options_inside_a_dialog_is_answered_by_the_stack() -> None:
    net = Network()
    _, callee = set_up(net)
    session = net.stacks[B].sessions[callee]
    probe = request_text(
        "OPTIONS",
        To=f"<sip:bob@{B}>;tag={callee}",
        From=f"<sip:alice@{A}>;tag={session.remote_tag}",
        Call_ID=session.call_id,
        CSeq="9 OPTIONS",
    )
    n_events = len(net.events[B])
    net.perform(B, net.stacks[B].receive(probe, RAW, net.now))
    assert kind(net.wire[-1][3]) == "200"
    assert "UPDATE" in header(net.wire[-1][3], "Allow")
    assert len(net.events[B]) == n_events


@pytest.mark.parametrize("is_answered", [True, False], ids=["481", "no answer"])
def test_info_to_a_peer_that_forgot_the_dialog_ends_it(is_answered: bool) -> None:
    net = Network()
    caller, callee = set_up(net)
    net.stacks[B]._endpoint.remove(net.stacks[B].sessions[callee])
    if not is_answered:
        net.fate = lambda data: []
    net.perform(A, net.stacks[A].info(caller, "application/dtmf-relay", b"Signal=1", net.now))
    net.run(40.0)
    assert net.events[A][-1] == Ended(caller, "dialog_lost", "")
    assert ("BYE" in net.sent(A)) is not is_answered


def test_info_in_an_early_dialog() -> None:
    net = Network(timers=FAST)
    caller = call(net)
    net.run()
    callee = callee_of(net)
    net.perform(B, net.stacks[B].progress(callee, 183, "Session Progress", net.now))
    net.run()
    # Which fork would ours be for? Theirs is for us.
    assert net.stacks[A].info(caller, "application/dtmf-relay", b"Signal=1", net.now) == []
    net.perform(B, net.stacks[B].info(callee, "application/dtmf-relay", b"Signal=1", net.now))
    net.run()
    assert net.names(A) == ["Progressed", "InfoReceived"]
    assert net.sent(A)[-1] == "200"


def test_operations_on_a_session_that_is_gone_do_nothing() -> None:
    stack = Network().stacks[A]
    assert stack.bye("x", 0.0) == stack.cancel("x", 0.0) == stack.hang_up("x", 0.0) == stack.answer("x", b"", 0.0) == []
    assert stack.progress("x", 180, "", 0.0) == stack.reject("x", 400, "", 0.0) == stack.reinvite("x", b"", 0.0) == []
    assert (
        stack.accept_offer("x", b"", 0.0)
        == stack.refuse_offer("x", 488, "", 0.0)
        == stack.info("x", "", b"", 0.0)
        == []
    )
    assert stack.acknowledge("x", b"", 0.0) == stack.respond("x", 200, "OK", 0.0) == stack.resolved(9, [], 0.0) == []


def test_operations_that_do_not_fit_the_state_do_nothing() -> None:
    net = Network()
    caller, callee = set_up(net)
    a, b = net.stacks[A], net.stacks[B]
    assert a.cancel(caller, net.now) == a.answer(caller, b"", net.now) == a.acknowledge(caller, b"x", net.now) == []
    assert (
        b.progress(callee, 180, "", net.now)
        == b.reject(callee, 486, "", net.now)
        == b.answer(callee, b"", net.now)
        == []
    )
    assert b.accept_offer(callee, b"", net.now) == []


def test_other_timers_are_taken() -> None:
    net = Network(fate=lambda data: [], timers=TransactionTimers(t1=0.05))
    call(net)
    net.finish()
    assert round(net.now, 3) == 3.2
