"""Answers who called, when the switch itself takes the call. Pure."""

from switch.actions import Action, AnswerLeg
from switch.call import Call, Leg, Segment
from switch.environment import Environment


def answer_caller(call: Call, leg: Leg, now: float, env: Environment) -> list[Action]:
    """Nothing when he is answered already."""
    if leg.is_up:
        return []
    leg.state = "answered"
    leg.answered_utc = env.wall(now)
    leg.sip_status = 200
    call.answered_utc = call.answered_utc or leg.answered_utc
    return [AnswerLeg(call.call_id, leg.leg_id)]


def begin_segment(call: Call, leg: Leg, purpose: str, now: float, env: Environment) -> None:
    """What he does from now on is accounted for as `purpose`, unless something is already."""
    if leg.segment < 0:
        leg.segment = len(call.segments)
        call.segments.append(Segment(leg.leg_id, purpose, env.wall(now)))


def end_segment(call: Call, leg: Leg, now: float, env: Environment) -> None:
    """What he does is over; what comes next begins a segment of its own."""
    if leg.segment >= 0:
        call.segments[leg.segment].ended_utc = env.wall(now)
        leg.segment = -1
