"""Calls that come to a queue, change in it, and leave it on their own account."""

from acd import announcing, limits
from acd.core import Core
from acd.inputs import (
    CallbackAnswered,
    CallbackAsked,
    CallbackFailed,
    CallEnters,
    CallLeaves,
    EntryChanges,
    EntryPulled,
    VipVerdict,
)
from acd.leaving import callback_changed, called_no_more, drop, left
from acd.offers import make, withdraw
from acd.state import FIRST, NORMAL, RANKS, RETURNED, VIP, Entry, QueueState
from model.errors import NoSuchEntry, NoSuchQueue, WrongState
from model.events_queue import QueueEntered

_KEPT_CUT_OFF = 2000
CALLBACK_REST_S = 60.0
"""Between two attempts to reach a customer."""


def enter(core: Core, told: CallEnters, now: float) -> None:
    """Raises NoSuchQueue; of a callback WrongState. An entry that is there already is nothing new."""
    queue = core.queues.get(told.queue)
    if queue is None:
        raise NoSuchQueue(f"no queue {told.queue}")
    if told.entry_id in core.entries:
        return
    if told.callback_number:
        _check_callbacks(queue)
    entry, is_resumed = _make(core, told, queue, now)
    ewt_s = announcing.estimate(core, queue, len(core.lines[told.queue]) + 1, now)
    reason = limits.refusal(core, queue, ewt_s, is_outbound=told.is_outbound) if not told.callback_number else ""
    queue.n_waiting += 1
    core.entries[entry.entry_id] = entry
    core.out.append(
        QueueEntered(
            call_id=entry.call_id,
            entry_id=entry.entry_id,
            queue=entry.queue,
            caller=entry.caller,
            rank=RANKS[entry.rank],
            position=core.position(entry),
            priority=entry.priority,
            is_outbound=entry.is_outbound,
            waited_s=now - entry.enter_time,
            n_hops=entry.n_hops,
            is_resumed=is_resumed,
        )
    )
    if reason:
        limits.overdue(core, entry, reason, now)
        return
    entry.predicted_s = ewt_s if ewt_s is not None else -1.0
    entry.began_at = len(core.lines[told.queue]) + 1
    head = core.lines[told.queue].head()
    entry.head_s = now - core.entries[head[3]].began if head is not None else 0.0
    if not told.is_outbound:
        limits.arm(core, entry, queue, now)
    announcing.arm(core, entry, queue, now)
    if told.callback_number:
        _call_back(core, entry, told.callback_number, told.call_id, now)
        distribute(core, entry, now)
        return
    delay_s = queue.settings.sound.distribute_after_s
    if delay_s and told.place is None and not told.is_outbound:
        entry.state = "listening"
        core.arm(now + delay_s, "distribute", entry.entry_id)
    else:
        distribute(core, entry, now)


def _make(core: Core, told: CallEnters, queue: QueueState, now: float) -> tuple[Entry, bool]:
    settings = queue.settings
    place = told.place
    enter_time, rank, is_resumed = now, VIP if told.is_vip else NORMAL, False
    if place is not None:
        enter_time = min(place.enter_time, now)
        if place.is_returned:
            rank = RETURNED
    elif told.caller and (kept := queue.cut_off.pop(told.caller, None)) is not None and now < kept[1]:
        enter_time, is_resumed = kept[0], True
    asked = dict(told.skills)
    for name, level in settings.skills.items():
        asked[name] = max(level, asked.get(name, 0))
    skills = tuple(sorted(asked.items()))
    return (
        Entry(
            entry_id=told.entry_id,
            call_id=told.call_id,
            queue=told.queue,
            caller=told.caller,
            rank=rank,
            enter_time=enter_time,
            began=now,
            seq=core.next_serial(),
            priority=told.priority,
            is_vip=told.is_vip,
            is_outbound=told.is_outbound,
            area=told.area,
            skills=skills,
            asked=skills,
            dedicated_agent=told.dedicated_agent,
            last_agent=told.last_agent,
            preferred=told.preferred if told.preferred_s else (),
            preferred_until=now + told.preferred_s if told.preferred else 0.0,
            n_hops=place.n_hops if place is not None else 0,
        ),
        is_resumed,
    )


