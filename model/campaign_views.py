"""How campaigns are shown: what they do at this moment, and why they call nobody (XOUT-12)."""

import msgspec

from model.campaigns import CampaignState


class Blocker(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that keeps a campaign from calling, or from calling more."""

    reason: str
    """state, hours, no_agents, agents_busy, inbound_first, no_records, deferred, lines_full, cps, abandon_limit,
    gate_closed, warming_up, trunk_trouble, database, awaiting, enough."""
    count: int
    """How many there are of what it names: agents, records, lines …; 0 where nothing is counted."""
    text: str
    """In plain words."""
    until_utc: float = 0.0
    """When that is over, or begins to be; 0 = not known."""


class CampaignDiagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The most important blocker first; none: it calls."""

    campaign: str
    state: CampaignState
    blockers: list[Blocker]
    deferred: dict[str, int]
    """Records put aside: reason -> how many, since they were loaded last."""


class AbandonWindow(msgspec.Struct, frozen=True, kw_only=True):
    window: str
    """day (calendar day of the campaign), hours_24, days_30, life."""
    n_answered: float
    """Persons who answered."""
    n_abandoned: float
    """Of them, who found no agent in time; with the estimated share of those taken for machines."""
    rate: float


class CampaignLive(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign does at this moment."""

    campaign: str
    state: CampaignState
    reason: str
    """Of the last change of state."""
    since_utc: float
    n_lines: int
    """Calls under way, of all kinds."""
    n_ringing: int
    n_waiting: int
    """Answered, and no agent yet."""
    n_talking: int
    n_hopper: int
    n_open: int | None
    """Records that may be called sometime; None = not known at the moment."""
    n_agents: int
    """Of its queue, as for the next ones."""
    n_idle: int
    n_busy: int
    occupancy: float
    """Share of its agents who talk or wrap up."""
    answer_rate: float
    """Share of calls that is reckoned to be answered by a person; rather too high than too low."""
    calls_per_agent: float
    """Lines in use for each agent."""
    credit: float
    """So many more might be abandoned within the limit."""
    pacing: str
    """What decided last."""
    abandoned: list[AbandonWindow]
