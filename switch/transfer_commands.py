"""Handlers of `model.commands_transfer`. What is not allowed is said at once; how it goes on is told by events."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from model import commands_transfer as commands
from model import errors, views
from model.causes import HangupCause
from model.declare import Command
from switch import consults, transfers
from switch.call import Call, Consult, Leg
from switch.leg_events import CallEvent, ChangeConsult, MuteLeg, Redirect, SetData, StartConsult, TransferLeg
from switch.phases import ring
from switch.ring_plan import Ringing
from switch.views import call_view, consult_view

if TYPE_CHECKING:
    from switch.app import App

MAX_DATA = 64
"""Values of customer data a call may have."""


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    handlers = TransferCommands(app)
    return {
        commands.Transfer: handlers.transfer,
        commands.RedirectCall: handlers.redirect,
        commands.Mute: handlers.mute,
        commands.SetCallData: handlers.set_data,
        commands.ConsultStart: handlers.consult,
        commands.ConsultCancel: lambda command, caller: handlers.change_consult(command.consult_id, "cancel"),
        commands.ConsultComplete: lambda command, caller: handlers.change_consult(command.consult_id, "complete"),
        commands.ConsultSwap: lambda command, caller: handlers.change_consult(command.consult_id, "swap"),
        commands.ConsultMerge: lambda command, caller: handlers.change_consult(command.consult_id, "merge"),
    }


class TransferCommands:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._runtime = app.runtime
        self._calls = app.runtime.calls
        self._env = app.runtime.calls.env

    def transfer(self, command: commands.Transfer, caller: Caller) -> views.CallView:
        call, leg = self._talking_leg(command.call_id, command.leg_id)
        number = self._number(command.to)
        now = self._runtime.outside.clock()
        self._check(transfers.prepare(call, leg, number, now, self._env), number, call)
        return self._tell(call, TransferLeg(call.call_id, leg.leg_id, number, command.timeout_s, command.recall))

    def redirect(self, command: commands.RedirectCall, caller: Caller) -> views.CallView:
        call = self._call(command.call_id)
        number = self._number(command.to)
        if call.phase != "ring":
            raise errors.WrongState(f"call {call.call_id} is in phase {call.phase}, it does not ring", state=call.phase)
        now = self._runtime.outside.clock()
        self._check(ring.prepare_redirect(call, number, 0.0, now, self._env), number, call)
        return self._tell(call, Redirect(call.call_id, "", number, command.timeout_s))

    def mute(self, command: commands.Mute, caller: Caller) -> views.CallView:
        call, leg = self._talking_leg(command.call_id, command.leg_id)
        if call.is_direct:
            raise errors.WrongState(f"the audio of call {call.call_id} does not come by the switch", state="direct")
        return self._tell(call, MuteLeg(call.call_id, leg.leg_id, command.is_muted))

    def set_data(self, command: commands.SetCallData, caller: Caller) -> views.CallView:
        call = self._call(command.call_id)
        if len(call.variables.keys() | command.data.keys()) > MAX_DATA:
            raise errors.InvalidValue(f"a call has at most {MAX_DATA} values", field="data")
        return self._tell(call, SetData(call.call_id, "", dict(command.data)))

    def consult(self, command: commands.ConsultStart, caller: Caller) -> views.ConsultView:
        call, leg = self._talking_leg(command.call_id, command.leg_id)
        if call.is_direct:
            raise errors.WrongState(f"the audio of call {call.call_id} does not come by the switch", state="direct")
        number = self._number(command.to)
        consult_id = self._env.ids.new()
        now = self._runtime.outside.clock()
        self._check(consults.prepare(call, leg, consult_id, number, 0.0, now, self._env), number, call)
        self._runtime.tell(StartConsult(call.call_id, leg.leg_id, consult_id, number, command.timeout_s))
        consult = call.consults.get(consult_id)
        if consult is None:
            # It failed at once, and the event has said why.
            consult = Consult(consult_id=consult_id, by=leg.leg_id, number=number, started_utc=time.time())
            return consult_view(call, consult, "failed")
        return consult_view(call, consult)

    def change_consult(self, consult_id: str, what: str) -> views.CallView:
        for call in self._calls.calls.values():
            consult = call.consults.get(consult_id)
            if consult is not None:
                break
        else:
            raise errors.NoSuchConsult(f"no consultation {consult_id}")
        why = consults.why_not(call, consult, what)
        if why:
            raise errors.WrongState(f"consultation {consult_id}: {why}", state="ringing" if not consult.leg else "")
        return self._tell(call, ChangeConsult(call.call_id, "", consult_id, what))

    # -- finding ------------------------------------------------------------------------------------------------------

    def _number(self, to: str) -> str:
        """The number that a target means."""
        kind, colon, name = to.partition(":")
        if not colon:
            return to
        match kind:
            case "extension" | "agent":
                if name not in self._env.directory.extensions:
                    raise errors.NoRoute(f"there is no {kind} {name}", cause=HangupCause.UNALLOCATED_NUMBER.value)
                return name
            case "ivr" | "queue" | "voicemail":
                directory = self._env.directory
                known, what = {
                    "ivr": (directory.flows.keys(), "flow"),
                    "queue": (directory.queues.keys(), "queue"),
                    "voicemail": (directory.boxes.keys(), "voicemail box"),
                }[kind]
                if name not in known:
                    raise errors.NoRoute(f"there is no {what} {name}", cause=HangupCause.NO_ROUTE_DESTINATION.value)
                return to
            case _:
                raise errors.InvalidValue(
                    f'"{to}" is no target: a number, "extension:NUMBER", "agent:NUMBER", "queue:NAME", "ivr:FLOW" or '
                    '"voicemail:BOX"',
                    field="to",
                )

    def _check(self, prepared: Ringing | HangupCause, number: str, call: Call) -> None:
        if not isinstance(prepared, HangupCause):
            return
        if prepared is HangupCause.NORMAL_TEMPORARY_FAILURE:
            raise errors.WrongState("the leg talks with nobody, or is transferring or consulting", state=call.phase)
        raise errors.NoRoute(f"{number} cannot be called: {prepared.value}", cause=prepared.value)

    def _call(self, call_id: str) -> Call:
        call = self._calls.find(call_id)
        if call is None or call.phase == "releasing":
            raise errors.NoSuchCall(f"no live call {call_id}")
        return call

    def _talking_leg(self, call_id: str, leg_id: str) -> tuple[Call, Leg]:
        call = self._call(call_id)
        leg = call.legs.get(leg_id)
        if leg is None or leg.is_ended:
            raise errors.NoSuchLeg(f"call {call.call_id} has no live leg {leg_id}")
        if call.phase != "bridged" or not leg.is_up:
            raise errors.WrongState(f"leg {leg_id} is not connected with anybody", state=call.phase)
        return call, leg

    def _tell(self, call: Call, event: CallEvent) -> views.CallView:
        self._runtime.tell(event)
        return call_view(call, time.time(), self._app.worker_name(call.worker) if not call.is_direct else "")
