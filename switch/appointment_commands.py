"""Handlers of `model.commands_appointments`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from control.auth import Caller
from model import commands_appointments as appointments
from model.commands_appointments import AppointmentList
from model.customers import Appointment
from model.declare import Command
from model.errors import InvalidValue
from storage.appointments import AppointmentFilter
from switch.asking import asked
from switch.masking import mask_number

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    handlers = AppointmentCommands(app)
    return {
        appointments.ListAppointments: handlers.list,
        appointments.CreateAppointment: handlers.create,
        appointments.ChangeAppointment: handlers.change,
        appointments.SnoozeAppointment: handlers.snooze,
        appointments.FinishAppointment: handlers.done,
        appointments.CancelAppointment: handlers.cancel,
    }


class AppointmentCommands:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._desk = app.appointments
        self._work = app.campaign_work
        self._preview = app.preview
        self._storage = app.storage

    async def list(self, command: appointments.ListAppointments, caller: Caller) -> AppointmentList:
        owner = self._preview.agent(command.agent_id).agent_id if command.agent_id else None
        criteria = AppointmentFilter(
            agent_id="" if command.is_shared else owner,
            states=tuple(command.states),
            campaign=command.campaign,
            record_id=command.record_id,
            customer_id=command.customer_id,
            start_utc=command.start_utc,
            end_utc=command.end_utc,
        )
        page = await asked(self._storage.appointments.find(criteria, after=command.cursor, limit=command.limit))
        return AppointmentList(appointments=[self._shown(each, caller) for each in page.items], cursor=page.after)

    async def create(self, command: appointments.CreateAppointment, caller: Caller) -> Appointment:
        agent = self._preview.agent(command.agent_id)
        campaign = command.campaign
        if command.record_id:
            record = await self._work.own_record(agent.agent_id, command.record_id)
            campaign = campaign or record.campaign
        if campaign:
            self._work.campaign(campaign)
        made = Appointment(
            appointment_id="",
            agent_id="" if command.is_shared else agent.agent_id,
            campaign=campaign,
            record_id=command.record_id,
            customer_id=command.customer_id,
            number=command.number,
            name=command.name,
            at_utc=command.at_utc,
            matter=command.matter,
        )
        return self._shown(await self._desk.make(made, caller.user), caller)

    async def change(self, command: appointments.ChangeAppointment, caller: Caller) -> Appointment:
        changes: dict[str, Any] = {}
        if command.matter is not None:
            changes["matter"] = command.matter
        if command.is_shared is not None:
            changes["agent_id"] = "" if command.is_shared else command.agent_id
        if not changes and not command.at_utc:
            raise InvalidValue("there is nothing to change", field="at_utc")
        moved = await self._desk.move(
            command.appointment_id, command.agent_id, caller.user, at_utc=command.at_utc, **changes
        )
        await self._work.promise_moved(moved)
        return self._shown(moved, caller)

    async def snooze(self, command: appointments.SnoozeAppointment, caller: Caller) -> Appointment:
        at_utc = self._desk.wall() + command.seconds
        moved = await self._desk.move(command.appointment_id, command.agent_id, caller.user, at_utc=at_utc)
        await self._work.promise_moved(moved)
        return self._shown(moved, caller)

    async def done(self, command: appointments.FinishAppointment, caller: Caller) -> Appointment:
        closed = await self._desk.close(command.appointment_id, command.agent_id, caller.user, "done")
        return self._shown(closed, caller)

    async def cancel(self, command: appointments.CancelAppointment, caller: Caller) -> Appointment:
        closed = await self._desk.close(command.appointment_id, command.agent_id, caller.user, "cancelled")
        await self._work.promise_moved(closed)
        return self._shown(closed, caller)

    def _shown(self, appointment: Appointment, caller: Caller) -> Appointment:
        if self._app.gate.may(caller, "phone.view_full"):
            return appointment
        return msgspec.structs.replace(appointment, number=mask_number(appointment.number))
