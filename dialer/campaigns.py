"""Campaigns as they come, change and go, and the rules of all of them."""

from typing import Any

from dialer import hopper, kept
from dialer.actions import ReviewRecords
from dialer.contact_hours import ContactHours, closed_days
from dialer.inputs import CampaignRemoved, RulesChange
from dialer.ledger import Ledger
from dialer.limiter import CallLimiter
from dialer.rules import RuleBook
from dialer.snapshot import pacing_config
from dialer.state import CampaignRun, Core
from model.calendars import Calendar
from model.campaigns import Campaign, CampaignState
from model.errors import InvalidValue, WrongState


def put(core: Core, campaign: Campaign, now: float) -> CampaignRun:
    """It is new, or has other settings. Raises InvalidValue, and then nothing has changed."""
    calendar = _calendar(core, campaign)
    book = _book(core, campaign, calendar)
    pacing = pacing_config(campaign, core.rules)
    run = core.runs.get(campaign.name)
    if run is None:
        run = core.runs[campaign.name] = CampaignRun(
            campaign=campaign,
            book=book,
            closed_by=calendar,
            pacing=pacing,
            ledger=_ledger(core, campaign),
            limiter=CallLimiter(campaign.max_calls_per_s),
        )
    else:
        if _rules_of(run.campaign) != _rules_of(campaign):
            _review(core, run)
        run.campaign, run.book, run.pacing, run.closed_by = campaign, book, pacing, calendar
        run.limiter.set_rate(campaign.max_calls_per_s)
        if campaign.mode == "preview":
            # Its agents take the records.
            hopper.empty(core, run)
        run.load_at = min(run.load_at, now)
    core.touch(run)
    return run


def look_at_calendar(core: Core, run: CampaignRun) -> None:
    """Its holidays may have been changed; those of a calendar that is gone are kept."""
    try:
        calendar = _calendar(core, run.campaign)
    except InvalidValue:
        return
    if calendar is not run.closed_by:
        if calendar != run.closed_by:
            run.book = _book(core, run.campaign, calendar)
            _review(core, run)
        run.closed_by = calendar


def restore(core: Core, campaign: Campaign, state: CampaignState, document: bytes, now: float) -> bool:
    run = put(core, campaign, now)
    return kept.restore(core, run, state, document, now)


def remove(core: Core, told: CampaignRemoved) -> None:
    """Raises NoSuchCampaign or WrongState."""
    run = core.run_of(told.campaign)
    if run.state in ("running", "suspended"):
        raise WrongState(f"campaign {run.name} is {run.state}: stop it first", state=run.state)
    if run.live:
        raise WrongState(f"campaign {run.name} has {len(run.live)} calls under way", state="dialing")
    del core.runs[run.name]
    core.dnc.forget_campaign(run.name)


def rules_change(core: Core, told: RulesChange) -> None:
    core.rules = told.rules
    core.limiter.set_rate(told.rules.max_calls_per_s)
    for run in core.runs.values():
        run.pacing = pacing_config(run.campaign, told.rules)
        core.touch(run)


def _review(core: Core, run: CampaignRun) -> None:
    run.deferred.clear()
    core.out.append(ReviewRecords(run.name))


def _rules_of(campaign: Campaign) -> tuple[Any, ...]:
    """By what records are put aside."""
    return (
        campaign.contact_hours,
        campaign.contact_calendar,
        campaign.time_zone,
        campaign.retries,
        campaign.retry_min_s,
        campaign.max_attempts_per_day,
        campaign.no_redial_after_drop_s,
    )


def _calendar(core: Core, campaign: Campaign) -> Calendar | None:
    """Raises InvalidValue."""
    if not campaign.contact_calendar:
        return None
    try:
        return core.office.almanac(campaign.contact_calendar).calendar
    except KeyError:
        raise InvalidValue(f'there is no calendar "{campaign.contact_calendar}"', field="contact_calendar") from None


def _book(core: Core, campaign: Campaign, calendar: Calendar | None) -> RuleBook:
    """Raises InvalidValue."""
    try:
        hours = ContactHours(campaign, closed_days(calendar), core.time_zone)
    except ValueError as error:
        raise InvalidValue(f"campaign {campaign.name}: {error}", field="contact_hours") from None
    return RuleBook(campaign=campaign, hours=hours, dnc=core.dnc, dropped=core.dropped, in_flight=core.in_flight)


def _ledger(core: Core, campaign: Campaign) -> Ledger:
    try:
        return Ledger(campaign.time_zone or core.time_zone or "UTC")
    except ValueError as error:
        raise InvalidValue(f"campaign {campaign.name}: {error}", field="time_zone") from None
