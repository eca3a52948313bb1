"""A day of a campaign, the whole engine in virtual time: agents talk most of it, and of those who answered no more than
the limit allows found nobody (OUT-16, XOUT-02). That of the pacing alone: test_simulation.py."""

import pytest

from model.campaigns import DialerRules
from model.events_campaign import CampaignStateChanged
from tests.dialer.records_of import NOON, campaign_of, record_of
from tests.dialer.world import Customers, World


@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_ends_within_the_limit_and_agents_were_busy(seed: int) -> None:
    campaign = campaign_of(mode="predictive", max_lines=80, contact_hours="mon-sun 09:00-14:00")
    records = [record_of(f"1{n:05}", record_id=f"r{n}") for n in range(3000)]
    world = World(
        [campaign], records, {"sales": 10}, seed=seed, wall=NOON - 5 * 3600, rules=DialerRules(),
        customers=Customers(human=0.3, busy=0.1, talk_s=(30.0, 150.0), wrap_s=(5.0, 25.0)),
    )  # fmt: skip
    world.start("spring")
    busy, looks = 0.0, 0
    world.run(2 * 3600.0)
    assert not world.placed, "seven in the morning"
    for _ in range(5 * 60):
        world.run(60.0)
        live = world.engine.progress("spring", world.now, world.wall)
        busy, looks = busy + live.occupancy, looks + 1
    day = next(each for each in live.abandoned if each.window == "day")
    assert day.n_answered > 600
    assert day.n_abandoned > 0, "it dials ahead of its agents"
    assert day.rate <= 0.03
    # One call for each free agent reaches some 0.68 here.
    assert busy / looks > 0.78
    dropped = sum(each.is_dropped for each in world.attempts.values())
    live_answers = sum(each.result in ("human", "dropped") for each in world.attempts.values())
    assert day.n_abandoned == dropped, "the ledger is what the log of attempts says"
    assert abs(day.n_answered - live_answers) <= live.n_lines
    world.run(3 * 3600.0)
    assert not world.calls, "nobody was called after two"
    assert [each.state for each in world.told(CampaignStateChanged)] == ["running"]
