"""Phase ivr: a flow talks with the caller, until it sends him to a queue, connects him, or ends the call.

The interpreter decides (`ivr.interpreter`); here its actions become sound, requests and legs.
"""

import logging
from collections.abc import Sequence

from ivr import interpreter
from ivr import run as flow
from ivr.voices import language_of
from model import events, media
from model.causes import HangupCause
from switch import agent_ringing, flow_steps, ringing, speech_input, surveys
from switch.actions import Action
from switch.answering import answer_caller, begin_segment, end_segment
from switch.call import Call, Leg, QueueStay
from switch.environment import Environment
from switch.flow_world import FlowWorld
from switch.leg_events import (
    CallerHeard,
    CallEvent,
    DropLeg,
    FlowReplied,
    LegDigit,
    LegFailed,
    LegHungUp,
    LegSilent,
    LegSpeaks,
    PlayEnded,
    RecordingClosed,
    Release,
    SetData,
    SpeechMade,
    Timeout,
    TimerDue,
    WithdrawAgent,
)
from switch.phases import bridged
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.phases.route import plan
from switch.release import leg_left
from switch.ring_plan import Ringing
from switch.routing import Origin
from switch.variables import set_data

log = logging.getLogger(__name__)

TIMER = "ivr"
TRANSFER = "transfer"
MAX_AT_ONCE = 5
AT_ONCE_S = 3.0
"""More flows than this within so long are a circle of flows and queues in which nobody waits."""
_OUTCOMES: dict[HangupCause, flow.Outcome] = {HangupCause.USER_BUSY: "busy", HangupCause.NO_ANSWER: "no_answer"}


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Leg `a` is, or will be, answered, and hears the flow `call.flow_name` from its beginning."""
    if call.flow is not None:
        return _back_from_message(call, now, env)
    program = env.directory.flows.get(call.flow_name)
    if program is None:
        return releasing(call, HangupCause.NO_ROUTE_DESTINATION, "system", now, env)
    if _goes_in_circles(call, now):
        log.warning(
            "! call %s goes in circles of queues and flow %s without waiting anywhere", call.call_id, call.flow_name
        )
        return releasing(call, HangupCause.NO_ROUTE_DESTINATION, "system", now, env)
    leg = call.legs[call.a]
    call.is_direct = leg.is_direct = False
    limit = env.config.calls.max_duration_s
    call.deadline = now + limit if limit else 0.0
    language = language_of(call.variables.get("language") or program.flow.language)
    given = {"caller": call.caller, "access_number": call.access_number}
    call.flow = interpreter.begin(program, given, language, now)
    before = answer_caller(call, leg, now, env)
    _begin_segment(call, now, env)
    return _go(call, interpreter.start(call.flow, now, FlowWorld(call, env, now)), now, env, before)


def _begin_segment(call: Call, now: float, env: Environment) -> None:
    """What comes after the conversation is no part of the record's segments."""
    if not call.talk_ended_utc:
        begin_segment(call, call.legs[call.a], "ivr", now, env)


