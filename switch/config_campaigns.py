"""Checks of campaigns: the same for those of the file and those made by API."""

from collections.abc import Container, Set

from model.almanac import zone_of
from model.campaigns import Campaign, DialerRules
from model.hours import parse_hours
from switch.config import Config
from switch.config_centre import Wrong, target_problem
from switch.config_check_trunks import check_unique
from switch.config_ivr import flow_names
from switch.sources import source_problem


def campaign_problem(
    campaign: Campaign,
    rules: DialerRules,
    *,
    queues: Set[str],
    calendars: Container[str],
    ways: Container[str],
    flows: Container[str] | None = None,
    boxes: Container[str] | None = None,
) -> tuple[list[str], str]:
    """(key, what is wrong with it); "" = nothing. `ways`: trunks and groups; flows, boxes: None = not known here."""
    if campaign.queue and campaign.queue not in queues:
        return ["queue"], f'there is no queue "{campaign.queue}"'
    if campaign.answered_to and (problem := target_problem(campaign.answered_to, queues, flows, boxes)):
        return ["answered_to"], problem
    if campaign.mode == "agentless" and not campaign.answered_to.startswith("ivr:"):
        return ["answered_to"], "is needed for mode agentless: the flow that answers, as ivr:FLOW"
    if campaign.mode in ("progressive", "power", "predictive") and not campaign.queue:
        return ["queue"], f"is needed for mode {campaign.mode}: the queue whose agents speak to those who answer"
    for keys, problem in (*_limits(campaign, rules), *_times(campaign, calendars)):
        if problem:
            return keys, problem
    for way in campaign.trunks:
        if way not in ways:
            return ["trunks"], f'there is no trunk or trunk_group "{way}"'
    outcomes = [rule.outcome for rule in campaign.retries]
    if twice := next((outcome for outcome in outcomes if outcomes.count(outcome) > 1), ""):
        return ["retries"], f'"{twice}" is there twice'
    codes = [each.code for each in campaign.dispositions]
    if twice := next((code for code in codes if codes.count(code) > 1), ""):
        return ["dispositions"], f'"{twice}" is there twice'
    if campaign.is_disposition_required and not campaign.dispositions:
        return ["dispositions"], "are needed where is_disposition_required is set"
    for key in ("abandon_message", "machine_message"):
        for source in getattr(campaign, key):
            if problem := source_problem(source):
                return [key], problem
    return [], ""


def _limits(campaign: Campaign, rules: DialerRules) -> list[tuple[list[str], str]]:
    cap, ring = rules.max_abandon_rate, rules.least_ring_s
    is_over, is_missed = campaign.max_abandon_rate > cap, campaign.hit_rate > 0 and 1 - campaign.hit_rate > cap + 1e-9
    problems = []
    if is_over and campaign.mode != "preview" and not campaign.hit_rate:
        problems.append((["max_abandon_rate"], f"{campaign.max_abandon_rate:g} is above the legal cap of {cap:g}"))
    if is_missed:
        problems.append(
            (["hit_rate"], f"{campaign.hit_rate:g} would allow more than the legal cap of {cap:g} abandoned")
        )
    if campaign.ring_timeout_s < ring:
        problems.append((["ring_timeout_s"], f"is less than dialer.least_ring_s ({ring:g})"))
    return problems


def _times(campaign: Campaign, calendars: Container[str]) -> list[tuple[list[str], str]]:
    problems = [
        ([key], f'there is no calendar "{name}"')
        for key, name in (("calendar", campaign.calendar), ("contact_calendar", campaign.contact_calendar))
        if name and name not in calendars
    ]
    for key, check in (("contact_hours", parse_hours), ("time_zone", zone_of)):
        try:
            check(getattr(campaign, key))
        except ValueError as error:
            problems.append(([key], str(error)))
    if campaign.ends_utc and campaign.ends_utc <= campaign.starts_utc:
        problems.append((["ends_utc"], "must come after starts_utc"))
    return problems


def check_campaigns(config: Config, wrong: Wrong) -> None:
    """Raises what `wrong` makes."""
    check_unique("campaign", [each.name for each in config.campaign], wrong)
    for i, campaign in enumerate(config.campaign):
        keys, problem = campaign_problem(
            campaign,
            config.dialer,
            queues={queue.name for queue in config.queue},
            calendars={calendar.name for calendar in config.calendar},
            ways={each.name for each in config.trunk} | {each.name for each in config.trunk_group},
            flows=flow_names(config),
            boxes={box.name for box in config.voicemail},
        )
        if problem:
            raise wrong(["campaign", i, *keys], problem)
