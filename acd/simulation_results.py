"""What a simulated day came to, by queue and interval."""

from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["answered", "abandoned", "sent_on", "overflowed"]
"""overflowed: to another queue, where it goes on; sent_on: out of the queues (hung up, voicemail, another number)."""


@dataclass(slots=True)
class Figures:
    """`arrived` counts first arrivals; a call that overflows is ended once in each queue it was in."""

    arrived: int = 0
    answered: int = 0
    abandoned: int = 0
    sent_on: int = 0
    overflowed: int = 0
    in_time: int = 0
    """Answered within `Queue.service_level_s`."""
    waited: int = 0
    """Answered, given up or sent on, and not given to an agent at once."""
    wait_s: float = 0.0
    """Of all who were answered, gave up or were sent on."""
    longest_s: float = 0.0

    @property
    def ended(self) -> int:
        return self.answered + self.abandoned + self.sent_on

    @property
    def service_level(self) -> float:
        """Of all calls; 1.0 when there were none."""
        return self.in_time / self.ended if self.ended else 1.0

    @property
    def abandon_share(self) -> float:
        return self.abandoned / self.ended if self.ended else 0.0

    @property
    def wait_share(self) -> float:
        return self.waited / self.ended if self.ended else 0.0

    @property
    def mean_wait_s(self) -> float:
        return self.wait_s / self.ended if self.ended else 0.0

    def add(self, other: "Figures") -> None:
        self.arrived += other.arrived
        self.answered += other.answered
        self.abandoned += other.abandoned
        self.sent_on += other.sent_on
        self.overflowed += other.overflowed
        self.in_time += other.in_time
        self.waited += other.waited
        self.wait_s += other.wait_s
        self.longest_s = max(self.longest_s, other.longest_s)


@dataclass(slots=True)
class QueueResult:
    total: Figures = field(default_factory=Figures)
    by_interval: dict[int, Figures] = field(default_factory=dict)
    """Calls count in the interval in which they arrived."""
    talk_s: float = 0.0
    n_taken_over: int = 0
    """Calls that came by overflow from another queue."""

    def _kept_in(self, arrived: float, interval_s: float) -> list[Figures]:
        if not interval_s:
            return [self.total]
        return [self.total, self.by_interval.setdefault(int(arrived // interval_s), Figures())]

    def arrived(self, at: float, interval_s: float) -> None:
        for figures in self._kept_in(at, interval_s):
            figures.arrived += 1

    def taken_over(self, is_counted: bool) -> None:
        self.n_taken_over += is_counted

    def ended(
        self,
        outcome: Outcome,
        waited_s: float,
        *,
        arrived: float,
        interval_s: float,
        is_in_time: bool,
        has_waited: bool,
    ) -> None:
        for figures in self._kept_in(arrived, interval_s):
            if outcome == "overflowed":
                figures.overflowed += 1
                continue
            if outcome == "answered":
                figures.answered += 1
                figures.in_time += is_in_time
            elif outcome == "abandoned":
                figures.abandoned += 1
            else:
                figures.sent_on += 1
            figures.waited += has_waited
            figures.wait_s += waited_s
            figures.longest_s = max(figures.longest_s, waited_s)


@dataclass(slots=True)
class SimulationResult:
    queues: dict[str, QueueResult]
    interval_s: float = 0.0
    busy_s: dict[str, float] = field(default_factory=dict)
    """Talk and wrap-up by agent."""
    fifo_violations: int = 0
    """Offers of a call while one of the same class that came before it waited in the same queue."""
    n_open: int = 0
    """Calls that were still waiting when nothing more happened."""
    waiting_s: float = 0.0
    """Area under the number of calls that wait, after the warm-up: by Little's law it is the sum of the waits."""
    n_withdrawn: int = 0
    n_inputs: int = 0
    """What the engine was told."""

    @property
    def total(self) -> Figures:
        sum_of_all = Figures()
        for queue in self.queues.values():
            sum_of_all.add(queue.total)
        return sum_of_all
