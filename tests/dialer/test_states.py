"""dialer/states.py: states of campaigns, by hand, by their times, by their calendars, at the end of their records
(OUT-14, OUT-19, OUT-22)."""

from typing import get_args

import msgspec
import pytest

from dialer import inputs
from dialer.actions import LoadRecords
from dialer.states import StateInput, next_state
from model.calendars import Calendar, Closure
from model.campaigns import CampaignState, Disposition
from model.declare import ApiError
from model.dialing import CampaignRecord, RecordNumber
from model.errors import NoSuchCampaign, WrongState
from model.events_campaign import CampaignStateChanged
from tests.dialer.records_of import DAY, NOON, campaign_of
from tests.dialer.world import Calendars, Customers, World

TABLE = {
    ("not_started", "start"): "running",
    ("not_started", "start_due"): "running",
    ("stopped", "start"): "running",
    ("stopped", "start_due"): "running",
    ("completed", "start"): "running",
    ("completed", "start_due"): "running",
    ("running", "stop"): "stopped",
    ("running", "end_due"): "stopped",
    ("running", "hours_end"): "suspended",
    ("running", "exhausted"): "completed",
    ("suspended", "stop"): "stopped",
    ("suspended", "end_due"): "stopped",
    ("suspended", "hours_begin"): "running",
    ("suspended", "exhausted"): "completed",
}


@pytest.mark.parametrize("told", get_args(StateInput))
@pytest.mark.parametrize("state", get_args(CampaignState))
def test_every_state_and_input(state: CampaignState, told: StateInput) -> None:
    assert next_state(state, told) == TABLE.get((state, told))


def records(n: int, campaign: str = "spring") -> list[CampaignRecord]:
    return [
        CampaignRecord(
            record_id=f"{campaign}{i}", campaign=campaign, numbers=[RecordNumber(number=f"{campaign[0]}1{i:05}")]
        )
        for i in range(n)
    ]


def states(world: World) -> list[tuple[str, str]]:
    return [(each.state, each.reason) for each in world.told(CampaignStateChanged)]


def test_a_campaign_is_started_and_stopped_by_hand_and_says_by_whom() -> None:
    world = World([campaign_of()], records(300), {"sales": 3})
    for wrong in (inputs.CampaignStops(campaign="spring"), inputs.CampaignStarts(campaign="autumn")):
        with pytest.raises(ApiError):
            world.tell(wrong)
    world.run(60)
    assert not world.placed
    world.start("spring")
    with pytest.raises(WrongState, match="started already"):
        world.start("spring")
    world.run(60)
    n_placed = len(world.placed)
    assert n_placed
    assert world.loaded, "some are looked ahead at"
    world.tell(inputs.CampaignStops(campaign="spring", by="boss"))
    world.run(600)
    assert len(world.placed) == n_placed, "nobody new is called"
    assert not world.calls, "calls under way went on to their end"
    assert not world.loaded, "who was looked ahead at went back"
    assert [(each.state, each.reason, each.by) for each in world.told(CampaignStateChanged)] == [
        ("running", "start", "boss"),
        ("stopped", "stop", "boss"),
    ]
    world.start("spring")
    world.run(60)
    assert len(world.placed) > n_placed


def test_out_14_a_campaign_starts_and_ends_at_its_times() -> None:
    campaign = campaign_of(starts_utc=NOON + 600, ends_utc=NOON + 1200)
    world = World([campaign], records(2000), {"sales": 3})
    world.run(599)
    assert not world.placed
    world.run(2)
    assert states(world) == [("running", "start_due")]
    world.run(700)
    assert states(world)[1:] == [("stopped", "end_due")]
    with pytest.raises(WrongState, match="is past"):
        world.start("spring")
    # A later time starts it again, once; stopped by hand it stays so.
    world.tell(inputs.CampaignChanges(msgspec.structs.replace(campaign, starts_utc=world.wall + 100, ends_utc=0.0)))
    world.run(130)
    assert states(world)[2:] == [("running", "start_due")]
    world.tell(inputs.CampaignStops(campaign="spring"))
    world.run(DAY)
    assert states(world)[3:] == [("stopped", "stop")]


def test_out_22_outside_its_working_time_it_is_suspended_and_goes_on_by_itself() -> None:
    office = Calendar(name="office", hours="mon-sun 09:00-12:30; mon-sun 13:30-18:00")
    world = World([campaign_of(calendar="office")], records(3000), {"sales": 2}, calendars=Calendars(office))
    world.start("spring")
    world.run(1801)
    during = len(world.placed)
    assert states(world) == [("running", "start"), ("suspended", "hours_end")]
    assert not world.loaded
    world.run(3500)
    assert len(world.placed) == during
    world.run(101)
    assert states(world)[2:] == [("running", "hours_begin")]
    assert world.wall < NOON + 5403
    # Closed for an emergency, and opened again.
    world.calendars.closures["office"] = Closure(calendar="office", since_utc=world.wall)
    world.run(2)
    assert states(world)[3:] == [("suspended", "hours_end")]
    del world.calendars.closures["office"]
    world.run(31)
    assert states(world)[4:] == [("running", "hours_begin")]
    del world.calendars.almanacs["office"]
    world.run(2)
    assert states(world)[5:] == [("suspended", "hours_end")], "a calendar that is gone is closed"


