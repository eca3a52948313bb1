"""Who may use the control API, and with which roles: put together from the configuration and the database."""

import logging
from collections.abc import Callable

from control.auth import ApiUser, TokenTable
from control.role_book import RoleBook
from model.roles import NO_RIGHTS, RoleFault
from storage.interface import AnyStorage
from switch.config import Config
from switch.listening import UnusableError
from switch.roles_admin import role_of

log = logging.getLogger(__name__)


def api_users(config: Config) -> list[ApiUser]:
    """Users as configured. Who names neither role nor agent is an operator, as ever."""
    return [
        ApiUser(
            name=user.name,
            role=user.role or ("" if user.agent else "operator"),
            agent=user.agent,
            token_hash=user.token_hash,
        )
        for user in config.control.user
    ]


def token_table(config: Config) -> TokenTable:
    """Raises UnusableError when a token's hash is malformed or a name comes twice."""
    try:
        return TokenTable(api_users(config))
    except ValueError as error:
        raise UnusableError(f"control.user: {error}") from None


async def load_roles(config: Config, storage: AnyStorage, agent_roles: Callable[[], dict[str, str]]) -> RoleBook:
    """Roles of the file and of the API; `agent_roles`: agent → his role.

    Who has a role that is gone may do nothing, and the log says so.
    """
    users = api_users(config)
    roles = RoleBook(config.role, users, agent_roles)
    fixed = {entry.role.name for entry in roles.all()}
    for stored in await storage.roles.all():
        if stored.name in fixed:
            log.warning("! role %s stands in the file and in the database; the file counts", stored.name)
            continue
        try:
            roles.put(role_of(stored))
        except RoleFault as fault:
            log.error("x role %s of the database cannot be used: %s", stored.name, fault)
    for user in users:
        if user.role and roles.rights(user.role) is NO_RIGHTS:
            log.error("x user %s has the role %s, which does not exist: it may do nothing", user.name, user.role)
    for agent_id, role in agent_roles().items():
        if roles.rights(role) is NO_RIGHTS:
            log.error("x agent %s has the role %s, which does not exist: he may do nothing", agent_id, role)
    return roles
