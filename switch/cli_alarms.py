"""`ringback alarm …`: alarms of queues that are on, and who takes care of them."""

import typer
from rich.console import RenderableType

from model.events_alarm import AlarmList, AlarmView
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask
from switch.cli_tables import duration_text, rows_table

alarm_app = typer.Typer(no_args_is_help=True, help="Alarms of queues.")


def add_alarms(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(alarm_app, name="alarm")


@alarm_app.command("list")
def alarm_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Alarms that are on, those that have been for longest first."""
    ask(server, token, as_json, "alarm.list", {}, _alarms)


@alarm_app.command("acknowledge")
def alarm_acknowledge(
    alarm: str, queue: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Tell everybody that you take care of it; it stays on until it is over."""
    ask(server, token, as_json, "alarm.acknowledge", {"alarm": alarm, "queue": queue}, _alarm)


def _alarms(found: AlarmList) -> RenderableType:
    heads = ("alarm", "queue", "severity", "measure", "value", "limit", "for", "acknowledged by")
    rows = [
        (
            each.alarm,
            each.queue,
            each.severity,
            each.measure,
            f"{each.value:g}",
            f"{each.limit:g}",
            duration_text(each.since_s),
            each.acknowledged_by,
        )
        for each in found.alarms
    ]
    return rows_table(heads, rows, "" if rows else "none is on")


def _alarm(alarm: AlarmView) -> RenderableType:
    return _alarms(AlarmList(alarms=[alarm]))
