"""Recordings by a real worker: both sides in time, on the right channels, codecs, pauses, legs that come and go.

Not here: the writer thread and what it does when the disk fails (test_recorder.py).
"""

import struct
import time

import msgspec
import numpy as np
import pytest

from media import g711
from model.media import (
    GetStatistics,
    PauseRecording,
    RecordingFinished,
    RecordingStarted,
    ReleaseLeg,
    ReleaseSession,
    ResumeRecording,
    SecureLeg,
    StartRecording,
    Statistics,
    StopRecording,
)
from tests.media.worker_process import Phone, Worker, bridge, configure


def settle(worker):
    worker.switch.send(GetStatistics(session="s1"))
    return worker.switch.wait(Statistics)


def record(worker, *channels, encoding="g711"):
    path = str(worker.folder / "r.wav")
    worker.switch.send(
        StartRecording(
            session="s1", recording="r", path=path, channels=[list(names) for names in channels], encoding=encoding
        )
    )
    worker.switch.wait(RecordingStarted)


def talk(phones, n, payloads=None):
    """Every phone sends n packets in step, 20 ms apart: a recording's time is real time."""
    start = time.monotonic()
    for i in range(n):
        for k, phone in enumerate(phones):
            level = 2000 * (k + 1)
            phone.send(payloads(k, i) if payloads else tone(phone, level))
        time.sleep(max(0.0, start + 0.02 * (i + 1) - time.monotonic()))


def tone(phone, level):
    code = (g711.LINEAR_TO_ALAW if phone.payload_type == 8 else g711.LINEAR_TO_ULAW)[level]
    return bytes([code]) * 160


def levels(samples, wanted):
    """How many samples of a channel lie near the level."""
    return int((np.abs(samples.astype(np.int32) - wanted) < wanted * 0.05).sum())


@pytest.mark.parametrize("encoding", ["g711", "pcm16"])
@pytest.mark.parametrize("types", [(0, 0), (8, 8), (0, 8)], ids=["ulaw", "alaw", "both laws"])
def test_both_sides_are_recorded(types, encoding):
    with Worker(2) as worker:
        a, b = Phone(types[0], ssrc=1), Phone(types[1], ssrc=2)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        record(worker, "a", "b", encoding=encoding)
        talk((a, b), 65)
        settle(worker)
        worker.switch.send(ReleaseSession(session="s1"))
        finished = worker.switch.wait(RecordingFinished)
        samples, rate = read_all(finished.path)
        assert rate == 8000 and samples.shape[1] == finished.channels == 2
        assert levels(samples[:, 0], 2000) == levels(samples[:, 1], 4000) == 65 * 160
        assert levels(samples[:, 0], 4000) == levels(samples[:, 1], 2000) == 0
        # Spoken at the same time, recorded at the same time.
        starts = [int(np.flatnonzero(np.abs(samples[:, i]) > 500)[0]) for i in (0, 1)]
        assert abs(starts[0] - starts[1]) <= 480
        assert finished.speech_s == [1.3, 1.3] and len(finished.sha256) == 64 and not finished.error
        a.close()
        b.close()


def read_all(path):
    """(int16[samples, channels], rate) of a WAV file, read by hand."""
    with open(path, "rb") as file:
        data = file.read()
    at = data.index(b"fmt ") + 8
    tag, channels, rate = struct.unpack_from("<HHI", data, at)
    at = data.index(b"data", at)
    body = data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")]
    if tag == 1:
        samples = np.frombuffer(body, "<i2")
    else:
        samples = g711.decoder({6: "PCMA", 7: "PCMU"}[tag])[np.frombuffer(body, np.uint8)]
    return samples.reshape(-1, channels), rate


def test_same_law_is_recorded_bit_exact():
    with Worker(2) as worker:
        rng = np.random.default_rng(4)
        speech = rng.integers(0, 256, (60, 160)).astype(np.uint8)
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        record(worker, "a", "b")
        talk((a,), 60, lambda k, i: speech[i].tobytes())
        settle(worker)
        worker.switch.send(StopRecording(session="s1", recording="r"))
        finished = worker.switch.wait(RecordingFinished)
        with open(finished.path, "rb") as file:
            data = file.read()
        left = data[data.index(b"data") + 8 :][::2]
        assert speech.tobytes() in left
        assert finished.speech_s == [1.2, 0.0]
        a.close()
        b.close()


def test_pause_is_silence_and_a_marker():
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        record(worker, "a", "b")
        for command in (PauseRecording, ResumeRecording, None):
            talk((a, b), 30)
            if command:
                worker.switch.send(command(session="s1", recording="r"))
                settle(worker)
        worker.switch.send(StopRecording(session="s1", recording="r"))
        finished = worker.switch.wait(RecordingFinished)
        samples, _ = read_all(finished.path)
        assert len(finished.pauses) == 1
        begin, end = finished.pauses[0]
        assert 0.4 < end - begin < 5.0
        inside = samples[int(begin * 8000) : int(end * 8000)]
        assert not inside.any() or np.abs(inside).max() <= 8
        assert levels(samples[: int(begin * 8000), 0], 2000) > 20 * 160
        assert levels(samples[int(end * 8000) :, 1], 4000) > 20 * 160
        a.close()
        b.close()


