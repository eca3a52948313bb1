"""Four years of calls in one database: how long look-ups and statistics take, and what writing a call costs.

    python -m benchmarks.storage [--json] [--quick] [--rows N] [--folder DIR] [--only TEXT]

Makes a synthetic SQLite database of 5.8 million calls (--quick: 300,000) in a temporary folder, with legs, segments and
recordings, then asks what FEATURES REC-08/09 name through `storage` itself. Each question is asked first with the file
out of the page cache (`cold_ms`), then many times with changing values (`p50_ms`, `max_ms`). Goals (NFR-02, NFR-04):
a look-up within 2 s, a statistic within 20 s. `plan` is what SQLite says it does, `uses_index` that it reads no table
from end to end. Writing is measured in CPU time of the process, batch by batch as at 50, 200 and 800 calls/s, into the
full database (each call then touches pages of its own in every index) and into a new one.
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.schema import CreateIndex

from model.ids import IdSource
from model.records import CallRecord, LegRecord, SegmentRecord
from storage import schema
from storage.filters import CallFilter, RecordingFilter
from storage.rows import CALL_COLUMNS
from storage.storage import Storage
from storage.writer import WriterLimits

FULL_ROWS = 5_800_000
QUICK_ROWS = 300_000
FOUR_YEARS_S = 4 * 365.25 * 86400
START_UTC = 1_600_000_000.0
OWN_NUMBERS = [f"400820{i:04d}" for i in range(5580, 5592)]
N_EXTENSIONS = 200
N_CUSTOMERS = 2_000_000
GOAL_S = {"look-up": 2.0, "statistic": 20.0}


class Query(msgspec.Struct, frozen=True):
    """One question: `ask` with a source of random values."""

    name: str
    kind: str
    ask: Callable[[Storage, random.Random], Awaitable[object]]


# -- the synthetic database ------------------------------------------------------------------------------------------


def customer(pick: random.Random) -> str:
    return f"13{pick.randrange(N_CUSTOMERS) * 499 % 1_000_000_000:09d}"


def synthetic_calls(rows: int, pick: random.Random) -> Iterator[tuple[Any, ...]]:
    """Rows of `calls` in order of time, as call centres have them: most inbound, one in five unanswered."""
    ids = IdSource(wall_ms=lambda: int(created * 1000), random_bytes=pick.randbytes)
    step = FOUR_YEARS_S / rows
    for i in range(rows):
        created = START_UTC + step * (i + pick.random())
        kind, is_answered = pick.random(), pick.random() < 0.8
        extension = str(8000 + pick.randrange(N_EXTENSIONS))
        direction = "inbound" if kind < 0.6 else "outbound" if kind < 0.9 else "internal"
        outside, own = customer(pick), pick.choice(OWN_NUMBERS)
        caller, dialed = {"inbound": (outside, own), "outbound": (extension, outside)}.get(
            direction, (extension, str(8000 + pick.randrange(N_EXTENSIONS)))
        )
        ring_s, talk_s = pick.expovariate(1 / 8), pick.expovariate(1 / 180) if is_answered else 0.0
        answered = created + ring_s if is_answered else 0.0
        ended = created + ring_s + talk_s
        record = CallRecord(
            call_id=ids.new(),
            direction=direction,
            caller=caller,
            dialed=dialed,
            access_number=own if direction == "inbound" else "",
            extension=extension,
            agent_id=f"a{int(extension) % 150:03d}",
            trunk="" if direction == "internal" else f"trunk-{pick.randrange(8)}",
            created_utc=created,
            ringing_utc=created + 0.2,
            answered_utc=answered,
            bridged_utc=answered,
            ended_utc=ended,
            duration_s=ended - created,
            talk_s=talk_s,
            hangup_cause="NORMAL_CLEARING" if is_answered else "NO_ANSWER" if kind < 0.97 else "USER_BUSY",
            hangup_side="caller" if kind < 0.5 else "agent",
        )
        yield (*msgspec.structs.astuple(record)[:-2], caller[::-1], dialed[::-1])


_LEGS = """INSERT INTO legs (position, leg_id, call_id, direction, kind, name, remote_address, sip_call_id, caller,
 dialed, created_utc, ringing_utc, answered_utc, bridged_utc, ended_utc, hangup_cause, hangup_side, sip_status, codec,
 packets_received, packets_sent)
 SELECT n, substr(call_id, 1, 24) || printf('%012x', c.rowid * 2 + n), call_id, iif(n, 'out', 'in'),
 iif(n, 'extension', 'trunk'), iif(n, extension, trunk), '192.0.2.17:5060', substr(call_id, 10) || '@192.0.2.17',
 caller, dialed, created_utc, ringing_utc, answered_utc, bridged_utc, ended_utc, hangup_cause, hangup_side, 200, 'PCMA',
 cast(talk_s * 50 AS INTEGER), cast(talk_s * 50 AS INTEGER)
 FROM calls c, (SELECT 0 AS n UNION ALL SELECT 1) ORDER BY c.rowid"""
_SEGMENTS = """INSERT INTO segments (call_id, position, leg_id, purpose, started_utc, ended_utc)
 SELECT call_id, n, '', iif(n, 'talk', 'ring'), iif(n, answered_utc, created_utc), iif(n, ended_utc, ended_utc - talk_s)
 FROM calls c, (SELECT 0 AS n UNION ALL SELECT 1) WHERE n = 0 OR answered_utc > 0 ORDER BY c.rowid"""
_RECORDINGS = """INSERT INTO recordings (recording_id, call_id, path, started_utc, ended_utc, duration_s, size, sha256,
 channels, encoding, state, caller, dialed, extension, agent_id, trunk, pauses, speech_s, error, caller_reversed,
 dialed_reversed, is_important)
 SELECT substr(call_id, 1, 24) || printf('%012x', rowid), call_id, '2020/01/01/' || call_id || '.wav', answered_utc,
 ended_utc, talk_s, cast(talk_s * 16000 AS INTEGER), hex(randomblob(32)), 2, 'g711',
 iif(abs(random()) % 200000 = 0, 'recording', 'finished'), caller, dialed, extension, agent_id, trunk, '', '', '',
 caller_reversed, dialed_reversed, abs(random()) % 1000 = 0
 FROM calls WHERE answered_utc > 0 ORDER BY rowid"""


def fill(path: Path, rows: int) -> None:
    """Fills the tables of a database that is there; indexes are made afterwards: building is quicker than growing."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in (
        "journal_mode = OFF",
        "synchronous = OFF",
        "cache_size = -400000",
        "temp_store = MEMORY",
        "threads = 2",
    ):
        connection.execute(f"PRAGMA {pragma}")
    indexes = [index for table in (schema.calls, schema.recordings) for index in table.indexes]
    for index in indexes:
        connection.execute(f"DROP INDEX {index.name}")
    marks = ", ".join("?" * len(CALL_COLUMNS))
    connection.execute("BEGIN")
    insert = f"INSERT INTO calls ({', '.join(CALL_COLUMNS)}) VALUES ({marks})"
    connection.executemany(insert, synthetic_calls(rows, random.Random(1)))
    for statement in (_LEGS, _SEGMENTS, _RECORDINGS):
        connection.execute(statement)
    connection.execute("COMMIT")
    for index in indexes:
        connection.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))
    connection.close()


