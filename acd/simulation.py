"""Days of a contact centre in seconds: calls, agents and their times drawn at random around the real routing core.

Discrete events: the simulator tells `AcdEngine` what happens and does what it says, at instants of its own. The same
plan and seed give the same day. Used by `ringback simulate` and by benchmarks/acd.py. Pure; times in seconds from 0.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random

from acd.actions import AcdAction, Connect, Offer, SendOn, Withdraw
from acd.engine import AcdEngine
from acd.inputs import (
    AgentNotReady,
    AgentReady,
    AgentSignsIn,
    CallEnters,
    CallLeaves,
    EntryPlace,
    OfferAnswered,
    QueueChanges,
    RulesChange,
    ServiceEnds,
)
from acd.laws import Law, drawer, exact_drawer
from acd.simulation_results import Outcome, QueueResult, SimulationResult
from model.agents import Membership
from model.queues import AcdRules, Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Calls to one queue from `start_s` to `end_s`: a Poisson process of `calls` in all."""

    queue: str
    start_s: float
    end_s: float
    calls: float
    talk: Law
    wrap: Law = field(default_factory=Law)
    patience: Law | None = None
    """None: nobody gives up."""
    vip_share: float = 0.0
    is_exact: bool = False
    """Exactly so many calls come and the talk times have exactly their mean over all of them (stratified): the same
    laws with less noise, for comparison with theory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """An agent takes calls from `start_s` to `end_s`; the call he has then he ends."""

    agent_id: str
    queues: tuple[Membership, ...]
    start_s: float = 0.0
    end_s: float = float("inf")
    level: int = 0
    area: str = ""
    skills: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    queues: tuple[Queue, ...]
    shifts: tuple[Shift, ...]
    streams: tuple[Stream, ...]
    rules: AcdRules = field(default_factory=AcdRules)
    answer: Law = field(default_factory=Law)
    """How long an agent's phone rings; not longer than `Queue.ring_timeout_s`."""
    interval_s: float = 0.0
    """Figures are also kept by intervals of this length; 0.0 = only in all."""
    warm_up_s: float = 0.0
    """Calls that come before this are served and not counted."""


@dataclass(slots=True)
class _Call:
    entry_id: str
    stream: int
    arrived: float
    is_counted: bool
    queue: str
    is_vip: bool = False
    offered_at: float = -1.0
    n_overflows: int = 0


