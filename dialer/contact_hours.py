"""When customers may be called by their own clocks (XOUT-05): the weekly hours of a campaign and the holidays of a
calendar, in the time zone of each number. Pure: instants are UTC seconds."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from model.almanac import Almanac, Moment, zone_of
from model.calendars import Calendar, Holiday, SpecialDay
from model.campaigns import Campaign

_MAX_ZONES = 600
"""There are some 500; what a list says may be anything."""
_MAX_CHANGES = 800
"""Looked through for the next opening: more than two of every day of a year."""


class ContactHours:
    """Of one campaign. Raises ValueError for hours or a time zone that make no sense."""

    def __init__(self, campaign: Campaign, closed_on: Iterable[Holiday] = (), time_zone: str = "") -> None:
        """`time_zone`: of customers for whom neither their number nor the campaign tells one."""
        self._default = campaign.time_zone or time_zone
        self._calendar = Calendar(name="contact", hours=campaign.contact_hours, holidays=tuple(closed_on))
        self._zones: dict[str, _Zone] = {}
        zone_of(self._default)
        self._zone(self._default)

    def next_open(self, zone: str, at_utc: float) -> float:
        """`at_utc` itself when he may be called then; otherwise the first instant at which he may, inf = never."""
        return self._zone(zone).next_open(at_utc)

    def is_open(self, zone: str, at_utc: float) -> bool:
        """Whether he may be called then. Cheap when instants are asked in their order, zone by zone."""
        return self._zone(zone).is_open(at_utc)

    def day(self, zone: str, at_utc: float) -> str:
        """The day by the clock there, as "2026-11-28"."""
        almanac = self._zone(zone).almanac
        return datetime.fromtimestamp(at_utc, almanac.zone or None).date().isoformat()

    def next_day(self, zone: str, at_utc: float) -> float:
        """The next midnight there."""
        return self._zone(zone).almanac.end_of_day(at_utc)

    def _zone(self, name: str) -> "_Zone":
        name = name or self._default
        known = self._zones.get(name)
        if known is not None:
            return known
        try:
            zone = _Zone(Almanac(self._calendar, name))
        except ValueError:
            if name == self._default:
                raise
            zone = self._zone(self._default)
        if len(self._zones) < _MAX_ZONES:
            self._zones[name] = zone
        return zone


class _Zone:
    """Remembers what it was asked last: most questions are about now."""

    __slots__ = ("_from_utc", "_moment", "_until_utc", "almanac")

    def __init__(self, almanac: Almanac) -> None:
        self.almanac = almanac
        self._moment = Moment("open")
        self._from_utc = self._until_utc = 0.0

    def is_open(self, at_utc: float) -> bool:
        return self._at(at_utc).which == "open"

    def next_open(self, at_utc: float) -> float:
        for _ in range(_MAX_CHANGES):
            moment = self._at(at_utc)
            if moment.which == "open":
                return at_utc
            if not moment.until_utc:
                return math.inf
            at_utc = moment.until_utc
        return math.inf

    def _at(self, at_utc: float) -> Moment:
        if not self._from_utc <= at_utc < self._until_utc:
            self._moment = self.almanac.evaluate(at_utc)
            self._from_utc, self._until_utc = at_utc, self._moment.until_utc or at_utc + 1.0
        return self._moment


def closed_days(calendar: Calendar | None) -> tuple[Holiday, ...]:
    """Days of a calendar on which nobody is called: its holidays, and special days without hours. What it opens on
    special days concerns its own business, not the customers' rest."""
    if calendar is None:
        return ()
    return calendar.holidays + tuple(map(_as_holiday, (each for each in calendar.special_days if not each.hours)))


def _as_holiday(special: SpecialDay) -> Holiday:
    return Holiday(first=special.first, last=special.last, name=special.name)


def utc_text(at_utc: float) -> str:
    """For people: "2026-11-28 08:00 UTC"."""
    return datetime.fromtimestamp(at_utc, UTC).strftime("%Y-%m-%d %H:%M UTC")
