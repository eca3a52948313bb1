"""acd/simulation.py: the same plan and seed give the same day, no call is lost, and queues behave as theory says.

benchmarks/acd.py --erlang compares all rows with long runs; here short ones, with the room that their noise needs.
"""

import pytest

from acd.laws import Law, drawer, exact_drawer
from acd.simulation import Plan, Shift, Simulation, Stream, arrivals
from acd.staffing import Load, forecast
from benchmarks.acd_erlang import Row, expected, rows, simulate
from model.agents import Membership
from model.queues import Queue, QueueLimits

QUEUES = (Queue(name="q"),)


def plan(*, n_agents=3, calls=200, patience=None, queues=QUEUES, served=("q",), **more) -> Plan:
    return Plan(
        queues=queues,
        shifts=tuple(
            Shift(agent_id=f"a{n}", queues=tuple(Membership(queue=each) for each in served), **more.pop("shift", {}))
            for n in range(n_agents)
        ),
        streams=(
            Stream(
                queue="q",
                start_s=0,
                end_s=3600,
                calls=calls,
                talk=Law(kind="lognormal", mean_s=60, spread=0.5),
                wrap=Law(kind="exponential", mean_s=5),
                patience=patience,
                vip_share=more.pop("vip_share", 0.0),
            ),
        ),
        **more,
    )


def test_the_same_seed_gives_the_same_day_and_another_another() -> None:
    same = [Simulation(plan(), 5).run() for _ in range(2)]
    assert same[0] == same[1]
    assert Simulation(plan(), 6).run() != same[0]


def test_every_call_is_answered_or_gives_up() -> None:
    made = Simulation(plan(patience=Law(kind="exponential", mean_s=30), vip_share=0.2, interval_s=900.0), 1).run()
    total = made.total
    assert total.arrived == total.answered + total.abandoned > 150
    assert total.abandoned > 0
    assert made.fifo_violations == 0
    assert made.n_open == 0
    by_interval = made.queues["q"].by_interval
    assert sorted(by_interval) == [0, 1, 2, 3]
    assert sum(each.arrived for each in by_interval.values()) == total.arrived


def test_calls_that_overflow_are_answered_in_the_other_queue() -> None:
    queues = (
        Queue(name="q", limits=QueueLimits(max_wait_s=10, timeout_to="queue:other")),
        Queue(name="other"),
    )
    made = Simulation(plan(queues=queues, served=("other",)), 1).run()
    here, there = made.queues["q"].total, made.queues["other"].total
    assert here.arrived == here.overflowed == made.queues["other"].n_taken_over == there.answered > 150
    assert here.answered == 0


def test_an_agent_takes_calls_only_in_his_shift() -> None:
    made = Simulation(plan(n_agents=1, calls=60, shift={"start_s": 600.0, "end_s": 1200.0}), 1).run()
    total = made.total
    assert 0 < total.answered < total.arrived
    # Whoever nobody is left for waits for ever: callers here have all the patience in the world.
    assert made.n_open == total.arrived - total.answered
    assert total.longest_s > 300


def test_phones_ring_as_long_as_told() -> None:
    made = Simulation(plan(n_agents=20, answer=Law(mean_s=4.0)), 1).run()
    assert made.total.mean_wait_s == pytest.approx(4.0, abs=0.05)


def test_a_plan_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere, which is none"):
        Simulation(Plan(queues=(), shifts=(), streams=(_stream("nowhere"),)), 1)
    with pytest.raises(ValueError, match="two shifts"):
        Simulation(Plan(queues=(), shifts=(Shift(agent_id="a", queues=()),) * 2, streams=()), 1)
    with pytest.raises(ValueError, match="below 0"):
        drawer(Law(mean_s=-1.0), _random())


def _stream(queue: str, calls: float = 1.0) -> Stream:
    return Stream(queue=queue, start_s=100, end_s=200, calls=calls, talk=Law())


def _random():
    from random import Random

    return Random(3)


def test_calls_come_as_many_as_told_within_their_time() -> None:
    instants = list(arrivals(_stream("q", 4000), _random()))
    assert len(instants) == pytest.approx(4000, abs=250)
    assert min(instants) >= 100 and max(instants) < 200
    assert list(arrivals(_stream("q", 0), _random())) == []


@pytest.mark.parametrize("kind", ["constant", "exponential", "lognormal"])
def test_drawn_times_have_their_mean(kind) -> None:
    draw = drawer(Law(kind=kind, mean_s=180.0, spread=0.7), _random())
    assert sum(draw() for _ in range(20_000)) / 20_000 == pytest.approx(180.0, rel=0.03)


def test_rows_of_all_three_formulas() -> None:
    assert len(rows()) == 29
    assert expected(Row("B", 5, 60.0)) == {"lost": pytest.approx(0.110054, abs=1e-6)}


@pytest.mark.parametrize(
    ("row", "room"),
    [(Row("B", 5, 60.0), 0.02), (Row("C", 5, 60.0), 0.04), (Row("A", 10, 200.0, 120.0), 0.025)],
    ids=["B", "C", "A"],
)
def test_queues_behave_as_theory_says(row, room) -> None:
    made = simulate(row, 15_000, 4)
    total = made.total
    assert made.fifo_violations == 0
    if row.model == "B":
        assert total.sent_on / total.ended == pytest.approx(0.110054, abs=room)
        return
    theory = forecast(
        Load(calls_per_hour=row.calls_per_hour, handle_s=180.0, patience_s=row.patience_s), row.n_agents, 20.0
    )
    assert total.wait_share == pytest.approx(theory.wait_share, abs=room)
    assert total.abandon_share == pytest.approx(theory.abandon_share, abs=room)
    assert made.waiting_s == pytest.approx(total.wait_s, rel=0.01)


def test_exact_streams_have_exactly_their_load() -> None:
    stream = Stream(queue="q", start_s=100, end_s=200, calls=500, talk=Law(), is_exact=True)
    instants = list(arrivals(stream, _random()))
    assert len(instants) == 500
    assert instants == sorted(instants)
    assert 100 <= instants[0] < 102 and 198 < instants[-1] < 200
    draw = exact_drawer(Law(kind="exponential", mean_s=180.0), 5000, _random())
    assert sum(draw() for _ in range(5000)) / 5000 == pytest.approx(180.0, rel=0.002)
    with pytest.raises(ValueError, match="constant times"):
        exact_drawer(Law(mean_s=1.0), 5, _random())
