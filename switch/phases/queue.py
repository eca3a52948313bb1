"""Phase queue: the caller waits and agents are rung for him, until one has the call, it is sent on, or he hangs up.

The routing core decides (`acd.engine`, told by `TellCentre`); its decisions come as events. An agent who answers is in
no room before the core has said that the call is his.
"""

from acd.desk_inputs import OfferRings
from acd.inputs import CallEnters, CallLeaves, EntryPlace, ExitReason, OfferAnswered, OfferFailed, OfferOutcome
from model import events, media
from model.causes import HangupCause
from switch import ringing
from switch.actions import Action, AnswerLeg, TellCall, TellCentre
from switch.call import Call, Leg, QueueStay, Segment
from switch.environment import Environment
from switch.leg_events import (
    BeginWaiting,
    CallEvent,
    ConnectAgent,
    DropLeg,
    LegDigit,
    LegFailed,
    LegHungUp,
    LegRinging,
    LegSilent,
    MoveToQueue,
    Release,
    RingAgent,
    SentOn,
    SetData,
    Timeout,
    TimerDue,
    WithdrawAgent,
)
from switch.phases import bridged
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.phases.route import plan
from switch.release import drop_audio, end_leg, leg_left
from switch.ring_plan import Ringing
from switch.routing import QUEUE, Origin
from switch.targets import extension_step
from switch.variables import set_data

