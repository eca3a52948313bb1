"""Automatic gain against clipping: many mixes at once, each gain falls within the frame and rises slowly. Pure.

A look-ahead limiter without the delay: the gain is a chain of straight lines over blocks of a quarter frame, each end
low enough for the blocks on both sides of it. Only the very first block of a sudden loud frame can come too early for
its gain; there the signal is bent instead of cut (a saturating curve), for 5 ms.
"""

import numpy as np
from numpy.typing import NDArray

LIMIT = 32600.0
"""Highest sample that leaves a mix; G.711 itself ends at 32124 (µ-law) and 32256 (A-law)."""
_KNEE = 28000.0
_BLOCKS = 4
_RELEASE = 10 ** (3.0 / 20 / 200)
"""Rise of the gain in a block of 5 ms: 3 dB a second, slower than syllables, so that nothing pumps."""

Signal = NDArray[np.float32]


class Limiter:
    """The gains of up to `capacity` mixes, each known by its row."""

    def __init__(self, capacity: int) -> None:
        self.gain = np.ones(capacity, np.float32)

    def reset(self, row: int) -> None:
        self.gain[row] = 1.0

    def run(self, rows: NDArray[np.int64], mixed: Signal) -> None:
        """Brings `mixed`, float32[n, samples of a frame] of the mixes `rows`, below `LIMIT` in place."""
        gains = self.gain.take(rows)
        # Mostly nobody is loud, and that is found out ten times as fast for all at once.
        if mixed.max(initial=0.0) <= LIMIT and mixed.min(initial=0.0) >= -LIMIT and gains.min(initial=1.0) >= 1.0:
            return
        peaks = np.maximum(mixed.max(axis=1), -mixed.min(axis=1))
        touched = np.flatnonzero((peaks > LIMIT) | (gains < 1.0))
        if not len(touched):
            return
        signal = mixed[touched]
        n, length = signal.shape
        blocks = signal.reshape(n, _BLOCKS, length // _BLOCKS)
        most = np.abs(blocks).max(axis=2)
        allowed = np.minimum(1.0, LIMIT / np.maximum(most, 1.0))
        knots = np.empty((n, _BLOCKS + 1), np.float32)
        # The first block has no one before it to make room: its gain falls in the block itself.
        knots[:, 0] = gains[touched]
        for k in range(_BLOCKS):
            knot = np.minimum(knots[:, k] * _RELEASE, allowed[:, k])
            knots[:, k + 1] = np.minimum(knot, allowed[:, min(k + 1, _BLOCKS - 1)])
        ramp = np.linspace(0, 1, length // _BLOCKS, endpoint=False, dtype=np.float32)
        gain = knots[:, :-1, None] + (knots[:, 1:] - knots[:, :-1])[:, :, None] * ramp
        blocks *= gain
        is_early = knots[:, 0] > allowed[:, 0]
        if is_early.any():
            _bend(blocks, is_early)
        mixed[touched] = signal
        self.gain[rows[touched]] = knots[:, -1]


def _bend(blocks: Signal, which: NDArray[np.bool_]) -> None:
    first = blocks[which, 0]
    size = np.abs(first)
    bent = _KNEE + (LIMIT - _KNEE) * np.tanh((size - _KNEE) / (LIMIT - _KNEE))
    blocks[which, 0] = np.where(size > _KNEE, np.sign(first) * bent, first)
