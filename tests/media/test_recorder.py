"""Covers `media/recorder.py` and `media/recording_file.py`: files, checksums, order and events on a real disk; full,
slow, forbidden and dying disks through a scripted one; kill -9 of a process that records. Does not cover which audio a
recording gets (`test_taps.py`) nor the header's form (`test_wav.py`)."""

import errno
import hashlib
import os
import select
import signal
import subprocess
import sys
import threading
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.disk import LocalDisk
from media.recorder import RecordingWriter, WriterLimits
from media.recording_file import Ending, RecordingFile
from media.wav import WavFormat, make_header, parse_layout, repair
from model.media import RecordingFinished, RecordingStarted

TIMEOUT_S = 60
QUICK = WriterLimits(retry_s=0.002, give_up_s=TIMEOUT_S)


class ScriptedDisk(LocalDisk):
    """A local disk that has `room` bytes for audio, refuses what `refuse` names, and hangs while `gate` is closed."""

    def __init__(self) -> None:
        self.room = 1 << 40
        self.refuse: dict[str, int] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.n_writes = 0

    def check(self, call: str) -> None:
        assert self.gate.wait(TIMEOUT_S)
        if call in self.refuse:
            raise OSError(self.refuse[call], os.strerror(self.refuse[call]))

    def create(self, path):
        self.check("create")
        return super().create(path)

    def write(self, fd, buffers, offset):
        self.check("write")
        self.n_writes += 1
        if offset == 0:
            return super().write(fd, buffers, offset)
        wanted = sum(map(len, buffers))
        if wanted and not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        allowed = b"".join(buffers)[: self.room]
        self.room -= len(allowed)
        return super().write(fd, [allowed], offset)

    def read(self, fd, size, offset):
        self.check("read")
        return super().read(fd, size, offset)

    def sync(self, fd, path):
        self.check("sync")
        super().sync(fd, path)


class Recorder:
    """A writer, and everything it said."""

    def __init__(self, limits=QUICK, disk=None) -> None:
        self.writer = RecordingWriter(limits, disk=disk)
        self.events = []

    def until(self, condition) -> None:
        while not condition():
            ready, _, _ = select.select([self.writer.wake_fd], [], [], TIMEOUT_S)
            assert ready, "nothing happened"
            self.events += self.writer.poll()

    def until_finished(self, n=1) -> list[RecordingFinished]:
        self.until(lambda: len(self.finished) == n)
        return self.finished

    @property
    def finished(self) -> list[RecordingFinished]:
        return [event for event in self.events if isinstance(event, RecordingFinished)]


@pytest.fixture
def make():
    made = []

    def factory(limits=QUICK, disk=None):
        made.append(Recorder(limits, disk))
        return made[-1]

    yield factory
    for recorder in made:
        try:
            recorder.writer.close(TIMEOUT_S)
        except OSError:
            pass


def wait_for(condition) -> None:
    """Until a fact of another thread holds, for which there is no event."""
    pause = threading.Event()
    for _ in range(TIMEOUT_S * 500):
        if condition():
            return
        pause.wait(0.002)
    raise AssertionError("it never happened")


def blocks(n: int, channels: int = 2, dtype=np.uint8, samples: int = 8000, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 250, (samples, channels)).astype(dtype) for _ in range(n)]


def audio_of(path: str) -> bytes:
    with open(path, "rb") as file:
        data = file.read()
    layout = parse_layout(data)
    return data[layout.data_offset : layout.data_offset + layout.data_size]


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA", "pcm16"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_what_is_written_is_in_the_file(make, tmp_path, encoding, channels):
    recorder = make()
    path = str(tmp_path / "2026" / "11" / "a.wav")
    audio = blocks(3, channels, np.int16 if encoding == "pcm16" else np.uint8, samples=801)
    recorder.writer.start("r", path, channels, encoding, session="s")
    for block in audio:
        recorder.writer.write("r", block)
    recorder.writer.finish("r", Ending([(0.05, 0.1)], [1.5] * channels))
    (finished,) = recorder.until_finished()
    assert recorder.events[0] == RecordingStarted("s", "r")
    assert audio_of(path) == b"".join(block.tobytes() for block in audio)
    with open(path, "rb") as file:
        data = file.read()
    assert finished == RecordingFinished(
        session="s",
        recording="r",
        path=path,
        duration_s=2403 / 8000,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        channels=channels,
        speech_s=[1.5] * channels,
        pauses=[(0.05, 0.1)],
    )
    assert b"pause\0" in data and b"resume\0" in data
    assert repair(path).is_changed is False
    assert (recorder.writer.backlog, recorder.writer.is_failing, recorder.writer.error) == (0, False, "")


