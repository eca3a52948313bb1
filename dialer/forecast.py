"""What the laws say of the seconds to come, as tables by age: so a decision is a few look-ups, however many agents.

For six horizons, the times by which a dial that will be answered is answered (each as likely as the others), and for
each age: the chance that an agent is free then, that a ringing call is answered by then, and the moments of both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dialer.laws import MAX_AGE_S, RING_BIN_S, Floats, LifeTable, RingLaw

HORIZONS = 6
SHARES = tuple((k + 0.5) / HORIZONS for k in range(HORIZONS))
MIDDLE = HORIZONS // 2
_NOBODY = 1e-9
_NEVER = 600.0
"""Cumulative hazard of an age that nobody reaches, and exp(-600) is still a number to divide by."""


@dataclass(slots=True)
class Tables:
    made_at: float
    key: tuple[float, float]
    horizons_s: Floats
    talk: Floats
    """Rows: whole seconds of age; columns: mean, variance, third moment, each for the six horizons."""
    wrap: Floats
    answer_by: Floats
    """Rows: half seconds of age; columns: answered within each horizon, of those who answer at all."""
    not_answered: Floats
    """By half seconds of age: of those who will answer, who has not yet."""
    not_failed: Floats
    _answered: Floats | None = None
    _p: float = -1.0

    def answered(self, p: float) -> Floats:
        """That a call which rings is answered by then, when `p` of all dials are; rows by half seconds, columns as of
        `talk`. The last is kept: many decisions are made with one `p`."""
        if self._answered is None or p != self._p:
            still = p * self.not_answered + (1.0 - p) * self.not_failed
            chance = np.where(still > _NOBODY, p, 0.0)[:, None] * self.answer_by / np.maximum(still, _NOBODY)[:, None]
            self._answered, self._p = moments(np.minimum(chance, 1.0)), p
        return self._answered


def make_tables(
    now: float,
    ring: RingLaw,
    talk: LifeTable,
    wrap: LifeTable,
    talk_ages: Sequence[float],
    wrap_ages: Sequence[float],
    key: tuple[float, float],
) -> Tables:
    timeout_s, patience_s = key
    answers, failures = ring.answer_cdf(timeout_s), ring.failure_cdf(timeout_s)
    n_rows = int(timeout_s / RING_BIN_S) + 2
    ends: Floats = np.arange(len(answers), dtype=float) * RING_BIN_S
    horizons_s = _quantiles(answers, ends)
    ages = ends[:n_rows]
    answer_by = np.interp(ages[:, None] + horizons_s, ends, answers) - answers[:n_rows, None]
    reach_s = math.ceil(horizons_s[-1] + patience_s) + 1
    of_talk = talk.cumulative_hazard(np.asarray(talk_ages, dtype=float), reach_s)
    of_wrap = wrap.cumulative_hazard(np.asarray(wrap_ages, dtype=float), reach_s)
    by_s = horizons_s + patience_s
    return Tables(
        made_at=now,
        key=key,
        horizons_s=horizons_s,
        talk=moments(_free_from_talk(of_talk, of_wrap, by_s, reach_s)),
        wrap=moments(_free_from_wrap(of_wrap, by_s)),
        answer_by=answer_by,
        not_answered=1.0 - answers[:n_rows],
        not_failed=1.0 - failures[:n_rows],
    )


def _quantiles(cdf: Floats, ends: Floats) -> Floats:
    # np.interp wants a rising function: where nothing was seen it stands still.
    rising = cdf + np.arange(len(cdf)) * 1e-12
    made: Floats = np.interp(SHARES, rising, ends)
    return made


def _free_from_talk(talk: Floats, wrap: Floats, by_s: Floats, reach_s: int) -> Floats:
    """The talk ends in a second to come, and the wrap-up after it within what is left then."""
    left_s = by_s[:, None] - np.arange(reach_s) - 0.5
    wrapped = np.where(left_s > 0, -np.expm1(-_at(wrap, left_s)), 0.0)
    still = np.exp(-np.minimum(talk, _NEVER))
    ending = np.lib.stride_tricks.sliding_window_view(still[:-1] - still[1:], reach_s)[: MAX_AGE_S + 1]
    free: Floats = (ending @ wrapped.T) / still[: MAX_AGE_S + 1, None]
    return np.clip(free, 0.0, 1.0)


def _free_from_wrap(wrap: Floats, by_s: Floats) -> Floats:
    ages = np.arange(MAX_AGE_S + 1, dtype=float)
    free: Floats = -np.expm1(wrap[: MAX_AGE_S + 1, None] - _at(wrap, ages[:, None] + by_s))
    return np.clip(free, 0.0, 1.0)


def _at(cumulative: Floats, ages: Floats) -> Floats:
    values: Floats = np.interp(ages, np.arange(len(cumulative)), cumulative)
    return values


def moments(chance: Floats) -> Floats:
    """Mean, variance and third central moment of what happens with this chance, side by side."""
    variance = chance * (1.0 - chance)
    return np.concatenate((chance, variance, variance * (1.0 - 2.0 * chance)), axis=1)
