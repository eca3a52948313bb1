"""storage/event_log.py, on SQLite and in memory alike: what is put is found in its order, by each criterion, page by
page, and nothing is there twice."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from model.records import EventRecord
from storage.errors import CursorError
from storage.event_log import EventFilter
from storage.memory import MemoryStorage
from storage.storage import Storage

ROWS = [
    EventRecord(
        node="n",
        seq=100 + k,
        # Two at one instant, and numbers that go back where the clock goes on: a restart in between.
        at_utc=1000.0 + k // 2,
        name="queue.entered" if k % 3 else "agent.signed_in",
        call_id=f"c{k % 4}",
        queue="sales" if k % 3 else "",
        agent_id="" if k % 3 else f"a{k % 2}",
        body=f'{{"k":{k}}}',
    )
    for k in range(12)
]


async def opened(kind: str, folder: Path):
    return await Storage.open(str(folder / "db")) if kind == "sqlite" else MemoryStorage()


async def everything(storage, criteria=None, limit=1000):
    found, after = [], ""
    while True:
        page = await storage.events.find(criteria, after=after, limit=limit)
        found += page.items
        after = page.after
        if not after:
            return found


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_what_is_put_is_found_in_order_and_once(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        storage = await opened(kind, tmp_path)
        for row in [*ROWS, ROWS[3]]:
            storage.put(row)
        await storage.flush()
        assert await everything(storage) == ROWS
        assert await everything(storage, limit=1) == ROWS
        assert await everything(storage, limit=5) == ROWS
        for criteria, expected in (
            (EventFilter(start_utc=1002.0, end_utc=1004.0), ROWS[4:8]),
            (EventFilter(names=("agent.signed_in",)), ROWS[::3]),
            (EventFilter(queue="sales", call_id="c1"), [ROWS[1], ROWS[5]]),
            (EventFilter(agent_id="a1"), [ROWS[3], ROWS[9]]),
        ):
            assert await everything(storage, criteria, limit=2) == expected, criteria
        with pytest.raises(CursorError):
            await storage.events.find(after="nonsense")
        with pytest.raises(ValueError, match="limit"):
            await storage.events.find(limit=0)
        assert [await storage.events.forget_before(1001.0, 1) for _ in range(3)] == [1, 1, 0]
        assert await everything(storage) == ROWS[2:]
        await storage.close()

    asyncio.run(scenario())


def test_what_the_database_does_not_take_is_kept_for_the_next_start(tmp_path: Path) -> None:
    from storage.spool import append_lines

    async def scenario() -> None:
        await (await Storage.open(str(tmp_path / "db"))).close()
        append_lines(tmp_path / "db.unwritten.jsonl", ROWS[:2], at_utc=1.0, error="disk full")
        storage = await Storage.open(str(tmp_path / "db"))
        assert await everything(storage) == ROWS[:2]
        await storage.close()

    asyncio.run(scenario())


def test_a_changed_row_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        storage = await opened("sqlite", tmp_path)
        storage.put(ROWS[0])
        storage.put(msgspec.structs.replace(ROWS[0], body="{}"))
        await storage.flush()
        assert [row.body for row in await everything(storage)] == ["{}"]
        await storage.close()

    asyncio.run(scenario())
