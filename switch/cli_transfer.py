"""`ringback call transfer`, `redirect`, `mute`, `set-data`, and `ringback consult …`: hand a live call on."""

from typing import Annotated

import typer
from rich.console import RenderableType

from model.views import ConsultView
from switch import cli_tables as tables
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, fail

To = Annotated[str, typer.Argument(help="Number or extension; also extension:NUMBER and agent:NUMBER.")]
RingTimeout = Annotated[float, typer.Option(help="Seconds it may ring; 0 = as configured.")]


def add_transfers(app: typer.Typer, call_app: typer.Typer) -> None:
    """The commands about calls beside the others, consultations as a group of their own."""
    call_app.command("transfer")(transfer)
    call_app.command("redirect")(redirect)
    call_app.command("mute")(mute)
    call_app.command("set-data")(set_data)
    consult_app = typer.Typer(no_args_is_help=True, help="Consultations and attended transfer.")
    app.add_typer(consult_app, name="consult")
    consult_app.command("start")(consult_start)
    for name, text in (
        ("cancel", "Drop who is consulted; the others are back."),
        ("complete", "Attended transfer: who consults leaves, who is consulted takes the place."),
        ("swap", "Change between the others and who is consulted."),
        ("merge", "Bring all together."),
    ):
        _consult_command(consult_app, name, text)


def transfer(
    call_id: str,
    leg_id: Annotated[str, typer.Argument(help="The leg that transfers and leaves.")],
    to: To,
    timeout_s: RingTimeout = 0.0,
    recall: Annotated[
        bool, typer.Option("--recall/--no-recall", help="Ring who transfers when nobody answers.")
    ] = True,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Blind transfer: the leg leaves, whoever it talks with goes to TO."""
    params = {"call_id": call_id, "leg_id": leg_id, "to": to, "timeout_s": timeout_s, "recall": recall}
    ask(server, token, as_json, "call.transfer", params, tables.show_call)


def redirect(
    call_id: str,
    to: To,
    timeout_s: RingTimeout = 0.0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Move a call that nobody has answered yet: what rings stops, TO rings."""
    params = {"call_id": call_id, "to": to, "timeout_s": timeout_s}
    ask(server, token, as_json, "call.redirect", params, tables.show_call)


def mute(
    call_id: str,
    leg_id: str,
    off: Annotated[bool, typer.Option("--off", help="All hear it again.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Let nobody hear a leg, which goes on hearing the others."""
    ask(
        server,
        token,
        as_json,
        "call.mute",
        {"call_id": call_id, "leg_id": leg_id, "is_muted": not off},
        tables.show_call,
    )


def set_data(
    call_id: str,
    data: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="NAME alone takes the value away.")],
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Attach customer data to a call; it goes wherever the call goes."""
    values: dict[str, str | None] = {}
    for text in data:
        name, equals, value = text.partition("=")
        if not name:
            fail(f'"{text}" is neither NAME=VALUE nor NAME')
        values[name] = value if equals else None
    ask(server, token, as_json, "call.set_data", {"call_id": call_id, "data": values}, tables.show_call)


def consult_start(
    call_id: str,
    leg_id: Annotated[str, typer.Argument(help="The leg that consults.")],
    to: To,
    timeout_s: RingTimeout = 0.0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Call TO from a leg while the others hear music."""
    params = {"call_id": call_id, "leg_id": leg_id, "to": to, "timeout_s": timeout_s}
    ask(server, token, as_json, "consult.start", params, _show)


def _consult_command(consult_app: typer.Typer, name: str, text: str) -> None:
    def run(consult_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
        ask(server, token, as_json, f"consult.{name}", {"consult_id": consult_id}, tables.show_call)

    consult_app.command(name, help=text)(run)


def _show(consult: ConsultView) -> RenderableType:
    return tables.facts_grid(
        [
            ("consultation", consult.consult_id),
            ("call", consult.call_id),
            ("by leg", consult.by_leg_id),
            ("consulted leg", consult.leg_id),
            ("number", consult.number),
            ("state", consult.state),
            ("talks with", consult.talks_with),
            ("started", tables.instant_text(consult.started_utc)),
        ]
    )
