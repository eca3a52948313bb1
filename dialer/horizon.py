"""HORIZON: the most dials of which the last, if it is answered, finds no agent with a probability that the budget of
abandoned calls bears. It looks at what each agent and each ringing call will be in the seconds within which dials are
answered, and adds up means, variances and third moments; more calls than idle agents only while the budget allows.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from dialer.forecast import HORIZONS, MIDDLE, SHARES, Tables
from dialer.laws import RING_BIN_S, Floats
from dialer.ledger import Ledger
from dialer.pacing_model import PacingModel
from dialer.snapshot import Decision, PacingConfig, PacingSnapshot, Reason

_CAUTION = 0.5
_CAUTION_OF_POWER = 2.0
"""A fixed ratio has no threshold that follows the budget: it would spend all of it, and then some by chance."""
_FEW = 100
"""Fewer rows than that are added up faster than counted."""
_ROOT_2 = math.sqrt(2.0)
_ROOT_2_PI = math.sqrt(2.0 * math.pi)


class Outlook:
    """The floor in the seconds to come, as moments of agents free minus calls answered, for each horizon."""

    __slots__ = ("_by_dial", "_known", "_mean", "_third", "_variance")

    def __init__(self, snapshot: PacingSnapshot, tables: Tables, p: float, inbound_per_s: float, reserve: int) -> None:
        base = free_agents(snapshot, reserve)
        agents = _sum(tables.talk, snapshot.talk_ages, 1.0) + _sum(tables.wrap, snapshot.wrap_ages, 1.0)
        mean, variance, third = agents[:HORIZONS], agents[HORIZONS : 2 * HORIZONS], agents[2 * HORIZONS :]
        if len(snapshot.ringing_ages):
            ringing = _sum(tables.answered(p), snapshot.ringing_ages, RING_BIN_S)
            mean = mean - ringing[:HORIZONS]
            variance = variance + ringing[HORIZONS : 2 * HORIZONS]
            third = third - ringing[2 * HORIZONS :]
        if inbound_per_s > 0:
            callers = inbound_per_s * tables.horizons_s
            mean, variance, third = mean - callers, variance + callers, third - callers
        self._mean: list[float] = (mean + base).tolist()
        self._variance: list[float] = variance.tolist()
        self._third: list[float] = third.tolist()
        self._known: dict[int, float] = {}
        self._by_dial = []
        for share in SHARES:
            g = p * share
            spread = g * (1.0 - g)
            self._by_dial.append((g, spread, spread * (1.0 - 2.0 * g)))

    def refused(self, n: int) -> float:
        """How likely a dial finds no agent, if it is answered, when `n` others are begun with it."""
        known = self._known.get(n)
        if known is not None:
            return known
        total = 0.0
        for mean, variance, third, (g, spread, skew) in zip(
            self._mean, self._variance, self._third, self._by_dial, strict=True
        ):
            total += _at_most_none(mean - n * g, variance + n * spread, third - n * skew)
        self._known[n] = chance = total / HORIZONS
        return chance

    def at_risk(self, n: int = 0) -> float:
        """How many of the calls under way, and of `n` dials begun now, are expected to find no agent."""
        g, spread, _ = self._by_dial[MIDDLE]
        mean, variance = self._mean[MIDDLE] - n * g, self._variance[MIDDLE] + n * spread
        if variance < 1e-9:
            return max(0.0, -mean)
        deviation = math.sqrt(variance)
        z = mean / deviation
        # Far out both terms are alike but for rounding.
        return max(0.0, deviation * math.exp(-0.5 * z * z) / _ROOT_2_PI - mean * 0.5 * math.erfc(z / _ROOT_2))


def free_agents(snapshot: PacingSnapshot, reserve: int) -> int:
    """Idle agents that nobody waits for and that are not kept; below 0 when callers lack agents."""
    return snapshot.idle_agents - reserve - snapshot.answered_waiting - snapshot.inbound_waiting


def dials_to_learn_from(n_agents: int) -> int:
    """Before so many nobody knows the answer rate."""
    return min(200, max(30, n_agents))


@dataclass(frozen=True, slots=True)
class Weighed:
    """Budget and risk at one instant."""

    outlook: Outlook
    p: float
    theta: float
    credit: float
    at_risk: float
    is_open: bool
    """The budget bears more calls than there are idle agents."""
    one_each: int
    """Dials with which a call is under way for each idle agent that is not kept."""

    def decide(self, n: int, reason: Reason) -> Decision:
        return Decision(
            n_dials=n,
            reason=reason,
            p=self.p,
            theta=self.theta,
            q=self.outlook.refused(n),
            credit=self.credit,
            at_risk=self.at_risk,
            is_gate_open=self.is_open,
        )


def weigh(now: float, snapshot: PacingSnapshot, model: PacingModel, config: PacingConfig, ledger: Ledger) -> Weighed:
    p = model.answer_rate(config.p_override)
    credit = ledger.credit(config.alpha, snapshot.at_utc)
    tables = model.tables(now, snapshot, config)
    outlook = Outlook(snapshot, tables, p, model.inbound_per_s(now), config.reserve)
    at_risk = outlook.at_risk()
    return Weighed(
        outlook=outlook,
        p=p,
        theta=model.threshold(config.alpha, credit, snapshot.n_agents),
        credit=credit,
        at_risk=at_risk,
        is_open=_bears(credit, at_risk, _CAUTION),
        one_each=max(0, free_agents(snapshot, config.reserve) - snapshot.n_ringing),
    )


def plan(now: float, snapshot: PacingSnapshot, model: PacingModel, config: PacingConfig, ledger: Ledger) -> Decision:
    """Mode predictive, without what bounds every mode (`modes.plan`): lines, calls per second, records, hours."""
    weighed = weigh(now, snapshot, model, config, ledger)
    if model.n_committed < dials_to_learn_from(snapshot.n_agents):
        return msgspec.structs.replace(weighed.decide(weighed.one_each, "warming_up"), is_gate_open=False)
    if not weighed.is_open:
        return weighed.decide(weighed.one_each, "gate_closed")
    return weighed.decide(most_dials(weighed.outlook, weighed.theta, 4 * snapshot.n_agents + 8), "pacing")


def plan_power(
    now: float, snapshot: PacingSnapshot, model: PacingModel, config: PacingConfig, ledger: Ledger
) -> Decision:
    """Mode power: so many lines per idle agent, as far as the budget bears it."""
    weighed = weigh(now, snapshot, model, config, ledger)
    lines = int(config.ratio * max(0, free_agents(snapshot, config.reserve)) + 1e-9)
    wanted = max(0, lines - snapshot.n_ringing)
    borne = _largest(wanted, lambda n: _bears(weighed.credit, weighed.outlook.at_risk(n), _CAUTION_OF_POWER))
    if borne < wanted:
        return weighed.decide(max(borne, weighed.one_each), "gate_closed")
    return weighed.decide(wanted, "pacing")


def most_dials(outlook: Outlook, theta: float, most: int) -> int:
    """The largest number up to `most` of which the last has `refused` <= theta."""
    return _largest(most, lambda n: outlook.refused(n - 1) <= theta)


def _bears(credit: float, at_risk: float, caution: float) -> bool:
    return credit >= caution + at_risk + caution * math.sqrt(at_risk)


def _largest(most: int, is_good: Callable[[int], bool]) -> int:
    """The largest number up to `most` that is good, where what is good is so up to some number; 0 always is."""
    low, step = 0, 1
    while low < most and is_good(min(low + step, most)):
        low = min(low + step, most)
        step *= 2
    high = min(low + step, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if is_good(middle):
            low = middle
        else:
            high = middle
    return low


def _sum(table: Floats, ages: Sequence[float], step_s: float) -> Floats:
    """Of the rows of these ages."""
    if not len(ages):
        return np.zeros(table.shape[1])
    rows = (np.asarray(ages, dtype=float) * (1.0 / step_s) + 0.5).astype(np.intp)
    made: Floats
    if len(rows) < _FEW:
        made = np.add.reduce(table.take(rows, axis=0, mode="clip"))
    else:
        made = np.bincount(np.minimum(rows, len(table) - 1), minlength=len(table)) @ table
    return made


def _at_most_none(mean: float, variance: float, third: float) -> float:
    """How likely a whole number with these moments is 0 or less (normal, with Edgeworth's term for skewness)."""
    if variance < 1e-9:
        return 1.0 if mean < 0.5 else 0.0
    deviation = math.sqrt(variance)
    z = (0.5 - mean) / deviation
    density = math.exp(-0.5 * z * z) / _ROOT_2_PI
    chance = 0.5 * math.erfc(-z / _ROOT_2) + third / (6.0 * variance * deviation) * (1.0 - z * z) * density
    return min(max(chance, 0.0), 1.0)
