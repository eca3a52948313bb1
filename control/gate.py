"""The one place where it is decided who may do and see what (RBAC-04…08). Pure: the switch says whose things are.

A command is admitted before its handler runs; what its declaration calls `of` names the agents, calls and queues it
concerns. Results and events are sieved by the same rule, by the fields they have. For callers whose permission holds
for everything this costs one look into a set.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, Protocol

import msgspec

from control.auth import Caller
from model import errors
from model.declare import EVENTS, OBJECT_FIELDS, RESULT, Command, CommandSpec, Event, EventSpec, named_by
from model.records import CallRecord, RecordingRecord
from model.roles import Rights
from model.views import LegView


class Reach(msgspec.Struct, frozen=True):
    """Whom something concerns."""

    agents: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()

    def __or__(self, other: "Reach") -> "Reach":
        return Reach(self.agents | other.agents, self.groups | other.groups, self.queues | other.queues)


NOBODY = Reach()


class Objects(Protocol):
    """What the switch knows of the things that fields name (`declare.OBJECT_FIELDS`)."""

    def reach(self, kind: str, name: str) -> Reach:
        """Whom it concerns; `NOBODY` when there is no such thing, or nobody's."""

    def queues_of(self, agent_id: str) -> frozenset[str]:
        """Queues that an agent serves."""

    def role_of(self, agent_id: str) -> str:
        """The one role of an agent (RBAC-01); empty when there is no such agent."""


class Roles(Protocol):
    """The roles of the moment."""

    def rights(self, role: str) -> Rights:
        """`NO_RIGHTS` when there is no such role."""


class Gate:
    """Asked by the control server at every command, result and event."""

    def __init__(self, roles: Roles, objects: Objects) -> None:
        self._roles = roles
        self._objects = objects

    def rights(self, caller: Caller) -> Rights:
        """Those of his role, which may be his agent's, as they are now."""
        return self._roles.rights(caller.role or self._objects.role_of(caller.agent))

    # -- commands -----------------------------------------------------------------------------------------------------

    def admit(self, caller: Caller, spec: CommandSpec, command: Command) -> None:
        """Raises PermissionDenied unless the caller may use the command on what it names."""
        rights = self.rights(caller)
        field, by_value = spec.also
        besides = by_value.get(getattr(command, field)) if field else None
        for needed in (spec.permission, besides):
            if needed and needed not in rights.unlimited:
                self._admit(caller, rights, spec, command, needed)
        if spec.grants and isinstance(role := getattr(command, spec.grants), str):
            self.check_grant(caller, role)

    def require(self, caller: Caller, permission: str, kind: str, name: str) -> None:
        """As `admit`, for what only a handler knows. Raises PermissionDenied."""
        rights = self.rights(caller)
        if not self._may(caller, rights, permission, "", self._objects.reach(kind, name)):
            raise self._denied(caller, rights, permission, f"{kind} {name}")

    def may(self, caller: Caller, permission: str) -> bool:
        """Whether the caller has the permission for anything at all."""
        return permission in self.rights(caller).permissions

    def check_grant(self, caller: Caller, role: str) -> None:
        """Raises PermissionDenied when the role allows what the caller himself may not."""
        self.check_excess(caller, self._roles.rights(role))

    def check_excess(self, caller: Caller, given: Rights) -> None:
        """Nobody gives more than he has. Raises PermissionDenied."""
        excess = self.rights(caller).excess(given)
        if excess:
            raise errors.PermissionDenied(
                f"{caller.user} cannot give the role {given.role}: he has not {excess} himself", needed=excess
            )

    def _admit(self, caller: Caller, rights: Rights, spec: CommandSpec, command: Command, needed: str) -> None:
        if needed not in rights.permissions and not self._has_own(caller, rights, spec.own):
            raise self._denied(caller, rights, needed, "")
        named = [(field, name) for field in spec.of if field != RESULT and (name := getattr(command, field))]
        for field, name in named:
            # An optional field may be unset.
            if isinstance(name, str):
                kind = OBJECT_FIELDS[field]
                if not self._may(caller, rights, needed, spec.own, self._objects.reach(kind, name)):
                    raise self._denied(caller, rights, needed, f"{kind} {name}")
        if not named and not spec.each and RESULT not in spec.of:
            raise self._denied(caller, rights, needed, "all")

    def _may(self, caller: Caller, rights: Rights, permission: str, own: str, reach: Reach) -> bool:
        if rights.covers(permission, reach.groups, reach.queues):
            return True
        return self._has_own(caller, rights, own) and self._is_own(caller.agent, reach)

    def _has_own(self, caller: Caller, rights: Rights, own: str) -> bool:
        return bool(own and caller.agent) and own in rights.permissions

    def _is_own(self, agent: str, reach: Reach) -> bool:
        """What an agent has a part in; or, where no agent has one, what happens in the queues he serves."""
        if reach.agents:
            return agent in reach.agents
        return not self._objects.queues_of(agent).isdisjoint(reach.queues)

    def _denied(self, caller: Caller, rights: Rights, permission: str, what: str) -> errors.PermissionDenied:
        if what and permission in rights.permissions:
            whom = "everybody" if what == "all" else what
            message = f"{caller.user} ({rights.role}) has the permission {permission}, but not for {whom}"
        else:
            message = f"needs the permission {permission}; {caller.user} is {rights.role or 'without a role'}"
        return errors.PermissionDenied(message, needed=permission)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def sieve(self, caller: Caller, spec: CommandSpec, result: Any) -> Any:
        """The result as the caller may see it. Raises PermissionDenied when it is of one thing that he may not see."""
        rights = self.rights(caller)
        if caller.agent and "monitor.listen" not in rights.permissions and isinstance(result, msgspec.Struct):
            # Who is listened to must not notice (SUP-02).
            result = _without_supervisors(result)
        if not (spec.each or RESULT in spec.of):
            return result
        if spec.permission in rights.unlimited:
            return result
        if not spec.each:
            if not self._may(caller, rights, spec.permission, spec.own, self.reach_of(result)):
                raise self._denied(caller, rights, spec.permission, "what it is about")
            return result
        items = getattr(result, spec.each)
        seen = [item for item in items if self._may(caller, rights, spec.permission, spec.own, self.reach_of(item))]
        count = f"n_{spec.each}"
        changes: dict[str, Any] = {spec.each: seen}
        if count in result.__struct_fields__:
            changes[count] = len(seen)
        return msgspec.structs.replace(result, **changes)

    def reach_of(self, thing: msgspec.Struct) -> Reach:
        """Whom a result or an event concerns, by its fields and those of what it holds."""
        reach = NOBODY
        for kind, name in _names(thing):
            reach |= self._objects.reach(kind, name)
        return reach

    def reach_of_event(self, event: Event, spec: EventSpec) -> Reach:
        """As `reach_of`, by what the declaration of the event says."""
        reach = NOBODY
        for field in spec.of:
            if name := getattr(event, field):
                reach |= self._objects.reach(OBJECT_FIELDS[field], name)
        return reach

    def sees_everything(self, caller: Caller) -> bool:
        """Whether no event has to be looked at for this caller."""
        return _told() <= self.rights(caller).unlimited

    def sees_all(self, caller: Caller, spec: EventSpec) -> bool:
        """Whether events of this kind need not be looked at one by one."""
        return spec.permission in self.rights(caller).unlimited

    def sees(self, caller: Caller, spec: EventSpec, reach: Reach) -> bool:
        """Whether an event of this kind that concerns these may be told to the caller."""
        own = "agent.work" if spec.is_told_to_own else ""
        return self._may(caller, self.rights(caller), spec.permission, own, reach)


