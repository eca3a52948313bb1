"""How much delay each leg needs, how its clock drifts, and where recordings make good for it. Pure arrays, no audio.

The delay a packet needs is known when it arrives: the clock of the next tick minus its place on the common clock. A
leg's target is the second largest such delay of the last seconds: it grows at once with the second late packet, one
alone changes nothing, and it shrinks when the worst is some seconds past. While little has been seen, the jitter of
RFC 3550 stands in for what has not. All delays are in samples of the ring, counted from the place `DEPTH` gives a
packet that needs none.

The mean of the same delays is followed by a second-order filter (position and slope), once a second: its position
tells recordings where the stream is, its slope is the drift of the sender's clock against ours.
"""

import numpy as np
from numpy.typing import NDArray

from rtp.ring import DEPTH, MAX_AHEAD

RUN_TICKS = 5
"""Ticks from one `run` to the next: many legs at once cost little more than a few."""
WINDOW = 30
"""`run`s between two turns of a leg's window (3 s)."""
_ENOUGH = 50
"""Packets after which the worst of a window is not taken for typical."""
_MOST_LOSSES = 10
_NEVER = -(1 << 40)
MAX_DELAY_CHUNKS = 40
_CALM_S = 0.0025
"""Mean jitter that comes from our own polling."""
TURNS = 10
"""`run`s between two looks at a leg's clock (1 s)."""
_GAIN = 0.05
_SLOPE_GAIN = 0.0006
"""Critically damped, some 40 s: arrivals are only known to a poll of 10 ms, which drift turns into a slow sawtooth."""
_EXPLAINED_CHUNKS = 2.5
MAX_DRIFT = 1e-3
"""Slope that is believed at most: 1000 ppm."""


