"""Phase rating: the agent has hung up, and the caller rates the service by a key (SAT-01, SAT-02); or the flow of the
queue asks him (XIVR-07)."""

from model import media
from model.causes import HangupCause
from model.queues import Satisfaction
from switch import recordings, surveys
from switch.actions import Action
from switch.call import Call, Leg
from switch.environment import Environment
from switch.hearing import settle
from switch.leg_events import (
    CallEvent,
    DropLeg,
    LegDigit,
    LegFailed,
    LegHungUp,
    LegSilent,
    PlayEnded,
    Release,
    Timeout,
)
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.release import leg_left

PLAY = "rating"
_PROMPT_S = 60.0
"""A prompt that does not end is not waited for any longer."""
_THANKS_S = 3.0
_PAUSE = "silence:300"


def is_due(call: Call, leg: Leg, env: Environment) -> bool:
    """Whether `leg`, which has left, was the agent of a queue that asks for ratings, and the caller is still there."""
    satisfaction = _settings(call, env)
    caller = call.legs.get(call.a)
    return (
        satisfaction is not None
        and satisfaction.is_asked
        and leg.leg_id == call.b
        and not leg.leaves_because
        and caller is not None
        and caller.is_up
        and not call.is_direct
    )


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """The conversation is over; what follows belongs to nobody's talk time."""
    settings = _settings(call, env)
    assert call.stay is not None
    call.talk_ended_utc = env.wall(now)
    call.legs[call.a].room = ""
    call.timers.clear()
    actions = [*recordings.change(call, "stop"), *settle(call, now, env)]
    if settings is not None and settings.flow in env.directory.flows:
        call.flow_name = settings.flow
        return to_phase("ivr", actions)
    call.stay.rating = "asked"
    return stay([*actions, *_ask(call, now, env)])


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    queue_stay = call.stay
    assert queue_stay is not None
    leg = call.legs.get(event.leg_id)
    is_caller = leg is not None and leg.leg_id == call.a
    match event:
        case LegDigit(digit=digit) if is_caller and queue_stay.rating in ("asked", "asked_again"):
            return _pressed(call, digit, now, env)
        case LegHungUp(cause=cause) | LegFailed(cause=cause) if leg is not None and is_caller:
            leg_left(leg, cause, now, env)
            return _end(call, now, env)
        case PlayEnded(play_id=play_id) if play_id == PLAY and queue_stay.rating == "thanked":
            return _end(call, now, env)
        case PlayEnded(play_id=play_id) if play_id == PLAY:
            settings = _settings(call, env)
            call.deadline = now + (settings.timeout_s if settings is not None else 0.1)
            return stay()
        case Timeout() | Release() | DropLeg() | LegSilent():
            return _end(call, now, env)
        case _:
            return stay()


def _pressed(call: Call, digit: str, now: float, env: Environment) -> Outcome:
    queue_stay, settings = call.stay, _settings(call, env)
    assert queue_stay is not None
    results = {}
    if settings is not None:
        results = {
            settings.satisfied_key: "satisfied",
            settings.neutral_key: "neutral",
            settings.dissatisfied_key: "dissatisfied",
        }
    result = results.get(digit, "wrong_key")
    if result == "wrong_key" and queue_stay.rating == "asked":
        # A slip of the finger: he is asked once more.
        queue_stay.rating = "asked_again"
        return stay(_ask(call, now, env))
    actions: list[Action] = [surveys.rated(call, result, digit)]
    call.deadline = now + _THANKS_S
    sources = [env.confirmed if result != "wrong_key" else env.refused]
    actions.append(media.Play(session=call.call_id, leg=call.a, play_id=PLAY, sources=sources))
    return stay(actions)


def _ask(call: Call, now: float, env: Environment) -> list[Action]:
    settings = _settings(call, env)
    language = call.stay.language if call.stay is not None else ""
    prompt = env.sound(settings.prompt, language) if settings is not None and settings.prompt else env.confirmed
    call.deadline = now + _PROMPT_S
    return [media.Play(session=call.call_id, leg=call.a, play_id=PLAY, sources=[_PAUSE, prompt])]


def _end(call: Call, now: float, env: Environment) -> Outcome:
    return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env, surveys.unfinished(call))


def _settings(call: Call, env: Environment) -> Satisfaction | None:
    if call.stay is None or not call.stay.agent_id:
        return None
    queue = env.directory.queue_of(call.stay.queue)
    return queue.satisfaction if queue is not None else None
