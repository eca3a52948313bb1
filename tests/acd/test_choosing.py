"""acd/matching.py, idle.py: each rule by which agents and calls are chosen, with the explanation that goes with it
(ACD-03/04/05/15/17, XACD-01/02/06/07/10). Random interleavings are in test_engine_properties.py."""

from collections import Counter

import pytest

from acd.inputs import (
    AgentNotReady,
    AgentReady,
    AgentSignsIn,
    CallLeaves,
    DayBegins,
    EntryChanges,
    EntryPlace,
    OfferAnswered,
    RulesChange,
    ServiceEnds,
    VipVerdict,
)
from model.agents import Membership
from model.events_queue import QueueEntryChanged
from model.queues import AcdRules, Queue, RelaxStep
from tests.acd.desk_of import Room


def queue(strategy: str = "longest_idle", **fields) -> Queue:
    fields.setdefault("prefer", ())
    return Queue(name=fields.pop("name", "q"), strategy=strategy, **fields)


# -- strategies --------------------------------------------------------------------------------------------------------


def test_longest_idle_and_its_explanation() -> None:
    room = Room(queue(), agents="a b c")
    entry = room.call()
    offer = room.offer_of(entry)
    assert offer.agent_id == "a"
    assert (offer.why.agent_rule, offer.why.agent_value, offer.why.n_eligible) == ("longest_idle", "idle 2.0 s", 3)
    room.answer(entry)
    assert [room.served() for _ in range(4)] == ["b", "c", "b", "c"]


def test_login_order() -> None:
    room = Room(queue("login_order"), agents="z y x")
    assert [room.served() for _ in range(3)] == ["z", "z", "z"]
    first = room.call()
    assert (room.rings(first), room.rings(room.call())) == (["z"], ["y"])


def test_fewest_calls_of_the_day_and_nobody_is_two_ahead() -> None:
    room = Room(queue("fewest_calls"), agents="a b c d")
    taken: Counter[str] = Counter()
    for _ in range(21):
        taken[room.served()] += 1
        assert max(taken.values()) - min(taken[each] for each in "abcd") <= 1
    room.tell(DayBegins())
    room.sign_in("e")
    # The counts of yesterday do not count: who is idle longest begins.
    assert room.served() != "e"


def test_least_talk_time() -> None:
    room = Room(queue("least_talk_time"), agents="a b")
    first = room.call()
    room.answer(first)
    room.tell(ServiceEnds(first, 300.0))
    room.tell(AgentReady("a"))
    assert [room.served() for _ in range(3)] == ["b", "b", "b"]


def test_round_robin_remembers_where_it_was() -> None:
    room = Room(queue("round_robin"), agents="a b c")
    assert [room.served() for _ in range(7)] == ["a", "b", "c", "a", "b", "c", "a"]


def test_random_is_even_and_the_same_every_time() -> None:
    def picks(seed: int) -> list[str]:
        room = Room(queue("random"), agents="a b c d", seed=seed)
        return [room.served() for _ in range(800)]

    chosen = picks(1)
    assert chosen == picks(1) != picks(2)
    counts = Counter(chosen)
    # Chi-square with 3 degrees of freedom: beyond 16.3 in one of a thousand.
    assert sum((counts[each] - 200) ** 2 / 200 for each in "abcd") < 16.3


def test_ring_all_and_who_is_free_meanwhile_rings_too() -> None:
    room = Room(queue("ring_all"), agents="a b")
    entry = room.call()
    assert sorted(room.rings(entry)) == ["a", "b"]
    room.sign_in("c")
    assert sorted(room.rings(entry)) == ["a", "b", "c"]
    second = room.call()
    offer = next(each for each in room.offers if each.agent_id == "b")
    room.tell(OfferAnswered(offer.offer_id))
    assert [each.agent_id for each in room.connects] == ["b"]
    assert sorted(room.rings(second)) == ["a", "c"]


def test_ring_progressively() -> None:
    room = Room(queue("ring_progressively", ring_step_s=5.0), agents="a b c")
    entry = room.call()
    assert room.rings(entry) == ["a"]
    room.wait(5.0)
    assert room.rings(entry) == ["a", "b"]
    room.wait(20.0)
    assert room.rings(entry) == ["a", "b", "c"]


# -- preferences -------------------------------------------------------------------------------------------------------


AGENTS = {
    "idle": {},
    "expert": {"level": 9},
    "near": {"area": "0571"},
    "last": {"level": 1},
}


