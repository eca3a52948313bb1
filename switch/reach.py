"""Whose things are: which agents, agent groups and queues a call, phone, monitor or queue concerns. Asked by the gate.

A phone belongs to the agent who is signed in at it; without one its supervision group stands for the agent group.
"""

from collections.abc import Callable

from control.gate import NOBODY, Reach
from switch.bounded_table import BoundedTable
from switch.call import Call
from switch.calls import Calls
from switch.directory import Directory
from switch.floor import Floor
from switch.monitor import SUPERVISOR

MAX_PAST = 20_000
"""Calls that are over of which it is remembered whom they concerned: their last events come later than their end."""


class Reaches:
    """`control.gate.Objects` of a running switch."""

    def __init__(self, calls: Calls, directory: Directory, floor: Floor) -> None:
        self._calls = calls
        self._directory = directory
        self._desk = floor.centre.desk
        self._past: BoundedTable[str, Reach] = BoundedTable(MAX_PAST)
        self._kinds: dict[str, Callable[[str], Reach]] = {
            "agent": self._of_agent,
            "extension": self._of_extension,
            "call": self._of_call,
            "monitor": self._of_monitor,
            "consult": self._of_consult,
            "group": lambda name: Reach(groups=frozenset((name,))),
            "queue": lambda name: Reach(queues=frozenset((name,))),
        }

    def reach(self, kind: str, name: str) -> Reach:
        return self._kinds[kind](name)

    def queues_of(self, agent_id: str) -> frozenset[str]:
        agent = self._directory.agents.get(agent_id)
        return frozenset(each.queue for each in agent.queues) if agent is not None else frozenset()

    def role_of(self, agent_id: str) -> str:
        agent = self._directory.agents.get(agent_id)
        return agent.role if agent is not None and agent.is_enabled else ""

    def _of_agent(self, agent_id: str) -> Reach:
        agent = self._directory.agents.get(agent_id)
        return Reach(frozenset((agent_id,)), frozenset((agent.group,))) if agent is not None else NOBODY

    def _of_extension(self, number: str) -> Reach:
        signed_in = self._desk.at(number)
        if signed_in is not None:
            return self._of_agent(signed_in.agent_id)
        entry = self._directory.extensions.get(number)
        if entry is None or not entry.supervision_group:
            return NOBODY
        return Reach(groups=frozenset((entry.supervision_group,)))

    def _of_call(self, call_id: str) -> Reach:
        """Whoever had a part in it so far; supervisors who listen have none."""
        known = self._past.get(call_id, NOBODY)
        call = self._calls.find(call_id)
        if call is None:
            return known
        found = known | self._now(call)
        if found != known:
            self._past[call_id] = found
        return found

    def _now(self, call: Call) -> Reach:
        found = Reach(queues=frozenset((call.stay.queue,))) if call.stay is not None else NOBODY
        for leg in call.legs.values():
            if leg.kind == "extension" and leg.role != SUPERVISOR:
                found |= self._of_extension(leg.name)
        return found

    def _of_monitor(self, monitor_id: str) -> Reach:
        """The agent's who is supervised."""
        for call in self._calls.calls.values():
            monitor = call.monitors.get(monitor_id)
            if monitor is not None:
                leg = call.legs[monitor.agent_leg]
                return self._of_extension(leg.name) if leg.kind == "extension" else self._of_call(call.call_id)
        return NOBODY

    def _of_consult(self, consult_id: str) -> Reach:
        for call in self._calls.calls.values():
            if consult_id in call.consults:
                return self._of_call(call.call_id)
        return NOBODY
