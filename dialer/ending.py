"""The end of attempts, and what agents say of them: what is stored of both, and what becomes of the record."""

import msgspec

from dialer import answers, flight, hopper
from dialer.actions import BarNumber, StoreDisposition, StoreOutcome
from dialer.inputs import AttemptEnded, AttemptFound, RecordDisposed
from dialer.retry import begin_attempt, copy_of, dispose, end_attempt, find_disposition
from dialer.state import CampaignRun, Core, Live
from dialer.trunk_guard import AT_ONCE_S
from model.campaigns import AttemptResult, Disposition
from model.dialing import Attempt, CampaignRecord
from model.errors import InvalidValue
from model.events_campaign import AttemptEnded as Ended
from model.events_campaign import CampaignPaused

_AWAIT_S = 600.0
"""An agent's word on a conversation is waited for so long before the campaign may be completed."""
_TRUNK_PAUSE_S = 30.0
_MAX_AWAITED = 5000


def ended(core: Core, told: AttemptEnded, now: float, wall: float) -> None:
    live = core.live.get(told.attempt_id)
    if live is None:
        return
    run = core.runs[live.attempt.campaign]
    attempt = live.attempt
    attempt.result, attempt.cause, attempt.sip_status = told.result or "failed", told.cause, told.sip_status
    attempt.talk_s, attempt.message_utc, attempt.ended_utc = told.talk_s, told.message_utc, wall
    if attempt.is_dropped or told.result == "dropped":
        attempt.result = "dropped"
        if not attempt.is_dropped:
            answers.count_dropped(core, run, live, wall)
    elif attempt.answered_utc and attempt.result == "human":
        answers.count_person(run, live, wall)
    was_doubted = run.model.guard.is_doubted
    _learn(run, live, now, is_trunk_failure=told.is_trunk_trouble)
    _tell_pause(core, run, now)
    _finish(core, run, live, wall, is_ours=_is_ours(live, told, now, is_doubted=was_doubted))


def end_undialled(core: Core, run: CampaignRun, live: Live, result: str, cause: str, wall: float) -> None:
    """It was stored, and is not dialled after all."""
    attempt = live.attempt
    attempt.result, attempt.cause, attempt.ended_utc = msgspec.convert(result, AttemptResult), cause, wall
    _finish(core, run, live, wall, is_ours=result == "cancelled")


def found(core: Core, told: AttemptFound, wall: float) -> None:
    """The switch ended in the middle of it. It counts, so nobody is called once more for it. Raises NoSuchCampaign."""
    attempt, record = msgspec.structs.replace(told.attempt), copy_of(told.record)
    run = core.run_of(attempt.campaign)
    attempt.result, attempt.ended_utc = "interrupted", wall
    position = next((i for i, each in enumerate(record.numbers) if each.number == attempt.number), None)
    if record.last_utc < attempt.started_utc and position is not None:
        # An agent's own call: the record was stored before it was counted.
        begin_attempt(record, position, run.book, attempt.started_utc)
    end_attempt(record, record, attempt, run.book, wall, is_ours=False)
    _tell_end(core, run, attempt, record)


def disposed(core: Core, told: RecordDisposed, now: float, wall: float) -> None:
    """Raises NoSuchCampaign or InvalidValue."""
    run = core.run_of(told.record.campaign)
    said = find_disposition(run.campaign, told.code)
    if said.effect == "callback" and told.callback_utc <= 0:
        raise InvalidValue(f'"{told.code}" promises a call: say when, by callback_utc', field="callback_utc")
    live = next((each for each in run.live.values() if each.record.record_id == told.record.record_id), None)
    if live is not None:
        # Also when it is called anew already: what was said holds from the end of that.
        live.said = told, said
        if live.attempt.attempt_id == told.attempt_id:
            live.attempt.disposition = told.code
        else:
            live.record.disposition = told.code
            core.out.append(StoreDisposition(attempt_id=told.attempt_id, record=copy_of(live.record)))
        return
    record = run.hopper.pop(told.record.record_id, None) or copy_of(told.record)
    was_open = record.status in hopper.OPEN
    _apply(core, run, record, told, said, wall)
    run.awaiting.pop(record.record_id, None)
    hopper.note_written(core, run)
    if record.status in hopper.OPEN and not was_open:
        hopper.reopened(core, run, record)
    elif was_open and record.status not in hopper.OPEN:
        hopper.count_closed(core, run, record)
    core.out.append(StoreDisposition(attempt_id=told.attempt_id, record=copy_of(record)))
    hopper.tell_changed(core, run, record)
    core.touch(run)


