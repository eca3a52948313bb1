"""Distribution of records among agents (OUT-03, OUT-09): everything is dealt once, and fairly."""

from hypothesis import given
from hypothesis import strategies as st

from dialer.distribution import deal, share_as_told, share_evenly

AGENTS = st.dictionaries(st.sampled_from([f"a{i}" for i in range(12)]), st.integers(0, 50), min_size=1)


@given(st.integers(0, 500), AGENTS)
def test_even_shares_are_all_of_it_and_differ_by_at_most_one(n, have):
    shares = share_evenly(n, have)
    assert sum(shares.values()) == n
    assert shares.keys() == have.keys()
    assert max(shares.values()) - min(shares.values()) <= 1


@given(st.integers(0, 500), AGENTS)
def test_what_is_left_over_goes_to_who_has_the_fewest(n, have):
    shares = share_evenly(n, have)
    more = [have[agent_id] for agent_id in shares if shares[agent_id] > n // len(have)]
    others = [have[agent_id] for agent_id in shares if shares[agent_id] == n // len(have)]
    assert max(more, default=0) <= min(others, default=50)


@given(st.integers(0, 300), AGENTS)
def test_nobody_gets_more_than_was_said_and_nothing_is_kept_back(n, wanted):
    shares = share_as_told(n, wanted)
    assert sum(shares.values()) == min(n, sum(wanted.values()))
    assert all(shares[agent_id] <= wanted[agent_id] for agent_id in wanted)
    # Who lacks some has as many as anybody, but for one.
    lacking = [shares[agent_id] for agent_id in wanted if shares[agent_id] < wanted[agent_id]]
    assert not lacking or max(shares.values()) - min(lacking) <= 1


@given(st.lists(st.uuids(), max_size=120, unique=True), AGENTS)
def test_every_record_is_dealt_once_to_who_has_a_share(ids, shares):
    ids = [str(each) for each in ids]
    hands = deal(ids, shares)
    dealt = [record_id for hand in hands.values() for record_id in hand]
    assert len(dealt) == len(set(dealt)) == min(len(ids), sum(shares.values()))
    assert set(dealt) == set(ids[: len(dealt)])
    assert all(len(hands[agent_id]) <= shares[agent_id] for agent_id in shares)
    if len(ids) >= sum(shares.values()):
        assert {agent_id: len(hand) for agent_id, hand in hands.items()} == shares


def test_records_are_dealt_in_turn():
    assert deal(list("abcde"), {"x": 2, "y": 3}) == {"x": ["a", "c"], "y": ["b", "d", "e"]}
    assert share_as_told(7, {"x": 5, "y": 1, "z": 5}) == {"x": 3, "y": 1, "z": 3}


def test_nobody_to_share_with():
    assert share_evenly(5, {}) == {}
    assert share_as_told(5, {}) == {}
