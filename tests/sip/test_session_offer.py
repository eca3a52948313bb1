"""sip/session_offer.py and session_reoffer.py: re-INVITE both ways, with and without offer, refused, queued, in glare,
lost; UPDATE received. Not here: what SDP means (test_offer_answer)."""

import pytest

from sip.actions import Confirmed, Ended, OfferAnswered, Offered, OfferRefused
from tests.sip.two_stacks import ANSWER, OFFER, RAW, A, B, Network, header, kind, request_text, set_up


def in_dialog(net: Network, callee: str, method: str, cseq: int, **changes: str) -> bytes:
    """A request of the caller, from a raw peer that took its place."""
    session = net.stacks[B].sessions[callee]
    return request_text(
        method,
        To=f"<sip:bob@{B}>;tag={callee}",
        From=f"<sip:alice@{A}>;tag={session.remote_tag}",
        Call_ID=session.call_id,
        CSeq=f"{cseq} {method}",
        Via=f"SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKraw{cseq}{method}",
        **changes,
    )


@pytest.mark.parametrize("side", [A, B], ids=["by the caller", "by the callee"])
def test_reinvite(side: str) -> None:
    net = Network()
    caller, callee = set_up(net)
    ours, theirs, other = (caller, callee, B) if side == A else (callee, caller, A)
    net.perform(side, net.stacks[side].reinvite(ours, OFFER, net.now))
    net.run()
    assert net.events[other][-1] == Offered(theirs, OFFER)
    net.perform(other, net.stacks[other].accept_offer(theirs, ANSWER, net.now))
    net.run()
    assert net.events[side][-1] == OfferAnswered(ours, ANSWER)
    assert net.stacks[other]._endpoint.unacknowledged == {}
    net.perform(other, net.stacks[other].bye(theirs, net.now))
    net.finish()
    net.assert_empty()


def test_reinvite_without_offer() -> None:
    net = Network()
    caller, callee = set_up(net)
    net.perform(A, net.stacks[A].reinvite(caller, b"", net.now))
    net.run()
    assert net.events[B][-1] == Offered(callee, b"")
    net.perform(B, net.stacks[B].accept_offer(callee, OFFER, net.now))
    net.run()
    assert net.events[A][-1] == OfferAnswered(caller, OFFER)
    net.perform(A, net.stacks[A].acknowledge(caller, ANSWER, net.now))
    net.run()
    assert net.events[B][-1] == Confirmed(callee, ANSWER)
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.finish()
    net.assert_empty()


def test_refused_offer_leaves_the_session() -> None:
    net = Network()
    caller, callee = set_up(net)
    net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.run()
    net.perform(B, net.stacks[B].refuse_offer(callee, 488, "Not Acceptable Here", net.now))
    net.run()
    assert net.events[A][-1] == OfferRefused(caller, 488)
    assert net.stacks[A].sessions[caller].state == "confirmed"
    net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.run()
    assert net.names(B).count("Offered") == 2


def test_a_second_reinvite_waits_for_the_first() -> None:
    net = Network()
    caller, callee = set_up(net)
    net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.perform(A, net.stacks[A].reinvite(caller, b"superseded", net.now))
    net.perform(A, net.stacks[A].reinvite(caller, OFFER + b"a=sendonly\r\n", net.now))
    net.run()
    assert net.names(B).count("Offered") == 1
    net.perform(B, net.stacks[B].accept_offer(callee, ANSWER, net.now))
    net.run()
    assert net.events[B][-1] == Offered(callee, OFFER + b"a=sendonly\r\n")


def test_our_reinvite_waits_for_the_ack_of_the_first_invite() -> None:
    net = Network(fate=lambda data: [] if kind(data) == "ACK" and net.now < 0.5 else [0.001])
    caller, callee = set_up(net)
    net.perform(B, net.stacks[B].reinvite(callee, OFFER, net.now))
    assert "INVITE" not in net.sent(B)
    net.run(2.0)
    assert net.sent(B).count("INVITE") == 1
    assert net.events[A][-1] == Offered(caller, OFFER)


def test_glare_is_491_and_both_get_through_later() -> None:
    net = Network()
    caller, callee = set_up(net)

    def accept(host: str, event: object) -> None:
        if isinstance(event, Offered):
            net.perform(host, net.stacks[host].accept_offer(event.session, ANSWER, net.now))

    net.on_event = accept
    net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.perform(B, net.stacks[B].reinvite(callee, OFFER, net.now))
    start = net.now
    net.run(5.0)
    assert net.sent(A).count("491") == net.sent(B).count("491") == 1
    assert OfferAnswered(caller, ANSWER) in net.events[A]
    assert OfferAnswered(callee, ANSWER) in net.events[B]
    again = {
        host: [when - start for when, s, _, data in net.wire if s == host and kind(data) == "INVITE"] for host in (A, B)
    }
    # The owner of the Call-ID waits 2.1-4 s, the other 0-2 s (§14.1).
    assert 2.1 <= again[A][-1] <= 4.01
    assert 0.0 <= again[B][-1] <= 2.01
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.finish()
    net.assert_empty()


def test_endless_glare_is_given_up() -> None:
    net = Network()
    caller, callee = set_up(net)
    net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.run()
    for _ in range(10):
        if net.stacks[B].sessions[callee].offer_key:
            net.perform(B, net.stacks[B].refuse_offer(callee, 491, "Request Pending", net.now))
        net.run(5.0)
    assert net.events[A][-1] == OfferRefused(caller, 491)
    assert net.names(B).count("Offered") == 5


