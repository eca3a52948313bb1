"""Handlers of `model.commands_agent`: they tell the floor, which raises what makes no sense."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from acd import desk_inputs
from acd.desk_state import DeskAgent
from control.auth import Caller
from model import commands_agent as agents
from model.agents import Agent
from model.declare import Command
from model.errors import NoSuchAgent, NoSuchExtension, WrongState
from model.events_agent import AgentHelpRequested
from model.views import RecordingState
from switch.agent_phone import check_seat

if TYPE_CHECKING:
    from switch.app import App


Record = Callable[[str, str], RecordingState]
"""(call id, start, pause, resume or stop)"""


def make_handlers(app: "App", record: Record) -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    """`record` changes the recording of a call."""
    handlers = AgentCommands(app, record)
    return {
        agents.ListAgents: handlers.list,
        agents.GetAgent: handlers.get,
        agents.SignIn: handlers.sign_in,
        agents.SignOut: handlers.sign_out,
        agents.Ready: handlers.ready,
        agents.NotReady: handlers.not_ready,
        agents.ClearNext: handlers.clear_next,
        agents.EndAcw: handlers.end_acw,
        agents.ExtendAcw: handlers.extend_acw,
        agents.AskHelp: handlers.ask_help,
        agents.RecordAgent: handlers.record,
        agents.ForceState: handlers.force,
    }


class AgentCommands:
    def __init__(self, app: "App", record: Record) -> None:
        self._app = app
        self._record = record
        self._floor = app.core.floor
        self._directory = app.core.directory
        self._config = app.config
        self._bindings = app.core.env.bindings

    def list(self, command: agents.ListAgents, caller: Caller) -> agents.AgentList:
        counts: dict[str, int] = {}
        found: list[agents.AgentView] = []
        for agent_id in sorted(self._directory.agents):
            view = self._view(self._directory.agents[agent_id])
            if command.group and view.group != command.group:
                continue
            if command.queue and command.queue not in view.queues:
                continue
            counts[view.state] = counts.get(view.state, 0) + 1
            if agent_id > command.cursor and (not command.state or view.state == command.state):
                found.append(view)
        page = found[: command.limit]
        cursor = page[-1].agent_id if len(found) > len(page) else ""
        return agents.AgentList(agents=page, n_by_state=counts, cursor=cursor)

    def get(self, command: agents.GetAgent, caller: Caller) -> agents.AgentView:
        return self._view(self._agent(command.agent_id))

    def sign_in(self, command: agents.SignIn, caller: Caller) -> agents.AgentView:
        agent = self._agent(command.agent_id)
        extension = command.extension or agent.extension
        if extension and extension not in self._directory.extensions:
            raise NoSuchExtension(f"no extension {extension}")
        is_own = caller.agent == agent.agent_id
        if extension and is_own and command.mode == "extension" and self._config.agents.lock_extension_to_address:
            check_seat(self._bindings(extension, self._floor.now()), extension, _host(caller.address))
        has_client = command.is_client and is_own
        self._floor.ask(
            desk_inputs.SignIn(
                agent=agent, mode=command.mode, extension=extension, by=caller.user, has_client=has_client
            )
        )
        if extension:
            self._floor.look_at_device(extension)
        return self._view(agent)

    def sign_out(self, command: agents.SignOut, caller: Caller) -> agents.AgentView:
        return self._ask(command.agent_id, desk_inputs.SignOut(agent_id=command.agent_id, by=caller.user))

    def ready(self, command: agents.Ready, caller: Caller) -> agents.AgentView:
        told = desk_inputs.GoReady(agent_id=command.agent_id, presence=command.presence, by=caller.user)
        return self._ask(command.agent_id, told)

    def not_ready(self, command: agents.NotReady, caller: Caller) -> agents.AgentView:
        told = desk_inputs.GoNotReady(agent_id=command.agent_id, reason=command.reason, by=caller.user)
        return self._ask(command.agent_id, told)

    def clear_next(self, command: agents.ClearNext, caller: Caller) -> agents.AgentView:
        return self._ask(command.agent_id, desk_inputs.ClearNext(command.agent_id))

    def end_acw(self, command: agents.EndAcw, caller: Caller) -> agents.AgentView:
        self._app.campaign_work.check_code(self._agent(command.agent_id).agent_id, command.code)
        told = desk_inputs.EndAcw(agent_id=command.agent_id, code=command.code, note=command.note, by=caller.user)
        return self._ask(command.agent_id, told)

    def extend_acw(self, command: agents.ExtendAcw, caller: Caller) -> agents.AgentView:
        return self._ask(command.agent_id, desk_inputs.ExtendAcw(command.agent_id, command.seconds))

    def ask_help(self, command: agents.AskHelp, caller: Caller) -> agents.AgentView:
        agent = self._agent(command.agent_id)
        desk = self._floor.centre.desk.find(agent.agent_id)
        told = AgentHelpRequested(agent_id=agent.agent_id, group=agent.group, call_id=desk.call_id, note=command.note)
        self._app.hub.publish(told)
        return self._view(agent)

    def record(self, command: agents.RecordAgent, caller: Caller) -> RecordingState:
        agent = self._agent(command.agent_id)
        desk = self._floor.centre.desk.find(agent.agent_id)
        if not desk.call_id:
            raise WrongState(f"agent {agent.agent_id} is in no call", state=desk.display()[0])
        return self._record(desk.call_id, command.what)

    def force(self, command: agents.ForceState, caller: Caller) -> agents.AgentView:
        agent_id, by = command.agent_id, caller.user
        told: desk_inputs.DeskInput
        match command.state:
            case "ready":
                told = desk_inputs.GoReady(agent_id=agent_id, by=by, is_forced=True)
            case "not_ready":
                told = desk_inputs.GoNotReady(agent_id=agent_id, reason=command.reason, by=by, is_forced=True)
            case "sign_out":
                told = desk_inputs.SignOut(agent_id=agent_id, reason="forced_by_supervisor", by=by)
        return self._ask(agent_id, told)

    def _ask(self, agent_id: str, told: desk_inputs.DeskInput) -> agents.AgentView:
        agent = self._agent(agent_id)
        self._floor.ask(told)
        return self._view(agent)

    def _agent(self, agent_id: str) -> Agent:
        agent = self._directory.agents.get(agent_id)
        if agent is None:
            raise NoSuchAgent(f"no agent {agent_id}")
        return agent

    def _view(self, agent: Agent) -> agents.AgentView:
        desk = self._floor.centre.desk.state.agents.get(agent.agent_id)
        return agent_view(agent, desk, self._floor.now())


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def agent_view(agent: Agent, desk: DeskAgent | None, now: float) -> agents.AgentView:
    """`desk`: None when he is signed out."""
    state, reason = desk.display() if desk is not None else ("offline", "")
    served = desk.served if desk is not None else None
    return agents.AgentView(
        agent_id=agent.agent_id,
        name=agent.name,
        group=agent.group,
        role=agent.role,
        level=agent.level,
        queues=[each.queue for each in agent.queues],
        skills=agent.skills,
        state=state,
        reason=reason,
        state_s=now - desk.shown_since if desk is not None else 0.0,
        pending=(desk.pending_reason or desk.pending or "") if desk is not None else "",
        mode=desk.mode if desk is not None else "",
        extension=desk.extension if desk is not None else agent.extension,
        signed_in_s=now - desk.signed_in_at if desk is not None else 0.0,
        call_id=(desk.call_id or desk.offer_call_id or desk.acw_call_id) if desk is not None else "",
        queue=served.queue if served is not None else desk.offer_queue if desk is not None else "",
        n_answered=desk.n_answered if desk is not None else 0,
        n_missed=desk.n_missed if desk is not None else 0,
        acw_left_s=max(0.0, desk.acw_until - now) if desk is not None and desk.acw_until is not None else 0.0,
        has_device=desk is not None and bool(desk.extension) and desk.is_device_up,
    )
