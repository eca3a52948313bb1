"""switch/qualifier.py: when a trunk's addresses are asked, and when they count as up or down. OPTIONS on the wire and
what the switch makes of it are in tests/scenarios/test_trunk_qualification.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.flow import Flow
from switch.config_trunks import Trunk
from switch.qualifier import Probe, Qualifier
from switch.trunk_state import TrunkState

ONE, OTHER = Flow("udp", "192.0.2.1", 5060), Flow("udp", "192.0.2.2", 5060)


class Asked:
    """A qualifier of one trunk, and what it asked."""

    def __init__(self, flows=(ONE,), **options):
        options = {"qualify_s": 30.0, "qualify_timeout_s": 2.0, **options}
        self.trunk = TrunkState(config=Trunk(name="t", host="h", **options), flows=list(flows))
        self.qualifier = Qualifier({"t": self.trunk})
        self.now = 100.0
        self.qualifier.watch("t", self.now)
        self.n = 0

    def next(self) -> list[Probe]:
        """Until something is to be asked."""
        for _ in range(100):
            assert self.qualifier.deadline is not None
            self.now = max(self.now, self.qualifier.deadline)
            probes = self.qualifier.poll(self.now)
            if probes:
                return probes
        raise AssertionError("nothing is asked")

    def round(self, status: int | None) -> float:
        """One question of a trunk with one address, answered so after 20 ms, or never; when it was asked."""
        (probe,) = self.next()
        at = self.now
        self.n += 1
        self.qualifier.asked(probe, f"token {self.n}", at)
        if status is not None:
            self.now += 0.02
            assert self.qualifier.asked_for(f"token {self.n}") == "t"
            self.qualifier.answered(f"token {self.n}", status, self.now)
        else:
            self.now += 2.0
            assert self.qualifier.poll(self.now) == []
        return at

    @property
    def state(self) -> str:
        return self.trunk.health_of(ONE).state


@pytest.mark.parametrize("status", [200, 401, 404, 405, 407, 500])
def test_any_answer_says_that_it_is_there(status):
    asked = Asked()
    asked.round(status)
    assert (asked.state, asked.trunk.state, asked.trunk.reason) == ("up", "up", "")
    assert asked.trunk.health_of(ONE).round_trip_ms == pytest.approx(20)


@pytest.mark.parametrize(
    ("status", "why"), [(None, "no answer to OPTIONS"), (503, "OPTIONS answered 503"), (504, "OPTIONS answered 504")]
)
def test_it_goes_down_after_so_many_silences_and_up_after_so_many_answers(status, why):
    asked = Asked(qualify_down_after=3, qualify_up_after=2)
    states = []
    for said in (200, status, status, status, 200, 200):
        asked.round(said)
        states.append(asked.trunk.state)
        if said == status:
            assert asked.trunk.reason == (why if states[-1] == "down" else "")
    assert states == ["up", "up", "up", "down", "down", "up"]


def test_one_answer_between_silences_keeps_it_up():
    asked = Asked(qualify_down_after=2)
    for said in (200, None, 200, None, 200, None):
        asked.round(said)
        assert asked.state == "up"


def test_it_is_asked_at_its_interval_and_soon_where_there_is_doubt():
    asked = Asked()
    asked.round(200)
    first = asked.now
    second = asked.round(None)
    assert second == pytest.approx(first + 30.0)
    third = asked.round(None)
    assert third == pytest.approx(second + 2.0 + 1.0)
    assert asked.state == "down"
    fourth = asked.round(200)
    assert fourth == pytest.approx(third + 2.0 + 30.0)
    assert asked.round(200) == pytest.approx(fourth + 0.02 + 1.0)
    assert asked.state == "up"


def test_a_failed_call_brings_the_question_forward_but_not_a_second_one():
    asked = Asked()
    asked.round(200)
    asked.qualifier.hurry("t", asked.now)
    (probe,) = asked.qualifier.poll(asked.now)
    asked.qualifier.asked(probe, "again", asked.now)
    asked.qualifier.hurry("t", asked.now)
    assert asked.qualifier.poll(asked.now) == []


def test_the_trunk_is_up_while_one_of_its_addresses_is():
    asked = Asked(flows=(ONE, OTHER), qualify_down_after=1)
    for _ in range(2):
        for n, probe in enumerate(asked.next()):
            token = f"{asked.now} {n}"
            asked.qualifier.asked(probe, token, asked.now)
            asked.qualifier.answered(token, 200 if probe.flow == OTHER else 503, asked.now)
    assert asked.trunk.ways() == [OTHER]
    assert asked.trunk.state == "up"


def test_an_address_that_is_gone_is_asked_no_more_and_one_that_is_asked_by_nobody_neither():
    asked = Asked()
    (probe,) = asked.next()
    asked.qualifier.asked(probe, "late", asked.now)
    asked.trunk.flows = []
    asked.qualifier.watch("t", asked.now)
    asked.qualifier.answered("late", 200, asked.now)
    assert (asked.qualifier.deadline, asked.qualifier.asked_for("late")) == (None, "")
    assert Asked(qualify_s=0.0).qualifier.deadline is None


@given(st.lists(st.sampled_from([200, 503, None]), max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_no_state_changes_without_so_many_alike_in_a_row(answers, down_after, up_after):
    asked = Asked(qualify_down_after=down_after, qualify_up_after=up_after)
    good = bad = 0
    for said in answers:
        before = asked.state
        asked.round(said)
        good, bad = (good + 1, 0) if said == 200 else (0, bad + 1)
        if asked.state == "down" != before:
            assert bad == down_after
        if asked.state == "up" != before:
            assert good >= up_after or before == "unknown"
        if bad >= down_after:
            assert asked.state == "down"
