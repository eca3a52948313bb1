"""Which alarms are on: measures of queues against limits, with hysteresis and a time for which it must be so. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from model.alarms import BELOW, AlarmRule
from model.declare import Event
from model.events_alarm import AlarmCleared, AlarmRaised

Values = Mapping[str, float | None]
"""Measure -> value of one queue; None: there is nothing to measure, which is no alarm."""


class Standing(msgspec.Struct, gc=False, kw_only=True):
    """One rule at one queue."""

    since: float
    """Since when the measure is beyond."""
    raised_at: float | None = None
    value: float
    acknowledged_by: str = ""


class Alarms:
    """`look` as often as values may have changed."""

    def __init__(self, rules: Iterable[AlarmRule]) -> None:
        self.rules = {rule.name: rule for rule in rules}
        self.standing: dict[tuple[str, str], Standing] = {}
        """(rule, queue)"""

    def look(self, queues: Mapping[str, Values], now: float) -> list[Event]:
        """What began and what is over; a queue that is no more ends its alarms."""
        out: list[Event] = []
        for key in [key for key in self.standing if key[1] not in queues]:
            self._over(key, now, out)
        for rule in self.rules.values():
            for queue in rule.queues or tuple(queues):
                if queue in queues:
                    self._look_at(rule, queue, queues[queue].get(rule.measure), now, out)
        return out

    def _look_at(self, rule: AlarmRule, queue: str, value: float | None, now: float, out: list[Event]) -> None:
        key = (rule.name, queue)
        standing = self.standing.get(key)
        is_on = standing is not None and standing.raised_at is not None
        limit = rule.clear if is_on and rule.clear is not None else rule.limit
        if value is None or not _is_beyond(rule, value, limit):
            if standing is not None:
                self._over(key, now, out)
            return
        if standing is None:
            standing = self.standing[key] = Standing(since=now, value=value)
        standing.value = value
        if standing.raised_at is None and now >= standing.since + rule.for_s:
            standing.raised_at = now
            out.append(
                AlarmRaised(
                    alarm=rule.name,
                    queue=queue,
                    measure=rule.measure,
                    value=value,
                    limit=rule.limit,
                    severity=rule.severity,
                )
            )

    def _over(self, key: tuple[str, str], now: float, out: list[Event]) -> None:
        standing = self.standing.pop(key)
        if standing.raised_at is not None:
            name, queue = key
            lasted_s = now - standing.raised_at
            out.append(AlarmCleared(alarm=name, queue=queue, measure=self.rules[name].measure, lasted_s=lasted_s))


def _is_beyond(rule: AlarmRule, value: float, limit: float) -> bool:
    return value < limit if rule.measure in BELOW else value > limit
