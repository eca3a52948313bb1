"""Records of campaigns (OUT-03, OUT-20, OUT-21): what is asked of them, and what is counted."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from model.dialing import CampaignRecord
from storage.campaign_rows import OPEN
from storage.errors import InUseError, NotFoundError
from storage.filters import Page, T


class RecordFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Empty texts do not restrict."""

    campaign: str = ""
    statuses: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    """Last ones."""
    owner: str | None = None
    """ "" = nobody's; None = anybody's."""
    list_name: str = ""
    customer_id: str = ""
    number: str = ""
    is_suffix: bool = False
    """`number` is the end of one."""
    text: str = ""
    """In the name, or in what the list says else."""


class Due(msgspec.Struct, frozen=True):
    """Records taken into the hopper, as they were."""

    records: list[CampaignRecord]
    n_open: int
    """Of the campaign: they may be called sometime, those in the hopper included."""
    next_due_utc: float
    """When the next of those that are not due yet is; 0 = none is."""


class RecordCounts(msgspec.Struct, kw_only=True):
    """How far records are."""

    n_records: int = 0
    by_status: dict[str, int] = {}
    n_attempted: int = 0
    n_answered: int = 0
    """A person picked up, at least once."""
    n_connected: int = 0
    """An agent or flow had them, at least once."""

    @property
    def n_open(self) -> int:
        return sum(self.by_status.get(status, 0) for status in OPEN)


class ListTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Records that came in together."""

    campaign: str
    list_name: str
    created_utc: float
    n_records: int
    n_attempted: int
    n_connected: int
    n_open: int


class RecordBook(Protocol):
    """Records, wherever they are kept."""

    async def add(self, records: Sequence[CampaignRecord]) -> None: ...
    async def take_due(self, campaign: str, n: int, wall: float) -> Due: ...
    def put_back(self, records: Iterable[CampaignRecord]) -> None: ...
    async def requeue_hopper(self) -> int: ...
    async def review(self, campaign: str) -> int: ...
    async def get(self, record_id: str) -> CampaignRecord: ...
    async def get_many(self, record_ids: Sequence[str]) -> dict[str, CampaignRecord]: ...
    async def find(self, criteria: RecordFilter, *, after: str = "", limit: int = 50) -> Page[CampaignRecord]: ...
    async def update(self, record: CampaignRecord) -> CampaignRecord: ...
    async def remove(self, record_ids: Sequence[str]) -> int: ...
    async def remove_list(self, campaign: str, list_name: str) -> int: ...
    async def remove_campaign(self, campaign: str) -> int: ...
    async def counts(self, campaign: str) -> RecordCounts: ...
    async def counts_by_owner(self, campaign: str) -> dict[str, RecordCounts]: ...
    async def lists(self, campaign: str) -> list[ListTotals]: ...
    async def unassigned(self, campaign: str, n: int) -> list[str]: ...
    async def assigned(self, campaign: str, owner: str, n: int) -> list[str]: ...
    async def next_of(self, owner: str, campaigns: Sequence[str], wall: float, n: int) -> list[CampaignRecord]: ...
    async def assign(self, record_ids: Sequence[str], owner: str, wall: float) -> int: ...
    async def known_numbers(self, campaign: str, numbers: Sequence[str]) -> set[str]: ...


BY_RULES = frozenset(("hours", "retry", "day_limit", "redial_ban"))
"""Why records are put aside by rules of the campaign, which may be changed."""


def check_update(record: CampaignRecord, status: str | None) -> None:
    """`status` is what it is in the database, if it is there."""
    if status is None:
        raise NotFoundError("record", record.record_id)
    if status == "dialing" and record.status != "dialing":
        raise InUseError("record", record.record_id, "a call")


def rank_of_due(record: CampaignRecord) -> tuple[int, bool, float, str]:
    """The order of due records of which none is promised."""
    return -record.priority, record.status == "retry_wait", record.next_utc, record.record_id


def add_counts(total: RecordCounts, counts: RecordCounts) -> None:
    total.n_records += counts.n_records
    total.n_attempted += counts.n_attempted
    total.n_answered += counts.n_answered
    total.n_connected += counts.n_connected
    for status, n in counts.by_status.items():
        total.by_status[status] = total.by_status.get(status, 0) + n


def page_by_id(found: list[CampaignRecord], limit: int) -> Page[CampaignRecord]:
    """`found` has one more than the page when there are more."""
    items = found[:limit]
    return Page(items, items[-1].record_id if len(found) > limit else "")


def pieces(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))
