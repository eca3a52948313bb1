"""The demo's voices: level, pauses, determinism, and that one can be told from another.

Not covered: how they sound.
"""

import numpy as np
import pytest

from media.g711 import decoder
from switch.demo.speech import LEVEL_DBM0, RATE_HZ, speak, synthesise

FULL_SCALE_RMS = 32124 / 2**0.5


def frames_dbm0(seed: int) -> np.ndarray:
    samples = synthesise(seed).astype(float)
    rms = np.sqrt(np.mean(samples[: len(samples) // 160 * 160].reshape(-1, 160) ** 2, axis=1))
    return 20 * np.log10(np.maximum(rms, 1) / FULL_SCALE_RMS) + 3.17


@pytest.mark.parametrize("seed", [0, 1, 7, 42])
def test_level_and_pauses(seed: int) -> None:
    level = frames_dbm0(seed)
    spoken = level[level > -45]
    assert 10 * np.log10(np.mean(10 ** (spoken / 10))) == pytest.approx(LEVEL_DBM0, abs=2.5)
    assert 0.1 < np.mean(level < -60) < 0.6, "speech has pauses"
    assert np.abs(synthesise(seed).astype(int)).max() < 32124


def test_the_same_seed_says_the_same() -> None:
    assert speak(3) == speak(3)
    assert len(speak(3, seconds=2.5)) == 2.5 * RATE_HZ


def test_two_voices_differ() -> None:
    one, other = synthesise(1).astype(float), synthesise(2).astype(float)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.2


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_codecs_carry_the_same_voice(codec: str) -> None:
    heard = decoder(codec)[np.frombuffer(speak(5, codec=codec), np.uint8)].astype(float)
    assert np.corrcoef(heard, synthesise(5))[0, 1] > 0.99
