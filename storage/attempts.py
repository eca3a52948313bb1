"""Attempts to call: durable before they are dialled, found, and added up for reports (XOUT-02, OUT-32)."""

import itertools
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, and_, case, func, or_, select, text, tuple_

from model.campaigns import LEAST_RING_S
from model.dialing import NOT_DIALLED, Attempt, CampaignRecord
from storage import schema_campaigns as schema
from storage.backlog import Backlog, settle
from storage.campaign_rows import AttemptEntry, AttemptWithdrawn, DispositionEntry, attempt_of, copy_record
from storage.database import Database
from storage.errors import NotFoundError, UnavailableError
from storage.event_log import check_limit
from storage.filters import Page, format_cursor, parse_cursor

_a = schema.attempts.c
_COLUMNS = [_a[name] for name in Attempt.__struct_fields__]
LIVE = ("human", "dropped")
"""A person answered."""


class AttemptFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Empty texts and zeros do not restrict."""

    campaign: str = ""
    record_id: str = ""
    agent_id: str = ""
    number: str = ""
    is_suffix: bool = False
    """`number` is the end of one."""
    results: tuple[str, ...] = ()
    is_dropped: bool | None = None
    start_utc: float = 0.0
    """Begun at this instant or later."""
    end_utc: float = 0.0


class AttemptTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of a campaign that began within an interval."""

    campaign: str
    start_utc: float
    n_attempts: int
    n_answered: int
    """Somebody or something picked up."""
    n_live: int
    """A person answered."""
    n_connected: int
    """An agent or flow had him."""
    n_dropped: int
    n_machines: int
    n_short_rings: int
    """Given up by us before they had rung for `LEAST_RING_S`."""
    n_busy: int
    n_no_answer: int
    n_failed: int
    talk_s: float
    ring_s: float
    """Until the answer; answered ones only."""


