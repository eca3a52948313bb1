"""The relay path of a real worker: payload bit-exact, header ours and continuous, type mapping, release and reuse.

Not here: learning (test_learning), digits (test_dtmf), what happens in the tick (test_engine).
"""

import itertools
import random

from model.media import FirstPacket, GetStatistics, LegReleased, ReleaseSession, Statistics
from tests.media.worker_process import Phone, Worker, bridge, configure, fields


def make_call(worker, a, b, **more):
    worker.switch.send(configure(worker, a, "a", 0, **more), configure(worker, b, "b", 1, **more), bridge(("a", "b")))


def test_payload_is_bit_exact_and_header_is_ours():
    rng = random.Random(1)
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        make_call(worker, a, b)
        sent = {"a": [], "b": []}
        worker.switch.send(GetStatistics(session="s1"))
        worker.switch.wait(Statistics)
        for i in range(50):
            for name, phone, peer in (("a", a, b), ("b", b, a)):
                payload = rng.randbytes(rng.choice((80, 160, 240, 480)))
                sent[name].append(payload)
                phone.send(payload)
                peer.wait_for(i + 1)
        for name, phone, peer in (("a", a, b), ("b", b, a)):
            got = [fields(packet) for packet in peer.received]
            assert [payload for *_, payload in got] == sent[name]
            assert len({ssrc for *_, ssrc, _ in got}) == 1
            assert got[0][3] != phone.ssrc
            assert got[0][0] == 0x80 and {kind for kind, *_ in got[1:]} == {0}
            for before, after in itertools.pairwise(got):
                assert (after[1] - before[1]) & 0xFFFF == 1
                assert (after[2] - before[2]) & 0xFFFFFFFF == len(before[4])
        assert {worker.switch.wait(FirstPacket).leg, worker.switch.wait(FirstPacket).leg} == {"a", "b"}
        worker.switch.send(ReleaseSession(session="s1"))
        for _ in range(2):
            released = worker.switch.wait(LegReleased)
            assert released.statistics.packets_received == released.statistics.packets_sent == 50
            assert released.statistics.packets_lost == released.statistics.packets_rejected == 0
            assert released.statistics.bytes_sent == sum(map(len, sent["b" if released.leg == "a" else "a"]))
        a.close()
        b.close()
