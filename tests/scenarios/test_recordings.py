"""Covers what the switch asks of recordings (format, channels: configuration, extension, trunk, command), what it keeps
and tells when they end, and the recovery of WAVs and MP3s that an earlier run left. Not: audio (tests/media)."""

import asyncio
import hashlib
import os

import msgspec
import pytest

from media.wav import WavFormat, make_header
from model import events, media
from model.records import RecordingRecord
from switch.leg_events import RecordCall
from switch.recovery import recover
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual


def started(config, *, more=None, to="1002"):
    """The StartRecording of one call from 1001, and the call."""
    found = []

    async def main():
        switch = SimSwitch(SimNet(), config)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        mine, _ = await alice.talk_to(to, bob)
        (call,) = switch.core.calls.calls.values()
        if more is not None:
            switch.core.runtime.tell(RecordCall(call.call_id, "", "stop"))
            switch.core.runtime.tell(RecordCall(call.call_id, "", "start", *more))
        found.append((switch.worker.of(media.StartRecording)[-1], call))
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())
    return found[0]


def set_for(number, line):
    """The usual extensions, one of them with one line more."""
    return EXTENSIONS.replace(f'number = "{number}"', f'number = "{number}"\n{line}')


STEREO_WAV = ("wav", 2)


@pytest.mark.parametrize(
    ("config", "more", "expected"),
    [
        (EXTENSIONS, None, STEREO_WAV),
        ('[recording]\nformat = "mp3"\nchannels = "mono"\n' + EXTENSIONS, None, ("mp3", 1)),
        (set_for("1002", 'recording_format = "mp3"'), None, ("mp3", 2)),
        (set_for("1001", 'recording_channels = "mono"'), None, ("wav", 1)),
        ('[recording]\nformat = "mp3"\n' + set_for("1002", 'recording_format = "wav"'), None, STEREO_WAV),
        ('[recording]\nformat = "mp3"\n' + EXTENSIONS, ("wav", "mono"), ("wav", 1)),
        (set_for("1002", 'recording_format = "mp3"'), ("", "mono"), ("mp3", 1)),
    ],
    ids=["default", "configured", "who answers", "who calls", "exception", "command", "command and extension"],
)
def test_format_and_channels_are_chosen(config, more, expected):
    command, call = started(config, more=more)
    assert (command.format, len(command.channels)) == expected
    assert sorted(leg for channel in command.channels for leg in channel) == sorted([call.a, call.b])


