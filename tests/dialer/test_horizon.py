"""Covers the decision of predictive pacing: what it grows and shrinks with, the gate, and that adding up moments is as
good as the exact distribution. What a day comes to is in test_simulation.py.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dialer.forecast import SHARES, moments
from dialer.horizon import Outlook, dials_to_learn_from, free_agents, most_dials, plan, weigh
from dialer.pacing_model import PacingModel
from dialer.snapshot import PacingConfig, PacingSnapshot
from tests.dialer.floors import changed, ledger_of, snapshot, snapshots, warm_model

NOW = 5000.0
MODEL = warm_model()
CONFIG = PacingConfig()
thetas = st.floats(0.002, 0.85)


def outlook(floor: PacingSnapshot, *, reserve: int = 0, inbound_per_s: float = 0.0, p: float = 0.3) -> Outlook:
    return Outlook(floor, MODEL.tables(NOW, snapshot(), CONFIG), p, inbound_per_s, reserve)


def dials(floor: PacingSnapshot, theta: float, *, reserve: int = 0, inbound_per_s: float = 0.0) -> int:
    return most_dials(outlook(floor, reserve=reserve, inbound_per_s=inbound_per_s), theta, 4 * floor.n_agents + 8)


@given(snapshots, thetas)
def test_who_waits_takes_the_place_of_a_dial(floor: PacingSnapshot, theta: float) -> None:
    one_more = changed(floor, answered_waiting=floor.answered_waiting + 1)
    assert dials(one_more, theta) <= dials(floor, theta)
    one_more = changed(floor, inbound_waiting=floor.inbound_waiting + 1)
    assert dials(one_more, theta) <= dials(floor, theta)


@given(snapshots, thetas, st.floats(0.0, 21.0))
def test_the_more_ring_the_fewer_are_dialled(floor: PacingSnapshot, theta: float, age: float) -> None:
    assert dials(changed(floor, ringing_ages=[*floor.ringing_ages, age]), theta) <= dials(floor, theta)


@given(snapshots, thetas, st.integers(0, 5))
def test_the_more_are_kept_for_callers_the_fewer_are_dialled(floor: PacingSnapshot, theta: float, reserve: int) -> None:
    assert dials(floor, theta, reserve=reserve + 1) <= dials(floor, theta, reserve=reserve)


@given(snapshots, thetas, st.floats(0.0, 0.2))
def test_the_more_call_in_the_fewer_are_dialled(floor: PacingSnapshot, theta: float, per_s: float) -> None:
    assert dials(floor, theta, inbound_per_s=per_s + 0.05) <= dials(floor, theta, inbound_per_s=per_s)


@given(snapshots, thetas)
def test_an_agent_who_becomes_idle_never_lessens_the_dials(floor: PacingSnapshot, theta: float) -> None:
    most = 4 * floor.n_agents + 12
    before, after = outlook(floor), outlook(changed(floor, idle_agents=floor.idle_agents + 1))
    assert most_dials(after, theta, most) >= most_dials(before, theta, most)


@given(snapshots, thetas, thetas)
def test_a_bolder_threshold_never_lessens_the_dials(floor: PacingSnapshot, one: float, other: float) -> None:
    assert dials(floor, min(one, other)) <= dials(floor, max(one, other))


@given(snapshots, thetas)
def test_the_number_is_the_largest_that_the_threshold_bears(floor: PacingSnapshot, theta: float) -> None:
    seen, most = outlook(floor), 4 * floor.n_agents + 8
    n = most_dials(seen, theta, most)
    assert n == 0 or seen.refused(n - 1) <= theta
    assert n == most or seen.refused(n) > theta


@given(snapshots)
def test_one_more_dial_is_never_safer(floor: PacingSnapshot) -> None:
    """As far as any threshold goes; beyond, the third moment is not exact where hardly anybody can become free."""
    assume(floor.n_agents > 0)
    seen = outlook(floor)
    chances = [min(seen.refused(n), 0.85) for n in range(60)]
    assert all(before <= after + 1e-12 for before, after in pairwise(chances))


@given(snapshots, st.integers(0, 2000), st.integers(0, 80), st.integers(0, 3))
def test_a_closed_gate_leaves_one_call_for_each_idle_agent(
    floor: PacingSnapshot, answered: int, abandoned: int, reserve: int
) -> None:
    config, ledger = PacingConfig(reserve=reserve), ledger_of(answered, abandoned)
    weighed = weigh(NOW, floor, MODEL, config, ledger)
    decision = plan(NOW, floor, MODEL, config, ledger)
    assert decision.is_gate_open == weighed.is_open == (decision.reason == "pacing")
    if not decision.is_gate_open:
        assert decision.reason == "gate_closed"
        assert decision.n_dials == max(0, free_agents(floor, reserve) - floor.n_ringing)
    if weighed.credit < 0.5:
        assert not weighed.is_open


@given(snapshots)
def test_nobody_is_bold_before_the_answer_rate_is_known(floor: PacingSnapshot) -> None:
    decision = plan(NOW, floor, PacingModel(), CONFIG, ledger_of(1000, 0))
    assert (decision.reason, decision.is_gate_open) == ("warming_up", False)
    assert decision.n_dials == max(0, free_agents(floor, 0) - floor.n_ringing)


@pytest.mark.parametrize(("n_agents", "wanted"), [(5, 30), (30, 30), (90, 90), (200, 200), (5000, 200)])
def test_so_many_dials_make_it_known(n_agents: int, wanted: int) -> None:
    assert dials_to_learn_from(n_agents) == wanted


@given(snapshots)
@settings(max_examples=30)
def test_the_same_floor_and_model_give_the_same_decision(floor: PacingSnapshot) -> None:
    one = plan(NOW, floor, warm_model(dials=80), CONFIG, ledger_of(500, 3))
    other = plan(NOW, floor, warm_model(dials=80), CONFIG, ledger_of(500, 3))
    assert one == other


def exactly_refused(floor: PacingSnapshot, n: int, p: float) -> float:
    """By the whole distribution of agents free and calls answered, for each horizon."""
    tables = MODEL.tables(NOW, snapshot(), CONFIG)
    still = p * tables.not_answered + (1 - p) * tables.not_failed
    total = 0.0
    for k, share in enumerate(SHARES):
        free = [float(tables.talk[round_(age, 1.0, len(tables.talk)), k]) for age in floor.talk_ages]
        free += [float(tables.wrap[round_(age, 1.0, len(tables.wrap)), k]) for age in floor.wrap_ages]
        rows = [round_(age, 0.5, len(still)) for age in floor.ringing_ages]
        answered = [float(p * tables.answer_by[row, k] / still[row]) for row in rows] + [p * share] * n
        gain, loss = counts(free), counts(answered)
        need = free_agents(floor, 0)
        total += sum(gain[i] * loss[j] for i in range(len(gain)) for j in range(len(loss)) if need + i - j <= 0)
    return total / len(SHARES)


def round_(age: float, step: float, rows: int) -> int:
    return min(int(age / step + 0.5), rows - 1)


def counts(chances: list[float]) -> np.ndarray:
    made = np.array([1.0])
    for chance in chances:
        made = np.convolve(made, [1.0 - chance, chance])
    return made


@given(snapshots, st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_moments_are_nearly_as_good_as_the_whole_distribution(floor: PacingSnapshot, n: int) -> None:
    assume(len(floor.talk_ages) + len(floor.wrap_ages) + floor.n_ringing + n >= 8)
    assert outlook(floor).refused(n) == pytest.approx(exactly_refused(floor, n, 0.3), abs=0.08)


def test_moments_of_what_happens_or_not() -> None:
    mean, variance, third = moments(np.array([[0.2]]))[0]
    assert (mean, variance) == (0.2, pytest.approx(0.16))
    assert third == pytest.approx(0.2 * 0.8**3 + 0.8 * (-0.2) ** 3)


@given(st.integers(0, 600), st.integers(0, 600))
@example(144, 63)
@example(279, 203)
def test_what_is_at_risk_is_never_below_nothing(idle: int, ringing: int) -> None:
    seen = outlook(snapshot(idle_agents=idle, ringing_ages=[3.0] * ringing))
    assert all(0.0 <= seen.at_risk(n) <= ringing + n for n in (0, 1, 50, 2000))


def test_what_is_at_risk_of_calls_under_way() -> None:
    calm = outlook(snapshot(idle_agents=5, ringing_ages=[3.0]))
    crowded = outlook(snapshot(talk_ages=[10.0] * 5, ringing_ages=[3.0] * 30))
    assert calm.at_risk() < 0.01
    assert 3.0 < crowded.at_risk() < 10.0
    assert math.isclose(outlook(snapshot(answered_waiting=2)).at_risk(), 2.0)
