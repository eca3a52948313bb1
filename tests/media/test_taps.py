"""Covers `media/taps.py`: which audio a recording gets, by rings filled by hand: channels, pauses, secure legs,
codecs, going on in another worker. Not: files (test_recorder.py), real packets (test_recording.py)."""

import itertools

import numpy as np
import pytest

from media.arrays import LAWS, LegTable, kind_of
from media.recording_file import Ending
from media.rendering import Renderer
from media.session import Leg, Session
from media.taps import LAG, TURNS, Taps
from media.wav import WavFormat
from model.media import ConfigureLeg, StartRecording
from rtp.ring import JitterRing

LEVELS = {"a": 0x90, "b": 0x20, "c": 0x30}
"""The G.711 code, and half of the wideband sample, that each leg says all the time."""


class Notes:
    """A writer that renders at once."""

    def __init__(self):
        self.started, self.audio, self.endings, self.forms = {}, {}, {}, {}

    def start(self, recording_id, path, channels, encoding, **more):
        form = WavFormat(channels, encoding, more["sample_rate"])
        self.started[recording_id] = more
        self.forms[recording_id] = (encoding, more["sample_rate"])
        self.audio[recording_id] = []
        self._renderer = Renderer(form, form)
        self._form = form

    def write(self, recording_id, block):
        dtype = "<i2" if self._form.encoding == "pcm16" else np.uint8
        samples = np.frombuffer(self._renderer.render(block), dtype).reshape(-1, self._form.channels)
        self.audio[recording_id].append(samples)

    def finish(self, recording_id, ending):
        self.endings[recording_id] = ending


class Rig:
    """Legs a, b, c of session s on rows 0, 1, 2; `run(n)` lets n ticks pass in which everybody talks."""

    def __init__(self, **codecs):
        self.table = LegTable(3)
        self.rings = JitterRing(3), JitterRing(3, 160, np.int16)
        self.writer = Notes()
        self.taps = Taps(self.table, *self.rings, self.writer)
        self.session = Session("s")
        self.taps.clock = 1000
        self.silent = set()
        for row, name in enumerate("abc"):
            self.configure(name, row, codecs.get(name, "PCMU"))

    def configure(self, name, row, codec):
        settings = ConfigureLeg(session="s", leg=name, port=1, codec=codec)
        if name in self.session.legs:
            self.taps.flush_leg(self.session.legs[name])
            self.session.legs[name].settings = settings
        else:
            self.session.legs[name] = Leg("s", name, row, settings, 0.0)
        self.table.kind[row] = kind_of(codec)
        self.table.law[row] = LAWS.get(codec, 0)

    def record(self, channels=(("a",), ("b",)), **more):
        command = StartRecording(
            session="s", recording="r", path="/r.wav", channels=[list(each) for each in channels], **more
        )
        self.taps.start(self.session, command)

    def run(self, n):
        for _ in range(n):
            for leg in self.session.legs.values():
                for chunk in (self.taps.clock, self.taps.clock + 1):
                    # What plays at `clock` came 60 ms before.
                    self.say(leg, chunk + 6)
            self.taps.clock += 2
            self.taps.run()

    def say(self, leg, chunk):
        ring = self.rings[int(self.table.kind[leg.row]) > 1]
        if leg.id not in self.silent:
            ring.is_started[leg.row] = True
            ring.data[leg.row, chunk & 255] = LEVELS[leg.id] * (2 if ring.chunk == 160 else 1)
            ring.stamp[leg.row, chunk & 255] = chunk
            ring.end[leg.row] = chunk + 1

    def stop(self) -> np.ndarray:
        self.taps.stop("r")
        return np.concatenate(self.writer.audio["r"])

    @property
    def ending(self) -> Ending:
        return self.writer.endings["r"]


def parts(column, rate=8000):
    """[(value, seconds)] of stretches of one value."""
    edges = [0, *(np.flatnonzero(np.diff(column.astype(np.int64))) + 1).tolist(), len(column)]
    return [(int(column[a]), (b - a) / rate) for a, b in itertools.pairwise(edges)]


