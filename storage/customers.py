"""Customers (OUT-07, OUT-26): who they are, by which numbers, and whose."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.exc import IntegrityError

from model.customers import Customer, CustomerNumber
from storage import schema_campaigns as schema
from storage.campaign_records import pieces
from storage.database import Database
from storage.errors import DuplicateError, NotFoundError
from storage.event_log import check_limit
from storage.filters import Page
from storage.upsert import Row, Update, delete_by, execute, insert

_c = schema.customers.c
_n = schema.customer_numbers.c
_FIELDS = Customer.__struct_fields__
_COLUMNS = [_c[name] for name in _FIELDS]
_INSERT = insert(schema.customers, _FIELDS)
_UPDATE = Update(schema.customers, _FIELDS[1:])
_INSERT_NUMBERS = insert(schema.customer_numbers, ("customer_id", "position", "number_reversed"))
_DELETE_NUMBERS = delete_by(schema.customer_numbers, "customer_id")
_IN_TRANSACTION = 2000
_AT_ONCE = 250
_IN_LIST = 500

_encode = msgspec.json.Encoder().encode
_decode_numbers = msgspec.json.Decoder(list[CustomerNumber]).decode
_decode_data = msgspec.json.Decoder(dict[str, str]).decode


class CustomerFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Empty texts do not restrict."""

    number: str = ""
    is_suffix: bool = False
    """`number` is the end of one."""
    name: str = ""
    """A part of it."""
    text: str = ""
    """In the name, or in what else is known."""
    tag: str = ""
    owner: str | None = None
    """ "" = nobody's; None = anybody's."""
    area: str = ""
    """The beginning of his, or of one of his numbers'."""
    level: str = ""
    source: str = ""


class CustomerBook(Protocol):
    """Customers, wherever they are kept."""

    async def add(self, customers: Sequence[Customer]) -> None: ...
    async def get(self, customer_id: str) -> Customer: ...
    async def get_many(self, customer_ids: Sequence[str]) -> dict[str, Customer]: ...
    async def update(self, customer: Customer) -> Customer: ...
    async def delete(self, customer_ids: Sequence[str]) -> int: ...
    async def find(self, criteria: CustomerFilter, *, after: str = "", limit: int = 50) -> Page[Customer]: ...
    async def known_numbers(self, numbers: Sequence[str]) -> set[str]: ...


