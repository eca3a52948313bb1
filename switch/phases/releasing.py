"""Phase releasing: everything is let go; the record waits a moment for the media worker's last figures."""

from model.causes import HangupCause
from switch.actions import EndLeg
from switch.call import Call
from switch.environment import Environment
from switch.leg_events import CallEvent, LegAnswered, LegStatisticsCame, Timeout
from switch.phases.outcome import Outcome, stay
from switch.release import finish


def enter(call: Call, now: float, env: Environment) -> Outcome:
    return stay(finish(call)) if not call.n_statistics_due else stay()


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    match event:
        case LegStatisticsCame(leg_id=leg_id) if call.legs[leg_id].is_statistics_due:
            call.legs[leg_id].is_statistics_due = False
            call.n_statistics_due -= 1
            return stay(finish(call)) if not call.n_statistics_due else stay()
        case Timeout():
            return stay(finish(call))
        case LegAnswered(leg_id=leg_id):
            # Its 200 crossed our CANCEL.
            return stay([EndLeg(call.call_id, leg_id, HangupCause.NORMAL_CLEARING)])
        case _:
            return stay()
