"""Do-not-call lists, customers and appointments in memory; functions and errors of their queries."""

from collections.abc import AsyncIterator, Sequence

from model.customers import Appointment, Customer
from model.dialing import DncEntry
from storage.appointments import AppointmentFilter, page_of_appointments
from storage.backlog import Backlog
from storage.barred import DncFilter, key_of, page_of_barred, parse_key
from storage.customers import CustomerFilter, page_of_customers
from storage.errors import DuplicateError, NotFoundError, UnavailableError
from storage.event_log import check_limit
from storage.filters import Page, parse_cursor


class MemoryBarred:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, bool], DncEntry] = {}

    async def add(self, entries: Sequence[DncEntry]) -> int:
        before = len(self.rows)
        self.rows |= {key_of(entry): entry for entry in entries}
        return len(self.rows) - before

    async def remove(self, number: str, campaign: str = "", *, is_prefix: bool = False) -> None:
        if self.rows.pop((number, campaign, is_prefix), None) is None:
            raise NotFoundError("do-not-call entry", number)

    async def remove_expired(self, wall: float, limit: int = 1000) -> list[DncEntry]:
        gone = [entry for entry in self.rows.values() if 0 < entry.expires_utc <= wall]
        gone = sorted(gone, key=lambda entry: entry.expires_utc)[:limit]
        for entry in gone:
            del self.rows[key_of(entry)]
        return gone

    async def find(self, criteria: DncFilter, *, after: str = "", limit: int = 50) -> Page[DncEntry]:
        check_limit(limit)
        place = parse_key(after) if after else ("", "", False)
        found = [
            self.rows[key]
            for key in sorted(self.rows)
            if (not after or key > place) and _is_barred_so(self.rows[key], criteria)
        ]
        return page_of_barred(found[: limit + 1], limit)

    async def all(self) -> AsyncIterator[list[DncEntry]]:
        if self.rows:
            yield [self.rows[key] for key in sorted(self.rows)]


class MemoryCustomers:
    def __init__(self) -> None:
        self.rows: dict[str, Customer] = {}

    async def add(self, customers: Sequence[Customer]) -> None:
        if any(customer.customer_id in self.rows for customer in customers):
            raise DuplicateError("customer", customers[0].customer_id if len(customers) == 1 else "")
        self.rows |= {customer.customer_id: customer for customer in customers}

    async def get(self, customer_id: str) -> Customer:
        if customer_id not in self.rows:
            raise NotFoundError("customer", customer_id)
        return self.rows[customer_id]

    async def get_many(self, customer_ids: Sequence[str]) -> dict[str, Customer]:
        return {key: self.rows[key] for key in customer_ids if key in self.rows}

    async def update(self, customer: Customer) -> Customer:
        await self.get(customer.customer_id)
        self.rows[customer.customer_id] = customer
        return customer

    async def delete(self, customer_ids: Sequence[str]) -> int:
        return sum(self.rows.pop(key, None) is not None for key in {*customer_ids})

    async def find(self, criteria: CustomerFilter, *, after: str = "", limit: int = 50) -> Page[Customer]:
        check_limit(limit)
        found = [self.rows[key] for key in sorted(self.rows) if key > after and _is_so(self.rows[key], criteria)]
        return page_of_customers(found[: limit + 1], limit)

    async def known_numbers(self, numbers: Sequence[str]) -> set[str]:
        return {*numbers} & {each.number for row in self.rows.values() for each in row.numbers}


class MemoryAppointments:
    """`backlog` says whether the database is away."""

    def __init__(self, backlog: Backlog) -> None:
        self.rows: dict[str, Appointment] = {}
        self._backlog = backlog

    def _check(self) -> None:
        if self._backlog.state.is_failing:
            raise UnavailableError(self._backlog.state.error)

    async def add(self, appointment: Appointment) -> None:
        self._check()
        self.rows[appointment.appointment_id] = appointment

    async def get(self, appointment_id: str) -> Appointment:
        if appointment_id not in self.rows:
            raise NotFoundError("appointment", appointment_id)
        return self.rows[appointment_id]

    async def change(self, appointment: Appointment) -> None:
        self._check()
        await self.get(appointment.appointment_id)
        self.rows[appointment.appointment_id] = appointment

    async def due(self, wall: float, limit: int = 100) -> list[Appointment]:
        return [row for row in self._sorted() if row.state == "open" and row.at_utc <= wall][:limit]

    async def next_utc(self) -> float:
        return min((row.at_utc for row in self.rows.values() if row.state == "open"), default=0.0)

    async def find(self, criteria: AppointmentFilter, *, after: str = "", limit: int = 50) -> Page[Appointment]:
        check_limit(limit)
        place = parse_cursor(after) if after else (-1.0, "")
        found = [
            row
            for row in self._sorted()
            if (row.at_utc, row.appointment_id) > place
            and all(
                getattr(criteria, name) in ("", getattr(row, name)) for name in ("campaign", "record_id", "customer_id")
            )
            and criteria.agent_id in (None, row.agent_id)
            and (not criteria.states or row.state in criteria.states)
            and criteria.start_utc <= row.at_utc < (criteria.end_utc or float("inf"))
        ]
        return page_of_appointments(found[: limit + 1], limit)

    def _sorted(self) -> list[Appointment]:
        return sorted(self.rows.values(), key=lambda row: (row.at_utc, row.appointment_id))


def _is_barred_so(entry: DncEntry, criteria: DncFilter) -> bool:
    return (
        entry.number.startswith(criteria.number)
        and criteria.campaign in (None, entry.campaign)
        and criteria.source in ("", entry.source)
        and any(criteria.text.lower() in text.lower() for text in (entry.reason, entry.number))
    )


def _is_so(row: Customer, criteria: CustomerFilter) -> bool:
    def is_number(number: str) -> bool:
        return number.endswith(criteria.number) if criteria.is_suffix else number == criteria.number

    return (
        (not criteria.number or any(is_number(each.number) for each in row.numbers))
        and criteria.name.lower() in row.name.lower()
        and any(criteria.text.lower() in text.lower() for text in (row.name, str(row.data)))
        and (not criteria.tag or criteria.tag in row.tags)
        and criteria.owner in (None, row.owner)
        and any(area.startswith(criteria.area) for area in (row.area, *(each.area for each in row.numbers)))
        and criteria.level in ("", row.level)
        and criteria.source in ("", row.source)
    )
