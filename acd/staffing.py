"""How many agents a load takes, by the formulas of Erlang: B (blocked calls are lost), C (all wait), A (some give up).

Poisson arrivals, exponential handling and patience, agents all alike. Pure. Times in seconds, shares from 0 to 1.
"""

import math
from dataclasses import dataclass

MAX_AGENTS = 20_000
_NEGLIGIBLE = 1e-14
_LARGE = 1e100
"""Weights above it are scaled down, or an overload would overflow."""
_STEPS = 400
"""Of the numerical integration; an even number (Simpson's rule)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is to be handled. `patience_s`: mean time until a waiting caller gives up; 0.0 = nobody ever does."""

    calls_per_hour: float
    handle_s: float
    patience_s: float = 0.0

    @property
    def erlangs(self) -> float:
        return self.calls_per_hour / 3600.0 * self.handle_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a number of agents makes of a load, in the long run. `mean_wait_s` is over all calls, given up or not."""

    n_agents: int
    wait_share: float
    abandon_share: float
    mean_wait_s: float
    service_level: float
    """Share of all calls that are answered within the threshold."""
    occupancy: float


def erlang_b(n_agents: int, erlangs: float) -> float:
    """Share of the calls that find all lines busy and are lost (Erlang 1917), by the stable recursion."""
    blocked = 1.0
    for n in range(1, n_agents + 1):
        blocked = erlangs * blocked / (n + erlangs * blocked)
    return blocked


def erlang_c(n_agents: int, erlangs: float) -> float:
    """Share of the calls that wait when all do; 1.0 when the agents cannot keep up."""
    if erlangs >= n_agents:
        return 1.0
    blocked = erlang_b(n_agents, erlangs)
    return n_agents * blocked / (n_agents - erlangs * (1.0 - blocked))


def forecast(load: Load, n_agents: int, threshold_s: float) -> Forecast:
    """Raises ValueError when nobody gives up and the agents cannot keep up: then the queue grows for ever."""
    if load.patience_s:
        return _forecast_a(load, n_agents, threshold_s)
    a = load.erlangs
    if a >= n_agents:
        raise ValueError(f"{n_agents} agents cannot keep up with {a:.2f} erlangs when nobody gives up")
    waits = erlang_c(n_agents, a)
    spare = (n_agents - a) / load.handle_s
    return Forecast(
        n_agents=n_agents,
        wait_share=waits,
        abandon_share=0.0,
        mean_wait_s=waits / spare,
        service_level=1.0 - waits * math.exp(-spare * threshold_s),
        occupancy=a / n_agents,
    )


def _forecast_a(load: Load, n_agents: int, threshold_s: float) -> Forecast:
    """Palm 1946; the density of the wait by Baccelli and Hebuterne 1981."""
    arrivals, done, leave = load.calls_per_hour / 3600.0, n_agents / load.handle_s, 1.0 / load.patience_s
    blocked = erlang_b(n_agents, load.erlangs)
    if blocked < _NEGLIGIBLE:
        return Forecast(
            n_agents=n_agents,
            wait_share=0.0,
            abandon_share=0.0,
            mean_wait_s=0.0,
            service_level=1.0,
            occupancy=arrivals / done,
        )
    # Weights of the states: all agents busy and nobody waiting (`full`), j waiting, and their sum.
    full, weight, waiting, queue, j = 1.0, 1.0, 0.0, 0.0, 0
    while weight > _NEGLIGIBLE * (full + waiting) or arrivals > done + j * leave:
        j += 1
        weight *= arrivals / (done + j * leave)
        waiting += weight
        queue += j * weight
        if weight > _LARGE:
            full, weight, waiting, queue = (each / _LARGE for each in (full, weight, waiting, queue))
    total = full / blocked + waiting
    abandon = leave * (queue / total) / arrivals

    scale = math.log(done / total) + math.log(full) if full else -math.inf

    def answered_density(x: float) -> float:
        return math.exp(scale + arrivals * -math.expm1(-leave * x) / leave - (done + leave) * x)

    step = threshold_s / _STEPS
    inner = sum((4.0 if k % 2 else 2.0) * answered_density(k * step) for k in range(1, _STEPS))
    within = (answered_density(0.0) + inner + answered_density(threshold_s)) * step / 3.0
    waits = (full + waiting) / total
    return Forecast(
        n_agents=n_agents,
        wait_share=waits,
        abandon_share=abandon,
        mean_wait_s=abandon / leave,
        service_level=1.0 - waits + within,
        occupancy=arrivals * (1.0 - abandon) / done,
    )


def agents_needed(load: Load, service_level: float, threshold_s: float, max_abandon_share: float = 1.0) -> Forecast:
    """The fewest agents that answer `service_level` of the calls within `threshold_s` and lose no more than that.

    Raises:
        ValueError: not even `MAX_AGENTS` do.
    """
    fewest = 1 if load.patience_s else math.floor(load.erlangs) + 1
    low, high = fewest, MAX_AGENTS + 1
    # More agents are never worse, so halving finds the fewest that are enough.
    while low < high:
        middle = (low + high) // 2
        made = forecast(load, middle, threshold_s)
        if made.service_level >= service_level and made.abandon_share <= max_abandon_share:
            high = middle
        else:
            low = middle + 1
    if low > MAX_AGENTS:
        raise ValueError(f"not even {MAX_AGENTS} agents reach that")
    return forecast(load, low, threshold_s)
