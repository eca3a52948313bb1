"""dialer/engine.py, dialer/pacing.py: how many are called by whom, when agents come and go, when lines, trunks or the
limit of abandoned calls are in the way, and what is learnt and counted (OUT-11, OUT-16, OUT-24, XOUT-01, XOUT-02).

How the number is reckoned: test_horizon.py, test_modes.py. A whole day: test_engine_day.py.
"""

from typing import Any

import pytest

from dialer import inputs
from dialer.actions import GiveUp, LogPacing, PlaceCall, StoreAttempt, StoreOutcome
from model.campaigns import DialerRules
from model.events_campaign import CampaignLimitReached, CampaignPaused
from tests.dialer.records_of import campaign_of, record_of
from tests.dialer.test_engine import Bench, many, of
from tests.dialer.world import Customers, World


def abandoned(bench: Bench, window: str = "day") -> tuple[float, float]:
    live = bench.engine.progress("spring", bench.now, bench.wall)
    found = next(each for each in live.abandoned if each.window == window)
    return found.n_answered, found.n_abandoned


@pytest.mark.parametrize(
    ("settings", "n_idle", "n_busy", "expected"),
    [
        ({"mode": "progressive"}, 3, 4, 3),
        ({"mode": "progressive", "max_lines": 2}, 3, 0, 2),
        ({"mode": "progressive", "max_calls_per_s": 1.0}, 3, 0, 1),
        ({"mode": "progressive"}, 0, 5, 0),
        ({"mode": "preview"}, 3, 0, 0),
        ({"mode": "agentless", "answered_to": "ivr:survey", "max_lines": 7}, 0, 0, 7),
        ({"mode": "predictive", "answered_to": "ivr:survey", "max_lines": 4}, 0, 0, 4),
        ({"mode": "predictive"}, 3, 0, 3),
    ],
)
def test_xout_01_each_mode_calls_as_many_as_it_should(
    settings: dict[str, Any], n_idle: int, n_busy: int, expected: int
) -> None:
    bench = Bench(campaign_of(**settings), n_idle=0)
    bench.load(*many(20))
    found = bench.floor("sales", n_idle, n_busy) or bench.pass_(1.0)
    n_begun = len(of(StoreAttempt, found))
    assert n_begun == (0 if settings["mode"] == "agentless" or "answered_to" in settings else expected)
    assert len(bench.engine._core.live) == expected


def test_no_agents_no_calls_at_once() -> None:
    bench = Bench(campaign_of(), n_idle=2)
    assert len(of(StoreAttempt, bench.load(*many(20)))) == 2
    found = [*bench.floor("sales", 0), *bench.pass_(20.0)]
    assert not of(StoreAttempt, found)
    assert "no_agents" in {each.reason for each in of(LogPacing, found)}


def test_agents_who_are_kept_for_callers_are_not_called_for() -> None:
    bench = Bench(campaign_of(), n_idle=2)
    bench.floor("sales", 2, n_inbound_waiting=2)
    assert not of(StoreAttempt, bench.load(*many(20)))
    assert len(of(StoreAttempt, bench.floor("sales", 2))) == 2


def test_calls_for_agents_who_have_gone_are_given_up_when_they_have_rung_long_enough() -> None:
    bench = Bench(campaign_of(), n_idle=3)
    first, second, third = bench.dialled(*many(3))
    bench.pass_(2.0)
    bench.tell(inputs.AttemptRang(first))
    bench.tell(inputs.AttemptRang(second))
    bench.pass_(8.0)
    assert not of(GiveUp, bench.floor("sales", 0, 2)), "who talks may be free for them"
    assert not of(GiveUp, bench.pass_(20.0))
    bench.tell(inputs.AttemptEnded(attempt_id=third, result="busy"))
    # Rung for fifteen seconds, since they rang.
    late = Bench(campaign_of(), n_idle=2)
    one, two = late.dialled(*many(2))
    late.pass_(4.0)
    late.tell(inputs.AttemptRang(one))
    late.floor("sales", 0)
    assert not of(GiveUp, late.pass_(10.9))
    assert [each.attempt_id for each in of(GiveUp, late.pass_(1.1))] == [two], "it never rang: since it was dialled"
    assert not of(GiveUp, late.pass_(2.9))
    assert [each.attempt_id for each in of(GiveUp, late.pass_(1.2))] == [one]
    assert not of(GiveUp, late.pass_(30.0)), "once"
    (outcome,) = of(StoreOutcome, late.tell(inputs.AttemptEnded(attempt_id=one, result="cancelled")))
    assert outcome.record.n_attempts == 1, "it rang at his"
    (outcome,) = of(StoreOutcome, late.tell(inputs.AttemptEnded(attempt_id=two, result="cancelled")))
    assert outcome.record.n_attempts == 0


