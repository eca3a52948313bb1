"""Days of campaigns for benchmarks/dialer.py: which there are, what must come of them, and what does."""

import math
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from dialer.comparison import ratio_at_limit
from dialer.simulation import DayResult, Pacer, Simulation
from dialer.simulation_pacers import Adaptive, Engine, Progressive
from dialer.simulation_world import World
from dialer.snapshot import PacingConfig

FIRST_SEED = 101
LIMIT_PCT = 3.0
COMPLIANT_PCT = 3.1
"""An adaptive setting that ended its days so on average is good enough to be compared with."""
TOLERANCE = 1.0
ADAPTIVE = ("avg3", "hard3", "tap3", "avg10", "hard10", "tap10", "avg3_all")
DEFAULT = "avg3"
_METHODS = {"avg": "average", "hard": "hard_limit", "tap": "tapered"}
_JUMPS = ((0.0, 0.3), (7200.0, 0.5), (14_400.0, 0.2), (21_600.0, 0.4))
_LONGER = ((0.0, 1.0), (10_800.0, 1.6), (18_000.0, 0.7))
_LONG_S = 40 * 3600.0


@dataclass(frozen=True, slots=True)
class Cell:
    kind: str
    """stationary; jumps (answer rate and talk time change during the day); memoryless (the best possible is known)."""
    n_agents: int
    p: float
    """The first, of jumps."""
    wanted: float
    """Occupancy in %: of the prototype, or the best possible."""
    seeds: int

    @property
    def name(self) -> str:
        return f"{self.kind} {self.n_agents} {self.p:g}"

    @property
    def world(self) -> World:
        """Memoryless days are long: the best possible is that of a day without end, and what is kept in hand of the
        budget until the end counts for less."""
        if self.kind == "jumps":
            return World(n_agents=self.n_agents, answer_rate=_JUMPS, talk_factor=_LONGER)
        rate = ((0.0, self.p),)
        if self.kind == "memoryless":
            return World(
                n_agents=self.n_agents,
                answer_rate=rate,
                law="memoryless",
                talk_s=110.0,
                wrap_s=0.0,
                answer_s=12.0,
                patience_s=0.0,
                length_s=_LONG_S if self.n_agents <= 10 else _LONG_S / 2.0,
            )
        return World(n_agents=self.n_agents, answer_rate=rate)

    @property
    def config(self) -> PacingConfig:
        if self.kind == "memoryless":
            return PacingConfig(ring_timeout_s=90.0, patience_s=0.0)
        return PacingConfig()


_STATIONARY = {
    5: (73.0, 77.0, 80.2, 85.0),
    10: (80.8, 82.7, 84.2, 87.1),
    20: (86.7, 87.7, 88.6, 90.3),
    60: (93.6, 93.9, 94.2, 95.0),
    200: (97.6, 97.7, 97.9, 98.2),
}
_RATES = (0.2, 0.3, 0.4, 0.6)
_JUMPING = {10: 82.6, 20: 87.6, 60: 93.9, 200: 97.5}
_OPTIMUM = {
    (5, 0.3): 80.12,
    (10, 0.3): 84.01,
    (20, 0.2): 87.91,
    (20, 0.3): 88.52,
    (20, 0.6): 90.24,
    (60, 0.3): 94.00,
}


def all_cells() -> list[Cell]:
    return [
        *(
            Cell("stationary", n, p, wanted, _seeds(n))
            for n, row in _STATIONARY.items()
            for p, wanted in zip(_RATES, row, strict=True)
        ),
        *(Cell("jumps", n, 0.3, wanted, _seeds(n)) for n, wanted in _JUMPING.items()),
        *(Cell("memoryless", n, p, wanted, 3 if n <= 20 else 2) for (n, p), wanted in _OPTIMUM.items()),
    ]


def quick_cells() -> list[Cell]:
    return [
        Cell("stationary", 5, 0.3, 77.0, 5),
        Cell("stationary", 20, 0.3, 87.7, 3),
        Cell("stationary", 60, 0.3, 93.9, 2),
        Cell("jumps", 20, 0.3, 87.6, 3),
    ]


def _seeds(n_agents: int) -> int:
    return 12 if n_agents <= 20 else 6 if n_agents <= 60 else 3


@dataclass(frozen=True, slots=True)
class Days:
    """Several days of one cell with one pacer, in %."""

    occupancy: tuple[float, ...]
    abandoned: tuple[float, ...]
    connects: tuple[float, ...]
    """For each agent and hour."""
    talk: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.occupancy)

    @property
    def half_width(self) -> float:
        """Of the 95 % interval of the mean."""
        if len(self.occupancy) < 2:
            return 0.0
        return 1.96 * statistics.stdev(self.occupancy) / math.sqrt(len(self.occupancy))

    @property
    def mean_abandoned(self) -> float:
        return statistics.fmean(self.abandoned)

    def exceeds(self, other: "Days") -> bool:
        return self.mean - self.half_width > other.mean + other.half_width


