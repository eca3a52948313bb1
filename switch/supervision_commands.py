"""Handlers of `model.commands_monitor`: supervisors on live calls, their calls to agents, and calls that are moved."""

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from control.auth import Caller
from model import commands_monitor as monitors
from model import errors, views
from model.causes import HangupCause
from model.commands_originate import Originate
from model.commands_transfer import RedirectCall, Transfer
from model.declare import Command
from model.events_monitor import CallDispatched
from switch import supervision
from switch.call import Call, Leg
from switch.directory import ExtensionEntry
from switch.leg_events import EndMonitor, SetMonitor
from switch.monitor import Monitor
from switch.transfer_commands import TransferCommands
from switch.views import call_view

if TYPE_CHECKING:
    from switch.app import App
    from switch.commands import CommandHandlers

MAX_MONITORS = 8
"""On one call."""
Handlers = dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]


def make_handlers(app: "App", calls: "CommandHandlers") -> Handlers:
    """`calls` places the calls that are asked for."""
    desk = SupervisionDesk(app, calls)
    return {
        monitors.StartMonitor: desk.start,
        monitors.ListMonitors: desk.list,
        monitors.ChangeMonitor: desk.change,
        monitors.TakeOver: lambda command, caller: desk.step_in(command.monitor_id, "takeover"),
        monitors.Disconnect: lambda command, caller: desk.step_in(command.monitor_id, "disconnect"),
        monitors.StopMonitor: desk.stop,
        monitors.CallAgent: desk.call_agent,
        monitors.Dispatch: desk.dispatch,
    }


