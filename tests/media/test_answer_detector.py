"""Who answered, on a labelled corpus made here by espeak-ng: phrases people and machines say in English and Chinese, in
several voices, speeds, levels and noises, through G.711. Half of the phrases were not looked at when the times of the
rules were chosen. Not here: the events (test_analysis)."""

import numpy as np
import pytest

from media import g711
from media.answer_detector import AnswerJudge, Trial
from tests.media.spoken import say

HUMANS = [
    ("en-us", "Hello?"),
    ("en-us", "Hello, this is Mary."),
    ("en-gb", "Yes?"),
    ("en-gb", "Hello, Peter speaking."),
    ("cmn", "喂？"),
    ("cmn", "喂，你好。"),
    ("cmn", "您好，请讲。"),
    ("en-us", "Good morning."),
    # Not looked at before:
    ("en-us", "Susan here."),
    ("en-gb", "Hello, who is it?"),
    ("en-us", "Yeah, hello."),
    ("cmn", "喂，哪里？"),
    ("cmn", "你好，我是小王。"),
    ("cmn", "哪位呀？"),
]
MACHINES = [
    ("en-us", "Hi, you have reached the voice mail of John Smith. Please leave a message after the tone."),
    ("en-us", "The number you have dialed is not in service. Please check the number and dial again."),
    ("cmn", "您好，您拨打的电话暂时无人接听，请稍后再拨。"),
    ("cmn", "您好，这里是语音信箱，请在滴声后留言。"),
    ("en-gb", "Welcome to the messaging service. The person you are calling is not available."),
    # Not looked at before:
    ("en-us", "This is the Miller family, we are out right now, but leave a message and we will call you back."),
    ("en-gb", "Your call has been forwarded to an automated voice message system."),
    ("en-us", "All our agents are busy. Your call is important to us, please hold the line."),
    ("cmn", "对不起，您拨打的号码是空号，请核对后再拨。"),
    ("cmn", "欢迎致电中国银行，个人业务请按一，企业业务请按二。"),
    ("cmn", "您呼叫的用户正忙，请稍后再试，谢谢。"),
]
SETTINGS = [(150, 30), (180, 60)]
RNG = np.random.default_rng(11)


def line(spoken: np.ndarray, *, lead_s: float, noise_db: float, seconds: float = 6.0) -> np.ndarray:
    """What came over a G.711 line after the answer."""
    heard = RNG.normal(0, 32768 * 10 ** (noise_db / 20), int(seconds * 8000))
    lead = int(lead_s * 8000)
    n = min(len(spoken), len(heard) - lead)
    heard[lead : lead + n] += spoken[:n]
    coded = g711.LINEAR_TO_ALAW[np.clip(heard, -32768, 32767).astype(np.int16).view(np.uint16)]
    return g711.ALAW_TO_LINEAR[coded].astype(np.float32)


def judge(lines: list[np.ndarray], max_s: float = 4.0) -> list[Trial]:
    """All lines at once, each on a row of its own."""
    judging, found = AnswerJudge(len(lines)), {}
    for row in range(len(lines)):
        judging.start(row, max_s)
    for at in range(0, len(lines[0]) - 159, 160):
        rows = np.array([row for row in range(len(lines)) if row in judging], np.int64)
        if len(rows):
            found.update(judging.run(rows, np.stack([lines[row][at : at + 160] for row in rows])))
    return [found[row] for row in range(len(lines))]


def corpus(phrases: list[tuple[str, str]]) -> list[np.ndarray]:
    return [
        line(
            say(text, voice, speed=speed, pitch=pitch, level_db=float(RNG.choice([-16, -22, -28]))),
            lead_s=float(RNG.uniform(0.1, 1.2)),
            noise_db=float(RNG.choice([-75, -60, -50])),
        )
        for voice, text in phrases
        for speed, pitch in SETTINGS
    ]


def test_humans_are_taken_for_humans() -> None:
    results = [trial.result for trial in judge(corpus(HUMANS))]
    assert results.count("human") >= 0.9 * len(results), results


def test_machines_are_taken_for_machines() -> None:
    results = [trial.result for trial in judge(corpus(MACHINES))]
    assert results.count("machine") >= 0.9 * len(results), results
    assert results.count("human") <= 0.05 * len(results), results


@pytest.mark.parametrize("hz", [440, 1000, 1400])
def test_a_beep_is_a_machine(hz: int) -> None:
    beep = 8000 * np.sin(2 * np.pi * hz * np.arange(2400) / 8000)
    spoken = np.concatenate([say("Leave a message."), np.zeros(2400), beep])
    [trial] = judge([line(spoken, lead_s=0.2, noise_db=-60)])
    assert trial.result == "machine" and trial.evidence()["rule_beep"] == 1 and trial.evidence()["beep_ms"] >= 160


@pytest.mark.parametrize("noise_db", [-95, -60, -38])
def test_nobody_says_anything(noise_db: int) -> None:
    [trial] = judge([line(np.zeros(0), lead_s=0, noise_db=noise_db)])
    assert trial.result == "not_sure" and trial.evidence()["rule_silence"] == 1
    assert trial.evidence()["initial_silence_ms"] == 2600


def test_time_is_up_in_the_middle_of_a_greeting() -> None:
    [trial] = judge([line(say(MACHINES[0][1]), lead_s=0.5, noise_db=-70)], max_s=1.5)
    assert trial.result == "not_sure" and trial.elapsed_ms == 1500 and trial.evidence()["rule_time"] == 1


def test_the_evidence_is_what_was_measured() -> None:
    trial = Trial(4.0)
    pattern = "s" * 25 + "v" * 20 + "s" * 8 + "v" * 10 + "s" * 60
    for each in pattern:
        if not trial.result:
            trial.step(is_active=each == "v", is_tone=False)
    assert trial.result == "human"
    assert trial.evidence() == {
        "rule_short_greeting": 1.0,
        "initial_silence_ms": 500.0,
        "greeting_ms": 760.0,
        "voiced_ms": 480.0,
        "words": 2.0,
        "longest_pause_ms": 160.0,
        "silence_after_ms": 700.0,
        "beep_ms": 0.0,
    }


def test_a_trial_that_was_stopped_says_nothing() -> None:
    judging = AnswerJudge(2)
    judging.start(1, 4.0)
    assert 1 in judging
    judging.stop(1)
    judging.stop(1)
    assert 1 not in judging
