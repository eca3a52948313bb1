"""The configuration of speech made from text."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from msgspec import Meta, structs

from model.speech import DEFAULT_VOICES, Setup, SpeechVoice
from switch.config_types import Section, Text

if TYPE_CHECKING:
    from switch.config import Config


class SpeechRules(Section, frozen=True):
    """Speech made from text, by a process of its own."""

    enabled: Annotated[bool, Meta(description="False: flows with text are refused.")] = True
    folder: Annotated[Text, Meta(min_length=1, description="Of what was spoken before.")] = "speech"
    max_mb: Annotated[
        int, Meta(ge=1, le=100_000, description="Megabytes kept there (a minute takes one); the least used go.")
    ] = 200
    timeout_s: Annotated[
        float, Meta(ge=0.1, le=30.0, description="A text that is not spoken by then is a tone, and flow.trouble.")
    ] = 3.0
    voice: Annotated[
        tuple[SpeechVoice, ...],
        Meta(
            max_length=50,
            description="Entries of [[speech.voice]]; a language without one: English by hibari, all others by espeak.",
        ),
    ] = ()


def speech_setup(config: "Config") -> Setup:
    """What the speech worker is told."""
    voices = {voice.language: voice for voice in (*DEFAULT_VOICES, *config.speech.voice)}
    found = [
        structs.replace(voice, file=str(config.resolve(voice.file).absolute())) if voice.file else voice
        for voice in voices.values()
    ]
    folder = config.resolve(config.speech.folder).absolute()
    return Setup(tuple(found), str(folder), config.speech.max_mb << 20)


def speech_problem(rules: SpeechRules) -> tuple[list[str | int], str] | None:
    """(where, what is wrong); None when all is right."""
    languages: set[str] = set()
    for i, voice in enumerate(rules.voice):
        found = _voice_problem(voice)
        if voice.language in languages:
            found = "language", f'"{voice.language}" has a voice already'
        if found is not None:
            return ["speech", "voice", i, found[0]], found[1]
        languages.add(voice.language)
    return None


def _voice_problem(voice: SpeechVoice) -> tuple[str, str] | None:
    if voice.provider == "hibari" and voice.language != "en":
        return "provider", 'hibari speaks English alone; take "espeak", "piper" or "http"'
    if voice.provider == "piper" and not voice.file.endswith(".onnx"):
        return "file", "piper needs a voice file, NAME.onnx"
    if voice.provider == "http":
        parts = urlsplit(voice.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "{" in parts.netloc:
            return "url", "must begin with http:// or https:// and a host"
        if voice.method == "GET" and "{text}" not in voice.url:
            return "url", "must contain {text}: what shall be spoken?"
        if voice.method == "POST" and voice.body and not any("{text}" in value for value in voice.body.values()):
            return "body", "a field must contain {text}: what shall be spoken?"
    return None
