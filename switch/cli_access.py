"""`ringback access-number …` and `ringback calendar …`."""

from datetime import datetime
from typing import Annotated

import typer

from model import views
from model.commands_access import AccessMoment, AccessNumberList, CalendarList, CalendarMoment, ClosureView
from switch.cli_centre import named_level
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask

number_app = typer.Typer(no_args_is_help=True, help="Numbers of ours, and where their calls go at which time.")
calendar_app = typer.Typer(no_args_is_help=True, help="Hours, holidays and emergency closures.")

At = Annotated[str, typer.Option(help="At this instant: 2026-11-22T14:30 (local time of this machine); empty: now.")]
Trunk = Annotated[str, typer.Option(help="As this trunk delivers it.")]


def add_access(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(number_app, name="access-number")
    app.add_typer(calendar_app, name="calendar")


@number_app.command("list")
def number_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Access numbers and where their calls go now."""
    ask(server, token, as_json, "access_number.list", {}, _numbers)


@number_app.command("evaluate")
def number_evaluate(
    number: str,
    at: At = "",
    trunk: Trunk = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """What would happen to a call at an instant."""
    params = {"number": number, "trunk": trunk, "at_utc": _utc(at)}
    ask(server, token, as_json, "access_number.evaluate", params, _moment)


@number_app.command("set")
def number_set(
    number: str,
    to: Annotated[str, typer.Option(help='Extension, number, or "queue:NAME".')],
    calendar: str = "",
    off_to: str = "",
    holiday_to: str = "",
    emergency_to: str = "",
    trunk: Trunk = "",
    vip: Annotated[bool, typer.Option("--vip", help="Its callers wait with the VIPs.")] = False,
    priority: Annotated[int, typer.Option(min=0, max=100, help="Of its calls in queues.")] = 0,
    skill: Annotated[
        list[str] | None, typer.Option("--skill", "-s", help="NAME:LEVEL asked of agents; repeat for more.")
    ] = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Add an access number, or change all of it."""
    value = {"number": number, "to": to, "calendar": calendar, "off_to": off_to, "holiday_to": holiday_to}
    value |= {"emergency_to": emergency_to, "trunk": trunk}
    asked = {"is_vip": vip, "priority": priority, "skills": dict(named_level(each) for each in skill or ())}
    ask(server, token, as_json, "access_number.set", {"access_number": {**value, **asked}}, lambda _: "set")


@number_app.command("remove")
def number_remove(
    number: str, trunk: Trunk = "", as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Remove an access number."""
    ask(server, token, as_json, "access_number.remove", {"number": number, "trunk": trunk}, _done)


@calendar_app.command("list")
def calendar_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Calendars, what they say now, and closures."""
    ask(server, token, as_json, "calendar.list", {}, _calendars)


@calendar_app.command("set")
def calendar_set(
    name: str,
    hours: Annotated[str, typer.Option(help='"mon-fri 08:30-12:00; mon-fri 13:30-18:00".')] = "",
    zone: Annotated[str, typer.Option(help='"Asia/Shanghai".')] = "",
    holiday: Annotated[
        list[str] | None, typer.Option(help='"10-01..10-07 National Day"; several may be given.')
    ] = None,
    special: Annotated[list[str] | None, typer.Option(help='"2026-10-10 08:30-17:30"; several may be given.')] = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Add a calendar, or change all of it."""
    value = {"name": name, "hours": hours, "time_zone": zone}
    holidays = [_days(text, "name") for text in holiday or ()]
    specials = [_days(text, "hours") for text in special or ()]
    params = {"calendar": {**value, "holidays": holidays, "special_days": specials}}
    ask(server, token, as_json, "calendar.set", params, lambda view: _calendar(view.now))


@calendar_app.command("remove")
def calendar_remove(name: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Remove a calendar that no access number follows."""
    ask(server, token, as_json, "calendar.remove", {"calendar": name}, _done)


@calendar_app.command("evaluate")
def calendar_evaluate(
    name: str, at: At = "", as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """What a calendar says at an instant."""
    ask(server, token, as_json, "calendar.evaluate", {"calendar": name, "at_utc": _utc(at)}, _calendar)


@calendar_app.command("close")
def calendar_close(
    name: Annotated[str, typer.Argument(help="Without it: all access numbers.")] = "",
    today: Annotated[bool, typer.Option("--today", help="Until midnight.")] = False,
    until: Annotated[str, typer.Option(help="Until 2026-11-22T14:30; else until reopened.")] = "",
    reason: str = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Emergency: close at once."""
    params = {"calendar": name, "is_for_today": today, "until_utc": _utc(until), "reason": reason}
    ask(server, token, as_json, "calendar.close", params, _closure)


@calendar_app.command("reopen")
def calendar_reopen(
    name: Annotated[str, typer.Argument(help="Without it: all access numbers.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Lift an emergency closure."""
    ask(server, token, as_json, "calendar.reopen", {"calendar": name}, _done)


def _days(text: str, rest_is: str) -> dict[str, str]:
    days, _, rest = text.strip().partition(" ")
    first, _, last = days.partition("..")
    return {"first": first, "last": last, rest_is: rest.strip()}


def _utc(text: str) -> float:
    return datetime.fromisoformat(text).astimezone().timestamp() if text else 0.0


def _when(utc: float) -> str:
    return datetime.fromtimestamp(utc).astimezone().strftime("%Y-%m-%d %H:%M")


def _moment(moment: AccessMoment) -> str:
    until = f" until {_when(moment.until_utc)}" if moment.until_utc else ""
    where = f"{moment.to} ({moment.leads_to})" if moment.to else "refused"
    return f"{moment.number}  {moment.trunk or 'any trunk'}  {moment.which}{until}  {where}  {moment.why}".rstrip()


def _numbers(found: AccessNumberList) -> str:
    return "\n".join(_moment(each.now) for each in found.access_numbers) or "there are none"


def _calendar(moment: CalendarMoment) -> str:
    until = f" until {_when(moment.until_utc)}" if moment.until_utc else ""
    return f"{moment.calendar}  {moment.which}{until}  {moment.name}".rstrip()


def _calendars(found: CalendarList) -> str:
    lines = [_calendar(each.now) for each in found.calendars] + [_closure(closure) for closure in found.closures]
    return "\n".join(lines) or "there are none"


def _closure(closure: ClosureView) -> str:
    until = f"until {_when(closure.until_utc)}" if closure.until_utc else "until it is reopened"
    return f"{closure.calendar or 'everything'}  closed {until}  {closure.reason}".rstrip()


def _done(done: views.Done) -> str:
    return "done"