@pytest.mark.parametrize(
    ("prefer", "chosen", "rule"),
    [
        ((), "idle", "longest_idle"),
        (("level",), "expert", "longest_idle"),
        (("area",), "near", "area"),
        (("last_agent",), "last", "last_agent"),
        (("last_agent", "area", "level"), "last", "last_agent"),
        (("area", "last_agent"), "near", "area"),
        (("level", "area", "last_agent"), "expert", "level"),
        (("area", "level"), "near", "area"),
    ],
)
def test_preferences_count_in_their_order(prefer, chosen, rule) -> None:
    room = Room(queue(prefer=prefer))
    for agent_id, fields in AGENTS.items():
        room.now += 1.0
        room.sign_in(agent_id, **fields)
    offer = room.offer_of(room.call(area="0571", last_agent="last"))
    assert (offer.agent_id, offer.why.agent_rule) == (chosen, rule)


def test_of_equal_level_the_strategy_decides_and_a_queue_has_levels_of_its_own() -> None:
    room = Room(queue(prefer=("level",)), queue(name="other", prefer=("level",)))
    room.sign_in("a", level=5)
    room.now += 1.0
    room.sign_in("b", level=5)
    served = (Membership(queue="q", level=0), Membership(queue="other", level=9))
    room.tell(AgentSignsIn(agent_id="c", level=9, queues=served))
    room.tell(AgentReady("c"))
    assert room.rings(room.call("q")) == ["a"]
    assert room.rings(room.call("other")) == ["c"]


def test_the_last_agent_is_passed_over_when_he_is_busy_and_it_is_told() -> None:
    room = Room(queue(prefer=("last_agent",)), agents="a b")
    room.tell(AgentNotReady("b", "not_ready"))
    offer = room.offer_of(room.call(last_agent="b"))
    assert offer.agent_id == "a"
    assert offer.why.passed_over == (("b", "not_ready"),)


def test_dedicated_agent_first_and_at_once_somebody_else() -> None:
    room = Room(queue(has_dedicated_agent=True), agents="a b c")
    first = room.call(dedicated_agent="c")
    assert (room.rings(first), room.offer_of(first).why.agent_rule) == (["c"], "dedicated")
    assert room.rings(room.call(dedicated_agent="c")) == ["a"]
    plain = Room(queue(), agents="a b c")
    assert plain.rings(plain.call(dedicated_agent="c")) == ["a"]


def test_preferred_agents_have_it_for_a_while_and_then_everybody() -> None:
    room = Room(queue(), agents="a")
    entry = room.call(preferred=("b", "c"), preferred_s=8.0)
    assert room.rings(entry) == []
    room.wait(3.0)
    room.sign_in("c")
    assert room.rings(entry) == ["c"]
    other = room.call(preferred=("b",), preferred_s=8.0)
    room.wait(8.0)
    assert room.rings(other) == ["a"]


# -- the waiting order -------------------------------------------------------------------------------------------------


def test_returned_before_vip_before_normal_and_first_come_first_served_within() -> None:
    room = Room(queue(no_answer_penalty_s=0.0), agents="a")
    busy = room.call()
    normal, vip, second, second_vip = room.call(), room.call(is_vip=True), room.call(), room.call(is_vip=True)
    assert room.order() == [busy, vip, second_vip, normal, second]
    room.miss(busy)
    assert room.rings(vip) == ["a"]
    assert room.order() == [vip, busy, second_vip, normal, second]


def test_an_overflowed_call_keeps_its_time() -> None:
    room = Room(queue())
    room.now = 100.0
    young = room.call()
    old = room.call(place=EntryPlace(enter_time=40.0, n_hops=1))
    assert room.order() == [old, young]


def test_priority_is_worth_time_and_a_supervisor_puts_first() -> None:
    room = Room(queue(priority_step_s=30.0))
    a = room.call()
    room.now = 20.0
    b = room.call(priority=1)
    room.now = 40.0
    c = room.call(priority=1)
    assert room.order() == [b, a, c]
    room.tell(EntryChanges(c, priority=5))
    assert room.order() == [c, b, a]
    room.tell(EntryChanges(a, is_first=True))
    assert room.order() == [a, c, b]


def test_a_late_vip_verdict_moves_the_call_and_keeps_its_time() -> None:
    room = Room(queue())
    a, b, c = room.call(), room.call(is_vip=True), room.call()
    room.tell(VipVerdict(a, True))
    assert room.order() == [a, b, c]
    room.tell(VipVerdict(a, False))
    assert room.order() == [b, a, c]
    room.tell(VipVerdict("gone", True))