class Simulation:
    """One run: `run()` once."""

    def __init__(self, plan: Plan, seed: int) -> None:
        """Raises ValueError for a stream of a queue that is none or that ends before it begins, and for two shifts of
        one agent."""
        _check(plan)
        self._plan = plan
        self._engine = AcdEngine(seed)
        self._random = Random(seed)
        self._serial = count()
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._calls: dict[str, _Call] = {}
        self._by_agent: dict[str, Shift] = {each.agent_id: each for each in plan.shifts}
        self._waiting: dict[tuple[str, bool], OrderedDict[str, None]] = {}
        """Who waits by queue and class, in the order of arrival: what the engine's order is checked against."""
        self._talk = [
            exact_drawer(each.talk, round(each.calls), self._random)
            if each.is_exact
            else drawer(each.talk, self._random)
            for each in plan.streams
        ]
        self._wrap = [drawer(each.wrap, self._random) for each in plan.streams]
        self._patience = [drawer(each.patience, self._random) if each.patience else None for each in plan.streams]
        self._answer = drawer(plan.answer, self._random)
        self.result = SimulationResult({each.name: QueueResult() for each in plan.queues}, plan.interval_s)
        self._service_level_s = {each.name: each.service_level_s for each in plan.queues}
        self._ring_timeout_s = {each.name: each.ring_timeout_s for each in plan.queues}
        self._n_waiting, self._since = 0, plan.warm_up_s
        self.now = 0.0

    def run(self) -> SimulationResult:
        engine, plan = self._engine, self._plan
        self._tell(RulesChange(plan.rules))
        for queue in plan.queues:
            self._tell(QueueChanges(queue))
        for shift in plan.shifts:
            self._at(shift.start_s, self._begins, shift)
        for index, stream in enumerate(plan.streams):
            self._next_arrival(index, arrivals(stream, self._random))
        events = self._events
        while events:
            deadline = engine.deadline
            if deadline is not None and deadline < events[0][0]:
                self.now = max(self.now, deadline)
                self._perform(engine.handle_timeout(self.now))
                continue
            self.now, _, what, arguments = heappop(events)
            what(*arguments)
        self.result.n_open = sum(call.is_counted for call in self._calls.values())
        return self.result

    def _at(self, when: float, what: Callable[..., None], *arguments: object) -> None:
        heappush(self._events, (when, next(self._serial), what, arguments))

    def _tell(self, told: object) -> None:
        self.result.n_inputs += 1
        self._perform(self._engine.handle(told, self.now))  # type: ignore[arg-type]

    # -- what happens --------------------------------------------------------------------------------------------------

    def _next_arrival(self, index: int, instants: Iterator[float]) -> None:
        when = next(instants, None)
        if when is not None:
            self._at(when, self._arrives, index, instants)

    def _arrives(self, index: int, instants: Iterator[float]) -> None:
        stream, now = self._plan.streams[index], self.now
        entry_id = f"e{next(self._serial)}"
        call = _Call(entry_id, index, now, now >= self._plan.warm_up_s, stream.queue)
        call.is_vip = bool(stream.vip_share) and self._random.random() < stream.vip_share
        self._enter(call, None)
        patience = self._patience[index]
        if patience is not None and call.entry_id in self._calls:
            self._at(now + patience(), self._gives_up, call)
        self._next_arrival(index, instants)

    def _enter(self, call: _Call, place: EntryPlace | None) -> None:
        self._calls[call.entry_id] = call
        self._line(call)[call.entry_id] = None
        self._length(1)
        if call.is_counted and place is None:
            self.result.queues[call.queue].arrived(call.arrived, self.result.interval_s)
        self._tell(
            CallEnters(entry_id=call.entry_id, call_id=call.entry_id, queue=call.queue, is_vip=call.is_vip, place=place)
        )

    def _gives_up(self, call: _Call) -> None:
        if self._calls.pop(call.entry_id, None) is None:
            return
        self._leaves_line(call)
        self._count(call, "abandoned", self.now - call.arrived)
        self._tell(CallLeaves(call.entry_id, "abandoned"))

    def _begins(self, shift: Shift) -> None:
        self._tell(
            AgentSignsIn(
                agent_id=shift.agent_id, level=shift.level, area=shift.area, queues=shift.queues, skills=shift.skills
            )
        )
        self._tell(AgentReady(shift.agent_id))
        if shift.end_s != float("inf"):
            self._at(shift.end_s, self._ends, shift)

    def _ends(self, shift: Shift) -> None:
        """A phone that rings at that instant may still be answered."""
        self._tell(AgentNotReady(shift.agent_id))

    def _answers(self, offer_id: str, call: _Call) -> None:
        """Nothing when the caller was gone meanwhile: the offer was withdrawn."""
        if call.entry_id in self._calls and call.offered_at >= 0:
            self._tell(OfferAnswered(offer_id))

    def _hangs_up(self, call: _Call, agent_id: str, talk_s: float) -> None:
        self._tell(ServiceEnds(call.entry_id, talk_s))
        wrap_s = self._wrap[call.stream]()
        self._busy(agent_id, talk_s + wrap_s)
        if wrap_s:
            self._at(self.now + wrap_s, self._wrapped_up, agent_id)
        else:
            self._wrapped_up(agent_id)

    def _wrapped_up(self, agent_id: str) -> None:
        if self.now < self._by_agent[agent_id].end_s:
            self._tell(AgentReady(agent_id))

    # -- what the engine says ------------------------------------------------------------------------------------------

    def _perform(self, actions: list[AcdAction]) -> None:
        for action in actions:
            if isinstance(action, Offer):
                self._rings(action)
            elif isinstance(action, Connect):
                self._connects(action)
            elif isinstance(action, SendOn):
                self._sent_on(action)
            elif isinstance(action, Withdraw):
                self.result.n_withdrawn += 1

    def _rings(self, offer: Offer) -> None:
        call = self._calls[offer.entry_id]
        if call.offered_at < 0:
            line = self._line(call)
            self.result.fifo_violations += next(iter(line)) != call.entry_id
            self._leaves_line(call)
        call.offered_at = self.now
        # At once and yet not within the engine's own step.
        ring_s = min(self._answer(), self._ring_timeout_s[call.queue])
        self._at(self.now + ring_s, self._answers, offer.offer_id, call)

    def _connects(self, action: Connect) -> None:
        call = self._calls.pop(action.entry_id)
        self._count(call, "answered", self.now - call.arrived, waited_for_agent=call.offered_at > call.arrived)
        talk_s = self._talk[call.stream]()
        if call.is_counted:
            self.result.queues[call.queue].talk_s += talk_s
        self._at(self.now + talk_s, self._hangs_up, call, action.agent_id, talk_s)

    def _sent_on(self, action: SendOn) -> None:
        call = self._calls.pop(action.entry_id)
        self._leaves_line(call)
        to = action.target.removeprefix("queue:") if action.target.startswith("queue:") else ""
        if to not in self.result.queues:
            self._count(call, "sent_on", self.now - call.arrived)
            return
        self._count(call, "overflowed", self.now - call.arrived)
        call.entry_id = f"e{next(self._serial)}"
        call.queue = to
        call.offered_at = -1.0
        # Not within the engine's own step.
        self._at(self.now, self._enter_again, call, EntryPlace(action.enter_time, action.n_hops))

    def _enter_again(self, call: _Call, place: EntryPlace) -> None:
        self.result.queues[call.queue].taken_over(call.is_counted)
        self._enter(call, place)
        # It has waited elsewhere: it may stand before those who came here since.
        line = self._line(call)
        if call.entry_id in line:
            self._sort(line)

    def _sort(self, line: OrderedDict[str, None]) -> None:
        for entry_id in sorted(line, key=lambda each: self._calls[each].arrived):
            line.move_to_end(entry_id)

    def _leaves_line(self, call: _Call) -> None:
        """Nothing for a call that an agent was rung for already."""
        if self._line(call).pop(call.entry_id, self) is None:
            self._length(-1)

    def _length(self, change: int) -> None:
        """One more waits, or one less: the area under the length of all queues grows."""
        if self.now > self._since:
            self.result.waiting_s += self._n_waiting * (self.now - self._since)
            self._since = self.now
        self._n_waiting += change

    def _line(self, call: _Call) -> OrderedDict[str, None]:
        line = self._waiting.get((call.queue, call.is_vip))
        if line is None:
            line = self._waiting[call.queue, call.is_vip] = OrderedDict()
        return line

    # -- counts --------------------------------------------------------------------------------------------------------

    def _count(self, call: _Call, outcome: Outcome, waited_s: float, *, waited_for_agent: bool = True) -> None:
        if call.is_counted:
            self.result.queues[call.queue].ended(
                outcome,
                waited_s,
                arrived=call.arrived,
                interval_s=self.result.interval_s,
                is_in_time=waited_s <= self._service_level_s[call.queue],
                has_waited=waited_for_agent,
            )

    def _busy(self, agent_id: str, seconds: float) -> None:
        self.result.busy_s[agent_id] = self.result.busy_s.get(agent_id, 0.0) + seconds


