"""sip/session_reliable.py: 100rel in both roles: repeated until PRACK, in order, held-back 2xx, offers and answers in
1xx and PRACK, forks, given up; UPDATE in an early dialog (RFC 3262, RFC 3311).

Not here: what early media does to a call (tests/scenarios).
"""

import pytest

from sip.actions import Answered, Cancelled, Confirmed, Ended, Offered, Progressed, Rejected
from tests.sip.test_stack_requests import invite, reply
from tests.sip.two_stacks import (
    ANSWER,
    OFFER,
    RAW,
    A,
    B,
    Network,
    assert_empty,
    header,
    kind,
    make_stack,
    request_text,
    udp,
)

# -- between two of us -------------------------------------------------------------------------------------------------


def ring(net: Network, **options: object) -> tuple[str, str]:
    caller, actions = invite(net.stacks[A], net.now, **options)
    net.perform(A, actions)
    net.run()
    return caller, net.events[B][-1].session  # type: ignore[union-attr]


def progress(net: Network, callee: str, body: bytes = ANSWER, status: int = 183) -> None:
    net.perform(B, net.stacks[B].progress(callee, status, "Session Progress", net.now, body))


def end(net: Network, caller: str) -> None:
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.finish()
    net.assert_empty()


def test_lost_progress_and_lost_prack_come_again() -> None:
    lost: list[str] = []

    def fate(data: bytes) -> list[float]:
        if kind(data) in ("183", "PRACK") and lost.count(kind(data)) < 2:
            lost.append(kind(data))
            return []
        return [0.001]

    net = Network(fate=fate)
    caller, callee = ring(net)
    progress(net, callee)
    net.run(10.0)
    assert net.names(A) == ["Progressed"]
    assert net.sent(B).count("183") >= 3
    assert net.stacks[B]._endpoint.reliable == {}
    net.perform(B, net.stacks[B].answer(callee, ANSWER, net.now))
    net.run()
    end(net, caller)


def test_the_answer_waits_for_the_prack_and_the_next_progress_does() -> None:
    net = Network()
    caller, callee = ring(net)
    held: list[bytes] = []
    net.fate = lambda data: held.append(data) or [] if kind(data) == "PRACK" else [0.001]  # type: ignore[func-returns-value]
    progress(net, callee)
    progress(net, callee, status=180)
    net.perform(B, net.stacks[B].answer(callee, ANSWER, net.now))
    net.run(0.4)
    assert [each for each in net.sent(B) if each != "100"] == ["183"]
    net.fate = lambda data: [0.001]
    net.run(2.0)
    assert net.names(A) == ["Progressed", "Progressed", "Answered"]
    sequence = [int(header(data, "RSeq")) for *_, data in net.wire if header(data, "RSeq")]
    assert sorted(set(sequence)) == [sequence[0], sequence[0] + 1]
    end(net, caller)


def test_ringing_without_sdp_needs_no_prack_unless_the_caller_demands_it() -> None:
    for demand, expected in (("supported", []), ("required", ["PRACK"])):
        net = Network()
        caller, callee = ring(net, reliable=demand)
        progress(net, callee, b"", 180)
        net.run()
        assert [each for each in net.sent(A) if each == "PRACK"] == expected
        net.perform(A, net.stacks[A].cancel(caller, net.now))
        net.finish()
        net.assert_empty()


def test_a_caller_that_wants_none_gets_none() -> None:
    net = Network()
    caller, callee = ring(net, reliable="off")
    progress(net, callee)
    net.run()
    assert "PRACK" not in net.sent(A)
    assert header(net.wire[-1][3], "RSeq") == ""
    net.perform(B, net.stacks[B].reject(callee, 486, "Busy Here", net.now))
    net.finish()
    assert isinstance(net.events[A][-1], Rejected)
    assert caller not in net.stacks[A].sessions
    net.assert_empty()


def test_without_prack_the_call_is_given_up() -> None:
    net = Network(fate=lambda data: [] if kind(data) == "PRACK" else [0.001])
    _, callee = ring(net)
    progress(net, callee)
    net.perform(B, net.stacks[B].answer(callee, ANSWER, net.now))
    net.run(33.0)
    assert net.events[B][-1] == Ended(callee, "no_prack", "")
    last = net.events[A][-1]
    assert isinstance(last, Rejected) and last.status == 504
    net.finish()
    net.assert_empty()


