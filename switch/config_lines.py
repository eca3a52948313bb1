"""Finds the line on which a key of a TOML text stands, for error messages."""

import re

_TABLE = re.compile(r"^\s*\[\s*([A-Za-z0-9_.\"-]+)\s*\]")
_ARRAY = re.compile(r"^\s*\[\[\s*([A-Za-z0-9_.\"-]+)\s*\]\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"-]+)\s*=")


def line_of(text: str, steps: list[str | int]) -> int:
    """1-based line of the deepest part of `steps` that the text names; 1 when it names none of it.

    `steps` are keys and list indices from the top, e.g. ["trunk", 0, "port"].
    """
    best, depth = 1, 0
    counts: dict[str, int] = {}
    here: list[str | int] = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := _ARRAY.match(line):
            name = match[1].replace('"', "")
            counts[name] = counts.get(name, -1) + 1
            here = [*name.split("."), counts[name]]
            found = here
        elif match := _TABLE.match(line):
            here = list(match[1].replace('"', "").split("."))
            found = here
        elif match := _KEY.match(line):
            found = [*here, *match[1].replace('"', "").split(".")]
        else:
            continue
        n = len(found)
        if n > depth and found == steps[:n]:
            best, depth = number, n
    return best
