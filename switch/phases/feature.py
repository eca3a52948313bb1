"""Phase feature: an extension has dialled a feature code. It is answered, the number is collected where one is missing,
the change is made, and a tone or prompt says whether it was."""

from model import media
from model.causes import HangupCause
from switch.actions import Action, AgentByPhone, AnswerLeg, ChangeServices
from switch.call import Call, FeatureState
from switch.environment import Environment
from switch.features import OF_AGENTS, SERVICES, TAKES_NUMBER, TAKES_PIN
from switch.leg_events import (
    CallEvent,
    DropLeg,
    FeatureDone,
    LegDigit,
    LegFailed,
    LegHungUp,
    PlayEnded,
    Release,
    Timeout,
)
from switch.phases.outcome import Outcome, releasing, stay
from switch.release import leg_left

FIRST_DIGIT_S = 10.0
NEXT_DIGIT_S = 4.0
STORING_S = 8.0
PLAYING_S = 20.0
MAX_DIGITS = 32
PLAY = "feature"
_PAUSE = "silence:300"
"""Phones lose the first moment of what is played when they are answered."""


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Leg `a` has dialled it; `route` has found that it is one."""
    found = env.features.find(call.dialed)
    assert found is not None
    caller = call.legs[call.a]
    # What is played to it comes from here.
    call.is_direct = caller.is_direct = False
    wall = env.wall(now)
    caller.state = "answered"
    caller.answered_utc = call.answered_utc = wall
    caller.sip_status = 200
    call.feature = FeatureState(found.name, found.number)
    actions: list[Action] = [AnswerLeg(call.call_id, call.a)]
    if found.name in TAKES_NUMBER and not found.number:
        return stay(actions + _ask(call, "collecting", now, env))
    return stay(actions + _have_number(call, now, env))


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    feature = call.feature
    assert feature is not None
    match event:
        case LegHungUp(cause=cause) | LegFailed(cause=cause):
            leg_left(call.legs[call.a], cause, now, env)
            return releasing(call, cause, "caller", now, env)
        case LegDigit(digit=digit) if feature.stage == "collecting":
            return stay(_digit(call, feature, digit, now, env))
        case LegDigit(digit=digit) if feature.stage == "pin":
            return stay(_pin_digit(call, feature, digit, now, env))
        case Timeout() if feature.stage == "collecting" and feature.number:
            return stay(_have_number(call, now, env))
        case Timeout() if feature.stage == "pin" and feature.pin:
            return stay(_do(call, now, env))
        case Timeout() if feature.stage in ("collecting", "pin", "storing"):
            return stay(_say(call, now, env, is_done=False))
        case FeatureDone(error=error) if feature.stage == "storing":
            return stay(_say(call, now, env, is_done=not error))
        case PlayEnded(play_id=play_id) if play_id == PLAY and feature.stage == "saying":
            return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env)
        case Timeout():
            return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env)
        case DropLeg(cause=cause) | Release(cause=cause):
            return releasing(call, cause, "system", now, env)
        case _:
            return stay()


def _digit(call: Call, feature: FeatureState, digit: str, now: float, env: Environment) -> list[Action]:
    actions: list[Action] = []
    if not feature.number:
        actions.append(media.StopPlay(call.call_id, call.a, PLAY))
    if digit == "#":
        return actions + (_have_number(call, now, env) if feature.number else _say(call, now, env, is_done=False))
    feature.number += digit
    call.deadline = now + NEXT_DIGIT_S
    if len(feature.number) >= MAX_DIGITS:
        actions += _have_number(call, now, env)
    return actions


def _pin_digit(call: Call, feature: FeatureState, digit: str, now: float, env: Environment) -> list[Action]:
    actions: list[Action] = []
    if not feature.pin:
        actions.append(media.StopPlay(call.call_id, call.a, PLAY))
    if digit != "#":
        feature.pin += digit
        call.deadline = now + NEXT_DIGIT_S
    if digit == "#" or len(feature.pin) >= MAX_DIGITS:
        actions += _do(call, now, env)
    return actions


def _ask(call: Call, stage: str, now: float, env: Environment) -> list[Action]:
    """A tone asks for digits."""
    feature = call.feature
    assert feature is not None
    feature.stage = stage
    call.deadline = now + FIRST_DIGIT_S
    return [_play(call, [f"tone:dial/{env.config.media.tone_plan}"], is_looped=True)]


def _have_number(call: Call, now: float, env: Environment) -> list[Action]:
    feature = call.feature
    assert feature is not None
    return _ask(call, "pin", now, env) if feature.name in TAKES_PIN else _do(call, now, env)


def _do(call: Call, now: float, env: Environment) -> list[Action]:
    """Asks for the change; FeatureDone says how it went."""
    feature = call.feature
    assert feature is not None
    if feature.name in OF_AGENTS:
        feature.stage = "storing"
        call.deadline = now + STORING_S
        leg = call.legs[call.a]
        pin, feature.pin = feature.pin, ""
        host = leg.address.rpartition(":")[0].strip("[]")
        return [AgentByPhone(call.call_id, call.a, feature.name, leg.name, feature.number, pin, host)]
    if feature.name not in SERVICES:
        return _say(call, now, env, is_done=False)
    field, value = SERVICES[feature.name]
    feature.stage = "storing"
    call.deadline = now + STORING_S
    return [ChangeServices(call.call_id, call.a, call.legs[call.a].name, field, value or feature.number)]


def _say(call: Call, now: float, env: Environment, *, is_done: bool) -> list[Action]:
    feature = call.feature
    assert feature is not None
    feature.stage = "saying"
    call.deadline = now + PLAYING_S
    return [_play(call, [_PAUSE, env.confirmed if is_done else env.refused], is_looped=False)]


def _play(call: Call, sources: list[str], *, is_looped: bool) -> media.Play:
    return media.Play(session=call.call_id, leg=call.a, play_id=PLAY, sources=sources, is_looped=is_looped)
