"""What may be asked of calls and recordings (REC-08, REC-09), every criterion alone or together with others.

Empty texts and zeros do not restrict. Pages go from new to old by a cursor (the last row's time and id), so page 1000
costs what page 1 costs and no row is shown twice when new ones arrive.
"""

from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, Table, select, tuple_, union

from storage.errors import CursorError

T = TypeVar("T")

MAX_PAGE = 1000


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some rows, newest first."""

    items: list[T]
    after: str = ""
    """Give it as `after` for the next page; empty: this was the last."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What calls and recordings have in common."""

    start_utc: float = 0.0
    """Created (a recording: started) at this instant or later."""
    end_utc: float = 0.0
    """Created before this instant."""
    caller: str = ""
    dialed: str = ""
    number: str = ""
    """Caller or dialed."""
    is_suffix: bool = False
    """`caller`, `dialed` and `number` give the end of the number, not all of it."""
    extension: str = ""
    """The extension that talked or was rung last; an extension that called an other one is its `caller`."""
    agent_id: str = ""
    trunk: str = ""
    min_duration_s: float = 0.0
    max_duration_s: float = 0.0
    domain: str = ""


class CallFilter(Filter, frozen=True, kw_only=True):
    direction: str = ""
    access_number: str = ""
    hangup_cause: str = ""
    is_answered: bool | None = None


class RecordingFilter(Filter, frozen=True, kw_only=True):
    call_id: str = ""
    state: str = ""
    is_important: bool | None = None


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the audit log."""

    start_utc: float = 0.0
    end_utc: float = 0.0
    who: str = ""
    action: str = ""
    """Ends it in a dot: all that begin so."""
    subject: str = ""
    outcome: str = ""


_EQUAL = ("extension", "agent_id", "trunk", "direction", "access_number", "hangup_cause", "call_id", "state")


def equal_fields(criteria: Filter) -> list[tuple[str, str]]:
    """The fields of a record that must have a value, and the value."""
    return [(name, value) for name in _EQUAL if (value := getattr(criteria, name, ""))]


def clauses(table: Table, at: str, criteria: Filter) -> list[ColumnElement[bool]]:
    """The conditions of all criteria but `number`; `at` names the column of time."""
    column = table.c
    found: list[ColumnElement[bool]] = [column.domain == criteria.domain]
    if criteria.start_utc:
        found.append(column[at] >= criteria.start_utc)
    if criteria.end_utc:
        found.append(column[at] < criteria.end_utc)
    for name in ("caller", "dialed"):
        if value := getattr(criteria, name):
            found += _number_is(table, name, value, criteria.is_suffix)
    found += [column[name] == value for name, value in equal_fields(criteria)]
    if criteria.min_duration_s:
        found.append(column.duration_s >= criteria.min_duration_s)
    if criteria.max_duration_s:
        found.append(column.duration_s <= criteria.max_duration_s)
    if isinstance(criteria, CallFilter) and criteria.is_answered is not None:
        found.append(column.answered_utc > 0 if criteria.is_answered else column.answered_utc == 0)
    if isinstance(criteria, RecordingFilter) and criteria.is_important is not None:
        found.append(column.is_important if criteria.is_important else ~column.is_important)
    return found


def arms(table: Table, at: str, criteria: Filter) -> list[list[ColumnElement[bool]]]:
    """The conditions as alternatives: two when `number` may be on either side, one otherwise."""
    common = clauses(table, at, criteria)
    if not criteria.number:
        return [common]
    return [common + _number_is(table, side, criteria.number, criteria.is_suffix) for side in ("caller", "dialed")]


def _number_is(table: Table, name: str, value: str, is_suffix: bool) -> list[ColumnElement[bool]]:
    backwards = value[::-1]
    column = table.c[f"{name}_reversed"]
    if not is_suffix:
        return [column == backwards]
    # All texts that begin with `backwards`: none of them sorts behind it followed by the last code point there is.
    return [column >= backwards, column <= backwards + "\U0010ffff"]


def page_statement(
    table: Table, key: str, at: str, columns: list[Any], criteria: Filter, after: str, limit: int
) -> Select[Any]:
    """Rows that meet `criteria`, newest first, one more than `limit` so that the caller sees whether there are more.

    ValueError when `limit` is not in 1 … MAX_PAGE, CursorError when `after` is not a cursor.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"limit must be 1 to {MAX_PAGE}, not {limit}")
    order = (table.c[at].desc(), table.c[key].desc())
    # Each arm walks its index backwards in the order asked for and stops at the limit; an OR would have to read and
    # sort every call of the number. Who called himself is in both: hence the union of what little is left.
    limited = []
    for conditions in arms(table, at, criteria):
        arm = select(table.c[key]).where(*conditions).order_by(*order).limit(limit + 1)
        if after:
            arm = arm.where(tuple_(table.c[at], table.c[key]) < tuple_(*parse_cursor(after)))
        limited.append(arm)
    if len(limited) == 1:
        keys = limited[0].subquery("found")
    else:
        keys = union(*(select(arm.subquery(f"arm{i}")) for i, arm in enumerate(limited))).subquery("found")
    return select(*columns).join(keys, table.c[key] == keys.c[key]).order_by(*order).limit(limit + 1)


def format_cursor(at_utc: float, key: str) -> str:
    return f"{at_utc!r}~{key}"


def parse_cursor(cursor: str) -> tuple[float, str]:
    at_utc, separator, key = cursor.partition("~")
    try:
        if not separator:
            raise ValueError("no separator")
        return float(at_utc), key
    except ValueError as error:
        raise CursorError(f"not a cursor: {cursor!r}") from error
