"""Commands of preview campaigns: records are shared out among agents, who look at them, dial, and say how it went
(OUT-01…06, OUT-09, OUT-32). `switch/preview_commands.py` and `switch/distribution_desk.py` handle them.

What agents are shown of numbers is what their role lets them see (`phone.view_full`); they dial by the place of a
number in its record.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from model import views
from model.agents import AgentId
from model.campaigns import Disposition
from model.commands import Cursor, Id, Instant, Limit, OptionalId, OptionalText
from model.declare import Command, command
from model.errors import (
    Congested,
    Draining,
    InvalidValue,
    NoRoute,
    NoSuchAgent,
    NoSuchCampaign,
    NoSuchRecord,
    PermissionDenied,
    StorageUnavailable,
    WrongState,
)
from model.settings import Name

MOST_DEALT = 200_000
"""Records shared out by one command."""
Agents = Annotated[list[AgentId], Meta(min_length=1, max_length=1000)]
Records = Annotated[list[Id], Meta(max_length=1000)]
Count = Annotated[int, Meta(ge=0, le=MOST_DEALT)]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent has of a campaign."""

    agent_id: str
    n_given: int
    """By this command; taken back: less than 0."""
    n_records: int
    n_to_call: int
    """Not called yet, or to be called again."""
    n_callbacks: int
    """Promised a call."""
    n_done: int


class Shares(views.View, frozen=True, kw_only=True):
    """Whose the records of a campaign are."""

    campaign: str
    n_moved: int
    """By this command."""
    n_unassigned: int
    """New ones that are nobody's."""
    shares: list[Share]
    """By agent id."""


class CardNumber(msgspec.Struct, frozen=True, kw_only=True):
    """A number of a record, as an agent may see it."""

    number: str
    label: str
    area: str
    n_attempts: int
    last_result: str
    is_bad: bool


class RecordCard(msgspec.Struct, frozen=True, kw_only=True):
    """A record as an agent sees it."""

    record_id: str
    campaign: str
    status: str
    """new, retry_wait, callback: to be called; queued, dialing: the dialler's, or being called; connected: spoken to,
    and nobody has said how it went; done, failed, dnc."""
    name: str
    numbers: list[CardNumber]
    data: dict[str, str]
    """Whatever else is known of him."""
    customer_id: str
    list_name: str
    owner: str
    """Agent whose it is; empty = nobody's."""
    priority: int
    n_attempts: int
    last_utc: float
    last_result: str
    next_utc: float
    """Not to be called again before."""
    callback_utc: float
    callback_owner: str
    callback_note: str
    disposition: str
    note: str
    agent_id: str
    """Who spoke to him last."""


class RecordSheet(views.View, frozen=True, kw_only=True):
    """What an agent works with: a record, and what its campaign says."""

    record: RecordCard
    may_call: bool
    """The rules let him be called now, on number `position`."""
    position: int
    """Of the number whose turn it is."""
    why_not: str
    """dnc, no_consent, no_number, attempts_used, hours, day_limit, in_flight …; empty = he may be called."""
    retry_at_utc: float
    """When he may be called; 0 = now, or never."""
    title: str
    """Of the campaign."""
    script: str
    """What to say, with what is known of him in place of {fields}."""
    content: str
    """What it is about."""
    questionnaire: str
    """Id of the questionnaire to fill in."""
    dispositions: list[Disposition]
    """What may be said of the conversation (`record.result`)."""
    is_disposition_required: bool


class OwnRecords(views.View, frozen=True, kw_only=True):
    """A page of an agent's records, in the order in which they came."""

    records: list[RecordCard]
    cursor: str
    """For the next page; empty = this was the last."""


class DialedRecord(views.View, frozen=True, kw_only=True):
    """The agent's phone rings; then the customer is called."""

    call_id: str
    """Also the id of the attempt."""
    record_id: str
    number: str
    caller_id: str
    """Number that the customer sees; empty = that of the trunk."""


class AgentFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent called and achieved (OUT-32)."""

    agent_id: str
    campaign: str
    start_utc: float
    n_attempts: int
    n_connected: int
    talk_s: float
    n_deals: int
    """Conversations with a disposition whose effect is success."""
    dispositions: dict[str, int]


class AgentFiguresList(views.View, frozen=True, kw_only=True):
    """By interval, campaign and agent."""

    figures: list[AgentFigures]


# -- sharing out -------------------------------------------------------------------------------------------------------


@command("record.shares", permission="campaign.view", result=Shares, errors=(NoSuchCampaign, StorageUnavailable))
class ListShares(Command, frozen=True, kw_only=True):
    """How many records of a campaign each agent has."""

    campaign: Name


@command(
    "record.distribute",
    permission="campaign.manage",
    result=Shares,
    errors=(NoSuchCampaign, NoSuchAgent, InvalidValue, WrongState, StorageUnavailable),
)
class DistributeRecords(Command, frozen=True, kw_only=True):
    """Shares out new records that are nobody's: evenly, or as many to each as is said (OUT-02, OUT-03)."""

    campaign: Name
    agents: Agents
    each: Count = 0
    """So many to each; 0 = evenly, and what is left over to those who have the fewest."""
    counts: Annotated[dict[AgentId, Count], Meta(max_length=1000)] = field(default_factory=dict)
    """So many to these agents, in place of `each`; together with it the others get `each`."""
    limit: Count = 0
    """At most so many altogether; 0 = all there are."""


