"""Rows that are ready, into what they are for: a campaign, the customers, a do-not-call list. Each takes a batch at a
time and tells what it did not take."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from model.customers import Customer, CustomerNumber
from model.dialing import CampaignRecord, DncEntry, RecordNumber
from switch.list_cells import CellError
from switch.list_rows import ReadyRow, RejectedRow, RowNumber
from switch.lists import Lists


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where rows come from, and what holds for those that do not say."""

    list_name: str
    by: str
    at_utc: float
    campaign: str = ""
    has_consent: bool = False
    priority: int = 0
    owner: str = ""
    reason: str = ""
    customer_ids: dict[int, str] = {}
    """Customers that rows were made of."""


class Taken(msgspec.Struct, kw_only=True):
    """What became of a batch."""

    ids: list[str] = []
    n_added: int = 0
    n_refused: int = 0
    rejected: list[RejectedRow] = []


class Taker(Protocol):
    async def take(self, rows: Sequence[ReadyRow]) -> Taken:
        """Raises UnavailableError: then some may have been taken."""


class CampaignTaker:
    """Records of a campaign, each number once."""

    def __init__(self, lists: Lists, origin: Origin) -> None:
        self._lists = lists
        self._origin = origin

    async def take(self, rows: Sequence[ReadyRow]) -> Taken:
        lists, campaign = self._lists, self._origin.campaign
        known = await lists.storage.records.known_numbers(
            campaign, [each.number for row in rows for each in row.numbers]
        )
        taken = Taken()
        records = []
        wall = lists.wall()
        for row in rows:
            if row.owner and row.owner not in lists.directory.agents:
                _refuse(taken, row, "owner", row.owner, "unknown_agent")
                continue
            numbers = []
            for each in row.numbers:
                if each.number in known:
                    _leave_out(taken, row, each, "duplicate")
                elif lists.dnc.is_barred(each.number, campaign, wall):
                    _leave_out(taken, row, each, "on_dnc_list")
                else:
                    numbers.append(each)
            if numbers:
                known.update(each.number for each in numbers)
                records.append(self._record(row, numbers))
            else:
                _refuse_all(taken, row)
        await lists.storage.records.add(records)
        taken.ids = [record.record_id for record in records]
        taken.n_added = len(records)
        return taken

    def _record(self, row: ReadyRow, numbers: list[RowNumber]) -> CampaignRecord:
        origin = self._origin
        record = CampaignRecord(
            record_id=row_id(origin.at_utc, row.row, self._lists.ids.token(6)),
            campaign=origin.campaign,
            list_name=origin.list_name,
            row=row.row,
            name=row.name,
            numbers=[
                RecordNumber(
                    number=each.number, label=each.label, zone=row.time_zone or each.zone, area=row.area or each.area
                )
                for each in numbers
            ],
            data=row.data,
            customer_id=origin.customer_ids.get(row.row, ""),
            owner=row.owner or origin.owner,
            priority=row.priority or origin.priority,
            has_consent=row.has_consent or origin.has_consent,
            created_utc=origin.at_utc,
            updated_utc=origin.at_utc,
        )
        if row.callback_utc:
            promise(record, row.callback_utc)
        return record


class CustomerTaker:
    """Customers, each number once."""

    def __init__(self, lists: Lists, origin: Origin) -> None:
        self._lists = lists
        self._origin = origin

    async def take(self, rows: Sequence[ReadyRow]) -> Taken:
        lists = self._lists
        known = await lists.storage.customers.known_numbers([each.number for row in rows for each in row.numbers])
        taken = Taken()
        customers = []
        for row in rows:
            if row.owner and row.owner not in lists.directory.agents:
                _refuse(taken, row, "owner", row.owner, "unknown_agent")
                continue
            numbers = []
            for each in row.numbers:
                if each.number in known:
                    _leave_out(taken, row, each, "duplicate")
                else:
                    numbers.append(each)
            if numbers:
                known.update(each.number for each in numbers)
                customers.append(self._customer(row, numbers))
            else:
                _refuse_all(taken, row)
        await lists.storage.customers.add(customers)
        taken.ids = [customer.customer_id for customer in customers]
        taken.n_added = len(customers)
        return taken

    def _customer(self, row: ReadyRow, numbers: list[RowNumber]) -> Customer:
        origin = self._origin
        return Customer(
            customer_id=row_id(origin.at_utc, row.row, self._lists.ids.token(6)),
            name=row.name,
            numbers=[
                CustomerNumber(number=each.number, label=each.label, zone=each.zone, area=each.area) for each in numbers
            ],
            zone=row.time_zone,
            area=row.area,
            owner=row.owner or origin.owner,
            has_consent=row.has_consent or origin.has_consent,
            level=row.level,
            tags=row.tags,
            data=row.data,
            source=origin.list_name,
            created_utc=origin.at_utc,
            updated_utc=origin.at_utc,
        )


class DncTaker:
    """Numbers of a do-not-call list."""

    def __init__(self, lists: Lists, origin: Origin) -> None:
        self._lists = lists
        self._origin = origin

    async def take(self, rows: Sequence[ReadyRow]) -> Taken:
        origin = self._origin
        entries = [
            DncEntry(
                number=each.number,
                campaign=origin.campaign,
                is_prefix=row.is_prefix,
                reason=row.reason or origin.reason,
                source=origin.list_name,
                added_by=origin.by,
                added_utc=origin.at_utc,
                expires_utc=row.expires_utc,
            )
            for row in rows
            for each in row.numbers
        ]
        n_added = await self._lists.storage.barred.add(entries)
        self._lists.bar(entries)
        return Taken(n_added=n_added)


def row_id(at_utc: float, row: int, token: str) -> str:
    """Ids of a list sort by its rows, and lists by when they came."""
    return f"{int(at_utc * 1000):012x}{row:06x}{token}"


def promise(record: CampaignRecord, at_utc: float) -> None:
    """A call is promised to him for then."""
    record.status, record.deferred = "callback", "callback"
    record.callback_utc = record.next_utc = at_utc


def rejection_of(row: int, column: str, value: str, error: CellError, *, is_kept: bool = False) -> RejectedRow:
    return RejectedRow(row=row, column=column, value=value[:60], reason=error.reason, is_kept=is_kept)


def _leave_out(taken: Taken, row: ReadyRow, number: RowNumber, reason: str) -> None:
    taken.rejected.append(
        RejectedRow(row=row.row, column=number.column, value=number.number, reason=reason, is_kept=True)
    )


def _refuse(taken: Taken, row: ReadyRow, column: str, value: str, reason: str) -> None:
    taken.n_refused += 1
    taken.rejected.append(RejectedRow(row=row.row, column=column, value=value[:60], reason=reason))


def _refuse_all(taken: Taken, row: ReadyRow) -> None:
    """None of its numbers was taken."""
    taken.n_refused += 1
    taken.rejected = [
        msgspec.structs.replace(each, is_kept=False) if each.row == row.row else each for each in taken.rejected
    ]
