"""The audit log in the database. Rows are written by the writer and never changed; what is asked of them is here."""

from collections.abc import AsyncIterator

from sqlalchemy import select

from model.audit import FIRST_HASH, AuditRecord
from storage import schema
from storage.database import Database
from storage.errors import CursorError
from storage.filters import MAX_PAGE, AuditFilter, Page

_a = schema.audit_log.c
_COLUMNS = [_a[name] for name in AuditRecord.__struct_fields__]


class AuditQueries:
    """UnavailableError when the database cannot be read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> tuple[int, str]:
        """(seq, hash) of the last row."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(_a.seq, _a.hash).order_by(_a.seq.desc()).limit(1))).first()
        return (row[0], row[1]) if row is not None else (0, FIRST_HASH)

    async def find(self, criteria: AuditFilter, *, after: str = "", limit: int = 50) -> Page[AuditRecord]:
        """The latest first. ValueError for a bad limit, CursorError for a bad `after`."""
        if not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"limit must be 1 to {MAX_PAGE}, not {limit}")
        statement = select(*_COLUMNS).order_by(_a.seq.desc()).limit(limit + 1)
        if after:
            statement = statement.where(_a.seq < parse_seq(after))
        if criteria.start_utc:
            statement = statement.where(_a.at_utc >= criteria.start_utc)
        if criteria.end_utc:
            statement = statement.where(_a.at_utc < criteria.end_utc)
        if criteria.action.endswith("."):
            statement = statement.where(_a.action.startswith(criteria.action, autoescape=True))
        elif criteria.action:
            statement = statement.where(_a.action == criteria.action)
        for name in ("who", "subject", "outcome"):
            if value := getattr(criteria, name):
                statement = statement.where(_a[name] == value)
        async with self._database.read() as connection:
            found = [AuditRecord(**row._asdict()) for row in await connection.execute(statement)]
        items = found[:limit]
        return Page(items, str(items[-1].seq) if len(found) > limit else "")

    async def pages(self) -> AsyncIterator[list[AuditRecord]]:
        """All rows in order, a page at a time."""
        seq = 0
        while True:
            statement = select(*_COLUMNS).where(_a.seq > seq).order_by(_a.seq).limit(MAX_PAGE)
            async with self._database.read() as connection:
                page = [AuditRecord(**row._asdict()) for row in await connection.execute(statement)]
            if not page:
                return
            yield page
            seq = page[-1].seq


def parse_seq(cursor: str) -> int:
    """Raises CursorError."""
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise CursorError(f"{cursor!r} is no cursor")
    return int(cursor)
