"""The simulated network: the same seed gives the same run, and each fault does what its name says.

Not covered: framing of streams (sip/framer), DNS record handling (sip/net).
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sip.flow import Flow
from tests.harness.sim_dns import SimResolver
from tests.harness.simnet import Link, SimNet
from tests.harness.virtual_loop import START_S, run_virtual


class Inbox:
    def __init__(self) -> None:
        self.got: list[tuple[bytes, Flow]] = []
        self.at: list[float] = []
        self.batches: list[int] = []
        self.failed: list[tuple[Flow, str]] = []

    def receive_batch(self, batch: list[tuple[bytes, Flow]]) -> None:
        self.batches.append(len(batch))
        self.got += batch
        self.at += [asyncio.get_running_loop().time()] * len(batch)

    def flow_failed(self, flow: Flow, why: str) -> None:
        self.failed.append((flow, why))

    @property
    def data(self) -> list[bytes]:
        return [data for data, _ in self.got]


TO_B = Flow("udp", "10.0.0.2", 5060)


def sent_over(link: Link, n: int = 200, seed: int = 3) -> Inbox:
    """What B gets of n datagrams that A sends 10 ms apart."""

    async def main() -> Inbox:
        net = SimNet(seed, link)
        a, inbox = net.attach(Inbox(), ("udp", "10.0.0.1", 5060)), Inbox()
        b = net.attach(inbox, ("udp", "10.0.0.2", 5060))
        for i in range(n):
            a.send(b"%d" % i, TO_B)
            await asyncio.sleep(0.01)
        await asyncio.sleep(5)
        await a.close()
        await b.close()
        return inbox

    return run_virtual(main())


def test_a_good_link_delivers_in_order_after_its_latency() -> None:
    inbox = sent_over(Link(latency_s=0.03))
    assert inbox.data == [b"%d" % i for i in range(200)]
    assert inbox.at[0] == pytest.approx(START_S + 0.03)
    assert inbox.got[0][1] == Flow("udp", "10.0.0.1", 5060, 0)


@pytest.mark.parametrize(
    ("link", "check"),
    [
        (Link(loss=0.4), lambda data: 60 < len(data) < 180 and data == sorted(data, key=int)),
        (Link(loss=1.0), lambda data: data == []),
        (Link(duplicate=0.3), lambda data: 210 < len(data) < 300 and len(set(data)) == 200),
        (Link(reorder=0.2), lambda data: data != sorted(data, key=int) and len(data) == 200),
        (Link(jitter_s=0.5), lambda data: data == sorted(data, key=int) and len(data) == 200),
    ],
    ids=["loss", "total loss", "duplicate", "reorder", "jitter keeps order"],
)
def test_faults(link: Link, check: Callable[[list[bytes]], bool]) -> None:
    assert check(sent_over(link).data)


def test_the_same_seed_gives_the_same_run() -> None:
    link = Link(loss=0.2, jitter_s=0.1, reorder=0.1, duplicate=0.1)
    first, second, other = sent_over(link), sent_over(link), sent_over(link, seed=4)
    assert (first.data, first.at) == (second.data, second.at)
    assert first.data != other.data


def virtually(test: Callable[[SimNet], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(SimNet())

    run_virtual(main())


def test_what_arrives_together_is_one_batch() -> None:
    async def test(net: SimNet) -> None:
        a, inbox = net.attach(Inbox(), ("udp", "10.0.0.1", 5060)), Inbox()
        net.attach(inbox, ("udp", "10.0.0.2", 5060))
        for i in range(5):
            a.send(b"%d" % i, TO_B)
        await asyncio.sleep(1)
        assert inbox.batches == [5]

    virtually(test)


def test_a_closed_udp_port_answers_unreachable_and_a_taken_one_cannot_be_opened() -> None:
    async def test(net: SimNet) -> None:
        mine = Inbox()
        a = net.attach(mine, ("udp", "10.0.0.1", 5060))
        a.send(b"x", TO_B)
        await asyncio.sleep(1)
        assert mine.failed == [(TO_B, "port unreachable")]
        with pytest.raises(OSError, match="in use"):
            net.attach(Inbox(), ("udp", "10.0.0.1", 5060))

    virtually(test)


def test_a_partition_swallows_and_heals() -> None:
    async def test(net: SimNet) -> None:
        a, inbox = net.attach(Inbox(), ("udp", "10.0.0.1", 5060)), Inbox()
        net.attach(inbox, ("udp", "10.0.0.2", 5060))
        net.cut_off.add("10.0.0.2")
        a.send(b"lost", TO_B)
        net.cut_off.clear()
        a.send(b"there", TO_B)
        await asyncio.sleep(1)
        assert inbox.data == [b"there"]
        assert [seen.fate for seen in net.sent(source="10.0.0.1")] == ["lost", "sent"]

    virtually(test)


def test_tcp_is_reliable_ordered_and_both_ways_on_one_connection() -> None:
    async def test(net: SimNet) -> None:
        net.worsen(loss=0.0, jitter_s=0.2)
        mine, theirs = Inbox(), Inbox()
        a = net.attach(mine, ("tcp", "10.0.0.1", 5060))
        b = net.attach(theirs, ("udp", "10.0.0.2", 5060), ("tcp", "10.0.0.2", 5060))
        for i in range(20):
            a.send(b"%d" % i, Flow("tcp", "10.0.0.2", 5060))
        await asyncio.sleep(2)
        assert theirs.data == [b"%d" % i for i in range(20)]
        flow = theirs.got[0][1]
        assert flow.connection and flow.listener == 1
        assert {f for _, f in theirs.got} == {flow}
        b.send(b"back", flow)
        await asyncio.sleep(2)
        assert mine.data == [b"back"]
        net.cut_connections("10.0.0.1")
        await asyncio.sleep(1)
        assert [why for _, why in mine.failed + theirs.failed] == ["connection reset"] * 2
        assert theirs.failed[0][0] == flow._replace(listener=theirs.failed[0][0].listener)
        b.send(b"late", flow)
        await asyncio.sleep(1)
        assert theirs.failed[-1] == (flow, "not connected")

    virtually(test)


def test_tcp_to_nobody_fails() -> None:
    async def test(net: SimNet) -> None:
        mine = Inbox()
        a = net.attach(mine, ("tcp", "10.0.0.1", 5060))
        a.send(b"x", Flow("tcp", "10.0.0.9", 5060))
        await asyncio.sleep(1)
        assert mine.failed == [(Flow("tcp", "10.0.0.9", 5060), "not connected")]

    virtually(test)


@pytest.mark.parametrize(
    ("kind", "stranger_gets_in", "ports"), [("full", True, 1), ("restricted", False, 1), ("symmetric", False, 2)]
)
def test_nat(kind: str, stranger_gets_in: bool, ports: int) -> None:
    async def test(net: SimNet) -> None:
        nat = net.add_nat("198.51.100.1", kind)
        phone, server, other, stranger = Inbox(), Inbox(), Inbox(), Inbox()
        inside = net.attach(phone, ("udp", "192.168.1.2", 5060), nat=nat)
        out = net.attach(server, ("udp", "10.0.0.2", 5060))
        net.attach(other, ("udp", "10.0.0.3", 5060))
        third = net.attach(stranger, ("udp", "10.0.0.4", 5060))
        inside.send(b"hello", TO_B)
        inside.send(b"hello", Flow("udp", "10.0.0.3", 5060))
        await asyncio.sleep(0.1)
        seen_as = server.got[0][1]
        assert seen_as.host == "198.51.100.1"
        assert len({server.got[0][1].port, other.got[0][1].port}) == ports
        out.send(b"answer", seen_as)
        third.send(b"attack", seen_as)
        await asyncio.sleep(0.1)
        assert phone.data == ([b"answer", b"attack"] if stranger_gets_in else [b"answer"])
        nat.rebind()
        out.send(b"too late", seen_as)
        await asyncio.sleep(0.1)
        assert b"too late" not in phone.data
        inside.send(b"again", TO_B)
        await asyncio.sleep(0.1)
        assert server.got[-1][1].port != seen_as.port

    virtually(test)


def test_an_idle_nat_mapping_is_gone() -> None:
    async def test(net: SimNet) -> None:
        nat = net.add_nat("198.51.100.1", idle_s=30)
        phone, server = Inbox(), Inbox()
        inside = net.attach(phone, ("udp", "192.168.1.2", 5060), nat=nat)
        out = net.attach(server, ("udp", "10.0.0.2", 5060))
        inside.send(b"hello", TO_B)
        await asyncio.sleep(40)
        out.send(b"late", server.got[0][1])
        await asyncio.sleep(1)
        assert phone.data == []

    virtually(test)


def test_plain_datagram_sockets_and_closing() -> None:
    async def test(net: SimNet) -> None:
        got: list[tuple[bytes, tuple[str, int]]] = []
        a = net.open(("10.0.0.1", 0), lambda data, source: got.append((data, source)))
        b = net.open(("10.0.0.2", 4000), lambda data, source: b.send(data + b"!", source))
        a.send(b"rtp", ("10.0.0.2", 4000))
        await asyncio.sleep(1)
        assert got == [(b"rtp!", ("10.0.0.2", 4000))]
        await b.close()
        a.send(b"rtp", ("10.0.0.2", 4000))
        await asyncio.sleep(1)
        assert len(got) == 1

    virtually(test)


@pytest.mark.parametrize(
    ("uri", "flows"),
    [
        ("sip:10.0.0.7", [Flow("udp", "10.0.0.7", 5060)]),
        ("sip:bob@10.0.0.7:5070;transport=tcp", [Flow("tcp", "10.0.0.7", 5070)]),
        ("sips:bob@10.0.0.7", [Flow("tls", "10.0.0.7", 5061)]),
        ("sip:bob@[2001:db8::1]:5070", [Flow("udp", "2001:db8::1", 5070)]),
        ("sip:example.org", [Flow("udp", "10.0.0.8", 5060)]),
        ("sip:example.org;transport=tcp", [Flow("tcp", "10.0.0.8", 5060)]),
        ("sip:nowhere.example", []),
    ],
)
def test_resolver(uri: str, flows: list[Flow]) -> None:
    async def test(net: SimNet) -> None:
        resolver = SimResolver({"example.org": [Flow("udp", "10.0.0.8", 5060)]})
        assert await resolver.resolve(uri) == flows
        resolver.is_black_hole = True
        assert await resolver.resolve("sip:example.org") == []

    virtually(test)
