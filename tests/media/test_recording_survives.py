"""Covers recordings through trouble: kill -9 of a worker and the next one going on in the file (`continues_s`), files
that are something else than expected, a disk that is full (RLIMIT_FSIZE of a real process, no space) or slow, two
processes at one file. Not: which calls the switch has continued (tests of the takeover)."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import g711
from media.disk import LocalDisk
from media.recorder import RecordingWriter, WriterLimits
from media.recording_file import Ending, RecordingFile
from media.wav import WavFormat, make_header, make_markers, parse_layout, repair
from model.media import RecordingFinished, RecordingStarted, ReleaseSession, StartRecording
from tests.media.worker_process import Phone, Worker, bridge, configure

TIMEOUT_S = 60
FORM = WavFormat(2, "PCMU")


def audio_of(path):
    with open(path, "rb") as file:
        data = file.read()
    layout = parse_layout(data)
    assert layout.riff_size + 8 == len(data)
    return data[layout.data_offset : layout.data_offset + layout.data_size]


def block(value, seconds=1.0, channels=2):
    return np.full((round(8000 * seconds), channels), value, np.uint8)


def go_on(path, blocks, continues_s, form=FORM, disk=None, ending=None):
    """What a `RecordingFile` that continues makes of `path`."""
    file = RecordingFile(disk or LocalDisk(), "r", "s", str(path), form, continues_s=continues_s)
    for each in blocks:
        file.push(each)
    file.finish(ending or Ending())
    while not file.hash_some():
        pass
    return file.close("", ending or Ending())


def died_writing(path, data, n_bytes_known=None):
    """As a killed worker leaves a file: the header may know less than there is."""
    known = len(data) if n_bytes_known is None else n_bytes_known
    path.write_bytes(make_header(FORM, known) + data)


@pytest.mark.parametrize("known", [None, 0, 8000], ids=["known", "header alone", "half known"])
@pytest.mark.parametrize("torn", [b"", b"\x11"], ids=["whole", "torn frame"])
def test_a_recording_goes_on_where_it_stopped(tmp_path, known, torn):
    path = tmp_path / "a.wav"
    before = block(1).tobytes()
    died_writing(path, before + torn, known)
    finished = go_on(path, [block(2)], 1.5)
    assert os.listdir(tmp_path) == ["a.wav"]
    assert audio_of(path) == before + b"\xff" * 8000 + block(2).tobytes()
    assert (finished.path, finished.duration_s, finished.error) == (str(path), 2.5, "")
    assert finished.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert finished.size == path.stat().st_size


def test_markers_of_an_ending_that_was_not_the_last_are_cut_off(tmp_path):
    path = tmp_path / "a.wav"
    before, markers = block(1).tobytes(), make_markers([(10, "pause"), (20, "resume")])
    path.write_bytes(make_header(FORM, len(before), len(markers)) + before + markers)
    go_on(path, [block(2)], 1.0, ending=Ending(pauses=[(0.25, 0.5)], secure=[(1.5, 1.75)]))
    data = path.read_bytes()
    assert audio_of(path) == before + block(2).tobytes()
    assert [data.count(mark) for mark in (b"pause\0", b"resume\0", b"secure\0", b"secure end\0")] == [1, 1, 1, 1]


def test_more_than_was_thought_is_kept(tmp_path):
    died_writing(tmp_path / "a.wav", block(1, 2.0).tobytes())
    go_on(tmp_path / "a.wav", [block(2)], 1.5)
    assert audio_of(tmp_path / "a.wav") == block(1, 2.0).tobytes() + block(2).tobytes()


@pytest.mark.parametrize("content", [None, b"", bytes(58)], ids=["no file", "empty", "zeros"])
def test_nothing_was_written_yet(tmp_path, content):
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    finished = go_on(path, [block(2)], 0.75)
    assert os.listdir(tmp_path) == ["a.wav"]
    assert audio_of(path) == b"\xff" * 12000 + block(2).tobytes()
    assert finished.duration_s == 1.75


@pytest.mark.parametrize("content", [b"somebody's letter", make_header(WavFormat(1, "PCMU"), 0)], ids=["text", "mono"])
def test_what_cannot_go_on_is_left_alone(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    finished = go_on(tmp_path / "a.wav", [block(2)], 0.5)
    assert (tmp_path / "a.wav").read_bytes() == content
    assert finished.path == str(tmp_path / "a-2.wav")
    assert audio_of(finished.path) == b"\xff" * 8000 + block(2).tobytes()


def test_the_file_keeps_its_form_whatever_the_legs_speak_now(tmp_path):
    died_writing(tmp_path / "a.wav", block(1).tobytes())
    wide = np.full((16000, 2), 5000, np.int16)
    finished = go_on(tmp_path / "a.wav", [wide], 1.25, WavFormat(2, "pcm16", 16000))
    samples = g711.ULAW_TO_LINEAR[np.frombuffer(audio_of(finished.path), np.uint8)].reshape(-1, 2)
    assert finished.duration_s == 2.25 and len(samples) == 18000
    assert not samples[8000:10000].any()
    assert np.abs(samples[10100:] - 5000).max() < 200


@settings(max_examples=40, deadline=None)
@given(deaths=st.lists(st.integers(0, 9000), min_size=1, max_size=4))
def test_any_number_of_deaths_leaves_one_file(deaths, tmp_path_factory):
    """Property: wherever the bytes end each time, the time of what was written later is right."""
    path = tmp_path_factory.mktemp("rec") / "a.wav"
    for n, lost in enumerate(deaths):
        go_on(path, [block(n + 1)], 1.0 * n)
        with open(path, "r+b") as file:
            file.truncate(max(path.stat().st_size - lost, 0))
    finished = go_on(path, [block(99)], float(len(deaths)))
    samples = np.frombuffer(audio_of(path), np.uint8).reshape(-1, 2)
    assert finished.duration_s == len(deaths) + 1
    assert set(samples[-8000:].reshape(-1).tolist()) == {99}
    for n in range(len(deaths)):
        assert set(samples[8000 * n : 8000 * (n + 1)].reshape(-1).tolist()) <= {n + 1, 0xFF}


def test_two_processes_never_write_one_recording(tmp_path):
    path = str(tmp_path / "a.wav")
    slow = RecordingWriter()
    slow.start("r", path, 2, "PCMU")
    slow.write("r", block(1))
    until(lambda: slow.backlog == 0)
    successor = RecordingWriter(WriterLimits(retry_s=0.002))
    successor.start("r", path, 2, "PCMU", continues_s=1.0)
    successor.write("r", block(2))
    until(lambda: successor.is_failing)
    slow.finish("r", Ending())
    slow.close(TIMEOUT_S)
    until(lambda: successor.backlog == 0)
    assert not successor.is_failing
    successor.finish("r", Ending())
    _, finished = successor.close(TIMEOUT_S)
    assert finished.path == path and audio_of(path) == block(1).tobytes() + block(2).tobytes()


def until(is_so):
    """Until a fact of another thread holds, for which there is no event."""
    pause, give_up = threading.Event(), time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < give_up, "it never happened"
        pause.wait(0.002)


# -- disks ------------------------------------------------------------------------------------------------------------

LIMITED = """
import resource, signal, sys, time
import numpy as np
from media.recorder import RecordingWriter, WriterLimits
from media.recording_file import Ending
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_001, resource.RLIM_INFINITY))
writer = RecordingWriter(WriterLimits(retry_s=0.002, backlog_blocks_per_recording=2))
writer.start("r", sys.argv[1], 2, "PCMU")
def until(is_so):
    give_up = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.001)
