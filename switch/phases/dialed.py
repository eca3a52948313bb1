"""Phase dialed: a campaign's call rings a customer. Who answers is led to a flow, or to the queue whose agents call for
him; a machine hears what is left for it; and whom nobody was there for in time hears who has called (XOUT-02).

What becomes of it `switch.dialer` reads off the call.
"""

from model import events, media
from model.causes import HangupCause
from switch import agent_ringing, ringing
from switch.actions import Action, ReconfigureLeg
from switch.call import Call, Leg, QueueStay
from switch.dialing import Dialing
from switch.environment import Environment
from switch.leg_events import (
    AnswererFound,
    CallEvent,
    DropLeg,
    LegFailed,
    LegHungUp,
    LegSilent,
    LegSpeaks,
    LegTone,
    PlayEnded,
    Release,
    SetData,
    Timeout,
    TimerDue,
    WithdrawAgent,
)
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.release import leg_left
from switch.variables import set_data

JUDGE, QUIET, LONGEST = "judge", "quiet", "longest"
JUDGE_S = 4.0
"""So long it is found out who has answered."""
_LATE_S = 1.0
"""A verdict that has not come by then never comes: its media worker is gone."""
QUIET_S = 1.2
"""A machine that says nothing for so long is ready to record."""
LONGEST_GREETING_S = 30.0
LONGEST_MESSAGE_S = 60.0
MESSAGE = "message"
_PAUSE = "silence:300"
"""Phones lose the first moment of what is played when they are answered."""
_TONES = {
    "busy": HangupCause.USER_BUSY,
    "congestion": HangupCause.NORMAL_CIRCUIT_CONGESTION,
    "special_info": HangupCause.UNALLOCATED_NUMBER,
}
"""What a network says by a tone in place of a status."""


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """`call.plan` leads to the customer; or he has answered, and nobody came for him in time."""
    dialing = _dialing(call)
    if dialing.stage != "ringing":
        return _message(call, "dropped", now, env)
    created = events.CallCreated(call_id=call.call_id, direction=call.direction, caller=call.caller, dialed=call.dialed)
    standing = ringing.start(call, call, now, env)
    return _follow(call, ringing.Standing([created, *standing.actions], failed=standing.failed), now, env)


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    match event:
        case Timeout() if not call.a:
            return _follow(call, ringing.no_answer(call, call, now, env), now, env)
        case Timeout():
            return releasing(call, HangupCause.ALLOTTED_TIMEOUT, "system", now, env)
        case TimerDue(name=name):
            return _due(call, name, now, env)
        case Release(cause=cause, side=side):
            return releasing(call, cause, side, now, env)
        case SetData(data=data):
            return stay(set_data(call, data))
        case LegTone(tone=tone) if leg is not None and leg.leg_id in (call.a, *_rung(call)):
            return _heard(call, tone, now, env)
        case _ if leg is not None and leg.leg_id == call.a:
            return _on_customer(call, leg, event, now, env)
        case WithdrawAgent(offer_id=offer_id, reason=reason) if call.stay is not None:
            # Of the queue in which he has waited too long.
            return stay(agent_ringing.withdraw(call, offer_id, reason, now, env))
        case _ if leg is not None and leg.ringing == call.ringing_id:
            return _follow(call, ringing.on(call, call, leg, event, now, env), now, env)
        case _ if leg is not None and call.stay is not None:
            return stay(agent_ringing.on_leg(call, leg, event, now, env))
        case _:
            return stay()


def _on_customer(call: Call, leg: Leg, event: CallEvent, now: float, env: Environment) -> Outcome:
    dialing = _dialing(call)
    match event:
        case LegHungUp(cause=cause):
            leg_left(leg, cause, now, env)
            return releasing(call, cause, "remote", now, env)
        case LegFailed(cause=cause):
            leg_left(leg, cause, now, env)
            return releasing(call, cause, "system", now, env)
        case LegSilent():
            return releasing(call, HangupCause.MEDIA_TIMEOUT, "system", now, env)
        case DropLeg(cause=cause):
            return releasing(call, cause, "system", now, env)
        case AnswererFound(result=result) if dialing.stage == "judging":
            call.timers.pop(JUDGE, None)
            dialing.evidence = event.evidence
            return _judged(call, result, event.evidence == "beep", now, env)
        case LegSpeaks(is_speaking=is_speaking) if dialing.stage == "machine" and LONGEST in call.timers:
            if is_speaking:
                call.timers.pop(QUIET, None)
            else:
                call.timers[QUIET] = now + QUIET_S
            return stay()
        case PlayEnded(play_id=play_id) if play_id == MESSAGE:
            return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env)
        case _:
            return stay()