def test_campaigns_with_the_same_agents_share_them_by_their_weights() -> None:
    names = {"spring": 10, "autumn": 30}
    bench = Bench(*(campaign_of(name=name, weight=weight) for name, weight in names.items()), n_idle=0)
    for name in names:
        bench.load(*many(200, name), campaign=name)
    n_begun = dict.fromkeys(names, 0)
    for _ in range(40):
        for store in of(StoreAttempt, [*bench.floor("sales", 4), *bench.pass_(0.5)]):
            n_begun[store.attempt.campaign] += 1
            bench.tell(inputs.AttemptStored(store.attempt.attempt_id))
        assert len(bench.engine._core.live) <= 4, "calls of the other count"
        bench.pass_(2.0)
        for attempt_id in list(bench.engine._core.live):
            bench.floor("sales", 0, 4)
            bench.tell(inputs.AttemptEnded(attempt_id=attempt_id, result="busy"))
    assert n_begun == {"spring": 40, "autumn": 120}


def test_a_campaign_that_had_nobody_to_call_does_not_make_up_for_it() -> None:
    bench = Bench(campaign_of(), campaign_of(name="autumn"), n_idle=0)
    bench.load(*many(200))

    def turn() -> list[str]:
        found = of(StoreAttempt, [*bench.floor("sales", 2), *bench.pass_(1.0)])
        for store in found:
            bench.tell(inputs.AttemptStored(store.attempt.attempt_id))
        bench.pass_(2.0)
        bench.floor("sales", 0, 2)
        for store in found:
            bench.tell(inputs.AttemptEnded(attempt_id=store.attempt.attempt_id, result="busy"))
        return [each.attempt.campaign for each in found]

    assert {name for _ in range(20) for name in turn()} == {"spring"}
    bench.load(*many(200, "autumn"), campaign="autumn")
    after = [name for _ in range(10) for name in turn()]
    assert abs(after.count("spring") - after.count("autumn")) <= 2


def test_calls_begin_no_faster_than_allowed_in_any_second_whatever_storing_takes() -> None:
    bench = Bench(campaign_of(mode="agentless", answered_to="ivr:survey", max_calls_per_s=3.0), n_idle=0)
    stores = of(StoreAttempt, bench.load(*many(50)))
    assert len(stores) == 3
    placed: list[float] = []
    waiting = [each.attempt.attempt_id for each in stores]
    for _ in range(60):
        # What was asked for in this second and the one before is stored at once.
        found = bench.pass_(0.1)
        if len(waiting) >= 3:
            for attempt_id in waiting:
                found += bench.tell(inputs.AttemptStored(attempt_id))
            waiting = []
        waiting += [each.attempt.attempt_id for each in of(StoreAttempt, found)]
        placed += [bench.now] * len(of(PlaceCall, found))
    assert len(placed) > 12
    assert all(sum(at - 1.0 < other <= at for other in placed) <= 3 for at in placed)


def test_calls_of_all_campaigns_together_have_their_rate_too() -> None:
    flow = {"mode": "agentless", "answered_to": "ivr:survey", "max_calls_per_s": 5.0}
    campaigns = [campaign_of(name=name, **flow) for name in ("spring", "autumn")]
    records = [*many(40), *many(40, "autumn")]
    world = World(campaigns, records, rules=DialerRules(max_calls_per_s=6.0), customers=Customers(store_s=(0.0, 0.1)))
    for campaign in campaigns:
        world.start(campaign.name)
    world.run(8.0)
    # World looks at the rate at every call.
    assert len(world.placed) >= 30
    placed = [each.campaign for _, each in world.placed]
    assert abs(placed.count("spring") - placed.count("autumn")) <= 6, "neither is called for alone"


@pytest.mark.parametrize("after_s", [0.2, 4.0])
def test_a_trunk_in_trouble_pauses_dialling_is_not_learnt_from_and_not_counted(after_s: float) -> None:
    bench = Bench(campaign_of(), n_idle=3)
    rate = bench.engine.progress("spring", bench.now, bench.wall).answer_rate
    bench.load(*many(40))
    told: list[Any] = []
    for _ in range(20):
        under_way = list(bench.engine._core.live)
        for attempt_id in under_way:
            bench.tell(inputs.AttemptStored(attempt_id))
        bench.pass_(after_s)
        for attempt_id in under_way:
            found = bench.tell(inputs.AttemptEnded(attempt_id=attempt_id, result="failed", is_trunk_trouble=True))
            told += of(CampaignPaused, found)
            for outcome in of(StoreOutcome, found):
                assert (outcome.record.n_attempts, outcome.record.status) == (0, "new")
        if told:
            break
        bench.pass_(1.0)
    assert [(each.reason, each.resumes_in_s) for each in told] == [("trunk_trouble", 30.0)]
    for attempt_id in list(bench.engine._core.live):
        (outcome,) = of(StoreOutcome, bench.tell(inputs.AttemptStored(attempt_id)))
        assert (outcome.attempt.cause, outcome.record.n_attempts) == ("trunk_trouble", 0)
    assert not of(StoreAttempt, bench.pass_(28.0))
    assert bench.engine.diagnose("spring", bench.now, bench.wall).blockers[0].reason == "trunk_trouble"
    assert 1 <= len(of(StoreAttempt, bench.pass_(4.0))) <= 3, "then a few are tried"
    assert bench.engine.progress("spring", bench.now, bench.wall).answer_rate == rate


