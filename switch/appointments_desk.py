"""Appointments with customers: made, moved, kept, cancelled, and reminded of (OUT-27, XOUT-11).

Who was reminded is in the database before he is told, so that nobody is told the same twice after a restart; what was
not kept by then is told when its owner signs in.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from dialer.reminders import Reminders
from model.commands_appointments import AppointmentChanged, AppointmentDue
from model.customers import Appointment
from model.declare import Event
from model.errors import InvalidValue, NoSuchAppointment, PermissionDenied, StorageUnavailable, WrongState
from model.events_agent import AgentSignedIn
from storage.appointments import AppointmentFilter
from storage.errors import NotFoundError, UnavailableError
from storage.interface import AnyStorage
from switch.asking import asked
from switch.core import Core

log = logging.getLogger(__name__)

AT_ONCE = 100
MOST_AHEAD_S = 366 * 86_400.0
"""Nobody makes an appointment further ahead."""
OPEN = ("open", "reminded")


class AppointmentsDesk:
    """One per switch. `own` sees the work through that time asks for."""

    def __init__(
        self,
        core: Core,
        storage: AnyStorage,
        publish: Callable[[Event], None],
        own: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._core = core
        self._storage = storage
        self._publish = publish
        self._own = own
        self._reminders = Reminders()
        # Two who change the same appointment do it one after the other.
        self._lock = asyncio.Lock()
        core.runtime.also_drive(self._reminders, self._time_due)
        core.floor.watch(self._centre_said)

    async def load(self) -> None:
        """When the first one is due. Raises UnavailableError."""
        self._expect(await self._storage.appointments.next_utc())

    # -- what people do ------------------------------------------------------------------------------------------------

    async def make(self, appointment: Appointment, by: str) -> Appointment:
        """Durable on return. Raises InvalidValue, StorageUnavailable."""
        self._check_time(appointment.at_utc)
        queue = self._queue(appointment)
        if not appointment.agent_id and not queue:
            raise InvalidValue(
                "a shared appointment needs a campaign with a queue: its agents are reminded", field="campaign"
            )
        wall = self.wall()
        made = msgspec.structs.replace(
            appointment,
            appointment_id=self._core.env.ids.new(),
            state="open",
            created_by=by,
            created_utc=wall,
            updated_utc=wall,
        )
        async with self._lock:
            await asked(self._storage.appointments.add(made))
        self._told(made, by)
        return made

    async def move(self, appointment_id: str, who: str, by: str, *, at_utc: float = 0.0, **changes: Any) -> Appointment:
        """A new time, owner or matter, by agent `who`. Raises NoSuchAppointment, PermissionDenied, WrongState,
        InvalidValue."""
        if at_utc:
            self._check_time(at_utc)
            changes |= {"at_utc": at_utc, "state": "open", "reminded_utc": 0.0}
        return await self._change(appointment_id, who, by, **changes)

    async def close(self, appointment_id: str, who: str, by: str, state: str) -> Appointment:
        """It is done or cancelled."""
        return await self._change(appointment_id, who, by, state=state)

    async def kept(self, record_id: str, by: str) -> None:
        """Somebody spoke to the customer of a record: what was agreed on with him is done."""
        await self._each_of(record_id, by, state="done")

    async def hand_over(self, record_id: str, agent_id: str, by: str = "") -> None:
        """They are another agent's, or ("") anybody's; where there is nobody to remind, nothing comes of them."""
        await self._each_of(record_id, by, agent_id=agent_id)

    async def _each_of(self, record_id: str, by: str, **changes: Any) -> None:
        criteria = AppointmentFilter(record_id=record_id, states=OPEN)
        async with self._lock:
            page = await asked(self._storage.appointments.find(criteria, limit=AT_ONCE))
            for appointment in page.items:
                is_nobodys = changes.get("agent_id") == "" and not self._queue(appointment)
                await self._keep(appointment, by, **({"state": "cancelled"} if is_nobodys else changes))

    async def _change(self, appointment_id: str, who: str, by: str, **changes: Any) -> Appointment:
        async with self._lock:
            try:
                there = await asked(self._storage.appointments.get(appointment_id))
            except NotFoundError:
                raise NoSuchAppointment(f"no appointment {appointment_id}") from None
            if there.agent_id != who and (there.agent_id or self._queue(there) not in self._queues_of(who)):
                raise PermissionDenied(f"appointment {appointment_id} is not one of agent {who}")
            if there.state not in OPEN:
                raise WrongState(f"appointment {appointment_id} is {there.state}", state=there.state)
            return await self._keep(there, by, **changes)

    async def _keep(self, there: Appointment, by: str, **changes: Any) -> Appointment:
        changed = msgspec.structs.replace(there, **changes, updated_utc=self.wall())
        if changes.get("agent_id") == "" and not self._queue(changed):
            raise InvalidValue("its campaign has no queue whose agents could be reminded", field="is_shared")
        await asked(self._storage.appointments.change(changed))
        self._told(changed, by)
        return changed

    def _told(self, appointment: Appointment, by: str) -> None:
        if appointment.state == "open":
            self._expect(appointment.at_utc)
        self._publish(
            AppointmentChanged(
                appointment_id=appointment.appointment_id,
                agent_id=appointment.agent_id,
                queue="" if appointment.agent_id else self._queue(appointment),
                at_utc=appointment.at_utc,
                state=appointment.state,
                by=by,
            )
        )

    # -- reminding -----------------------------------------------------------------------------------------------------

    def _expect(self, at_utc: float) -> None:
        if at_utc:
            now = self._core.floor.now()
            self._reminders.expect(at_utc, now, self._core.env.wall(now))
            self._core.runtime.extra_changed()
            self._core.runtime.rearm(now)

    def _time_due(self, now: float) -> None:
        if self._reminders.handle_timeout(now):
            self._own(self._remind())

    async def _remind(self) -> None:
        storage, is_read = self._storage.appointments, False
        next_utc = 0.0
        try:
            async with self._lock:
                while due := await storage.due(self.wall(), AT_ONCE):
                    for appointment in due:
                        await self._remind_of(appointment)
                next_utc = await storage.next_utc()
            is_read = True
        except (UnavailableError, NotFoundError) as error:
            log.warning("! appointments that are due cannot be told: %s", error)
        now = self._core.floor.now()
        if is_read:
            self._reminders.asked(next_utc, now, self._core.env.wall(now))
        else:
            self._reminders.failed(now)
        self._core.runtime.extra_changed()
        self._core.runtime.rearm(now)

    async def _remind_of(self, appointment: Appointment) -> None:
        wall = self.wall()
        told = msgspec.structs.replace(appointment, state="reminded", reminded_utc=wall, updated_utc=wall)
        await self._storage.appointments.change(told)
        self._publish(self._due(told, told.agent_id, is_overdue=False))

    def _centre_said(self, event: Event, now: float) -> None:
        # Whose seat a restart has kept was told before.
        if type(event) is AgentSignedIn and not event.is_restored:
            self._own(self._tell_overdue(event.agent_id))

    async def _tell_overdue(self, agent_id: str) -> None:
        """What waits for him since before he came."""
        queues = self._queues_of(agent_id)
        for owner in (agent_id, ""):
            criteria = AppointmentFilter(agent_id=owner, states=("reminded",), end_utc=self.wall())
            try:
                page = await asked(self._storage.appointments.find(criteria, limit=AT_ONCE))
            except StorageUnavailable as error:
                log.warning("! agent %s is not told what is overdue: %s", agent_id, error)
                return
            for appointment in page.items:
                if owner or self._queue(appointment) in queues:
                    self._publish(self._due(appointment, agent_id, is_overdue=True))

    def _due(self, appointment: Appointment, agent_id: str, *, is_overdue: bool) -> AppointmentDue:
        return AppointmentDue(
            appointment_id=appointment.appointment_id,
            agent_id=agent_id,
            queue="" if agent_id else self._queue(appointment),
            is_shared=not appointment.agent_id,
            at_utc=appointment.at_utc,
            matter=appointment.matter,
            name=appointment.name,
            campaign=appointment.campaign,
            record_id=appointment.record_id,
            customer_id=appointment.customer_id,
            is_overdue=is_overdue,
        )

    # -- small parts ---------------------------------------------------------------------------------------------------

    def wall(self) -> float:
        return self._core.env.wall(self._core.floor.now())

    def _check_time(self, at_utc: float) -> None:
        if at_utc > self.wall() + MOST_AHEAD_S:
            raise InvalidValue("that is more than a year ahead", field="at_utc")

    def _queues_of(self, agent_id: str) -> set[str]:
        agent = self._core.directory.agents.get(agent_id)
        return {each.queue for each in agent.queues} if agent is not None else set()

    def _queue(self, appointment: Appointment) -> str:
        campaign = self._core.directory.campaigns.get(appointment.campaign)
        return campaign.queue if campaign is not None else ""
