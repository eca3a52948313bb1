"""Calls between legs of different codecs, through the whole engine: what is heard, timestamps, packet lengths, loss,
silence that is not sent, telephone-events in between, recordings, codecs that are only passed.

In virtual time with the codec desk's work done at once; `test_through_a_real_worker` has the real process, threads and
sockets. Not here: the codecs alone (codecs/test_codecs.py), order and gaps in detail (codecs/test_streams.py).
"""

import itertools
import time
import wave

import numpy as np
import pytest

from media import g711
from media.codecs.registry import find_codec
from model.media import RecordingFinished, RecordingStarted, StartRecording, StopRecording
from tests.media import worker_process as process
from tests.media.codecs.signals import level_at, likeness, speech_like
from tests.media.codecs.talker import HIGH, LOW, Talker, two_tones
from tests.media.virtual import TYPES, NoWriter, Phone, World


def call(a, b, seconds=1.5, **more):
    world = World(a, b, **more)
    world.connect("a-b")
    world.run(seconds)
    return world


PAIRS = [
    ("G722", "PCMU"),
    ("opus", "PCMU"),
    ("opus", "G722"),
    ("L16/16000", "PCMU"),
    ("L16/8000", "PCMU"),
    ("L16/16000", "opus"),
    ("L16/8000", "G722"),
    ("PCMA", "opus"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_both_hear_what_the_other_can_say(one, other):
    a, b = Talker("a", 0, one, two_tones(one)), Talker("b", 1, other, two_tones(other), phase_s=0.011)
    call(a, b)
    is_wide = find_codec(one).rate == find_codec(other).rate == 16000
    for phone in (a, b):
        ear = phone.ear()
        assert len(ear) > 1.3 * phone.ear_rate
        settled = ear[len(ear) // 4 :]
        assert 4000 < level_at(settled, LOW, phone.ear_rate) < 8000
        if phone.ear_rate == 16000:
            high = level_at(settled, HIGH, 16000)
            assert high > 3000 if is_wide else high < 60
        assert np.abs(settled).max() < 16000


@pytest.mark.parametrize(
    ("codec", "ptime", "made"),
    [
        *(("G722", ptime, ptime) for ptime in (10, 20, 30, 40, 60)),
        *(("opus", ptime, ptime) for ptime in (10, 20, 40, 60)),
        ("opus", 30, 20),
        *(("L16/8000", ptime, ptime) for ptime in (10, 20, 30, 40)),
        ("L16/16000", 10, 10),
        ("L16/16000", 30, 20),
    ],
)
def test_packets_of_every_length_have_unbroken_timestamps(codec, ptime, made):
    kind = find_codec(codec)
    a = Talker("a", 0, codec, two_tones(codec), ptime_ms=kind.ptime(ptime))
    b = Talker("b", 1, "PCMU", two_tones("PCMU"), phase_s=0.011)
    world = World(a, b)
    world.configure(a, ptime_ms=ptime)
    world.connect("a-b")
    world.run(1.5)
    steps = {(y.ts - x.ts) & 0xFFFFFFFF for x, y in itertools.pairwise(a.heard)}
    assert steps == {kind.clock_hz * made // 1000}
    assert {(y.seq - x.seq) & 0xFFFF for x, y in itertools.pairwise(a.heard)} == {1}
    assert [each.marker for each in a.heard].count(True) <= 1
    assert abs(len(a.heard) * made - 1500) <= 120
    for phone in (a, b):
        ear = phone.ear()
        assert 4000 < level_at(ear[len(ear) // 4 :], LOW, phone.ear_rate) < 8000


def test_opus_steps_by_960():
    a, b = Talker("a", 0, "opus", two_tones("opus")), Talker("b", 1, "G722", two_tones("G722"))
    call(a, b, 0.6)
    assert {(y.ts - x.ts) & 0xFFFFFFFF for x, y in itertools.pairwise(a.heard)} == {960}
    assert {(y.ts - x.ts) & 0xFFFFFFFF for x, y in itertools.pairwise(b.heard)} == {160}


def test_the_same_codec_is_not_touched():
    a, b = Talker("a", 0, "opus", two_tones("opus")), Talker("b", 1, "opus", two_tones("opus"))
    call(a, b, 0.5)
    spoken = [each.payload for each in b.heard]
    again = find_codec("opus").make_encoder("", 20)
    assert spoken[:20] == [again.encode(two_tones("opus")[i * 320 : i * 320 + 320]) for i in range(20)]


# -- loss and silence -------------------------------------------------------------------------------------------------


def test_forward_error_correction_recovers_single_losses():
    spoken, lost = speech_like(3.0), range(40, 140, 7)

    def heard(fmtp, gone):
        a = Talker("a", 0, "opus", spoken, fmtp=fmtp, lost=gone)
        b = Talker("b", 1, "L16/16000", np.zeros(0, np.int16))
        world = World(a, b)
        world.configure(a, fmtp=fmtp)
        world.connect("a-b")
        world.run(3.2)
        return b.ear()[8000:40000], world.engine.coding.counters(0)

    with_fec, counters = heard("useinbandfec=1", lost)
    assert counters.recovered >= 10
    without, counters = heard("", lost)
    assert counters.recovered == 0 and counters.concealed >= 10
    whole = [heard(fmtp, ())[0] for fmtp in ("useinbandfec=1", "")]
    assert likeness(whole[0], with_fec, 800) > likeness(whole[1], without, 800)


def test_silence_that_a_peer_does_not_send_is_no_loss():
    pause = np.concatenate([speech_like(0.6), np.zeros(24000, np.int16), speech_like(0.6, seed=2)])
    a = Talker("a", 0, "opus", pause, fmtp="usedtx=1")
    b = Talker("b", 1, "PCMU", np.zeros(0, np.int16))
    world = call(a, b, 2.8)
    assert a.n_sent < 110
    statistics = world.engine.statistics(world.engine.by_row[0])
    assert statistics.packets_lost == statistics.packets_late == 0
    counters = world.engine.coding.counters(0)
    assert (counters.recovered, counters.concealed, counters.late) == (0, 0, 0)
    b.assert_continuous()
    ear = b.ear()
    loud = [float(np.abs(part).mean()) for part in np.split(ear[: len(ear) // 800 * 800], len(ear) // 800)]
    assert max(loud[9:18]) < 0.1 * max(loud)  # 0.9 to 1.8 s
    assert max(loud[21:]) > 0.5 * max(loud)


def test_a_peer_that_allows_it_is_not_sent_silence():
    pause = np.concatenate([speech_like(0.6)[::2], np.zeros(12000, np.int16), speech_like(0.6, seed=2)[::2]])
    a = Talker("a", 0, "opus", np.zeros(0, np.int16))
    b = Talker("b", 1, "PCMU", pause)
    world = World(a, b)
    world.configure(a, fmtp="usedtx=1")
    world.connect("a-b")
    world.run(2.8)
    assert len(a.heard) < 115
    assert {(y.seq - x.seq) & 0xFFFF for x, y in itertools.pairwise(a.heard)} == {1}
    gaps = [(x, y) for x, y in itertools.pairwise(a.heard) if y.ts - x.ts & 0xFFFFFFFF != 960]
    assert gaps
    for x, y in gaps:  # time goes on by what was not sent, and a talk spurt is marked (RFC 3551 §4.1)
        assert ((y.ts - x.ts) & 0xFFFFFFFF) == 48 * round(1000 * (y.at - x.at) / 20) * 20
        assert y.marker


def test_telephone_events_are_not_made_up_for():
    a = Talker("a", 0, "opus", speech_like(2.0), events=range(40, 48))
    b = Talker("b", 1, "PCMU", np.zeros(0, np.int16))
    world = World(a, b)
    world.configure(a, dtmf_payload_type=101)
    world.connect("a-b")
    world.run(2.0)
    counters = world.engine.coding.counters(0)
    assert (counters.recovered, counters.concealed, counters.errors) == (0, 0, 0)


def test_comfort_noise_between_is_no_loss():
    """RFC 3389 §4: the noise packet has the sequence number after the last audio packet."""
    a = Talker("a", 0, "G722", speech_like(2.0), events=range(40, 41), lost=range(41, 60), is_lost_unsent=True)
    a.event_type = 13
    b = Talker("b", 1, "PCMU", np.zeros(0, np.int16))
    world = World(a, b)
    world.configure(a, cn_payload_type=13)
    world.connect("a-b")
    world.run(2.0)
    statistics = world.engine.statistics(world.engine.by_row[0])
    assert statistics.packets_lost == statistics.packets_late == 0
    assert statistics.concealed_ms <= 20
    b.assert_continuous()


def test_a_leg_that_was_not_listened_to_is_no_loss():
    """Relayed until somebody of another codec joins: what the desk did not get is not missing."""
    a, b = Talker("a", 0, "opus", speech_like(3.0)), Talker("b", 1, "opus", speech_like(3.0))
    c = Talker("c", 2, "PCMU", np.zeros(0, np.int16))
    world = World(a, b, c)
    world.connect("a-b", "a>c")
    world.run(0.5)
    world.connect("a-b")
    world.run(0.1)
    world.connect("a-b", "a>c")
    world.run(0.5)
    counters = world.engine.coding.counters(0)
    assert (counters.recovered, counters.concealed, counters.late) == (0, 0, 0)
    c.heard = [each for each in c.heard if each.at > world.now - 0.3]
    assert len(c.heard) >= 13


# -- changes ----------------------------------------------------------------------------------------------------------


def test_a_leg_changes_its_codec_in_the_call():
    a, b = Talker("a", 0, "G722", two_tones("G722")), Talker("b", 1, "PCMU", two_tones("PCMU"))
    world = call(a, b, 1.0)
    changed = Talker("a", 0, "opus", two_tones("opus"))
    changed.next_at = world.now + 0.005
    world.phones["a"] = world.by_row[0] = changed
    b.heard.clear()
    world.configure(changed)
    world.run(1.5)
    assert {each.type for each in changed.heard} == {TYPES["opus"]}
    for phone in (changed, b):
        ear = phone.ear()
        assert 4000 < level_at(ear[len(ear) // 4 :], LOW, phone.ear_rate) < 8000


@pytest.mark.parametrize("codec", ["G722", "opus"])
def test_another_stream_of_a_peer_goes_on_at_once(codec):
    a, b = Talker("a", 0, codec, two_tones(codec)), Talker("b", 1, "PCMU", np.zeros(0, np.int16))
    world = call(a, b, 1.0)
    a.ssrc, a.seq = 4711, 60_000
    world.run(1.0)
    b.assert_continuous()
    ear = b.ear()
    for part in np.split(ear[4000:12800], 11):  # 0.1 s each, before and after
        assert level_at(part, LOW, 8000) > 4000
    counters = world.engine.coding.counters(0)
    assert (counters.concealed, counters.recovered) == (0, 0)


def test_clock_must_be_that_of_the_codec():
    a = Talker("a", 0, "opus", two_tones("opus"))
    world = World(a)
    world.configure(a, clock_hz=8000)
    assert "48000" in world.events[-1].error


# -- recordings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["G722", "opus", "L16/16000", "L16/8000"])
def test_decoded_legs_are_recorded(codec):
    a, b = Talker("a", 0, codec, two_tones(codec)), Talker("b", 1, "PCMU", two_tones("PCMU"))
    writer = NoWriter()
    world = World(a, b, writer=writer)
    world.connect("a-b")
    world.run(0.3)
    world.do(StartRecording(session="s", recording="r", path="/tmp/r.wav", channels=[["a"], ["b"]]))
    world.run(2.0)
    world.do(StopRecording(session="s", recording="r"))
    sounds = [sound for take in writer.takes for sound in take.channels[0]]
    assert {(sound.encoding, sound.rate) for sound in sounds} == {("pcm16", 16000)}
    pcm = np.concatenate([sound.samples for sound in sounds])[8000:24000]
    assert 4000 < level_at(pcm, LOW) < 8000
    high = level_at(pcm, HIGH)
    assert high < 60 if codec == "L16/8000" else high > 3000
    assert not any(writer.ending.silent_because)


def test_a_relayed_call_is_recorded_and_not_touched():
    a, b = Talker("a", 0, "opus", two_tones("opus")), Talker("b", 1, "opus", two_tones("opus"))
    writer = NoWriter()
    world = World(a, b, writer=writer)
    world.connect("a-b")
    world.do(StartRecording(session="s", recording="r", path="/tmp/r.wav", channels=[["a"], ["b"]]))
    world.run(2.0)
    world.do(StopRecording(session="s", recording="r"))
    for i in (0, 1):
        pcm = np.concatenate([sound.samples for take in writer.takes for sound in take.channels[i]])
        assert level_at(pcm[8000:24000], HIGH) > 3000
    again = find_codec("opus").make_encoder("", 20)
    spoken = two_tones("opus")
    sent = [again.encode(spoken[i * 320 : i * 320 + 320]) for i in range(len(b.heard))]
    assert [each.payload for each in b.heard] == sent


def test_a_codec_that_is_not_decoded_is_passed_and_the_recording_says_so():
    a, b = Phone("a", 0, "G729"), Phone("b", 1, "G729")
    writer = NoWriter()
    world = World(a, b, writer=writer)
    world.connect("a-b")
    world.do(StartRecording(session="s", recording="r", path="/tmp/r.wav", channels=[["a"], ["b"]]))
    world.run(1.0)
    world.do(StopRecording(session="s", recording="r"))
    assert [each.payload for each in b.heard] == a.sent[: len(b.heard)] and len(b.heard) > 45
    assert writer.ending.silent_because == ["G729 is not decoded", "G729 is not decoded"]
    assert not any(sound for take in writer.takes for channel in take.channels for sound in channel)


# -- the real process -------------------------------------------------------------------------------------------------


class WirePhone:
    """A phone with a socket that really speaks its codec, 20 ms at a time."""

    def __init__(self, codec, fmtp=""):
        self.kind = find_codec(codec)
        self.codec = codec
        self.phone = process.Phone(TYPES[codec])
        self.sound = two_tones(codec)
        self.encoder = self.kind.make_encoder(fmtp, 20) if self.kind.make_encoder else None
        self.n = 0

    def speak(self):
        size = self.kind.rate // 50
        part = self.sound[self.n * size : (self.n + 1) * size]
        self.n += 1
        payload = self.encoder.encode(part) if self.encoder else g711.LINEAR_TO_ULAW[part.view(np.uint16)].tobytes()
        self.phone.send(payload, step=self.kind.clock_hz // 50)
        self.phone.collect()

    def settings(self):
        return {"codec": self.codec, "clock_hz": self.kind.clock_hz}

    def assert_heard(self, *, is_wide):
        packets = [process.fields(each) for each in self.phone.received]
        assert {kind & 0x7F for kind, *_ in packets} == {TYPES[self.codec]}
        steps = {(b[1] - a[1] & 0xFFFF, b[2] - a[2] & 0xFFFFFFFF) for a, b in itertools.pairwise(packets)}
        assert steps == {(1, self.kind.clock_hz // 50)}
        payloads = [payload for *_, payload in packets]
        if self.encoder:
            decoder, rate = self.kind.make_decoder(), 16000
            ear = np.concatenate([decoder.decode(payload) for payload in payloads])
        else:
            ear, rate = g711.ULAW_TO_LINEAR[np.frombuffer(b"".join(payloads), np.uint8)], 8000
        settled = ear[len(ear) // 3 :]
        assert level_at(settled, LOW, rate) > 3000
        if rate == 16000:
            high = level_at(settled, HIGH, 16000)
            assert high > 2000 if is_wide else high < 150


def test_through_a_real_worker():
    with process.Worker(6) as worker:
        calls = [("opus", "G722"), ("G722", "PCMU"), ("PCMU", "opus")]
        phones = [(WirePhone(a), WirePhone(b)) for a, b in calls]
        for i, (a, b) in enumerate(phones):
            for k, each in enumerate((a, b)):
                command = process.configure(worker, each.phone, "ab"[k], 2 * i + k, session=f"s{i}", **each.settings())
                worker.switch.send(command)
            worker.switch.send(process.bridge(("a", "b"), session=f"s{i}"))
        path = str(worker.folder / "r.wav")
        channels = [["a"], ["b"]]
        worker.switch.send(StartRecording(session="s0", recording="r", path=path, channels=channels))
        worker.switch.wait(RecordingStarted)
        began = time.monotonic()
        for i in range(100):
            for a, b in phones:
                a.speak()
                b.speak()
            time.sleep(max(0.0, began + 0.02 * (i + 1) - time.monotonic()))  # phones speak in real time
        for a, b in phones:
            for each in (a, b):
                each.phone.wait_for(85)
                each.assert_heard(is_wide=a.kind.rate == b.kind.rate == 16000)
        worker.switch.send(StopRecording(session="s0", recording="r"))
        finished = worker.switch.wait(RecordingFinished)
        assert finished.error == "" and not any(finished.silent_because)
        with wave.open(path) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 2, 2)
            pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        for channel in pcm.T:
            middle = channel[len(channel) // 3 : -len(channel) // 4]
            assert level_at(middle, LOW) > 3000 and level_at(middle, HIGH) > 2000
