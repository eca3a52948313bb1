"""acd/limits.py, announcing.py, busy.py, callbacks: how many wait, how long, what they are told, what becomes of them
(ACD-06…09, ACD-18/19, XACD-03/04/09/12/13/14/17)."""

import pytest

from acd.actions import Announce, CallBack, Connect
from acd.inputs import (
    AgentNotReady,
    AgentReady,
    AgentSignsOut,
    CallbackAnswered,
    CallbackAsked,
    CallbackFailed,
    CallEnters,
    CallLeaves,
    EntryPlace,
    OfferAnswered,
    OfferFailed,
    PlaceAsked,
    QueueChanges,
    QueueRemoved,
    QueueStateChanges,
    ServiceEnds,
)
from acd.state import RETRY_S
from model.errors import WrongState
from model.events_queue import QueueAllBusy, QueueCallbackChanged, QueueLeft
from model.queues import Callback, Queue, QueueLimits, QueueSound, SoundStep
from tests.acd.desk_of import Room


def limited(**limits) -> Queue:
    return Queue(name="q", limits=QueueLimits(**limits))


def sent(room: Room) -> list[tuple[str, str, str]]:
    return [(each.entry_id, each.reason, each.target) for each in room.sent]


def left(room: Room) -> list[tuple[str, str]]:
    return [(each.entry_id, each.reason) for each in room.told if isinstance(each, QueueLeft)]


@pytest.mark.parametrize("target", ["hangup", "voicemail", "ivr:night", "external:0571", "queue:other"])
def test_a_full_queue_sends_on_by_each_kind_of_target(target) -> None:
    room = Room(limited(max_waiting=1, full_to=target))
    room.call()
    second = room.call()
    assert sent(room) == [(second, "overflow_full", target)]
    assert left(room) == [(second, "overflow_full")]


def test_longest_wait_while_agents_are_there() -> None:
    room = Room(limited(max_wait_s=30.0, timeout_to="queue:other"))
    room.sign_in("a", is_ready=False)
    entry = room.call()
    room.wait(29.9)
    assert not room.sent
    room.wait(0.1)
    assert sent(room) == [(entry, "timeout", "queue:other")]
    assert (room.sent[0].enter_time, room.sent[0].n_hops) == (0.0, 1)


def test_who_is_being_rung_for_when_time_is_up_may_still_be_answered() -> None:
    for is_answered in (True, False):
        room = Room(limited(max_wait_s=30.0), agents="a")
        room.tell(AgentNotReady("a"))
        entry = room.call()
        room.wait(25.0)
        room.tell(AgentReady("a"))
        room.wait(10.0)
        assert not room.sent
        if is_answered:
            room.answer(entry)
            assert left(room) == [(entry, "connected")]
        else:
            room.miss(entry)
            assert sent(room) == [(entry, "timeout", "hangup")]


def test_nobody_signed_in_has_a_limit_of_its_own() -> None:
    room = Room(limited(max_wait_s=100.0, has_no_agent_limit=True, no_agent_wait_s=10.0, no_agent_to="queue:x"))
    first = room.call()
    room.wait(5.0)
    room.sign_in("a", is_ready=False)
    room.wait(10.0)
    assert not room.sent
    room.tell(AgentSignsOut("a"))
    room.wait(4.0)
    second = room.call()
    room.wait(6.0)
    assert sent(room) == [(first, "no_agent_timeout", "queue:x")]
    room.wait(4.0)
    assert sent(room)[1:] == [(second, "no_agent_timeout", "queue:x")]


def test_nobody_there_turns_away_at_once_when_no_wait_is_granted() -> None:
    room = Room(limited(has_no_agent_limit=True, no_agent_to="hangup"))
    entry = room.call()
    assert sent(room) == [(entry, "exit_empty", "hangup")]


def test_the_definition_of_nobody_there() -> None:
    room = Room(limited(has_no_agent_limit=True, no_agent_wait_s=5.0, absent=("not_ready",)), agents="a")
    room.tell(AgentNotReady("a", "not_ready"))
    entry = room.call()
    room.wait(5.0)
    assert sent(room) == [(entry, "no_agent_timeout", "hangup")]
    room.tell(AgentNotReady("a", "busy"))
    room.call()
    room.wait(60.0)
    assert len(room.sent) == 1


def test_hops_are_counted_and_end() -> None:
    room = Room(limited(max_wait_s=1.0, timeout_to="queue:q"))
    room.sign_in("a", is_ready=False)
    room.call(place=EntryPlace(0.0, 5))
    room.wait(1.0)
    assert [each.target for each in room.sent] == ["hangup"]