@pytest.mark.parametrize("how", ["cancel", "reject"])
def test_the_call_may_end_while_a_prack_is_missing(how: str) -> None:
    net = Network(fate=lambda data: [] if kind(data) == "PRACK" else [0.001])
    caller, callee = ring(net)
    progress(net, callee)
    net.run()
    if how == "cancel":
        net.perform(A, net.stacks[A].cancel(caller, net.now))
        net.run()
        assert isinstance(net.events[B][-1], Cancelled)
    else:
        net.perform(B, net.stacks[B].reject(callee, 486, "Busy Here", net.now))
    net.finish()
    net.assert_empty()


def test_update_in_an_early_dialog_once_offer_and_answer_are_through() -> None:
    net = Network()
    ring(net)
    update(net, "1", "500", body=OFFER)
    update(net, "2", "200")
    net = Network()
    _, callee = ring(net)
    progress(net, callee)
    net.run()
    update(net, "2", "", body=OFFER)
    assert net.events[B][-1] == Offered(callee, OFFER)
    net.perform(B, net.stacks[B].accept_offer(callee, ANSWER, net.now))
    assert net.wire[-1][3].partition(b"\r\n\r\n")[2] == ANSWER
    update(net, "3", "200")
    net.perform(B, net.stacks[B].answer(callee, ANSWER, net.now))
    net.run()
    assert net.names(A)[-1] == "Answered"
    net.perform(B, net.stacks[B].bye(callee, net.now))
    net.finish()
    assert_empty(net.stacks[B])


def update(net: Network, number: str, expected: str, body: bytes = b"") -> None:
    """An UPDATE of the caller by hand: the stack itself sends none before the answer."""
    (callee,) = net.stacks[B].sessions.values()
    data = request_text(
        "UPDATE",
        To=f"<sip:bob@{B}>;tag={callee.id}",
        From=f"<sip:alice@{A}>;tag={callee.remote_tag}",
        Call_ID=callee.call_id,
        CSeq=f"{500 + int(number)} UPDATE",
        Via=f"SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKupdate{number}",
        Contact=f"<sip:alice@{A}:5060>",
        body=body.decode(),
    )
    net.perform(B, net.stacks[B].receive(data, RAW, net.now))
    if expected:
        assert kind(net.wire[-1][3]) == expected


# -- raw callers -------------------------------------------------------------------------------------------------------


def rung(**headers: str) -> tuple[Network, str]:
    net = Network()
    body = headers.pop("body", OFFER.decode())
    headers.setdefault("Supported", "100rel")
    net.perform(B, net.stacks[B].receive(request_text("INVITE", body=body, **headers), RAW, net.now))
    return net, net.events[B][-1].session  # type: ignore[union-attr]


def prack(net: Network, session: str, rack: str, cseq: int = 2, body: str = "") -> str:
    data = request_text(
        "PRACK",
        To=f"<sip:bob@{B}>;tag={session}",
        CSeq=f"{cseq} PRACK",
        RAck=rack,
        Via=f"SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKprack{cseq}",
        body=body,
    )
    net.perform(B, net.stacks[B].receive(data, RAW, net.now))
    return kind(net.wire[-1][3])


def test_only_the_right_prack_counts() -> None:
    net, session = rung()
    progress(net, session)
    rseq = header(net.wire[-1][3], "RSeq")
    assert header(net.wire[-1][3], "Require") == "100rel"
    assert prack(net, session, f"{int(rseq) + 1} 1 INVITE", 2) == "481"
    assert prack(net, session, f"{rseq} 2 INVITE", 3) == "481"
    assert prack(net, session, f"{rseq} 1 BYE", 4) == "481"
    assert prack(net, session, "nonsense", 5) == "400"
    assert prack(net, session, f"{rseq} 1 INVITE", 6) == "200"
    assert prack(net, session, f"{rseq} 1 INVITE", 7) == "481"
    net.perform(B, net.stacks[B].answer(session, ANSWER, net.now))
    assert net.sent(B)[-1] == "200"


