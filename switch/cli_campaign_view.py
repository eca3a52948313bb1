"""`ringback campaign …`: how campaigns stand, whom they called, why they do not, and evidence."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.live import Live

from model.commands_campaign_view import CampaignProgress, EvidenceReport
from switch import campaign_tables as tables
from switch.cli_campaign import campaign_app
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, connected, fail, utc_of
from switch.sheet_files import Table, write_csv, write_xlsx

Since = Annotated[str, typer.Option(help="From this instant on: 2026-11-22 or 2026-11-22T14:30 (local time).")]
Until = Annotated[str, typer.Option(help="Before this instant.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]
CursorOption = Annotated[str, typer.Option(help="The page after this one.")]
NumberOption = Annotated[str, typer.Option(help="Only this number, as it is stored.")]
SuffixOption = Annotated[bool, typer.Option("--suffix", help="The number given is the end of one.")]
ResultOption = Annotated[
    list[str] | None, typer.Option("--result", help="Only with this last result; may be repeated.")
]


def add_campaign_views() -> None:
    """The commands, beside the others of campaigns."""
    for name, command in _COMMANDS.items():
        campaign_app.command(name)(command)


def progress(
    campaign: str,
    by_list: Annotated[bool, typer.Option("--by-list", help="Also list by list.")] = False,
    by_agent: Annotated[bool, typer.Option("--by-agent", help="Also agent by agent.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """How it stands: records, rates, today, this moment; formulas: docs/campaigns.md."""
    by = [name for name, is_wanted in (("list", by_list), ("agent", by_agent)) if is_wanted]
    ask(server, token, as_json, "campaign.progress", {"campaign": campaign, "by": by}, tables.progress)


def watch(
    campaign: str,
    every_s: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    times: Annotated[int, typer.Option(min=0, help="So many looks; 0: until Ctrl-C.")] = 0,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """The same, again and again in the same place."""
    with connected(server, token) as switch, Live(console=Console(highlight=False, markup=False)) as shown:
        n = 0
        while True:
            found = msgspec.convert(switch.call("campaign.progress", campaign=campaign), CampaignProgress)
            shown.update(tables.progress(found), refresh=True)
            n += 1
            if n == times:
                return
            time.sleep(every_s)


def numbers(
    campaign: str,
    status: Annotated[list[str] | None, typer.Option(help="Only records with this status; may be repeated.")] = None,
    result: ResultOption = None,
    list_name: Annotated[str, typer.Option("--list", help="Only of this list.")] = "",
    number: NumberOption = "",
    suffix: SuffixOption = False,
    limit: Limit = 100,
    cursor: CursorOption = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Every number: when it was called last, the result, how often, when next and why not now."""
    params = {
        "campaign": campaign,
        "statuses": status or [],
        "results": result or [],
        "list_name": list_name,
        "number": number,
        "is_suffix": suffix,
        "limit": limit,
        "cursor": cursor,
    }
    ask(server, token, as_json, "campaign.numbers", params, tables.numbers)


def attempts(
    campaign: Annotated[str, typer.Argument(help="Empty: all.")] = "",
    result: ResultOption = None,
    number: NumberOption = "",
    suffix: SuffixOption = False,
    agent: Annotated[str, typer.Option(help="Only what this agent had.")] = "",
    record: Annotated[str, typer.Option(help="Only to this record.")] = "",
    dropped: Annotated[bool, typer.Option("--dropped", help="Only those who found no agent in time.")] = False,
    since: Since = "",
    until: Until = "",
    limit: Limit = 100,
    cursor: CursorOption = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Calls to customers, the latest first."""
    params = {
        "campaign": campaign,
        "results": result or [],
        "number": number,
        "is_suffix": suffix,
        "agent_id": agent,
        "record_id": record,
        "is_dropped": True if dropped else None,
        "start_utc": utc_of(since),
        "end_utc": utc_of(until),
        "limit": limit,
        "cursor": cursor,
    }
    ask(server, token, as_json, "campaign.attempts", params, tables.attempts)


def diagnose(
    campaign: str,
    in_chinese: Annotated[bool, typer.Option("--zh", help="In Chinese.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Why does it not dial?"""
    show = tables.diagnosis_zh if in_chinese else tables.diagnosis
    ask(server, token, as_json, "campaign.diagnose", {"campaign": campaign}, show)


def pacing(
    campaign: str,
    since: Since = "",
    until: Until = "",
    limit: Limit = 100,
    cursor: CursorOption = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """How many were called when, from what, and why; without --since, of the last hour."""
    params = {
        "campaign": campaign,
        "start_utc": utc_of(since),
        "end_utc": utc_of(until),
        "limit": limit,
        "cursor": cursor,
    }
    ask(server, token, as_json, "campaign.pacing", params, tables.pacing)


def compliance(
    campaign: Annotated[str, typer.Argument(help="Empty: all.")] = "",
    since: Since = "",
    until: Until = "",
    hours: Annotated[str, typer.Option(help='Hold calls against these contact hours: "mon-sun 08:00-21:00".')] = "",
    csv: Annotated[Path | None, typer.Option(help="Into this file, a line a day.")] = None,
    xlsx: Annotated[Path | None, typer.Option(help="Into this file: days, campaigns, formulas.")] = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Evidence: whether every rule was kept, day by day. Exit status 1 when one was not."""
    params = {
        "campaign": campaign,
        "start_utc": utc_of(since),
        "end_utc": utc_of(until),
        "contact_hours": hours,
    }
    with connected(server, token) as switch:
        result = switch.call("campaign.compliance", **params)
    report = msgspec.convert(result, EvidenceReport)
    _write(report, csv, xlsx)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    elif not csv and not xlsx:
        Console(width=200, highlight=False, markup=False).print(tables.evidence(report))
    if not report.is_clean:
        raise typer.Exit(1)


def _write(report: EvidenceReport, csv: Path | None, xlsx: Path | None) -> None:
    try:
        if csv:
            write_csv(csv, tables.evidence_days(report))
        if xlsx:
            sheets: dict[str, Table] = {
                "days": tables.evidence_days(report),
                "campaigns": tables.evidence_campaigns(report),
                "formulas": [("figure", "formula"), *report.formulas.items()],
            }
            write_xlsx(xlsx, sheets)
    except OSError as problem:
        fail(f"{problem.filename}: {problem.strerror}")


_COMMANDS: dict[str, Callable[..., Any]] = {
    "progress": progress,
    "watch": watch,
    "numbers": numbers,
    "attempts": attempts,
    "diagnose": diagnose,
    "pacing": pacing,
    "compliance": compliance,
}
