"""Legs on shared ports: whose a packet is, learning, rebinding, two legs with one peer address, RTCP, floods.

A whole engine on real loopback sockets, in this process: after each packet it polls until the packet has been taken.
Not here: the transport alone (tests/rtp/net), the rules of learning (test_learning).
"""

import select
import socket

import pytest

from media.engine import Engine
from media.learning import PROOF_PACKETS
from media.strangers import HINT_PACKETS, MAX_IN_ALL, SILENCE_S
from model.media import CommandRefused, ConfigureLeg, ConnectMatrix, Edge, FirstPacket, LegReleased, ReleaseSession
from rtp import rtcp
from rtp.net.ports import Ports
from tests.media.virtual import NoWriter, Silence
from tests.media.worker_process import bind_pairs

HOST = "127.0.0.1"
ELSEWHERE = "127.0.0.2"


class Peer:
    """An RTP endpoint with a stream of its own."""

    def __init__(self, ssrc=1, host=HOST):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(5)
        self.host, self.port = self.address = self.socket.getsockname()
        self.ssrc, self.seq = ssrc, 100

    def send(self, port, *, ssrc=None, seq=None, options=b""):
        self.seq = (self.seq + 1 if seq is None else seq) & 0xFFFF
        head = bytes((0x80, 0)) + self.seq.to_bytes(2, "big") + (self.seq * 160).to_bytes(4, "big")
        self.socket.sendto(head + (ssrc or self.ssrc).to_bytes(4, "big") + bytes(160), (HOST, port))

    def heard(self):
        """Packets that have come."""
        found = []
        while select.select([self.socket], [], [], 0)[0]:
            found.append(self.socket.recv(2000))
        return found


class Rig:
    """An engine with `n_shared` shared ports and one leg with a port of its own ("desk", heard by every other leg)."""

    def __init__(self, n_shared=1):
        sockets = bind_pairs(1 + n_shared)
        pairs = list(zip(sockets[::2], sockets[1::2], strict=True))
        self.ports = Ports(pairs[:1], pairs[1:], shared_legs=400)
        self.events = []
        self.engine = Engine(
            self.ports,
            self.events.append,
            prompts=Silence(),
            writer=NoWriter(),
            cname="x",
            wall=lambda: 0.0,
            codec_threads=0,
        )
        self.now = 50.0
        self.peers = []
        self.port = self.ports.shared_ports[0]

    def close(self):
        self.engine.close()
        self.ports.close_all()
        for each in self.peers:
            each.socket.close()

    def peer(self, *args, **more):
        self.peers.append(Peer(*args, **more))
        return self.peers[-1]

    def leg(self, name, peer=None, *, port=0, **more):
        """Configures it; the refusal or ""."""
        remote = {"remote_host": peer.host, "remote_port": peer.port} if peer else {}
        before = len(self.events)
        self.engine.apply(ConfigureLeg(name, name, port or self.port, **(remote | more)), self.now)
        return next((each.error for each in self.events[before:] if isinstance(each, CommandRefused)), "")

    def poll(self, n=1):
        """Until `n` datagrams have been looked at."""
        for _ in range(n):
            select.select([self.ports._watcher.epoll], [], [], 0.2)
            self.engine.poll(self.now)

    def packets(self, name):
        leg = self.engine.sessions[name].legs[name]
        return self.engine.statistics(leg).packets_received

    def remote(self, name):
        return self.engine.statistics(self.engine.sessions[name].legs[name]).remote


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.close()


def test_bridge_between_a_shared_leg_and_one_with_its_own_port(rig):
    a, b = rig.peer(1), rig.peer(2)
    for name, peer, port in (("a", a, rig.port), ("b", b, rig.ports.own_ports[0])):
        rig.engine.apply(ConfigureLeg("s", name, port, remote_host=peer.host, remote_port=peer.port), rig.now)
    rig.engine.apply(ConnectMatrix("s", [Edge("a", "b"), Edge("b", "a")]), rig.now)
    for _ in range(3):
        a.send(rig.port)
        b.send(rig.ports.own_ports[0])
        rig.poll()
    rig.poll()
    assert {each.leg for each in rig.events if isinstance(each, FirstPacket)} == {"a", "b"}
    for peer in (a, b):
        heard = [peer.socket.recv(2000) for _ in range(3)]
        assert len({each[8:12] for each in heard}) == 1
        seqs = [int.from_bytes(each[2:4], "big") for each in heard]
        assert [(seq - seqs[0]) & 0xFFFF for seq in seqs] == [0, 1, 2]


