"""Whether a record may be called at an instant, on which of its numbers, and if not, when next (XOUT-04…06, XOUT-09).

Asked when a record comes into the hopper and again when it is dialled. A "no" with an instant is exact: then the answer
is yes, as far as it is known now, so that a record can be put aside until then.
"""

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from dialer.contact_hours import ContactHours
from dialer.dnc import DncBook
from model.campaigns import AttemptResult, Campaign, RecordStatus
from model.dialing import CampaignRecord, RecordNumber

Why = Literal[
    "dnc",
    "no_consent",
    "no_number",
    "attempts_used",
    "hours",
    "retry",
    "callback",
    "day_limit",
    "redial_ban",
    "in_flight",
    "owner",
]
"""dnc, no_consent, no_number (all are wrong), attempts_used: for good. owner: an agent promised the call himself;
in_flight: another campaign is calling the number; the rest as `CampaignRecord.deferred`."""

IN_FLIGHT_S = 60.0
"""A number that is being called is looked at again after this."""
OWNER_S = 3600.0
"""A call that an agent promised himself, when he was to make it."""
_CLOCK_WAS_WRONG_S = 86_400.0
"""What was stored as later than this from now was stored by a clock that was wrong."""

SAME_NUMBER: frozenset[AttemptResult] = frozenset(
    ("human", "busy", "failed", "congestion", "cancelled", "interrupted", "dropped")
)
"""Results after which the same number is tried again; after the others it is the next one's turn."""


class Yes(msgspec.Struct, frozen=True, gc=False):
    position: int
    """Of the number to dial."""


class No(msgspec.Struct, frozen=True, gc=False):
    reason: Why
    retry_at_utc: float = 0.0
    """0.0 = never."""


@dataclass(slots=True, kw_only=True)
class RuleBook:
    """What the rules of a campaign are made of."""

    campaign: Campaign
    hours: ContactHours
    dnc: DncBook
    dropped: Mapping[str, float] = field(default_factory=dict)
    """Number -> when somebody there answered and found no agent, in whatever campaign."""
    in_flight: Container[str] = ()
    """Numbers that are being called, by whatever campaign."""
    after_s: dict[str, float] = field(init=False)
    most: dict[str, int] = field(init=False)
    """By outcome, of the retry matrix."""

    def __post_init__(self) -> None:
        self.after_s = {rule.outcome: rule.after_s for rule in self.campaign.retries}
        self.most = {rule.outcome: rule.max_attempts for rule in self.campaign.retries if rule.max_attempts}


def may_call(record: CampaignRecord, book: RuleBook, wall: float, *, by_agent: bool = False) -> Yes | No:
    """`by_agent`: somebody decides to call him now (preview): no spacing, no promised time and no ban after a drop keep
    him from it; consent, do-not-call lists, hours and limits of attempts do."""
    campaign = book.campaign
    if campaign.needs_consent and not record.has_consent:
        return No("no_consent")
    reachable = [i for i, each in enumerate(record.numbers) if not each.is_bad]
    if not reachable:
        return No("no_number")
    allowed = [i for i in reachable if not book.dnc.is_barred(record.numbers[i].number, campaign.name, wall)]
    if not allowed:
        return No("dnc")
    is_promised = has_promise(record)
    if is_promised and record.callback_owner and not by_agent:
        return No("owner", max(record.callback_utc, wall) + OWNER_S)
    if not is_promised:
        allowed = [i for i in allowed if not _is_used_up(record.numbers[i], book)]
        if not allowed or record.n_attempts >= campaign.max_attempts:
            return No("attempts_used")
    best = No("hours", math.inf)
    for i in _in_turn(record, allowed):
        at_utc, reason = _earliest(record, record.numbers[i], book, wall, by_agent=by_agent)
        if at_utc <= wall:
            return Yes(i)
        if at_utc < best.retry_at_utc:
            best = No(reason, at_utc)
    return best if best.retry_at_utc < math.inf else No("hours")


def has_promise(record: CampaignRecord) -> bool:
    """A call was promised him: it comes at its time, whatever spacing and limits say of others."""
    return record.status == "callback" and record.callback_utc > 0


