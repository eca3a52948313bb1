"""Phase route: somebody called; decide where it goes. Left at once, for ring or releasing."""

import logging

from model import events
from model.causes import HangupCause
from switch.actions import Action
from switch.call import Call
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


def plan(call: Call, origin: Origin, dialed: str, now: float, env: Environment) -> HangupCause | None:
    """Appends the steps that lead to `dialed`, or says why there are none."""
    match choose_route(env.directory, origin, dialed, env.wall(now)):
        case Refuse(cause=cause, why=why):
            log.info("x call %s may not go to %s: %s", call.call_id, mask(dialed), why)
            return cause
        case ToExtension(number=number, access_number=access_number):
            call.access_number = access_number or call.access_number
            call.plan.append(extension_step(call, number, now, env))
        case ToTrunks(route=route, access_number=access_number) as decision:
            call.route = route
            call.access_number = access_number or call.access_number
            if call.direction == "internal":
                call.direction = "outbound"
            call.plan += trunk_steps(call, decision, env)
    return None


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    """Never stays in this phase, so nothing comes."""
    raise AssertionError(f"call {call.call_id} got {event} in phase route")
