"""What is asked of the event log: a stretch of it, in the order in which it was told."""

from typing import Protocol

import msgspec
from sqlalchemy import delete, select, tuple_

from model.records import EventRecord
from storage import schema
from storage.database import Database
from storage.errors import CursorError
from storage.filters import MAX_PAGE, Page

_e = schema.event_log.c
_COLUMNS = [_e[name] for name in EventRecord.__struct_fields__]


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Empty texts and zeros do not restrict."""

    start_utc: float = 0.0
    """At this instant or later."""
    end_utc: float = 0.0
    """Before this instant."""
    names: tuple[str, ...] = ()
    queue: str = ""
    agent_id: str = ""
    call_id: str = ""


class EventBook(Protocol):
    """The log, wherever it is kept."""

    async def find(
        self, criteria: EventFilter | None = None, *, after: str = "", limit: int = 50
    ) -> Page[EventRecord]: ...
    async def forget_before(self, instant_utc: float, limit: int) -> int: ...


class EventQueries:
    """UnavailableError when the database cannot be read (or written, for changes)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, criteria: EventFilter | None = None, *, after: str = "", limit: int = 50) -> Page[EventRecord]:
        """Oldest first. ValueError for a bad limit, CursorError for a bad `after`."""
        criteria = criteria or EventFilter()
        check_limit(limit)
        statement = select(*_COLUMNS).order_by(_e.at_utc, _e.seq).limit(limit + 1)
        place = parse_place(after) if after else None
        # Also with a place: of its two columns SQLite's index sees the first only, and would read from the start again.
        if start_utc := max(criteria.start_utc, place[0] if place else 0.0):
            statement = statement.where(_e.at_utc >= start_utc)
        if criteria.end_utc:
            statement = statement.where(_e.at_utc < criteria.end_utc)
        if criteria.names:
            statement = statement.where(_e.name.in_(criteria.names))
        for name in ("queue", "agent_id", "call_id"):
            if value := getattr(criteria, name):
                statement = statement.where(_e[name] == value)
        if place:
            statement = statement.where(tuple_(_e.at_utc, _e.seq) > tuple_(*place))
        async with self._database.read() as connection:
            found = [EventRecord(**row._asdict()) for row in await connection.execute(statement)]
        return page_of(found, limit)

    async def forget_before(self, instant_utc: float, limit: int) -> int:
        """Deletes what is older, the oldest first and at most `limit` of it; returns how many that were."""
        oldest = select(_e.node, _e.seq).where(_e.at_utc < instant_utc).order_by(_e.at_utc).limit(limit)
        async with self._database.write() as connection:
            done = await connection.execute(delete(schema.event_log).where(tuple_(_e.node, _e.seq).in_(oldest)))
            return int(done.rowcount)


def check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"limit must be 1 to {MAX_PAGE}, not {limit}")


def parse_place(after: str) -> tuple[float, int]:
    """Where a page ends. Raises CursorError."""
    try:
        at, _, seq = after.partition("_")
        return float.fromhex(at), int(seq)
    except ValueError:
        raise CursorError(after) from None


def page_of(found: list[EventRecord], limit: int) -> Page[EventRecord]:
    """`found` has one more than the page when there are more."""
    items = found[:limit]
    if len(found) <= limit:
        return Page(items)
    return Page(items, f"{items[-1].at_utc.hex()}_{items[-1].seq}")
