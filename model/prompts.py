"""The library of prompts as data (IVR-05, XIVR-06): one name, variants by language."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, field

from model.flows import Language
from model.settings import Section

PROMPT = "prompt:"
"""Begins a source of sound that names a prompt of the library."""
PromptName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
PromptTitle = Annotated[str, Meta(max_length=255)]
PromptText = Annotated[str, Meta(max_length=2000)]


class PromptAudio(Section, frozen=True):
    """Audio of one language, as it is played."""

    file: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,160}$")]
    """In the library's folder; other audio has another name."""
    duration_s: float
    sha256: str
    uploaded_utc: float = 0.0
    uploaded_by: str = ""


class Prompt(Section, frozen=True):
    """Audio or a text it has in one language at least."""

    name: PromptName
    title: PromptTitle = ""
    texts: dict[Language, PromptText] = field(default_factory=dict)
    """What it says, by language: spoken where there is no audio."""
    audio: dict[Language, PromptAudio] = field(default_factory=dict)


def variant(languages: Sequence[str], wanted: Sequence[str]) -> str:
    """The first of `wanted` that there is, exactly or as the same language of another region; "" = none."""
    for language in wanted:
        short = language.partition("-")[0]
        if language in languages:
            return language
        if short in languages:
            return short
        near = sorted(each for each in languages if each.partition("-")[0] == short)
        if near:
            return near[0]
    return ""


def audio_for(prompt: Prompt, wanted: Sequence[str]) -> str:
    """The language whose audio is played: of those that are wanted, else any; "" = there is none."""
    languages = [*prompt.audio]
    return variant(languages, (*wanted, "zh")) or min(languages, default="")
