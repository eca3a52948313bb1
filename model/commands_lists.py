"""Commands on records of campaigns, lists that they come in with, and do-not-call lists. `switch/records_desk.py`,
`switch/imports_desk.py` and `switch/dnc_desk.py` handle them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from model import views
from model.campaigns import RecordStatus
from model.commands import Cursor, Id, Instant, Limit, OptionalId, OptionalText
from model.commands_prompts import UploadId
from model.declare import Command, Event, command, event
from model.dialing import Attempt, CampaignRecord, DncEntry
from model.errors import (
    Congested,
    InvalidValue,
    NoSuchCampaign,
    NoSuchImport,
    NoSuchRecord,
    NoSuchUpload,
    StorageUnavailable,
    WrongState,
)
from model.settings import Name

MAX_LIST = 64 << 20
"""Bytes of a file with a list."""

ListName = Annotated[str, Meta(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
CellText = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Data = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=64)], CellText], Meta(max_length=100)]
Numbers = Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=10)]
Priority = Annotated[int, Meta(ge=-1000, le=1000)]
Ids = Annotated[tuple[Id, ...], Meta(max_length=1000)]
Target = Literal["campaign", "customers", "dnc"]
ImportState = Literal["waiting", "running", "finished", "failed", "cancelled", "interrupted"]


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


class ListImport(views.View, frozen=True, kw_only=True):
    """A list on its way in, or that came in."""

    import_id: str
    target: Target
    campaign: str
    list_name: str
    state: ImportState
    """interrupted: the switch ended meanwhile; what was taken is there, and the list may be imported once more."""
    problem: str
    """Why it failed."""
    n_rows: int
    """Read so far."""
    n_added: int
    n_refused: int
    """Rows of which nothing was taken."""
    n_rejections: int
    """Single things that were not taken, those of refused rows included."""
    columns: list[tuple[str, str]]
    """Name of each column, and what it was taken for; empty until it is over."""
    started_by: str
    created_utc: float
    ended_utc: float


class ImportList(views.View, frozen=True, kw_only=True):
    """Imports, the latest first."""

    imports: list[ListImport]


class RejectionPage(views.View, frozen=True, kw_only=True):
    """What was not taken of a list, in its order."""

    rejections: list[Rejection]
    cursor: str
    """For the next page; empty = this was the last."""


class ListUploaded(views.View, frozen=True, kw_only=True):
    """What has come of a file."""

    upload_id: str
    size: int
    """Bytes so far: the offset of the next piece."""


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


class DncPage(views.View, frozen=True, kw_only=True):
    """Numbers that are not called, in their order."""

    entries: list[DncEntry]
    cursor: str
    """For the next page; empty = this was the last."""


class DncAdded(views.View, frozen=True, kw_only=True):
    """What was taken of the numbers given."""

    n_added: int
    """New ones; those that were there have the new reason and end."""
    rejections: list[Rejection]


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


@command(
    "record.add_customers",
    permission="campaign.manage",
    result=ListImport,
    errors=(NoSuchCampaign, InvalidValue, Congested, StorageUnavailable),
)
class AddCustomers(Command, frozen=True, kw_only=True):
    """Takes customers into a campaign (OUT-07, OUT-26), as a list; `import.finished` tells when they are in. Those
    that it has already are not taken twice."""

    campaign: Name
    list_name: ListName = ""
    customer_ids: Ids = ()
    """These; empty: all that the criteria name."""
    text: OptionalText = ""
    tag: OptionalText = ""
    owner: OptionalId | None = None
    """Agent whose they are; empty: nobody's; null: all."""
    area: OptionalText = ""
    level: OptionalText = ""
    keeps_owner: bool = False
    """The records belong to the agents whose customers they are."""
    priority: Priority = 0


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


@command(
    "import.upload",
    permission="campaign.manage",
    is_audited=False,
    result=ListUploaded,
    errors=(NoSuchUpload, InvalidValue, Congested, StorageUnavailable),
)
class UploadList(Command, frozen=True, kw_only=True):
    """Takes a list (CSV or .xlsx, at most 64 MiB) piece by piece; `import.start` then reads it. An upload that nothing
    comes for within 10 minutes is forgotten."""

    data: Annotated[str, Meta(max_length=43_692)]
    """Base64 of at most 32,768 bytes."""
    upload_id: UploadId = ""
    """As the answer to the first piece says; empty = this is the first."""
    offset: Annotated[int, Meta(ge=0, le=MAX_LIST)] = 0
    """Bytes before this piece."""
    is_last: bool = False


