"""Writes docs/API.md from the declarations: `python -m control.docs > docs/API.md`."""

import ast
import enum
import inspect
import sys
import textwrap
from collections.abc import Iterable
from functools import cache
from types import ModuleType
from typing import Any

import msgspec
from msgspec.inspect import type_info

from control.server import ControlLimits
from model import errors
from model.catalogue import our_commands, our_events
from model.causes import HangupCause
from model.commands import Login
from model.declare import ERRORS, RESULT, CommandSpec, EventSpec
from model.permissions import PERMISSIONS

_LIMITS = ControlLimits()
_UNITS = {"_s": "seconds", "_ms": "milliseconds", "_utc": "seconds since 1970, UTC", "_bytes": "bytes"}


def main() -> None:
    """Prints the document."""
    sys.stdout.write(render())


def render() -> str:
    """The whole of docs/API.md."""
    parts = [_INTRODUCTION.strip(), _contents()]
    parts += ["## Commands", *(_command(spec) for spec in our_commands())]
    parts += ["## Events", _EVENTS_TEXT.strip(), *(_event(spec) for spec in our_events())]
    parts += [
        "## Types",
        "Results, parameters, and what they are made of.",
        *(_struct(kind) for kind in _types()),
        _hangup_causes(),
    ]
    parts += ["## Errors", _error_table()]
    return "\n\n".join(parts) + "\n"


def _contents() -> str:
    listed = ", ".join(f"[`{spec.name}`](#{_anchor(spec.name)})" for spec in our_commands())
    told = ", ".join(f"[`{spec.name}`](#{_anchor(spec.name)})" for spec in our_events())
    return f"**Commands:** {listed}.\n\n**Events:** {told}."


def _command(spec: CommandSpec) -> str:
    access = _access(spec)
    refusals = ", ".join(f"`{problem.name}`" for problem in spec.errors) or "none of its own"
    fields = _field_table(spec.params, "Parameter") or "No parameters."
    result = _type_name(type_info(spec.result))
    return f"### {spec.name}\n\n{_doc(spec.params)} {access}\n\n{fields}\n\nResult: {result}. Errors: {refusals}."


def _access(spec: CommandSpec) -> str:
    """What one needs for a command, as its declaration says."""
    if not spec.permission:
        return "Before login." if spec.params is Login else "Permission: none."
    text = f"Permission: `{spec.permission}`"
    kind = PERMISSIONS[spec.permission].kind
    if kind != "unscoped":
        what = " and ".join(f"`{field}`" for field in spec.of if field != RESULT)
        text += f" for what `{spec.each}` shows" if spec.each else f" for {what}" if what else " for what it returns"
    if spec.also[0]:
        besides = dict.fromkeys(spec.also[1].values())
        text += f", and by `{spec.also[0]}` {', '.join(f'`{name}`' for name in besides)}"
    if spec.own:
        text += f"; for one's own: `{spec.own}`"
    return text + (". Audited." if spec.is_audited else ".")


def _event(spec: EventSpec) -> str:
    access = f"Permission: `{spec.permission}`."
    return f"### {spec.name}\n\n{_doc(spec.params)} {access}\n\n{_field_table(spec.params, 'Field')}"


def _struct(kind: type[msgspec.Struct]) -> str:
    return f"### {kind.__name__} object\n\n{_doc(kind)}\n\n{_field_table(kind, 'Field') or 'An empty object.'}"


def _error_table() -> str:
    lines = ["| Code | `data.name` | Meaning |", "| --- | --- | --- |"]
    for code, problem in sorted(ERRORS.items(), key=lambda item: -item[0]):
        if problem.__module__ == errors.__name__:
            lines.append(f"| {code} | `{problem.name}` | {_doc(problem)} |")
    return "\n".join(lines)


def _hangup_causes() -> str:
    lines = ["| Cause | Q.850 |", "| --- | --- |"]
    lines += [f"| `{cause.value}` | {cause.q850 or ''} |" for cause in HangupCause]
    return "### HangupCause\n\nWhy a call or a leg ended.\n\n" + "\n".join(lines)


def _field_table(kind: type[msgspec.Struct], heading: str) -> str:
    info = type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    if not info.fields:
        return ""
    texts = field_docs(kind)
    lines = [f"| {heading} | Type | Default | |", "| --- | --- | --- | --- |"]
    for field in info.fields:
        text = _with_unit(field.name, texts.get(field.name, "") or _description(field.type))
        lines.append(f"| `{field.encode_name}` | {_type_name(field.type)} | {_default(field)} | {_cell(text)} |")
    return "\n".join(lines)


