"""The hopper: records looked ahead at, checked when they come in, so that what is dialled next is at hand (XOUT-08).

It is small, so that changes show in seconds; what may not be called now goes back to the database with the instant at
which it may, and does not stand in the way (P-15).
"""

import math

from dialer.actions import LoadRecords, ReturnRecords
from dialer.inputs import RecordsLoaded
from dialer.retry import refuse
from dialer.rules import No, Yes, has_promise, may_call
from dialer.state import CampaignRun, Core
from model.dialing import CampaignRecord
from model.events_campaign import RecordChanged

_ANSWER_S = 10.0
"""An answer that does not come in this time is asked for again."""
_POLL_S = 30.0
"""When the database has nothing more that is due."""
_FRESH_S = 60.0
"""Even with a full hopper: promised calls and higher priorities come in within this."""
_SETTLED_S = 1.0
"""What was written has come to the database by then, and what it says of open records counts."""
_AT_LEAST = 10
_MAX_DEFERRED = 20_000
OPEN = frozenset(("new", "queued", "dialing", "retry_wait", "callback"))
"""Statuses of records that may be called sometime."""


def ask(core: Core, run: CampaignRun, now: float, wall: float) -> None:
    """For more, when it is time."""
    if run.state != "running" or (run.asked_at is not None and now < run.asked_at + _ANSWER_S):
        return
    wanted = _n_wanted(core, run, now, wall)
    if wanted is None:
        return
    run.asked_at, run.n_asked, run.is_answer_stale = now, wanted, False
    core.out.append(LoadRecords(campaign=run.name, n=wanted))


def _n_wanted(core: Core, run: CampaignRun, now: float, wall: float) -> int | None:
    """None = nothing is asked for now."""
    is_fresh = now < run.loaded_at + _FRESH_S
    if run.campaign.mode == "preview":
        # Agents take the records; only how many are open is asked.
        return 0 if now >= run.load_at and (not run.n_open or not is_fresh) else None
    room = core.rules.hopper - len(run.hopper)
    if 2 * len(run.hopper) < core.rules.hopper and (now >= run.load_at or _has_due(run, now, wall)):
        return room
    return None if is_fresh else max(_AT_LEAST, room)


def _has_due(run: CampaignRun, now: float, wall: float) -> bool:
    return 0 < run.next_due_utc <= wall and now >= run.loaded_at + 1.0


def loaded(core: Core, told: RecordsLoaded, now: float, wall: float) -> None:
    run = core.run_of(told.campaign)
    if run.is_answer_stale or not run.is_dialling:
        give_back(core, run, list(told.records))
        if run.is_answer_stale:
            run.asked_at, run.is_answer_stale, run.load_at = None, False, now
        elif run.asked_at is not None:
            _answered(run, told, now)
        core.touch(run)
        return
    _answered(run, told, now)
    refused = []
    known = {live.record.record_id for live in run.live.values()}
    for record in told.records:
        if record.record_id in run.hopper or record.record_id in known:
            continue
        answer = may_call(record, run.book, wall)
        if isinstance(answer, Yes):
            run.deferred.pop(record.record_id, None)
            run.hopper[record.record_id] = record
        else:
            put_off(core, run, record, answer, wall)
            refused.append(record)
    in_order = sorted(
        run.hopper.values(), key=lambda each: (not has_promise(each), -each.priority, each.n_attempts > 0)
    )
    run.hopper = {each.record_id: each for each in in_order[: core.rules.hopper]}
    give_back(core, run, refused + in_order[core.rules.hopper :])
    core.touch(run)


def _answered(run: CampaignRun, told: RecordsLoaded, now: float) -> None:
    is_all = len(told.records) < run.n_asked or not run.n_asked
    run.is_known_empty = not told.n_open and run.asked_at is not None and run.asked_at >= run.wrote_at + _SETTLED_S
    run.asked_at, run.loaded_at = None, now
    run.load_at = now + _POLL_S if is_all else now
    run.n_open, run.next_due_utc = told.n_open, told.next_due_utc


def changed(core: Core, run: CampaignRun, record_ids: tuple[str, ...], now: float) -> None:
    """Records are no longer as they were loaded."""
    wanted = set(record_ids)
    gone = [each for each in run.hopper.values() if not wanted or each.record_id in wanted]
    for record in gone:
        del run.hopper[record.record_id]
    give_back(core, run, gone)
    if not wanted:
        run.deferred.clear()
    run.is_answer_stale = run.asked_at is not None
    run.n_open, run.load_at, run.is_known_empty = None, now, False
    core.touch(run)


def reopened(core: Core, run: CampaignRun, record: CampaignRecord) -> None:
    """By an agent's word it may be called again."""
    note_written(core, run)
    note_deferred(run, record)
    if run.n_open is not None:
        run.n_open += 1
    run.load_at = min(run.load_at, core.now + _SETTLED_S)


def empty(core: Core, run: CampaignRun) -> None:
    """Back to the database."""
    give_back(core, run, list(run.hopper.values()))
    run.hopper = {}
    run.is_answer_stale = run.asked_at is not None


def take(core: Core, run: CampaignRun, wall: float) -> tuple[CampaignRecord, int] | None:
    """The next one who may be called now, and on which number; None = nobody."""
    refused = []
    found = None
    for record_id in list(run.hopper):
        record = run.hopper.pop(record_id)
        answer = may_call(record, run.book, wall)
        if isinstance(answer, Yes):
            found = record, answer.position
            break
        put_off(core, run, record, answer, wall)
        refused.append(record)
    give_back(core, run, refused)
    return found


def put_off(core: Core, run: CampaignRun, record: CampaignRecord, answer: No, wall: float) -> None:
    """It may not be called now, or ever."""
    refuse(record, answer, wall)
    if record.status in OPEN:
        note_deferred(run, record)
        return
    count_closed(core, run, record)
    tell_changed(core, run, record)


def note_deferred(run: CampaignRun, record: CampaignRecord) -> None:
    """For who asks why nobody is called."""
    run.deferred.pop(record.record_id, None)
    if record.deferred:
        run.deferred[record.record_id] = (record.deferred, record.next_utc)
        if len(run.deferred) > _MAX_DEFERRED:
            del run.deferred[next(iter(run.deferred))]
    if record.next_utc:
        run.next_due_utc = min(run.next_due_utc or math.inf, record.next_utc)


def count_closed(core: Core, run: CampaignRun, record: CampaignRecord) -> None:
    """It will not be called again."""
    run.deferred.pop(record.record_id, None)
    if run.n_open:
        run.n_open -= 1
    if not run.n_open:
        run.load_at = min(run.load_at, core.now + _SETTLED_S)


def tell_changed(core: Core, run: CampaignRun, record: CampaignRecord) -> None:
    core.out.append(
        RecordChanged(
            campaign=run.name,
            record_id=record.record_id,
            status=record.status,
            reason=record.reason,
            deferred=record.deferred,
            next_utc=record.next_utc,
            disposition=record.disposition,
            n_attempts=record.n_attempts,
        )
    )


def note_written(core: Core, run: CampaignRun) -> None:
    """Until the database has it, what it says of open records may be old."""
    run.wrote_at, run.is_known_empty = core.now, False


def give_back(core: Core, run: CampaignRun, records: list[CampaignRecord]) -> None:
    """To the database, as they are now."""
    if records:
        note_written(core, run)
        core.out.append(ReturnRecords(campaign=run.name, records=records))
