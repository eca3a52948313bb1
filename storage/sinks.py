"""Where the writer's batches go: one transaction each, over the driver itself.

A batch that comes back without error is durable. RejectedError: it never will be as it is; UnavailableError: not now.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from storage.database import WRITE_PRAGMAS
from storage.errors import RejectedError, UnavailableError
from storage.rows import Record, plan

T = TypeVar("T")

_UNWRITABLE = (TypeError, ValueError, AttributeError, AssertionError, OverflowError)
"""What a record with a value of the wrong kind raises on its way to the driver (UnicodeEncodeError is a ValueError)."""


class Sink(Protocol):
    async def write(self, records: Sequence[Record]) -> None:
        """Writes all of `records` or none."""

    async def close(self) -> None: ...


class SqliteSink:
    """A connection in a thread of its own; a batch is one visit to it (aiosqlite would need one a statement)."""

    def __init__(self, path: Path, *, prepare: Callable[[sqlite3.Connection], None] | None = None) -> None:
        """`prepare` is called with every new connection, before it is used."""
        self._path = path
        self._prepare = prepare
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="storage-writer")
        self._connection: sqlite3.Connection | None = None

    async def write(self, records: Sequence[Record]) -> None:
        await self._run(lambda: self._write(records))

    async def close(self) -> None:
        await self._run(self._disconnect)
        self._thread.shutdown()

    async def _run(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _write(self, records: Sequence[Record]) -> None:
        try:
            connection = self._connection or self._connect()
            connection.execute("BEGIN IMMEDIATE")
            for statement, rows in plan(records):
                for sql, values in statement.chunks(rows):
                    connection.execute(sql, values)
            connection.execute("COMMIT")
        except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError) as error:
            self._roll_back()
            raise RejectedError(str(error)) from error
        except sqlite3.Error as error:
            # After an I/O error the connection's view of its log cannot be trusted; a new one reads it again.
            self._disconnect()
            raise UnavailableError(str(error)) from error
        except _UNWRITABLE as error:
            self._roll_back()
            raise RejectedError(f"{type(error).__name__}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        # The thread is the connection's only user, but not always its maker: close() may run in another pool thread.
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in WRITE_PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            if self._prepare is not None:
                self._prepare(connection)
        except sqlite3.Error:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class PostgresSink:
    """A connection of asyncpg's own, made again when it is lost."""

    def __init__(self, url: URL) -> None:
        import asyncpg  # type: ignore[import-untyped,import-not-found,unused-ignore]

        self._engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True)
        self._errors = asyncpg.exceptions
        self._rejections: tuple[type[Exception], ...] = (
            asyncpg.exceptions.IntegrityConstraintViolationError,
            asyncpg.exceptions.DataError,
            *_UNWRITABLE,
        )

    async def write(self, records: Sequence[Record]) -> None:
        try:
            statements = plan(records)
            async with self._engine.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                async with driver.transaction():
                    for statement, rows in statements:
                        if rows:
                            await driver.executemany(statement.numbered, rows)
        except self._rejections as error:
            raise RejectedError(str(error)) from error
        except (self._errors.PostgresError, self._errors.InterfaceError, SQLAlchemyError, OSError) as error:
            raise UnavailableError(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        await self._engine.dispose()
