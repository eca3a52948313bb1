"""Phase voicemail: the caller hears the greeting of a box and a tone, speaks, may listen to it and record it again
(VM-01, VM-02). Whatever becomes of the call, what he has said is kept, unless he throws it away himself.

He came from a queue, a number, or a flow, which goes on afterwards.
"""

import re
import time

from ivr import announcements
from ivr.voices import language_of
from model import events, media
from model.causes import HangupCause
from model.records import MessageRecord, RecordingRecord
from switch import agent_ringing, recordings, ringing
from switch.actions import Action, NoteMessage, ReconfigureLeg, SettleMessage
from switch.answering import answer_caller, begin_segment, end_segment
from switch.call import Call, Leg, RunningRecording
from switch.environment import Environment
from switch.leg_events import (
    CallEvent,
    DropLeg,
    LegDigit,
    LegFailed,
    LegHungUp,
    LegSilent,
    LegSpeaks,
    PlayEnded,
    RecordingClosed,
    Release,
    SetData,
    Timeout,
    TimerDue,
    WithdrawAgent,
)
from switch.phases import bridged
from switch.phases.ivr import end_flow
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.release import leg_left
from switch.variables import set_data
from switch.voicemail import LeavingMessage, Result, find_box

SILENCE, TOO_LONG, CLOSING, ANSWER = "silence", "longest", "closing", "answer"
MAX_TRIES = 5
"""So often he may record it."""
REVIEW_S = 8.0
CLOSING_S = 5.0
"""A file that should be closed is waited for so long."""
SAYING_S = 120.0
BEFORE_SPEECH_S = 4.0
"""Who has said nothing yet has so much more time."""
_PAUSE = "silence:300"
"""Phones lose the first moment of what is played when they are answered."""
_UNSAFE = re.compile(r"[^0-9A-Za-z+*_-]")


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Leg `a` is, or will be, answered, and leaves a message in the box `call.box`."""
    queue = call.stay.queue if call.stay is not None and call.flow is None else ""
    box = find_box(env.directory.boxes, call.box, queue)
    if box is None:
        return _over(call, "failed", HangupCause.NO_ROUTE_DESTINATION, "system", now, env)
    leg = call.legs[call.a]
    call.is_direct = leg.is_direct = False
    language = language_of(call.variables.get("language") or box.language)
    call.leaving = LeavingMessage(box=box, language=language)
    call.deadline = now + 2 * SAYING_S + MAX_TRIES * (2 * box.max_s + SAYING_S)
    # What is recorded from here on is the message.
    actions = [*recordings.change(call, "stop"), *answer_caller(call, leg, now, env)]
    begin_segment(call, leg, "voicemail", now, env)
    if not leg.detects_speech:
        leg.detects_speech = True
        actions.append(ReconfigureLeg(call.call_id, leg.leg_id))
    if env.n_messages(box.name) >= box.max_messages:
        return stay(actions + _end(call, "full", now, env))
    if not call.is_greeted:
        return stay(actions + _tone(call, now, env))
    greeting = [env.sound(box.greeting, language)] if box.greeting else announcements.phrase("leave_message", language)
    return stay(actions + _say(call, "greeting", [_PAUSE, *greeting], now))


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    if leg is not None and leg.leg_id != call.a:
        # An agent of the queue that he came from.
        return stay(agent_ringing.on_leg(call, leg, event, now, env)) if call.stay is not None else stay()
    match event:
        case LegDigit() if leg is not None and not bridged.is_told(leg, event, now):
            return _pressed(call, leg, event, now, env)
        case PlayEnded(play_id=play_id) if play_id == _play_id(call):
            return _said(call, now, env)
        case LegSpeaks(is_speaking=is_speaking):
            _heard(call, is_speaking, now)
            return stay()
        case RecordingClosed(recording_id=recording_id) if recording_id == _leaving(call).message_id:
            return _closed(call, event, now, env)
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
        case DropLeg(cause=cause) | Release(cause=cause):
            return _over(call, "released", cause, "system", now, env)
        case Timeout():
            return _over(call, "released", HangupCause.ALLOTTED_TIMEOUT, "system", now, env)
        case SetData(data=data):
            return stay(set_data(call, data))
        case WithdrawAgent(offer_id=offer_id, reason=reason) if call.stay is not None:
            return stay(agent_ringing.withdraw(call, offer_id, reason, now, env))
        case _:
            return stay()


def _pressed(call: Call, leg: Leg, event: LegDigit, now: float, env: Environment) -> Outcome:
    leaving = _leaving(call)
    told: list[Action] = [
        events.CallDigit(call_id=call.call_id, leg_id=leg.leg_id, digit=event.digit, duration_ms=event.duration_ms)
    ]
    match leaving.stage, event.digit:
        case "greeting", "#":
            return stay([*told, *_tone(call, now, env)])
        case "recording", "#":
            return stay([*told, *_stop(call, now, env)])
        case "review" | "listening", "1" | "#":
            return stay([*told, *_end(call, "left", now, env)])
        case "review" | "listening", "2":
            leaving.stage = "listening"
            return stay([*told, *_say(call, "listening", [f"file:{leaving.path}"], now)])
        case "review" | "listening", "3" if leaving.n_tries < MAX_TRIES:
            return stay([*told, *_settle(call, is_kept=False), *_tone(call, now, env)])
        case _:
            return stay(told)


def _said(call: Call, now: float, env: Environment) -> Outcome:
    match _leaving(call).stage:
        case "greeting":
            return stay(_tone(call, now, env))
        case "tone":
            return stay(_record(call, now, env))
        case "listening":
            return stay(_review(call, now))
        case "review":
            call.timers[ANSWER] = now + REVIEW_S
            return stay()
        case "bye":
            return _leave(call, now, env)
        case _:
            return stay()


def _due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    leaving = _leaving(call)
    if name in (SILENCE, TOO_LONG):
        return stay(_stop(call, now, env, is_kept=leaving.has_spoken or name == TOO_LONG))
    if name == CLOSING or (name == ANSWER and leaving.stage == "review"):
        # What has become of a file that is not closed is settled when it is known.
        return stay(_end(call, "left", now, env))
    if name == ANSWER:
        # What is said does not end.
        return _said(call, now, env)
    made = agent_ringing.ringing_due(call, name)
    if made is None:
        return stay(ringing.timer_due(call, name))
    return stay(agent_ringing.follow(call, made, ringing.no_answer(call, made, now, env)))


def _heard(call: Call, is_speaking: bool, now: float) -> None:
    leaving = _leaving(call)
    if leaving.stage != "recording":
        return
    leaving.has_spoken |= is_speaking
    if is_speaking or not leaving.box.silence_s:
        call.timers.pop(SILENCE, None)
    else:
        call.timers[SILENCE] = now + leaving.box.silence_s


# -- recording ---------------------------------------------------------------------------------------------------------


def _tone(call: Call, now: float, env: Environment) -> list[Action]:
    return _say(call, "tone", [f"tone:beep/{env.config.media.tone_plan}"], now)


def _record(call: Call, now: float, env: Environment) -> list[Action]:
    leaving, wall = _leaving(call), env.wall(now)
    leaving.stage = "recording"
    leaving.n_tries += 1
    leaving.has_spoken = False
    message_id = leaving.message_id = env.ids.new()
    leaving.path = _path(call, message_id, wall, env)
    call.n_recordings += 1
    begun = media.StartRecording(
        session=call.call_id,
        recording=message_id,
        path=leaving.path,
        channels=[[call.a]],
        encoding=env.config.recording.encoding,
    )
    call.recording = RunningRecording(recording_id=message_id, started_utc=wall, start=begun)
    call.timers[TOO_LONG] = now + leaving.box.max_s
    if leaving.box.silence_s:
        call.timers[SILENCE] = now + leaving.box.silence_s + BEFORE_SPEECH_S
    call.timers.pop(ANSWER, None)
    return [
        begun,
        RecordingRecord(
            recording_id=message_id,
            call_id=call.call_id,
            path=leaving.path,
            started_utc=wall,
            channels=1,
            encoding=begun.encoding,
            state="recording",
            caller=call.caller,
            dialed=call.dialed,
            trunk=call.trunk,
        ),
        NoteMessage(_message(call, leaving, wall)),
        events.RecordingStarted(recording_id=message_id, call_id=call.call_id, path=leaving.path),
    ]


def _message(call: Call, leaving: LeavingMessage, wall: float) -> MessageRecord:
    box = leaving.box
    return MessageRecord(
        message_id=leaving.message_id,
        box=box.name,
        queue=box.queue,
        extension=box.extensions[0] if box.extensions else "",
        call_id=call.call_id,
        path=leaving.path,
        caller=call.caller,
        caller_name=call.caller_name,
        access_number=call.access_number,
        left_utc=wall,
    )


def _stop(call: Call, now: float, env: Environment, *, is_kept: bool = True) -> list[Action]:
    """He has finished."""
    leaving = _leaving(call)
    leaving.stage = "closing"
    for name in (SILENCE, TOO_LONG):
        call.timers.pop(name, None)
    actions = recordings.change(call, "stop")
    if not is_kept:
        return actions + _end(call, "nothing", now, env)
    call.timers[CLOSING] = now + CLOSING_S
    return actions


def _closed(call: Call, event: RecordingClosed, now: float, env: Environment) -> Outcome:
    leaving = _leaving(call)
    if leaving.stage == "recording":
        # It cannot be written any longer: what there is of it is all there will be.
        call.recording = None
        settled = _settle(call, is_kept=True)
        return stay(settled + _end(call, "left" if event.duration_s >= leaving.box.min_s else "nothing", now, env))
    if leaving.stage != "closing":
        return stay()
    call.timers.pop(CLOSING, None)
    if event.duration_s < leaving.box.min_s or event.error:
        return stay(_end(call, "nothing", now, env))
    if not leaving.box.has_review:
        return stay(_end(call, "left", now, env))
    return stay(_review(call, now))


def _review(call: Call, now: float) -> list[Action]:
    return _say(call, "review", announcements.phrase("review_message", _leaving(call).language), now)


def _settle(call: Call, *, is_kept: bool) -> list[Action]:
    leaving = _leaving(call)
    message_id, leaving.message_id = leaving.message_id, ""
    return [SettleMessage(call.call_id, "", message_id, is_kept)] if message_id else []


# -- ends --------------------------------------------------------------------------------------------------------------


def _end(call: Call, result: Result, now: float, env: Environment) -> list[Action]:
    """Says how it went; then he leaves."""
    leaving = _leaving(call)
    actions = _settle(call, is_kept=result == "left")
    leaving.result = result
    name = {"left": "message_left", "nothing": "no_message", "full": "box_full"}[result]
    said = announcements.phrase(name, leaving.language)
    if call.flow is None:
        said += announcements.phrase("goodbye", leaving.language)
    return actions + _say(call, "bye", [_PAUSE, *said], now)


def _leave(call: Call, now: float, env: Environment) -> Outcome:
    if call.flow is None:
        return _over(call, "ended", HangupCause.NORMAL_CLEARING, "system", now, env)
    # The flow that he came from goes on.
    for name in (SILENCE, TOO_LONG, CLOSING, ANSWER):
        call.timers.pop(name, None)
    end_segment(call, call.legs[call.a], now, env)
    return to_phase("ivr", [media.StopPlay(call.call_id, call.a)])


def _over(call: Call, result: str, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome:
    """What he has said so far is kept."""
    leaving = call.leaving
    actions: list[Action] = []
    if leaving is not None and leaving.message_id:
        actions += recordings.change(call, "stop")
        actions += _settle(call, is_kept=True)
    if call.flow is not None:
        actions += end_flow(call, result, now, env)
    return releasing(call, cause, side, now, env, actions)


# -- small parts -------------------------------------------------------------------------------------------------------


def _leaving(call: Call) -> LeavingMessage:
    assert call.leaving is not None
    return call.leaving


def _play_id(call: Call) -> str:
    return f"voicemail{_leaving(call).n_said}"


def _say(call: Call, stage: str, sources: list[str], now: float) -> list[Action]:
    leaving = _leaving(call)
    leaving.stage = stage
    leaving.n_said += 1
    call.timers[ANSWER] = now + (leaving.box.max_s + SAYING_S)
    return [media.Play(session=call.call_id, leg=call.a, play_id=_play_id(call), sources=sources)]


def _path(call: Call, message_id: str, wall: float, env: Environment) -> str:
    """voicemail/year/month/time_caller_id.wav in UTC, among the recordings; nothing a caller sends can leave the
    folder."""
    month, clock = time.strftime("%Y/%m", time.gmtime(wall)), time.strftime("%d%H%M%S", time.gmtime(wall))
    caller = _UNSAFE.sub("_", call.caller)[:32]
    folder = env.config.resolve(env.config.recording.directory).absolute() / "voicemail" / month
    return str(folder / f"{clock}_{caller}_{message_id}.wav")
