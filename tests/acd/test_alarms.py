"""Alarms on measures of queues: limits of both directions, hysteresis, how long it must be so, what ends them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.alarms import Alarms
from model.alarms import AlarmRule, rule_problem
from model.events_alarm import AlarmCleared, AlarmRaised
from switch.config_file import ConfigError, parse_config

WAITING = AlarmRule(name="many", measure="waiting", limit=10.0, clear=5.0, for_s=30.0, severity="critical")
LEVEL = AlarmRule(name="late", measure="service_level", limit=0.8, clear=0.9)


def names(events) -> list[tuple[str, str]]:
    return [("raised" if isinstance(each, AlarmRaised) else "cleared", each.queue) for each in events]


def test_raised_after_a_while_and_over_only_when_it_is_well_again() -> None:
    alarms = Alarms([WAITING])
    said = []
    for now, value in ((0, 11), (20, 10), (25, 12), (54, 40), (55, 40), (60, 8), (70, 6), (80, 5), (90, 11)):
        said += [(now, each) for each in alarms.look({"q": {"waiting": float(value)}}, float(now))]
    assert [now for now, _ in said] == [55, 80]
    raised, cleared = (each for _, each in said)
    assert (raised.value, raised.limit, raised.severity) == (40.0, 10.0, "critical")
    assert isinstance(cleared, AlarmCleared)
    assert cleared.lasted_s == 25.0


def test_below_a_limit_for_each_queue_and_nothing_to_measure_is_no_alarm() -> None:
    alarms = Alarms([LEVEL])
    assert not alarms.look({"a": {"service_level": 0.8}, "b": {"service_level": None}, "c": {}}, 0.0)
    assert names(alarms.look({"a": {"service_level": 0.79}, "b": {"service_level": 0.1}}, 1.0)) == [
        ("raised", "a"),
        ("raised", "b"),
    ]
    assert not alarms.look({"a": {"service_level": 0.85}, "b": {"service_level": 0.1}}, 2.0)
    assert names(alarms.look({"a": {"service_level": 0.9}, "b": {"service_level": None}}, 3.0)) == [
        ("cleared", "a"),
        ("cleared", "b"),
    ]


def test_a_queue_that_is_removed_ends_its_alarms_and_rules_may_name_queues() -> None:
    alarms = Alarms([AlarmRule(name="nobody", measure="signed_in", limit=1.0, queues=("a",))])
    assert names(alarms.look({"a": {"signed_in": 0.0}, "b": {"signed_in": 0.0}}, 0.0)) == [("raised", "a")]
    assert names(alarms.look({"b": {"signed_in": 0.0}}, 1.0)) == [("cleared", "a")]


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from([0.5, 10.0, 40.0])), max_size=60))
def test_raised_and_over_take_turns_and_what_is_on_is_beyond(steps) -> None:
    alarms, now, is_on = Alarms([WAITING]), 0.0, False
    for value, step in steps:
        now += step
        for each in alarms.look({"q": {"waiting": value}}, now):
            assert isinstance(each, AlarmRaised) != is_on
            is_on = not is_on
        if is_on:
            assert value > 5.0
        standing = alarms.standing.get(("many", "q"))
        assert is_on == (standing is not None and standing.raised_at is not None)
        if value > 10.0 and not is_on:
            assert standing is not None and now - standing.since < 30.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('measure = "waiting"\nlimit = 5\nclear = 6\n', "clear must not be above"),
        ('measure = "service_level"\nlimit = 0.8\nclear = 0.5\n', "clear must not be below"),
        ('measure = "waiting"\nlimit = 5\nqueues = ["none"]\n', 'there is no queue "none"'),
        ('measure = "mood"\nlimit = 5\n', "measure"),
        ('measure = "waiting"\nlimit = -1\n', "limit"),
    ],
)
def test_rules_that_make_no_sense(text, says) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_config(f'[[alarm]]\nname = "a"\n{text}')
    assert not rule_problem(WAITING)
