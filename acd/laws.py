"""Laws that simulated times follow."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """Seconds drawn at random with a mean; `spread` is the standard deviation by the mean (lognormal only)."""

    kind: Literal["constant", "exponential", "lognormal"] = "constant"
    mean_s: float = 0.0
    spread: float = 1.0


def drawer(law: Law, random: Random) -> Callable[[], float]:
    """What draws the next. Raises ValueError for a mean or a spread below 0."""
    if law.mean_s < 0 or law.spread < 0:
        raise ValueError(f"a mean of {law.mean_s:g} s with a spread of {law.spread:g}: neither may be below 0")
    mean_s = law.mean_s
    if law.kind == "constant" or mean_s == 0 or (law.kind == "lognormal" and law.spread == 0):
        return lambda: mean_s
    if law.kind == "exponential":
        return lambda: random.expovariate(1.0) * mean_s
    variance = math.log1p(law.spread**2)
    middle, deviation = math.log(mean_s) - variance / 2, math.sqrt(variance)
    return lambda: random.lognormvariate(middle, deviation)


def exact_drawer(law: Law, n: int, random: Random) -> Callable[[], float]:
    """Exponential times, one from each of `n` shares of equal probability, in random order: over `n` draws their mean
    is the law's but for rounding. Raises ValueError for another kind of law."""
    if law.kind != "exponential":
        raise ValueError(f"{law.kind} times cannot be drawn exactly, only exponential ones")
    left = list(range(n))
    random.shuffle(left)

    def draw() -> float:
        share = left.pop() if left else random.randrange(n)
        return -math.log1p(-(share + random.random()) / n) * law.mean_s

    return draw
