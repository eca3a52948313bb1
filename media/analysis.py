"""What the worker finds out about a leg by listening: speech begins and ends, who answered.

Both are detectors of `media.detectors`: they get the frames of the legs they want once a tick.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media.answer_detector import AnswerJudge
from media.session import Leg
from media.speech import SpeechMeter
from model.media import AnswerDetected, Event, SpeechChanged

MAX_ANSWER_S = 30.0


class SpeechDetector:
    """`SpeechChanged` for legs whose `detect` has "speech"."""

    def __init__(self, by_row: list[Leg | None], emit: Callable[[Event], None]) -> None:
        self._by_row = by_row
        self._emit = emit
        self._meter = SpeechMeter(len(by_row))

    def wants(self, leg: Leg) -> bool:
        return "speech" in leg.settings.detect

    def reset(self, row: int) -> None:
        self._meter.reset(row)

    def run(self, rows: NDArray[np.int64], pcm: NDArray[np.float32], now: float) -> None:
        for row in rows[self._meter.run(rows, pcm)].tolist():
            leg = self._by_row[row]
            if leg is not None:
                is_speaking = bool(self._meter.is_speaking[row])
                self._emit(SpeechChanged(session=leg.session, leg=leg.id, is_speaking=is_speaking))


class AnswerDetector:
    """`AnswerDetected` for legs that were asked about. `changed(session)` is called when one begins or ends."""

    def __init__(self, by_row: list[Leg | None], emit: Callable[[Event], None], changed: Callable[[str], None]) -> None:
        self._by_row = by_row
        self._emit = emit
        self._changed = changed
        self._judge = AnswerJudge(len(by_row))
        self._asked: set[int] = set()

    def start(self, leg: Leg, max_s: float) -> None:
        """Begins to listen; asked twice it goes on. ValueError for a time that makes no sense."""
        if not 0.5 <= max_s <= MAX_ANSWER_S:
            raise ValueError(f"max_s {max_s} is not between 0.5 and {MAX_ANSWER_S:g}")
        if leg.row not in self._asked:
            self._asked.add(leg.row)
            self._judge.start(leg.row, max_s)
            self._changed(leg.session)

    def release(self, row: int) -> None:
        """The leg is gone: nobody answered."""
        self._asked.discard(row)
        self._judge.stop(row)

    def wants(self, leg: Leg) -> bool:
        return leg.row in self._asked

    def reset(self, row: int) -> None:
        """Nothing to forget: a trial begins with `start`."""

    def run(self, rows: NDArray[np.int64], pcm: NDArray[np.float32], now: float) -> None:
        asked = np.array([row in self._judge for row in rows.tolist()], np.bool_)
        if not asked.all():
            rows, pcm = rows[asked], pcm[asked]
        if not len(rows):
            return
        for row, trial in self._judge.run(rows, pcm):
            self._asked.discard(row)
            leg = self._by_row[row]
            if leg is None:
                continue
            self._changed(leg.session)
            self._emit(
                AnswerDetected(
                    session=leg.session,
                    leg=leg.id,
                    result=trial.result,
                    after_s=trial.elapsed_ms / 1000,
                    evidence=trial.evidence(),
                )
            )
