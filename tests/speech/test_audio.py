"""What callers hear of what a provider made (IVR-06)."""

import io
import wave

import numpy as np
import pytest

from media.wav import read_samples
from speech.audio import RATE, finish, from_wav, is_whole, resample, to_wav
from speech.errors import SpeechError


def tone(hz: float, rate: int, seconds: float = 1.0, level: float = 0.5) -> np.ndarray:
    return np.asarray(np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate) * level, np.float32)


def power_at(samples: np.ndarray, hz: float) -> float:
    """Of its middle, as a share of a full sine."""
    middle = samples[1000:-1000].astype(float)
    turns = np.exp(-2j * np.pi * hz * np.arange(len(middle)) / RATE)
    return float(2 * abs((middle * turns).mean()))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 44100, 48000])
def test_every_rate_becomes_8_khz_as_it_was(rate):
    for hz in (300, 1000, 3000):
        made = resample(tone(hz, rate), rate)
        assert abs(len(made) - RATE) <= 1
        assert power_at(made, hz) == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize("rate", [11025, 16000, 22050, 24000, 48000])
@pytest.mark.parametrize("hz", [4600, 5200])
def test_what_8_khz_cannot_hold_is_not_folded_down(rate, hz):
    made = resample(tone(hz, rate), rate)
    assert power_at(made, RATE - hz) < 0.005


@pytest.mark.parametrize("level", [0.02, 0.3, 1.0])
def test_all_is_equally_loud_and_without_silence_around_it(level):
    quiet = np.zeros(24_000, np.float32)
    spoken = np.concatenate([quiet, tone(440, 24_000, 1.0, level), quiet])
    made = finish(np.asarray(spoken * 32767, np.int16), 24_000)
    assert 1.0 < len(made) / RATE < 1.2
    assert 20 * np.log10(np.sqrt((made[400:7600].astype(float) ** 2).mean()) / 32768) == pytest.approx(-19, abs=0.3)


def test_a_click_is_not_cut_by_the_level():
    clicks = np.zeros(8000, np.int16)
    clicks[4000] = 3000
    assert np.abs(finish(clicks, 8000)).max() <= 0.9 * 32768


@pytest.mark.parametrize(
    ("samples", "rate", "why"),
    [
        (np.zeros(8000, np.int16), 8000, "nothing can be heard"),
        (np.zeros(0, np.int16), 22_050, "nothing can be heard"),
        (np.ones(100, np.int16), 3999, "3999 Hz"),
        (np.ones(601 * 4000, np.int16), 4000, "more than 600 s"),
    ],
)
def test_what_cannot_be_played_is_refused(samples, rate, why):
    with pytest.raises(SpeechError, match=why):
        finish(samples, rate)


def test_our_files_are_read_by_the_media_worker_and_known_when_they_are_whole():
    samples = np.arange(-800, 800, dtype=np.int16)
    data = to_wav(samples)
    heard, rate = read_samples(data)
    assert rate == RATE and (heard == samples).all()
    assert is_whole(data[:44], len(data))
    assert not is_whole(data[:44], len(data) - 1)
    assert not is_whole(data[:44], 44)
    assert not is_whole(b"\0" * 44, len(data))
    assert not is_whole(b"", 0)


def wav(n_channels: int, width: int, frames: bytes, rate: int = 16_000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(n_channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(frames)
    return out.getvalue()


def test_answers_of_services():
    samples, rate = from_wav(wav(2, 2, np.array([100, 300, -100, -300], "<i2").tobytes()))
    assert rate == 16_000 and list(samples) == [200, -200]
    whole = wav(1, 2, b"\1\0" * 100)
    assert len(from_wav(whole[:-51])[0]) in (74, 75)
    for bad in (b"", b"<html>no</html>", whole[:20], wav(1, 1, b"\1" * 9), wav(3, 2, b"\1\0" * 9)):
        with pytest.raises(SpeechError):
            from_wav(bad)
