"""`ringback call originate`: places a call."""

from typing import Annotated

import typer

from switch import cli_tables as tables
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, fail


def call_originate(
    from_: Annotated[
        str, typer.Argument(metavar="FROM", help="Extension, number, trunk:NAME/NUMBER or sip:user@host to ring first.")
    ],
    to: Annotated[str, typer.Argument(help="The same, to connect it with.")],
    also_from: Annotated[list[str] | None, typer.Option(help="One more of whom one is to be FROM.")] = None,
    also_to: Annotated[list[str] | None, typer.Option(help="One more of whom one is to be TO.")] = None,
    strategy: Annotated[str, typer.Option(help="parallel or serial: how several ring.")] = "parallel",
    caller_id: Annotated[str, typer.Option(help="Number that TO sees.")] = "",
    caller_name: Annotated[str, typer.Option(help="Name that both see.")] = "",
    from_caller_id: Annotated[str, typer.Option(help="Number that FROM sees.")] = "",
    campaign: Annotated[str, typer.Option(help="Show the number of this campaign.")] = "",
    timeout_s: Annotated[float, typer.Option(help="Seconds each may ring.")] = 60.0,
    max_duration_s: Annotated[float, typer.Option(help="Longest conversation; 0 = as configured.")] = 0.0,
    progress: Annotated[
        str, typer.Option(help="What FROM hears meanwhile: auto, early_media, ringback, silence.")
    ] = "auto",
    confirm: Annotated[str, typer.Option(help="Who must press 1 to take the call: from, to or both.")] = "",
    confirm_source: Annotated[list[str] | None, typer.Option(help="What is heard by who must: file:PATH …")] = None,
    record: Annotated[bool | None, typer.Option(help="Default: as configured.")] = None,
    variable: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, kept with the call.")] = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Ring FROM; when it answers, call TO and connect the two."""
    variables = {}
    for text in variable or []:
        name, equals, value = text.partition("=")
        if not equals:
            fail(f'--variable "{text}" is not NAME=VALUE')
        variables[name] = value
    params = {
        "from": from_,
        "to": to,
        "also_from": also_from or [],
        "also_to": also_to or [],
        "strategy": strategy,
        "caller_id": caller_id,
        "caller_name": caller_name,
        "from_caller_id": from_caller_id,
        "campaign": campaign,
        "timeout_s": timeout_s,
        "max_duration_s": max_duration_s,
        "progress": progress,
        "confirm": confirm,
        "confirm_sources": confirm_source or [],
        "record": record,
        "variables": variables,
    }
    ask(server, token, as_json, "call.originate", params, tables.show_call)
