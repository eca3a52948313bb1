"""Stretching: frames are shortened and lengthened by whole periods without a seam, at both rates; what is unlike itself
is left alone unless it must be.

Not here: when it is done (test_inputs.py).
"""

import numpy as np
import pytest

from media.stretch import Stretcher


def context_of(sound, stretcher, at):
    return sound[None, at - stretcher.margin : at + stretcher.frame + stretcher.margin].astype(np.float32)


LEAST = np.array([0.8])


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("hz", [90, 133, 210, 333])
@pytest.mark.parametrize("method", ["shorten", "lengthen"])
def test_one_period_less_or_more_and_no_seam(rate, hz, method):
    stretcher = Stretcher(rate, rate // 50)
    at = np.arange(rate) / rate
    sound = 3000 * np.sin(2 * np.pi * hz * at) + 1500 * np.sin(4 * np.pi * hz * at + 1)
    play, out = rate // 2, []
    for _ in range(4):
        frame, lags = getattr(stretcher, method)(context_of(sound, stretcher, play), least=LEAST)
        lag = int(lags[0])
        periods = lag * hz / rate
        assert lag > 0 and abs(periods - round(periods)) < 0.05 and 0.0025 <= lag / rate <= 0.015
        play += stretcher.frame + (lag if method == "shorten" else -lag)
        out.append(frame[0])
    before, after = sound[rate // 2 - 50 : rate // 2], sound[play : play + 50]
    joined = np.concatenate((before, *out, after))
    assert np.abs(np.diff(joined)).max() < 1.1 * np.abs(np.diff(sound)).max()
    spectrum = np.abs(np.fft.rfft(joined * np.hanning(len(joined))))
    assert abs(np.argmax(spectrum) * rate / len(joined) - hz) < 15, "the pitch stays"


def test_noise_is_left_alone_unless_it_must_be():
    stretcher = Stretcher(8000, 160)
    noise = np.random.default_rng(1).normal(0, 1000, 2000)
    context = context_of(noise, stretcher, 500)
    frame, lags = stretcher.shorten(context, least=LEAST)
    assert lags[0] == 0 and np.array_equal(frame[0], context[0, 120:280])
    assert stretcher.shorten(context, least=np.array([-2.0]))[1][0] > 0
    assert stretcher.lengthen(context, least=np.array([-2.0]))[1][0] > 0


def test_legs_do_not_touch_each_other():
    stretcher = Stretcher(8000, 160)
    sounds = np.random.default_rng(2).normal(0, 1000, (5, 400)).astype(np.float32)
    sounds[3] = np.tile(sounds[3, :50], 8)
    least = np.full(5, 0.8)
    whole, lags = stretcher.lengthen(sounds, least=least)
    assert lags[3] % 50 == 0 and lags[3] > 0 and not lags[[0, 1, 2, 4]].any()
    for k in range(5):
        assert np.allclose(stretcher.lengthen(sounds[k : k + 1], least=LEAST)[0][0], whole[k], atol=1e-3)
