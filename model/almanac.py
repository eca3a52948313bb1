"""What a calendar says at an instant, and until when (FEATURES ACC-04, XACC-01). Pure: instants come in as UTC seconds.

Hours are times of the clock on the wall. So where the clock jumps (daylight saving) an opening in the missing hour
begins when the clock has jumped, and a time that comes twice counts twice.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from model.calendars import Calendar, Closure, Which
from model.hours import Span, parse_hours

_LOOK_AHEAD_DAYS = 370
_DAY_MINUTES = 24 * 60
_LEAP_YEAR = 2024


class Moment(msgspec.Struct, frozen=True, gc=False):
    which: Which
    name: str = ""
    """Of the holiday or special day, the reason of a closure."""
    until_utc: float = 0.0
    """When that changes; 0.0 = not in sight."""


class _Days:
    """Single days and yearly ones, each with what was said of it; single ones count first."""

    def __init__(self) -> None:
        self.single: dict[int, tuple[str, tuple[Span, ...]]] = {}
        self.yearly: dict[tuple[int, int], tuple[str, tuple[Span, ...]]] = {}

    def add(self, first: str, last: str, said: tuple[str, tuple[Span, ...]]) -> None:
        """Raises ValueError."""
        last = last or first
        if len(first) != len(last):
            raise ValueError(f'"{first}" and "{last}" must both have a year or both none')
        is_yearly = len(first) == len("10-01")
        a, b = (_date(f"{_LEAP_YEAR}-{text}" if is_yearly else text) for text in (first, last))
        if is_yearly and b < a:
            b = b.replace(year=_LEAP_YEAR + 1)
        if not 0 <= (b - a).days <= 366:
            raise ValueError(f'from "{first}" to "{last}" is no time of at most a year')
        for n in range((b - a).days + 1):
            day = a + timedelta(n)
            if is_yearly:
                self.yearly.setdefault((day.month, day.day), said)
            else:
                self.single.setdefault(day.toordinal(), said)

    def find(self, day: date) -> tuple[str, tuple[Span, ...]] | None:
        return self.single.get(day.toordinal()) or self.yearly.get((day.month, day.day))


class Almanac:
    """A calendar made ready to be asked; `time_zone` where it has none. Raises ValueError saying what is wrong."""

    def __init__(self, calendar: Calendar, time_zone: str = "") -> None:
        self.calendar = calendar
        self.zone = zone_of(calendar.time_zone or time_zone)
        self._week = parse_hours(calendar.hours)
        self._holidays = _Days()
        for holiday in calendar.holidays:
            self._holidays.add(holiday.first, holiday.last, (holiday.name, ()))
        self._special = _Days()
        marks = {0, *(minute for span in self._week for minute in (span.start, span.end))}
        for special in calendar.special_days:
            parts = [part.strip() for part in special.hours.split(";") if part.strip()]
            spans = parse_hours("; ".join(f"mon-sun {part}" for part in parts))
            marks |= {minute for span in spans for minute in (span.start, span.end)}
            self._special.add(special.first, special.last, (special.name, spans))
        self._marks = sorted(mark for mark in marks if mark < _DAY_MINUTES)

    def say(self, at_utc: float) -> tuple[Which, str]:
        """(open, closed or holiday; name of the day)"""
        local = datetime.fromtimestamp(at_utc, self.zone)
        today, minute = local.date(), local.hour * 60 + local.minute
        yesterday = today - timedelta(1)
        special, special_before = self._special.find(today), self._special.find(yesterday)
        if special_before is not None and _is_past_midnight(special_before[1], yesterday, minute):
            return "open", special_before[0]
        if special is not None:
            return "open" if _has_begun(special[1], today, minute) else "closed", special[0]
        holiday = self._holidays.find(today)
        if holiday is not None:
            return "holiday", holiday[0]
        if not self._week or _has_begun(self._week, today, minute):
            return "open", ""
        is_ordinary = special_before is None and self._holidays.find(yesterday) is None
        if is_ordinary and _is_past_midnight(self._week, yesterday, minute):
            return "open", ""
        return "closed", ""

    def evaluate(self, at_utc: float, closure: Closure | None = None) -> Moment:
        """What holds at `at_utc`, and until when."""
        if closure is not None and is_in_force(closure, at_utc):
            return Moment("emergency", closure.reason, closure.until_utc)
        said = self.say(at_utc)
        until_utc = next((at for at in self._candidates(at_utc) if self.say(at)[0] != said[0]), 0.0)
        if closure is not None and at_utc < closure.since_utc:
            until_utc = min(until_utc or closure.since_utc, closure.since_utc)
        return Moment(*said, until_utc)

    def end_of_day(self, at_utc: float) -> float:
        """The next midnight."""
        tomorrow = datetime.fromtimestamp(at_utc, self.zone).date() + timedelta(1)
        return self._instant(tomorrow, 0, 0)

    def _candidates(self, at_utc: float) -> Iterator[float]:
        """Instants after `at_utc` at which something may change, in order."""
        first = datetime.fromtimestamp(at_utc, self.zone).date()
        for n in range(_LOOK_AHEAD_DAYS):
            day = first + timedelta(n)
            begins, ends = self._instant(day, 0, 0), self._instant(day + timedelta(1), 0, 0)
            found = {self._instant(day, minute, fold) for minute in self._marks for fold in (0, 1)}
            if self._offset(begins) != self._offset(ends):
                found.add(self._jump(begins, ends))
            yield from sorted(at for at in found if at > at_utc)

    def _instant(self, day: date, minute: int, fold: int) -> float:
        hour, minute = divmod(minute, 60)
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone, fold=fold).timestamp()

    def _offset(self, at_utc: float) -> timedelta | None:
        return (
            datetime.fromtimestamp(at_utc, self.zone).astimezone().utcoffset()
            if self.zone is None
            else (datetime.fromtimestamp(at_utc, self.zone).utcoffset())
        )

    def _jump(self, low: float, high: float) -> float:
        """The first second of the other offset."""
        before = self._offset(low)
        while high - low > 1.0:
            middle = (low + high) // 2
            if self._offset(middle) == before:
                low = middle
            else:
                high = middle
        return high


def zone_of(name: str) -> ZoneInfo | None:
    """None = that of this machine. Raises ValueError."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'"{name}" is no time zone; write it as "Asia/Shanghai"') from None


def is_in_force(closure: Closure, at_utc: float) -> bool:
    return closure.since_utc <= at_utc and (not closure.until_utc or at_utc < closure.until_utc)


def _has_begun(spans: tuple[Span, ...], day: date, minute: int) -> bool:
    weekday = day.weekday()
    return any(
        weekday in span.days and span.start <= minute and (minute < span.end or span.end <= span.start)
        for span in spans
    )


def _is_past_midnight(spans: tuple[Span, ...], day: date, minute: int) -> bool:
    """Whether a stretch that began on `day`, the day before, still lasts."""
    weekday = day.weekday()
    return any(weekday in span.days and span.end <= span.start and minute < span.end for span in spans)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text.removeprefix(f"{_LEAP_YEAR}-")}" is no day of the calendar') from None
