"""Comfort noise (RFC 3389): what a peer that stopped sending wants to be heard. Pure; any sample rate.

Only receiving: our own silence is sent as audio, since the legs that are made here (mixes, prompts, music) are seldom
silent, and a stream that never pauses keeps NAT bindings, jitter buffers and one-way-audio alarms of the peers happy.
"""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

_LENGTH = 16384
"""Samples of a noise loop: one or two seconds."""
_MAX_ORDER = 16
_KEPT = 64
_FULL = 32768.0
_SEED = 3389


class ComfortNoise:
    """Noise for `capacity` legs. Its spectra are computed once and shared."""

    def __init__(self, capacity: int) -> None:
        self.is_on = np.zeros(capacity, np.bool_)
        """The peer has said that it is silent, and how."""
        self.since = np.zeros(capacity, np.int64)
        """The chunk from which on it is."""
        self._level = np.zeros(capacity, np.float32)
        self._at = np.zeros(capacity, np.int64)
        self._loop: list[NDArray[np.float32] | None] = [None] * capacity
        white = np.random.default_rng(_SEED).standard_normal(_LENGTH)
        self._white = np.fft.rfft(white / np.sqrt(np.mean(white * white)))
        self._loops: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()

    def set(self, row: int, payload: bytes, since: int) -> None:
        """A comfort noise packet of the leg: its level and spectrum from chunk `since` on. An empty one is ignored."""
        if not payload:
            return
        self.since[row] = since
        self._level[row] = level_of(payload[0])
        self._loop[row] = self._loop_of(payload[1 : 1 + _MAX_ORDER])
        if not self.is_on[row]:
            self.is_on[row] = True
            self._at[row] = row * 977 % _LENGTH

    def reset(self, row: int) -> None:
        self.is_on[row] = False
        self._loop[row] = None

    def next(self, row: int, count: int) -> NDArray[np.float32]:
        """The next `count` samples of the leg's noise."""
        loop = self._loop[row]
        if loop is None:
            return np.zeros(count, np.float32)
        at = int(self._at[row])
        self._at[row] = (at + count) % _LENGTH
        part = loop[at : at + count]
        if len(part) < count:
            part = np.concatenate((part, loop[: count - len(part)]))
        noise: NDArray[np.float32] = part * np.float32(self._level[row])
        return noise

    def _loop_of(self, coefficients: bytes) -> NDArray[np.float32]:
        """White noise of RMS 1 through the all-pole filter of these reflection coefficients, as a loop without a seam:
        the filter is applied to the loop's spectrum."""
        known = self._loops.get(coefficients)
        if known is not None:
            self._loops.move_to_end(coefficients)
            return known
        shaped = np.fft.irfft(self._white / np.fft.rfft(polynomial(coefficients), _LENGTH), _LENGTH)
        loop: NDArray[np.float32] = (shaped / np.sqrt(np.mean(shaped * shaped))).astype(np.float32)
        self._loops[coefficients] = loop
        if len(self._loops) > _KEPT:
            self._loops.popitem(last=False)
        return loop


def level_of(octet: int) -> float:
    """RMS in 16-bit scale of a noise level octet: -dBov, of which the first bit means nothing (RFC 3389 §3.1)."""
    return float(_FULL * 10 ** (-(octet & 0x7F) / 20))


def polynomial(coefficients: bytes) -> NDArray[np.float64]:
    """A(z) of quantised reflection coefficients (RFC 3389 §3.2), always of a stable filter: Levinson's step-up."""
    a = np.ones(1)
    for octet in coefficients:
        k = min(max(258 * (octet - 127) / 32768, -0.98), 0.98)
        longer = np.concatenate((a, [0.0]))
        a = longer + k * longer[::-1]
    return a
