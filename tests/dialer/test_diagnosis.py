"""dialer/diagnosis.py: every blocker is named with its count, in plain words (XOUT-12, P-15); what a campaign does."""

from collections.abc import Callable
from typing import Any

import pytest

from dialer import inputs
from dialer.actions import StoreAttempt
from model.almanac import Almanac
from model.calendars import Calendar
from model.campaign_views import Blocker
from model.campaigns import Campaign, Disposition
from model.dialing import RecordNumber
from model.errors import NoSuchCampaign
from tests.dialer.records_of import NOON, SHANGHAI, campaign_of, record_of
from tests.dialer.test_engine import Bench, many, of


def blockers(bench: Bench) -> list[Blocker]:
    return bench.engine.diagnose("spring", bench.now, bench.wall).blockers


def started(n_idle: int = 2, n_records: int = 20, **settings: Any) -> Bench:
    bench = Bench(campaign_of(**settings), n_idle=n_idle)
    bench.load(*many(n_records), n_open=n_records)
    return bench


def stopped() -> Bench:
    bench = started()
    bench.tell(inputs.CampaignStops(campaign="spring"))
    return bench


def planned() -> Bench:
    bench = Bench()
    bench.tell(inputs.CampaignChanges(campaign_of(starts_utc=NOON + 3600)))
    return bench


def out_of_hours() -> Bench:
    bench = started(calendar="office")
    office = Calendar(name="office", hours="mon-sun 14:00-18:00")
    bench.office.almanacs["office"] = Almanac(office, SHANGHAI)
    bench.pass_(2.0)
    return bench


def callers_first() -> Bench:
    bench = started(n_idle=0)
    bench.floor("sales", 0, 3, n_inbound_waiting=4)
    return bench


def all_deferred() -> Bench:
    bench = Bench(campaign_of(), n_idle=2)
    asleep = [record_of(RecordNumber(number=f"{n}", zone="America/New_York"), record_id=f"n{n}") for n in range(7)]
    bench.load(*asleep, n_open=9)
    return bench


def unanswered() -> Bench:
    bench = Bench(campaign_of(), n_idle=2)
    bench.pass_(3.0)
    return bench


def not_stored() -> Bench:
    bench = started()
    bench.tell(inputs.AttemptNotStored(next(iter(bench.engine._core.live))))
    return bench


def over_the_cap() -> Bench:
    bench = started(n_idle=2, n_records=30)
    for attempt_id in list(bench.engine._core.live):
        bench.tell(inputs.AttemptStored(attempt_id))
        bench.pass_(2.0)
        bench.tell(inputs.AttemptAnswered(attempt_id))
        bench.tell(inputs.AttemptDropped(attempt_id))
    return bench


def unsaid() -> Bench:
    bench = Bench(campaign_of(dispositions=(Disposition(code="sold"),)), n_idle=1)
    (attempt_id,) = bench.dialled(*many(1))
    bench.tell(inputs.AttemptAnswered(attempt_id))
    bench.tell(inputs.AttemptConnected(attempt_id=attempt_id, agent_id="8001"))
    bench.tell(inputs.AttemptEnded(attempt_id=attempt_id, result="human"))
    return bench


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (stopped, [("state", 0, "it was stopped")]),
        (planned, [("state", 0, "it has not been started; it starts at 2026-11-28 05:00 UTC")]),
        (out_of_hours, [("hours", 0, "its calendar, office, is closed until 2026-11-28 06:00 UTC")]),
        (lambda: started(n_idle=0), [("no_agents", 0, "no agent is signed in who takes calls of queue sales")]),
        (
            callers_first,
            [
                ("agents_busy", 3, "no agent is free: 3 talk or wrap up, 0 are kept for callers"),
                ("inbound_first", 4, "4 callers wait for the same agents and come first"),
            ],
        ),
        (started, [("enough", 2, "2 calls ring already, which is enough for the agents there are")]),
        (
            all_deferred,
            [
                ("no_records", 9, "no record is due, of 9 that may be called sometime"),
                ("deferred", 7, "7 wait for their contact hours"),
            ],
        ),
        (unanswered, [("database", 0, "the database has not said yet whom to call")]),
        (
            not_stored,
            [("database", 0, "attempts cannot be stored: nobody is called that is not on record")],
        ),
        (lambda: started(max_lines=1), [("lines_full", 1, "all its lines are in use: 1 of 1")]),
        (
            lambda: started(max_calls_per_s=1.0),
            [("cps", 0, "calls begin no faster than 1 a second, of all campaigns 50")],
        ),
        (unsaid, [("awaiting", 1, "an agent has to say how 1 conversations went, then it is completed")]),
    ],
    ids=[
        "stopped",
        "planned",
        "hours",
        "no_agents",
        "busy",
        "enough",
        "deferred",
        "slow",
        "database",
        "lines",
        "cps",
        "said",
    ],
)
def test_xout_12_every_blocker_is_named_with_its_count(
    make: Callable[[], Bench], expected: list[tuple[str, int, str]]
) -> None:
    found = [(each.reason, each.count, each.text) for each in blockers(make())]
    wanted = [each for each in found if each[0] in {reason for reason, _, _ in expected}]
    assert wanted == expected
    assert found[0] == expected[0]


