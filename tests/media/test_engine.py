"""What legs hear from a real worker beside plain relay: transcoding, prompts, music, hold, conferences, packet lengths;
sequence numbers and timestamps that never break whatever the source.

Not here: the mix against a model, sample by sample (test_mixer.py).
"""

import itertools
import time

import numpy as np
import pytest

from media import g711
from media.wav import WavFormat, make_header
from model.media import (
    CommandRefused,
    ConnectMatrix,
    Edge,
    GetStatistics,
    Play,
    PlayFinished,
    ReleaseLeg,
    SendDigits,
    Statistics,
    StopPlay,
)
from tests.media.worker_process import TIMEOUT_S, Phone, Worker, bridge, configure, fields


def settle(worker):
    worker.switch.send(GetStatistics(session="s1"))
    return worker.switch.wait(Statistics)


def linear(packet):
    law = "PCMA" if packet[1] & 0x7F == 8 else "PCMU"
    return g711.decoder(law)[np.frombuffer(packet[12:], np.uint8)].astype(int)


def tone(phone, level):
    code = (g711.LINEAR_TO_ALAW if phone.payload_type == 8 else g711.LINEAR_TO_ULAW)[level]
    return bytes([code]) * 160


def hears(phone, level, tolerance=0.06):
    """Whether the newest packet is a steady level."""
    if not phone.received:
        return False
    samples = linear(phone.received[-1])
    return bool((np.abs(samples - level) <= max(level * tolerance, 20)).all())


def is_music(packet):
    """Swings to both sides: no talker here does, nor what is made up for his lost packets, nor a ramp between two."""
    return bool((linear(packet) < -300).any() and (linear(packet) > 300).any())


def talk_until(check, talkers, collect):
    """`talkers`: (phone, level) speak every 20 ms until `check()` is true."""
    deadline = time.monotonic() + TIMEOUT_S
    at = time.monotonic()
    while True:
        for phone, level in talkers:
            phone.send(tone(phone, level))
        at = max(at + 0.02, time.monotonic() - 0.02)
        time.sleep(max(0.0, at - time.monotonic()))
        for phone in collect:
            phone.collect()
        if check():
            return
        assert time.monotonic() < deadline, [linear(phone.received[-1]) for phone in collect if phone.received]


def assert_continuous(packets, ptime=160):
    """One SSRC, sequence numbers without a hole, timestamps that only go forward, by whole packets."""
    got = [fields(packet) for packet in packets]
    assert len({ssrc for *_, ssrc, _ in got}) == 1
    for before, after in itertools.pairwise(got):
        assert (after[1] - before[1]) & 0xFFFF == 1
        step = (after[2] - before[2]) & 0xFFFFFFFF
        assert step >= 80 and step % 80 == 0 and step < 8000 * 30
        if not after[0] & 0x80:
            assert step == ptime


def write_prompt(path, samples):
    data = np.asarray(samples, "<i2").tobytes()
    path.write_bytes(make_header(WavFormat(1, "pcm16"), len(data)) + data)
    return f"file:{path}"


@pytest.mark.parametrize(("first", "second"), [(0, 8), (8, 0)], ids=["ulaw to alaw", "alaw to ulaw"])
def test_transcoding_both_ways(first, second):
    with Worker(2) as worker:
        a, b = Phone(first, ssrc=1), Phone(second, ssrc=2)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        talk_until(lambda: hears(a, 4000) and hears(b, 2000), [(a, 2000), (b, 4000)], [a, b])
        assert {packet[1] & 0x7F for packet in b.received} == {second}
        assert_continuous(a.received)
        assert_continuous(b.received)
        a.close()
        b.close()


def test_hold_music_and_back_without_a_break():
    """Relay, then music for one leg, then relay again: one row of numbers, and the other leg is not disturbed."""
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        talkers = [(a, 2000), (b, 4000)]
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        talk_until(lambda: hears(a, 4000) and hears(b, 2000), talkers, [a, b])
        worker.switch.send(
            ConnectMatrix(session="s1", edges=[]),
            Play(session="s1", leg="a", play_id="moh", sources=["moh:default"], is_looped=True),
        )
        n = []

        def has_music():
            n.append(bool(a.received) and is_music(a.received[-1]))
            return sum(n) > 10

        talk_until(has_music, talkers, [a, b])
        settle(worker)
        worker.switch.send(StopPlay(session="s1", leg="a"), bridge(("a", "b")))
        assert worker.switch.wait(PlayFinished).reason == "stopped"
        talk_until(lambda: hears(a, 4000) and hears(b, 2000), talkers, [a, b])
        assert_continuous(a.received)
        assert_continuous(b.received)
        assert not any(is_music(packet) for packet in b.received)
        a.close()
        b.close()


