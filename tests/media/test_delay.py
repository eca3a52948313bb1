"""The delay a leg needs, by what has arrived; drift of its clock; recordings that follow it without a click.

Not here: how a listener hears the delay change (test_inputs.py).
"""

import numpy as np
import pytest

from media import g711
from media.arrays import LegTable
from media.delay import RUN_TICKS, DelayTable
from media.inputs import Inputs
from rtp.ring import DEPTH, JitterRing

FRAME = 160
ROW = np.array([0])


def observe(delays, needs, *, clock=100):
    """Packets that need so much delay, in samples."""
    for need in needs:
        first = np.array([(clock + DEPTH) * 80 - need])
        delays.observe(ROW, first, np.array([FRAME]), clock, 0.0)


def turn(delays, windows=1):
    for tick in range(150 * windows):
        if tick % RUN_TICKS == 0:
            delays.run(tick // RUN_TICKS)


@pytest.mark.parametrize(
    ("needs", "target"),
    [
        ([0] * 60, 0),
        ([0, 160], 160),
        ([0] * 60 + [400], 0),
        ([0] * 60 + [400, 0, 320], 320),
        ([0, -160, -160, -160], 0),
        ([0] * 60 + [9999, 9999], 40 * 80),
    ],
    ids=["steady", "second packet later", "one outlier", "two late ones", "first was slow", "bounded"],
)
def test_target(needs, target):
    delays = DelayTable(1, 80)
    observe(delays, needs)
    assert delays.target[0] == target


def test_target_falls_when_the_worst_is_long_past():
    delays = DelayTable(1, 80)
    observe(delays, [0] * 60 + [800, 800])
    turn(delays)
    observe(delays, [0] * 60)
    assert delays.target[0] == 800, "remembered for a window"
    turn(delays)
    assert delays.target[0] == 0


def test_jitter_known_before_is_allowed_for_at_the_start():
    delays = DelayTable(1, 80)
    delays.begin(ROW, np.array([100.0]))
    observe(delays, [0])
    assert delays.target[0] == 200
    calm = DelayTable(1, 80)
    calm.begin(ROW, np.array([15.0]))
    observe(calm, [0])
    assert calm.target[0] == 0


def test_losses_make_room_for_the_far_side_of_the_next_gap():
    delays = DelayTable(1, 80)
    observe(delays, [0] * 60)
    delays.note_losses(ROW)
    assert delays.target[0] == 0, "one alone changes nothing"
    delays.note_losses(ROW)
    assert delays.target[0] == delays.wish[0] == FRAME
    for _ in range(6):
        turn(delays)
        observe(delays, [0] * 60)
    assert delays.target[0] == delays.wish[0] == 0


@pytest.mark.parametrize("size", [80, 240, 480, 160])
def test_packets_out_of_step_with_the_tick(size):
    """Packets of 10, 30, 60 ms need delays that differ by up to the part that does not fit."""
    delays = DelayTable(1, 80)
    delays.observe(ROW, np.array([(100 + DEPTH) * 80]), np.array([size]), 100, 0.0)
    assert delays.target[0] == FRAME - np.gcd(size, FRAME)


@pytest.mark.parametrize("ppm", [0, 60, -200, 500])
def test_drift_is_measured(ppm):
    """Through the jitter of polls and ticks; after some minutes, to 50 ppm."""
    delays = DelayTable(1, 80)
    rng = np.random.default_rng(ppm & 0xFF)
    for i in range(400 * 50):
        arrival = i * 160 * (1 + ppm * 1e-6) + 55 + rng.exponential(4)
        tick = int(arrival // 160) + 1
        early = (tick * 160 - arrival) // 80 * 80
        first = np.array([DEPTH * 80 + i * 160])
        delays.observe(ROW, first, np.array([160]), 2 * tick, early)
        if i % RUN_TICKS == 0:
            delays.run(i // RUN_TICKS)
    assert delays.drift_ppm(0) == pytest.approx(ppm, abs=50)
    assert delays.moved(0) == pytest.approx(400 * 8000 * ppm * 1e-6, abs=100)


class Recorded:
    """A leg that says a tone by a clock of its own, recorded a second at a time as `media.taps` does."""

    def __init__(self, ppm, seconds, hz=370):
        self.hz, self.seconds = hz, seconds
        at = np.arange(seconds * 8000)
        self.pcm = np.rint(9000 * np.sin(2 * np.pi * hz * at / 8000)).astype(np.int16)
        codes = g711.LINEAR_TO_ULAW[self.pcm.view(np.uint16)]
        ring = self.ring = JitterRing(1)
        self.inputs = Inputs(LegTable(1), ring)
        blocks, i, self.n_slips = [], 0, 0
        for tick in range(seconds * 50 - 60):
            while i * 160 * (1 + ppm * 1e-6) + 40 <= tick * 160 and (i + 1) * 160 <= len(codes):
                part = codes[None, i * 160 : (i + 1) * 160]
                self.inputs.put(ROW, np.array([i * 160], np.uint32), None, part, np.array([160]), 2 * tick)
                i += 1
            before = int(ring.shift[0])
            self.inputs.run(2 * tick)
            self.n_slips += int(ring.shift[0]) != before
            if tick % 50 == 0 and tick >= 100:
                blocks.append(ring.read(0, 2 * tick - 120, 100, 0xFF)[0])
        self.first_chunk = 2 * 100 - 120
        self.sound = g711.ULAW_TO_LINEAR[np.concatenate(blocks)].astype(float)


@pytest.mark.parametrize("ppm", [400, -400])
def test_recording_stays_in_place_without_a_click(ppm):
    """Three minutes at twice the drift that is promised: 72 ms apart if nothing were done."""
    seconds = 180
    recorded = Recorded(ppm, seconds)
    assert recorded.n_slips >= 3
    steepest = 9000 * 2 * np.pi * recorded.hz / 8000
    sound = recorded.sound
    assert np.abs(np.diff(sound)).max() < 1.3 * steepest + 300
    assert np.abs(sound.reshape(-1, 400)).max(axis=1).min() > 8000
    # The ring's place of the end against where it is recorded: what is left of the drift.
    clock = 2 * (seconds * 50 - 60)
    expected = -ppm * 1e-6 * clock * 80
    assert abs(int(recorded.ring.shift[0]) - expected) < 0.02 * 8000


def test_recording_of_a_good_clock_is_bit_exact():
    recorded = Recorded(0, 20)
    assert recorded.n_slips == 0
    begin = (recorded.first_chunk - DEPTH) * 80
    said = g711.ULAW_TO_LINEAR[g711.LINEAR_TO_ULAW[recorded.pcm.view(np.uint16)]]
    at = np.flatnonzero([(recorded.sound[:400] == said[begin + k : begin + k + 400]).all() for k in range(-320, 320)])
    assert len(at) and (recorded.sound == said[begin - 320 + at[0] :][: len(recorded.sound)]).all()
