"""Playing a little faster or slower without a change of pitch: one pitch period is taken out or put in. Pure.

Waveform similarity overlap-add (Verhelst and Roelands, 1993), as NetEQ's accelerate and preemptive expand use it: the
period is where the signal is most like itself, and the cut is a crossfade over that whole period, so what is left over
has no seam. Any sample rate, many legs at once.
"""

import numpy as np
from numpy.typing import NDArray

from media.concealment import Lags, Signal, find_lags, pick

MIN_LAG_S = 0.0025
MAX_LAG_S = 0.015
_WINDOW_S = 0.01
_COARSE_HZ = 4000


class Stretcher:
    """The arithmetic at one sample rate for frames of `frame` samples.

    Both methods take `context[n, margin + frame + margin]`: the frame to be played with what is before and after it.
    """

    def __init__(self, rate: int, frame: int) -> None:
        self.frame = frame
        self.margin = round(MAX_LAG_S * rate)
        """Samples that are needed on either side; the longest period."""
        self._shortest = round(MIN_LAG_S * rate)
        self._window = round(_WINDOW_S * rate)
        self._step = max(1, rate // _COARSE_HZ)

    def shorten(self, context: Signal, *, least: NDArray[np.float64]) -> tuple[Signal, Lags]:
        """The next frame `[n, frame]`, and how many samples fewer than it used lie in it: 0 where the signal is less
        like itself (correlation) than `least`."""
        back = context[:, ::-1]
        at = context.shape[1] - self.margin - self._window
        return self._join(context, *self._find(back, at), least, 1)

    def lengthen(self, context: Signal, *, least: NDArray[np.float64]) -> tuple[Signal, Lags]:
        """The next frame, and how many samples more than it used lie in it: 0 where the signal is less like itself
        than `least`."""
        return self._join(context, *self._find(context, self.margin), least, -1)

    def _find(self, signal: Signal, at: int) -> tuple[Lags, NDArray[np.float64]]:
        return find_lags(signal, at, self._shortest, self.margin, self._window, self._step)

    def _join(
        self, context: Signal, lags: Lags, likeness: NDArray[np.float64], least: NDArray[np.float64], direction: int
    ) -> tuple[Signal, Lags]:
        frame = context[:, self.margin : self.margin + self.frame]
        lags = np.where(likeness >= least, lags, 0)
        at = np.arange(self.frame)
        moved = pick(context, self.margin + at[None, :] + direction * lags[:, None])
        rise = np.clip((at[None, :] + 0.5) / np.maximum(lags, 1)[:, None], 0.0, 1.0).astype(np.float32)
        return frame + (moved - frame) * rise, lags
