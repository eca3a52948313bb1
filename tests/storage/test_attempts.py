"""storage/attempts.py, storage/campaigns.py and their twins in memory: attempts are durable before they are dialled,
many at a time, added up by campaign and agent; states and pacing log are kept."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from model.dialing import PacingEntry
from storage.attempts import AgentAttempts, AttemptFilter, AttemptTotals
from storage.campaign_rows import CampaignRow
from storage.errors import CursorError, NotFoundError
from storage.interface import AnyStorage
from storage.storage import Storage
from tests.storage.conftest import Scenario
from tests.storage.test_campaign_records import attempt_at, make


def test_attempts_are_found_by_each_criterion_and_page_by_page(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.attempts
        records = [make(f"r{k}", campaign="spring" if k % 2 else "fall") for k in range(6)]
        rows = [
            attempt_at(
                record,
                f"a{k}",
                started_utc=100.0 + k // 2,
                agent_id="ann" if k < 2 else "",
                result="human" if k < 3 else "busy",
                is_dropped=k == 4,
                ended_utc=200.0,
                position=1,
                caller_id="+861",
                rang_utc=1.0,
                answered_utc=2.0,
                connected_utc=3.0,
                talk_s=4.0,
                cause="normal_clearing",
                sip_status=200,
                verdict="human",
                evidence="silence",
                disposition="deal",
            )
            for k, record in enumerate(records)
        ]
        for row, record in zip(rows, records, strict=True):
            book.store_outcome(row, record)
        newest_first = [rows[k] for k in (5, 4, 3, 2, 1, 0)]
        assert await book.get("a3") == rows[3]
        with pytest.raises(NotFoundError):
            await book.get("a9")
        found, after = [], ""
        while True:
            page = await book.find(AttemptFilter(), after=after, limit=2)
            found += page.items
            after = page.after
            if not after:
                break
        assert found == newest_first
        for criteria, wanted in (
            (AttemptFilter(campaign="spring"), [5, 3, 1]),
            (AttemptFilter(record_id="r2"), [2]),
            (AttemptFilter(agent_id="ann"), [1, 0]),
            (AttemptFilter(number="+8613800000004"), [4]),
            (AttemptFilter(number="0004", is_suffix=True), [4]),
            (AttemptFilter(results=("busy", "fax")), [5, 4, 3]),
            (AttemptFilter(is_dropped=True), [4]),
            (AttemptFilter(is_dropped=False, start_utc=101.0, end_utc=102.0), [3, 2]),
        ):
            assert (await book.find(criteria)).items == [rows[k] for k in wanted], criteria
        with pytest.raises(CursorError):
            await book.find(AttemptFilter(), after="nonsense")

    run(scenario)


def test_what_an_agent_says_later(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        record = make("r1", status="connected", n_attempts=1)
        await storage.records.add([record])
        attempt = attempt_at(record, ended_utc=130.0, result="human", talk_s=20.0)
        storage.attempts.store_outcome(attempt, record)
        storage.attempts.store_disposition("a1", replace(record, status="done", disposition="deal", note="gut"))
        for _ in range(2):
            assert await storage.attempts.get("a1") == replace(attempt, disposition="deal")
            assert (await storage.records.get("r1")).note == "gut"
            # Also of one that is in the database for long, and of none.
            storage.attempts.store_disposition("a1", replace(record, disposition="deal", note="gut"))
            storage.attempts.store_disposition("a9", replace(record, disposition="deal", note="gut"))

    run(scenario)


def test_many_attempts_at_once_are_durable(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        records = [make(f"r{k:03}", status="dialing", n_attempts=1) for k in range(200)]
        await storage.records.add(records)
        before = storage.state.written
        await asyncio.gather(
            *(storage.attempts.store_attempt(attempt_at(each, f"a-{each.record_id}"), each) for each in records)
        )
        assert storage.state.written == before + 200
        assert len(await storage.attempts.unfinished()) == 200

    run(scenario)


def test_an_attempt_that_was_stored_too_late_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        storage = await Storage.open(str(tmp_path / "db"))
        record = make("r1")
        await storage.records.add([record])
        await storage.records.take_due("spring", 1, 1.0)
        task = asyncio.create_task(
            storage.attempts.store_attempt(attempt_at(record), replace(record, status="dialing", n_attempts=1))
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        storage.records.put_back([record])
        assert await storage.attempts.of_record("r1") == []
        assert (await storage.records.get("r1")).status == "new"
        await storage.close()

    asyncio.run(scenario())


def test_totals_by_campaign_and_interval(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        record = make("r1")
        rows = [
            attempt_at(
                record, "a1", result="human", answered_utc=110.0, connected_utc=111.0, ended_utc=150.0, talk_s=39.0
            ),
            attempt_at(record, "a2", result="dropped", answered_utc=104.0, is_dropped=True, ended_utc=109.0),
            attempt_at(record, "a3", result="machine", answered_utc=105.0, ended_utc=109.0),
            attempt_at(record, "a4", result="cancelled", rang_utc=102.0, ended_utc=116.9),
            attempt_at(record, "a5", result="cancelled", rang_utc=102.0, ended_utc=117.0),
            attempt_at(record, "a6", result="no_answer", sip_status=487, rang_utc=103.0, ended_utc=104.0),
            attempt_at(record, "a7", result="no_answer", sip_status=480, rang_utc=103.0, ended_utc=104.0),
            attempt_at(record, "a8", result="busy", ended_utc=104.0),
            # Not even dialled: no attempt in any figure.
            attempt_at(record, "c1", result="cancelled", cause="no_agents", ended_utc=101.0),
            attempt_at(record, "a9", result="invalid", ended_utc=104.0, started_utc=200.0),
            attempt_at(record, "b1", result="failed", ended_utc=304.0, started_utc=300.0),
            attempt_at(make("r2", campaign="fall"), "b2", result="congestion", ended_utc=104.0),
        ]
        for row in rows:
            storage.attempts.store_outcome(row, record)
        found = await storage.attempts.totals([0.0, 150.0, 300.0])
        assert [(each.campaign, each.start_utc, each.n_attempts) for each in found] == [
            ("fall", 0.0, 1),
            ("spring", 0.0, 8),
            ("spring", 150.0, 1),
        ]
        assert found[1] == AttemptTotals(
            campaign="spring",
            start_utc=0.0,
            n_attempts=8,
            n_answered=3,
            n_live=2,
            n_connected=1,
            n_dropped=1,
            n_machines=1,
            n_short_rings=2,
            n_busy=1,
            n_no_answer=2,
            n_failed=0,
            talk_s=39.0,
            ring_s=19.0,
        )
        assert await storage.attempts.totals([0.0, 150.0], "fall") == [found[0]]
        assert (found[0].n_failed, found[2].n_failed) == (1, 1)

    run(scenario)


def test_totals_of_agents(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        record = make("r1")
        for k, (agent, disposition, at) in enumerate(
            (("ann", "deal", 10.0), ("ann", "deal", 11.0), ("ann", "", 12.0), ("bob", "no", 13.0), ("", "deal", 14.0))
        ):
            storage.attempts.store_outcome(
                attempt_at(
                    record,
                    f"a{k}",
                    agent_id=agent,
                    disposition=disposition,
                    started_utc=at,
                    connected_utc=at if disposition else 0.0,
                    talk_s=float(k),
                    ended_utc=99.0,
                ),
                record,
            )
        assert await storage.attempts.agent_totals(10.0, 14.0) == [
            AgentAttempts(
                agent_id="ann",
                campaign="spring",
                n_attempts=3,
                n_connected=2,
                talk_s=3.0,
                dispositions={"deal": 2, "": 1},
            ),
            AgentAttempts(
                agent_id="bob", campaign="spring", n_attempts=1, n_connected=1, talk_s=3.0, dispositions={"no": 1}
            ),
        ]
        assert await storage.attempts.agent_totals(10.0, 14.0, "fall") == []

    run(scenario)


def test_states_and_pacing_log(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.campaigns
        row = CampaignRow(campaign="spring", state="running", document=b'{"ledger": [1, \xff]}', updated_utc=9.0)
        for each in (row, replace(row, campaign="fall", state="stopped"), replace(row, document=b"")):
            book.save_state(each)
        assert await book.load_states() == [replace(row, campaign="fall", state="stopped"), replace(row, document=b"")]
        entries = [
            PacingEntry(campaign=name, at_utc=float(at), n_dials=at, reason="pacing", inputs={"idle": at / 3})
            for at in range(5)
            for name in ("spring", "fall")
        ]
        book.log_pacing(entries)
        spring = entries[::2]
        page = await book.find_pacing("spring", limit=2)
        assert page.items == spring[:2]
        assert (await book.find_pacing("spring", after=page.after)).items == spring[2:]
        assert (await book.find_pacing("spring", 1.0, 3.0)).items == spring[1:3]
        assert await book.forget_pacing(3.0, 4) == 4
        assert await book.forget_pacing(3.0, 4) == 2
        assert (await book.find_pacing("spring")).items == spring[3:]
        await book.remove_state("spring")
        assert [each.campaign for each in await book.load_states()] == ["fall"]
        assert (await book.find_pacing("spring")).items == []

    run(scenario)


def test_what_the_database_did_not_take_is_kept_for_the_next_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        storage = await Storage.open(str(tmp_path / "db"))
        record = make("r1", status="dialing", n_attempts=1)
        await storage.records.add([record])
        storage.attempts.store_outcome(
            attempt_at(record, ended_utc=130.0, result="busy"), replace(record, status="new")
        )
        storage.campaigns.save_state(CampaignRow(campaign="spring", state="running", document=b"\x00\xff"))
        storage.campaigns.log_pacing([PacingEntry(campaign="spring", at_utc=1.0, n_dials=2, reason="x", inputs={})])
        await storage.close(timeout_s=0)
        assert (tmp_path / "db.unwritten.jsonl").exists()
        storage = await Storage.open(str(tmp_path / "db"))
        assert (await storage.records.get("r1")).status == "new"
        assert (await storage.attempts.get("a1")).result == "busy"
        assert (await storage.campaigns.load_states())[0].document == b"\x00\xff"
        assert len((await storage.campaigns.find_pacing("spring")).items) == 1
        await storage.close()

    asyncio.run(scenario())
