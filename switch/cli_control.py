"""`ringback call …`, `events`, `status` …: the command line of a running switch. It only talks the control protocol."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from switch import cli_tables as tables
from switch.cli_access import add_access
from switch.cli_agent import add_agents
from switch.cli_alarms import add_alarms
from switch.cli_appointments import add_appointments
from switch.cli_audit import add_audit
from switch.cli_callers import add_callers
from switch.cli_campaign import add_campaigns, campaign_app
from switch.cli_campaign_view import add_campaign_views
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, connected, utc_of
from switch.cli_conference import add_conferences
from switch.cli_customers import add_customers
from switch.cli_dnc import add_dnc
from switch.cli_lists import add_lists
from switch.cli_members import add_members
from switch.cli_metrics import add_metrics
from switch.cli_originate import call_originate
from switch.cli_parking import add_parking
from switch.cli_preview import add_preview
from switch.cli_prompts import add_prompts
from switch.cli_queue import add_queues
from switch.cli_records import add_records, record_app
from switch.cli_roles import add_roles
from switch.cli_security import add_security
from switch.cli_services import add_services
from switch.cli_supervision import add_supervision
from switch.cli_trace import trace
from switch.cli_transfer import add_transfers
from switch.cli_voicemail import add_voicemail

app = typer.Typer(no_args_is_help=True)
call_app = typer.Typer(no_args_is_help=True, help="Live calls and call records.")
recording_app = typer.Typer(no_args_is_help=True, help="Recordings.")
extension_app = typer.Typer(no_args_is_help=True, help="Extensions.")
registration_app = typer.Typer(no_args_is_help=True, help="Registered phones.")
trunk_app = typer.Typer(no_args_is_help=True, help="Trunks.")
app.add_typer(call_app, name="call")
app.add_typer(recording_app, name="recording")
app.add_typer(extension_app, name="extension")
app.add_typer(registration_app, name="registration")
app.add_typer(trunk_app, name="trunk")
app.command("trace")(trace)
call_app.command("originate")(call_originate)
add_services(extension_app)
add_parking(call_app)
add_transfers(app, call_app)
add_supervision(app, call_app)
add_conferences(app)
add_security(app)
add_access(app)
add_queues(app)
add_campaigns(app)
add_campaign_views()
add_preview(campaign_app, record_app)
add_appointments(app)
add_callers(app)
add_prompts(app)
add_alarms(app)
add_agents(app)
add_metrics(app)
add_members(app)
add_lists(app)
add_records(app)
add_dnc(app)
add_customers(app)
add_roles(app)
add_audit(app)
add_voicemail(app)

Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]
Cursor = Annotated[str, typer.Option(help="The page after this one.")]
Since = Annotated[str, typer.Option(help="From this instant on: 2026-11-22 or 2026-11-22T14:30 (local time).")]
Until = Annotated[str, typer.Option(help="Before this instant.")]
Leg = Annotated[str, typer.Option("--leg", help="Only this leg.")]
NumberFilter = Annotated[str, typer.Option(help="Caller or dialed number.")]
IsSuffix = Annotated[bool, typer.Option("--suffix", help="The numbers given are the end of the number.")]


# -- calls ------------------------------------------------------------------------------------------------------------


@call_app.command("list")
def call_list(
    number: Annotated[str, typer.Option(help="Only calls whose caller or dialed number contains this.")] = "",
    extension: str = "",
    trunk: str = "",
    limit: Limit = 100,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Live calls."""
    params = {"number": number, "extension": extension, "trunk": trunk, "limit": limit}
    ask(server, token, as_json, "call.list", params, tables.show_calls)


