"""Handlers of `model.commands_roles`. Roles of the API live in the database; those of the file are changed there."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from control.auth import Caller
from control.role_book import RoleEntry
from model import errors, views
from model.commands_roles import (
    AddRole,
    GetRole,
    ListPermissions,
    ListRoles,
    PermissionList,
    PermissionView,
    RemoveRole,
    RoleList,
    RoleView,
    UpdateRole,
)
from model.declare import Command
from model.events_security import RoleChanged
from model.permissions import PERMISSIONS
from model.roles import Role
from storage.directory import StoredRole
from storage.errors import DuplicateError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from switch.app import App

_CHANGEABLE = ("title", "base", "permissions", "queues", "agent_groups")


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    handlers = RolesAdmin(app)
    return {
        ListPermissions: list_permissions,
        ListRoles: handlers.list,
        GetRole: handlers.get,
        AddRole: handlers.add,
        UpdateRole: handlers.update,
        RemoveRole: handlers.remove,
    }


def role_of(stored: StoredRole) -> Role:
    """A role as the database keeps it."""
    return Role(name=stored.name, **{name: getattr(stored, name) for name in _CHANGEABLE})


def list_permissions(command: ListPermissions, caller: Caller) -> PermissionList:
    return PermissionList(
        permissions=[
            PermissionView(permission=each.name, scope=each.kind, text=each.text, is_audited=each.is_audited)
            for each in PERMISSIONS.values()
        ]
    )


class RolesAdmin:
    def __init__(self, app: "App") -> None:
        self._app = app

    def list(self, command: ListRoles, caller: Caller) -> RoleList:
        return RoleList(roles=[self._view(entry) for entry in self._app.roles.all()])

    def get(self, command: GetRole, caller: Caller) -> RoleView:
        return self._view(self._app.roles.get(command.role))

    async def add(self, command: AddRole, caller: Caller) -> RoleView:
        role = Role(name=command.role, **{name: getattr(command, name) for name in _CHANGEABLE})
        self._app.gate.check_excess(caller, self._app.roles.check_new(role))
        try:
            await self._app.storage.roles.add(_stored(role))
        except DuplicateError:
            raise errors.AlreadyExists(f"there is a role {role.name!r}") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        return self._changed(role, "added", caller)

    async def update(self, command: UpdateRole, caller: Caller) -> RoleView:
        entry = self._app.roles.get(command.role)
        changes = {name: value for name in _CHANGEABLE if (value := getattr(command, name)) is not msgspec.UNSET}
        role = msgspec.structs.replace(entry.role, **changes)
        self._app.gate.check_excess(caller, entry.rights)
        self._app.gate.check_excess(caller, self._app.roles.check_changed(role))
        try:
            await self._app.storage.roles.update(_stored(role))
        except NotFoundError:
            raise errors.NoSuchRole(f"no role {command.role!r}") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        return self._changed(role, "updated", caller)

    async def remove(self, command: RemoveRole, caller: Caller) -> views.Done:
        self._app.roles.check_gone(command.role)
        self._app.gate.check_excess(caller, self._app.roles.rights(command.role))
        try:
            await self._app.storage.roles.delete(command.role)
        except NotFoundError:
            raise errors.NoSuchRole(f"no role {command.role!r}") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        self._app.roles.remove(command.role)
        self._app.hub.publish(RoleChanged(role=command.role, change="removed", by=caller.user))
        return views.Done()

    def _changed(self, role: Role, change: str, caller: Caller) -> RoleView:
        self._app.roles.put(role)
        self._app.roles_changed()
        self._app.hub.publish(RoleChanged(role=role.name, change=change, by=caller.user))
        return self._view(self._app.roles.get(role.name))

    def _view(self, entry: RoleEntry) -> RoleView:
        role = entry.role
        return RoleView(
            role=role.name,
            title=role.title,
            base=role.base,
            permissions=[*role.permissions],
            all_permissions=sorted(entry.rights.permissions),
            queues=[*role.queues],
            agent_groups=[*role.agent_groups],
            source=entry.source,
            n_users=len(self._app.roles.holders(role.name)),
        )


def _stored(role: Role) -> StoredRole:
    return StoredRole(name=role.name, source="api", **{name: getattr(role, name) for name in _CHANGEABLE})
