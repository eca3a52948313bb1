"""Covers what the model learns, and that it learns in the order of dialling; trunk trouble; restarts."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.events import (
    AgentConnected,
    DialAnswered,
    DialFailed,
    DialStarted,
    DialWithdrawn,
    InboundArrived,
    TalkEnded,
    WrapEnded,
)
from dialer.laws import EDGES, LifeTable, RingLaw
from dialer.pacing_model import PacingModel, observe
from dialer.snapshot import PacingConfig
from tests.dialer.floors import snapshot, warm_model


def rate(model: PacingModel) -> float:
    return model.slow_yes / (model.slow_yes + model.slow_no)


def dial(model: PacingModel, at: float, outcome: str, lasted_s: float, name: str = "") -> None:
    dial_id = name or f"at {at}"
    observe(model, DialStarted(at, dial_id))
    if outcome == "answered":
        observe(model, DialAnswered(at + lasted_s, dial_id))
    else:
        observe(model, DialFailed(at + lasted_s, dial_id, is_trunk_failure=outcome == "trunk"))


@pytest.mark.parametrize("p", [0.1, 0.3, 0.6])
def test_the_rate_of_200_dials_at_once_is_never_biased_by_who_ends_first(p: float) -> None:
    """While the quick answers are in and the others still ring, the rate must not seem high; nor low afterwards."""
    seen: list[list[float]] = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        model = PacingModel()
        ends = []
        for n in range(200):
            observe(model, DialStarted(0.0, str(n)))
            is_answered = bool(random.random() < p)
            ends.append((float(random.uniform(3.0, 21.0)) if is_answered else 22.0, n, is_answered))
        course = []
        for at, n, is_answered in sorted(ends):
            observe(model, (DialAnswered if is_answered else DialFailed)(at, str(n)))
            if at < 22.0:
                course.append(rate(model))
        seen.append([min(course, default=0.3), max(course, default=0.3), rate(model)])
        assert model.n_committed == 200
        assert model.n_pending == 0
    lowest, highest, last = np.mean(seen, axis=0)
    # The prior says 0.3 and weighs 10 dials; none of the answers before the first that was not may move it far.
    assert abs(last - (3 + 200 * p) / 210) < 0.02
    assert min(0.3, p) - 0.05 < lowest <= highest < max(0.3, p) + 0.12


def test_an_outcome_waits_for_the_dials_before_it() -> None:
    model = PacingModel()
    observe(model, DialStarted(0.0, "first"))
    observe(model, DialStarted(1.0, "second"))
    observe(model, DialAnswered(5.0, "second"))
    assert (model.n_committed, model.n_pending) == (0, 2)
    observe(model, DialFailed(22.0, "first"))
    assert (model.n_committed, model.n_pending) == (2, 0)


def test_what_is_withdrawn_or_the_trunks_fault_teaches_nothing() -> None:
    model = PacingModel()
    before = rate(model)
    dial(model, 0.0, "trunk", 5.0)
    observe(model, DialStarted(1.0, "w"))
    observe(model, DialWithdrawn(9.0, "w"))
    observe(model, DialFailed(9.0, "of another life"))
    assert (rate(model), model.n_committed, model.n_pending) == (before, 0, 0)


def test_a_dial_begins_once() -> None:
    model = PacingModel()
    observe(model, DialStarted(0.0, "x"))
    with pytest.raises(ValueError, match="begun already"):
        observe(model, DialStarted(1.0, "x"))


@given(st.lists(st.booleans(), min_size=30, max_size=300))
@settings(max_examples=50)
def test_the_rate_lies_between_what_can_be(outcomes: list[bool]) -> None:
    model = PacingModel()
    for n, is_answered in enumerate(outcomes):
        dial(model, 30.0 * n, "answered" if is_answered else "failed", 8.0 if is_answered else 22.0)
    assert 0.0 < model.answer_rate() <= 0.98
    assert model.answer_rate() >= min(rate(model), model.fast_yes / (model.fast_yes + model.fast_no))


def test_a_change_of_the_answer_rate_is_seen_within_150_dials() -> None:
    model = warm_model(dials=1200, every=2)
    assert model.answer_rate() == pytest.approx(0.52, abs=0.03)
    for n in range(150):
        dial(model, 100_000.0 + 30 * n, "failed" if n % 10 else "answered", 12.0)
    assert model.answer_rate() == pytest.approx(0.15 + 0.04, abs=0.03)


def test_a_rate_that_is_set_goes_before_what_was_learnt() -> None:
    model = warm_model()
    assert model.answer_rate(0.5) == 0.5
    assert model.answer_rate(1.0) == 0.98


def test_credit_makes_bold_and_the_lack_of_it_cautious() -> None:
    model = PacingModel()
    base = model.threshold(0.03, 1.0 + 1.2 * math.sqrt(16), 16)
    assert base == pytest.approx(0.03)
    assert model.threshold(0.03, 9.0, 16) > base > model.threshold(0.03, 0.0, 16)
    for _ in range(500):
        observe(model, AgentConnected(20.0, 16))
    assert model.boldness == pytest.approx(500 * 0.0003 * 10)
    for _ in range(5000):
        observe(model, AgentConnected(-20.0, 16))
    assert model.boldness == -2.0
    assert model.threshold(0.03, -100.0, 16) == 0.002
    assert model.threshold(0.0, 0.0, 16) == 0.002


def test_the_rate_of_callers_is_learnt_and_fades() -> None:
    model = PacingModel()
    assert model.inbound_per_s(0.0) == 0.0
    for n in range(360):
        observe(model, InboundArrived(10.0 * n))
    assert model.inbound_per_s(3600.0) == pytest.approx(0.1, rel=0.12)
    assert model.inbound_per_s(3600.0 + 1800.0) == pytest.approx(0.1 * math.exp(-2), rel=0.2)
    restored = PacingModel.from_plain(model.to_plain(3600.0), 50.0)
    assert restored.inbound_per_s(50.0) == pytest.approx(model.inbound_per_s(3600.0))


# -- laws --------------------------------------------------------------------------------------------------------------


def test_a_life_table_finds_the_law_of_its_times() -> None:
    """Constant hazard: of those who talk for 60 s as many end in the next 10 s as of those who have just begun."""
    random, table = np.random.default_rng(5), LifeTable(90.0, 60.0)
    for lasted_s in random.exponential(50.0, 3000):
        table.ended(float(lasted_s))
    hazard = table.cumulative_hazard(np.array([]), 25)
    for age in (0, 30, 100):
        assert 1 - math.exp(hazard[age] - hazard[age + 10]) == pytest.approx(1 - math.exp(-0.2), abs=0.045)


def test_talks_that_go_on_tell_too() -> None:
    """Without them the first talks that end would make all talks seem short."""
    table = LifeTable(90.0, 60.0)
    for _ in range(10):
        table.ended(10.0)
    alone = table.cumulative_hazard(np.array([]), 25)
    among_others = table.cumulative_hazard(np.full(90, 60.0), 25)
    assert among_others[30] < 0.5 * alone[30]


@given(st.lists(st.floats(0.0, 4000.0), max_size=40))
def test_a_hazard_only_grows(times: list[float]) -> None:
    table = LifeTable(20.0, 20.0)
    for lasted_s in times:
        table.ended(lasted_s)
    hazard = table.cumulative_hazard(np.array([]), 25)
    assert hazard[0] == 0.0
    assert np.isfinite(hazard).all()
    assert (np.diff(hazard) > 0).all()
    assert len(table.ends) == len(EDGES) - 1


def test_ring_laws_are_distributions_from_the_beginning() -> None:
    law = RingLaw()
    for _ in range(2):
        answers, failures = law.answer_cdf(22.0), law.failure_cdf(22.0)
        for cdf in (answers, failures):
            assert (cdf[0], cdf[-1]) == (0.0, pytest.approx(1.0))
            assert (np.diff(cdf) >= 0).all()
        law.answered(400.0)
        law.failed(-1.0)
    assert RingLaw().answer_cdf(22.0)[22] == pytest.approx(0.5)
    assert RingLaw().failure_cdf(22.0)[44] == 0.0


# -- trunk trouble -----------------------------------------------------------------------------------------------------


def test_dials_that_mostly_fail_at_once_are_the_trunk() -> None:
    model = warm_model()
    before, committed = rate(model), model.n_committed
    for n in range(20):
        dial(model, 9000.0 + n, "failed", 0.3)
    assert model.guard.allowed(9020.0, 0) == 0
    assert model.guard.allowed(9048.0, 0) == 0
    # Then a few at a time until one lives.
    assert model.guard.allowed(9050.0, 0) == 3
    assert model.guard.allowed(9050.0, 2) == 1
    for n in range(3):
        dial(model, 9050.0 + n, "failed", 0.2)
    assert model.guard.allowed(9053.0, 0) == 0
    dial(model, 9090.0, "failed", 22.0)
    assert model.guard.allowed(9113.0, 0) is None
    # None of those that failed at once was learnt from, the one that lived was.
    assert model.n_committed == committed + 1
    assert rate(model) == pytest.approx(before, abs=0.002)


def test_half_of_them_are_not() -> None:
    model = PacingModel()
    for n in range(60):
        dial(model, float(n), "failed", 0.3 if n % 2 else 22.0)
    assert model.guard.allowed(82.0, 0) is None
    assert model.n_committed >= 59


def test_answers_at_once_are_no_failures() -> None:
    model = PacingModel()
    for n in range(40):
        dial(model, float(n), "answered", 0.2)
    assert model.guard.allowed(41.0, 0) is None
    assert model.n_committed == 40


# -- restarts ----------------------------------------------------------------------------------------------------------


def test_it_is_the_same_after_a_restart() -> None:
    model = warm_model()
    observe(model, AgentConnected(20.0, 10))
    observe(model, InboundArrived(4000.0))
    observe(model, DialStarted(4001.0, "under way"))
    plain = json.loads(json.dumps(model.to_plain(4002.0)))
    restored = PacingModel.from_plain(plain, 7.0)
    assert json.loads(json.dumps(restored.to_plain(7.0))) == {
        **plain,
        "inbound_per_s": pytest.approx(plain["inbound_per_s"]),
    }
    assert restored.n_pending == 0
    assert restored.answer_rate() == model.answer_rate()
    floor, config = snapshot(talk_ages=[3.0, 80.0]), PacingConfig()
    before, after = model.tables(4002.0, floor, config), restored.tables(7.0, floor, config)
    assert np.array_equal(before.talk, after.talk)
    assert np.array_equal(before.wrap, after.wrap)
    assert np.array_equal(before.answer_by, after.answer_by)


@pytest.mark.parametrize(
    "broken",
    [{}, {"slow": [0.0, 1.0]}, {"ring": {"answers": [1.0], "failures": []}}, {"talk": {"ends": [-1.0]}}, {"slow": "x"}],
)
def test_what_is_no_model_is_refused(broken: dict[str, object]) -> None:
    plain = {**PacingModel().to_plain(0.0), **broken} if broken else {}
    with pytest.raises(ValueError, match=r".+"):
        PacingModel.from_plain(plain, 0.0)


def test_tables_follow_often_at_first_and_seldom_later() -> None:
    model, floor, config = PacingModel(), snapshot(), PacingConfig()
    made = [model.tables(float(now), floor, config).made_at for now in range(600)]
    assert sorted(set(made)) == [*range(0, 300, 5), *range(325, 600, 30)]
    for n in range(21):
        dial(model, 590.0, "failed", 9.0, f"n{n}")
    assert model.tables(600.0, floor, config).made_at == 600.0
    first = model.tables(601.0, floor, config)
    assert model.tables(601.0, floor, PacingConfig(patience_s=0.0)) is not first
    observe(model, TalkEnded(5.0))
    observe(model, WrapEnded(0.0))
    assert model.tables(660.0, floor, config).talk[0, 0] > first.talk[0, 0]