class SupervisionDesk:
    def __init__(self, app: "App", calls: "CommandHandlers") -> None:
        self._app = app
        self._runtime = app.runtime
        self._calls = app.runtime.calls
        self._env = app.runtime.calls.env
        self._handlers = calls
        self._transfers = TransferCommands(app)

    # -- monitors -----------------------------------------------------------------------------------------------------

    def start(self, command: monitors.StartMonitor, caller: Caller) -> monitors.MonitorView:
        self._extension(command.supervisor)
        if command.agent_id:
            desk = self._app.core.floor.centre.desk.find(command.agent_id)
            if command.extension not in ("", desk.extension):
                where = f"agent {command.agent_id} does not sit at {command.extension}"
                raise errors.InvalidValue(where, field="extension")
            if not desk.extension:
                raise errors.WrongState(f"agent {command.agent_id} has no phone", state="unbound")
            command = msgspec.structs.replace(command, extension=desk.extension)
        call, agent = self._supervised(command)
        if call.is_direct:
            raise errors.WrongState(f"the audio of call {call.call_id} does not come by the switch", state="direct")
        if agent.kind == "extension" and agent.name == command.supervisor:
            raise errors.WrongState(f"extension {command.supervisor} is on this call himself", state=call.phase)
        if agent.kind == "extension":
            # The call may be in his scope for another party's sake.
            self._app.gate.require(caller, "monitor.listen", "extension", agent.name)
        if not supervision.may_supervise(self._env.directory, command.supervisor, agent):
            raise errors.SupervisionDenied(f"extension {command.supervisor} may not supervise {agent.name}")
        if len(call.monitors) >= MAX_MONITORS:
            raise errors.Congested(f"{MAX_MONITORS} supervisors are on call {call.call_id} already")
        monitor = Monitor(
            monitor_id=self._env.ids.new(),
            supervisor=command.supervisor,
            agent_leg=agent.leg_id,
            mode=command.mode,
            agent_audio=command.agent_audio if command.mode == "barge" else "full",
            by=caller.user,
        )
        failed: list[HangupCause] = []

        def ring(now: float) -> list[Any]:
            actions, cause = supervision.start(call, monitor, command.timeout_s, now, self._env)
            if cause is not None:
                failed.append(cause)
            self._calls.arm(call)
            return actions

        self._runtime.run(ring)
        if failed:
            raise errors.NoRoute(f"extension {command.supervisor} cannot be rung", cause=failed[0].value)
        return _view(call, monitor)

    def list(self, command: monitors.ListMonitors, caller: Caller) -> monitors.MonitorList:
        found = [
            _view(call, monitor)
            for call, monitor in self._all()
            if command.call_id in ("", call.call_id) and command.supervisor in ("", monitor.supervisor)
        ]
        return monitors.MonitorList(monitors=found)

    def change(self, command: monitors.ChangeMonitor, caller: Caller) -> monitors.MonitorView:
        call, monitor = self._find(command.monitor_id)
        self._runtime.tell(SetMonitor(call.call_id, "", monitor.monitor_id, command.mode, command.agent_audio))
        return _view(call, monitor)

    def step_in(self, monitor_id: str, how: str) -> views.CallView:
        call, monitor = self._find(monitor_id)
        if not monitor.is_active:
            raise errors.WrongState(f"extension {monitor.supervisor} has not answered yet", state="ringing")
        self._runtime.tell(EndMonitor(call.call_id, "", monitor_id, how))
        return self._call_view(call)

    def stop(self, command: monitors.StopMonitor, caller: Caller) -> views.Done:
        call, monitor = self._find(command.monitor_id)
        self._runtime.tell(EndMonitor(call.call_id, "", monitor.monitor_id, "stop"))
        return views.Done()

    # -- calls --------------------------------------------------------------------------------------------------------

    def call_agent(self, command: monitors.CallAgent, caller: Caller) -> views.CallView:
        self._extension(command.supervisor)
        entry = self._extension(command.agent)
        directory = self._env.directory
        if not supervision.may_supervise_extension(directory, command.supervisor, command.agent):
            raise errors.SupervisionDenied(f"extension {command.supervisor} may not supervise {command.agent}")
        reason = self._why_not_waiting(entry)
        if reason:
            raise errors.NotWaiting(f"extension {command.agent} does not wait for calls: {reason}", reason=reason)
        order = Originate(from_=command.supervisor, to=command.agent, timeout_s=command.timeout_s)
        return self._handlers.originate(order, caller)

    def dispatch(self, command: monitors.Dispatch, caller: Caller) -> views.CallView:
        call = self._live(command.call_id)
        if call.phase == "ring":
            moved = self._transfers.redirect(
                RedirectCall(call_id=call.call_id, to=command.to, timeout_s=command.timeout_s), caller
            )
        elif call.phase == "bridged":
            agent = supervision.find_agent(call, leg_id=command.leg_id)
            if agent is None:
                raise errors.NoSuchLeg(f"{command.leg_id or 'nobody'} does not talk in call {call.call_id}")
            if agent.kind == "extension":
                self._app.gate.require(caller, "call.dispatch", "extension", agent.name)
            order = Transfer(
                call_id=call.call_id, leg_id=agent.leg_id, to=command.to, timeout_s=command.timeout_s, recall=False
            )
            moved = self._transfers.transfer(order, caller)
        else:
            raise errors.WrongState(f"call {call.call_id} is in phase {call.phase}", state=call.phase)
        self._app.hub.publish(CallDispatched(call_id=call.call_id, to=command.to, by=caller.user))
        return moved

    def _why_not_waiting(self, entry: ExtensionEntry) -> str:
        if not entry.is_enabled:
            return "disabled"
        if not self._env.bindings(entry.number, self._runtime.outside.clock()):
            return "not_registered"
        if self._env.services.of(entry).is_dnd:
            return "do_not_disturb"
        for call in self._calls.calls.values():
            for leg in call.live_legs():
                if leg.kind == "extension" and leg.name == entry.number:
                    return "busy" if leg.is_up else "ringing"
        return ""

    # -- finding ------------------------------------------------------------------------------------------------------

    def _supervised(self, command: monitors.StartMonitor) -> tuple[Call, Leg]:
        if command.call_id:
            call = self._live(command.call_id)
            agent = supervision.find_agent(call, command.extension, command.leg_id)
            if agent is None:
                whom = command.leg_id or command.extension or "nobody"
                raise errors.NoSuchLeg(f"{whom} does not talk in call {command.call_id}")
            return call, agent
        entry = self._extension(command.extension)
        for call in self._calls.calls.values():
            agent = supervision.find_agent(call, entry.number) if call.phase != "releasing" else None
            if agent is not None:
                return call, agent
        raise errors.WrongState(f"extension {entry.number} is in no call", state="idle")

    def _live(self, call_id: str) -> Call:
        call = self._calls.calls.get(call_id)
        if call is None or call.phase == "releasing":
            raise errors.NoSuchCall(f"no live call {call_id}")
        return call

    def _extension(self, number: str) -> ExtensionEntry:
        entry = self._env.directory.extensions.get(number)
        if entry is None:
            raise errors.NoSuchExtension(f"no extension {number or '(none was named)'}")
        return entry

    def _find(self, monitor_id: str) -> tuple[Call, Monitor]:
        for call, monitor in self._all():
            if monitor.monitor_id == monitor_id:
                return call, monitor
        raise errors.NoSuchMonitor(f"no monitor {monitor_id}")

    def _all(self) -> Iterator[tuple[Call, Monitor]]:
        for call in self._calls.calls.values():
            for monitor in call.monitors.values():
                yield call, monitor

    def _call_view(self, call: Call) -> views.CallView:
        worker = self._app.worker_name(call.worker) if not call.is_direct else ""
        return call_view(call, time.time(), worker)


def _view(call: Call, monitor: Monitor) -> monitors.MonitorView:
    agent = call.legs[monitor.agent_leg]
    return monitors.MonitorView(
        monitor_id=monitor.monitor_id,
        call_id=call.call_id,
        supervisor=monitor.supervisor,
        leg_id=monitor.leg_id,
        agent_leg_id=agent.leg_id,
        agent=agent.name,
        state="active" if monitor.is_active else "ringing",
        mode=monitor.mode,
        agent_audio=monitor.agent_audio,
        started_utc=monitor.started_utc,
    )
