"""The demo's agent: calls between two agents over a simulated network, good and lossy, and what a phone refuses.

Not covered: sockets and audio (test_rtp, test_phones), a registrar of ours (scenarios).
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sip.flow import Flow
from switch.demo.phone_call import PhoneError
from tests.harness.peer import RawPeer
from tests.harness.sim_phone import SimPhone
from tests.harness.simnet import PERFECT, Link, SimNet
from tests.harness.virtual_loop import run_virtual

ALICE, BOB = "10.0.0.1", "10.0.0.2"

Test = Callable[[SimPhone, SimPhone], Awaitable[None]]


def between_two(test: Test, *, link: Link = PERFECT, **settings: object) -> None:
    """Alice and Bob know each other's address and nobody else."""

    async def main() -> None:
        net = SimNet(5, link)
        alice = SimPhone(net, ALICE, "1001", Flow("udp", BOB, 5060), display="Alice")
        bob = SimPhone(net, BOB, "1002", Flow("udp", ALICE, 5060), **settings)
        await test(alice, bob)
        await alice.close()
        await bob.close()

    run_virtual(main())


async def hang_up(one: SimPhone, other: SimPhone) -> None:
    one.agent.hang_up(one.the_call.id)
    ended = await other.wait("ended")
    assert ended.reason == "bye"
    assert not one.agent.calls and not other.agent.calls


def test_a_call_is_answered_and_ended() -> None:
    async def test(alice: SimPhone, bob: SimPhone) -> None:
        mine, theirs = await alice.talk_to("1002", bob)
        assert (mine.direction, theirs.direction, theirs.number) == ("out", "in", "1001")
        ours, his = alice.media_of(mine.id), bob.media_of(theirs.id)
        assert (ours.configured[-1].remote_host, ours.configured[-1].remote_port) == his.address
        assert (his.configured[-1].remote_host, his.configured[-1].remote_port) == ours.address
        assert ours.configured[-1].dtmf_payload_type == 101
        await asyncio.sleep(10)
        await hang_up(alice, bob)
        assert bob.events[-1].duration_s == pytest.approx(10, abs=0.1)
        assert ours.is_closed and his.is_closed

    between_two(test, answer_after_s=1.0)


@pytest.mark.parametrize("seed", range(4))
def test_a_call_over_a_lossy_network(seed: int) -> None:
    async def main() -> None:
        net = SimNet(seed, Link(latency_s=0.05, jitter_s=0.1, loss=0.3, reorder=0.1, duplicate=0.1))
        alice = SimPhone(net, ALICE, "1001", Flow("udp", BOB, 5060), seed=seed)
        bob = SimPhone(net, BOB, "1002", Flow("udp", ALICE, 5060), seed=seed, answer_after_s=2.0)
        mine, _ = await alice.talk_to("1002", bob)
        alice.agent.hold(mine.id)
        await alice.wait("held")
        alice.agent.resume(mine.id)
        await alice.wait("resumed")
        await hang_up(alice, bob)
        await alice.close()
        await bob.close()

    run_virtual(main())


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_hold_and_resume(who: str) -> None:
    async def test(alice: SimPhone, bob: SimPhone) -> None:
        await alice.talk_to("1002", bob)
        holder, held = (alice, bob) if who == "caller" else (bob, alice)
        call, peer = holder.the_call, held.the_call
        version = call.local.version
        holder.agent.hold(call.id)
        await holder.wait("held")
        await held.wait("held_by_peer")
        assert (call.negotiated.direction, peer.negotiated.direction) == ("sendonly", "recvonly")
        assert call.local.version > version
        with pytest.raises(PhoneError):
            holder.agent.hold(call.id)
        holder.agent.resume(call.id)
        await holder.wait("resumed")
        await held.wait("resumed_by_peer")
        assert (call.negotiated.direction, peer.negotiated.direction) == ("sendrecv", "sendrecv")
        await hang_up(held, holder)

    between_two(test, answer_after_s=0.0)


def test_both_hold_at_the_same_time() -> None:
    async def test(alice: SimPhone, bob: SimPhone) -> None:
        await alice.talk_to("1002", bob)
        await asyncio.sleep(1)
        alice.agent.hold(alice.the_call.id)
        bob.agent.hold(bob.the_call.id)
        await alice.wait("held")
        await bob.wait("held")
        assert alice.the_call.negotiated.direction == bob.the_call.negotiated.direction == "inactive"
        await hang_up(alice, bob)

    between_two(test, answer_after_s=0.0)


def test_the_caller_gives_up() -> None:
    async def test(alice: SimPhone, bob: SimPhone) -> None:
        mine = alice.call("1002")
        await alice.wait("ringing")
        alice.agent.hang_up(mine.id)
        ended = await bob.wait("ended")
        assert ended.status == 487
        await asyncio.sleep(40)
        assert not alice.agent.stack.sessions and not bob.agent.stack.sessions

    between_two(test)


def test_the_callee_declines() -> None:
    async def test(alice: SimPhone, bob: SimPhone) -> None:
        alice.call("1002")
        told = await bob.wait("incoming")
        bob.agent.reject(told.call, 603, "Decline")
        assert (await alice.wait("ended")).status == 603

    between_two(test)


