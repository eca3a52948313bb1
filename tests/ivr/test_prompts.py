"""Which variant of a prompt is heard (XIVR-06): `model/prompts.py` and `ivr/speaking.py`."""

import pytest

from ivr.speaking import Speech, of_prompt
from model.prompts import Prompt, PromptAudio, audio_for, variant


def prompt(audio: str, texts: str = "") -> Prompt:
    recorded = {each: PromptAudio(file=f"p.{each}.wav", duration_s=1.0, sha256="0") for each in audio.split()}
    return Prompt(name="p", audio=recorded, texts={each: f"in {each}" for each in texts.split()})


@pytest.mark.parametrize(
    ("audio", "texts", "wanted", "default", "heard"),
    [
        ("zh en", "", "en", "zh", "prompt:p/en"),
        ("zh en en-GB", "", "en-GB", "zh", "prompt:p/en-GB"),
        ("zh en", "", "en-GB", "zh", "prompt:p/en"),
        ("zh en-GB en-US", "", "en", "zh", "prompt:p/en-GB"),
        ("zh en-AU", "", "en-GB", "zh", "prompt:p/en-AU"),
        ("zh", "en", "en", "zh", "prompt:p/zh"),
        ("fr", "en zh", "en", "zh", Speech("in en", "en")),
        ("fr", "zh-TW", "en", "zh", Speech("in zh-TW", "zh")),
        ("fr de", "es", "en", "zh", "prompt:p/de"),
        ("zh fr", "", "en", "fr", "prompt:p/fr"),
        ("fr zh", "", "en", "de", "prompt:p/zh"),
        ("", "fr es", "en", "zh", Speech("in es", "es")),
        ("", "", "en", "zh", "prompt:p"),
    ],
)
def test_xivr_06_recorded_in_either_language_else_spoken_else_any(audio, texts, wanted, default, heard):
    assert of_prompt(prompt(audio, texts), wanted, default) == heard


def test_where_nothing_can_speak_any_audio_will_do():
    assert audio_for(prompt("fr de", "en"), ("en",)) == "de"
    assert audio_for(prompt("fr zh", "en"), ("en",)) == "zh"
    assert audio_for(prompt("", "en"), ("en",)) == ""


def test_a_region_is_no_other_language():
    assert variant(["ena", "e"], ["en"]) == ""
    assert variant(["en-GB"], ["zh", "en-US"]) == "en-GB"
