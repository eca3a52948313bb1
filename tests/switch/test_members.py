"""switch/members.py: how often a wrong password may be keyed. The rest is in tests/scenarios/test_members.py."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from switch.members import TryLimit


def test_who_was_wrong_too_often_is_locked_until_it_is_long_ago():
    limit = TryLimit(3, 60.0)
    for at in (0.0, 1.0):
        limit.count("2001", at)
        assert not limit.is_locked("2001", at)
    limit.count("2001", 2.0)
    assert limit.is_locked("2001", 61.9) and not limit.is_locked("2002", 2.0)
    assert not limit.is_locked("2001", 62.0)
    limit.count("2001", 62.0)
    assert not limit.is_locked("2001", 62.0)


def test_a_right_password_makes_the_wrong_ones_forgotten_and_what_was_not_looked_at_does_not_count():
    limit = TryLimit(2, 60.0)
    limit.count("2001", 0.0)
    limit.forget("2001")
    limit.count("2001", 1.0)
    limit.take_back("2001")
    limit.count("2001", 2.0)
    assert not limit.is_locked("2001", 2.0)
    limit.take_back("2002")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.0, 100.0)), max_size=30))
def test_nobody_is_looked_at_more_often_within_the_time_than_he_may_be(tries):
    limit = TryLimit(3, 50.0)
    looked: dict[str, list[float]] = {"a": [], "b": []}
    now = 0.0
    for name, after_s in tries:
        now += after_s
        if not limit.is_locked(name, now):
            limit.count(name, now)
            looked[name].append(now)
    for instants in looked.values():
        for i in range(len(instants) - 3):
            row = instants[i : i + 4]
            assert max(b - a for a, b in itertools.pairwise(row)) >= 50.0
