"""The world in which campaigns are simulated: who answers when, how long agents are busy, who calls in beside."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

_BLOCK = 4096

Steps = tuple[tuple[float, float], ...]
"""(from second, value), in order; before the first it holds too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Times in seconds from the start of the day."""

    n_agents: int
    length_s: float = 8 * 3600.0
    answer_rate: Steps = ((0.0, 0.3),)
    setup_s: float = 2.0
    answer_s: float = 9.0
    """Mean of what comes after the set-up until a person answers; lognormal, spread 0.5 of the mean."""
    ring_timeout_s: float = 22.0
    failure_share: float = 0.15
    """Of those who do not answer: busy, no such number …, within 1 to 4 s. The others ring out."""
    talk_s: float = 90.0
    talk_spread: float = 0.9
    """Standard deviation by the mean."""
    talk_factor: Steps = ((0.0, 1.0),)
    wrap_s: float = 20.0
    wrap_spread: float = 0.5
    patience_s: float = 2.0
    inbound_per_h: float = 0.0
    """Callers who want the same agents and wait until they get one."""
    n_records: int | None = None
    """Numbers to dial, each once; None: more than can be dialled."""
    law: Literal["lognormal", "memoryless"] = "lognormal"
    """memoryless: talk and ring exponential, whether or not somebody answers; no set-up, no failures, no limit."""

    def __post_init__(self) -> None:
        if self.n_agents < 1 or self.length_s <= 0:
            raise ValueError("at least one agent and a day of some length are needed")
        if not self.answer_rate or not all(0.0 < p <= 1.0 for _, p in self.answer_rate):
            raise ValueError("an answer rate is above 0 and at most 1")
        if self.talk_s <= 0 or self.wrap_s < 0 or self.answer_s <= 0 or self.ring_timeout_s <= self.setup_s:
            raise ValueError("talk, wrap-up and answer take some time, and the ring limit is longer than the set-up")


class Draws:
    """Random times of a world, drawn a few thousand at once."""

    def __init__(self, world: World, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._world = world
        normal = self._random.standard_normal
        if world.law == "memoryless":
            self.talk = self._drawer(lambda: self._random.exponential(world.talk_s, _BLOCK))
            self._ring = self._drawer(lambda: self._random.exponential(world.answer_s, _BLOCK))
        else:
            self.talk = self._drawer(_lognormal(world.talk_s, world.talk_spread, normal))
            self._ring = self._drawer(_lognormal(world.answer_s, 0.5, normal))
        self.wrap = self._drawer(_lognormal(world.wrap_s, world.wrap_spread, normal))
        self.inbound = self._drawer(lambda: self._random.exponential(3600.0 / max(world.inbound_per_h, 1e-9), _BLOCK))
        self._uniform = self._drawer(lambda: self._random.random(_BLOCK))

    def dial(self, p: float) -> tuple[bool, float]:
        """Whether a dial is answered, and after how long it is or ends."""
        world = self._world
        is_answered = self._uniform() < p
        if world.law == "memoryless":
            return is_answered, self._ring()
        if is_answered:
            return True, min(world.setup_s + self._ring(), world.ring_timeout_s)
        if self._uniform() < world.failure_share:
            return False, 1.0 + 3.0 * self._uniform()
        return False, world.ring_timeout_s

    @staticmethod
    def _drawer(block: Callable[[], np.ndarray]) -> Callable[[], float]:
        def endless() -> Iterator[float]:
            while True:
                yield from block().tolist()

        return endless().__next__


def _lognormal(mean_s: float, spread: float, normal: Callable[[int], np.ndarray]) -> Callable[[], np.ndarray]:
    if mean_s <= 0:
        return lambda: np.zeros(_BLOCK)
    variance = math.log1p(spread**2)
    middle, deviation = math.log(mean_s) - variance / 2.0, math.sqrt(variance)
    return lambda: np.exp(middle + deviation * normal(_BLOCK))


def value_at(steps: Steps, at: float) -> float:
    value = steps[0][1]
    for begins, each in steps:
        if at < begins:
            break
        value = each
    return value
