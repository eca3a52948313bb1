"""What who waits is told, and who is connected, as built-in prompts in order (ACD-06, ACD-13, XACD-04). Pure."""

import math
from datetime import datetime

from ivr import values
from ivr.reading import count, digits, number
from ivr.voices import PAUSE, source

_KEYS = {"#": "pound", "*": "star"}


def place(position: int, ewt_s: float | None, language: str, *, is_more_than: bool = False) -> list[str]:
    """His place, 1 = next, and (None = not known) how long he will probably wait, in whole minutes."""
    if is_more_than:
        said = ["more_than_before", *number(position, language), "callers"]
    elif position == 1:
        said = ["you_are_next"]
    else:
        said = ["you_are_at", *number(position, language), "in_line"]
    if ewt_s is not None:
        said += _wait(ewt_s, language)
    return [source(name, language) for name in said]


def wait(ewt_s: float, language: str) -> list[str]:
    """How long he will probably wait."""
    return [source(name, language) for name in _wait(ewt_s, language)]


def _wait(ewt_s: float, language: str) -> list[str]:
    if ewt_s < 60:
        return ["wait_short"]
    minutes = math.ceil(ewt_s / 60)
    unit = "minute" if minutes == 1 and language == "en" else "minutes"
    return ["wait_about", *count(minutes, language), unit]


def choice(what: str, key: str, language: str) -> list[str]:
    """What a key does: `what` is for_callback or for_message."""
    pressed = [_KEYS[key]] if key in _KEYS else number(int(key), language)
    return [source(name, language) for name in (what, *pressed)]


def phrase(name: str, language: str) -> list[str]:
    return [source(name, language)]


def agent_number(agent_id: str, language: str) -> list[str]:
    """Who serves him; nothing for an id without digits, which cannot be read."""
    said = digits(agent_id, language)
    return [source(name, language) for name in ("agent", *said, "at_your_service")] if said else []


def nobody_here(number: str, language: str) -> list[str]:
    """Who has called him, by the number that he was shown, and that nobody is free to speak to him (XOUT-02)."""
    said = digits(number, language)
    return [source(name, language) for name in (*(["call_from", *said] if said else []), "nobody_here")]


def messages_waiting(n_new: int, n_old: int, language: str) -> list[str]:
    """What is in a box."""
    said: list[str] = []
    for n, what in ((n_new, "new_message"), (n_old, "old_message")):
        if n:
            unit = what if n == 1 and language == "en" else f"{what}s"
            said += [*([PAUSE] if said else ["you_have"]), *count(n, language), unit]
    return [source(name, language) for name in said or ["no_messages"]]


def message_head(place: int, caller: str, left: datetime, language: str) -> list[str]:
    """The message's place in the box, 1 = first, who left it and when; a caller whose number cannot be read is left
    out. `left` is in local time."""
    said = ["message_number", *number(place, language), *(["message_unit"] if language == "zh" else []), PAUSE]
    try:
        said += ["message_from", *values.telephone(caller, language), PAUSE]
    except ValueError:
        pass
    said += ["received_on", *values.day(left.date(), language), PAUSE, *values.clock(left.time(), language)]
    return [source(name, language) for name in said]
