"""`ringback record …`: records of campaigns."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Group, RenderableType

from control.client import BlockingControlClient
from model.commands_lists import RecordDetail, RecordPage, RecordsAdded
from model.dialing import CampaignRecord
from switch.cells_out import guarded
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, connected, fail, utc_of
from switch.cli_lists import touched
from switch.cli_tables import facts_grid, instant_text, next_page, rows_table

record_app = typer.Typer(no_args_is_help=True, help="Records of campaigns.")

RecordIds = Annotated[list[str], typer.Argument(help="Ids of records.")]
CampaignName = Annotated[str, typer.Option("--campaign", help="Name of the campaign.")]
Status = Annotated[
    list[str] | None,
    typer.Option("--status", help="new, queued, dialing, retry_wait, connected, done, failed, dnc, callback."),
]
Owner = Annotated[str | None, typer.Option(help='Agent whose they are; "": nobody\'s.')]
ListName = Annotated[str, typer.Option("--list", help="Name of the list.")]
Number = Annotated[str, typer.Option(help="One of its numbers, +86…")]
Text = Annotated[str, typer.Option(help="In the name, or in what the list says else.")]


def add_records(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(record_app, name="record")


@record_app.command("add")
def record_add(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    numbers: Annotated[list[str], typer.Argument(help="Its numbers, in the order in which they are tried.")],
    name: Annotated[str, typer.Option(help="Who it is.")] = "",
    data: Annotated[list[str] | None, typer.Option("--data", help="What else is known: KEY=VALUE.")] = None,
    list_name: ListName = "",
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Higher first.")] = 0,
    consent: Annotated[bool, typer.Option("--consent", help="He agrees to be called.")] = False,
    callback: Annotated[str, typer.Option(help="A call is promised for then: 2026-12-01T14:30.")] = "",
    owner: Annotated[str, typer.Option(help="Agent whose record it is.")] = "",
    internal: Annotated[bool, typer.Option("--internal", help="Also extensions, as they are.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Add one record."""
    record = {
        "numbers": numbers,
        "name": name,
        "data": _data(data or []),
        "priority": priority,
        "has_consent": consent,
        "callback_utc": utc_of(callback),
        "owner": owner,
    }
    params = {"campaign": campaign, "records": [record], "list_name": list_name, "may_be_internal": internal}
    ask(server, token, as_json, "record.add", params, _added)


