"""Every agent is busy and calls wait: agents are told, again and again (ACD-19)."""

from acd.core import Core
from acd.state import QueueState
from model.events_queue import QueueAllBusy


def look_at_busy(core: Core, queue: QueueState, now: float, *, is_due: bool = False) -> None:
    """Tells when it begins and when it is over; with `is_due` that it still is so."""
    name = queue.settings.name
    # The head of a ring_all queue stays in the line while all ring for it.
    n_unserved = len(core.lines[name]) - (queue.settings.strategy == "ring_all")
    is_so = n_unserved > 0 and core.n_agents[name] > 0 and not core.idle[name].members
    is_new = is_so and not queue.all_busy_at
    if is_new or (is_so and is_due):
        queue.all_busy_at = now
        core.out.append(_told(core, queue, now, is_over=False))
        if core.rules.all_busy_interval_s:
            core.arm(now + core.rules.all_busy_interval_s, "all_busy", name)
    elif queue.all_busy_at and not is_so:
        queue.all_busy_at = 0.0
        core.out.append(_told(core, queue, now, is_over=True))


def _told(core: Core, queue: QueueState, now: float, *, is_over: bool) -> QueueAllBusy:
    name = queue.settings.name
    head = core.lines[name].head()
    return QueueAllBusy(
        queue=name,
        is_over=is_over,
        n_waiting=queue.n_waiting,
        n_agents=core.n_agents[name],
        longest_wait_s=now - core.entries[head[3]].enter_time if head is not None else 0.0,
    )
