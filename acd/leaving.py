"""Entries that leave a queue without an agent: sent on, hung up, moved away."""

from acd.actions import SendOn
from acd.busy import look_at_busy
from acd.core import Core
from acd.state import Entry, QueueState
from model.events_queue import QueueCallbackChanged, QueueLeft
from model.queues import QueueLimits


def left(
    entry: Entry, reason: str, now: float, *, agent_id: str = "", target: str = "", was_ringing: bool = False
) -> QueueLeft:
    return QueueLeft(
        call_id=entry.call_id,
        entry_id=entry.entry_id,
        queue=entry.queue,
        reason=reason,
        wait_s=now - entry.began,
        agent_id=agent_id,
        target=target,
        was_ringing=was_ringing,
    )


def send_on(core: Core, entry: Entry, reason: str, now: float) -> None:
    """The entry goes where the queue's limits say; a virtual one is given up. Nobody rings for it any more."""
    target = target_of(core, entry, reason)
    drop(core, entry, reason, now, target=target)
    if not entry.callback_number:
        core.out.append(
            SendOn(
                entry_id=entry.entry_id,
                call_id=entry.call_id,
                queue=entry.queue,
                reason=reason,
                target=target,
                enter_time=entry.enter_time,
                n_hops=entry.n_hops + target.startswith("queue:"),
            )
        )


def target_of(core: Core, entry: Entry, reason: str) -> str:
    """Where the queue's limits send it; a call that overflowed through too many queues is hung up."""
    limits: QueueLimits = core.queues[entry.queue].settings.limits
    target = {
        "timeout": limits.timeout_to,
        "no_agent_timeout": limits.no_agent_to,
        "overflow_full": limits.full_to,
        "exit_empty": limits.no_agent_to,
        "closed": limits.closed_to,
    }[reason]
    if target.startswith("queue:") and entry.n_hops >= core.rules.max_hops:
        return "hangup"
    return target or "hangup"


def drop(core: Core, entry: Entry, reason: str, now: float, *, target: str = "", was_ringing: bool = False) -> None:
    """Takes the entry out for good and tells so."""
    core.step_out(entry)
    core.entries.pop(entry.entry_id, None)
    queue = core.queues[entry.queue]
    if entry.state == "calling":
        called_no_more(core, queue)
    if entry.callback_number:
        core.out.append(callback_changed(entry, {"withdrawn": "cancelled", "timeout": "expired"}.get(reason, "failed")))
    else:
        queue.n_waiting -= 1
        core.out.append(left(entry, reason, now, target=target, was_ringing=was_ringing))
    look_at_busy(core, queue, now)
    forget_if_empty(core, entry.queue)


def called_no_more(core: Core, queue: QueueState) -> None:
    """A customer who was rung first is not there: the next one may be rung for the agent who is idle."""
    queue.n_calling -= 1
    for line in core.lines[queue.settings.name].by_demand.values():
        entry = next((each for ticket in line if (each := core.entries[ticket[3]]).callback_number), None)
        if entry is not None:
            core.unserved.append(entry)


def callback_changed(entry: Entry, state: str) -> QueueCallbackChanged:
    return QueueCallbackChanged(
        call_id=entry.call_id, entry_id=entry.entry_id, queue=entry.queue, state=state, attempt=entry.n_attempts
    )


def forget_if_empty(core: Core, name: str) -> None:
    """A removed queue is gone once nobody waits in it, is offered from it or is called back."""
    queue = core.queues.get(name)
    if queue is None or not queue.is_removed:
        return
    if any(
        entry.queue == name and (entry.state != "connected" or entry.callback_number) for entry in core.entries.values()
    ):
        return
    del core.queues[name], core.lines[name], core.idle[name], core.n_agents[name], core.present[name]
