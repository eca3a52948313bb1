"""Covers `media/rendering.py`: laws, rates and mixes into one form, without seams between takes. Not: files."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import g711
from media.rendering import Renderer, Resampler, Sound, Take
from media.wav import WavFormat


def tone(hz, rate, seconds, level=8000.0):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def level_at(samples, hz, rate):
    """Amplitude of one frequency, without the first and last 20 ms."""
    inner = samples[rate // 50 : -rate // 50].astype(np.float64)
    window = np.hanning(len(inner))
    at = np.arange(len(inner)) / rate
    return abs((inner * window * np.exp(-2j * np.pi * hz * at)).sum()) * 2 / window.sum()


def rendered(form, takes, told=None):
    renderer = Renderer(form, told or form)
    data = b"".join(bytes(renderer.render(take)) for take in takes)
    return np.frombuffer(data, "<i2" if form.encoding == "pcm16" else np.uint8).reshape(-1, form.channels)


CODES = np.arange(160, dtype=np.uint8)


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_codes_of_the_files_law_are_not_touched(law):
    take = Take([[Sound("a", law, 8000, CODES)], []], 160)
    samples = rendered(WavFormat(2, law), [take])
    assert np.array_equal(samples[:, 0], CODES)
    assert set(samples[:, 1].tolist()) == {g711.SILENCE[law]}


@pytest.mark.parametrize(
    ("law", "encoding", "expected"),
    [
        ("PCMU", "PCMA", g711.ULAW_TO_ALAW[CODES]),
        ("PCMA", "PCMU", g711.ALAW_TO_ULAW[CODES]),
        ("PCMU", "pcm16", g711.ULAW_TO_LINEAR[CODES]),
        ("PCMA", "pcm16", g711.ALAW_TO_LINEAR[CODES]),
    ],
)
def test_other_laws_are_converted_by_table(law, encoding, expected):
    assert np.array_equal(
        rendered(WavFormat(1, encoding), [Take([[Sound("a", law, 8000, CODES)]], 160)])[:, 0], expected
    )


def test_several_on_one_channel_are_added_and_held_below_clipping():
    soft = Sound("a", "pcm16", 8000, np.full(80, 1000, np.int16))
    loud = Sound("b", "pcm16", 8000, np.full(80, 32000, np.int16))
    (samples,) = rendered(WavFormat(1, "pcm16"), [Take([[soft, soft]], 80)]).T
    assert set(samples.tolist()) == {2000}
    (samples,) = rendered(WavFormat(1, "pcm16"), [Take([[soft, loud]], 80)]).T
    assert set(samples.tolist()) == {32767}


@pytest.mark.parametrize("from_hz", [8000, 16000])
def test_resampling_keeps_speech_and_lets_nothing_fold_back(from_hz):
    to_hz = 24000 - from_hz
    for hz in (300, 1000, 3000, 3300):
        out = Resampler(from_hz).run(tone(hz, from_hz, 1.0))
        assert len(out) == to_hz
        assert level_at(out, hz, to_hz) == pytest.approx(8000, rel=0.02)
    if from_hz == 8000:
        assert level_at(Resampler(8000).run(tone(3000, 8000, 1.0)), 5000, 16000) < 20
    else:
        assert np.abs(Resampler(16000).run(tone(5000, 16000, 1.0))[100:-100]).max() < 20


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 99), max_size=6, unique=True), from_hz=st.sampled_from([8000, 16000]))
def test_blocks_have_no_seams(cuts, from_hz):
    """Property: cut into blocks of 10 ms multiples, the result is that of the whole."""
    chunk = from_hz // 100
    samples = np.random.default_rng(1).normal(0, 3000, 100 * chunk).astype(np.float32)
    whole = Resampler(from_hz).run(samples)
    one = Resampler(from_hz)
    ends = [0, *sorted(cuts), 100]
    parts = [one.run(samples[a * chunk : b * chunk]) for a, b in itertools.pairwise(ends)]
    assert np.allclose(np.concatenate(parts), whole, atol=0.05)


def test_a_narrow_and_a_wide_leg_in_a_wide_file():
    narrow = g711.LINEAR_TO_ULAW[tone(1000, 8000, 1.0).astype(np.int16).view(np.uint16)]
    wide = tone(5000, 16000, 1.0).astype(np.int16)
    take = Take([[Sound("a", "PCMU", 8000, narrow)], [Sound("b", "pcm16", 16000, wide)]], 16000)
    samples = rendered(WavFormat(2, "pcm16", 16000), [take])
    assert level_at(samples[:, 0], 1000, 16000) == pytest.approx(8000, rel=0.03)
    assert np.array_equal(samples[:, 1], wide)


def test_a_leg_that_becomes_wide_in_a_narrow_file():
    narrow = g711.LINEAR_TO_ALAW[tone(700, 8000, 0.5).astype(np.int16).view(np.uint16)]
    wide = (tone(700, 16000, 0.5) + tone(6000, 16000, 0.5)).astype(np.int16)
    takes = [
        Take([[Sound("a", "PCMA", 8000, narrow)]], 4000),
        Take([[Sound("a", "pcm16", 16000, wide)]], 4000),
        Take([[Sound("a", "PCMA", 8000, narrow)]], 4000),
    ]
    codes = rendered(WavFormat(1, "PCMA"), takes)[:, 0]
    assert np.array_equal(codes[:4000], narrow) and np.array_equal(codes[8000:], narrow)
    heard = g711.ALAW_TO_LINEAR[codes[4000:8000]]
    assert level_at(heard, 700, 8000) == pytest.approx(8000, rel=0.03)
    assert level_at(heard, 2000, 8000) < 200


def test_the_filter_forgets_what_was_said_before_a_silence():
    loud = Sound("a", "pcm16", 16000, np.full(1600, 20000, np.int16))
    calm = Sound("a", "pcm16", 16000, np.zeros(1600, np.int16))
    form = WavFormat(1, "pcm16")
    assert rendered(form, [Take([[loud]], 800), Take([[calm]], 800)])[800:].any()
    after = rendered(form, [Take([[loud]], 800), Take([[]], 800), Take([[calm]], 800)])[800:]
    assert not after.any()


@pytest.mark.parametrize("file_hz", [8000, 16000])
@pytest.mark.parametrize("told_hz", [8000, 16000])
@pytest.mark.parametrize("file_encoding", ["PCMU", "PCMA", "pcm16"])
def test_any_announced_form_fits_any_file(file_encoding, told_hz, file_hz):
    """A recording that continues keeps its file's form: lengths must fit whatever was announced."""
    form, told = WavFormat(2, file_encoding, file_hz), WavFormat(2, "pcm16", told_hz)
    block = np.tile(tone(500, told_hz, 0.5).astype(np.int16)[:, None], (1, 2))
    samples = rendered(form, [block], told)
    assert len(samples) == file_hz // 2
    linear = samples if file_encoding == "pcm16" else g711.decoder(file_encoding)[samples]
    assert level_at(linear[:, 1], 500, file_hz) == pytest.approx(8000, rel=0.03)
    silence = Renderer(form, told).silence(told_hz // 10)
    assert len(silence) == file_hz // 10 * form.frame_size


def test_a_rate_nobody_has_is_refused():
    with pytest.raises(ValueError, match="44100"):
        Resampler(44100)
