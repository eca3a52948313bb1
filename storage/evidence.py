"""What shows how a campaign called (XOUT-02), and why it does not call (XOUT-12): counted by the database, each figure
in one query."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from sqlalchemy import ColumnElement, Integer, and_, case, cast, func, literal, or_, select, true

from model.campaigns import LEAST_RING_S
from model.dialing import NOT_DIALLED
from storage import schema_campaigns as schema
from storage.backlog import Backlog, settle
from storage.campaign_rows import OPEN, WAITING
from storage.database import Database

LIVE = ("human", "dropped")
"""A person answered."""
UNHEARD = ("failed", "congestion", "cancelled", "interrupted", "invalid")
"""Results of attempts that nobody noticed, unless it rang."""
GIVEN_UP_STATUS = (0, 487)
"""Of SIP, where we and not the other side ended the ringing."""
MINUTE_S = 60
_a = schema.attempts.c
_r = schema.campaign_records.c


class CallingDay(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of a campaign's dialler that began within an interval."""

    start_utc: float
    n_dialled: int = 0
    n_live: int = 0
    """A person answered."""
    n_connected: int = 0
    """An agent or flow had him."""
    n_dropped: int = 0
    """A person answered, and no agent was there in time."""
    n_machines: int = 0
    n_short_rings: int = 0
    """Given up by us before they had rung for `LEAST_RING_S`."""
    n_messages: int = 0
    """Of the dropped ones: they heard the campaign's message."""
    message_after_s: float = 0.0
    """The longest that one of them waited for it."""
    n_dnc_blocked: int = 0
    """Found on a do-not-call list at the moment of dialling, and not dialled."""


class CallingMinute(msgspec.Struct, frozen=True, kw_only=True):
    """Calls by one clock that began in a minute; of agents, too."""

    zone: str
    minute_utc: float
    n: int


class DeferredRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Records that wait, for one reason."""

    reason: str
    n: int
    next_utc: float
    """When the first of them may be called."""


class EvidenceBook(Protocol):
    """Evidence, wherever it is kept."""

    async def days(self, campaign: str, boundaries: Sequence[float]) -> list[CallingDay]: ...
    async def minutes(self, campaign: str, start_utc: float, end_utc: float) -> list[CallingMinute]: ...
    async def too_soon(
        self, campaign: str, boundaries: Sequence[float], *, least_s: float, ban_s: float
    ) -> dict[float, int]: ...
    async def deferred(self, campaign: str, wall: float) -> list[DeferredRecords]: ...
    async def n_closed(self, campaign: str, since_utc: float) -> int: ...


class EvidenceQueries:
    """UnavailableError when the database cannot be read."""

    def __init__(self, database: Database, backlog: Backlog) -> None:
        self._database = database
        self._backlog = backlog

    async def days(self, campaign: str, boundaries: Sequence[float]) -> list[CallingDay]:
        """Of each interval between neighbouring `boundaries` (UTC seconds, ascending), those without calls too."""
        wanted = (
            select(_interval(boundaries), *_DAY)
            .where(_a.campaign == campaign, _a.mode != "preview", *_within(boundaries[0], boundaries[-1]))
            .group_by("place")
        )
        rows = {row.place: row._asdict() for row in await self._rows(wanted)}
        for row in rows.values():
            del row["place"]
        return [CallingDay(start_utc=at, **rows.get(place, {})) for place, at in enumerate(boundaries[:-1])]

    async def minutes(self, campaign: str, start_utc: float, end_utc: float) -> list[CallingMinute]:
        """Which there were, by zone and time."""
        minute = cast(func.floor(_a.started_utc / MINUTE_S), Integer)
        wanted = (
            select(_a.zone, minute.label("minute"), func.count())
            .where(_a.campaign == campaign, _is_dialled, *_within(start_utc, end_utc))
            .group_by(_a.zone, "minute")
            .order_by(_a.zone, "minute")
        )
        return [
            CallingMinute(zone=zone, minute_utc=float(place * MINUTE_S), n=n)
            for zone, place, n in await self._rows(wanted)
        ]

    async def too_soon(
        self, campaign: str, boundaries: Sequence[float], *, least_s: float, ban_s: float
    ) -> dict[float, int]:
        """Calls of the dialler less than `least_s` after the one before to the same record, or less than `ban_s` after
        somebody at the number found no agent, in whatever campaign; by interval, where there are any. Calls that were
        promised are none, and a call before that nobody can have noticed does not count."""
        reach_s = max(least_s, ban_s)
        seen = and_(_is_dialled, or_(_a.rang_utc > 0, _a.answered_utc > 0, _a.result.not_in(UNHEARD)), _a.ended_utc > 0)
        # One that is under way now may not have rung yet, but it is a call all the same.
        candidates = and_(or_(seen, _a.ended_utc == 0), *_within(boundaries[0] - reach_s, boundaries[-1]))
        in_order = (_a.started_utc, _a.attempt_id)
        of_record = (_a.campaign, _a.record_id)
        of_number = _a.number_reversed
        told = (
            select(
                _a.campaign,
                _a.started_utc,
                _a.mode,
                _a.is_promised,
                func.lag(_a.ended_utc).over(partition_by=of_record, order_by=in_order).label("before_utc"),
                func.lag(_a.ended_utc).over(partition_by=of_number, order_by=in_order).label("number_utc"),
                func.lag(_a.is_dropped).over(partition_by=of_number, order_by=in_order).label("was_dropped"),
            )
            .where(candidates)
            .subquery()
            .c
        )
        is_soon = told.started_utc < told.before_utc + least_s - SLACK_S
        is_banned = and_(told.was_dropped, told.started_utc < told.number_utc + ban_s - SLACK_S)
        wanted = (
            select(_place(told.started_utc, boundaries).label("place"), func.count())
            .where(
                told.campaign == campaign,
                told.mode != "preview",
                ~told.is_promised,
                told.started_utc >= boundaries[0],
                or_(is_soon, is_banned),
            )
            .group_by("place")
        )
        return {boundaries[place]: n for place, n in await self._rows(wanted)}

    async def deferred(self, campaign: str, wall: float) -> list[DeferredRecords]:
        """Most of them first."""
        n = func.count()
        wanted = (
            select(_r.deferred, n, func.min(_r.next_utc))
            .where(_r.campaign == campaign, _r.status.in_(WAITING), _r.next_utc > wall)
            .group_by(_r.deferred)
            .order_by(n.desc(), _r.deferred)
        )
        return [DeferredRecords(reason=reason, n=n, next_utc=at) for reason, n, at in await self._rows(wanted)]

    async def n_closed(self, campaign: str, since_utc: float) -> int:
        """Records that were called since then and will not be called again."""
        wanted = select(func.count()).where(
            _r.campaign == campaign, _r.status.not_in(OPEN), _r.last_utc >= since_utc, _r.n_attempts > 0
        )
        return int((await self._rows(wanted))[0][0])

    async def _rows(self, wanted: Any) -> Sequence[Any]:
        await settle(self._backlog)
        async with self._database.read() as connection:
            return (await connection.execute(wanted)).all()


SLACK_S = 0.5
"""Instants are noted by several clocks' readings within a moment."""


