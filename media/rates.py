"""Sample rate conversion in the tick: one matrix product for all streams at once. Pure.

A filter with a finite response turns a block of input and the little that came before it into a block of output by a
fixed (Toeplitz) matrix, so the blocks of all streams stacked are one product, at the speed of the machine's BLAS.
Blocks are 10 ms: longer ones multiply more zeros, shorter ones spend their time on the history. For whole files see
`media.resample`.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

DELAY_SAMPLES = 26
"""Of the lower of the two rates: 3.25 ms where it is 8 kHz, 1.625 ms where it is 16 kHz."""
_PASS = 0.42
"""End of the pass band as a part of the lower rate (3.36 kHz of 8); the stop band begins at its Nyquist frequency."""
_KAISER_BETA = 6.2
"""Stop band below -64 dB with these lengths (Kaiser 1974)."""
_BLOCKS_PER_S = 100

Signal = NDArray[np.float32]


class RateConverter:
    """Converts up to `capacity` streams from `from_hz` to `to_hz`, both multiples of 100; each is known by its row.

    The output is `delay_s` late. ValueError for rates that are no multiples of 100 or are equal.
    """

    def __init__(self, capacity: int, from_hz: int, to_hz: int) -> None:
        if from_hz % _BLOCKS_PER_S or to_hz % _BLOCKS_PER_S or from_hz == to_hz or min(from_hz, to_hz) <= 0:
            raise ValueError(f"{from_hz} Hz cannot be converted to {to_hz} Hz")
        self._matrix = _block_matrix(from_hz, to_hz)
        self._in = from_hz // _BLOCKS_PER_S
        self._out = to_hz // _BLOCKS_PER_S
        self._n_before = self._matrix.shape[0] - self._in
        self._before = np.zeros((capacity, self._n_before), np.float32)
        self._joined = np.zeros((0, 0), np.float32)
        self._windows = np.zeros((0, 0, 0), np.float32)
        self._result = np.zeros((0, 0), np.float32)
        self.delay_s = DELAY_SAMPLES / min(from_hz, to_hz)

    def reset(self, row: int) -> None:
        """The stream begins anew, after silence."""
        self._before[row] = 0

    def run(self, rows: NDArray[np.int64], frames: Signal, out: Signal | None = None) -> Signal:
        """The next `frames`, float32[n, k blocks of 10 ms], of the streams `rows`, no row twice.

        Returns `out` (contiguous), or an array that is valid until the next call: float32[n, k * to_hz / 100].
        """
        n, length = frames.shape
        k = length // self._in
        if k * self._in != length:
            raise ValueError(f"{length} samples are no whole blocks of {self._in}")
        joined, windows, result = self._room(n, k)
        self._before.take(rows, axis=0, out=joined[:, : self._n_before], mode="clip")
        joined[:, self._n_before :] = frames
        self._before[rows] = joined[:, length:]
        step = self._in
        for i in range(k):
            windows[:, i] = joined[:, i * step : i * step + windows.shape[2]]
        product = result if out is None else out
        np.matmul(windows.reshape(n * k, windows.shape[2]), self._matrix, out=product.reshape(n * k, self._out))
        return product

    def _room(self, n: int, k: int) -> tuple[Signal, NDArray[np.float32], Signal]:
        if self._windows.shape[1] != k or self._windows.shape[0] < n:
            size = max(n, 1 << (n - 1).bit_length() if n else 1)
            width = self._matrix.shape[0]
            self._joined = np.zeros((size, self._n_before + k * self._in), np.float32)
            self._windows = np.zeros((size, k, width), np.float32)
            self._result = np.zeros((size, k * self._out), np.float32)
        return self._joined[:n], self._windows[:n], self._result[:n]


@lru_cache(maxsize=16)
def _block_matrix(from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """float32[before + block, output block]: column j holds the taps of output j, as they lie on the input."""
    common = from_hz * to_hz // gcd(from_hz, to_hz)
    up, down = common // from_hz, common // to_hz
    low = min(from_hz, to_hz)
    half = DELAY_SAMPLES * common // low
    place = np.arange(-half, half + 1)
    cutoff = (_PASS + 0.5) * low / common
    window = np.i0(_KAISER_BETA * np.sqrt(1 - (place / (half + 1)) ** 2)) / np.i0(_KAISER_BETA)
    prototype = cutoff * np.sinc(cutoff * place) * window
    n_before = 2 * half // up
    inputs = np.arange(-n_before, from_hz // _BLOCKS_PER_S)
    outputs = np.arange(to_hz // _BLOCKS_PER_S)
    tap = outputs[None, :] * down - inputs[:, None] * up
    is_tap = (tap >= 0) & (tap <= 2 * half)
    matrix = np.where(is_tap, prototype[np.clip(tap, 0, 2 * half)], 0.0)
    return np.ascontiguousarray(matrix / matrix.sum(axis=0), np.float32)
