"""Sample rate conversion of whole signals with a proper low-pass. Pure; for prompts, not for the tick."""

from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

_ZERO_CROSSINGS = 24
"""Of the windowed sinc, each side: the transition takes 8 % of the band, the stop band is below -80 dB."""
_KAISER_BETA = 8.0
_PASS = 0.92
"""Cut-off as a part of the lower Nyquist frequency, so that the transition ends at it: nothing folds back."""
_CHUNK = 1 << 16
"""Output samples worked on at a time: bounds the memory of the windows."""


def resample(samples: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """`samples` at `to_hz`, without delay; ceil(n * to_hz / from_hz) of them."""
    if from_hz == to_hz or not len(samples):
        return samples
    divisor = gcd(from_hz, to_hz)
    up, down = to_hz // divisor, from_hz // divisor
    taps = _polyphase(up, down)
    n_taps = taps.shape[1]
    reach = n_taps // 2
    n_out = ceil(len(samples) * up / down)
    padded = np.concatenate([np.zeros(reach, np.float32), samples, np.zeros(n_taps + down, np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, n_taps)
    out = np.empty(n_out, np.float32)
    for phase in range(min(up, n_out)):
        # Outputs phase, phase + up, … use the same taps; their windows start every `down` inputs.
        place = phase * down // up
        n = (n_out - phase + up - 1) // up
        for first in range(0, n, _CHUNK):
            last = min(first + _CHUNK, n)
            chosen = windows[place + first * down : place + (last - 1) * down + 1 : down]
            out[phase + first * up : phase + (last - 1) * up + 1 : up] = chosen @ taps[phase * down % up]
    return out


@lru_cache(maxsize=8)
def _polyphase(up: int, down: int) -> NDArray[np.float32]:
    """Row p: the taps for an output that lies p/up of an input sample behind the window's middle."""
    cutoff = min(1.0, up / down) * _PASS
    reach = ceil(_ZERO_CROSSINGS / cutoff)
    offset = np.arange(-reach, reach + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(1 - (offset / (reach + 1)) ** 2, 0))) / np.i0(_KAISER_BETA)
    taps = cutoff * np.sinc(cutoff * offset) * window
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), np.float32)
