"""`ringback role …` and `ringback permissions`: who may do what."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from model import views
from model.commands_roles import PermissionList, RoleList, RoleView
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask
from switch.cli_tables import rows_table

role_app = typer.Typer(no_args_is_help=True, help="Roles: what users and agents may do, and of whom.")

Title = Annotated[str | None, typer.Option(help="How people call it.")]
Base = Annotated[str | None, typer.Option(help="Built-in role whose permissions it has, too.")]
Allowed = Annotated[list[str] | None, typer.Option("--permission", "-p", help='"call.view", "call.*" or "*".')]
Queues = Annotated[list[str] | None, typer.Option("--queue", "-q", help='A queue it holds for; "*": all.')]
Groups = Annotated[list[str] | None, typer.Option("--group", "-g", help='An agent group it holds for; "*": all.')]


def add_roles(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(role_app, name="role")
    app.command("permissions")(permissions)


def permissions(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Everything that a role may allow."""
    ask(server, token, as_json, "permission.list", {}, _permissions)


@role_app.command("list")
def role_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """All roles."""
    ask(server, token, as_json, "role.list", {}, _roles)


@role_app.command("get")
def role_get(role: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """One role, with each permission that it has."""
    ask(server, token, as_json, "role.get", {"role": role}, _role)


@role_app.command("add")
def role_add(
    role: str,
    title: Title = None,
    base: Base = None,
    permission: Allowed = None,
    queue: Queues = None,
    group: Groups = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Add a role."""
    ask(server, token, as_json, "role.add", _params(role, title, base, permission, queue, group), _role)


@role_app.command("update")
def role_update(
    role: str,
    title: Title = None,
    base: Base = None,
    permission: Allowed = None,
    queue: Queues = None,
    group: Groups = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Change what is given of a role; it holds at once."""
    ask(server, token, as_json, "role.update", _params(role, title, base, permission, queue, group), _role)


@role_app.command("remove")
def role_remove(role: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Remove a role that nobody has."""
    ask(server, token, as_json, "role.remove", {"role": role}, _removed)


def _params(
    role: str,
    title: str | None,
    base: str | None,
    permissions: list[str] | None,
    queues: list[str] | None,
    groups: list[str] | None,
) -> dict[str, Any]:
    given = {"title": title, "base": base, "permissions": permissions, "queues": queues, "agent_groups": groups}
    return {"role": role} | {name: value for name, value in given.items() if value is not None}


def _permissions(found: PermissionList) -> RenderableType:
    rows = [[each.permission, each.scope, "yes" if each.is_audited else "", each.text] for each in found.permissions]
    return rows_table(("permission", "scope", "audited", "what it allows"), rows)


def _roles(found: RoleList) -> RenderableType:
    rows = [
        [each.role, each.title, each.source, _list(each.agent_groups), _list(each.queues), str(each.n_users)]
        for each in found.roles
    ]
    return rows_table(("role", "title", "from", "agent groups", "queues", "held by"), rows)


def _role(role: RoleView) -> str:
    return "\n".join(
        (
            f"{role.role}  {role.title}  ({role.source}, {role.n_users} have it)",
            f"agent groups: {_list(role.agent_groups) or 'none'}",
            f"queues: {_list(role.queues) or 'none'}",
            f"permissions: {_list(role.all_permissions) or 'none'}",
        )
    )


def _list(names: list[str]) -> str:
    return ", ".join(names)


def _removed(done: views.Done) -> str:
    return "done"
