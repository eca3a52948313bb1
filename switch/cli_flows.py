"""`ringback ivr …` that asks the running switch: flows, drafts, versions, figures."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from model.commands_flow import FlowList, FlowStatistics, FlowVersions, FlowView
from model.errors import FaultyFlow
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, connected, fail, utc_of

Name = Annotated[str, typer.Argument(help="Name of the flow.")]
Note = Annotated[str, typer.Option(help="What has changed, for those who look at the versions.")]


def add_flows(app: typer.Typer) -> None:
    """The commands, beside the others of `ringback ivr`."""
    for name, command in (
        ("list", flow_list),
        ("get", flow_get),
        ("save", flow_save),
        ("publish", flow_publish),
        ("versions", flow_versions),
        ("roll-back", flow_roll_back),
        ("remove", flow_remove),
        ("statistics", flow_statistics),
    ):
        app.command(name)(command)


def flow_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Flows of the switch, and drafts."""
    ask(server, token, as_json, "flow.list", {}, _list)


def flow_get(
    name: Name,
    version: Annotated[int | None, typer.Option(min=0, help="0: the one in the folder.")] = None,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Print the document: the draft, where there is one, or else what is published."""
    with connected(server, token) as switch:
        found = switch.call("flow.get", flow=name, version=version)
    print(json.dumps(found["document"], ensure_ascii=False, indent=2))


def flow_save(
    document: Annotated[Path, typer.Argument(help="Flow document (JSON); it says its name.")],
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Keep a document as the draft, and tell its mistakes."""
    try:
        found: Any = msgspec.json.decode(document.read_bytes())
    except OSError as error:
        fail(f"{document}: {error.strerror}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fail(f"{document}: is no JSON: {error}")
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        fail(f'{document}: is no flow: it must be a JSON object with a "name"')
    with connected(server, token) as switch:
        saved = switch.call("flow.save_draft", flow=found["name"], document=found)
    for fault in saved["faults"]:
        print(_fault(fault))
    print(f"saved; {saved['n_faults'] or 'no'} mistakes")


def flow_publish(
    name: Name, note: Note = "", as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Lead callers to the draft from now on; exit status 1 and all its mistakes when it has any."""
    _publish(server, token, as_json, "flow.publish", {"flow": name, "note": note})


def flow_versions(name: Name, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Who published what when."""
    ask(server, token, as_json, "flow.versions", {"flow": name}, _versions)


def flow_roll_back(
    name: Name,
    version: Annotated[int, typer.Argument(min=1, help="As `ringback ivr versions` tells.")],
    note: Note = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Publish an old version again, under a new number."""
    _publish(server, token, as_json, "flow.roll_back", {"flow": name, "version": version, "note": note})


def flow_remove(
    name: Name,
    draft: Annotated[bool, typer.Option("--draft", help="The draft alone.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Remove a flow that nothing leads to, with all its versions."""
    ask(server, token, as_json, "flow.remove", {"flow": name, "is_draft_only": draft}, lambda _: "done")


def flow_statistics(
    name: Name,
    begin: Annotated[str, typer.Option("--from", help="2026-11-22T14:30 (local time); empty: today.")] = "",
    end: Annotated[str, typer.Option("--to", help="As --from; empty: now.")] = "",
    version: Annotated[int, typer.Option(min=0, help="Calls of this version alone.")] = 0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """What became of callers, and at which node they were lost."""
    today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    params = {"flow": name, "start_utc": utc_of(begin) or today, "end_utc": utc_of(end) or time.time()}
    ask(server, token, as_json, "flow.statistics", {**params, "version": version}, _statistics)


def _publish(server: str, token: str, as_json: bool, command: str, params: dict[str, Any]) -> None:
    with connected(server, token) as switch:
        try:
            view = msgspec.convert(switch.call(command, **params), FlowView)
        except FaultyFlow as refusal:
            told = json.dumps(refusal.data, ensure_ascii=False)
            print(told if as_json else "\n".join(_fault(fault) for fault in refusal.data["faults"]))
            raise typer.Exit(1) from None
    print(msgspec.json.encode(view).decode() if as_json else f"version {view.version} is published")


def _fault(fault: dict[str, str]) -> str:
    where = ".".join(part for part in (fault["node"], fault["field"]) if part)
    return f"{where}: {fault['problem']}" if where else fault["problem"]


def _list(found: FlowList) -> Table:
    table = Table("flow", "title", "from", "version", "published", "by", "draft", "note")
    for each in found.flows:
        source = {"file": "folder", "database": "published"}.get(each.source, "")
        draft = f"{_at(each.draft_utc)} {each.draft_by}" if each.has_draft else ""
        version = str(each.version) if each.version else ""
        if each.version and not each.is_used:
            version += " (not used)"
        table.add_row(
            each.flow, each.title, source, version, _at(each.published_utc), each.published_by, draft, each.note
        )
    return table


def _versions(found: FlowVersions) -> Table:
    table = Table("version", "published", "by", "bytes", "note")
    for each in found.versions:
        mark = " *" if each.is_published else ""
        table.add_row(f"{each.version}{mark}", _at(each.published_utc), each.published_by, str(each.size), each.note)
    return table


def _statistics(found: FlowStatistics) -> Table:
    names = ("contained", "to_queue", "transferred", "hung_up", "failed", "released", "other", "unfinished")
    ends = ", ".join(f"{name.replace('_', ' ')} {n}" for name in names if (n := getattr(found, name)))
    title = f"{found.flow}: {found.calls} calls" + (f": {ends}" if ends else "")
    table = Table("node", "type", "visits", "branches", "hung up", "troubles", title=title, title_justify="left")
    for node in found.nodes:
        branches = ", ".join(f"{branch} {n}" for branch, n in node.branches.items())
        table.add_row(
            node.at_node, node.kind, str(node.visits), branches, str(node.dropped or ""), str(node.troubles or "")
        )
    return table


def _at(instant_utc: float) -> str:
    return datetime.fromtimestamp(instant_utc, UTC).astimezone().strftime("%Y-%m-%d %H:%M") if instant_utc else ""
