"""Whose RTP a leg takes (TRUST §2): the rules as a table, and strangers against a real worker: neither heard, relayed,
recorded nor learned."""

import pytest

from media.learning import MAX_GAP, PROOF_PACKETS, AddressGuard, Verdict
from model.media import (
    GetStatistics,
    LegReleased,
    RecordingFinished,
    RecordingStarted,
    ReleaseSession,
    StartRecording,
    Statistics,
)
from tests.media.worker_process import Phone, Worker, bridge, configure, fields

SDP = ("192.168.0.9", 4000)
NAT = ("203.0.113.7", 33000)
NONE = (-1, 0)


def guard(remote=SDP, learn_from=NAT[0]):
    made = AddressGuard()
    made.configure(remote, learn_from)
    return made


def judge(g, address, *, ssrc=1, seq=100, has_received=False, stream=NONE):
    return g.judge(address, ssrc, seq, has_received=has_received, stream=stream)


def test_signalling_source_replaces_the_sdp_once():
    g = guard()
    assert judge(g, NAT) is Verdict.LEARN
    assert g.source == g.destination == NAT
    assert judge(g, NAT) is Verdict.ACCEPT
    assert judge(g, (NAT[0], 33002), ssrc=2) is Verdict.REJECT
    assert judge(g, SDP) is Verdict.REJECT
    assert g.destination == NAT


def test_peer_that_sends_from_another_port_is_heard_but_not_followed():
    g = guard(learn_from="")
    assert judge(g, (SDP[0], 5000)) is Verdict.LEARN
    assert (g.source, g.destination) == ((SDP[0], 5000), SDP)


@pytest.mark.parametrize("address", [("198.51.100.1", 4000), ("", 0)], ids=["other host", "nobody"])
def test_stranger(address):
    g = guard()
    for seq in range(100, 120):
        assert judge(g, address, seq=seq, stream=(1, seq - 1)) is Verdict.REJECT
    assert g.source == g.destination == SDP


def test_nothing_is_learned_without_a_source():
    assert judge(guard(None, ""), NAT) is Verdict.REJECT


def test_too_late_to_learn_after_the_sdp_address_was_heard():
    assert judge(guard(), NAT, ssrc=9, has_received=True, stream=(1, 50)) is Verdict.REJECT


def test_repeated_configuration_keeps_what_was_learned_and_allows_another():
    g = guard()
    judge(g, NAT)
    g.configure(SDP, NAT[0])
    assert g.source == g.destination == NAT
    assert judge(g, (NAT[0], 1), ssrc=5) is Verdict.LEARN


def test_new_address_in_the_sdp_replaces_what_was_learned():
    g = guard()
    judge(g, NAT)
    g.configure(("192.168.0.9", 4002), NAT[0])
    assert g.source == g.destination == ("192.168.0.9", 4002)


def test_continuing_stream_moves():
    """A NAT gave the peer another port in mid-call (TRUST R8)."""
    g = guard()
    judge(g, NAT)
    moved = (NAT[0], 40000)
    verdicts = [judge(g, moved, seq=(65530 + i) & 0xFFFF, has_received=True, stream=(1, 65520)) for i in range(8)]
    assert verdicts[: PROOF_PACKETS - 1] == [Verdict.REJECT] * (PROOF_PACKETS - 1)
    assert verdicts[PROOF_PACKETS - 1] is Verdict.LEARN
    assert g.source == g.destination == moved


@pytest.mark.parametrize(
    ("ssrc", "seqs", "highest"),
    [
        (2, range(101, 120), lambda i: 100),
        (1, range(101 + MAX_GAP, 120 + MAX_GAP), lambda i: 100),
        (1, range(80, 99), lambda i: 100),
        (1, range(101, 140, 2), lambda i: 100),
        (1, range(101, 120), lambda i: 100 + i),
    ],
    ids=["other ssrc", "gap", "behind", "holes", "the accepted source speaks on"],
)
def test_what_does_not_continue_is_no_proof(ssrc, seqs, highest):
    g = guard()
    judge(g, NAT)
    for i, seq in enumerate(seqs):
        verdict = judge(g, (NAT[0], 9), ssrc=ssrc, seq=seq, has_received=True, stream=(1, highest(i)))
        assert verdict is Verdict.REJECT
    assert g.source == NAT


# -- a real worker ----------------------------------------------------------------------------------------------------


