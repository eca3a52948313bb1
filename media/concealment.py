"""Packet loss concealment: what a speaker probably said where nothing came. Pure; any sample rate, many legs at once.

What is known on both sides of a gap is carried into it: the last pitch period is repeated from the past (as in ITU-T
G.711 Appendix I), and the first one after the gap backwards from the future when it has already arrived; one fades into
the other. The seam to what was really heard is smoothed by letting the difference ring out through a linear predictor,
which costs no delay (Appendix I holds its output back by 3.75 ms for it). After `HOLD_S` the level falls, to nothing
after `FADE_S`.

Arrays are `float32[n, samples]`, a row per leg. "Offset" counts the samples already made up since the gap began.
"""

from typing import cast

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Signal = NDArray[np.float32]
Lags = NDArray[np.int64]

HISTORY_S = 0.05
"""What is needed of the past (or of the future)."""
MERGE_S = 0.004
"""Crossfade from what was made up to what came."""
HOLD_S = 0.01
FADE_S = 0.06
_MIN_LAG_S = 0.005
"""Repeating a shorter period sounds like a tone; a multiple of it is found instead."""
_MAX_LAG_S = 0.015
_WINDOW_S = 0.02
_SHORT_WINDOW_S = 0.0075
_PACKET_S = 0.02
_RING_S = 0.005
_ORDER = 12
_COARSE_HZ = 4000


