"""Days of a campaign in seconds: calls drawn at random around the pacing that runs campaigns, or around another.

Discrete events; the same world, pacer and seed give the same day. Used by `ringback simulate --campaign` and by
benchmarks/dialer.py. Pure; times in seconds from 0.
"""

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dialer.simulation_world import Draws, World, value_at

IDLE, TALK, WRAP = range(3)
_ANSWER, _FAIL, _TALK_ENDS, _WRAP_ENDS, _GIVES_UP, _INBOUND, _TICK = range(7)
_FREE_TO_DECIDE = frozenset((_ANSWER, _FAIL, _WRAP_ENDS, _GIVES_UP, _INBOUND, _TICK))


class Pacer(Protocol):
    """What decides; it is told what happens and may look at the whole floor."""

    tick_s: float
    is_ticked_only: bool
    """Decides at its ticks alone, not at events."""

    def dials(self, floor: "Floor") -> int: ...
    def dial_started(self, now: float, dial: int) -> None: ...
    def dial_answered(self, now: float, dial: int) -> None: ...
    def dial_failed(self, now: float, dial: int) -> None: ...
    def connected(self, floor: "Floor") -> None: ...
    def abandoned(self, now: float) -> None: ...
    def talk_ended(self, talk_s: float) -> None: ...
    def wrap_ended(self, wrap_s: float) -> None: ...
    def inbound_arrived(self, now: float) -> None: ...


@dataclass(slots=True)
class Hour:
    """One hour of the day, for charts."""

    dialled: int = 0
    answered: int = 0
    abandoned: int = 0
    busy_s: float = 0.0


@dataclass(slots=True)
class DayResult:
    n_agents: int
    length_s: float
    dialled: int = 0
    answered: int = 0
    abandoned: int = 0
    connected: int = 0
    talk_s: float = 0.0
    """Within the day, of callers who came in too."""
    wrap_s: float = 0.0
    inbound: int = 0
    inbound_answered: int = 0
    inbound_in_20_s: int = 0
    inbound_wait_s: float = 0.0
    completed_s: float | None = None
    """When the last number was done with."""
    hours: list[Hour] = field(default_factory=list)

    @property
    def lasted_s(self) -> float:
        return self.length_s if self.completed_s is None else self.completed_s

    @property
    def occupancy(self) -> float:
        return (self.talk_s + self.wrap_s) / (self.n_agents * self.lasted_s)

    @property
    def abandon_rate(self) -> float:
        return self.abandoned / self.answered if self.answered else 0.0

    @property
    def connects_per_agent_hour(self) -> float:
        return self.connected / (self.n_agents * self.lasted_s / 3600.0)


class Floor:
    """What stands at one instant; pacers look at it."""

    __slots__ = ("idle", "inbound_waiting", "left", "n_agents", "now", "phase", "ringing", "since", "waiting")

    def __init__(self, n_agents: int, n_records: int | None) -> None:
        self.now = 0.0
        self.n_agents = n_agents
        self.idle: deque[int] = deque(range(n_agents))
        self.phase: npt.NDArray[np.int8] = np.zeros(n_agents, dtype=np.int8)
        self.since = np.zeros(n_agents)
        """When each agent's phase began."""
        self.ringing: dict[int, float] = {}
        """Dial -> when it began."""
        self.waiting: dict[int, float] = {}
        """Answered without an agent yet -> since when."""
        self.inbound_waiting: deque[float] = deque()
        self.left = n_records
        """Numbers not dialled yet; None: no end of them."""


