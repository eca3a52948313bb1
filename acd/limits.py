"""How long calls may wait and how many, and what age and time do to their place (ACD-07…09, XACD-01/02)."""

from acd.core import Core, is_present
from acd.leaving import drop, send_on
from acd.state import VIP, AgentState, Entry, QueueState
from model.events_queue import QueueEntryChanged


def refusal(core: Core, queue: QueueState, ewt_s: float | None, *, is_outbound: bool = False) -> str:
    """Why a call that comes now is sent on at once; "" = it may wait. For how long one that we placed does is said by
    its campaign."""
    limits = queue.settings.limits
    if queue.state != "open":
        return "closed"
    if is_outbound:
        return ""
    if limits.max_waiting and queue.n_waiting >= limits.max_waiting:
        return "overflow_full"
    if limits.has_no_agent_limit and not limits.no_agent_wait_s and queue.absent_since is not None:
        return "exit_empty"
    if limits.max_ewt_s and ewt_s is not None and ewt_s > limits.max_ewt_s:
        return "overflow_full"
    return ""


def arm(core: Core, entry: Entry, queue: QueueState, now: float) -> None:
    """The timers of a new entry."""
    settings, limits = queue.settings, queue.settings.limits
    if limits.max_wait_s:
        core.arm(entry.began + limits.max_wait_s, "max_wait", entry.entry_id)
    if limits.has_no_agent_limit and queue.absent_since is not None:
        core.arm(now + limits.no_agent_wait_s, "no_agent", entry.entry_id)
    if settings.vip_starve_s and entry.rank > VIP:
        core.arm(entry.enter_time + settings.vip_starve_s, "age", entry.entry_id)
    arm_relaxing(core, entry, queue)


def arm_relaxing(core: Core, entry: Entry, queue: QueueState) -> None:
    steps = queue.settings.relax
    if entry.skills and entry.n_relaxed < len(steps):
        core.arm(entry.enter_time + steps[entry.n_relaxed].after_s, "relax", entry.entry_id)


def overdue(core: Core, entry: Entry, reason: str, now: float) -> None:
    """Its time is up; while an agent is rung he may still answer."""
    if entry.state == "offered":
        entry.is_overdue, entry.overdue_reason = True, reason
    elif entry.state in ("waiting", "listening") and not entry.callback_number:
        send_on(core, entry, reason, now)


def max_wait(core: Core, entry: Entry, now: float) -> None:
    limit_s = core.queues[entry.queue].settings.limits.max_wait_s
    # The limit may be another one by now.
    if limit_s and now >= entry.began + limit_s - 1e-6:
        overdue(core, entry, "timeout", now)


def no_agent(core: Core, entry: Entry, now: float) -> None:
    """Nobody has been there for long enough, in all that time."""
    queue = core.queues[entry.queue]
    limits = queue.settings.limits
    if not limits.has_no_agent_limit or queue.absent_since is None:
        return
    if now >= max(entry.began, queue.absent_since) + limits.no_agent_wait_s - 1e-6:
        overdue(core, entry, "no_agent_timeout", now)


def expire(core: Core, entry: Entry, now: float) -> None:
    """A callback that came to nothing in time."""
    if entry.callback_number and entry.state in ("waiting", "resting"):
        drop(core, entry, "timeout", now)


def age(core: Core, entry: Entry, now: float) -> None:
    """It has waited so long that it counts as a VIP's (DIALER-ACD §4)."""
    queue = core.queues[entry.queue]
    if not queue.settings.vip_starve_s or entry.rank <= VIP:
        return
    entry.is_aged = True
    replace(core, entry, VIP, "aged")


def replace(core: Core, entry: Entry, rank: int, change: str) -> None:
    """Gives the entry another class; where it stands it stands anew."""
    is_standing = entry.entry_id in core.lines[entry.queue]
    if is_standing:
        core.lines[entry.queue].remove(entry.entry_id)
    entry.rank = rank
    if is_standing:
        core.stand(entry)
    core.out.append(
        QueueEntryChanged(
            call_id=entry.call_id,
            entry_id=entry.entry_id,
            queue=entry.queue,
            change=change,
            position=core.position(entry),
        )
    )


def relax(core: Core, entry: Entry, now: float) -> None:
    """Less is asked of agents from now on; the place stays."""
    queue = core.queues[entry.queue]
    steps = queue.settings.relax
    if entry.n_relaxed >= len(steps) or not entry.skills:
        return
    step = steps[entry.n_relaxed]
    entry.n_relaxed += 1
    is_standing = entry.entry_id in core.lines[entry.queue]
    if is_standing:
        core.lines[entry.queue].remove(entry.entry_id)
    entry.skills = (
        ()
        if step.is_any_agent
        else tuple(
            (name, level - step.lower_by)
            for name, level in entry.skills
            if name not in step.drop and level - step.lower_by > 0
        )
    )
    if is_standing:
        core.stand(entry)
    core.out.append(
        QueueEntryChanged(
            call_id=entry.call_id,
            entry_id=entry.entry_id,
            queue=entry.queue,
            change="relaxed",
            position=core.position(entry),
        )
    )
    arm_relaxing(core, entry, queue)
    if entry.state == "waiting":
        core.unserved.append(entry)


# -- whether anybody is there ------------------------------------------------------------------------------------------


def recheck_presence(core: Core, now: float) -> None:
    """Agents whose state changed may count as there, or no longer (XACD-09)."""
    agents, core.changed = core.changed, []
    for agent in agents:
        if core.agents.get(agent.agent_id) is not agent:
            continue
        for each in agent.queues:
            queue = core.queues.get(each.queue)
            if queue is None or not queue.settings.limits.absent:
                continue
            present = core.present[each.queue]
            if is_present(agent, queue) != (agent.agent_id in present):
                present ^= {agent.agent_id}
                _look_at_presence(core, queue, now)


def _look_at_presence(core: Core, queue: QueueState, now: float) -> None:
    name, limits = queue.settings.name, queue.settings.limits
    if core.present[name]:
        queue.absent_since = None
    elif queue.absent_since is None:
        queue.absent_since = now
        if limits.has_no_agent_limit:
            core.arm(now + limits.no_agent_wait_s, "nobody", name)


def count_agent(core: Core, agent: AgentState, name: str, now: float, *, is_new: bool) -> None:
    """He serves the queue from now on, or no longer."""
    queue = core.queues.get(name)
    if queue is None:
        return
    core.n_agents[name] += 1 if is_new else -1
    if is_new and is_present(agent, queue):
        core.present[name].add(agent.agent_id)
    else:
        core.present[name].discard(agent.agent_id)
    _look_at_presence(core, queue, now)


def nobody(core: Core, queue: QueueState, now: float) -> None:
    """Everybody left so long ago: those who waited by then go."""
    name = queue.settings.name
    for entry in [each for each in core.entries.values() if each.queue == name]:
        no_agent(core, entry, now)