def test_the_limit_of_abandoned_calls_is_told_with_its_figures() -> None:
    (found,) = [each for each in blockers(over_the_cap()) if each.reason == "abandon_limit"]
    assert found.count == 2
    assert found.text.startswith("100.00% of those who answered in 30 days found no agent, 3.00% may: one call for")


def test_a_new_predictive_campaign_says_that_it_knows_too_little() -> None:
    bench = started(n_idle=2, mode="predictive")
    found = blockers(bench)
    assert [(each.reason, each.count) for each in found] == [("warming_up", 0)]
    assert "too few to know the answer rate" in found[0].text


def test_who_calls_has_no_blocker_and_asking_changes_nothing() -> None:
    bench = started(n_idle=0)
    bench.engine._core.floors["sales"].seen = inputs.FloorSeen(queue="sales", n_agents=2, n_idle=2)
    assert blockers(bench) == []
    assert not bench.engine._core.live
    assert len(of(StoreAttempt, bench.pass_(1.0))) == 2
    with pytest.raises(NoSuchCampaign):
        bench.engine.diagnose("autumn", 0.0, 0.0)


def test_reasons_for_which_records_were_put_aside_count_until_their_time() -> None:
    bench = all_deferred()
    assert bench.engine.diagnose("spring", bench.now, bench.wall).deferred == {"hours": 7}
    assert bench.engine.diagnose("spring", bench.now, bench.wall + 10 * 3600).deferred == {}


def test_what_it_does_at_this_moment() -> None:
    bench = started(n_idle=2, n_records=6)
    first, second = list(bench.engine._core.live)
    for attempt_id in (first, second):
        bench.tell(inputs.AttemptStored(attempt_id))
        bench.tell(inputs.AttemptAnswered(attempt_id))
    bench.floor("sales", 1, 1)
    bench.tell(inputs.AttemptConnected(attempt_id=first, agent_id="8001"))
    live = bench.engine.progress("spring", bench.now, bench.wall)
    assert (live.state, live.reason, live.since_utc) == ("running", "start", NOON)
    assert (live.n_lines, live.n_ringing, live.n_waiting, live.n_talking) == (2, 0, 1, 1)
    assert (live.n_hopper, live.n_open) == (4, 6)
    assert (live.n_agents, live.n_idle, live.n_busy, live.occupancy) == (2, 1, 1, 0.5)
    assert live.calls_per_agent == 1.0
    assert live.credit == pytest.approx(0.06)
    assert [each.window for each in live.abandoned] == ["day", "hours_24", "days_30", "life"]
    assert all((each.n_answered, each.n_abandoned, each.rate) == (2.0, 0.0, 0.0) for each in live.abandoned)
    assert live.pacing == "pacing"
    nobody = Bench(Campaign(name="spring", mode="agentless", answered_to="ivr:f"), n_idle=0)
    live = nobody.engine.progress("spring", nobody.now, nobody.wall)
    assert (live.n_agents, live.occupancy, live.calls_per_agent) == (0, 0.0, 0.0)
