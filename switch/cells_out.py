"""Cells of files that people open in a spreadsheet: what came from outside must not become a formula there. Pure."""

import re

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"^[+-]?[0-9]+(\.[0-9]+)?$")


def guarded(text: str) -> str:
    """With an apostrophe before what a spreadsheet would calculate; numbers, also +86…, stay as they are."""
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.match(text) else text