n = 0
def write():
    global n
    n += 1
    writer.write("r", np.full((8000, 2), n, np.uint8))
for _ in range(3):
    write()
until(lambda: writer.is_failing)
for _ in range(4):
    write()
until(lambda: writer.backlog <= 2)
print(writer.error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
until(lambda: not writer.is_failing and not writer.backlog)
write()
writer.finish("r", Ending())
print(writer.close(60)[-1].error)
"""


def test_a_file_that_may_not_grow_gets_silence_and_goes_on_when_it_may(tmp_path):
    path = tmp_path / "a.wav"
    command = [sys.executable, "-c", LIMITED, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout.splitlines()
    assert "File too large" in said[0]
    assert said[1].endswith("s replaced by silence: the disk did not keep up")
    samples = np.frombuffer(audio_of(path), np.uint8).reshape(8, 8000, 2)
    heard = [sorted(set(second.reshape(-1).tolist())) for second in samples]
    assert heard[:3] == [[1], [2], [3]] and heard[7] == [8]
    lost = [second for second in heard if second == [0xFF]]
    assert len(lost) == round(float(said[1].split()[0])) >= 1
    assert all(second == [n + 1] for n, second in enumerate(heard) if second != [0xFF])


def test_a_slow_disk_never_makes_the_tick_wait(tmp_path):
    """Each write hangs until it is let go; meanwhile hundreds of blocks come, at once, into a bounded backlog."""

    class Slow(LocalDisk):
        def __init__(self):
            self.go = threading.Semaphore(0)
            self.is_slow = True

        def write(self, fd, buffers, offset):
            if self.is_slow:
                assert self.go.acquire(timeout=TIMEOUT_S)
            return super().write(fd, buffers, offset)

    disk = Slow()
    writer = RecordingWriter(WriterLimits(backlog_bytes=500_000, retry_s=0.002), disk=disk)
    for i in range(10):
        writer.start(str(i), str(tmp_path / f"{i}.wav"), 2, "PCMU")
    # None of these may wait for the disk: it does nothing at all until they are through.
    for n in range(30):
        for i in range(10):
            writer.write(str(i), block(n + 1))
    assert writer.is_failing and "keep up" in writer.error
    assert writer.backlog * 16000 <= 500_000
    disk.is_slow = False
    for _ in range(1000):
        disk.go.release()
    until(lambda: writer.backlog == 0)
    for i in range(10):
        writer.write(str(i), block(31))
        writer.finish(str(i), Ending())
    finished = [event for event in writer.close(TIMEOUT_S) if isinstance(event, RecordingFinished)]
    assert len(finished) == 10
    for event in finished:
        seconds = np.frombuffer(audio_of(event.path), np.uint8).reshape(31, -1)
        assert event.duration_s == 31.0 and set(seconds[30].tolist()) == {31}
        assert all(set(second.tolist()) in ({n + 1}, {0xFF}) for n, second in enumerate(seconds))
        assert "silence" in event.error


# -- workers ----------------------------------------------------------------------------------------------------------


def test_kill_9_of_a_worker_costs_at_most_a_second_and_the_next_one_goes_on(tmp_path):
    path = str(tmp_path / "r.wav")
    start = StartRecording(session="s1", recording="r", path=path, channels=[["a"], ["b"]])
    began = 0.0
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")), start)
        began = time.monotonic()
        worker.switch.wait(RecordingStarted)
        talk((a, b), 130, 0x20)
        worker.process.send_signal(signal.SIGKILL)
        worker.process.wait()
        ran_s = time.monotonic() - began
        for phone in (a, b):
            phone.close()
    samples = np.frombuffer(audio_of(path), np.uint8).reshape(-1, 2)
    assert len(samples) / 8000 >= ran_s - 1.1
    assert (samples == 0x20).sum() >= 2 * 8000 * (2.6 - 1.1)
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        continues_s = time.monotonic() - began
        again = StartRecording(
            session="s1",
            recording="r",
            path=path,
            channels=[["a"], ["b"]],
            continues_s=continues_s,
            pauses=[(0.1, 0.2)],
        )
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")), again)
        worker.switch.wait(RecordingStarted)
        talk((a, b), 20, 0x30)
        worker.switch.send(ReleaseSession(session="s1"))
        finished = worker.switch.wait(RecordingFinished)
        for phone in (a, b):
            phone.close()
    whole = np.frombuffer(audio_of(path), np.uint8).reshape(-1, 2)
    assert os.listdir(tmp_path) == ["r.wav"]
    assert np.array_equal(whole[: len(samples)], samples)
    second = np.flatnonzero((whole == 0x30).all(axis=1))
    assert len(second) >= 15 * 160 and second[0] >= continues_s * 8000 - 1
    assert set(whole[len(samples) : second[0]].reshape(-1).tolist()) <= {0xFF, 0x30}
    assert (finished.path, finished.error, finished.pauses) == (path, "", [(0.1, 0.2)])
    with open(path, "rb") as file:
        assert finished.sha256 == hashlib.sha256(file.read()).hexdigest()
    assert repair(path).is_changed is False


def talk(phones, n, code):
    start = time.monotonic()
    for i in range(n):
        for phone in phones:
            phone.send(bytes([code]) * 160)
        time.sleep(max(0.0, start + 0.02 * (i + 1) - time.monotonic()))