def test_each_leg_on_its_channel_from_start_to_what_came_last():
    rig = Rig()
    rig.run(10)
    rig.record()
    rig.run(170)
    samples = rig.stop()
    assert parts(samples[:, 0]) == [(0x90, 3.46)] and parts(samples[:, 1]) == [(0x20, 3.46)]
    assert rig.ending == Ending([], [3.46, 3.46], [], [])
    assert rig.writer.started["r"] == {"session": "s", "sample_rate": 8000, "continues_s": -1.0, "wants_mp3": False}


def test_takes_are_short_and_little_behind_the_clock():
    rig = Rig()
    rig.record()
    rig.run(3 * TURNS)
    assert [len(block) for block in rig.writer.audio["r"]][1:] == [TURNS * 160] * 2
    taken = sum(map(len, rig.writer.audio["r"])) // 80
    assert 6 * TURNS - LAG - 2 * TURNS <= taken <= 6 * TURNS - LAG
    # What a killed worker loses.
    assert (2 * TURNS + LAG) * 0.01 < 1.0


def test_mono_and_a_third_track():
    rig = Rig()
    rig.record([["a", "b"], [], ["c"]], encoding="pcm16")
    rig.run(10)
    samples = rig.stop()
    from media.g711 import ULAW_TO_LINEAR

    assert set(samples[:1600, 0].tolist()) - {0} == {int(ULAW_TO_LINEAR[0x90]) + int(ULAW_TO_LINEAR[0x20])}
    assert not samples[:, 1].any()
    assert set(samples[:1600, 2].tolist()) - {0} == {int(ULAW_TO_LINEAR[0x30])}
    assert rig.ending.speech_s[1] == 0.0


def test_a_pause_is_silence():
    rig = Rig()
    rig.run(10)
    rig.record()
    rig.run(50)
    rig.taps.pause("r")
    rig.taps.pause("r")
    rig.run(100)
    rig.taps.resume("r")
    rig.run(50)
    assert parts(rig.stop()[:, 0]) == [(0x90, 1.0), (0xFF, 2.0), (0x90, 1.06)]
    assert rig.ending.pauses == [(1.0, 3.0)]


def test_nothing_of_a_secure_leg_is_recorded_and_the_times_are_noted():
    rig = Rig()
    rig.run(10)
    rig.record([["a"], ["b"], ["a", "b"]])
    rig.run(50)
    a = rig.session.legs["a"]
    rig.taps.secure(a, True)
    rig.taps.secure(a, True)
    rig.run(50)
    rig.taps.secure(a, False)
    rig.run(50)
    samples = rig.stop()
    # 60 ms that were said while it was secure wait to be played when it ends: they stay out too.
    assert parts(samples[:, 0]) == [(0x90, 1.0), (0xFF, 1.06), (0x90, 1.0)]
    assert parts(samples[:, 1]) == [(0x20, 3.06)]
    assert parts(samples[:, 2])[1] == (0x20, 1.06)
    assert rig.ending.secure == [(1.0, 2.0)] and rig.ending.pauses == []


def test_a_recording_that_begins_while_a_leg_is_secure():
    rig = Rig()
    a = rig.session.legs["a"]
    rig.taps.secure(a, True)
    rig.run(10)
    rig.record()
    rig.run(60)
    assert [value for value, _ in parts(rig.stop()[:, 0])] == [0xFF]
    assert rig.ending.secure == [(0.0, 1.26)]
    rig.taps.release_leg(a)
    assert rig.taps._secure == {}


@pytest.mark.parametrize(
    ("codecs", "encoding", "form"),
    [
        ({}, "g711", ("PCMU", 8000)),
        ({"a": "PCMA", "b": "PCMU"}, "g711", ("PCMA", 8000)),
        ({}, "pcm16", ("pcm16", 8000)),
        ({"b": "G722"}, "g711", ("pcm16", 16000)),
        ({"a": "opus", "b": "opus"}, "pcm16", ("pcm16", 16000)),
        ({"a": "L16/16000"}, "g711", ("pcm16", 16000)),
        ({"a": "L16/8000", "b": "L16/8000"}, "g711", ("pcm16", 8000)),
        ({"a": "L16/8000", "b": "PCMA"}, "g711", ("PCMA", 8000)),
        ({"a": "G729", "b": "PCMA"}, "g711", ("PCMA", 8000)),
        ({"a": "G729", "b": "G729"}, "g711", ("PCMU", 8000)),
        ({"c": "opus"}, "g711", ("PCMU", 8000)),
    ],
)
def test_the_form_suits_whoever_hears_best(codecs, encoding, form):
    rig = Rig(**codecs)
    rig.record(encoding=encoding)
    assert rig.writer.forms["r"] == form