def test_xout_02_who_answers_and_finds_no_agent_counts_and_who_hangs_up_sooner_does_not() -> None:
    bench = Bench(campaign_of(), n_idle=4)
    served, dropped, left, busy = bench.dialled(*many(4))
    for attempt_id in (served, dropped, left):
        bench.tell(inputs.AttemptAnswered(attempt_id))
    bench.tell(inputs.AttemptConnected(attempt_id=served, agent_id="8001"))
    bench.tell(inputs.AttemptEnded(attempt_id=left, result="human"))
    bench.tell(inputs.AttemptDropped(dropped))
    (outcome,) = of(StoreOutcome, bench.tell(inputs.AttemptEnded(attempt_id=dropped, result="human")))
    assert (outcome.attempt.result, outcome.attempt.is_dropped) == ("dropped", True)
    bench.tell(inputs.AttemptEnded(attempt_id=busy, result="busy"))
    assert abandoned(bench) == (3.0, 1.0)
    # Nobody calls that number for three days, in no campaign.
    bench.tell(inputs.CampaignChanges(campaign_of(name="autumn")))
    other = record_of(outcome.attempt.number, campaign="autumn")
    answer = bench.engine.may_call(other, bench.wall)
    assert (answer.reason, answer.retry_at_utc) == ("redial_ban", bench.wall + 259_200)  # type: ignore[union-attr]
    assert bench.engine.may_call(other, bench.wall, by_agent=True) is not None


@pytest.mark.parametrize("is_waited_for", [True, False])
def test_xout_03_machines_count_by_their_share_of_persons_and_not_sure_is_a_person(
    is_waited_for: bool,
) -> None:
    campaign = campaign_of(detects_machines=True, is_amd_waited_for=is_waited_for, amd_false_rate=0.05)
    bench = Bench(campaign, n_idle=3)
    machine, person, doubtful = bench.dialled(*many(3))
    for attempt_id, verdict in ((machine, "machine"), (person, "human"), (doubtful, "not_sure")):
        bench.tell(inputs.AttemptAnswered(attempt_id))
        live = bench.engine.progress("spring", bench.now, bench.wall)
        assert live.n_waiting == (0 if is_waited_for else 1)
        bench.tell(inputs.AttemptVerdict(attempt_id=attempt_id, verdict=verdict, evidence="beep"))
        live = bench.engine.progress("spring", bench.now, bench.wall)
        assert live.n_waiting == (0 if verdict == "machine" else 1)
        if verdict != "machine":
            bench.floor("sales", 2, 1)
            bench.tell(inputs.AttemptConnected(attempt_id=attempt_id, agent_id="8001"))
    (outcome,) = of(StoreOutcome, bench.tell(inputs.AttemptEnded(attempt_id=machine, result="machine")))
    assert (outcome.attempt.verdict, outcome.attempt.evidence, outcome.record.status) == (
        "machine",
        "beep",
        "retry_wait",
    )
    assert abandoned(bench) == (2.0, 0.05)


def test_over_the_legal_cap_it_says_so_once_and_calls_one_for_each_free_agent() -> None:
    bench = Bench(campaign_of(mode="predictive"), n_idle=2)
    bench.load(*many(30), n_open=50)
    told: list[Any] = []
    for _ in range(12):
        for attempt_id in list(bench.engine._core.live):
            bench.tell(inputs.AttemptStored(attempt_id))
            bench.tell(inputs.AttemptAnswered(attempt_id))
            told += of(CampaignLimitReached, bench.tell(inputs.AttemptDropped(attempt_id)))
            told += of(CampaignLimitReached, bench.tell(inputs.AttemptEnded(attempt_id=attempt_id, result="dropped")))
        told += of(CampaignLimitReached, bench.pass_(5.0))
    assert len(told) == 1
    assert told[0].rate == 1.0
    assert told[0].limit == 0.03
    assert len(bench.engine._core.live) == 2
    assert bench.engine.progress("spring", bench.now, bench.wall).pacing == "abandon_limit"


def test_a_big_floor_that_changes_all_the_time_is_looked_at_twenty_times_a_second() -> None:
    bench = Bench(campaign_of(max_lines=1000, max_calls_per_s=1000.0), n_idle=0)
    bench.tell(inputs.RulesChange(DialerRules(hopper=1000, max_calls_per_s=1000.0)))
    bench.load(*many(900), n_open=900)
    assert len(of(StoreAttempt, bench.floor("sales", 250))) == 250
    begun = []
    for n in range(100):
        found = [*bench.floor("sales", 250 + n), *bench.pass_(0.01)]
        begun.append(len(of(StoreAttempt, found)))
    assert sum(begun) >= 94, "no agent waits for longer than that"
    assert sum(map(bool, begun)) <= 21
