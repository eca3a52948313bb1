"""storage/writer.py: order, retries, back-pressure, poisoned records, closing; against a sink that fails as told.

Not here: what a real database does (test_durability.py), what the rows look like (test_storage.py).
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.records import SegmentRecord
from storage.errors import ClosedError, RejectedError, UnavailableError
from storage.rows import Record
from storage.spool import read_lines
from storage.writer import Writer, WriterLimits, WriterState
from tests.storage.records import make_call, make_recording

QUICK = WriterLimits(flush_interval_s=0.001, max_batch=8, max_backlog=20, retry_first_s=0.0005, retry_most_s=0.002)


class FakeSink:
    """Fails while `errors` has some, then whenever `is_down`; rejects batches with a call of `poison`."""

    def __init__(self, errors: Sequence[Exception] = (), poison: frozenset[str] = frozenset()) -> None:
        self.errors = list(errors)
        self.poison = poison
        self.is_down = False
        self.batches: list[list[Record]] = []
        self.attempts = 0
        self.attempted = asyncio.Event()
        self.is_closed = False

    async def write(self, records: Sequence[Record]) -> None:
        self.attempts += 1
        self.attempted.set()
        await asyncio.sleep(0)
        if self.is_down:
            raise UnavailableError("down")
        if self.errors:
            raise self.errors.pop(0)
        if any(record.call_id in self.poison for record in records):
            raise RejectedError("poison")
        self.batches.append(list(records))

    async def close(self) -> None:
        self.is_closed = True

    @property
    def written(self) -> list[Record]:
        return [record for batch in self.batches for record in batch]


def run(scenario: Callable[[], object]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()  # type: ignore[misc]

    asyncio.run(bounded())


def test_batches_keep_the_order_and_the_size(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = FakeSink()
        writer = Writer(sink, tmp_path / "dead", limits=QUICK)
        records = [make_call(f"c{i}") for i in range(20)]
        for record in records:
            writer.put(record)
        await writer.flush()
        assert sink.written == records
        assert [len(batch) for batch in sink.batches] == [8, 8, 4]
        assert writer.state == WriterState(written=20)
        assert await writer.close() == []
        assert sink.is_closed

    run(scenario)


def test_a_lone_record_is_written_without_flush(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = FakeSink()
        writer = Writer(sink, tmp_path / "dead", limits=QUICK)
        writer.put(make_call("c"))
        assert sink.attempts == 0
        await sink.attempted.wait()
        await writer.flush()
        assert sink.attempts == 1
        await writer.close()

    run(scenario)


def test_nothing_runs_while_there_is_nothing_to_write(tmp_path: Path) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        writer = Writer(FakeSink(), tmp_path / "dead", limits=WriterLimits())
        armed: list[object] = []
        call_at = loop.call_at
        loop.call_at = lambda *args, **kwargs: armed.append(args) or call_at(*args, **kwargs)  # type: ignore[assignment,method-assign]
        for i in range(100):
            writer.put(make_call(f"c{i}"))
        assert len(armed) == 1, "one timer for the batch"
        await writer.flush()
        await writer.flush()
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(armed) == 1
        await writer.close()

    run(scenario)


def test_failure_keeps_everything_tells_and_recovers(tmp_path: Path) -> None:
    async def scenario() -> None:
        told: list[WriterState] = []
        sink = FakeSink()
        sink.is_down = True
        writer = Writer(sink, tmp_path / "dead", limits=QUICK, on_state_change=told.append, wall=lambda: 1234.5)
        records = [make_call(f"c{i}") for i in range(30)]
        for record in records:
            writer.put(record)
        assert writer.is_congested
        while sink.attempts < 4:
            sink.attempted.clear()
            await sink.attempted.wait()
        state = writer.state
        assert (state.is_failing, state.error, state.since_utc, state.backlog) == (True, "down", 1234.5, 30)
        sink.is_down = False
        await writer.flush()
        assert sink.written == records
        assert writer.state == WriterState(written=30)
        assert not writer.is_congested
        # Each change once, however many attempts failed: congested, failing, working again, free again.
        assert [(state.is_congested, state.is_failing) for state in told] == [
            (True, False),
            (True, True),
            (True, False),
            (False, False),
        ]
        await writer.close()

    run(scenario)


def test_what_comes_while_a_batch_is_written_waits_for_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = FakeSink()
        writer = Writer(sink, tmp_path / "dead", limits=WriterLimits(flush_interval_s=3600, max_batch=8))
        records = [make_call(f"c{i}") for i in range(9)]
        for record in records[:8]:
            writer.put(record)
        await sink.attempted.wait()
        writer.put(records[8])
        for _ in range(20):
            await asyncio.sleep(0)
        assert sink.written == records[:8]
        await writer.flush()
        assert [len(batch) for batch in sink.batches] == [8, 1]
        await writer.close()

    run(scenario)


def test_an_error_nobody_foresaw_does_not_end_the_writer(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = FakeSink(errors=[RuntimeError("driver bug"), KeyError()])
        writer = Writer(sink, tmp_path / "dead", limits=QUICK)
        writer.put(make_call("c"))
        await writer.flush()
        assert sink.written == [make_call("c")]
        await writer.close()

    run(scenario)


@pytest.mark.parametrize("n_good", [0, 1, 7, 30], ids="{}-good".format)
def test_poison_is_put_aside_and_blocks_no_one(tmp_path: Path, n_good: int) -> None:
    async def scenario() -> None:
        dead = tmp_path / "dead.jsonl"
        sink = FakeSink(poison=frozenset({"bad0", "bad1"}))
        writer = Writer(sink, dead, limits=QUICK, wall=lambda: 99.0)
        good = [make_call(f"c{i}") for i in range(n_good)]
        bad = [make_call(f"bad{i}") for i in range(2)]
        for record in [*good[:5], bad[0], *good[5:], bad[1]]:
            writer.put(record)
        await writer.flush()
        assert sink.written == good
        assert read_lines(dead) == (bad, [])
        assert [json.loads(line)["error"] for line in dead.read_text().splitlines()] == ["poison", "poison"]
        assert writer.state == WriterState(written=n_good, dead_letters=2)
        await writer.close()

    run(scenario)


def test_dead_letters_wait_for_their_disk_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "missing"
        sink = FakeSink(poison=frozenset({"bad"}))
        writer = Writer(sink, folder / "dead.jsonl", limits=QUICK)
        writer.put(make_call("bad"))
        writer.put(make_call("good"))
        while not writer.state.is_failing:
            sink.attempted.clear()
            await sink.attempted.wait()
        folder.mkdir()
        await writer.flush()
        assert sink.written == [make_call("good")]
        assert read_lines(folder / "dead.jsonl") == ([make_call("bad")], [])
        assert not writer.state.is_failing
        await writer.close()

    run(scenario)


def test_close_gives_back_what_could_not_be_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = FakeSink()
        sink.is_down = True
        writer = Writer(sink, tmp_path / "dead", limits=QUICK)
        records = [make_call("c0"), make_recording("r0", "c0")]
        for record in records:
            writer.put(record)
        waiting = asyncio.create_task(writer.flush())
        assert await writer.close(timeout_s=0.01) == records
        with pytest.raises(ClosedError):
            await waiting
        with pytest.raises(ClosedError):
            writer.put(records[0])
        assert sink.is_closed

    run(scenario)


def test_close_drains_what_was_just_put(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = FakeSink(errors=[UnavailableError("once")])
        writer = Writer(sink, tmp_path / "dead", limits=QUICK)
        writer.put(make_call("c"))
        assert await writer.close() == []
        assert sink.written == [make_call("c")]
        await writer.flush()

    run(scenario)


def test_a_cancelled_flush_harms_no_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = FakeSink()
        sink.is_down = True
        writer = Writer(sink, tmp_path / "dead", limits=QUICK)
        writer.put(make_call("c"))
        first, second = asyncio.create_task(writer.flush()), asyncio.create_task(writer.flush())
        await sink.attempted.wait()
        first.cancel()
        sink.is_down = False
        await second
        assert first.cancelled()
        await writer.close()

    run(scenario)


def test_only_records_with_a_table_are_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        writer = Writer(FakeSink(), tmp_path / "dead", limits=QUICK)
        with pytest.raises(TypeError, match="SegmentRecord"):
            writer.put(SegmentRecord(call_id="c", purpose="talk", started_utc=0, ended_utc=1))  # type: ignore[arg-type]
        await writer.close()

    run(scenario)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 9)),
        st.tuples(st.just("poison"), st.integers(0, 3)),
        st.tuples(st.just("fail"), st.integers(1, 3)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("turn"), st.integers(1, 20)),
    ),
    max_size=60,
)


@settings(max_examples=80, deadline=None)
@given(steps=STEPS, max_batch=st.integers(1, 6))
def test_everything_is_written_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], max_batch: int
) -> None:
    async def scenario() -> None:
        dead = tmp_path_factory.mktemp("dead") / "dead.jsonl"
        sink = FakeSink(poison=frozenset(f"bad{i}" for i in range(4)))
        limits = WriterLimits(flush_interval_s=0.0, max_batch=max_batch, retry_first_s=0.0, retry_most_s=0.0)
        writer = Writer(sink, dead, limits=limits)
        put: list[Record] = []
        poisoned: list[Record] = []
        for n, (step, value) in enumerate(steps):
            match step:
                case "put":
                    put.append(make_call(f"c{value}", 1000.0 + n))
                    writer.put(put[-1])
                case "poison":
                    poisoned.append(make_call(f"bad{value}", 1000.0 + n))
                    writer.put(poisoned[-1])
                case "fail":
                    sink.errors += [UnavailableError("now and then")] * value
                case "flush":
                    await writer.flush()
                    assert sink.written == put
                case _:
                    for _ in range(value):
                        await asyncio.sleep(0)
        assert await writer.close() == []
        assert sink.written == put
        assert writer.state.written == len(put)
        assert (read_lines(dead)[0] if poisoned else []) == poisoned

    run(scenario)
