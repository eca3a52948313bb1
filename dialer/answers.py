"""What becomes of a call that was dialled: it rings, somebody answers, an agent has him or nobody is there.

The model learns of every dialled attempt exactly once how it ended; the ledger counts a person who answered once, and
once more when he found no agent (the legal definition).
"""

from dialer import pacing_model
from dialer.events import AgentConnected, DialAnswered, DialFailed, DialWithdrawn
from dialer.inputs import AttemptAnswered, AttemptConnected, AttemptDropped, AttemptRang, AttemptVerdict
from dialer.state import CampaignRun, Core, Live
from model.events_campaign import AttemptAnswered as Answered

MACHINES = frozenset(("machine", "fax"))
"""Verdicts of AMD; all others count as a person."""


def rang(core: Core, told: AttemptRang, now: float, wall: float) -> None:
    live = core.live.get(told.attempt_id)
    if live is not None and live.phase == "calling" and not live.rang_at:
        live.rang_at, live.attempt.rang_utc = now, wall


def answered(core: Core, told: AttemptAnswered, now: float, wall: float) -> None:
    live = core.live.get(told.attempt_id)
    if live is None or live.phase != "calling":
        return
    run = core.runs[live.attempt.campaign]
    attempt = live.attempt
    attempt.answered_utc = wall
    is_judged = live.is_paced and run.campaign.detects_machines
    if is_judged and run.campaign.is_amd_waited_for:
        live.phase = "judging"
    else:
        live.phase = "waiting"
        learn_answered(run, live, now)
        if not is_judged:
            count_person(run, live, wall)
    core.out.append(
        Answered(
            attempt_id=attempt.attempt_id,
            call_id=attempt.attempt_id,
            campaign=run.name,
            record_id=attempt.record_id,
            ring_s=now - live.placed_at,
        )
    )
    core.touch(run)


def verdict(core: Core, told: AttemptVerdict, now: float, wall: float) -> None:
    live = core.live.get(told.attempt_id)
    if live is None or not live.attempt.answered_utc or live.attempt.verdict:
        return
    run = core.runs[live.attempt.campaign]
    live.attempt.verdict, live.attempt.evidence = told.verdict, told.evidence
    if told.verdict in MACHINES:
        learn_failed(run, live, now, is_trunk_failure=False)
        if told.verdict == "machine" and live.is_paced:
            run.ledger.taken_for_machines(wall, 1, run.campaign.amd_false_rate)
            run.is_dirty = True
        if live.phase in ("judging", "waiting"):
            live.phase = "leaving"
    else:
        learn_answered(run, live, now)
        count_person(run, live, wall)
        if live.phase == "judging":
            live.phase = "waiting"
    core.touch(run)


def connected(core: Core, told: AttemptConnected, now: float, wall: float) -> None:
    live = core.live.get(told.attempt_id)
    if live is None or live.phase not in ("calling", "judging", "waiting", "leaving") or live.attempt.connected_utc:
        return
    run = core.runs[live.attempt.campaign]
    attempt = live.attempt
    attempt.connected_utc = wall
    attempt.agent_id = told.agent_id or attempt.agent_id
    attempt.answered_utc = attempt.answered_utc or wall
    if live.phase != "leaving":
        live.phase = "talking"
    learn_answered(run, live, now)
    if not (live.is_paced and run.campaign.detects_machines) or attempt.verdict:
        count_person(run, live, wall)
    floor = core.floor_of(run)
    if live.is_paced and run.needs_agents and floor is not None:
        credit = run.ledger.credit(run.pacing.alpha, wall)
        pacing_model.observe(run.model, AgentConnected(credit, floor.seen.n_agents))
    core.touch(run)


def dropped(core: Core, told: AttemptDropped, now: float, wall: float) -> None:
    live = core.live.get(told.attempt_id)
    if live is None or live.phase not in ("calling", "judging", "waiting"):
        return
    run = core.runs[live.attempt.campaign]
    live.attempt.answered_utc = live.attempt.answered_utc or wall
    live.phase = "leaving"
    learn_answered(run, live, now)
    count_dropped(core, run, live, wall)
    core.touch(run)


def count_dropped(core: Core, run: CampaignRun, live: Live, wall: float) -> None:
    """He found no agent in time."""
    live.attempt.is_dropped = True
    count_person(run, live, wall)
    if live.is_paced:
        run.ledger.abandoned(wall)
    core.dropped[live.attempt.number] = wall
    run.dropped.add(live.attempt.number)
    # At once: a crash may forget some of those who were served, and nobody who was not.
    run.is_dirty, run.stored_at = True, -1e9


def count_person(run: CampaignRun, live: Live, wall: float) -> None:
    """A person answered, as far as is known."""
    if live.is_paced and not live.is_live_answer:
        live.is_live_answer = run.is_dirty = True
        run.ledger.answered(wall)


def learn_answered(run: CampaignRun, live: Live, now: float) -> None:
    _learn(run, live, DialAnswered(now, live.attempt.attempt_id))


def learn_failed(run: CampaignRun, live: Live, now: float, *, is_trunk_failure: bool) -> None:
    _learn(run, live, DialFailed(now, live.attempt.attempt_id, is_trunk_failure))


def learn_withdrawn(run: CampaignRun, live: Live, now: float) -> None:
    _learn(run, live, DialWithdrawn(now, live.attempt.attempt_id))


def _learn(run: CampaignRun, live: Live, event: DialAnswered | DialFailed | DialWithdrawn) -> None:
    if live.is_paced and live.placed_at and not live.is_learnt:
        live.is_learnt = run.is_dirty = True
        pacing_model.observe(run.model, event)
