"""storage/record_queries.py and its twin in memory: records come in, are taken when they are due, given back, changed
without losing what the dialler counts, found, counted, distributed and removed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from model.dialing import Attempt, CampaignRecord, RecordNumber
from storage.campaign_records import RecordFilter
from storage.errors import InUseError, NotFoundError, UnavailableError
from storage.interface import AnyStorage
from storage.memory import MemoryStorage
from storage.storage import Storage
from tests.storage.conftest import Scenario


def make(record_id: str, **changes: Any) -> CampaignRecord:
    fields: dict[str, Any] = {
        "campaign": "spring",
        "list_name": "may",
        "row": 2,
        "name": f"王{record_id}",
        "numbers": [
            RecordNumber(number=f"+86138{int(record_id[1:]):08}", label="mobile", zone="Asia/Shanghai", area="杭州"),
            RecordNumber(number=f"+8621{int(record_id[1:]):08}", label="home"),
        ],
        "data": {"policy": f"P-{record_id}", "city": "上海"},
        "created_utc": 5.0,
    }
    return CampaignRecord(record_id=record_id, **{**fields, **changes})


def attempt_at(record: CampaignRecord, attempt_id: str = "a1", **changes: Any) -> Attempt:
    fields: dict[str, Any] = {
        "campaign": record.campaign,
        "number": record.numbers[0].number,
        "mode": "predictive",
        "started_utc": 100.0,
    }
    return Attempt(attempt_id=attempt_id, record_id=record.record_id, **{**fields, **changes})


def test_a_record_comes_back_as_it_went_in(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        record = make(
            "r1",
            status="retry_wait",
            priority=7,
            customer_id="c1",
            owner="ann",
            has_consent=True,
            n_attempts=2,
            day="2026-11-28",
            n_today=1,
            next_utc=90.0,
            deferred="retry",
            last_utc=80.0,
            last_number="+8613800000001",
            last_result="busy",
            reason="x",
            callback_utc=120.0,
            callback_owner="ann",
            callback_note="nach drei",
            disposition="later",
            note="hm",
            agent_id="ann",
            updated_utc=9.0,
        )
        record.numbers[0] = replace(
            record.numbers[0],
            n_attempts=2,
            n_by_result={"busy": 1, "no_answer": 1},
            last_utc=80.0,
            last_result="busy",
            is_bad=True,
        )
        await storage.records.add([record, make("r2")])
        assert await storage.records.get("r1") == record
        assert await storage.records.get_many(["r2", "r9"]) == {"r2": make("r2")}
        with pytest.raises(NotFoundError):
            await storage.records.get("r9")

    run(scenario)


def test_due_records_are_taken_best_first_and_once(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.records
        await book.add(
            [
                make("r1", priority=0),
                make("r2", priority=5, status="retry_wait", n_attempts=1, next_utc=50.0),
                make("r3", priority=5),
                make("r4", status="callback", callback_utc=60.0, next_utc=60.0, deferred="callback", n_attempts=1),
                make("r5", status="callback", callback_utc=55.0, next_utc=55.0, callback_owner="ann"),
                make("r6", next_utc=500.0, deferred="hours"),
                make("r7", status="done"),
                make("r8", campaign="other"),
                make("r9", status="retry_wait", n_attempts=1, next_utc=300.0),
            ]
        )
        first = await book.take_due("spring", 3, 100.0)
        assert [record.record_id for record in first.records] == ["r4", "r3", "r2"]
        assert [record.status for record in first.records] == ["callback", "new", "retry_wait"]
        assert (await book.get("r3")).status == "queued"
        assert (first.n_open, first.next_due_utc) == (7, 300.0)
        second = await book.take_due("spring", 3, 100.0)
        assert [record.record_id for record in second.records] == ["r1"]
        assert (await book.take_due("spring", 3, 100.0)).records == []
        assert (await book.take_due("nobody's", 3, 100.0)).n_open == 0
        # Given back: as the dialler says; what it left queued is what it was; what was changed meanwhile is not.
        changed = replace(await book.get("r1"), status="new", priority=9)
        await book.update(changed)
        deferred = replace(first.records[2], next_utc=400.0, deferred="hours")
        book.put_back([first.records[0], replace(first.records[1], status="queued"), deferred, second.records[0]])
        again = await book.take_due("spring", 9, 100.0)
        assert [record.record_id for record in again.records] == ["r4", "r1", "r3"]
        assert again.records[1] == changed
        assert (await book.get("r2")).next_utc == 400.0
        # After a stop in the middle of it all: what they were.
        assert await book.requeue_hopper() == 3
        statuses = {record.record_id: record.status for record in (await book.find(RecordFilter())).items}
        assert {key: statuses[key] for key in ("r1", "r2", "r3", "r4")} == {
            "r1": "new",
            "r2": "retry_wait",
            "r3": "new",
            "r4": "callback",
        }

    run(scenario)


def test_whom_rules_put_aside_is_due_again_when_they_have_changed(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.records
        later = {"next_utc": 500.0}
        await book.add(
            [
                make("r1", deferred="hours", **later),
                make("r2", status="retry_wait", n_attempts=1, deferred="retry", **later),
                make("r3", status="callback", callback_utc=200.0, deferred="hours", **later),
                make("r4", status="callback", callback_utc=500.0, deferred="callback", **later),
                make("r5", deferred="", **later),
                make("r6", status="done", deferred="retry", **later),
                make("r7", campaign="other", deferred="hours", **later),
            ]
        )
        assert await book.review("spring") == 3
        found = {each.record_id: (each.next_utc, each.deferred) for each in (await book.find(RecordFilter())).items}
        assert {key: found[key] for key in ("r1", "r2", "r3")} == {
            "r1": (0.0, ""),
            "r2": (0.0, ""),
            "r3": (200.0, "callback"),
        }
        assert {found[key][0] for key in ("r4", "r5", "r6", "r7")} == {500.0}

    run(scenario)


def test_a_record_dialled_at_the_stop_is_free_when_its_attempt_is_closed(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        await storage.records.add([make("r1")])
        (record,) = (await storage.records.take_due("spring", 1, 10.0)).records
        record.status, record.n_attempts = "dialing", 1
        attempt = attempt_at(record)
        await storage.attempts.store_attempt(attempt, record)
        assert await storage.records.requeue_hopper() == 0
        assert [each.attempt_id for each in await storage.attempts.unfinished()] == ["a1"]
        # Its outcome as the record was not told of: a crash between the two.
        storage.attempts.store_outcome(replace(attempt, ended_utc=120.0, result="interrupted"), record)
        assert await storage.attempts.unfinished() == []
        assert await storage.records.requeue_hopper() == 1
        assert (await storage.records.get("r1")).status == "retry_wait"

    run(scenario)


def test_what_the_dialler_writes_and_what_people_change_do_not_touch(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.records
        await book.add([make("r1")])
        (record,) = (await book.take_due("spring", 1, 10.0)).records
        record.status, record.n_attempts = "dialing", 1
        await storage.attempts.store_attempt(attempt_at(record), record)
        with pytest.raises(InUseError):
            await book.update(replace(record, status="new"))
        # Somebody corrects the name and the first number's label, while it rings.
        edited = await book.get("r1")
        edited.name, edited.data, edited.owner, edited.priority = "李四", {"city": "北京"}, "bob", 3
        edited.numbers[0] = replace(edited.numbers[0], label="work")
        await book.update(edited)
        record.status, record.next_utc, record.last_result = "retry_wait", 900.0, "busy"
        record.numbers[0] = replace(record.numbers[0], n_attempts=1, n_by_result={"busy": 1}, last_result="busy")
        storage.attempts.store_outcome(attempt_at(record, ended_utc=130.0, result="busy"), record)
        # What becomes of the objects afterwards is not what was stored.
        record.status, record.numbers[0].n_by_result["busy"] = "dialing", 99
        now = await book.get("r1")
        assert (now.name, now.data, now.owner, now.priority) == ("李四", {"city": "北京"}, "bob", 3)
        assert (now.status, now.next_utc, now.last_result, now.n_attempts) == ("retry_wait", 900.0, "busy", 1)
        assert (now.numbers[0].label, now.numbers[0].n_by_result, now.numbers[1].n_attempts) == (
            "work",
            {"busy": 1},
            0,
        )
        # One that was removed does not come back by an outcome.
        await book.remove(["r1"])
        storage.attempts.store_outcome(attempt_at(record, ended_utc=130.0, result="busy"), record)
        with pytest.raises(NotFoundError):
            await book.get("r1")
        assert len(await storage.attempts.of_record("r1")) == 1

    run(scenario)


def test_records_are_found_by_each_criterion_and_page_by_page(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.records
        rows = [
            make(f"r{k}", owner="ann" if k % 3 == 0 else "", status="done" if k % 4 == 0 else "new") for k in range(10)
        ]
        rows[5].data["remark"] = "Prefers 100%_Email"
        rows[6].customer_id, rows[7].list_name, rows[8].campaign = "c6", "june", "other"
        await book.add(rows)
        found, after = [], ""
        while True:
            page = await book.find(RecordFilter(campaign="spring"), after=after, limit=4)
            found += page.items
            after = page.after
            if not after:
                break
        assert found == [row for row in rows if row.campaign == "spring"]
        for criteria, wanted in (
            (RecordFilter(), range(10)),
            (RecordFilter(campaign="other"), [8]),
            (RecordFilter(statuses=("done",)), [0, 4, 8]),
            (RecordFilter(owner="ann"), [0, 3, 6, 9]),
            (RecordFilter(owner=""), [1, 2, 4, 5, 7, 8]),
            (RecordFilter(list_name="june"), [7]),
            (RecordFilter(customer_id="c6"), [6]),
            (RecordFilter(number="+862100000003"), [3]),
            (RecordFilter(number="00000003", is_suffix=True), [3]),
            (RecordFilter(number="00000003"), []),
            (RecordFilter(text="100%_email"), [5]),
            (RecordFilter(text="王r4"), [4]),
            (RecordFilter(text="0%__mail"), []),
        ):
            assert [row.record_id for row in (await book.find(criteria)).items] == [f"r{k}" for k in wanted], criteria
        with pytest.raises(ValueError, match="limit must be"):
            await book.find(RecordFilter(), limit=0)
        assert await book.known_numbers("spring", ["+8613800000001", "+8613800000008", "+1"]) == {"+8613800000001"}
        # Other numbers: it is found by those, and no longer by the others.
        await book.update(replace(rows[1], numbers=[RecordNumber(number="+4930123456")]))
        assert [row.record_id for row in (await book.find(RecordFilter(number="+4930123456"))).items] == ["r1"]
        assert (await book.find(RecordFilter(number="+8613800000001"))).items == []
        with pytest.raises(NotFoundError):
            await book.update(make("r77"))

    run(scenario)


def test_records_are_counted_distributed_and_removed(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.records
        rows = [make(f"r{k}", list_name="may" if k < 4 else "june", created_utc=float(k)) for k in range(8)]
        rows[0].status, rows[0].n_attempts = "done", 2
        rows[0].numbers[1] = replace(rows[0].numbers[1], n_attempts=2, n_by_result={"human": 1, "busy": 1})
        rows[0].n_connected = 1
        rows[1].status, rows[1].n_attempts = "retry_wait", 1
        rows[1].numbers[0] = replace(rows[1].numbers[0], n_attempts=1, n_by_result={"dropped": 1})
        rows[2].status, rows[2].n_attempts = "dialing", 1
        rows[2].numbers[0] = replace(rows[2].numbers[0], n_attempts=1, n_by_result={"machine": 1})
        await book.add(rows)
        counts = await book.counts("spring")
        assert counts.by_status == {"done": 1, "retry_wait": 1, "dialing": 1, "new": 5}
        assert (counts.n_records, counts.n_attempted, counts.n_answered, counts.n_connected) == (8, 3, 2, 1)
        assert counts.n_open == 7
        assert [
            (each.list_name, each.n_records, each.n_open, each.created_utc) for each in await book.lists("spring")
        ] == [("may", 4, 3, 0.0), ("june", 4, 4, 4.0)]
        assert await book.unassigned("spring", 3) == ["r3", "r4", "r5"]
        assert await book.assign(["r3", "r4", "r99"], "ann", 77.0) == 2
        assert await book.unassigned("spring", 9) == ["r5", "r6", "r7"]
        assert await book.assigned("spring", "ann", 9) == ["r3", "r4"]
        assert (await book.get("r3")).updated_utc == 77.0
        by_owner = await book.counts_by_owner("spring")
        assert {owner: each.n_records for owner, each in by_owner.items()} == {"": 6, "ann": 2}
        assert await book.remove_list("spring", "may") == 3  # but for the one that is being called
        assert await book.remove(["r2", "r4", "r99"]) == 1
        left = [row.record_id for row in (await book.find(RecordFilter(campaign="spring"))).items]
        assert left == ["r2", "r5", "r6", "r7"]
        assert (await book.find(RecordFilter(number=rows[0].numbers[0].number))).items == []
        assert await book.remove_campaign("spring") == 3
        assert await book.counts("nobody's") == await MemoryStorage().records.counts("nobody's")

    run(scenario)


def test_many_records(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        await storage.records.add([make(f"r{k:04}") for k in range(4100)])
        assert (await storage.records.counts("spring")).n_records == 4100
        due = await storage.records.take_due("spring", 1200, 1.0)
        assert [row.record_id for row in due.records] == [f"r{k:04}" for k in range(1200)]
        assert (await storage.records.counts("spring")).by_status == {"queued": 1200, "new": 2900}
        assert await storage.records.remove_campaign("spring") == 4100

    run(scenario)


def test_while_the_database_fails_nothing_is_taken() -> None:
    async def scenario() -> None:
        storage = MemoryStorage()
        await storage.records.add([make("r1")])
        (record,) = (await storage.records.take_due("spring", 1, 1.0)).records
        storage.fail("disk full")
        with pytest.raises(UnavailableError):
            await storage.records.take_due("spring", 1, 1.0)
        with pytest.raises(UnavailableError):
            await storage.attempts.store_attempt(attempt_at(record), record)
        storage.records.put_back([record])
        storage.recover()
        assert (await storage.records.get("r1")).status == "new"
        assert await storage.attempts.unfinished() == []

    asyncio.run(scenario())


STATUSES = st.sampled_from(["new", "retry_wait", "callback", "done", "dialing"])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(STATUSES, st.integers(-3, 3), st.sampled_from([0.0, 5.0, 10.0, 20.0]), st.sampled_from(["", "ann"])),
        max_size=12,
    ),
    st.integers(1, 8),
)
def test_both_storages_take_the_same(tmp_path_factory: Any, rows: list[Any], n: int) -> None:
    records = [
        make(
            f"r{k:03}",
            status=status,
            priority=priority,
            next_utc=next_utc,
            n_attempts=int(status == "retry_wait"),
            callback_owner=owner if status == "callback" else "",
        )
        for k, (status, priority, next_utc, owner) in enumerate(rows)
    ]

    async def scenario(folder: Path) -> None:
        database, memory = await Storage.open(str(folder / "db")), MemoryStorage()
        for storage in (database, memory):
            await storage.records.add(records)
        for wall in (5.0, 10.0):
            assert await database.records.take_due("spring", n, wall) == await memory.records.take_due(
                "spring", n, wall
            )
        assert await database.records.counts("spring") == await memory.records.counts("spring")
        await database.close()

    asyncio.run(scenario(tmp_path_factory.mktemp("db")))


def test_the_next_records_of_an_agent(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        promised = {"status": "callback", "owner": "ann"}
        await storage.records.add(
            [
                make("r1", owner="ann"),
                make("r2", owner="ann", priority=3),
                make("r3", owner="ann", status="retry_wait", next_utc=500.0, priority=9),
                make("r4", owner="ann", status="retry_wait", next_utc=90.0, priority=3),
                make("r5", **promised, next_utc=80.0, callback_utc=80.0),
                make("r6", **promised, next_utc=70.0, callback_utc=70.0),
                make("r7", **promised, next_utc=200.0, callback_utc=200.0),
                make("r8", owner="bea", priority=9),
                make("r9", owner="ann", campaign="autumn", priority=1),
                make("r10", owner="ann", status="done", priority=9),
                make("r11"),
                make("r12", status="callback", next_utc=60.0, callback_utc=60.0),
                make("r13", owner="ann", status="queued", priority=9),
            ]
        )

        async def next_of(owner: str, *campaigns: str, n: int = 20) -> list[str]:
            found = await storage.records.next_of(owner, campaigns, 100.0, n)
            return [record.record_id for record in found]

        assert await next_of("ann", "spring") == ["r6", "r5", "r2", "r4", "r1"]
        assert await next_of("ann", "spring", "autumn") == ["r6", "r5", "r2", "r4", "r9", "r1"]
        assert await next_of("ann", "spring", n=3) == ["r6", "r5", "r2"]
        assert await next_of("ann") == []
        assert await next_of("", "spring") == ["r12"]

    run(scenario)