def test_a_trunk_says_how_its_calls_are_recorded_unless_the_extension_does():
    config = EXTENSIONS + TRUNKS.replace("[[trunk]]\n", '[[trunk]]\nrecording_format = "mp3"\n', 1)
    assert config != EXTENSIONS + TRUNKS

    async def main():
        switch = SimSwitch(SimNet(), config)
        alice = await switch.phone("1001")
        switch.carrier(answer_after_s=0.5)
        call = alice.call("913800138000")
        await switch.until(lambda: call.is_up)
        (command,) = switch.worker.of(media.StartRecording)
        (live,) = switch.core.calls.calls.values()
        assert command.format == "mp3" and command.channels == [[live.b], [live.a]]
        alice.agent.hang_up(call.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_an_mp3_is_told_once_with_the_file_that_stays():
    async def main():
        switch = SimSwitch(SimNet(), '[recording]\nformat = "mp3"\n' + EXTENSIONS)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        mine, _ = await alice.talk_to("1002", bob)
        (command,) = switch.worker.of(media.StartRecording)
        del switch.worker.recordings[command.recording]
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        ended = media.RecordingFinished(
            command.session, command.recording, command.path, 9.0, 144058, "aa", 2, is_encoding=True
        )
        switch.worker.tell(ended)
        await asyncio.sleep(1.0)
        record = switch.recordings[command.recording]
        assert (record.state, record.format, record.path, record.size) == ("encoding", "mp3", command.path, 144058)
        assert switch.of(events.RecordingFinished) == []
        assert await switch.storage.recordings.unfinished() == [record]
        mp3 = command.path.replace(".wav", ".mp3")
        because = ["G729 is not decoded", ""]
        switch.worker.tell(
            msgspec.structs.replace(
                ended, path=mp3, size=54000, sha256="bb", format="mp3", is_encoding=False, silent_because=because
            )
        )
        await asyncio.sleep(1.0)
        record = switch.recordings[command.recording]
        assert (record.state, record.format, record.path, record.size, record.sha256) == (
            *("finished", "mp3", mp3, 54000, "bb"),
        )
        assert record.silent_because == because and record.error == ""
        (told,) = switch.of(events.RecordingFinished)
        assert (told.path, told.format, told.size) == (mp3, "mp3", 54000)
        await switch.close()

    run_virtual(main())


def test_a_recording_that_stays_a_wav_is_finished_and_says_why():
    async def main():
        switch = SimSwitch(SimNet(), '[recording]\nformat = "mp3"\n' + EXTENSIONS)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        mine, _ = await alice.talk_to("1002", bob)
        (command,) = switch.worker.of(media.StartRecording)
        del switch.worker.recordings[command.recording]
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        switch.worker.tell(
            media.RecordingFinished(
                command.session, command.recording, command.path, 9.0, 144058, "aa", 2, format_error="the encoder died"
            )
        )
        await switch.until(lambda: switch.of(events.RecordingFinished))
        record = switch.recordings[command.recording]
        assert (record.state, record.format, record.error) == ("finished", "wav", "the encoder died")
        assert switch.of(events.RecordingFailed) == []
        await switch.close()

    run_virtual(main())


# -- recovery ---------------------------------------------------------------------------------------------------------


class Kept:
    def __init__(self):
        self.records = []

    def put(self, record):
        self.records.append(record)


def recovered(record) -> RecordingRecord:
    storage = Kept()
    told: list[RecordingRecord] = []
    asyncio.run(recover(storage, [record], told.append))
    assert told == storage.records[-1:]
    return storage.records


def a_record(path, **more):
    return RecordingRecord(recording_id="r", call_id="c", path=str(path), started_utc=1000.0, **more)


def write_wav(path, known=16000):
    path.write_bytes(make_header(WavFormat(2, "PCMU"), known) + bytes([0x20, 0x90] * 8000))


def test_a_wav_whose_mp3_was_not_made_gets_it(tmp_path):
    path = tmp_path / "a.wav"
    write_wav(path)
    before, after = recovered(a_record(path, state="encoding", format="mp3"))
    assert (before.state, before.format, before.path) == ("encoding", "mp3", str(path))
    data = (tmp_path / "a.mp3").read_bytes()
    assert os.listdir(tmp_path) == ["a.mp3"]
    assert (after.state, after.format, after.path, after.error) == ("finished", "mp3", str(tmp_path / "a.mp3"), "")
    assert (after.size, after.sha256, after.duration_s) == (len(data), hashlib.sha256(data).hexdigest(), 1.0)


def test_a_recording_cut_off_is_repaired_and_encoded(tmp_path):
    path = tmp_path / "a.wav"
    write_wav(path, known=0)
    *_, after = recovered(a_record(path, state="recording", format="mp3"))
    assert (after.state, after.format, after.duration_s) == ("recovered", "mp3", 1.0)
    assert "killed" in after.error


def test_an_mp3_nobody_heard_of_is_found(tmp_path):
    path = tmp_path / "a.wav"
    write_wav(path)
    first = recovered(a_record(path, state="encoding", format="mp3"))[-1]
    again = recovered(a_record(path, state="encoding", format="mp3"))[-1]
    assert (again.path, again.state, again.sha256, again.size) == (first.path, "finished", first.sha256, first.size)


@pytest.mark.parametrize(
    ("state", "content", "expected"),
    [
        ("recording", None, ("failed", "wav", "nothing had been written")),
        ("encoding", None, ("failed", "wav", "No such file or directory")),
        ("recording", b"a letter", ("failed", "wav", "no RIFF/WAVE header")),
        ("encoding", make_header(WavFormat(3, "PCMU"), 300) + bytes(300), ("finished", "wav", "2 channels at most")),
    ],
    ids=["nothing", "file gone", "no WAV", "no MP3 possible"],
)
def test_what_cannot_be_an_mp3_is_kept_as_it_is(tmp_path, state, content, expected):
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    after = recovered(a_record(path, state=state, format="mp3"))[-1]
    assert (after.state, after.format) == expected[:2]
    assert expected[2] in after.error
    assert content is None or path.read_bytes() == content


def test_a_wav_that_was_wanted_stays_a_wav(tmp_path):
    write_wav(tmp_path / "a.wav", known=0)
    (after,) = recovered(a_record(tmp_path / "a.wav", state="recording"))
    assert (after.state, after.format, after.duration_s) == ("recovered", "wav", 1.0)
    assert os.listdir(tmp_path) == ["a.wav"]