# -- the questions ---------------------------------------------------------------------------------------------------


def month(pick: random.Random) -> dict[str, Any]:
    start = START_UTC + pick.random() * (FOUR_YEARS_S - 30 * 86400)
    return {"start_utc": start, "end_utc": start + 30 * 86400}


def extension(pick: random.Random) -> str:
    return str(8000 + pick.randrange(N_EXTENSIONS))


def agent(pick: random.Random) -> str:
    return f"a{pick.randrange(150):03d}"


def calls(name: str, criteria: Callable[[random.Random], CallFilter]) -> Query:
    return Query(f"calls: {name}", "look-up", lambda storage, pick: storage.calls.find(criteria(pick)))


def recordings(name: str, criteria: Callable[[random.Random], RecordingFilter]) -> Query:
    return Query(f"recordings: {name}", "look-up", lambda storage, pick: storage.recordings.find(criteria(pick)))


async def one_call(storage: Storage, pick: random.Random) -> None:
    page = await storage.calls.find(CallFilter(end_utc=month(pick)["end_utc"]), limit=1)
    await storage.calls.get(page.items[0].call_id)


async def deep_pages(storage: Storage, pick: random.Random) -> None:
    criteria, after = CallFilter(extension=extension(pick)), ""
    for _ in range(20):
        page = await storage.calls.find(criteria, after=after)
        after = page.after