def test_leg_that_leaves_and_one_that_comes_later():
    """A released leg's part stays, its port may be another session's, and a leg named before it existed is recorded."""
    with Worker(2) as worker:
        a, b, c = Phone(ssrc=1), Phone(8, ssrc=2), Phone(ssrc=3)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        record(worker, "a", ("b", "later"))
        talk((a, b), 20)
        settle(worker)
        worker.switch.send(ReleaseLeg(session="s1", leg="b"), configure(worker, c, "c", 1, session="s2"))
        talk((a, c), 20)
        worker.switch.send(ReleaseSession(session="s2"), configure(worker, c, "later", 1), bridge(("a", "later")))
        settle(worker)
        talk((a, c), 20, lambda k, i: tone(a, 2000 if k == 0 else 8000))
        settle(worker)
        worker.switch.send(ReleaseSession(session="s1"))
        finished = worker.switch.wait(RecordingFinished)
        samples, _ = read_all(finished.path)
        assert levels(samples[:, 0], 2000) == 60 * 160
        assert 15 * 160 <= levels(samples[:, 1], 4000) <= 20 * 160
        assert levels(samples[:, 1], 8000) == 20 * 160
        for phone in (a, b, c):
            phone.close()


def test_two_legs_on_one_channel_are_mixed():
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(8, ssrc=2)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1))
        record(worker, ("a", "b"), encoding="pcm16")
        talk((a, b), 60)
        settle(worker)
        worker.switch.send(ReleaseSession(session="s1"))
        finished = worker.switch.wait(RecordingFinished)
        samples, _ = read_all(finished.path)
        assert levels(samples.reshape(-1), 6000) > 55 * 160
        a.close()
        b.close()


def test_a_wideband_leg_is_recorded_wide_beside_a_narrow_one():
    """L16 at 16 kHz, which is decoded like G.722 and Opus, beside µ-law: 16-bit at 16 kHz, in step."""
    with Worker(2) as worker:
        a, b = Phone(96, ssrc=1), Phone(ssrc=2)
        wide = configure(worker, a, "a", 0)
        wide = msgspec.structs.replace(wide, codec="L16/16000", clock_hz=16000, payload_type=96)
        worker.switch.send(wide, configure(worker, b, "b", 1), bridge(("a", "b")))
        record(worker, "a", "b")
        start = time.monotonic()
        tone_5k = (6000 * np.sin(2 * np.pi * 5000 * np.arange(320) / 16000)).astype(">i2").tobytes()
        for i in range(60):
            a.send(tone_5k, step=320)
            b.send(tone(b, 4000))
            time.sleep(max(0.0, start + 0.02 * (i + 1) - time.monotonic()))
        settle(worker)
        worker.switch.send(ReleaseSession(session="s1"))
        finished = worker.switch.wait(RecordingFinished)
        samples, rate = read_all(finished.path)
        assert rate == 16000 and samples.shape[1] == 2 and not finished.error
        left = samples[:, 0].astype(np.float64)
        loud = left[np.flatnonzero(np.abs(left) > 3000)[0] :][:16000]
        spectrum = np.abs(np.fft.rfft(loud * np.hanning(len(loud))))
        assert int(np.argmax(spectrum)) == 5000
        assert levels(samples[:, 1], 4000) > 55 * 320
        starts = [int(np.flatnonzero(np.abs(samples[:, i]) > 500)[0]) for i in (0, 1)]
        assert abs(starts[0] - starts[1]) <= 960
        a.close()
        b.close()


def test_a_codec_that_is_not_decoded_is_named():
    with Worker(2) as worker:
        a, b = Phone(18, ssrc=1), Phone(18, ssrc=2)
        legs = [configure(worker, phone, name, i) for i, (phone, name) in enumerate(((a, "a"), (b, "b")))]
        legs = [msgspec.structs.replace(leg, codec="G729", payload_type=18) for leg in legs]
        worker.switch.send(*legs, bridge(("a", "b")))
        record(worker, "a", "b")
        talk((a, b), 20, lambda k, i: bytes(20))
        settle(worker)
        worker.switch.send(ReleaseSession(session="s1"))
        finished = worker.switch.wait(RecordingFinished)
        samples, _ = read_all(finished.path)
        assert finished.silent_because == ["G729 is not decoded"] * 2
        assert np.abs(samples).max() <= 8 and finished.duration_s >= 0.4
        a.close()
        b.close()


def test_what_a_secure_leg_says_is_not_recorded():
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        record(worker, "a", "b")
        for is_secure, n in ((None, 30), (True, 30), (False, 30)):
            if is_secure is not None:
                worker.switch.send(SecureLeg(session="s1", leg="a", is_secure=is_secure))
                settle(worker)
            talk((a, b), n, lambda k, i, secret=is_secure: tone(a, 9000 if k == 0 and secret else 2000 * (k + 1)))
        worker.switch.send(StopRecording(session="s1", recording="r"))
        finished = worker.switch.wait(RecordingFinished)
        samples, _ = read_all(finished.path)
        assert levels(samples[:, 0], 9000) == 0
        assert levels(samples[:, 0], 2000) > 40 * 160
        assert levels(samples[:, 1], 4000) > 85 * 160
        with open(finished.path, "rb") as file:
            data = file.read()
        assert b"secure\0" in data and b"secure end\0" in data
        a.close()
        b.close()