def _follow(call: Call, standing: ringing.Standing, now: float, env: Environment) -> Outcome:
    if standing.failed is not None:
        return releasing(call, standing.failed, standing.side, now, env, standing.actions)
    if standing.answered is not None:
        return _answered(call, standing.answered, standing.actions, now, env)
    return stay(standing.actions)


def _answered(call: Call, leg: Leg, actions: list[Action], now: float, env: Environment) -> Outcome:
    dialing = _dialing(call)
    call.a = leg.leg_id
    call.answered_utc = leg.answered_utc
    call.plan, call.step, call.failure = [], -1, ""
    call.deadline = 0.0
    actions = [*actions, events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id)]
    if not dialing.detects_machines:
        return _lead(call, actions, now, env)
    asked = media.DetectAnswer(session=call.call_id, leg=leg.leg_id, max_s=JUDGE_S)
    actions.append(asked)
    if not dialing.is_verdict_waited_for:
        return _lead(call, actions, now, env)
    dialing.stage = "judging"
    call.timers[JUDGE] = now + JUDGE_S + _LATE_S
    return stay(actions)


def _judged(call: Call, result: str, has_beeped: bool, now: float, env: Environment) -> Outcome:
    """Not sure is a person: nobody is hung up on by mistake."""
    dialing = _dialing(call)
    dialing.verdict = result
    if result != "machine":
        return _lead(call, [], now, env)
    dialing.stage = "machine"
    if not dialing.machine_message:
        return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env)
    if has_beeped:
        return _message(call, "machine", now, env)
    # It still greets; what is said before its beep nobody will hear.
    leg = call.legs[call.a]
    leg.detects_speech = True
    call.timers[LONGEST] = now + LONGEST_GREETING_S
    call.timers[QUIET] = now + 2 * QUIET_S
    return stay([ReconfigureLeg(call.call_id, leg.leg_id)])


def _lead(call: Call, actions: list[Action], now: float, env: Environment) -> Outcome:
    dialing = _dialing(call)
    dialing.stage = "led"
    dialing.waits_since_utc = env.wall(now)
    if dialing.flow:
        call.flow_name = dialing.flow
        dialing.connected_utc = dialing.waits_since_utc
        return to_phase("ivr", actions)
    call.stay = QueueStay(queue=dialing.queue, entry_id="")
    return to_phase("queue", actions)


def _heard(call: Call, tone: str, now: float, env: Environment) -> Outcome:
    """A tone of the network, before an answer or in its place; or of a fax."""
    if tone in ("fax_ced", "fax_cng") and call.a:
        _dialing(call).verdict = "fax"
        return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env)
    cause = _TONES.get(tone)
    if cause is None or call.a:
        return stay()
    return releasing(call, cause, "remote", now, env)


def _message(call: Call, stage: str, now: float, env: Environment) -> Outcome:
    """He hears what is left for him, and is hung up."""
    dialing = _dialing(call)
    sources = dialing.abandon_message if stage == "dropped" else dialing.machine_message
    for name in (QUIET, LONGEST, JUDGE):
        call.timers.pop(name, None)
    if not sources or not call.legs[call.a].is_up:
        return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env)
    call.deadline = now + LONGEST_MESSAGE_S
    dialing.message_utc = env.wall(now)
    return stay([media.Play(session=call.call_id, leg=call.a, play_id=MESSAGE, sources=[_PAUSE, *sources])])


def _due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    if name == JUDGE and _dialing(call).stage == "judging":
        return _judged(call, "not_sure", False, now, env)
    if name in (QUIET, LONGEST) and _dialing(call).stage == "machine":
        return _message(call, "machine", now, env)
    made = agent_ringing.ringing_due(call, name)
    if made is not None:
        return stay(agent_ringing.follow(call, made, ringing.no_answer(call, made, now, env)))
    return stay(ringing.timer_due(call, name))


def _rung(call: Call) -> list[str]:
    return [leg.leg_id for leg in ringing.rung_legs(call, call)]


def _dialing(call: Call) -> Dialing:
    assert call.dialing is not None
    return call.dialing
