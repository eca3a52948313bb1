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


def start(
    call: Call, now: float, env: Environment, *, format_wanted: str = "", channels_wanted: str = ""
) -> list[Action]:
    """Begins a recording: customer on the left channel, our side on the right (the caller left between extensions).

    What is not wanted expressly is as the call's extensions say, else its trunks, else the configuration.
    """
    left, right = call.legs[call.a], call.legs[call.b]
    if right.kind == "trunk" and left.kind != "trunk":
        left, right = right, left
    wall = env.wall(now)
    call.n_recordings += 1
    recording = RunningRecording(recording_id=env.ids.new(), path=_path(call, wall, env), started_utc=wall)
    call.recording = recording
    form = format_wanted or _setting(call, "recording_format", env) or env.config.recording.format
    layout = channels_wanted or _setting(call, "recording_channels", env) or env.config.recording.channels
    channels = [[left.leg_id, right.leg_id]] if layout == "mono" else [[left.leg_id], [right.leg_id]]
    return [
        media.StartRecording(
            session=call.call_id,
            recording=recording.recording_id,
            path=recording.path,
            channels=channels,
            encoding=env.config.recording.encoding,
            format=form,
        ),
        RecordingRecord(
            recording_id=recording.recording_id,
            call_id=call.call_id,
            path=recording.path,
            started_utc=recording.started_utc,
            channels=len(channels),
            encoding=env.config.recording.encoding,
            state="recording",
            caller=call.caller,
            dialed=call.dialed,
            extension=call.extension,
            trunk=call.trunk,
            format=form,
        ),
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


def _setting(call: Call, name: str, env: Environment) -> str:
    """What the call's parties say of `name`: who answered before who called, extensions before trunks; "" = nothing."""
    parties = [call.legs[call.b], call.legs[call.a]]
    extensions = [env.directory.extensions.get(leg.name) for leg in parties if leg.kind == "extension"]
    trunks = [env.directory.trunks.get(leg.name) for leg in parties if leg.kind == "trunk"]
    said = [getattr(entry, name) for entry in extensions if entry is not None]
    said += [getattr(trunk.config, name) for trunk in trunks if trunk is not None]
    return next(filter(None, said), "")


def _path(call: Call, wall: float, env: Environment) -> str:
    """year/month/day/time_caller_dialed_id.wav in UTC; nothing a caller sends can leave the folder."""
    day = time.strftime("%Y/%m/%d", time.gmtime(wall))
    clock = time.strftime("%H%M%S", time.gmtime(wall))
    caller, dialed = (_UNSAFE.sub("_", number)[:32] for number in (call.caller, call.dialed))
    part = f"_{call.n_recordings}" if call.n_recordings > 1 else ""
    folder = env.config.resolve(env.config.recording.directory).absolute() / day
    return str(folder / f"{clock}_{caller}_{dialed}_{call.call_id}{part}.wav")
