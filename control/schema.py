"""Reads requests: one JSON line to a declared command, or one error that names the field and what would be right."""

import difflib
import re
from typing import Any, Literal

import msgspec

from model.declare import COMMANDS, Command, CommandSpec
from model.errors import InvalidParams, InvalidRequest, ParseError, UnknownCommand

_EMPTY = msgspec.Raw(b"{}")
_AT = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"missing required field `(.*)`", re.DOTALL)

RequestId = int | str | None


class Request(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A JSON-RPC 2.0 request; without `id` it is a notification and gets no answer."""

    jsonrpc: Literal["2.0"]
    method: str
    id: int | str | msgspec.UnsetType | None = msgspec.UNSET
    params: msgspec.Raw = _EMPTY


class _JustId(msgspec.Struct, gc=False):
    id: int | str | None = None


_decode_request = msgspec.json.Decoder(Request).decode
_decode_id = msgspec.json.Decoder(_JustId).decode
_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def parse_request(line: bytes) -> Request:
    """Reads the envelope. Raises ParseError (no JSON) or InvalidRequest (JSON, but no request)."""
    try:
        request = _decode_request(line)
    except msgspec.ValidationError as problem:
        if line.lstrip()[:1] == b"[":
            raise InvalidRequest("batches are not taken: send one request per line") from None
        raise InvalidRequest(f"not a request: {_plain(str(problem))}") from None
    except msgspec.DecodeError as problem:
        raise ParseError(f"not JSON: {problem}") from None
    except RecursionError:
        raise ParseError("nested too deeply") from None
    except UnicodeDecodeError:
        raise ParseError("not UTF-8") from None
    if isinstance(request.id, str) and len(request.id) > 128:
        raise InvalidRequest("id: at most 128 characters")
    if isinstance(request.id, int) and abs(request.id) > 2**63:
        raise InvalidRequest("id: at most 64 bits")
    return request


def find_id(line: bytes) -> RequestId:
    """The id of a faulty request, None when it cannot be read."""
    try:
        found = _decode_id(line).id
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    is_fit = (isinstance(found, str) and len(found) <= 128) or (isinstance(found, int) and abs(found) <= 2**63)
    return found if is_fit else None


def find_command(name: str) -> CommandSpec:
    """The declaration of a command. Raises UnknownCommand with the nearest name."""
    spec = COMMANDS.get(name)
    if spec is None:
        close = difflib.get_close_matches(name[:64], COMMANDS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UnknownCommand(f"no command {name[:64]!r}{hint}")
    return spec


def parse_params(spec: CommandSpec, params: msgspec.Raw | bytes) -> Command:
    """Reads the parameters of a command. Raises InvalidParams naming the field and what would be right."""
    decoder = _decoders.get(spec.name)
    if decoder is None:
        decoder = _decoders[spec.name] = msgspec.json.Decoder(spec.params)
    try:
        command: Command = decoder.decode(params)
    except msgspec.ValidationError as problem:
        raise _explain(spec, str(problem)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise InvalidParams(f"{spec.name}: params cannot be read: {problem}") from None
    except RecursionError:
        raise InvalidParams(f"{spec.name}: params are nested too deeply") from None
    return command


def _explain(spec: CommandSpec, problem: str) -> InvalidParams:
    found = _AT.match(problem)
    what, where = (found.group(1), found.group(2) or "") if found else (problem, "")
    unknown = _UNKNOWN.search(what)
    if unknown:
        name = unknown.group(1)[:64]
        inside = _inside(msgspec.inspect.type_info(spec.params), where)
        known = [each.encode_name for each in inside.fields] if inside is not None else []
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}"
        return InvalidParams(f"{spec.name}: no parameter {name!r}; {hint}", field=name)
    missing = _MISSING.search(what)
    if missing:
        return InvalidParams(f"{spec.name}: {missing.group(1)!r} is missing", field=missing.group(1))
    field = where.strip(".")[:64] or "params"
    choices = _choices(spec, field) if "enum value" in what else []
    hint = f"; one of {', '.join(choices)}" if choices else ""
    return InvalidParams(f"{spec.name}: {field}: {_plain(what)}{hint}", field=field)


def _choices(spec: CommandSpec, field: str) -> list[str]:
    """What an enumerated parameter may be."""
    around, _, name = field.rpartition(".")
    inside = _inside(msgspec.inspect.type_info(spec.params), around)
    for known in inside.fields if inside is not None else ():
        if known.encode_name == name:
            kinds = known.type.types if isinstance(known.type, msgspec.inspect.UnionType) else (known.type,)
            for kind in map(_bare, kinds):
                if isinstance(kind, msgspec.inspect.EnumType):
                    return [str(member.value) for member in kind.cls]
                if isinstance(kind, msgspec.inspect.LiteralType):
                    return [str(value) or '""' for value in kind.values]
    return []


def _inside(info: msgspec.inspect.Type, where: str) -> msgspec.inspect.StructType | None:
    """The struct at a path like ".settings.queues[0]"; None: there is none."""
    for step in filter(None, re.split(r"[.\[]", where)):
        kinds = [_bare(kind) for kind in (info.types if isinstance(info, msgspec.inspect.UnionType) else (info,))]
        for kind in kinds:
            if step.endswith("]") and isinstance(kind, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
                info = _bare(kind.item_type)
                break
            field = next((each for each in getattr(kind, "fields", ()) if each.encode_name == step), None)
            if field is not None:
                info = _bare(field.type)
                break
        else:
            return None
    kinds = list(info.types) if isinstance(info, msgspec.inspect.UnionType) else [info]
    return next((kind for kind in map(_bare, kinds) if isinstance(kind, msgspec.inspect.StructType)), None)


def _bare(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    return info.type if isinstance(info, msgspec.inspect.Metadata) else info


def _plain(text: str) -> str:
    return (text[:1].lower() + text[1:]).replace("`", '"')[:300]
