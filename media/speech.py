"""Who speaks: voice activity of many legs at once, frame by frame. Pure.

Energy over a noise floor found by minimum statistics (after R. Martin, "Noise power spectral density estimation based
on optimal smoothing and minimum statistics", 2001, on the whole band): the floor is the lowest level of the last
1.6 s. So background noise of any level is no speech after the first frames, and neither is a steady tone.
"""

import numpy as np
from numpy.typing import NDArray

_FULL_SCALE = 32768.0
_WINDOW = 16
"""Frames of one sub-window of the minimum search (0.32 s)."""
_N_WINDOWS = 5
_ABOVE_FLOOR_DB = 9.0
_LEAST_DB = -52.0
"""Nothing softer is speech on a telephone line (dBov, RMS)."""
_FLOOR_MIN_DB, _FLOOR_MAX_DB = -75.0, -12.0
ONSET = 2
"""Active frames in a row that begin speech: a click is shorter."""
HANGOVER = 12
"""Frames that speech lasts beyond its last active one: the pauses between syllables."""


def level_db(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """RMS level of each row of `pcm` (float32[n, samples] in 16-bit scale) in dBov; -100 for digital silence."""
    mean = pcm.mean(axis=1)
    power = np.einsum("ij,ij->i", pcm, pcm) / pcm.shape[1] - mean * mean
    level: NDArray[np.float32] = 10 * np.log10(np.maximum(power / _FULL_SCALE**2, 1e-10))
    return level


class SpeechMeter:
    """Voice activity of up to `capacity` legs; frames are 20 ms."""

    def __init__(self, capacity: int) -> None:
        self.level_db = np.full(capacity, -100.0, np.float32)
        """Of the newest frame."""
        self.is_active = np.zeros(capacity, np.bool_)
        """The newest frame is loud enough: no onset, no hangover."""
        self.is_speaking = np.zeros(capacity, np.bool_)
        self.frames = np.zeros(capacity, np.int64)
        self.speech_frames = np.zeros(capacity, np.int64)
        self.active_frames = np.zeros(capacity, np.int64)
        self._minima = np.full((capacity, _N_WINDOWS), np.inf, np.float32)
        self._run = np.zeros(capacity, np.int64)
        self._hang = np.zeros(capacity, np.int64)

    def reset(self, row: int) -> None:
        """Forgets the leg."""
        for column in vars(self).values():
            column[row] = 0
        self.level_db[row] = -100.0
        self._minima[row] = np.inf

    def floor_db(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Noise floor of each row in dBov."""
        lowest: NDArray[np.float32] = self._minima[rows].min(axis=1)
        return np.clip(lowest, _FLOOR_MIN_DB, _FLOOR_MAX_DB)

    def run(self, rows: NDArray[np.int64], pcm: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Takes one frame of each of `rows` (each at most once), float32[n, samples]; where speech began or ended."""
        level = level_db(pcm)
        frames = self.frames[rows]
        window = frames // _WINDOW % _N_WINDOWS
        begins = frames % _WINDOW == 0
        kept = np.where(begins, np.inf, self._minima[rows, window])
        self._minima[rows, window] = np.minimum(kept, level)
        active = level > np.maximum(self.floor_db(rows) + _ABOVE_FLOOR_DB, _LEAST_DB)
        run = np.where(active, self._run[rows] + 1, 0)
        before = self.is_speaking[rows]
        hang = np.where(run >= ONSET, HANGOVER, np.maximum(self._hang[rows] - ~active, 0))
        hang = np.where(before | (run >= ONSET), hang, 0)
        speaking = hang > 0
        self._run[rows] = run
        self._hang[rows] = hang
        self.level_db[rows] = level
        self.is_active[rows] = active
        self.is_speaking[rows] = speaking
        self.frames[rows] = frames + 1
        self.speech_frames[rows] += speaking
        self.active_frames[rows] += active
        changed: NDArray[np.bool_] = speaking != before
        return changed