class Concealer:
    """The arithmetic at one sample rate."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.history = round(HISTORY_S * rate)
        self.merge = round(MERGE_S * rate)
        self._hold = round(HOLD_S * rate)
        self._fade = round(FADE_S * rate)
        self._ring = round(_RING_S * rate)
        n = np.arange(1, self.merge + 1, dtype=np.float32) / (self.merge + 1)
        self.rise: Signal = n.astype(np.float32)
        """Weights of what came, while it takes over."""
        half = self._ring - self._ring // 2
        self._ring_window = np.ones(self._ring, np.float32)
        self._ring_window[-half:] = np.linspace(1, 0, half, dtype=np.float32)
        self._taper = np.hamming(round(0.03 * rate)).astype(np.float32)
        self._step = max(1, rate // _COARSE_HZ)

    def period(self, past: Signal) -> Lags:
        """The pitch period (5 to 15 ms) at the end of `past[n, history]`, in samples; for noise the best there is."""
        return find_lags(
            past,
            past.shape[1] - round(_WINDOW_S * self.rate),
            round(_MIN_LAG_S * self.rate),
            round(_MAX_LAG_S * self.rate),
            round(_WINDOW_S * self.rate),
            self._step,
        )[0]

    def _first_period(self, back: Signal) -> Lags:
        """The period at the end of `back`, found in as little as one packet."""
        window = round(_SHORT_WINDOW_S * self.rate)
        longest = round(_PACKET_S * self.rate) - window
        at = back.shape[1] - window
        return find_lags(back, at, round(_MIN_LAG_S * self.rate), longest, window, self._step)[0]

    def extend(self, past: Signal, lags: Lags, offset: Lags, count: int) -> Signal:
        """`count` samples that go on after `past[n, history]`, the first `offset` of the continuation left out."""
        n = len(past)
        cycle = self._cycle(past, lags)
        at = offset[:, None] + np.arange(count)
        turn = at % lags[:, None] + (self.history - lags[:, None])
        made = pick(cycle, turn)
        begins = offset < self._ring
        if begins.any():
            ring = np.zeros((n, self._ring + count), np.float32)
            ring[begins, : self._ring] = self._ringing(past[begins], lags[begins])
            made += pick(ring, np.minimum(at, self._ring + count - 1))
        gain = 1.0 - np.clip((at - self._hold) / (self._fade - self._hold), 0.0, 1.0)
        made *= gain.astype(np.float32)
        return made

    def bridge(self, past: Signal, lags: Lags, offset: Lags, future: Signal, count: int) -> Signal:
        """`count` samples between `past` and `future` (both `[n, history]`), the gap having begun `offset` before."""
        forward = self.extend(past, lags, offset, count)
        back = np.ascontiguousarray(future[:, ::-1])
        backward = self.extend(back, self._first_period(back), np.zeros(len(back), np.int64), count)[:, ::-1]
        # Over a long gap each side is believed near itself; the crossfade is never longer than two packets.
        width = min(count, self.rate // 25)
        rise = np.clip((np.arange(count) + 0.5 - (count - width) / 2) / width, 0.0, 1.0).astype(np.float32)
        forward += (backward - forward) * rise
        return forward

    def _cycle(self, past: Signal, lags: Lags) -> Signal:
        """`past` with the end of its last period bent so that the period may follow itself."""
        quarter = lags[:, None] // 4
        back = np.arange(self.history - 1, -1, -1)[None, :]
        # 1/(q+1) … q/(q+1) over the last quarter, 0 before it
        weight = np.clip((quarter - back) / (quarter + 1), 0.0, 1.0).astype(np.float32)
        before = pick(past, np.maximum(np.arange(self.history)[None, :] - lags[:, None], 0))
        return cast("Signal", past + (before - past) * weight)

    def _ringing(self, past: Signal, lags: Lags) -> Signal:
        """How the difference between what was heard and the period before it dies out: `[n, ring]`."""
        predictor = linear_prediction(past[:, -len(self._taper) :] * self._taper, _ORDER)
        at = np.arange(self.history - _ORDER, self.history)
        state = past[:, -_ORDER:] - pick(past, at[None, :] - lags[:, None])
        out = np.concatenate((state, np.zeros((len(past), self._ring), np.float32)), axis=1)
        backwards = predictor[:, ::-1]
        for t in range(_ORDER, out.shape[1]):
            np.einsum("ij,ij->i", out[:, t - _ORDER : t], backwards, out=out[:, t])
        return out[:, _ORDER:] * self._ring_window


def pick(signal: Signal, at: NDArray[np.int64]) -> Signal:
    """`signal[n, at[n, m]]`, as `np.take_along_axis` but twice as fast."""
    flat = at + (np.arange(len(signal)) * signal.shape[1])[:, None]
    return cast("Signal", signal.reshape(-1).take(flat, mode="clip"))


def linear_prediction(windowed: Signal, order: int) -> Signal:
    """Predictor coefficients `[n, order]` of tapered signals `[n, samples]`: x[t] is about sum a[i] x[t-1-i].

    Autocorrelation method, Levinson-Durbin recursion, with a white noise correction of 30 dB.
    """
    n, length = windowed.shape
    r = np.empty((n, order + 1), np.float64)
    for i in range(order + 1):
        r[:, i] = np.einsum("ij,ij->i", windowed[:, : length - i], windowed[:, i:])
    r[:, 0] = r[:, 0] * 1.001 + 1.0
    a = np.zeros((n, order))
    error = r[:, 0].copy()
    for i in range(order):
        k = (r[:, i + 1] - np.einsum("ij,ij->i", a[:, :i], r[:, i:0:-1])) / error
        a[:, :i] -= k[:, None] * a[:, :i][:, ::-1]
        a[:, i] = k
        error *= 1.0 - k * k
    return a.astype(np.float32)


def find_lags(
    signal: Signal, at: int, shortest: int, longest: int, window: int, step: int
) -> tuple[Lags, NDArray[np.float64]]:
    """The lag in [shortest, longest] by which `signal[n, :]` is most like itself, and how much (correlation, -1 to 1).

    `signal[:, at : at + window]` is compared with the same length that begins `lag` before it; negative lags look
    forward. First on every `step`-th sample of the (averaged) signal, then around the best.
    """
    n = len(signal)
    if step > 1:
        whole = signal.shape[1] // step * step
        small = signal[:, :whole:step].copy()
        for i in range(1, step):
            small += signal[:, i:whole:step]
        coarse, _ = _best(small, at // step, -(-shortest // step), longest // step, window // step)
        near = coarse * step
    else:
        near = np.full(n, (shortest + longest) // 2)
        step = longest - shortest
    low = np.clip(near - step, shortest, longest)
    width = 2 * step + 1
    tried = np.minimum(low[:, None] + np.arange(width), longest)
    begin = at - tried
    windows = sliding_window_view(signal, window, axis=1)
    picked = windows[np.arange(n)[:, None], begin]
    score = correlate(signal[:, at : at + window], picked)
    best = score.argmax(axis=1)
    each = np.arange(n)
    return tried[each, best], score[each, best]


def _best(signal: Signal, at: int, shortest: int, longest: int, window: int) -> tuple[Lags, NDArray[np.float64]]:
    windows = sliding_window_view(signal, window, axis=1)[:, at - longest : at - shortest + 1]
    score = correlate(signal[:, at : at + window], windows)
    best = score.argmax(axis=1)
    return longest - best, score[np.arange(len(signal)), best]


def correlate(target: Signal, windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Normalised correlation of `target[n, w]` with each of `windows[n, m, w]`."""
    dot = np.einsum("nw,nmw->nm", target, windows)
    energy = np.einsum("nmw,nmw->nm", windows, windows)
    own = np.einsum("nw,nw->n", target, target)[:, None]
    return cast("NDArray[np.float64]", dot / np.sqrt(own.astype(np.float64) * energy + 1.0))
