"""Commands on roles: what users and agents may do, and of whom. `switch/roles_admin.py` handles them."""

from msgspec import UNSET, UnsetType

from model import views
from model.commands import OptionalText
from model.declare import Command, command
from model.errors import AlreadyExists, InUse, InvalidValue, NoSuchRole, PermissionDenied, StorageUnavailable
from model.roles import AgentGroups, Permissions, Queues
from model.settings import Name


class PermissionView(views.View, frozen=True, kw_only=True):
    """Something that a role may allow."""

    permission: str
    scope: str
    """unscoped, agent_group or queue (RBAC-04)."""
    text: str
    is_audited: bool
    """What is done by it stands in the audit log."""


class PermissionList(views.View, frozen=True, kw_only=True):
    """All permissions there are."""

    permissions: list[PermissionView]


class RoleView(views.View, frozen=True, kw_only=True):
    """A role."""

    role: str
    title: str = ""
    base: str = ""
    """Built-in role whose permissions it has, too."""
    permissions: list[str]
    """As they were given; with "*" and "call.*"."""
    all_permissions: list[str]
    """Each one that it has, those of `base` included."""
    queues: list[str]
    agent_groups: list[str]
    source: str
    """built_in and file: cannot be changed by API; api."""
    n_users: int
    """Users of the control API and agents that have it."""


class RoleList(views.View, frozen=True, kw_only=True):
    """Roles, by name."""

    roles: list[RoleView]


@command("permission.list", permission="role.view", result=PermissionList)
class ListPermissions(Command, frozen=True, kw_only=True):
    """Everything that a role may allow."""


@command("role.list", permission="role.view", result=RoleList)
class ListRoles(Command, frozen=True, kw_only=True):
    """Roles, by name."""


@command("role.get", permission="role.view", result=RoleView, errors=(NoSuchRole,))
class GetRole(Command, frozen=True, kw_only=True):
    """One role."""

    role: Name


@command(
    "role.add",
    permission="role.manage",
    result=RoleView,
    errors=(AlreadyExists, InvalidValue, PermissionDenied, StorageUnavailable),
)
class AddRole(Command, frozen=True, kw_only=True):
    """Adds a role. Nobody can make one that may more than he himself."""

    role: Name
    title: OptionalText = ""
    base: OptionalText = ""
    """A built-in role whose permissions it has, too; its scope it has not."""
    permissions: Permissions = ()
    """"call.view", all of one kind as "call.*", or "*"; see `permission.list`."""
    queues: Queues = ()
    """Queues that permissions on queues hold for; "*": all."""
    agent_groups: AgentGroups = ()
    """Agent groups (of phones without an agent: supervision groups) that permissions on agents hold for; "*": all."""


@command(
    "role.update",
    permission="role.manage",
    result=RoleView,
    errors=(NoSuchRole, InvalidValue, InUse, PermissionDenied, StorageUnavailable),
)
class UpdateRole(Command, frozen=True, kw_only=True):
    """Changes the fields that are given, as in `role.add`. It holds at once, for those who are logged in, too."""

    role: Name
    title: OptionalText | UnsetType = UNSET
    base: OptionalText | UnsetType = UNSET
    permissions: Permissions | UnsetType = UNSET
    queues: Queues | UnsetType = UNSET
    agent_groups: AgentGroups | UnsetType = UNSET


@command(
    "role.remove",
    permission="role.manage",
    result=views.Done,
    errors=(NoSuchRole, InvalidValue, InUse, PermissionDenied, StorageUnavailable),
)
class RemoveRole(Command, frozen=True, kw_only=True):
    """Removes a role that nobody has."""

    role: Name
