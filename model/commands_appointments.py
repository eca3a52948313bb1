"""Commands and events of appointments (OUT-27, XOUT-11): times agreed on with customers, of which somebody is reminded.
`switch/appointments_desk.py` handles them."""

from typing import Annotated, Literal

from msgspec import Meta, field

from model import views
from model.agents import AgentId
from model.commands import Cursor, Id, Instant, Limit, OptionalId, OptionalText
from model.customers import Appointment
from model.declare import Command, Event, command, event
from model.errors import (
    InvalidValue,
    NoSuchAgent,
    NoSuchAppointment,
    NoSuchCampaign,
    PermissionDenied,
    StorageUnavailable,
    WrongState,
)

Matter = Annotated[str, Meta(max_length=2000)]


class AppointmentList(views.View, frozen=True, kw_only=True):
    """A page of appointments, soonest first."""

    appointments: list[Appointment]
    cursor: str
    """For the next page; empty = this was the last."""


@command(
    "appointment.list",
    permission="agent.view",
    of="agent_id",
    own="agent.work",
    result=AppointmentList,
    errors=(NoSuchAgent, InvalidValue, StorageUnavailable),
)
class ListAppointments(Command, frozen=True, kw_only=True):
    """Appointments, soonest first."""

    agent_id: OptionalText = ""
    """Only of this agent; empty = of everybody."""
    is_shared: bool = False
    """Only those that are nobody's own, in place of the agent's."""
    states: Annotated[list[Literal["open", "reminded", "done", "cancelled"]], Meta(max_length=4)] = field(
        default_factory=lambda: ["open", "reminded"]
    )
    campaign: OptionalId = ""
    record_id: OptionalId = ""
    customer_id: OptionalId = ""
    start_utc: Instant = 0.0
    end_utc: Instant = 0.0
    """0 = no end."""
    limit: Limit = 50
    cursor: Cursor = ""


@command(
    "appointment.create",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=Appointment,
    errors=(NoSuchAgent, NoSuchCampaign, PermissionDenied, InvalidValue, StorageUnavailable),
)
class CreateAppointment(Command, frozen=True, kw_only=True):
    """Notes a time agreed on with a customer. Whoever promises a call with `record.result` has one made by that."""

    agent_id: AgentId
    """Who makes it, and whose it is."""
    is_shared: bool = False
    """Not his own: all agents of the queue of `campaign` are reminded."""
    at_utc: Instant
    matter: Matter = ""
    """What it is about."""
    campaign: OptionalId = ""
    record_id: OptionalId = ""
    customer_id: OptionalId = ""
    number: OptionalText = ""
    name: OptionalText = ""


@command(
    "appointment.change",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=Appointment,
    errors=(NoSuchAgent, NoSuchAppointment, PermissionDenied, InvalidValue, WrongState, StorageUnavailable),
)
class ChangeAppointment(Command, frozen=True, kw_only=True):
    """Changes what is given. A new time is reminded of anew."""

    agent_id: AgentId
    """Who changes it."""
    appointment_id: Id
    at_utc: Instant = 0.0
    """0 = as it is."""
    matter: Matter | None = None
    is_shared: bool | None = None
    """False: it becomes this agent's own."""


@command(
    "appointment.snooze",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=Appointment,
    errors=(NoSuchAgent, NoSuchAppointment, PermissionDenied, WrongState, StorageUnavailable),
)
class SnoozeAppointment(Command, frozen=True, kw_only=True):
    """It is reminded of again after a while: that is its time then."""

    agent_id: AgentId
    appointment_id: Id
    seconds: Annotated[float, Meta(ge=10, le=86_400)] = 300.0
    """From now."""


@command(
    "appointment.done",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=Appointment,
    errors=(NoSuchAgent, NoSuchAppointment, PermissionDenied, WrongState, StorageUnavailable),
)
class FinishAppointment(Command, frozen=True, kw_only=True):
    """It was kept."""

    agent_id: AgentId
    appointment_id: Id


@command(
    "appointment.cancel",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=Appointment,
    errors=(NoSuchAgent, NoSuchAppointment, PermissionDenied, WrongState, StorageUnavailable),
)
class CancelAppointment(Command, frozen=True, kw_only=True):
    """Nothing comes of it. A record that was promised a call by it is called as others are."""

    agent_id: AgentId
    appointment_id: Id


@event("appointment.due")
class AppointmentDue(Event, frozen=True, kw_only=True):
    """It is time; told once, and again after a snooze, to its owner or, of a shared one, to the agents of the queue.
    What is overdue is told again when he signs in."""

    appointment_id: str
    agent_id: str
    """Who is reminded; empty = all agents of `queue`."""
    queue: str
    is_shared: bool
    at_utc: float
    matter: str
    name: str
    campaign: str
    record_id: str
    customer_id: str
    is_overdue: bool
    """It was told before, or nobody was there to be told."""


@event("appointment.changed")
class AppointmentChanged(Event, frozen=True, kw_only=True):
    """It was made, moved, kept or cancelled."""

    appointment_id: str
    agent_id: str
    """Whose it is; empty = shared."""
    queue: str
    """Of the campaign, when it is shared."""
    at_utc: float
    state: str
    """open, reminded, done or cancelled."""
    by: str
