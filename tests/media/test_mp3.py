"""Covers `media/mp3.py` (what is in the MP3, that it is verified before the WAV goes, what a crash leaves) and
`media/encoders.py` (processes that die, hang, or cannot be started; the backlog; priority), and one MP3 by a real
worker. Does not cover how the MP3 sounds."""

import fcntl
import hashlib
import os
import select
import sys
import time

import av
import msgspec
import numpy as np
import pytest

from media import g711, mp3
from media.encoders import COMMAND, Encoded, EncoderPool, PoolLimits
from media.mp3 import EncodingError, encode
from media.wav import WavFormat, make_header
from model.media import RecordingFinished, ReleaseSession, StartRecording
from tests.media.worker_process import Phone, Worker, bridge, configure

TIMEOUT_S = 60


def write_wav(path, channels=2, encoding="PCMU", rate=8000, seconds=2.0, level=4000):
    """A tone of its own on each channel; (channels, samples)."""
    at = np.arange(round(seconds * rate)) / rate
    audio = np.stack([level * np.sin(2 * np.pi * (400 + 300 * i) * at) for i in range(channels)]).astype(np.int16)
    frames = np.ascontiguousarray(audio.T)
    data = (frames if encoding == "pcm16" else g711.encoder(encoding)[frames.view(np.uint16)]).tobytes()
    path.write_bytes(make_header(WavFormat(channels, encoding, rate), len(data)) + data)
    return audio


def decode(path):
    with av.open(path) as container:
        to_integers = av.AudioResampler(format="s16p")
        parts = [part.to_ndarray() for frame in container.decode(audio=0) for part in to_integers.resample(frame)]
        return np.concatenate(parts, axis=1), container.streams.audio[0].codec_context.sample_rate


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("encoding", ["PCMU", "PCMA", "pcm16"])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_mp3_holds_what_the_wav_held(tmp_path, channels, encoding, rate):
    audio = write_wav(tmp_path / "a.wav", channels, encoding, rate, seconds=9.37)
    encoded = encode(str(tmp_path / "a.wav"))
    assert os.listdir(tmp_path) == ["a.mp3"]
    data = (tmp_path / "a.mp3").read_bytes()
    assert encoded == Encoded(str(tmp_path / "a.mp3"), 9.37, len(data), hashlib.sha256(data).hexdigest())
    assert len(data) < 9.37 * 4000 * channels + 2000
    heard, heard_rate = decode(str(tmp_path / "a.mp3"))
    assert heard_rate == rate and heard.shape[0] == channels
    assert abs(heard.shape[1] - audio.shape[1]) <= 0.05 * rate
    # Each channel has its own tone and nothing of the other's.
    for i in range(channels):
        spectrum = np.abs(np.fft.rfft(heard[i][rate : 5 * rate].astype(np.float64)))
        assert round(int(np.argmax(spectrum)) / 4) == 400 + 300 * i
        assert channels == 1 or spectrum[4 * (700 - 300 * i)] < 0.01 * spectrum.max()


def test_sound_that_no_mp3_keeps_is_not_missed(tmp_path):
    frames = np.full((16000, 1), 9000, np.int16)
    frames[::2] = -9000
    frames[:, 0] += (500 * np.sin(np.arange(16000) / 3)).astype(np.int16)
    path = tmp_path / "a.wav"
    path.write_bytes(make_header(WavFormat(1, "pcm16"), frames.nbytes) + frames.tobytes())
    assert encode(str(path)).duration_s == 2.0