def _back_from_message(call: Call, now: float, env: Environment) -> Outcome:
    leaving, call.leaving = call.leaving, None
    outcome = (leaving.result if leaving is not None else "") or "nothing"
    _begin_segment(call, now, env)
    limit = env.config.calls.max_duration_s
    call.deadline = now + limit if limit else 0.0
    return _step(call, flow.MessageTaken(outcome), now, env)


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    if leg is not None and leg.leg_id != call.a:
        return _on_called(call, leg, event, now, env)
    match event:
        case LegDigit() if leg is not None and not bridged.is_told(leg, event, now):
            return _pressed(call, leg, event, now, env)
        case SpeechMade(token=token) if token == flow_steps.play_id(call) and flow_steps.run_of(call).is_saying:
            return stay(flow_steps.play_made(call, event, env))
        case PlayEnded(play_id=play_id, reason="error") if play_id == flow_steps.play_id(call):
            return stay(flow_steps.play_again(call) or flow_steps.replace_sound(call, env))
        case PlayEnded(play_id=play_id) if play_id.removesuffix(flow_steps.REPLACED) == flow_steps.play_id(call):
            return _step(call, flow.Said(flow_steps.run_of(call).n_said), now, env)
        case FlowReplied(token=token, found=found, error=error) if token == flow_steps.token(call):
            return _step(call, flow.Replied(found, error, event.outcome), now, env)
        case LegSpeaks(is_speaking=is_speaking):
            speech_input.speaks(call, is_speaking, now)
            return stay()
        case RecordingClosed():
            return stay(speech_input.closed(call, event))
        case CallerHeard(token=token) if call.listening is not None and token == call.listening.token:
            return _heard(call, event.text, event.error, now, env)
        case TimerDue(name=name):
            return _due(call, name, now, env)
        case LegHungUp(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            return _over(call, "hung_up", cause, "caller", now, env)
        case LegFailed(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            return _over(call, "failed", cause, "system", now, env)
        case LegSilent() if leg is not None:
            return _over(call, "failed", HangupCause.MEDIA_TIMEOUT, "system", now, env)
        case DropLeg(cause=cause):
            return _over(call, "released", cause, "system", now, env)
        case Release(cause=cause, side=side):
            return _over(call, "released", cause, side, now, env)
        case Timeout():
            return _over(call, "released", HangupCause.ALLOTTED_TIMEOUT, "system", now, env)
        case SetData(data=data):
            return stay(set_data(call, data))
        case WithdrawAgent(offer_id=offer_id, reason=reason) if call.stay is not None:
            # Of the queue that he came from.
            return stay(agent_ringing.withdraw(call, offer_id, reason, now, env))
        case _:
            return stay()


def _goes_in_circles(call: Call, now: float) -> bool:
    """Counts the flows that the call enters."""
    call.n_flows += 1
    if now - call.flow_at > AT_ONCE_S:
        call.n_flows_at_once, call.flow_at = 0, now
    call.n_flows_at_once += 1
    return call.n_flows_at_once > MAX_AT_ONCE


def _pressed(call: Call, leg: Leg, event: LegDigit, now: float, env: Environment) -> Outcome:
    run = flow_steps.run_of(call)
    if event.is_secure and not run.is_secure:
        # Typed before the end of what is secret, told after it.
        return stay()
    before: list[Action] = []
    if not run.is_secure:
        before.append(
            events.CallDigit(call_id=call.call_id, leg_id=leg.leg_id, digit=event.digit, duration_ms=event.duration_ms)
        )
    return _step(call, flow.Digit(event.digit), now, env, before)


def _due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    if name == TIMER:
        return _step(call, flow.Due(), now, env)
    if name == speech_input.TIMER:
        actions, is_silent = speech_input.due(call, now)
        return _heard(call, "", "", now, env, actions) if is_silent else stay(actions)
    made = agent_ringing.ringing_due(call, name)
    if made is None:
        return stay(ringing.timer_due(call, name))
    standing = ringing.no_answer(call, made, now, env)
    if made.purpose == TRANSFER:
        return _follow_transfer(call, standing, now, env, [])
    return stay(agent_ringing.follow(call, made, standing))


def _heard(call: Call, text: str, error: str, now: float, env: Environment, before: Sequence[Action] = ()) -> Outcome:
    return _step(
        call, flow.Heard(flow_steps.run_of(call).n_heard, text, error), now, env, [*before, *speech_input.stop(call)]
    )


def _step(call: Call, given: flow.FlowInput, now: float, env: Environment, before: Sequence[Action] = ()) -> Outcome:
    return _go(call, interpreter.step(flow_steps.run_of(call), given, now, FlowWorld(call, env, now)), now, env, before)


def _go(
    call: Call, steps: Sequence[flow.FlowAction], now: float, env: Environment, before: Sequence[Action] = ()
) -> Outcome:
    """Carries out what the interpreter decided."""
    actions: list[Action] = [*before]
    for step in steps:
        match step:
            case flow.JoinQueue(queue=queue):
                return _join(call, queue, actions, now, env)
            case flow.Hear(number=number):
                actions += speech_input.begin(call, step, call.n_flows * 100_000 + number, now, env)
            case flow.StopHearing():
                actions += speech_input.stop(call)
            case flow.TakeMessage():
                return _take_message(call, step, actions, now, env)
            case flow.TransferTo():
                return _transfer(call, step, actions, now, env)
            case flow.EndCall():
                return _over(call, "ended", HangupCause.NORMAL_CLEARING, "system", now, env, actions)
            case _:
                actions += flow_steps.carry_out(call, step, env)
    _arm(call)
    return stay(actions)


def _join(call: Call, queue: str, actions: list[Action], now: float, env: Environment) -> Outcome:
    run = flow_steps.run_of(call)
    if queue not in env.directory.queues:
        steps = interpreter.leave(run, f'leads to queue "{queue}", which is gone', now, FlowWorld(call, env, now))
        return _go(call, steps, now, env, actions)
    actions += [*flow_steps.note_path(call), flow_steps.ended(call, "queue"), *_go_on(call, now, env)]
    call.stay = QueueStay(queue=queue, entry_id="")
    return to_phase("queue", actions)


def _take_message(call: Call, step: flow.TakeMessage, actions: list[Action], now: float, env: Environment) -> Outcome:
    run = flow_steps.run_of(call)
    if step.box not in env.directory.boxes:
        why = f'leads to voicemail box "{step.box}", which is gone'
        steps = interpreter.leave(run, why, now, FlowWorld(call, env, now))
        return _go(call, steps, now, env, actions)
    call.timers.pop(TIMER, None)
    end_segment(call, call.legs[call.a], now, env)
    call.box, call.is_greeted = step.box, step.has_greeting
    return to_phase("voicemail", [*actions, *flow_steps.note_path(call)])


# -- transfers ---------------------------------------------------------------------------------------------------------


def _transfer(call: Call, step: flow.TransferTo, before: list[Action], now: float, env: Environment) -> Outcome:
    """Rings somebody; the flow goes on when nobody answers."""
    _arm(call)
    made = Ringing(
        ringing_id=TRANSFER,
        purpose=TRANSFER,
        caller_leg=call.a,
        caller=call.caller,
        caller_name=call.caller_name,
        dialed=step.number,
        ring_timeout_s=step.ring_timeout_s,
    )
    # What he typed, or somebody else's system said, leads to nobody outside (toll fraud).
    is_barred = step.is_variable and step.number not in env.directory.extensions
    cause: HangupCause | None = HangupCause.UNALLOCATED_NUMBER
    if not is_barred:
        # The centre's own number pays for it, as for an access number that leads outside.
        cause = plan(made, Origin(caller=call.access_number or call.dialed), step.number, now, env)
    if cause is not None:
        return _not_transferred(call, cause, now, env, before)
    before += flow_steps.note_path(call)
    before.append(media.Play(session=call.call_id, leg=call.a, play_id=TRANSFER, sources=env.ringback, is_looped=True))
    return _follow_transfer(call, ringing.start(call, made, now, env), now, env, before)


def _on_called(call: Call, leg: Leg, event: CallEvent, now: float, env: Environment) -> Outcome:
    made = call.ringings.get(leg.ringing)
    if made is not None and made.purpose == TRANSFER:
        return _follow_transfer(call, ringing.on(call, made, leg, event, now, env), now, env, [])
    # An agent of the queue that he came from.
    return stay(agent_ringing.on_leg(call, leg, event, now, env)) if call.stay is not None else stay()


def _follow_transfer(
    call: Call, standing: ringing.Standing, now: float, env: Environment, before: list[Action]
) -> Outcome:
    actions = [*before, *standing.actions]
    if standing.answered is not None:
        actions += [flow_steps.ended(call, "transferred"), *_go_on(call, now, env)]
        call.b = standing.answered.leg_id
        return to_phase("bridged", [*actions, media.StopPlay(call.call_id, call.a)])
    if standing.failed is not None:
        actions.append(media.StopPlay(call.call_id, call.a, TRANSFER))
        return _not_transferred(call, standing.failed, now, env, actions)
    return stay(actions)


def _not_transferred(call: Call, cause: HangupCause, now: float, env: Environment, before: list[Action]) -> Outcome:
    return _step(call, flow.NotTransferred(_OUTCOMES.get(cause, "failed")), now, env, before)


# -- ends --------------------------------------------------------------------------------------------------------------


def _over(
    call: Call,
    result: str,
    cause: HangupCause,
    side: str,
    now: float,
    env: Environment,
    before: Sequence[Action] = (),
) -> Outcome:
    actions = [*before, *speech_input.stop(call), flow_steps.ended(call, result), *_let_go(call, now, env)]
    return releasing(call, cause, side, now, env, actions)


def end_flow(call: Call, result: str, now: float, env: Environment) -> list[Action]:
    """The call ends elsewhere while the flow waits for it to come back."""
    return [flow_steps.ended(call, result), *_let_go(call, now, env)]


def _go_on(call: Call, now: float, env: Environment) -> list[Action]:
    """To somebody: a conversation before a survey was not the last one."""
    if call.talk_ended_utc:
        call.between_s += env.wall(now) - call.talk_ended_utc
    call.talk_ended_utc = 0.0
    return _let_go(call, now, env)


def _let_go(call: Call, now: float, env: Environment) -> list[Action]:
    """The flow is over for this caller, and what he typed is forgotten."""
    actions = surveys.unfinished(call)
    call.flow, call.saying = None, ()
    call.timers.pop(TIMER, None)
    end_segment(call, call.legs[call.a], now, env)
    return actions


# -- small parts -------------------------------------------------------------------------------------------------------


def _arm(call: Call) -> None:
    deadline = flow_steps.run_of(call).deadline
    if deadline:
        call.timers[TIMER] = deadline
    else:
        call.timers.pop(TIMER, None)
