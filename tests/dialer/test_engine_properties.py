"""dialer/engine.py in worlds made at random, in which everything that can happen does. What must hold at every call
that is placed is looked at by tests/dialer/world.py, the rest at the end.

At every call: durable before it is dialled, its campaign runs, no other call to the number, not barred, consent,
contact hours, limits of attempts, spacing, lines, calls per second. At the end: every attempt ended exactly once, no
record was lost, doubled or left behind. Races of single steps: test_engine.py.
"""

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer import inputs
from dialer.actions import StoreOutcome
from dialer.retry import copy_of
from model.campaigns import Campaign, DialerRules, Disposition
from model.declare import ApiError
from model.dialing import CampaignRecord, RecordNumber
from model.errors import WrongState
from tests.dialer.records_of import NOON
from tests.dialer.world import Customers, World

DISPOSITIONS = tuple(
    Disposition(code=effect, effect=effect) for effect in ("done", "retry", "dnc", "wrong_number", "success")
)
MODES = st.sampled_from(["progressive", "power", "predictive", "agentless"])
CAMPAIGNS = st.builds(
    Campaign,
    name=st.just("spring"),
    mode=MODES,
    queue=st.just("sales"),
    max_lines=st.integers(1, 12),
    max_calls_per_s=st.sampled_from([1.0, 2.0, 5.0]),
    power_ratio=st.sampled_from([1.0, 3.0]),
    weight=st.integers(1, 3),
    retry_min_s=st.sampled_from([30.0, 300.0]),
    max_attempts=st.integers(1, 4),
    max_attempts_per_number=st.integers(1, 3),
    max_attempts_per_day=st.integers(1, 3),
    needs_consent=st.booleans(),
    detects_machines=st.booleans(),
    ring_timeout_s=st.sampled_from([15.0, 25.0]),
    dispositions=st.sampled_from([(), DISPOSITIONS]),
)
ZONES = st.sampled_from(["", "Europe/Berlin", "Asia/Tokyo"])
NUMBER = st.builds(RecordNumber, number=st.integers(0, 40).map(str), zone=ZONES)
NUMBERS = st.lists(NUMBER, min_size=1, max_size=3, unique_by=lambda each: each.number)
RECORDS = st.lists(st.tuples(NUMBERS, st.booleans(), st.integers(0, 2)), min_size=1, max_size=40)
WHAT = "nothing bar allow jump restart leave back stop start changed edit trunk database mend hour by_agent"
HAPPENINGS = st.lists(
    st.tuples(st.floats(0.5, 400.0), st.sampled_from(WHAT.split()), st.integers(0, 1000)), max_size=12
)


def happen(world: World, what: str, lot: int, names: list[str]) -> None:
    name = names[lot % len(names)]
    number = str(lot % 41)
    match what:
        case "bar":
            world.tell(inputs.NumberBarred(number=number, campaign=name if lot % 2 else ""))
        case "allow":
            world.tell(inputs.NumberAllowed(number=number, campaign=name if lot % 2 else ""))
        case "jump":
            world.wall += (lot - 500) * 60.0
        case "hour":
            world.run(3600.0)
        case "restart":
            world.restart()
        case "leave":
            world.leave("sales")
        case "back":
            for agent in world.agents:
                if agent.doing == "away":
                    agent.doing, agent.since = "idle", world.now
            world.tell(world.floor("sales"))
        case "stop" | "start":
            kind = inputs.CampaignStops if what == "stop" else inputs.CampaignStarts
            try:
                world.tell(kind(campaign=name, by="boss"))
            except WrongState:
                pass
        case "changed":
            ids = tuple(each for i, each in enumerate(world.database) if i % 3 == lot % 3) if lot % 2 else ()
            world.tell(inputs.RecordsChange(campaign=name, record_ids=ids))
        case "edit":
            hours = "mon-sun 08:00-21:00" if lot % 2 else "mon-sun 11:00-13:00"
            changed = msgspec.structs.replace(world.settings[name], contact_hours=hours, max_lines=1 + lot % 12)
            world.settings[name] = changed
            world.tell(inputs.CampaignChanges(changed))
        case "trunk":
            world.customers.trunk_is_down = True
        case "database":
            world.customers.database_is_down = True
        case "mend":
            world.customers.trunk_is_down = world.customers.database_is_down = False
        case "by_agent":
            call_by_agent(world, lot)


