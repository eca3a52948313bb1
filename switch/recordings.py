"""Which calls are recorded, under which name, and what is said to the media worker about it. Pure."""

import re
import time

from model import events, media
from model.records import RecordingRecord
from switch.actions import Action
from switch.call import Call, RunningRecording
from switch.environment import Environment

_UNSAFE = re.compile(r"[^0-9A-Za-z+*_-]")


def is_wanted(call: Call, env: Environment) -> bool:
    """Both parties' settings must allow it, audio must come by us, and recording must be on."""
    if not env.config.recording.enabled or call.is_direct or not call.wants_recording:
        return False
    return all(leg.is_recorded for leg in call.legs.values() if leg.is_up)


def start(call: Call, now: float, env: Environment) -> list[Action]:
    """Begins a recording: customer on the left channel, our side on the right (the caller left between extensions)."""
    left, right = call.legs[call.a], call.legs[call.b]
    if right.kind == "trunk" and left.kind != "trunk":
        left, right = right, left
    wall = env.wall(now)
    call.n_recordings += 1
    recording = RunningRecording(recording_id=env.ids.new(), path=_path(call, wall, env), started_utc=wall)
    call.recording = recording
    return [
        media.StartRecording(
            session=call.call_id,
            recording=recording.recording_id,
            path=recording.path,
            channels=[[left.leg_id], [right.leg_id]],
            encoding=env.config.recording.encoding,
        ),
        _record(call, recording, "recording", env),
        events.RecordingStarted(recording_id=recording.recording_id, call_id=call.call_id, path=recording.path),
    ]


def change(call: Call, what: str) -> list[Action]:
    """pause, resume or stop the running recording; nothing when it is so already."""
    running = call.recording
    if running is None:
        return []
    ids = {"recording_id": running.recording_id, "call_id": call.call_id, "path": running.path}
    match what:
        case "pause" if not running.is_paused:
            running.is_paused = True
            return [media.PauseRecording(call.call_id, running.recording_id), events.RecordingPaused(**ids)]
        case "resume" if running.is_paused:
            running.is_paused = False
            return [media.ResumeRecording(call.call_id, running.recording_id), events.RecordingResumed(**ids)]
        case "stop":
            call.recording = None
            return [media.StopRecording(call.call_id, running.recording_id)]
        case _:
            return []


def _record(call: Call, recording: RunningRecording, state: str, env: Environment) -> RecordingRecord:
    return RecordingRecord(
        recording_id=recording.recording_id,
        call_id=call.call_id,
        path=recording.path,
        started_utc=recording.started_utc,
        encoding=env.config.recording.encoding,
        state=state,
        caller=call.caller,
        dialed=call.dialed,
        extension=call.extension,
        trunk=call.trunk,
    )


def _path(call: Call, wall: float, env: Environment) -> str:
    """year/month/day/time_caller_dialed_id.wav in UTC; nothing a caller sends can leave the folder."""
    day = time.strftime("%Y/%m/%d", time.gmtime(wall))
    clock = time.strftime("%H%M%S", time.gmtime(wall))
    caller, dialed = (_UNSAFE.sub("_", number)[:32] for number in (call.caller, call.dialed))
    part = f"_{call.n_recordings}" if call.n_recordings > 1 else ""
    folder = env.config.resolve(env.config.recording.directory).absolute() / day
    return str(folder / f"{clock}_{caller}_{dialed}_{call.call_id}{part}.wav")
