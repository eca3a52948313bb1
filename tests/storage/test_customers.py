"""storage/customers.py, barred.py, appointments.py and their twins in memory."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from model.customers import Appointment, Customer, CustomerNumber
from model.dialing import DncEntry
from storage.appointments import AppointmentFilter
from storage.barred import DncFilter
from storage.customers import CustomerFilter
from storage.errors import CursorError, DuplicateError, NotFoundError
from storage.interface import AnyStorage
from tests.storage.conftest import Scenario


def customer(k: int) -> Customer:
    return Customer(
        customer_id=f"c{k}",
        name=f"张{k} Smith",
        numbers=[CustomerNumber(number=f"+861390000000{k}", label="mobile", zone="Asia/Shanghai", area="浙江省杭州市")],
        zone="Asia/Shanghai",
        owner="ann" if k % 2 else "",
        has_consent=k == 1,
        level="gold" if k == 2 else "",
        tags=["vip", "new"] if k == 3 else ["old_vip"] if k == 4 else [],
        data={"company": f"Co {k}"},
        source="spring.xlsx" if k == 5 else "",
        created_utc=1.0,
        updated_utc=2.0,
    )


def test_customers(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.customers
        rows = [customer(k) for k in range(6)]
        rows[0] = replace(rows[0], area="北京", numbers=[])
        await book.add(rows)
        with pytest.raises(DuplicateError):
            await book.add([customer(1)])
        assert await book.get("c3") == rows[3]
        assert await book.get_many(["c1", "c9"]) == {"c1": rows[1]}
        with pytest.raises(NotFoundError):
            await book.get("c9")
        for criteria, wanted in (
            (CustomerFilter(), range(6)),
            (CustomerFilter(number="+8613900000003"), [3]),
            (CustomerFilter(number="00003", is_suffix=True), [3]),
            (CustomerFilter(name="5 smith"), [5]),
            (CustomerFilter(text="co 2"), [2]),
            (CustomerFilter(tag="vip"), [3]),
            (CustomerFilter(owner="ann"), [1, 3, 5]),
            (CustomerFilter(owner=""), [0, 2, 4]),
            (CustomerFilter(area="浙江省"), [1, 2, 3, 4, 5]),
            (CustomerFilter(area="北京"), [0]),
            (CustomerFilter(level="gold"), [2]),
            (CustomerFilter(source="spring.xlsx"), [5]),
        ):
            found = [row.customer_id for row in (await book.find(criteria)).items]
            assert found == [f"c{k}" for k in wanted], criteria
        page = await book.find(CustomerFilter(), limit=4)
        assert page.items + (await book.find(CustomerFilter(), after=page.after)).items == rows
        assert await book.known_numbers(["+8613900000002", "+1"]) == {"+8613900000002"}
        changed = replace(rows[2], name="Li", tags=[], numbers=[CustomerNumber(number="+1")], updated_utc=9.0)
        await book.update(changed)
        assert await book.get("c2") == changed
        assert (await book.find(CustomerFilter(number="+8613900000002"))).items == []
        with pytest.raises(NotFoundError):
            await book.update(customer(9))
        assert await book.delete(["c2", "c9", "c3"]) == 2
        assert (await book.find(CustomerFilter(number="+1"))).items == []

    run(scenario)


def test_do_not_call_lists(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.barred
        rows = [
            DncEntry(number="+861380", is_prefix=True, reason="Area", added_by="ann", added_utc=1.0),
            DncEntry(number="+8613800138000", source="list.csv", expires_utc=50.0),
            DncEntry(number="+8613800138000", campaign="spring", reason="asked us"),
            DncEntry(number="+8613900139000", expires_utc=70.0),
        ]
        assert [batch async for batch in book.all()] == []
        assert await book.add([*rows, rows[0]]) == 4
        assert await book.add([replace(rows[2], reason="again")]) == 0
        rows[2] = replace(rows[2], reason="again")
        assert [entry async for batch in book.all() for entry in batch] == rows
        for criteria, wanted in (
            (DncFilter(), rows),
            (DncFilter(number="+8613800"), rows[1:3]),
            (DncFilter(campaign=""), [rows[0], rows[1], rows[3]]),
            (DncFilter(campaign="spring"), [rows[2]]),
            (DncFilter(text="AREA"), [rows[0]]),
            (DncFilter(source="list.csv"), [rows[1]]),
        ):
            assert (await book.find(criteria)).items == wanted
        page = await book.find(DncFilter(), limit=2)
        assert page.items + (await book.find(DncFilter(), after=page.after, limit=2)).items == rows
        with pytest.raises(CursorError):
            await book.find(DncFilter(), after="x")
        assert await book.remove_expired(50.0) == [rows[1]]
        await book.remove("+8613800138000", "spring")
        for number, is_prefix in (("+8613800138000", False), ("+861380", False)):
            with pytest.raises(NotFoundError):
                await book.remove(number, is_prefix=is_prefix)
        await book.remove("+861380", is_prefix=True)
        assert (await book.find(DncFilter())).items == [rows[3]]

    run(scenario)


def test_many_barred_numbers(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        rows = [DncEntry(number=f"+86138{k:08}") for k in range(4500)]
        assert await storage.barred.add(rows) == 4500
        assert [entry async for batch in storage.barred.all() for entry in batch] == rows

    run(scenario)


def test_appointments(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.appointments
        rows = [
            Appointment(
                appointment_id=f"p{k}",
                agent_id="ann" if k % 2 else "",
                campaign="spring",
                record_id=f"r{k // 2}",
                customer_id=f"c{k}",
                number="+861",
                name="王",
                at_utc=100.0 - k // 2,
                matter="续保",
                state="done" if k == 4 else "open",
                created_by="bob",
                created_utc=1.0,
                updated_utc=2.0,
                reminded_utc=3.0,
            )
            for k in range(5)
        ]
        for row in rows:
            await book.add(row)
        in_order = [rows[k] for k in (4, 2, 3, 0, 1)]
        assert (await book.find(AppointmentFilter())).items == in_order
        page = await book.find(AppointmentFilter(), limit=2)
        assert (await book.find(AppointmentFilter(), after=page.after)).items == in_order[2:]
        for criteria, wanted in (
            (AppointmentFilter(agent_id="ann"), [rows[3], rows[1]]),
            (AppointmentFilter(agent_id=""), [rows[4], rows[2], rows[0]]),
            (AppointmentFilter(states=("done",)), [rows[4]]),
            (AppointmentFilter(record_id="r1", campaign="spring"), [rows[2], rows[3]]),
            (AppointmentFilter(customer_id="c0"), [rows[0]]),
            (AppointmentFilter(start_utc=99.0, end_utc=100.0), [rows[2], rows[3]]),
        ):
            assert (await book.find(criteria)).items == wanted
        assert await book.next_utc() == 99.0
        assert await book.due(99.0) == [rows[2], rows[3]]
        await book.change(replace(rows[2], state="cancelled"))
        assert await book.due(99.0) == [rows[3]]
        assert (await book.get("p2")).state == "cancelled"
        with pytest.raises(NotFoundError):
            await book.get("p9")
        with pytest.raises(NotFoundError):
            await book.change(replace(rows[0], appointment_id="p9"))

    run(scenario)
