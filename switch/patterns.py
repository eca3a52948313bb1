"""Dial patterns: a table that finds the route of a dialled number by its longest fixed prefix.

X any digit, Z 1–9, N 2–9, [1-5] one of them, a final . one or more of anything; without any of these a pattern is a
plain prefix ("" matches every number). Among equal prefixes the longer pattern wins, then the earlier one.
"""

import re
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

_SPECIAL = re.compile(r"[XZN\[.]")
_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "*": r"\*", "+": r"\+", "#": "#"}
_TOKEN = re.compile(r"\[[0-9*#-]+\]|.")


class PatternTable(Generic[T]):
    """Built once from (pattern, value) pairs; a look-up costs one dict access per digit."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._by_prefix: dict[str, list[tuple[str, re.Pattern[str] | None, T]]] = {}
        for pattern, value in entries:
            special = _SPECIAL.search(pattern)
            prefix = pattern[: special.start()] if special else pattern
            compiled = re.compile(_regex(pattern)) if special else None
            self._by_prefix.setdefault(prefix, []).append((pattern, compiled, value))
        for rows in self._by_prefix.values():
            rows.sort(key=lambda row: -len(row[0]))
        self._longest = max(map(len, self._by_prefix), default=0)

    def find(self, dialed: str) -> T | None:
        """The value of the best pattern that matches the whole of `dialed`, or None."""
        for length in range(min(self._longest, len(dialed)), -1, -1):
            for _, compiled, value in self._by_prefix.get(dialed[:length], ()):
                if compiled is None or compiled.fullmatch(dialed):
                    return value
        return None


def _regex(pattern: str) -> str:
    return "".join(_CLASSES.get(token, token) for token in _TOKEN.findall(pattern))
