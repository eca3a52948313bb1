"""What a phase returns: its actions and the phase that comes next ("" = this one goes on)."""

import msgspec

from model.causes import HangupCause
from switch.actions import Action
from switch.call import Call
from switch.environment import Environment
from switch.release import release


class Outcome(msgspec.Struct, frozen=True, gc=False):
    actions: list[Action]
    next_phase: str = ""


def stay(actions: list[Action] | None = None) -> Outcome:
    return Outcome(actions if actions is not None else [])


def to_phase(phase: str, actions: list[Action]) -> Outcome:
    return Outcome(actions, phase)


def releasing(
    call: Call, cause: HangupCause, side: str, now: float, env: Environment, actions: list[Action] | None = None
) -> Outcome:
    """The call ends: everything is let go, and the phase is releasing."""
    return Outcome((actions or []) + release(call, cause, side, now, env), "releasing")
