"""Campaigns as they come, change and go, and the rules of all of them."""

import msgspec

from dialer import hopper, kept
from dialer.contact_hours import ContactHours, closed_days
from dialer.inputs import CampaignRemoved, RulesChange
from dialer.ledger import Ledger
from dialer.limiter import CallLimiter
from dialer.rules import RuleBook
from dialer.snapshot import PacingConfig
from dialer.state import CampaignRun, Core
from model.campaigns import Campaign, CampaignState, DialerRules
from model.errors import InvalidValue, WrongState


def put(core: Core, campaign: Campaign, now: float) -> CampaignRun:
    """It is new, or has other settings. Raises InvalidValue, and then nothing has changed."""
    book = _book(core, campaign)
    pacing = _pacing(campaign, core.rules)
    run = core.runs.get(campaign.name)
    if run is None:
        run = core.runs[campaign.name] = CampaignRun(
            campaign=campaign,
            book=book,
            pacing=pacing,
            ledger=_ledger(core, campaign),
            limiter=CallLimiter(campaign.max_calls_per_s),
        )
    else:
        run.campaign, run.book, run.pacing = campaign, book, pacing
        run.limiter.set_rate(campaign.max_calls_per_s)
        if campaign.mode == "preview":
            # Its agents take the records.
            hopper.empty(core, run)
        run.load_at = min(run.load_at, now)
    core.touch(run)
    return run


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
        run.pacing = _pacing(run.campaign, told.rules)
        core.touch(run)


def _book(core: Core, campaign: Campaign) -> RuleBook:
    calendar = None
    if campaign.contact_calendar:
        try:
            calendar = core.office.almanac(campaign.contact_calendar).calendar
        except KeyError:
            text = f'there is no calendar "{campaign.contact_calendar}"'
            raise InvalidValue(text, field="contact_calendar") from None
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


def _pacing(campaign: Campaign, rules: DialerRules) -> PacingConfig:
    """A limit above the legal cap, as after that was lowered, is the cap."""
    cap = rules.max_abandon_rate
    config = PacingConfig(
        mode=campaign.mode,
        max_abandon_rate=min(campaign.max_abandon_rate, cap),
        hit_rate=max(campaign.hit_rate, 1.0 - cap) if campaign.hit_rate else None,
        p_override=max(campaign.assumed_answer_rate, 0.01) if campaign.assumed_answer_rate else None,
        ratio=campaign.power_ratio,
        max_lines=campaign.max_lines,
        ring_timeout_s=max(campaign.ring_timeout_s, rules.least_ring_s),
        patience_s=campaign.patience_s,
        legal_cap=cap,
        amd_fp_rate=campaign.amd_false_rate if campaign.detects_machines else 0.0,
    )
    if campaign.answered_to.startswith("ivr:"):
        config = msgspec.structs.replace(config, answered_flow="ivr")
    return config
