"""The databases that flows look things up in (IVR-16): read only, each query bounded in time, one row of its answer."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import BigInteger, bindparam, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ivr.queries import for_driver
from ivr.run import LookUp
from storage.urls import parse_database_url, sqlite_path
from switch.config_ivr import Source

AT_ONCE = 4
"""Queries at a time for each source, with SQLite a thread each; others wait within their time."""
MAX_S = 30.0


class FlowDatabases:
    """By the names of `[[ivr.source]]`; a database is opened when something is first looked up in it."""

    def __init__(self, sources: Sequence[Source], resolve: Callable[[str], Path]) -> None:
        self._sources = {source.name: source.url for source in sources}
        self._resolve = resolve
        self._engines: dict[str, AsyncEngine] = {}

    async def fetch(self, asked: LookUp) -> Mapping[str, str] | None:
        """Column -> text of the first row, without what is NULL; None = no row. Raises ValueError that says what was
        wrong, and tells no value that was asked for."""
        engine = self._engine(asked.source)
        is_sqlite = engine.dialect.name == "sqlite"
        values = {name: _bound(value, is_sqlite) for name, value in asked.values.items()}
        large = [bindparam(name, type_=BigInteger()) for name, value in values.items() if type(value) is int]
        statement = text(for_driver(asked.query)).bindparams(*large)
        try:
            async with engine.connect() as connection:
                # Its thread would go on with a query that nobody waits for.
                (await connection.get_raw_connection()).info["until"] = time.monotonic() + asked.timeout_s
                async with connection.stream(statement, values) as rows:
                    found = await rows.mappings().fetchmany(1)
        except DBAPIError as error:
            problem = str(error.orig)
            raise ValueError("no answer in time" if problem == "interrupted" else _told(problem, values)) from None
        except (SQLAlchemyError, OSError) as error:
            raise ValueError(_told(str(error), values)) from None
        if not found:
            return None
        return {str(name): shown for name, value in found[0].items() if (shown := _shown(value)) is not None}

    async def close(self) -> None:
        for engine in self._engines.values():
            await engine.dispose()

    def _engine(self, name: str) -> AsyncEngine:
        if name not in self._sources:
            raise ValueError(f'there is no source "{name}" (ivr.source)')
        if name not in self._engines:
            self._engines[name] = self._open(parse_database_url(self._sources[name]))
        return self._engines[name]

    def _open(self, url: URL) -> AsyncEngine:
        path = sqlite_path(url)
        return _postgres(url) if path is None else _sqlite(self._resolve(str(path)).absolute())


def _postgres(url: URL) -> AsyncEngine:
    settings = {"default_transaction_read_only": "on", "statement_timeout": f"{MAX_S:.0f}s"}
    return create_async_engine(
        url,
        pool_size=AT_ONCE,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"server_settings": settings},
    )


def _sqlite(path: Path) -> AsyncEngine:
    opened = URL.create(
        "sqlite+aiosqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true", "timeout": "1"}
    )
    engine = create_async_engine(opened, pool_size=AT_ONCE, max_overflow=0, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, record: Any) -> None:
        def is_too_late() -> int:
            return int(time.monotonic() > record.info.get("until", math.inf))

        cursor = connection.cursor()
        cursor.execute("PRAGMA query_only = ON")
        cursor.close()
        connection.run_async(lambda inner: inner.set_progress_handler(is_too_late, 10_000))

    return engine


def _bound(value: str | Decimal | bool, is_sqlite: bool) -> str | int | float | bool | Decimal:
    if not isinstance(value, Decimal):
        return value
    if value == value.to_integral_value():
        return int(value)
    return float(value) if is_sqlite else value


def _shown(value: object) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | Decimal():
            return f"{value:f}" if isinstance(value, Decimal) else str(value)
        case float():
            return f"{Decimal(repr(value)):f}"
        case datetime():
            return value.isoformat(" ", "seconds")
        case date():
            return value.isoformat()
        case _:
            return None


def _told(problem: str, values: Mapping[str, object]) -> str:
    """What drivers complain of may be the value."""
    lines = problem.splitlines()
    is_telling = any(str(value) and str(value) in problem for value in values.values())
    return "the database refuses the query" if is_telling or not lines else lines[0][:200]
