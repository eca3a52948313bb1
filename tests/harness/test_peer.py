"""The scripted peer: rendering, expecting, ignoring retransmissions, answering by the book.

Not covered: any SIP behaviour of ours; here two scripted peers talk to each other.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sip.flow import Flow
from tests.harness.peer import RawPeer, Unexpected
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual

INVITE = """
INVITE sip:bob@10.0.0.2 SIP/2.0
Via: SIP/2.0/{transport} {host}:{port};branch={branch}
Max-Forwards: 70
From: "Alice" <sip:alice@{host}>;tag={tag}
To: <sip:bob@10.0.0.2>
Call-ID: {call_id}
CSeq: 1 INVITE
Contact: <sip:alice@{host}:{port}>
Content-Type: application/sdp
Content-Length: {length}

v=0
m=audio {rtp} RTP/AVP 0
"""


def scripted(test: Callable[[RawPeer, RawPeer], Awaitable[None]]) -> None:
    async def main() -> None:
        net = SimNet()
        alice, bob = RawPeer(net, "10.0.0.1"), RawPeer(net, "10.0.0.2")
        alice.target = Flow("udp", "10.0.0.2", 5060)
        await test(alice, bob)
        await alice.close()
        await bob.close()

    run_virtual(main())


def test_a_template_is_rendered_and_read_back() -> None:
    async def test(alice: RawPeer, bob: RawPeer) -> None:
        data = alice.send(INVITE, rtp=4000)
        assert b"\r\nContent-Length: 29\r\n\r\nv=0\r\nm=audio 4000 RTP/AVP 0\r\n" in data
        invite = await bob.expect("^INVITE sip:bob")
        assert (invite.method, invite.tag("From"), invite.tag("To")) == ("INVITE", alice.values["tag"], "")
        assert invite.contact_uri == "sip:alice@10.0.0.1:5060"
        bob.respond(invite, 180, "Ringing")
        bob.respond(invite, 200, "OK", body="v=0\n")
        assert (await alice.expect("^SIP/2.0 180")).status == 180
        answer = await alice.expect("200 OK .CSeq 1 INVITE")
        assert answer.body == "v=0\r\n" and answer.tag("To") == bob.values["tag"]
        alice.send("ACK {uri} SIP/2.0\n{last:From}\n{last:To}\nCSeq: 1 ACK\n", uri=answer.contact_uri)
        ack = await bob.expect("^ACK")
        assert ack.tag("To") == bob.values["tag"]

    scripted(test)


def test_retransmissions_and_100_are_passed_over_but_counted() -> None:
    async def test(alice: RawPeer, bob: RawPeer) -> None:
        data = alice.send(INVITE, rtp=4000)
        invite = await bob.expect("INVITE")
        alice.send_bytes(data)
        await bob.expect_nothing(1)
        bob.respond(invite, 100, "Trying")
        bob.respond(invite, 486, "Busy Here")
        assert (await alice.expect("486")).status == 486
        assert bob.count("^INVITE") == 2

    scripted(test)


def test_the_wrong_message_and_silence_are_failures() -> None:
    async def test(alice: RawPeer, bob: RawPeer) -> None:
        alice.send(INVITE, rtp=4000)
        with pytest.raises(Unexpected, match="got 'INVITE"):
            await bob.expect("^BYE")
        with pytest.raises(Unexpected, match="nothing came"):
            await bob.expect("^BYE", within_s=3)
        alice.send(INVITE, rtp=4002)
        with pytest.raises(Unexpected):
            await bob.expect_nothing(1)

    scripted(test)


def test_an_unfilled_place_is_named() -> None:
    async def test(alice: RawPeer, bob: RawPeer) -> None:
        with pytest.raises(KeyError, match="rtp"):
            alice.send(INVITE)
        await asyncio.sleep(0)

    scripted(test)
