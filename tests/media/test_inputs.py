"""What legs are heard as: bit for bit on a good network whatever the packets; the delay that jitter needs and no more;
loss, lateness, silence, restarts and drift without a click and with the right counts; handing over to and from relay.

Not here: the arithmetic of concealment and stretching (test_concealment.py, test_stretch.py), what a listener of the
whole engine hears (test_gapless.py), PESQ (benchmarks/media_quality.py).
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import g711
from media.arrays import PCMA, LegTable
from media.inputs import Inputs
from rtp.ring import JitterRing

TICK_S = 0.02


def speech(seconds, rate=8000, seed=0):
    """A voice: harmonics of a gliding pitch, loud and soft, with some noise."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(130 + 25 * np.sin(2 * np.pi * 0.7 * at)) / rate
    voice = sum(np.sin(k * phase + k) / k for k in range(1, 8))
    loud = 0.55 + 0.45 * np.sin(2 * np.pi * 2.3 * at)
    return np.rint(4000 * voice * loud + rng.normal(0, 20, len(at))).astype(np.int16)


def tone(seconds, hz=400, level=8000, rate=8000):
    return np.rint(level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


@dataclass
class Line:
    """One leg: `arrivals` are (time, number) of packets of `size` samples; a tick every 20 ms."""

    sent: np.ndarray
    size: int = 160
    law: str = "PCMU"
    rate: int = 8000
    ticks: int = 80
    first_ts: int = 4242
    heard: list = field(default_factory=list)

    def __post_init__(self):
        self.chunk = self.rate // 100
        self.table = LegTable(2)
        self.table.law[:] = PCMA if self.law == "PCMA" else 0
        if self.rate == 8000:
            self.ring = JitterRing(2)
            self.elements = g711.encoder(self.law)[self.sent.view(np.uint16)]
            self.sent = g711.decoder(self.law)[self.elements]
        else:
            self.ring = JitterRing(2, self.chunk, np.int16)
            self.elements = self.sent
        self.inputs = Inputs(self.table, self.ring)
        self.inputs.reset(1, self.ticks)
        self.inputs.start(1)
        self.rows = np.array([1])
        self.tick = 0
        self.delays = []

    @property
    def n_packets(self):
        return len(self.sent) // self.size

    def put(self, i, *, ts=None, seq=None, fresh=False):
        payload = self.elements[i * self.size : (i + 1) * self.size]
        if ts is None:
            ts = i * self.size * self.ticks // self.chunk
        self.inputs.put(
            self.rows,
            np.array([(self.first_ts + ts) & 0xFFFFFFFF], np.uint32),
            np.array([True]) if fresh else None,
            payload[None],
            np.array([len(payload)]),
            2 * self.tick,
            seq=np.array([(i if seq is None else seq) & 0xFFFF], np.uint16),
        )

    def step(self):
        self.inputs.run(2 * self.tick)
        self.heard.append(self.inputs.read(self.rows, 2 * self.tick)[0].copy())
        self.tick += 1
        self.delays.append(self.inputs.delay_s(1, 2 * self.tick))

    def run(self, arrivals, until=None):
        """`arrivals` maps times to packet numbers; packets that arrived before a tick are there in it."""
        waiting = sorted(arrivals)
        end = (waiting[-1][0] if until is None else until) + 0.2
        while self.tick * TICK_S < end:
            now = self.tick * TICK_S
            while waiting and waiting[0][0] <= now + 1e-9:
                self.put(waiting.pop(0)[1])
            self.step()
        return np.concatenate(self.heard)

    def regular(self, phase=0.003, jitter=0.0, lost=(), ppm=0.0, seed=0):
        rng = np.random.default_rng(seed)
        period = self.size / self.rate * (1 + ppm * 1e-6)
        return [(phase + i * period + rng.random() * jitter, i) for i in range(self.n_packets) if i not in lost]

    @property
    def concealed_ms(self):
        return round(self.inputs.concealed_s(1) * 1000)


def find(heard, sent, at=0, length=400):
    """Where `sent[at : at + length]` is heard exactly; -1 when it is not."""
    windows = np.lib.stride_tricks.sliding_window_view(heard, length)
    hits = np.flatnonzero((windows == sent[at : at + length]).all(axis=1))
    return int(hits[0]) if len(hits) else -1


def assert_smooth(heard, level, hz, rate=8000):
    """A sine without a click: no step steeper than the sine's own (and a little for the law's steps)."""
    steepest = level * 2 * np.pi * hz / rate
    assert np.abs(np.diff(heard)).max() < 1.5 * steepest + 300


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
@pytest.mark.parametrize("size", [80, 160, 240, 320, 480])
@pytest.mark.parametrize("first_ts", [37, 0xFFFFFFFF - 1000])
def test_good_network_is_bit_exact(law, size, first_ts):
    """For every packet length, timestamp phase and law: every sample once, in order, nothing made up."""
    line = Line(speech(8), size, law, first_ts=first_ts)
    heard = line.run(line.regular())
    begin = find(heard, line.sent, at=size)
    n = line.n_packets * size
    assert begin >= size and (heard[begin : begin + n - size] == line.sent[size:n]).all()
    assert line.concealed_ms == 0 and line.ring.late[1] == 0 and line.inputs.stretched[1] == 0
    assert max(line.delays[20:-15]) <= 0.03


@pytest.mark.parametrize("ticks", [80, 160, 480])
def test_good_network_is_bit_exact_for_samples(ticks):
    line = Line(speech(6, 16000), 320, rate=16000, ticks=ticks)
    heard = line.run(line.regular())
    begin = find(heard, line.sent, at=640)
    assert (heard[begin : begin + 16000 * 5] == line.sent[640 : 640 + 16000 * 5]).all()
    assert line.concealed_ms == 0


@pytest.mark.parametrize("jitter_ms", [20, 40, 80])
def test_delay_grows_with_jitter_and_then_nothing_is_late(jitter_ms):
    line = Line(speech(16))
    line.run(line.regular(jitter=jitter_ms / 1000))
    half = len(line.delays) // 2
    assert max(line.delays[half:-12]) <= jitter_ms / 1000 + 0.045
    late, concealed = line.ring.late[1], line.concealed_ms
    assert late <= 12 and concealed <= 240
    line = Line(speech(8))
    line.run(line.regular(jitter=jitter_ms / 1000))
    assert concealed - line.concealed_ms <= 40, "once it has grown, hardly anything is late"


def test_delay_shrinks_when_the_network_calms():
    line = Line(speech(40))
    noisy = line.regular(jitter=0.1)[:300]
    calm = line.regular()[300:]
    line.run(noisy + calm)
    assert max(line.delays[200:300]) > 0.07
    assert line.delays[-30] < 0.04
    assert line.concealed_ms < 250


def test_slower_path_loses_no_packet():
    """All packets come 100 ms later from one moment on: the voice pauses or is drawn out, and goes on where it was."""
    line = Line(tone(8, 400))
    heard = line.run([(at + (0.1 if i >= 150 else 0.0), i) for at, i in line.regular()])
    assert line.ring.late[1] == 0
    assert_smooth(heard[4000 : 8 * 8000], 8000, 400)
    assert 0.09 < line.delays[250] < 0.15


def test_loss_is_concealed_and_counted():
    lost = set(np.random.default_rng(5).choice(np.arange(60, 700), 40, replace=False).tolist())
    line = Line(speech(15))
    heard = line.run(line.regular(lost=lost))
    assert line.concealed_ms == 20 * len(lost) and line.ring.late[1] == 0
    # Compared with what was said there, at the place where the packet after the next is heard.
    error = energy = 0.0
    for i in lost - {k - 1 for k in lost} - {k - 2 for k in lost}:
        begin = find(heard, line.sent, at=160 * (i + 2), length=160) - 320
        assert begin >= 0, i
        said = line.sent[i * 160 : (i + 1) * 160].astype(float)
        error += np.sum((said - heard[begin : begin + 160]) ** 2)
        energy += np.sum(said**2)
    assert error < 0.3 * energy


def test_tone_through_loss_has_no_click():
    lost = {70, 71, 120, 180, 181, 182, 240}
    line = Line(tone(6, 400))
    heard = line.run(line.regular(lost=lost))
    assert_smooth(heard[4000:44000], 8000, 400)


def test_long_gap_fades_to_silence_and_comes_back_whole():
    line = Line(speech(8))
    heard = line.run(line.regular(lost=set(range(100, 200))))
    assert find(heard, line.sent, at=200 * 160 + 40) > 0
    gone = heard[100 * 160 + 1600 : 199 * 160]
    assert np.abs(gone).max() == 0
    assert 60 <= line.concealed_ms <= 100


def test_silence_suppression_is_no_loss():
    """Timestamps go on while nothing is sent, sequence numbers do not: what comes is played as it is, and nothing
    counts as made up."""
    line = Line(speech(6))
    spurts = [(0, 100, 0.0), (100, 180, 0.53), (180, 290, 0.6512)]
    arrivals, gaps, pause = [], {}, 0.0
    for first, end, silence in spurts:
        pause += silence
        for i in range(first, end):
            gaps[i] = round(pause * 8000)
            arrivals.append((0.003 + i * 0.02 + pause, i))
    waiting = list(arrivals)
    while line.tick * TICK_S < arrivals[-1][0] + 0.2:
        while waiting and waiting[0][0] <= line.tick * TICK_S:
            i = waiting.pop(0)[1]
            line.put(i, ts=i * 160 + gaps[i])
        line.step()
    heard = np.concatenate(line.heard)
    assert line.concealed_ms == 0 and line.ring.late[1] == 0
    for first, end, _ in spurts:
        begin = find(heard, line.sent, at=first * 160 + 160)
        assert (heard[begin : begin + (end - first - 1) * 160] == line.sent[first * 160 + 160 : end * 160]).all()


@pytest.mark.parametrize("fresh", [True, False], ids=["new SSRC", "timestamps jump"])
def test_stream_that_begins_anew_goes_on(fresh):
    line = Line(tone(6, 400))
    for at, i in line.regular():
        while line.tick * TICK_S < at:
            line.step()
        line.put(i, ts=i * 160 + (1_000_000_000 if i >= 150 else 0), fresh=fresh and i == 150)
    heard = np.concatenate(line.heard)
    assert_smooth(heard[2000 : len(heard) - 800], 8000, 400)
    assert np.abs(heard[2000 : len(heard) - 400]).reshape(-1, 400)[:-2].max(axis=1).min() > 6000
    assert line.ring.n_restarts[1] == 2


@pytest.mark.parametrize("ppm", [200, -200])
def test_drift_is_followed_without_a_click(ppm):
    line = Line(tone(150, 400))
    heard = line.run(line.regular(ppm=ppm, phase=0.019))
    assert_smooth(heard[4000 : 140 * 8000], 8000, 400)
    assert abs(line.inputs.delays.drift_ppm(1) - ppm) < 60
    assert max(line.delays[100:-12]) < 0.06
    assert line.concealed_ms <= 40
    loud = np.abs(heard[4000 : 140 * 8000].reshape(-1, 200)).max(axis=1)
    assert loud.min() > 6500


@given(n_read=st.integers(0, 30), phase=st.integers(0, 19))
@settings(max_examples=25, deadline=None)
def test_drain_gives_what_was_not_played(n_read, phase):
    """However long it is mixed: what was played and what is drained are together what was received."""
    line = Line(speech(2))
    line.elements = np.random.default_rng(0).integers(0, 255, len(line.elements)).astype(np.uint8)
    sent = g711.ULAW_TO_LINEAR[line.elements].astype(float)
    waiting = line.regular(phase=phase / 1000)
    n = 0
    for _ in range(40 + n_read):
        while waiting and waiting[0][0] <= line.tick * TICK_S:
            n = waiting.pop(0)[1] + 1
            line.put(n - 1)
        line.step()
    drained = line.inputs.drain(1, 2 * line.tick)
    heard = np.concatenate((*line.heard, g711.ULAW_TO_LINEAR[drained].astype(float)))
    assert (heard[-n * 160 + 160 :] == sent[160 : n * 160]).all()
    assert len(line.inputs.drain(1, 2 * line.tick)) == 0


def test_start_plays_the_next_packet_first():
    """A leg that was recorded all along is read from the packet after `start`, not from what is in the ring."""
    line = Line(speech(4))
    arrivals = line.regular()
    for at, i in arrivals[:100]:
        line.tick = int(at / TICK_S) + 1
        line.put(i)
    line.inputs.start(1)
    line.step()
    assert not line.heard[0].any()
    line.put(100)
    line.step()
    assert (line.heard[1][40:] == line.sent[16040:16160]).all()


def test_comfort_noise_until_speech_comes_back():
    line = Line(speech(4))
    arrivals = line.regular()
    for at, i in arrivals[:100]:
        while line.tick * TICK_S < at:
            line.step()
        line.put(i)
    line.inputs.comfort(1, bytes([40]), 100)
    for _ in range(50):
        line.step()
    noise = np.concatenate(line.heard[-40:])
    assert 20 * np.log10(np.sqrt(np.mean(noise**2)) / 32768) == pytest.approx(-40, abs=0.5)
    line.put(100, ts=100 * 160 + 50 * 160, seq=101)
    line.put(101, ts=101 * 160 + 50 * 160, seq=102)
    for _ in range(3):
        line.step()
    assert find(np.concatenate(line.heard), line.sent, at=100 * 160 + 40, length=200) > 0
    assert line.concealed_ms == 0


def test_legs_are_read_together_as_alone():
    """Rows of both laws, good and bad, in one call: each as if it were read by itself."""
    n = 6
    table, ring = LegTable(n), JitterRing(n)
    table.law[::2] = PCMA
    inputs = Inputs(table, ring)
    alone = [Line(speech(3, seed=k), law="PCMU" if k % 2 else "PCMA", first_ts=k) for k in range(n)]
    lost = [set(), set(), {30, 31}, {60}, set(), set(range(40, 70))]
    for k in range(n):
        inputs.start(k)
    rows = np.arange(n)
    for tick in range(140):
        for k, line in enumerate(alone):
            if tick not in lost[k]:
                line.put(tick)
                inputs.put(
                    np.array([k]),
                    np.array([k + tick * 160], np.uint32),
                    None,
                    line.elements[None, tick * 160 : (tick + 1) * 160],
                    np.array([160]),
                    2 * tick,
                    seq=np.array([tick], np.uint16),
                )
            line.step()
        together = inputs.read(rows, 2 * tick)
        for k, line in enumerate(alone):
            assert np.allclose(together[k], line.heard[-1], atol=1e-2), (tick, k)


@given(
    packets=st.lists(
        st.tuples(
            st.integers(0, (1 << 32) - 1) | st.integers(0, 4000),
            st.integers(0, 700),
            st.booleans(),
            st.integers(0, 12),
            st.integers(0, 30),
        ),
        max_size=30,
    )
)
@settings(max_examples=60, deadline=None)
def test_anything_is_survived(packets):
    """Whatever timestamps, lengths and times: every frame is finite and within 16 bits."""
    table, ring = LegTable(1), JitterRing(1)
    inputs = Inputs(table, ring)
    inputs.start(0)
    rows, tick = np.array([0]), 0
    for number, (ts, length, fresh, pause, octet) in enumerate(packets):
        payload = np.full((1, length), octet, np.uint8)
        inputs.put(
            rows,
            np.array([ts], np.uint32),
            np.array([fresh]),
            payload,
            np.array([length]),
            2 * tick,
            seq=np.array([number], np.uint16),
        )
        if octet == 7:
            inputs.comfort(0, bytes([octet, 100, 200]), number)
        for _ in range(pause):
            inputs.run(2 * tick)
            frame = inputs.read(rows, 2 * tick)
            assert np.isfinite(frame).all() and np.abs(frame).max() < 70_000
            tick += 1
    inputs.drain(0, 2 * tick)
