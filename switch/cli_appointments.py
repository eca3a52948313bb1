"""`ringback appointment …`: times agreed on with customers."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from model.commands_appointments import AppointmentList
from model.customers import Appointment
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, utc_of
from switch.cli_tables import facts_grid, instant_text, next_page, rows_table

appointment_app = typer.Typer(no_args_is_help=True, help="Times agreed on with customers.")

AgentArgument = Annotated[str, typer.Argument(help="Id of the agent.")]
AppointmentId = Annotated[str, typer.Argument(help="As `list` shows it.")]


def add_appointments(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(appointment_app, name="appointment")


@appointment_app.command("list")
def appointments_list(
    agent_id: Annotated[str, typer.Argument(help="Id of an agent; if not given, of everybody.")] = "",
    shared: Annotated[bool, typer.Option(help="Only those that are nobody's own.")] = False,
    state: Annotated[
        list[str] | None,
        typer.Option(help="open, reminded, done or cancelled, several times for any; if not given: to come."),
    ] = None,
    campaign: Annotated[str, typer.Option(help="Only of this campaign.")] = "",
    since: Annotated[str, typer.Option(help="2026-12-31 or 2026-12-31T18:00 (local time).")] = "",
    until: Annotated[str, typer.Option(help="The first instant that does not count.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Appointments, soonest first."""
    params: dict[str, Any] = {"agent_id": agent_id, "is_shared": shared, "campaign": campaign}
    params |= {"states": state} if state else {}
    params |= {"start_utc": utc_of(since), "end_utc": utc_of(until), "limit": limit, "cursor": cursor}
    ask(server, token, as_json, "appointment.list", params, show_appointments)


@appointment_app.command("add")
def appointment_add(
    agent_id: AgentArgument,
    at: Annotated[str, typer.Argument(help="2026-12-31T18:00 (local time).")],
    matter: Annotated[str, typer.Option(help="What it is about.")] = "",
    record: Annotated[str, typer.Option(help="Record of a campaign.")] = "",
    campaign: Annotated[str, typer.Option(help="Campaign; needed for a shared one without a record.")] = "",
    customer: Annotated[str, typer.Option(help="Id of a customer.")] = "",
    number: str = "",
    name: str = "",
    shared: Annotated[bool, typer.Option(help="All agents of the campaign's queue are reminded.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Note a time agreed on."""
    params: dict[str, Any] = {"agent_id": agent_id, "at_utc": utc_of(at), "matter": matter, "record_id": record}
    params |= {"campaign": campaign, "customer_id": customer, "number": number, "name": name, "is_shared": shared}
    ask(server, token, as_json, "appointment.create", params, show_appointment)


@appointment_app.command("move")
def appointment_move(
    agent_id: AgentArgument,
    appointment_id: AppointmentId,
    at: Annotated[str, typer.Argument(help="2026-12-31T18:00 (local time).")],
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Another time."""
    params = {"agent_id": agent_id, "appointment_id": appointment_id, "at_utc": utc_of(at)}
    ask(server, token, as_json, "appointment.change", params, show_appointment)


@appointment_app.command("snooze")
def appointment_snooze(
    agent_id: AgentArgument,
    appointment_id: AppointmentId,
    seconds: Annotated[float, typer.Argument(help="From now.")] = 300.0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Be reminded again after a while."""
    params = {"agent_id": agent_id, "appointment_id": appointment_id, "seconds": seconds}
    ask(server, token, as_json, "appointment.snooze", params, show_appointment)


@appointment_app.command("done")
def appointment_done(
    agent_id: AgentArgument,
    appointment_id: AppointmentId,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """It was kept."""
    params = {"agent_id": agent_id, "appointment_id": appointment_id}
    ask(server, token, as_json, "appointment.done", params, show_appointment)


@appointment_app.command("cancel")
def appointment_cancel(
    agent_id: AgentArgument,
    appointment_id: AppointmentId,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Nothing comes of it."""
    params = {"agent_id": agent_id, "appointment_id": appointment_id}
    ask(server, token, as_json, "appointment.cancel", params, show_appointment)


def show_appointments(page: AppointmentList) -> RenderableType:
    heads = ("appointment", "at", "agent", "state", "name", "number", "campaign", "matter")
    rows = [
        (
            each.appointment_id,
            instant_text(each.at_utc),
            each.agent_id or "shared",
            each.state,
            each.name,
            each.number,
            each.campaign,
            each.matter,
        )
        for each in page.appointments
    ]
    return rows_table(heads, rows, next_page(page.cursor))


def show_appointment(each: Appointment) -> RenderableType:
    return facts_grid(
        [
            ("appointment", each.appointment_id),
            ("at", instant_text(each.at_utc)),
            ("agent", each.agent_id or "shared"),
            ("state", each.state),
            ("reminded", instant_text(each.reminded_utc)),
            ("name", each.name),
            ("number", each.number),
            ("campaign", each.campaign),
            ("record", each.record_id),
            ("customer", each.customer_id),
            ("matter", each.matter),
            ("made by", each.created_by),
        ]
    )
