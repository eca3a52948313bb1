"""The hook for what listens to legs: every detector gets the frames of the legs it wants, at 8 kHz, once a tick.

The legs are decoded for it also when they are only relayed.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.planes import Planes
from media.session import Leg, Session


class Detector(Protocol):
    """Analysis of many legs at once; emits its events itself."""

    def wants(self, leg: Leg) -> bool:
        """Asked whenever the leg's session changes."""

    def reset(self, row: int) -> None:
        """The row begins anew: another leg, or it was not listened to for a while."""

    def run(self, rows: NDArray[np.int64], pcm: NDArray[np.float32], now: float) -> None:
        """One frame of 160 samples of each of `rows`; `pcm` is valid until it returns."""


class Detectors:
    """Which detector listens to which rows, and where those lie in the narrow plane."""

    def __init__(self, detectors: list[Detector], planes: Planes) -> None:
        self._detectors = detectors
        self._planes = planes
        self._wanted: list[dict[int, str]] = []
        """For each detector: row -> session."""
        self._located: list[tuple[Detector, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
        self.rows: set[int] = set()
        self.is_stale = False
        """`rows` changed since `locate`."""

    @property
    def is_busy(self) -> bool:
        return bool(self._located)

    def update(self, session: Session) -> bool:
        """Asks the detectors anew about the session's legs; whether anything changed."""
        while len(self._wanted) < len(self._detectors):
            self._wanted.append({})
        is_changed = False
        for detector, wanted in zip(self._detectors, self._wanted, strict=True):
            for leg in session.legs.values():
                if detector.wants(leg) == (leg.row in wanted):
                    continue
                is_changed = True
                if wanted.pop(leg.row, None) is None:
                    wanted[leg.row] = session.id
                    detector.reset(leg.row)
        if is_changed:
            self._collect()
        return is_changed

    def forget(self, leg: Leg) -> bool:
        """The leg is gone; whether anybody listened to it."""
        found = [wanted.pop(leg.row, None) for wanted in self._wanted]
        if any(each is not None for each in found):
            self._collect()
            return True
        return False

    def rows_of(self, session: Session) -> set[int]:
        return {leg.row for leg in session.legs.values() if leg.row in self.rows}

    def locate(self) -> None:
        """The planes were laid out anew."""
        self._located, self.is_stale = [], False
        for detector, wanted in zip(self._detectors, self._wanted, strict=False):
            if wanted:
                rows = np.array(sorted(wanted, key=self._planes.at_8.__getitem__), np.int64)
                places = np.array([self._planes.at_8[row] for row in rows.tolist()], np.int64)
                self._located.append((detector, rows, places, np.zeros((len(rows), 160), np.float32)))

    def run(self, now: float) -> None:
        """Once a tick, after the planes were read."""
        for detector, rows, places, frames in self._located:
            self._planes.narrow.take(places, axis=0, out=frames, mode="clip")
            detector.run(rows, frames, now)

    def _collect(self) -> None:
        self.rows = {row for wanted in self._wanted for row in wanted}
        self.is_stale = True