def call_by_agent(world: World, lot: int) -> None:
    free = [each for each in world.database.values() if each.status in ("new", "retry_wait")]
    if free:
        record = free[lot % len(free)]
        world.place_by_agent(record, lot % len(record.numbers), result=("no_answer", "human", "cancelled")[lot % 3])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(CAMPAIGNS, min_size=1, max_size=3),
    st.lists(RECORDS, min_size=3, max_size=3),
    HAPPENINGS,
    st.integers(0, 9),
    st.integers(0, 6),
)
def test_whatever_happens_nobody_is_called_who_must_not_be_and_nothing_is_lost(
    campaigns: list[Campaign],
    lists: list[list[tuple]],
    happenings: list[tuple[float, str, int]],
    seed: int,
    n_agents: int,
) -> None:
    named = [_named(each, i) for i, each in enumerate(campaigns)]
    records = [
        CampaignRecord(
            record_id=f"{campaign.name}{n}", campaign=campaign.name, has_consent=has_consent, priority=priority,
            numbers=[RecordNumber(number=each.number, zone=each.zone) for each in numbers],
        )
        for campaign, rows in zip(named, lists, strict=False)
        for n, (numbers, has_consent, priority) in enumerate(rows)
    ]  # fmt: skip
    world = World(
        named, records, {"sales": n_agents}, seed=seed,
        customers=Customers(human=0.4, machine=0.1, talk_s=(5.0, 60.0), store_s=(0.0, 1.5)),
        rules=DialerRules(max_calls_per_s=6.0, hopper=10),
        dispose=lambda world, record: world.random.choice(DISPOSITIONS).code,
    )  # fmt: skip
    for campaign in named:
        world.start(campaign.name)
    for after_s, what, lot in happenings:
        world.run(after_s)
        happen(world, what, lot, [each.name for each in named])
    world.run(120.0)
    happen(world, "mend", 0, ["spring0"])
    for campaign in named:
        happen(world, "stop", named.index(campaign), [each.name for each in named])
    world.run(900.0)
    assert not world.calls
    assert not world.loaded, "what was looked ahead at has gone back"
    for attempt in world.attempts.values():
        assert world.n_ended[attempt.attempt_id] == 1, attempt
        assert attempt.result
        assert attempt.ended_utc
    assert set(world.n_ended) == set(world.attempts)
    assert set(world.database) == {each.record_id for each in records}
    assert not {each.status for each in world.database.values()} & {"dialing", "queued"}
    for campaign in named:
        live = world.engine.progress(campaign.name, world.now, world.wall)
        assert (live.n_lines, live.n_hopper) == (0, 0)
    answered = sum(bool(each.connected_utc) for each in world.attempts.values())
    outcomes = sum(isinstance(each, StoreOutcome) for each in world.out)
    assert outcomes == len(world.attempts) >= answered


def _named(campaign: Campaign, n: int) -> Campaign:
    to = "ivr:survey" if campaign.mode == "agentless" else ""
    return msgspec.structs.replace(campaign, name=f"spring{n}", answered_to=to)


@settings(max_examples=15, deadline=None)
@given(st.data(), st.integers(0, 99), MODES)
def test_restored_it_goes_on_as_though_it_had_not_been_away(data: st.DataObject, seed: int, mode: Any) -> None:
    campaign = Campaign(name="spring", mode=mode, queue="sales", retry_min_s=60.0)
    records = [
        CampaignRecord(record_id=f"r{n}", campaign="spring", numbers=[RecordNumber(number=f"1{n:04}")])
        for n in range(60)
    ]
    world = World([campaign], records, {"sales": 4}, seed=seed)
    world.start("spring")
    world.run(data.draw(st.floats(1.0, 600.0)))
    world.perform(world.engine.store(world.now))
    before = world.engine.progress("spring", world.now, world.wall)
    unfinished = {each.attempt_id for each in world.attempts.values() if not each.result}
    world.restart()
    after = world.engine.progress("spring", world.now, world.wall)
    assert after.state == before.state == "running"
    assert after.abandoned == before.abandoned, "what was counted counts on"
    assert abs(after.answer_rate - before.answer_rate) < 1e-9
    assert {each.attempt_id for each in world.attempts.values() if each.result == "interrupted"} == unfinished
    world.run(3000.0)
    # That nobody is called more often than he may be is looked at in every call.
    assert all(world.n_ended[each] == 1 for each in unfinished)


def test_what_is_refused_changes_nothing() -> None:
    record = CampaignRecord(record_id="r1", campaign="spring", numbers=[RecordNumber(number="1")])
    world = World([Campaign(name="spring", mode="preview", dispositions=DISPOSITIONS)], [record])
    before = world.engine.deadline
    bad: list[inputs.DialerInput] = [
        inputs.CampaignChanges(Campaign(name="spring", contact_hours="at night")),
        inputs.CampaignChanges(Campaign(name="spring", contact_calendar="nowhere")),
        inputs.CampaignChanges(Campaign(name="other", time_zone="Mars")),
        inputs.CampaignStarts(campaign="nobody"),
        inputs.CampaignStops(campaign="spring"),
        inputs.CampaignRemoved("nobody"),
        inputs.RecordsChange(campaign="nobody"),
        inputs.RecordDisposed(record=copy_of(record), code="sold"),
    ]
    for each in bad:
        try:
            world.engine.handle(each, world.now, NOON)
        except ApiError:
            continue
        raise AssertionError(f"{each} was taken")
    assert world.engine.deadline == before
    assert world.engine.state("spring") == "not_started"
