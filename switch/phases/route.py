"""Phase route: somebody called; decide where it goes. Left at once, for ring or releasing."""

import logging

import msgspec

from model import events
from model.causes import HangupCause
from model.commands_callers import CallBlocked
from model.events_outbound import CallEmergency
from switch import forwarding
from switch.actions import Action
from switch.call import Call, QueueStay
from switch.cdr import mask
from switch.conference import Room
from switch.environment import Environment
from switch.leg_events import CallEvent
from switch.phases.outcome import Outcome, releasing, to_phase
from switch.ring_plan import Diversion, Ringing
from switch.routing import (
    Decision,
    Origin,
    Refuse,
    ToConference,
    ToExtension,
    ToFlow,
    ToQueue,
    ToTrunks,
    ToVoicemail,
    choose_route,
)
from switch.targets import extension_steps, trunk_steps

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
            diverted_from=call.received_diversions[0].number if call.received_diversions else "",
        )
    ]
    caller = call.legs[call.a]
    directory = env.directory
    trunk = directory.trunks.get(caller.name) if caller.kind == "trunk" else None
    if trunk is not None and trunk.is_over():
        return releasing(call, HangupCause.NORMAL_CIRCUIT_CONGESTION, "system", now, env, actions)
    extension = directory.extensions.get(caller.name) if caller.kind == "extension" else None
    if trunk is not None and (blocked := _blocked(call, env.wall(now), env)) is not None:
        return releasing(call, HangupCause.INCOMING_CALL_BARRED, "system", now, env, [*actions, blocked])
    origin = Origin(call.caller, extension, trunk)
    if extension is not None and (feature := env.features.find(call.dialed)) is not None:
        return to_phase({"echo": "echo", "voicemail": "mailbox"}.get(feature.name, "feature"), actions)
    if extension is not None and call.dialed == extension.number:
        return to_phase("echo", actions)
    cause = plan(call, origin, call.dialed, now, env)
    if cause is not None:
        return releasing(call, cause, "system", now, env, actions)
    _note_profile(call, env)
    if call.is_emergency:
        actions.append(CallEmergency(call_id=call.call_id, caller=call.caller, dialed=call.dialed))
    if call.stay is not None:
        return to_phase("queue", actions)
    if call.flow_name:
        return to_phase("ivr", actions)
    if call.box:
        return to_phase("voicemail", actions)
    return to_phase("ring" if call.conference is None else "conference", actions)


def _blocked(call: Call, wall: float, env: Environment) -> CallBlocked | None:
    """Somebody does not want to be called by this caller (BLK-01)."""
    number = env.directory.access_number(call.trunk, call.dialed)
    listed = env.directory.caller_lists.find("blacklist", call.caller, number.number if number else call.dialed, wall)
    if listed is None:
        return None
    log.info("x %s is on the blacklist", mask(call.caller))
    return CallBlocked(call_id=call.call_id, caller=call.caller, dialed=call.dialed, reason=listed.reason)


def _note_profile(call: Call, env: Environment) -> None:
    """What the access number says of its calls goes with the call (XACC-03)."""
    number = env.directory.access_number(call.trunk, call.access_number) if call.access_number else None
    if number is None:
        return
    call.is_vip = number.is_vip
    call.queue_priority = number.priority
    call.queue_skills = tuple(sorted(number.skills.items()))
    for name in ("language", "brand", "whisper", "wrap_up_set"):
        if value := getattr(number, name):
            call.variables.setdefault(name, value)


def plan(ringing: Ringing, origin: Origin, dialed: str, now: float, env: Environment) -> HangupCause | None:
    """Appends the steps that lead to `dialed`, or says why there are none."""
    if isinstance(ringing, Call):
        caller_id = origin.caller_id or ringing.caller_id
        origin = msgspec.structs.replace(origin, caller_id=caller_id, seed=ringing.call_id)
    else:
        origin = msgspec.structs.replace(origin, seed=ringing.ringing_id)
    decision = choose_route(env.directory, origin, dialed, env.wall(now))
    if isinstance(decision, Refuse):
        log.info("x %s may not call %s: %s", origin.caller, mask(dialed), decision.why)
    return take_decision(ringing, decision, now, env)


def take_decision(ringing: Ringing, decision: Decision, now: float, env: Environment) -> HangupCause | None:
    """Appends the steps of a decision, or says why there are none."""
    # Only where a call goes first is a property of the call.
    call = ringing if isinstance(ringing, Call) else None
    match decision:
        case Refuse(cause=cause):
            return cause
        case ToExtension(number=number, access_number=access_number):
            if call is not None:
                call.access_number = access_number or call.access_number
            diversion = forwarding.at_once(ringing, number, env)
            if isinstance(diversion, HangupCause):
                return diversion
            if diversion is not None:
                return plan_diverted(ringing, diversion, now, env)
            ringing.plan += extension_steps(ringing, number, now, env)
        case ToConference(number=number, access_number=access_number):
            # Who is not in a call yet is answered in the room itself; others would have to be moved there.
            if call is None or call.phase != "route":
                return HangupCause.NO_ROUTE_DESTINATION
            call.access_number = access_number
            call.conference = Room(name=env.directory.conferences[number].name, number=number)
        case ToQueue(queue=queue, access_number=access_number):
            # Who is in a call already comes to a queue by a transfer of that call.
            if call is None or call.phase != "route":
                return HangupCause.NO_ROUTE_DESTINATION
            call.access_number = access_number or call.access_number
            call.stay = QueueStay(queue=queue, entry_id="")
        case ToFlow(flow=flow, access_number=access_number):
            if call is None or call.phase != "route":
                return HangupCause.NO_ROUTE_DESTINATION
            call.access_number = access_number or call.access_number
            call.flow_name = flow
        case ToVoicemail(box=box, access_number=access_number):
            # Also where a phone that does not answer has sent it on.
            if call is None or call.phase not in ("route", "ring"):
                return HangupCause.NO_ROUTE_DESTINATION
            call.access_number = access_number or call.access_number
            call.box = box
        case ToTrunks(route=route, access_number=access_number, is_emergency=is_emergency):
            if call is not None:
                call.is_emergency = call.is_emergency or is_emergency
                call.route = route
                call.access_number = access_number or call.access_number
                if call.direction == "internal":
                    call.direction = "outbound"
            ringing.plan += trunk_steps(ringing, decision, now, env)
    return None


def plan_diverted(ringing: Ringing, diversion: Diversion, now: float, env: Environment) -> HangupCause | None:
    """Appends the steps that lead to where an extension sends its call on, or says why there are none."""
    if diversion.to in env.directory.emergency:
        return HangupCause.OUTGOING_CALL_BARRED
    # Who forwards pays for it: its rights decide, not the caller's.
    entry = env.directory.extensions[diversion.extension]
    n_before = len(ringing.plan)
    cause = plan(ringing, Origin(caller=ringing.caller, extension=entry), diversion.to, now, env)
    if isinstance(ringing, Call) and ringing.conference is not None:
        # Only who dials a room himself comes in: it may be on already, as another call.
        ringing.conference = None
        return HangupCause.NO_ROUTE_DESTINATION
    for step in ringing.plan[n_before:]:
        step.diversion = step.diversion or diversion
    return cause


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    """Never stays in this phase, so nothing comes."""
    raise AssertionError(f"call {call.call_id} got {event} in phase route")