@command(
    "import.start",
    permission="campaign.manage",
    result=ListImport,
    errors=(NoSuchUpload, NoSuchCampaign, InvalidValue, Congested, StorageUnavailable),
)
class StartImport(Command, frozen=True, kw_only=True):
    """Reads a list that was uploaded. Rows that cannot be taken are told, with what is wrong with them, and the others
    taken; what is there already is not taken twice. `import.finished` tells when it is over."""

    upload_id: UploadId
    target: Target
    campaign: OptionalId = ""
    """Whose records, or whose do-not-call list; of a do-not-call list empty: of all campaigns."""
    list_name: ListName = ""
    """How it is called from now on; empty: by its id."""
    mapping: Annotated[dict[Annotated[str, Meta(max_length=128)], str], Meta(max_length=100)] = field(
        default_factory=dict
    )
    """What columns are (by title, or A, B …): number, name, time_zone, priority, consent, callback, owner, area, level,
    tags, reason, expires, data or ignore. Others by their titles."""
    has_titles: bool = True
    """The first row says what the columns are."""
    sheet: OptionalText = ""
    """Of an Excel file; empty: the first that is visible."""
    time_zone: OptionalText = ""
    """Of the times in it; empty: the company's."""
    may_be_internal: bool = False
    """Also numbers that are no telephone numbers (extensions), as they are."""
    has_consent: bool = False
    """All of them agree to be called."""
    priority: Priority = 0
    """Of those that have none."""
    owner: OptionalId = ""
    """Agent whose they are, where the list does not say."""
    reason: OptionalText = ""
    """Why they are not called, where the list does not say."""


@command("import.list", permission="campaign.view", result=ImportList)
class ListImports(Command, frozen=True, kw_only=True):
    """Imports that are remembered, the latest first."""


@command("import.get", permission="campaign.view", result=ListImport, errors=(NoSuchImport,))
class GetImport(Command, frozen=True, kw_only=True):
    """How far an import is."""

    import_id: Id


@command(
    "import.rejected",
    permission="campaign.view",
    result=RejectionPage,
    errors=(NoSuchImport, InvalidValue, StorageUnavailable),
)
class FindRejected(Command, frozen=True, kw_only=True):
    """What an import did not take, and why."""

    import_id: Id
    limit: Limit = 100
    cursor: Cursor = ""


@command("import.cancel", permission="campaign.manage", result=ListImport, errors=(NoSuchImport, WrongState))
class CancelImport(Command, frozen=True, kw_only=True):
    """Ends an import; what was taken stays."""

    import_id: Id


@event("import.finished", permission="campaign.view")
class ImportFinished(Event, frozen=True, kw_only=True):
    """A list has been read, or could not be."""

    import_id: str
    target: str
    campaign: str
    list_name: str
    state: str
    """finished, failed or cancelled."""
    problem: str
    n_rows: int
    n_added: int
    n_refused: int


# -- do not call -------------------------------------------------------------------------------------------------------


@command(
    "dnc.add",
    permission="campaign.manage",
    result=DncAdded,
    errors=(NoSuchCampaign, InvalidValue, StorageUnavailable),
)
class AddDnc(Command, frozen=True, kw_only=True):
    """Numbers are not called any more, from this moment on."""

    numbers: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(min_length=1, max_length=1000)]
    campaign: OptionalId = ""
    """By this one; empty: by none."""
    is_prefix: bool = False
    """They are beginnings of numbers ("+86571"): an area."""
    reason: OptionalText = ""
    expires_utc: Instant = 0.0
    """Called again from then on; 0 = never."""


@command("dnc.remove", permission="campaign.manage", result=views.Done, errors=(InvalidValue, StorageUnavailable))
class RemoveDnc(Command, frozen=True, kw_only=True):
    """Takes a number off a do-not-call list. Records that were given up because of it stay so (`record.reset`)."""

    number: Annotated[str, Meta(min_length=1, max_length=64)]
    campaign: OptionalId = ""
    is_prefix: bool = False


@command("dnc.find", permission="campaign.view", result=DncPage, errors=(InvalidValue, StorageUnavailable))
class FindDnc(Command, frozen=True, kw_only=True):
    """Numbers that are not called."""

    number: OptionalText = ""
    """Its beginning."""
    campaign: OptionalId | None = None
    """Of one; empty: that of all; null: every list."""
    text: OptionalText = ""
    """In the reason or the number."""
    source: OptionalText = ""
    """The list it came with."""
    limit: Limit = 100
    cursor: Cursor = ""
