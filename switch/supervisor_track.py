"""A supervisor's own track: what he says while he can be heard, in a file beside the call's recording. Pure.

A file of its own because he comes when the call's file has its channels already, and because MP3 has no third one. It
begins when he does; `started_utc` of both puts them side by side. While the call's recording is paused, or nobody can
hear him, it holds silence.
"""

from model import events, media
from model.records import RecordingRecord
from switch.actions import Action
from switch.call import Call
from switch.environment import Environment
from switch.monitor import Monitor


def settle(call: Call, monitor: Monitor, now: float, env: Environment) -> list[Action]:
    """Starts, pauses, resumes or stops it as the call's recording and the monitor's mode want."""
    if not monitor.is_active or not monitor.recording_id:
        return _start(call, monitor, now, env) if monitor.is_active and call.recording is not None else []
    if call.recording is None:
        return stop(call, monitor)
    is_paused = call.recording.is_paused or monitor.mode == "listen"
    if is_paused == monitor.is_track_paused:
        return []
    monitor.is_track_paused = is_paused
    command = media.PauseRecording if is_paused else media.ResumeRecording
    return [command(call.call_id, monitor.recording_id)]


def stop(call: Call, monitor: Monitor) -> list[Action]:
    """Ends it; nothing when there is none."""
    if not monitor.recording_id:
        return []
    recording_id, monitor.recording_id = monitor.recording_id, ""
    return [media.StopRecording(call.call_id, recording_id)]


def _start(call: Call, monitor: Monitor, now: float, env: Environment) -> list[Action]:
    running = call.recording
    assert running is not None
    wall = env.wall(now)
    stem = running.path.removesuffix(".wav")
    monitor.recording_id = env.ids.new()
    monitor.path = f"{stem}_supervisor_{monitor.supervisor}_{monitor.recording_id[-6:]}.wav"
    encoding, form = env.config.recording.encoding, env.config.recording.format
    actions: list[Action] = [
        media.StartRecording(
            session=call.call_id,
            recording=monitor.recording_id,
            path=monitor.path,
            channels=[[monitor.leg_id]],
            encoding=encoding,
            format=form,
        ),
        RecordingRecord(
            recording_id=monitor.recording_id,
            call_id=call.call_id,
            path=monitor.path,
            started_utc=wall,
            channels=1,
            encoding=encoding,
            state="recording",
            caller=call.caller,
            dialed=call.dialed,
            extension=monitor.supervisor,
            trunk=call.trunk,
            format=form,
        ),
        events.RecordingStarted(recording_id=monitor.recording_id, call_id=call.call_id, path=monitor.path),
    ]
    monitor.is_track_paused = running.is_paused or monitor.mode == "listen"
    if monitor.is_track_paused:
        actions.append(media.PauseRecording(call.call_id, monitor.recording_id))
    return actions
