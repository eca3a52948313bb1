"""switch/trunk_groups.py, hours.py, trunk_state.py, number_rules.py, preemption.py: which trunk is tried first, when,
and how many calls it may have. Whole calls are in tests/scenarios/test_trunk_limits.py and test_trunk_failover.py."""

import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.hours import is_within, parse_hours
from sip.flow import Flow
from switch.call import Call, Leg
from switch.config_trunks import GroupMember, NumberRule, Trunk, TrunkGroup
from switch.number_rules import apply_rules, number_from_trunk
from switch.preemption import choose_victim
from switch.trunk_groups import order_trunks
from switch.trunk_state import TokenBucket, TrunkState

NAMES = ("a", "b", "c")
TUESDAY_NOON = calendar.timegm((2026, 3, 3, 12, 0, 0))
FLOW = Flow("udp", "192.0.2.1", 5060)


def trunks(**limits: int) -> dict[str, TrunkState]:
    return {
        name: TrunkState(config=Trunk(name=name, host="192.0.2.1", max_channels=limits.get(name, 0))) for name in NAMES
    }


def group(order: str, *members: GroupMember) -> TrunkGroup:
    return TrunkGroup(name="g", members=members or tuple(GroupMember(trunk=name) for name in NAMES), order=order)


def order(one: TrunkGroup, seed: str = "call", known: dict[str, TrunkState] | None = None, wall: float = TUESDAY_NOON):
    return order_trunks(one, known or trunks(), seed=seed, wall=wall, time_zone="UTC")


def test_listed_keeps_the_order():
    assert order(group("listed")) == ["a", "b", "c"]


def test_weights_are_shares_of_the_calls():
    weighted = group(
        "weighted",
        GroupMember(trunk="a", weight=6),
        GroupMember(trunk="b", weight=3),
        GroupMember(trunk="c", weight=1),
    )
    first = [order(weighted, seed=f"call {n}")[0] for n in range(4000)]
    shares = [first.count(name) / len(first) for name in NAMES]
    assert shares == pytest.approx([0.6, 0.3, 0.1], abs=0.03)


@given(st.text(), st.lists(st.integers(0, 100), min_size=3, max_size=3))
def test_a_weighted_order_depends_on_the_seed_alone_and_leaves_nobody_out(seed, weights):
    weighted = group("weighted", *(GroupMember(trunk=n, weight=w) for n, w in zip(NAMES, weights, strict=True)))
    found = order(weighted, seed=seed)
    assert found == order(weighted, seed=seed)
    assert sorted(found) == ["a", "b", "c"]
    zero = [name for name, weight in zip(NAMES, weights, strict=True) if not weight]
    assert set(found[len(found) - len(zero) :]) == set(zero)


def test_least_used_goes_by_the_share_of_channels():
    known = trunks(a=10, b=100, c=10)
    known["a"].n_calls, known["b"].n_calls, known["c"].n_calls = 2, 10, 1
    assert order(group("least_used"), known=known) == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("at", "cheapest"),
    [((2026, 3, 3, 12, 0, 0), ["b", "a"]), ((2026, 3, 3, 20, 0, 0), ["a", "b"]), ((2026, 3, 7, 12, 0, 0), ["a", "b"])],
    ids=["weekday", "evening", "saturday"],
)
def test_the_cheapest_depends_on_the_time_of_the_week(at, cheapest):
    rates = group(
        "cheapest",
        GroupMember(trunk="a", cost=0.05),
        GroupMember(trunk="b", cost=0.02, hours="mon-fri 08:00-18:00"),
        GroupMember(trunk="b", cost=0.09, hours="mon-fri 18:00-08:00; sat-sun 00:00-24:00"),
    )
    assert order(rates, wall=calendar.timegm(at)) == cheapest


@pytest.mark.parametrize(
    ("text", "weekday", "time", "expected"),
    [
        ("", 6, (3, 0), True),
        ("mon-fri 08:00-18:00", 0, (8, 0), True),
        ("mon-fri 08:00-18:00", 4, (18, 0), False),
        ("mon-fri 08:00-18:00", 5, (9, 0), False),
        ("mon-fri 08:00-18:00; sat 09:00-12:00", 5, (11, 59), True),
        ("fri 22:00-06:00", 5, (5, 59), True),
        ("fri 22:00-06:00", 4, (5, 59), False),
        ("sat-mon 00:00-24:00", 6, (23, 59), True),
        ("sun 22:00-02:00", 0, (1, 0), True),
    ],
)
def test_hours(text, weekday, time, expected):
    assert is_within(parse_hours(text), weekday, time[0] * 60 + time[1]) is expected