def test_several_packets_of_a_leg_at_once_are_each_counted_and_relayed_in_order(rig):
    a, b = rig.peer(1), rig.peer(2)
    for name, peer in (("a", a), ("b", b)):
        rig.engine.apply(ConfigureLeg("s", name, rig.port, remote_host=peer.host, remote_port=peer.port), rig.now)
    rig.engine.apply(ConnectMatrix("s", [Edge("a", "b"), Edge("b", "a")]), rig.now)
    for _ in range(9):
        a.send(rig.port)
    b.send(rig.port)
    rig.poll(2)
    leg = rig.engine.sessions["s"].legs["a"]
    assert rig.engine.statistics(leg).packets_received == 9 and rig.engine.statistics(leg).packets_lost == 0
    seqs = [int.from_bytes(each[2:4], "big") for each in (b.socket.recv(2000) for _ in range(9))]
    assert [(seq - seqs[0]) & 0xFFFF for seq in seqs] == list(range(9))


def test_strangers_are_dropped_and_counted(rig):
    a, stranger = rig.peer(1), rig.peer(1, host=ELSEWHERE)
    rig.leg("a", a, learn_from=HOST)
    for _ in range(10):
        stranger.send(rig.port)
    stranger.socket.sendto(b"no RTP", (HOST, rig.port))
    rig.poll(3)
    a.send(rig.port)
    rig.poll()
    assert rig.packets("a") == 1 and rig.engine.n_strangers == 11
    assert rig.remote("a") == f"{HOST}:{a.port}"


def test_flood_costs_a_bounded_number_of_looks(rig):
    a, flood = rig.peer(1), rig.peer(7)
    rig.leg("a", a, learn_from=HOST)
    a.send(rig.port)
    rig.poll()
    for _ in range(200):
        flood.send(rig.port)
    judged = []
    accepts = rig.engine._intake._strangers._accepts
    rig.engine._intake._strangers._accepts = lambda *args: judged.append(args) or accepts(*args)
    rig.poll(3)
    assert len(judged) <= MAX_IN_ALL
    a.send(rig.port)
    rig.poll()
    assert rig.packets("a") == 2


def test_one_leg_a_port_waits_for_its_peer_and_learns_it(rig):
    a = rig.peer(1)
    assert rig.leg("a", learn_from=HOST) == ""
    assert "waits" in rig.leg("b", learn_from=HOST)
    assert "b" not in rig.engine.sessions or not rig.engine.sessions["b"].legs
    a.send(rig.port)
    a.send(rig.port)
    rig.poll(2)
    assert rig.packets("a") == 2 and rig.remote("a") == f"{HOST}:{a.port}"
    assert rig.leg("b", learn_from=HOST) == ""


def test_peer_that_sends_from_another_port_than_it_says(rig):
    """Some packets of it tell, as long as only one leg can be meant: fewer may be early ones of a call whose answer is
    still on its way."""
    a, b, other = rig.peer(1), rig.peer(2), rig.peer(3)
    rig.leg("a", a, learn_from=HOST)
    rig.leg("b", b, learn_from=HOST)
    other.send(rig.port)
    rig.poll()
    assert rig.packets("a") == rig.packets("b") == 0
    b.send(rig.port)
    rig.poll()
    for _ in range(HINT_PACKETS - 1):
        other.send(rig.port)
    rig.poll(HINT_PACKETS - 1)
    assert rig.packets("a") == 0
    other.send(rig.port)
    rig.poll()
    assert rig.packets("a") == 1 and rig.remote("a") == f"{HOST}:{other.port}"


def test_audio_that_comes_before_the_answer_is_not_taken_for_another_calls(rig):
    a, early = rig.peer(1), rig.peer(2)
    rig.leg("a", a, learn_from=HOST)
    for _ in range(HINT_PACKETS - 1):
        early.send(rig.port)
    rig.poll(HINT_PACKETS - 1)
    rig.leg("b", early, learn_from=HOST)
    early.send(rig.port)
    a.send(rig.port)
    rig.poll(2)
    assert (rig.packets("a"), rig.packets("b")) == (1, 1)
    assert rig.remote("a") == f"{HOST}:{a.port}" and rig.remote("b") == f"{HOST}:{early.port}"


