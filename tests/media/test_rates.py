"""Rate conversion in the tick: pass and stop band, delay, block lengths, streams that do not touch each other.

Not here: how long it takes (benchmarks/micro/test_codecs.py).
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.rates import RateConverter

PAIRS = [(8000, 16000), (16000, 8000), (16000, 48000), (48000, 16000), (8000, 48000), (48000, 8000)]
ROW = np.array([0])


def convert(signal, from_hz, to_hz, block_ms=20):
    converter = RateConverter(1, from_hz, to_hz)
    size = from_hz * block_ms // 1000
    frames = signal.astype(np.float32).reshape(-1, 1, size)
    return np.concatenate([converter.run(ROW, frame)[0].copy() for frame in frames])


def sine(hz, rate, seconds=1.0):
    return 10000 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)


def levels_db(signal, hz, rate):
    """(level at `hz`, level of everything else), against the sine of `sine`."""
    settled = signal[rate // 10 :]
    spectrum = np.abs(np.fft.rfft(settled * np.blackman(len(settled)))) ** 2
    near = np.abs(np.fft.rfftfreq(len(settled), 1 / rate) - hz) < 25
    reference = np.sum(np.abs(np.fft.rfft(sine(500, rate)[rate // 10 :] * np.blackman(len(settled)))) ** 2)
    return tuple(10 * np.log10(np.sum(part) / reference + 1e-20) for part in (spectrum[near], spectrum[~near]))


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_pass_band_is_flat_and_has_no_images(from_hz, to_hz):
    for part in (0.01, 0.1, 0.3, 0.41):
        hz = min(from_hz, to_hz) * part
        level, rest = levels_db(convert(sine(hz, from_hz), from_hz, to_hz), hz, to_hz)
        assert abs(level) < 0.1, hz
        assert rest < -60, hz


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_nothing_above_the_new_nyquist_frequency_folds_back(from_hz, to_hz):
    for part in (0.505, 0.55, 0.7, 0.99):
        hz = to_hz * part
        if hz < from_hz / 2:
            assert max(levels_db(convert(sine(hz, from_hz), from_hz, to_hz), 100, to_hz)) < -60, hz


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_delay_is_what_it_says(from_hz, to_hz):
    converter = RateConverter(1, from_hz, to_hz)
    out = convert(sine(440, from_hz), from_hz, to_hz)
    k = np.arange(to_hz // 10, to_hz)
    wanted = 10000 * np.sin(2 * np.pi * 440 * (k / to_hz - converter.delay_s))
    assert np.abs(out[k] - wanted).max() < 20
    assert converter.delay_s <= 0.00325


@given(
    lengths=st.lists(st.sampled_from([1, 2, 3, 6]), min_size=1, max_size=12),
    pair=st.sampled_from(PAIRS),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_block_lengths_change_nothing(lengths, pair, seed):
    from_hz, to_hz = pair
    block = from_hz // 100
    signal = np.random.default_rng(seed).normal(0, 3000, block * sum(lengths)).astype(np.float32)
    whole = RateConverter(1, from_hz, to_hz).run(ROW, signal[None])[0].copy()
    converter, parts, at = RateConverter(1, from_hz, to_hz), [], 0
    for n in lengths:
        parts.append(converter.run(ROW, signal[None, at : at + n * block])[0].copy())
        at += n * block
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=0.05)


def test_each_row_has_its_own_past():
    rng = np.random.default_rng(1)
    signals = rng.normal(0, 3000, (5, 10, 160)).astype(np.float32)
    together, alone = RateConverter(9, 8000, 16000), [RateConverter(1, 8000, 16000) for _ in range(5)]
    places = np.array([7, 0, 3, 8, 1])
    for tick in range(10):
        chosen = np.flatnonzero(rng.random(5) < 0.7) if tick else np.arange(5)
        out = together.run(places[chosen], signals[chosen, tick])
        for k, i in enumerate(chosen.tolist()):
            np.testing.assert_allclose(out[k], alone[i].run(ROW, signals[i : i + 1, tick])[0], atol=0.05)


def test_reset_forgets_and_out_is_used():
    converter = RateConverter(2, 16000, 8000)
    loud, quiet = np.full((2, 320), 9000, np.float32), np.zeros((2, 320), np.float32)
    rows, out = np.array([0, 1]), np.empty((2, 160), np.float32)
    converter.run(rows, loud)
    converter.reset(1)
    assert converter.run(rows, quiet, out) is out
    assert np.abs(out[0]).max() > 1000
    assert not out[1].any()


def test_no_streams_is_no_work():
    assert RateConverter(3, 8000, 16000).run(np.zeros(0, np.int64), np.zeros((0, 160), np.float32)).shape == (0, 320)


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(8000, 8000), (11025, 8000), (8000, 44110 + 5), (0, 8000), (-8000, 8000)]
)
def test_impossible_rates(from_hz, to_hz):
    with pytest.raises(ValueError, match="cannot"):
        RateConverter(1, from_hz, to_hz)


def test_half_a_block_is_refused():
    with pytest.raises(ValueError, match="whole blocks"):
        RateConverter(1, 8000, 16000).run(ROW, np.zeros((1, 120), np.float32))


def test_matrix_products_start_no_threads():
    """BLAS threads would spin beside the tick."""
    code = (
        "import media, os, numpy as np\n"
        "np.ones((500, 500), np.float32) @ np.ones((500, 500), np.float32)\n"
        "print(len(os.listdir('/proc/self/task')))"
    )
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=Path(__file__).parents[2], capture_output=True, check=True
    )
    assert done.stdout.split() == [b"1"]
