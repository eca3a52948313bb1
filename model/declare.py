"""Declares commands, events and errors once; TCP, documentation, permissions and clients are derived from here.

The text under a field is its documentation. It is read from the source by `control.docs` only, never at run time.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import msgspec

from model.permissions import COARSE, PERMISSIONS

OBJECT_FIELDS = {
    "agent_id": "agent",
    "group": "group",
    "queue": "queue",
    "call_id": "call",
    "extension": "extension",
    "monitor_id": "monitor",
    "consult_id": "consult",
    "agent": "extension",
    "from_": "extension",
}
"""Fields that name what a permission must hold for, and what they name: `agent` is a seat, `agent_id` a person."""
RESULT = "result"
"""In place of a field: what the command returns decides, since only then it is known whose it is."""


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Base of every command: its fields are the `params` of a request."""


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of every event: something that happened, told to whoever subscribed."""


class ApiError(Exception):
    """A refusal told to the caller as it is; raise a declared subclass.

    `message` is one line for a human, `data` holds what a program needs and must be encodable as JSON.
    """

    code: ClassVar[int] = -32000
    name: ClassVar[str] = "error"

    def __init__(self, message: str = "", **data: Any) -> None:
        super().__init__(message or type(self).summary())
        self.message = message or type(self).summary()
        self.data = data

    @classmethod
    def summary(cls) -> str:
        """The first sentence of the class's documentation."""
        return (cls.__doc__ or cls.__name__).strip().split("\n")[0].rstrip(".")


class CommandSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a command beside its fields."""

    name: str
    permission: str
    """What the caller must be allowed; "" = anybody may."""
    params: type[Command]
    result: Any
    errors: tuple[type[ApiError], ...]
    of: tuple[str, ...] = ()
    """Fields that name what the permission must hold for: for all that are given."""
    own: str = ""
    """Permission that is enough where they name the caller's own agent, calls and queues."""
    each: str = ""
    """List in the result of which a caller is shown what his permission holds for."""
    also: tuple[str, Mapping[Any, str]] = ("", {})
    """(field, value → permission that is needed besides when the field has it)."""
    grants: str = ""
    """Field with the name of a role that is given to somebody."""
    is_audited: bool = False


class EventSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an event beside its fields."""

    name: str
    params: type[Event]
    has_call_id: bool
    permission: str
    """What a subscriber must be allowed."""
    of: tuple[str, ...]
    """Fields that name whom it concerns."""
    is_told_to_own: bool
    """False: an agent whom it concerns must not know."""


COMMANDS: dict[str, CommandSpec] = {}
EVENTS: dict[str, EventSpec] = {}
ERRORS: dict[int, type[ApiError]] = {}

_command_specs: dict[type[Command], CommandSpec] = {}
_event_specs: dict[type[Event], EventSpec] = {}

C = TypeVar("C", bound=type[Command])
E = TypeVar("E", bound=type[Event])
X = TypeVar("X", bound=type[ApiError])


def command(
    name: str,
    *,
    result: Any,
    role: str | None = None,
    permission: str = "",
    of: str | tuple[str, ...] = (),
    own: str = "",
    each: str = "",
    also: tuple[str, Mapping[Any, str]] = ("", {}),
    grants: str = "",
    is_audited: bool | None = None,
    errors: tuple[type[ApiError], ...] = (),
) -> Callable[[C], C]:
    """Registers a `Command` under `name` ("noun.verb"). Raises TypeError for a faulty declaration.

    Who may use it: see `CommandSpec`. `role` in place of `permission`: the least built-in role, for commands that
    belong to no agent and no queue. `is_audited`: None = as the permission says.
    """

    def register(cls: C) -> C:
        _check(cls, Command, name, COMMANDS)
        if role and role not in COARSE:
            raise TypeError(f"{name}: no such role {role!r}, one of {tuple(COARSE)}")
        needed = COARSE[role] if role else permission
        spec = CommandSpec(
            name=name,
            permission=needed,
            params=cls,
            result=result,
            errors=errors,
            of=(of,) if isinstance(of, str) else of,
            own=own,
            each=each,
            also=also,
            grants=grants,
            is_audited=(needed in PERMISSIONS and PERMISSIONS[needed].is_audited) if is_audited is None else is_audited,
        )
        _check_access(spec)
        COMMANDS[name] = _command_specs[cls] = spec
        return cls

    return register


def event(name: str, *, permission: str = "") -> Callable[[E], E]:
    """Registers an `Event` under `name` ("noun.verb_past"). Raises TypeError for a faulty declaration.

    `permission`: what one needs to be told. Empty: by what the event names, an agent, a call, a queue, an extension;
    and agents are told what concerns themselves.
    """

    def register(cls: E) -> E:
        _check(cls, Event, name, EVENTS)
        reserved = {"event", "seq", "at", "node"} & set(cls.__struct_encode_fields__)
        if reserved:
            raise TypeError(f"{name}: {sorted(reserved)} belong to the envelope of every event")
        if not cls.__struct_fields__:
            raise TypeError(f"{name}: an event needs at least one field")
        if permission and permission not in PERMISSIONS:
            raise TypeError(f"{name}: no such permission {permission!r}")
        of = named_by(cls)
        spec = EventSpec(
            name=name,
            params=cls,
            has_call_id="call_id" in cls.__struct_fields__,
            permission=permission or _needed_to_be_told(name, of),
            of=of,
            is_told_to_own=not permission,
        )
        EVENTS[name] = _event_specs[cls] = spec
        return cls

    return register


def error(code: int, name: str) -> Callable[[X], X]:
    """Registers an `ApiError` under a JSON-RPC code and a symbolic name. Raises TypeError when one is taken."""

    def register(cls: X) -> X:
        if code in ERRORS or any(known.name == name for known in ERRORS.values()):
            raise TypeError(f"error {code} {name} is declared twice")
        cls.code = code
        cls.name = name
        ERRORS[code] = cls
        return cls

    return register


def command_spec(params: type[Command]) -> CommandSpec:
    """The declaration of a command class. Raises KeyError when it was not declared."""
    return _command_specs[params]


def event_spec(params: type[Event]) -> EventSpec:
    """The declaration of an event class. Raises KeyError when it was not declared."""
    return _event_specs[params]


def named_by(cls: type[msgspec.Struct]) -> tuple[str, ...]:
    """Fields of an event or view that say whom it concerns. What tells of an agent concerns him alone, and not also
    the others on his call."""
    fields = cls.__struct_fields__
    if "agent_id" in fields and "group" in fields:
        return ("agent_id",)
    return tuple(field for field in fields if field in OBJECT_FIELDS)


def _needed_to_be_told(name: str, of: tuple[str, ...]) -> str:
    noun = {"agent": "agent_id", "queue": "queue", "offer": "queue"}.get(name.partition(".")[0])
    return next((needed for field, needed in _TOLD if field == noun or (noun is None and field in of)), "switch.view")


_TOLD = (
    ("call_id", "call.view"),
    ("agent_id", "agent.view"),
    ("queue", "queue.view"),
    ("extension", "extension.view"),
)


def _check_access(spec: CommandSpec) -> None:
    fields = spec.params.__struct_fields__
    for permission in (spec.permission, spec.own, *spec.also[1].values()):
        if permission and permission not in PERMISSIONS:
            raise TypeError(f"{spec.name}: no such permission {permission!r}")
    for field in spec.of:
        if field != RESULT and (field not in fields or field not in OBJECT_FIELDS):
            raise TypeError(f"{spec.name}: {field!r} is no field that names an agent, group, queue, call or extension")
    for field in (spec.also[0], spec.grants):
        if field and field not in fields:
            raise TypeError(f"{spec.name}: no field {field!r}")
    if spec.each and spec.each not in getattr(spec.result, "__struct_fields__", ()):
        raise TypeError(f"{spec.name}: its result has no list {spec.each!r}")
    has_scope = spec.permission and PERMISSIONS[spec.permission].kind != "unscoped"
    if has_scope and not (spec.of or spec.each):
        raise TypeError(f"{spec.name}: {spec.permission} has a scope: name the field that says whose it is")


def _check(cls: type[msgspec.Struct], base: type[msgspec.Struct], name: str, taken: dict[str, Any]) -> None:
    if not issubclass(cls, base):
        raise TypeError(f"{name}: {cls.__name__} must be a {base.__name__}")
    if name in taken:
        raise TypeError(f"{name} is declared twice")
    noun, dot, verb = name.partition(".")
    if not (noun and dot and verb and name.replace(".", "").replace("_", "").isalpha() and name.islower()):
        raise TypeError(f"{name!r} is not of the form noun.verb")
    if not cls.__doc__:
        raise TypeError(f"{name}: {cls.__name__} has no documentation")