def test_a_transposed_block_is_written_in_its_order(make, tmp_path):
    recorder = make()
    block = np.arange(1600, dtype=np.int16).reshape(2, 800).T
    recorder.writer.start("r", str(tmp_path / "a.wav"), 2, "pcm16")
    recorder.writer.write("r", block)
    recorder.writer.finish("r", Ending())
    (finished,) = recorder.until_finished()
    with wave.open(finished.path) as file:
        assert file.readframes(800) == np.ascontiguousarray(block).tobytes()


def test_a_running_recording_can_be_played_after_each_block(make, tmp_path):
    recorder = make()
    path = str(tmp_path / "a.wav")
    recorder.writer.start("r", path, 2, "PCMU")
    written = b""
    for block in blocks(4):
        recorder.writer.write("r", block)
        written += block.tobytes()
        wait_for(lambda: recorder.writer.backlog == 0)
        assert audio_of(path) == written
        assert repair(path).is_changed is False


def test_two_hundred_recordings_do_not_mix(make, tmp_path):
    recorder = make()
    for i in range(200):
        recorder.writer.start(str(i), str(tmp_path / f"{i}.wav"), 1, "PCMA")
    for n in range(3):
        for i in range(200):
            recorder.writer.write(str(i), np.full((500, 1), (i + n) % 256, np.uint8))
    for i in range(200):
        recorder.writer.finish(str(i), Ending())
    for finished in recorder.until_finished(200):
        i = int(finished.recording)
        assert audio_of(finished.path) == b"".join(bytes([(i + n) % 256]) * 500 for n in range(3))
        assert finished.error == ""


def test_commands_twice_or_for_nothing_do_nothing(make, tmp_path):
    recorder = make()
    writer, path = recorder.writer, str(tmp_path / "a.wav")
    writer.write("r", blocks(1)[0])
    writer.finish("r", Ending())
    for _ in range(2):
        writer.start("r", path, 2, "PCMU")
    writer.write("r", blocks(1)[0])
    writer.write("r", np.zeros((0, 2), np.uint8))
    for _ in range(2):
        writer.finish("r", Ending())
    writer.write("r", blocks(1)[0])
    (finished,) = recorder.until_finished()
    assert finished.duration_s == 1.0
    assert recorder.writer.close(TIMEOUT_S) == []
    assert sorted(os.listdir(tmp_path)) == ["a.wav"]


def test_an_unknown_encoding_is_refused(make, tmp_path):
    with pytest.raises(ValueError, match="opus"):
        make().writer.start("r", str(tmp_path / "a.wav"), 2, "opus")


def test_a_file_that_is_there_is_never_overwritten(make, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"somebody's")
    (tmp_path / "a-2.wav").write_bytes(b"somebody else's")
    recorder = make()
    recorder.writer.start("r", str(tmp_path / "a.wav"), 2, "PCMU")
    recorder.writer.finish("r", Ending())
    (finished,) = recorder.until_finished()
    assert finished.path == str(tmp_path / "a-3.wav")
    assert (tmp_path / "a.wav").read_bytes() == b"somebody's"


def test_closing_finishes_what_runs(make, tmp_path):
    recorder = make()
    recorder.writer.start("r", str(tmp_path / "a.wav"), 2, "PCMU")
    for block in blocks(5):
        recorder.writer.write("r", block)
    events = recorder.writer.close(TIMEOUT_S)
    assert [type(event) for event in events] == [RecordingStarted, RecordingFinished]
    assert events[1].duration_s == 5.0
    assert events[1].sha256


# -- disks that fail --------------------------------------------------------------------------------------------------


def test_a_full_disk_loses_nothing_when_there_is_room_again(make, tmp_path):
    disk = ScriptedDisk()
    disk.room = 20_001
    recorder = make(disk=disk)
    path, audio = str(tmp_path / "a.wav"), blocks(10)
    recorder.writer.start("r", path, 2, "PCMU")
    for block in audio:
        recorder.writer.write("r", block)
    wait_for(lambda: recorder.writer.is_failing)
    assert "No space left" in recorder.writer.error
    assert len(audio_of(path)) == 20_000
    disk.room = 1 << 40
    wait_for(lambda: not recorder.writer.is_failing)
    recorder.writer.finish("r", Ending())
    (finished,) = recorder.until_finished()
    assert finished.error == ""
    assert audio_of(path) == b"".join(block.tobytes() for block in audio)


