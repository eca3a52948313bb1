"""Phase callback: the caller has hung up and keeps his place in the queue (virtual hold, XACD-03). The call has no legs
until the routing core says that it is his turn: then the agent is rung and, once he is there, the customer
(`callback.first = "agent"`); or the customer, who then waits as everybody does (phase queue).
"""

from acd.inputs import CallbackFailed, CallLeaves
from model import events, media
from model.causes import HangupCause
from switch import agent_ringing, ringing
from switch.actions import Action, TellCentre
from switch.agent_ringing import stay_of
from switch.call import Call, Leg
from switch.callbacks import origin_of
from switch.environment import Environment
from switch.leg_events import (
    CallbackOver,
    CallEvent,
    ConnectAgent,
    CustomerTurn,
    DropLeg,
    LegFailed,
    LegHungUp,
    LegSilent,
    Release,
    RingAgent,
    SetData,
    TimerDue,
    WithdrawAgent,
)
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.phases.route import plan
from switch.release import drop_audio, end_leg, leg_left
from switch.ring_plan import Ringing
from switch.variables import set_data

CUSTOMER = "customer"
PLAY = "ringback"


def enter(call: Call, now: float, env: Environment) -> Outcome:
    created = events.CallCreated(call_id=call.call_id, direction=call.direction, caller=call.caller, dialed=call.dialed)
    return stay([created])


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    if leg is not None:
        return _on_leg(call, leg, event, now, env)
    match event:
        case RingAgent():
            _choose_worker(call, env)
            return stay(agent_ringing.ring(call, event, call.customer_number, now, env))
        case WithdrawAgent(offer_id=offer_id, reason=reason):
            return stay(agent_ringing.withdraw(call, offer_id, reason, now, env))
        case ConnectAgent(offer_id=offer_id, agent_id=agent_id):
            return _agent_is_there(call, offer_id, agent_id, now, env)
        case CustomerTurn():
            _choose_worker(call, env)
            return _ring_customer(call, now, env, [])
        case CallbackOver(cause=cause):
            return releasing(call, cause, "system", now, env)
        case Release(cause=cause, side=side):
            return _cancelled(call, cause, side, now, env)
        case TimerDue(name=name):
            return _due(call, name, now, env)
        case SetData(data=data):
            return stay(set_data(call, data))
        case _:
            return stay()


def _choose_worker(call: Call, env: Environment) -> None:
    """It may have been hours since the call was made."""
    if not call.live_legs():
        call.worker = max(0, env.media.choose_worker())


def _on_leg(call: Call, leg: Leg, event: CallEvent, now: float, env: Environment) -> Outcome:
    made = call.ringings.get(leg.ringing)
    if made is not None and made.purpose == CUSTOMER:
        return _follow(call, ringing.on(call, made, leg, event, now, env), now, env)
    if leg.leg_id != call.a:
        return stay(agent_ringing.on_leg(call, leg, event, now, env))
    # The agent is there, and his customer is rung.
    match event:
        case LegHungUp(cause=cause):
            leg_left(leg, cause, now, env)
            return _in_vain(call, now, env, drop_audio(leg))
        case LegFailed(cause=cause) | DropLeg(cause=cause):
            return _in_vain(call, now, env, end_leg(leg, cause, "system", now, env) + drop_audio(leg))
        case LegSilent():
            ended = end_leg(leg, HangupCause.MEDIA_TIMEOUT, "system", now, env)
            return _in_vain(call, now, env, ended + drop_audio(leg))
        case _:
            return stay()


def _agent_is_there(call: Call, offer_id: str, agent_id: str, now: float, env: Environment) -> Outcome:
    leg = agent_ringing.take(call, offer_id, agent_id)
    if leg is None:
        return _in_vain(call, now, env, [])
    call.a = leg.leg_id
    told = events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id)
    tone = media.Play(session=call.call_id, leg=leg.leg_id, play_id=PLAY, sources=env.ringback, is_looped=True)
    return _ring_customer(call, now, env, [told, tone])


def _ring_customer(call: Call, now: float, env: Environment, actions: list[Action]) -> Outcome:
    queue = env.directory.queue_of(stay_of(call).queue)
    if queue is None:
        return _in_vain(call, now, env, actions)
    origin = origin_of(call, queue)
    made = Ringing(
        ringing_id=CUSTOMER, purpose=CUSTOMER, caller_leg=call.a, caller=origin.caller_id, dialed=call.dialed
    )
    if plan(made, origin, call.dialed, now, env) is not None:
        return _in_vain(call, now, env, actions)
    standing = ringing.start(call, made, now, env)
    return _follow(call, ringing.Standing([*actions, *standing.actions], standing.answered, standing.failed), now, env)


def _follow(call: Call, standing: ringing.Standing, now: float, env: Environment) -> Outcome:
    leg = standing.answered
    if leg is not None:
        told = events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id)
        call.answered_utc = leg.answered_utc
        if not call.a:
            call.a = leg.leg_id
            return to_phase("queue", [*standing.actions, told])
        call.b = leg.leg_id
        return to_phase("bridged", [*standing.actions, told, media.StopPlay(call.call_id, call.a, PLAY)])
    if standing.failed is not None:
        return _in_vain(call, now, env, standing.actions)
    return stay(standing.actions)


def _in_vain(call: Call, now: float, env: Environment, actions: list[Action]) -> Outcome:
    """This attempt has failed; the core tries again later, or gives up."""
    made = call.ringings.get(CUSTOMER)
    if made is not None:
        actions = actions + ringing.stop(call, made, HangupCause.ORIGINATOR_CANCEL, now, env)
    agent = call.legs.get(call.a)
    if agent is not None and not agent.is_ended:
        actions = actions + end_leg(agent, HangupCause.NO_ANSWER, "system", now, env) + drop_audio(agent)
    call.a = ""
    stay_of(call).agent_id = ""
    # Last: with the last attempt the call may be over.
    return stay([*actions, TellCentre(call.call_id, CallbackFailed(stay_of(call).entry_id))])


def _cancelled(call: Call, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome:
    outcome = releasing(call, cause, side, now, env)
    entry_id = stay_of(call).entry_id
    told: list[Action] = [TellCentre(call.call_id, CallbackFailed(entry_id))] if call.a else []
    told.append(TellCentre(call.call_id, CallLeaves(entry_id, "withdrawn")))
    return Outcome([*outcome.actions, *told], outcome.next_phase)


def _due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    made = agent_ringing.ringing_due(call, name)
    if made is None:
        return stay(ringing.timer_due(call, name))
    standing = ringing.no_answer(call, made, now, env)
    if made.purpose == CUSTOMER:
        return _follow(call, standing, now, env)
    return stay(agent_ringing.follow(call, made, standing))
