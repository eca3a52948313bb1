"""What the dialler decides: its runner (switch.dialer) carries it out, and publishes its events."""

import msgspec

from model.campaigns import CampaignState
from model.declare import Event
from model.dialing import Attempt, CampaignRecord


class LoadRecords(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """`RecordsLoaded` is wanted: up to `n` more that are due, promised calls first, then priority, then who was never
    called. The runner calls them queued."""

    campaign: str
    n: int


class ReturnRecords(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Out of the hopper without having been called: stored as they are now (status new, retry_wait, callback …)."""

    campaign: str
    records: list[CampaignRecord]


class ReviewRecords(msgspec.Struct, frozen=True, gc=False):
    """The rules of the campaign have changed: whom they put aside is to be looked at anew. `RecordsChange` follows."""

    campaign: str


class StoreAttempt(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Both are to be durable before `AttemptStored`; the record is dialing."""

    attempt: Attempt
    record: CampaignRecord


class PlaceCall(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Dial it now."""

    attempt: Attempt
    record: CampaignRecord
    ring_timeout_s: float


class GiveUp(msgspec.Struct, frozen=True, gc=False):
    """Cancel a call that rings: nobody will be there for it."""

    attempt_id: str


class StoreOutcome(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What became of an attempt and its record; kept until the database takes it."""

    attempt: Attempt
    record: CampaignRecord


class StoreDisposition(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an agent said of a record: the record as it is now, its disposition also that of the attempt ("": none)."""

    attempt_id: str
    record: CampaignRecord


class StoreCampaign(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """State, ledger and model of a campaign as plain JSON, to go on from after a restart."""

    campaign: str
    state: CampaignState
    document: bytes


class LogPacing(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One decision with what it was made from, for the pacing log. Told when it changes, and at least every minute."""

    campaign: str
    at_utc: float
    n_dials: int
    reason: str
    inputs: dict[str, float]


class BarNumber(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Onto the do-not-call list of the campaign: an agent says that he does not want to be called."""

    number: str
    campaign: str
    note: str


DialerAction = (
    LoadRecords
    | ReturnRecords
    | ReviewRecords
    | StoreAttempt
    | PlaceCall
    | GiveUp
    | StoreOutcome
    | StoreDisposition
    | StoreCampaign
    | LogPacing
    | BarNumber
    | Event
)
