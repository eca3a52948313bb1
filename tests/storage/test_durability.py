"""What a real SQLite database does to the writer: disk full, locked, killed, refused values; what is never lost.

A full disk is a database that may not grow (max_page_count) and, where permitted, a small tmpfs. Not here: fsync
errors, which need a fault injector; power cuts.
"""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from storage.errors import NotFoundError
from storage.sinks import SqliteSink
from storage.spool import append_lines, read_lines
from storage.storage import Storage
from storage.writer import Writer, WriterLimits, WriterState
from tests.storage.records import AT, make_call, make_recording

QUICK = WriterLimits(flush_interval_s=0.01, retry_first_s=0.01, retry_most_s=0.05)


class States:
    """`on_state_change` that can be waited for."""

    def __init__(self) -> None:
        self.seen: list[WriterState] = []
        self._changed = asyncio.Event()

    def __call__(self, state: WriterState) -> None:
        self.seen.append(state)
        self._changed.set()

    async def wait_failing(self) -> WriterState:
        async with asyncio.timeout(60):
            while not (self.seen and self.seen[-1].is_failing):
                self._changed.clear()
                await self._changed.wait()
        return self.seen[-1]


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[Storage]:
    storage = await Storage.open(str(path), limits=QUICK, **options)
    try:
        yield storage
    finally:
        await storage.close()


async def n_calls(storage: Storage) -> int:
    return sum(total.calls for total in await storage.calls.totals("direction"))


def test_locked_by_another_process_waits_and_loses_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        states = States()
        async with opened(tmp_path / "db", on_state_change=states) as storage:
            other = sqlite3.connect(tmp_path / "db", isolation_level=None)
            try:
                other.execute("BEGIN IMMEDIATE")
                for i in range(50):
                    storage.put(make_call(f"c{i}"))
                failing = await states.wait_failing()
                assert "locked" in failing.error
                assert failing.backlog == 50
                assert failing.since_utc > AT
                assert await n_calls(storage) == 0, "readers go on while writing fails"
                other.execute("ROLLBACK")
            finally:
                other.close()
            await storage.flush()
            assert await n_calls(storage) == 50
            assert storage.state == WriterState(written=50)

    asyncio.run(scenario())


def test_full_database_keeps_everything_until_there_is_room(tmp_path: Path) -> None:
    """The limit is lifted from outside, as an operator who frees space does."""
    max_pages = tmp_path / "max_pages"

    def limit(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {max_pages.read_text()}")

    async def scenario() -> None:
        async with opened(tmp_path / "db"):
            pass
        database = sqlite3.connect(tmp_path / "db")
        n_pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.close()
        max_pages.write_text(str(n_pages + 2))
        states = States()
        sink = SqliteSink(tmp_path / "db", prepare=limit)
        writer = Writer(sink, tmp_path / "dead", limits=QUICK, on_state_change=states)
        for i in range(300):
            writer.put(make_call(f"c{i}"))
        failing = await states.wait_failing()
        assert "full" in failing.error
        assert failing.backlog == 300
        max_pages.write_text("1000000")
        await writer.flush()
        assert await writer.close() == []
        async with opened(tmp_path / "db") as storage:
            assert await n_calls(storage) == 300
            assert (await storage.calls.get("c299")).call == make_call("c299")

    asyncio.run(scenario())


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Any:
    """A file system of 2 MB; skipped where mounting is not permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"mounting a tmpfs is not permitted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_keeps_everything_until_there_is_room(tiny_disk: Path) -> None:
    async def scenario() -> None:
        states = States()
        async with opened(tiny_disk / "db", on_state_change=states) as storage:
            storage.put(make_call("before"))
            await storage.flush()
            ballast = tiny_disk / "ballast"
            with ballast.open("wb") as file:
                try:
                    while True:
                        file.write(b"\0" * 4096)
                        file.flush()
                except OSError:
                    pass
                try:
                    file.close()
                except OSError:
                    pass
            for i in range(500):
                storage.put(make_call(f"c{i}"))
            failing = await states.wait_failing()
            assert failing.backlog == 500
            assert (await storage.calls.get("before")).call == make_call("before"), "reading goes on"
            ballast.unlink()
            await storage.flush()
            assert not storage.state.is_failing
            assert await n_calls(storage) == 501

    asyncio.run(scenario())


def test_what_could_not_be_written_by_the_end_is_read_at_the_next_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        other = None
        storage = await Storage.open(str(tmp_path / "db"), limits=QUICK)
        try:
            other = sqlite3.connect(tmp_path / "db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            storage.put(make_call("c0"))
            storage.put(make_recording("r0", "c0", pauses=[(1.0, 2.5)]))
        finally:
            await storage.close(timeout_s=0.05)
            if other is not None:
                other.close()
        unwritten = tmp_path / "db.unwritten.jsonl"
        assert len(unwritten.read_text().splitlines()) == 2
        async with opened(tmp_path / "db") as again:
            stored = await again.calls.get("c0")
            assert stored.call == make_call("c0")
            assert stored.recordings[0].recording.pauses == [(1.0, 2.5)]
            assert not unwritten.exists()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "changes",
    [
        {"caller": None},
        {"hangup_cause": "\ud800"},
        {"duration_s": object()},
        {"extension": 2**70},
        {"legs": None},
        {"segments": ["no segment"]},
        {"caller": 5},
    ],
    ids=["null", "surrogate", "object", "huge", "no-legs", "not-a-segment", "not-text"],
)
def test_a_refused_record_is_kept_apart(tmp_path: Path, changes: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with opened(tmp_path / "db") as storage:
            storage.put(make_call("before"))
            storage.put(msgspec.structs.replace(make_call("bad"), **changes))
            storage.put(make_call("after"))
            await storage.flush()
            assert await n_calls(storage) == 2
            with pytest.raises(NotFoundError):
                await storage.calls.get("bad")
            assert storage.state.dead_letters == 1
            line = json.loads((tmp_path / "db.dead-letters.jsonl").read_text())
            assert line["record"]["call_id"] == "bad"
            assert line["error"]

    asyncio.run(scenario())


_CHILD = """
import asyncio, sys
from storage.storage import Storage
from tests.storage.records import make_call

async def main():
    storage = await Storage.open(sys.argv[1])
    n = 0
    while True:
        for _ in range(7):
            storage.put(make_call(f"c{n}"))
            n += 1
        await storage.flush()
        print(n, flush=True)

asyncio.run(main())
"""


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path / "db")],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert child.stdout is not None
    with child, child.stdout as out:
        for _ in range(20):
            acknowledged = int(out.readline())
        child.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *(int(line) for line in out.read().splitlines() if line)])

    async def scenario() -> None:
        async with opened(tmp_path / "db") as storage:
            for i in range(acknowledged):
                assert (await storage.calls.get(f"c{i}")).call == make_call(f"c{i}")
            # A batch is there whole or not at all.
            assert await n_calls(storage) % 7 == 0

    asyncio.run(scenario())


def test_lines_cut_off_by_a_crash_are_told_from_records(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    append_lines(path, [make_call("c0")], at_utc=1.0, error="e")
    append_lines(path, [make_recording("r0", "c0")], at_utc=2.0, error="e")
    text = path.read_text()
    path.write_text(text + '{"kind": "CallRecord", "rec\n{"kind": "Unknown", "record": {}}\n[1]\n')
    records, unreadable = read_lines(path)
    assert records == [make_call("c0"), make_recording("r0", "c0")]
    assert len(unreadable) == 3