def status_when_refused(reason: Why) -> RecordStatus | None:
    """What a record becomes that may never be called; None = it may, later."""
    match reason:
        case "dnc":
            return "dnc"
        case "no_consent" | "no_number" | "attempts_used":
            return "failed"
        case _:
            return None


def status_when_waiting(record: CampaignRecord) -> RecordStatus:
    """Of a record that may be called later."""
    if has_promise(record):
        return "callback"
    return "retry_wait" if record.n_attempts else "new"


def zone_of_record(record: CampaignRecord) -> str:
    """By whose clock its days are counted, whichever of its numbers is called: the first that tells one."""
    return next((each.zone for each in record.numbers if each.zone), "")


def _is_used_up(number: RecordNumber, book: RuleBook) -> bool:
    if number.n_attempts >= book.campaign.max_attempts_per_number:
        return True
    return any(number.n_by_result.get(outcome, 0) >= most for outcome, most in book.most.items())


def _in_turn(record: CampaignRecord, allowed: list[int]) -> list[int]:
    """Which numbers are tried, the best first."""
    last = next((i for i, each in enumerate(record.numbers) if each.number == record.last_number), -1)
    if last < 0:
        return allowed
    if last in allowed and record.last_result in SAME_NUMBER:
        return [last]
    # The numbers after it, then from the beginning.
    return [i for i in allowed if i > last] + [i for i in allowed if i <= last]


def _earliest(
    record: CampaignRecord, number: RecordNumber, book: RuleBook, wall: float, *, by_agent: bool
) -> tuple[float, Why]:
    """When the number may be called, not before `wall`, and what kept it longest from being called."""
    at_utc = wall
    reason: Why = "hours"
    for when, why in () if by_agent else _waits(record, number, book, wall):
        if when > at_utc:
            at_utc, reason = when, why
    if number.number in book.in_flight and at_utc < wall + IN_FLIGHT_S:
        at_utc, reason = wall + IN_FLIGHT_S, "in_flight"
    opens = book.hours.next_open(number.zone, at_utc)
    if opens > at_utc:
        at_utc, reason = opens, "hours"
    if at_utc < math.inf and not has_promise(record):
        tomorrow = _past_day_limit(record, book, at_utc, wall)
        if tomorrow > at_utc:
            at_utc, reason = book.hours.next_open(number.zone, tomorrow), "day_limit"
    return at_utc, reason


def _waits(record: CampaignRecord, number: RecordNumber, book: RuleBook, wall: float) -> tuple[tuple[float, Why], ...]:
    if has_promise(record):
        return ((record.callback_utc, "callback"),)
    campaign = book.campaign
    is_last = number.number == record.last_number
    result = record.last_result if is_last else number.last_result
    own_s = max(campaign.retry_min_s, book.after_s.get(result, 0.0)) if number.last_utc else 0.0
    drops = [each.last_utc for each in record.numbers if each.last_result == "dropped"]
    drops += [book.dropped.get(each.number, 0.0) for each in record.numbers]
    return (
        (_after(max(drops, default=0.0), campaign.no_redial_after_drop_s, wall), "redial_ban"),
        (record.next_utc, "retry"),
        (_after(record.last_utc, campaign.retry_min_s, wall), "retry"),
        (_after(number.last_utc, own_s, wall), "retry"),
    )


def _after(since_utc: float, wait_s: float, wall: float) -> float:
    return since_utc + wait_s if 0.0 < since_utc <= wall + _CLOCK_WAS_WRONG_S else 0.0


def _past_day_limit(record: CampaignRecord, book: RuleBook, at_utc: float, wall: float) -> float:
    """`at_utc`, or the midnight after which he may be called again."""
    if record.n_today < book.campaign.max_attempts_per_day or record.last_utc > wall + _CLOCK_WAS_WRONG_S:
        return at_utc
    zone = zone_of_record(record)
    # A clock that was set back must not give him the same day twice.
    for _ in range(3):
        if record.day < book.hours.day(zone, at_utc):
            break
        at_utc = book.hours.next_day(zone, at_utc)
    return at_utc
