"""Commands on access numbers and calendars. `switch/access_desk.py` handles them."""

from typing import Annotated

from msgspec import Meta

from model import views
from model.access_numbers import AccessNumber
from model.calendars import Calendar, Which
from model.commands import OptionalText
from model.declare import Command, command
from model.errors import InvalidValue, NoSuchAccessNumber, NoSuchCalendar, StorageUnavailable, WrongState

At = Annotated[float, Meta(ge=0.0, le=32503680000.0)]
CalendarName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,64}$")]
DialedNumber = Annotated[str, Meta(min_length=1, max_length=64)]


class CalendarMoment(views.View, frozen=True, kw_only=True):
    """What a calendar says at an instant."""

    calendar: str
    at_utc: float
    which: Which
    name: str = ""
    """Of the holiday or special day; the reason of a closure."""
    until_utc: float = 0.0
    """When that changes; 0 = not within a year, or (a closure) not before it is lifted."""


class CalendarView(views.View, frozen=True, kw_only=True):
    """A calendar and what it says now."""

    calendar: Calendar
    source: str
    """file (read-only by API) or database."""
    now: CalendarMoment


class ClosureView(views.View, frozen=True, kw_only=True):
    """An emergency closure."""

    calendar: str
    """Empty = of all access numbers."""
    since_utc: float
    until_utc: float
    """0 = until it is lifted."""
    reason: str
    by: str


class CalendarList(views.View, frozen=True, kw_only=True):
    """All calendars, and the closures in force."""

    calendars: list[CalendarView]
    closures: list[ClosureView]


class AccessMoment(views.View, frozen=True, kw_only=True):
    """What happens to a call of an access number at an instant."""

    number: str
    trunk: str
    calendar: str
    at_utc: float
    which: Which
    until_utc: float = 0.0
    """As for its calendar."""
    to: str = ""
    """Where its calls go; empty = they are refused."""
    leads_to: str
    """extension, conference, queue, flow, voicemail, trunk or refused: what that is as things are now."""
    why: str = ""
    """Why they are refused."""


class AccessNumberView(views.View, frozen=True, kw_only=True):
    """An access number and what happens to its calls now."""

    access_number: AccessNumber
    source: str
    """file (read-only by API) or database."""
    now: AccessMoment


class AccessNumberList(views.View, frozen=True, kw_only=True):
    """Access numbers, by number."""

    access_numbers: list[AccessNumberView]


@command("access_number.list", role="viewer", result=AccessNumberList)
class ListAccessNumbers(Command, frozen=True, kw_only=True):
    """Access numbers and where their calls go now."""

    prefix: OptionalText = ""
    """Only numbers that begin with this."""


@command(
    "access_number.set",
    permission="routing.manage",
    result=AccessNumberView,
    errors=(InvalidValue, NoSuchCalendar, StorageUnavailable),
)
class SetAccessNumber(Command, frozen=True, kw_only=True):
    """Adds an access number, or changes all of it; the next call follows. Those of the file are changed there."""

    access_number: AccessNumber


@command(
    "access_number.remove",
    permission="routing.manage",
    result=views.Done,
    errors=(NoSuchAccessNumber, InvalidValue, StorageUnavailable),
)
class RemoveAccessNumber(Command, frozen=True, kw_only=True):
    """Removes an access number; calls that came by it go on."""

    number: DialedNumber
    trunk: OptionalText = ""


@command("access_number.evaluate", role="viewer", result=AccessMoment, errors=(NoSuchAccessNumber,))
class EvaluateAccessNumber(Command, frozen=True, kw_only=True):
    """What would happen to a call of this number at an instant, by the calendar; nothing is called."""

    number: DialedNumber
    """Written in any way that a trunk may deliver."""
    trunk: OptionalText = ""
    at_utc: At = 0.0
    """0 = now."""


@command("calendar.list", role="viewer", result=CalendarList)
class ListCalendars(Command, frozen=True, kw_only=True):
    """Calendars, what they say now, and emergency closures."""


@command("calendar.set", permission="routing.manage", result=CalendarView, errors=(InvalidValue, StorageUnavailable))
class SetCalendar(Command, frozen=True, kw_only=True):
    """Adds a calendar, or changes all of it; the next call follows. Those of the file are changed there."""

    calendar: Calendar


@command(
    "calendar.remove",
    permission="routing.manage",
    result=views.Done,
    errors=(NoSuchCalendar, InvalidValue, WrongState, StorageUnavailable),
)
class RemoveCalendar(Command, frozen=True, kw_only=True):
    """Removes a calendar that no access number follows."""

    calendar: CalendarName


@command("calendar.evaluate", role="viewer", result=CalendarMoment, errors=(NoSuchCalendar,))
class EvaluateCalendar(Command, frozen=True, kw_only=True):
    """What a calendar says at an instant, and how long."""

    calendar: CalendarName
    at_utc: At = 0.0
    """0 = now."""


@command(
    "calendar.close", role="supervisor", result=ClosureView, errors=(NoSuchCalendar, InvalidValue, StorageUnavailable)
)
class CloseCalendar(Command, frozen=True, kw_only=True):
    """Closes at once, whatever the hours say: fire alarm, no power, nobody there. A restart changes nothing."""

    calendar: CalendarName = ""
    """Empty = all access numbers."""
    is_for_today: bool = False
    """Ends at midnight, by the calendar's time zone."""
    until_utc: At = 0.0
    """Ends then; 0 = when `calendar.reopen` comes."""
    reason: OptionalText = ""


@command(
    "calendar.reopen", role="supervisor", result=views.Done, errors=(NoSuchCalendar, WrongState, StorageUnavailable)
)
class ReopenCalendar(Command, frozen=True, kw_only=True):
    """Lifts an emergency closure."""

    calendar: CalendarName = ""
    """As in `calendar.close`."""
