"""Figures by interval, made of the log by the sums of the day: for each interval they begin anew. Pure."""

from collections.abc import Callable

import msgspec

from acd.metrics import Metrics, Thresholds
from model.declare import Event


class Interval(msgspec.Struct, frozen=True):
    """What `on_end` is given: the sums of an interval stand in the metrics until it returns."""

    begin_utc: float
    end_utc: float


class History:
    """Feed it every event in order, from some time before `start_utc` on, so that who waits and works is known; then
    `finish`. `interval_end`: the first boundary behind an instant; `on_end` is called for each interval that begins at
    `start_utc` or later.
    """

    def __init__(
        self,
        thresholds: Callable[[str], Thresholds],
        interval_end: Callable[[float], float],
        begin_utc: float,
        start_utc: float,
        on_end: Callable[[Interval, Metrics], None],
    ) -> None:
        self.metrics = Metrics(thresholds, interval_end)
        self._interval_end = interval_end
        self._start_utc = start_utc
        self._on_end = on_end
        self._begin = begin_utc
        self._end = interval_end(begin_utc)
        self.metrics.advance(begin_utc)

    def feed(self, event: Event, at_utc: float) -> None:
        self._advance(at_utc)
        self.metrics.feed(event, at_utc)

    def finish(self, end_utc: float) -> None:
        """The intervals up to here are over; one that goes on is cut here."""
        self._advance(end_utc)
        if self._begin < end_utc and self._begin >= self._start_utc:
            self._on_end(Interval(self._begin, end_utc), self.metrics)

    def _advance(self, at_utc: float) -> None:
        while at_utc >= self._end:
            if self._begin >= self._start_utc:
                self._on_end(Interval(self._begin, self._end), self.metrics)
            elif self.metrics.identity_violations:
                # What began before the log was read cannot be whole.
                self.metrics.identity_violations = 0
            self.metrics.advance(self._end)
            self._begin, self._end = self._end, self._interval_end(self._end)
