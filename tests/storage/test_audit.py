"""Covers: rows of the audit log are written, found by every filter, paged, never written over; the memory storage does
the same.
"""

import asyncio
from pathlib import Path

import msgspec
import pytest

from model.audit import FIRST_HASH, AuditRecord, check, seal
from storage.errors import CursorError
from storage.filters import AuditFilter
from storage.memory import MemoryStorage
from storage.storage import Storage


def rows(n: int = 6) -> list[AuditRecord]:
    found: list[AuditRecord] = []
    for seq in range(1, n + 1):
        record = AuditRecord(
            seq=seq,
            at_utc=100.1 * seq,
            who="lea" if seq % 2 else "root",
            action="role.add" if seq < 4 else "roles",
            subject=str(seq % 3),
            outcome="denied" if seq == 6 else "done",
            params='{"title":"帮手"}',
            n_times=seq,
        )
        found.append(seal(record, found[-1].hash if found else FIRST_HASH))
    return found


FILTERS = [
    (AuditFilter(), [6, 5, 4, 3, 2, 1]),
    (AuditFilter(who="lea"), [5, 3, 1]),
    (AuditFilter(action="role."), [3, 2, 1]),
    (AuditFilter(action="role"), []),
    (AuditFilter(action="roles"), [6, 5, 4]),
    (AuditFilter(subject="0", who="root"), [6]),
    (AuditFilter(outcome="denied"), [6]),
    (AuditFilter(start_utc=200.2, end_utc=400.4), [3, 2]),
]


@pytest.mark.parametrize("kind", ["database", "memory"])
def test_rows_are_kept_and_found(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        storage = MemoryStorage() if kind == "memory" else await Storage.open(str(tmp_path / "db"))
        try:
            assert await storage.audit.head() == (0, FIRST_HASH)
            for record in rows():
                storage.put(record)
            await storage.flush()
            # What is there already stays as it was, whoever puts what.
            storage.put(msgspec.structs.replace(rows()[2], who="forger"))
            await storage.flush()
            assert await storage.audit.head() == (6, rows()[-1].hash)
            assert [record async for page in storage.audit.pages() for record in page] == rows()
            assert check([record async for page in storage.audit.pages() for record in page]) is None
            for criteria, expected in FILTERS:
                assert [each.seq for each in (await storage.audit.find(criteria)).items] == expected
            page = await storage.audit.find(AuditFilter(), limit=4)
            rest = await storage.audit.find(AuditFilter(), after=page.after, limit=4)
            assert ([each.seq for each in rest.items], rest.after) == ([2, 1], "")
            with pytest.raises(CursorError):
                await storage.audit.find(AuditFilter(), after="x")
        finally:
            await storage.close()

    asyncio.run(scenario())