def _within(start_utc: float, end_utc: float) -> tuple[ColumnElement[bool], ...]:
    return (_a.started_utc >= start_utc, _a.started_utc < end_utc)


def _place(column: ColumnElement[float], boundaries: Sequence[float]) -> ColumnElement[int]:
    """The index of the interval; of what is before the first one 0."""
    if len(boundaries) < 3:
        return literal(0)
    return case(*((column < end, place) for place, end in enumerate(boundaries[1:-1])), else_=len(boundaries) - 2)


def _interval(boundaries: Sequence[float]) -> ColumnElement[int]:
    return _place(_a.started_utc, boundaries).label("place")


def _n(*clauses: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(and_(true(), *clauses))


_is_dialled = and_(_a.result != "dnc_blocked", or_(_a.result != "cancelled", _a.cause.not_in(NOT_DIALLED)))
_is_given_up = or_(_a.result == "cancelled", and_(_a.result == "no_answer", _a.sip_status.in_(GIVEN_UP_STATUS)))
_rang_s = _a.ended_utc - case((_a.rang_utc > 0, _a.rang_utc), else_=_a.started_utc)
_has_message = and_(_a.is_dropped, _a.message_utc > 0)
_DAY = (
    _n(_is_dialled).label("n_dialled"),
    _n(_a.result.in_(LIVE)).label("n_live"),
    _n(_a.connected_utc > 0).label("n_connected"),
    _n(_a.is_dropped).label("n_dropped"),
    _n(_a.verdict == "machine").label("n_machines"),
    _n(_is_dialled, _is_given_up, _a.answered_utc == 0, _rang_s < LEAST_RING_S - SLACK_S).label("n_short_rings"),
    _n(_has_message).label("n_messages"),
    func.coalesce(func.max(case((_has_message, _a.message_utc - _a.answered_utc))), 0.0).label("message_after_s"),
    _n(_a.result == "dnc_blocked").label("n_dnc_blocked"),
)
