"""Recordings follow a leg's drifting clock: now and then they skip or repeat one pitch period. Pure.

What a leg sends lies in the ring by its own clock. The leg's mean delay says where that is on ours; when a recording
has come to look more than 12 ms beside it, it is moved by about 10 ms, at the most similar place of those that no
recording has read yet, by a crossfade (`JitterRing.slip`). So two channels of an hour stay within 12 ms of how they
were spoken.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from media.concealment import Signal, correlate
from media.delay import DelayTable
from rtp.ring import SLOTS, JitterRing

_TOLERANCE_CHUNKS = 1.2
_NEWEST, _OLDEST = 2, 12
"""Chunks behind the clock between which a slip may lie: received by now, and not yet recorded."""
_REACH_CHUNKS = 0.8
"""How far the slip may differ from the one wanted, for a better fit."""
_MOST_CHUNKS = 100


class Slips:
    """Decides and places slips in `ring`."""

    def __init__(
        self,
        ring: JitterRing,
        delays: DelayTable,
        decode: Callable[[NDArray[np.int64], NDArray[Any]], Signal],
        encode: Callable[[int, Signal], NDArray[Any]],
    ) -> None:
        self._ring, self._delays, self._decode, self._encode = ring, delays, decode, encode
        ring.blend = self._blend
        self._rise = ((np.arange(ring.chunk) + 0.5) / ring.chunk).astype(np.float32)

    def follow(self, row: int, clock: int) -> None:
        """Slips the row's recordings when they are too far beside it; not again before the ring has gone round."""
        ring = self._ring
        off = -self._delays.moved(row) - int(ring.shift[row])
        if abs(off) < _TOLERANCE_CHUNKS * ring.chunk or abs(off) > _MOST_CHUNKS * ring.chunk:
            return
        if ring.slip_at[row] >= 0 and clock - ring.slip_at[row] < SLOTS:
            return
        wanted = round(off) if abs(off) > 3 * ring.chunk else round(np.sign(off) * ring.chunk)
        at, by = self._place(row, clock, wanted)
        ring.slip(row, at, by)

    def renew(self, rows: NDArray[np.int64], clock: int) -> None:
        """The rows' streams have begun anew, at the right place."""
        for row in rows[self._ring.shift[rows] != 0].tolist():
            self._ring.slip(row, clock, -int(self._ring.shift[row]))

    def _place(self, row: int, clock: int, wanted: int) -> tuple[int, int]:
        c = self._ring.chunk
        reach = round(_REACH_CHUNKS * c)
        best, found = -2.0, (clock - _NEWEST, wanted)
        for at in range(clock - _OLDEST, clock - _NEWEST):
            here = self._samples(row, at * c + int(self._ring.shift[row]), c)
            there = self._samples(row, at * c + int(self._ring.shift[row]) + wanted - reach, c + 2 * reach)
            likeness = correlate(here, sliding_window_view(there, c, axis=1))[0]
            k = int(likeness.argmax())
            if likeness[k] > best:
                best, found = float(likeness[k]), (at, wanted - reach + k)
        return found

    def _samples(self, row: int, begin: int, count: int) -> Signal:
        c = self._ring.chunk
        first, phase = divmod(begin, c)
        chunks = np.arange(first, first + -(-count // c) + 1)
        slots = chunks & (SLOTS - 1)
        samples = self._decode(np.array([row]), self._ring.data[row, slots].reshape(1, -1))
        samples.reshape(-1, c)[self._ring.stamp[row, slots] != chunks] = 0
        return samples[:, phase : phase + count]

    def _blend(self, row: int, before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
        both = self._decode(np.array([row, row]), np.stack((before, after)))
        return self._encode(row, both[0] + (both[1] - both[0]) * self._rise)
