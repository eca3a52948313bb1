"""`ringback list …`: lists of records, customers or numbers not to be called, on their way in."""

import csv
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from control.client import BlockingControlClient
from model.commands_imports import MAX_LIST, ImportList, ListImport, ListUploaded, RejectionPage
from model.commands_lists import Lists, RecordsTouched, Rejection
from model.commands_prompts import MAX_PIECE
from switch.cells_out import guarded
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, connected, fail
from switch.cli_prompts import upload_pieces
from switch.cli_tables import instant_text, next_page, rows_table

list_app = typer.Typer(no_args_is_help=True, help="Lists of records, from CSV and Excel files.")

CampaignName = Annotated[str, typer.Option("--campaign", help="Name of the campaign.")]
ImportId = Annotated[str, typer.Argument(help="As list import says.")]
LOOK_S = 0.2
_SHOWN = 50


def add_lists(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(list_app, name="list")


@list_app.command("import")
def list_import(
    file: Annotated[Path, typer.Argument(help="CSV (UTF-8, GB18030) or Excel (.xlsx).")],
    campaign: CampaignName = "",
    customers: Annotated[bool, typer.Option("--customers", help="They become customers.")] = False,
    dnc: Annotated[bool, typer.Option("--dnc", help="They are not called any more (--campaign: by that one).")] = False,
    name: Annotated[str, typer.Option(help="How the list is called; else as the file.")] = "",
    column: Annotated[
        list[str] | None, typer.Option("--column", help="What a column is: TITLE=number, C=name, Ort=data …")
    ] = None,
    no_titles: Annotated[bool, typer.Option("--no-titles", help="The first row is a record already.")] = False,
    sheet: Annotated[str, typer.Option(help="Of an Excel file; else the first.")] = "",
    time_zone: Annotated[str, typer.Option(help="Of the times in it; else the company's.")] = "",
    internal: Annotated[bool, typer.Option("--internal", help="Also extensions, as they are.")] = False,
    consent: Annotated[bool, typer.Option("--consent", help="All of them agree to be called.")] = False,
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Of those that have none.")] = 0,
    owner: Annotated[str, typer.Option(help="Agent whose they are, where the list does not say.")] = "",
    reason: Annotated[str, typer.Option(help="Why they are not called, where the list does not say.")] = "",
    rejected: Annotated[Path | None, typer.Option(help="Write what was not taken there (CSV).")] = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Bring in a list: what can be taken is, and the rest is told with what is wrong (exit status 1)."""
    if (dnc and customers) or not (dnc or customers or campaign):
        fail("say where it goes: --campaign NAME, --customers or --dnc")
    params: dict[str, Any] = {
        "target": "customers" if customers else "dnc" if dnc else "campaign",
        "campaign": campaign,
        "list_name": name or file.name[:128],
        "mapping": _mapping(column or []),
        "has_titles": not no_titles,
        "sheet": sheet,
        "time_zone": time_zone,
        "may_be_internal": internal,
        "has_consent": consent,
        "priority": priority,
        "owner": owner,
        "reason": reason,
    }
    content = _read(file)
    with connected(server, token) as switch:
        upload_id = upload_pieces(switch, "import.upload", content, ListUploaded, MAX_PIECE)
        done = _wait(switch, msgspec.convert(switch.call("import.start", upload_id=upload_id, **params), ListImport))
        found = list(_rejections(switch, done.import_id, None if rejected else _SHOWN))
    if rejected is not None:
        _write(rejected, found)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(done), indent=2).decode())
    else:
        for each in found[:_SHOWN]:
            print(f"{file}:{each.row}: {each.column or 'row'} {each.value!r}: {each.reason}{_kept(each)}")
        if done.n_rejections > _SHOWN:
            print(f"… and {done.n_rejections - _SHOWN} more (list rejected {done.import_id}, or --rejected FILE)")
        print(f"{done.n_added} of {done.n_rows} rows taken, {done.n_refused} refused")
    if done.state != "finished":
        fail(f"{file}: {done.problem or done.state}")
    if done.n_refused:
        raise typer.Exit(1)


@list_app.command("list")
def list_list(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Lists of a campaign."""
    ask(server, token, as_json, "list.list", {"campaign": campaign}, _lists)


@list_app.command("remove")
def list_remove(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    name: Annotated[str, typer.Argument(help="Of the list.")],
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Remove all records that came in with a list."""
    ask(server, token, as_json, "list.remove", {"campaign": campaign, "list_name": name}, touched)


@list_app.command("imports")
def list_imports(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Imports, the latest first."""
    ask(server, token, as_json, "import.list", {}, _imports)


@list_app.command("rejected")
def list_rejected(
    import_id: ImportId,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """What an import did not take, and why."""
    params = {"import_id": import_id, "limit": limit, "cursor": cursor}
    ask(server, token, as_json, "import.rejected", params, _rejected)


@list_app.command("cancel")
def list_cancel(
    import_id: ImportId, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """End an import; what was taken stays."""
    ask(server, token, as_json, "import.cancel", {"import_id": import_id}, lambda _: "cancelled")


def touched(done: RecordsTouched) -> RenderableType:
    return f"{done.n_records} records"


def _mapping(columns: list[str]) -> dict[str, str]:
    mapping = {}
    for each in columns:
        title, separator, field = each.rpartition("=")
        if not separator or not title:
            fail(f"--column {each}: write TITLE=FIELD, 手机=number")
        mapping[title] = field
    return mapping


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_LIST:
                fail(f"{path}: larger than {MAX_LIST >> 20} MiB")
            return file.read(MAX_LIST + 1)
    except OSError as error:
        fail(f"{path}: {error.strerror}")


def _wait(switch: BlockingControlClient, begun: ListImport) -> ListImport:
    while begun.state in ("waiting", "running"):
        time.sleep(LOOK_S)
        begun = msgspec.convert(switch.call("import.get", import_id=begun.import_id), ListImport)
    return begun


def _rejections(switch: BlockingControlClient, import_id: str, most: int | None) -> Iterator[Rejection]:
    cursor = ""
    while True:
        found = switch.call("import.rejected", import_id=import_id, cursor=cursor, limit=most or 1000)
        page = msgspec.convert(found, RejectionPage)
        yield from page.rejections
        cursor = page.cursor
        if most or not cursor:
            return


def _write(path: Path, found: list[Rejection]) -> None:
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("row", "column", "value", "reason", "is_kept"))
            for each in found:
                row = (str(each.row), each.column, each.value, each.reason, "yes" if each.is_kept else "no")
                writer.writerow([guarded(cell) for cell in row])
    except OSError as error:
        fail(f"{path}: {error.strerror}")


def _kept(each: Rejection) -> str:
    return " (the row was taken without it)" if each.is_kept else ""


def _lists(found: Lists) -> RenderableType:
    heads = ("list", "came", "records", "called", "connected", "open")
    rows = [
        (
            each.list_name,
            instant_text(each.created_utc),
            str(each.n_records),
            str(each.n_attempted),
            str(each.n_connected),
            str(each.n_open),
        )
        for each in found.lists
    ]
    return rows_table(heads, rows, f"{len(rows)} lists")


def _imports(found: ImportList) -> RenderableType:
    heads = ("import", "to", "list", "state", "rows", "taken", "refused", "by", "began", "problem")
    rows = [
        (
            each.import_id,
            each.campaign or each.target,
            each.list_name,
            each.state,
            str(each.n_rows),
            str(each.n_added),
            str(each.n_refused),
            each.started_by,
            instant_text(each.created_utc),
            each.problem,
        )
        for each in found.imports
    ]
    return rows_table(heads, rows, "")


def _rejected(page: RejectionPage) -> RenderableType:
    rows = [(str(each.row), each.column, each.value, each.reason, _kept(each)) for each in page.rejections]
    return rows_table(("row", "column", "value", "reason", ""), rows, next_page(page.cursor) or "")