def test_a_silent_channel_stays_silent(tmp_path):
    frames = np.zeros((16000, 2), np.int16)
    frames[:, 0] = 3000 * np.sin(np.arange(16000) / 3)
    path = tmp_path / "a.wav"
    path.write_bytes(make_header(WavFormat(2, "pcm16"), frames.nbytes) + frames.tobytes())
    encode(str(path))
    heard, _ = decode(str(tmp_path / "a.mp3"))
    assert np.abs(heard[0]).max() > 2000 and np.abs(heard[1]).max() <= 2


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: write_wav(path, channels=3), "2 channels"),
        (lambda path: path.write_bytes(make_header(WavFormat(2, "PCMU"), 0)), "nothing"),
        (lambda path: path.write_bytes(b"an old letter"), "RIFF"),
        (lambda path: write_wav(path, rate=44100), "44100"),
    ],
    ids=["three channels", "empty", "no WAV", "other rate"],
)
def test_what_cannot_be_an_mp3_stays_as_it_is(tmp_path, make, why):
    make(tmp_path / "a.wav")
    before = (tmp_path / "a.wav").read_bytes()
    with pytest.raises(EncodingError, match=why):
        encode(str(tmp_path / "a.wav"))
    assert os.listdir(tmp_path) == ["a.wav"] and (tmp_path / "a.wav").read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda audio: audio // 8, "level"),
        (lambda audio: audio[:, : audio.shape[1] // 2], "lasts"),
        (np.zeros_like, "level"),
        (lambda audio: audio[::-1] * np.array([[0], [1]], np.int16), "channel 0"),
    ],
    ids=["too soft", "cut off", "silent", "one channel lost"],
)
def test_the_wav_stays_when_the_mp3_is_not_the_same(tmp_path, monkeypatch, damage, why):
    audio = write_wav(tmp_path / "a.wav")
    damaged = np.ascontiguousarray(damage(audio)).astype(np.int16)
    whole = mp3._Levels(2, 8000)
    whole.add(audio)

    def encode_damaged(file, held, path):
        frame = av.AudioFrame.from_ndarray(damaged, format="s16p", layout="stereo")
        frame.sample_rate = 8000
        with av.open(path, "w", format="mp3") as container:
            stream = container.add_stream("libmp3lame", rate=8000)
            stream.codec_context.layout = "stereo"
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return whole

    monkeypatch.setattr(mp3, "_encode", encode_damaged)
    with pytest.raises(EncodingError, match=why):
        encode(str(tmp_path / "a.wav"))
    assert os.listdir(tmp_path) == ["a.wav"]


