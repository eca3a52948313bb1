"""`ringback caller-list …`: VIPs, customers with an agent of their own, and callers who are not wanted."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from model.commands_callers import ListedCallers, ListedCallerView
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, utc_of
from switch.cli_tables import instant_text, next_page, rows_table

callers_app = typer.Typer(no_args_is_help=True, help="VIPs, dedicated agents and the blacklist, by number.")

Which = Annotated[str, typer.Argument(help="vip, dedicated or blacklist.")]
Number = Annotated[str, typer.Argument(help='A number, "1380000*" for all that begin so, or "anonymous".')]


def add_callers(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(callers_app, name="caller-list")


@callers_app.command("show")
def callers_show(
    which: Which,
    prefix: Annotated[str, typer.Option(help="Only numbers that begin so.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Numbers of a list."""
    params = {"list": which, "prefix": prefix, "limit": limit, "cursor": cursor}
    ask(server, token, as_json, "caller_list.find", params, _page)


@callers_app.command("add")
def callers_add(
    which: Which,
    number: Number,
    of: Annotated[
        list[str] | None, typer.Option(help="Only for this queue (blacklist: access number); repeat for more.")
    ] = None,
    agent: Annotated[str, typer.Option(help="Of dedicated: the customer's own agent.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    until: Annotated[str, typer.Option(help="2026-12-31 or 2026-12-31T18:00 (local time); if not given, ever.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Put a number on a list, or change what the list says of it."""
    caller: dict[str, Any] = {"list": which, "number": number, "of": of or [], "agent_id": agent, "reason": reason}
    params = {"caller": caller | {"expires_utc": utc_of(until)}}
    ask(server, token, as_json, "caller_list.add", params, _row)


@callers_app.command("remove")
def callers_remove(
    which: Which, number: Number, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Take a number off a list."""
    ask(server, token, as_json, "caller_list.remove", {"list": which, "number": number}, lambda _: "removed")


def _page(found: ListedCallers) -> RenderableType:
    return _table(found.callers, next_page(found.cursor) or f"{found.n_callers} on the list")


def _row(listed: ListedCallerView) -> RenderableType:
    return _table([listed], "")


def _table(listed: list[ListedCallerView], caption: str) -> RenderableType:
    heads = ("list", "number", "of", "agent", "reason", "until", "added", "by")
    rows = [
        (
            each.caller.list,
            each.caller.number,
            ", ".join(each.caller.of),
            each.caller.agent_id,
            each.caller.reason,
            instant_text(each.caller.expires_utc),
            instant_text(each.added_utc),
            each.added_by,
        )
        for each in listed
    ]
    return rows_table(heads, rows, caption)
