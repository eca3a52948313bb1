"""Events about access numbers and calendars."""

from model.declare import Event, event


@event("access_number.changed")
class AccessNumberChanged(Event, frozen=True, kw_only=True):
    """An access number was set or removed."""

    number: str
    trunk: str = ""
    change: str
    """set or removed."""
    by: str = ""
    """The API user that did it."""


@event("calendar.changed")
class CalendarChanged(Event, frozen=True, kw_only=True):
    """A calendar was set or removed."""

    calendar: str
    change: str
    """set or removed."""
    by: str = ""


@event("calendar.closed")
class CalendarClosed(Event, frozen=True, kw_only=True):
    """An emergency closure began."""

    calendar: str
    """Empty = of all access numbers."""
    until_utc: float = 0.0
    """0 = until it is lifted."""
    reason: str = ""
    by: str = ""


@event("calendar.reopened")
class CalendarReopened(Event, frozen=True, kw_only=True):
    """An emergency closure was lifted before its time; one that has an end ends silently then."""

    calendar: str
    by: str = ""