def test_who_waits_long_enough_counts_as_a_vip() -> None:
    room = Room(queue(vip_starve_s=60.0))
    old = room.call()
    room.wait(59.0)
    vip = room.call(is_vip=True)
    assert room.order() == [vip, old]
    said = room.wait(1.0)
    assert [(each.entry_id, each.change) for each in said if isinstance(each, QueueEntryChanged)] == [(old, "aged")]
    assert room.order() == [old, vip]
    without = Room(queue())
    old = without.call()
    without.wait(3600.0)
    vip = without.call(is_vip=True)
    assert without.order() == [vip, old]


# -- an agent of several queues ----------------------------------------------------------------------------------------


def test_classes_then_weight_then_who_waits_longest() -> None:
    room = Room(queue(name="light"), queue(name="heavy", weight=5), queue(name="other"))
    room.sign_in("a", is_ready=False)
    oldest = room.call("light")
    room.now += 1.0
    heavy, other, vip = room.call("heavy"), room.call("other"), room.call("other", is_vip=True)
    taken = []
    for rule in ("vip", "weight", "oldest", "only"):
        room.tell(AgentReady("a"))
        offer = room.offers[-1]
        assert offer.why.call_rule == rule
        taken.append(offer.entry_id)
        room.answer(offer.entry_id)
        room.tell(ServiceEnds(offer.entry_id))
    assert taken == [vip, heavy, oldest, other]


def test_service_level_counts_when_it_shall() -> None:
    slow, quick = queue(name="slow", service_level_s=100.0), queue(name="quick", service_level_s=10.0)
    for is_routed, expected in ((False, "slow"), (True, "quick")):
        room = Room(slow, quick)
        room.tell(RulesChange(AcdRules(is_service_level_routed=is_routed)))
        room.sign_in("a", is_ready=False)
        room.call("slow")
        room.now += 5.0
        room.call("quick")
        room.now += 5.0
        room.tell(AgentReady("a"))
        assert room.offers[-1].queue == expected


# -- who did not answer ------------------------------------------------------------------------------------------------


def test_who_did_not_answer_is_the_last_to_be_rung_again() -> None:
    room = Room(queue(no_answer_penalty_s=60.0), agents="a b c")
    entry = room.call()
    assert [room.miss(entry) for _ in range(3)] == ["a", "b", "c"]
    # All were tried: not at once again, but as soon as may be.
    assert room.rings(entry) == []
    room.wait(3.0)
    assert room.rings(entry) == ["a"]
    other = room.call()
    assert room.rings(other) == ["b"]


def test_a_caller_who_leaves_frees_who_rang_and_keeps_his_turn() -> None:
    room = Room(queue(), agents="a b")
    room.now += 10.0
    entry = room.call()
    room.tell(CallLeaves(entry, "abandoned"))
    assert room.rings(room.call()) == ["a"]


# -- skills ------------------------------------------------------------------------------------------------------------


def test_skills_with_levels_that_relax_and_the_place_stays() -> None:
    steps = (
        RelaxStep(after_s=10, lower_by=2),
        RelaxStep(after_s=20, drop=("en",)),
        RelaxStep(after_s=30, is_any_agent=True),
    )
    room = Room(queue(skills={"en": 5}, relax=steps))
    room.sign_in("none")
    room.sign_in("some", skills=(("en", 3),))
    room.sign_in("german", skills=(("de", 9),))
    first = room.call(skills=(("de", 4),))
    second = room.call()
    assert room.rings(first) == room.rings(second) == []
    room.sign_in("good", skills=(("en", 5),))
    assert room.rings(second) == ["good"]
    room.wait(10.0)
    third = room.call()
    assert room.rings(first) == []
    room.wait(10.0)
    # English is no longer asked for, German still is.
    assert room.rings(first) == ["german"]
    assert room.rings(third) == ["some"]
    fourth = room.call()
    room.wait(20.0)
    assert room.rings(fourth) == ["none"]


def test_outbound_calls_leave_the_reserve_alone_when_it_is_strict() -> None:
    room = Room(queue(reserve=1, is_reserve_strict=True), agents="a")
    outbound = room.call(is_outbound=True)
    room.tell(AgentReady("a", True, True))
    assert room.rings(outbound) == []
    room.sign_in("b")
    room.tell(AgentReady("b", True, True))
    assert len(room.rings(outbound)) == 1
    loose = Room(queue(reserve=1))
    outbound = loose.call(is_outbound=True)
    loose.sign_in("a", is_ready=False)
    loose.tell(AgentReady("a", True, True))
    assert loose.rings(outbound) == ["a"]
    assert loose.engine.n_idle("q") == 0
