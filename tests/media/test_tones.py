"""Covers `media/tones.py`: every tone of every plan is rendered and measured (frequencies, cadence, level), the
notation and its refusals. Does not cover how a leg plays them (`test_engine.py`)."""

import numpy as np
import pytest

from media.tones import DBM0_RMS, PLANS, Tone, UnknownTone, find_tone, parse_tone, render

EVERY = [(name, plan) for plan, tones in PLANS.items() for name in tones]
BASIC = ("dial", "ringback", "busy", "congestion", "call_waiting", "special_info", "record_warning")


def spectrum_peaks(samples: np.ndarray, n: int) -> list[int]:
    """The n strongest frequencies, in whole Hz, of one second padded with zeros."""
    power = np.abs(np.fft.rfft(samples.astype(float) * np.hanning(len(samples)), 8000 * 4))
    peaks = []
    for _ in range(n):
        at = int(power.argmax())
        peaks.append(round(at / 4))
        power[max(at - 50, 0) : at + 50] = 0
    return sorted(peaks)


def bursts(samples: np.ndarray) -> list[tuple[bool, int]]:
    """(sounding, milliseconds) by the envelope of each millisecond."""
    loud = np.abs(samples.reshape(-1, 8)).max(axis=1) > 0
    edges = np.flatnonzero(np.diff(loud)) + 1
    lengths = np.diff(np.concatenate([[0], edges, [len(loud)]]))
    return [(bool(loud[start]), int(length)) for start, length in zip([0, *edges], lengths, strict=True)]


def rms_dbm0(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(float) ** 2)) / DBM0_RMS))


@pytest.mark.parametrize(("name", "plan"), EVERY, ids=[f"{name}/{plan}" for name, plan in EVERY])
def test_every_tone_sounds_as_its_plan_says(name, plan):
    tone = find_tone(name, plan)
    samples = render(tone)
    assert samples.dtype == np.int16
    at = 0
    for burst in tone.cadence:
        n = 8 * (burst.duration_ms or 1000)
        part = samples[at : at + n]
        at += n
        if not burst.frequencies_hz:
            assert not part.any()
            continue
        middle = part[16:-16] if burst.duration_ms else part
        total = tone.level_dbm0 + 10 * np.log10(len(burst.frequencies_hz))
        # A short burst of two frequencies, or of a modulated one, holds no whole number of beats.
        tolerance = 0.2 if burst.duration_ms in (0, *range(500, 20001)) and not burst.modulation_hz else 1.0
        assert rms_dbm0(middle) == pytest.approx(total, abs=tolerance)
        if n >= 1600 and not burst.modulation_hz:
            peaks = spectrum_peaks(part[:8000], len(burst.frequencies_hz))
            assert peaks == pytest.approx(sorted(burst.frequencies_hz), abs=1)
    assert at == len(samples)


@pytest.mark.parametrize("plan", sorted(PLANS))
def test_every_plan_has_the_basic_tones(plan):
    assert set(BASIC) <= set(PLANS[plan])


@pytest.mark.parametrize(
    ("name", "plan", "frequencies", "cadence"),
    [
        ("dial", "cn", [450], [(True, 1000)]),
        ("ringback", "cn", [450], [(True, 1000), (False, 4000)]),
        ("busy", "cn", [450], [(True, 350), (False, 350)]),
        ("congestion", "cn", [450], [(True, 700), (False, 700)]),
        ("call_waiting", "cn", [450], [(True, 400), (False, 4000)]),
        ("dial", "us", [350, 440], [(True, 1000)]),
        ("ringback", "us", [440, 480], [(True, 2000), (False, 4000)]),
        ("busy", "us", [480, 620], [(True, 500), (False, 500)]),
        ("congestion", "us", [480, 620], [(True, 250), (False, 250)]),
        ("dial", "eu", [425], [(True, 1000)]),
        ("ringback", "eu", [425], [(True, 1000), (False, 4000)]),
        ("busy", "eu", [425], [(True, 500), (False, 500)]),
        ("congestion", "eu", [425], [(True, 200), (False, 200)]),
        ("call_waiting", "eu", [425], [(True, 200), (False, 600), (True, 200), (False, 3000)]),
        ("ringback", "uk", [400, 450], [(True, 400), (False, 200), (True, 400), (False, 2000)]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_cadence_and_frequencies_of_the_plans_in_the_issue(name, plan, frequencies, cadence):
    samples = render(find_tone(name, plan))
    assert bursts(samples) == cadence
    assert spectrum_peaks(samples[:1600], len(frequencies)) == pytest.approx(frequencies, abs=8)


def test_a_continuous_tone_continues_into_itself():
    period = render(find_tone("dial", "us")).astype(float)
    twice = np.concatenate([period, period])
    n = np.arange(len(twice)) / 8000
    basis = np.stack([np.sin(2 * np.pi * f * n) for f in (350, 440)], axis=1)
    coefficients, *_ = np.linalg.lstsq(basis, twice, rcond=None)
    assert np.abs(twice - basis @ coefficients).max() <= 0.6


def test_a_modulated_tone_has_its_power_and_its_modulation():
    samples = render(parse_tone("400*25")).astype(float)
    assert rms_dbm0(samples) == pytest.approx(-10, abs=0.1)
    assert spectrum_peaks(samples, 1) == [400]
    envelope = np.abs(samples).reshape(-1, 40).max(axis=1)
    assert envelope.max() > 8 * envelope.min()


@pytest.mark.parametrize(("name", "is_looped"), [("ringback", True), ("special_info", False)])
def test_tones_that_play_once_say_so(name, is_looped):
    assert find_tone(name, "us").is_looped is is_looped


@pytest.mark.parametrize(
    ("name", "plan", "said"),
    [("ringback", "atlantis", "cn"), ("applause", "cn", "ringback")],
    ids=["plan", "name"],
)
def test_unknown_tones_are_refused_with_what_there_is(name, plan, said):
    with pytest.raises(UnknownTone, match=said):
        find_tone(name, plan)


@pytest.mark.parametrize("text", ["", "loud", "425/", "425/0", "425+", "425,0/200", "425/200,0", "-425", "425*"])
def test_bad_notation_is_refused(text):
    with pytest.raises(ValueError, match="tone"):
        parse_tone(text)


def test_notation_is_read_whole():
    tone = parse_tone("!350+440/100,0/50@-13")
    assert isinstance(tone, Tone)
    assert (tone.is_looped, tone.level_dbm0) == (False, -13.0)
    assert [(b.frequencies_hz, b.duration_ms) for b in tone.cadence] == [((350.0, 440.0), 100), ((), 50)]