@pytest.mark.parametrize("text", ["always", "mon 8-18", "mon-xyz 08:00-18:00", "mon 24:00-25:00", "mon 08:60-09:00"])
def test_hours_that_are_none_say_what_would_be_right(text):
    with pytest.raises(ValueError, match=r"mon-fri 08:00-18:00|days are"):
        parse_hours(text)


@given(st.lists(st.floats(0.0, 0.5), max_size=200), st.floats(0.5, 50.0), st.integers(1, 20))
def test_a_bucket_never_gives_more_than_burst_and_rate(gaps, rate, burst):
    bucket, now, taken = TokenBucket(rate, burst, burst), 0.0, 0
    for gap in gaps:
        now += gap
        taken += bucket.take(now)
        assert taken <= burst + rate * now + 1e-6


def test_a_bucket_gives_its_rate_in_the_long_run():
    bucket = TokenBucket(10.0, 10.0, 10.0)
    assert sum(bucket.take(n / 100) for n in range(10_001)) == pytest.approx(10 + 1000, abs=2)


def test_addresses_known_to_be_dead_are_no_ways_and_the_trunk_is_down_without_any():
    trunk = trunks()["a"]
    other = FLOW._replace(host="192.0.2.2")
    trunk.flows = [FLOW, other]
    trunk.health_of(FLOW).state = "down"
    assert (trunk.ways(), trunk.state) == ([other], "up")
    trunk.health_of(other).state = "down"
    assert (trunk.ways(), trunk.state) == ([], "down")


def test_an_address_rests_until_it_is_woken_or_the_time_is_up():
    trunk = trunks()["a"]
    trunk.rest(FLOW, 10.0, 30.0)
    trunk.rest(FLOW, 11.0, 5.0)
    assert trunk.is_resting(FLOW, 39.0) and not trunk.is_resting(FLOW, 40.5)
    trunk.wake(FLOW)
    assert not trunk.is_resting(FLOW, 12.0)


RULES = (
    NumberRule(pattern="00.", strip=2, prepend="+", number="dialed"),
    NumberRule(pattern="1XX", prepend="0"),
    NumberRule(pattern="", strip=1, number="caller"),
)


@pytest.mark.parametrize(
    ("number", "which", "expected"),
    [
        ("0014155552671", "dialed", "+14155552671"),
        ("0014155552671", "caller", "014155552671"),
        ("110", "dialed", "0110"),
        ("1100", "dialed", "1100"),
    ],
)
def test_the_first_rule_that_matches_changes_a_number(number, which, expected):
    assert apply_rules(RULES, number, which) == expected


def test_a_number_that_a_trunk_did_not_send_stays_nothing():
    assert number_from_trunk(Trunk(name="a", host="h", rules_in=RULES), "", "CN", "caller") == ""


def call(name: str, *, at: float, talks: bool = False, direction: str = "outbound", emergency: bool = False) -> Call:
    leg = Leg(leg_id=name + ".1", call_id=name, direction="out", kind="trunk", name="a", caller="", dialed="")
    return Call(
        call_id=name,
        phase="bridged" if talks else "ring",
        direction=direction,
        caller="",
        dialed="",
        legs={leg.leg_id: leg},
        created_utc=at,
        bridged_utc=at if talks else 0.0,
        is_emergency=emergency,
    )


@pytest.mark.parametrize(
    ("calls", "victim"),
    [
        ([call("old", at=1), call("young", at=2)], "young"),
        ([call("talks", at=2, talks=True), call("rings", at=1)], "rings"),
        ([call("in", at=2, direction="inbound"), call("out", at=1)], "out"),
        ([call("help", at=2, emergency=True), call("other", at=1, talks=True)], "other"),
        ([call("help", at=2, emergency=True)], ""),
    ],
    ids=["youngest", "unanswered first", "outbound first", "no emergency call", "nobody"],
)
def test_who_gives_its_channel_to_an_emergency_call(calls, victim):
    found = choose_victim(calls, "a")
    assert (found.call_id if found else "") == victim
    assert choose_victim(calls, "b") is None