def test_prompts_follow_each_other_without_a_gap():
    with Worker(1) as worker:
        a = Phone()
        levels = (1000, 3000, 5000)
        lengths = (333, 160, 501)
        sources = [
            write_prompt(worker.folder / f"{level}.wav", [level] * length)
            for level, length in zip(levels, lengths, strict=True)
        ]
        worker.switch.send(
            configure(worker, a, "a", 0),
            Play(session="s1", leg="a", play_id="p", sources=[*sources, "silence:20", sources[0]]),
        )
        finished = worker.switch.wait(PlayFinished)
        assert (finished.play_id, finished.reason, finished.error) == ("p", "finished", "")
        a.wait_for((sum(lengths) + 160 + 333) // 160)
        a.collect()
        samples = np.concatenate([linear(packet) for packet in a.received])
        start = int(np.flatnonzero(np.abs(samples) > 500)[0])  # before it: silence while the files were loaded
        wanted = np.concatenate(
            [np.full(n, level) for n, level in zip((*lengths, 160, 333), (*levels, 0, 1000), strict=True)]
        )
        heard = samples[start : start + len(wanted)]
        assert (np.abs(heard - wanted[: len(heard)]) <= 130).all() and len(heard) >= sum(lengths)
        assert_continuous(a.received)
        a.close()


def test_play_is_replaced_stopped_and_released():
    with Worker(2) as worker:
        a = Phone()
        endless = {"sources": ["silence:1000"], "is_looped": True}
        worker.switch.send(
            configure(worker, a, "a", 0),
            Play(session="s1", leg="a", play_id="1", **endless),
            Play(session="s1", leg="a", play_id="2", **endless),
        )
        assert worker.switch.wait(PlayFinished).reason == "replaced"
        worker.switch.send(StopPlay(session="s1", leg="a", play_id="1"), StopPlay(session="s1", leg="a", play_id="2"))
        finished = worker.switch.wait(PlayFinished)
        assert (finished.play_id, finished.reason) == ("2", "stopped")
        worker.switch.send(Play(session="s1", leg="a", play_id="3", **endless), ReleaseLeg(session="s1", leg="a"))
        assert worker.switch.wait(PlayFinished).reason == "released"
        a.close()


@pytest.mark.parametrize(
    "source", ["file:/nowhere/x.wav", "tone:nothing/xx", "moh:nothing", "nonsense"], ids=lambda source: source[:4]
)
def test_source_that_cannot_be_had(source):
    with Worker(1) as worker:
        a = Phone()
        worker.switch.send(
            configure(worker, a, "a", 0), Play(session="s1", leg="a", play_id="p", sources=["silence:20", source])
        )
        finished = worker.switch.wait(PlayFinished)
        assert finished.reason == "error" and source in finished.error
        a.close()


def test_play_to_a_leg_on_hold_ends_unheard():
    with Worker(1) as worker:
        a = Phone()
        worker.switch.send(
            configure(worker, a, "a", 0, may_send=False),
            Play(session="s1", leg="a", play_id="p", sources=["silence:100"]),
        )
        assert worker.switch.wait(PlayFinished).reason == "finished"
        assert a.drain() == []
        a.close()


def test_conference_and_whisper():
    """Three legs hear each other; then c is heard by b alone (a whisper), and hears both."""
    with Worker(3) as worker:
        a, b, c = Phone(ssrc=1), Phone(8, ssrc=2), Phone(ssrc=3)
        talkers = [(a, 1000), (b, 2000), (c, 4000)]
        worker.switch.send(
            *(configure(worker, phone, name, i) for i, (phone, name) in enumerate(((a, "a"), (b, "b"), (c, "c")))),
            bridge(("a", "b"), ("b", "c"), ("a", "c")),
        )
        talk_until(lambda: hears(a, 6000) and hears(b, 5000) and hears(c, 3000), talkers, [a, b, c])
        edges = [Edge("a", "b"), Edge("b", "a"), Edge("c", "b"), Edge("a", "c"), Edge("b", "c", 0.5)]
        worker.switch.send(ConnectMatrix(session="s1", edges=edges))
        talk_until(lambda: hears(a, 2000) and hears(b, 5000) and hears(c, 2000), talkers, [a, b, c])
        for phone in (a, b, c):
            assert_continuous(phone.received)
            phone.close()


@pytest.mark.parametrize("ptime", [10, 30, 40, 60])
def test_packet_length_asked_for(ptime):
    with Worker(1) as worker:
        a = Phone()
        source = write_prompt(worker.folder / "p.wav", np.full(8000, 3000))
        worker.switch.send(
            configure(worker, a, "a", 0, ptime_ms=ptime),
            Play(session="s1", leg="a", play_id="p", sources=[source], is_looped=True),
        )
        a.wait_for(20)
        assert {len(packet) for packet in a.received} == {12 + ptime * 8}
        assert_continuous(a.received, ptime * 8)
        a.close()


@pytest.mark.parametrize("size", [80, 160, 240, 320, 480])
def test_packet_length_of_the_peer(size):
    """Packets of 10 to 60 ms are heard as they are spoken, through the other codec."""
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(8, ssrc=2)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        codes = bytes([g711.LINEAR_TO_ULAW[3000]]) * size
        deadline = time.monotonic() + TIMEOUT_S
        steady = 0
        at = time.monotonic()
        while steady < 10:
            a.send(codes)
            at = max(at + size / 8000, time.monotonic() - size / 8000)
            time.sleep(max(0.0, at - time.monotonic()))
            before = len(b.received)
            for packet in b.collect()[before:]:
                steady = steady + 1 if (np.abs(linear(packet) - 3000) < 200).all() else 0
            assert time.monotonic() < deadline
        a.close()
        b.close()


def test_leg_that_may_not_be_heard_or_sent_to():
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        worker.switch.send(
            configure(worker, a, "a", 0, may_receive=False),
            configure(worker, b, "b", 1),
            bridge(("a", "b")),
        )
        settle(worker)
        for i in range(10):
            a.send(b"\1" * 160)
            b.send(b"\2" * 160)
            a.wait_for(i + 1)
        assert settle(worker).legs["a"].packets_received == 10
        assert b.drain() == []
        worker.switch.send(configure(worker, a, "a", 0, may_send=False))
        settle(worker)
        a.drain()
        for i in range(10):
            b.send(b"\2" * 160)
            a.send(b"\1" * 160)
            b.wait_for(i + 1)
        settle(worker)
        assert a.drain() == []
        a.close()
        b.close()


def test_leg_on_hold_gets_no_digits():
    with Worker(2) as worker:
        a = Phone()
        worker.switch.send(
            configure(worker, a, "a", 0, dtmf_payload_type=101),
            SendDigits(session="s1", leg="a", digits="123"),
            configure(worker, a, "a", 0, dtmf_payload_type=101, may_send=False),
            SendDigits(session="s1", leg="a", digits="4"),
        )
        assert "may_send" in worker.switch.wait(CommandRefused).error
        settle(worker)
        a.drain()
        worker.switch.send(
            configure(worker, a, "a", 0, dtmf_payload_type=101),
            Play(session="s1", leg="a", play_id="p", sources=["silence:200"]),
        )
        worker.switch.wait(PlayFinished)
        assert {packet[1] & 0x7F for packet in a.drain()} == {0}
        a.close()


def test_ipv6():
    with Worker(2, host="::1") as worker:
        a, b = Phone(ssrc=1, host="::1"), Phone(ssrc=2, host="::1")
        worker.switch.send(
            configure(worker, a, "a", 0),
            configure(worker, b, "b", 1, remote_host="", remote_port=0, learn_from="::1"),
            bridge(("a", "b")),
        )
        settle(worker)
        b.send(b"\1" * 160)
        a.wait_for(1)
        a.send(b"\2" * 160)
        b.wait_for(1)
        assert settle(worker).legs["b"].remote == f"[::1]:{b.port}"
        a.close()
        b.close()
