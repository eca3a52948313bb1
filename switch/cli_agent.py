"""`ringback agent …` and `ringback agent-group …`: who is there, what they are made, and how they are set up."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from model import views
from model.agents import Agent
from model.commands_agent import AgentList, AgentView
from model.commands_centre import AgentDetail, AgentGroupList, AgentGroupView, AgentSettings
from switch.cli_centre import Set, named_level, settings_of, unusual
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask
from switch.cli_tables import counts_text, duration_text, facts_grid, next_page, rows_table

agent_app = typer.Typer(no_args_is_help=True, help="Agents: what they do, and how they are set up.")
group_app = typer.Typer(no_args_is_help=True, help="Agent groups.")


def add_agents(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(agent_app, name="agent")
    app.add_typer(group_app, name="agent-group")


@agent_app.command("list")
def agent_list(
    group: Annotated[str, typer.Option(help="Only of this agent group.")] = "",
    queue: Annotated[str, typer.Option(help="Only who serves this queue.")] = "",
    state: Annotated[str, typer.Option(help="Only who is in this state.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 1000,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Agents, with what each is doing."""
    params = {"group": group, "queue": queue, "state": state, "limit": limit, "cursor": cursor}
    ask(server, token, as_json, "agent.list", params, _agents)


@agent_app.command("show")
def agent_show(agent_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """What one agent is doing."""
    ask(server, token, as_json, "agent.get", {"agent_id": agent_id}, _agent)


# -- states ------------------------------------------------------------------------------------------------------------


@agent_app.command("sign-in")
def agent_sign_in(
    agent_id: str,
    extension: Annotated[str, typer.Option(help="Where he sits; default: his own.")] = "",
    mode: Annotated[str, typer.Option(help="extension, softphone or unbound (only to look).")] = "extension",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Sign an agent in, not ready at first."""
    params = {"agent_id": agent_id, "extension": extension, "mode": mode}
    ask(server, token, as_json, "agent.sign_in", params, _agent)


@agent_app.command("ready")
def agent_ready(
    agent_id: str,
    presence: Annotated[str, typer.Option(help="available, outbound_only or auto_dial.")] = "available",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Make an agent available; while he is on a call, for afterwards."""
    ask(server, token, as_json, "agent.ready", {"agent_id": agent_id, "presence": presence}, _agent)


@agent_app.command("not-ready")
def agent_not_ready(
    agent_id: str,
    reason: Annotated[str, typer.Argument(help="One of agents.reason in the configuration: busy, break, away …")],
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Make an agent not ready; while he is on a call, for afterwards."""
    ask(server, token, as_json, "agent.not_ready", {"agent_id": agent_id, "reason": reason}, _agent)


@agent_app.command("end-acw")
def agent_end_acw(
    agent_id: str,
    code: Annotated[str, typer.Option(help="Wrap-up code of the queue.")] = "",
    note: str = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """End after-call work."""
    ask(server, token, as_json, "agent.end_acw", {"agent_id": agent_id, "code": code, "note": note}, _agent)


@agent_app.command("extend-acw")
def agent_extend_acw(
    agent_id: str,
    seconds: Annotated[float, typer.Argument(help="From now.")],
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Give an agent more time for after-call work."""
    ask(server, token, as_json, "agent.extend_acw", {"agent_id": agent_id, "seconds": seconds}, _agent)


@agent_app.command("force")
def agent_force(
    agent_id: str,
    state: Annotated[str, typer.Argument(help="ready, not_ready or sign_out.")],
    reason: Annotated[str, typer.Option(help="Of not_ready.")] = "forced_by_supervisor",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """As a supervisor, make an agent ready or not ready, or sign him out."""
    ask(server, token, as_json, "agent.force", {"agent_id": agent_id, "state": state, "reason": reason}, _agent)


@agent_app.command("record")
def agent_record(
    agent_id: str,
    what: Annotated[str, typer.Argument(help="start, pause, resume or stop.")] = "start",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Record the call an agent is in."""
    ask(server, token, as_json, "agent.record", {"agent_id": agent_id, "what": what}, _recording)


@agent_app.command("help")
def agent_help(
    agent_id: str,
    note: Annotated[str, typer.Option(help="What it is about.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Tell supervisors that an agent wants help."""
    ask(server, token, as_json, "agent.help", {"agent_id": agent_id, "note": note}, _agent)


def _short_command(name: str, command: str, text: str) -> None:
    def run(agent_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
        ask(server, token, as_json, command, {"agent_id": agent_id}, _agent)

    agent_app.command(name, help=text)(run)


_short_command("sign-out", "agent.sign_out", "Sign an agent out; a call that is up goes on.")
_short_command("clear-next", "agent.clear_next", "Forget what the agent asked to be after the call.")


# -- settings ----------------------------------------------------------------------------------------------------------


@agent_app.command("settings")
def agent_settings(agent_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """How an agent is set up: what is not as usual."""
    ask(server, token, as_json, "agent.settings", {"agent_id": agent_id}, _detail)


def _settings_command(verb: str, text: str) -> None:
    def run(
        agent_id: str,
        name: Annotated[str | None, typer.Option(help="How people call him.")] = None,
        group: Annotated[str | None, typer.Option(help="His agent group.")] = None,
        role: Annotated[str | None, typer.Option(help="His role.")] = None,
        extension: Annotated[str | None, typer.Option(help="Where he sits as a rule.")] = None,
        level: Annotated[int | None, typer.Option(help="0 lowest, 9 highest.")] = None,
        queue: Annotated[
            list[str] | None, typer.Option("--queue", "-q", help="NAME or NAME:LEVEL; all that he serves.")
        ] = None,
        skill: Annotated[list[str] | None, typer.Option("--skill", "-s", help="NAME:LEVEL; all that he has.")] = None,
        enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="May sign in.")] = None,
        settings: Set = None,
        as_json: AsJson = False,
        server: Server = DEFAULT_SERVER,
        token: Token = "",
    ) -> None:
        given = {
            "name": name,
            "extension": extension,
            "level": level,
            "queues": [_membership(each) for each in queue] if queue else None,
            "skills": dict(named_level(each) for each in skill) if skill else None,
            "is_enabled": enabled,
        }
        values = settings_of(AgentSettings, settings or ())
        values |= {key: value for key, value in given.items() if value is not None}
        params: dict[str, Any] = {"agent_id": agent_id, "settings": values}
        params |= {key: value for key, value in (("group", group), ("role", role)) if value is not None}
        ask(server, token, as_json, f"agent.{verb}", params, _detail)

    agent_app.command(verb, help=text)(run)


def _membership(text: str) -> dict[str, object]:
    if ":" not in text:
        return {"queue": text}
    queue, level = named_level(text)
    return {"queue": queue, "level": level}


@agent_app.command("delete")
def agent_delete(agent_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Delete an agent who is signed out."""
    ask(server, token, as_json, "agent.delete", {"agent_id": agent_id}, _done)


# -- agent groups ------------------------------------------------------------------------------------------------------


@group_app.command("list")
def group_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Agent groups, and how many are in each."""
    ask(server, token, as_json, "agent_group.list", {}, _groups)


@group_app.command("create")
def group_create(
    group: str, title: str = "", as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Add an agent group."""
    ask(server, token, as_json, "agent_group.create", {"group": group, "title": title}, _group)


@group_app.command("update")
def group_update(
    group: str, title: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Give an agent group another title."""
    ask(server, token, as_json, "agent_group.update", {"group": group, "title": title}, _group)


@group_app.command("delete")
def group_delete(group: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Delete an agent group that nobody is in."""
    ask(server, token, as_json, "agent_group.delete", {"group": group}, _done)


# -- what is shown -----------------------------------------------------------------------------------------------------


def _agents(found: AgentList) -> RenderableType:
    rows = [
        (
            each.agent_id,
            each.name,
            each.group,
            _state(each),
            duration_text(each.state_s) if each.mode else "",
            each.extension,
            ", ".join(each.queues),
            each.call_id,
            str(each.n_answered),
        )
        for each in found.agents
    ]
    heads = ("agent", "name", "group", "state", "for", "extension", "queues", "call", "answered")
    return rows_table(heads, rows, next_page(found.cursor) or counts_text(found.n_by_state))


def _agent(agent: AgentView) -> RenderableType:
    return facts_grid(
        [
            ("agent", agent.agent_id),
            ("name", agent.name),
            ("group", agent.group),
            ("role", agent.role),
            ("state", f"{_state(agent)} for {duration_text(agent.state_s)}" if agent.mode else agent.state),
            ("after the call", agent.pending),
            ("signed in", f"as {agent.mode} for {duration_text(agent.signed_in_s)}" if agent.mode else ""),
            ("extension", f"{agent.extension}{'' if agent.has_device or not agent.mode else ' (no phone)'}"),
            ("queues", ", ".join(agent.queues)),
            ("skills", ", ".join(f"{name} {level}" for name, level in agent.skills.items())),
            ("level", str(agent.level)),
            ("call", agent.call_id),
            ("of queue", agent.queue),
            ("acw left", duration_text(agent.acw_left_s) if agent.acw_left_s else ""),
            ("answered today", str(agent.n_answered)),
            ("missed in a row", str(agent.n_missed or "")),
        ]
    )


def _state(agent: AgentView) -> str:
    return f"{agent.state} ({agent.reason})" if agent.reason else agent.state


def _detail(detail: AgentDetail) -> RenderableType:
    settings = detail.settings
    where = "in the configuration file" if detail.source == "file" else "in the database"
    usual = Agent(agent_id=detail.agent_id, group=settings.group, role=settings.role)
    facts = [("agent", detail.agent_id), ("group", settings.group), ("role", settings.role), ("set up", where)]
    return facts_grid([*facts, ("pin", "yes" if detail.has_pin else ""), *unusual(settings, usual)])


_settings_command("create", "Add an agent.")
_settings_command("update", "Change what is given of an agent; it holds at once.")


def _groups(found: AgentGroupList) -> RenderableType:
    rows = [(each.group, each.title, each.source, str(each.n_agents), str(each.n_signed_in)) for each in found.groups]
    return rows_table(("group", "title", "from", "agents", "signed in"), rows)


def _group(group: AgentGroupView) -> RenderableType:
    return _groups(AgentGroupList(groups=[group]))


def _recording(state: views.RecordingState) -> str:
    return f"{state.recording_id}: {state.state}"


def _done(done: views.Done) -> str:
    return "done"