def test_a_codec_that_changes_in_mid_call():
    rig = Rig()
    rig.run(10)
    rig.record()
    rig.run(50)
    rig.configure("a", 0, "G722")
    rig.run(50)
    rig.configure("a", 0, "PCMU")
    rig.run(50)
    samples = rig.stop()
    assert set(samples[:, 0].tolist()) >= {0x90}
    assert len(samples) == 8000 * 3.06
    assert set(samples[:, 1].tolist()) == {0x20}


def test_why_a_channel_is_silent_is_said():
    rig = Rig(a="G729")
    rig.record([["a"], ["b"], ["a", "b"]])
    rig.run(60)
    samples = rig.stop()
    assert [value for value, _ in parts(samples[:, 0])] == [0xFF]
    assert rig.ending.silent_because == ["G729 is not decoded", "", ""]


def test_another_worker_goes_on():
    """What `describe` gives starts the same recording elsewhere, at the right time and with the pauses so far."""
    rig = Rig()
    rig.record()
    rig.run(50)
    rig.taps.pause("r")
    rig.run(25)
    (command,), paused = rig.taps.describe(rig.session)
    assert paused == ["r"]
    assert (command.continues_s, command.pauses) == (pytest.approx(1.5), [(1.0, pytest.approx(1.5))])
    other = Rig()
    other.run(10)
    other.taps.start(other.session, command)
    other.taps.pause("r")
    other.run(25)
    other.taps.resume("r")
    other.run(25)
    other.stop()
    assert other.writer.started["r"]["continues_s"] == pytest.approx(1.5)
    assert other.ending.pauses == [(1.0, 2.0)]
    other.taps.start(other.session, command)
    assert len(other.taps) == 1
    other.taps.stop_all()


def test_a_leg_that_leaves_and_one_that_comes():
    rig = Rig()
    rig.run(10)
    later = rig.session.legs.pop("c")
    rig.record([["a"], ["b", "c"]])
    rig.run(50)
    rig.taps.release_leg(rig.session.legs["b"])
    del rig.session.legs["b"]
    rig.run(50)
    rig.session.legs["c"] = later
    rig.run(50)
    column = rig.stop()[:, 1]
    assert [value for value, _ in parts(column)] == [0x20, 0xFF, 0x30]
    assert sum(seconds for _, seconds in parts(column)) == pytest.approx(3.06)


def test_a_party_takes_anothers_place_on_its_channel():
    """A transfer, or a supervisor who takes over: the file goes on, its right channel is somebody else's."""
    rig = Rig()
    rig.run(10)
    rig.taps.secure(rig.session.legs["c"], True)
    rig.record([["a"], ["b"]])
    rig.run(50)
    rig.record([["a"], ["c"]])
    rig.run(50)
    rig.taps.secure(rig.session.legs["c"], False)
    rig.run(50)
    rig.record([["a"], ["b"]])
    rig.run(50)
    with pytest.raises(ValueError, match="2 channels"):
        rig.record([["a"]])
    samples = rig.stop()
    assert parts(samples[:, 0]) == [(0x90, pytest.approx(4.06))]
    assert [value for value, _ in parts(samples[:, 1])] == [0x20, 0xFF, 0x30, 0x20]
    assert rig.ending.secure == [(pytest.approx(1.0), pytest.approx(2.0))]


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "r.wav"},
        {"recording": ""},
        {"channels": []},
        {"channels": [[]] * 17},
        {"encoding": "mp3"},
        {"format": "ogg"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_makes_no_sense_is_refused(wrong):
    rig = Rig()
    fields = {"session": "s", "recording": "r", "path": "/r", "channels": [["a"]]} | wrong
    with pytest.raises(ValueError, match=r"recording|encoding|format"):
        rig.taps.start(rig.session, StartRecording(**fields))
    assert rig.writer.started == {} and len(rig.taps) == 0
