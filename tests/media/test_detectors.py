"""The hook for what listens to legs: who is asked, which frames it gets, also of legs that are only relayed; that it
begins anew with another leg.

Not here: the detectors themselves (test_inband_dtmf.py, test_analysis.py, test_tone_detector.py).
"""

import numpy as np
import pytest

from model.media import ReleaseLeg
from tests.media.virtual import Phone, World


class Ear:
    """Keeps what it hears of the legs in `names`."""

    def __init__(self, *names):
        self.names = set(names)
        self.heard = {}
        self.resets = []

    def wants(self, leg):
        return leg.id in self.names

    def reset(self, row):
        self.resets.append(row)

    def run(self, rows, pcm, now):
        assert pcm.dtype == np.float32 and pcm.shape == (len(rows), 160)
        for row, frame in zip(rows.tolist(), pcm, strict=True):
            self.heard.setdefault(row, []).append(frame.copy())

    def level(self, phone, row):
        audio = np.concatenate(self.heard[row][-20:])
        return np.abs(np.mean(audio * np.exp(-2j * np.pi * phone.hz * np.arange(len(audio)) / 8000))) * 2


def world(*codecs):
    return World(
        *(Phone(name, i, codec, hz=500 + 300 * i) for i, (name, codec) in enumerate(zip("abc", codecs, strict=True)))
    )


@pytest.mark.parametrize("edges", [("a-b",), ("a-b", "a-c", "b-c"), ()], ids=["relayed", "mixed", "heard by nobody"])
@pytest.mark.parametrize(
    "codecs", [("PCMU", "PCMU", "PCMU"), ("PCMA", "L16/16000", "L16/8000")], ids=["narrow", "wide"]
)
def test_each_hears_what_it_wants(edges, codecs):
    place = world(*codecs)
    ears = [Ear("a", "b"), Ear("b"), Ear()]
    place.engine.detectors += ears
    place.connect(*edges)
    place.run(0.6)
    assert [sorted(ear.heard) for ear in ears] == [[0, 1], [1], []]
    for ear in ears:
        for row in ear.heard:
            assert ear.level(place.by_row[row], row) == pytest.approx(8000, rel=0.03)
    assert sorted(ears[0].resets) == [0, 1]


def test_interest_comes_and_goes():
    place = world("PCMU", "PCMU", "PCMU")
    ear = Ear()
    place.engine.detectors.append(ear)
    place.connect("a-b")
    place.run(0.2)
    ear.names = {"a"}
    place.connect("a-b")
    place.run(0.1)
    n = len(ear.heard[0])
    assert n == 5
    ear.names = set()
    place.connect("a-b")
    place.run(0.1)
    assert len(ear.heard[0]) == n
    ear.names = {"a"}
    place.connect("a-b")
    place.run(0.1)
    assert ear.resets == [0, 0]
    assert [each.payload for each in place.phones["b"].heard] == place.phones["a"].sent[: len(place.phones["b"].heard)]


def test_released_leg_is_not_heard_any_more():
    place = world("PCMU", "PCMU", "PCMU")
    ear = Ear("a", "c")
    place.engine.detectors.append(ear)
    place.connect("a-b")
    place.run(0.1)
    place.do(ReleaseLeg(session="s", leg="a"))
    n = len(ear.heard[0])
    del place.phones["a"]
    place.run(0.1)
    assert len(ear.heard[0]) == n and len(ear.heard[2]) == 10
    place.phones["a"] = place.by_row[0]
    place.configure(place.by_row[0])
    place.run(0.1)
    assert len(ear.heard[0]) > n and ear.resets == [0, 2, 0]
