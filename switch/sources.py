"""Sources of sound that may be named over the control API: files only from the prompts folder."""

import re
from pathlib import PurePosixPath

_TONE = re.compile(r"(tone:[a-z_]+/[a-z]{2,3}|moh:[A-Za-z0-9_-]+|voice:[a-z]{2}/[a-z0-9_]{1,40}|silence:\d{1,6})")


def source_problem(source: str) -> str:
    """What is wrong with it; "" = nothing."""
    if _TONE.fullmatch(source):
        return ""
    if not source.startswith("file:"):
        return (
            f'"{source}" is no source: "tone:NAME/PLAN", "moh:NAME", "voice:LANGUAGE/NAME", "file:PATH" or "silence:MS"'
        )
    path = PurePosixPath(source[5:])
    if path.is_absolute() or ".." in path.parts:
        return f'"{source}": the path must lie in the prompts folder'
    return ""
