"""Records of campaigns and their lists by API."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from msgspec.structs import replace

from control.auth import Caller
from dialer.inputs import RecordsChange
from model import commands_lists as lists
from model import errors
from model.declare import Command
from model.dialing import CampaignRecord, RecordNumber
from storage.campaign_records import RecordFilter
from storage.campaign_rows import status_out_of_hopper
from storage.errors import InUseError, NotFoundError
from switch.asking import asked
from switch.hidden_numbers import HiddenNumbers
from switch.imports import rejections_of
from switch.list_cells import CellError, number_of, zone_of_cell
from switch.list_rows import ListOptions, ReadyRow, RejectedRow, RowNumber, zone_of_number
from switch.list_takers import CampaignTaker, Origin, rejection_of
from switch.lists import Lists

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    desk = RecordsDesk(app.lists, HiddenNumbers(app.gate))
    return {
        lists.AddRecords: desk.add,
        lists.FindRecords: desk.find,
        lists.GetRecord: desk.get,
        lists.UpdateRecord: desk.update,
        lists.ResetRecords: desk.reset,
        lists.RemoveRecords: desk.remove,
        lists.ListLists: desk.list_lists,
        lists.RemoveList: desk.remove_list,
    }


class RecordsDesk:
    def __init__(self, kept: Lists, hidden: HiddenNumbers) -> None:
        self._lists = kept
        self._hidden = hidden
        self._records = kept.storage.records

    async def add(self, command: lists.AddRecords, caller: Caller) -> lists.RecordsAdded:
        self._lists.campaign(command.campaign)
        for record in command.records:
            self._lists.check_agent(record.owner, "records")
        options = self._lists.options("campaign", may_be_internal=command.may_be_internal)
        rows, rejected = await self._lists.in_thread(read_rows, command.records, options, self._lists.area_of)
        origin = Origin(
            list_name=command.list_name,
            by=caller.user,
            at_utc=self._lists.wall(),
            campaign=command.campaign,
            customer_ids={row: record.customer_id for row, record in enumerate(command.records, 1)},
        )
        taken = await asked(CampaignTaker(self._lists, origin).take(rows))
        if taken.ids:
            self._lists.tell(RecordsChange(campaign=command.campaign))
        told = sorted([*rejected, *taken.rejected], key=lambda each: each.row)
        return lists.RecordsAdded(record_ids=taken.ids, rejections=self._hidden.rejections(rejections_of(told), caller))

    async def find(self, command: lists.FindRecords, caller: Caller) -> lists.RecordPage:
        criteria = RecordFilter(
            campaign=command.campaign,
            statuses=command.statuses,
            owner=command.owner,
            list_name=command.list_name,
            customer_id=command.customer_id,
            number=command.number,
            is_suffix=command.is_suffix,
            text=command.text,
        )
        page = await asked(self._records.find(criteria, after=command.cursor, limit=command.limit))
        return lists.RecordPage(records=self._hidden.records(page.items, caller), cursor=page.after)

    async def get(self, command: lists.GetRecord, caller: Caller) -> lists.RecordDetail:
        record = await self._record(command.record_id)
        attempts = await asked(self._lists.storage.attempts.of_record(record.record_id))
        (shown,) = self._hidden.records([record], caller)
        return lists.RecordDetail(record=shown, attempts=self._hidden.attempts(attempts, caller))

    async def update(self, command: lists.UpdateRecord, caller: Caller) -> CampaignRecord:
        record = await self._record(command.record_id)
        if record.status == "dialing":
            raise _being_called(record)
        changes: dict[str, Any] = {
            name: value
            for name in ("name", "data", "priority", "has_consent", "owner", "note")
            if (value := getattr(command, name)) is not UNSET
        }
        self._lists.check_agent(changes.get("owner", ""))
        if command.numbers is not UNSET:
            changes["numbers"] = await self._numbers(record, command.numbers, is_internal=command.may_be_internal)
        if command.time_zone is not UNSET:
            zone = zone_named(command.time_zone)
            numbers = changes.get("numbers", record.numbers)
            changes["numbers"] = [replace(each, zone=zone or zone_of_number(each.number)) for each in numbers]
        if record.status == "queued":
            # It leaves the hopper, so that the dialler takes it as it is now.
            changes["status"] = status_out_of_hopper(record)
        changed = replace(record, **changes, updated_utc=self._lists.wall())
        try:
            changed = await asked(self._records.update(changed))
        except NotFoundError:
            raise errors.NoSuchRecord(f"no record {command.record_id}") from None
        except InUseError:
            raise _being_called(record) from None
        self._tell({record.campaign: [record.record_id]})
        (shown,) = self._hidden.records([changed], caller)
        return shown

    async def reset(self, command: lists.ResetRecords, caller: Caller) -> lists.RecordsTouched:
        found = await asked(self._records.get_many(command.record_ids))
        touched: dict[str, list[str]] = {}
        for record in found.values():
            if record.status not in ("dialing", "connected"):
                try:
                    await asked(self._records.update(as_new(record, self._lists.wall())))
                except (NotFoundError, InUseError):
                    continue
                touched.setdefault(record.campaign, []).append(record.record_id)
        self._tell(touched)
        return lists.RecordsTouched(n_records=sum(map(len, touched.values())))

    async def remove(self, command: lists.RemoveRecords, caller: Caller) -> lists.RecordsTouched:
        found = await asked(self._records.get_many(command.record_ids))
        touched: dict[str, list[str]] = {}
        for record in found.values():
            touched.setdefault(record.campaign, []).append(record.record_id)
        n = await asked(self._records.remove([*found]))
        self._tell(touched)
        return lists.RecordsTouched(n_records=n)

    async def list_lists(self, command: lists.ListLists, caller: Caller) -> lists.Lists:
        self._lists.campaign(command.campaign)
        found = await asked(self._records.lists(command.campaign))
        shown = [
            lists.ListView(**{name: getattr(each, name) for name in lists.ListView.__struct_fields__}) for each in found
        ]
        return lists.Lists(lists=shown)

    async def remove_list(self, command: lists.RemoveList, caller: Caller) -> lists.RecordsTouched:
        self._lists.campaign(command.campaign)
        n = await asked(self._records.remove_list(command.campaign, command.list_name))
        if n:
            self._lists.tell(RecordsChange(campaign=command.campaign))
        return lists.RecordsTouched(n_records=n)

    async def _record(self, record_id: str) -> CampaignRecord:
        try:
            return await asked(self._records.get(record_id))
        except NotFoundError:
            raise errors.NoSuchRecord(f"no record {record_id}") from None

    async def _numbers(
        self, record: CampaignRecord, numbers: Sequence[str], *, is_internal: bool
    ) -> list[RecordNumber]:
        """Those of the record that stay are as they were."""
        options = self._lists.options("campaign", may_be_internal=is_internal)
        read = await self._lists.in_thread(read_numbers, numbers, options, self._lists.area_of)
        there = {each.number: each for each in record.numbers}
        new = [each.number for each in read if each.number not in there]
        if known := await asked(self._records.known_numbers(record.campaign, new)):
            raise errors.InvalidValue(f"{min(known)} is another record's of the campaign", field="numbers")
        return [
            there.get(each.number) or RecordNumber(number=each.number, zone=each.zone, area=each.area) for each in read
        ]

    def _tell(self, touched: dict[str, list[str]]) -> None:
        for campaign, ids in touched.items():
            if campaign in self._lists.directory.campaigns:
                self._lists.tell(RecordsChange(campaign=campaign, record_ids=tuple(ids)))


def _being_called(record: CampaignRecord) -> errors.WrongState:
    return errors.WrongState(f"record {record.record_id} is being called", state="dialing")


def as_new(record: CampaignRecord, wall: float) -> CampaignRecord:
    """As it was before its first call, but for what bounds how often he may be called: today's calls, and when the
    latest of each number was."""
    numbers = [replace(each, n_attempts=0, n_by_result={}, is_bad=False) for each in record.numbers]
    return replace(
        record,
        status="new",
        numbers=numbers,
        n_attempts=0,
        n_connected=0,
        next_utc=0.0,
        deferred="",
        reason="",
        callback_utc=0.0,
        callback_owner="",
        callback_note="",
        disposition="",
        updated_utc=wall,
    )


def read_rows(
    records: Sequence[lists.NewRecord], options: ListOptions, area_of: Callable[[str], str]
) -> tuple[list[ReadyRow], list[RejectedRow]]:
    """Those that can be called; what is wrong with the others."""
    ready: list[ReadyRow] = []
    rejected: list[RejectedRow] = []
    for row, record in enumerate(records, 1):
        try:
            zone = zone_of_cell(record.time_zone)
        except CellError as error:
            rejected.append(rejection_of(row, "time_zone", record.time_zone, error))
            continue
        numbers: dict[str, RowNumber] = {}
        wrong: list[RejectedRow] = []
        for text in record.numbers:
            try:
                found = read_number(text, options, area_of)
                numbers[found.number] = found
            except CellError as error:
                wrong.append(rejection_of(row, "numbers", text, error))
        if numbers:
            rejected += [replace(each, is_kept=True) for each in wrong]
            ready.append(
                ReadyRow(
                    row=row,
                    numbers=[*numbers.values()],
                    name=record.name,
                    time_zone=zone,
                    priority=record.priority,
                    has_consent=record.has_consent,
                    callback_utc=record.callback_utc,
                    owner=record.owner,
                    data=record.data,
                )
            )
        else:
            rejected += wrong or [RejectedRow(row=row, column="numbers", value="", reason="no_number")]
    return ready, rejected


def read_number(text: str, options: ListOptions, area_of: Callable[[str], str]) -> RowNumber:
    """Raises CellError."""
    if not text.strip():
        raise CellError("no_number")
    number = number_of(text, options.region, may_be_internal=options.may_be_internal, emergency=options.emergency)
    return RowNumber(number, zone=zone_of_number(number), area=area_of(number), column="numbers")


def read_numbers(numbers: Sequence[str], options: ListOptions, area_of: Callable[[str], str]) -> list[RowNumber]:
    """All of them, each once. Raises InvalidValue."""
    found: dict[str, RowNumber] = {}
    for text in numbers:
        try:
            each = read_number(text, options, area_of)
        except CellError as error:
            raise errors.InvalidValue(f"{text!r}: {error.reason}", field="numbers") from None
        found[each.number] = each
    return [*found.values()]


def zone_named(name: str) -> str:
    """Raises InvalidValue."""
    try:
        return zone_of_cell(name)
    except CellError:
        raise errors.InvalidValue(f'"{name}" is no time zone: "Asia/Shanghai" is one', field="time_zone") from None
