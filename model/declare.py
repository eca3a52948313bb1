"""Declares commands, events and errors once; TCP, documentation, permissions and clients are derived from here.

The text under a field is its documentation. It is read from the source by `control.docs` only, never at run time.
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import msgspec

ROLES = ("viewer", "operator", "supervisor", "administrator")
"""Each role may do what those before it may."""


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
    role: str
    """The least role that may use it; "" = nobody needs to be logged in."""
    params: type[Command]
    result: Any
    errors: tuple[type[ApiError], ...]


class EventSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an event beside its fields."""

    name: str
    params: type[Event]
    has_call_id: bool


COMMANDS: dict[str, CommandSpec] = {}
EVENTS: dict[str, EventSpec] = {}
ERRORS: dict[int, type[ApiError]] = {}

_command_specs: dict[type[Command], CommandSpec] = {}
_event_specs: dict[type[Event], EventSpec] = {}

C = TypeVar("C", bound=type[Command])
E = TypeVar("E", bound=type[Event])
X = TypeVar("X", bound=type[ApiError])


def command(name: str, *, role: str, result: Any, errors: tuple[type[ApiError], ...] = ()) -> Callable[[C], C]:
    """Registers a `Command` under `name` ("noun.verb"). Raises TypeError for a faulty declaration."""

    def register(cls: C) -> C:
        _check(cls, Command, name, COMMANDS)
        if role and role not in ROLES:
            raise TypeError(f"{name}: no such role {role!r}, one of {ROLES}")
        spec = CommandSpec(name=name, role=role, params=cls, result=result, errors=errors)
        COMMANDS[name] = _command_specs[cls] = spec
        return cls

    return register


def event(name: str) -> Callable[[E], E]:
    """Registers an `Event` under `name` ("noun.verb_past"). Raises TypeError for a faulty declaration."""

    def register(cls: E) -> E:
        _check(cls, Event, name, EVENTS)
        reserved = {"event", "seq", "at", "node"} & set(cls.__struct_encode_fields__)
        if reserved:
            raise TypeError(f"{name}: {sorted(reserved)} belong to the envelope of every event")
        if not cls.__struct_fields__:
            raise TypeError(f"{name}: an event needs at least one field")
        spec = EventSpec(name=name, params=cls, has_call_id="call_id" in cls.__struct_fields__)
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


def may_use(role: str, needed: str) -> bool:
    """Whether `role` includes what `needed` may do; "" needs nothing."""
    return not needed or (role in ROLES and ROLES.index(role) >= ROLES.index(needed))


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
