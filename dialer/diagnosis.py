"""Why a campaign calls nobody (XOUT-12), and what it does at this moment. Pure: nothing is changed by asking."""

from collections import Counter

from dialer import flight, modes, pacing
from dialer.contact_hours import utc_text
from dialer.state import NOT_ANSWERED, CampaignRun, Core
from dialer.states import working_time
from model.campaign_views import AbandonWindow, Blocker, CampaignDiagnosis, CampaignLive

_DEFERRED = {
    "hours": "wait for their contact hours",
    "retry": "wait until they may be called again",
    "callback": "are promised a call later",
    "day_limit": "have had their calls of today",
    "redial_ban": "found no agent when they answered and are left alone",
    "in_flight": "have a number that is being called by somebody else",
    "owner": "are promised a call by an agent himself",
}


def diagnose(core: Core, run: CampaignRun, now: float, wall: float) -> CampaignDiagnosis:
    deferred = Counter(reason for reason, until_utc in run.deferred.values() if until_utc > wall)
    blockers = _state(core, run, wall)
    if not blockers:
        blockers = [
            *_database(core, run, now),
            *_agents(core, run),
            *_records(run, deferred),
            *_pace(core, run, now, wall),
        ]
    return CampaignDiagnosis(campaign=run.name, state=run.state, blockers=blockers, deferred=dict(deferred))


def _state(core: Core, run: CampaignRun, wall: float) -> list[Blocker]:
    match run.state:
        case "running":
            return []
        case "suspended":
            _, until_utc = working_time(core, run, wall)
            until = f" until {utc_text(until_utc)}" if until_utc else ""
            text = f"its calendar, {run.campaign.calendar}, is closed{until}"
            return [Blocker(reason="hours", count=0, text=text, until_utc=until_utc)]
        case "completed":
            return [Blocker(reason="state", count=0, text="it is completed: nobody is left who may be called")]
        case "not_started" | "stopped":
            starts_utc = run.campaign.starts_utc
            then = f"; it starts at {utc_text(starts_utc)}" if starts_utc > wall else ""
            text = "it has not been started" if run.state == "not_started" else "it was stopped"
            return [Blocker(reason="state", count=0, text=text + then, until_utc=starts_utc if then else 0.0)]


def _database(core: Core, run: CampaignRun, now: float) -> list[Blocker]:
    if core.is_database_failing:
        return [
            Blocker(
                reason="database", count=0, text="attempts cannot be stored: nobody is called that is not on record"
            )
        ]
    if run.asked_at is not None and now > run.asked_at + 1.0 and not run.hopper:
        return [Blocker(reason="database", count=0, text="the database has not said yet whom to call")]
    return []


def _agents(core: Core, run: CampaignRun) -> list[Blocker]:
    if not run.needs_agents or run.campaign.mode == "preview":
        return []
    floor = core.floor_of(run)
    queue = run.campaign.queue
    if floor is None or not floor.seen.n_agents:
        return [Blocker(reason="no_agents", count=0, text=f"no agent is signed in who takes calls of queue {queue}")]
    seen = floor.seen
    found = []
    if not seen.n_idle:
        n_busy = len(seen.talking_s) + len(seen.wrapping_s)
        text = f"no agent is free: {n_busy} talk or wrap up, {max(0, seen.n_agents - n_busy)} are kept for callers"
        found.append(Blocker(reason="agents_busy", count=seen.n_agents, text=text))
    if seen.n_inbound_waiting:
        text = f"{seen.n_inbound_waiting} callers wait for the same agents and come first"
        found.append(Blocker(reason="inbound_first", count=seen.n_inbound_waiting, text=text))
    return found


