"""Handlers of `model.commands_parking`."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from model import errors, views
from model.causes import HangupCause
from model.commands_parking import ListParked, Park, ParkedCall, ParkedCalls, Retrieve
from model.declare import Command
from switch import parking
from switch.call import Call
from switch.leg_events import FetchParked, ParkLeg
from switch.transfers import number_of
from switch.views import call_view

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    handlers = ParkingCommands(app)
    return {Park: handlers.park, Retrieve: handlers.retrieve, ListParked: handlers.list}


class ParkingCommands:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._runtime = app.runtime
        self._calls = app.runtime.calls
        self._env = app.runtime.calls.env

    def park(self, command: Park, caller: Caller) -> ParkedCall:
        call = self._call(command.call_id)
        leg = call.legs.get(command.leg_id)
        if leg is None or leg.is_ended:
            raise errors.NoSuchLeg(f"call {call.call_id} has no live leg {command.leg_id}")
        if call.phase != "bridged":
            raise errors.WrongState(f"call {call.call_id} is in phase {call.phase}, not bridged", state=call.phase)
        refused = parking.refusal(call, leg, command.orbit, self._env)
        if refused is HangupCause.UNALLOCATED_NUMBER:
            raise errors.InvalidValue(f"{command.orbit} is no orbit", field="orbit")
        if refused is HangupCause.NORMAL_TEMPORARY_FAILURE:
            raise errors.WrongState("only an extension that talks with one party can park it", state=leg.state)
        if refused is not None:
            raise errors.NoRoute("the orbit is taken" if command.orbit else "no orbit is free", cause=refused.value)
        self._runtime.tell(ParkLeg(call.call_id, leg.leg_id, command.orbit))
        shown = _view(call)
        if shown is None:
            raise errors.WrongState(f"call {call.call_id} was not parked", state=call.phase)
        return shown

    def retrieve(self, command: Retrieve, caller: Caller) -> views.CallView:
        call = self._call(command.call_id)
        if call.parked is None or call.ringings:
            raise errors.WrongState(f"call {call.call_id} is not parked, or rings already", state=call.phase)
        made = parking.fetch(call, command.to, self._runtime.outside.clock(), self._env)
        if isinstance(made, HangupCause):
            raise errors.NoRoute(f"{command.to} cannot be called: {made.value}", cause=made.value)
        self._runtime.tell(FetchParked(call.call_id, "", command.to))
        return call_view(call, time.time(), self._app.worker_name(call.worker))

    def list(self, command: ListParked, caller: Caller) -> ParkedCalls:
        found = [view for call in self._calls.calls.values() if (view := _view(call)) is not None]
        return ParkedCalls(parked=sorted(found, key=lambda view: view.orbit))

    def _call(self, call_id: str) -> Call:
        call = self._calls.find(call_id)
        if call is None or call.phase == "releasing":
            raise errors.NoSuchCall(f"no live call {call_id}")
        return call


def _view(call: Call) -> ParkedCall | None:
    parked = call.parked
    if parked is None:
        return None
    return ParkedCall(
        orbit=parked.orbit,
        call_id=call.call_id,
        leg_id=parked.leg_id,
        number=number_of(call.legs[parked.leg_id]),
        by=parked.by,
        since_utc=parked.since_utc,
    )
