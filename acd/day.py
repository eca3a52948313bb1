"""A day by its profile: what the agents there are make of it, and how many would be needed (`ringback simulate`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from acd.laws import Law
from acd.simulation import Plan, Shift, Simulation, Stream
from acd.simulation_results import SimulationResult
from model.agents import Agent, Membership
from model.queues import AcdRules, Queue

MOST_AGENTS = 2000
_TALK_SPREAD = 0.8
"""Of talk times, as call centres measure it (lognormal; Brown et al. 2005)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Calls to one queue from `start_s` to `end_s` of the day. `patience_s`: mean; 0.0 = nobody gives up."""

    queue: str
    start_s: float
    end_s: float
    calls: float
    handle_s: float
    patience_s: float = 0.0


def plan_day(
    profile: Sequence[Interval],
    queues: Sequence[Queue],
    agents: Sequence[Agent],
    rules: AcdRules,
    *,
    interval_s: float,
    ring_s: float,
) -> Plan:
    """All agents who are enabled, from the first call to the last, by the queues and skills they have.

    Raises ValueError for a queue that is none, and for an interval without any length or handling time.
    """
    names = {queue.name for queue in queues}
    for each in profile:
        if each.queue not in names:
            raise ValueError(f"no queue {each.queue} is configured; there are: {', '.join(sorted(names)) or 'none'}")
        if each.end_s <= each.start_s or each.handle_s <= 0 or each.calls < 0:
            raise ValueError(
                f"an interval of {each.queue} needs a length, calls of 0 or more and a handling time above 0"
            )
    end_s = max((each.end_s for each in profile), default=0.0)
    return Plan(
        queues=tuple(queues),
        shifts=tuple(
            Shift(
                agent_id=agent.agent_id,
                queues=agent.queues,
                end_s=end_s,
                level=agent.level,
                area=agent.home_area,
                skills=tuple(sorted(agent.skills.items())),
            )
            for agent in agents
            if agent.is_enabled and agent.queues
        ),
        streams=tuple(
            Stream(
                queue=each.queue,
                start_s=each.start_s,
                end_s=each.end_s,
                calls=each.calls,
                talk=Law(kind="lognormal", mean_s=each.handle_s, spread=_TALK_SPREAD),
                patience=Law(kind="exponential", mean_s=each.patience_s) if each.patience_s else None,
            )
            for each in profile
        ),
        rules=rules,
        answer=Law(mean_s=ring_s),
        interval_s=interval_s,
    )


def agents_needed(plan: Plan, seeds: Sequence[int]) -> int:
    """The fewest agents with which each queue reaches its goal over the days of all seeds. Each serves every queue that
    calls come to and has all its skills.

    Raises ValueError: not even `MOST_AGENTS` do.
    """
    low, high = 1, 2
    # Doubling first: a day with far too few agents takes longer to simulate than one with enough.
    while high <= MOST_AGENTS and not _reaches(plan, high, seeds):
        low, high = high + 1, high * 2
    if high > MOST_AGENTS:
        raise ValueError(f"not even {MOST_AGENTS} agents reach the service level")
    while low < high:
        middle = (low + high) // 2
        if _reaches(plan, middle, seeds):
            high = middle
        else:
            low = middle + 1
    return low


def with_agents(plan: Plan, n_agents: int) -> Plan:
    """The same day with so many agents, all alike."""
    used = sorted({stream.queue for stream in plan.streams})
    skills = sorted({skill for queue in plan.queues for skill in queue.skills})
    end_s = max((stream.end_s for stream in plan.streams), default=0.0)
    served = tuple(Membership(queue=name) for name in used)
    every = tuple((name, 9) for name in skills)
    return replace(
        plan,
        shifts=tuple(Shift(agent_id=f"s{n}", queues=served, skills=every, end_s=end_s) for n in range(n_agents)),
    )


def reaches_goals(results: Sequence[SimulationResult], queues: Sequence[Queue]) -> bool:
    """Whether each queue answered enough calls in time; who still waited at the end was not."""
    for queue in queues:
        totals = [result.queues[queue.name].total for result in results]
        came = sum(each.arrived - each.overflowed for each in totals)
        if came > 0 and sum(each.in_time for each in totals) < queue.service_level_goal * came:
            return False
    return True


def _reaches(plan: Plan, n_agents: int, seeds: Sequence[int]) -> bool:
    manned = with_agents(plan, n_agents)
    return reaches_goals([Simulation(manned, seed).run() for seed in seeds], plan.queues)
