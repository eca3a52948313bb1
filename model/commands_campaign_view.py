"""Commands that show how campaigns stand: progress, numbers, attempts, why they do not dial, the pacing log, evidence.
`switch/campaign_views.py`, `campaign_lookup.py` and `campaign_evidence.py` handle them.

Formulas: docs/campaigns.md. Numbers of customers are shown whole to who has the permission phone.view_full.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from model import views
from model.campaign_figures import AttemptFigures, CallingFigures, RecordFigures
from model.campaign_views import AbandonWindow, CampaignLive
from model.campaigns import AttemptResult, CampaignState, RecordStatus
from model.commands import Cursor, Instant, Limit, OptionalId, OptionalText
from model.declare import Command, command
from model.dialing import Attempt, PacingEntry
from model.errors import InvalidValue, NoSuchCampaign, StorageUnavailable
from model.settings import Name

OptionalName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,64}$")]
NumberPart = Annotated[str, Meta(pattern=r"^[+0-9*#A-Za-z]{0,40}$")]
Results = Annotated[list[AttemptResult], Meta(max_length=20)]


class ListProgress(views.View, frozen=True, kw_only=True):
    """Records that came in together."""

    list_name: str
    created_utc: float
    n_records: int
    n_called: int
    n_delivered: int
    """An agent or a flow had them, at least once."""
    n_open: int
    called_rate: float | None
    """Called of all: the penetration of the list."""


class AgentProgress(views.View, frozen=True, kw_only=True):
    """What an agent had of a campaign in the last 30 days, and which of its records are his."""

    agent_id: str
    n_records: int
    """Distributed to him."""
    n_called: int
    """Of them."""
    n_attempts: int
    """Those he had, of whosever records."""
    n_connected: int
    n_deals: int
    """Dispositions with the effect success."""
    talk_s: float
    dispositions: dict[str, int]
    """How often he gave which."""


class CampaignProgress(views.View, frozen=True, kw_only=True):
    """How a campaign stands (OUT-10, OUT-20, OUT-23)."""

    campaign: str
    title: str
    mode: str
    state: CampaignState
    at_utc: float
    records: RecordFigures
    today: AttemptFigures
    """Since midnight of the campaign's zone."""
    days_30: AttemptFigures
    """Of the last 30 days, up to now."""
    live: CampaignLive
    hit_rate: float
    """Share of calls that a person answers: assumed where it is configured (OUT-17), else as measured: 命中率."""
    dial_level: float | None
    """Lines in use for each agent."""
    max_abandon_rate: float
    """The limit of each window of `live.abandoned`."""
    left_s: float | None
    """So long it goes on, if records are finished as in the last hour; hours in which nobody is called not counted.
    null: it cannot be said."""
    left_why: str
    """Why it cannot be said: not_running, not_known, too_few (less than 10 finished in the last hour)."""
    lists: list[ListProgress] = field(default_factory=list)
    agents: list[AgentProgress] = field(default_factory=list)


@command(
    "campaign.progress",
    permission="campaign.view",
    result=CampaignProgress,
    errors=(NoSuchCampaign, StorageUnavailable),
)
class GetProgress(Command, frozen=True, kw_only=True):
    """Totals by status, rates, today and 30 days, and what it does at this moment."""

    campaign: Name
    by: Annotated[list[Literal["list", "agent"]], Meta(max_length=2)] = field(default_factory=list)
    """Also by these."""


class NumberView(views.View, frozen=True, kw_only=True):
    """A number of a record, and what befell it (OUT-21)."""

    record_id: str
    list_name: str
    name: str
    number: str
    label: str
    position: int
    """In the record, from 0."""
    status: RecordStatus
    """Of the record."""
    reason: str
    """Why it is done, failed or dnc."""
    is_calling: bool
    """It is being called now."""
    is_bad: bool
    """Wrong or barred: not tried any more."""
    n_attempts: int
    """Of this number."""
    last_utc: float
    last_result: AttemptResult
    next_utc: float
    """The record is not called before; 0 = at any time, or (done, failed, dnc) never."""
    deferred: str
    """Why not: retry, hours, callback, day_limit, redial_ban, in_flight, owner."""
    owner: str
    agent_id: str
    """Who spoke to him last."""


class NumberList(views.View, frozen=True, kw_only=True):
    """Numbers, in the order in which their records came in."""

    numbers: list[NumberView]
    cursor: str = ""
    """For the next page; empty: this was the last."""


@command(
    "campaign.numbers",
    permission="campaign.view",
    result=NumberList,
    errors=(NoSuchCampaign, InvalidValue, StorageUnavailable),
)
class ListNumbers(Command, frozen=True, kw_only=True):
    """Every number of a campaign's records as it is now; filters are combined. A page is of `limit` records."""

    campaign: Name
    statuses: Annotated[list[RecordStatus], Meta(max_length=9)] = field(default_factory=list)
    results: Results = field(default_factory=list)
    """Last result of the record."""
    list_name: OptionalText = ""
    number: NumberPart = ""
    is_suffix: bool = False
    """`number` is the end of one."""
    limit: Limit = 100
    cursor: Cursor = ""
    """From the page before."""


class AttemptList(views.View, frozen=True, kw_only=True):
    """Attempts, the latest first."""

    attempts: list[Attempt]
    cursor: str = ""
    """For the next page; empty: this was the last."""


