"""What a node says, as sources of sound in order. Pure."""

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal, DecimalException

import msgspec

from ivr import reading, values, voices
from ivr.expression import Value, show
from ivr.program import fill
from ivr.voices import LANGUAGES
from model.flows import Piece, PlayDigits, PlayNumber, PlaySound, PlayText, PlayVariable, Reading
from model.prompts import PROMPT, Prompt, audio_for, variant

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_READ_HAN = ("zh", "ja")


class Speech(msgspec.Struct, frozen=True, gc=False):
    """Text that is to be spoken."""

    text: str
    language: str


def spoken(text: str, language: str) -> Speech:
    """Chinese is spoken as Chinese, whatever the caller speaks: other voices make noise of it."""
    has_han = language not in _READ_HAN and _HAN.search(text) is not None
    return Speech(text, "zh" if has_han else language)


Sound = str | Speech
"""A source as the media worker takes it, or a text."""


def speak(
    pieces: tuple[Piece, ...],
    variables: Mapping[str, Value],
    wanted: str,
    default: str,
    prompt: Callable[[str], Prompt | None],
) -> tuple[list[Sound], list[str]]:
    """(sounds, what could not be read). What cannot be read in its way is spoken as text.

    `wanted`: the caller's language; `default`: the flow's, for prompts that his has no audio of. `prompt`: the library.
    """
    language = wanted.partition("-")[0]
    sounds: list[Sound] = []
    problems: list[str] = []
    for piece in pieces:
        match piece:
            case PlaySound(source=source) if source.startswith(PROMPT):
                found = prompt(source.removeprefix(PROMPT))
                sounds.append(of_prompt(found, wanted, default) if found is not None else source)
            case PlaySound(source=source):
                sounds.append(source)
            case PlayDigits(value=value):
                sounds += _named(reading.digits(value, language), language)
            case PlayNumber(value=value):
                sounds += _named(reading.number(Decimal(value), language), language)
            case PlayText(text=text):
                if filled := fill(text, variables).strip():
                    sounds.append(spoken(filled, language))
            case PlayVariable(name=name, read=read):
                value = show(variables[name]).strip()
                if not value:
                    continue
                try:
                    sounds += (
                        [spoken(value, language)] if read == "text" else _named(_read(value, read, language), language)
                    )
                except (ValueError, DecimalException):
                    problems.append(f"{name} cannot be read as {read}")
                    sounds.append(spoken(value, language))
    return sounds, problems


def of_prompt(prompt: Prompt, wanted: str, default: str) -> Sound:
    """Recorded in either language, else spoken in either, else whatever there is."""
    either = (wanted, default)
    if language := variant([*prompt.audio], either):
        return f"{PROMPT}{prompt.name}/{language}"
    spoken = variant([*prompt.texts], either)
    if not spoken and (language := audio_for(prompt, either)):
        return f"{PROMPT}{prompt.name}/{language}"
    if spoken := spoken or min(prompt.texts, default=""):
        return Speech(prompt.texts[spoken], spoken.partition("-")[0])
    return f"{PROMPT}{prompt.name}"


def _named(names: list[str], language: str) -> list[Sound]:
    spoken = language if language in LANGUAGES else "zh"
    return [voices.source(name, spoken) for name in names]


def _read(value: str, read: Reading, language: str) -> list[str]:
    match read:
        case "digits":
            if not value.isdecimal() or not value.isascii():
                raise ValueError(value)
            return reading.digits(value, language)
        case "number":
            return reading.number(Decimal(value), language)
        case "money":
            return values.money(Decimal(value), language)
        case "telephone":
            return values.telephone(value, language)
        case "date":
            return values.day(date.fromisoformat(value), language)
        case "time":
            return values.clock(time.fromisoformat(value), language)
        case _:
            return values.duration(int(value), language)
