"""ivr/speaking.py: in which language texts are spoken. What else is said is in test_interpreter.py."""

import pytest

from ivr.speaking import Speech, speak
from model.flows import PlayText, PlayVariable


@pytest.mark.parametrize(
    ("text", "language", "spoken"),
    [
        ("您好", "en", "zh"),
        ("您好", "zh", "zh"),
        ("Mr 李 is here", "en", "zh"),
        ("東京", "ja", "ja"),
        ("Hello, 42!", "en", "en"),
        ("Grüß Gott", "de", "de"),
    ],
)
def test_chinese_is_spoken_as_chinese_whatever_the_caller_speaks(text, language, spoken):
    pieces = (PlayText(text=text), PlayVariable(name="name"))
    sounds, problems = speak(pieces, {"name": text}, language, "en", lambda name: None)
    assert sounds == [Speech(text, spoken)] * 2
    assert problems == []
