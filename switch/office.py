"""Which of its targets an access number has at an instant: calendars and emergency closures in memory. Pure."""

import msgspec

from model.access_numbers import AccessNumber
from model.almanac import Almanac, Moment, is_in_force
from model.calendars import Calendar, Closure, Which

EVERYTHING = ""
"""The calendar of a closure that holds for all access numbers."""


class Choice(msgspec.Struct, frozen=True, gc=False):
    which: Which
    to: str
    """Empty: refuse."""


class Office:
    """The live table of calendars. `time_zone` is that of calendars that name none, "" = this machine's."""

    def __init__(self, calendars: tuple[Calendar, ...], time_zone: str) -> None:
        self._time_zone = time_zone
        self.almanacs: dict[str, Almanac] = {}
        self.closures: dict[str, Closure] = {}
        self._always = Almanac(Calendar(name="always"), time_zone)
        for calendar in calendars:
            self.put(calendar)

    def put(self, calendar: Calendar) -> None:
        """Raises ValueError, and changes nothing, when the calendar makes no sense."""
        self.almanacs[calendar.name] = Almanac(calendar, self._time_zone)

    def almanac(self, name: str) -> Almanac:
        """That of no calendar is always open. Raises KeyError."""
        return self.almanacs[name] if name else self._always

    def closure(self, calendar: str, at_utc: float) -> Closure | None:
        """The closure in force, of this calendar or of everything; of two the one that lasts longer."""
        found = [c for name in {calendar, EVERYTHING} if (c := self.closures.get(name)) and is_in_force(c, at_utc)]
        return max(found, key=lambda closure: closure.until_utc or float("inf"), default=None)

    def evaluate(self, calendar: str, at_utc: float) -> Moment:
        """What the calendar says and until when. Raises KeyError."""
        return self.almanac(calendar).evaluate(at_utc, self.closure(calendar, at_utc))

    def choose(self, number: AccessNumber, at_utc: float) -> Choice:
        """Where calls of the number go."""
        if self.closures and self.closure(number.calendar, at_utc) is not None:
            return Choice("emergency", number.emergency_to or number.off_to)
        if not number.calendar:
            return Choice("open", number.to)
        which = self.almanacs[number.calendar].say(at_utc)[0]
        match which:
            case "open":
                return Choice(which, number.to)
            case "holiday":
                return Choice(which, number.holiday_to or number.off_to)
            case _:
                return Choice(which, number.off_to)
