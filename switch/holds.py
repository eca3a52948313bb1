"""Somebody is on hold for long: who holds is reminded by a tone, or by a call to the phone that holds, which takes the
held party back when it is answered. Pure.
"""

from model import events, media
from model.causes import HangupCause
from switch import ringing
from switch.actions import Action
from switch.call import MAIN, Call, Leg
from switch.environment import Environment
from switch.hearing import HOLD_PLAY, REMINDER_PLAY, hold_timer_of, settle
from switch.phases.outcome import Outcome, releasing, stay
from switch.phases.route import plan
from switch.purposes import ANSWERED, FAILED, LEFT, follow
from switch.release import drop_audio, end_leg
from switch.ring_plan import Ringing
from switch.routing import Origin
from switch.transfers import join, number_of

PURPOSE = "hold_recall"


def due(call: Call, name: str, now: float, env: Environment) -> Outcome | None:
    """The timer of that name is due; None when it is no hold's."""
    leg = next((each for each in call.legs.values() if hold_timer_of(each) == name), None)
    if leg is None:
        return None
    if not leg.is_up or leg.playing != HOLD_PLAY:
        return stay()
    call.timers[name] = now + env.config.calls.hold_recall_s
    holder = _holder(call, leg)
    told = events.CallHoldReminded(
        call_id=call.call_id,
        leg_id=leg.leg_id,
        by_leg_id=holder.leg_id if holder is not None else "",
        held_s=env.wall(now) - call.segments[leg.segment].started_utc,
    )
    if holder is None:
        return stay([told])
    if not holder.is_away:
        return stay([told, _reminder(call, holder, env)])
    outcome = _ring(call, leg, holder, now, env)
    return Outcome([told, *outcome.actions], outcome.next_phase)


def _holder(call: Call, held: Leg) -> Leg | None:
    """Who has put the leg on hold, or consults meanwhile."""
    away = {consult.by for consult in call.consults.values()}
    legs = [each for each in call.legs.values() if each is not held and each.is_up and each.kind == "extension"]
    company = [each for each in legs if each.room == held.room]
    return next(iter(company), None) or next((each for each in legs if each.leg_id in away), None)


def _reminder(call: Call, holder: Leg, env: Environment) -> Action:
    return media.Play(session=call.call_id, leg=holder.leg_id, play_id=REMINDER_PLAY, sources=env.reminder)


def _ring(call: Call, held: Leg, holder: Leg, now: float, env: Environment) -> Outcome:
    if any(each.purpose == PURPOSE and each.by == holder.leg_id for each in call.ringings.values()):
        return stay()
    made = Ringing(
        ringing_id=env.ids.token(16),
        purpose=PURPOSE,
        by=holder.leg_id,
        caller=number_of(held),
        caller_name=call.caller_name if held.leg_id == call.a else "",
        dialed=holder.name,
        ring_timeout_s=min(env.config.calls.recall_timeout_s or 30.0, env.config.calls.hold_recall_s),
        role=holder.role,
    )
    # The switch itself asks for it: whatever the rights of anybody.
    if plan(made, Origin(made.caller), holder.name, now, env) is not None:
        return stay()
    return follow(call, made, ringing.start(call, made, now, env), now, env)


def _answered(call: Call, made: Ringing, leg: Leg, now: float, env: Environment) -> Outcome:
    """The held party is taken back; the line that held it ends."""
    actions: list[Action] = [events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id)]
    holder = call.legs.get(made.by)
    if holder is not None:
        actions += end_leg(holder, HangupCause.NORMAL_CLEARING, "system", now, env) + drop_audio(holder)
    return stay(actions + join(call, leg, made.role, now, env))


def _failed(call: Call, made: Ringing, cause: HangupCause, now: float, env: Environment) -> Outcome:
    if len(call.in_room(MAIN)) < 2:
        return releasing(call, cause, "system", now, env)
    return stay(settle(call, now, env))


def _left(call: Call, leg: Leg, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome | None:
    """Whoever was held has left: there is nothing to take back."""
    recalls = [each for each in call.ringings.values() if each.purpose == PURPOSE]
    if not recalls or any(each.leg_id not in {made.by for made in recalls} for each in call.in_room(MAIN)):
        return None
    actions: list[Action] = []
    for made in recalls:
        actions += ringing.stop(call, made, HangupCause.ORIGINATOR_CANCEL, now, env)
    return releasing(call, cause, side, now, env, actions)


ANSWERED[PURPOSE] = _answered
FAILED[PURPOSE] = _failed
LEFT.append(_left)
