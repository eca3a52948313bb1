"""Attempts from their beginning until they are dialled, when everything is asked once more (XOUT-04)."""

from collections import deque

import msgspec

from dialer import ending, flight, hopper, pacing_model
from dialer.actions import PlaceCall, StoreAttempt
from dialer.events import DialStarted
from dialer.inputs import AttemptNotStored, AttemptPlaced, AttemptStored
from dialer.retry import begin_attempt, copy_of
from dialer.rules import has_promise
from dialer.shown import choose_shown
from dialer.state import CampaignRun, Core, Live
from model.dialing import Attempt, CampaignRecord
from model.errors import InvalidValue, WrongState
from model.events_campaign import AttemptStarted, CampaignPaused

_DATABASE_PAUSE_S = 5.0


def begin(core: Core, run: CampaignRun, record: CampaignRecord, position: int, wall: float) -> Live:
    """Counted and asked to be stored; dialled when it is."""
    before = copy_of(record)
    number = record.numbers[position]
    begin_attempt(record, position, run.book, wall)
    attempt = Attempt(
        attempt_id=core.new_id(),
        campaign=run.name,
        record_id=record.record_id,
        number=number.number,
        mode=run.campaign.mode,
        position=position,
        caller_id=choose_shown(run.campaign, number, run.turn),
        started_utc=wall,
        zone=number.zone,
        is_promised=has_promise(before),
    )
    run.turn += 1
    live = Live(attempt=attempt, record=record, before=before, phase="storing", is_paced=True)
    flight.add(core, run, live)
    core.out.append(StoreAttempt(attempt=msgspec.structs.replace(attempt), record=copy_of(record)))
    return live


def stored(core: Core, told: AttemptStored) -> None:
    live = core.live.get(told.attempt_id)
    if live is not None and live.phase == "storing":
        core.is_database_failing = False
        live.phase = "stored"
        core.ready.append(told.attempt_id)


def not_stored(core: Core, told: AttemptNotStored, now: float) -> None:
    """It was never made: the record is where it was."""
    live = core.live.get(told.attempt_id)
    if live is None or live.phase != "storing":
        return
    run = core.runs[live.attempt.campaign]
    flight.remove(core, run, live)
    if run.is_dialling:
        run.hopper = {live.before.record_id: live.before} | run.hopper
    else:
        hopper.give_back(core, run, [live.before])
    core.database_until = now + _DATABASE_PAUSE_S
    if not core.is_database_failing:
        core.is_database_failing = True
        for each in core.runs.values():
            if each.is_dialling:
                paused = CampaignPaused(campaign=each.name, reason="database", resumes_in_s=_DATABASE_PAUSE_S)
                core.out.append(paused)


def placed(core: Core, told: AttemptPlaced, now: float, wall: float) -> None:
    """By an agent. Raises NoSuchCampaign, InvalidValue or WrongState."""
    attempt, record = msgspec.structs.replace(told.attempt), copy_of(told.record)
    run = core.run_of(attempt.campaign)
    if not 0 <= attempt.position < len(record.numbers):
        raise InvalidValue(f"record {record.record_id} has no number {attempt.position}", field="position")
    if attempt.number in core.in_flight or attempt.attempt_id in core.live:
        raise WrongState(f"{attempt.number} is being called already", state="dialing")
    run.hopper.pop(record.record_id, None)
    before = copy_of(record)
    attempt.zone, attempt.is_promised = record.numbers[attempt.position].zone, record.callback_utc > 0
    begin_attempt(record, attempt.position, run.book, wall)
    live = Live(attempt=attempt, record=record, before=before, phase="calling", is_paced=False, placed_at=now)
    flight.add(core, run, live)
    _tell_started(core, run, live)
    core.touch(run)


def place_ready(core: Core, now: float, wall: float) -> None:
    """Those that are stored are dialled, as far as calls may begin now."""
    waiting: deque[str] = deque()
    while core.ready:
        attempt_id = core.ready.popleft()
        live = core.live.get(attempt_id)
        if live is None or live.phase != "stored":
            continue
        run = core.runs[live.attempt.campaign]
        result, cause = _problem(core, run, live, now, wall)
        if cause:
            ending.end_undialled(core, run, live, result, cause, wall)
        elif core.limiter.free(now) and run.limiter.free(now):
            _place(core, run, live, now, wall)
        else:
            waiting.append(attempt_id)
    core.ready = waiting


def _place(core: Core, run: CampaignRun, live: Live, now: float, wall: float) -> None:
    core.limiter.take(now)
    run.limiter.take(now)
    live.phase, live.placed_at, live.attempt.started_utc = "calling", now, wall
    pacing_model.observe(run.model, DialStarted(now, live.attempt.attempt_id))
    _tell_started(core, run, live)
    ring_s = max(run.campaign.ring_timeout_s, core.rules.least_ring_s)
    attempt, record = msgspec.structs.replace(live.attempt), copy_of(live.record)
    core.out.append(PlaceCall(attempt=attempt, record=record, ring_timeout_s=ring_s))


def _problem(core: Core, run: CampaignRun, live: Live, now: float, wall: float) -> tuple[str, str]:
    """(result, cause) of an attempt that is not to be dialled after all; ("", "") = dial it."""
    if run.state != "running":
        return "cancelled", "not_running"
    if core.dnc.is_barred(live.attempt.number, run.name, wall):
        return "dnc_blocked", "dnc"
    number = live.record.numbers[live.attempt.position]
    if run.book.hours.next_open(number.zone, wall) > wall:
        return "cancelled", "hours"
    if run.model.guard.allowed(now, 0) == 0:
        return "cancelled", "trunk_trouble"
    if len(run.live) - run.n_pending() >= run.campaign.max_lines:
        return "cancelled", "lines_full"
    if run.needs_agents and not _has_agents(core, run, live, now):
        return "cancelled", "no_agents"
    return "", ""


def _has_agents(core: Core, run: CampaignRun, live: Live, now: float) -> bool:
    """Whether agents are as many as when it was decided upon, or at least one is free for it in particular."""
    floor = core.floor_of(run)
    if floor is None or not floor.seen.n_agents:
        return False
    lives = flight.lives_of_queue(core, run.campaign.queue)
    n_free = flight.n_free_agents(core, run, lives)
    if floor.seen.n_agents >= live.n_agents and n_free >= live.n_free:
        return True
    n_before = sum(each.phase in ("calling", "judging") for each in lives)
    return n_free > n_before


def _tell_started(core: Core, run: CampaignRun, live: Live) -> None:
    attempt = live.attempt
    core.out.append(
        AttemptStarted(
            attempt_id=attempt.attempt_id,
            call_id=attempt.attempt_id,
            campaign=run.name,
            record_id=attempt.record_id,
            number=attempt.number,
            mode=attempt.mode,
            agent_id=attempt.agent_id,
        )
    )
