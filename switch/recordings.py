"""Which calls are recorded, under which name, and what is said to the media worker about it. Pure."""

import re
import time

import msgspec

from model import events, media
from model.records import RecordingRecord
from switch.actions import Action
from switch.call import Call, RunningRecording
from switch.environment import Environment
from switch.monitor import SUPERVISOR

_UNSAFE = re.compile(r"[^0-9A-Za-z+*_-]")


def is_wanted(call: Call, env: Environment) -> bool:
    """Both parties' settings must allow it, audio must come by us, and recording must be on."""
    if not env.config.recording.enabled or call.is_direct or not call.wants_recording:
        return False
    return all(leg.is_recorded for leg in call.legs.values() if leg.is_up)


def start(
    call: Call,
    now: float,
    env: Environment,
    *,
    format_wanted: str = "",
    channels_wanted: str = "",
    is_asked_for: bool = False,
) -> list[Action]:
    """Begins a recording: customer on the left channel, our side on the right (the caller left between extensions).

    `is_asked_for`: somebody wants it by API, whatever the parties' settings say of it.
    What is not wanted expressly is as the call's extensions say, else its trunks, else the configuration.
    """
    wall = env.wall(now)
    call.n_recordings += 1
    form = format_wanted or _setting(call, "recording_format", env) or env.config.recording.format
    layout = channels_wanted or _setting(call, "recording_channels", env) or env.config.recording.channels
    channels = _channels(call, is_mono=layout == "mono", is_asked_for=is_asked_for)
    recording_id = env.ids.new()
    start_ = media.StartRecording(
        session=call.call_id,
        recording=recording_id,
        path=_path(call, wall, env),
        channels=channels,
        encoding=env.config.recording.encoding,
        format=form,
    )
    call.recording = recording = RunningRecording(
        recording_id=recording_id, started_utc=wall, start=start_, is_asked_for=is_asked_for
    )
    return [
        start_,
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
            agent_id=call.agent_id,
            trunk=call.trunk,
            format=form,
        ),
        events.RecordingStarted(recording_id=recording.recording_id, call_id=call.call_id, path=recording.path),
    ]


def settle_channels(call: Call) -> list[Action]:
    """Who came since the recording began is recorded, too; nothing when it is so already."""
    running = call.recording
    if running is None:
        return []
    known = running.start.channels
    channels = _channels(call, is_mono=len(known) == 1, is_asked_for=running.is_asked_for)
    if channels == known:
        return []
    running.start = msgspec.structs.replace(running.start, channels=channels)
    return [running.start]


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


def _channels(call: Call, *, is_mono: bool, is_asked_for: bool) -> list[list[str]]:
    """Customer left, everybody else right. Who must not be recorded is on no channel, and so is who only listens."""
    left: list[str] = []
    right: list[str] = left if is_mono else []
    for leg in call.legs.values():
        if call.conference is not None and leg.is_muted:  # What nobody hears is no part of the conference.
            continue
        if leg.role == SUPERVISOR:  # He has a track of his own (`switch.supervisor_track`).
            continue
        if leg.is_up and leg.room and (leg.is_recorded or is_asked_for) and leg.heard_by != ():
            (left if leg.role == "customer" else right).append(leg.leg_id)
    return [left] if is_mono else [left, right]


def _setting(call: Call, name: str, env: Environment) -> str:
    """What the call's parties say of `name`: who answered before who called, extensions before trunks; "" = nothing."""
    parties = [leg for each in (call.b, call.a) if (leg := call.legs.get(each)) is not None]
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
