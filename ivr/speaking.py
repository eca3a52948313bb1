"""What a node says, as sources of sound in order. Pure."""

from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal, DecimalException

import msgspec

from ivr import reading, values
from ivr.expression import Value, show
from ivr.program import fill
from ivr.voices import LANGUAGES, source
from model.flows import Piece, PlayDigits, PlayNumber, PlaySound, PlayText, PlayVariable, Reading


class Speech(msgspec.Struct, frozen=True, gc=False):
    """Text that is to be spoken."""

    text: str
    language: str


Sound = str | Speech
"""A source as the media worker takes it, or a text."""


def speak(pieces: tuple[Piece, ...], variables: Mapping[str, Value], language: str) -> tuple[list[Sound], list[str]]:
    """(sounds, what could not be read). What cannot be read in its way is spoken as text."""
    sounds: list[Sound] = []
    problems: list[str] = []
    for piece in pieces:
        match piece:
            case PlaySound(source=wanted):
                sounds.append(wanted)
            case PlayDigits(value=value):
                sounds += _named(reading.digits(value, language), language)
            case PlayNumber(value=value):
                sounds += _named(reading.number(Decimal(value), language), language)
            case PlayText(text=text):
                if spoken := fill(text, variables).strip():
                    sounds.append(Speech(spoken, language))
            case PlayVariable(name=name, read=read):
                value = show(variables[name]).strip()
                if not value:
                    continue
                try:
                    sounds += (
                        [Speech(value, language)] if read == "text" else _named(_read(value, read, language), language)
                    )
                except (ValueError, DecimalException):
                    problems.append(f"{name} cannot be read as {read}")
                    sounds.append(Speech(value, language))
    return sounds, problems


def _named(names: list[str], language: str) -> list[Sound]:
    spoken = language if language in LANGUAGES else "zh"
    return [source(name, spoken) for name in names]


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
