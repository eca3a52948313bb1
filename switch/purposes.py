"""What becomes of a live call when somebody who was rung for it answers or does not, and when one of its legs leaves.

A module that rings for a purpose of its own (`Ringing.purpose`) puts its two functions into `ANSWERED` and `FAILED`.
Pure.
"""

from collections.abc import Callable

from model.causes import HangupCause
from switch.call import Call, Leg
from switch.environment import Environment
from switch.hearing import settle
from switch.phases.outcome import Outcome, stay
from switch.ring_plan import Ringing
from switch.ringing import Standing

Answered = Callable[[Call, Ringing, Leg, float, Environment], Outcome]
Failed = Callable[[Call, Ringing, HangupCause, float, Environment], Outcome]
Left = Callable[[Call, Leg, HangupCause, str, float, Environment], Outcome | None]

ANSWERED: dict[str, Answered] = {}
"""By purpose: the leg has answered; it is in no room yet."""
FAILED: dict[str, Failed] = {}
"""By purpose: nobody answered, for this cause."""
LEFT: list[Left] = []
"""Asked in turn when a leg is over; the first that does not say None has decided."""


def follow(call: Call, ringing: Ringing, standing: Standing, now: float, env: Environment) -> Outcome:
    """How a ringing stands becomes what the call does."""
    if standing.answered is not None:
        outcome = ANSWERED[ringing.purpose](call, ringing, standing.answered, now, env)
    elif standing.failed is not None:
        outcome = FAILED[ringing.purpose](call, ringing, standing.failed, now, env)
    else:
        outcome = stay(settle(call, now, env))
    return Outcome(standing.actions + outcome.actions, outcome.next_phase)


def left(call: Call, leg: Leg, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome | None:
    """What a leg's end means to a transfer or consultation; None = nothing to any."""
    for ask in LEFT:
        outcome = ask(call, leg, cause, side, now, env)
        if outcome is not None:
            return outcome
    return None
