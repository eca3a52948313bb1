"""Phase ring: destinations are rung, step after step, until one answers, all have failed, or the caller gives up."""

from model import events, media
from model.causes import HangupCause
from switch import pickup, ringing
from switch.actions import Action, AnswerLeg
from switch.call import Call, Leg
from switch.environment import Environment
from switch.leg_events import (
    CallEvent,
    DropLeg,
    LegFailed,
    LegHungUp,
    LegPicksUp,
    LegReplaces,
    LegSilent,
    PlayEnded,
    Redirect,
    Release,
    SetData,
    Timeout,
    TimerDue,
)
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.phases.route import plan
from switch.release import leg_left
from switch.ring_plan import Ringing
from switch.routing import Origin
from switch.variables import set_data


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Rings the first step of the plan."""
    return _follow(call, ringing.start(call, call, now, env), now, env)


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    match event:
        case Timeout():
            return _follow(call, ringing.no_answer(call, call, now, env), now, env)
        case LegHungUp(cause=cause) if leg is not None and leg.leg_id == call.a:
            leg_left(leg, cause, now, env)
            return releasing(call, cause, "caller", now, env)
        case LegFailed(cause=cause) if leg is not None and leg.leg_id == call.a:
            leg_left(leg, cause, now, env)
            return releasing(call, cause, "system", now, env)
        case DropLeg(cause=cause) if leg is None or leg.leg_id == call.a:
            return releasing(call, cause, "system", now, env)
        case TimerDue(name=name):
            return stay(ringing.timer_due(call, name))
        case Release(cause=cause, side=side):
            return releasing(call, cause, side, now, env)
        case LegReplaces(replaced=replaced) if leg is not None:
            rung = call.legs.get(replaced)
            if rung is None or pickup.ringing_of(call, rung) is not call:
                return stay()
            return stay(pickup.begin(call, call, leg, rung))
        case LegPicksUp() if leg is not None and leg.ringing and not leg.is_ended:
            return _follow(call, pickup.finish(call, call, leg, event, now, env), now, env)
        case Redirect(number=number, ring_timeout_s=timeout_s):
            return _redirected(call, number, timeout_s, now, env)
        case SetData(data=data):
            return stay(set_data(call, data))
        case LegSilent() | PlayEnded():
            return stay()
        case _ if leg is not None and leg.ringing:
            return _follow(call, ringing.on(call, call, leg, event, now, env), now, env)
        case _:
            return stay()


def prepare_redirect(
    call: Call, number: str, ring_timeout_s: float, now: float, env: Environment
) -> Ringing | HangupCause:
    """Where the call may be moved on to while nobody has answered, or why it may not. Changes nothing.

    It is as if the extension that rings had it forwarded: its rights decide.
    """
    made = Ringing(caller=call.caller, caller_name=call.caller_name, dialed=number, ring_timeout_s=ring_timeout_s)
    origin = Origin(call.caller, env.directory.extensions.get(call.plan[call.step].extension))
    return plan(made, origin, number, now, env) or made


def _redirected(call: Call, number: str, ring_timeout_s: float, now: float, env: Environment) -> Outcome:
    made = prepare_redirect(call, number, ring_timeout_s, now, env)
    if isinstance(made, HangupCause):
        return stay()
    actions = ringing.stop(call, call, HangupCause.BLIND_TRANSFER, now, env)
    call.plan, call.step, call.failure = made.plan, -1, ""
    standing = ringing.start(call, call, now, env)
    outcome = _follow(call, standing, now, env)
    return Outcome(actions + outcome.actions, outcome.next_phase)


def _follow(call: Call, standing: ringing.Standing, now: float, env: Environment) -> Outcome:
    if standing.answered is not None:
        return _answered(call, standing.answered, standing.actions, now, env)
    if standing.failed is not None and call.box:
        # Who did not answer has his calls sent on to voicemail.
        return to_phase("voicemail", standing.actions)
    if standing.failed is not None:
        return releasing(call, standing.failed, standing.side, now, env, standing.actions)
    return stay(standing.actions)


def _answered(call: Call, leg: Leg, actions: list[Action], now: float, env: Environment) -> Outcome:
    wall = env.wall(now)
    call.b = leg.leg_id
    if leg.kind == "extension":
        call.extension = leg.name
    caller = call.legs[call.a]
    if call.has_ringback:
        actions.append(media.StopPlay(call.call_id, call.a, "ringback"))
    if caller.direction == "in":
        caller.state = "answered"
        caller.answered_utc = wall
        caller.sip_status = 200
        actions.append(AnswerLeg(call.call_id, call.a))
    call.answered_utc = wall
    if call.dialing is not None:
        call.dialing.connected_utc = wall
    actions.append(events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id))
    return to_phase("bridged", actions)
