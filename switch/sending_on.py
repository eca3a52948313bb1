"""A party of a conversation is sent to a queue, a flow or voicemail, and whoever sent it leaves (TEL-09, TEL-10). Pure.

The call stays the same: what it waits for then, and says there, goes on in its record.
"""

from model import events
from model.causes import HangupCause
from switch import recordings
from switch.actions import Action, ReportRefer, TakeRefer
from switch.call import Call, Leg, QueueStay
from switch.environment import Environment
from switch.hearing import settle
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.purposes import LEFT
from switch.release import drop_audio, end_leg
from switch.ring_plan import Ringing
from switch.routing import FLOW, QUEUE, Decision, ToFlow, ToQueue, ToVoicemail

PURPOSE = "sent_on"
TIMER = "sent_on"
LINGER_S = 1.0
"""What a phone gets to end its leg by itself once it knows that its transfer went well."""
_VOICEMAIL = "voicemail:"


def target_of(decision: Decision) -> str:
    """Where a decision leads that rings nobody; "" = it rings somebody."""
    match decision:
        case ToQueue(queue=queue):
            return QUEUE + queue
        case ToFlow(flow=flow):
            return FLOW + flow
        case ToVoicemail(box=box):
            return _VOICEMAIL + box
        case _:
            return ""


def send(call: Call, by: Leg, made: Ringing, actions: list[Action], now: float, env: Environment) -> Outcome:
    """Whom `by` talks with goes to `made.target`; when a REFER asked for it, once its phone knows. `actions` come
    before."""
    if not made.refer:
        return _go(call, by, made, actions, now, env)
    actions.append(TakeRefer(call.call_id, by.leg_id, made.refer))
    actions.append(ReportRefer(call.call_id, by.leg_id, made.refer, 200))
    by.room, made.purpose = "", PURPOSE
    call.ringings[made.ringing_id] = made
    call.timers[TIMER] = now + LINGER_S
    return stay(actions + settle(call, now, env))


def due(call: Call, now: float, env: Environment) -> Outcome:
    """The phone that sent him on does not end its leg: we do."""
    made = next((each for each in call.ringings.values() if each.purpose == PURPOSE), None)
    return _go(call, call.legs[made.by], made, [], now, env) if made is not None else stay()


def _left(call: Call, leg: Leg, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome | None:
    made = next((each for each in call.ringings.values() if each.purpose == PURPOSE), None)
    if made is None:
        return None
    if leg.leg_id == made.by:
        return _go(call, leg, made, [], now, env)
    return releasing(call, cause, side, now, env) if leg.leg_id == made.caller_leg else None


def _go(call: Call, by: Leg, made: Ringing, actions: list[Action], now: float, env: Environment) -> Outcome:
    waiting = call.legs[made.caller_leg]
    actions += recordings.change(call, "stop")
    actions += end_leg(by, HangupCause.BLIND_TRANSFER, "system", now, env) + drop_audio(by)
    waiting.room, waiting.is_held, waiting.role = "", False, ""
    actions += settle(call, now, env)
    call.a, call.b = waiting.leg_id, ""
    call.ringings.pop(made.ringing_id, None)
    call.timers.clear()
    actions.append(
        events.CallTransferred(
            call_id=call.call_id,
            kind="blind",
            by_leg_id=by.leg_id,
            leg_id=waiting.leg_id,
            number=made.target,
            data=dict(call.variables),
        )
    )
    kind, _, name = made.target.partition(":")
    if kind == "queue":
        call.stay = QueueStay(queue=name, entry_id="")
        return to_phase("queue", actions)
    call.stay = None
    if kind == "ivr":
        call.flow_name = name
        return to_phase("ivr", actions)
    call.box, call.is_greeted = name, True
    return to_phase("voicemail", actions)


LEFT.append(_left)
