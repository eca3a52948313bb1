"""Voice activity: speech is found in noise, noise and steady tones are none. Not here: who answered."""

import numpy as np
import pytest

from media.speech import HANGOVER, SpeechMeter, level_db
from tests.media.spoken import say

RNG = np.random.default_rng(7)


def noise(n: int, db: float) -> np.ndarray:
    return RNG.normal(0, 32768 * 10 ** (db / 20), n).astype(np.float32)


def run(meter: SpeechMeter, signal: np.ndarray, row: int = 0) -> list[tuple[int, bool]]:
    """Frames at which the row began (True) or stopped to speak."""
    changes = []
    for at in range(len(signal) // 160):
        frame = signal[at * 160 : at * 160 + 160].astype(np.float32)[None]
        if meter.run(np.array([row]), frame)[0]:
            changes.append((at, bool(meter.is_speaking[row])))
    return changes


@pytest.mark.parametrize("db", [-100.0, -70.0, -50.0, -35.0])
def test_noise_is_no_speech(db: float) -> None:
    assert run(SpeechMeter(1), noise(8000 * 8, db)) == []


def test_a_steady_tone_is_no_speech() -> None:
    assert run(SpeechMeter(1), 8000 * np.sin(2 * np.pi * 450 * np.arange(32000) / 8000)) == []


@pytest.mark.parametrize("noise_db", [-80.0, -60.0, -45.0])
@pytest.mark.parametrize(("voice", "text"), [("en-us", "Can you hear me now?"), ("cmn", "您好，我想查一下订单。")])
def test_speech_begins_and_ends(noise_db: float, voice: str, text: str) -> None:
    spoken = say(text, voice)
    lead = 8000
    signal = noise(lead + len(spoken) + 16000, noise_db)
    signal[lead : lead + len(spoken)] += spoken
    changes = run(meter := SpeechMeter(1), signal)
    assert [speaks for _, speaks in changes] == [True, False] * (len(changes) // 2)
    begin, end = changes[0][0], changes[-1][0]
    assert lead // 160 <= begin <= lead // 160 + 12
    last = (lead + len(spoken)) // 160
    assert last - 25 <= end <= last + HANGOVER + 2
    assert 0.5 < meter.speech_frames[0] / (len(spoken) / 160) < 1.5
    assert meter.active_frames[0] <= meter.speech_frames[0] + 2


def test_a_click_is_no_speech() -> None:
    signal = noise(16000, -70)
    signal[8000:8080] = 20000
    assert run(SpeechMeter(1), signal) == []


def test_legs_do_not_touch_each_other_and_a_row_begins_anew() -> None:
    meter, spoken = SpeechMeter(3), say("One two three.")
    quiet = noise(160, -70)[None]
    run(meter, noise(8000, -70), row=2)
    for at in range(len(spoken) // 160):
        meter.run(np.array([2, 0]), np.concatenate([spoken[None, at * 160 : at * 160 + 160], quiet]))
    assert meter.speech_frames[2] > 20 and meter.speech_frames[0] == meter.frames[1] == 0
    meter.reset(2)
    assert meter.speech_frames[2] == meter.frames[2] == 0 and not meter.is_speaking[2]


def test_level() -> None:
    sine = 32767 * np.sin(2 * np.pi * np.arange(160) / 16)
    levels = level_db(np.stack([sine, np.zeros(160), np.full(160, 5000.0)]).astype(np.float32))
    assert levels[0] == pytest.approx(-3.01, abs=0.02)
    assert levels[1:] == pytest.approx(-100), "a constant is no sound"
