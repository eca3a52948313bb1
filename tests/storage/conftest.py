"""A storage for a scenario: SQLite, in memory, or PostgreSQL where RINGBACK_TEST_POSTGRES names one to be emptied."""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from storage.interface import AnyStorage
from storage.memory import MemoryStorage
from storage.storage import Storage
from storage.urls import parse_database_url

POSTGRES = os.environ.get("RINGBACK_TEST_POSTGRES", "")

Scenario = Callable[[AnyStorage], Awaitable[None]]


@pytest.fixture(params=["sqlite", "memory", *(["postgres"] if POSTGRES else [])])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    """Runs a scenario with an empty storage whose clock goes one second a look."""
    clock = itertools.count(1000)

    def wall() -> float:
        return float(next(clock))

    async def with_storage(scenario: Scenario) -> None:
        storage: AnyStorage
        if request.param == "memory":
            storage = MemoryStorage(wall)
        elif request.param == "sqlite":
            storage = await Storage.open(str(tmp_path / "db"), wall=wall)
        else:
            await empty_postgres()
            storage = await Storage.open(POSTGRES, folder=tmp_path, wall=wall)
        try:
            await scenario(storage)
        finally:
            await storage.close()

    return lambda scenario: asyncio.run(with_storage(scenario))


async def empty_postgres() -> None:
    engine = create_async_engine(parse_database_url(POSTGRES))
    async with engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()