PLAY = "queue"
"""Play id of what the caller hears."""
OFFER, OVERFLOW = "offer", "overflow"
_ENDS = {"overflow_full": HangupCause.USER_BUSY, "closed": HangupCause.CALL_REJECTED}
_OUTCOMES: dict[HangupCause, OfferOutcome] = {
    HangupCause.NO_ANSWER: "no_answer",
    HangupCause.USER_BUSY: "busy",
    HangupCause.CALL_REJECTED: "rejected",
}


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Leg `a` wants to wait. He is answered once the queue has taken him: who is turned away at once pays nothing."""
    queue_stay = stay_of(call)
    call.is_direct = False
    limit = env.config.calls.max_duration_s
    call.deadline = now + limit if limit else 0.0
    return stay(_enter_queue(call, queue_stay.queue, None))


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    if leg is not None and leg.leg_id != call.a:
        return _on_agent(call, leg, event, now, env)
    match event:
        case BeginWaiting():
            return stay(_begin_waiting(call, now, env))
        case RingAgent():
            return _ring(call, event, now, env)
        case WithdrawAgent(offer_id=offer_id, reason=reason):
            return stay(_withdraw(call, offer_id, reason, now, env))
        case ConnectAgent(offer_id=offer_id, agent_id=agent_id):
            return _connect(call, offer_id, agent_id, now, env)
        case SentOn() if event.entry_id == stay_of(call).entry_id:
            return _send_on(call, event, now, env)
        case MoveToQueue(queue=queue, place=place):
            return stay(_enter_queue(call, queue, place))
        case LegHungUp(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            return _over(call, "abandoned", cause, "caller", now, env)
        case LegFailed(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            return _over(call, "abandoned", cause, "system", now, env)
        case LegSilent() if leg is not None:
            return _over(call, "abandoned", HangupCause.MEDIA_TIMEOUT, "system", now, env)
        case DropLeg(cause=cause):
            return _over(call, "withdrawn", cause, "system", now, env)
        case Release(cause=cause, side=side):
            return _over(call, "withdrawn", cause, side, now, env)
        case Timeout():
            return _over(call, "withdrawn", HangupCause.ALLOTTED_TIMEOUT, "system", now, env)
        case TimerDue(name=name):
            return _due(call, name, now, env)
        case SetData(data=data):
            return stay(set_data(call, data))
        case LegDigit() if leg is not None and not bridged.is_told(leg, event, now):
            told = events.CallDigit(
                call_id=call.call_id, leg_id=leg.leg_id, digit=event.digit, duration_ms=event.duration_ms
            )
            return stay([] if event.is_secure else [told])
        case _:
            return stay()


def stay_of(call: Call) -> QueueStay:
    assert call.stay is not None
    return call.stay


# -- coming and going --------------------------------------------------------------------------------------------------


def _enter_queue(call: Call, queue: str, place: EntryPlace | None) -> list[Action]:
    call.n_stays += 1
    entry_id = call.call_id if call.n_stays == 1 else f"{call.call_id}/{call.n_stays}"
    call.stay = QueueStay(queue=queue, entry_id=entry_id)
    told = CallEnters(
        entry_id=entry_id, call_id=call.call_id, queue=queue, caller=call.caller, place=place, is_vip=call.is_vip
    )
    return [TellCentre(call.call_id, told), TellCall(BeginWaiting(call.call_id, ""))]


def _begin_waiting(call: Call, now: float, env: Environment) -> list[Action]:
    queue_stay = stay_of(call)
    queue = env.directory.queues.get(queue_stay.queue)
    if queue_stay.target or queue is None:
        return []
    leg = call.legs[call.a]
    actions = _answer(call, leg, now, env)
    if leg.segment < 0:
        leg.segment = len(call.segments)
        call.segments.append(Segment(leg.leg_id, "queue", env.wall(now)))
    source = env.sound(queue.sound.background)
    actions.append(media.Play(session=call.call_id, leg=leg.leg_id, play_id=PLAY, sources=[source], is_looped=True))
    return actions


def _answer(call: Call, leg: Leg, now: float, env: Environment) -> list[Action]:
    if leg.is_up:
        return []
    leg.state = "answered"
    leg.answered_utc = env.wall(now)
    leg.sip_status = 200
    call.answered_utc = call.answered_utc or leg.answered_utc
    return [AnswerLeg(call.call_id, leg.leg_id)]


def _over(call: Call, reason: ExitReason, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome:
    # Last: an agent who was rung for it may be rung for the next call at once, and must have stopped ringing by then.
    leaves = TellCentre(call.call_id, CallLeaves(stay_of(call).entry_id, reason))
    outcome = releasing(call, cause, side, now, env)
    return Outcome([*outcome.actions, leaves], outcome.next_phase)


def _send_on(call: Call, sent: SentOn, now: float, env: Environment) -> Outcome:
    queue_stay = stay_of(call)
    queue_stay.target = sent.target
    if sent.target.startswith(QUEUE):
        name = sent.target.removeprefix(QUEUE)
        if name in env.directory.queues:
            return stay(_enter_queue(call, name, EntryPlace(sent.enter_time, sent.n_hops)))
    elif sent.target != "hangup":
        number = sent.target.removeprefix("external:")
        return _overflow(call, number, now, env)
    return releasing(call, _ENDS.get(sent.reason, HangupCause.NO_ANSWER), "system", now, env)


def _overflow(call: Call, number: str, now: float, env: Environment) -> Outcome:
    """Somebody outside the queue is rung for the caller, who hears that it rings."""
    leg = call.legs[call.a]
    made = Ringing(
        ringing_id=OVERFLOW,
        purpose=OVERFLOW,
        caller_leg=call.a,
        caller=call.caller,
        caller_name=call.caller_name,
        dialed=number,
    )
    # The centre's own number pays for it, as for an access number that leads outside.
    cause = plan(made, Origin(caller=call.access_number or call.dialed), number, now, env)
    if cause is not None:
        return releasing(call, cause, "system", now, env)
    actions = _answer(call, leg, now, env)
    actions.append(media.Play(session=call.call_id, leg=leg.leg_id, play_id=PLAY, sources=env.ringback, is_looped=True))
    return _follow_overflow(call, ringing.start(call, made, now, env), now, env, actions)


# -- agents ------------------------------------------------------------------------------------------------------------


def _ring(call: Call, event: RingAgent, now: float, env: Environment) -> Outcome:
    queue_stay = stay_of(call)
    made = Ringing(
        ringing_id=event.offer_id,
        purpose=OFFER,
        caller=call.caller,
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
            target.auto_answer = target.auto_answer or event.auto_answer
        made.plan.append(step)
    queue_stay.agents[event.offer_id] = event.agent_id
    return _follow(call, made, ringing.start(call, made, now, env), now, env)


def _on_agent(call: Call, leg: Leg, event: CallEvent, now: float, env: Environment) -> Outcome:
    queue_stay = stay_of(call)
    made = call.ringings.get(leg.ringing)
    if made is None:
        # He answered, and is gone again before the core has said whose the call is.
        offer_id = next((offer for offer, leg_id in queue_stay.answered.items() if leg_id == leg.leg_id), "")
        if isinstance(event, LegHungUp | LegFailed):
            leg_left(leg, event.cause, now, env)
        if leg.is_ended and offer_id:
            del queue_stay.answered[offer_id]
            return stay([*drop_audio(leg), TellCentre(call.call_id, OfferFailed(offer_id, "rejected"))])
        return stay()
    is_first_ring = isinstance(event, LegRinging) and not leg.ringing_utc
    standing = ringing.on(call, made, leg, event, now, env)
    if made.purpose == OVERFLOW:
        return _follow_overflow(call, standing, now, env, [])
    outcome = _follow(call, made, standing, now, env)
    if is_first_ring and (agent_id := queue_stay.agents.get(made.ringing_id)):
        outcome.actions.append(TellCentre(call.call_id, OfferRings(agent_id, made.ringing_id)))
    return outcome


def _follow(call: Call, made: Ringing, standing: ringing.Standing, now: float, env: Environment) -> Outcome:
    actions = standing.actions
    offer_id = made.ringing_id
    if standing.answered is not None:
        stay_of(call).answered[offer_id] = standing.answered.leg_id
        return stay([*actions, TellCentre(call.call_id, OfferAnswered(offer_id))])
    if standing.failed is not None:
        stay_of(call).agents.pop(offer_id, None)
        outcome = _OUTCOMES.get(standing.failed, "unreachable")
        return stay([*actions, TellCentre(call.call_id, OfferFailed(offer_id, outcome))])
    return stay(actions)


def _follow_overflow(
    call: Call, standing: ringing.Standing, now: float, env: Environment, before: list[Action]
) -> Outcome:
    actions = before + standing.actions
    if standing.answered is not None:
        return _talk(call, standing.answered, actions)
    if standing.failed is not None:
        return releasing(call, standing.failed, standing.side, now, env, actions)
    return stay(actions)


def _withdraw(call: Call, offer_id: str, reason: str, now: float, env: Environment) -> list[Action]:
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


def _connect(call: Call, offer_id: str, agent_id: str, now: float, env: Environment) -> Outcome:
    queue_stay = stay_of(call)
    leg = call.legs.get(queue_stay.answered.get(offer_id, ""))
    if leg is None or leg.is_ended:
        # His phone was gone in the very moment; the core has given him the call, and he is told that it is over.
        return releasing(call, HangupCause.NORMAL_TEMPORARY_FAILURE, "system", now, env)
    queue_stay.agent_id = agent_id
    queue_stay.answered.clear()
    queue_stay.agents.clear()
    call.extension = leg.name
    return _talk(call, leg, [events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id)])


def _talk(call: Call, leg: Leg, actions: list[Action]) -> Outcome:
    call.b = leg.leg_id
    actions.append(media.StopPlay(call.call_id, call.a, PLAY))
    return to_phase("bridged", actions)


def _due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    made = next((each for each in call.ringings.values() if ringing.timer_of(each) == name), None)
    if made is None:
        return stay(ringing.timer_due(call, name))
    standing = ringing.no_answer(call, made, now, env)
    if made.purpose == OVERFLOW:
        return _follow_overflow(call, standing, now, env, [])
    return _follow(call, made, standing, now, env)
