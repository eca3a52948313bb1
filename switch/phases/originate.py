"""Phase originate: the switch itself places the call: it rings the first party, then calls the second."""

from model import events
from switch import ringing
from switch.call import Call, Leg
from switch.environment import Environment
from switch.leg_events import CallEvent, Release, SetData, Timeout, TimerDue
from switch.originating import plan_second
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.routing import Origin
from switch.variables import set_data


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """`call.plan` leads to the first party."""
    created = events.CallCreated(call_id=call.call_id, direction=call.direction, caller=call.caller, dialed=call.dialed)
    standing = ringing.start(call, call, now, env)
    return _follow(call, ringing.Standing([created, *standing.actions], failed=standing.failed), now, env)


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    match event:
        case Timeout():
            return _follow(call, ringing.no_answer(call, call, now, env), now, env)
        case TimerDue(name=name):
            return stay(ringing.timer_due(call, name))
        case Release(cause=cause, side=side):
            return releasing(call, cause, side, now, env)
        case SetData(data=data):
            return stay(set_data(call, data))
        case _ if leg is not None and leg.ringing:
            return _follow(call, ringing.on(call, call, leg, event, now, env), now, env)
        case _:
            return stay()


def _follow(call: Call, standing: ringing.Standing, now: float, env: Environment) -> Outcome:
    if standing.failed is not None:
        return releasing(call, standing.failed, standing.side, now, env, standing.actions)
    if standing.answered is not None:
        return _answered(call, standing.answered, standing, now, env)
    return stay(standing.actions)


def _answered(call: Call, leg: Leg, standing: ringing.Standing, now: float, env: Environment) -> Outcome:
    call.a = leg.leg_id
    call.plan, call.step, call.failure = [], -1, ""
    call.ringing_utc = 0.0
    call.is_heard = False
    actions = [*standing.actions, events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id)]
    extension = env.directory.extensions.get(leg.name) if leg.kind == "extension" else None
    refusal = plan_second(call, Origin(caller=call.caller, extension=extension), now, env)
    if refusal is not None:
        return releasing(call, refusal, "system", now, env, actions)
    return to_phase("ring", actions)