def test_too_long_an_estimate_turns_away() -> None:
    room = Room(limited(max_ewt_s=40.0), agents="a")
    for _ in range(25):
        entry = room.call()
        room.answer(entry)
        room.wait(50.0)
        room.tell(ServiceEnds(entry))
        room.tell(AgentReady("a"))
    room.tell(AgentNotReady("a"))
    first = room.call()
    assert not room.sent
    second = room.call()
    assert sent(room) == [(second, "overflow_full", "hangup")]
    assert room.order() == [first]


# -- settings change, queues open and close ---------------------------------------------------------------------------


def test_closed_draining_open() -> None:
    room = Room(Queue(name="q", limits=QueueLimits(closed_to="queue:other")))
    first = room.call()
    room.tell(QueueStateChanges("q", "draining"))
    second = room.call()
    assert sent(room) == [(second, "closed", "queue:other")]
    room.tell(QueueStateChanges("q", "closed"))
    assert sent(room)[1:] == [(first, "closed", "queue:other")]
    room.tell(QueueStateChanges("q", "open"))
    third = room.call()
    assert room.order() == [third]


def test_a_removed_queue_with_callers_and_an_offer_that_rings() -> None:
    for is_answered in (True, False):
        room = Room(Queue(name="q"), agents="a")
        rung, waiting = room.call(), room.call()
        room.tell(QueueRemoved("q"))
        assert sent(room) == [(waiting, "closed", "hangup")]
        assert "q" in room.engine.state.queues
        if is_answered:
            room.answer(rung)
            room.tell(ServiceEnds(rung))
        else:
            room.miss(rung)
            assert sent(room)[1:] == [(rung, "closed", "hangup")]
        assert "q" not in room.engine.state.queues
        assert not room.engine.state.offers


def test_a_removed_queue_may_serve_who_waits_first() -> None:
    room = Room(Queue(name="q", limits=QueueLimits(closed_to="queue:other")), agents="a")
    rung, waiting = room.call(), room.call()
    room.tell(QueueRemoved("q", is_drained=True))
    late = room.call()
    assert sent(room) == [(late, "closed", "queue:other")]
    room.miss(rung)
    with pytest.raises(WrongState):
        room.tell(QueueStateChanges("q", "open"))
    room.wait(RETRY_S)
    for entry in (waiting, rung):
        assert "q" in room.engine.state.queues
        room.answer(entry)
        room.tell(ServiceEnds(entry))
        room.tell(AgentReady("a"))
    assert len(sent(room)) == 1
    assert "q" not in room.engine.state.queues


def test_a_removed_queue_that_comes_again_is_open_and_keeps_who_waits() -> None:
    room = Room(Queue(name="q"))
    first = room.call()
    room.tell(QueueRemoved("q", is_drained=True))
    room.tell(QueueChanges(Queue(name="q", strategy="random")))
    second = room.call()
    assert room.order() == [first, second]
    assert not room.sent


def test_who_missed_a_call_and_takes_no_such_calls_any_more_is_not_waited_for() -> None:
    room = Room(Queue(name="q", no_answer_penalty_s=60.0), agents="a")
    entry = room.call()
    room.miss(entry)
    room.tell(AgentNotReady("a"))
    room.wait(RETRY_S + 1.0)
    room.tell(AgentReady("a", takes_inbound=False, takes_outbound=True))
    # It looks for an agent again, as it does after every change of the queue.
    room.tell(QueueChanges(Queue(name="q", weight=1)))
    assert room.engine.deadline is None or room.engine.deadline > room.now
    room.wait(100.0)
    assert room.order() == [entry]


def test_a_conversation_outlives_its_queue_and_the_queues_timers() -> None:
    room = Room(limited(max_wait_s=5.0), agents="a")
    entry = room.call()
    room.answer(entry)
    room.tell(QueueRemoved("q"))
    assert "q" not in room.engine.state.queues
    room.wait(10.0)
    assert not room.sent
    room.tell(ServiceEnds(entry))


def test_new_settings_hold_at_once_and_nobody_loses_his_place() -> None:
    room = Room(Queue(name="q", skills={"en": 5}), agents="a b")
    calls = [room.call() for _ in range(3)]
    assert room.order() == calls
    room.tell(QueueChanges(Queue(name="q", strategy="login_order", limits=QueueLimits(max_wait_s=5.0))))
    assert room.order() == calls
    # Who came before was asked for English; who comes now is not.
    assert len(room.rings(room.call())) == 1
    room.wait(5.0)
    assert [entry for entry, _, _ in sent(room)] == calls


# -- what they hear ----------------------------------------------------------------------------------------------------


