"""What becomes of campaigns, their attempts and their records (FEATURES 1.8)."""

from model.declare import Event, event


@event("campaign.state_changed")
class CampaignStateChanged(Event, frozen=True, kw_only=True):
    """A campaign began, ended, was interrupted or goes on."""

    campaign: str
    state: str
    """not_started, running, stopped, suspended, completed."""
    before: str
    reason: str
    """start, stop (by hand); start_due, end_due (starts_utc, ends_utc); hours_end, hours_begin (its calendar);
    exhausted (nobody is left to be called)."""
    by: str
    """Who started or stopped it; empty: it did so itself."""


@event("campaign.paused")
class CampaignPaused(Event, frozen=True, kw_only=True):
    """Nobody is called for a while, by trouble of ours; it goes on by itself."""

    campaign: str
    reason: str
    """trunk_trouble: most of the last calls failed at once; database: attempts cannot be stored."""
    resumes_in_s: float


@event("campaign.limit_reached")
class CampaignLimitReached(Event, frozen=True, kw_only=True):
    """More callers than the legal cap allows found no agent: no more calls than idle agents until that is made good."""

    campaign: str
    rate: float
    """Share of abandoned calls over the last 30 days; 0.03 = 3 %."""
    limit: float
    n_answered: float
    n_abandoned: float


@event("attempt.started")
class AttemptStarted(Event, frozen=True, kw_only=True):
    """A customer is called."""

    attempt_id: str
    call_id: str
    campaign: str
    record_id: str
    number: str
    mode: str
    agent_id: str
    """Who calls (preview); empty: the dialler."""


@event("attempt.answered")
class AttemptAnswered(Event, frozen=True, kw_only=True):
    """Somebody, or something, picked up."""

    attempt_id: str
    call_id: str
    campaign: str
    record_id: str
    ring_s: float
    """From the call's beginning."""


@event("attempt.ended")
class AttemptEnded(Event, frozen=True, kw_only=True):
    """It is over."""

    attempt_id: str
    call_id: str
    campaign: str
    record_id: str
    number: str
    agent_id: str
    """Who spoke to him."""
    result: str
    """human, machine, fax, busy, no_answer, invalid, dropped, dnc_blocked, failed, congestion, cancelled,
    interrupted."""
    cause: str
    sip_status: int
    talk_s: float
    is_dropped: bool
    """A person answered and found no agent in time."""


@event("record.changed")
class RecordChanged(Event, frozen=True, kw_only=True):
    """What is to become of a customer of a campaign: after an attempt, or by an agent's word."""

    campaign: str
    record_id: str
    status: str
    reason: str
    """Why it is done, failed or dnc."""
    deferred: str
    """Why it is not called before `next_utc`: retry, hours, callback, day_limit, redial_ban, in_flight."""
    next_utc: float
    disposition: str
    n_attempts: int


@event("campaign.progress_changed")
class CampaignProgressChanged(Event, frozen=True, kw_only=True):
    """How a campaign stands, told at most every second and only when something of it has changed (OUT-20)."""

    campaign: str
    state: str
    n_records: int | None
    """null with the next two: the database does not say. They are counted every five seconds."""
    n_called: int | None
    n_connected: int | None
    """A person picked up, at least once."""
    n_lines: int
    n_ringing: int
    n_waiting: int
    """Answered, and no agent yet."""
    n_talking: int
    n_agents: int
    n_idle: int
    occupancy: float
    answer_rate: float
    """Share of calls that a person is reckoned to answer."""
    dial_level: float | None
    """Lines in use for each agent."""
    abandon_rates: dict[str, float]
    """By window: day, hours_24, days_30, life."""
    pacing: str
    """What decided last."""
