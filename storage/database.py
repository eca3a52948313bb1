"""Engines on the database of a URL: how SQLite is set up, who reads and who writes.

Readers and the writers of configuration are SQLAlchemy engines on aiosqlite or asyncpg; call records go through the
writer's own connection (`storage/sinks.py`), so that neither waits for the other's queue.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.errors import UnavailableError
from storage.migrations import upgrade_connection
from storage.urls import sqlite_path

log = logging.getLogger(__name__)

N_READERS = 4
"""Connections that read at a time, with SQLite a thread each. A statistic of seconds leaves some for look-ups."""

OPEN_TRIES = 4
OPEN_PAUSE_S = 0.1

WRITE_PRAGMAS = (
    "journal_mode = WAL",
    # An acknowledged record must survive a power cut. With NORMAL the last commits of a WAL may go; FULL costs one
    # fsync a batch, which batching makes two or so a second.
    "synchronous = FULL",
    "busy_timeout = 2000",
    "foreign_keys = ON",
    "cache_size = -16000",
    "temp_store = MEMORY",
    # Pages that many batches touch are then copied into the database once in 16 MB of log instead of once in 4.
    "wal_autocheckpoint = 4000",
    "journal_size_limit = 67108864",
)
READ_PRAGMAS = ("busy_timeout = 2000", "query_only = ON", "cache_size = -32000", "temp_store = MEMORY")


def _prepare_sqlite(engine: Engine, pragmas: tuple[str, ...], begin: str) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        # sqlite3 must begin no transactions of its own: as readers they fail when they come to write.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _engine(url: URL, pragmas: tuple[str, ...], begin: str, size: int) -> AsyncEngine:
    if sqlite_path(url) is None:
        return create_async_engine(url, pool_size=size, max_overflow=0, pool_pre_ping=True)
    engine = create_async_engine(url, pool_size=size, max_overflow=0)
    _prepare_sqlite(engine.sync_engine, pragmas, begin)
    return engine


class Database:
    """The engines of one database; `open` brings its schema up to date first."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.path = sqlite_path(url)
        self._reader = _engine(url, READ_PRAGMAS, "BEGIN", N_READERS)
        self._writer = _engine(url, WRITE_PRAGMAS, "BEGIN IMMEDIATE", 1)

    @classmethod
    async def open(cls, url: URL) -> "Database":
        """Creates or upgrades the database. UnavailableError when it cannot be reached or written; ModuleNotFoundError
        when PostgreSQL is asked for without asyncpg."""
        database = cls(url)
        try:
            for left in reversed(range(OPEN_TRIES)):
                try:
                    async with database.write() as connection:
                        await connection.run_sync(upgrade_connection)
                    break
                except UnavailableError:
                    # Two that make a new file at once may both be refused at once, whatever the busy timeout: each
                    # holds what the other needs to change the journal's mode.
                    if not left or database.path is None:
                        raise
                    await asyncio.sleep(OPEN_PAUSE_S)
        except BaseException:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the database for as long as it is held."""
        async with self._guarded(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is durable when the block is left without error."""
        async with self._guarded(self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def _guarded(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            if _is_unavailable(error):
                raise UnavailableError(str(error.orig)) from error
            raise
        except OSError as error:
            raise UnavailableError(str(error)) from error

    async def close(self) -> None:
        await self._reader.dispose()
        await self._writer.dispose()


def _is_unavailable(error: DBAPIError) -> bool:
    # Locked, full, I/O, connection lost are operational errors with both drivers. No subclass: a file that is no
    # database (DatabaseError), a server that takes no connections yet (DBAPIError).
    return (
        error.connection_invalidated
        or isinstance(error, (OperationalError, InterfaceError))
        or type(error) in (DatabaseError, DBAPIError)
    )