def _records(run: CampaignRun, deferred: Counter[str]) -> list[Blocker]:
    if run.awaiting and run.n_open == 0:
        text = f"an agent has to say how {len(run.awaiting)} conversations went, then it is completed"
        return [Blocker(reason="awaiting", count=len(run.awaiting), text=text)]
    found = []
    if not run.hopper and run.campaign.mode != "preview":
        text = (
            "no record is due"
            if run.n_open is None
            else f"no record is due, of {run.n_open} that may be called sometime"
        )
        found.append(Blocker(reason="no_records", count=run.n_open or 0, text=text))
        for reason, count in deferred.most_common():
            what = _DEFERRED.get(reason, reason)
            found.append(Blocker(reason="deferred", count=count, text=f"{count} {what}"))
    return found


def _pace(core: Core, run: CampaignRun, now: float, wall: float) -> list[Blocker]:
    """What the pacing says of this moment."""
    if run.campaign.mode == "preview":
        return []
    decision = modes.plan(now, pacing.snapshot_of(core, run, now, wall), run.model, run.pacing, run.ledger)
    if decision.n_dials:
        return []
    n_ringing = sum(live.phase in NOT_ANSWERED for live in flight.lives_for(core, run))
    reason, count, text = decision.reason, n_ringing, ""
    match decision.reason:
        case "lines_full":
            count, text = len(run.live), f"all its lines are in use: {len(run.live)} of {run.campaign.max_lines}"
        case "cps":
            count, text = 0, f"calls begin no faster than {run.campaign.max_calls_per_s:g} a second, of all campaigns "
            text += f"{core.rules.max_calls_per_s:g}"
        case "abandon_limit":
            counts = run.ledger.windows(wall)["days_30"]
            count, text = int(counts.unserved), f"{counts.rate:.2%} of those who answered in 30 days found no agent, "
            text += f"{run.pacing.legal_cap:.2%} may: one call for each free agent"
        case "gate_closed":
            text = f"{max(0.0, decision.credit):.1f} calls more may find no agent, and as many are at risk already"
        case "warming_up":
            count, text = (
                run.model.n_committed,
                f"{run.model.n_committed} calls are too few to know the answer rate: one call ",
            )
            text += "for each free agent"
        case "trunk_trouble":
            text = "most of the last calls failed at once: it pauses, then tries a few"
        case "pacing" if not n_ringing:
            # No agent is free, as has been said.
            return []
        case "pacing":
            reason_text = f"{n_ringing} calls ring already"
            return [
                Blocker(
                    reason="enough", count=n_ringing, text=f"{reason_text}, which is enough for the agents there are"
                )
            ]
        case _:
            # Agents and records have said so already.
            return []
    return [Blocker(reason=reason, count=count, text=text)]


def progress(core: Core, run: CampaignRun, now: float, wall: float) -> CampaignLive:
    phases = Counter(live.phase for live in run.live.values())
    floor = core.floor_of(run)
    seen = floor.seen if floor else None
    n_busy = len(seen.talking_s) + len(seen.wrapping_s) if seen else 0
    n_agents = seen.n_agents if seen else 0
    return CampaignLive(
        campaign=run.name,
        state=run.state,
        reason=run.reason,
        since_utc=run.since_utc,
        n_lines=len(run.live),
        n_ringing=phases["calling"] + phases["judging"],
        n_waiting=phases["waiting"],
        n_talking=phases["talking"],
        n_hopper=len(run.hopper),
        n_open=run.n_open,
        n_agents=n_agents,
        n_idle=seen.n_idle if seen else 0,
        n_busy=n_busy,
        occupancy=n_busy / n_agents if n_agents else 0.0,
        answer_rate=run.model.answer_rate(run.pacing.p_override),
        calls_per_agent=len(run.live) / n_agents if n_agents else 0.0,
        credit=run.ledger.credit(run.pacing.alpha, wall),
        pacing=run.decision.reason if run.decision else "",
        abandoned=[
            AbandonWindow(window=name, n_answered=counts.answered, n_abandoned=counts.unserved, rate=counts.rate)
            for name, counts in run.ledger.windows(wall).items()
        ],
    )