@command(
    "record.reassign",
    permission="campaign.manage",
    result=Shares,
    errors=(NoSuchCampaign, NoSuchAgent, NoSuchRecord, InvalidValue, WrongState, StorageUnavailable),
)
class ReassignRecords(Command, frozen=True, kw_only=True):
    """Gives records of one agent to others, evenly (OUT-09): those he has not called, or those that are named, with
    the calls that he promised them."""

    campaign: Name
    to: Agents
    agent_id: OptionalText = ""
    """Whose; not needed with `record_ids`."""
    limit: Count = 0
    """At most so many; 0 = all he has not called."""
    record_ids: Records = field(default_factory=list)
    """These, whosever they are and whether they were called or not."""


@command(
    "record.take_back",
    permission="campaign.manage",
    result=Shares,
    errors=(NoSuchCampaign, NoSuchRecord, InvalidValue, WrongState, StorageUnavailable),
)
class TakeBackRecords(Command, frozen=True, kw_only=True):
    """Makes records of an agent nobody's: those he has not called, or those that are named."""

    campaign: Name
    agent_id: OptionalText = ""
    """Whose; not needed with `record_ids`."""
    limit: Count = 0
    """At most so many; 0 = all he has not called."""
    record_ids: Records = field(default_factory=list)


# -- work of agents ----------------------------------------------------------------------------------------------------


@command(
    "record.mine",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=OwnRecords,
    errors=(NoSuchAgent, InvalidValue, StorageUnavailable),
)
class ListOwnRecords(Command, frozen=True, kw_only=True):
    """Records of an agent, to choose from (OUT-05)."""

    agent_id: AgentId
    campaign: OptionalId = ""
    """Only of this campaign."""
    what: Literal["to_call", "callbacks", "done", "all"] = "to_call"
    """to_call: not called yet, or to be called again; callbacks: promised a call; done: over, or called and not said
    how it went."""
    text: OptionalText = ""
    """Only those in whose name or data it stands."""
    number: OptionalText = ""
    """Only those with this number."""
    limit: Limit = 50
    cursor: Cursor = ""


@command(
    "record.next",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=RecordSheet,
    errors=(NoSuchAgent, NoSuchCampaign, NoSuchRecord, StorageUnavailable),
)
class NextRecord(Command, frozen=True, kw_only=True):
    """Whom an agent is to call next: promised calls that are due, then by priority, then as they came. Where he has
    none and the campaign has `may_take_unassigned`, one that is nobody's becomes his."""

    agent_id: AgentId
    campaign: OptionalId = ""
    """Only of this campaign; empty = of any that runs."""


@command(
    "record.pick",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=RecordSheet,
    errors=(NoSuchAgent, NoSuchRecord, PermissionDenied, WrongState, StorageUnavailable),
)
class PickRecord(Command, frozen=True, kw_only=True):
    """Makes a record that is nobody's an agent's, where the campaign has `may_take_unassigned`."""

    agent_id: AgentId
    record_id: Id


@command(
    "record.open",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=RecordSheet,
    errors=(NoSuchAgent, NoSuchRecord, PermissionDenied, StorageUnavailable),
)
class OpenRecord(Command, frozen=True, kw_only=True):
    """A record of an agent, or of the call he is on, with script, content and dispositions of its campaign."""

    agent_id: AgentId
    record_id: Id


@command(
    "record.dial",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=DialedRecord,
    errors=(
        NoSuchAgent,
        NoSuchRecord,
        PermissionDenied,
        InvalidValue,
        WrongState,
        NoRoute,
        Draining,
        Congested,
        StorageUnavailable,
    ),
)
class DialRecord(Command, frozen=True, kw_only=True):
    """Rings an agent's phone, then the customer (OUT-01, OUT-04). He decides when: what spaces out calls of the dialler
    does not keep him from it. Do-not-call lists, consent, hours and limits of attempts do (`wrong_state`, with
    `data.reason` and `data.retry_at_utc`)."""

    agent_id: AgentId
    record_id: Id
    position: Annotated[int, Meta(ge=-1, le=9)] = -1
    """Which of its numbers, from 0; -1 = the one whose turn it is."""


@command(
    "record.result",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=RecordSheet,
    errors=(NoSuchAgent, NoSuchRecord, PermissionDenied, InvalidValue, WrongState, StorageUnavailable),
)
class GiveResult(Command, frozen=True, kw_only=True):
    """Says how a conversation went; with it after-call work of that call is over."""

    agent_id: AgentId
    record_id: Id
    code: Name
    """One of the campaign's dispositions."""
    note: Annotated[str, Meta(max_length=2000)] = ""
    callback_utc: Instant = 0.0
    """When he is to be called again, for a disposition with the effect callback."""
    is_shared: bool = False
    """Whoever is free calls him then; false: this agent."""
    attempt_id: OptionalId = ""
    """Which call; empty = the last one."""


@command(
    "campaign.agents",
    permission="campaign.view",
    result=AgentFiguresList,
    errors=(NoSuchCampaign, InvalidValue, StorageUnavailable),
)
class CampaignAgents(Command, frozen=True, kw_only=True):
    """What each agent called and achieved: conversations, talk time, deals (OUT-32)."""

    campaign: OptionalId = ""
    """Only of this campaign."""
    start_utc: Instant
    end_utc: Instant
    interval: Literal["", "hour", "day"] = ""
    """Apart by hour or day, at most 100 of them; empty = altogether."""