def arrivals(stream: Stream, random: Random) -> Iterator[float]:
    """Instants of a Poisson process; with `is_exact` of one that is known to have so many points."""
    if stream.calls <= 0:
        return
    if stream.is_exact:
        at = stream.start_s
        # The first of k points that lie evenly at random in what is left.
        for k in range(round(stream.calls), 0, -1):
            at += (stream.end_s - at) * (1.0 - (1.0 - random.random()) ** (1.0 / k))
            yield at
        return
    mean_s = (stream.end_s - stream.start_s) / stream.calls
    at = stream.start_s
    while (at := at + random.expovariate(1.0) * mean_s) < stream.end_s:
        yield at


def _check(plan: Plan) -> None:
    names = {queue.name for queue in plan.queues}
    for stream in plan.streams:
        if stream.queue not in names:
            raise ValueError(f"calls come to a queue {stream.queue}, which is none")
        if stream.end_s <= stream.start_s:
            raise ValueError(f"calls to {stream.queue} from {stream.start_s:g} s to {stream.end_s:g} s: no time at all")
    seen: set[str] = set()
    for shift in plan.shifts:
        if shift.agent_id in seen:
            raise ValueError(f"agent {shift.agent_id} has two shifts; give each shift an agent of its own")
        seen.add(shift.agent_id)
