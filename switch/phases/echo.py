"""Phase echo: a phone hears itself, to try its line and headset (FEATURES TEL-20). What it says goes the whole way: to
the media worker and back, with its codec and its encryption."""

from model import media
from model.causes import HangupCause
from switch.actions import Action, AnswerLeg
from switch.call import Call
from switch.environment import Environment
from switch.leg_events import CallEvent, DropLeg, LegFailed, LegHungUp, LegResumes, LegSilent, Release, Timeout
from switch.phases.outcome import Outcome, releasing, stay
from switch.release import leg_left

MAX_S = 300.0
PLAY = "echo"
_PAUSE = "silence:300"
"""Phones lose the first moment of what is played when they are answered."""


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Leg `a` has dialled the code, or its own number. After a short tone it hears what it says."""
    caller = call.legs[call.a]
    call.is_direct = caller.is_direct = False
    wall = env.wall(now)
    caller.state = "answered"
    caller.answered_utc = call.answered_utc = wall
    caller.sip_status = 200
    call.deadline = now + MAX_S
    actions: list[Action] = [AnswerLeg(call.call_id, call.a)]
    # Who offers nothing tells its address in the ACK: then LegResumes follows.
    return stay(actions + _listen(call, env) if caller.offer else actions)


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    match event:
        case LegResumes() if call.edges is None:
            return stay(_listen(call, env))
        case LegHungUp(cause=cause) | LegFailed(cause=cause):
            leg_left(call.legs[call.a], cause, now, env)
            return releasing(call, cause, "caller", now, env)
        case LegSilent():
            return releasing(call, HangupCause.MEDIA_TIMEOUT, "system", now, env)
        case Timeout():
            return releasing(call, HangupCause.ALLOTTED_TIMEOUT, "system", now, env)
        case DropLeg(cause=cause) | Release(cause=cause):
            return releasing(call, cause, "system", now, env)
        case _:
            return stay()


def _listen(call: Call, env: Environment) -> list[Action]:
    call.edges = [media.Edge(call.a, call.a)]
    return [
        media.ConnectMatrix(call.call_id, call.edges),
        media.Play(session=call.call_id, leg=call.a, play_id=PLAY, sources=[_PAUSE, env.confirmed]),
    ]
