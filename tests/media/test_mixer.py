"""The tick's array work against a plain model: decode, gains, clipping, encode, both laws, sources, concealment."""

import tracemalloc

import numpy as np
import pytest

from media import g711
from media.arrays import PCMA, PCMU, LegTable
from media.mixer import Listener, Mixer
from rtp.ring import DEPTH, JitterRing

FRAME = 160


class Steady:
    def __init__(self, level):
        self.level = level

    def fill(self, frame):
        frame[:] = self.level


def build(laws):
    table, ring = LegTable(len(laws)), JitterRing(len(laws))
    table.law[:] = laws
    return ring, Mixer(table, ring)


def say(ring, row, codes, clock):
    ring.put(
        np.array([row]), np.array([clock * 80], np.uint32), None, codes.reshape(1, -1), np.array([codes.size]), clock
    )


def codec(law):
    return "PCMA" if law == PCMA else "PCMU"


@pytest.mark.parametrize("seed", range(6))
def test_mix_equals_model(seed):
    rng = np.random.default_rng(seed)
    n = 7
    laws = rng.integers(0, 2, n)
    ring, mixer = build(laws)
    gains = np.where(rng.random((n, n)) < 0.5, rng.choice([1.0, 0.5, 2.0], (n, n)), 0.0)
    np.fill_diagonal(gains, 0)
    listeners = [Listener(j, [(i, float(gains[i, j])) for i in range(n) if gains[i, j]], None) for j in range(n)]
    mixer.build(listeners)
    speech = rng.integers(0, 256, (n, FRAME)).astype(np.uint8)
    for row in range(n):
        say(ring, row, speech[row], 0)
    mixer.run(DEPTH)
    linear = np.stack([g711.decoder(codec(laws[row]))[speech[row]] for row in range(n)]).astype(np.float64)
    for position, row in enumerate(mixer.rows.tolist()):
        wanted = np.clip(gains[:, row] @ linear, -32768, 32767).astype(np.int16)
        codes = g711.encoder(codec(laws[row]))[wanted.view(np.uint16)]
        assert (mixer.payload[position] == codes).all(), row


def test_one_speaker_between_laws():
    ring, mixer = build([PCMU, PCMA])
    codes = np.arange(FRAME).astype(np.uint8)
    say(ring, 0, codes, 0)
    mixer.build([Listener(1, [(0, 1.0)], None)])
    mixer.run(DEPTH)
    linear = g711.ULAW_TO_LINEAR[codes]
    assert (mixer.payload[0] == g711.LINEAR_TO_ALAW[linear.view(np.uint16)]).all()


def test_source_instead_of_speakers():
    _, mixer = build([PCMU, PCMU, PCMA])
    mixer.build([Listener(0, [], Steady(1000)), Listener(1, [(0, 1.0)], None), Listener(2, [], Steady(-500))])
    mixer.run(0)
    heard = {row: mixer.payload[i] for i, row in enumerate(mixer.rows.tolist())}
    assert (g711.ULAW_TO_LINEAR[heard[0]] == g711.ULAW_TO_LINEAR[g711.LINEAR_TO_ULAW[1000]]).all()
    assert (heard[1] == g711.SILENCE["PCMU"]).all()
    assert (g711.ALAW_TO_LINEAR[heard[2]] == g711.ALAW_TO_LINEAR[g711.LINEAR_TO_ALAW[65536 - 500]]).all()


def test_listener_without_anything_hears_silence():
    _, mixer = build([PCMA])
    mixer.build([Listener(0, [], None)])
    mixer.run(0)
    assert (np.abs(g711.ALAW_TO_LINEAR[mixer.payload[0]]) <= 8).all()


def test_missing_audio_fades_and_comes_back():
    ring, mixer = build([PCMU, PCMU])
    loud = np.full(FRAME, g711.LINEAR_TO_ULAW[8000], np.uint8)
    mixer.build([Listener(1, [(0, 1.0)], None)])
    levels = []
    for clock in range(0, 20 + DEPTH, 2):
        if clock not in (4, 6, 8):
            say(ring, 0, loud, clock)
        mixer.run(clock)
        levels.append(int(np.abs(g711.ULAW_TO_LINEAR[mixer.payload[0]]).max()))
    levels = levels[DEPTH // 2 :]
    full = levels[1]
    assert levels[:2] == [full, full]
    assert levels[2] == pytest.approx(full / 2, rel=0.05)
    assert levels[3] == pytest.approx(full / 4, rel=0.05)
    assert levels[4] == 0
    assert levels[5:] == [full] * 5


def test_half_a_frame_is_played():
    ring, mixer = build([PCMU, PCMU])
    loud = np.full(80, g711.LINEAR_TO_ULAW[8000], np.uint8)
    mixer.build([Listener(1, [(0, 1.0)], None)])
    say(ring, 0, loud, 1)
    mixer.run(DEPTH)
    assert (mixer.payload[0][:80] == g711.SILENCE["PCMU"]).all()
    assert (mixer.payload[0][80:] == loud).all()


def test_tick_allocates_nothing_while_audio_flows():
    """Nothing of the size of the audio: 300 frames are 48 KB encoded and 192 KB as floats. (A broadcast multiplication
    has a buffer of 32 KB, however many there are.)"""
    n = 300
    ring, mixer = build([PCMU, PCMA] * (n // 2))
    mixer.build([Listener(row, [(row ^ 1, 1.0), ((row + 2) % n, 0.5)], None) for row in range(n)])
    speech = np.zeros((n, FRAME), np.uint8)
    for clock in range(0, 12, 2):
        ring.put(np.arange(n), np.full(n, clock * 80, np.uint32), None, speech, np.full(n, FRAME), clock)
    mixer.run(DEPTH)
    tracemalloc.start()
    try:
        mixer.run(DEPTH + 2)
        mixer.run(DEPTH + 4)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 45_000