def test_a_disk_full_for_long_leaves_silence_in_the_right_place(make, tmp_path):
    disk = ScriptedDisk()
    recorder = make(WriterLimits(retry_s=0.002, backlog_blocks_per_recording=3), disk)
    path, audio = str(tmp_path / "a.wav"), blocks(12)
    recorder.writer.start("r", path, 2, "PCMA")
    recorder.writer.write("r", audio[0])
    wait_for(lambda: recorder.writer.backlog == 0)
    disk.room = 0
    recorder.writer.write("r", audio[1])
    wait_for(lambda: recorder.writer.is_failing)
    for block in audio[2:8]:
        recorder.writer.write("r", block)
    wait_for(lambda: recorder.writer.backlog == 3)
    disk.room = 1 << 40
    wait_for(lambda: not recorder.writer.is_failing and recorder.writer.backlog == 0)
    for block in audio[8:]:
        recorder.writer.write("r", block)
    recorder.writer.finish("r", Ending())
    (finished,) = recorder.until_finished()
    assert finished.duration_s == 12.0
    assert finished.error.startswith("4.0 s replaced by silence")
    silence = bytes([0xD5]) * 16000
    expected = [block.tobytes() for block in audio[:4]] + [silence] * 4 + [block.tobytes() for block in audio[8:]]
    assert audio_of(path) == b"".join(expected)


