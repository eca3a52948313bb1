"""Speech made from text (IVR-06): which voice speaks a language, and what the switch and the speech worker tell each
other: MessagePack, each message after its length (4 bytes).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from model.settings import Section, Text

MAX_TEXT = 2000
"""Characters of a text that is spoken."""
MAX_FRAME = 1 << 20
"""Bytes of a message; a longer one is garbage."""
BEAT_S = 2.0
"""How often the worker shows that it lives."""

_Given = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=64)], Text], Meta(max_length=20)]


class SpeechVoice(Section, frozen=True):
    """Who speaks a language. In `url`, `body` and `headers` stand {text}, {language}, {voice} and {rate}."""

    language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}$", description='"zh", "en", …')]
    provider: Annotated[
        Literal["hibari", "espeak", "piper", "http"],
        Meta(
            description="hibari: English; espeak: nearly every language, as a robot; piper: a voice file, with the "
            "package piper-tts; http: any service that answers with WAV."
        ),
    ]
    voice: Annotated[Text, Meta(description="The provider's name for it; empty: its own choice.")] = ""
    rate: Annotated[float, Meta(ge=0.5, le=2.0, description="How fast; 1 = as usual.")] = 1.0
    file: Annotated[Text, Meta(description="piper: the .onnx file, its .onnx.json beside it.")] = ""
    url: Annotated[Text, Meta(description="http: where it is asked.")] = ""
    method: Annotated[Literal["GET", "POST"], Meta(description="http: POST sends `body` as JSON.")] = "GET"
    headers: Annotated[_Given, Meta(description="http: headers, as Authorization.")] = field(default_factory=dict)
    body: Annotated[
        _Given, Meta(description="http: fields of the JSON object; none: text, language, voice and rate.")
    ] = field(default_factory=dict)


DEFAULT_VOICES = (SpeechVoice(language="zh", provider="espeak"), SpeechVoice(language="en", provider="hibari"))
"""For languages that the configuration gives no voice."""


class Setup(msgspec.Struct, frozen=True, tag=True):
    """The first message to a worker."""

    voices: tuple[SpeechVoice, ...]
    folder: str
    """Of what was spoken before."""
    max_bytes: int


class Speak(msgspec.Struct, frozen=True, tag=True):
    """Make a file of a text; Spoken follows."""

    number: int
    text: str
    language: str
    timeout_s: float
    """Nobody wants it any more after this time."""
    is_ahead: bool = False
    """Nobody waits: everything else comes first."""

    def __repr__(self) -> str:
        return f"Speak({self.number}, {self.language})"


class Used(msgspec.Struct, frozen=True, tag=True):
    """These files were played without asking."""

    paths: tuple[str, ...]


class Spoken(msgspec.Struct, frozen=True, tag=True):
    number: int
    path: str = ""
    error: str = ""


class Gone(msgspec.Struct, frozen=True, tag=True):
    """These files are not there any more: others needed the room."""

    paths: tuple[str, ...]


class Alive(msgspec.Struct, frozen=True, tag=True):
    """Every `BEAT_S`."""


ToSpeech = Setup | Speak | Used
FromSpeech = Spoken | Gone | Alive