def test_a_crash_anywhere_is_made_good_by_doing_it_again(tmp_path, monkeypatch):
    wav = tmp_path / "a.wav"
    write_wav(wav)
    (tmp_path / "a.mp3.part").write_bytes(b"half of it")
    with monkeypatch.context() as patch:
        patch.setattr(mp3.os, "unlink", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            encode(str(wav))
    assert sorted(os.listdir(tmp_path)) == ["a.mp3", "a.wav"]
    first = encode(str(wav))
    assert os.listdir(tmp_path) == ["a.mp3"]
    assert msgspec.structs.replace(encode(str(wav)), duration_s=2.0) == first
    os.unlink(tmp_path / "a.mp3")
    with pytest.raises(FileNotFoundError):
        encode(str(wav))


def test_a_file_that_is_still_written_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(mp3, "LOCK_S", 0.0)
    write_wav(tmp_path / "a.wav")
    with open(tmp_path / "a.wav", "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EncodingError, match="in use"):
            encode(str(tmp_path / "a.wav"))
    assert encode(str(tmp_path / "a.wav")).duration_s == 2.0


# -- the pool ---------------------------------------------------------------------------------------------------------


class Pool:
    def __init__(self, limits=None, command=COMMAND):
        self.pool = EncoderPool(limits or PoolLimits(), command=command)
        self.events = []

    def encode(self, path, name="r"):
        self.pool.encode(RecordingFinished("s", name, str(path), 2.0, 100, "00", 2, is_encoding=True))

    def until(self, n):
        while len(self.events) < n:
            assert select.select([self.pool.wake_fd], [], [], TIMEOUT_S)[0], "nothing happened"
            self.events += self.pool.poll()
        return self.events


@pytest.fixture
def make():
    made = []

    def factory(limits=None, command=COMMAND):
        made.append(Pool(limits, command))
        return made[-1]

    yield factory
    for each in made:
        each.pool.close(TIMEOUT_S)


def scripted(body):
    """An encoder that does `body` for each `path`."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    program = (
        f"import json, os, sys, time\nfor n, line in enumerate(sys.stdin):\n    path = json.loads(line)\n{lines}\n"
    )
    return (sys.executable, "-I", "-S", "-c", program)


ANSWER = 'print(json.dumps(dict(path=path, duration_s=2.0, size=os.getpriority(0, 0), sha256="x")), flush=True)'


def test_recordings_become_mp3s_one_after_the_other(make, tmp_path):
    pool = make()
    for i in range(3):
        write_wav(tmp_path / f"{i}.wav")
        pool.encode(tmp_path / f"{i}.wav", str(i))
    (tmp_path / "no.wav").write_bytes(b"no")
    pool.encode(tmp_path / "no.wav", "no")
    *good, bad = pool.until(4)
    for i, event in enumerate(good):
        data = (tmp_path / f"{i}.mp3").read_bytes()
        assert event == RecordingFinished(
            "s", str(i), str(tmp_path / f"{i}.mp3"), 2.0, len(data), hashlib.sha256(data).hexdigest(), 2, format="mp3"
        )
    assert (bad.path, bad.format, bad.is_encoding, bad.error) == (str(tmp_path / "no.wav"), "wav", False, "")
    assert "RIFF" in bad.format_error
    assert pool.pool.backlog == 0


def test_encoders_run_at_the_lowest_priority(make):
    *prefix, _, _, _ = COMMAND
    *_, program = scripted(ANSWER)
    pool = make(command=(*prefix, "-c", program))
    pool.encode("/a.wav")
    assert pool.until(1)[0].size == 19


def test_never_more_processes_than_allowed(make, tmp_path):
    # Each leaves a file for as long as it works, and tells how many there are.
    body = (
        f"mine = {str(tmp_path)!r} + f'/{{os.getpid()}}'\nopen(mine, 'w').close()\ntime.sleep(0.02)\n"
        f"n_files = len(os.listdir({str(tmp_path)!r}))\nos.unlink(mine)\n"
        'print(json.dumps(dict(path=path, duration_s=2.0, size=n_files, sha256="x")), flush=True)'
    )
    pool = make(PoolLimits(processes=2), scripted(body))
    for i in range(12):
        pool.encode(f"/{i}.wav", str(i))
    assert {event.size for event in pool.until(12)} <= {1, 2}
    assert {event.recording for event in pool.events} == {str(i) for i in range(12)}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("os._exit(3)", "status 3"),
        ("os.kill(os.getpid(), 9)", "status -9"),
        ("print('what?', flush=True)", "no sense"),
        ("time.sleep(1000)", "too long"),
    ],
    ids=["exits", "killed", "babbles", "hangs"],
)
def test_an_encoder_that_fails_for_one_recording_does_not_stop_the_others(make, body, why):
    program = f"if 'bad' in path:\n    {body}\nelse:\n    {ANSWER}"
    limits = PoolLimits(restart_s=0.001, base_s=0.5 if "sleep" in body else TIMEOUT_S, seconds_per_second=0.0)
    pool = make(limits, scripted(program))
    for name in ("good", "bad", "better"):
        pool.encode(f"/{name}.wav", name)
    pool.until(3)
    by_name = {event.recording: event for event in pool.events}
    assert why in by_name["bad"].format_error and "2 times" in by_name["bad"].format_error
    assert by_name["bad"].format == "wav" and not by_name["bad"].is_encoding
    assert by_name["good"].format == by_name["better"].format == "mp3"


def test_no_encoder_at_all_leaves_wavs(make):
    pool = make(PoolLimits(restart_s=0.001), ("/nowhere/python",))
    pool.encode("/a.wav")
    assert "no encoder can be started" in pool.until(1)[0].format_error


def test_an_encoder_without_work_ends_and_another_begins(make, tmp_path):
    body = f"open({str(tmp_path)!r} + f'/{{os.getpid()}}', 'w').close()\n{ANSWER}"
    pool = make(PoolLimits(idle_s=0.0), scripted(body))
    for n in (1, 2):
        pool.encode("/a.wav")
        pool.until(n)
        give_up = time.monotonic() + TIMEOUT_S
        while pool.pool._encoders:
            assert time.monotonic() < give_up
    assert len(os.listdir(tmp_path)) == 2


def test_the_backlog_is_bounded_and_closing_leaves_the_rest(make):
    pool = make(PoolLimits(max_waiting=3), scripted("time.sleep(1000)"))
    for i in range(5):
        pool.encode(f"/{i}.wav", str(i))
    refused = pool.until(2)
    assert [(event.recording, event.format) for event in refused] == [("3", "wav"), ("4", "wav")]
    assert all("too many" in event.format_error for event in refused)
    pool.pool.close(TIMEOUT_S)
    pool.pool.close = lambda timeout: None


# -- by a worker ------------------------------------------------------------------------------------------------------


def test_a_worker_makes_an_mp3_when_the_recording_ends():
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        path = str(worker.folder / "r.wav")
        channels = [["a"], ["b"]]
        worker.switch.send(StartRecording(session="s1", recording="r", path=path, channels=channels, format="mp3"))
        for _ in range(10):
            for phone in (a, b):
                phone.send(bytes([0x90] * 4 + [0x10] * 4) * 20)
            time.sleep(0.02)
        worker.switch.send(ReleaseSession(session="s1"))
        wav = worker.switch.wait(RecordingFinished)
        made = worker.switch.wait(RecordingFinished)
        assert (wav.path, wav.format, wav.is_encoding) == (path, "wav", True)
        assert (made.path, made.format, made.is_encoding) == (path.replace(".wav", ".mp3"), "mp3", False)
        assert made.size == os.path.getsize(made.path) and not os.path.exists(path)
        assert made.duration_s == wav.duration_s and made.sha256 != wav.sha256
        a.close()
        b.close()
