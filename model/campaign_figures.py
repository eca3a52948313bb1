"""Figures of campaigns and how they are reckoned (OUT-10, OUT-20, OUT-23, XOUT-02, RPT-26).

A share is null where there is nothing it would be a share of. Shares of sums are made from sums, never from shares.
"""

import msgspec

from model.campaigns import Campaign

FORMULAS = {
    "called_rate": "called ÷ records; called: at least one attempt. The penetration of a list is the same.",
    "not_called_rate": "1 − called_rate",
    "answered_rate": "connected ÷ called; connected: a person picked up, at least once",
    "transferred_rate": "delivered ÷ connected; delivered: an agent or a flow had him, at least once",
    "contact_rate": "live answers ÷ attempts; live answers: attempts that a person answered",
    "drop_rate": "abandoned ÷ live answers; abandoned: a person answered, and no agent was there within patience_s",
    "hit_rate": "share of calls that a person answers: assumed_answer_rate where that is set, else as measured",
    "dial_level": "lines in use ÷ agents",
    "machines_as_people": "verdicts “machine” × amd_false_rate; counted as abandoned, not as live answers",
    "abandon_rate": "(abandoned + machines_as_people) ÷ live answers",
    "abandon_rate_30_days": "the same of the sums of 30 days, of which this day is the last",
    "short_rings": "calls that we gave up before an answer and before they had rung for 15 s",
    "outside_hours": "calls begun in a minute outside the contact hours, or on a closed day, by the customer's clock",
    "too_soon": "calls of the dialler sooner than retry_min_s after the last one to the same record had ended, or than "
    "no_redial_after_drop_s after somebody at the number found no agent; promised calls do not count, nor do calls "
    "before that nobody can have noticed",
    "dnc_blocked": "calls that were prepared, found on a do-not-call list at the moment of dialling, and not dialled",
}
"""What docs/campaigns.md says, and the report of evidence carries with it."""


class RecordFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How far the records of a campaign are; n_records = n_not_called + n_connected + n_not_connected."""

    n_records: int
    n_called: int
    """At least one attempt."""
    n_not_called: int
    n_connected: int
    """A person picked up, at least once."""
    n_not_connected: int
    """Called, and no person picked up so far."""
    n_delivered: int
    """An agent or a flow had them, at least once."""
    n_open: int
    """They may be called sometime."""
    by_status: dict[str, int]
    called_rate: float | None
    """Called of all: 已呼率. The penetration of a list is the same."""
    not_called_rate: float | None
    """1 − called_rate: 未呼率."""
    answered_rate: float | None
    """Connected of called: 已接率."""
    transferred_rate: float | None
    """Delivered of connected: 转接率."""


class AttemptFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts that began within a period."""

    n_attempts: int
    n_answered: int
    """Somebody or something picked up."""
    n_live: int
    """A person answered."""
    n_connected: int
    """An agent or a flow had him."""
    n_dropped: int
    """A person answered and found no agent in time."""
    n_machines: int
    n_busy: int
    n_no_answer: int
    n_failed: int
    talk_s: float
    contact_rate: float | None
    """Live answers of attempts: 号码接通率."""
    drop_rate: float | None
    """Abandoned of live answers."""
    avg_talk_s: float | None
    """Of those connected."""
    avg_ring_s: float | None
    """Until the answer, of those answered."""


class CallingFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How a campaign's dialler called within a period, and whether the rules were kept."""

    n_dialled: int = 0
    n_live: int = 0
    """A person answered."""
    n_connected: int = 0
    """An agent or a flow had him."""
    n_dropped: int = 0
    """A person answered, and no agent was there within `patience_s`: abandoned."""
    n_machines: int = 0
    """Verdicts "machine"."""
    n_machines_as_people: float = 0.0
    """Of them, by estimate: n_machines × amd_false_rate."""
    abandon_rate: float | None = None
    """(n_dropped + n_machines_as_people) ÷ n_live."""
    n_messages: int = 0
    """Of the abandoned, who heard the campaign's message; the others had hung up."""
    message_after_s: float = 0.0
    """The longest that one of them waited for it."""
    n_dnc_blocked: int = 0
    """Found on a do-not-call list at the moment of dialling, and not dialled."""
    n_short_rings: int = 0
    """Given up by us before they rang for 15 s; must be 0."""
    n_outside_hours: int = 0
    """Begun outside the contact hours by the customer's clock; must be 0. Calls by agents count, too."""
    n_too_soon: int = 0
    """Sooner after the last one than the rules allow; must be 0."""


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def record_figures(
    *, n_records: int, n_called: int, n_connected: int, n_delivered: int, n_open: int, by_status: dict[str, int]
) -> RecordFigures:
    """Who was connected was called, and who was delivered was connected."""
    called_rate = share(n_called, n_records)
    return RecordFigures(
        n_records=n_records,
        n_called=n_called,
        n_not_called=n_records - n_called,
        n_connected=n_connected,
        n_not_connected=n_called - n_connected,
        n_delivered=n_delivered,
        n_open=n_open,
        by_status=by_status,
        called_rate=called_rate,
        not_called_rate=None if called_rate is None else 1.0 - called_rate,
        answered_rate=share(n_connected, n_called),
        transferred_rate=share(n_delivered, n_connected),
    )


def add_up(figures: list[CallingFigures]) -> CallingFigures:
    """Of several periods together."""
    sums = {name: sum(getattr(each, name) for each in figures) for name in _SUMS}
    return CallingFigures(
        **sums,
        message_after_s=max((each.message_after_s for each in figures), default=0.0),
        abandon_rate=share(sums["n_dropped"] + sums["n_machines_as_people"], sums["n_live"]),
    )


def abandon_limit(campaign: Campaign, legal_cap: float) -> float:
    """The share of abandoned calls that it keeps to."""
    limit = 1.0 - campaign.hit_rate if campaign.hit_rate else campaign.max_abandon_rate
    return min(limit, legal_cap)


def zone_of_days(campaign: Campaign, company: str) -> str:
    """The time zone of a campaign's days, as the dialler counts them; `company`: that of the company."""
    return campaign.time_zone or company or "UTC"


def faults_of(figures: CallingFigures) -> list[str]:
    """Names of those that must be 0 and are not."""
    return [name for name in MUST_BE_ZERO if getattr(figures, name)]


MUST_BE_ZERO = ("n_short_rings", "n_outside_hours", "n_too_soon")
_SUMS = [name for name in CallingFigures.__struct_fields__ if name not in ("abandon_rate", "message_after_s")]
