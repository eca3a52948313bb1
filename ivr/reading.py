"""Numbers read aloud, as names of built-in prompts in the order in which they are played (IVR-08, IVR-09). Pure.

A name is a fragment of `ivr.voices`: digits "0" … "9", "liang" (两), "yao" (幺), "10" (十), "100" (百), "1000" (千),
"wan" (万), "yi" (亿), "point", "minus"; in English the numbers below twenty, the tens, "hundred", "thousand" …
"""

from decimal import Decimal

MAX_NUMBER = 10**12
"""Quantities reach up to, but not, this."""
_ZH_UNITS = ("", "10", "100", "1000")
_EN_GROUPS = ("", "thousand", "million", "billion")


def digits(text: str, language: str) -> list[str]:
    """One digit at a time; what is no digit is left out. In Chinese 1 is 幺, as in telephone numbers."""
    names = {"1": "yao"} if language == "zh" else {}
    return [names.get(c, c) for c in text if c in "0123456789"]


def number(value: int | Decimal, language: str) -> list[str]:
    """As a quantity: 1003 → 一千零三, 10 → 十, 10010 → 一万零一十, 2 → 二, 2000 → 两千.

    Raises ValueError when it is too large, or not finite.
    """
    exact = Decimal(value)
    if not exact.is_finite() or abs(exact) >= MAX_NUMBER:
        raise ValueError(f"{value} cannot be read aloud: numbers lie between -{MAX_NUMBER} and {MAX_NUMBER}")
    sign = ["minus"] if exact < 0 else []
    whole, _, fraction = f"{abs(exact):f}".partition(".")
    said = _zh(int(whole)) if language == "zh" else _en(int(whole))
    # Zeros at the end of a fraction say how exact it is, and are read.
    return sign + said + (["point", *fraction] if fraction else [])


def count(value: int, language: str) -> list[str]:
    """As a number of things: in Chinese two of them are 两."""
    return ["liang"] if language == "zh" and value == 2 else number(value, language)


def _zh(value: int) -> list[str]:
    if value == 0:
        return ["0"]
    said: list[str] = []
    rest = value
    is_gap = False
    for unit, name in ((10**8, "yi"), (10**4, "wan"), (1, "")):
        group, rest = divmod(rest, unit)
        if not group:
            is_gap = bool(said)
            continue
        if said and (is_gap or group < 1000):
            said.append("0")
        is_gap = False
        spoken = _zh_group(group)
        if spoken == ["2"] and name and not said:
            spoken = ["liang"]
        said += [*spoken, name] if name else spoken
    # 十 alone, not 一十, where the number begins with it.
    return said[1:] if said[:2] == ["1", "10"] else said


def _zh_group(group: int) -> list[str]:
    """1 to 9999."""
    said: list[str] = []
    is_gap = False
    for place in (3, 2, 1, 0):
        digit = group // 10**place % 10
        if not digit:
            is_gap = bool(said)
            continue
        if is_gap:
            said.append("0")
            is_gap = False
        said.append("liang" if digit == 2 and place == 3 else str(digit))
        if place:
            said.append(_ZH_UNITS[place])
    return said


def _en(value: int) -> list[str]:
    if value == 0:
        return ["0"]
    groups = []
    while value:
        value, group = divmod(value, 1000)
        groups.append(group)
    said: list[str] = []
    for place in range(len(groups) - 1, -1, -1):
        if groups[place]:
            said += _en_group(groups[place]) + ([_EN_GROUPS[place]] if place else [])
    return said


def _en_group(group: int) -> list[str]:
    """1 to 999."""
    hundreds, rest = divmod(group, 100)
    said = [str(hundreds), "hundred"] if hundreds else []
    if rest >= 20:
        said.append(str(rest // 10 * 10))
        rest %= 10
    if rest:
        said.append(str(rest))
    return said
