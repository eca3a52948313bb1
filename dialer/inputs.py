"""What the dialler is told. `DialerEngine.handle(input, now, wall)` takes them; `wall` in UTC seconds."""

import msgspec

from model.campaigns import AttemptResult, Campaign, DialerRules
from model.dialing import Attempt, CampaignRecord


class RulesChange(msgspec.Struct, frozen=True, gc=False):
    rules: DialerRules


class CampaignChanges(msgspec.Struct, frozen=True, gc=False):
    """It is new, or has other settings; calls under way go on. Raises InvalidValue."""

    campaign: Campaign


class CampaignRemoved(msgspec.Struct, frozen=True, gc=False):
    """Raises WrongState while it runs or calls are under way."""

    campaign: str


class CampaignStarts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """By hand. Raises WrongState."""

    campaign: str
    by: str = ""


class CampaignStops(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """By hand: nobody new is called; calls under way go on."""

    campaign: str
    by: str = ""


class RecordsLoaded(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The answer to `LoadRecords`: records that are due, best first; the database calls them queued from now on."""

    campaign: str
    records: list[CampaignRecord]
    n_open: int
    """Records that may be called sometime, those in the hopper included: 0 = the campaign is completed."""
    next_due_utc: float = 0.0
    """When the next of those that are not due yet is; 0 = none is."""


class RecordsChange(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Records were added, imported, reset, removed or promised a call by somebody: what is in the hopper of the
    campaign goes back to the database, and is loaded anew. Empty `record_ids`: any of them may have."""

    campaign: str
    record_ids: tuple[str, ...] = ()


class NumberBarred(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """It is on a do-not-call list from now on: that of a campaign, or ("") of all."""

    number: str
    campaign: str = ""
    is_prefix: bool = False
    """All numbers that begin so."""
    expires_utc: float = 0.0
    """0.0 = never."""


class NumberAllowed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    number: str
    campaign: str = ""
    is_prefix: bool = False


class FloorSeen(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Agents of a queue as they are now: told whenever that changes, and before a call is said to be connected."""

    queue: str
    n_agents: int
    """Signed in, serving it, and taking calls of diallers (ready, busy or in after-call work)."""
    n_idle: int
    """Of them, who could have a call of a dialler at once; those that the queue's reserve keeps are not counted."""
    talking_s: tuple[float, ...] = ()
    """How long each of the others has talked."""
    wrapping_s: tuple[float, ...] = ()
    """How long each has been in after-call work."""
    n_inbound_waiting: int = 0
    """Callers who wait for the same agents."""


class InboundCame(msgspec.Struct, frozen=True, gc=False):
    """A caller came to a queue that a campaign's agents serve."""

    queue: str


class AgentTalked(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An agent of the queue ended a conversation."""

    queue: str
    talk_s: float


class AgentWrapped(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An agent of the queue ended after-call work."""

    queue: str
    wrap_s: float


class AttemptStored(msgspec.Struct, frozen=True, gc=False):
    """What `StoreAttempt` asked for is durable: it may be dialled."""

    attempt_id: str


class AttemptNotStored(msgspec.Struct, frozen=True, gc=False):
    """The database cannot be written: nobody is called."""

    attempt_id: str


class AttemptRang(msgspec.Struct, frozen=True, gc=False):
    attempt_id: str


class AttemptAnswered(msgspec.Struct, frozen=True, gc=False):
    """Somebody, or something, picked up."""

    attempt_id: str


class AttemptVerdict(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Who it is, by AMD: human, machine, fax, not_sure."""

    attempt_id: str
    verdict: str
    evidence: str = ""


class AttemptConnected(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An agent has him ("": a flow)."""

    attempt_id: str
    agent_id: str = ""


class AttemptDropped(msgspec.Struct, frozen=True, gc=False):
    """No agent within `patience_s`, or he hung up while he waited longer than that: he counts as abandoned."""

    attempt_id: str


class AttemptEnded(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Its call is over, or could not even begin."""

    attempt_id: str
    result: AttemptResult
    cause: str = ""
    sip_status: int = 0
    talk_s: float = 0.0
    message_utc: float = 0.0
    """When the campaign's message was begun; 0.0 = it was not."""
    is_trunk_trouble: bool = False
    """It failed by ours, not by the customer's: no trunk, congestion."""


class AttemptPlaced(msgspec.Struct, frozen=True, gc=False):
    """An agent calls a record himself (preview): counted and ended as others, but nobody paced it. The record is out of
    the hopper; the attempt is stored."""

    attempt: Attempt
    record: CampaignRecord


class AttemptFound(msgspec.Struct, frozen=True, gc=False):
    """At a start: it had not ended when the switch did, and its call is gone. The record is as it was stored."""

    attempt: Attempt
    record: CampaignRecord


class RecordDisposed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An agent said how it went, or (code `NOT_SAID`) has not. Raises InvalidValue for a code that the campaign has
    not, and for a promised call without its time. During the call it holds from its end on."""

    record: CampaignRecord
    attempt_id: str = ""
    code: str
    note: str = ""
    agent_id: str = ""
    callback_utc: float = 0.0
    callback_owner: str = ""


DialerInput = (
    RulesChange
    | CampaignChanges
    | CampaignRemoved
    | CampaignStarts
    | CampaignStops
    | RecordsLoaded
    | RecordsChange
    | NumberBarred
    | NumberAllowed
    | FloorSeen
    | InboundCame
    | AgentTalked
    | AgentWrapped
    | AttemptStored
    | AttemptNotStored
    | AttemptRang
    | AttemptAnswered
    | AttemptVerdict
    | AttemptConnected
    | AttemptDropped
    | AttemptEnded
    | AttemptPlaced
    | AttemptFound
    | RecordDisposed
)