@pytest.mark.parametrize(
    ("number", "is_busy", "settings", "status"),
    [
        ("9999", False, {}, 404),
        ("1002", True, {}, 486),
        ("9999", True, {"is_carrier": True}, 0),
        ("1002", False, {"codecs": ("PCMA",)}, 0),
    ],
    ids=["not this phone", "busy", "a carrier takes any number and many calls", "another codec"],
)
def test_who_is_taken(number: str, is_busy: bool, settings: dict[str, object], status: int) -> None:
    async def test(alice: SimPhone, bob: SimPhone) -> None:
        if is_busy:
            await alice.talk_to("1002", bob)
        second = alice.call(number, call_id="second")
        if status:
            assert (await alice.wait("ended", call="second")).status == status
        else:
            await alice.wait("answered", call="second")
            assert bob.names().count("answered") == 1 + is_busy
            assert second.negotiated.codec == ("PCMA" if "codecs" in settings else "PCMU")

    between_two(test, answer_after_s=0.1, **settings)


@pytest.mark.parametrize("action", ["answer", "hold", "resume", "hang_up", "reject"])
def test_an_unknown_call_is_an_error(action: str) -> None:
    async def test(alice: SimPhone, bob: SimPhone) -> None:
        with pytest.raises(PhoneError, match="no call 'x'"):
            getattr(alice.agent, action)("x")

    between_two(test)


def test_a_late_offer_is_answered_in_the_ack() -> None:
    async def main() -> None:
        net = SimNet()
        bob = SimPhone(net, BOB, "1002", Flow("udp", ALICE, 5060), answer_after_s=0.0)
        peer = RawPeer(net, ALICE)
        peer.target = Flow("udp", BOB, 5060)
        head = (
            "Via: SIP/2.0/UDP {host}:{port};branch={branch}\nMax-Forwards: 70\nFrom: <sip:a@{host}>;tag={tag}\n"
            "Call-ID: {call_id}\nCSeq: 1 {method}\nContact: <sip:a@{host}>\nContent-Length: {length}\n"
        )
        peer.send("INVITE sip:1002@10.0.0.2 SIP/2.0\n" + head + "To: <sip:1002@10.0.0.2>\n", method="INVITE")
        answered = await peer.expect("^SIP/2.0 200", ignore="^SIP/2.0 1")
        assert "m=audio" in answered.body
        sdp = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\nm=audio 4000 RTP/AVP 8\n"
        ack = "ACK {uri} SIP/2.0\n" + head + "{last:To}\nContent-Type: application/sdp\n\n" + sdp
        peer.new_branch()
        peer.send(ack, method="ACK", uri=answered.contact_uri)
        await bob.wait("answered")
        await asyncio.sleep(1)
        negotiated = bob.the_call.negotiated
        assert (negotiated.codec, negotiated.remote_port) == ("PCMA", 4000)
        assert not bob.media_of(bob.the_call.id).is_closed
        await bob.close()
        await peer.close()

    run_virtual(main())


REGISTRAR = "10.0.0.9"


async def challenge(peer: RawPeer) -> None:
    first = await peer.expect("^REGISTER sip:10.0.0.9 ")
    assert not first.header("Authorization")
    peer.respond(first, 401, headers='WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5, qop="auth"')


def with_registrar(test: Callable[[SimPhone, RawPeer], Awaitable[None]]) -> None:
    async def main() -> None:
        net = SimNet()
        peer = RawPeer(net, REGISTRAR)
        phone = SimPhone(net, ALICE, "1001", Flow("udp", REGISTRAR, 5060), password="secret-password", expires_s=120)
        await test(phone, peer)
        await phone.close()
        await peer.close()

    run_virtual(main())


def test_a_phone_registers_refreshes_and_leaves() -> None:
    async def test(phone: SimPhone, peer: RawPeer) -> None:
        await challenge(peer)
        again = await peer.expect("^REGISTER")
        assert 'username="1001"' in again.header("Authorization")
        assert again.contact_uri == "sip:1001@10.0.0.1:5060;transport=udp"
        peer.respond(again, 200, "OK", headers=f"Contact: <{again.contact_uri}>;expires=60")
        await phone.registered()
        refresh = await peer.expect("^REGISTER", within_s=60)
        assert refresh.header("Call-ID") == again.header("Call-ID")
        peer.respond(refresh, 200, "OK", headers=f"Contact: <{again.contact_uri}>;expires=60")
        await asyncio.sleep(1)
        phone.agent.unregister()
        leaving = await peer.expect("^REGISTER")
        assert "expires=0" in leaving.text.lower() or "expires: 0" in leaving.text.lower()
        peer.respond(leaving, 200, "OK")
        await phone.wait("unregistered")
        assert not phone.agent.is_registered

    with_registrar(test)


def test_a_phone_that_is_refused_says_so_and_tries_again() -> None:
    async def test(phone: SimPhone, peer: RawPeer) -> None:
        refused = await peer.expect("^REGISTER")
        peer.respond(refused, 403, "Forbidden")
        told = await phone.wait("registration_failed")
        assert told.status == 403
        await challenge(peer)
        again = await peer.expect("^REGISTER")
        peer.respond(again, 200, "OK", headers=f"Contact: <{again.contact_uri}>;expires=60")
        await phone.registered()

    with_registrar(test)
