"""How many callers of one campaign answered, and how many of them found nobody: by the calendar day of its zone, the
last 24 hours, the last 30 days and its whole life. It only ever counts on: nothing takes back what was counted.

A caller counts as abandoned when no agent spoke to him within `patience_s`; of those taken for a machine the share that
is expected to have been people counts too.
"""

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

HOUR_S = 3600.0
_HOURS_24, _HOURS_30_DAYS = 24, 720
"""Whole hours, and the one that has begun."""
WINDOWS = ("day", "hours_24", "days_30", "life")


class Counts(msgspec.Struct, kw_only=True):
    answered: float = 0.0
    abandoned: float = 0.0
    by_machine: float = 0.0
    """People among those taken for machines, by estimate."""

    @property
    def unserved(self) -> float:
        """What the limit is about."""
        return self.abandoned + self.by_machine

    @property
    def rate(self) -> float:
        return self.unserved / self.answered if self.answered else 0.0


class _Hour(msgspec.Struct, kw_only=True):
    hour: int
    """Of the epoch."""
    counts: Counts


class _Plain(msgspec.Struct, kw_only=True):
    zone: str
    day: int
    today: Counts
    life: Counts
    hours: list[_Hour]


class Ledger:
    """Wall instants are seconds of the epoch; one that lies before what was told already counts as the latest told."""

    def __init__(self, zone: str) -> None:
        """Raises ValueError for a time zone that is none."""
        self.zone = zone
        self._tz = _tz(zone)
        self._day = 0
        self._hour = 0
        self._until = 0.0
        """When the next window rolls on."""
        self._hours: deque[_Hour] = deque()
        self._today, self._hours_24, self._days_30, self._life = Counts(), Counts(), Counts(), Counts()
        self._windows = (self._today, self._hours_24, self._days_30, self._life)

    def answered(self, at_utc: float, n: int = 1) -> None:
        """People answered."""
        self._add(at_utc, "answered", n)

    def abandoned(self, at_utc: float, n: int = 1) -> None:
        """Of those who answered, so many had no agent in time, or hung up after that time."""
        self._add(at_utc, "abandoned", n)

    def taken_for_machines(self, at_utc: float, n: int, fp_rate: float) -> None:
        self._add(at_utc, "by_machine", n * fp_rate)

    def windows(self, at_utc: float) -> dict[str, Counts]:
        """By the names of WINDOWS."""
        self._roll(at_utc)
        return {name: msgspec.structs.replace(counts) for name, counts in zip(WINDOWS, self._windows, strict=True)}

    def credit(self, alpha: float, at_utc: float) -> float:
        """So many callers more might be abandoned with no window over `alpha`."""
        self._roll(at_utc)
        return min(alpha * counts.answered - counts.abandoned - counts.by_machine for counts in self._windows)

    def legal_excess(self, cap: float, at_utc: float) -> float:
        """So many callers too many were abandoned in the last 30 days."""
        self._roll(at_utc)
        return self._days_30.unserved - cap * self._days_30.answered

    def to_plain(self) -> dict[str, Any]:
        plain = _Plain(zone=self.zone, day=self._day, today=self._today, life=self._life, hours=list(self._hours))
        made: dict[str, Any] = msgspec.to_builtins(plain)
        return made

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Ledger":
        """Raises ValueError for what `to_plain` did not make."""
        told = msgspec.convert(plain, _Plain)
        ledger = cls(told.zone)
        ledger._day = told.day
        ledger._hours.extend(told.hours)
        ledger._hour = told.hours[-1].hour if told.hours else 0
        _set(ledger._today, told.today)
        _set(ledger._life, told.life)
        ledger._sum()
        return ledger

    def _add(self, at_utc: float, name: str, n: float) -> None:
        if n < 0:
            raise ValueError(f"{n:g} {name}: what was counted is not taken back")
        self._roll(at_utc)
        if not self._hours or self._hours[-1].hour != self._hour:
            self._hours.append(_Hour(hour=self._hour, counts=Counts()))
        for counts in (*self._windows, self._hours[-1].counts):
            setattr(counts, name, getattr(counts, name) + n)

    def _roll(self, at_utc: float) -> None:
        if at_utc < self._until:
            return
        self._hour = max(self._hour, int(at_utc // HOUR_S))
        while self._hours and self._hours[0].hour < self._hour - _HOURS_30_DAYS:
            self._hours.popleft()
        self._sum()
        local = datetime.fromtimestamp(at_utc, UTC).astimezone(self._tz)
        if local.toordinal() > self._day:
            # Where clocks are set back over midnight the new day has begun all the same.
            self._day = local.toordinal()
            _set(self._today, Counts())
        midnight = datetime.fromordinal(self._day + 1).replace(tzinfo=self._tz)
        self._until = min((self._hour + 1) * HOUR_S, max(midnight.timestamp(), at_utc + 1.0))

    def _sum(self) -> None:
        _set(self._days_30, _total(each.counts for each in self._hours))
        recent = (each.counts for each in reversed(self._hours) if each.hour >= self._hour - _HOURS_24)
        _set(self._hours_24, _total(recent))


def _total(parts: Iterable[Counts]) -> Counts:
    total = Counts()
    for part in parts:
        total.answered += part.answered
        total.abandoned += part.abandoned
        total.by_machine += part.by_machine
    return total


def _set(counts: Counts, to: Counts) -> None:
    counts.answered, counts.abandoned, counts.by_machine = to.answered, to.abandoned, to.by_machine


def _tz(zone: str) -> tzinfo:
    try:
        return ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise ValueError(f'{zone!r} is no time zone; wanted is a name like "Asia/Shanghai"') from None
