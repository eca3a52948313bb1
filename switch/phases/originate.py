"""Phase originate: the switch itself places the call: it rings the first party, then calls the second."""

from model import events
from model.causes import HangupCause
from switch.actions import Action
from switch.call import Call
from switch.environment import Environment
from switch.leg_events import CallEvent, DropLeg, LegAnswered, LegFailed, LegHungUp, LegRinging, Release, Timeout
from switch.phases import ring
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.phases.route import plan
from switch.release import drop_audio, end_leg, leg_left
from switch.routing import Origin


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """`call.plan` leads to the first party."""
    created = events.CallCreated(call_id=call.call_id, direction=call.direction, caller=call.caller, dialed=call.dialed)
    outcome = ring.enter(call, now, env)
    return Outcome([created, *outcome.actions], outcome.next_phase)


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    match event:
        case LegAnswered() if leg is not None:
            leg.state = "answered"
            leg.answered_utc = env.wall(now)
            leg.sip_status = 200
            actions: list[Action] = []
            for loser in call.live_legs():
                if loser is not leg:
                    actions += end_leg(loser, HangupCause.ANSWERED_ELSEWHERE, "system", now, env) + drop_audio(loser)
            call.a = leg.leg_id
            call.plan, call.step, call.failure = [], -1, ""
            call.ringing_utc = 0.0
            actions.append(events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id))
            extension = env.directory.extensions.get(leg.name) if leg.kind == "extension" else None
            refusal = plan(call, Origin(caller=call.caller, extension=extension), call.originate_to, now, env)
            if refusal is not None:
                return releasing(call, refusal, "system", now, env, actions)
            return to_phase("ring", actions)
        case LegRinging() if leg is not None and not leg.ringing_utc:
            leg.ringing_utc = env.wall(now)
            leg.state = "ringing"
            return stay([events.CallRinging(call_id=call.call_id, leg_id=leg.leg_id)])
        case LegFailed(cause=cause) | LegHungUp(cause=cause) if leg is not None:
            if isinstance(event, LegFailed):
                leg.sip_status = event.status
            leg_left(leg, cause, now, env)
            return ring.one_failed(call, cause, now, env, drop_audio(leg))
        case Timeout():
            return ring.no_answer(call, now, env)
        case DropLeg(cause=cause):
            return releasing(call, cause, "system", now, env)
        case Release(cause=cause, side=side):
            return releasing(call, cause, side, now, env)
        case _:
            return stay()