def test_started_outside_its_working_time_it_waits_for_it() -> None:
    office = Calendar(name="office", hours="mon-sun 14:00-18:00")
    world = World([campaign_of(calendar="office")], records(10), {"sales": 2}, calendars=Calendars(office))
    world.start("spring")
    assert states(world) == [("running", "start"), ("suspended", "hours_end")]
    assert not any(isinstance(each, LoadRecords) for each in world.out)
    world.tell(inputs.CampaignStops(campaign="spring"))
    world.run(3 * 3600)
    assert states(world)[2:] == [("stopped", "stop")]


def test_out_19_it_is_completed_when_nobody_is_left_and_can_be_started_with_new_records() -> None:
    world = World(
        [campaign_of()], records(20), {"sales": 5}, customers=Customers(human=1.0, busy=0, invalid=0, failed=0)
    )
    world.start("spring")
    world.run(3600)
    assert states(world) == [("running", "start"), ("completed", "exhausted")]
    assert world.statuses() == {"done": 20}
    world.database |= {each.record_id: each for each in records(30)[20:]}
    world.tell(inputs.RecordsChange(campaign="spring"))
    world.run(60)
    assert len(world.placed) == 20
    world.start("spring")
    world.run(3600)
    assert states(world)[2:] == [("running", "start"), ("completed", "exhausted")]
    assert world.statuses() == {"done": 30}


def test_a_campaign_without_records_is_completed_at_once_and_one_that_agents_dial_too() -> None:
    preview = campaign_of(name="calls", mode="preview")
    world = World([campaign_of(), preview], records(1, "calls"), {"sales": 1})
    world.start("spring")
    world.start("calls")
    world.run(60)
    assert world.engine.state("spring") == "completed"
    assert world.engine.state("calls") == "running"
    world.database["calls0"].status = "done"
    world.run(120)
    assert world.engine.state("calls") == "completed"
    assert not world.placed


def test_it_is_not_completed_before_an_agent_has_said_how_a_conversation_went() -> None:
    campaign = campaign_of(dispositions=(Disposition(code="later", effect="retry"),), retry_min_s=0.0)
    said: list[str] = []

    def dispose(world: World, record: CampaignRecord) -> str:
        said.append(record.record_id)
        return "later" if len(said) < 2 else "ACW_TIMEOUT"

    everybody = Customers(human=1.0, busy=0, invalid=0, failed=0, wrap_s=(100.0, 100.0))
    world = World([campaign], records(1), {"sales": 1}, customers=everybody, dispose=dispose)
    world.start("spring")
    world.run(250)
    world.run(3600)
    assert said == ["spring0", "spring0"]
    assert states(world) == [("running", "start"), ("completed", "exhausted")]
    record = world.database["spring0"]
    assert (record.status, record.disposition, record.n_attempts) == ("done", "ACW_TIMEOUT", 2)


def test_a_campaign_goes_when_it_does_not_run_and_nobody_is_called_for_it() -> None:
    world = World([campaign_of()], records(100), {"sales": 3})
    world.start("spring")
    world.run(30)
    with pytest.raises(WrongState, match="stop it first"):
        world.tell(inputs.CampaignRemoved("spring"))
    world.tell(inputs.CampaignStops(campaign="spring"))
    with pytest.raises(WrongState, match="under way"):
        world.tell(inputs.CampaignRemoved("spring"))
    world.run(600)
    world.tell(inputs.CampaignRemoved("spring"))
    with pytest.raises(NoSuchCampaign):
        world.engine.state("spring")
    assert world.engine.deadline is None


def test_a_clock_that_jumps_neither_calls_at_night_nor_keeps_anything_waiting() -> None:
    office = Calendar(name="office", hours="mon-sun 09:00-18:00")
    world = World(
        [campaign_of(calendar="office", starts_utc=NOON + 7200)],
        records(3000),
        {"sales": 2},
        calendars=Calendars(office),
    )
    world.run(60)
    # Two hours ahead: it is time to start.
    world.wall += 2 * 3600
    world.run(31)
    assert states(world) == [("running", "start_due")]
    # Into the night, and back.
    n_placed = len(world.placed)
    world.wall += 12 * 3600
    world.run(600)
    assert states(world)[1:] == [("suspended", "hours_end")]
    assert len(world.placed) == n_placed
    world.wall -= 12 * 3600
    world.run(32)
    assert states(world)[2:] == [("running", "hours_begin")]
    world.run(3600)
    assert len(world.placed) > n_placed