@pytest.mark.parametrize(("status", "has_bye"), [(481, False), (408, True)])
def test_reinvite_that_finds_no_dialog_ends_the_session(status: int, has_bye: bool) -> None:
    net = Network()
    caller, callee = set_up(net)
    net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.run()
    net.perform(B, net.stacks[B].refuse_offer(callee, status, "Gone", net.now))
    net.run()
    assert net.events[A][-1] == Ended(caller, "dialog_lost", "")
    assert ("BYE" in net.sent(A)) is has_bye
    assert caller not in net.stacks[A].sessions


def test_reinvite_nobody_answers_ends_the_session() -> None:
    net = Network()
    caller, _ = set_up(net)
    net.fate = lambda data: []
    net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.finish()
    assert net.events[A][-1] == Ended(caller, "dialog_lost", "")


def test_bye_while_the_peers_offer_waits_refuses_it() -> None:
    net = Network()
    caller, callee = set_up(net)
    net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.run()
    net.perform(B, net.stacks[B].bye(callee, net.now))
    net.run()
    assert net.sent(B)[-2:] == ["487", "BYE"]
    assert net.stacks[B].accept_offer(callee, ANSWER, net.now) == []
    net.finish()
    net.assert_empty()


def test_bye_crosses_the_answer_to_a_reinvite_which_is_still_acknowledged() -> None:
    net = Network()
    caller, callee = set_up(net)
    net.perform(A, net.stacks[A].reinvite(caller, OFFER, net.now))
    net.run()
    net.perform(B, net.stacks[B].accept_offer(callee, ANSWER, net.now))
    net.perform(A, net.stacks[A].bye(caller, net.now))
    net.run()
    assert net.sent(A)[-1] == "ACK"
    net.finish()
    net.assert_empty()


def test_offers_of_a_peer_at_the_wrong_time() -> None:
    net = Network()
    _, callee = set_up(net)
    b = net.stacks[B]
    net.perform(B, b.receive(in_dialog(net, callee, "INVITE", 10, body="v=0"), RAW, net.now))
    assert net.events[B][-1] == Offered(callee, b"v=0")
    # A second one before the first is answered: 500 with Retry-After (§14.2).
    net.perform(B, b.receive(in_dialog(net, callee, "INVITE", 11, body="v=0"), RAW, net.now))
    assert net.sent(B)[-1] == "500"
    assert 0 <= int(header(net.wire[-1][3], "Retry-After")) <= 10
    # Ours is outstanding: 491.
    net.perform(B, b.accept_offer(callee, ANSWER, net.now))
    net.perform(B, b.receive(in_dialog(net, callee, "ACK", 10), RAW, net.now))
    net.perform(B, b.reinvite(callee, OFFER, net.now))
    net.perform(B, b.receive(in_dialog(net, callee, "INVITE", 12, body="v=0"), RAW, net.now))
    assert net.sent(B)[-1] == "491"
    # An old CSeq: 500.
    net.perform(B, b.receive(in_dialog(net, callee, "INVITE", 5, body="v=0"), RAW, net.now))
    assert net.sent(B)[-1] == "500"


def test_next_offer_proves_that_the_ack_was_sent() -> None:
    net = Network(fate=lambda data: [] if kind(data) == "ACK" else [0.001])
    _, callee = set_up(net)
    assert net.stacks[B].sessions[callee].state == "answered"
    net.perform(B, net.stacks[B].receive(in_dialog(net, callee, "INVITE", 10, body="v=0"), RAW, net.now))
    assert net.events[B][-2:] == [Confirmed(callee, b""), Offered(callee, b"v=0")]


def test_cancelled_reinvite() -> None:
    net = Network()
    _, callee = set_up(net)
    b = net.stacks[B]
    invite = in_dialog(net, callee, "INVITE", 10, body="v=0")
    net.perform(B, b.receive(invite, RAW, net.now))
    cancel = (
        invite.replace(b"INVITE sip", b"CANCEL sip")
        .replace(b"10 INVITE", b"10 CANCEL")
        .replace(b"v=0", b"")
        .replace(b"Length: 3", b"Length: 0")
    )
    net.perform(B, b.receive(cancel, RAW, net.now))
    assert net.sent(B)[-2:] == ["200", "487"]
    assert b.accept_offer(callee, ANSWER, net.now) == []
    assert b.sessions[callee].state == "confirmed"


@pytest.mark.parametrize("body", ["", "v=0"], ids=["target refresh", "offer"])
def test_update(body: str) -> None:
    net = Network()
    _, callee = set_up(net)
    b = net.stacks[B]
    net.perform(B, b.receive(in_dialog(net, callee, "UPDATE", 10, body=body), RAW, net.now))
    if body:
        assert net.events[B][-1] == Offered(callee, b"v=0")
        net.perform(B, b.accept_offer(callee, ANSWER, net.now))
        assert net.wire[-1][3].endswith(ANSWER)
    assert net.sent(B)[-1] == "200"
    assert b.sessions[callee].remote_target == "sip:raw@10.0.0.9:5060"
    # No ACK belongs to it.
    assert callee not in b._endpoint.unacknowledged


def test_update_before_the_answer_is_500() -> None:
    net = Network()
    b = net.stacks[B]
    net.perform(B, b.receive(request_text("INVITE", body="v=0"), RAW, 0.0))
    callee = next(iter(b.sessions))
    update = request_text("UPDATE", To=f"<sip:bob@{B}>;tag={callee}", CSeq="2 UPDATE", body="v=0")
    net.perform(B, b.receive(update, RAW, 0.1))
    assert net.sent(B) == ["500"]


def test_reinvite_before_the_answer_is_refused_here() -> None:
    net = Network()
    b = net.stacks[B]
    net.perform(B, b.receive(request_text("INVITE", body="v=0"), RAW, 0.0))
    callee = next(iter(b.sessions))
    assert b.reinvite(callee, OFFER, 0.0) == [OfferRefused(callee, 491)]
