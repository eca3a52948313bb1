"""Records of campaigns in a database: how they come in, what is due, found and counted."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, case, delete, func, literal, literal_column, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from model.dialing import CampaignRecord
from storage import schema_campaigns as schema
from storage.backlog import Backlog, settle
from storage.campaign_records import (
    BY_RULES,
    Due,
    ListTotals,
    RecordCounts,
    RecordFilter,
    add_counts,
    check_update,
    page_by_id,
    pieces,
    rank_of_due,
)
from storage.campaign_rows import (
    DELETE_NUMBERS,
    INSERT_NUMBERS,
    INSERT_RECORDS,
    OPEN,
    RECORD_COLUMNS,
    UPDATE_RECORD,
    RecordReturned,
    copy_record,
    number_rows,
    record_of,
    record_row,
    status_out_of_hopper,
    update_row,
)
from storage.database import Database
from storage.errors import NotFoundError
from storage.event_log import check_limit
from storage.filters import Page
from storage.upsert import execute

_r = schema.campaign_records.c
_n = schema.campaign_numbers.c
_COLUMNS = [_r[name] for name in RECORD_COLUMNS]
_WAITING = text(schema.WAITING_RECORDS)
_OWNED: ColumnElement[bool] = literal_column(schema.OWNED)
_IN_TRANSACTION = 2000
"""Records that are written in one: others wait for it."""
_AT_ONCE = 250
"""Made into rows between two looks at other work."""
_IN_LIST = 500
"""Values of one IN."""


class RecordQueries:
    """Changes are durable on return but for `put_back`, which is kept until the database takes it. UnavailableError
    when the database cannot be read, or written."""

    def __init__(self, database: Database, backlog: Backlog) -> None:
        self._database = database
        self._backlog = backlog

    async def add(self, records: Sequence[CampaignRecord]) -> None:
        """In transactions of some thousand: after an error some may be there. Their ids must be new."""
        for start in range(0, len(records), _IN_TRANSACTION):
            async with self._database.write() as connection:
                for piece in pieces(records[start : start + _IN_TRANSACTION], _AT_ONCE):
                    await execute(connection, INSERT_RECORDS, [record_row(record) for record in piece])
                    await execute(connection, INSERT_NUMBERS, [row for record in piece for row in number_rows(record)])

    async def take_due(self, campaign: str, n: int, wall: float) -> Due:
        """Into the hopper: promised calls first, then priority, then who was never called. Those that an agent promised
        are his."""
        await settle(self._backlog)
        mine = _r.campaign == campaign
        async with self._database.write() as connection:
            found = await self._due(connection, campaign, n, wall)
            for ids in pieces([record.record_id for record in found], _IN_LIST):
                taken = update(schema.campaign_records).where(_r.record_id.in_(ids))
                await connection.execute(taken.values(status="queued", waits_as=_r.status))
        later = select(func.min(_r.next_utc)).where(mine, _WAITING, _r.next_utc > wall)
        async with self._database.read() as connection:
            n_open = (await connection.execute(select(func.count()).where(mine, _r.status.in_(OPEN)))).scalar_one()
            next_due_utc = (await connection.execute(later)).scalar()
        return Due(found, n_open, next_due_utc or 0.0)

    async def _due(self, connection: AsyncConnection, campaign: str, n: int, wall: float) -> list[CampaignRecord]:
        # Each status is a stretch of the index in the order asked for; together they would have to be sorted.
        found: list[CampaignRecord] = []
        for statuses in (("callback",), ("new", "retry_wait")):
            one_rank: list[CampaignRecord] = []
            for status in statuses:
                if n > len(found):
                    wanted = (
                        select(*_COLUMNS)
                        .where(_r.campaign == campaign, _r.status == status, _WAITING, _r.next_utc <= wall)
                        .order_by(_r.urgency, _r.next_utc, _r.record_id)
                        .limit(n - len(found))
                    )
                    if status == "callback":
                        wanted = wanted.where(_r.callback_owner == "")
                    one_rank += [record_of(row) for row in await connection.execute(wanted)]
            found += sorted(one_rank, key=rank_of_due)[: n - len(found)]
        return found

    def put_back(self, records: Iterable[CampaignRecord]) -> None:
        """Out of the hopper; only what the database still has there: who was changed meanwhile is not."""
        for record in records:
            mine = copy_record(record)
            if mine.status in ("queued", "dialing"):
                mine.status = status_out_of_hopper(mine)
            self._backlog.put(RecordReturned(mine))

    async def requeue_hopper(self) -> int:
        """At a start: who was in the hopper at the last stop is what he was before. After unfinished attempts were
        closed."""
        await settle(self._backlog)
        unfinished = select(schema.attempts.c.record_id).where(text(schema.OPEN_ATTEMPTS))
        again = case((_r.callback_utc > 0, "callback"), (_r.n_attempts > 0, "retry_wait"), else_="new")
        was = case((_r.waits_as != "", _r.waits_as), else_=again)
        async with self._database.write() as connection:
            queued = update(schema.campaign_records).where(_r.status == "queued").values(status=was)
            n = (await connection.execute(queued)).rowcount
            lost = update(schema.campaign_records).where(_r.status == "dialing", _r.record_id.not_in(unfinished))
            return n + (await connection.execute(lost.values(status=again))).rowcount

    async def review(self, campaign: str) -> int:
        """Its rules have changed: whom they put aside is due, to be looked at anew. Promised calls keep their time."""
        await settle(self._backlog)
        is_promised = _r.status == "callback"
        aside = update(schema.campaign_records).where(
            _r.campaign == campaign, _WAITING, _r.deferred.in_(sorted(BY_RULES))
        )
        async with self._database.write() as connection:
            again = aside.values(
                next_utc=case((is_promised, _r.callback_utc), else_=0.0),
                deferred=case((is_promised, "callback"), else_=""),
            )
            return (await connection.execute(again)).rowcount

    async def get(self, record_id: str) -> CampaignRecord:
        """NotFoundError when there is none."""
        found = await self.get_many([record_id])
        if record_id not in found:
            raise NotFoundError("record", record_id)
        return found[record_id]

    async def get_many(self, record_ids: Sequence[str]) -> dict[str, CampaignRecord]:
        """Those that are there, by id."""
        await settle(self._backlog)
        found: dict[str, CampaignRecord] = {}
        async with self._database.read() as connection:
            for ids in pieces(record_ids, _IN_LIST):
                for row in await connection.execute(select(*_COLUMNS).where(_r.record_id.in_(ids))):
                    found[row.record_id] = record_of(row)
        return found

    async def find(self, criteria: RecordFilter, *, after: str = "", limit: int = 50) -> Page[CampaignRecord]:
        """In the order in which they came in. ValueError for a bad limit."""
        check_limit(limit)
        await settle(self._backlog)
        wanted = select(*_COLUMNS).where(*_clauses(criteria)).order_by(_r.record_id).limit(limit + 1)
        if after:
            wanted = wanted.where(_r.record_id > after)
        async with self._database.read() as connection:
            found = [record_of(row) for row in await connection.execute(wanted)]
        return page_by_id(found, limit)

    async def update(self, record: CampaignRecord) -> CampaignRecord:
        """All of it. NotFoundError when there is none; InUseError when it is being called, and `record` says not."""
        await settle(self._backlog)
        async with self._database.write() as connection:
            there = await connection.execute(select(_r.status).where(_r.record_id == record.record_id))
            check_update(record, there.scalar())
            await execute(connection, UPDATE_RECORD, [update_row(record)])
            await execute(connection, DELETE_NUMBERS, [(record.record_id,)])
            await execute(connection, INSERT_NUMBERS, number_rows(record))
        return copy_record(record)

    async def remove(self, record_ids: Sequence[str]) -> int:
        """But for those that are being called. Returns how many went."""
        await settle(self._backlog)
        n = 0
        for ids in pieces(record_ids, _IN_LIST):
            async with self._database.write() as connection:
                n += (await connection.execute(_removal(_r.record_id.in_(ids)))).rowcount
        return n

    async def remove_list(self, campaign: str, list_name: str) -> int:
        """What came in with it, but for those that are being called."""
        return await self._remove(_r.campaign == campaign, _r.list_name == list_name)

    async def remove_campaign(self, campaign: str) -> int:
        """All of it, but for those that are being called."""
        return await self._remove(_r.campaign == campaign)

    async def counts(self, campaign: str) -> RecordCounts:
        total = RecordCounts()
        for counts in (await self.counts_by_owner(campaign)).values():
            add_counts(total, counts)
        return total

    async def counts_by_owner(self, campaign: str) -> dict[str, RecordCounts]:
        """Of each agent, and ("") of nobody."""
        await settle(self._backlog)
        wanted = (
            select(
                _r.owner,
                _r.status,
                func.count(),
                func.count().filter(_r.n_attempts > 0),
                func.count().filter(_r.is_answered),
                func.count().filter(_r.is_connected),
            )
            .where(_r.campaign == campaign)
            .group_by(_r.status, _r.owner)
        )
        found: dict[str, RecordCounts] = {}
        async with self._database.read() as connection:
            for owner, status, n, attempted, answered, connected in await connection.execute(wanted):
                add_counts(
                    found.setdefault(owner, RecordCounts()),
                    RecordCounts(
                        n_records=n,
                        by_status={status: n},
                        n_attempted=attempted,
                        n_answered=answered,
                        n_connected=connected,
                    ),
                )
        return found

    async def lists(self, campaign: str) -> list[ListTotals]:
        """Oldest first."""
        await settle(self._backlog)
        wanted = (
            select(
                _r.campaign,
                _r.list_name,
                func.min(_r.created_utc).label("created_utc"),
                func.count().label("n_records"),
                func.count().filter(_r.n_attempts > 0).label("n_attempted"),
                func.count().filter(_r.is_connected).label("n_connected"),
                func.count().filter(_r.status.in_(OPEN)).label("n_open"),
            )
            .where(_r.campaign == campaign)
            .group_by(_r.campaign, _r.list_name)
            .order_by("created_utc", _r.list_name)
        )
        async with self._database.read() as connection:
            return [ListTotals(**row._asdict()) for row in await connection.execute(wanted)]

    async def unassigned(self, campaign: str, n: int) -> list[str]:
        """Ids of new records that are nobody's, as they came in."""
        return await self._ids(_r.status == "new", _r.campaign == campaign, _r.owner == "", n=n)

    async def assigned(self, campaign: str, owner: str, n: int) -> list[str]:
        """Ids of an agent's records whom he has not called so far."""
        return await self._ids(_r.campaign == campaign, _r.owner == owner, _r.n_attempts == 0, _WAITING, n=n)

    async def next_of(self, owner: str, campaigns: Sequence[str], wall: float, n: int) -> list[CampaignRecord]:
        """Whom an agent is to call: promised calls that are due, then by priority, then as they came in. Of nobody's
        ("") only promised ones."""
        await settle(self._backlog)
        # Not by the index of times: a campaign has far more records that are due than an agent has any.
        mine = [_r.owner == owner, _r.campaign.in_(campaigns), _r.next_utc + 0 <= wall]
        if owner:
            mine.append(_OWNED)
        promised = select(*_COLUMNS).where(*mine, _r.status == "callback").order_by(_r.next_utc, _r.record_id)
        others = select(*_COLUMNS).where(*mine, _r.status.in_(("new", "retry_wait"))).order_by(_r.urgency, _r.record_id)
        async with self._database.read() as connection:
            found = [record_of(row) for row in await connection.execute(promised.limit(n))]
            if owner and len(found) < n:
                found += [record_of(row) for row in await connection.execute(others.limit(n - len(found)))]
        return found

    async def assign(self, record_ids: Sequence[str], owner: str, wall: float) -> int:
        """They are that agent's, or ("") nobody's. Returns how many there are."""
        n = 0
        for ids in pieces(record_ids, _IN_LIST):
            async with self._database.write() as connection:
                mine = update(schema.campaign_records).where(_r.record_id.in_(ids))
                n += (await connection.execute(mine.values(owner=owner, updated_utc=wall))).rowcount
        return n

    async def known_numbers(self, campaign: str, numbers: Sequence[str]) -> set[str]:
        """Those of `numbers` that records of the campaign have."""
        found: set[str] = set()
        async with self._database.read() as connection:
            for some in pieces(numbers, _IN_LIST):
                wanted = select(_n.number_reversed).where(
                    _n.number_reversed.in_([number[::-1] for number in some]), _n.campaign == campaign
                )
                found |= {row[0][::-1] for row in await connection.execute(wanted)}
        return found

    async def _ids(self, *clauses: Any, n: int) -> list[str]:
        await settle(self._backlog)
        async with self._database.read() as connection:
            found = await connection.execute(select(_r.record_id).where(*clauses).order_by(_r.record_id).limit(n))
            return [row[0] for row in found]

    async def _remove(self, *clauses: ColumnElement[bool]) -> int:
        await settle(self._backlog)
        n = 0
        while True:
            some = select(_r.record_id).where(*clauses, _r.status != "dialing").limit(_IN_TRANSACTION)
            async with self._database.write() as connection:
                gone = (await connection.execute(_removal(_r.record_id.in_(some)))).rowcount
            if not gone:
                return n
            n += gone


def _removal(clause: ColumnElement[bool]) -> Any:
    return delete(schema.campaign_records).where(clause, _r.status != "dialing")


def _having(number: str, is_suffix: bool) -> Select[Any]:
    backwards = number[::-1]
    column = _n.number_reversed
    if not is_suffix:
        return select(_n.record_id).where(column == backwards)
    return select(_n.record_id).where(column >= backwards, column <= backwards + "\U0010ffff")


def _clauses(criteria: RecordFilter) -> list[ColumnElement[bool]]:
    found = [
        _r[name] == value for name in ("campaign", "list_name", "customer_id") if (value := getattr(criteria, name))
    ]
    if criteria.owner is not None:
        found.append(_r.owner == criteria.owner)
        if criteria.owner:
            found.append(_OWNED)
    if criteria.statuses:
        found.append(_r.status.in_(criteria.statuses))
    if criteria.results:
        found.append(_r.last_result.in_(criteria.results))
    if criteria.number:
        found.append(_r.record_id.in_(_having(criteria.number, criteria.is_suffix)))
    if criteria.text:
        wanted = criteria.text.lower()
        found.append(or_(*(func.lower(column).contains(wanted, autoescape=True) for column in (_r.name, _r.data))))
    return found or [literal(True)]
