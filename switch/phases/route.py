"""Phase route: somebody called; decide where it goes. Left at once, for ring or releasing."""

import logging

from model import events
from model.causes import HangupCause
from switch.actions import Action
from switch.call import Call, Ringing
from switch.cdr import mask
from switch.environment import Environment
from switch.leg_events import CallEvent
from switch.phases.outcome import Outcome, releasing, to_phase
from switch.routing import Origin, Refuse, ToExtension, ToTrunks, choose_route
from switch.targets import extension_step, trunk_steps

log = logging.getLogger(__name__)


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """The call was just created; leg `a` is its caller."""
    actions: list[Action] = [
        events.CallCreated(
            call_id=call.call_id,
            direction=call.direction,
            caller=call.caller,
            dialed=call.dialed,
            leg_id=call.a,
        )
    ]
    caller = call.legs[call.a]
    directory = env.directory
    origin = Origin(
        call.caller,
        directory.extensions.get(caller.name) if caller.kind == "extension" else None,
        directory.trunks.get(caller.name) if caller.kind == "trunk" else None,
    )
    cause = plan(call, origin, call.dialed, now, env)
    if cause is not None:
        return releasing(call, cause, "system", now, env, actions)
    return to_phase("ring", actions)


def plan(ringing: Ringing, origin: Origin, dialed: str, now: float, env: Environment) -> HangupCause | None:
    """Appends the steps that lead to `dialed`, or says why there are none."""
    # Only where a call goes first is a property of the call.
    call = ringing if isinstance(ringing, Call) else None
    match choose_route(env.directory, origin, dialed, env.wall(now)):
        case Refuse(cause=cause, why=why):
            log.info("x %s may not call %s: %s", origin.caller, mask(dialed), why)
            return cause
        case ToExtension(number=number, access_number=access_number):
            if call is not None:
                call.access_number = access_number or call.access_number
            ringing.plan.append(extension_step(ringing, number, now, env))
        case ToTrunks(route=route, access_number=access_number) as decision:
            if call is not None:
                call.route = route
                call.access_number = access_number or call.access_number
                if call.direction == "internal":
                    call.direction = "outbound"
            ringing.plan += trunk_steps(ringing, decision, env)
    return None


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    """Never stays in this phase, so nothing comes."""
    raise AssertionError(f"call {call.call_id} got {event} in phase route")
