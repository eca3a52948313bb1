"""storage/evidence.py and its twin in memory: calls by day and minute, those that came too soon, records that wait."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from model.dialing import Attempt
from storage.evidence import CallingDay, CallingMinute, DeferredRecords
from storage.interface import AnyStorage
from storage.memory import MemoryStorage
from tests.storage.conftest import Scenario
from tests.storage.test_campaign_records import make

DAY_S = 86_400.0
BOUNDARIES = [1000.0, 1000.0 + DAY_S, 1000.0 + 2 * DAY_S]


def put(storage: AnyStorage, attempt_id: str, at: float, *, record: str = "r1", **changes: Any) -> None:
    """An attempt that rang for 20 s and was not answered, unless `changes` say otherwise."""
    given = {"rang_utc": at, "ended_utc": at + 20.0, "result": "no_answer", "sip_status": 480, "mode": "predictive"}
    given |= {"campaign": "spring", "number": f"+86{record}", "started_utc": at, **changes}
    storage.attempts.store_outcome(Attempt(attempt_id=attempt_id, record_id=record, **given), make(record))


def answered(at: float, **changes: Any) -> dict[str, Any]:
    return {"answered_utc": at + 10.0, "ended_utc": at + 60.0, "result": "human", **changes}


def test_calls_of_a_day_are_counted_by_what_became_of_them(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        at = 2000.0
        put(storage, "talked", at, **answered(at, connected_utc=at + 11.0))
        put(storage, "left", at, **answered(at))
        heard = answered(at, result="dropped", is_dropped=True, message_utc=at + 12.5)
        put(storage, "heard", at, **heard)
        put(storage, "unheard", at, **{**heard, "message_utc": 0.0})
        put(storage, "machine", at, **answered(at, result="machine", verdict="machine"))
        put(storage, "given up late", at, result="cancelled", ended_utc=at + 15.0)
        put(storage, "given up soon", at, result="cancelled", ended_utc=at + 14.0)
        put(storage, "rang out soon", at, rang_utc=at + 9.0, sip_status=487)
        put(storage, "refused soon", at, ended_utc=at + 3.0, sip_status=486, result="busy")
        put(storage, "not dialled", at, result="cancelled", cause="no_agents", rang_utc=0.0, ended_utc=at)
        put(storage, "barred", at, result="dnc_blocked", cause="dnc", rang_utc=0.0, ended_utc=at)
        put(storage, "by an agent", at, mode="preview", result="cancelled", ended_utc=at + 2.0)
        put(storage, "of another", at, campaign="fall")
        put(storage, "next day", at + DAY_S)
        put(storage, "too late", at + 2 * DAY_S)
        first, second = await storage.evidence.days("spring", BOUNDARIES)
        assert first == CallingDay(
            start_utc=1000.0,
            n_dialled=9,
            n_live=4,
            n_connected=1,
            n_dropped=2,
            n_machines=1,
            n_short_rings=2,
            n_messages=1,
            message_after_s=2.5,
            n_dnc_blocked=1,
        )
        assert second == CallingDay(start_utc=1000.0 + DAY_S, n_dialled=1)
        assert await storage.evidence.days("none", BOUNDARIES) == [CallingDay(start_utc=at) for at in BOUNDARIES[:-1]]

    run(scenario)


def test_calls_are_counted_by_clock_and_minute(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        for n, (at, zone) in enumerate([(1199.9, ""), (1200.0, ""), (1259.9, ""), (1230.0, "Asia/Shanghai")]):
            put(storage, f"a{n}", at, zone=zone)
        put(storage, "agent's", 1210.0, mode="preview")
        put(storage, "undialled", 1210.0, result="cancelled", cause="hours")
        put(storage, "other", 1210.0, campaign="fall")
        found = await storage.evidence.minutes("spring", 1200.0, 2000.0)
        assert found == [
            CallingMinute(zone="", minute_utc=1200.0, n=3),
            CallingMinute(zone="Asia/Shanghai", minute_utc=1200.0, n=1),
        ]

    run(scenario)


def test_a_call_too_soon_after_the_last_one_is_found(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        async def soon(**rules: float) -> dict[float, int]:
            rules = {"least_s": 300.0, "ban_s": 0.0, **rules}
            return await storage.evidence.too_soon("spring", BOUNDARIES, **rules)

        put(storage, "a1", 2000.0)
        put(storage, "a2", 2320.0)
        assert await soon() == {}, "it ended at 2020"
        put(storage, "a3", 2600.0)
        put(storage, "a4", 2600.0 + DAY_S, record="r2")
        put(storage, "a5", 2700.0 + DAY_S, record="r2")
        assert await soon() == {1000.0: 1, 1000.0 + DAY_S: 1}
        put(storage, "p1", 2800.0, is_promised=True)
        put(storage, "p2", 3000.0, mode="preview")
        assert await soon() == {1000.0: 1, 1000.0 + DAY_S: 1}, "he asked for it, or a person decided it"
        put(storage, "n1", 9000.0, record="r3", result="failed", rang_utc=0.0)
        put(storage, "n2", 9030.0, record="r3")
        assert await soon() == {1000.0: 1, 1000.0 + DAY_S: 1}, "nobody noticed the first"
        put(storage, "b1", 500.0, record="r4")
        put(storage, "b2", 1010.0, record="r4", ended_utc=0.0, result="", rang_utc=0.0)
        assert await soon(least_s=600.0) == {1000.0: 3, 1000.0 + DAY_S: 1}, "a2 now, and b2 after a call of yesterday"

    run(scenario)


def test_whom_nobody_was_there_for_is_left_alone_whoever_calls(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        lost = answered(2000.0, result="dropped", is_dropped=True)
        put(storage, "lost", 2000.0, campaign="fall", record="r9", number="+861", **lost)
        put(storage, "again", 5000.0, number="+861")
        put(storage, "elsewhere", 5000.0, record="r2", number="+862")
        found = await storage.evidence.too_soon("spring", BOUNDARIES, least_s=300.0, ban_s=10_000.0)
        assert found == {1000.0: 1}
        assert await storage.evidence.too_soon("spring", BOUNDARIES, least_s=300.0, ban_s=2900.0) == {}

    run(scenario)


def test_records_that_wait_and_those_that_are_over(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        rows = [
            make("r1", status="new", deferred="hours", next_utc=90.0),
            make("r2", status="retry_wait", deferred="hours", next_utc=80.0),
            make("r3", status="retry_wait", deferred="retry", next_utc=70.0),
            make("r4", status="callback", deferred="callback", next_utc=500.0),
            make("r5", status="retry_wait", deferred="retry", next_utc=40.0),
            make("r6", status="done", n_attempts=1, last_utc=45.0),
            make("r7", status="failed", n_attempts=1, last_utc=35.0),
            make("r8", status="dnc", last_utc=0.0),
            make("r9", status="new", deferred="hours", next_utc=90.0, campaign="fall"),
        ]
        await storage.records.add(rows)
        assert await storage.evidence.deferred("spring", 50.0) == [
            DeferredRecords(reason="hours", n=2, next_utc=80.0),
            DeferredRecords(reason="callback", n=1, next_utc=500.0),
            DeferredRecords(reason="retry", n=1, next_utc=70.0),
        ]
        assert await storage.evidence.n_closed("spring", 40.0) == 1
        assert await storage.evidence.n_closed("spring", 30.0) == 2

    run(scenario)


ATTEMPTS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(900, 1100),
            "record": st.sampled_from(["r1", "r2"]),
            "result": st.sampled_from(["human", "dropped", "busy", "no_answer", "cancelled", "failed", "dnc_blocked"]),
            "cause": st.sampled_from(["", "no_agents"]),
            "lasts": st.integers(0, 40),
            "rings": st.booleans(),
            "is_promised": st.booleans(),
            "mode": st.sampled_from(["predictive", "preview"]),
        }
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(ATTEMPTS)
def test_the_database_counts_as_memory_does(tmp_path_factory: Any, rows: list[dict[str, Any]]) -> None:
    import asyncio

    from storage.storage import Storage

    async def counted(storage: AnyStorage) -> Any:
        for n, row in enumerate(rows):
            at = float(row["at"])
            is_dropped = row["result"] == "dropped"
            put(
                storage,
                f"a{n:02}",
                at,
                record=row["record"],
                result=row["result"],
                cause=row["cause"],
                ended_utc=at + row["lasts"],
                rang_utc=at if row["rings"] else 0.0,
                answered_utc=at + 1.0 if row["result"] in ("human", "dropped") else 0.0,
                is_dropped=is_dropped,
                is_promised=row["is_promised"],
                mode=row["mode"],
                sip_status=487,
            )
        boundaries = [950.0, 1000.0, 1050.0]
        try:
            return (
                [asdict(day) for day in await storage.evidence.days("spring", boundaries)],
                await storage.evidence.minutes("spring", 950.0, 1050.0),
                await storage.evidence.too_soon("spring", boundaries, least_s=20.0, ban_s=60.0),
            )
        finally:
            await storage.close()

    async def both() -> None:
        folder = tmp_path_factory.mktemp("evidence")
        assert await counted(await Storage.open(str(folder / "db"))) == await counted(MemoryStorage())

    asyncio.run(both())
