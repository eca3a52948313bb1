"""Covers simulated days of a campaign: that they hold together, that the engine stays below the limit and keeps agents
busier than the others do, and that the others are what they say. The figures for all sizes are of benchmarks/dialer.py.
"""

import pytest

from dialer.comparison import compare
from dialer.simulation import DayResult, Floor, Pacer, Simulation
from dialer.simulation_pacers import Adaptive, Engine, Progressive, Ratio
from dialer.simulation_world import Draws, World, value_at
from dialer.snapshot import PacingConfig

_HOURS = 2.5


def day(pacer: Pacer, seed: int = 11, **told: object) -> DayResult:
    world = {"n_agents": 20, "length_s": _HOURS * 3600.0, **told}
    return Simulation(World(**world), pacer, seed).run()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def predictive() -> DayResult:
    return day(Engine(PacingConfig()))


def test_a_short_day_ends_below_the_limit_with_agents_busier_than_one_call_each_makes_them(
    predictive: DayResult,
) -> None:
    assert 0.01 < predictive.abandon_rate <= 0.03
    assert predictive.occupancy > day(Progressive()).occupancy + 0.15
    assert predictive.occupancy > 0.84


def test_a_day_adds_up(predictive: DayResult) -> None:
    hours = predictive.hours
    assert sum(hour.dialled for hour in hours) == predictive.dialled
    assert sum(hour.answered for hour in hours) == predictive.answered
    assert sum(hour.abandoned for hour in hours) == predictive.abandoned
    assert sum(hour.busy_s for hour in hours) == pytest.approx(predictive.talk_s + predictive.wrap_s)
    # All but those who wait or ring at the end.
    assert 0 <= predictive.answered - predictive.connected - predictive.abandoned <= 5
    assert predictive.answered / predictive.dialled == pytest.approx(0.3, abs=0.03)
    assert predictive.talk_s / predictive.connected == pytest.approx(90.0, rel=0.08)


def test_the_same_seed_is_the_same_day() -> None:
    one, same, other = (day(Engine(PacingConfig()), seed, length_s=900.0) for seed in (3, 3, 4))
    assert one == same
    assert one != other


def test_a_lower_limit_is_kept_too() -> None:
    careful = day(Engine(PacingConfig(hit_rate=0.99)), length_s=3 * 3600.0)
    assert careful.abandon_rate <= 0.01
    assert careful.occupancy < 0.87


def test_the_answer_rate_may_jump_and_talks_become_longer() -> None:
    steps = {"answer_rate": ((0.0, 0.3), (2400.0, 0.6), (4800.0, 0.2)), "talk_factor": ((0.0, 1.0), (3600.0, 1.6))}
    assert day(Engine(PacingConfig()), **steps).abandon_rate <= 0.03


def test_callers_come_first_and_are_answered(predictive: DayResult) -> None:
    blended = day(Engine(PacingConfig(reserve=1)), inbound_per_h=60.0)
    assert blended.abandon_rate <= 0.03
    assert blended.inbound == pytest.approx(_HOURS * 60.0, rel=0.3)
    assert blended.inbound_in_20_s >= 0.97 * (blended.inbound - 2)
    assert blended.connected < predictive.connected


def test_one_call_for_each_agent_is_the_same_by_the_engine_and_without_it() -> None:
    assert day(Engine(PacingConfig(mode="progressive"))) == day(Progressive())
    assert day(Progressive()).abandoned == 0


def test_a_fixed_ratio_keeps_no_limit() -> None:
    assert day(Ratio(4.0)).abandon_rate > 0.05
    assert day(Engine(PacingConfig(mode="power", ratio=4.0))).abandon_rate <= 0.03
    assert day(Ratio(1.0)).occupancy == pytest.approx(day(Progressive()).occupancy, abs=0.02)


def test_an_adaptive_level_falls_when_callers_were_dropped() -> None:
    pacer = Adaptive("hard_limit", 3.0)
    floor = Floor(10, None)
    for n in range(20):
        floor.now = 2.5 * n
        pacer.dials(floor)
    high = pacer.dials(floor)
    for n in range(60):
        pacer.dial_answered(floor.now, n)
    for _ in range(5):
        pacer.abandoned(floor.now)
    for _ in range(8):
        floor.now += 2.5
        low = pacer.dials(floor)
    assert (high, low) == (30, 10)


def test_adaptive_methods_keep_about_their_limit() -> None:
    for pacer in (Adaptive("average", 3.0), Adaptive("tapered", 10.0), Adaptive("average", 3.0, available_only=False)):
        result = day(pacer)
        assert result.abandon_rate < 0.05
        assert result.occupancy > day(Progressive()).occupancy


def test_a_list_ends() -> None:
    result = day(Engine(PacingConfig()), n_records=500)
    assert result.dialled == 500
    assert result.completed_s is not None
    assert result.occupancy == pytest.approx((result.talk_s + result.wrap_s) / 20 / result.completed_s)


def test_a_memoryless_world_has_no_limit_of_ringing() -> None:
    world = World(n_agents=1, law="memoryless", talk_s=110.0, wrap_s=0.0, answer_s=12.0)
    draws = Draws(world, 1)
    dials = [draws.dial(0.3) for _ in range(4000)]
    assert sum(answered for answered, _ in dials) == pytest.approx(1200, rel=0.1)
    assert sum(after_s for _, after_s in dials) / 4000 == pytest.approx(12.0, rel=0.1)
    assert max(after_s for _, after_s in dials) > 60.0
    assert draws.wrap() == 0.0


def test_a_long_list_takes_several_days_of_the_ledger() -> None:
    pacer = Engine(PacingConfig(), day_s=1800.0)
    result = day(pacer, length_s=2 * 3600.0)
    at_utc = 1_767_603_600.0 + 3 * 86_400.0 + 8 * 3600.0
    windows = pacer.ledger.windows(at_utc)
    assert windows["life"].answered == windows["days_30"].answered == result.answered
    assert windows["day"].answered == pytest.approx(result.answered / 4, rel=0.2)


def test_other_ways_to_dial_the_same_days() -> None:
    world = World(n_agents=10, length_s=3600.0)
    rows = {row.name.split(" ")[0]: row for row in compare(world, PacingConfig(), [1, 2], 8 * 3600.0)}
    assert list(rows) == ["predictive", "progressive", "ratio", "adaptive", "adaptive,"]
    assert all(len(row.days) == 2 for row in rows.values())
    assert rows["ratio"].abandon_rate <= 0.03 <= ratio_of(world, 8.0)
    assert rows["progressive"].occupancy < min(row.occupancy for name, row in rows.items() if name != "progressive")
    assert rows["predictive"].completed_s is None


def ratio_of(world: World, lines: float) -> float:
    return Simulation(world, Ratio(lines), 1).run().abandon_rate


def test_values_by_time() -> None:
    steps = ((0.0, 0.3), (100.0, 0.5))
    assert [value_at(steps, at) for at in (0.0, 99.9, 100.0, 1e9)] == [0.3, 0.3, 0.5, 0.5]


@pytest.mark.parametrize(
    "told",
    [{"n_agents": 0}, {"answer_rate": ((0.0, 0.0),)}, {"answer_rate": ()}, {"talk_s": 0.0}, {"ring_timeout_s": 1.0}],
)
def test_a_world_that_cannot_be_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        World(**{"n_agents": 5, **told})  # type: ignore[arg-type]
