"""`ringback members …`: who tells by a keyed password who he is."""

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from model.commands_members import MemberEntry, MemberList
from model.declare import ApiError
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, connected, fail
from switch.cli_tables import instant_text, next_page, rows_table

members_app = typer.Typer(no_args_is_help=True, help="Members, who key a number and a password in flows.")

Number = Annotated[str, typer.Argument(help="The member's number.")]


def add_members(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(members_app, name="members")


@members_app.command("list")
def members_list(
    prefix: Annotated[str, typer.Option(help="Only numbers that begin so.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Members, by number."""
    params = {"prefix": prefix, "limit": limit, "cursor": cursor}
    ask(server, token, as_json, "member.list", params, _page)


@members_app.command("create")
def members_create(
    number: Number,
    name: Annotated[str, typer.Option(help="Who it is.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Add a member; the password is read from standard input (nothing: none)."""
    params = {"member": number, "name": name, "password": _password() or None}
    ask(server, token, as_json, "member.create", params, _row)


@members_app.command("set-password")
def members_set_password(
    number: Number, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Another password, read from standard input; who was locked may try again."""
    ask(server, token, as_json, "member.set_password", {"member": number, "password": _password()}, _row)


@members_app.command("remove")
def members_remove(number: Number, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Take a member away."""
    ask(server, token, as_json, "member.remove", {"member": number}, lambda _: "removed")


@members_app.command("import")
def members_import(
    path: Annotated[Path, typer.Argument(help="CSV; its first line is number,name,password.")],
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Add many members; those that exist already, or cannot be, are named and left out (exit status 1)."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        fail(f"{path}: {error}")
    if not rows or "number" not in rows[0]:
        fail(f"{path}: has no column number; its first line must be number,name,password")
    n_added = 0
    with connected(server, token) as switch:
        for line, row in enumerate(rows, start=2):
            params = {"member": row["number"], "name": row.get("name") or "", "password": row.get("password") or None}
            try:
                switch.call("member.create", **params)
                n_added += 1
            except ApiError as problem:
                print(f"{path}:{line}: {problem}", file=sys.stderr)
    print(f"{n_added} of {len(rows)} added")
    if n_added < len(rows):
        raise typer.Exit(1)


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True, default="", show_default=False))
    return sys.stdin.readline().strip()


def _page(found: MemberList) -> RenderableType:
    return _table(found.members, next_page(found.cursor) or "")


def _row(member: MemberEntry) -> RenderableType:
    return _table([member], "")


def _table(shown: list[MemberEntry], caption: str) -> RenderableType:
    heads = ("number", "name", "password", "locked", "created", "changed")
    rows = [
        (
            each.member,
            each.name,
            "yes" if each.has_password else "none",
            "locked" if each.is_locked else "",
            instant_text(each.created_utc),
            instant_text(each.updated_utc),
        )
        for each in shown
    ]
    return rows_table(heads, rows, caption)