class AgentAttempts(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent had of a campaign."""

    agent_id: str
    campaign: str
    n_attempts: int
    n_connected: int
    talk_s: float
    dispositions: dict[str, int]
    """How often he gave which; "" = none."""


class AttemptBook(Protocol):
    """Attempts, wherever they are kept."""

    async def store_attempt(self, attempt: Attempt, record: CampaignRecord) -> None: ...
    def store_outcome(self, attempt: Attempt, record: CampaignRecord) -> None: ...
    def store_disposition(self, attempt_id: str, record: CampaignRecord) -> None: ...
    async def unfinished(self) -> list[Attempt]: ...
    async def get(self, attempt_id: str) -> Attempt: ...
    async def of_record(self, record_id: str) -> list[Attempt]: ...
    async def find(self, criteria: AttemptFilter, *, after: str = "", limit: int = 50) -> Page[Attempt]: ...
    async def totals(self, boundaries: Sequence[float], campaign: str = "") -> list[AttemptTotals]: ...
    async def agent_totals(self, start_utc: float, end_utc: float, campaign: str = "") -> list[AgentAttempts]: ...


async def store_attempt(backlog: Backlog, attempt: Attempt, record: CampaignRecord) -> None:
    """Through the writer, in order with all that is told of the record; many that wait share a transaction."""
    if backlog.state.is_failing:
        raise UnavailableError(backlog.state.error)
    backlog.put(AttemptEntry(replace(attempt), copy_record(record)))
    try:
        await settle(backlog)
    except BaseException:
        # It is not dialled, so that the database must not say so later.
        backlog.put(AttemptWithdrawn(attempt.attempt_id))
        raise


class AttemptQueries:
    """UnavailableError when the database cannot be read."""

    def __init__(self, database: Database, backlog: Backlog) -> None:
        self._database = database
        self._backlog = backlog

    async def store_attempt(self, attempt: Attempt, record: CampaignRecord) -> None:
        """Durable on return. UnavailableError when the database does not take it in time; then there is none."""
        await store_attempt(self._backlog, attempt, record)

    def store_outcome(self, attempt: Attempt, record: CampaignRecord) -> None:
        """As they are now; kept until the database takes it."""
        self._backlog.put(AttemptEntry(replace(attempt), copy_record(record)))

    def store_disposition(self, attempt_id: str, record: CampaignRecord) -> None:
        """The record as it is now, and its disposition as the attempt's; kept until the database takes it."""
        self._backlog.put(DispositionEntry(attempt_id, copy_record(record)))

    async def unfinished(self) -> list[Attempt]:
        """Oldest first: at a start, those under way at the last stop."""
        await settle(self._backlog)
        wanted = select(*_COLUMNS).where(text(schema.OPEN_ATTEMPTS)).order_by(_a.started_utc)
        async with self._database.read() as connection:
            return [attempt_of(row) for row in await connection.execute(wanted)]

    async def get(self, attempt_id: str) -> Attempt:
        """NotFoundError when there is none."""
        await settle(self._backlog)
        async with self._database.read() as connection:
            row = (await connection.execute(select(*_COLUMNS).where(_a.attempt_id == attempt_id))).first()
        if row is None:
            raise NotFoundError("attempt", attempt_id)
        return attempt_of(row)

    async def of_record(self, record_id: str) -> list[Attempt]:
        """Oldest first."""
        await settle(self._backlog)
        wanted = select(*_COLUMNS).where(_a.record_id == record_id).order_by(_a.started_utc, _a.attempt_id)
        async with self._database.read() as connection:
            return [attempt_of(row) for row in await connection.execute(wanted)]

    async def find(self, criteria: AttemptFilter, *, after: str = "", limit: int = 50) -> Page[Attempt]:
        """Newest first. ValueError for a bad limit, CursorError for a bad `after`."""
        check_limit(limit)
        wanted = (
            select(*_COLUMNS)
            .where(*_clauses(criteria))
            .order_by(_a.started_utc.desc(), _a.attempt_id.desc())
            .limit(limit + 1)
        )
        if after:
            wanted = wanted.where(tuple_(_a.started_utc, _a.attempt_id) < tuple_(*parse_cursor(after)))
        await settle(self._backlog)
        async with self._database.read() as connection:
            found = [attempt_of(row) for row in await connection.execute(wanted)]
        return page_of_attempts(found, limit)

    async def totals(self, boundaries: Sequence[float], campaign: str = "") -> list[AttemptTotals]:
        """Of each campaign and each interval between neighbouring `boundaries` (UTC seconds, ascending) that has any;
        by campaign, then by time."""
        await settle(self._backlog)
        found: list[AttemptTotals] = []
        async with self._database.read() as connection:
            for start_utc, end_utc in itertools.pairwise(boundaries):
                wanted = (
                    select(_a.campaign.label("campaign"), *_TOTALS)
                    .where(_a.started_utc >= start_utc, _a.started_utc < end_utc, _a.cause.not_in(NOT_DIALLED))
                    .group_by(_a.campaign)
                )
                if campaign:
                    wanted = wanted.where(_a.campaign == campaign)
                for row in await connection.execute(wanted):
                    found.append(AttemptTotals(start_utc=start_utc, **row._asdict()))
        return sorted(found, key=lambda each: (each.campaign, each.start_utc))

    async def agent_totals(self, start_utc: float, end_utc: float, campaign: str = "") -> list[AgentAttempts]:
        """Of all who had any, by agent and campaign."""
        await settle(self._backlog)
        wanted = (
            select(
                _a.agent_id, _a.campaign, _a.disposition, func.count(), _n(_a.connected_utc > 0), func.sum(_a.talk_s)
            )
            .where(_a.agent_id != "", _a.started_utc >= start_utc, _a.started_utc < end_utc)
            .group_by(_a.agent_id, _a.campaign, _a.disposition)
        )
        if campaign:
            wanted = wanted.where(_a.campaign == campaign)
        async with self._database.read() as connection:
            return add_up_agents([tuple(row) for row in await connection.execute(wanted)])


def add_up_agents(rows: Sequence[tuple[Any, ...]]) -> list[AgentAttempts]:
    """`rows`: agent, campaign, disposition, attempts, connected, seconds."""
    found: dict[tuple[str, str], AgentAttempts] = {}
    for agent_id, campaign, disposition, n, connected, talk_s in rows:
        was = found.get((agent_id, campaign))
        found[agent_id, campaign] = AgentAttempts(
            agent_id=agent_id,
            campaign=campaign,
            n_attempts=n + (was.n_attempts if was else 0),
            n_connected=connected + (was.n_connected if was else 0),
            talk_s=talk_s + (was.talk_s if was else 0.0),
            dispositions={**(was.dispositions if was else {}), disposition: n},
        )
    return [found[key] for key in sorted(found)]


def page_of_attempts(found: list[Attempt], limit: int) -> Page[Attempt]:
    """`found` has one more than the page when there are more."""
    items = found[:limit]
    return Page(items, format_cursor(items[-1].started_utc, items[-1].attempt_id) if len(found) > limit else "")


def _n(clause: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(clause)


_is_given_up = or_(_a.result == "cancelled", and_(_a.result == "no_answer", _a.sip_status.in_((0, 487))))
"""By us, and not by the other side."""
_rang_s = _a.ended_utc - case((_a.rang_utc > 0, _a.rang_utc), else_=_a.started_utc)
_TOTALS = [
    func.count().label("n_attempts"),
    _n(_a.answered_utc > 0).label("n_answered"),
    _n(_a.result.in_(LIVE)).label("n_live"),
    _n(_a.connected_utc > 0).label("n_connected"),
    _n(_a.is_dropped).label("n_dropped"),
    _n(_a.result == "machine").label("n_machines"),
    _n(and_(_is_given_up, _a.answered_utc == 0, _rang_s < LEAST_RING_S)).label("n_short_rings"),
    _n(_a.result == "busy").label("n_busy"),
    _n(_a.result == "no_answer").label("n_no_answer"),
    _n(_a.result.in_(("failed", "invalid", "congestion"))).label("n_failed"),
    func.coalesce(func.sum(_a.talk_s), 0.0).label("talk_s"),
    func.coalesce(func.sum(case((_a.answered_utc > 0, _a.answered_utc - _a.started_utc), else_=0.0)), 0.0).label(
        "ring_s"
    ),
]


def _clauses(criteria: AttemptFilter) -> list[ColumnElement[bool]]:
    found = [_a[name] == value for name in ("campaign", "record_id", "agent_id") if (value := getattr(criteria, name))]
    if criteria.number:
        backwards = criteria.number[::-1]
        found.append(_a.number_reversed >= backwards)
        found.append(_a.number_reversed <= (backwards + "\U0010ffff" if criteria.is_suffix else backwards))
    if criteria.results:
        found.append(_a.result.in_(criteria.results))
    if criteria.is_dropped is not None:
        found.append(_a.is_dropped if criteria.is_dropped else ~_a.is_dropped)
    if criteria.start_utc:
        found.append(_a.started_utc >= criteria.start_utc)
    if criteria.end_utc:
        found.append(_a.started_utc < criteria.end_utc)
    return found
