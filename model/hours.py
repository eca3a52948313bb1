"""Times of the week, written as "mon-fri 08:00-18:00; sat 09:00-12:00". Pure.

A stretch whose end is not after its start goes past midnight, and belongs to the day on which it began.
"""

import re

import msgspec

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_PART = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? (\d\d):([0-5]\d)-(\d\d):([0-5]\d)")
FORM = 'as "mon-fri 08:00-18:00; sat 09:00-12:00"'


class Span(msgspec.Struct, frozen=True, gc=False):
    """One stretch of every week."""

    days: frozenset[int]
    """0 = Monday."""
    start: int
    """Minute of the day."""
    end: int


def parse_hours(text: str) -> tuple[Span, ...]:
    """The stretches of `text`; "" is none, which means always. Raises ValueError saying what would be right."""
    return tuple(_span(part.strip().lower()) for part in text.split(";") if part.strip())


def is_within(spans: tuple[Span, ...], weekday: int, minute: int) -> bool:
    """Whether the minute of the day (local time, 0 = Monday) lies in any of them; always when there are none."""
    if not spans:
        return True
    yesterday = (weekday - 1) % 7
    for span in spans:
        if span.start < span.end:
            if weekday in span.days and span.start <= minute < span.end:
                return True
        elif (weekday in span.days and minute >= span.start) or (yesterday in span.days and minute < span.end):
            return True
    return False


def _span(part: str) -> Span:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f'"{part}" is no time of the week; write it {FORM}')
    first, last = match[1], match[2] or match[1]
    start, end = int(match[3]) * 60 + int(match[4]), int(match[5]) * 60 + int(match[6])
    if first not in _DAYS or last not in _DAYS or start >= _DAY_MINUTES or end > _DAY_MINUTES:
        raise ValueError(f'"{part}": days are {", ".join(_DAYS)}; times 00:00 to 24:00')
    a, b = _DAYS.index(first), _DAYS.index(last)
    days = frozenset((a + i) % 7 for i in range((b - a) % 7 + 1))
    return Span(days, start, end)