async def days_of_month(storage: Storage, pick: random.Random) -> None:
    start = month(pick)["start_utc"]
    await storage.calls.totals_by_interval([start + 86400 * day for day in range(31)])


async def days_of_four_years(storage: Storage, _pick: random.Random) -> None:
    await storage.calls.totals_by_interval([START_UTC + 86400 * day for day in range(1462)])


QUERIES = [
    calls("newest", lambda pick: CallFilter()),
    calls("dates", lambda pick: CallFilter(**month(pick))),
    calls("extension", lambda pick: CallFilter(extension=extension(pick))),
    calls("extension, dates", lambda pick: CallFilter(extension=extension(pick), **month(pick))),
    calls("agent, dates", lambda pick: CallFilter(agent_id=agent(pick), **month(pick))),
    calls("customer's number", lambda pick: CallFilter(number=customer(pick))),
    calls("own number", lambda pick: CallFilter(number=pick.choice(OWN_NUMBERS))),
    calls("end of number (4)", lambda pick: CallFilter(number=customer(pick)[-4:], is_suffix=True)),
    calls("end of number (1)", lambda pick: CallFilter(number=customer(pick)[-1:], is_suffix=True)),
    calls("end of own number (4)", lambda pick: CallFilter(number=pick.choice(OWN_NUMBERS)[-4:], is_suffix=True)),
    calls("number, dates", lambda pick: CallFilter(number=customer(pick), **month(pick))),
    calls("own number, extension", lambda pick: CallFilter(number=OWN_NUMBERS[0], extension=extension(pick))),
    calls("end of own number, agent", lambda pick: CallFilter(number="5580", is_suffix=True, agent_id=agent(pick))),
    calls("channel", lambda pick: CallFilter(trunk=f"trunk-{pick.randrange(8)}")),
    calls("channel, dates", lambda pick: CallFilter(trunk=f"trunk-{pick.randrange(8)}", **month(pick))),
    calls("longer than 30 min", lambda pick: CallFilter(min_duration_s=1800 + pick.random())),
    calls("longer than 10 s", lambda pick: CallFilter(min_duration_s=10 + pick.random())),
    calls("duration, dates", lambda pick: CallFilter(min_duration_s=600, max_duration_s=620, **month(pick))),
    calls("duration, extension", lambda pick: CallFilter(min_duration_s=600, extension=extension(pick))),
    calls("cause", lambda pick: CallFilter(hangup_cause="USER_BUSY")),
    calls("no such cause", lambda pick: CallFilter(hangup_cause="INTERWORKING")),
    calls("missed, extension", lambda pick: CallFilter(is_answered=False, extension=extension(pick))),
    Query("calls: one with legs, segments, recordings", "look-up", one_call),
    Query("calls: 20 pages of an extension", "look-up", deep_pages),
    recordings("newest", lambda pick: RecordingFilter()),
    recordings("dates", lambda pick: RecordingFilter(**month(pick))),
    recordings("agent, dates", lambda pick: RecordingFilter(agent_id=agent(pick), **month(pick))),
    recordings("extension", lambda pick: RecordingFilter(extension=extension(pick))),
    recordings("customer's number", lambda pick: RecordingFilter(number=customer(pick))),
    recordings("end of number (4)", lambda pick: RecordingFilter(number=customer(pick)[-4:], is_suffix=True)),
    recordings("channel, duration", lambda pick: RecordingFilter(trunk="trunk-3", min_duration_s=900)),
    recordings("duration", lambda pick: RecordingFilter(min_duration_s=1700 + pick.random(), max_duration_s=1710)),
    recordings("important", lambda pick: RecordingFilter(is_important=True)),
    Query("recordings: unfinished", "look-up", lambda storage, pick: storage.recordings.unfinished()),
    Query("totals: day by day, a month", "statistic", days_of_month),
    Query("totals: day by day, four years", "statistic", days_of_four_years),
    Query(
        "totals: by extension, a month", "statistic", lambda s, p: s.calls.totals("extension", CallFilter(**month(p)))
    ),
    Query("totals: by extension, four years", "statistic", lambda s, p: s.calls.totals("extension")),
    Query("totals: by cause, four years", "statistic", lambda s, p: s.calls.totals("hangup_cause")),
]


