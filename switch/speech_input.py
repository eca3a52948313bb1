"""Listens to what a caller says in a flow (XIVR-05): the media worker writes it down as it writes recordings, until he
is silent; the listening process reads it meanwhile. Pure.

It is no recording of the call: nobody is told of it, and its file goes when it is understood.
"""

from ivr import run as flow
from model import media
from switch.actions import Action, HearCaller, ReconfigureLeg, StopHearing
from switch.call import Call
from switch.environment import Environment
from switch.leg_events import RecordingClosed
from switch.listening_to import Listening

TIMER = "hear"
FOLDER = "heard"
"""In the data directory."""
_CLOSING_S = 3.0
"""A file that should be closed is waited for so long."""


def begin(call: Call, step: flow.Hear, token: int, now: float, env: Environment) -> list[Action]:
    """He may speak now."""
    leg = call.legs[call.a]
    recording = f"{call.call_id}.heard{token}"
    path = str(env.config.resolve(FOLDER).absolute() / f"{recording}.wav")
    call.listening = Listening(
        token=token, recording=recording, silence_s=step.silence_s, ends_at=now + step.first_s + step.max_s
    )
    call.timers[TIMER] = now + step.first_s
    actions: list[Action] = []
    if not leg.detects_speech:
        leg.detects_speech = True
        actions.append(ReconfigureLeg(call.call_id, leg.leg_id))
    return [
        *actions,
        media.StartRecording(
            session=call.call_id, recording=recording, path=path, channels=[[leg.leg_id]], encoding="pcm16"
        ),
        HearCaller(call.call_id, leg.leg_id, token, path, step.language, step.hints, step.first_s + step.max_s),
    ]


def speaks(call: Call, is_speaking: bool, now: float) -> None:
    """He begins or stops to speak."""
    listening = call.listening
    if listening is None or listening.is_over:
        return
    listening.has_spoken |= is_speaking
    if listening.has_spoken:
        call.timers[TIMER] = listening.ends_at if is_speaking else min(now + listening.silence_s, listening.ends_at)


def due(call: Call, now: float) -> tuple[list[Action], bool]:
    """His time is over. Also whether he has said nothing at all."""
    listening = call.listening
    if listening is None:
        return [], False
    if listening.is_over:
        # The end of the file was not told; what is there must do.
        call.timers.pop(TIMER, None)
        return [StopHearing(call.call_id, call.a, listening.token, True)], False
    if not listening.has_spoken:
        return stop(call), True
    listening.is_over = True
    call.timers[TIMER] = now + _CLOSING_S
    return [media.StopRecording(call.call_id, listening.recording)], False


def closed(call: Call, event: RecordingClosed) -> list[Action]:
    """All that he said is in the file."""
    listening = call.listening
    if listening is None or event.recording_id != listening.recording:
        return []
    call.timers.pop(TIMER, None)
    return [StopHearing(call.call_id, call.a, listening.token, True)]


def stop(call: Call) -> list[Action]:
    """Nobody wants to know any more, or it is understood already."""
    listening, call.listening = call.listening, None
    if listening is None:
        return []
    call.timers.pop(TIMER, None)
    return [
        media.StopRecording(call.call_id, listening.recording),
        StopHearing(call.call_id, call.a, listening.token, False),
    ]
