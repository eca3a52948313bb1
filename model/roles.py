"""Roles: what somebody may do, and of which agents and queues (RBAC-01…04). Pure.

A role is settings; `Rights` is what is asked at each command. The built-in roles cannot be changed: `viewer`,
`operator`, `supervisor` and `administrator` each may do what those before may, of everybody; `agent` concerns its own
agent only (RBAC-08).
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from model.permissions import PERMISSIONS, Permission
from model.settings import Name, Section, Text

PermissionPattern = Annotated[str, Meta(pattern=r"^(\*|[a-z]+\.(\*|[a-z_]+))$", max_length=64)]
ScopeName = Annotated[str, Meta(pattern=r"^(\*|[A-Za-z0-9_.-]{1,64})$")]
Permissions = Annotated[
    tuple[PermissionPattern, ...],
    Meta(max_length=200, description='"call.view", all of one kind as "call.*", or "*".'),
]
Queues = Annotated[
    tuple[ScopeName, ...], Meta(max_length=500, description='Queues that permissions on queues hold for; "*": all.')
]
AgentGroups = Annotated[
    tuple[ScopeName, ...],
    Meta(
        max_length=500,
        description="Agent groups (of phones without an agent: supervision groups) that permissions on agents hold "
        'for; "*": everybody.',
    ),
]


class Role(Section, frozen=True):
    """What its users and agents may do, and of whom."""

    name: Name
    title: Annotated[Text, Meta(description="How people call it.")] = ""
    base: Annotated[Text, Meta(description="A built-in role whose permissions it has, too; its scope it has not.")] = ""
    permissions: Permissions = ()
    queues: Queues = ()
    agent_groups: AgentGroups = ()


class RoleFault(ValueError):
    """A role cannot be so; `field` is the key at fault."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field = field


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """A role, ready to be asked."""

    role: str
    permissions: frozenset[str]
    unlimited: frozenset[str]
    """Those of `permissions` that hold for everything there is."""
    agent_groups: frozenset[str]
    queues: frozenset[str]

    def covers(self, permission: str, groups: Iterable[str], queues: Iterable[str]) -> bool:
        """Whether the permission holds for something that belongs to these agent groups and queues.

        What has no agent yet (a caller who waits) belongs to whoever has its queue.
        """
        if permission in self.unlimited:
            return True
        if permission not in self.permissions:
            return False
        queues = tuple(queues)
        is_mine = bool(queues) if "*" in self.queues else not self.queues.isdisjoint(queues)
        if PERMISSIONS[permission].kind == "queue":
            return is_mine
        groups = tuple(groups)
        return not self.agent_groups.isdisjoint(groups) if groups else is_mine

    def excess(self, other: "Rights") -> str:
        """What `other` may and these may not, as a phrase; empty: nothing. Nobody can give more than he has."""
        missing = sorted(other.permissions - self.permissions)
        if missing:
            return f"permission {missing[0]}"
        for permission in sorted(other.permissions - self.unlimited):
            kind = PERMISSIONS[permission].kind
            if permission in other.unlimited:
                return f'{permission} for everybody ("*")'
            # Callers who wait belong to who has their queue, so queues count for both classes.
            beyond = "*" not in self.queues and sorted(other.queues - self.queues)
            if beyond:
                return f"{permission} for queue {beyond[0]}"
            beyond = kind == "agent_group" and sorted(other.agent_groups - self.agent_groups)
            if beyond:
                return f"{permission} for agent_group {beyond[0]}"
        return ""


NO_RIGHTS = Rights(
    role="", permissions=frozenset(), unlimited=frozenset(), agent_groups=frozenset(), queues=frozenset()
)
"""Of a role that is gone."""


def compile_rights(role: Role) -> Rights:
    """Raises RoleFault when the base or a permission does not exist."""
    allowed: set[str] = set()
    if role.base:
        if role.base not in BUILT_IN_ROLES:
            raise RoleFault("base", f"no built-in role {role.base!r}; one of {', '.join(BUILT_IN_ROLES)}")
        allowed |= compile_rights(BUILT_IN_ROLES[role.base]).permissions
    for pattern in role.permissions:
        found = [name for name in PERMISSIONS if _matches(pattern, name)]
        if not found:
            raise RoleFault("permissions", f"no permission {pattern!r}; `ringback permissions` lists them")
        allowed.update(found)
    groups, queues = frozenset(role.agent_groups), frozenset(role.queues)
    unlimited = {name for name in allowed if _is_unlimited(PERMISSIONS[name], groups, queues)}
    return Rights(
        role=role.name,
        permissions=frozenset(allowed),
        unlimited=frozenset(unlimited),
        agent_groups=groups,
        queues=queues,
    )


def _is_unlimited(permission: Permission, groups: frozenset[str], queues: frozenset[str]) -> bool:
    match permission.kind:
        case "agent_group":
            return "*" in groups
        case "queue":
            return "*" in queues
        case _:
            return True


def _matches(pattern: str, name: str) -> bool:
    return pattern in ("*", name) or (pattern.endswith(".*") and name.startswith(pattern[:-1]))


_AGENT = ("agent.work", "call.dial_external", "phone.view_full")
_VIEWER = (
    "agent.view",
    "call.view",
    "campaign.view",
    "conference.view",
    "extension.view",
    "flow.view",
    "phone.view_full",
    "queue.view",
    "switch.view",
)
_OPERATOR = (
    *_VIEWER,
    "agent.control",
    "call.control",
    "call.dial_external",
    "call.history",
    "call.originate",
    "call.secure",
    "campaign.control",
    "conference.control",
    "extension.control",
    "message.send",
    "recording.*",
    "security.view",
    "switch.operate",
)
_SUPERVISOR = (
    *_OPERATOR,
    "agent.call",
    "agent.force_state",
    "agent.work",
    "call.dispatch",
    "campaign.manage",
    "monitor.*",
    "queue.control",
    "report.view",
    "role.view",
    "security.manage",
    "switch.supervise",
    "trace.use",
    "voicemail.play",
)

BUILT_IN_ROLES: dict[str, Role] = {
    name: Role(name=name, permissions=permissions, queues=scope, agent_groups=scope)
    for name, permissions, scope in (
        ("agent", _AGENT, ()),
        ("viewer", _VIEWER, ("*",)),
        ("operator", _OPERATOR, ("*",)),
        ("supervisor", _SUPERVISOR, ("*",)),
        ("administrator", ("*",), ("*",)),
    )
}
"""Those that every switch has."""
