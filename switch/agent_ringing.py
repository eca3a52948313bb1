"""Agents who are rung for a call of a queue: the same for a caller who waits and for one who is called back.

An agent who answers is in no room before the routing core has said that the call is his.
"""

from acd.desk_inputs import OfferRings
from acd.inputs import OfferAnswered, OfferFailed, OfferOutcome
from model.causes import HangupCause
from switch import ringing
from switch.actions import Action, TellCentre
from switch.call import Call, Leg, QueueStay
from switch.environment import Environment
from switch.leg_events import CallEvent, LegFailed, LegHungUp, LegRinging, RingAgent
from switch.release import drop_audio, end_leg, leg_left
from switch.ring_plan import Ringing
from switch.targets import extension_step

OFFER = "offer"
_OUTCOMES: dict[HangupCause, OfferOutcome] = {
    HangupCause.NO_ANSWER: "no_answer",
    HangupCause.USER_BUSY: "busy",
    HangupCause.CALL_REJECTED: "rejected",
}


def stay_of(call: Call) -> QueueStay:
    assert call.stay is not None
    return call.stay


def ring(call: Call, event: RingAgent, customer: str, now: float, env: Environment) -> list[Action]:
    """Rings the agent's phone, which shows `customer`."""
    made = Ringing(
        ringing_id=event.offer_id,
        purpose=OFFER,
        caller=customer,
        caller_name=call.caller_name,
        dialed=event.extension,
        hears="silence",
        ring_timeout_s=event.ring_timeout_s,
    )
    if event.extension in env.directory.extensions:
        step = extension_step(made, event.extension, now, env)
        # What the extension says of forwarding is for calls to the extension, not for those of the agent.
        step.extension = ""
        for target in step.targets:
            # Who answered a campaign waits for two seconds and no longer: nobody has the time to pick up.
            target.auto_answer = target.auto_answer or event.auto_answer or call.dialing is not None
        made.plan.append(step)
    stay_of(call).agents[event.offer_id] = event.agent_id
    return follow(call, made, ringing.start(call, made, now, env))


def on_leg(call: Call, leg: Leg, event: CallEvent, now: float, env: Environment) -> list[Action]:
    """An event of an agent's leg."""
    queue_stay = stay_of(call)
    made = call.ringings.get(leg.ringing)
    if made is None:
        # He answered, and is gone again before the core has said whose the call is.
        offer_id = next((offer for offer, leg_id in queue_stay.answered.items() if leg_id == leg.leg_id), "")
        if isinstance(event, LegHungUp | LegFailed):
            leg_left(leg, event.cause, now, env)
        if leg.is_ended and offer_id:
            del queue_stay.answered[offer_id]
            return [*drop_audio(leg), TellCentre(call.call_id, OfferFailed(offer_id, "rejected"))]
        return []
    is_first_ring = isinstance(event, LegRinging) and not leg.ringing_utc
    actions = follow(call, made, ringing.on(call, made, leg, event, now, env))
    if is_first_ring and (agent_id := queue_stay.agents.get(made.ringing_id)):
        actions.append(TellCentre(call.call_id, OfferRings(agent_id, made.ringing_id)))
    return actions


def follow(call: Call, made: Ringing, standing: ringing.Standing) -> list[Action]:
    """Tells the core how the ringing stands."""
    offer_id = made.ringing_id
    if standing.answered is not None:
        stay_of(call).answered[offer_id] = standing.answered.leg_id
        return [*standing.actions, TellCentre(call.call_id, OfferAnswered(offer_id))]
    if standing.failed is not None:
        stay_of(call).agents.pop(offer_id, None)
        outcome = _OUTCOMES.get(standing.failed, "unreachable")
        return [*standing.actions, TellCentre(call.call_id, OfferFailed(offer_id, outcome))]
    return standing.actions


def withdraw(call: Call, offer_id: str, reason: str, now: float, env: Environment) -> list[Action]:
    """He shall not have it."""
    queue_stay = stay_of(call)
    queue_stay.agents.pop(offer_id, None)
    cause = HangupCause.ANSWERED_ELSEWHERE if reason == "lost_race" else HangupCause.ORIGINATOR_CANCEL
    made = call.ringings.get(offer_id)
    if made is not None:
        return ringing.stop(call, made, cause, now, env)
    leg = call.legs.get(queue_stay.answered.pop(offer_id, ""))
    if leg is None:
        return []
    return end_leg(leg, cause, "system", now, env) + drop_audio(leg)


def take(call: Call, offer_id: str, agent_id: str) -> Leg | None:
    """The call is his: the leg on which he answered; None when he is gone in the very moment."""
    queue_stay = stay_of(call)
    leg = call.legs.get(queue_stay.answered.get(offer_id, ""))
    if leg is None or leg.is_ended:
        return None
    queue_stay.agent_id = agent_id
    queue_stay.answered.clear()
    queue_stay.agents.clear()
    call.extension = leg.name
    return leg


def ringing_due(call: Call, name: str) -> Ringing | None:
    """Whose time a timer of that name is."""
    return next((each for each in call.ringings.values() if ringing.timer_of(each) == name), None)
