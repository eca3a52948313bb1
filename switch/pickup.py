"""Pickup: somebody takes a call that rings elsewhere: by feature code (a phone, or any of the group), or by the busy
lamp of his phone (INVITE with Replaces, RFC 3891). Pure.

What picks up is a leg of the very call that rings; the phones it rings are told that it was answered elsewhere.
"""

from collections.abc import Iterable

from model.events_services import CallPickedUp
from switch import ringing
from switch.actions import Action, AnswerLeg, TellCall
from switch.call import Call, Leg
from switch.directory import ExtensionEntry
from switch.environment import Environment
from switch.leg_events import LegAnswered, LegPicksUp
from switch.ring_plan import Ringing

_RINGS = ("ringing", "early_media")


def find(calls: Iterable[Call], by: ExtensionEntry, number: str, env: Environment) -> tuple[Call, Leg] | None:
    """The ringing leg that extension `by` may take: at extension `number`, or ("") at any of its group; of several the
    one that has rung longest."""
    group = env.services.of(by).pickup_group
    found: tuple[Call, Leg] | None = None
    for call in calls:
        for leg in call.legs.values():
            if leg.state not in _RINGS or leg.kind != "extension" or leg.name == by.number or not leg.ringing:
                continue
            if (number and leg.name != number) or not _is_of(group, leg.name, env) or ringing_of(call, leg) is None:
                continue
            if found is None or leg.ringing_utc < found[1].ringing_utc:
                found = (call, leg)
    return found


def ringing_of(call: Call, leg: Leg | None) -> Ringing | None:
    """What the leg is rung for, when another one can answer in its place."""
    if leg is None or not leg.ringing or leg.is_ended:
        return None
    if leg.ringing != call.ringing_id:
        return call.ringings.get(leg.ringing)
    # Whom the switch itself calls first cannot be anybody else; early media that goes directly is promised already.
    is_promised = call.is_direct and any(each.state == "early_media" for each in call.legs.values())
    return call if call.phase == "ring" and not is_promised else None


def begin(call: Call, made: Ringing, leg: Leg, rung: Leg) -> list[Action]:
    """`leg` is answered, as one of those that are rung; once it has its audio it takes the place of `rung`."""
    if made is call and call.is_direct:
        # The caller was offered to the phones that ring; with this one its audio comes by the switch.
        call.is_direct = call.legs[call.a].is_direct = leg.is_direct = False
    leg.ringing = made.ringing_id
    leg.state = "ringing"
    taken = LegPicksUp(call.call_id, leg.leg_id, rung.name)
    return [AnswerLeg(call.call_id, leg.leg_id), TellCall(taken)]


def finish(call: Call, made: Ringing, leg: Leg, event: LegPicksUp, now: float, env: Environment) -> ringing.Standing:
    """The others are told that it was answered elsewhere."""
    standing = ringing.on(call, made, leg, LegAnswered(call.call_id, leg.leg_id), now, env)
    told = CallPickedUp(call_id=call.call_id, leg_id=leg.leg_id, extension=event.extension, by=leg.name)
    return ringing.Standing([*standing.actions, told], answered=standing.answered)


def _is_of(group: str, number: str, env: Environment) -> bool:
    entry = env.directory.extensions.get(number)
    return entry is not None and env.services.of(entry).pickup_group == group
