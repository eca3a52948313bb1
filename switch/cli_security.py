"""`ringback ban …` and `ringback reload-tls`."""

from datetime import datetime
from typing import Annotated

import typer

from model import views
from model.commands_security import BanList, BanView, TlsReloaded
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask

Port = Annotated[int, typer.Option(min=0, max=65535, help="Only this port; 0: all of the address.")]

ban_app = typer.Typer(no_args_is_help=True, help="Sources of SIP that are not listened to.")


def add_security(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(ban_app, name="ban")
    app.command("reload-tls")(reload_tls)


@ban_app.command("list")
def ban_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Bans in force, and what was done about strangers since the start."""
    ask(server, token, as_json, "ban.list", {}, _list)


@ban_app.command("add")
def ban_add(
    address: str,
    port: Port = 0,
    duration_s: Annotated[float, typer.Option(min=1.0, help="How long, s.")] = 3600.0,
    reason: Annotated[str, typer.Option(help="Shown in the list.")] = "by hand",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Do not listen to an address; phones there that proved their password go on."""
    params = {"address": address, "port": port, "duration_s": duration_s, "reason": reason}
    ask(server, token, as_json, "ban.add", params, _line)


@ban_app.command("remove")
def ban_remove(
    address: str, port: Port = 0, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Listen to an address again."""
    ask(server, token, as_json, "ban.remove", {"address": address, "port": port}, _done)


def reload_tls(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Read the certificate files again; connections that are open stay."""
    ask(server, token, as_json, "node.reload_tls", {}, _certificate)


def _list(found: BanList) -> str:
    lines = [_line(ban) for ban in found.bans] or ["nobody is banned"]
    return "\n".join(
        (
            *lines,
            f"so far {found.n_bans} bans, {found.n_lock_outs} lock-outs, {found.n_busy} requests answered 503",
            f"{found.n_dropped} messages not looked at, {found.n_clipped} answers too long for their question",
        )
    )


def _line(ban: BanView) -> str:
    where = f"{ban.address} port {ban.port}" if ban.port else ban.address
    until = datetime.fromtimestamp(ban.until_utc).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"{where}  until {until}  {ban.reason}  ({ban.n_dropped} messages)"


def _done(done: views.Done) -> str:
    return "done"


def _certificate(told: TlsReloaded) -> str:
    if told.certificate is None:
        return "reloaded; there is no tls listener"
    until = datetime.fromtimestamp(told.certificate.not_after_utc).astimezone().strftime("%Y-%m-%d")
    return f"{', '.join(told.certificate.names)}  until {until}  SHA-256 {told.certificate.sha256}"
