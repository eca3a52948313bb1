"""Do-not-call lists (XOUT-04): of all campaigns, and of each."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import msgspec
from msgspec.structs import astuple
from sqlalchemy import ColumnElement, delete, func, or_, select, text, tuple_

from model.dialing import DncEntry
from storage import schema_campaigns as schema
from storage.campaign_records import pieces
from storage.database import Database
from storage.errors import CursorError, NotFoundError
from storage.event_log import check_limit
from storage.filters import Page
from storage.upsert import execute, upsert

_d = schema.dnc.c
_COLUMNS = [_d[name] for name in DncEntry.__struct_fields__]
_KEY = (_d.number, _d.campaign, _d.is_prefix)
_UPSERT = upsert(schema.dnc, DncEntry.__struct_fields__)
_IN_TRANSACTION = 2000
_PAGE = 2000


class DncFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Empty texts do not restrict."""

    number: str = ""
    """Its beginning."""
    campaign: str | None = None
    """ "" = those that hold for all; None = all there are."""
    text: str = ""
    """In the reason or the number."""
    source: str = ""


class BarredBook(Protocol):
    """Do-not-call lists, wherever they are kept."""

    async def add(self, entries: Sequence[DncEntry]) -> int: ...
    async def remove(self, number: str, campaign: str = "", *, is_prefix: bool = False) -> None: ...
    async def remove_expired(self, wall: float, limit: int = 1000) -> list[DncEntry]: ...
    async def find(self, criteria: DncFilter, *, after: str = "", limit: int = 50) -> Page[DncEntry]: ...
    def all(self) -> AsyncIterator[list[DncEntry]]: ...


class BarredQueries:
    """Every change is durable on return. UnavailableError when the database cannot be read, or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entries: Sequence[DncEntry]) -> int:
        """In the place of what is there of the same number and campaign. Returns how many are new."""
        n = 0
        # Of one that is twice in a statement PostgreSQL takes neither.
        wanted = [*{key_of(entry): entry for entry in entries}.values()]
        for some in pieces(wanted, _IN_TRANSACTION):
            async with self._database.write() as connection:
                there: set[tuple[str, str, bool]] = set()
                for few in pieces([entry.number for entry in some], 500):
                    known = await connection.execute(select(*_KEY).where(_d.number.in_(few)))
                    there |= {(row[0], row[1], bool(row[2])) for row in known}
                await execute(connection, _UPSERT, [astuple(entry) for entry in some])
                n += sum(key_of(entry) not in there for entry in some)
        return n

    async def remove(self, number: str, campaign: str = "", *, is_prefix: bool = False) -> None:
        """NotFoundError when it is not there."""
        mine = (_d.number == number, _d.campaign == campaign, _d.is_prefix == is_prefix)
        async with self._database.write() as connection:
            if not (await connection.execute(delete(schema.dnc).where(*mine))).rowcount:
                raise NotFoundError("do-not-call entry", number)

    async def remove_expired(self, wall: float, limit: int = 1000) -> list[DncEntry]:
        """Those that hold no longer, at most `limit` of them."""
        clauses = (text(schema.EXPIRING), _d.expires_utc <= wall)
        async with self._database.write() as connection:
            rows = await connection.execute(select(*_COLUMNS).where(*clauses).order_by(_d.expires_utc).limit(limit))
            gone = [_entry(row) for row in rows]
            for some in pieces(gone, 300):
                keys = [key_of(entry) for entry in some]
                await connection.execute(delete(schema.dnc).where(tuple_(*_KEY).in_(keys)))
        return gone

    async def find(self, criteria: DncFilter, *, after: str = "", limit: int = 50) -> Page[DncEntry]:
        """By number. ValueError for a bad limit, CursorError for a bad `after`."""
        check_limit(limit)
        wanted = select(*_COLUMNS).where(*_clauses(criteria)).order_by(*_KEY).limit(limit + 1)
        if after:
            wanted = wanted.where(tuple_(*_KEY) > tuple_(*parse_key(after)))
        async with self._database.read() as connection:
            return page_of_barred([_entry(row) for row in await connection.execute(wanted)], limit)

    async def all(self) -> AsyncIterator[list[DncEntry]]:
        """Some thousand at a time."""
        after: tuple[str, str, bool] | None = None
        while True:
            wanted = select(*_COLUMNS).order_by(*_KEY).limit(_PAGE)
            if after:
                wanted = wanted.where(tuple_(*_KEY) > tuple_(*after))
            async with self._database.read() as connection:
                found = [_entry(row) for row in await connection.execute(wanted)]
            if found:
                yield found
            if len(found) < _PAGE:
                return
            after = key_of(found[-1])


def key_of(entry: DncEntry) -> tuple[str, str, bool]:
    return entry.number, entry.campaign, entry.is_prefix


def page_of_barred(found: list[DncEntry], limit: int) -> Page[DncEntry]:
    """`found` has one more than the page when there are more."""
    items = found[:limit]
    if len(found) <= limit:
        return Page(items)
    number, campaign, is_prefix = key_of(items[-1])
    return Page(items, f"{number}~{campaign}~{int(is_prefix)}")


def parse_key(cursor: str) -> tuple[str, str, bool]:
    """Raises CursorError."""
    parts = cursor.split("~")
    if len(parts) != 3 or parts[2] not in ("0", "1"):
        raise CursorError(f"not a cursor: {cursor!r}")
    return parts[0], parts[1], parts[2] == "1"


def _entry(row: Any) -> DncEntry:
    return DncEntry(**row._asdict())


def _clauses(criteria: DncFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if criteria.number:
        found.append(_d.number.startswith(criteria.number, autoescape=True))
    if criteria.campaign is not None:
        found.append(_d.campaign == criteria.campaign)
    if criteria.source:
        found.append(_d.source == criteria.source)
    if criteria.text:
        wanted = criteria.text.lower()
        found.append(or_(*(func.lower(column).contains(wanted, autoescape=True) for column in (_d.reason, _d.number))))
    return found
