"""Money, dates, times, durations and telephone numbers read aloud, as names of built-in prompts (IVR-08). Pure.

Each raises ValueError, which says why, for what cannot be read. `language` is one of `ivr.voices.LANGUAGES`.
"""

from datetime import date, time
from decimal import Decimal
from typing import Literal

from ivr.reading import count, number
from ivr.voices import PAUSE

Currency = Literal["CNY", "USD"]

MAX_DIGITS = 64
_SIGNS = {"*": "star", "#": "pound", "+": "plus"}
_CENT = Decimal("0.01")


def telephone(dialled: str, language: str) -> list[str]:
    """In groups with pauses; spaces, hyphens, dots and brackets are not read. In Chinese 1 is 幺."""
    spoken = {**_SIGNS, "1": "yao"} if language == "zh" else _SIGNS
    names: list[str] = []
    for group in groups_of(dialled):
        names += [PAUSE] if names else []
        names += [spoken.get(each, each) for each in group]
    return names


def groups_of(dialled: str) -> list[str]:
    """A telephone number as people say it: 138 0000 1111, 021 8888 6666, 400 123 4567."""
    bare = "".join(each for each in dialled if each not in " -()./")
    if not 1 <= len(bare) <= MAX_DIGITS or not set(bare) <= set("0123456789*#+"):
        raise ValueError(f"a telephone number has 1 to {MAX_DIGITS} of 0-9, *, # and +, and spaces, hyphens, brackets")
    prefix = next((each for each in ("+86", "+") if bare.startswith(each)), "")
    groups, rest = [prefix] if prefix else [], bare.removeprefix(prefix)
    if len(rest) == 10 and rest[:3] in ("400", "800"):
        return [*groups, rest[:3], rest[3:6], rest[6:]]
    while len(rest) > 8:
        # The code of the operator or area, before the last eight.
        head = min(4, len(rest) - 8)
        groups.append(rest[:head])
        rest = rest[head:]
    groups += [rest[:-4], rest[-4:]] if len(rest) > 5 else [rest]
    return [group for group in groups if group]


def money(amount: Decimal, language: str, currency: Currency = "CNY") -> list[str]:
    """At most two decimals: 12.05 is 十二元零五分."""
    if amount.is_finite() and abs(amount) < 10**12 and amount != amount.quantize(_CENT):
        raise ValueError(f"{amount} cannot be read as money: it has more than two decimals")
    number(amount, language)
    names = ["minus"] if amount < 0 else []
    whole, cents = divmod(int(abs(amount) * 100), 100)
    if language == "zh" and currency == "CNY":
        return [*names, *_yuan(whole, cents)]
    if language == "en" and currency == "USD":
        return [*names, *_dollars(whole, cents)]
    unit = "yuan" if currency == "CNY" else "dollars"
    if not cents:
        return [*names, *count(whole, language), unit]
    return [*names, *number(whole, language), "point", *f"{cents:02}".rstrip("0"), unit]


def _yuan(whole: int, cents: int) -> list[str]:
    tens, ones = divmod(cents, 10)
    names = [*count(whole, "zh"), "yuan"] if whole or not cents else []
    if tens:
        names += [*count(tens, "zh"), "jiao"]
    elif whole and ones:
        names.append("0")
    return [*names, *count(ones, "zh"), "fen"] if ones else names


def _dollars(whole: int, cents: int) -> list[str]:
    names = [*number(whole, "en"), _unit("dollar", whole, "en")] if whole or not cents else []
    if not cents:
        return names
    return [*names, *(["and"] if whole else []), *number(cents, "en"), _unit("cent", cents, "en")]


def day(on: date, language: str) -> list[str]:
    """二零二六年十一月二十七日, November the twenty-seventh twenty twenty-six."""
    if language == "zh":
        return [*str(on.year), "year", *number(on.month, "zh"), "month", *number(on.day, "zh"), "date"]
    return [f"month{on.month}", f"date{on.day}", *_year(on.year)]


def _year(year: int) -> list[str]:
    century, rest = divmod(year, 100)
    if year < 1100 or (century == 20 and rest < 10):
        return number(year, "en")
    if not rest:
        return [*number(century, "en"), "hundred"]
    return [*number(century, "en"), *(["oh"] if rest < 10 else []), *number(rest, "en")]


def weekday(on: date) -> list[str]:
    return [f"weekday{on.isoweekday()}"]


def clock(at: time, language: str) -> list[str]:
    """Hour and minute: 十四点三十分, two thirty p.m."""
    hour, minute = at.hour, at.minute
    if language == "zh":
        names = [*count(hour, "zh"), "point"]
        return [*names, *(["0"] if minute < 10 else []), *number(minute, "zh"), "fen"] if minute else [*names, "sharp"]
    names = number(hour % 12 or 12, "en")
    if minute:
        names += [*(["oh"] if minute < 10 else []), *number(minute, "en")]
    return [*names, "pm" if hour >= 12 else "am"]


def duration(seconds: int, language: str) -> list[str]:
    """Days, hours, minutes and seconds, those that are not zero."""
    if seconds < 0:
        raise ValueError(f"{seconds} s is no duration")
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    parts = [("day", days), ("hour", hour), ("minute", minute), ("second", second)]
    spoken = [(unit, n) for unit, n in parts if n] or [("second", 0)]
    return [name for unit, n in spoken for name in (*count(n, language), _unit(unit, n, language))]


def _unit(unit: str, n: int, language: str) -> str:
    return unit if n == 1 and language == "en" else unit + "s"
