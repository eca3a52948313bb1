"""How a conversation ends for who is left in it: released with the others, or by hanging up (FEATURES TEL-04). Pure."""

from model import events
from model.causes import HangupCause
from switch import recordings
from switch.actions import Action
from switch.call import Call, Leg
from switch.environment import Environment
from switch.hearing import settle
from switch.phases.outcome import Outcome, releasing, stay
from switch.release import drop_audio, end_leg

TIMER = "release"
"""After it nobody need hang up any more."""


def end(
    call: Call, leg: Leg, cause: HangupCause, side: str, now: float, env: Environment, actions: list[Action]
) -> Outcome:
    """`leg` has left and nobody else has anybody to talk with: the call ends, now or when its users hang up."""
    staying = [each for each in call.legs.values() if each.is_up and each.room and _hangs_up_himself(each, env)]
    if not staying or not env.config.calls.release_tone_s or call.is_direct:
        return releasing(call, cause, side, now, env, actions)
    wall = env.wall(now)
    call.talk_ended_utc, call.hangup_cause, call.hangup_side = wall, cause, side
    call.timers[TIMER] = now + env.config.calls.release_tone_s
    for each in call.live_legs():
        if each not in staying:
            actions += end_leg(each, cause, "system", now, env) + drop_audio(each)
    for each in staying:
        each.room, each.is_left_alone = "", True
        actions.append(events.CallLeftAlone(call_id=call.call_id, leg_id=each.leg_id, cause=cause, side=side))
    return stay([*actions, *recordings.change(call, "stop"), *settle(call, now, env), *drop_audio(leg)])


def _hangs_up_himself(leg: Leg, env: Environment) -> bool:
    entry = env.directory.extensions.get(leg.name) if leg.kind == "extension" else None
    return entry is not None and not entry.auto_release
