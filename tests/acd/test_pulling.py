"""A waiting call taken out of its turn: who may be rung for it, and what becomes of it when he does not answer."""

import pytest

from acd.inputs import AgentNotReady, AgentReady, CallbackAsked, CallLeaves, EntryPulled, OfferFailed
from model.errors import NoSuchEntry, WrongState
from model.queues import Callback, Queue, QueueSound
from tests.acd.desk_of import Room


def test_an_available_agent_is_rung_for_the_call_that_was_chosen() -> None:
    slow = Queue(name="q", sound=QueueSound(distribute_after_s=60.0))
    room = Room(slow, agents="a")
    first, second = room.call(), room.call()
    room.tell(EntryPulled(second, "a"))
    offer = room.offer_of(second)
    assert (offer.agent_id, offer.why.call_rule, offer.why.agent_rule) == ("a", "pulled", "pulled")
    assert not room.rings(first)
    room.tell(OfferFailed(offer.offer_id, "no_answer"))
    # It is the next one to be served.
    room.sign_in("b")
    room.wait(61.0)
    assert room.rings(second) == ["b"]


def test_who_cannot_be_rung_and_what_cannot_be_pulled() -> None:
    room = Room(Queue(name="q", callback=Callback(is_enabled=True)), Queue(name="other"), agents="a")
    room.tell(AgentNotReady("a"))
    entry = room.call()
    with pytest.raises(NoSuchEntry, match="no call waits as e9"):
        room.tell(EntryPulled("e9", "a"))
    with pytest.raises(WrongState, match="a is not available"):
        room.tell(EntryPulled(entry, "a"))
    with pytest.raises(WrongState, match="z is not signed in for queue q"):
        room.tell(EntryPulled(entry, "z"))
    room.tell(AgentReady("a"))
    assert room.rings(entry) == ["a"]
    with pytest.raises(WrongState, match="it is offered"):
        room.tell(EntryPulled(entry, "a"))
    room.tell(CallLeaves(entry, "abandoned"))
    room.tell(AgentNotReady("a"))
    back = room.call()
    room.tell(CallbackAsked(back, "138"))
    with pytest.raises(WrongState, match="cannot be pulled"):
        room.tell(EntryPulled(back, "a"))
