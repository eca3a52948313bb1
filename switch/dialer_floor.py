"""What the dialler sees of the agents of a queue, and how long they talked and wrapped up. Reads the floor only.

One look costs about a microsecond an agent.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from acd.desk_state import DeskAgent
from acd.state import AgentState
from dialer.inputs import AgentTalked, AgentWrapped, DialerInput, FloorSeen
from switch.floor import Floor

Doing = Literal["", "talk", "wrap"]


class _Agent(msgspec.Struct, gc=False):
    doing: Doing = ""
    since: float = 0.0
    queues: tuple[str, ...] = ()


class FloorWatch:
    """`look` tells what is new since the last time."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._agents: dict[str, _Agent] = {}
        self._seen: dict[str, FloorSeen] = {}

    def look(self, queues: Iterable[str], now: float) -> list[DialerInput]:
        """Ended conversations and after-call work first, then each queue that looks other than before, or where
        somebody talks: ages grow."""
        told: list[DialerInput] = []
        by_queue: dict[str, list[tuple[AgentState, DeskAgent]]] = {queue: [] for queue in queues}
        state, desks = self._floor.centre.engine.state, self._floor.centre.desk.state.agents
        gone = self._agents.keys() - desks.keys()
        for agent_id in gone:
            self._changed(agent_id, "", now, (), told)
            del self._agents[agent_id]
        for agent_id, desk in desks.items():
            agent = state.agents.get(agent_id)
            served = tuple(each.queue for each in agent.queues if each.queue in by_queue) if agent is not None else ()
            if agent is None or not served:
                continue
            doing: Doing = "talk" if desk.doing or desk.offer_id else "wrap" if desk.acw_since is not None else ""
            self._changed(agent_id, doing, now, served, told)
            if takes_outbound(agent, desk):
                for queue in served:
                    by_queue[queue].append((agent, desk))
        for queue, agents in by_queue.items():
            seen = self._see(queue, agents, now)
            if seen.talking_s or seen.wrapping_s or seen != self._seen.get(queue):
                self._seen[queue] = seen
                told.append(seen)
        for queue in self._seen.keys() - by_queue.keys():
            del self._seen[queue]
        return told

    def _changed(
        self, agent_id: str, doing: Doing, now: float, queues: tuple[str, ...], told: list[DialerInput]
    ) -> None:
        before = self._agents.setdefault(agent_id, _Agent(since=now, queues=queues))
        if before.doing != doing:
            spent = now - before.since
            if before.doing == "talk":
                told += [AgentTalked(queue=queue, talk_s=spent) for queue in before.queues]
                if doing != "wrap":
                    told += [AgentWrapped(queue=queue, wrap_s=0.0) for queue in before.queues]
            elif before.doing == "wrap":
                told += [AgentWrapped(queue=queue, wrap_s=spent) for queue in before.queues]
            before.doing, before.since = doing, now
        before.queues = queues

    def _see(self, queue: str, agents: list[tuple[AgentState, DeskAgent]], now: float) -> FloorSeen:
        idle = [agent for agent, _ in agents if agent.state == "idle"]
        talking: list[float] = []
        wrapping: list[float] = []
        for agent, _ in agents:
            if agent.state == "idle":
                continue
            mine = self._agents[agent.agent_id]
            (wrapping if mine.doing == "wrap" else talking).append(now - mine.since)
        return FloorSeen(
            queue=queue,
            n_agents=len(agents),
            n_idle=len(idle) - self._n_kept(queue, idle),
            talking_s=tuple(talking),
            wrapping_s=tuple(wrapping),
            n_inbound_waiting=self._n_inbound(agents),
        )

    def _n_kept(self, queue: str, idle: list[AgentState]) -> int:
        """Of the idle agents, those that the queue's reserve keeps for callers (ACD-16): who takes only calls of
        campaigns is none of them, and who takes only callers' is there first."""
        settings = self._floor.centre.engine.state.queues.get(queue)
        reserve = settings.settings.reserve if settings is not None else 0
        if not reserve:
            return 0
        blended = sum(agent.takes_inbound for agent in idle)
        core = self._floor.centre.engine.state
        others = sum(
            agent.state == "idle" and agent.takes_inbound and not agent.takes_outbound
            for agent in core.agents.values()
            if any(each.queue == queue for each in agent.queues)
        )
        return min(blended, max(0, reserve - others))

    def _n_inbound(self, agents: list[tuple[AgentState, DeskAgent]]) -> int:
        """Callers who wait for any of them."""
        served = {each.queue for agent, _ in agents if agent.takes_inbound for each in agent.queues}
        if not served:
            return 0
        state = self._floor.centre.engine.state
        if not any(state.queues[queue].n_waiting for queue in served if queue in state.queues):
            return 0
        return sum(
            entry.queue in served and not entry.is_outbound and entry.state == "waiting"
            for entry in state.entries.values()
        )


def takes_outbound(agent: AgentState, desk: DeskAgent) -> bool:
    """Whether he has, or will have once he is free, calls of diallers."""
    if agent.takes_outbound:
        return True
    presence, _ = desk.wish()
    return presence in ("available", "auto_dial") and agent.why in ("busy", "acw")