def test_rebinding_needs_the_same_proof_as_on_a_port_of_its_own(rig):
    a, b, moved, liar = rig.peer(1), rig.peer(2), rig.peer(1), rig.peer(2)
    for name, peer in (("a", a), ("b", b)):
        rig.leg(name, peer, learn_from=HOST)
        peer.send(rig.port)
    rig.poll(2)
    liar.seq = 9000  # the right SSRC, and no continuation
    moved.seq = a.seq
    for i in range(PROOF_PACKETS):
        assert rig.packets("a") == 1, i
        moved.send(rig.port)
        liar.send(rig.port)
        rig.poll()
        rig.poll()
    assert rig.remote("a") == f"{HOST}:{moved.port}" and rig.remote("b") == f"{HOST}:{b.port}"
    a.send(rig.port, seq=moved.seq + 1)
    moved.send(rig.port, seq=moved.seq + 1)
    rig.poll(2)
    assert rig.packets("a") == 3
    assert rig.engine.statistics(rig.engine.sessions["a"].legs["a"]).packets_rejected == PROOF_PACKETS - 1 + 1


def test_rebinding_onto_the_address_of_another_leg_is_refused(rig):
    a, b = rig.peer(1), rig.peer(2)
    rig.leg("a", a, learn_from=HOST)
    rig.leg("b", b, learn_from=HOST)
    a.send(rig.port)
    rig.poll()
    seq = a.seq
    for i in range(PROOF_PACKETS + 1):
        b.send(rig.port, ssrc=1, seq=seq + 1 + i)
    rig.poll(2)
    assert rig.remote("a") == f"{HOST}:{a.port}" and rig.packets("a") == 1


def test_two_legs_with_one_peer_address_are_told_apart_by_ssrc(rig):
    a = rig.peer(1)
    assert rig.leg("a", a) == ""
    assert "was not heard yet" in rig.leg("b", a)
    a.send(rig.port)
    rig.poll()
    assert rig.leg("b", a) == ""
    for i in range(3):
        a.send(rig.port, ssrc=2, seq=500 + i)
        a.send(rig.port, ssrc=1, seq=102 + i)
        rig.poll(2)
    assert (rig.packets("a"), rig.packets("b")) == (4, 3)
    a.send(rig.port, ssrc=3, seq=7)  # both were heard just now: nobody's
    rig.poll()
    assert (rig.packets("a"), rig.packets("b")) == (4, 3)
    rig.now += SILENCE_S + 0.1
    a.send(rig.port, ssrc=1, seq=105)
    rig.poll()
    a.send(rig.port, ssrc=3, seq=8)  # only one has fallen silent: it began anew
    rig.poll()
    a.send(rig.port, ssrc=3, seq=9)
    rig.poll()
    assert (rig.packets("a"), rig.packets("b")) == (5, 5)


def test_the_same_address_on_another_port_is_taken():
    rig = Rig(2)
    try:
        a = rig.peer(1)
        assert rig.leg("a", a) == "" and "was not heard yet" in rig.leg("b", a)
        assert rig.leg("b", a, port=rig.ports.shared_ports[1]) == ""
        a.send(rig.ports.shared_ports[1])
        rig.poll()
        assert (rig.packets("a"), rig.packets("b")) == (0, 1)
    finally:
        rig.close()


def test_late_packets_of_a_released_leg_reach_nobody(rig):
    a, b = rig.peer(1), rig.peer(2)
    rig.leg("a", a)
    rig.leg("b", b)
    a.send(rig.port)
    rig.poll()
    rig.engine.apply(ReleaseSession("a"), rig.now)
    assert [each.leg for each in rig.events if isinstance(each, LegReleased)] == ["a"]
    a.send(rig.port)
    b.send(rig.port)
    rig.poll(2)
    assert rig.packets("b") == 1 and rig.engine.n_strangers == 1


def report(ssrc, about, lost):
    block = rtcp.ReportBlock(about, lost, 0, 0, 0, 0, 0)
    return rtcp.build(rtcp.Report(ssrc, None, (block,), "p"))


def test_reports_find_their_leg_by_ssrc_or_address(rig):
    a, b, silent = rig.peer(1), rig.peer(2), rig.peer(9)
    beside = rig.peer(9)
    rig.leg("a", a)
    rig.leg("b", b)
    rig.leg("silent", silent, remote_rtcp_port=beside.port)
    a.send(rig.port)
    b.send(rig.port)
    rig.poll(2)
    table, sessions = rig.engine.table, rig.engine.sessions
    out = {name: int(table.out_ssrc[sessions[name].legs[name].row]) for name in ("a", "b", "silent")}
    b.socket.sendto(report(2, out["b"], 64), (HOST, rig.port + 1))
    beside.socket.sendto(report(77, out["silent"], 32), (HOST, rig.port + 1))
    a.socket.sendto(report(78, out["a"], 128), (HOST, rig.port + 1))
    rig.poll(2)
    lost = {name: rig.engine.statistics(sessions[name].legs[name]).remote_lost_fraction for name in out}
    assert lost == {"a": -1.0, "b": 0.25, "silent": 0.125}