class CustomerQueries:
    """Every change is durable on return. UnavailableError when the database cannot be read, or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, customers: Sequence[Customer]) -> None:
        """In transactions of some thousand: after an error some may be there. DuplicateError for an id that is."""
        for start in range(0, len(customers), _IN_TRANSACTION):
            some = customers[start : start + _IN_TRANSACTION]
            try:
                async with self._database.write() as connection:
                    for piece in pieces(some, _AT_ONCE):
                        await execute(connection, _INSERT, [_row(customer) for customer in piece])
                        await execute(
                            connection, _INSERT_NUMBERS, [row for each in piece for row in _number_rows(each)]
                        )
            except IntegrityError as error:
                raise DuplicateError("customer", some[0].customer_id if len(some) == 1 else "") from error

    async def get(self, customer_id: str) -> Customer:
        """NotFoundError when there is none."""
        found = await self.get_many([customer_id])
        if customer_id not in found:
            raise NotFoundError("customer", customer_id)
        return found[customer_id]

    async def get_many(self, customer_ids: Sequence[str]) -> dict[str, Customer]:
        """Those that are there, by id."""
        found: dict[str, Customer] = {}
        async with self._database.read() as connection:
            for ids in pieces(customer_ids, _IN_LIST):
                for row in await connection.execute(select(*_COLUMNS).where(_c.customer_id.in_(ids))):
                    found[row.customer_id] = _customer(row)
        return found

    async def update(self, customer: Customer) -> Customer:
        """All of it. NotFoundError when there is none."""
        key, *values = _row(customer)
        async with self._database.write() as connection:
            there = await connection.execute(select(_c.customer_id).where(_c.customer_id == key))
            if there.first() is None:
                raise NotFoundError("customer", key)
            await execute(connection, _UPDATE, [(*values, key)])
            await execute(connection, _DELETE_NUMBERS, [(key,)])
            await execute(connection, _INSERT_NUMBERS, _number_rows(customer))
        return customer

    async def delete(self, customer_ids: Sequence[str]) -> int:
        """Returns how many there were."""
        n = 0
        for ids in pieces(customer_ids, _IN_LIST):
            async with self._database.write() as connection:
                n += (await connection.execute(delete(schema.customers).where(_c.customer_id.in_(ids)))).rowcount
        return n

    async def find(self, criteria: CustomerFilter, *, after: str = "", limit: int = 50) -> Page[Customer]:
        """In the order in which they came in. ValueError for a bad limit."""
        check_limit(limit)
        wanted = select(*_COLUMNS).where(*_clauses(criteria)).order_by(_c.customer_id).limit(limit + 1)
        if after:
            wanted = wanted.where(_c.customer_id > after)
        async with self._database.read() as connection:
            return page_of_customers([_customer(row) for row in await connection.execute(wanted)], limit)

    async def known_numbers(self, numbers: Sequence[str]) -> set[str]:
        """Those of `numbers` that customers have."""
        found: set[str] = set()
        async with self._database.read() as connection:
            for some in pieces(numbers, _IN_LIST):
                backwards = [number[::-1] for number in some]
                wanted = select(_n.number_reversed).where(_n.number_reversed.in_(backwards))
                found |= {row[0][::-1] for row in await connection.execute(wanted)}
        return found


def page_of_customers(found: list[Customer], limit: int) -> Page[Customer]:
    """`found` has one more than the page when there are more."""
    items = found[:limit]
    return Page(items, items[-1].customer_id if len(found) > limit else "")


def _row(customer: Customer) -> Row:
    values = msgspec.structs.asdict(customer)
    values["numbers"] = _encode(customer.numbers).decode()
    values["data"] = _encode(customer.data).decode() if customer.data else ""
    # With a comma at each end, so that a tag is found by itself and not as a part of others.
    values["tags"] = f",{','.join(customer.tags)}," if customer.tags else ""
    return tuple(values.values())


def _number_rows(customer: Customer) -> list[Row]:
    return [(customer.customer_id, position, each.number[::-1]) for position, each in enumerate(customer.numbers)]


def _customer(row: Any) -> Customer:
    values: dict[str, Any] = row._asdict()
    values["numbers"] = _decode_numbers(values["numbers"] or b"[]")
    values["data"] = _decode_data(values["data"] or b"{}")
    values["tags"] = values["tags"].strip(",").split(",") if values["tags"] else []
    return Customer(**values)


def _having(number: str, is_suffix: bool) -> Select[Any]:
    backwards = number[::-1]
    column = _n.number_reversed
    if not is_suffix:
        return select(_n.customer_id).where(column == backwards)
    return select(_n.customer_id).where(column >= backwards, column <= backwards + "\U0010ffff")


def _clauses(criteria: CustomerFilter) -> list[ColumnElement[bool]]:
    found = [_c[name] == value for name in ("level", "source") if (value := getattr(criteria, name))]
    if criteria.owner is not None:
        found.append(_c.owner == criteria.owner)
    if criteria.number:
        found.append(_c.customer_id.in_(_having(criteria.number, criteria.is_suffix)))
    if criteria.tag:
        found.append(_c.tags.contains(f",{criteria.tag},", autoescape=True))
    if criteria.name:
        found.append(func.lower(_c.name).contains(criteria.name.lower(), autoescape=True))
    if criteria.text:
        wanted = criteria.text.lower()
        found.append(or_(*(func.lower(column).contains(wanted, autoescape=True) for column in (_c.name, _c.data))))
    if criteria.area:
        inside = f'"area":"{criteria.area}'
        found.append(
            or_(
                _c.area.startswith(criteria.area, autoescape=True),
                _c.numbers.contains(inside, autoescape=True),
            )
        )
    return found
