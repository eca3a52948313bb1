"""What an input of the routing core costs, by the number of agents, of calls that wait, and of queues.

A saturated floor: every agent serves five queues, all are on calls and as many wait as told; then calls end, agents
become free and are given the next, others come and some give up, so that the sizes stay what they are.
"""

import gc
import time
from dataclasses import dataclass
from random import Random

from acd.actions import Offer
from acd.engine import AcdEngine
from acd.inputs import (
    AcdInput,
    AgentReady,
    AgentSignsIn,
    CallEnters,
    CallLeaves,
    OfferAnswered,
    QueueChanges,
    ServiceEnds,
)
from model.agents import Membership
from model.queues import Queue

SERVED = 5
"""Queues of each agent."""
_STEP_S = 0.01


@dataclass(frozen=True, slots=True)
class Size:
    n_agents: int
    n_waiting: int
    n_queues: int


class _Floor:
    def __init__(self, size: Size, seed: int = 1) -> None:
        self.random = Random(seed)
        self.size = size
        self.engine = AcdEngine(seed)
        self.now = 0.0
        self.n_calls = 0
        self.n_inputs = 0
        self.waiting: list[str] = []
        self.places: dict[str, int] = {}
        self.serving: list[tuple[str, str]] = []
        self.queues = [f"q{n}" for n in range(size.n_queues)]
        for name in self.queues:
            self._tell(QueueChanges(Queue(name=name)))
        for n in range(size.n_agents):
            served = tuple(
                Membership(queue=name) for name in self.random.sample(self.queues, min(SERVED, size.n_queues))
            )
            self._tell(AgentSignsIn(agent_id=f"a{n}", level=n % 10, queues=served))
            self._tell(AgentReady(f"a{n}"))
        while len(self.serving) < size.n_agents:
            self._enter()
        while len(self.waiting) < size.n_waiting:
            self._enter()

    def _tell(self, told: AcdInput) -> None:
        self.n_inputs += 1
        for action in self.engine.handle(told, self.now):
            if isinstance(action, Offer):
                self._forget(action.entry_id)
                self._tell(OfferAnswered(action.offer_id))
                self.serving.append((action.entry_id, action.agent_id))

    def _enter(self) -> None:
        self.now += _STEP_S
        self.n_calls += 1
        entry_id = f"e{self.n_calls}"
        self.places[entry_id] = len(self.waiting)
        self.waiting.append(entry_id)
        self._tell(CallEnters(entry_id=entry_id, call_id=entry_id, queue=self.random.choice(self.queues)))

    def _forget(self, entry_id: str) -> None:
        """Out of a list of which any member can be drawn."""
        place, last = self.places.pop(entry_id), self.waiting.pop()
        if last != entry_id:
            self.waiting[place] = last
            self.places[last] = place

    def turn(self) -> None:
        """A call ends and its agent takes the next; one comes; of ten callers one gives up and another comes."""
        self.now += _STEP_S
        at = self.random.randrange(len(self.serving))
        entry_id, agent_id = self.serving[at]
        self.serving[at] = self.serving[-1]
        self.serving.pop()
        self._tell(ServiceEnds(entry_id, 180.0))
        self._tell(AgentReady(agent_id))
        while len(self.waiting) < self.size.n_waiting or len(self.serving) < self.size.n_agents:
            self._enter()
        if self.random.random() < 0.1 and self.waiting:
            gone = self.random.choice(self.waiting)
            self._forget(gone)
            self._tell(CallLeaves(gone, "abandoned"))
            self._enter()


def us_per_event(size: Size, turns: int, rounds: int = 5) -> float:
    """Microseconds for one input, the load's own work taken off: the best of several rounds, since all that disturbs
    makes it longer."""
    floor = _Floor(size)
    for _ in range(turns // 4):
        floor.turn()
    best = float("inf")
    handle = floor.engine.handle
    spent_ns = 0

    def timed(told: AcdInput, now: float) -> list:  # type: ignore[type-arg]
        nonlocal spent_ns
        began = time.perf_counter_ns()
        actions = handle(told, now)
        spent_ns += time.perf_counter_ns() - began
        return actions

    floor.engine.handle = timed  # type: ignore[method-assign]
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        spent_ns, inputs = 0, floor.n_inputs
        for _ in range(turns):
            floor.turn()
        best = min(best, spent_ns / (floor.n_inputs - inputs) / 1000.0)
    gc.unfreeze()
    return best
