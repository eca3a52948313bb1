"""The roles of the moment, and what a change of them must not break. Pure.

Whoever is logged in is asked about by the name of his role, so a change holds at once.
"""

from collections.abc import Callable, Iterable

import msgspec

from control.auth import ApiUser
from model.errors import AlreadyExists, InUse, InvalidValue, NoSuchRole
from model.roles import BUILT_IN_ROLES, NO_RIGHTS, Rights, Role, RoleFault, compile_rights


class RoleEntry(msgspec.Struct, frozen=True):
    """A role and where it comes from."""

    role: Role
    source: str
    """built_in, file or api."""
    rights: Rights


class RoleBook:
    """`users` are those of the control API; `agent_roles` tells the role of each agent.

    Raises RoleFault when a role of the file has the name of a built-in one, or cannot be compiled.
    """

    def __init__(
        self,
        configured: Iterable[Role] = (),
        users: Iterable[ApiUser] = (),
        agent_roles: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._users = tuple(users)
        self._agent_roles = agent_roles
        self._entries = {
            name: RoleEntry(role, "built_in", compile_rights(role)) for name, role in BUILT_IN_ROLES.items()
        }
        for role in configured:
            if role.name in self._entries:
                raise RoleFault("name", f"there is a role {role.name!r} already")
            self._entries[role.name] = RoleEntry(role, "file", compile_rights(role))

    def rights(self, role: str) -> Rights:
        """`NO_RIGHTS` when there is no such role: whoever had it may do nothing."""
        entry = self._entries.get(role)
        return entry.rights if entry is not None else NO_RIGHTS

    def all(self) -> list[RoleEntry]:
        """By name."""
        return [self._entries[name] for name in sorted(self._entries)]

    def get(self, name: str) -> RoleEntry:
        """Raises NoSuchRole."""
        if name not in self._entries:
            raise NoSuchRole(f"no role {name!r}; there are {', '.join(sorted(self._entries))}")
        return self._entries[name]

    def holders(self, name: str) -> list[str]:
        """Who has the role: "user NAME", "agent ID"."""
        agents = self._agent_roles()
        return [f"user {user.name}" for user in self._users if self._role_of(user, agents) == name] + [
            f"agent {agent}" for agent, role in agents.items() if role == name
        ]

    def may_all_see_everything(self) -> bool:
        """Whether no user of the control API has to be asked which agent, queue or call something concerns."""
        agents = self._agent_roles()
        return all(
            rights.permissions == rights.unlimited and rights.permissions
            for rights in (self.rights(self._role_of(user, agents)) for user in self._users)
        )

    # -- changes ------------------------------------------------------------------------------------------------------

    def check_new(self, role: Role) -> Rights:
        """What a new role may. Raises AlreadyExists or InvalidValue."""
        if role.name in self._entries:
            raise AlreadyExists(f"there is a role {role.name!r}")
        return _compile(role)

    def check_changed(self, role: Role) -> Rights:
        """What a changed role may. Raises NoSuchRole, InvalidValue or InUse (nobody could manage roles any more)."""
        self._changeable(role.name)
        rights = _compile(role)
        self._check_managers(role.name, rights)
        return rights

    def check_gone(self, name: str) -> None:
        """Raises NoSuchRole, InvalidValue or InUse when the role cannot be removed."""
        self._changeable(name)
        holders = self.holders(name)
        if holders:
            more = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
            raise InUse(f"{holders[0]}{more} has the role {name!r}", users=holders[:20])

    def put(self, role: Role) -> None:
        """Adds or replaces a role of the API. Raises RoleFault when it cannot be compiled."""
        self._entries[role.name] = RoleEntry(role, "api", compile_rights(role))

    def remove(self, name: str) -> None:
        del self._entries[name]

    def _role_of(self, user: ApiUser, agents: dict[str, str]) -> str:
        return user.role or agents.get(user.agent, "")

    def _changeable(self, name: str) -> None:
        source = self.get(name).source
        if source == "built_in":
            raise InvalidValue(f"the role {name!r} is built in; make one with it as `base`", field="role")
        if source == "file":
            raise InvalidValue(f"the role {name!r} stands in the configuration file; change it there", field="role")

    def _check_managers(self, name: str, changed: Rights) -> None:
        agents = self._agent_roles()
        roles = [self._role_of(user, agents) for user in self._users]
        before = any("role.manage" in self.rights(role).permissions for role in roles)
        after = any("role.manage" in (changed if role == name else self.rights(role)).permissions for role in roles)
        if before and not after:
            raise InUse(f"without role.manage in {name!r} nobody could manage roles any more", users=self.holders(name))


def _compile(role: Role) -> Rights:
    try:
        return compile_rights(role)
    except RoleFault as fault:
        raise InvalidValue(str(fault), field=fault.field) from None
