"""acd/staffing.py and `ringback staffing`: exact values of birth-death chains, and what must hold of any load."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from acd.staffing import Load, agents_needed, erlang_b, erlang_c, forecast
from switch.cli import app


@pytest.mark.parametrize(
    ("n", "a", "blocked"),
    [
        (1, 1, 0.5), (5, 3, 0.110054), (10, 5, 0.018385), (20, 12, 0.009796), (30, 20, 0.008457), (60, 50, 0.021668),
        (100, 84, 0.009873), (100, 100, 0.075700), (200, 180, 0.010325),
    ],
)  # fmt: skip
def test_erlang_b(n, a, blocked):
    assert erlang_b(n, a) == pytest.approx(blocked, abs=5e-7)


@pytest.mark.parametrize(
    ("n", "a", "waits", "mean_s", "level"),
    [
        (1, 0.5, 0.5, 180.0, 0.52702), (2, 1, 0.333333, 60.0, 0.70172), (3, 2, 0.444444, 80.0, 0.60229),
        (5, 4, 0.554113, 99.740, 0.50416), (10, 8, 0.409180, 36.826, 0.67235), (11, 10, 0.682118, 122.781, 0.38961),
        (20, 16, 0.256078, 11.524, 0.83581), (20, 18, 0.550769, 49.569, 0.55898), (50, 45, 0.363864, 13.099, 0.79123),
        (60, 55, 0.403174, 14.514, 0.76868), (100, 95, 0.506457, 18.232, 0.70942), (200, 190, 0.365264, 6.575, 0.87976),
    ],
)  # fmt: skip
def test_erlang_c(n, a, waits, mean_s, level):
    made = forecast(Load(calls_per_hour=a * 20.0, handle_s=180.0), n, 20.0)
    assert erlang_c(n, a) == pytest.approx(waits, abs=5e-7)
    assert made.wait_share == pytest.approx(waits, abs=5e-7)
    assert made.mean_wait_s == pytest.approx(mean_s, abs=5e-4)
    assert made.service_level == pytest.approx(level, abs=5e-6)
    assert made.occupancy == pytest.approx(a / n)


@pytest.mark.parametrize(
    ("n", "calls", "patience_s", "waits", "abandoned", "mean_s", "occupancy"),
    [
        (5, 100, 120, 0.517074, 0.192370, 23.084, 0.80763), (10, 200, 120, 0.496853, 0.137464, 16.496, 0.86254),
        (20, 400, 180, 0.529743, 0.088835, 15.990, 0.91116), (20, 440, 60, 0.536417, 0.160150, 9.609, 0.92384),
        (50, 1000, 120, 0.470406, 0.061991, 7.439, 0.93801), (50, 1100, 120, 0.704124, 0.115618, 13.874, 0.97282),
        (100, 2000, 300, 0.575036, 0.034805, 10.441, 0.96520), (100, 2200, 60, 0.661513, 0.108622, 6.517, 0.98052),
    ],
)  # fmt: skip
def test_erlang_a(n, calls, patience_s, waits, abandoned, mean_s, occupancy):
    made = forecast(Load(calls_per_hour=calls, handle_s=180.0, patience_s=patience_s), n, 20.0)
    assert made.wait_share == pytest.approx(waits, abs=1e-6)
    assert made.abandon_share == pytest.approx(abandoned, abs=1e-6)
    assert made.mean_wait_s == pytest.approx(mean_s, abs=1e-3)
    assert made.occupancy == pytest.approx(occupancy, abs=1e-5)


def test_very_patient_callers_are_those_of_erlang_c():
    patient = forecast(Load(calls_per_hour=320, handle_s=180.0, patience_s=1e7), 20, 20.0)
    endless = forecast(Load(calls_per_hour=320, handle_s=180.0), 20, 20.0)
    assert patient.service_level == pytest.approx(endless.service_level, abs=1e-4)
    assert patient.mean_wait_s == pytest.approx(endless.mean_wait_s, rel=1e-2)


loads = st.builds(
    Load,
    calls_per_hour=st.floats(0.1, 5000),
    handle_s=st.floats(5, 1200),
    patience_s=st.floats(5, 3000),
)


@given(loads, st.integers(1, 300), st.floats(0.1, 300))
def test_shares_are_shares_and_more_agents_are_never_worse(load, n, within_s):
    one, more = forecast(load, n, within_s), forecast(load, n + 1, within_s)
    for made in (one, more):
        for share in (made.wait_share, made.abandon_share, made.occupancy):
            assert -1e-9 <= share <= 1.0 + 1e-9
        assert 1.0 - made.wait_share - 1e-6 <= made.service_level <= 1.0 - made.abandon_share + 1e-6
        assert math.isfinite(made.mean_wait_s)
    assert more.abandon_share <= one.abandon_share + 1e-9
    assert more.wait_share <= one.wait_share + 1e-9
    assert more.service_level >= one.service_level - 1e-6


def test_a_hopeless_overload_is_computed_all_the_same():
    made = forecast(Load(calls_per_hour=1e6, handle_s=3600.0, patience_s=3600.0), 1, 20.0)
    assert made.abandon_share == pytest.approx(1.0, abs=1e-5)
    assert made.service_level < 1e-3


@pytest.mark.parametrize("patience_s", [0.0, 120.0])
def test_those_needed_are_enough_and_one_less_is_not(patience_s):
    load = Load(calls_per_hour=400, handle_s=180.0, patience_s=patience_s)
    needed = agents_needed(load, 0.8, 20.0)
    assert needed.service_level >= 0.8
    assert forecast(load, needed.n_agents - 1, 20.0).service_level < 0.8


def test_agents_who_cannot_keep_up_are_an_error():
    with pytest.raises(ValueError, match=r"20 agents cannot keep up with 20\.00 erlangs"):
        forecast(Load(calls_per_hour=400, handle_s=180.0), 20, 20.0)


def test_the_command_prints_a_table_or_json():
    runner = CliRunner()
    made = runner.invoke(app, ["staffing", "400", "180", "--patience-s", "120", "--json"])
    assert made.exit_code == 0
    found = json.loads(made.stdout)
    assert found["erlangs"] == 20.0
    assert found["service_level"] >= 0.8
    table = runner.invoke(app, ["staffing", "400", "180"])
    assert table.exit_code == 0
    assert "needed" in table.stdout
    assert "20.00 erlangs" in table.stdout
    wrong = runner.invoke(app, ["staffing", "1e6", "36000"])
    assert wrong.exit_code == 2
    assert "not even 20000 agents" in wrong.stderr
