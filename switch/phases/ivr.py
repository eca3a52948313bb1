"""Phase ivr: a flow talks with the caller, until it sends him to a queue, connects him, or ends the call.

The interpreter decides (`ivr.interpreter`); here its actions become sound, requests and legs.
"""

import logging
from collections.abc import Sequence

from ivr import interpreter
from ivr import run as flow
from ivr.speaking import Sound
from ivr.voices import language_of
from model import events, media
from model.causes import HangupCause
from model.events_flow import FlowEnded, FlowLeft, FlowTrouble, FlowVisited
from switch import agent_ringing, ringing
from switch.actions import Action, AskHttp, AskMember, MakeSpeech
from switch.answering import answer_caller, begin_segment, end_segment
from switch.call import Call, Leg, QueueStay
from switch.environment import Environment
from switch.flow_world import FlowWorld
from switch.leg_events import (
    CallEvent,
    DropLeg,
    FlowReplied,
    LegDigit,
    LegFailed,
    LegHungUp,
    LegSilent,
    PlayEnded,
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
HOLD = "ivr_hold"
REPLACED = "!"
"""Ends the play id of what is played in the place of a sound that cannot be."""
MAX_PATH = 255
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
    begin_segment(call, leg, "ivr", now, env)
    return _go(call, interpreter.start(call.flow, now, FlowWorld(env, now)), now, env, before)


def _back_from_message(call: Call, now: float, env: Environment) -> Outcome:
    leaving, call.leaving = call.leaving, None
    outcome = (leaving.result if leaving is not None else "") or "nothing"
    begin_segment(call, call.legs[call.a], "ivr", now, env)
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
        case SpeechMade(token=token) if token == _play_id(call) and _run(call).is_saying:
            return stay(_play_made(call, event, env))
        case PlayEnded(play_id=play_id, reason="error") if play_id == _play_id(call):
            return stay(_play_again(call) or _replace_sound(call, env))
        case PlayEnded(play_id=play_id) if play_id in (_play_id(call), _play_id(call) + REPLACED):
            return _step(call, flow.Said(_run(call).n_said), now, env)
        case FlowReplied(token=token, found=found, error=error) if token == _token(call):
            return _step(call, flow.Replied(found, error, event.outcome), now, env)
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
    run = _run(call)
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
    made = agent_ringing.ringing_due(call, name)
    if made is None:
        return stay(ringing.timer_due(call, name))
    standing = ringing.no_answer(call, made, now, env)
    if made.purpose == TRANSFER:
        return _follow_transfer(call, standing, now, env, [])
    return stay(agent_ringing.follow(call, made, standing))


def _step(call: Call, given: flow.FlowInput, now: float, env: Environment, before: Sequence[Action] = ()) -> Outcome:
    return _go(call, interpreter.step(_run(call), given, now, FlowWorld(env, now)), now, env, before)


def _go(
    call: Call, steps: Sequence[flow.FlowAction], now: float, env: Environment, before: Sequence[Action] = ()
) -> Outcome:
    """Carries out what the interpreter decided."""
    actions: list[Action] = [*before]
    for step in steps:
        match step:
            case flow.Visited():
                actions.append(
                    FlowVisited(
                        call_id=call.call_id, flow=step.flow, version=step.version, at_node=step.node, kind=step.kind
                    )
                )
            case flow.Left():
                actions.append(
                    FlowLeft(
                        call_id=call.call_id,
                        flow=step.flow,
                        version=step.version,
                        at_node=step.node,
                        branch=step.branch,
                    )
                )
            case flow.Trouble():
                actions.append(_trouble(call, step.flow, step.node, step.problem))
            case flow.Say():
                actions += _say(call, step, env)
            case flow.StopSaying():
                actions.append(media.StopPlay(call.call_id, call.a))
            case flow.Secure(is_on=is_on):
                actions += bridged.secure(call, call.legs[call.a], is_on)
            case flow.Ask(hold=hold):
                actions.append(
                    media.Play(
                        session=call.call_id, leg=call.a, play_id=HOLD, sources=[env.sound(hold)], is_looped=True
                    )
                )
                actions.append(AskHttp(call.call_id, call.a, _token(call), step))
            case flow.CheckMember():
                actions.append(AskMember(call.call_id, call.a, _token(call), step))
            case flow.Tell(data=data):
                actions += set_data(call, {**data})
            case flow.SpeakLanguage(language=language):
                actions += set_data(call, {"language": language})
            case flow.RankCaller():
                call.is_vip = call.is_vip or step.is_vip
                call.queue_priority = step.priority
                call.queue_skills = tuple(sorted(step.skills.items()))
            case flow.JoinQueue(queue=queue):
                return _join(call, queue, actions, now, env)
            case flow.TakeMessage():
                return _take_message(call, step, actions, now, env)
            case flow.TransferTo():
                return _transfer(call, step, actions, now, env)
            case flow.EndCall():
                return _over(call, "ended", HangupCause.NORMAL_CLEARING, "system", now, env, actions)
    _arm(call)
    return stay(actions)


def _say(call: Call, said: flow.Say, env: Environment) -> list[Action]:
    sounds: list[Sound] = [env.sound(each) if isinstance(each, str) else each for each in said.sounds]
    sources = [each for each in sounds if isinstance(each, str)]
    if len(sources) == len(sounds):
        call.saying = ()
        return [media.Play(session=call.call_id, leg=call.a, play_id=_play_id(call), sources=sources)]
    call.saying = tuple(sounds)
    return [MakeSpeech(call.call_id, call.a, _play_id(call), call.saying)]


def _play_made(call: Call, made: SpeechMade, env: Environment) -> list[Action]:
    actions: list[Action] = []
    if made.error:
        frame = _run(call).frames[-1]
        actions.append(_trouble(call, frame.program.name, frame.node, f"text cannot be spoken: {made.error}"))
    # Better a tone than nothing: he must notice that something is missing.
    sources = [source or env.refused for source in made.sources]
    return [*actions, media.Play(session=call.call_id, leg=call.a, play_id=_play_id(call), sources=sources)]


def _play_again(call: Call) -> list[Action]:
    """A file of speech may have gone a moment ago, or be broken: it is made anew, once."""
    sounds, call.saying = call.saying, ()
    return [MakeSpeech(call.call_id, call.a, _play_id(call), sounds, is_anew=True)] if sounds else []


def _replace_sound(call: Call, env: Environment) -> list[Action]:
    """A sound is missing: he hears a tone, and the log and subscribers hear of it."""
    frame = _run(call).frames[-1]
    return [
        _trouble(call, frame.program.name, frame.node, "a sound cannot be played"),
        media.Play(session=call.call_id, leg=call.a, play_id=_play_id(call) + REPLACED, sources=[env.refused]),
    ]


def _join(call: Call, queue: str, actions: list[Action], now: float, env: Environment) -> Outcome:
    run = _run(call)
    if queue not in env.directory.queues:
        steps = interpreter.leave(run, f'leads to queue "{queue}", which is gone', now, FlowWorld(env, now))
        return _go(call, steps, now, env, actions)
    actions += [*_note_path(call), _ended(call, "queue")]
    _let_go(call, now, env)
    call.stay = QueueStay(queue=queue, entry_id="")
    return to_phase("queue", actions)


def _take_message(call: Call, step: flow.TakeMessage, actions: list[Action], now: float, env: Environment) -> Outcome:
    run = _run(call)
    if step.box not in env.directory.boxes:
        why = f'leads to voicemail box "{step.box}", which is gone'
        steps = interpreter.leave(run, why, now, FlowWorld(env, now))
        return _go(call, steps, now, env, actions)
    call.timers.pop(TIMER, None)
    end_segment(call, call.legs[call.a], now, env)
    call.box, call.is_greeted = step.box, step.has_greeting
    return to_phase("voicemail", [*actions, *_note_path(call)])


def _note_path(call: Call) -> list[Action]:
    """The way he came, for screens (IVR-19)."""
    path = _run(call).path
    told = ""
    for node in reversed(path):
        if len(told) + len(node) + 3 > MAX_PATH:
            break
        told = f"{node} > {told}" if told else node
    return set_data(call, {"ivr_node": path[-1] if path else "", "ivr_path": told})


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
    before += _note_path(call)
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
        actions.append(_ended(call, "transferred"))
        _let_go(call, now, env)
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
    actions = [*before, _ended(call, result)]
    _let_go(call, now, env)
    return releasing(call, cause, side, now, env, actions)


def end_flow(call: Call, result: str, now: float, env: Environment) -> list[Action]:
    """The call ends elsewhere while the flow waits for it to come back."""
    actions: list[Action] = [_ended(call, result)]
    _let_go(call, now, env)
    return actions


def _ended(call: Call, result: str) -> FlowEnded:
    run = _run(call)
    frame = run.frames[-1]
    return FlowEnded(
        call_id=call.call_id,
        flow=run.frames[0].program.name,
        version=run.frames[0].program.version,
        at_node=f"{frame.program.name}/{frame.node}",
        result=result,
        n_steps=run.n_steps,
    )


def _let_go(call: Call, now: float, env: Environment) -> None:
    """The flow is over for this caller, and what he typed is forgotten."""
    call.flow, call.saying = None, ()
    call.timers.pop(TIMER, None)
    end_segment(call, call.legs[call.a], now, env)


# -- small parts -------------------------------------------------------------------------------------------------------


def _run(call: Call) -> flow.FlowRun:
    assert call.flow is not None
    return call.flow


def _play_id(call: Call) -> str:
    return f"ivr{call.n_flows}.{_run(call).n_said}"


def _token(call: Call) -> int:
    """Of the request that the flow waits for: one of an earlier flow of the call is another."""
    return call.n_flows * 100_000 + _run(call).n_steps


def _arm(call: Call) -> None:
    deadline = _run(call).deadline
    if deadline:
        call.timers[TIMER] = deadline
    else:
        call.timers.pop(TIMER, None)


def _trouble(call: Call, name: str, node: str, problem: str) -> FlowTrouble:
    return FlowTrouble(call_id=call.call_id, flow=name, at_node=node, problem=problem)
