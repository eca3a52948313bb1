"""What is learnt of times: when a dial is answered or fails, how long agents talk and wrap up. Counts fade, so that the
laws follow the day; priors are weak, so that they are the campaign's own after a few dozen calls."""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RING_BIN_S = 0.5
RING_BINS = 362
"""Half seconds to 180 s, the longest ring there is, and what is beyond."""
_RING_DECAY = 0.998
_ANSWER_PRIOR, _FAILURE_PRIOR = 2.0, 1.0

EDGES = np.array([0.0, 2, 4, 6, 8, 12, 16, 20, 28, 36, 48, 64, 90, 128, 180, 256, 384, 600, np.inf])
_N_AGES = len(EDGES) - 1
_WIDTHS = np.diff(EDGES)
_LIFE_DECAY = 1.0 - 1.0 / 400.0
_PRIOR_COUNT = 1.0

MAX_AGE_S = 600
"""Beyond the last edge the hazard is constant, so that older than this is the same as this."""


class RingLaw:
    """When dials are answered and when the others end, as histograms."""

    __slots__ = ("answers", "failures")

    def __init__(self) -> None:
        self.answers = np.zeros(RING_BINS)
        self.failures = np.zeros(RING_BINS)

    def answered(self, rang_s: float) -> None:
        self.answers *= _RING_DECAY
        self.answers[_ring_bin(rang_s)] += 1.0

    def failed(self, rang_s: float) -> None:
        self.failures *= _RING_DECAY
        self.failures[_ring_bin(rang_s)] += 1.0

    def answer_cdf(self, timeout_s: float) -> Floats:
        """At the ends of the bins, 0.0 before the first: one more value than bins."""
        n = _ring_bin(timeout_s - 1e-9) + 1
        prior = np.zeros(RING_BINS)
        prior[:n] = _ANSWER_PRIOR / n
        return _cdf(self.answers + prior)

    def failure_cdf(self, timeout_s: float) -> Floats:
        prior = np.zeros(RING_BINS)
        prior[_ring_bin(timeout_s)] = _FAILURE_PRIOR
        return _cdf(self.failures + prior)


class LifeTable:
    """How long something lasts, by the hazard of each age; also what has not ended yet tells of it."""

    __slots__ = ("ends", "exposure_s", "kappa_s", "prior_s")

    def __init__(self, prior_s: float, kappa_s: float) -> None:
        """`kappa_s`: so many seconds at an age weigh as much as the overall rate."""
        self.prior_s, self.kappa_s = prior_s, kappa_s
        self.ends = np.zeros(_N_AGES)
        self.exposure_s = np.zeros(_N_AGES)

    def ended(self, lasted_s: float) -> None:
        lasted_s = max(0.0, lasted_s)
        self.ends *= _LIFE_DECAY
        self.exposure_s *= _LIFE_DECAY
        self.ends[min(int(np.searchsorted(EDGES, lasted_s, side="right")) - 1, _N_AGES - 1)] += 1.0
        self.exposure_s += np.clip(lasted_s - EDGES[:-1], 0.0, _WIDTHS)

    def cumulative_hazard(self, under_way: Floats, horizon_s: int) -> Floats:
        """At 0, 1, 2 … MAX_AGE_S + `horizon_s` seconds; `under_way`: the ages of those that have not ended.

        Of those that reach age a, exp(H(a) - H(b)) reach age b."""
        exposure_s = self.exposure_s
        if len(under_way):
            exposure_s = exposure_s + np.clip(under_way[:, None] - EDGES[:-1], 0.0, _WIDTHS).sum(axis=0)
        overall = (self.ends.sum() + _PRIOR_COUNT) / (exposure_s.sum() + _PRIOR_COUNT * self.prior_s)
        hazard = (self.ends + self.kappa_s * overall) / (exposure_s + self.kappa_s)
        ages = np.arange(MAX_AGE_S + horizon_s + 1, dtype=float)
        total = np.concatenate(([0.0], np.cumsum(hazard[:-1] * _WIDTHS[:-1])))
        of_age = np.searchsorted(EDGES, ages, side="right") - 1
        cumulative: Floats = total[of_age] + hazard[of_age] * (ages - EDGES[of_age])
        return cumulative


def _ring_bin(seconds: float) -> int:
    return min(max(int(seconds / RING_BIN_S), 0), RING_BINS - 1)


def _cdf(weights: Floats) -> Floats:
    total = np.concatenate(([0.0], np.cumsum(weights)))
    cdf: Floats = total / total[-1]
    return cdf


class RingPlain(msgspec.Struct, kw_only=True):
    answers: list[float]
    failures: list[float]


class LifePlain(msgspec.Struct, kw_only=True):
    ends: list[float]
    exposure_s: list[float]


def array_of(values: list[float], like: Floats) -> Floats:
    """Raises ValueError for another length or a value below 0."""
    made = np.array(values, dtype=float)
    if made.shape != like.shape or not np.isfinite(made).all() or (made < 0).any():
        raise ValueError(f"{len(values)} counts where {len(like)} are kept, none below 0")
    return made


def plain_of(law: RingLaw | LifeTable) -> dict[str, Any]:
    return {name: getattr(law, name).tolist() for name in _KEPT[type(law)]}


_KEPT: dict[type, tuple[str, str]] = {RingLaw: ("answers", "failures"), LifeTable: ("ends", "exposure_s")}
