"""Why a call waits, for people who ask: its place, who is before it, what keeps each agent away; and how well waits are
predicted."""

import math
from itertools import islice

import msgspec

from acd.announcing import estimate
from acd.core import Core, demand_of
from acd.idle import is_able
from acd.matching import is_blocked
from acd.state import RANKS, AgentState, Entry, QueueState

_SHOWN = 8


class WaitExplained(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An entry at one moment."""

    entry_id: str
    queue: str
    state: str
    """As `acd.state.Entry.state`."""
    position: int
    """1 = next; of one for whom an agent is rung or who is not in the line, the place he would have."""
    rank: str
    """first, returned, vip or normal."""
    is_aged: bool
    """Counts as a VIP for having waited so long."""
    waited_s: float
    score_s: float
    """Seconds of waiting with what its priority adds: what decides within a class."""
    before: tuple[tuple[str, int], ...]
    """(class, how many of it stand before), none of 0."""
    first_before: tuple[str, ...]
    """Entries before it, the next one first; at most 8."""
    skills: tuple[tuple[str, int], ...]
    """Asked of agents now."""
    agents: dict[str, int]
    """Reason -> agents of the queue who do not have it for that."""
    ewt_s: float | None
    """None: not known well enough."""


class EstimateError(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Root mean square of predicted less real waits, in seconds; 0.0 of none."""

    n_predicted: int
    rms_s: float
    rms_of_head_s: float
    """What predicting the wait of the head of the line would have given."""


def explain(core: Core, entry: Entry, now: float) -> WaitExplained:
    queue = core.queues.get(entry.queue)
    step_s = queue.settings.priority_step_s if queue is not None else 0.0
    lines = core.lines.get(entry.queue)
    position, before = 0, []
    first_before: tuple[str, ...] = ()
    if lines is not None:
        key = entry.key(step_s)
        position = lines.n_before(key) + 1
        n_so_far = 0
        for rank, name in enumerate(RANKS[: entry.rank + 1]):
            upto = key if rank == entry.rank else (rank + 1, -math.inf, 0)
            n = lines.n_before(upto)
            if n > n_so_far:
                before.append((name, n - n_so_far))
                n_so_far = n
        first_before = tuple(ticket[3] for ticket in islice(lines.in_order(), min(position - 1, _SHOWN)))
    return WaitExplained(
        entry_id=entry.entry_id,
        queue=entry.queue,
        state=entry.state,
        position=position,
        rank=RANKS[entry.rank],
        is_aged=entry.is_aged,
        waited_s=now - entry.enter_time,
        score_s=now - entry.enter_time + entry.priority * step_s,
        before=tuple(before),
        first_before=first_before,
        skills=entry.skills,
        agents=agents_by_reason(core, entry, now) if queue is not None else {},
        ewt_s=estimate(core, queue, max(position, 1), now) if queue is not None else None,
    )


def agents_by_reason(core: Core, entry: Entry, now: float) -> dict[str, int]:
    counts: dict[str, int] = {}
    for agent in core.agents.values():
        if any(each.queue == entry.queue for each in agent.queues):
            reason = _why_not_for(core, entry, agent, now)
            counts[reason] = counts.get(reason, 0) + 1
    return counts


def estimate_error(queue: QueueState) -> EstimateError:
    n = queue.n_predicted
    return EstimateError(
        n_predicted=n,
        rms_s=math.sqrt(queue.squared_error / n) if n else 0.0,
        rms_of_head_s=math.sqrt(queue.squared_error_of_head / n) if n else 0.0,
    )


def _why_not_for(core: Core, entry: Entry, agent: AgentState, now: float) -> str:
    """Why this agent of the entry's queue does not have it, in few words."""
    if agent.state != "idle":
        return {"away": agent.why or "away", "offered": "ringing", "serving": "on a call"}[agent.state]
    if not is_able(agent, demand_of(entry)):
        return "skills" if entry.skills else "takes no such calls"
    if is_blocked(entry, agent.agent_id, now):
        return "did not take it a moment ago"
    return "reserved for inbound calls" if entry.is_outbound else "is chosen next"