def announced(said) -> list[tuple[str, int, bool]]:
    return [(each.entry_id, each.position, each.is_more_than) for each in said if isinstance(each, Announce)]


def test_position_again_and_again_only_when_it_is_better() -> None:
    room = Room(Queue(name="q", sound=QueueSound(position_every_s=10.0, is_position_first=True)))
    a, b = room.call(), room.call()
    assert announced(room.wait(0.0)) == [(a, 1, False), (b, 2, False)]
    assert announced(room.wait(10.0)) == []
    room.tell(CallLeaves(a, "abandoned"))
    assert announced(room.wait(10.0)) == [(b, 1, False)]
    always = Room(Queue(name="q", sound=QueueSound(position_every_s=10.0, only_when_better=False, max_position=1)))
    always.call()
    late = always.call()
    assert (late, 1, True) in announced(always.wait(10.0))
    assert len(announced(always.wait(10.0))) == 2


def test_a_place_is_told_when_it_is_asked_for_and_not_by_itself_where_there_is_a_program() -> None:
    program = (SoundStep(kind="position"), SoundStep(kind="music"))
    room = Room(Queue(name="q", sound=QueueSound(position_every_s=5.0, is_position_first=True, program=program)))
    a, b = room.call(), room.call()
    assert announced(room.wait(20.0)) == []
    assert announced(room.tell(PlaceAsked(b))) == announced(room.tell(PlaceAsked(b))) == [(b, 2, False)]
    room.tell(CallLeaves(a, "abandoned"))
    assert announced(room.tell(PlaceAsked(b))) == [(b, 1, False)]
    assert announced(room.tell(PlaceAsked(a))) == []


def test_an_estimate_is_told_when_it_is_known_well_enough() -> None:
    sound = QueueSound(position_every_s=5.0, has_ewt=True, only_when_better=False)
    room = Room(Queue(name="q", sound=sound), agents="a")
    room.tell(AgentNotReady("a"))
    room.call()
    assert [each.ewt_s for each in room.wait(5.0) if isinstance(each, Announce)] == [None]
    room.tell(AgentReady("a"))
    for _ in range(25):
        entry = room.order()[0]
        room.answer(entry)
        room.wait(20.0)
        room.tell(ServiceEnds(entry))
        room.call()
        room.tell(AgentReady("a"))
    room.call()
    last = [each.ewt_s for each in room.wait(5.0) if isinstance(each, Announce)][-1]
    assert last is not None
    assert 18.0 < last < 30.0


def test_agents_are_looked_for_after_so_much_of_the_audio_but_not_again_after_an_overflow() -> None:
    room = Room(Queue(name="q", sound=QueueSound(distribute_after_s=8.0)), agents="a b")
    entry = room.call()
    assert room.rings(entry) == []
    room.wait(8.0)
    assert room.rings(entry) == ["a"]
    assert room.rings(room.call(place=EntryPlace(0.0))) == ["b"]


def test_all_busy_is_told_until_it_is_over() -> None:
    room = Room(Queue(name="q"), agents="a")
    first = room.call()
    second = room.call()
    busy = [each for each in room.told if isinstance(each, QueueAllBusy)]
    assert [(each.is_over, each.n_waiting, each.n_agents) for each in busy] == [(False, 2, 1)]
    again = [each for each in room.wait(30.0) if isinstance(each, QueueAllBusy)]
    assert [(each.is_over, round(each.longest_wait_s)) for each in again] == [(False, 30)]
    room.answer(first)
    room.tell(CallLeaves(second, "abandoned"))
    assert [each.is_over for each in room.told if isinstance(each, QueueAllBusy)] == [False, False, True]


# -- who comes back ----------------------------------------------------------------------------------------------------


def test_who_was_cut_off_has_his_place_again_for_a_while() -> None:
    room = Room(Queue(name="q", abandon_resume_s=30.0))
    first = room.call(caller="1")
    room.wait(5.0)
    second = room.call(caller="2")
    room.tell(CallLeaves(first, "abandoned"))
    room.wait(10.0)
    again = room.call(caller="1")
    assert room.order() == [again, second]
    room.tell(CallLeaves(again, "abandoned"))
    room.wait(31.0)
    assert room.order() == [second]
    late = room.call(caller="1")
    assert room.order() == [second, late]


def callbacks(room: Room) -> list[str]:
    return [each.state for each in room.told if isinstance(each, QueueCallbackChanged)]