@record_app.command("find")
def record_find(
    campaign: CampaignName = "",
    status: Status = None,
    owner: Owner = None,
    list_name: ListName = "",
    number: Number = "",
    text: Text = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Records with their status, last call and result."""
    params = _criteria(campaign, status, owner, list_name, number, text) | {"limit": limit, "cursor": cursor}
    ask(server, token, as_json, "record.find", params, _page)


@record_app.command("get")
def record_get(
    record_id: Annotated[str, typer.Argument(help="Its id.")],
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """One record, with all attempts to call it."""
    ask(server, token, as_json, "record.get", {"record_id": record_id}, _detail)


@record_app.command("reset")
def record_reset(
    record_ids: RecordIds, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Call records again as if they were new."""
    ask(server, token, as_json, "record.reset", {"record_ids": record_ids}, touched)


@record_app.command("remove")
def record_remove(
    record_ids: RecordIds, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Remove records."""
    ask(server, token, as_json, "record.remove", {"record_ids": record_ids}, touched)


@record_app.command("add-customers")
def record_add_customers(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    customer_ids: Annotated[list[str] | None, typer.Argument(help="These; none: all whom the options name.")] = None,
    tag: Annotated[str, typer.Option(help="Who has this tag.")] = "",
    text: Text = "",
    owner: Owner = None,
    area: Annotated[str, typer.Option(help="The beginning of their area.")] = "",
    level: Annotated[str, typer.Option(help="Of this level.")] = "",
    list_name: ListName = "",
    keep_owner: Annotated[bool, typer.Option("--keep-owner", help="Records belong to the customers' agents.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Take customers into a campaign, in the background (list imports says how far it is)."""
    params = {
        "campaign": campaign,
        "customer_ids": customer_ids or [],
        "tag": tag,
        "text": text,
        "owner": owner,
        "area": area,
        "level": level,
        "list_name": list_name,
        "keeps_owner": keep_owner,
    }
    ask(server, token, as_json, "record.add_customers", params, lambda begun: f"import {begun.import_id} has begun")


@record_app.command("export")
def record_export(
    file: Annotated[Path, typer.Argument(help="CSV that is written.")],
    campaign: CampaignName = "",
    status: Status = None,
    owner: Owner = None,
    list_name: ListName = "",
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Write records with what became of them into a file, a line each."""
    criteria = _criteria(campaign, status, owner, list_name, "", "")
    with connected(server, token) as switch:
        records = list(_all(switch, criteria))
    keys = [*dict.fromkeys(key for record in records for key in record.data)]
    try:
        with file.open("w", encoding="utf-8-sig", newline="") as out:
            writer = csv.writer(out)
            writer.writerow([guarded(each) for each in (*_EXPORTED, "numbers", *keys)])
            for record in records:
                fixed = [_text(getattr(record, name)) for name in _EXPORTED]
                numbers = " ".join(each.number for each in record.numbers)
                writer.writerow(
                    [guarded(each) for each in (*fixed, numbers, *(record.data.get(key, "") for key in keys))]
                )
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    print(f"{len(records)} records")


_EXPORTED = (
    "record_id",
    "campaign",
    "list_name",
    "row",
    "name",
    "status",
    "reason",
    "n_attempts",
    "last_utc",
    "last_number",
    "last_result",
    "disposition",
    "note",
    "agent_id",
    "owner",
    "next_utc",
    "callback_utc",
)


def _all(switch: BlockingControlClient, criteria: dict[str, Any]) -> Iterator[CampaignRecord]:
    cursor = ""
    while True:
        page = msgspec.convert(switch.call("record.find", **criteria, limit=200, cursor=cursor), RecordPage)
        yield from page.records
        cursor = page.cursor
        if not cursor:
            return


def _text(value: object) -> str:
    if isinstance(value, float):
        return instant_text(value) if value else ""
    return str(value)


def _criteria(
    campaign: str, status: list[str] | None, owner: str | None, list_name: str, number: str, text: str
) -> dict[str, Any]:
    return {
        "campaign": campaign,
        "statuses": status or [],
        "owner": owner,
        "list_name": list_name,
        "number": number,
        "text": text,
    }


def _data(pairs: list[str]) -> dict[str, str]:
    data = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            fail(f"--data {pair}: write KEY=VALUE")
        data[key] = value
    return data


def _added(done: RecordsAdded) -> RenderableType:
    told = [f"{each.value or each.column}: {each.reason}" for each in done.rejections]
    return "\n".join([*told, f"record {done.record_ids[0]}" if done.record_ids else "nothing added"])


def _page(page: RecordPage) -> RenderableType:
    heads = ("record", "name", "numbers", "status", "calls", "last call", "result", "next", "owner", "list")
    rows = [
        (
            each.record_id,
            each.name,
            " ".join(number.number for number in each.numbers),
            f"{each.status} ({each.reason})" if each.reason else each.status,
            str(each.n_attempts),
            instant_text(each.last_utc),
            each.last_result,
            instant_text(each.next_utc),
            each.owner,
            each.list_name,
        )
        for each in page.records
    ]
    return rows_table(heads, rows, next_page(page.cursor) or "")


def _detail(found: RecordDetail) -> RenderableType:
    record = found.record
    facts = [(name, _text(getattr(record, name))) for name in _EXPORTED]
    facts += [(key, value) for key, value in record.data.items()]
    numbers = [
        (each.number, each.label, each.zone, each.area, str(each.n_attempts), each.last_result, "bad" * each.is_bad)
        for each in record.numbers
    ]
    attempts = [
        (instant_text(each.started_utc), each.number, each.result, each.agent_id, f"{each.talk_s:.0f} s", each.cause)
        for each in found.attempts
    ]
    return Group(
        facts_grid(facts),
        rows_table(("number", "label", "zone", "area", "calls", "result", ""), numbers),
        rows_table(("called", "number", "result", "agent", "talk", "cause"), attempts),
    )