class Viewer:
    """A subscriber of events, as the event log asks about him."""

    __slots__ = ("_caller", "_gate")

    def __init__(self, gate: Gate, caller: Caller) -> None:
        self._gate = gate
        self._caller = caller

    def sees_everything(self) -> bool:
        return self._gate.sees_everything(self._caller)

    def sees_all(self, spec: EventSpec) -> bool:
        return self._gate.sees_all(self._caller, spec)

    def sees(self, spec: EventSpec, reach: Reach) -> bool:
        return self._gate.sees(self._caller, spec, reach)


@cache
def _told() -> frozenset[str]:
    return frozenset(spec.permission for spec in EVENTS.values())


def _names(thing: Any) -> Iterable[tuple[str, str]]:
    """(kind, name) of all that a view or record names, inside of what it holds, too."""
    if isinstance(thing, RecordingRecord | CallRecord) and thing.agent_id:
        # Whoever sits at that phone now had no part in it.
        yield "agent", thing.agent_id
        return
    if isinstance(thing, RecordingRecord) and thing.extension:
        # A supervisor's track belongs to him, not to whom he listened to.
        yield "extension", thing.extension
        return
    for field, kind in _object_fields(type(thing)):
        if kind and (name := getattr(thing, field)):
            yield kind, name
        elif not kind:
            inner = getattr(thing, field)
            for each in inner if isinstance(inner, list) else (inner,):
                if isinstance(each, msgspec.Struct):
                    yield from _names(each)
    # A leg says by two fields whose it is.
    if getattr(thing, "kind", "") == "extension" and (name := getattr(thing, "name", "")):
        yield "extension", name


def _without_supervisors(thing: msgspec.Struct) -> msgspec.Struct:
    """What an agent is shown of calls: without legs of supervisors."""
    changes: dict[str, Any] = {}
    for field, kind in _object_fields(type(thing)):
        inner = None if kind else getattr(thing, field)
        if isinstance(inner, msgspec.Struct):
            shown: Any = _without_supervisors(inner)
        elif isinstance(inner, list):
            shown = [
                _without_supervisors(each) if isinstance(each, msgspec.Struct) else each
                for each in inner
                if not (isinstance(each, LegView) and each.role == "supervisor")
            ]
        else:
            continue
        if shown != inner:
            changes[field] = shown
    return msgspec.structs.replace(thing, **changes) if changes else thing


def _object_fields(cls: Any) -> tuple[tuple[str, str], ...]:
    """Fields to look at and what they name; "" = look inside."""
    if cls not in _known_fields:
        known = [(field, OBJECT_FIELDS[field]) for field in named_by(cls)]
        info = msgspec.inspect.type_info(cls)
        assert isinstance(info, msgspec.inspect.StructType)
        inside = [(field.name, "") for field in info.fields if _may_hold_structs(field.type)]
        _known_fields[cls] = tuple(known + inside)
    return _known_fields[cls]


_known_fields: dict[Any, tuple[tuple[str, str], ...]] = {}


def _may_hold_structs(info: Any) -> bool:
    match info:
        case msgspec.inspect.StructType():
            return True
        case msgspec.inspect.ListType(item_type=item):
            return _may_hold_structs(item)
        case msgspec.inspect.UnionType(types=types):
            return any(_may_hold_structs(each) for each in types)
        case _:
            return False
