"""storage/voicemail.py, on SQLite and in memory alike: messages are found by each criterion, page by page, and added up
by box."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from model.records import MessageRecord
from storage.errors import CursorError, NotFoundError
from storage.memory import MemoryStorage
from storage.storage import Storage
from storage.voicemail import BoxTotals, MessageFilter

STATES = ("recording", "new", "heard", "deleted", "discarded", "failed")
ROWS = [
    MessageRecord(
        message_id=f"m{k:02}",
        box="sales" if k % 2 else "1001",
        queue="sales" if k % 2 else "",
        call_id=f"c{k}",
        path=f"/r/{k}.wav",
        caller=f"1380000000{k % 3}",
        left_utc=1000.0 + k // 2,
        duration_s=float(k),
        state=STATES[k % 6],
        heard_utc=1100.0 + k if STATES[k % 6] == "heard" else 0.0,
        called_back_utc=1200.0 if k == 8 else 0.0,
    )
    for k in range(18)
]
NEWEST_FIRST = sorted(ROWS, key=lambda row: (row.left_utc, row.message_id), reverse=True)


async def filled(kind: str, folder: Path):
    storage = await Storage.open(str(folder / "db")) if kind == "sqlite" else MemoryStorage()
    for row in ROWS:
        storage.put(row)
    await storage.flush()
    return storage


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_messages_are_found_by_each_criterion_and_page_by_page(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        storage = await filled(kind, tmp_path)
        book = storage.messages
        assert await book.get("m03") == ROWS[3]
        with pytest.raises(NotFoundError):
            await book.get("m99")
        for limit in (1, 5, 18):
            found, after = [], ""
            while True:
                page = await book.find(after=after, limit=limit)
                found += page.items
                after = page.after
                if not after:
                    break
            assert found == NEWEST_FIRST
        for criteria, wanted in (
            (MessageFilter(box="sales"), lambda row: row.box == "sales"),
            (MessageFilter(queue="sales", states=("new", "heard")), lambda row: row.queue and row.state == "new"),
            (MessageFilter(caller="13800000001"), lambda row: row.caller == "13800000001"),
            (MessageFilter(start_utc=1002.0, end_utc=1004.0), lambda row: 1002 <= row.left_utc < 1004),
            (MessageFilter(states=("deleted",)), lambda row: row.state == "deleted"),
        ):
            assert (await book.find(criteria)).items == [row for row in NEWEST_FIRST if wanted(row)]
        with pytest.raises(CursorError):
            await book.find(after="nonsense")
        with pytest.raises(ValueError, match="limit must be"):
            await book.find(limit=0)
        in_boxes = await book.in_boxes()
        assert {row.message_id for row in in_boxes} == {f"m{k:02}" for k in range(18) if k % 6 < 3}
        assert [row.left_utc for row in in_boxes] == sorted(row.left_utc for row in in_boxes)
        await storage.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_totals_by_box(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        storage = await filled(kind, tmp_path)
        heard = [row for row in ROWS if row.state == "heard"]
        assert await storage.messages.totals() == [
            BoxTotals(
                box="1001",
                queue="",
                n_left=3,
                n_new=0,
                n_called_back=1,
                total_s=2.0 + 8.0 + 14.0,
                heard_after_s=sum(row.heard_utc - row.left_utc for row in heard) / 3,
            ),
            BoxTotals(
                box="sales",
                queue="sales",
                n_left=6,
                n_new=3,
                n_called_back=0,
                total_s=1.0 + 7.0 + 13.0 + 3.0 + 9.0 + 15.0,
                heard_after_s=0.0,
            ),
        ]
        assert [each.box for each in await storage.messages.totals(MessageFilter(queue="sales"))] == ["sales"]
        await storage.close()

    asyncio.run(scenario())


def test_the_last_of_a_message_counts(tmp_path: Path) -> None:
    async def scenario() -> None:
        storage = await Storage.open(str(tmp_path / "db"))
        storage.put(ROWS[0])
        last = msgspec.structs.replace(ROWS[0], state="new", duration_s=7.0)
        storage.put(last)
        await storage.flush()
        assert await storage.messages.get("m00") == last
        await storage.close()

    asyncio.run(scenario())
