"""Commands on imports: lists that come in from files, or are made of customers. `switch/imports_desk.py` handles
them."""

from typing import Annotated, Literal

from msgspec import Meta, field

from model import views
from model.commands import Cursor, Id, Limit, OptionalId, OptionalText
from model.commands_lists import Ids, ListName, Priority, Rejection
from model.commands_prompts import UploadId
from model.declare import Command, Event, command, event
from model.errors import (
    Congested,
    InvalidValue,
    NoSuchCampaign,
    NoSuchImport,
    NoSuchUpload,
    StorageUnavailable,
    WrongState,
)
from model.settings import Name

MAX_LIST = 64 << 20
"""Bytes of a file with a list."""

Target = Literal["campaign", "customers", "dnc"]
ImportState = Literal["waiting", "running", "finished", "failed", "cancelled", "interrupted"]


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