def test_strangers_are_not_heard_relayed_recorded_or_learned():
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        stranger, neighbour = Phone(ssrc=1, host="127.0.0.2"), Phone(ssrc=66)
        path = str(worker.folder / "r.wav")
        worker.switch.send(
            configure(worker, a, "a", 0),
            configure(worker, b, "b", 1),
            bridge(("a", "b")),
            StartRecording(session="s1", recording="r", path=path, channels=[["a"], ["b"]]),
        )
        worker.switch.wait(RecordingStarted)
        stranger.target = neighbour.target = a.target
        # The stranger is there first, and knows SSRC and sequence numbers.
        stranger.seq, stranger.ts = a.seq, a.ts
        for i in range(40):
            stranger.send(b"\x11" * 160)
            a.send(b"\x22" * 160)
            b.wait_for(i + 1)
            neighbour.send(b"\x33" * 160)
            b.send(b"\x44" * 160)
            a.wait_for(i + 1)
        assert {fields(packet)[4] for packet in b.received} == {b"\x22" * 160}
        assert stranger.drain() == neighbour.drain() == []
        worker.switch.send(GetStatistics(session="s1"))
        statistics = worker.switch.wait(Statistics).legs["a"]
        assert statistics.packets_rejected == 80
        assert statistics.packets_received == 40 and statistics.remote == f"127.0.0.1:{a.port}"
        worker.switch.send(ReleaseSession(session="s1"))
        finished = worker.switch.wait(RecordingFinished)
        with open(finished.path, "rb") as file:
            content = file.read()
        begin = content.index(b"data") + 8
        data = content[begin : begin + int.from_bytes(content[begin - 4 : begin], "little")]
        assert 0x22 in data and 0x44 in data and 0x11 not in data and 0x33 not in data
        for phone in (a, b, stranger, neighbour):
            phone.close()


def test_address_behind_nat_is_learned_and_both_ways_work():
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        # The SDP names an address where nobody is; signalling came from 127.0.0.1.
        command = configure(worker, a, "a", 0, remote_host="127.0.0.99", remote_port=9, learn_from="127.0.0.1")
        worker.switch.send(command, configure(worker, b, "b", 1), bridge(("a", "b")))
        worker.switch.send(GetStatistics(session="s1"))
        worker.switch.wait(Statistics)
        for i in range(5):
            a.send(bytes([i]) * 160)
            b.wait_for(i + 1)
            b.send(bytes([100 + i]) * 160)
            a.wait_for(i + 1)
        # The same command again (a re-INVITE that changes nothing) does not forget it.
        worker.switch.send(command, GetStatistics(session="s1"))
        assert worker.switch.wait(Statistics).legs["a"].remote == f"127.0.0.1:{a.port}"
        b.send(b"x" * 160)
        a.wait_for(6)
        # Its NAT rebinds: the stream goes on from another port.
        moved = Phone(ssrc=1)
        moved.seq, moved.ts, moved.target = a.seq, a.ts, a.target
        a.send(b"y" * 160)  # closes what the repeated command opened
        b.wait_for(6)
        moved.seq = a.seq
        for _ in range(PROOF_PACKETS + 3):
            moved.send(b"m" * 160)
        b.wait_for(6 + 4)
        b.send(b"z" * 160)
        moved.wait_for(1)
        worker.switch.send(ReleaseSession(session="s1"))
        for phone in (a, b, moved):
            phone.close()


def test_packets_for_a_free_port_are_discarded():
    with Worker(1) as worker:
        old, new = Phone(ssrc=1), Phone(ssrc=2)
        worker.switch.send(configure(worker, old, "a", 0))
        old.send(b"o" * 160)
        worker.switch.send(ReleaseSession(session="s1"))
        assert worker.switch.wait(LegReleased).statistics.remote in ("", f"127.0.0.1:{old.port}")
        for _ in range(5):
            old.send(b"o" * 160)
        worker.switch.send(configure(worker, new, "n", 0, session="s2"), GetStatistics(session="s2"))
        worker.switch.wait(Statistics)
        new.send(b"n" * 160)
        while True:
            worker.switch.send(GetStatistics(session="s2"))
            statistics = worker.switch.wait(Statistics).legs["n"]
            if statistics.packets_received:
                break
        assert (statistics.packets_received, statistics.packets_rejected) == (1, 0)
        old.close()
        new.close()