def _description(info: msgspec.inspect.Type) -> str:
    """What is said of a setting beside its type."""
    if isinstance(info, msgspec.inspect.Metadata):
        return str((info.extra_json_schema or {}).get("description", ""))
    return ""


def _with_unit(name: str, text: str) -> str:
    for suffix, unit in _UNITS.items():
        if name.endswith(suffix) and unit.split(",")[0].split()[0] not in text.lower():
            return f"{text} ({unit})" if text else unit[0].upper() + unit[1:] + "."
    return text


def _default(field: msgspec.inspect.Field) -> str:
    if field.required:
        return "required"
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    if default is msgspec.UNSET or default is msgspec.NODEFAULT:
        return "unchanged"
    if isinstance(default, msgspec.Struct):
        return ""
    value = default.value if isinstance(default, enum.Enum) else default
    return f"`{msgspec.json.encode(value).decode()}`"


def _type_name(info: msgspec.inspect.Type) -> str:
    match info:
        case msgspec.inspect.StrType():
            return _bounded("string", info.min_length, info.max_length, " characters")
        case msgspec.inspect.IntType():
            return _bounded("integer", info.ge, info.le)
        case msgspec.inspect.FloatType():
            return _bounded("number", info.ge, info.le)
        case msgspec.inspect.BoolType():
            return "boolean"
        case msgspec.inspect.AnyType():
            return "any value"
        case msgspec.inspect.BytesType():
            return "string (base64)"
        case msgspec.inspect.NoneType():
            return "null"
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            return f"array of {_type_name(info.item_type)}"
        case msgspec.inspect.TupleType():
            return "[" + ", ".join(_type_name(item) for item in info.item_types) + "]"
        case msgspec.inspect.DictType():
            return f"object of {_type_name(info.value_type)}"
        case msgspec.inspect.EnumType():
            return f"[{info.cls.__name__}](#{_anchor(info.cls.__name__)})"
        case msgspec.inspect.LiteralType():
            return ", ".join(f'`"{value}"`' for value in info.values)
        case msgspec.inspect.StructType():
            return f"[{info.cls.__name__}](#{_anchor(info.cls.__name__)}-object)"
        case msgspec.inspect.UnionType():
            kinds = [kind for kind in info.types if not _is_unset(kind)]
            return " or ".join(_type_name(kind) for kind in kinds)
        case msgspec.inspect.Metadata():
            return _type_name(info.type)
        case _:
            raise TypeError(f"no words for {info}")


def _is_unset(info: msgspec.inspect.Type) -> bool:
    return isinstance(info, msgspec.inspect.CustomType) and info.cls is msgspec.UnsetType


def _bounded(name: str, low: float | None, high: float | None, unit: str = "") -> str:
    if low is not None and high is not None:
        return f"{name}, {low:.15g} to {high:.15g}{unit}"
    if high is not None:
        return f"{name}, at most {high:.15g}{unit}"
    if low:
        return f"{name}, at least {low:.15g}{unit}"
    return f"{name}, not negative" if low == 0 and not unit else name


def _types() -> Iterable[type[Any]]:
    """Every struct that a result or a parameter is made of, once, in the order met."""
    found: dict[type[msgspec.Struct], None] = {}

    def visit(info: msgspec.inspect.Type) -> None:
        match info:
            case msgspec.inspect.StructType():
                if info.cls not in found:
                    found[info.cls] = None
                    for field in info.fields:
                        visit(field.type)
            case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
                visit(info.item_type)
            case msgspec.inspect.Metadata():
                visit(info.type)
            case msgspec.inspect.DictType():
                visit(info.value_type)
            case msgspec.inspect.UnionType():
                for kind in info.types:
                    visit(kind)
            case _:
                pass

    for spec in our_commands():
        visit(type_info(spec.result))
        for field in msgspec.structs.fields(spec.params):
            visit(type_info(field.type))
    return found


def field_docs(kind: type[Any]) -> dict[str, str]:
    """The text that stands under each field, base classes included."""
    found: dict[str, str] = {}
    for cls in reversed(kind.__mro__):
        module = sys.modules.get(cls.__module__)
        if module is not None and module.__name__.startswith("model."):
            found |= _module_docs(module).get(cls.__name__, {})
    return found


