"""The questions that flows put to databases (IVR-16): one SELECT, with `:name` where a variable's value belongs. Pure.

Values are bound, never put into the text. What is refused here are mistakes of who writes the flow; that nothing can be
changed is for the connection, which may only read.
"""

import re
from collections.abc import Iterator

_REFUSED = frozenset(
    ("insert", "update", "delete", "merge", "into", "create", "alter", "drop", "truncate", "grant", "revoke", "copy")
) | frozenset(("call", "do", "attach", "pragma", "vacuum", "lock", "execute", "commit", "rollback", "begin"))
_PART = re.compile(
    r"(?P<text>'(?:[^']|'')*')|(?P<name>\"(?:[^\"]|\"\")*\")|(?P<comment>--|/\*)|(?P<cast>::)"
    r"|:(?P<place>[a-z][a-z0-9_]{0,31})|(?P<word>[^\W\d]\w*)|(?P<other>.)",
    re.DOTALL,
)


class QueryError(ValueError):
    """It is no query that may be asked; the text says why."""


def parameters(query: str) -> list[str]:
    """Names of the variables it wants, each once. Raises QueryError."""
    return list(dict.fromkeys(text for kind, text in _parts(query) if kind == "place"))


def for_driver(query: str) -> str:
    """As `sqlalchemy.text` takes it: colons that are no parameters are marked."""
    return "".join(f":{text}" if kind == "place" else text.replace(":", "\\:") for kind, text in _parts(query))


def _parts(query: str) -> Iterator[tuple[str, str]]:
    first = before = ""
    for found in _PART.finditer(query.strip().removesuffix(";")):
        kind = found.lastgroup or ""
        text = found[kind]
        match kind:
            case "comment":
                raise QueryError("comments are not for queries of flows")
            case "other" if text in ";\\$?'\":`[]":
                raise QueryError(f"{text} has no place here: one SELECT, texts in '…', variables as :name")
            case "word":
                first = first or text.lower()
                if text.lower() in _REFUSED:
                    raise QueryError(f"{text} has no place here: a query only reads")
            case "text" | "place" if re.fullmatch(r"\w", before[-1:]):
                raise QueryError(f"there must be a blank behind {before}")
            case _:
                pass
        if first not in ("select", "with") and (first or text.strip()):
            raise QueryError("a query begins with SELECT (or WITH)")
        before = text
        yield kind, text
    if not first:
        raise QueryError("a query begins with SELECT (or WITH)")