def distribute(core: Core, entry: Entry, now: float) -> None:
    """An agent is looked for from now on."""
    entry.state = "waiting"
    if entry.preferred:
        for agent_id in entry.preferred:
            core.preferring.setdefault(agent_id, []).append(entry.entry_id)
        core.arm(max(entry.preferred_until, now), "preferred", entry.entry_id)
    else:
        core.stand(entry)
    core.unserved.append(entry)


def preferred_over(core: Core, entry: Entry, now: float) -> None:
    """Nobody of those he should go to was free in time: everybody may have it."""
    if not entry.preferred:
        return
    core.unprefer(entry)
    if entry.state == "waiting":
        core.stand(entry)
        core.unserved.append(entry)


def leave(core: Core, told: CallLeaves, now: float) -> None:
    """Nothing for an entry that is gone or connected."""
    entry = core.entries.get(told.entry_id)
    if entry is None or entry.state == "connected":
        return
    queue = core.queues[entry.queue]
    settings = queue.settings
    was_ringing = bool(entry.offers)
    for offer in list(entry.offers):
        withdraw(core, offer, "caller_gone", now)
    if told.reason == "abandoned" and settings.abandon_resume_s and entry.caller:
        if len(queue.cut_off) >= _KEPT_CUT_OFF:
            del queue.cut_off[next(iter(queue.cut_off))]
        queue.cut_off[entry.caller] = (entry.enter_time, now + settings.abandon_resume_s)
    drop(core, entry, told.reason, now, was_ringing=was_ringing)


def verdict(core: Core, told: VipVerdict, now: float) -> None:
    entry = core.entries.get(told.entry_id)
    if entry is None or entry.state == "connected" or entry.is_vip == told.is_vip:
        return
    entry.is_vip = told.is_vip
    if entry.rank in (VIP, NORMAL):
        limits.replace(core, entry, VIP if told.is_vip else NORMAL, "vip" if told.is_vip else "not_vip")


def change(core: Core, told: EntryChanges, now: float) -> None:
    """Raises NoSuchEntry, WrongState when it waits no longer."""
    entry = core.entries.get(told.entry_id)
    if entry is None:
        raise NoSuchEntry(f"no call waits as {told.entry_id}")
    if entry.state not in ("waiting", "listening", "offered"):
        raise WrongState(f"{told.entry_id} does not wait: it is {entry.state}")
    # The ticket in the line was made with the priority of before.
    is_standing = entry.entry_id in core.lines[entry.queue]
    if is_standing:
        core.lines[entry.queue].remove(entry.entry_id)
    if told.priority is not None:
        entry.priority = told.priority
    if is_standing:
        core.stand(entry)
    limits.replace(core, entry, FIRST if told.is_first else entry.rank, "first" if told.is_first else "priority")


def pull(core: Core, told: EntryPulled, now: float) -> None:
    """Raises NoSuchEntry; WrongState when it waits no longer, or he is not idle or does not serve the queue."""
    entry = core.entries.get(told.entry_id)
    if entry is None:
        raise NoSuchEntry(f"no call waits as {told.entry_id}")
    if entry.state not in ("waiting", "listening") or entry.callback_number:
        raise WrongState(f"{told.entry_id} cannot be pulled: it is {entry.state}")
    agent = core.agents.get(told.agent_id)
    if agent is None or not any(each.queue == entry.queue for each in agent.queues):
        raise WrongState(f"agent {told.agent_id} is not signed in for queue {entry.queue}")
    if agent.state != "idle" or not agent.takes_inbound:
        raise WrongState(f"agent {told.agent_id} is not available")
    if entry.state == "listening":
        entry.state, entry.preferred = "waiting", ()
        core.stand(entry)
    elif entry.preferred:
        core.unprefer(entry)
        core.stand(entry)
    make(core, entry, agent, "pulled", "pulled", [], now)


