"""Big rooms: the loudest speakers are summed once for everybody, and each of them is taken out of what he hears. Pure.

So two hundred participants cost one short sum and one copy each. Who is among the loudest is decided every frame, with
hysteresis: whoever is heard stays unless somebody is clearly louder for a while, so nobody is chopped at syllables.
"""

import numpy as np
from numpy.typing import NDArray

from media.session import LOUDEST

_ADVANTAGE = 4.0
"""6 dB: by so much a newcomer must be louder than one who is heard."""
_FALL = 0.9
"""Of a speaker's level in a frame (power): 23 dB a second, so pauses between words do not cost the floor."""
_RISE = 8
"""Part of a frame in which a speaker is let in: 2.5 ms, or his first consonant would be lost."""

Signal = NDArray[np.float32]


class RoomMix:
    """One room at one sample rate or two; `select` once a frame, then `add` at each rate."""

    def __init__(self) -> None:
        self.rows = np.zeros(0, np.int64)
        """Rows of the speakers; the last ones may be those who left and fade."""
        self._is_member = np.zeros(0, np.bool_)
        self._level = np.zeros(0, np.float64)
        self._is_heard = np.zeros(0, np.bool_)
        self._was_heard = np.zeros(0, np.bool_)
        self._gain = np.ones(0, np.float32)
        self._old_gain = self._gain
        """From which the gain is reached within a frame."""
        self._is_gain_new = False
        self._is_new = True
        self._parts: dict[int, Signal] = {}
        self._total: Signal = np.zeros(0, np.float32)

    def update(self, speakers: dict[int, float], may_fade: set[int]) -> None:
        """Who may speak now, and how loud. Who could be heard and is in `may_fade` is faded out; all others are gone
        at once."""
        known = {row: i for i, row in enumerate(self.rows.tolist())}
        present = set(speakers)
        leaving = [row for row, i in known.items() if self._is_heard[i] and row in may_fade and row not in present]
        rows = [*speakers, *leaving]
        old = np.array([self._gain[known[row]] if row in known else speakers.get(row, 1.0) for row in rows], np.float32)
        self._old_gain, self._is_gain_new = old, True
        self._gain = np.array([speakers.get(row, old[i]) for i, row in enumerate(rows)], np.float32)
        level, is_heard = np.zeros(len(rows)), np.zeros(len(rows), np.bool_)
        for i, row in enumerate(rows):
            before = known.get(row)
            if before is not None:
                level[i], is_heard[i] = self._level[before], self._is_heard[before]
        self.rows = np.array(rows, np.int64)
        self._is_member = np.arange(len(rows)) < len(speakers)
        self._level, self._is_heard, self._was_heard = level, is_heard, is_heard.copy()

    @property
    def heard(self) -> set[int]:
        """Rows that were heard in the last frame."""
        return set(self.rows[self._is_heard].tolist())

    def select(self, frames: Signal) -> None:
        """Chooses the speakers of this frame; `frames[i]` is what `rows[i]` says."""
        if not self._is_gain_new:
            self._old_gain = self._gain
        self._is_gain_new = False
        power = np.einsum("ij,ij->i", frames, frames) / max(frames.shape[1], 1) * self._gain**2
        self._level = np.maximum(power, self._level * _FALL)
        score = np.where(self._is_heard, self._level * _ADVANTAGE, self._level)
        score[~self._is_member] = -1.0
        self._was_heard = self._is_heard
        self._is_heard = self._is_member.copy()
        if int(self._is_member.sum()) > LOUDEST:
            self._is_heard[:] = False
            self._is_heard[np.argpartition(-score, LOUDEST)[:LOUDEST]] = True
        if self._is_new:  # whoever listens to a new room is faded into all of it
            self._was_heard = self._is_heard
            self._is_new = False

    def add(self, plane: Signal, places: NDArray[np.int64], mixed: Signal, listeners: dict[int, int]) -> None:
        """Adds the room to what its listeners hear, without themselves. `places[i]` is where `rows[i]` lies in `plane`,
        `listeners` the place in `mixed` of each listener's row."""
        sounding = np.flatnonzero(self._is_heard | self._was_heard)
        parts = plane[places[sounding]]
        length = plane.shape[1]
        self._amplify(parts, sounding, length)
        for i in np.flatnonzero(self._is_heard[sounding] != self._was_heard[sounding]).tolist():
            parts[i] *= _rise(length) if self._is_heard[sounding[i]] else _fall(length)
        self._total = parts.sum(axis=0)
        self._parts = dict(zip(self.rows[sounding].tolist(), parts, strict=True))
        mixed[list(listeners.values())] += self._total
        for row, part in self._parts.items():
            place = listeners.get(row)
            if place is not None:
                mixed[place] -= part

    def _amplify(self, parts: Signal, sounding: NDArray[np.int64], length: int) -> None:
        gain, old = self._gain[sounding], self._old_gain[sounding]
        if (gain != old).any():
            parts *= old[:, None] + (gain - old)[:, None] * np.linspace(0, 1, length, dtype=np.float32)
        elif (gain != 1.0).any():
            parts *= gain[:, None]

    def heard_by(self, row: int) -> Signal:
        """After `add`, at the same rate: what the leg on `row` hears of the room."""
        part = self._parts.get(row)
        return self._total if part is None else self._total - part


def _rise(length: int) -> Signal:
    ramp = np.ones(length, np.float32)
    n = length // _RISE
    ramp[:n] = np.arange(n, dtype=np.float32) / np.float32(n)
    return ramp


def _fall(length: int) -> Signal:
    return np.linspace(1, 0, length, dtype=np.float32)
