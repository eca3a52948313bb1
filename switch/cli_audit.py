"""`ringback audit …`: who did or tried what; the log as a file; whether it is whole."""

import csv
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import RenderableType

from model.audit import AuditRecord
from model.commands_audit import AuditList, AuditState
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, connected, utc_of
from switch.cli_tables import instant_text, rows_table

audit_app = typer.Typer(no_args_is_help=True, help="The audit log: who did or tried what.")

PAGE = 1000
Since = Annotated[str, typer.Option(help="From this instant on: 2026-11-22 or 2026-11-22T14:30 (local time).")]
Until = Annotated[str, typer.Option(help="Before this instant.")]
Who = Annotated[str, typer.Option(help="Only what this user did.")]
Action = Annotated[str, typer.Option(help='Only this command; "role." for all that begin so.')]
Subject = Annotated[str, typer.Option(help="Only what was done to this extension, role, agent, recording …")]
Outcome = Annotated[str, typer.Option(help="Only what was done, denied or failed.")]


def add_audit(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(audit_app, name="audit")


@audit_app.command("list")
def audit_list(
    since: Since = "",
    until: Until = "",
    who: Who = "",
    action: Action = "",
    subject: Subject = "",
    outcome: Outcome = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Rows of the audit log, latest first."""
    params = _params(since, until, who, action, subject, outcome)
    ask(server, token, as_json, "audit.list", params | {"limit": limit, "cursor": cursor}, _rows)


@audit_app.command("export")
def audit_export(
    form: Annotated[Literal["csv", "json"], typer.Option("--format", help="csv, or json: one object a line.")] = "csv",
    since: Since = "",
    until: Until = "",
    who: Who = "",
    action: Action = "",
    subject: Subject = "",
    outcome: Outcome = "",
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """All rows that match, to standard output, latest first."""
    found = _all(server, token, _params(since, until, who, action, subject, outcome))
    if form == "json":
        for record in found:
            print(msgspec.json.encode(record).decode())
        return
    writer = csv.writer(sys.stdout)
    writer.writerow(AuditRecord.__struct_fields__)
    for record in found:
        writer.writerow([_cell(value) for value in msgspec.structs.astuple(record)])


@audit_app.command("verify")
def audit_verify(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Whether no row was changed or removed; exit status 1 when one was."""
    with connected(server, token) as switch:
        state = msgspec.convert(switch.call("audit.verify"), AuditState)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(state), indent=2).decode())
    elif state.is_whole:
        print(f"whole: {state.n_rows} rows, last hash {state.last_hash}")
    else:
        print(f"BROKEN: {state.fault}")
    if not state.is_whole:
        raise typer.Exit(1)


def _params(since: str, until: str, who: str, action: str, subject: str, outcome: str) -> dict[str, Any]:
    return {
        "start_utc": utc_of(since),
        "end_utc": utc_of(until),
        "who": who,
        "action": action,
        "subject": subject,
        "outcome": outcome,
    }


def _all(server: str, token: str, params: dict[str, Any]) -> Iterator[AuditRecord]:
    with connected(server, token) as switch:
        cursor = ""
        while True:
            page = msgspec.convert(switch.call("audit.list", **params, limit=PAGE, cursor=cursor), AuditList)
            yield from page.records
            cursor = page.cursor
            if not cursor:
                return


def _rows(found: AuditList) -> RenderableType:
    heads = ("at", "who", "role", "from", "action", "to", "outcome", "why or what")
    rows = [
        (
            instant_text(each.at_utc),
            each.who or "?",
            each.role,
            each.address,
            each.action,
            each.subject,
            each.outcome + (f" ×{each.n_times}" if each.n_times > 1 else ""),
            each.reason or each.params,
        )
        for each in found.records
    ]
    return rows_table(heads, rows, f"next page: --cursor {found.cursor}" if found.cursor else "")


def _cell(value: object) -> str:
    """No spreadsheet takes what somebody wrote for a formula."""
    text = str(value)
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
