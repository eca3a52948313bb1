"""What is asked of call records: one call with all that belongs to it, lists, totals."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import ColumnElement, Row, and_, case, func, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from model.records import CallRecord, LegRecord, SegmentRecord
from storage import schema
from storage.database import Database
from storage.errors import NotFoundError
from storage.filters import CallFilter, Page, arms, format_cursor, page_statement
from storage.recordings import StoredRecording, recordings_of
from storage.rows import CALL_COLUMNS

_CALL = [schema.calls.c[name] for name in CALL_COLUMNS if not name.endswith("_reversed")]
_LEG = [schema.legs.c[name] for name in LegRecord.__struct_fields__]
_SEGMENT = [schema.segments.c[name] for name in SegmentRecord.__struct_fields__]


class StoredCall(msgspec.Struct, frozen=True):
    """A call with its legs and segments, and its recordings."""

    call: CallRecord
    recordings: list[StoredRecording]


class CallTotals(msgspec.Struct, frozen=True):
    """Sums over calls."""

    key: str
    """What they are grouped by: an extension, a cause …; for intervals the beginning (UTC seconds) as text."""
    calls: int
    answered: int
    duration_s: float
    talk_s: float
    hold_s: float
    ring_s: float
    """From ringing (created, where the other side never rang) to answer, answered calls only."""


GroupBy = Literal["direction", "extension", "agent_id", "trunk", "access_number", "hangup_cause", "hangup_side"]

_c = schema.calls.c
_is_answered = _c.answered_utc > 0
_TOTALS = [
    func.count().label("calls"),
    func.coalesce(func.sum(case((_is_answered, 1), else_=0)), 0).label("answered"),
    func.coalesce(func.sum(_c.duration_s), 0.0).label("duration_s"),
    func.coalesce(func.sum(_c.talk_s), 0.0).label("talk_s"),
    func.coalesce(func.sum(_c.hold_s), 0.0).label("hold_s"),
    func.coalesce(
        func.sum(
            case((_is_answered, _c.answered_utc - case((_c.ringing_utc > 0, _c.ringing_utc), else_=_c.created_utc)))
        ),
        0.0,
    ).label("ring_s"),
]


class CallQueries:
    """Read-only; UnavailableError when the database cannot be read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, call_id: str) -> StoredCall:
        """NotFoundError when no such call has ended."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(*_CALL).where(_c.call_id == call_id))).first()
            if row is None:
                raise NotFoundError("call", call_id)
            legs = select(*_LEG).where(schema.legs.c.call_id == call_id).order_by(schema.legs.c.position)
            segments = (
                select(*_SEGMENT).where(schema.segments.c.call_id == call_id).order_by(schema.segments.c.position)
            )
            call = msgspec.structs.replace(
                _call(row),
                legs=[LegRecord(**leg._asdict()) for leg in await connection.execute(legs)],
                segments=[SegmentRecord(**segment._asdict()) for segment in await connection.execute(segments)],
            )
            return StoredCall(call, await recordings_of(connection, call_id))

    async def find(self, criteria: CallFilter | None = None, *, after: str = "", limit: int = 50) -> Page[CallRecord]:
        """Calls without legs and segments, newest first. ValueError for a bad limit, CursorError for a bad `after`."""
        criteria = criteria or CallFilter()
        statement = page_statement(schema.calls, "call_id", "created_utc", _CALL, criteria, after, limit)
        async with self._database.read() as connection:
            found = [_call(row) for row in await connection.execute(statement)]
        items = found[:limit]
        is_last = len(found) <= limit
        return Page(items, "" if is_last else format_cursor(items[-1].created_utc, items[-1].call_id))

    async def served_since(self, start_utc: float, limit: int) -> list[tuple[str, str, float]]:
        """(caller, agent, instant) of calls that an agent of a queue served, latest first."""
        statement = (
            select(_c.caller, _c.agent_id, _c.created_utc)
            .where(_c.created_utc >= start_utc, _c.agent_id != "")
            .order_by(_c.created_utc.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [(row.caller, row.agent_id, row.created_utc) for row in await connection.execute(statement)]

    async def totals(self, by: GroupBy, criteria: CallFilter | None = None) -> list[CallTotals]:
        """Sums for each value of the column `by`, in its order. ValueError for another column."""
        if by not in get_args(GroupBy):
            raise ValueError(f"cannot group by {by}")
        # As an expression, so that no index is walked for the sake of the grouping: it names the calls in random order.
        key = _c[by].concat("").label("key")
        sums: dict[str, CallTotals] = {}
        async with self._database.read() as connection:
            for piece in await _pieces(connection, criteria or CallFilter()):
                for row in await connection.execute(select(key, *_TOTALS).where(_condition(piece)).group_by(key)):
                    totals = _totals(row.key, row)
                    sums[row.key] = _sum(sums[row.key], totals) if row.key in sums else totals
        return [sums[value] for value in sorted(sums)]

    async def totals_by_interval(
        self, boundaries: Sequence[float], criteria: CallFilter | None = None
    ) -> list[CallTotals]:
        """Sums for each interval between neighbouring `boundaries` (UTC seconds, ascending), empty ones too.

        The caller names the boundaries, as only it knows where a day begins in its time zone.
        """
        condition = _condition(criteria or CallFilter())
        found: list[CallTotals] = []
        async with self._database.read() as connection:
            for spans in _chunks(list(itertools.pairwise(boundaries)), _INTERVALS):
                counted = [
                    select(literal(i).label("i"), *_TOTALS).where(
                        _c.created_utc >= start, _c.created_utc < end, condition
                    )
                    for i, (start, end) in enumerate(spans)
                ]
                rows = {row.i: row for row in await connection.execute(union_all(*counted))}
                found += [_totals(repr(start), rows[i]) for i, (start, _) in enumerate(spans)]
        return found


_PIECE_S = 31 * 86400.0
"""Time in one statement of `totals`: grouping sorts, a month's calls in the cache, four years' not."""

_INTERVALS = 31
"""Intervals in one statement."""


async def _pieces(connection: AsyncConnection, criteria: CallFilter) -> list[CallFilter]:
    """`criteria` for one stretch of time after the other, as far as there are calls."""
    ends = []
    for order in (_c.created_utc.asc(), _c.created_utc.desc()):
        one = select(_c.created_utc).where(_c.domain == criteria.domain).order_by(order).limit(1)
        ends.append((await connection.execute(one)).scalar())
    oldest, newest = ends
    if oldest is None or newest is None:
        return []
    start = max(criteria.start_utc, oldest)
    end = min(criteria.end_utc or math.inf, math.nextafter(newest, math.inf))
    pieces = []
    while start < end:
        pieces.append(msgspec.structs.replace(criteria, start_utc=start, end_utc=min(start + _PIECE_S, end)))
        start += _PIECE_S
    return pieces


def _chunks(spans: list[tuple[float, float]], size: int) -> list[list[tuple[float, float]]]:
    return [spans[at : at + size] for at in range(0, len(spans), size)]


def _condition(criteria: CallFilter) -> ColumnElement[bool]:
    return or_(*(and_(*arm) for arm in arms(schema.calls, "created_utc", criteria)))


def _sum(a: CallTotals, b: CallTotals) -> CallTotals:
    return CallTotals(a.key, *(getattr(a, name) + getattr(b, name) for name in CallTotals.__struct_fields__[1:]))


def _totals(key: str, row: Row[Any]) -> CallTotals:
    return CallTotals(key, row.calls, int(row.answered), row.duration_s, row.talk_s, row.hold_s, row.ring_s)


_decode_data = msgspec.json.Decoder(dict[str, str]).decode
_decode_ids = msgspec.json.Decoder(list[str]).decode


def _call(row: Row[Any]) -> CallRecord:
    values = row._asdict()
    values["data"] = _decode_data(values["data"]) if values["data"] else {}
    values["absorbed"] = _decode_ids(values["absorbed"]) if values["absorbed"] else []
    return CallRecord(**values)
