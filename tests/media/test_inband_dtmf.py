"""In-band digits: every limit of ITU-T Q.24, speech, lost packets, rows that come and go; and what an engine makes of
them: any kind in, any kind out, each key once.

Not here: 10,000 keys through lossy networks and hours of speech (benchmarks/dtmf.py).
"""

import numpy as np
import pytest

from benchmarks.dtmf_lab import EVENT_TYPE, Presser, compare, press
from benchmarks.dtmf_q24 import dual_tone, listen, measure
from benchmarks.dtmf_speech import false_digits
from media.inband_dtmf import KEYPAD, InbandDetector
from model.media import ConnectMatrix, Digit, Edge, SecureLeg
from rtp.events import EventReceiver
from tests.media.virtual import Phone, World


def feed(detector, rows, signals, heard=None):
    found = []
    for k in range(signals.shape[1] // 160):
        frame = np.ascontiguousarray(signals[:, 160 * k : 160 * k + 160], np.float32)
        found += detector.run(rows, frame, None if heard is None else heard[:, k])
    return found


def padded(signal, before=300, after=1200):
    whole = np.concatenate([np.zeros(before), signal, np.zeros(after)])
    return whole[: len(whole) // 160 * 160]


def test_limits_of_q24():
    wrong = [row for row in measure(n_each=2) if not row["passed"]]
    assert not wrong


def test_duration_and_beginning():
    signal = padded(dual_tone("7", 120), before=800)
    (found,) = feed(InbandDetector(), np.array([9]), signal[None])
    assert (found.row, found.digit) == (9, "7")
    assert found.duration_ms == pytest.approx(120, abs=3)
    # It began 100 ms into the signal; the frame that ended it ends at 260 or 280 ms.
    assert 140 <= found.since_ms <= 190


def test_sounding_from_the_first_whole_frame_to_the_end():
    detector, rows = InbandDetector(), np.array([3])
    signal = padded(dual_tone("1", 100), before=330)
    sounding = []
    for k in range(len(signal) // 160):
        detector.run(rows, signal[None, 160 * k : 160 * k + 160].astype(np.float32))
        sounding.append(3 in detector.sounding)
    # The tone fills frames 3 to 6, most of frame 2 and 1 ms of frame 7.
    assert sounding[3:9] == [True, True, True, True, False, False]
    assert not any(sounding[:2])


def test_lost_packets_do_not_divide_or_hide_a_digit():
    frames = 14
    signal = padded(dual_tone("5", 100), before=330, after=1600)[: frames * 160]
    for lost in ([3], [4], [5], [6], [4, 5], [5, 6], [3, 4], [3, 5]):
        heard, holed = np.ones((1, frames), np.bool_), signal[None].copy()
        for k in lost:
            heard[0, k] = False
            holed[0, 160 * k : 160 * k + 160] = 0
        assert "".join(each.digit for each in feed(InbandDetector(), np.array([0]), holed, heard)) == "5", lost


def test_rows_that_come_and_go():
    detector = InbandDetector()
    first = padded(dual_tone("2", 100), before=0)
    second = padded(dual_tone("8", 100), before=0)
    # Row 4 joins in the middle of row 1's digit, which is not disturbed.
    found = feed(detector, np.array([1]), first[None, :480])
    found += feed(detector, np.array([4, 1]), np.stack([second[:1600], np.pad(first[480:], (0, 480))[:1600]]))
    assert sorted((each.row, each.digit) for each in found) == [(1, "2"), (4, "8")]
    # A row that is left out, or reset, loses the digit that ran.
    assert not feed(detector, np.array([1]), first[None, :480])
    detector.reset(1)
    assert not feed(detector, np.array([1]), np.zeros((1, 1600)))
    feed(detector, np.array([1]), first[None, :480])
    feed(detector, np.array([4]), np.zeros((1, 320)))
    assert 1 not in detector.sounding
    assert not feed(detector, np.array([1]), np.zeros((1, 1600)))


def test_voice_like_sounds_are_no_digits():
    """Vowels of a simple voice, harmonics of which fall on the frequencies of digits."""
    rng = np.random.default_rng(4)
    time = np.arange(8000) / 8000
    signals = []
    for pitch in np.linspace(80, 260, 120):
        turns = np.cumsum(pitch * (1 + 0.03 * np.sin(2 * np.pi * 5 * time))) / 8000
        wave = sum(np.sin(2 * np.pi * k * turns) / k for k in range(1, 14))
        swell = np.interp(time, np.arange(0, 1.01, 0.05), rng.uniform(0, 1, 21))
        signals.append(4000 * wave * swell)
    assert set(listen(signals)) == {""}


@pytest.mark.parametrize("hears", ["rfc4733", "inband"])
@pytest.mark.parametrize("kind", ["rfc4733", "inband"])
def test_any_kind_in_any_kind_out(kind, hears):
    assert press(kind, hears, 48, n_legs=6, loss=0.0) == {
        "pressed": 48,
        "lost": 0,
        "doubled": 0,
        "listener_lost": 0,
        "listener_doubled": 0,
    }


def digits_of(world, leg):
    return "".join(event.digit for event in world.events if isinstance(event, Digit) and event.leg == leg)


def events_of(phone):
    receiver, digits = EventReceiver(), ""
    for each in phone.heard:
        if each.type == EVENT_TYPE:
            digits += "".join(one.digit for one in receiver.receive(each.payload, each.ts, each.at))
    return digits


class BothWays(Presser):
    """A phone that sends telephone-events and leaves the tones in the audio between them."""

    def make_packet(self):
        audio = Phone.make_packet(self)
        self.n -= 1
        self.spoken_ms -= self.ptime_ms
        event = super().make_packet()
        return event if self.kind == "rfc4733" and self.n % 2 else audio


def test_a_key_in_two_kinds_is_told_once():
    keys = "1155#"
    a, b = BothWays("a", 0), Phone("b", 1, "PCMA")
    a.prepare(keys, "inband", 0.0, 1)
    a.kind = "rfc4733"
    world = World(a, b)
    world.configure(a, dtmf_payload_type=EVENT_TYPE, detect=("dtmf",))
    world.configure(b, dtmf_payload_type=EVENT_TYPE)
    world.connect("a>b")
    world.run(1.0 + len(keys) * 0.2 + 1.0)
    assert compare(keys, digits_of(world, "a")) == (0, 0)
    assert compare(keys, events_of(b)) == (0, 0)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"], ids=["relayed", "mixed"])
@pytest.mark.parametrize("kind", ["rfc4733", "inband"])
def test_keys_of_a_leg_that_passes_none_are_the_switchs_alone(kind, codec):
    """A supervisor's keys change what he does; a conference member's are his own."""
    keys = "159#"
    a, b = Presser("a", 0), Phone("b", 1, codec)
    a.prepare(keys, kind, 0.0, 1)
    world = World(a, b)
    wanted = {"detect": ("dtmf",)} if kind == "inband" else {"dtmf_payload_type": EVENT_TYPE}
    world.configure(a, **wanted, passes_digits=False)
    world.configure(b, dtmf_payload_type=EVENT_TYPE)
    world.connect("a>b")
    world.run(1.0 + len(keys) * 0.2 + 1.0)
    assert compare(keys, digits_of(world, "a")) == (0, 0)
    assert [each for each in b.heard if each.type == EVENT_TYPE] == []


@pytest.mark.parametrize("kind", ["rfc4733", "inband"])
def test_digits_of_a_secure_leg_are_told_to_the_switch_alone(kind):
    keys = "4111"
    a, b = Presser("a", 0), Phone("b", 1)
    a.prepare(keys, kind, 0.0, 1)
    world = World(a, b)
    world.configure(a, **({"detect": ("dtmf",)} if kind == "inband" else {"dtmf_payload_type": EVENT_TYPE}))
    world.configure(b, dtmf_payload_type=EVENT_TYPE)
    world.do(ConnectMatrix(session="s", edges=[Edge("a", "b")]))
    world.run(1.0)
    world.do(SecureLeg("s", "a", True))
    began = world.run(0.5)
    # The third key is being pressed when the leg is secure no longer.
    world.do(SecureLeg("s", "a", False))
    world.run(1.5)
    told = [(event.digit, event.is_secure) for event in world.events if isinstance(event, Digit)]
    assert told == [("4", True), ("1", True), ("1", True), ("1", False)]
    assert events_of(b) == "1"
    assert "4" not in repr([event for event in world.events if isinstance(event, Digit)])
    assert not [each for each in b.heard if began <= each.at < began + 0.45 and each.type == EVENT_TYPE]


def test_every_key_is_a_digit():
    assert listen([padded(dual_tone(key, 60)) for key in KEYPAD]) == list(KEYPAD)


def test_speech_has_no_digits(tmp_path, monkeypatch):
    """Talk-off, ten minutes in English and Chinese."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = false_digits(1 / 6)
    assert (result["speech"], result["hours"]) == ("espeak-ng", 0.17)
    assert (result["false_digits"], result["false_tones"]) == (0, 0)
