"""Covers the one entry of pacing: each mode, what bounds them all, and configurations that are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.events import DialFailed, DialStarted
from dialer.ledger import Ledger
from dialer.modes import plan
from dialer.pacing_model import PacingModel, observe
from dialer.snapshot import Decision, PacingConfig, PacingSnapshot, pacing_config
from model.campaigns import Campaign, DialerRules
from tests.dialer.floors import changed, ledger_of, snapshot, snapshots, warm_model

NOW = 5000.0
MODEL = warm_model()
FLOOR = snapshot(idle_agents=4, talk_ages=[10.0, 50.0, 70.0, 90.0, 130.0, 200.0], wrap_ages=[15.0, 5.0])
modes = st.sampled_from(("preview", "progressive", "power", "predictive", "agentless"))


def decide(floor: PacingSnapshot, ledger: Ledger | None = None, model: PacingModel = MODEL, **told: Any) -> Decision:
    return plan(NOW, floor, model, PacingConfig(**told), ledger or ledger_of(1000, 10))


def test_preview_dials_nothing() -> None:
    assert decide(FLOOR, mode="preview") == Decision(n_dials=0, reason="preview")


def test_progressive_has_one_call_for_each_idle_agent() -> None:
    assert decide(FLOOR, mode="progressive").n_dials == 4
    assert decide(changed(FLOOR, ringing_ages=[1.0, 2.0, 3.0]), mode="progressive").n_dials == 1
    assert decide(changed(FLOOR, ringing_ages=[1.0] * 9), mode="progressive").n_dials == 0
    assert decide(changed(FLOOR, inbound_waiting=1, answered_waiting=1), mode="progressive").n_dials == 2


def test_power_has_a_fixed_number_of_lines_for_each_idle_agent_within_the_budget() -> None:
    assert decide(FLOOR, mode="power", ratio=2.5).n_dials == 10
    assert decide(changed(FLOOR, ringing_ages=[1.0] * 4), mode="power", ratio=2.5).n_dials == 6
    spent = decide(FLOOR, ledger_of(1000, 30), mode="power", ratio=2.5)
    assert (spent.n_dials, spent.reason, spent.is_gate_open) == (4, "gate_closed", False)


def test_predictive_dials_more_than_there_are_idle_agents_within_the_budget() -> None:
    bold = decide(FLOOR)
    assert bold.n_dials > 6
    assert (bold.reason, bold.is_gate_open) == ("pacing", True)
    assert bold.q > bold.theta
    spent = decide(FLOOR, ledger_of(1000, 30))
    assert (spent.n_dials, spent.reason) == (4, "gate_closed")


def test_a_higher_assumed_answer_rate_dials_fewer() -> None:
    assert decide(FLOOR, p_override=0.6).n_dials < decide(FLOOR).n_dials < decide(FLOOR, p_override=0.15).n_dials


def test_a_hit_rate_is_the_limit_told_the_other_way_round() -> None:
    assert decide(FLOOR, hit_rate=0.99) == decide(FLOOR, max_abandon_rate=0.01)
    assert decide(FLOOR, hit_rate=0.99).n_dials < decide(FLOOR, hit_rate=0.97).n_dials


def test_without_agents_only_calls_that_need_none_are_dialled() -> None:
    empty = snapshot(lines_free=30)
    for mode in ("progressive", "power", "predictive"):
        assert decide(empty, mode=mode) == Decision(n_dials=0, reason="no_agents")
    assert decide(empty, mode="agentless").n_dials == 30
    assert decide(empty, answered_flow="ivr", max_lines=20).n_dials == 20
    assert decide(changed(empty, lines_in_use=15), mode="agentless", max_lines=20).n_dials == 5


def test_agents_kept_for_callers_are_no_reason_to_dial() -> None:
    for mode in ("progressive", "power", "predictive"):
        held = decide(snapshot(idle_agents=2, talk_ages=[1.0]), mode=mode, reserve=2)
        assert (held.n_dials, held.reason) == (0, "reserved")
    assert decide(FLOOR, mode="progressive", reserve=1).n_dials == 3


@pytest.mark.parametrize(
    ("told", "config", "n", "reason"),
    [
        ({"is_running": False}, {}, 0, "stopped"),
        ({"callable_records": 0}, {}, 0, "no_records"),
        ({"callable_records": 2}, {}, 2, "no_records"),
        ({"cps_tokens": 1}, {}, 1, "cps"),
        ({"lines_free": 3}, {}, 3, "lines_full"),
        ({"lines_free": 3, "cps_tokens": 0}, {}, 0, "cps"),
        ({"lines_in_use": 8}, {"max_lines": 10}, 2, "lines_full"),
        ({"lines_in_use": 12}, {"max_lines": 10}, 0, "lines_full"),
    ],
)
def test_what_bounds_every_mode(told: dict[str, Any], config: dict[str, Any], n: int, reason: str) -> None:
    bounded = decide(changed(FLOOR, **told), **config)
    assert (bounded.n_dials, bounded.reason) == (n, reason)


def test_over_the_legal_cap_no_call_is_without_an_agent_of_its_own() -> None:
    broken = ledger_of(1000, 31)
    for mode in ("progressive", "power", "predictive"):
        careful = decide(FLOOR, broken, mode=mode, max_abandon_rate=0.03, ratio=3.0)
        assert (careful.n_dials, careful.reason) == (4, "abandon_limit")
        stopped = decide(FLOOR, broken, mode=mode, at_cap="stop")
        assert (stopped.n_dials, stopped.reason) == (0, "abandon_limit")
    within = decide(FLOOR, broken, max_abandon_rate=0.02, legal_cap=0.05)
    assert within.reason == "gate_closed"


def test_trunk_trouble_stops_every_mode() -> None:
    model = warm_model()
    for n in range(20):
        observe(model, DialStarted(NOW - 5.0, f"x{n}"))
        observe(model, DialFailed(NOW - 4.9, f"x{n}"))
    for mode in ("progressive", "power", "predictive", "agentless"):
        held = decide(FLOOR, model=model, mode=mode)
        assert (held.n_dials, held.reason) == (0, "trunk_trouble")
        tried = plan(NOW + 26.0, FLOOR, model, PacingConfig(mode=mode), ledger_of(1000, 10))
        assert (tried.n_dials, tried.reason) == (3, "trunk_trouble")


@given(snapshots, modes, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_no_mode_passes_a_bound(floor: PacingSnapshot, mode: Any, lines: int, own: int, cps: int, records: int) -> None:
    bounded = changed(floor, lines_free=lines, cps_tokens=cps, callable_records=records, lines_in_use=3)
    decision = decide(bounded, mode=mode, max_lines=own + 3)
    assert 0 <= decision.n_dials <= min(lines, own, cps, records)
    if mode == "progressive":
        assert decision.n_dials <= floor.idle_agents


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"max_abandon_rate": 0.031}, "legal cap of 3.00%"),
        ({"hit_rate": 0.95}, "hit_rate 0.95: 5.00% abandoned"),
        ({"hit_rate": 1.2}, "hit_rate is 1.2"),
        ({"p_override": 0.0}, "p_override is 0"),
        ({"ratio": 0.5}, "1 to 15 lines"),
        ({"ratio": 16.0}, "1 to 15 lines"),
        ({"reserve": -1}, "below 0"),
        ({"ring_timeout_s": 500.0}, "1 to 180"),
        ({"amd_fp_rate": -0.1}, "amd_fp_rate"),
    ],
)
def test_a_configuration_out_of_range_is_refused(told: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PacingConfig(**told)


def test_a_configured_campaign_says_how_it_dials() -> None:
    campaign = Campaign(name="spring", mode="power", hit_rate=0.98, assumed_answer_rate=0.4, answered_to="ivr:menu")
    config = pacing_config(campaign, DialerRules(), reserve=2)
    assert (config.mode, config.alpha, config.p_override, config.reserve) == ("power", pytest.approx(0.02), 0.4, 2)
    assert (config.max_lines, config.ratio, config.answered_flow, config.amd_fp_rate) == (30, 1.5, "ivr", 0.0)
    lowered = pacing_config(Campaign(name="bold", max_abandon_rate=0.03), DialerRules(max_abandon_rate=0.01))
    assert (lowered.alpha, lowered.hit_rate, lowered.p_override) == (0.01, None, None)
    machines = pacing_config(Campaign(name="amd", detects_machines=True, ring_timeout_s=5.0), DialerRules())
    assert (machines.amd_fp_rate, machines.ring_timeout_s) == (0.03, 15.0)


def test_the_edge_of_the_cap_is_allowed() -> None:
    assert PacingConfig(hit_rate=0.97).alpha == pytest.approx(0.03)
    assert PacingConfig(hit_rate=1.0).alpha == 0.0
    assert PacingConfig(max_abandon_rate=0.05, legal_cap=0.05).alpha == 0.05
