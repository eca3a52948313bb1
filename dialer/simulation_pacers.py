"""What paces a simulated day: the engine itself, and others to compare it with."""

from collections import deque
from typing import Literal

import numpy as np

from dialer import modes
from dialer.events import (
    AgentConnected,
    DialAnswered,
    DialFailed,
    DialStarted,
    InboundArrived,
    TalkEnded,
    WrapEnded,
)
from dialer.ledger import Ledger
from dialer.pacing_model import PacingModel, observe
from dialer.simulation import TALK, WRAP, Floor
from dialer.snapshot import PacingConfig, PacingSnapshot

_MORNING_UTC = 1_767_603_600.0
"""A Monday, 9:00."""
_WORKING_S, _DAY_S = 8 * 3600.0, 24 * 3600.0


class _Silent:
    """Is told everything and listens to nothing."""

    tick_s = 1.0
    is_ticked_only = False

    def dial_started(self, now: float, dial: int) -> None: ...
    def dial_answered(self, now: float, dial: int) -> None: ...
    def dial_failed(self, now: float, dial: int) -> None: ...
    def connected(self, floor: Floor) -> None: ...
    def abandoned(self, now: float) -> None: ...
    def talk_ended(self, talk_s: float) -> None: ...
    def wrap_ended(self, wrap_s: float) -> None: ...
    def inbound_arrived(self, now: float) -> None: ...


class Engine:
    """The pacing that runs campaigns, in any of its modes."""

    is_ticked_only = False

    def __init__(self, config: PacingConfig, *, tick_s: float = 1.0, day_s: float = _WORKING_S) -> None:
        """`day_s`: after so long the next day begins, for the ledger; working hours follow each other."""
        self.tick_s = tick_s
        self._day_s = day_s
        self.config = config
        self.model = PacingModel()
        self.ledger = Ledger("UTC")

    def dials(self, floor: Floor) -> int:
        snapshot = snapshot_of(floor, self._utc(floor.now))
        return modes.plan(floor.now, snapshot, self.model, self.config, self.ledger).n_dials

    def _utc(self, now: float) -> float:
        day, into_s = divmod(now, self._day_s)
        return _MORNING_UTC + day * _DAY_S + into_s * _WORKING_S / self._day_s

    def dial_started(self, now: float, dial: int) -> None:
        observe(self.model, DialStarted(now, str(dial)))

    def dial_answered(self, now: float, dial: int) -> None:
        self.ledger.answered(self._utc(now))
        observe(self.model, DialAnswered(now, str(dial)))

    def dial_failed(self, now: float, dial: int) -> None:
        observe(self.model, DialFailed(now, str(dial)))

    def connected(self, floor: Floor) -> None:
        credit = self.ledger.credit(self.config.alpha, self._utc(floor.now))
        observe(self.model, AgentConnected(credit, floor.n_agents))

    def abandoned(self, now: float) -> None:
        self.ledger.abandoned(self._utc(now))

    def talk_ended(self, talk_s: float) -> None:
        observe(self.model, TalkEnded(talk_s))

    def wrap_ended(self, wrap_s: float) -> None:
        observe(self.model, WrapEnded(wrap_s))

    def inbound_arrived(self, now: float) -> None:
        observe(self.model, InboundArrived(now))


def snapshot_of(floor: Floor, at_utc: float = _MORNING_UTC) -> PacingSnapshot:
    now, phase = floor.now, floor.phase
    ages = now - floor.since
    n_ringing = len(floor.ringing)
    return PacingSnapshot(
        at_utc=at_utc,
        idle_agents=len(floor.idle),
        talk_ages=ages[phase == TALK],
        wrap_ages=ages[phase == WRAP],
        ringing_ages=now - np.fromiter(floor.ringing.values(), float, n_ringing),  # type: ignore[arg-type]
        answered_waiting=len(floor.waiting),
        inbound_waiting=len(floor.inbound_waiting),
        lines_in_use=n_ringing,
        callable_records=1_000_000 if floor.left is None else floor.left,
    )


class Progressive(_Silent):
    """One call for each idle agent."""

    def dials(self, floor: Floor) -> int:
        return len(floor.idle) - len(floor.ringing) - len(floor.waiting) - len(floor.inbound_waiting)


class Ratio(_Silent):
    """So many lines for each idle agent, always, whatever is abandoned."""

    def __init__(self, lines_per_agent: float) -> None:
        self._lines_per_agent = lines_per_agent

    def dials(self, floor: Floor) -> int:
        return int(self._lines_per_agent * len(floor.idle) + 1e-9) - len(floor.ringing)


Method = Literal["average", "hard_limit", "tapered"]


class Adaptive(_Silent):
    """The adaptive dial level of VICIdial, after its published source: lines are a level times agents; every 15 s the
    level follows the agents who wait; too many drops today bring it down, by the method."""

    tick_s = 2.5
    is_ticked_only = True

    def __init__(
        self,
        method: Method,
        max_level: float,
        *,
        available_only: bool = True,
        drop_limit: float = 0.03,
        day_s: float = 8 * 3600.0,
    ) -> None:
        self._method, self._max_level, self._available_only = method, max_level, available_only
        self._drop_limit, self._day_s = drop_limit, day_s
        self._level = 1.0
        self._answered = self._dropped = 0
        self._minute: deque[tuple[float, bool]] = deque()
        self._differences: list[int] = []
        self._agents: list[int] = []
        self._next_level_s = 15.0

    def dial_answered(self, now: float, dial: int) -> None:
        self._answered += 1
        self._minute.append((now, False))

    def abandoned(self, now: float) -> None:
        self._dropped += 1
        self._minute.append((now, True))

    def dials(self, floor: Floor) -> int:
        n_idle = len(floor.idle)
        n_talking = int(np.count_nonzero(floor.phase == TALK))
        self._differences.append(n_idle - len(floor.waiting))
        self._agents.append(n_idle + n_talking)
        if floor.now >= self._next_level_s:
            self._next_level_s += 15.0
            self._adapt(floor.now)
        lines = len(floor.ringing) + len(floor.waiting)
        if self._available_only:
            return round(self._level * n_idle) - lines
        return round(self._level * (n_idle + n_talking)) - lines - n_talking

    def _adapt(self, now: float) -> None:
        n_samples = len(self._agents)
        agents = max(sum(self._agents) / n_samples, 1.0)
        level = self._level * (1.0 + sum(self._differences) / n_samples / agents)
        self._differences.clear()
        self._agents.clear()
        level = min(level, self._max_level)
        if self._answered > 50 and self._dropped / self._answered > self._drop_limit:
            level = self._lowered(level, now)
        while self._minute and self._minute[0][0] < now - 60.0:
            self._minute.popleft()
        n_dropped = sum(is_drop for _, is_drop in self._minute)
        n_answered = len(self._minute) - n_dropped
        if n_answered > 20 and n_dropped > 0.5 * n_answered:
            level /= 2.0
        self._level = max(level, 1.0)

    def _lowered(self, level: float, now: float) -> float:
        if self._method == "hard_limit":
            return 1.0
        if self._method == "average":
            return level / 2.0
        left_m = max(0.0, self._day_s - now) / 60.0
        # The hours left as a number, 730 for 7:30 h.
        return level * (left_m // 60 * 100 + left_m % 60) / 1000.0
