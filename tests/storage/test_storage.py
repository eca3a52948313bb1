"""storage/calls, recordings, filters, urls and memory: every question, asked of SQLite and of the memory
storage, which must answer alike; of PostgreSQL too where RINGBACK_TEST_POSTGRES names a database that may be emptied.

Not here: how long answers take (benchmarks/storage.py), failures of the database (test_durability.py).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.records import CallRecord
from storage.calls import CallTotals
from storage.errors import ClosedError, CursorError, NotFoundError, UnavailableError
from storage.filters import CallFilter, Page, RecordingFilter
from storage.interface import AnyStorage
from storage.memory import MemoryStorage
from storage.storage import Storage
from storage.urls import parse_database_url
from tests.storage.conftest import Scenario
from tests.storage.records import AT, make_call, make_recording

# -- records ---------------------------------------------------------------------------------------------------------


def test_a_call_comes_back_as_it_was_put(run: Callable[[Scenario], None]) -> None:
    call = make_call("c0", AT + 0.123456, n_legs=3, n_segments=4, caller="+8613800138000", dialed='前台 ’"\\')

    async def scenario(storage: AnyStorage) -> None:
        storage.put(call)
        storage.put(make_recording("r1", "c0", AT + 9, pauses=[(1.25, 2.5)], speech_s=[0.1, 0.2]))
        storage.put(make_recording("r0", "c0", AT + 5, size=2**40))
        await storage.flush()
        stored = await storage.calls.get("c0")
        assert stored.call == call
        assert [row.recording.recording_id for row in stored.recordings] == ["r0", "r1"]
        assert stored.recordings[1].recording.pauses == [(1.25, 2.5)]
        assert stored.recordings[1].recording.speech_s == [0.1, 0.2]
        assert stored.recordings[0].recording.size == 2**40
        with pytest.raises(NotFoundError, match="no call 'c1'"):
            await storage.calls.get("c1")

    run(scenario)


def test_a_record_put_again_replaces_the_one_before(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        storage.put(make_call("c0", n_legs=3, n_segments=4))
        storage.put(make_recording("r0", "c0", state="recording"))
        await storage.flush()
        await storage.recordings.annotate("r0", remark="mark", is_important=True)
        for _ in range(2):
            storage.put(make_call("c0", n_legs=1, n_segments=2, hangup_cause="USER_BUSY"))
            storage.put(make_recording("r0", "c0", state="recording"))
            storage.put(make_recording("r0", "c0", state="finished", size=7))
        await storage.flush()
        stored = await storage.calls.get("c0")
        assert stored.call == make_call("c0", n_legs=1, n_segments=2, hangup_cause="USER_BUSY")
        assert [(row.recording.state, row.recording.size) for row in stored.recordings] == [("finished", 7)]
        assert (stored.recordings[0].remark, stored.recordings[0].is_important) == ("mark", True), "people's notes stay"
        assert len((await storage.calls.find()).items) == 1

    run(scenario)


def test_recordings_are_annotated_and_forgotten(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        for i in range(3):
            storage.put(make_recording(f"r{i}", "c", AT + i))
        await storage.flush()
        assert (await storage.recordings.annotate("r1", is_important=True)).is_important
        marked = await storage.recordings.annotate("r1", remark="complaint")
        assert (marked.remark, marked.is_important, marked.recording.started_utc) == ("complaint", True, AT + 1)
        assert (await storage.recordings.annotate("r1")).remark == "complaint"
        important = await storage.recordings.find(RecordingFilter(is_important=True))
        assert [row.recording.recording_id for row in important.items] == ["r1"]
        unimportant = await storage.recordings.find(RecordingFilter(is_important=False))
        assert [row.recording.recording_id for row in unimportant.items] == ["r2", "r0"]
        assert await storage.recordings.delete("r1") == make_recording("r1", "c", AT + 1)
        for action in (storage.recordings.get, storage.recordings.annotate, storage.recordings.delete):
            with pytest.raises(NotFoundError):
                await action("r1")
        assert (await storage.recordings.get("r0")).recording == make_recording("r0", "c", AT)

    run(scenario)


def test_unfinished_recordings_are_found_oldest_first(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        for i, state in enumerate(["recording", "finished", "failed", "recording"]):
            storage.put(make_recording(f"r{i}", "c", AT - i, state=state))
        await storage.flush()
        assert [recording.recording_id for recording in await storage.recordings.unfinished()] == ["r3", "r0"]

    run(scenario)


# -- lists -----------------------------------------------------------------------------------------------------------


def some_calls() -> list[CallRecord]:
    """Few values, so that criteria meet; several calls at one instant; one number on both sides."""
    pick = random.Random(3)
    numbers = ["8001", "8002", "13800138001", "10086", "1", ""]
    return [
        make_call(
            f"c{i:03d}",
            AT + pick.randrange(12),
            n_legs=0,
            n_segments=0,
            caller=pick.choice(numbers),
            dialed=pick.choice(numbers),
            extension=pick.choice(["8001", "8002", ""]),
            agent_id=pick.choice(["a1", ""]),
            trunk=pick.choice(["t1", ""]),
            direction=pick.choice(["inbound", "outbound"]),
            hangup_cause=pick.choice(["USER_BUSY", "NORMAL_CLEARING"]),
            duration_s=float(pick.randrange(4)),
            answered_utc=pick.choice([0.0, AT + 20]),
            talk_s=pick.randrange(40) / 8,
        )
        for i in range(120)
    ]


def of(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *values])


COMMON: dict[str, st.SearchStrategy[Any]] = {
    "start_utc": st.sampled_from([0.0, AT + 3]),
    "end_utc": st.sampled_from([0.0, AT + 9]),
    "caller": of("8001", "1"),
    "dialed": of("8002", "10086"),
    "number": of("8001", "1", "001", "13800138001"),
    "is_suffix": st.booleans(),
    "extension": of("8001"),
    "agent_id": of("a1"),
    "trunk": of("t1"),
    "min_duration_s": st.sampled_from([0.0, 1.0]),
    "max_duration_s": st.sampled_from([0.0, 2.0]),
    "domain": st.sampled_from(["", "", "", "elsewhere"]),
}
CALL_FILTERS = st.builds(
    CallFilter,
    direction=of("inbound"),
    hangup_cause=of("USER_BUSY"),
    is_answered=st.sampled_from([None, True, False]),
    **COMMON,
)
RECORDING_FILTERS = st.builds(RecordingFilter, call_id=of("c001"), state=of("finished"), **COMMON)


async def all_pages(find: Callable[..., Awaitable[Page[Any]]], criteria: Any, limit: int) -> list[Any]:
    found: list[Any] = []
    after = ""
    while True:
        page = await find(criteria, after=after, limit=limit)
        assert len(page.items) <= limit
        found += page.items
        after = page.after
        if not after:
            return found


def test_every_combination_of_criteria_finds_what_memory_finds(tmp_path: Path) -> None:
    async def scenario() -> None:
        database, memory = await Storage.open(str(tmp_path / "db")), MemoryStorage()
        for storage in (database, memory):
            for call in some_calls():
                storage.put(call)
                shared = {name: getattr(call, name) for name in ("caller", "dialed", "extension", "agent_id", "trunk")}
                storage.put(make_recording(f"r-{call.call_id}", call.call_id, call.created_utc, **shared))
            await storage.flush()
        runner = asyncio.get_running_loop()

        @settings(max_examples=150, deadline=None)
        @given(criteria=CALL_FILTERS, records=RECORDING_FILTERS, limit=st.sampled_from([1, 7, 50, 1000]))
        def alike(criteria: CallFilter, records: RecordingFilter, limit: int) -> None:
            async def compare() -> None:
                expected = await all_pages(memory.calls.find, criteria, 1000)
                assert await all_pages(database.calls.find, criteria, limit) == expected
                wanted = await all_pages(memory.recordings.find, records, 1000)
                assert await all_pages(database.recordings.find, records, limit) == wanted
                theirs, ours = (
                    await memory.calls.totals("extension", criteria),
                    await database.calls.totals("extension", criteria),
                )
                assert ours == theirs

            asyncio.run_coroutine_threadsafe(compare(), runner).result(60)

        try:
            # Hypothesis calls plain functions: it runs in a thread, the questions in this loop.
            await asyncio.to_thread(alike)
        finally:
            await database.close()

    asyncio.run(scenario())


def test_pages_are_stable_while_calls_come_in(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        for i in range(10):
            storage.put(make_call(f"c{i}", AT + i // 3))
        await storage.flush()
        first = await storage.calls.find(limit=4)
        storage.put(make_call("new", AT + 100))
        await storage.flush()
        second = await storage.calls.find(after=first.after, limit=6)
        ids = [call.call_id for call in first.items + second.items]
        assert ids == ["c9", "c8", "c7", "c6", "c5", "c4", "c3", "c2", "c1", "c0"]
        assert second.after == ""

    run(scenario)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_limits_are_checked(run: Callable[[Scenario], None], limit: int) -> None:
    async def scenario(storage: AnyStorage) -> None:
        with pytest.raises(ValueError, match="limit must be 1 to 1000"):
            await storage.calls.find(limit=limit)

    run(scenario)


@pytest.mark.parametrize("after", ["x", "1.5", "~", "abc~c0"])
def test_cursors_are_checked(run: Callable[[Scenario], None], after: str) -> None:
    async def scenario(storage: AnyStorage) -> None:
        with pytest.raises(CursorError):
            await storage.recordings.find(after=after)

    run(scenario)


# -- totals ----------------------------------------------------------------------------------------------------------


def test_totals_by_interval_know_their_boundaries(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        for i, at in enumerate([AT, AT + 59.75, AT + 60, AT + 200]):
            storage.put(make_call(f"c{i}", at, hold_s=1.5))
        storage.put(make_call("missed", AT + 61, answered_utc=0.0, talk_s=0.0))
        await storage.flush()
        boundaries = [AT, AT + 60, AT + 120, AT + 180]
        assert await storage.calls.totals_by_interval(boundaries) == [
            CallTotals(repr(AT), 2, 2, 66.0, 60.0, 3.0, 5.5),
            CallTotals(repr(AT + 60), 2, 1, 66.0, 30.0, 1.5, 2.75),
            CallTotals(repr(AT + 120), 0, 0, 0.0, 0.0, 0.0, 0.0),
        ]
        assert await storage.calls.totals_by_interval([AT]) == []
        nobody = await storage.calls.totals_by_interval(boundaries[:2], CallFilter(extension="9"))
        assert [total.calls for total in nobody] == [0]

    run(scenario)


def test_totals_take_only_columns_that_group(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        assert await storage.calls.totals("trunk") == []
        with pytest.raises(ValueError, match="cannot group by call_id"):
            await storage.calls.totals("call_id")  # type: ignore[arg-type]

    run(scenario)


# -- the memory storage's own failures, and opening ------------------------------------------------------------------


def test_memory_fails_and_recovers_when_told() -> None:
    async def scenario() -> None:
        told: list[Any] = []
        storage = MemoryStorage(lambda: 5.0, max_backlog=2, on_state_change=told.append)
        storage.fail("disk full")
        storage.put(make_call("c0"))
        assert not storage.is_congested
        storage.put(make_call("c1"))
        assert storage.is_congested
        flushing = asyncio.create_task(storage.flush())
        await asyncio.sleep(0)
        assert not flushing.done()
        assert (storage.state.error, storage.state.since_utc, storage.state.backlog) == ("disk full", 5.0, 2)
        storage.recover()
        await flushing
        assert (storage.state.backlog, storage.state.written, storage.is_congested) == (0, 2, False)
        assert len((await storage.calls.find()).items) == 2
        assert [state.is_failing for state in told] == [True, True, False]
        await storage.close()
        with pytest.raises(ClosedError):
            storage.put(make_call("c2"))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url",
    [
        "",
        ":memory:",
        "sqlite+aiosqlite://",
        "mysql://host/db",
        "postgresql://host",
        "sqlite+aiosqlite:///:memory:",
        "://",
    ],
)
def test_urls_that_name_no_database_are_refused(url: str) -> None:
    with pytest.raises(ValueError):
        parse_database_url(url)


@pytest.mark.parametrize(
    ("url", "driver", "database"),
    [
        ("calls.db", "sqlite+aiosqlite", "calls.db"),
        ("/var/lib/x/calls.db", "sqlite+aiosqlite", "/var/lib/x/calls.db"),
        ("sqlite:////var/calls.db", "sqlite+aiosqlite", "/var/calls.db"),
        ("sqlite+aiosqlite:///calls.db", "sqlite+aiosqlite", "calls.db"),
        ("postgresql://u:p@host/calls", "postgresql+asyncpg", "calls"),
    ],
)
def test_urls_are_understood(url: str, driver: str, database: str) -> None:
    parsed = parse_database_url(url)
    assert (parsed.drivername, parsed.database) == (driver, database)


def test_a_database_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "garbage").write_text("this is not a database " * 100)

    async def scenario() -> None:
        for path in ("file/db", "garbage"):
            with pytest.raises(UnavailableError):
                await Storage.open(str(tmp_path / path))
        with pytest.raises(ValueError, match="folder"):
            await Storage.open("postgresql://localhost/x")

    asyncio.run(scenario())
