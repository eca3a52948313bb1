"""Records of campaigns in memory; functions and errors of `storage.record_queries.RecordQueries`."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from model.campaigns import RecordStatus
from model.dialing import Attempt, CampaignRecord
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
    rank_of_due,
)
from storage.campaign_rows import (
    OPEN,
    WAITING,
    RecordReturned,
    copy_record,
    is_answered,
    is_connected,
    status_out_of_hopper,
)
from storage.errors import NotFoundError
from storage.event_log import check_limit
from storage.filters import Page

_OF_LISTS = ("list_name", "row", "name", "data", "customer_id", "owner", "priority", "has_consent", "created_utc")
"""What the dialler does not write."""


class MemoryRecords:
    def __init__(self, backlog: Backlog) -> None:
        self.rows: dict[str, CampaignRecord] = {}
        self.attempts: dict[str, Attempt] = {}
        self._was: dict[str, RecordStatus] = {}
        self._backlog = backlog

    async def add(self, records: Sequence[CampaignRecord]) -> None:
        for record in records:
            self.rows[record.record_id] = copy_record(record)

    async def take_due(self, campaign: str, n: int, wall: float) -> Due:
        await settle(self._backlog)
        mine = [row for row in self.rows.values() if row.campaign == campaign]
        waiting = [row for row in mine if row.status in WAITING]
        due = [row for row in waiting if row.next_utc <= wall and not (row.status == "callback" and row.callback_owner)]
        due.sort(key=lambda row: (row.status != "callback", rank_of_due(row)))
        found = [copy_record(row) for row in due[:n]]
        for row in due[:n]:
            self._was[row.record_id] = row.status
            row.status = "queued"
        later = [row.next_utc for row in mine if row.status in WAITING and row.next_utc > wall]
        return Due(found, sum(row.status in OPEN for row in mine), min(later, default=0.0))

    def put_back(self, records: Iterable[CampaignRecord]) -> None:
        for record in records:
            mine = copy_record(record)
            if mine.status in ("queued", "dialing"):
                mine.status = status_out_of_hopper(mine)
            self._backlog.put(RecordReturned(mine))

    async def requeue_hopper(self) -> int:
        await settle(self._backlog)
        unfinished = {row.record_id for row in self.attempts.values() if not row.ended_utc}
        n = 0
        for row in self.rows.values():
            if row.status == "queued":
                row.status = self._was.get(row.record_id) or status_out_of_hopper(row)
            elif row.status == "dialing" and row.record_id not in unfinished:
                row.status = status_out_of_hopper(row)
            else:
                continue
            n += 1
        return n

    async def review(self, campaign: str) -> int:
        await settle(self._backlog)
        mine = [row for row in self.rows.values() if row.campaign == campaign and row.status in WAITING]
        aside = [row for row in mine if row.deferred in BY_RULES]
        for row in aside:
            is_promised = row.status == "callback"
            row.next_utc = row.callback_utc if is_promised else 0.0
            row.deferred = "callback" if is_promised else ""
        return len(aside)

    async def get(self, record_id: str) -> CampaignRecord:
        await settle(self._backlog)
        if record_id not in self.rows:
            raise NotFoundError("record", record_id)
        return copy_record(self.rows[record_id])

    async def get_many(self, record_ids: Sequence[str]) -> dict[str, CampaignRecord]:
        await settle(self._backlog)
        return {key: copy_record(self.rows[key]) for key in record_ids if key in self.rows}

    async def find(self, criteria: RecordFilter, *, after: str = "", limit: int = 50) -> Page[CampaignRecord]:
        check_limit(limit)
        await settle(self._backlog)
        found = [copy_record(row) for row in self._sorted() if row.record_id > after and _matches(row, criteria)]
        return page_by_id(found[: limit + 1], limit)

    async def update(self, record: CampaignRecord) -> CampaignRecord:
        await settle(self._backlog)
        there = self.rows.get(record.record_id)
        check_update(record, there.status if there is not None else None)
        self.rows[record.record_id] = copy_record(record)
        return copy_record(record)

    async def remove(self, record_ids: Sequence[str]) -> int:
        await settle(self._backlog)
        return self._remove([key for key in record_ids if key in self.rows])

    async def remove_list(self, campaign: str, list_name: str) -> int:
        await settle(self._backlog)
        return self._remove(
            [key for key, row in self.rows.items() if (row.campaign, row.list_name) == (campaign, list_name)]
        )

    async def remove_campaign(self, campaign: str) -> int:
        await settle(self._backlog)
        return self._remove([key for key, row in self.rows.items() if row.campaign == campaign])

    def _remove(self, record_ids: list[str]) -> int:
        gone = {key for key in record_ids if self.rows[key].status != "dialing"}
        for key in gone:
            del self.rows[key]
        return len(gone)

    async def counts(self, campaign: str) -> RecordCounts:
        total = RecordCounts()
        for counts in (await self.counts_by_owner(campaign)).values():
            add_counts(total, counts)
        return total

    async def counts_by_owner(self, campaign: str) -> dict[str, RecordCounts]:
        await settle(self._backlog)
        found: dict[str, RecordCounts] = {}
        for row in self.rows.values():
            if row.campaign == campaign:
                add_counts(found.setdefault(row.owner, RecordCounts()), _counts_of(row))
        return found

    async def lists(self, campaign: str) -> list[ListTotals]:
        await settle(self._backlog)
        lists: dict[str, list[CampaignRecord]] = {}
        for row in self.rows.values():
            if row.campaign == campaign:
                lists.setdefault(row.list_name, []).append(row)
        found = [
            ListTotals(
                campaign=campaign,
                list_name=name,
                created_utc=min(row.created_utc for row in rows),
                n_records=len(rows),
                n_attempted=sum(row.n_attempts > 0 for row in rows),
                n_connected=sum(is_connected(row) for row in rows),
                n_open=sum(row.status in OPEN for row in rows),
            )
            for name, rows in lists.items()
        ]
        return sorted(found, key=lambda each: (each.created_utc, each.list_name))

    async def unassigned(self, campaign: str, n: int) -> list[str]:
        mine = [row for row in self._sorted() if row.campaign == campaign and not row.owner]
        return [row.record_id for row in mine if row.status == "new"][:n]

    async def assigned(self, campaign: str, owner: str, n: int) -> list[str]:
        mine = [row for row in self._sorted() if (row.campaign, row.owner, row.n_attempts) == (campaign, owner, 0)]
        return [row.record_id for row in mine if row.status in WAITING][:n]

    async def next_of(self, owner: str, campaigns: Sequence[str], wall: float, n: int) -> list[CampaignRecord]:
        await settle(self._backlog)
        mine = [row for row in self._sorted() if row.owner == owner and row.campaign in campaigns]
        due = [row for row in mine if row.status in WAITING and row.next_utc <= wall]
        promised = sorted((row for row in due if row.status == "callback"), key=lambda row: row.next_utc)
        others = sorted((row for row in due if row.status != "callback" and owner), key=lambda row: -row.priority)
        return [copy_record(row) for row in (promised + others)[:n]]

    async def assign(self, record_ids: Sequence[str], owner: str, wall: float) -> int:
        found = [self.rows[key] for key in record_ids if key in self.rows]
        for row in found:
            row.owner, row.updated_utc = owner, wall
        return len(found)

    async def known_numbers(self, campaign: str, numbers: Sequence[str]) -> set[str]:
        known = {each.number for row in self.rows.values() if row.campaign == campaign for each in row.numbers}
        return known & {*numbers}

    def tell(self, record: CampaignRecord) -> None:
        """The dialler's part of a record."""
        row = self.rows.get(record.record_id)
        if row is not None:
            befallen = {each.number: each for each in copy_record(record).numbers}
            numbers = [
                replace(befallen.get(each.number, each), label=each.label, zone=each.zone, area=each.area)
                for each in row.numbers
            ]
            kept = {name: getattr(row, name) for name in _OF_LISTS}
            self.rows[record.record_id] = replace(record, numbers=numbers, **kept)

    def _sorted(self) -> list[CampaignRecord]:
        return [self.rows[key] for key in sorted(self.rows)]


def _matches(row: CampaignRecord, criteria: RecordFilter) -> bool:
    return (
        all(getattr(criteria, name) in ("", getattr(row, name)) for name in ("campaign", "list_name", "customer_id"))
        and criteria.owner in (None, row.owner)
        and (not criteria.statuses or row.status in criteria.statuses)
        and (not criteria.results or row.last_result in criteria.results)
        and (not criteria.number or any(_is(each.number, criteria) for each in row.numbers))
        and any(criteria.text.lower() in text.lower() for text in (row.name, str(row.data)))
    )


def _is(number: str, criteria: RecordFilter) -> bool:
    return number.endswith(criteria.number) if criteria.is_suffix else number == criteria.number


def _counts_of(row: CampaignRecord) -> RecordCounts:
    return RecordCounts(
        n_records=1,
        by_status={row.status: 1},
        n_attempted=int(row.n_attempts > 0),
        n_answered=int(is_answered(row)),
        n_connected=int(is_connected(row)),
    )
