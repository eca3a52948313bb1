"""Detectors that tell the switch: speech begins and ends, who answered; the watch over every leg's line (one-way audio,
quality). Rows, tables and rings are the real ones, packets are put into them here. Not here: how speech is told from
noise (test_speech), who is human (test_answer_detector), the E-model (test_quality)."""

import numpy as np
import pytest

from media import g711
from media.analysis import AnswerDetector, SpeechDetector
from media.arrays import LegTable
from media.line_watch import LineWatch
from media.session import Leg, Session
from model.media import AnswerDetected, ConfigureLeg, Edge, Event, OneWayAudio, QualityChanged, SpeechChanged
from rtp.receiver import ReceiverTable
from rtp.ring import JitterRing
from tests.media.spoken import say

ROWS = np.arange(1)


def leg_at(row: int, name: str, **settings: object) -> Leg:
    return Leg("s", name, row, ConfigureLeg(session="s", leg=name, port=4000 + 2 * row, **settings), 0.0)


def frames(signal: np.ndarray) -> list[np.ndarray]:
    return [signal[None, at : at + 160].astype(np.float32) for at in range(0, len(signal) - 159, 160)]


def test_speech_is_told_when_it_begins_and_ends() -> None:
    events: list[Event] = []
    detector = SpeechDetector([leg := leg_at(0, "a", detect=("speech",)), None], events.append)
    assert detector.wants(leg) and not detector.wants(leg_at(1, "b", detect=("tones",)))
    signal = np.concatenate([np.zeros(8000), say("Hello."), np.zeros(8000)]) + 1.0
    for frame in frames(signal):
        detector.run(ROWS, frame, 0.0)
    assert events == [
        SpeechChanged(session="s", leg="a", is_speaking=True),
        SpeechChanged(session="s", leg="a", is_speaking=False),
    ]


def test_the_answer_is_told_once() -> None:
    events: list[Event] = []
    changed: list[str] = []
    detector = AnswerDetector([leg := leg_at(0, "a")], events.append, changed.append)
    assert not detector.wants(leg)
    detector.start(leg, 4.0)
    detector.start(leg, 4.0)
    assert detector.wants(leg) and changed == ["s"]
    for frame in frames(np.concatenate([np.zeros(4000), say("Hello?"), np.zeros(32000)])):
        detector.run(ROWS, frame, 0.0)
    [event] = events
    assert isinstance(event, AnswerDetected)
    assert (event.leg, event.result) == ("a", "human") and event.evidence["words"] >= 1
    assert 0.5 < event.after_s < 3
    assert not detector.wants(leg) and changed == ["s", "s"]


@pytest.mark.parametrize("max_s", [0.0, 31.0, float("nan")])
def test_times_that_make_no_sense(max_s: float) -> None:
    detector = AnswerDetector([leg := leg_at(0, "a")], print, print)
    with pytest.raises(ValueError, match="not between"):
        detector.start(leg, max_s)


def test_a_released_leg_is_not_judged() -> None:
    events: list[Event] = []
    detector = AnswerDetector([leg := leg_at(0, "a")], events.append, lambda session: None)
    detector.start(leg, 0.5)
    detector.release(0)
    for frame in frames(np.zeros(16000)):
        detector.run(ROWS, frame, 0.0)
    assert events == []


class Line:
    """Two legs that hear each other, fed packet by packet."""

    def __init__(self) -> None:
        self.table, self.receiver, self.ring = LegTable(2), ReceiverTable(2), JitterRing(2)
        self.events: list[Event] = []
        self.watch = LineWatch(self.table, self.receiver, self.ring, None, self.events.append)
        self.session = Session("s")
        self.by_row: list[Leg | None] = [leg_at(0, "a"), leg_at(1, "b")]
        self.clock, self.seq = 0, [0, 0]
        for leg in self.by_row:
            assert leg is not None
            self.session.legs[leg.id] = leg
            self.table.may_receive[leg.row] = self.table.is_ringed[leg.row] = True
            self.watch.add(leg, 0.0)
        self.session.edges = [Edge("a", "b"), Edge("b", "a")]
        self.session.apply_edges()

    def run(self, seconds: float, said: dict[int, np.ndarray], *, lose: float = 0.0) -> None:
        """`said[row]` is repeated all the time; rows not named send nothing; `lose` is a part of the packets."""
        rng = np.random.default_rng(3)
        for i in range(int(seconds * 50)):
            now = self.clock * 0.01
            for row, signal in said.items():
                self.seq[row] += 1
                if rng.random() < lose:
                    continue
                at = i * 160 % (len(signal) - 160)
                codes = g711.LINEAR_TO_ULAW[signal[at : at + 160].astype(np.int16).view(np.uint16)]
                legs, seq = np.array([row]), np.array([self.seq[row]], np.uint16)
                ts = np.array([self.seq[row] * 160], np.uint32)
                sizes, audio = np.array([160]), np.array([True])
                self.receiver.update(legs, seq, ts, np.array([7]), sizes, audio, now)
                self.ring.put(legs, ts, None, codes[None], sizes, self.clock)
                self.table.received_at[row] = now
            self.watch.run(self.by_row, {"s": self.session}, self.clock, now)
            self.clock += 2


SPEECH = np.concatenate([np.asarray(say("The quick brown fox jumps over the lazy dog.")), np.zeros(8000)]) + 1
SILENCE = np.zeros(16000)


def test_two_who_talk_are_no_event() -> None:
    line = Line()
    line.run(40, {0: SPEECH, 1: SPEECH})
    assert line.events == []
    leg = line.by_row[0]
    assert leg is not None
    assert 10 < line.watch.speech_s(leg) < 40 and line.watch.mos(leg, -1) > 4.3


def test_one_who_only_listens_is_told_as_silent_once() -> None:
    line = Line()
    line.run(60, {0: SPEECH, 1: SILENCE})
    [event] = line.events
    assert isinstance(event, OneWayAudio)
    assert (event.leg, event.why) == ("b", "silent") and 20 < event.silent_s < 30
    line.run(10, {0: SPEECH, 1: SPEECH})
    line.run(40, {0: SPEECH, 1: SILENCE})
    assert [type(event) for event in line.events] == [OneWayAudio] * 2


def test_two_who_are_both_silent_are_no_event() -> None:
    line = Line()
    line.run(60, {0: SILENCE, 1: SILENCE})
    assert line.events == []


def test_one_who_sends_nothing_is_told_at_once() -> None:
    line = Line()
    line.run(5, {0: SPEECH, 1: SPEECH})
    line.run(12, {0: SPEECH})
    [event] = line.events
    assert isinstance(event, OneWayAudio)
    assert (event.leg, event.why) == ("b", "no_rtp") and 4 < event.silent_s < 10


def test_on_hold_nobody_is_one_way() -> None:
    line = Line()
    line.session.edges = []
    line.session.apply_edges()
    line.run(60, {0: SPEECH})
    assert line.events == []


def test_poor_quality_and_its_end() -> None:
    line = Line()
    line.run(20, {0: SPEECH, 1: SPEECH})
    line.run(20, {0: SPEECH, 1: SPEECH}, lose=0.3)
    poor = [event for event in line.events if isinstance(event, QualityChanged)]
    assert {event.leg for event in poor} == {"a", "b"} and all(event.is_poor and event.mos < 3.1 for event in poor)
    line.run(15, {0: SPEECH, 1: SPEECH})
    assert [event.is_poor for event in line.events if isinstance(event, QualityChanged)] == [True, True, False, False]
    leg = line.by_row[0]
    assert leg is not None and 1 < line.watch.mos(leg, 20) < 4.2
