"""States of campaigns (OUT-14, OUT-19, OUT-22): one table, and what brings its inputs about."""

from typing import Literal

from dialer import hopper, kept
from dialer.state import CampaignRun, Core
from model.campaigns import CampaignState
from model.errors import WrongState
from model.events_campaign import CampaignStateChanged

StateInput = Literal["start", "stop", "start_due", "end_due", "hours_end", "hours_begin", "exhausted"]
"""start, stop: by hand; start_due, end_due: its own times; hours_*: its calendar; exhausted: nobody is left who may be
called, and no call is under way."""


def next_state(state: CampaignState, told: StateInput) -> CampaignState | None:
    """None = it stays as it is; to a start or stop by hand that is an error."""
    match state, told:
        case ("not_started" | "stopped" | "completed", "start" | "start_due"):
            return "running"
        case ("running" | "suspended", "stop" | "end_due"):
            return "stopped"
        case ("running", "hours_end"):
            return "suspended"
        case ("suspended", "hours_begin"):
            return "running"
        case ("running" | "suspended", "exhausted"):
            return "completed"
        case _:
            return None


def start(core: Core, run: CampaignRun, by: str, now: float, wall: float) -> None:
    """By hand. Raises WrongState."""
    ends_utc = run.campaign.ends_utc
    if next_state(run.state, "start") is None:
        raise WrongState(f"campaign {run.name} has been started already", state=run.state)
    if ends_utc and wall >= ends_utc:
        raise WrongState(f"the end of campaign {run.name} (ends_utc) is past: set a later one", state=run.state)
    _change(core, run, "start", by, now, wall)
    look(core, run, now, wall)


def stop(core: Core, run: CampaignRun, by: str, now: float, wall: float) -> None:
    """By hand. Raises WrongState."""
    if next_state(run.state, "stop") is None:
        raise WrongState(f"campaign {run.name} is not running", state=run.state)
    _change(core, run, "stop", by, now, wall)


def look(core: Core, run: CampaignRun, now: float, wall: float) -> None:
    """What has come about by itself."""
    campaign = run.campaign
    is_past_end = 0 < campaign.ends_utc <= wall
    if is_start_planned(run) and campaign.starts_utc <= wall and not is_past_end:
        _change(core, run, "start_due", "", now, wall)
    if is_past_end:
        _change(core, run, "end_due", "", now, wall)
    if run.state in ("running", "suspended"):
        is_open, run.open_again_utc = working_time(core, run, wall)
        _change(core, run, "hours_begin" if is_open else "hours_end", "", now, wall)
        if not run.n_open:
            run.awaiting = {record_id: until for record_id, until in run.awaiting.items() if until > now}
        if is_exhausted(run):
            _change(core, run, "exhausted", "", now, wall)


def is_start_planned(run: CampaignRun) -> bool:
    """It has a time to start at that has not had its effect."""
    starts_utc = run.campaign.starts_utc
    return starts_utc > 0 and starts_utc != run.started_for_utc


def working_time(core: Core, run: CampaignRun, wall: float) -> tuple[bool, float]:
    """(whether its calendar is open, when that changes); a calendar that is gone is closed."""
    if not run.campaign.calendar:
        return True, 0.0
    try:
        moment = core.office.evaluate(run.campaign.calendar, wall)
    except KeyError:
        return False, 0.0
    return moment.which == "open", moment.until_utc


def is_exhausted(run: CampaignRun) -> bool:
    return run.is_known_empty and not run.hopper and not run.live and not run.awaiting


def _change(core: Core, run: CampaignRun, told: StateInput, by: str, now: float, wall: float) -> None:
    before, after = run.state, next_state(run.state, told)
    if after is None:
        return
    run.state, run.since_utc, run.reason = after, wall, told
    if 0 < run.campaign.starts_utc <= wall:
        run.started_for_utc = run.campaign.starts_utc
    if after == "running":
        # What is open the database says anew.
        run.n_open, run.load_at, run.is_known_empty = None, now, False
    else:
        run.decision = None
        hopper.empty(core, run)
    core.touch(run)
    changed = CampaignStateChanged(campaign=run.name, state=after, before=before, reason=told, by=by)
    core.out.append(changed)
    kept.store(core, run, now)