@cache
def _module_docs(module: ModuleType) -> dict[str, dict[str, str]]:
    classes: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        texts = classes[node.name] = {}
        for field, below in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match below:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        texts[field.target.id] = " ".join(text.split())
                    case _:
                        pass
    return classes


def _doc(kind: type[Any]) -> str:
    return " ".join(textwrap.dedent(kind.__doc__ or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(name: str) -> str:
    return name.lower().replace(".", "")


_INTRODUCTION = f"""
# The control API

Generated from `model/` by `python -m control.docs`; a test fails when this file differs.

## The protocol

JSON-RPC 2.0 over TCP (by default 127.0.0.1:8470), UTF-8, one JSON object per line, each line ended by `\\n`. Lines
may have {_LIMITS.line_bytes:,} bytes ({_LIMITS.login_line_bytes:,} before login).
Batches (arrays) are refused: send several lines instead, without waiting;
answers carry the `id` of their request and may come in another order. A request without `id` is carried out and not
answered. `params` is always an object; an unknown, missing or malformed parameter is refused with an error that names
it. New fields may be added to results and events at any time, none is ever renamed or removed: ignore what you do not
know.

Up to {_LIMITS.commands_at_once} commands of one connection are under way at a time,
each for at most {_LIMITS.command_s:g} seconds; the rest waits unread.
A client that leaves its answers unread for {_LIMITS.write_s:g} seconds is cut off.

### Logging in

The first request must be `auth.login`, within {_LIMITS.login_s:g} seconds.
A token is `rbk_` and 43 characters, made by `ringback
token` or `ringback init`; the switch keeps only its SHA-256. After a wrong token the answer comes late (0.5 to 8
seconds) and the connection ends. Each user has a role, and a role has
permissions ([permissions.md](permissions.md)): `viewer`, `operator`, `supervisor` and `administrator` may each do what
those before may, too, `agent` only what concerns himself. Each command below names the permission it needs; what a list
or an event shows of others' agents and queues is left out.

```
→ {{"jsonrpc":"2.0","id":1,"method":"auth.login","params":{{"token":"rbk_…"}}}}
← {{"jsonrpc":"2.0","id":1,"result":{{"user":"console","role":"operator","node":"ringback","version":"0.1.0"}}}}
→ {{"jsonrpc":"2.0","id":2,"method":"call.originate","params":{{"from":"1001","to":"1002","timeout_s":30}}}}
← {{"jsonrpc":"2.0","id":2,"result":{{"call_id":"0192…","phase":"ring","direction":"internal",…}}}}
→ {{"jsonrpc":"2.0","id":3,"method":"call.hangup","params":{{"call_idd":"0192…"}}}}
← {{"jsonrpc":"2.0","id":3,"error":{{"code":-32602,"message":"call.hangup: no parameter 'call_idd';
   did you mean 'call_id'?","data":{{"name":"invalid_params","field":"call_idd"}}}}}}
```

### Python

```python
from control.client import BlockingControlClient

with BlockingControlClient("127.0.0.1", 8470, token) as switch:
    for call in switch.call("call.list")["calls"]:
        print(call["caller"], call["dialed"], call["duration_s"])
    for event in switch.events(["call.*"]):
        print(event.seq, event.event, event.fields)
```

### Conventions

Ids are opaque strings. Names ending in `_s` are durations in seconds, in `_ms` milliseconds, in `_utc` instants in
seconds since 1970 (UTC; 0 = did not happen). Lists come in pages: give the `cursor` of one page to the next request.
"""

_EVENTS_TEXT = """
After `events.subscribe` each event comes as a notification, at most 50 ms after it happened:

```
{"jsonrpc":"2.0","method":"event","params":{"event":"call.answered","node":"ringback",
 "seq":1795313130590789,"at":"2026-11-22T02:05:30.606Z","call_id":"0192…","leg_id":"0192…"}}
```

`seq` grows by one from event to event (filters leave gaps) and jumps ahead when the switch was restarted; `at` is
UTC. To miss nothing after a lost connection, subscribe with `from_seq` = the last `seq` seen + 1: the switch keeps
the last 10,000 events (`control.event_history`). What is no longer kept is named by `events.lost`, whose own `seq` is
that of the last one lost. A client that reads so slowly that it falls behind by more than that gets `events.lost` and
is disconnected; nobody waits for it.
"""


if __name__ == "__main__":
    main()