class DelayTable:
    """State of `capacity` legs whose rings have `chunk` samples in 10 ms."""

    def __init__(self, capacity: int, chunk: int) -> None:
        n = capacity
        self._chunk = chunk
        self.target = np.zeros(n, np.int64)
        """The delay to be played with."""
        self.wish = np.zeros(n, np.int64)
        """How much of that is not needed for packets to be in time, so that there is no hurry with it."""
        self._worst = np.full(n, _NEVER, np.int64)
        self._second = np.full(n, _NEVER, np.int64)
        self._before = np.full(n, _NEVER, np.int64)
        """Second largest of the window before."""
        self._n_seen = np.zeros(n, np.int64)
        self._last = np.zeros(n, np.int64)
        self.jitter = np.zeros(n, np.float64)
        """Mean difference between the delays of successive packets (RFC 3550 §6.4.1), in samples."""
        self._spare = np.zeros(n, np.int64)
        """What is added while little has been seen."""
        self._size = np.zeros(n, np.int64)
        """Samples of the newest packet."""
        self._grain = np.zeros(n, np.int64)
        """By how much packets of that length need different delays, because they do not come in step with the tick."""
        self.n_losses = np.zeros(n, np.int64)
        """Two for each gap of late; one is forgotten with each window."""
        self._is_lossy = np.zeros(n, np.bool_)
        self._sum = np.zeros(n, np.float64)
        self._count = np.zeros(n, np.int64)
        self._mean = np.zeros(n, np.float64)
        self._base = np.zeros(n, np.float64)
        """The mean that the stream began with, as far as the tick and one slow packet explain it."""
        self._slope = np.zeros(n, np.float64)
        """Samples a second by which the needed delay grows: positive, the sender is slower than we."""
        self._n_means = np.zeros(n, np.int64)

    def reset(self, row: int) -> None:
        """Forgets everything about the leg."""
        self.forget(np.array([row]))
        self.jitter[row] = self._slope[row] = 0.0
        self.n_losses[row] = self._spare[row] = 0
        self._is_lossy[row] = False

    def forget(self, rows: NDArray[np.int64]) -> None:
        """Their streams begin anew: another place, the same network."""
        for column in (self._worst, self._second, self._before):
            column[rows] = _NEVER
        for column in (self._n_seen, self._count, self._n_means, self.target, self.wish):
            column[rows] = 0
        self._sum[rows] = self._mean[rows] = 0.0

    def observe(
        self,
        legs: NDArray[np.int64],
        first: NDArray[np.int64],
        sizes: NDArray[np.int64],
        clock: int,
        early: float | NDArray[np.float64],
    ) -> None:
        """One packet of each of `legs` came, of `sizes` samples, which begins at sample `first` of the common clock,
        `early` samples before the tick of chunk `clock`."""
        changed = sizes != self._size[legs]
        if changed.any():
            frame = 2 * self._chunk
            self._size[legs[changed]] = sizes[changed]
            self._grain[legs[changed]] = frame - np.gcd(sizes[changed], frame)
        need = (clock + DEPTH) * self._chunk - first
        jitter = self.jitter[legs]
        seen = self._n_seen[legs]
        change = np.where(seen > 0, np.abs(need - self._last[legs]), 0.0)
        jitter += (np.minimum(change, 100.0 * self._chunk) - jitter) / 16.0
        self.jitter[legs] = jitter
        self._last[legs] = need
        self._n_seen[legs] = seen + 1
        self._sum[legs] += need - early
        self._count[legs] += 1
        worst, second = self._worst[legs], self._second[legs]
        self._second[legs] = np.maximum(second, np.minimum(worst, need))
        self._worst[legs] = np.maximum(worst, need)
        grows = (need > self.target[legs]) | (seen == 0)
        if grows.any():
            self._aim(legs[grows])

    def _aim(self, rows: NDArray[np.int64]) -> None:
        worst, before = self._worst[rows], self._before[rows]
        is_new = (before == _NEVER) & (self._n_seen[rows] < _ENOUGH)
        need = np.maximum(np.where(is_new, worst + self._spare[rows] + self._grain[rows], self._second[rows]), before)
        frame = 2 * self._chunk
        wish = np.where(self._is_lossy[rows], frame, 0)
        self.wish[rows] = wish
        self.target[rows] = np.clip(need + wish, -MAX_AHEAD * self._chunk, MAX_DELAY_CHUNKS * self._chunk)

    def begin(self, rows: NDArray[np.int64], jitter: NDArray[np.float64]) -> None:
        """The legs begin to be played, with the smallest delay that their jitter (in samples) allows."""
        is_calm = jitter <= _CALM_S * 100 * self._chunk
        self._spare[rows] = np.where(is_calm, 0, 2 * jitter)
        self._aim(rows)

    def note_losses(self, rows: NDArray[np.int64]) -> None:
        """Gaps in the streams. Who loses packets often is played one packet later, so that the far side of the next gap
        is there when it has to be filled."""
        self.n_losses[rows] = n = np.minimum(self.n_losses[rows] + 2, _MOST_LOSSES)
        self._is_lossy[rows] |= n > 2
        self._aim(rows)

    def run(self, number: int) -> NDArray[np.int64]:
        """Every `RUN_TICKS` ticks, for the `number`th time: takes the turn of some legs. Returns the rows whose mean is
        new."""
        rows = np.arange(number % WINDOW, len(self.target), WINDOW)
        rows = rows[self._n_seen[rows] > 0]
        if len(rows):
            full = self._worst[rows] != _NEVER
            turned = rows[full]
            self._before[turned] = np.where(self._second[turned] == _NEVER, self._worst[turned], self._second[turned])
            self._worst[turned] = self._second[turned] = _NEVER
            self.n_losses[rows] = n = np.maximum(self.n_losses[rows] - 1, 0)
            self._is_lossy[rows] &= n > 0
            self._aim(turned)
        rows = np.arange(number % TURNS, len(self.target), TURNS)
        rows = rows[self._count[rows] > 0]
        if len(rows):
            self._follow(rows)
        return rows

    def _follow(self, rows: NDArray[np.int64]) -> None:
        latest = self._sum[rows] / self._count[rows]
        n = self._n_means[rows]
        self._n_means[rows] = n + 1
        self._sum[rows] = 0.0
        self._count[rows] = 0
        slope = self._slope[rows]
        expected = np.where(n > 0, self._mean[rows] + slope, latest)
        error = latest - expected
        # The first seconds find the place; only then is there a slope to be seen.
        gain = np.maximum(_GAIN, 1.0 / (n + 1))
        most = MAX_DRIFT * 100 * self._chunk
        self._mean[rows] = expected + gain * error
        new = rows[n == 0]
        self._base[new] = np.clip(latest[n == 0], -_EXPLAINED_CHUNKS * self._chunk, _EXPLAINED_CHUNKS * self._chunk)
        self._slope[rows] = np.clip(slope + np.where(n > 10, _SLOPE_GAIN * error, 0.0), -most, most)

    def moved(self, row: int) -> float:
        """By how many samples the stream has come to arrive later (negative: earlier) than its place says."""
        return float(self._mean[row] - self._base[row])

    def drift_ppm(self, row: int) -> float:
        """How much slower (negative: faster) the sender's clock runs than ours."""
        return float(self._slope[row]) / (100 * self._chunk) * 1e6
