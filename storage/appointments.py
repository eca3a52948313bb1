"""Appointments with customers (OUT-27): whose, when, and which are due."""

from typing import Any, Protocol

import msgspec
from sqlalchemy import ColumnElement, func, insert, select, tuple_, update

from model.customers import Appointment
from storage import schema_campaigns as schema
from storage.database import Database
from storage.errors import NotFoundError
from storage.event_log import check_limit
from storage.filters import Page, format_cursor, parse_cursor

_a = schema.appointments.c
_COLUMNS = [_a[name] for name in Appointment.__struct_fields__]


class AppointmentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Empty texts and zeros do not restrict."""

    agent_id: str | None = None
    """ "" = anybody's; None = whosever they are."""
    states: tuple[str, ...] = ()
    campaign: str = ""
    record_id: str = ""
    customer_id: str = ""
    start_utc: float = 0.0
    """At this instant or later."""
    end_utc: float = 0.0


class AppointmentBook(Protocol):
    """Appointments, wherever they are kept."""

    async def add(self, appointment: Appointment) -> None: ...
    async def get(self, appointment_id: str) -> Appointment: ...
    async def change(self, appointment: Appointment) -> None: ...
    async def due(self, wall: float, limit: int = 100) -> list[Appointment]: ...
    async def next_utc(self) -> float: ...
    async def find(self, criteria: AppointmentFilter, *, after: str = "", limit: int = 50) -> Page[Appointment]: ...


class AppointmentQueries:
    """Every change is durable on return. UnavailableError when the database cannot be read, or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, appointment: Appointment) -> None:
        """Its id must be new."""
        async with self._database.write() as connection:
            await connection.execute(insert(schema.appointments).values(msgspec.structs.asdict(appointment)))

    async def get(self, appointment_id: str) -> Appointment:
        """NotFoundError when there is none."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(*_COLUMNS).where(_a.appointment_id == appointment_id))).first()
        if row is None:
            raise NotFoundError("appointment", appointment_id)
        return _appointment(row)

    async def change(self, appointment: Appointment) -> None:
        """All of it. NotFoundError when there is none."""
        mine = update(schema.appointments).where(_a.appointment_id == appointment.appointment_id)
        async with self._database.write() as connection:
            if not (await connection.execute(mine.values(msgspec.structs.asdict(appointment)))).rowcount:
                raise NotFoundError("appointment", appointment.appointment_id)

    async def due(self, wall: float, limit: int = 100) -> list[Appointment]:
        """Open ones whose time has come, the earliest first."""
        wanted = select(*_COLUMNS).where(_a.state == "open", _a.at_utc <= wall).order_by(_a.at_utc).limit(limit)
        async with self._database.read() as connection:
            return [_appointment(row) for row in await connection.execute(wanted)]

    async def next_utc(self) -> float:
        """When the earliest open one is; 0 = there is none."""
        async with self._database.read() as connection:
            wanted = select(func.min(_a.at_utc)).where(_a.state == "open")
            return (await connection.execute(wanted)).scalar() or 0.0

    async def find(self, criteria: AppointmentFilter, *, after: str = "", limit: int = 50) -> Page[Appointment]:
        """The earliest first. ValueError for a bad limit, CursorError for a bad `after`."""
        check_limit(limit)
        wanted = select(*_COLUMNS).where(*_clauses(criteria)).order_by(_a.at_utc, _a.appointment_id).limit(limit + 1)
        if after:
            wanted = wanted.where(tuple_(_a.at_utc, _a.appointment_id) > tuple_(*parse_cursor(after)))
        async with self._database.read() as connection:
            return page_of_appointments([_appointment(row) for row in await connection.execute(wanted)], limit)


def page_of_appointments(found: list[Appointment], limit: int) -> Page[Appointment]:
    """`found` has one more than the page when there are more."""
    items = found[:limit]
    return Page(items, format_cursor(items[-1].at_utc, items[-1].appointment_id) if len(found) > limit else "")


def _appointment(row: Any) -> Appointment:
    return Appointment(**row._asdict())


def _clauses(criteria: AppointmentFilter) -> list[ColumnElement[bool]]:
    named = ("campaign", "record_id", "customer_id")
    found = [_a[name] == value for name in named if (value := getattr(criteria, name))]
    if criteria.agent_id is not None:
        found.append(_a.agent_id == criteria.agent_id)
    if criteria.states:
        found.append(_a.state.in_(criteria.states))
    if criteria.start_utc:
        found.append(_a.at_utc >= criteria.start_utc)
    if criteria.end_utc:
        found.append(_a.at_utc < criteria.end_utc)
    return found
