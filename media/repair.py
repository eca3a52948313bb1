"""Legs whose audio does not flow as it should: what was lost or is late is made up, and joined to what came.

The tick reads most legs by one gather. A leg with a gap comes here, chunk by chunk into a queue of its own, until
50 ms have come without one. A gap with audio behind it is a loss and is bridged; when there is nothing behind it, the
packet may only be late: the leg stands still while the past goes on by itself, and what comes then is joined at the
most similar place. So no packet is dropped or played twice, and the delay has grown by as much as was needed.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from media.comfort_noise import ComfortNoise
from media.concealment import FADE_S, Concealer, Signal, correlate, pick
from rtp.ring import SLOTS, JitterRing

Rows = NDArray[np.int64]
LOOK = 8
"""Chunks looked at beyond a missing one."""
GOOD_RUN = 5
"""Chunks in a row that must have come before a leg is in order again."""
_MATCH_S = 0.005
_SIMILAR = 0.5


class Repair:
    """State and arithmetic for `capacity` legs. `decode(rows, elements)` makes samples of ring elements."""

    def __init__(self, capacity: int, ring: JitterRing, decode: Callable[[Rows, NDArray[np.generic]], Signal]) -> None:
        n, c = capacity, ring.chunk
        self._ring, self._decode = ring, decode
        self._stamps = ring.stamp.reshape(-1)
        self._slots = ring.data.reshape(n * SLOTS, c)
        self.conceal = Concealer(100 * c)
        self.noise = ComfortNoise(n)
        self.frame = 2 * c
        h = self.conceal.history
        self.next = np.zeros(n, np.int64)
        """The chunk that goes into the queue next."""
        self.queued = np.zeros(n, np.int64)
        """Samples in the queue."""
        self._queue = np.zeros((n, self.frame + (LOOK + 3) * c), np.float32)
        self._tail = np.zeros((n, h), np.float32)
        """The last samples that went into the queue."""
        self._past = np.zeros((n, h), np.float32)
        """What was heard before the gap."""
        self._lag = np.ones(n, np.int64)
        self.made = np.zeros(n, np.int64)
        """Samples made up since the gap began; 0 = there is none."""
        self._from = np.zeros(n, np.int64)
        """The gap's first chunk."""
        self._good = np.zeros(n, np.int64)
        self._is_onset = np.zeros(n, np.bool_)
        self.quiet = np.zeros((n, 2), np.int64)
        """From, to: chunks in which the sender was silent on purpose (its timestamps jumped, no packet is missing)."""
        self.concealed = np.zeros(n, np.int64)
        """Samples made up for what was lost or late."""
        self.lost: list[Rows] = []
        """Rows with a loss since the list was cleared."""

    def reset(self, row: int) -> None:
        self.concealed[row] = self.quiet[row] = 0
        self.noise.reset(row)

    def enter(self, rows: Rows, play: Rows) -> None:
        """The legs come here; `play` is their next sample on the common clock."""
        c, h = self._ring.chunk, self.conceal.history
        chunk, phase = np.divmod(play, c)
        has_part = (phase > 0) & (self._stamps[rows * SLOTS + (chunk & (SLOTS - 1))] == chunk)
        self.next[rows] = chunk + has_part
        self.queued[rows] = self.made[rows] = self._good[rows] = 0
        self._is_onset[rows] = False
        self._tail[rows] = self.window(rows, self.next[rows] * c - h, h)
        self._append(rows, self._tail[rows][:, h - c :], np.where(has_part, phase, c))

    def begin(self, rows: Rows, first: Rows, silence: Rows) -> None:
        """The legs begin to be heard at chunk `first`, after `silence` samples (at most a frame)."""
        self.next[rows] = first
        self._queue[rows, : self.frame] = 0
        self.queued[rows] = silence
        self.made[rows] = self._good[rows] = 0
        self._tail[rows] = 0
        self._is_onset[rows] = True
        self.noise.is_on[rows] = False

    def window(self, rows: Rows, at: Rows, count: int) -> Signal:
        """`count` samples of each leg from sample `at` of the common clock on, 0 where nothing came."""
        c = self._ring.chunk
        first, phase = np.divmod(at, c)
        chunks = first[:, None] + np.arange(-(-count // c) + 1)
        slots = rows[:, None] * SLOTS + (chunks & (SLOTS - 1))
        samples = self._decode(rows, self._slots[slots].reshape(len(rows), -1))
        came = self._stamps[slots] == chunks
        if not came.all():
            samples.reshape(len(rows), -1, c)[~came] = 0
        return pick(samples, phase[:, None] + np.arange(count))

    def run(self, rows: Rows) -> tuple[Signal, NDArray[np.bool_], NDArray[np.bool_]]:
        """The next frame of each of `rows`; which of them are in order again, and which have nothing more to say."""
        c = self._ring.chunk
        is_over = np.zeros(len(rows), np.bool_)
        while True:
            short = np.flatnonzero((self.queued[rows] < self.frame) & ~is_over)
            if not len(short):
                break
            now = rows[short]
            chunks = self.next[now][:, None] + np.arange(LOOK + 1)
            came = self._stamps[now[:, None] * SLOTS + (chunks & (SLOTS - 1))] == chunks
            here, in_gap = came[:, 0], self.made[now] > 0
            later = came[:, 1:].argmax(axis=1) + 1
            is_quiet = ~here & (self.quiet[now, 0] <= chunks[:, 0]) & (chunks[:, 0] < self.quiet[now, 1])
            has_later = came[:, 1:].any(axis=1) & ~here
            is_filled = self.made[now] >= (self.next[now] + later - self._from[now]) * c
            has_later &= ~is_quiet | (in_gap & is_filled)
            self._take(now[here & ~in_gap])
            self._rejoin(now[here & in_gap])
            if has_later.any():
                self._bridge(now[has_later], later[has_later], is_quiet[has_later])
            dry = ~here & ~has_later
            if dry.any():
                is_over[short[dry]] = self._go_on(now[dry], is_quiet[dry])
        frames = self._queue[rows, : self.frame]
        keep = self._queue.shape[1] - self.frame
        self._queue[rows, :keep] = self._queue[rows, self.frame :]
        self.queued[rows] -= self.frame
        return frames, (self.made[rows] == 0) & (self._good[rows] >= GOOD_RUN) & (self.queued[rows] <= c), is_over

    def _append(self, rows: Rows, samples: Signal, begin: Rows | int = 0) -> None:
        """Samples into the queues, of each row those from `begin` on."""
        if not len(rows):
            return
        count = samples.shape[1]
        at = self.queued[rows]
        self._queue[rows[:, None], at[:, None] + np.arange(count)] = (
            samples
            if isinstance(begin, int)
            else pick(samples, np.minimum(begin[:, None] + np.arange(count), count - 1))
        )
        self.queued[rows] = at + count - begin

    def _push(self, rows: Rows, samples: Signal, begin: Rows | int = 0) -> None:
        """The same, and remembers the end of it as the past of the next gap."""
        self._append(rows, samples, begin)
        h, count = self._tail.shape[1], samples.shape[1]
        if count >= h:
            self._tail[rows] = samples[:, count - h :]
            return
        tail = self._tail[rows]
        tail[:, : h - count] = tail[:, count:]
        tail[:, h - count :] = samples
        self._tail[rows] = tail

    def _chunks(self, rows: Rows, chunks: Rows, count: int) -> Signal:
        slots = rows[:, None] * SLOTS + ((chunks[:, None] + np.arange(count)) & (SLOTS - 1))
        return self._decode(rows, self._slots[slots].reshape(len(rows), -1))

    def _take(self, rows: Rows) -> None:
        if not len(rows):
            return
        samples = self._chunks(rows, self.next[rows], 1)
        onset = self._is_onset[rows]
        if onset.any():
            samples[onset, : self.conceal.merge] *= self.conceal.rise
            self._is_onset[rows] = False
        self._push(rows, samples)
        self.next[rows] += 1
        self._good[rows] += 1

    def _rejoin(self, rows: Rows) -> None:
        """What was waited for has come: crossfade. If it was only late, what was made up goes on until it is most like
        what came, so that the voice does not stumble; if something is lost, it goes on where it must."""
        if not len(rows):
            return
        c, merge = self._ring.chunk, self.conceal.merge
        match = round(_MATCH_S * self.conceal.rate)
        samples = self._chunks(rows, self.next[rows], 1)
        going = self.conceal.extend(self._past[rows], self._lag[rows], self.made[rows], c + match)
        likeness = correlate(samples[:, :match], sliding_window_view(going, match, axis=1)[:, :c])
        best = likeness.argmax(axis=1)
        is_late = self.next[rows] == self._from[rows]
        more = np.where(is_late & (likeness[np.arange(len(rows)), best] > _SIMILAR), best, 0)
        whole = np.empty((len(rows), 2 * c), np.float32)
        at = np.arange(c + merge)[None, :] - c + more[:, None]
        before = pick(going, np.maximum(at, 0))
        whole[:, :c] = before[:, :c]
        whole[:, c:] = samples
        whole[:, c : c + merge] = before[:, c:] + (samples[:, :merge] - before[:, c:]) * self.conceal.rise
        self.noise.is_on[rows] = False
        self._push(rows, whole, c - more)
        is_quiet = (self.quiet[rows, 0] < self.next[rows]) & (self.next[rows] <= self.quiet[rows, 1])
        self.concealed[rows] += np.where(is_quiet, 0, self.made[rows])
        self.next[rows] += 1
        self.made[rows] = 0
        self._good[rows] = 1

    def _remember(self, rows: Rows) -> None:
        """Gaps begin: keeps what was heard last."""
        new = rows[self.made[rows] == 0]
        if len(new):
            self._past[new] = self._tail[new]
            self._lag[new] = self.conceal.period(self._tail[new])
            self._from[new] = self.next[new]

    def _bridge(self, rows: Rows, later: Rows, is_quiet: NDArray[np.bool_]) -> None:
        """The next `later` chunks are lost, and the one after them is there."""
        self.lost.append(rows[~is_quiet])
        self._remember(rows)
        c, h = self._ring.chunk, self.conceal.history
        missing = (self.next[rows] + later - self._from[rows]) * c - self.made[rows]
        # As long as was made up already, nothing is left to fill: what comes is joined to it.
        over = rows[missing <= 0]
        self.next[over] += later[missing <= 0]
        for count in np.unique(missing[missing > 0]).tolist():
            which = missing == count
            some, chunks = rows[which], later[which]
            future = self._future(some, self.next[some] + chunks, h)
            made = self.conceal.bridge(self._past[some], self._lag[some], self.made[some], future, count)
            self._push(some, made)
            self.concealed[some] += count + self.made[some]
            self.next[some] += chunks
            self.made[some] = self._good[some] = 0

    def _future(self, rows: Rows, chunks: Rows, count: int) -> Signal:
        """What comes from `chunks` on; where it is not there yet, what is there is mirrored, over and over."""
        c = self._ring.chunk
        n = -(-count // c)
        wanted = chunks[:, None] + np.arange(n)
        slots = rows[:, None] * SLOTS + (wanted & (SLOTS - 1))
        has = np.logical_and.accumulate(self._stamps[slots] == wanted, axis=1).sum(axis=1) * c
        at = np.arange(n * c)[None, :] % (2 * has[:, None])
        at = np.minimum(at, 2 * has[:, None] - 1 - at)
        return pick(self._decode(rows, self._slots[slots].reshape(len(rows), -1)), at)[:, :count]

    def _go_on(self, rows: Rows, is_quiet: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Nothing is there: another chunk of what was heard before, a frame of silence when that has died away. Returns
        which are at an end."""
        c = self._ring.chunk
        self._remember(rows)
        made = self.made[rows]
        # What was said before the comfort noise began may still have been waiting; what came after it ends it.
        noisy = self.noise.is_on[rows] & (self.next[rows] <= self.noise.since[rows] + 1)
        self.noise.is_on[rows] = noisy
        limit = np.where(noisy, self.frame, round(FADE_S * self.conceal.rate))
        samples = self.conceal.extend(self._past[rows], self._lag[rows], made, c)
        for k in np.flatnonzero(noisy).tolist():
            fall = np.clip(1 - (made[k] + np.arange(c)) / self.frame, 0, 1).astype(np.float32)
            samples[k] = samples[k] * fall + self.noise.next(int(rows[k]), c) * (1 - fall)
        self._push(rows, samples)
        self.made[rows] = made + c
        self.next[rows] += is_quiet
        is_over = (made >= limit) & ~is_quiet
        for row in rows[is_over].tolist():  # the rest of the frame: silence, or the noise goes on
            rest = self._queue[row, self.queued[row] : self.frame]
            rest[:] = self.noise.next(row, len(rest)) if self.noise.is_on[row] else 0
            self.queued[row] = max(self.queued[row], self.frame)
        return np.asarray(is_over, np.bool_)