# -- measuring -------------------------------------------------------------------------------------------------------


class Statements:
    """The SQL that went to the database, to be explained afterwards."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        event.listen(Engine, "before_cursor_execute", self._note)

    def _note(self, _connection: object, _cursor: object, sql: str, values: Any, *_: object) -> None:
        if sql.startswith(("SELECT", "WITH")):
            self.seen.append((sql, values))

    def explain(self, path: Path) -> list[str]:
        connection = sqlite3.connect(path)
        try:
            return [
                row[3] for sql, values in self.seen for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)
            ]
        finally:
            connection.close()


def forget_pages(path: Path) -> None:
    """Lets the kernel drop what it holds of the file, so that the next read comes from the disk."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


async def measure(path: Path, query: Query, statements: Statements) -> dict[str, Any]:
    pick = random.Random(query.name)
    forget_pages(path)
    storage = await Storage.open(str(path))
    try:
        statements.seen.clear()
        started = time.perf_counter()
        await query.ask(storage, pick)
        cold_ms = (time.perf_counter() - started) * 1000
        plan = list(dict.fromkeys(statements.explain(path)))
        times: list[float] = []
        until = time.perf_counter() + 5.0
        while len(times) < 3 or (len(times) < 50 and time.perf_counter() < until):
            started = time.perf_counter()
            await query.ask(storage, pick)
            times.append((time.perf_counter() - started) * 1000)
    finally:
        await storage.close()
    tables = tuple(f"SCAN {name}" for name in ("calls", "legs", "segments", "recordings"))
    return {
        "name": query.name,
        "kind": query.kind,
        "cold_ms": round(cold_ms, 1),
        "p50_ms": round(statistics.median(times), 2),
        "max_ms": round(max(times), 1),
        "asked": len(times),
        "is_within_goal": max(cold_ms, *times) <= GOAL_S[query.kind] * 1000,
        "uses_index": not any(line.startswith(tables) and "USING" not in line for line in plan),
        "plan": plan,
    }


def new_call(ids: IdSource, pick: random.Random) -> CallRecord:
    call_id, at, number = ids.new(), time.time(), customer(pick)
    shared: dict[str, Any] = {
        "created_utc": at,
        "ringing_utc": at,
        "answered_utc": at,
        "bridged_utc": at,
        "ended_utc": at + 60,
    }
    own, leg_ids = extension(pick), (ids.new(), ids.new())
    legs = [
        LegRecord(
            leg_id=leg_id,
            call_id=call_id,
            direction=direction,
            kind="trunk",
            name="trunk-1",
            remote_address="192.0.2.17:5060",
            sip_call_id=ids.token(24),
            caller=number,
            dialed=own,
            codec="PCMA",
            hangup_cause="NORMAL_CLEARING",
            sip_status=200,
            **shared,
        )
        for leg_id, direction in zip(leg_ids, ("in", "out"), strict=True)
    ]
    segments = [
        SegmentRecord(call_id=call_id, leg_id=legs[0].leg_id, purpose=purpose, started_utc=at, ended_utc=at + 60)
        for purpose in ("ring", "talk", "hold")[: pick.choice((2, 3))]
    ]
    return CallRecord(
        call_id=call_id,
        direction="inbound",
        caller=number,
        dialed=OWN_NUMBERS[0],
        extension=own,
        agent_id=agent(pick),
        trunk="trunk-1",
        duration_s=60.0 + pick.random(),
        talk_s=60.0,
        hangup_cause="NORMAL_CLEARING",
        legs=legs,
        segments=segments,
        **shared,
    )


