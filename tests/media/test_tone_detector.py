"""Tones of networks and fax machines: every plan's, by frequency and cadence; and what must not be taken for one.

Not here: hours of speech (benchmarks/dtmf.py); what the switch does with it (tests/switch).
"""

import numpy as np
import pytest

from media.tone_detector import ToneDetector, ToneListener
from media.tones import PLANS, find_tone, render
from model.media import ConfigureLeg, ToneDetected

_SAME = {"mx", "au", "jp", "my"}
"""Plans with one cadence for busy and congestion."""
_CASES = [
    (plan, name)
    for plan in PLANS
    for name in ("busy", "congestion", "ringback", "dial", "special_info")
    if (plan, name) != ("sg", "ringback")
]


def played(plan, name, seconds=9):
    tone = find_tone(name, plan)
    samples = render(tone).astype(np.float64)
    return np.tile(samples, -(-seconds * 8000 // len(samples)))[: seconds * 8000] if tone.is_looped else samples


def sine(hz, ms, level=3000.0):
    return level * np.sin(2 * np.pi * hz * np.arange(ms * 8) / 8000)


def silence(ms):
    return np.zeros(ms * 8)


def listen(signals, plans, seed=1, noise=15.0):
    """What is found in each of `signals`, all at once."""
    rng = np.random.default_rng(seed)
    longest = (max(map(len, signals)) + 12000) // 160 * 160
    pcm = rng.normal(0, noise, (len(signals), longest))
    for i, signal in enumerate(signals):
        start = int(rng.integers(160, 3000))
        pcm[i, start : start + len(signal)] += signal
    pcm = np.rint(pcm).astype(np.float32)
    detector = ToneDetector(len(signals) + 5)
    rows = np.arange(len(signals)) + 5
    for row, wanted in zip(rows.tolist(), plans, strict=True):
        detector.reset(row, wanted)
    found = [[] for _ in signals]
    for begin in range(0, longest, 160):
        for each in detector.run(rows, np.ascontiguousarray(pcm[:, begin : begin + 160])):
            found[each.row - 5].append(each.tone)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_every_tone_of_every_plan_is_told_once(seed):
    found = listen([played(*case) for case in _CASES], [[plan] for plan, _ in _CASES], seed)
    wanted = [["busy"] if name == "congestion" and plan in _SAME else [name] for plan, name in _CASES]
    wrong = {case: got for case, got, want in zip(_CASES, found, wanted, strict=True) if got != want}
    assert not wrong


def test_without_a_known_plan_the_common_tones_are_told():
    cases = [
        ("eu", "busy"),
        ("us", "busy"),
        ("cn", "busy"),
        ("cn", "congestion"),
        ("us", "ringback"),
        ("uk", "ringback"),
    ]
    assert listen([played(*case) for case in cases], [[]] * len(cases)) == [[name] for _, name in cases]


@pytest.mark.parametrize("hz", [1062, 1100, 1138])
def test_fax_calling_tone(hz):
    """ITU-T T.30: 1100 Hz ± 38 Hz, half a second every three."""
    calls = np.concatenate([sine(hz, 500), silence(3000), sine(hz, 500), silence(1000)])
    assert listen([calls], [[]]) == [["fax_cng"]]


def test_fax_answers():
    time = np.arange(4 * 8000) / 8000
    turned = 2 * np.pi * 2100 * time + np.floor(time / 0.45) * np.pi
    ansam = 3000 * (1 + 0.2 * np.sin(2 * np.pi * 15 * time)) * np.sin(turned)
    signals = [sine(2085, 3000), sine(2115, 3000), 3000 * np.sin(turned), ansam]
    assert listen(signals, [[]] * 4) == [["fax_ced"]] * 4


@pytest.mark.parametrize(
    "segments",
    [
        ((985.2, 380), (1428.5, 274), (1776.7, 380)),
        ((913.8, 274), (1370.6, 274), (1776.7, 380)),
        ((985.2, 274), (1370.6, 380), (1776.7, 380)),
    ],
    ids=["no circuit", "intercept", "vacant code"],
)
def test_special_information_of_sr_2275(segments):
    signal = np.concatenate([*(sine(hz, ms) for hz, ms in segments), silence(1000)])
    assert listen([signal], [["us"]]) == [["special_info"]]


def test_what_is_no_tone():
    rng = np.random.default_rng(7)
    order = np.concatenate([sine(1800, 330), sine(1400, 330), sine(950, 330), silence(500)])
    uneven = np.concatenate([part for ms in (500, 300, 650, 420) for part in (sine(425, ms), silence(500))])
    key = sine(697, 400) + sine(1209, 400)
    signals = [
        sine(1100, 2000),
        sine(1100, 250),
        sine(2100, 500),
        order,
        uneven,
        np.tile(np.concatenate([key, silence(400)]), 5),
        rng.normal(0, 3000, 40000),
        np.concatenate([sine(425, 900), rng.normal(0, 2000, 8000), sine(425, 900), rng.normal(0, 2000, 8000)]),
    ]
    assert listen(signals, [[]] * len(signals)) == [[]] * len(signals)


def test_another_tone_is_told_again():
    signal = np.concatenate([played("cn", "ringback", 6), played("cn", "busy", 4)])
    assert listen([signal], [["cn"]]) == [["ringback", "busy"]]


def test_reset_forgets():
    detector = ToneDetector(1)
    detector.reset(0, ["eu"])
    rows, signal = np.zeros(1, np.int64), played("eu", "busy", 3).astype(np.float32)
    found = []
    for begin in range(0, len(signal), 160):
        if begin in (8000, 16000):
            detector.reset(0, ["eu"])
        found += detector.run(rows, signal[None, begin : begin + 160])
    assert not found


def test_listener_wants_and_tells():
    class Leg:
        def __init__(self, **settings):
            self.session, self.id = "s", "a"
            self.settings = ConfigureLeg("s", "a", 1, **settings)

    told = []
    legs = [Leg(detect=("tones/cn", "dtmf")), Leg(detect=("dtmf",)), Leg(detect=("tones",), codec="G729")]
    listener = ToneListener(legs, told.append)
    assert [listener.wants(leg) for leg in legs] == [True, False, False]
    listener.reset(0)
    # In another plan the same is busy.
    signal = played("cn", "congestion", 5).astype(np.float32)
    for begin in range(0, len(signal), 160):
        listener.run(np.zeros(1, np.int64), signal[None, begin : begin + 160], 0.0)
    assert told == [ToneDetected("s", "a", "congestion")]