def pacer_of(name: str, cell: Cell) -> Pacer:
    """engine, progressive, or one of ADAPTIVE."""
    if name == "engine":
        return Engine(cell.config, day_s=cell.world.length_s)
    if name == "progressive":
        return Progressive()
    method, _, which = name.partition("3" if "3" in name else "10")
    level = 3.0 if "3" in name else 10.0
    return Adaptive(_METHODS[method], level, available_only=which != "_all")  # type: ignore[arg-type]


def day(cell: Cell, pacer: str, seed: int) -> tuple[float, float, float, float]:
    return _figures_of(Simulation(cell.world, pacer_of(pacer, cell), seed).run())


def _figures_of(made: DayResult) -> tuple[float, float, float, float]:
    talk = 100.0 * made.talk_s / (made.n_agents * made.lasted_s)
    return 100.0 * made.occupancy, 100.0 * made.abandon_rate, made.connects_per_agent_hour, talk


def days(cell: Cell, pacer: str) -> Days:
    return _days(day(cell, pacer, seed) for seed in range(FIRST_SEED, FIRST_SEED + cell.seeds))


def _days(made: Iterable[tuple[float, float, float, float]]) -> Days:
    occupancy, abandoned, connects, talk = zip(*made, strict=True)
    return Days(occupancy, abandoned, connects, talk)


def fixed_ratio(cell: Cell) -> tuple[float, Days]:
    seeds = range(FIRST_SEED, FIRST_SEED + cell.seeds)
    lines, made = ratio_at_limit(cell.world, LIMIT_PCT / 100.0, seeds)
    return lines, _days(map(_figures_of, made.days))


@dataclass(slots=True)
class Row:
    cell: Cell
    engine: Days
    others: dict[str, Days]
    ratio: tuple[float, Days] | None = None

    @property
    def best_adaptive(self) -> str | None:
        """The best setting among those that kept the limit."""
        kept = [name for name in ADAPTIVE if name in self.others and self.others[name].mean_abandoned <= COMPLIANT_PCT]
        return max(kept, key=lambda name: self.others[name].mean, default=None)

    @property
    def misses(self) -> list[str]:
        missed = []
        if self.engine.mean < self.cell.wanted - TOLERANCE:
            missed.append("occupancy")
        if max(self.engine.abandoned) > LIMIT_PCT:
            missed.append("abandoned")
        rivals = {"progressive", DEFAULT, self.best_adaptive} if self.cell.kind != "memoryless" else {"progressive"}
        missed += sorted(name for name in rivals if name in self.others and not self.engine.exceeds(self.others[name]))
        return missed

    def plain(self) -> dict[str, Any]:
        others = {name: _figures(made) for name, made in self.others.items()}
        if self.ratio:
            others["ratio"] = {"lines": round(self.ratio[0], 3), **_figures(self.ratio[1])}
        return {
            "cell": self.cell.name,
            "kind": self.cell.kind,
            "agents": self.cell.n_agents,
            "p": self.cell.p,
            "seeds": self.cell.seeds,
            "wanted": self.cell.wanted,
            **_figures(self.engine),
            "talk": round(statistics.fmean(self.engine.talk), 2),
            "best_adaptive": self.best_adaptive,
            "others": others,
            "misses": self.misses,
        }


def _figures(made: Days) -> dict[str, float]:
    return {
        "occupancy": round(made.mean, 2),
        "half_width": round(made.half_width, 2),
        "abandon_pct": round(made.mean_abandoned, 3),
        "abandon_pct_max": round(max(made.abandoned), 3),
        "connects_per_agent_hour": round(statistics.fmean(made.connects), 2),
    }


def run(cells: Sequence[Cell], processes: int, *, with_ratio: bool) -> list[Row]:
    """Long days first, so that the processes end together."""
    rivals = ("progressive", *ADAPTIVE)
    with ProcessPoolExecutor(max_workers=processes) as pool:
        engine: dict[Cell, list[Future[tuple[float, float, float, float]]]] = {}
        for cell in sorted(cells, key=lambda each: -each.n_agents):
            seeds = range(FIRST_SEED, FIRST_SEED + cell.seeds)
            engine[cell] = [pool.submit(day, cell, "engine", seed) for seed in seeds]
        others = {
            cell: {
                name: pool.submit(days, cell, name)
                for name in rivals
                if cell.kind != "memoryless" or name == "progressive"
            }
            for cell in cells
        }
        ratios = {cell: pool.submit(fixed_ratio, cell) for cell in cells if with_ratio and cell.kind != "memoryless"}
        return [
            Row(
                cell,
                _days(future.result() for future in engine[cell]),
                {name: future.result() for name, future in others[cell].items()},
                ratios[cell].result() if cell in ratios else None,
            )
            for cell in cells
        ]