# -- callbacks ---------------------------------------------------------------------------------------------------------


def callback_asked(core: Core, told: CallbackAsked, now: float) -> None:
    """Raises NoSuchEntry; WrongState when it waits no longer, or the queue does not call back."""
    entry = core.entries.get(told.entry_id)
    if entry is None:
        raise NoSuchEntry(f"no call waits as {told.entry_id}")
    queue = core.queues[entry.queue]
    if not queue.settings.callback.is_enabled:
        raise WrongState(f"queue {entry.queue} does not call back (callback.is_enabled)")
    if entry.state not in ("waiting", "listening", "offered") or entry.callback_number:
        raise WrongState(f"{told.entry_id} does not wait: it is {entry.state}")
    for offer in list(entry.offers):
        withdraw(core, offer, "caller_gone", now)
    if entry.state == "offered":
        core.lines[entry.queue].remove(entry.entry_id)
        entry.state = "waiting"
        core.stand(entry)
    _call_back(core, entry, told.number, told.call_id, now)
    if entry.state == "listening":
        distribute(core, entry, now)
    else:
        core.unserved.append(entry)


def _check_callbacks(queue: QueueState) -> None:
    if not queue.settings.callback.is_enabled:
        raise WrongState(f"queue {queue.settings.name} does not call back (callback.is_enabled)")
    if queue.state != "open":
        raise WrongState(f"queue {queue.settings.name} is {queue.state}")


def _call_back(core: Core, entry: Entry, number: str, call_id: str, now: float) -> None:
    """It is virtual from now on."""
    queue = core.queues[entry.queue]
    queue.n_waiting -= 1
    entry.callback_number = number
    core.out.append(left(entry, "callback_converted", now))
    entry.call_id = call_id or entry.call_id
    core.out.append(callback_changed(entry, "asked"))
    core.arm(now + queue.settings.callback.expires_s, "expire", entry.entry_id)


def callback_answered(core: Core, told: CallbackAnswered, now: float) -> None:
    entry = core.entries.get(told.entry_id)
    if entry is None or entry.state != "calling":
        return
    queue = core.queues[entry.queue]
    queue.n_calling -= 1
    core.out.append(callback_changed(entry, "answered"))
    # He waits like everybody now, before everybody.
    entry.callback_number = ""
    entry.rank = min(entry.rank, RETURNED)
    entry.began = now
    queue.n_waiting += 1
    core.out.append(
        QueueEntered(
            call_id=entry.call_id,
            entry_id=entry.entry_id,
            queue=entry.queue,
            caller=entry.caller,
            rank=RANKS[entry.rank],
            position=1,
            priority=entry.priority,
            is_outbound=entry.is_outbound,
            waited_s=now - entry.enter_time,
            n_hops=entry.n_hops,
            is_resumed=True,
        )
    )
    distribute(core, entry, now)


def callback_failed(core: Core, told: CallbackFailed, now: float) -> None:
    """Tried again after a rest, before everybody; given up after the last attempt."""
    entry = core.entries.get(told.entry_id)
    if entry is None or not entry.callback_number or entry.state not in ("calling", "connected"):
        return
    queue = core.queues[entry.queue]
    agent = core.agents.get(entry.agent_id)
    if entry.state == "calling":
        called_no_more(core, queue)
    else:
        # An agent was rung first: he is the one who tried.
        entry.n_attempts += 1
        if agent is not None and agent.entry_id == entry.entry_id:
            agent.entry_id = ""
            if agent.state == "serving":
                core.take_out(agent, "away")
                agent.takes_inbound = agent.takes_outbound = False
    entry.agent_id = ""
    entry.state = "resting"
    if entry.n_attempts > queue.settings.callback.retries or queue.state == "closed":
        drop(core, entry, "failed", now)
        return
    entry.rank = min(entry.rank, RETURNED)
    core.out.append(callback_changed(entry, "retry"))
    core.arm(now + CALLBACK_REST_S, "call_again", entry.entry_id)