def test_a_callback_keeps_the_place_and_the_agent_is_rung_first() -> None:
    room = Room(Queue(name="q", callback=Callback(is_enabled=True)), agents="a")
    room.tell(AgentNotReady("a"))
    first, second = room.call(), room.call()
    room.tell(CallbackAsked(first, "138"))
    assert left(room) == [(first, "callback_converted")]
    assert room.order() == [first, second]
    assert room.engine.state.queues["q"].n_waiting == 1
    room.tell(AgentReady("a"))
    offer = room.offer_of(first)
    assert offer.is_callback
    room.tell(OfferAnswered(offer.offer_id))
    assert isinstance(room.connects[-1], Connect)
    room.tell(ServiceEnds(first, 30.0))
    assert callbacks(room) == ["asked", "done"]


def test_a_customer_who_cannot_be_reached_is_tried_again_before_everybody_and_given_up() -> None:
    room = Room(Queue(name="q", callback=Callback(is_enabled=True, first="customer", retries=1)), agents="a")
    room.tell(AgentNotReady("a"))
    entry = room.call()
    room.tell(CallbackAsked(entry, "138"))
    said = room.tell(AgentReady("a"))
    assert [each.number for each in said if isinstance(each, CallBack)] == ["138"]
    room.tell(CallbackFailed(entry))
    room.tell(AgentNotReady("a"))
    other = room.call()
    room.wait(60.0)
    assert room.order() == [entry, other]
    room.tell(AgentReady("a"))
    room.tell(CallbackAnswered(entry))
    assert room.rings(entry) == ["a"] or room.rings(other) == ["a"]
    assert callbacks(room) == ["asked", "calling", "retry", "calling", "answered"]


def test_callbacks_expire_and_are_refused_where_there_are_none() -> None:
    room = Room(Queue(name="q", callback=Callback(is_enabled=True, expires_s=100.0)))
    entry = room.call()
    room.tell(CallbackAsked(entry, "138"))
    room.wait(100.0)
    assert callbacks(room) == ["asked", "expired"]
    assert not room.engine.state.entries
    plain = Room(Queue(name="q"))
    entry = plain.call()
    with pytest.raises(WrongState, match="does not call back"):
        plain.tell(CallbackAsked(entry, "138"))
    assert plain.order() == [entry]


def test_what_is_told_of_offers_that_are_over_is_nothing() -> None:
    room = Room(Queue(name="q"), agents="a")
    entry = room.call()
    offer = room.offer_of(entry)
    room.tell(CallLeaves(entry, "abandoned"))
    assert room.tell(OfferFailed(offer.offer_id, "no_answer")) == []
    (withdraw,) = room.tell(OfferAnswered(offer.offer_id))
    assert withdraw == room.tell(OfferAnswered(offer.offer_id))[0]


def test_a_storm_of_sign_ins_and_outs_loses_nobody() -> None:
    room = Room(Queue(name="q"))
    calls = [room.call() for _ in range(200)]
    for k in range(500):
        room.sign_in(f"a{k}")
    assert sum(len(room.rings(entry)) for entry in calls) == 200
    for k in range(500):
        room.tell(AgentSignsOut(f"a{k}"))
    assert sorted(room.order()) == sorted(calls)
    assert not room.engine.state.offers


def test_who_books_a_callback_stands_in_line_without_waiting_on_the_line() -> None:
    limits = QueueLimits(max_waiting=1, max_wait_s=30.0)
    room = Room(Queue(name="q", limits=limits, callback=Callback(is_enabled=True)), agents="a")
    room.tell(AgentNotReady("a"))
    first = room.call()
    room.tell(CallEnters(entry_id="back", call_id="back", queue="q", caller="138", callback_number="138"))
    assert room.order() == [first, "back"]
    assert room.engine.state.queues["q"].n_waiting == 1
    assert left(room) == [("back", "callback_converted")]
    room.wait(40.0)
    assert left(room)[1:] == [(first, "timeout")]
    room.tell(AgentReady("a"))
    offer = room.offer_of("back")
    assert offer.is_callback
    room.tell(OfferAnswered(offer.offer_id))
    room.tell(ServiceEnds("back", 30.0))
    assert callbacks(room) == ["asked", "done"]


@pytest.mark.parametrize(("settings", "state"), [(Callback(), "open"), (Callback(is_enabled=True), "draining")])
def test_a_queue_that_calls_nobody_back_or_takes_nobody_refuses_who_books(settings, state) -> None:
    room = Room(Queue(name="q", callback=settings))
    room.tell(QueueStateChanges("q", state))
    with pytest.raises(WrongState):
        room.tell(CallEnters(entry_id="back", call_id="back", queue="q", callback_number="138"))
    assert not room.engine.state.entries and room.engine.state.queues["q"].n_waiting == 0
