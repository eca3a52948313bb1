"""Covers `media/resample.py`: level and phase in the pass band, the stop band (nothing folds back), lengths. Does not
cover its speed."""

import numpy as np
import pytest

from media.resample import resample

RATES = [6000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000]


def sine(hz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return (10000 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def level_db(samples: np.ndarray) -> float:
    inner = samples[800:-800].astype(float)
    return float(20 * np.log10(np.sqrt(np.mean(inner**2)) / (10000 / 2**0.5) + 1e-9))


@pytest.mark.parametrize(
    ("rate", "hz"), [(rate, hz) for rate in RATES for hz in (50, 300, 1000, 2500, 3300) if hz < 0.42 * rate]
)
def test_speech_passes_unchanged_and_in_phase(rate, hz):
    got = resample(sine(hz, rate), rate, 8000)
    wanted = sine(hz, 8000)
    assert abs(level_db(got)) < 0.1
    assert np.abs(got - wanted[: len(got)])[800:-800].max() < 150


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate >= 16000])
@pytest.mark.parametrize("hz", [4200, 4700, 5500, 7000])
def test_what_is_above_the_telephone_band_does_not_fold_back(rate, hz):
    assert level_db(resample(sine(hz, rate), rate, 8000)) < -75


@pytest.mark.parametrize("rate", [*RATES, 8000, 44101])
@pytest.mark.parametrize("n", [0, 1, 2, 79, 1000])
def test_lengths(rate, n):
    got = resample(np.ones(n, np.float32), rate, 8000)
    assert len(got) == -(-n * 8000 // rate)
    assert got.dtype == np.float32


@pytest.mark.parametrize("rate", RATES)
def test_a_constant_stays_itself(rate):
    got = resample(np.full(rate, 1000, np.float32), rate, 8000)
    assert np.abs(got[800:-800] - 1000).max() < 1


def test_the_same_rate_is_the_same_signal():
    samples = sine(1000, 8000)
    assert resample(samples, 8000, 8000) is samples
