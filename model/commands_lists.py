"""Commands on records of campaigns and the lists that they come in with. `switch/records_desk.py` handles them."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from model import views
from model.campaigns import RecordStatus
from model.commands import Cursor, Id, Instant, Limit, OptionalId, OptionalText
from model.declare import Command, command
from model.dialing import Attempt, CampaignRecord
from model.errors import (
    InvalidValue,
    NoSuchCampaign,
    NoSuchRecord,
    StorageUnavailable,
    WrongState,
)
from model.settings import Name

ListName = Annotated[str, Meta(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
CellText = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Data = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=64)], CellText], Meta(max_length=100)]
Numbers = Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=10)]
Priority = Annotated[int, Meta(ge=-1000, le=1000)]
Ids = Annotated[tuple[Id, ...], Meta(max_length=1000)]


class Rejection(views.View, frozen=True, kw_only=True):
    """What was not taken, and why."""

    row: int
    """In the list; of records given in a command the place, the first is 1."""
    column: str
    value: str
    reason: str
    """no_number, not_a_number, rounded_number (Excel has cut off digits), impossible_number, emergency_number,
    duplicate_in_file, duplicate (in the campaign), on_dnc_list, too_many_numbers, formula_error, too_long,
    bad_time_zone, bad_date, bad_priority, bad_consent, unknown_agent."""
    is_kept: bool
    """The row was taken, without this."""


class RecordPage(views.View, frozen=True, kw_only=True):
    """Records, in the order in which they came in."""

    records: list[CampaignRecord]
    cursor: str
    """For the next page; empty = this was the last."""


class RecordDetail(views.View, frozen=True, kw_only=True):
    """A record, and all attempts to call it."""

    record: CampaignRecord
    attempts: list[Attempt]


class RecordsAdded(views.View, frozen=True, kw_only=True):
    """What was taken of the records given."""

    record_ids: list[str]
    rejections: list[Rejection]


class RecordsTouched(views.View, frozen=True, kw_only=True):
    """How many that were."""

    n_records: int


class ListView(views.View, frozen=True, kw_only=True):
    """Records that came in together."""

    campaign: str
    list_name: str
    created_utc: float
    n_records: int
    n_attempted: int
    """Of them, called at least once."""
    n_connected: int
    """Of them, an agent or flow had them at least once."""
    n_open: int
    """Of them, may be called sometime."""


class Lists(views.View, frozen=True, kw_only=True):
    """Lists of a campaign, the oldest first."""

    lists: list[ListView]


class NewRecord(Command, frozen=True, kw_only=True):
    """A record to be added."""

    numbers: Numbers
    name: CellText = ""
    data: Data = field(default_factory=dict)
    priority: Priority = 0
    """Higher first."""
    has_consent: bool = False
    time_zone: OptionalText = ""
    """Of all of its numbers; empty: each number's own."""
    callback_utc: Instant = 0.0
    """A call is promised for then."""
    owner: OptionalId = ""
    """Agent whose record it is."""
    customer_id: OptionalId = ""


# -- records -----------------------------------------------------------------------------------------------------------


@command(
    "record.add",
    permission="campaign.manage",
    result=RecordsAdded,
    errors=(NoSuchCampaign, InvalidValue, StorageUnavailable),
)
class AddRecords(Command, frozen=True, kw_only=True):
    """Adds records to a campaign; those that cannot be called are told, and the others taken."""

    campaign: Name
    records: Annotated[tuple[NewRecord, ...], Meta(min_length=1, max_length=200)]
    list_name: ListName = ""
    may_be_internal: bool = False
    """Also numbers that are no telephone numbers (extensions), as they are."""


@command("record.find", permission="campaign.view", result=RecordPage, errors=(InvalidValue, StorageUnavailable))
class FindRecords(Command, frozen=True, kw_only=True):
    """Records with their status, last call and last result, in the order in which they came in."""

    campaign: OptionalId = ""
    statuses: Annotated[tuple[RecordStatus, ...], Meta(max_length=10)] = ()
    owner: OptionalId | None = None
    """Agent whose they are; empty: nobody's; null: all."""
    list_name: ListName = ""
    customer_id: OptionalId = ""
    number: OptionalText = ""
    is_suffix: bool = False
    """`number` is the end of one."""
    text: OptionalText = ""
    """In the name, or in what the list says else."""
    limit: Limit = 100
    cursor: Cursor = ""


@command("record.get", permission="campaign.view", result=RecordDetail, errors=(NoSuchRecord, StorageUnavailable))
class GetRecord(Command, frozen=True, kw_only=True):
    """One record with its attempts, oldest first."""

    record_id: Id


@command(
    "record.update",
    permission="campaign.manage",
    result=CampaignRecord,
    errors=(NoSuchRecord, InvalidValue, WrongState, StorageUnavailable),
)
class UpdateRecord(Command, frozen=True, kw_only=True):
    """Changes what is given of a record; what the dialler counts of it stays."""

    record_id: Id
    name: CellText | UnsetType = UNSET
    numbers: Numbers | UnsetType = UNSET
    """In place of those that it has; what became of a number that stays is kept."""
    may_be_internal: bool = False
    data: Data | UnsetType = UNSET
    """In place of what there is."""
    priority: Priority | UnsetType = UNSET
    has_consent: bool | UnsetType = UNSET
    time_zone: OptionalText | UnsetType = UNSET
    owner: OptionalId | UnsetType = UNSET
    note: CellText | UnsetType = UNSET


@command(
    "record.reset",
    permission="campaign.manage",
    result=RecordsTouched,
    errors=(InvalidValue, StorageUnavailable),
)
class ResetRecords(Command, frozen=True, kw_only=True):
    """Records are called again as if they were new, but for those that are being called. What is forbidden stays so:
    do-not-call lists, consent, how often on one day, and how long after nobody was there for him."""

    record_ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=1000)]


@command("record.remove", permission="campaign.manage", result=RecordsTouched, errors=(StorageUnavailable,))
class RemoveRecords(Command, frozen=True, kw_only=True):
    """Removes records, but for those that are being called. What was called stays in the attempts."""

    record_ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=1000)]


# -- lists -------------------------------------------------------------------------------------------------------------


@command("list.list", permission="campaign.view", result=Lists, errors=(NoSuchCampaign, StorageUnavailable))
class ListLists(Command, frozen=True, kw_only=True):
    """Lists of a campaign."""

    campaign: Name


@command(
    "list.remove", permission="campaign.manage", result=RecordsTouched, errors=(NoSuchCampaign, StorageUnavailable)
)
class RemoveList(Command, frozen=True, kw_only=True):
    """Removes all records that came in with a list, but for those that are being called."""

    campaign: Name
    list_name: ListName