class Simulation:
    """One day: `run()` once."""

    def __init__(self, world: World, pacer: Pacer, seed: int) -> None:
        self.world, self._pacer = world, pacer
        self._draws = Draws(world, seed)
        self._floor = Floor(world.n_agents, world.n_records)
        self._events: list[tuple[float, int, int, int, float]] = []
        self._serial = 0
        self._result = DayResult(world.n_agents, world.length_s)
        self._result.hours = [Hour() for _ in range(int(world.length_s // 3600) + 1)]

    def run(self) -> DayResult:
        world, floor, pacer, events, result = self.world, self._floor, self._pacer, self._events, self._result
        handlers = {
            _ANSWER: self._answered,
            _FAIL: self._failed,
            _TALK_ENDS: self._talk_ended,
            _WRAP_ENDS: self._wrap_ended,
            _GIVES_UP: self._gives_up,
            _INBOUND: self._inbound,
            _TICK: self._tick,
        }
        if world.inbound_per_h:
            self._at(self._draws.inbound(), _INBOUND)
        self._at(0.0, _TICK)
        decides = {_TICK} if pacer.is_ticked_only else _FREE_TO_DECIDE
        while events and events[0][0] < world.length_s:
            floor.now, _, kind, number, detail = heappop(events)
            handlers[kind](number, detail)
            if kind in decides:
                self._dial(pacer.dials(floor))
            if floor.left == 0 and not floor.ringing and not floor.waiting and len(floor.idle) == floor.n_agents:
                result.completed_s = floor.now
                break
        self._close()
        return result

    def _at(self, when: float, kind: int, number: int = 0, detail: float = 0.0) -> None:
        self._serial += 1
        heappush(self._events, (when, self._serial, kind, number, detail))

    def _dial(self, n: int) -> None:
        floor = self._floor
        if floor.left is not None:
            n = min(n, floor.left)
            floor.left -= max(n, 0)
        if n <= 0:
            return
        now = floor.now
        p = value_at(self.world.answer_rate, now)
        self._hour().dialled += n
        for _ in range(n):
            self._result.dialled += 1
            dial = self._result.dialled
            is_answered, after_s = self._draws.dial(p)
            floor.ringing[dial] = now
            self._pacer.dial_started(now, dial)
            self._at(now + after_s, _ANSWER if is_answered else _FAIL, dial)

    # -- what happens --------------------------------------------------------------------------------------------------

    def _answered(self, dial: int, _: float) -> None:
        floor, result = self._floor, self._result
        del floor.ringing[dial]
        result.answered += 1
        self._hour().answered += 1
        self._pacer.dial_answered(floor.now, dial)
        if floor.idle:
            self._connect()
        elif self.world.patience_s:
            floor.waiting[dial] = floor.now
            self._at(floor.now + self.world.patience_s, _GIVES_UP, dial)
        else:
            self._abandon()

    def _failed(self, dial: int, _: float) -> None:
        del self._floor.ringing[dial]
        self._pacer.dial_failed(self._floor.now, dial)

    def _gives_up(self, dial: int, _: float) -> None:
        if self._floor.waiting.pop(dial, None) is not None:
            self._abandon()

    def _abandon(self) -> None:
        self._result.abandoned += 1
        self._hour().abandoned += 1
        self._pacer.abandoned(self._floor.now)

    def _connect(self) -> None:
        self._result.connected += 1
        self._serve()
        self._pacer.connected(self._floor)

    def _serve(self) -> None:
        floor = self._floor
        agent = floor.idle.popleft()
        floor.phase[agent] = TALK
        floor.since[agent] = floor.now
        talk_s = self._draws.talk() * value_at(self.world.talk_factor, floor.now)
        self._at(floor.now + talk_s, _TALK_ENDS, agent, talk_s)

    def _talk_ended(self, agent: int, talk_s: float) -> None:
        floor = self._floor
        self._busy(talk_s, is_talk=True)
        self._pacer.talk_ended(talk_s)
        wrap_s = self._draws.wrap()
        floor.phase[agent] = WRAP
        floor.since[agent] = floor.now
        self._at(floor.now + wrap_s, _WRAP_ENDS, agent, wrap_s)

    def _wrap_ended(self, agent: int, wrap_s: float) -> None:
        floor = self._floor
        self._busy(wrap_s, is_talk=False)
        self._pacer.wrap_ended(wrap_s)
        floor.phase[agent] = IDLE
        floor.idle.append(agent)
        if floor.inbound_waiting:
            self._take_inbound(floor.inbound_waiting.popleft())
        elif floor.waiting:
            del floor.waiting[next(iter(floor.waiting))]
            self._connect()

    def _inbound(self, _: int, __: float) -> None:
        floor = self._floor
        self._result.inbound += 1
        self._pacer.inbound_arrived(floor.now)
        if floor.idle:
            self._take_inbound(floor.now)
        else:
            floor.inbound_waiting.append(floor.now)
        self._at(floor.now + self._draws.inbound(), _INBOUND)

    def _take_inbound(self, arrived: float) -> None:
        waited_s = self._floor.now - arrived
        self._result.inbound_answered += 1
        self._result.inbound_wait_s += waited_s
        self._result.inbound_in_20_s += waited_s <= 20.0
        self._serve()

    def _tick(self, _: int, __: float) -> None:
        self._at(self._floor.now + self._pacer.tick_s, _TICK)

    # -- sums ----------------------------------------------------------------------------------------------------------

    def _busy(self, seconds: float, *, is_talk: bool) -> None:
        """An agent was busy for so long until now."""
        if is_talk:
            self._result.talk_s += seconds
        else:
            self._result.wrap_s += seconds
        end = self._floor.now
        begin = end - seconds
        while begin < end:
            hour = int(begin // 3600)
            upto = min(end, (hour + 1) * 3600.0)
            self._result.hours[hour].busy_s += upto - begin
            begin = upto

    def _close(self) -> None:
        """What goes on at the end of the day counts until then."""
        floor = self._floor
        floor.now = self._result.lasted_s
        for agent in np.flatnonzero(floor.phase):
            self._busy(floor.now - float(floor.since[agent]), is_talk=bool(floor.phase[agent] == TALK))

    def _hour(self) -> Hour:
        return self._result.hours[int(self._floor.now // 3600)]