@command(
    "campaign.attempts",
    permission="campaign.view",
    result=AttemptList,
    errors=(InvalidValue, StorageUnavailable),
)
class ListAttempts(Command, frozen=True, kw_only=True):
    """Calls to customers, the latest first; filters are combined."""

    campaign: OptionalName = ""
    """Empty: of all, also of campaigns that are gone."""
    record_id: OptionalId = ""
    agent_id: OptionalId = ""
    number: NumberPart = ""
    is_suffix: bool = False
    """`number` is the end of one."""
    results: Results = field(default_factory=list)
    is_dropped: bool | None = None
    """Only abandoned ones; false: only others."""
    start_utc: Instant = 0.0
    """Begun at this instant or later."""
    end_utc: Instant = 0.0
    """Before this instant; 0 = no end."""
    limit: Limit = 100
    cursor: Cursor = ""
    """From the page before."""


class BlockerView(views.View, frozen=True, kw_only=True):
    """One thing that keeps a campaign from calling, or from calling more."""

    reason: str
    """state, hours, preview, no_agents, agents_busy, inbound_first, no_records, deferred, dnc, closed, lines_full, cps,
    abandon_limit, gate_closed, warming_up, trunk_trouble, trunk_down, trunk_full, no_way, database, awaiting,
    enough."""
    of: str = ""
    """deferred: why they wait (retry, hours, callback, day_limit, redial_ban, in_flight, owner); closed: done or
    failed; trunk_down, trunk_full: the trunk."""
    count: int
    """How many there are of what it names; 0 where nothing is counted."""
    until_utc: float = 0.0
    """When it is over, or begins to be; 0 = not known."""
    text: str
    """In plain words."""
    text_zh: str
    """The same in Chinese."""


class CampaignDiagnosed(views.View, frozen=True, kw_only=True):
    """Why a campaign calls nobody, or not more (XOUT-12); the most important first. None: it calls as it should."""

    campaign: str
    state: CampaignState
    at_utc: float
    blockers: list[BlockerView]


@command("campaign.diagnose", permission="campaign.view", result=CampaignDiagnosed, errors=(NoSuchCampaign,))
class DiagnoseCampaign(Command, frozen=True, kw_only=True):
    """Why it is not dialling: every blocker with its count. Answers also when the database does not."""

    campaign: Name


class PacingList(views.View, frozen=True, kw_only=True):
    """Decisions of the dialler, the earliest first."""

    entries: list[PacingEntry]
    cursor: str = ""
    """For the next page; empty: this was the last."""


@command(
    "campaign.pacing",
    permission="campaign.view",
    result=PacingList,
    errors=(NoSuchCampaign, InvalidValue, StorageUnavailable),
)
class ReadPacing(Command, frozen=True, kw_only=True):
    """How many were called when, from what, and why; kept for `[dialer] pacing_log_days`."""

    campaign: Name
    start_utc: Instant = 0.0
    """At this instant or later; 0 = the last hour."""
    end_utc: Instant = 0.0
    """Before this instant; 0 = no end."""
    limit: Limit = 100
    cursor: Cursor = ""
    """From the page before."""


class CallingDayView(CallingFigures, frozen=True, kw_only=True):
    """A day of a campaign."""

    day: str
    """By the campaign's clock, as "2026-11-28"."""
    abandon_rate_30_days: float | None
    """Of the 30 days that end with this one."""


class CampaignEvidence(views.View, frozen=True, kw_only=True):
    """How a campaign called within a period, the rules it is held against, and what did not keep them."""

    campaign: str
    title: str
    mode: str
    zone: str
    """Of its days."""
    max_abandon_rate: float
    legal_cap: float
    patience_s: float
    least_ring_s: float
    contact_hours: str
    """Against which calls were held."""
    retry_min_s: float
    no_redial_after_drop_s: float
    amd_false_rate: float
    """0 where machines are not looked for."""
    total: CallingFigures
    days: list[CallingDayView]
    windows: list[AbandonWindow]
    """What the dialler keeps to, at this moment; an operator cannot reset it."""
    n_dnc: int
    """Records that are not called since a do-not-call list, or they themselves, say so."""
    faults: list[str]
    """What must be 0 and is not, and days (as "abandon_rate 2026-11-28") on which more were abandoned than allowed."""


class EvidenceReport(views.View, frozen=True, kw_only=True):
    """Evidence (XOUT-02). Settings are those of now; who changed them when stands in the audit log."""

    start_utc: float
    end_utc: float
    made_utc: float
    campaigns: list[CampaignEvidence]
    formulas: dict[str, str]
    is_clean: bool
    """No faults."""


@command(
    "campaign.compliance",
    permission="campaign.view",
    result=EvidenceReport,
    errors=(NoSuchCampaign, InvalidValue, StorageUnavailable),
)
class ReportCompliance(Command, frozen=True, kw_only=True):
    """How campaigns called, by day, and whether every rule was kept; 31 days at most."""

    campaign: OptionalName = ""
    """Empty: all."""
    start_utc: Instant = 0.0
    """From the beginning of this day; 0 = the last 30 days."""
    end_utc: Instant = 0.0
    """To the end of this day; 0 = now."""
    contact_hours: OptionalText = ""
    """Hold calls against these, as "mon-sun 08:00-21:00", in place of what the campaign has now."""
