"""Customers by API."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from msgspec.structs import replace

from control.auth import Caller
from model import commands_customers as customers
from model import errors
from model.commands_lists import RecordsTouched
from model.customers import Customer, CustomerNumber
from model.declare import Command
from storage.customers import CustomerFilter
from storage.errors import NotFoundError
from switch.asking import asked
from switch.hidden_numbers import HiddenNumbers
from switch.list_rows import MAX_TAGS
from switch.list_takers import row_id
from switch.lists import Lists
from switch.records_desk import read_numbers, zone_named

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    desk = CustomersDesk(app.lists, HiddenNumbers(app.gate))
    return {
        customers.CreateCustomer: desk.create,
        customers.UpdateCustomer: desk.update,
        customers.GetCustomer: desk.get,
        customers.FindCustomers: desk.find,
        customers.DeleteCustomers: desk.delete,
        customers.TagCustomers: desk.tag,
    }


class CustomersDesk:
    def __init__(self, kept: Lists, hidden: HiddenNumbers) -> None:
        self._lists = kept
        self._hidden = hidden
        self._customers = kept.storage.customers

    async def create(self, command: customers.CreateCustomer, caller: Caller) -> Customer:
        self._lists.check_agent(command.owner)
        zone = zone_named(command.time_zone)
        numbers = await self._numbers(command.numbers, is_internal=command.may_be_internal)
        await self._check_unknown([each.number for each in numbers])
        if not (command.name or numbers):
            raise errors.InvalidValue("a customer has a name or a number at least", field="name")
        wall = self._lists.wall()
        customer = Customer(
            customer_id=row_id(wall, 0, self._lists.ids.token(6)),
            name=command.name,
            numbers=numbers,
            zone=zone,
            area=command.area,
            owner=command.owner,
            has_consent=command.has_consent,
            level=command.level,
            tags=[*dict.fromkeys(command.tags)],
            data=command.data,
            source="api",
            created_utc=wall,
            updated_utc=wall,
        )
        await asked(self._customers.add([customer]))
        return self._shown(customer, caller)

    async def update(self, command: customers.UpdateCustomer, caller: Caller) -> Customer:
        customer = await self._customer(command.customer_id)
        changes: dict[str, Any] = {
            name: value
            for name in ("name", "area", "owner", "has_consent", "level", "data")
            if (value := getattr(command, name)) is not UNSET
        }
        self._lists.check_agent(changes.get("owner", ""))
        if command.tags is not UNSET:
            changes["tags"] = [*dict.fromkeys(command.tags)]
        if command.time_zone is not UNSET:
            changes["zone"] = zone_named(command.time_zone)
        if command.numbers is not UNSET:
            there = {each.number: each for each in customer.numbers}
            numbers = await self._numbers(command.numbers, is_internal=command.may_be_internal)
            await self._check_unknown([each.number for each in numbers if each.number not in there])
            changes["numbers"] = [there.get(each.number, each) for each in numbers]
        changed = await self._store(replace(customer, **changes, updated_utc=self._lists.wall()))
        return self._shown(changed, caller)

    async def get(self, command: customers.GetCustomer, caller: Caller) -> Customer:
        return self._shown(await self._customer(command.customer_id), caller)

    async def find(self, command: customers.FindCustomers, caller: Caller) -> customers.CustomerPage:
        names = ("number", "is_suffix", "text", "tag", "owner", "area", "level", "source")
        criteria = CustomerFilter(**{name: getattr(command, name) for name in names})
        page = await asked(self._customers.find(criteria, after=command.cursor, limit=command.limit))
        return customers.CustomerPage(customers=self._hidden.customers(page.items, caller), cursor=page.after)

    async def delete(self, command: customers.DeleteCustomers, caller: Caller) -> RecordsTouched:
        return RecordsTouched(n_records=await asked(self._customers.delete(command.customer_ids)))

    async def tag(self, command: customers.TagCustomers, caller: Caller) -> RecordsTouched:
        n = 0
        wall = self._lists.wall()
        for customer in (await asked(self._customers.get_many(command.customer_ids))).values():
            tags = [tag for tag in dict.fromkeys((*customer.tags, *command.add)) if tag not in command.remove]
            if len(tags) > MAX_TAGS:
                raise errors.InvalidValue(
                    f"customer {customer.customer_id} would have more than {MAX_TAGS} tags", field="add"
                )
            if tags != customer.tags:
                await self._store(replace(customer, tags=tags, updated_utc=wall))
                n += 1
        return RecordsTouched(n_records=n)

    def _shown(self, customer: Customer, caller: Caller) -> Customer:
        (shown,) = self._hidden.customers([customer], caller)
        return shown

    async def _customer(self, customer_id: str) -> Customer:
        try:
            return await asked(self._customers.get(customer_id))
        except NotFoundError:
            raise errors.NoSuchCustomer(f"no customer {customer_id}") from None

    async def _store(self, customer: Customer) -> Customer:
        try:
            return await asked(self._customers.update(customer))
        except NotFoundError:
            raise errors.NoSuchCustomer(f"no customer {customer.customer_id}") from None

    async def _numbers(self, numbers: Sequence[str], *, is_internal: bool) -> list[CustomerNumber]:
        options = self._lists.options("customers", may_be_internal=is_internal)
        read = await self._lists.in_thread(read_numbers, numbers, options, self._lists.area_of)
        return [CustomerNumber(number=each.number, zone=each.zone, area=each.area) for each in read]

    async def _check_unknown(self, numbers: list[str]) -> None:
        if known := await asked(self._customers.known_numbers(numbers)):
            raise errors.InvalidValue(f"{min(known)} is another customer's", field="numbers")
