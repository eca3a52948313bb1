"""`ringback conference …`: who is in a room, with which rights."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType

from model.commands_conference import ConferenceList, ConferenceView
from switch import cli_tables as tables
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask


def add_conferences(app: typer.Typer) -> None:
    """A group of their own."""
    conference_app = typer.Typer(no_args_is_help=True, help="Conference rooms and who is in them.")
    app.add_typer(conference_app, name="conference")
    conference_app.command("list")(list_conferences)
    conference_app.command("get")(get)
    conference_app.command("invite")(invite)
    conference_app.command("member")(member)
    conference_app.command("mute-all")(mute_all)
    conference_app.command("kick")(kick)
    conference_app.command("lock")(lock)
    conference_app.command("end")(end)


def list_conferences(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """The rooms of the configuration, and which of them are on."""
    ask(server, token, as_json, "conference.list", {}, _show_all)


def get(conference: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """One room with its members."""
    ask(server, token, as_json, "conference.get", {"conference": conference}, _show)


def invite(
    conference: str,
    to: Annotated[str, typer.Argument(help="Extension or number.")],
    role: Annotated[str, typer.Option(help="moderator, member or listener.")] = "member",
    caller_id: Annotated[str, typer.Option(help="Number that TO sees; default: that of the room.")] = "",
    timeout_s: Annotated[float, typer.Option(help="Seconds it may ring.")] = 60.0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Ring somebody who is in the room as soon as he answers, without any PIN."""
    params = {"conference": conference, "to": to, "role": role, "caller_id": caller_id, "timeout_s": timeout_s}
    ask(server, token, as_json, "conference.invite", params, _show)


def member(
    conference: str,
    leg_id: str,
    role: Annotated[str | None, typer.Option(help="moderator, member or listener.")] = None,
    muted: Annotated[bool | None, typer.Option("--mute/--unmute", help="Nobody hears him.")] = None,
    deaf: Annotated[bool | None, typer.Option("--deaf/--undeaf", help="He hears nobody.")] = None,
    volume: Annotated[float | None, typer.Option(help="How loud the others hear him, 0 to 4; 1 = as he is.")] = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Change what is given of one member."""
    changes = {"role": role, "is_muted": muted, "is_deaf": deaf, "volume": volume}
    given = {name: value for name, value in changes.items() if value is not None}
    ask(server, token, as_json, "conference.member", {"conference": conference, "leg_id": leg_id, **given}, _show)


def mute_all(
    conference: str,
    off: Annotated[bool, typer.Option("--off", help="Let them speak again.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Mute all but the moderators."""
    ask(server, token, as_json, "conference.mute_all", {"conference": conference, "is_muted": not off}, _show)


def kick(
    conference: str, leg_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Put one member out."""
    ask(server, token, as_json, "conference.kick", {"conference": conference, "leg_id": leg_id}, _show)


def lock(
    conference: str,
    off: Annotated[bool, typer.Option("--off", help="Let them in again.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Let nobody new in; who is invited still comes in."""
    ask(server, token, as_json, "conference.lock", {"conference": conference, "is_locked": not off}, _show)


def end(conference: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """End the conference for everybody."""
    ask(server, token, as_json, "conference.end", {"conference": conference})


def _show_all(found: ConferenceList) -> RenderableType:
    rows = [
        (
            room.conference,
            room.number,
            "on" if room.is_live else "off",
            str(room.n_members),
            _marks(locked=room.is_locked, recorded=room.is_recorded),
            room.call_id,
            tables.instant_text(room.started_utc),
        )
        for room in found.conferences
    ]
    return tables.rows_table(("conference", "number", "state", "members", "", "call", "since"), rows)


def _show(room: ConferenceView) -> RenderableType:
    rows = [
        (
            one.leg_id,
            f"{one.kind} {one.name}",
            one.number,
            one.role,
            one.state,
            _marks(muted=one.is_muted, deaf=one.is_deaf, speaking=one.is_speaking, floor=one.leg_id == room.floor),
            f"{one.volume:g}",
        )
        for one in room.members
    ]
    heads = ("leg", "who", "number", "role", "state", "", "volume")
    return Group(_show_all(ConferenceList(conferences=[room])), tables.rows_table(heads, rows))


def _marks(**marks: bool) -> str:
    return ", ".join(name for name, is_set in marks.items() if is_set)
