"""What the dialler sees of the agents of a queue, and how long they talked and wrapped up. Reads the floor only.

One look costs about a microsecond an agent.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from acd.desk_state import DeskAgent
from acd.state import AgentState
from dialer.inputs import AgentTalked, AgentWrapped, DialerInput, FloorSeen
from model.agents import Membership
from switch.floor import Floor

Doing = Literal["", "talk", "wrap"]


class _Agent(msgspec.Struct, gc=False):
    memberships: tuple[Membership, ...] = ()
    """Of which `queues` was made."""
    queues: tuple[str, ...] = ()
    """Those that campaigns call for."""
    doing: Doing = ""
    since: float = 0.0


class FloorWatch:
    """`look` tells what is new since the last time."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._agents: dict[str, _Agent] = {}
        self._seen: dict[str, FloorSeen] = {}
        self._queues: frozenset[str] = frozenset()

    def look(self, queues: Iterable[str], now: float) -> list[DialerInput]:
        """Ended conversations and after-call work first, then each queue that looks other than before, or where
        somebody talks: ages grow."""
        told: list[DialerInput] = []
        by_queue: dict[str, list[tuple[AgentState, DeskAgent, _Agent]]] = {queue: [] for queue in queues}
        if by_queue.keys() != self._queues:
            self._queues = frozenset(by_queue)
            for mine in self._agents.values():
                mine.memberships = ()
        agents, desks = self._floor.centre.engine.state.agents, self._floor.centre.desk.state.agents
        for agent_id in self._agents.keys() - desks.keys():
            _becomes(self._agents.pop(agent_id), "", now, told)
        for agent_id, desk in desks.items():
            agent = agents.get(agent_id)
            if agent is None:
                continue
            known = self._agents.get(agent_id)
            if known is None:
                known = self._agents[agent_id] = _Agent(since=now)
            if known.memberships is not agent.queues:
                known.memberships = agent.queues
                known.queues = tuple(each.queue for each in agent.queues if each.queue in by_queue)
            doing: Doing = "talk" if desk.doing or desk.offer_id else "wrap" if desk.acw_since is not None else ""
            if known.doing != doing:
                _becomes(known, doing, now, told)
            if known.queues and takes_outbound(agent, desk):
                for queue in known.queues:
                    by_queue[queue].append((agent, desk, known))
        for queue, found in by_queue.items():
            seen = self._see(queue, found, now)
            if seen.talking_s or seen.wrapping_s or seen != self._seen.get(queue):
                self._seen[queue] = seen
                told.append(seen)
        for queue in self._seen.keys() - by_queue.keys():
            del self._seen[queue]
        return told

    def _see(self, queue: str, agents: list[tuple[AgentState, DeskAgent, _Agent]], now: float) -> FloorSeen:
        idle: list[AgentState] = []
        talking: list[float] = []
        wrapping: list[float] = []
        for agent, _, known in agents:
            if agent.state == "idle":
                idle.append(agent)
            else:
                (wrapping if known.doing == "wrap" else talking).append(now - known.since)
        return FloorSeen(
            queue=queue,
            n_agents=len(agents),
            n_idle=len(idle) - self._n_kept(queue, idle),
            talking_s=tuple(talking),
            wrapping_s=tuple(wrapping),
            n_inbound_waiting=self._n_inbound([agent for agent, _, _ in agents]),
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

    def _n_inbound(self, agents: list[AgentState]) -> int:
        """Callers who wait for any of them."""
        state = self._floor.centre.engine.state
        if not any(queue.n_waiting for queue in state.queues.values()):
            return 0
        served = {each.queue for agent in agents if agent.takes_inbound for each in agent.queues}
        return sum(
            entry.queue in served and not entry.is_outbound and entry.state == "waiting"
            for entry in state.entries.values()
        )


def _becomes(agent: _Agent, doing: Doing, now: float, told: list[DialerInput]) -> None:
    spent = now - agent.since
    if agent.doing == "talk":
        told += [AgentTalked(queue=queue, talk_s=spent) for queue in agent.queues]
        if doing != "wrap":
            told += [AgentWrapped(queue=queue, wrap_s=0.0) for queue in agent.queues]
    elif agent.doing == "wrap":
        told += [AgentWrapped(queue=queue, wrap_s=spent) for queue in agent.queues]
    agent.doing, agent.since = doing, now


def takes_outbound(agent: AgentState, desk: DeskAgent) -> bool:
    """Whether he has, or will have once he is free, calls of diallers."""
    if agent.takes_outbound:
        return True
    presence, _ = desk.wish()
    return presence in ("available", "auto_dial") and agent.why in ("busy", "acw")
