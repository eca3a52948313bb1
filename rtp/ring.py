"""The jitter ring: what each leg sent, in chunks of 10 ms, placed by RTP timestamp on one clock for all legs. Pure.

The common clock counts chunks (two a tick). A leg's RTP time is mapped onto it by an offset that is set when its stream
starts, so that the first packet lies `DEPTH` chunks ahead of the clock; reading is then the same slot for every leg,
and recordings of several legs are aligned by construction. A slot is valid for exactly the chunk whose number is
stamped on it: nothing is ever cleared, a duplicate overwrites, and what was played stays for a recorder until the
clock has gone round (2.5 s).
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

CHUNK = 80
SLOTS = 256
DEPTH = 6
"""Chunks between arrival of a stream's first packet and its playout. Ticks take two chunks at once, so jitter up to
40 ms costs nothing wherever in a tick that packet came."""
MAX_DEPTH = 24
"""A packet further ahead of the clock than this restarts the stream: it would only add delay."""
HISTORY = 100
"""Late packets are still written this many chunks back: a recording takes its block later than the listener."""
MAX_LATE_RUN = 5
IDLE = 10
"""After this many empty chunks a late packet restarts the stream at once."""
MAX_CHUNKS = 9


class JitterRing:
    """Rings of `capacity` legs. `payload` bytes go in and out as they are: the codec is not looked at."""

    def __init__(self, capacity: int) -> None:
        n = capacity
        self.data = np.zeros((n, SLOTS, CHUNK), np.uint8)
        self.stamp = np.full((n, SLOTS), -1, np.int64)
        self.is_started = np.zeros(n, np.bool_)
        self.offset = np.zeros(n, np.int64)
        """Chunk on the common clock minus chunk of RTP time."""
        self.last_ts = np.zeros(n, np.int64)
        """Timestamp of the newest packet, unwrapped to 64 bits."""
        self.end = np.zeros(n, np.int64)
        """Chunk after the newest one received, on the common clock."""
        self.late = np.zeros(n, np.int64)
        self.late_run = np.zeros(n, np.int64)
        self.n_restarts = np.zeros(n, np.int64)
        self._flat = self.data.reshape(n * SLOTS, CHUNK)
        self._flat_stamp = self.stamp.reshape(n * SLOTS)

    def reset(self, row: int) -> None:
        """Forgets the leg's audio and mapping; its counters start anew."""
        self.stamp[row] = -1
        self.late[row] = self.n_restarts[row] = 0
        self.stop(row)

    def stop(self, row: int) -> None:
        """The next packet starts a new mapping; what is in the ring stays."""
        self.is_started[row] = False

    def put(
        self,
        legs: NDArray[np.int64],
        ts: NDArray[np.uint32],
        fresh: NDArray[np.bool_] | None,
        payload: NDArray[np.uint8],
        sizes: NDArray[np.int64],
        clock: int,
    ) -> None:
        """Places one packet of each of `legs`. `payload` is `uint8[n, >= longest]`, `sizes` its bytes, `clock` the next
        chunk to be played; `fresh` marks packets that begin a new stream."""
        wide = ts.astype(np.int64)
        last = self.last_ts[legs]
        # An unwrapped timestamp is the nearest to the one before, whatever the 32 bits did in between.
        wide = last + ((wide - last) & 0xFFFFFFFF)
        wide -= np.where(wide - last >= 1 << 31, 1 << 32, 0)
        count = np.minimum(sizes // CHUNK, MAX_CHUNKS)
        first = wide // CHUNK + self.offset[legs]
        begin = ~self.is_started[legs] | (first > clock + MAX_DEPTH)
        if fresh is not None:
            begin |= fresh
        is_late = first < clock
        if is_late.any():
            behind = is_late & ~begin
            run = np.where(behind, self.late_run[legs] + 1, 0)
            begin |= behind & ((run > MAX_LATE_RUN) | (self.end[legs] <= clock - IDLE))
            self.late[legs] += behind & ~begin
            self.late_run[legs] = run
        else:
            self.late_run[legs] = 0
        if begin.any():
            first = self._restart(legs, begin, wide, first, clock)
        self.last_ts[legs] = np.maximum(wide, np.where(begin, wide, last))
        self.end[legs] = np.maximum(first + count, np.where(begin, 0, self.end[legs]))
        self._write(legs, first, count, payload, clock)

    def _restart(
        self,
        legs: NDArray[np.int64],
        begin: NDArray[np.bool_],
        wide: NDArray[np.int64],
        first: NDArray[np.int64],
        clock: int,
    ) -> NDArray[np.int64]:
        rows = legs[begin]
        self.offset[rows] = clock + DEPTH - wide[begin] // CHUNK
        self.is_started[rows] = True
        self.late_run[rows] = 0
        self.n_restarts[rows] += 1
        return np.where(begin, clock + DEPTH, first)

    def _write(
        self,
        legs: NDArray[np.int64],
        first: NDArray[np.int64],
        count: NDArray[np.int64],
        payload: NDArray[np.uint8],
        clock: int,
    ) -> None:
        base = legs * SLOTS
        most = int(count.max(initial=0))
        is_plain = most == int(count.min(initial=most)) and int(first.min(initial=clock)) >= clock - HISTORY
        for k in range(most):
            chunk = first + k
            part = payload[:, k * CHUNK : (k + 1) * CHUNK]
            if is_plain:
                slot = base + (chunk & (SLOTS - 1))
                self._flat[slot] = part
                self._flat_stamp[slot] = chunk
            else:
                fits = (count > k) & (chunk >= clock - HISTORY)
                slot = base[fits] + (chunk[fits] & (SLOTS - 1))
                self._flat[slot] = part[fits]
                self._flat_stamp[slot] = chunk[fits]

    def read(self, row: int, chunk: int, count: int, silence: int) -> tuple[NDArray[np.uint8], int]:
        """`count` chunks of one leg from `chunk` on as bytes, `silence` where nothing came, and how many chunks came.

        `count` is at most `SLOTS`; for recordings and tests, the tick gathers by itself.
        """
        wanted = np.arange(chunk, chunk + count)
        slots = wanted & (SLOTS - 1)
        came = self.stamp[row, slots] == wanted
        block = self.data[row, slots]
        if not came.all():
            block[~came] = silence
        return cast("NDArray[np.uint8]", block.reshape(-1)), int(came.sum())
