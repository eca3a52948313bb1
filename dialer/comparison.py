"""A campaign simulated with the pacing that would run it, beside other ways to dial the same days."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dialer.simulation import DayResult, Pacer, Simulation
from dialer.simulation_pacers import Adaptive, Engine, Progressive, Ratio
from dialer.simulation_world import World
from dialer.snapshot import PacingConfig

_LINES_MOST = 8.0
_HALVINGS = 7


@dataclass(frozen=True, slots=True)
class Compared:
    """The same days, dialled in one way."""

    name: str
    days: tuple[DayResult, ...]

    @property
    def occupancy(self) -> float:
        return statistics.fmean(day.occupancy for day in self.days)

    @property
    def talk_share(self) -> float:
        return statistics.fmean(day.talk_s / (day.n_agents * day.lasted_s) for day in self.days)

    @property
    def abandon_rate(self) -> float:
        return statistics.fmean(day.abandon_rate for day in self.days)

    @property
    def worst_abandon_rate(self) -> float:
        return max(day.abandon_rate for day in self.days)

    @property
    def connects_per_agent_hour(self) -> float:
        return statistics.fmean(day.connects_per_agent_hour for day in self.days)

    @property
    def dials_per_hour(self) -> float:
        return statistics.fmean(day.dialled / day.lasted_s * 3600.0 for day in self.days)

    @property
    def completed_s(self) -> float | None:
        """When the list was done with; None where it was not."""
        done = [day.completed_s for day in self.days if day.completed_s is not None]
        return statistics.fmean(done) if len(done) == len(self.days) else None


def compare(world: World, config: PacingConfig, seeds: Sequence[int], day_s: float) -> Iterator[Compared]:
    """The campaign's own mode first; each as soon as it is there. Others are left out where no agents are needed.

    `day_s`: working hours of a day; a list may take several.
    """
    yield simulated(config.mode, world, seeds, lambda: Engine(config, day_s=day_s))
    if config.mode == "agentless" or config.answered_flow == "ivr":
        return
    if config.mode != "progressive":
        yield simulated("progressive", world, seeds, Progressive)
    _, at_limit = ratio_at_limit(world, config.alpha, seeds)
    yield at_limit
    yield simulated("adaptive", world, seeds, lambda: Adaptive("average", 3.0, drop_limit=config.alpha, day_s=day_s))
    yield simulated(
        "adaptive, hard", world, seeds, lambda: Adaptive("hard_limit", 3.0, drop_limit=config.alpha, day_s=day_s)
    )


def simulated(name: str, world: World, seeds: Sequence[int], pacer: Callable[[], Pacer]) -> Compared:
    return Compared(name, tuple(Simulation(world, pacer(), seed).run() for seed in seeds))


def ratio_at_limit(world: World, limit: float, seeds: Sequence[int]) -> tuple[float, Compared]:
    """The fixed number of lines for each idle agent at which these very days end at the limit on average, which nobody
    could know beforehand; found by halving."""
    low, high = 1.0, _LINES_MOST
    best = simulated("ratio 1.00", world, seeds, lambda: Ratio(1.0))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        made = simulated(f"ratio {middle:.2f}", world, seeds, lambda lines=middle: Ratio(lines))  # type: ignore[misc]
        if made.abandon_rate > limit:
            high = middle
        else:
            low, best = middle, made
    return low, best
