"""Packet loss concealment: periodic sound goes on as it was, at both rates and for many legs at once; levels fall to
nothing; a gap with both sides known is filled better than from one side, and better than by silence or repetition.

Not here: when it is used (test_inputs.py); how it sounds (benchmarks/media_quality.py).
"""

import numpy as np
import pytest

from media.concealment import Concealer, find_lags, linear_prediction


def harmonic(rate, hz, n, at=0.0):
    t = (np.arange(n) + at) / rate
    return sum(np.sin(2 * np.pi * k * hz * t + k * k) / k for k in range(1, 6)).astype(np.float32) * 3000


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("hz", [70, 100, 131, 180, 260])
def test_voice_goes_on_where_it_was(rate, hz):
    conceal = Concealer(rate)
    n = rate // 100
    whole = harmonic(rate, hz, conceal.history + n)[None]
    past, following = whole[:, : conceal.history], whole[:, conceal.history :]
    lags = conceal.period(past)
    periods = lags[0] * hz / rate
    assert abs(periods - round(periods)) < 0.06 and 0.005 <= lags[0] / rate <= 0.015
    made = conceal.extend(past, lags, np.zeros(1, np.int64), n)
    assert np.sum((made - following) ** 2) < 0.05 * np.sum(following**2)


def test_continuation_is_the_same_in_parts():
    conceal = Concealer(8000)
    rng = np.random.default_rng(1)
    past = rng.normal(0, 1000, (3, conceal.history)).astype(np.float32)
    lags = conceal.period(past)
    whole = conceal.extend(past, lags, np.zeros(3, np.int64), 400)
    parts = [conceal.extend(past, lags, np.full(3, at), n) for at, n in ((0, 7), (7, 80), (87, 160), (247, 153))]
    assert np.allclose(np.concatenate(parts, axis=1), whole, atol=1e-2)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_level_holds_10_ms_then_falls_to_nothing_by_60(rate):
    conceal = Concealer(rate)
    past = harmonic(rate, 125, conceal.history)[None]
    made = conceal.extend(past, conceal.period(past), np.zeros(1, np.int64), rate // 10)[0]
    level = np.abs(made.reshape(10, -1)).max(axis=1)
    assert level[0] == pytest.approx(np.abs(past).max(), rel=0.1)
    assert (np.diff(level[1:6]) < 0).all() and level[6:].max() == 0


def test_no_step_where_it_begins():
    """The seam is no steeper than the sound itself, also where the pitch glides."""
    conceal = Concealer(8000)
    at = np.arange(conceal.history + 80) / 8000
    sound = (4000 * np.sin(2 * np.pi * (180 * at + 300 * at * at))).astype(np.float32)[None]
    past = sound[:, : conceal.history]
    made = conceal.extend(past, conceal.period(past), np.zeros(1, np.int64), 80)
    joined = np.concatenate((past, made), axis=1)[0]
    assert np.abs(np.diff(joined)[-82:]).max() < 1.3 * np.abs(np.diff(sound[0])).max()


def test_both_sides_are_better_than_one():
    conceal = Concealer(8000)
    rng = np.random.default_rng(2)
    one = both = energy = 0.0
    for _ in range(20):
        hz, glide = rng.uniform(90, 200), rng.uniform(-250, 250)
        at = np.arange(2 * conceal.history + 160) / 8000
        phase = 2 * np.pi * (hz * at + glide * at * at)
        sound = sum(np.sin(k * phase) / k for k in range(1, 6)).astype(np.float32)[None] * 3000
        past, gap, future = sound[:, :400], sound[:, 400:560], sound[:, 560:]
        lags, zero = conceal.period(past), np.zeros(1, np.int64)
        one += np.sum((conceal.extend(past, lags, zero, 160) - gap) ** 2)
        both += np.sum((conceal.bridge(past, lags, zero, future, 160) - gap) ** 2)
        energy += np.sum(gap**2)
    assert both < 0.6 * one and both < 0.5 * energy


def test_many_legs_as_one_by_one():
    conceal = Concealer(8000)
    past = np.random.default_rng(3).normal(0, 1000, (40, conceal.history)).astype(np.float32)
    future = past[::-1].copy()
    lags = conceal.period(past)
    offset = np.arange(40) * 7
    whole = conceal.bridge(past, lags, offset, future, 160)
    for k in range(40):
        row = slice(k, k + 1)
        assert conceal.period(past[row])[0] == lags[k]
        assert np.allclose(conceal.bridge(past[row], lags[row], offset[row], future[row], 160)[0], whole[k], atol=0.05)


@pytest.mark.parametrize("past", [np.zeros((1, 400)), np.full((1, 400), 32767.0), np.eye(1, 400, 399) * 30000])
def test_nothing_strange_comes_of_strange_sounds(past):
    conceal = Concealer(8000)
    past = past.astype(np.float32)
    made = conceal.extend(past, conceal.period(past), np.zeros(1, np.int64), 480)
    assert np.isfinite(made).all() and np.abs(made).max() <= 2 * np.abs(past).max()


def test_predictor_of_a_known_process():
    rng = np.random.default_rng(4)
    x = np.zeros(20000)
    for t in range(2, len(x)):
        x[t] = 1.3 * x[t - 1] - 0.6 * x[t - 2] + rng.normal(0, 100)
    found = linear_prediction((x[None, 1000:] * np.hanning(19000)).astype(np.float32), 2)
    assert found[0] == pytest.approx([1.3, -0.6], abs=0.03)


@pytest.mark.parametrize("lag", [20, 33, 64, 119])
def test_lag_is_found_to_the_sample(lag):
    noise = np.random.default_rng(lag).normal(0, 500, lag)
    signal = np.tile(noise, 20)[None, :400].astype(np.float32)
    lags, likeness = find_lags(signal, 240, 20, 120, 160, 1)
    assert lags[0] % lag == 0 and likeness[0] == pytest.approx(1, abs=1e-3)
