"""`ringback dnc …`: numbers that are not called."""

from typing import Annotated

import typer
from rich.console import RenderableType

from model.commands_dnc import DncAdded, DncPage
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, utc_of
from switch.cli_tables import instant_text, next_page, rows_table

dnc_app = typer.Typer(no_args_is_help=True, help="Numbers that are not called (files: list import --dnc).")

CampaignName = Annotated[str, typer.Option("--campaign", help="By this one only; else by none.")]
Prefix = Annotated[bool, typer.Option("--prefix", help="All numbers that begin so.")]


def add_dnc(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(dnc_app, name="dnc")


@dnc_app.command("add")
def dnc_add(
    numbers: Annotated[list[str], typer.Argument(help="Numbers.")],
    campaign: CampaignName = "",
    prefix: Prefix = False,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    until: Annotated[str, typer.Option(help="Called again from then on: 2026-12-01.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Put numbers on a do-not-call list."""
    params = {
        "numbers": numbers,
        "campaign": campaign,
        "is_prefix": prefix,
        "reason": reason,
        "expires_utc": utc_of(until),
    }
    ask(server, token, as_json, "dnc.add", params, _added)


@dnc_app.command("remove")
def dnc_remove(
    number: Annotated[str, typer.Argument(help="The number.")],
    campaign: CampaignName = "",
    prefix: Prefix = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Take a number off a do-not-call list."""
    params = {"number": number, "campaign": campaign, "is_prefix": prefix}
    ask(server, token, as_json, "dnc.remove", params, lambda _: "removed")


@dnc_app.command("find")
def dnc_find(
    number: Annotated[str, typer.Argument(help="Its beginning.")] = "",
    campaign: Annotated[str | None, typer.Option(help='Of one; "": that of all.')] = None,
    text: Annotated[str, typer.Option(help="In the reason or the number.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Numbers that are not called."""
    params = {"number": number, "campaign": campaign, "text": text, "limit": limit, "cursor": cursor}
    ask(server, token, as_json, "dnc.find", params, _page)


def _added(done: DncAdded) -> RenderableType:
    told = [f"{each.value!r}: {each.reason}" for each in done.rejections]
    return "\n".join([*told, f"{done.n_added} added"])


def _page(page: DncPage) -> RenderableType:
    heads = ("number", "campaign", "reason", "source", "by", "since", "until")
    rows = [
        (
            f"{each.number}*" if each.is_prefix else each.number,
            each.campaign or "all",
            each.reason,
            each.source,
            each.added_by,
            instant_text(each.added_utc),
            instant_text(each.expires_utc),
        )
        for each in page.entries
    ]
    return rows_table(heads, rows, next_page(page.cursor) or "")
