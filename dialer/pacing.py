"""How many calls are begun now, for campaigns that share agents in fair shares, and which are given up (OUT-16).

Calls of other campaigns that need the same agents count like a campaign's own. Of the calls that may begin each goes to
the campaign that had the fewest by its weight (start-time fair queueing).
"""

from collections.abc import Iterable

from dialer import attempts, flight, hopper, modes
from dialer.actions import GiveUp, LogPacing
from dialer.snapshot import Decision, PacingSnapshot
from dialer.state import NOT_ANSWERED, CampaignRun, Core
from model.dialing import CampaignRecord
from model.events_campaign import CampaignLimitReached

_LOG_EVERY_S = 60.0
_LOG_AGAIN_S = 1.0
_BIG = 200
_REST_S = 0.05
_LIMIT_TOLD_EVERY_S = 3600.0


def pace(core: Core, runs: Iterable[CampaignRun], now: float, wall: float) -> None:
    """Of these campaigns, and of those with the same agents; of those that need none all together."""
    keys = core.unpaced | {run.campaign.queue if run.needs_agents else "" for run in runs if run.is_dialling}
    core.unpaced = set()
    for key in sorted(keys):
        if now < rested_at(core, key):
            core.unpaced.add(key)
            continue
        core.paced_at[key] = now
        found = core.with_queue(key) if key else [run for run in core.runs.values() if not run.needs_agents]
        _share_out(core, key, [run for run in found if run.is_dialling], now, wall)


def rested_at(core: Core, queue: str) -> float:
    """When the agents of a queue are looked at again: a big floor changes hundreds of times a second, and each look
    goes through all of it."""
    return core.paced_at.get(queue, -1e9) + (_REST_S if len(core.live) > _BIG else 0.0)


def give_up(core: Core, now: float) -> None:
    """When agents have gone: calls of which more will be answered than there are agents, those who are busy included,
    and which have rung long enough."""
    for queue, floor in core.floors.items():
        lives = flight.lives_of_queue(core, queue)
        n_agents = floor.seen.n_agents
        calling = [live for live in lives if live.phase == "calling" and not live.is_given_up]
        if all(live.n_agents <= n_agents for live in calling):
            continue
        rates = {run.name: run.model.answer_rate(run.pacing.p_override) for run in core.with_queue(queue)}
        expected = float(sum(live.phase in ("judging", "waiting") for live in lives))
        expected += sum(rates[live.attempt.campaign] for live in calling)
        for live in sorted(calling, key=lambda each: each.placed_at, reverse=True):
            has_rung = now >= (live.rang_at or live.placed_at) + core.rules.least_ring_s
            if expected > n_agents and live.n_agents > n_agents and has_rung:
                live.is_given_up = True
                expected -= rates[live.attempt.campaign]
                core.out.append(GiveUp(live.attempt.attempt_id))


def n_tokens(core: Core, run: CampaignRun, now: float) -> int:
    """Calls that may begin now, those that are about to not counted."""
    own, all_ = run.limiter.free(now) - run.n_pending(), core.limiter.free(now) - flight.n_pending(core)
    return max(0, min(own, all_))


def snapshot_of(core: Core, run: CampaignRun, now: float, wall: float) -> PacingSnapshot:
    lives = flight.lives_for(core, run)
    floor = core.floor_of(run)
    rings = [now - live.placed_at if live.placed_at else 0.0 for live in lives if live.phase in NOT_ANSWERED]
    return PacingSnapshot(
        at_utc=wall,
        is_running=run.is_dialling,
        idle_agents=floor.seen.n_idle if floor else 0,
        talk_ages=floor.talk_ages(now) if floor else (),
        wrap_ages=floor.wrap_ages(now) if floor else (),
        ringing_ages=rings,
        answered_waiting=sum(live.phase == "waiting" for live in lives),
        inbound_waiting=floor.seen.n_inbound_waiting if floor else 0,
        lines_in_use=len(run.live),
        cps_tokens=n_tokens(core, run, now),
        callable_records=len(run.hopper),
    )


