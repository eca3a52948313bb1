"""What is asked of messages in boxes (VM-03)."""

from typing import Protocol

import msgspec
from sqlalchemy import ColumnElement, func, select, text, tuple_

from model.records import MessageRecord
from storage import schema
from storage.database import Database
from storage.errors import NotFoundError
from storage.event_log import check_limit
from storage.filters import Page, format_cursor, parse_cursor

_m = schema.voicemail_messages.c
_COLUMNS = [_m[name] for name in MessageRecord.__struct_fields__]
IN_BOX = ("recording", "new", "heard")


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Empty texts and zeros do not restrict."""

    start_utc: float = 0.0
    """Left at this instant or later."""
    end_utc: float = 0.0
    """Left before this instant."""
    box: str = ""
    queue: str = ""
    caller: str = ""
    states: tuple[str, ...] = ()


class BoxTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one box; those that callers discarded are not among them."""

    box: str
    queue: str
    n_left: int
    n_new: int
    """Of them, nobody has heard so far."""
    n_called_back: int
    total_s: float
    heard_after_s: float
    """How long those that were heard had waited for it, on average; 0 = none was."""


class MessageBook(Protocol):
    """Messages, wherever they are kept."""

    async def get(self, message_id: str) -> MessageRecord: ...
    async def find(
        self, criteria: MessageFilter | None = None, *, after: str = "", limit: int = 50
    ) -> Page[MessageRecord]: ...
    async def in_boxes(self) -> list[MessageRecord]: ...
    async def totals(self, criteria: MessageFilter | None = None) -> list[BoxTotals]: ...


class MessageQueries:
    """UnavailableError when the database cannot be read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, message_id: str) -> MessageRecord:
        """NotFoundError when there is none."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(*_COLUMNS).where(_m.message_id == message_id))).first()
        if row is None:
            raise NotFoundError("message", message_id)
        return MessageRecord(**row._asdict())

    async def find(
        self, criteria: MessageFilter | None = None, *, after: str = "", limit: int = 50
    ) -> Page[MessageRecord]:
        """Newest first. ValueError for a bad limit, CursorError for a bad `after`."""
        check_limit(limit)
        statement = (
            select(*_COLUMNS)
            .where(*_clauses(criteria))
            .order_by(_m.left_utc.desc(), _m.message_id.desc())
            .limit(limit + 1)
        )
        if after:
            statement = statement.where(tuple_(_m.left_utc, _m.message_id) < tuple_(*parse_cursor(after)))
        async with self._database.read() as connection:
            found = [MessageRecord(**row._asdict()) for row in await connection.execute(statement)]
        return page_of(found, limit)

    async def in_boxes(self) -> list[MessageRecord]:
        """All that are there, oldest first."""
        statement = select(*_COLUMNS).where(text(schema.LIVE_MESSAGES)).order_by(_m.left_utc)
        async with self._database.read() as connection:
            return [MessageRecord(**row._asdict()) for row in await connection.execute(statement)]

    async def totals(self, criteria: MessageFilter | None = None) -> list[BoxTotals]:
        """By box."""
        wait = func.sum(_m.heard_utc - _m.left_utc).filter(_m.heard_utc > 0)
        statement = (
            select(
                _m.box,
                func.max(_m.queue),
                func.count(),
                func.count().filter(_m.state == "new"),
                func.count().filter(_m.called_back_utc > 0),
                func.sum(_m.duration_s),
                func.coalesce(wait / func.nullif(func.count().filter(_m.heard_utc > 0), 0), 0.0),
            )
            .where(*_clauses(criteria), _m.state.in_(("new", "heard", "deleted")))
            .group_by(_m.box)
            .order_by(_m.box)
        )
        async with self._database.read() as connection:
            return [
                BoxTotals(
                    box=row[0],
                    queue=row[1],
                    n_left=row[2],
                    n_new=row[3],
                    n_called_back=row[4],
                    total_s=row[5],
                    heard_after_s=row[6],
                )
                for row in await connection.execute(statement)
            ]


def page_of(found: list[MessageRecord], limit: int) -> Page[MessageRecord]:
    """`found` has one more than the page when there are more."""
    items = found[:limit]
    after = format_cursor(items[-1].left_utc, items[-1].message_id) if len(found) > limit else ""
    return Page(items, after)


def _clauses(criteria: MessageFilter | None) -> list[ColumnElement[bool]]:
    criteria = criteria or MessageFilter()
    found: list[ColumnElement[bool]] = []
    if criteria.start_utc:
        found.append(_m.left_utc >= criteria.start_utc)
    if criteria.end_utc:
        found.append(_m.left_utc < criteria.end_utc)
    for name in ("box", "queue", "caller"):
        if value := getattr(criteria, name):
            found.append(_m[name] == value)
    if criteria.states:
        found.append(_m.state.in_(criteria.states))
    return found
