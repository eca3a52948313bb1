"""Flows: the draft of each, and its versions. The newest version is the published one."""

from typing import Protocol

import msgspec
from sqlalchemy import ColumnElement, Insert, delete, func, insert, or_, select, tuple_

from storage import schema
from storage.database import Database
from storage.errors import NotFoundError

_f = schema.flows.c
DRAFT = 0
"""In place of a version."""


class FlowRow(msgspec.Struct, frozen=True, kw_only=True):
    """A draft or a version."""

    name: str
    version: int
    document: str
    """JSON."""
    saved_utc: float
    saved_by: str = ""
    note: str = ""


class FlowHead(msgspec.Struct, frozen=True, kw_only=True):
    """A draft or a version, without its document."""

    name: str
    version: int
    saved_utc: float
    saved_by: str
    note: str
    size: int
    """Characters of the document."""


class FlowBook(Protocol):
    """Flows, wherever they are kept."""

    async def published(self) -> list[FlowRow]: ...
    async def heads(self) -> list[FlowHead]: ...
    async def versions(self, name: str) -> list[FlowHead]: ...
    async def get(self, name: str, version: int) -> FlowRow: ...
    async def save_draft(self, row: FlowRow) -> None: ...
    async def publish(self, row: FlowRow, *, keep: int, is_draft_done: bool) -> None: ...
    async def remove(self, name: str) -> None: ...
    async def remove_draft(self, name: str) -> None: ...


class FlowQueries:
    """Every change is durable on return. UnavailableError when the database cannot be read, or written."""

    def __init__(self, database: Database, domain: str = "") -> None:
        self._database = database
        self._domain = domain
        self._mine = _f.domain == domain

    async def published(self) -> list[FlowRow]:
        """The newest version of each."""
        newest = select(_f.name, func.max(_f.version)).where(self._mine, _f.version > DRAFT).group_by(_f.name)
        wanted = (
            select(*[_f[name] for name in FlowRow.__struct_fields__])
            .where(self._mine, tuple_(_f.name, _f.version).in_(newest))
            .order_by(_f.name)
        )
        async with self._database.read() as connection:
            return [FlowRow(**row._asdict()) for row in await connection.execute(wanted)]

    async def heads(self) -> list[FlowHead]:
        """The draft and the newest version of each, by name."""
        newest = select(_f.name, func.max(_f.version)).where(self._mine).group_by(_f.name)
        return await self._heads(or_(_f.version == DRAFT, tuple_(_f.name, _f.version).in_(newest)))

    async def versions(self, name: str) -> list[FlowHead]:
        """Draft and versions of one; empty when there is none."""
        return await self._heads(_f.name == name)

    async def get(self, name: str, version: int) -> FlowRow:
        """NotFoundError when there is none."""
        wanted = select(*[_f[field] for field in FlowRow.__struct_fields__])
        async with self._database.read() as connection:
            row = (await connection.execute(wanted.where(self._mine, _f.name == name, _f.version == version))).first()
        if row is None:
            raise NotFoundError("flow", name)
        return FlowRow(**row._asdict())

    async def save_draft(self, row: FlowRow) -> None:
        """In the place of the draft that there was."""
        async with self._database.write() as connection:
            await connection.execute(delete(schema.flows).where(*self._is(row.name, DRAFT)))
            await connection.execute(self._insert(msgspec.structs.replace(row, version=DRAFT)))

    async def publish(self, row: FlowRow, *, keep: int, is_draft_done: bool) -> None:
        """Adds a version, and forgets all but the newest `keep`; in one transaction with the end of the draft."""
        async with self._database.write() as connection:
            await connection.execute(self._insert(row))
            if is_draft_done:
                await connection.execute(delete(schema.flows).where(*self._is(row.name, DRAFT)))
            old = (_f.version > DRAFT, _f.version <= row.version - keep)
            await connection.execute(delete(schema.flows).where(self._mine, _f.name == row.name, *old))

    async def remove(self, name: str) -> None:
        """Draft and versions; nothing where there is none."""
        async with self._database.write() as connection:
            await connection.execute(delete(schema.flows).where(self._mine, _f.name == name))

    async def remove_draft(self, name: str) -> None:
        """Nothing where there is none."""
        async with self._database.write() as connection:
            await connection.execute(delete(schema.flows).where(*self._is(name, DRAFT)))

    async def _heads(self, clause: ColumnElement[bool]) -> list[FlowHead]:
        columns = [_f[name] for name in FlowHead.__struct_fields__ if name != "size"]
        wanted = select(*columns, func.length(_f.document).label("size")).where(self._mine, clause)
        async with self._database.read() as connection:
            found = await connection.execute(wanted.order_by(_f.name, _f.version))
            return [FlowHead(**row._asdict()) for row in found]

    def _insert(self, row: FlowRow) -> Insert:
        return insert(schema.flows).values(domain=self._domain, **msgspec.structs.asdict(row))

    def _is(self, name: str, version: int) -> tuple[ColumnElement[bool], ...]:
        return self._mine, _f.name == name, _f.version == version
