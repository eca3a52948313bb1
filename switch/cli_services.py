"""`ringback extension services …`: forwarding, do not disturb and call waiting of an extension."""

from typing import Annotated

import typer
from rich.console import RenderableType

from model.commands_services import ExtensionServicesView
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask

_AS_CONFIGURED = "default"
_HELP = ' "" = none, "default" = as configured.'


def add_services(extension_app: typer.Typer) -> None:
    """The two commands, beside the others about extensions."""
    extension_app.command("services")(services)
    extension_app.command("set-services")(set_services)


def services(extension: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Forwarding, do not disturb and call waiting of an extension."""
    ask(server, token, as_json, "extension.services", {"extension": extension}, _show)


def set_services(
    extension: str,
    always_to: Annotated[str | None, typer.Option(help="Number all calls go to;" + _HELP)] = None,
    busy_to: Annotated[str | None, typer.Option(help="Number called while it is busy;" + _HELP)] = None,
    no_answer_to: Annotated[str | None, typer.Option(help="Number called without answer;" + _HELP)] = None,
    dnd: Annotated[bool | None, typer.Option("--dnd/--no-dnd", help="Do not disturb.")] = None,
    call_waiting: Annotated[bool | None, typer.Option(help="A second call rings.")] = None,
    pickup_group: Annotated[str | None, typer.Option(help="Its pickup group;" + _HELP)] = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Change what is given, for the user of the extension."""
    texts = {
        "always_to": always_to,
        "busy_to": busy_to,
        "no_answer_to": no_answer_to,
        "pickup_group": pickup_group,
    }
    flags = {"is_dnd": dnd, "has_call_waiting": call_waiting}
    params: dict[str, object] = {"extension": extension}
    params |= {name: None if text == _AS_CONFIGURED else text for name, text in texts.items() if text is not None}
    params |= {name: flag for name, flag in flags.items() if flag is not None}
    ask(server, token, as_json, "extension.set_services", params, _show)


def _show(view: ExtensionServicesView) -> RenderableType:
    forwards = [
        ("all calls", view.always_to),
        ("busy", view.busy_to),
        ("no answer", view.no_answer_to),
    ]
    lines = [f"{view.extension}: do not disturb" if view.is_dnd else f"{view.extension}: takes calls"]
    lines += [f"  {when}: to {number}" for when, number in forwards if number]
    lines.append(f"  call waiting: {'on' if view.has_call_waiting else 'off'}")
    if view.pickup_group:
        lines.append(f"  pickup group: {view.pickup_group}")
    return "\n".join(lines)
