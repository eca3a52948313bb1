"""What `ringback queue` and `ringback agent` share: settings as they are written on a command line, and shown."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

import msgspec
import typer

from switch.cli_client import fail

Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="KEY=VALUE: any setting, e.g. limits.max_wait_s=60; lists and the like as JSON."),
]


def settings_of(kind: type[msgspec.Struct], pairs: Iterable[str]) -> dict[str, Any]:
    """KEY=VALUE of each pair as an object. A value is text where that setting of `kind` is, else JSON if it can be."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, is_pair, text = pair.partition("=")
        *around, name = key.split(".")
        if not is_pair or not all((*around, name)):
            fail(f'--set: "{pair}" is not KEY=VALUE')
        inside = found
        for step in around:
            inside = inside.setdefault(step, {})
            if not isinstance(inside, dict):
                fail(f'--set: "{pair}": {step} is a value already')
        inside[name] = text if _is_text(kind, (*around, name)) else _value(text)
    return found


def named_level(text: str) -> tuple[str, int]:
    """A skill, or a queue, with a level: "en:4"."""
    name, _, level = text.rpartition(":")
    if not name or not level.isdecimal():
        fail(f'"{text}" is not NAME:LEVEL')
    return name, int(level)


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _is_text(kind: type[msgspec.Struct], steps: Sequence[str]) -> bool:
    info: msgspec.inspect.Type = msgspec.inspect.type_info(kind)
    for step in steps:
        fields = info.fields if isinstance(info, msgspec.inspect.StructType) else ()
        found = next((field.type for field in fields if field.encode_name == step), None)
        if found is None:
            return False
        info = found.type if isinstance(found, msgspec.inspect.Metadata) else found
    return isinstance(info, msgspec.inspect.StrType | msgspec.inspect.LiteralType)


def unusual(settings: msgspec.Struct, usual: msgspec.Struct, before: str = "") -> Iterator[tuple[str, str]]:
    """(key, value) of every setting that is not the usual one."""
    for name in settings.__struct_fields__:
        value, other = getattr(settings, name), getattr(usual, name)
        if value == other:
            continue
        if isinstance(value, msgspec.Struct) and isinstance(other, msgspec.Struct):
            yield from unusual(value, other, f"{before}{name}.")
        else:
            yield before + name, value if isinstance(value, str) else msgspec.json.encode(value).decode()
