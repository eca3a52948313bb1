"""What joins legs that are in different calls, or takes a leg's place: attended transfer by REFER with Replaces, INVITE
with Replaces (RFC 3891, RFC 5589). One call absorbs the other: one id, one record, one recording tell it all. Pure.
"""

from model import events
from model.causes import HangupCause
from switch import ringing, supervision
from switch.actions import Action, AnswerLeg, LetGoAbsorbed, RelocateLeg, ReportRefer, TakeRefer
from switch.call import MAIN, Call, Leg
from switch.environment import Environment
from switch.hearing import close_segments, settle
from switch.release import drop_audio, end_leg
from switch.transfers import join, linger, number_of, relay


def connect(first: Call, b1: Leg, second: Call, b2: Leg, refer: str, now: float, env: Environment) -> list[Action]:
    """The parties of two bridged calls are connected; `b1` and `b2`, the legs of who transfers, end. The older call,
    which is the customer's, goes on; afterwards the other is no call any more."""
    (keep, kept), (gone, left) = sorted([(first, b1), (second, b2)], key=lambda each: each[0].created_utc)
    role = kept.role
    actions: list[Action] = [
        TakeRefer(first.call_id, b1.leg_id, refer),
        ReportRefer(first.call_id, b1.leg_id, refer, 200),
    ]
    moved = [leg for leg in gone.parties() if leg is not left]
    actions += _stop_ringing(gone, now, env)
    actions += relay(keep)
    actions += end_leg(b2, HangupCause.ATTENDED_TRANSFER, "system", now, env)
    if b2 is kept:
        actions += drop_audio(b2)
    actions += absorb(keep, gone, now, env)
    linger(keep, b1, HangupCause.ATTENDED_TRANSFER, now)
    actions.append(events.CallAbsorbed(call_id=gone.call_id, into_call_id=keep.call_id))
    for leg in moved:
        actions += join(keep, leg, role, now, env)
        actions.append(RelocateLeg(keep.call_id, leg.leg_id))
        actions.append(
            events.CallTransferred(
                call_id=keep.call_id,
                kind="attended",
                by_leg_id=kept.leg_id,
                leg_id=leg.leg_id,
                number=number_of(leg),
                data=dict(keep.variables),
            )
        )
    return [*actions, *supervision.follow_over(keep, gone, now, env)]


def is_joinable(call: Call, leg: Leg) -> bool:
    """Whether the leg talks with somebody who can be handed over."""
    return call.phase == "bridged" and leg.is_up and leg.room == MAIN and bool(call.company(leg))


def absorb(keep: Call, gone: Call, now: float, env: Environment) -> list[Action]:
    """Moves legs, story and data of `gone` to `keep`. Its legs are in no room and have no audio by us then."""
    close_segments(gone, env.wall(now))
    keep.segments += gone.segments
    ports = tuple((leg.worker, leg.port) for leg in gone.legs.values() if leg.port)
    for leg in gone.legs.values():
        leg.call_id = keep.call_id
        leg.room = leg.playing = ""
        leg.is_held = leg.is_configured = False
        leg.port = 0
        leg.worker = keep.worker
        keep.legs[leg.leg_id] = leg
    keep.variables = {**gone.variables, **keep.variables}
    keep.absorbed += [gone.call_id, *gone.absorbed]
    gone.legs = {}
    return [LetGoAbsorbed(gone.call_id, "", keep.call_id, gone.worker, ports)]


def replace(call: Call, leg: Leg, replaced: Leg, now: float, env: Environment) -> list[Action]:
    """`leg`, which called, takes the place of `replaced`; nothing when that is not connected with anybody."""
    if not replaced.is_up or not replaced.room:
        return []
    wall = env.wall(now)
    leg.state = "answered"
    leg.answered_utc = leg.bridged_utc = wall
    leg.sip_status = 200
    leg.role, leg.room = replaced.role, replaced.room
    for made in call.ringings.values():
        made.by = leg.leg_id if made.by == replaced.leg_id else made.by
        made.caller_leg = leg.leg_id if made.caller_leg == replaced.leg_id else made.caller_leg
    for consult in call.consults.values():
        consult.by = leg.leg_id if consult.by == replaced.leg_id else consult.by
        consult.leg = leg.leg_id if consult.leg == replaced.leg_id else consult.leg
    actions: list[Action] = [*relay(call), AnswerLeg(call.call_id, leg.leg_id)]
    actions.append(events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id))
    actions += end_leg(replaced, HangupCause.ATTENDED_TRANSFER, "system", now, env) + drop_audio(replaced)
    actions += join(call, leg, leg.role, now, env) if leg.room == MAIN else settle(call, now, env)
    actions.append(
        events.CallTransferred(
            call_id=call.call_id,
            kind="replaced",
            by_leg_id=replaced.leg_id,
            leg_id=leg.leg_id,
            number=number_of(leg),
            data=dict(call.variables),
        )
    )
    return actions


def _stop_ringing(call: Call, now: float, env: Environment) -> list[Action]:
    actions: list[Action] = []
    for made in list(call.ringings.values()):
        actions += ringing.stop(call, made, HangupCause.ORIGINATOR_CANCEL, now, env)
    for consult in call.consults.values():
        consulted = call.legs.get(consult.leg)
        if consulted is not None:
            actions += end_leg(consulted, HangupCause.NORMAL_CLEARING, "system", now, env)
    call.consults = {}
    return actions
