"""`ringback monitor …`, `ringback supervisor call` and `ringback call dispatch`: listen to live calls and step in."""

from typing import Annotated

import typer
from rich.console import RenderableType

from model.commands_monitor import MonitorList, MonitorView
from switch import cli_tables as tables
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask

AgentAudio = Annotated[str, typer.Option(help="With barge: full, or listen_only = the agent is silenced.")]
_MODES = "listen, whisper (to the agent), whisper_customer or barge."


def add_supervision(app: typer.Typer, call_app: typer.Typer) -> None:
    """Two groups of their own, and one command beside the others about calls."""
    monitor_app = typer.Typer(
        no_args_is_help=True, help="Supervisors on live calls: listen, whisper, barge, take over."
    )
    supervisor_app = typer.Typer(no_args_is_help=True, help="Supervisors and their agents.")
    app.add_typer(monitor_app, name="monitor")
    app.add_typer(supervisor_app, name="supervisor")
    monitor_app.command("start")(start)
    monitor_app.command("list")(list_monitors)
    monitor_app.command("mode")(mode)
    monitor_app.command("takeover")(takeover)
    monitor_app.command("disconnect")(disconnect)
    monitor_app.command("stop")(stop)
    # With a callback it stays a group: one command alone would take the place of the group.
    supervisor_app.callback()(_supervisor)
    supervisor_app.command("call")(call_agent)
    call_app.command("dispatch")(dispatch)


def start(
    supervisor: Annotated[str, typer.Argument(help="Extension that is rung.")],
    call: Annotated[str, typer.Option(help="The call; default: the one that --extension is in.")] = "",
    extension: Annotated[str, typer.Option(help="The agent; default: the extension that talks in --call.")] = "",
    agent: Annotated[str, typer.Option(help="The agent by his id, wherever he sits.")] = "",
    leg: Annotated[str, typer.Option("--leg", help="The agent's leg, when several could be meant.")] = "",
    mode: Annotated[str, typer.Option(help=_MODES)] = "listen",
    agent_audio: AgentAudio = "full",
    timeout_s: Annotated[float, typer.Option(help="Seconds the supervisor's phone may ring.")] = 30.0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Ring the supervisor's phone; when it answers he is on the call."""
    params = {
        "supervisor": supervisor,
        "call_id": call,
        "extension": extension,
        "agent_id": agent,
        "leg_id": leg,
        "mode": mode,
        "agent_audio": agent_audio,
        "timeout_s": timeout_s,
    }
    ask(server, token, as_json, "monitor.start", params, _show)


def list_monitors(
    call: Annotated[str, typer.Option(help="Only on this call.")] = "",
    supervisor: Annotated[str, typer.Option(help="Only this supervisor.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Supervisors on live calls."""
    ask(server, token, as_json, "monitor.list", {"call_id": call, "supervisor": supervisor}, _show_all)


def mode(
    monitor_id: str,
    mode: Annotated[str, typer.Argument(help=_MODES)],
    agent_audio: AgentAudio = "full",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Change whom a supervisor is heard by, without interrupting anything."""
    params = {"monitor_id": monitor_id, "mode": mode, "agent_audio": agent_audio}
    ask(server, token, as_json, "monitor.mode", params, _show)


def takeover(monitor_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Drop the agent; the customer goes on with the supervisor."""
    ask(server, token, as_json, "monitor.takeover", {"monitor_id": monitor_id}, tables.show_call)


def disconnect(monitor_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """End the supervised call for everybody."""
    ask(server, token, as_json, "monitor.disconnect", {"monitor_id": monitor_id}, tables.show_call)


def stop(monitor_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """End a monitor; the call goes on."""
    ask(server, token, as_json, "monitor.stop", {"monitor_id": monitor_id})


def call_agent(
    supervisor: Annotated[str, typer.Argument(help="Extension that calls.")],
    agent: Annotated[str, typer.Argument(help="Extension that is called.")],
    timeout_s: Annotated[float, typer.Option(help="Seconds each may ring.")] = 30.0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Call an agent who waits for calls; refused with the reason when he does not."""
    params = {"supervisor": supervisor, "agent": agent, "timeout_s": timeout_s}
    ask(server, token, as_json, "supervisor.call", params, tables.show_call)


def dispatch(
    call_id: str,
    to: Annotated[str, typer.Argument(help="Extension or number.")],
    leg: Annotated[str, typer.Option("--leg", help="The agent's leg, when several could be meant.")] = "",
    timeout_s: Annotated[float, typer.Option(help="Seconds it may ring; 0 = as configured.")] = 0.0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Move a call to another extension, whoever has it."""
    params = {"call_id": call_id, "to": to, "leg_id": leg, "timeout_s": timeout_s}
    ask(server, token, as_json, "call.dispatch", params, tables.show_call)


def _supervisor() -> None:
    """Supervisors and their agents."""


def _show(monitor: MonitorView) -> RenderableType:
    return _show_all(MonitorList(monitors=[monitor]))


def _show_all(found: MonitorList) -> RenderableType:
    rows = [
        (
            one.monitor_id,
            one.supervisor,
            one.agent,
            one.state,
            one.mode,
            one.agent_audio,
            one.call_id,
            tables.instant_text(one.started_utc),
        )
        for one in found.monitors
    ]
    heads = ("monitor", "supervisor", "agent", "state", "mode", "agent audio", "call", "since")
    return tables.rows_table(heads, rows)
