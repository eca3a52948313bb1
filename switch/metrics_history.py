"""Figures by interval from the event log, for the API."""

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from acd.metrics import Metrics
from acd.metrics_history import History, Interval
from acd.metrics_views import agent_metrics, group_metrics, queue_metrics
from control.auth import Caller
from model.commands_metrics import GetMetricsHistory, IntervalMetrics, MetricsHistory, QueueMetrics
from model.declare import Command
from model.errors import InvalidValue, StorageUnavailable
from storage.errors import UnavailableError
from storage.event_log import EventFilter
from switch.days import midnight, zone_of
from switch.event_log import CENTRE, told_pages
from switch.metrics import members_of, thresholds_of

if TYPE_CHECKING:
    from switch.app import App

MAX_DAYS = 31
MAX_ROWS = 20_000
WARM_UP_S = 86_400.0
"""The log is read from so long before: who waits and who is signed in when the first interval begins."""
_PAGE = 200
"""Read at one time: some milliseconds of the loop, and calls go on between two of them."""


def interval_end(interval_s: float, zone: ZoneInfo | None) -> Callable[[float], float]:
    """The first boundary behind an instant; intervals are counted from midnight, the last one of a day ends with it."""

    def end(at_utc: float) -> float:
        begin = midnight(at_utc, zone, 0)
        n = math.floor((at_utc - begin) / interval_s) + 1
        return min(begin + n * interval_s, midnight(at_utc, zone, 1))

    return end


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    async def history(command: GetMetricsHistory, caller: Caller) -> MetricsHistory:
        _check(command)
        await app.flush_records()
        rows = _Rows(command, members_of(app.core.directory))
        ends = interval_end(command.interval_s, zone_of(app.config.numbering.time_zone))
        begin_utc = command.start_utc - WARM_UP_S
        made = History(thresholds_of(app.core.directory), ends, begin_utc, command.start_utc, rows.take)
        criteria = EventFilter(start_utc=begin_utc, end_utc=command.end_utc, names=CENTRE)
        try:
            async for events in told_pages(app.storage, criteria, _PAGE):
                for event, at_utc in events:
                    made.feed(event, at_utc)
        except UnavailableError as error:
            raise StorageUnavailable(str(error)) from None
        made.finish(command.end_utc)
        return MetricsHistory(intervals=rows.intervals, identity_violations=made.metrics.identity_violations)

    return {GetMetricsHistory: history}


def _check(command: GetMetricsHistory) -> None:
    if command.end_utc <= command.start_utc:
        raise InvalidValue("end_utc must be later than start_utc", field="end_utc")
    if command.end_utc - command.start_utc > MAX_DAYS * 86_400.0:
        raise InvalidValue(f"at most {MAX_DAYS} days at one time", field="end_utc")


class _Rows:
    """Collects what was asked for, interval by interval."""

    def __init__(self, command: GetMetricsHistory, members: dict[str, list[str]]) -> None:
        self._of = command.of
        self._ids = command.ids
        self._members = members
        self._n = 0
        self.intervals: list[IntervalMetrics] = []

    def take(self, interval: Interval, metrics: Metrics) -> None:
        at = interval.end_utc
        made: dict[str, list[Any]] = {"queue": [], "agent": [], "group": []}
        match self._of:
            case "queue":
                names = self._ids or sorted({*metrics.queues, *(q for q, waits in metrics.waiting.items() if waits)})
                made["queue"] = [queue_metrics(metrics, name, {}, at) for name in names]
            case "agent":
                names = self._ids or sorted({*metrics.agents, *metrics.now})
                made["agent"] = [agent_metrics(metrics, name, at) for name in names]
            case "group":
                names = self._ids or list(self._members)
                made["group"] = [group_metrics(metrics, name, self._members.get(name, ()), at) for name in names]
        self._n += sum(len(each) for each in made.values())
        if self._n > MAX_ROWS:
            raise InvalidValue(f"more than {MAX_ROWS} rows: ask for less time, or longer intervals", field="end_utc")
        self.intervals.append(
            IntervalMetrics(
                begin_utc=interval.begin_utc,
                end_utc=at,
                queues=made["queue"],
                agents=made["agent"],
                groups=made["group"],
                is_whole=all(_is_whole(each) for each in made["queue"]),
            )
        )


def _is_whole(queue: QueueMetrics) -> bool:
    gone = queue.answered + queue.abandoned + queue.flowed_out
    return queue.carried + queue.offered == gone + queue.waiting