def _apply(
    core: Core, run: CampaignRun, record: CampaignRecord, told: RecordDisposed, said: Disposition, wall: float
) -> None:
    record.agent_id = told.agent_id or record.agent_id
    barred = dispose(
        record,
        said,
        run.book,
        wall,
        callback_utc=told.callback_utc,
        callback_owner=told.callback_owner,
        note=told.note,
    )
    for number in barred:
        core.dnc.add(number, run.name)
        core.out.append(BarNumber(number=number, campaign=run.name, note=told.note))


def _is_ours(live: Live, told: AttemptEnded, now: float, *, is_doubted: bool) -> bool:
    """Whether it came to nothing by ours, so that it does not count against the record."""
    if told.is_trunk_trouble:
        return True
    if live.attempt.result == "cancelled":
        return not live.attempt.rang_utc
    is_at_once = now - live.placed_at < AT_ONCE_S
    return live.is_paced and is_doubted and is_at_once and live.attempt.result in ("failed", "congestion")


def _learn(run: CampaignRun, live: Live, now: float, *, is_trunk_failure: bool) -> None:
    match live.attempt.result:
        case "human" | "dropped":
            answers.learn_answered(run, live, now)
        case "cancelled" | "interrupted":
            answers.learn_withdrawn(run, live, now)
        case _:
            answers.learn_failed(run, live, now, is_trunk_failure=is_trunk_failure)


def _tell_pause(core: Core, run: CampaignRun, now: float) -> None:
    is_paused = run.model.guard.allowed(now, 0) == 0
    if is_paused and not run.is_paused:
        core.out.append(CampaignPaused(campaign=run.name, reason="trunk_trouble", resumes_in_s=_TRUNK_PAUSE_S))
    run.is_paused = is_paused


def _finish(core: Core, run: CampaignRun, live: Live, wall: float, *, is_ours: bool) -> None:
    attempt, record = live.attempt, live.record
    flight.remove(core, run, live)
    end_attempt(record, live.before, attempt, run.book, wall, is_ours=is_ours)
    if live.said is not None:
        _apply(core, run, record, *live.said, wall)
    elif record.status == "connected" and len(run.awaiting) < _MAX_AWAITED:
        run.awaiting[record.record_id] = core.now + _AWAIT_S
    _tell_end(core, run, attempt, record, was_dialled=live.placed_at > 0)
    core.touch(run)


def _ended(attempt: Attempt) -> Ended:
    return Ended(
        attempt_id=attempt.attempt_id,
        call_id=attempt.attempt_id,
        campaign=attempt.campaign,
        record_id=attempt.record_id,
        number=attempt.number,
        agent_id=attempt.agent_id,
        result=attempt.result,
        cause=attempt.cause,
        sip_status=attempt.sip_status,
        talk_s=attempt.talk_s,
        is_dropped=attempt.is_dropped,
    )


def _tell_end(
    core: Core, run: CampaignRun, attempt: Attempt, record: CampaignRecord, *, was_dialled: bool = True
) -> None:
    hopper.note_written(core, run)
    if record.status in hopper.OPEN:
        hopper.note_deferred(run, record)
    else:
        hopper.count_closed(core, run, record)
    core.out.append(StoreOutcome(attempt=attempt, record=record))
    if was_dialled:
        core.out.append(_ended(attempt))
    hopper.tell_changed(core, run, record)
