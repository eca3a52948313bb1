"""Sources of sound that may be named over the control API: files from the prompts folder, prompts of the library …"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from model.prompts import PROMPT, Prompt

_TONE = re.compile(r"(tone:[a-z_]+/[a-z]{2,3}|moh:[A-Za-z0-9_-]+|voice:[a-z]{2}/[a-z0-9_]{1,40}|silence:\d{1,6})")
_PROMPT = re.compile(r"prompt:[A-Za-z0-9_-]{1,64}")


def source_problem(source: str, prompts: Mapping[str, Prompt] | None = None, *, may_be_spoken: bool = False) -> str:
    """What is wrong with it; "" = nothing. `prompts`: the library, None = not known here. `may_be_spoken`: a prompt
    that has only texts will do."""
    if _TONE.fullmatch(source):
        return ""
    if _PROMPT.fullmatch(source):
        return _prompt_problem(source.removeprefix(PROMPT), prompts, may_be_spoken)
    if not source.startswith("file:"):
        return (
            f'"{source}" is no source: "prompt:NAME", "tone:NAME/PLAN", "moh:NAME", "voice:LANGUAGE/NAME", "file:PATH" '
            'or "silence:MS"'
        )
    path = PurePosixPath(source[5:])
    if path.is_absolute() or ".." in path.parts:
        return f'"{source}": the path must lie in the prompts folder'
    return ""


def _prompt_problem(name: str, prompts: Mapping[str, Prompt] | None, may_be_spoken: bool) -> str:
    if prompts is None:
        return ""
    prompt = prompts.get(name)
    if prompt is None:
        return f'there is no prompt "{name}" in the library'
    return "" if prompt.audio or may_be_spoken else f'prompt "{name}" has no audio'
