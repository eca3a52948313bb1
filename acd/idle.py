"""The idle agents of one queue, best first: heaps with lazy deletion, one for each set of demands and area.

An agent who is no longer idle stays in the heaps with an epoch of the past, and is dropped when he comes to the top.
"""

from collections.abc import Container
from heapq import heapify, heappop, heappush

from acd.lines import Demand
from acd.state import AgentState, Tally
from model.queues import Queue

_ANYWHERE = ""
_MOST_DEMANDS = 64
"""Sets of demands with a heap of their own; with more, heaps are made anew when they are asked for."""
_Item = tuple[int, float, float, str, int]
"""(-level or 0, the strategy's figures, agent id, epoch)"""
_NONE = Tally()


def strategy_key(agent: AgentState, queue: Queue) -> tuple[float, float]:
    """What the queue's strategy compares, the least first (FEATURES 4.5)."""
    match queue.strategy:
        case "login_order":
            return (agent.signed_in_at, agent.serial)
        case "fewest_calls":
            return (agent.tallies.get(queue.name, _NONE).answered, agent.idle_since)
        case "least_talk_time":
            return (agent.tallies.get(queue.name, _NONE).talk_s, agent.idle_since)
        case "round_robin":
            return (agent.tallies.get(queue.name, _NONE).turn, agent.serial)
        case "random":
            return (agent.lots.get(queue.name, 0.0), agent.serial)
        case _:
            # longest_idle; those that ring several begin with him, too.
            return (agent.idle_since, agent.serial)


def is_able(agent: AgentState, demand: Demand) -> bool:
    """Whether he may serve a call that asks for this."""
    is_outbound, skills = demand
    if not (agent.takes_outbound if is_outbound else agent.takes_inbound):
        return False
    own = agent.skills
    return all(own.get(name, 0) >= level for name, level in skills)


class IdleAgents:
    __slots__ = ("_heaps", "_queue", "members", "n_inbound")

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.members: dict[str, AgentState] = {}
        self.n_inbound = 0
        self._heaps: dict[str, dict[Demand, list[_Item]]] = {}
        """By area, so that an agent who becomes idle touches those of his own and those of everybody."""

    def add(self, agent: AgentState) -> None:
        if agent.agent_id in self.members:
            return
        self.members[agent.agent_id] = agent
        self.n_inbound += agent.takes_inbound
        if self._heaps:
            item = self._item(agent)
            for area in {_ANYWHERE, agent.area}:
                for demand, heap in self._heaps.get(area, {}).items():
                    if is_able(agent, demand):
                        heappush(heap, item)

    def remove(self, agent: AgentState) -> None:
        """Nothing when he is not there. Call it before what he takes changes."""
        if self.members.pop(agent.agent_id, None) is not None:
            self.n_inbound -= agent.takes_inbound

    def best(self, demand: Demand, passed_over: Container[str], area: str = _ANYWHERE) -> AgentState | None:
        """The idle agent with the highest level, when the queue prefers that, and the least strategy key; with `area`
        of those of that area."""
        heap = self._heap(demand, area)
        members, aside = self.members, []
        found = None
        while heap:
            top = heap[0]
            agent = members.get(top[3])
            if agent is None or agent.epoch != top[4]:
                heappop(heap)
            elif top[3] in passed_over:
                aside.append(heappop(heap))
            else:
                found = agent
                break
        for item in aside:
            heappush(heap, item)
        return found

    def able(self, demand: Demand) -> list[AgentState]:
        """All of them, in the strategy's order."""
        agents = [agent for agent in self.members.values() if is_able(agent, demand)]
        return sorted(agents, key=self._item)

    def _heap(self, demand: Demand, area: str) -> list[_Item]:
        heaps = self._heaps.setdefault(area, {})
        heap = heaps.get(demand)
        if heap is None or len(heap) > 4 * len(self.members) + 64:
            if len(heaps) >= _MOST_DEMANDS:
                heaps.clear()
            heap = heaps[demand] = [
                self._item(agent)
                for agent in self.members.values()
                if (area == _ANYWHERE or area == agent.area) and is_able(agent, demand)
            ]
            heapify(heap)
        return heap

    def _item(self, agent: AgentState) -> _Item:
        queue = self._queue
        level = agent.level_in(queue.name) if "level" in queue.prefer else 0
        return (-level, *strategy_key(agent, queue), agent.agent_id, agent.epoch)
