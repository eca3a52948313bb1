"""Covers `media/melody.py`: length, level, band and the seam of the built-in music. Does not cover whether it is
pleasant: that is for ears."""

import numpy as np

from media.melody import LEVEL_DBM0, compose
from media.tones import DBM0_RMS


def level_dbm0(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(float) ** 2)) / DBM0_RMS))


def test_it_is_long_quiet_and_never_silent_or_clipped():
    music = compose()
    assert len(music) / 8000 >= 30
    assert abs(level_dbm0(music) - LEVEL_DBM0) < 0.1
    seconds = [level_dbm0(second) for second in music[: len(music) // 8000 * 8000].reshape(-1, 8000)]
    assert min(seconds) > LEVEL_DBM0 - 6 and max(seconds) < LEVEL_DBM0 + 6
    assert np.abs(music.astype(int)).max() < 16000


def test_it_fits_the_telephone_band():
    power = np.abs(np.fft.rfft(compose().astype(float))) ** 2
    hz = np.fft.rfftfreq(len(compose()), 1 / 8000)
    assert power[hz > 3400].sum() < 1e-4 * power.sum()
    assert power[(hz > 200) & (hz < 3400)].sum() > 0.8 * power.sum()


def test_it_runs_into_its_beginning_without_a_click():
    music = compose().astype(int)
    steps = np.abs(np.diff(np.concatenate([music, music])))
    assert steps[len(music) - 10 : len(music) + 10].max() <= steps[: len(music) - 10].max()


def test_it_is_the_same_every_time():
    assert np.array_equal(compose(), compose())