@call_app.command("get")
def call_get(call_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """One call, live or from the records."""
    ask(server, token, as_json, "call.get", {"call_id": call_id}, tables.show_call_detail)


@call_app.command("hangup")
def call_hangup(
    call_id: str,
    leg: Leg = "",
    cause: Annotated[str, typer.Option(help="Hangup cause, e.g. USER_BUSY.")] = "NORMAL_CLEARING",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """End a call, or one leg of it."""
    params = {"call_id": call_id, "leg_id": leg, "cause": cause}
    ask(server, token, as_json, "call.hangup", params, tables.show_call)


@call_app.command("hold")
def call_hold(
    call_id: str, leg_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Put a leg on hold."""
    ask(server, token, as_json, "call.hold", {"call_id": call_id, "leg_id": leg_id}, tables.show_call)


@call_app.command("resume")
def call_resume(
    call_id: str, leg_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Take a leg back from hold."""
    ask(server, token, as_json, "call.resume", {"call_id": call_id, "leg_id": leg_id}, tables.show_call)


@call_app.command("dtmf")
def call_dtmf(
    call_id: str,
    leg_id: str,
    digits: str,
    duration_ms: Annotated[int, typer.Option(help="Of each digit.")] = 100,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Send DTMF digits to a leg."""
    params = {"call_id": call_id, "leg_id": leg_id, "digits": digits, "duration_ms": duration_ms}
    ask(server, token, as_json, "call.dtmf", params)


@call_app.command("play")
def call_play(
    call_id: str,
    sources: Annotated[list[str], typer.Argument(help="tone:NAME/PLAN, moh:NAME, file:PATH, silence:MS")],
    leg: Leg = "",
    loop: Annotated[bool, typer.Option("--loop", help="Over and over.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Play sounds to a call, or to one leg of it."""
    params = {"call_id": call_id, "leg_id": leg, "sources": sources, "loop": loop}
    ask(server, token, as_json, "call.play", params, lambda started: started.play_id)


@call_app.command("stop-play")
def call_stop_play(
    call_id: str, leg: Leg = "", as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Stop what is played."""
    ask(server, token, as_json, "call.stop_play", {"call_id": call_id, "leg_id": leg})


@call_app.command("history")
def call_history(
    since: Since = "",
    until: Until = "",
    number: NumberFilter = "",
    suffix: IsSuffix = False,
    extension: str = "",
    trunk: str = "",
    cause: Annotated[str, typer.Option(help="Hangup cause.")] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Records of past calls, latest first."""
    params = {
        "start_utc": utc_of(since),
        "end_utc": utc_of(until),
        "number": number,
        "is_suffix": suffix,
        "extension": extension,
        "trunk": trunk,
        "hangup_cause": cause or None,
        "limit": limit,
        "cursor": cursor,
    }
    ask(server, token, as_json, "call.history", params, tables.show_history)


# -- recordings -------------------------------------------------------------------------------------------------------


@recording_app.command("list")
def recording_list(
    since: Since = "",
    until: Until = "",
    number: NumberFilter = "",
    suffix: IsSuffix = False,
    extension: str = "",
    call: Annotated[str, typer.Option(help="Only of this call.")] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Recordings, latest first."""
    params = {
        "start_utc": utc_of(since),
        "end_utc": utc_of(until),
        "number": number,
        "is_suffix": suffix,
        "extension": extension,
        "call_id": call,
        "limit": limit,
        "cursor": cursor,
    }
    ask(server, token, as_json, "recording.list", params, tables.show_recordings)


@recording_app.command("get")
def recording_get(
    recording_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """One recording: path, size, checksum."""
    ask(server, token, as_json, "recording.get", {"recording_id": recording_id}, tables.show_recording)


def _recording_command(name: str, text: str) -> None:
    def run(call_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
        ask(server, token, as_json, f"recording.{name}", {"call_id": call_id}, tables.show_recording_state)

    recording_app.command(name, help=text)(run)


@recording_app.command("start")
def recording_start(
    call_id: str,
    format_: Annotated[str, typer.Option("--format", help="wav or mp3; default: as configured.")] = "",
    channels: Annotated[str, typer.Option(help="stereo or mono; default: as configured.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Begin to record a call."""
    params = {"call_id": call_id, "format": format_, "channels": channels}
    ask(server, token, as_json, "recording.start", params, tables.show_recording_state)


_recording_command("pause", "Write silence from now on.")
_recording_command("resume", "Go on recording after a pause.")
_recording_command("stop", "End the recording of a call that goes on.")


# -- extensions, registrations, trunks --------------------------------------------------------------------------------


@extension_app.command("list")
def extension_list(
    prefix: Annotated[str, typer.Option(help="Only numbers that begin with this.")] = "",
    limit: Limit = 1000,
    cursor: Cursor = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """All extensions."""
    params = {"prefix": prefix, "limit": limit, "cursor": cursor}
    ask(server, token, as_json, "extension.list", params, tables.show_extensions)


@extension_app.command("get")
def extension_get(extension: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """One extension."""
    ask(server, token, as_json, "extension.get", {"extension": extension}, tables.show_extension)


DisplayName = Annotated[str | None, typer.Option("--name", help="Shown to who is called.")]
CallerId = Annotated[str | None, typer.Option(help="Number shown on trunks.")]
RingTimeout = Annotated[float | None, typer.Option(help="Seconds it rings; 0 = default.")]
BusyTo = Annotated[str | None, typer.Option(help="Number called instead when it is busy or not registered.")]
NoAnswerTo = Annotated[str | None, typer.Option(help="Number called instead when it does not answer.")]
External = Annotated[bool | None, typer.Option("--external/--no-external", help="May call by trunk.")]
International = Annotated[
    bool | None, typer.Option("--international/--no-international", help="May call foreign countries.")
]
Recorded = Annotated[bool | None, typer.Option("--recorded/--not-recorded", help="Its calls are recorded.")]
Enabled = Annotated[bool | None, typer.Option("--enabled/--disabled")]
Password = Annotated[
    bool,
    typer.Option("--password", help="Read the SIP password from standard input; else a random one."),
]


def _extension_command(name: str, text: str, show: Callable[[Any], RenderableType]) -> None:
    def run(
        extension: str,
        display_name: DisplayName = None,
        caller_id: CallerId = None,
        ring_timeout_s: RingTimeout = None,
        busy_to: BusyTo = None,
        no_answer_to: NoAnswerTo = None,
        external: External = None,
        international: International = None,
        recorded: Recorded = None,
        enabled: Enabled = None,
        password: Password = False,
        as_json: AsJson = False,
        server: Server = DEFAULT_SERVER,
        token: Token = "",
    ) -> None:
        params = {
            "name": display_name,
            "caller_id": caller_id,
            "ring_timeout_s": ring_timeout_s,
            "busy_to": busy_to,
            "no_answer_to": no_answer_to,
            "may_call_external": external,
            "may_call_international": international,
            "is_recorded": recorded,
            "is_enabled": enabled,
            "password": sys.stdin.readline().rstrip("\r\n") if password else None,
        }
        given = {key: value for key, value in params.items() if value is not None}
        ask(server, token, as_json, f"extension.{name}", {"extension": extension, **given}, show)

    extension_app.command(name, help=text)(run)


_extension_command("create", "Add an extension; prints its password.", tables.show_extension_created)
_extension_command("update", "Change the fields that are given.", tables.show_extension)


@extension_app.command("delete")
def extension_delete(
    extension: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Remove an extension and its registrations."""
    ask(server, token, as_json, "extension.delete", {"extension": extension})


@registration_app.command("list")
def registration_list(
    extension: str = "", as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Which phones are registered, and where."""
    ask(server, token, as_json, "registration.list", {"extension": extension}, tables.show_registrations)


@trunk_app.command("list")
def trunk_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """All trunks and their state."""
    ask(server, token, as_json, "trunk.list", {}, tables.show_trunks)


# -- the switch -------------------------------------------------------------------------------------------------------


@app.command()
def status(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """The whole switch at a glance."""
    ask(server, token, as_json, "system.status", {}, tables.show_status)


@app.command()
def drain(
    timeout_s: Annotated[float | None, typer.Option(help="Seconds the live calls get; default: as configured.")] = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Take no new calls, wait for the live ones, then end the switch."""
    ask(server, token, as_json, "system.drain", {"timeout_s": timeout_s}, lambda state: f"{state.n_calls} calls left")


@app.command()
def events(
    names: Annotated[list[str] | None, typer.Argument(help="call.ended, call.* …; none = all.")] = None,
    call: Annotated[list[str] | None, typer.Option(help="Only of this call; may be repeated.")] = None,
    from_seq: Annotated[int | None, typer.Option(help="Begin with this number, from what the switch keeps.")] = None,
    count: Annotated[int, typer.Option(min=0, help="End after so many; 0 = never.")] = 0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Events as they happen, until Ctrl-C."""
    with connected(server, token) as switch:
        for n, event in enumerate(switch.events(names or (), call or (), from_seq), start=1):
            line = msgspec.json.encode(event).decode() if as_json else tables.event_line(event)
            print(line, flush=True)
            if n == count:
                return