def test_one_bad_path_does_not_disturb_the_others(make, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    recorder = make()
    recorder.writer.start("bad", str(tmp_path / "file" / "a.wav"), 2, "PCMU", session="s")
    recorder.writer.start("good", str(tmp_path / "good.wav"), 2, "PCMU", session="s")
    for block in blocks(3):
        recorder.writer.write("bad", block)
        recorder.writer.write("good", block.copy())
    recorder.writer.finish("good", Ending())
    (finished,) = recorder.until_finished()
    assert (finished.recording, finished.error, finished.duration_s) == ("good", "", 3.0)
    assert recorder.writer.is_failing
    recorder.writer.finish("bad", Ending())
    events = recorder.writer.close(TIMEOUT_S)
    assert [(e.recording, e.size, e.sha256, e.duration_s) for e in events] == [("bad", 0, "", 0.0)]
    assert "directory" in events[0].error.lower()


@pytest.mark.parametrize("call", ["create", "write", "read", "sync"])
def test_whatever_fails_is_tried_again(make, tmp_path, call):
    disk = ScriptedDisk()
    disk.refuse[call] = errno.EIO
    recorder = make(disk=disk)
    path, (block,) = str(tmp_path / "a.wav"), blocks(1)
    recorder.writer.start("r", path, 2, "PCMU")
    recorder.writer.write("r", block)
    recorder.writer.finish("r", Ending([(0.1, 0.2)]))
    wait_for(lambda: recorder.writer.is_failing)
    disk.refuse.clear()
    (finished,) = recorder.until_finished()
    with open(path, "rb") as file:
        data = file.read()
    assert finished.error == ""
    assert finished.sha256 == hashlib.sha256(data).hexdigest()
    assert audio_of(path) == block.tobytes()
    assert os.listdir(tmp_path) == ["a.wav"]


def test_a_finished_recording_is_given_up_in_time(make, tmp_path):
    disk = ScriptedDisk()
    disk.room = 16_000
    recorder = make(WriterLimits(retry_s=0.002, give_up_s=0.01), disk)
    path, audio = str(tmp_path / "a.wav"), blocks(2)
    recorder.writer.start("r", path, 2, "PCMU")
    for block in audio:
        recorder.writer.write("r", block)
    recorder.writer.finish("r", Ending())
    (finished,) = recorder.until_finished()
    assert "No space left" in finished.error
    assert finished.duration_s == 1.0
    assert audio_of(path) == audio[0].tobytes()
    wait_for(lambda: not recorder.writer.is_failing)
    assert recorder.writer.backlog == 0


def test_a_hanging_disk_never_blocks_and_never_fills_the_memory(make, tmp_path):
    disk = ScriptedDisk()
    recorder = make(WriterLimits(retry_s=0.002, backlog_bytes=100_000), disk)
    path = str(tmp_path / "a.wav")
    recorder.writer.start("r", path, 2, "PCMU")
    recorder.until(lambda: recorder.events)
    disk.gate.clear()
    audio = blocks(50)
    for block in audio:
        recorder.writer.write("r", block)
    assert recorder.writer.backlog <= 100_000 // 16_000
    assert recorder.writer.is_failing
    disk.gate.set()
    recorder.writer.finish("r", Ending())
    (finished,) = recorder.until_finished()
    assert finished.duration_s == 50.0
    n_kept = 50 - round(float(finished.error.split()[0]))
    expected = b"".join(block.tobytes() for block in audio[:n_kept]) + b"\xff" * (16_000 * (50 - n_kept))
    assert audio_of(path) == expected


def test_silence_between_blocks_that_did_not_fit_keeps_its_place(make, tmp_path):
    disk = ScriptedDisk()
    recorder = make(WriterLimits(retry_s=0.002, backlog_bytes=32_000), disk)
    path, audio = str(tmp_path / "a.wav"), blocks(4)
    recorder.writer.start("r", path, 2, "PCMU")
    recorder.until(lambda: recorder.events)
    disk.gate.clear()
    for block in audio[:3]:
        recorder.writer.write("r", block)
    disk.gate.set()
    wait_for(lambda: recorder.writer.backlog == 0)
    recorder.writer.write("r", audio[3])
    recorder.writer.finish("r", Ending())
    (finished,) = recorder.until_finished()
    parts = [audio[0].tobytes(), audio[1].tobytes(), b"\xff" * 16_000, audio[3].tobytes()]
    assert audio_of(finished.path) == b"".join(parts)


def test_a_bug_in_the_thread_is_not_silent(make, tmp_path):
    class Broken(LocalDisk):
        def create(self, path):
            raise KeyError("a bug")

    recorder = make(disk=Broken())
    recorder.writer.start("r", str(tmp_path / "a.wav"), 2, "PCMU")
    wait_for(lambda: recorder.writer.is_failing)
    with pytest.raises(RuntimeError, match="thread died"):
        recorder.writer.poll()
    recorder.writer._thread.join(TIMEOUT_S)
    os.close(recorder.writer.wake_fd)
    recorder.writer.close = lambda timeout: []


@settings(max_examples=60, deadline=None)
@given(
    plan=st.lists(
        st.one_of(
            st.tuples(st.just("block"), st.integers(1, 50)),
            st.tuples(st.just("silence"), st.integers(1, 40_000)),
            st.tuples(st.just("room"), st.integers(0, 900)),
        ),
        max_size=25,
    ),
    channels=st.integers(1, 3),
)
def test_any_order_of_blocks_silence_and_short_writes_gives_the_same_file(plan, channels, tmp_path_factory):
    """Property: however the disk cuts the writes, the file is valid throughout and holds what was pushed, in order."""
    disk = ScriptedDisk()
    form = WavFormat(channels, "pcm16")
    path = str(tmp_path_factory.mktemp("rec") / "a.wav")
    file = RecordingFile(disk, "r", "s", path, form)
    expected = b""
    for number, (what, n) in enumerate(plan):
        if what == "block":
            block = np.full((n, channels), number + 1, np.int16)
            file.push(block)
            expected += block.tobytes()
        elif what == "silence":
            file.push_silence(n, is_lost=True)
            expected += bytes(n * form.frame_size)
        else:
            disk.room = n
            try:
                file.flush()
            except OSError as error:
                assert error.errno == errno.ENOSPC
            assert expected.startswith(audio_of(path))
    disk.room = 1 << 40
    file.finish(Ending())
    while not file.hash_some():
        pass
    finished = file.close("", Ending())
    assert audio_of(path) == expected
    assert finished.duration_s == len(expected) / form.frame_size / 8000
    assert file.n_lost == sum(n for what, n in plan if what == "silence")
    assert file.take_released() == (
        sum(what == "block" for what, _ in plan),
        sum(n * form.frame_size for what, n in plan if what == "block"),
    )
    os.unlink(path)


KILLED = """
import numpy as np, sys
from media.disk import LocalDisk
from media.recorder import RecordingWriter
writer = RecordingWriter()
writer.start("r", sys.argv[1], 2, "PCMU")
n = 0
while True:
    writer.write("r", np.full((800, 2), n % 251, np.uint8))
    n += 1
    while writer.backlog:
        pass
    print(n, flush=True)
"""


def test_kill_9_leaves_a_file_that_plays_to_the_last_block(tmp_path):
    path = str(tmp_path / "a.wav")
    process = subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True)
    try:
        said = [process.stdout.readline() for _ in range(20)]
    finally:
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
    n = int([*said, *rest][-1])
    playable = audio_of(path)
    assert len(playable) >= n * 1600
    repaired = repair(path)
    assert repaired.duration_s >= n * 0.1
    audio = audio_of(path)
    assert audio[: n * 1600] == b"".join(bytes([i % 251]) * 1600 for i in range(n))
    assert len(make_header(WavFormat(2, "PCMU"), 0)) + len(audio) == repaired.size