def test_an_offer_in_prack_is_answered_or_refused() -> None:
    for accept, expected in ((True, "200"), (False, "488")):
        net, session = rung()
        progress(net, session)
        prack(net, session, f"{header(net.wire[-1][3], 'RSeq')} 1 INVITE", 2, OFFER.decode())
        assert net.events[B][-1] == Offered(session, OFFER)
        stack = net.stacks[B]
        if accept:
            net.perform(B, stack.accept_offer(session, ANSWER, net.now))
            assert net.wire[-1][3].endswith(ANSWER)
        else:
            net.perform(B, stack.refuse_offer(session, 488, "Not Acceptable Here", net.now))
        assert net.sent(B)[-1] == expected
        assert stack.sessions[session].state == "early"


def test_an_offer_in_prack_while_the_first_is_open_is_refused() -> None:
    net, session = rung(Require="100rel")
    progress(net, session, b"", 180)
    rack = f"{header(net.wire[-1][3], 'RSeq')} 1 INVITE"
    assert prack(net, session, rack, 2, OFFER.decode()) == "488"
    assert net.stacks[B]._endpoint.reliable == {}


def test_a_late_offer_is_answered_in_prack_and_not_made_again_in_the_2xx() -> None:
    net, session = rung(body="")
    progress(net, session, OFFER)
    rack = f"{header(net.wire[-1][3], 'RSeq')} 1 INVITE"
    assert prack(net, session, rack, 2) == "400"
    assert prack(net, session, rack, 3, ANSWER.decode()) == "200"
    assert net.events[B][-1] == Confirmed(session, ANSWER)
    net.perform(B, net.stacks[B].answer(session, OFFER, net.now))
    assert net.wire[-1][3].partition(b"\r\n\r\n")[2] == b""
    ack = request_text("ACK", To=f"<sip:bob@{B}>;tag={session}", Via="SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKack")
    net.perform(B, net.stacks[B].receive(ack, RAW, net.now))
    assert net.events[B][-1] == Confirmed(session, b"")


# -- raw callees -------------------------------------------------------------------------------------------------------


def test_order_is_kept_and_forks_count_for_themselves() -> None:
    stack = make_stack(A)
    session, actions = invite(stack)
    request = actions[-1].data  # type: ignore[union-attr]

    def hear(rseq: int, tag: str, body: bytes = ANSWER) -> list[str]:
        response = reply(request, 183, body, Require="100rel", RSeq=str(rseq), To=f"<sip:bob@{B}>;tag={tag}")
        return [
            kind(each.data) if hasattr(each, "data") else type(each).__name__
            for each in stack.receive(response, udp(B), 0.0)
        ]

    assert hear(7, "one") == ["PRACK", "Progressed"]
    assert hear(7, "one") == []
    assert hear(9, "one") == []
    assert hear(8, "one") == ["PRACK", "Progressed"]
    assert hear(1, "two") == ["PRACK", "Progressed"]
    for n in range(20):
        hear(1, f"fork{n}")
    assert len(stack.sessions[session].remote_rseqs) == 16


def test_prack_goes_where_the_early_dialog_is() -> None:
    stack = make_stack(A)
    _, actions = invite(stack)
    response = reply(
        actions[-1].data,  # type: ignore[union-attr]
        183,
        ANSWER,
        Require="100rel",
        RSeq="4711",
        Contact="<sip:bob@10.0.0.7:5070>",
        Record_Route="<sip:10.0.0.6;lr>",
    )
    sent, progressed = stack.receive(response, udp(B), 0.0)
    assert isinstance(progressed, Progressed)
    data, flow = sent.data, sent.flow  # type: ignore[union-attr]
    assert data.startswith(b"PRACK sip:bob@10.0.0.7:5070 SIP/2.0\r\n")
    assert (header(data, "Route"), header(data, "RAck")) == ("<sip:10.0.0.6;lr>", "4711 1 INVITE")
    assert header(data, "CSeq") == "2 PRACK"
    assert flow.host == "10.0.0.6"


def test_the_ack_keeps_the_number_of_its_invite() -> None:
    net = Network()
    caller, callee = ring(net)
    progress(net, callee)
    net.run()
    net.perform(B, net.stacks[B].answer(callee, ANSWER, net.now))
    net.run()
    assert isinstance(net.events[A][-1], Answered)
    (ack,) = [data for _, s, _, data in net.wire if s == A and kind(data) == "ACK"]
    assert header(ack, "CSeq") == "1 ACK"
    end(net, caller)