async def measure_writing(path: Path, prefix: str, n_batches: int = 40) -> dict[str, float]:
    """CPU time of the process (caller and writer's thread) for each call, in batches as they come at a rate."""
    ids, pick = IdSource(), random.Random(2)
    limits = WriterLimits()
    storage = await Storage.open(str(path), limits=limits)
    figures: dict[str, float] = {}
    try:
        for per_second in (50, 200, 800):
            size = int(per_second * limits.flush_interval_s)
            batches = [[new_call(ids, pick) for _ in range(size)] for _ in range(n_batches + 5)]
            await write(storage, batches[:5])
            cpu, wall = time.process_time(), time.perf_counter()
            await write(storage, batches[5:])
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            figures[f"{prefix}_cpu_us_per_call_{per_second}cps"] = round(cpu / n_batches / size * 1e6, 1)
            figures[f"{prefix}_ms_per_batch_{per_second}cps"] = round(wall / n_batches * 1000, 2)
    finally:
        await storage.close()
    return figures


async def write(storage: Storage, batches: list[list[CallRecord]]) -> None:
    for batch in batches:
        for record in batch:
            storage.put(record)
        await storage.flush()


async def run(folder: Path, rows: int, only: str, say: Callable[[str], None]) -> dict[str, Any]:
    path = folder / "benchmark.db"
    if not path.exists():
        say(f"making {rows:,} calls in {path}")
        started = time.perf_counter()
        await (await Storage.open(str(path))).close()
        await asyncio.to_thread(fill, path, rows)
        say(f"made in {time.perf_counter() - started:.0f} s, {path.stat().st_size / 1e9:.1f} GB")
    statements = Statements()
    results = []
    for query in [query for query in QUERIES if only in query.name]:
        results.append(await measure(path, query, statements))
        say(f"{query.name}: {results[-1]['p50_ms']} ms")
    figures = await measure_writing(path, "write_full")
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        figures |= await measure_writing(Path(fresh) / "fresh.db", "write_fresh")
    return {
        "benchmark": "storage",
        "rows": rows,
        "database_gb": round(path.stat().st_size / 1e9, 2),
        "is_within_goals": all(result["is_within_goal"] for result in results),
        "all_use_index": all(result["uses_index"] for result in results if result["kind"] == "look-up"),
        "sqlite": sqlite3.sqlite_version,
        **figures,
        "queries": results,
    }


def show(report: dict[str, Any]) -> None:
    title = f"{report['rows']:,} calls, {report['database_gb']} GB, SQLite {report['sqlite']}"
    table = Table("question", "cold ms", "p50 ms", "max ms", "index", "goal", title=title)
    for row in report["queries"]:
        marks = ["yes" if row[key] else "NO" for key in ("uses_index", "is_within_goal")]
        table.add_row(row["name"], *(f"{row[key]:.1f}" for key in ("cold_ms", "p50_ms", "max_ms")), *marks)
    console = Console()
    console.print(table)
    for name, value in report.items():
        if name.startswith("write_"):
            console.print(f"{name} {value}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS:,} calls instead of {FULL_ROWS:,}")
    parser.add_argument("--rows", type=int, default=0, help="how many calls")
    parser.add_argument("--folder", type=Path, help="keep the database here, and use the one that is there")
    parser.add_argument("--only", default="", help="only questions with this in their name")
    options = parser.parse_args()
    rows = options.rows or (QUICK_ROWS if options.quick else FULL_ROWS)
    with tempfile.TemporaryDirectory(prefix="ringback-storage-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = asyncio.run(run(folder, rows, options.only, lambda text: print(text, file=sys.stderr)))
    if options.json:
        print(json.dumps(report))
    else:
        show(report)


if __name__ == "__main__":
    main()
