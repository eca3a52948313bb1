"""Calendars as they are configured and stored: when a business is open (FEATURES ACC-04, ACC-05, XACC-01)."""

from typing import Annotated, Literal

from msgspec import Meta

from model.settings import Name, Section, Text

Which = Literal["open", "closed", "holiday", "emergency"]
"""emergency before everything, then special days, holidays, opening hours; closed is what remains."""

Day = Annotated[
    str,
    Meta(
        pattern=r"^(\d{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
        description='"2026-10-01", or "10-01" for every year.',
    ),
]
LastDay = Annotated[
    str,
    Meta(
        pattern=r"^((\d{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))?$",
        description="Last day, written as the first; empty: one day.",
    ),
]


class Holiday(Section, frozen=True):
    """Days on which a calendar says holiday."""

    first: Day
    last: LastDay = ""
    name: Annotated[Text, Meta(description="What is celebrated.")] = ""


class SpecialDay(Section, frozen=True):
    """Days with hours of their own, also when they are holidays: a working Saturday, a short day before a feast."""

    first: Day
    last: LastDay = ""
    hours: Annotated[
        Text, Meta(description='Hours of these days: "08:30-12:00; 13:30-17:30"; empty: closed all day.')
    ] = ""
    name: Annotated[Text, Meta(description="Why.")] = ""


class Calendar(Section, frozen=True):
    """When a business is open. Special days before holidays before hours; `calendar.close` goes before all of them."""

    name: Name
    time_zone: Annotated[
        Text, Meta(description='"Asia/Shanghai", "Europe/Berlin" …; empty: numbering.time_zone, or this machine\'s.')
    ] = ""
    hours: Annotated[
        str,
        Meta(
            max_length=2000,
            description='"mon-fri 08:30-12:00; mon-fri 13:30-18:00; sat 22:00-02:00"; what goes past midnight '
            "belongs to the day on which it began; empty: day and night.",
        ),
    ] = ""
    holidays: Annotated[
        tuple[Holiday, ...],
        Meta(max_length=1000, description='{ first = "10-01", last = "10-07", name = "National Day" }; closed then.'),
    ] = ()
    special_days: Annotated[
        tuple[SpecialDay, ...],
        Meta(max_length=1000, description='{ first = "2026-10-10", hours = "08:30-17:30", name = "make-up day" }.'),
    ] = ()


class Closure(Section, frozen=True):
    """An emergency closure: of one calendar, or (calendar "") of all access numbers."""

    calendar: str
    since_utc: float
    until_utc: float = 0.0
    reason: str = ""
    by: str = ""