def _share_out(core: Core, queue: str, group: list[CampaignRun], now: float, wall: float) -> None:
    """`queue` "": they share no agents, only how fast calls may begin."""
    if now < core.database_until:
        return
    wanted: dict[str, int] = {}
    for run in group:
        snapshot = snapshot_of(core, run, now, wall)
        decision = modes.plan(now, snapshot, run.model, run.pacing, run.ledger)
        _tell_limit(core, run, decision, now, wall)
        _log(core, run, snapshot, decision, now)
        run.decision = decision
        wanted[run.name] = decision.n_dials
    begun = dict.fromkeys(wanted, 0)
    while wanted:
        # Who wanted none for a while has no arrears against the others.
        served = core.turns.get(queue, 0.0)
        run = min((core.runs[name] for name in wanted), key=lambda each: (max(each.share, served), each.name))
        n_begun = sum(begun.values()) if queue else begun[run.name]
        is_probe_out = core.is_database_failing and flight.n_pending(core)
        is_over = n_begun >= wanted[run.name] or is_probe_out or not n_tokens(core, run, now)
        found = None if is_over else hopper.take(core, run, wall)
        if found is None:
            del wanted[run.name]
            continue
        begun[run.name] += 1
        core.turns[queue] = max(run.share, served)
        run.share = core.turns[queue] + 1.0 / run.campaign.weight
        _begin(core, run, *found, wall)


def _begin(core: Core, run: CampaignRun, record: CampaignRecord, position: int, wall: float) -> None:
    lives = flight.lives_for(core, run)
    live = attempts.begin(core, run, record, position, wall)
    floor = core.floor_of(run)
    if run.needs_agents and floor is not None:
        live.n_agents, live.n_free = floor.seen.n_agents, flight.n_free_agents(core, run, lives)


def _tell_limit(core: Core, run: CampaignRun, decision: Decision, now: float, wall: float) -> None:
    if decision.reason != "abandon_limit" or now < run.limit_told_at + _LIMIT_TOLD_EVERY_S:
        return
    run.limit_told_at = now
    counts = run.ledger.windows(wall)["days_30"]
    core.out.append(
        CampaignLimitReached(
            campaign=run.name,
            rate=counts.rate,
            limit=run.pacing.legal_cap,
            n_answered=counts.answered,
            n_abandoned=counts.unserved,
        )
    )


def _log(core: Core, run: CampaignRun, snapshot: PacingSnapshot, decision: Decision, now: float) -> None:
    """When somebody is called or the reason is another one, but once in a second at most, with the calls since; and
    once in a minute."""
    run.n_unlogged += decision.n_dials
    is_news = run.n_unlogged or decision.reason != run.logged
    if now < run.logged_at + (_LOG_AGAIN_S if is_news else _LOG_EVERY_S):
        return
    n_dials, run.n_unlogged = run.n_unlogged, 0
    run.logged, run.logged_at = decision.reason, now
    inputs = {
        "idle": float(snapshot.idle_agents),
        "talking": float(len(snapshot.talk_ages)),
        "wrapping": float(len(snapshot.wrap_ages)),
        "ringing": float(snapshot.n_ringing),
        "waiting": float(snapshot.answered_waiting),
        "inbound": float(snapshot.inbound_waiting),
        "lines": float(snapshot.lines_in_use),
        "records": float(snapshot.callable_records),
        "p": decision.p,
        "theta": decision.theta,
        "q": decision.q,
        "credit": decision.credit,
        "at_risk": decision.at_risk,
        "gate": float(decision.is_gate_open),
    }
    core.out.append(
        LogPacing(campaign=run.name, at_utc=snapshot.at_utc, n_dials=n_dials, reason=decision.reason, inputs=inputs)
    )
