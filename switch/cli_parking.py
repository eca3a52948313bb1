"""`ringback call park`, `retrieve` and `parked`."""

from typing import Annotated

import typer
from rich.console import RenderableType

from model.commands_parking import ParkedCall, ParkedCalls
from switch import cli_tables as tables
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask


def add_parking(call_app: typer.Typer) -> None:
    """The commands, beside the others about calls."""
    call_app.command("park")(park)
    call_app.command("retrieve")(retrieve)
    call_app.command("parked")(parked)


def park(
    call_id: str,
    leg_id: str,
    orbit: Annotated[str, typer.Option(help="Where; default: the first that is free.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Park whoever the leg talks with; the leg leaves."""
    ask(server, token, as_json, "call.park", {"call_id": call_id, "leg_id": leg_id, "orbit": orbit}, _line)


def retrieve(
    call_id: str, to: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Ring an extension or number, and connect it with the parked party."""
    ask(server, token, as_json, "call.retrieve", {"call_id": call_id, "to": to}, tables.show_call)


def parked(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Parked calls, by orbit."""
    ask(server, token, as_json, "parking.list", {}, _list)


def _list(found: ParkedCalls) -> RenderableType:
    return "\n".join(_line(one) for one in found.parked) or "nothing is parked"


def _line(one: ParkedCall) -> str:
    return f"{one.orbit}  {one.number}  parked by {one.by}  call {one.call_id}  leg {one.leg_id}"
