"""switch/records_desk.py, dnc_desk.py, customers_desk.py: records, numbers not to be called and customers by API, and
what the dialler is told of them."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from dialer.inputs import NumberAllowed, NumberBarred, RecordsChange
from model import commands_customers as customers
from model import commands_dnc as dnc
from model import commands_imports as imports
from model import commands_lists as lists
from model import errors
from model.commands_lists import NewRecord
from model.dialing import Attempt
from storage.memory import MemoryStorage
from tests.switch.list_rig import BLIND, Rig


def test_records_are_added_found_and_shown_with_their_attempts(tmp_path: Path) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)
        await rig.do(dnc.AddDnc(numbers=("13500135000",)))
        rig.told.clear()
        added = await rig.do(
            lists.AddRecords(
                campaign="spring",
                list_name="by hand",
                records=(
                    NewRecord(numbers=("138 0013 8000", "13800138000", "12345"), name="王芳", data={"policy": "P-7"}),
                    NewRecord(numbers=("13900139000",), priority=5, owner="8001", callback_utc=1.9e9, customer_id="c1"),
                    NewRecord(numbers=()),
                    NewRecord(numbers=("13800138000",)),
                    NewRecord(numbers=("13500135000",)),
                    NewRecord(numbers=("110",)),
                    NewRecord(numbers=("13700137000",), time_zone="Moon/Base"),
                    NewRecord(numbers=("13600136000",), time_zone="Asia/Urumqi", has_consent=True),
                ),
            )
        )
        assert [(each.row, each.value, each.reason, each.is_kept) for each in added.rejections] == [
            (1, "12345", "impossible_number", True),
            (3, "", "no_number", False),
            (4, "+8613800138000", "duplicate", False),
            (5, "+8613500135000", "on_dnc_list", False),
            (6, "110", "emergency_number", False),
            (7, "Moon/Base", "bad_time_zone", False),
        ]
        assert rig.told == [RecordsChange(campaign="spring")]
        page = await rig.do(lists.FindRecords(campaign="spring", limit=2))
        rest = await rig.do(lists.FindRecords(campaign="spring", cursor=page.cursor))
        first, second, third = [*page.records, *rest.records]
        assert [each.record_id for each in (first, second, third)] == added.record_ids
        assert (first.name, [each.number for each in first.numbers], first.data) == (
            "王芳",
            ["+8613800138000"],
            {"policy": "P-7"},
        )
        assert (second.status, second.next_utc, second.owner, second.customer_id) == ("callback", 1.9e9, "8001", "c1")
        assert (third.numbers[0].zone, third.has_consent, second.has_consent) == ("Asia/Urumqi", True, False)
        for command, wanted in (
            (lists.FindRecords(number="+8613900139000"), [second]),
            (lists.FindRecords(statuses=("callback",)), [second]),
            (lists.FindRecords(owner="8001"), [second]),
            (lists.FindRecords(owner="", list_name="by hand", text="王"), [first]),
            (lists.FindRecords(campaign="fall"), []),
        ):
            assert (await rig.do(command)).records == wanted
        attempt = Attempt(
            attempt_id="a1",
            campaign="spring",
            record_id=first.record_id,
            number="+8613800138000",
            mode="predictive",
            started_utc=1.0,
            ended_utc=2.0,
            result="busy",
        )
        rig.storage.attempts.store_outcome(attempt, first)
        detail = await rig.do(lists.GetRecord(record_id=first.record_id))
        assert (detail.record, detail.attempts) == (first, [attempt])
        for command, error in (
            (lists.GetRecord(record_id="r9"), errors.NoSuchRecord),
            (lists.AddRecords(campaign="winter", records=(NewRecord(numbers=("1",)),)), errors.NoSuchCampaign),
            (lists.AddRecords(campaign="fall", records=(NewRecord(numbers=(), owner="9"),)), errors.InvalidValue),
            (lists.ListLists(campaign="winter"), errors.NoSuchCampaign),
        ):
            with pytest.raises(error):
                await rig.do(command)
        internal = lists.AddRecords(campaign="fall", records=(NewRecord(numbers=("8001",)),), may_be_internal=True)
        assert len((await rig.do(internal)).record_ids) == 1
        await rig.stop()

    asyncio.run(main())


async def one_record(rig: Rig, *numbers: str) -> str:
    rig.now += 1
    command = lists.AddRecords(campaign="spring", records=(NewRecord(numbers=numbers, name="王"),), list_name="l")
    (record_id,) = (await rig.do(command)).record_ids
    rig.told.clear()
    return record_id


def test_records_are_changed_reset_and_removed(tmp_path: Path) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)
        records = rig.storage.records
        record_id = await one_record(rig, "13800138000", "13900139000")
        other = await one_record(rig, "13700137000")
        # In the hopper, and called before: it comes out of it as what it was, and keeps what was counted.
        (taken, _) = (await records.take_due("spring", 2, rig.now)).records
        taken.status, taken.n_attempts = "dialing", 2
        taken.day, taken.n_today = "2027-01-15", 2
        taken.numbers[0] = replace(
            taken.numbers[0], n_attempts=2, n_by_result={"busy": 1, "dropped": 1}, last_utc=5.0, last_result="dropped"
        )
        attempt = Attempt(
            attempt_id="a1", campaign="spring", record_id=record_id, number="x", mode="power", started_utc=1.0
        )
        await rig.storage.attempts.store_attempt(attempt, taken)
        with pytest.raises(errors.WrongState, match="is being called"):
            await rig.do(lists.UpdateRecord(record_id=record_id, name="李"))
        assert (await rig.do(lists.ResetRecords(record_ids=(record_id,)))).n_records == 0
        assert (await rig.do(lists.RemoveRecords(record_ids=(record_id,)))).n_records == 0
        taken.status, taken.next_utc, taken.deferred = "queued", 9e9, "redial_ban"
        rig.storage.attempts.store_outcome(replace(attempt, ended_utc=9.0, result="dropped"), taken)
        rig.told.clear()
        command = lists.UpdateRecord(
            record_id=record_id,
            name="李四",
            numbers=("13800138000", "021-88886666"),
            data={"k": "v"},
            priority=3,
            has_consent=True,
            time_zone="Asia/Urumqi",
            owner="8001",
            note="n",
        )
        changed = await rig.do(command)
        assert changed == await records.get(record_id)
        assert (changed.name, changed.data, changed.priority, changed.has_consent) == ("李四", {"k": "v"}, 3, True)
        assert (changed.owner, changed.note, changed.status, changed.n_attempts) == ("8001", "n", "retry_wait", 2)
        assert [(each.number, each.n_attempts, each.zone) for each in changed.numbers] == [
            ("+8613800138000", 2, "Asia/Urumqi"),
            ("+862188886666", 0, "Asia/Urumqi"),
        ]
        assert rig.told == [RecordsChange(campaign="spring", record_ids=(record_id,))]
        for changes, says in (
            ({"numbers": ("13700137000",)}, "is another record's of the campaign"),
            ({"numbers": ("12345",)}, "impossible_number"),
            ({"owner": "9999"}, "there is no agent 9999"),
            ({"time_zone": "x"}, "is no time zone"),
        ):
            with pytest.raises(errors.InvalidValue, match=says):
                await rig.do(lists.UpdateRecord(record_id=record_id, **changes))
        rig.told.clear()
        assert (await rig.do(lists.ResetRecords(record_ids=(record_id, "r9")))).n_records == 1
        fresh = await records.get(record_id)
        assert (fresh.status, fresh.n_attempts, fresh.next_utc, fresh.deferred) == ("new", 0, 0.0, "")
        # What bounds how often he is called stays.
        assert (fresh.day, fresh.n_today) == ("2027-01-15", 2)
        assert (fresh.numbers[0].last_utc, fresh.numbers[0].last_result, fresh.numbers[0].n_attempts) == (
            5.0,
            "dropped",
            0,
        )
        assert rig.told == [RecordsChange(campaign="spring", record_ids=(record_id,))]
        assert (await rig.do(lists.RemoveRecords(record_ids=(record_id, "r9")))).n_records == 1
        assert (await rig.do(lists.RemoveList(campaign="spring", list_name="l"))).n_records == 1
        assert rig.told[-1] == RecordsChange(campaign="spring")
        with pytest.raises(errors.NoSuchRecord):
            await rig.do(lists.UpdateRecord(record_id=other, name="x"))
        await rig.stop()

    asyncio.run(main())


def test_xout_04_numbers_are_barred_and_allowed(tmp_path: Path) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)
        book = rig.lists.dnc
        done = await rig.do(dnc.AddDnc(numbers=("138 0013 8000", "10086", "call me"), reason="asked us"))
        assert done.n_added == 2
        assert [(each.row, each.reason) for each in done.rejections] == [(3, "not_a_number")]
        assert rig.told == [NumberBarred(number="+8613800138000"), NumberBarred(number="10086")]
        assert book.is_barred("+8613800138000", "fall", rig.now)
        await rig.do(dnc.AddDnc(numbers=("+86571*", "x"), is_prefix=True))
        await rig.do(dnc.AddDnc(numbers=("13900139000",), campaign="fall", expires_utc=rig.now + 9))
        assert book.is_barred("+8657100000", "fall", rig.now)
        assert [book.is_barred("+8613900139000", "fall", rig.now + at) for at in (8.0, 9.0)] == [True, False]
        assert not book.is_barred("+8613900139000", "spring", rig.now)
        # Neither can be said by a message of a number: the dialler looks them up in the book.
        assert len(rig.told) == 2
        page = await rig.do(dnc.FindDnc(limit=3))
        rest = await rig.do(dnc.FindDnc(cursor=page.cursor))
        entries = [*page.entries, *rest.entries]
        assert [(each.number, each.campaign, each.is_prefix) for each in entries] == [
            ("+8613800138000", "", False),
            ("+8613900139000", "fall", False),
            ("+86571", "", True),
            ("10086", "", False),
        ]
        assert (entries[0].reason, entries[0].added_by, entries[0].source) == ("asked us", "ann", "api")
        assert len((await rig.do(dnc.FindDnc(campaign="fall", number="+86139", text="139"))).entries) == 1
        rig.told.clear()
        # Said once more, the last word holds.
        await rig.do(dnc.AddDnc(numbers=("10086",), expires_utc=rig.now + 5))
        assert [book.is_barred("10086", "fall", rig.now + at) for at in (4.0, 5.0)] == [True, False]
        # After a restart they are all there, and nobody needs to be told.
        later = Rig(tmp_path, rig.storage)
        await later.lists.load()
        assert len(later.lists.dnc) == len(book) == 4
        assert later.told == []
        await rig.do(dnc.RemoveDnc(number="13800138000"))
        assert rig.told == [NumberAllowed(number="+8613800138000")]
        assert not book.is_barred("+8613800138000", "fall", rig.now)
        await rig.do(dnc.RemoveDnc(number="+86571*", is_prefix=True))
        assert not book.is_barred("+8657100000", "fall", rig.now)
        for command, error in (
            (dnc.RemoveDnc(number="13800138000"), errors.InvalidValue),
            (dnc.RemoveDnc(number="nobody"), errors.InvalidValue),
            (dnc.RemoveDnc(number="13900139000"), errors.InvalidValue),
            (dnc.AddDnc(numbers=("1",), campaign="winter"), errors.NoSuchCampaign),
            (dnc.AddDnc(numbers=("1",), expires_utc=rig.now), errors.InvalidValue),
            (dnc.FindDnc(cursor="x"), errors.InvalidValue),
        ):
            with pytest.raises(error):
                await rig.do(command)
        await rig.stop()

    asyncio.run(main())


def test_customers_are_created_changed_found_tagged_and_deleted(tmp_path: Path) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)

        async def create(**settings: Any) -> Any:
            rig.now += 1
            return await rig.do(customers.CreateCustomer(**settings))

        wang = await create(
            name="王芳",
            numbers=("13800138000",),
            owner="8001",
            level="gold",
            tags=("vip", "vip"),
            data={"a": "b"},
            has_consent=True,
            time_zone="Asia/Urumqi",
            area="北京",
        )
        assert (wang.numbers[0].number, wang.numbers[0].zone, wang.numbers[0].area) == (
            "+8613800138000",
            "Asia/Shanghai",
            "北京市",
        )
        assert (wang.tags, wang.zone, wang.area, wang.has_consent) == (["vip"], "Asia/Urumqi", "北京", True)
        li = await create(name="Li", numbers=("13900139000", "8001"), may_be_internal=True)
        assert await rig.do(customers.GetCustomer(customer_id=wang.customer_id)) == wang
        page = await rig.do(customers.FindCustomers(limit=1))
        assert page.customers == [wang]
        assert (await rig.do(customers.FindCustomers(cursor=page.cursor))).customers == [li]
        assert (await rig.do(customers.FindCustomers(tag="vip", owner="8001", level="gold"))).customers == [wang]
        changed = await rig.do(
            customers.UpdateCustomer(
                customer_id=li.customer_id,
                name="李",
                numbers=("8001", "13700137000"),
                may_be_internal=True,
                tags=("x",),
                owner="8001",
                data={},
                has_consent=True,
                level="s",
                area="沪",
                time_zone="",
            )
        )
        assert [each.number for each in changed.numbers] == ["8001", "+8613700137000"]
        assert (changed.name, changed.tags, changed.owner, changed.created_utc) == ("李", ["x"], "8001", li.created_utc)
        both = (wang.customer_id, li.customer_id)
        assert (await rig.do(customers.TagCustomers(customer_ids=both, add=("new",), remove=("x",)))).n_records == 2
        assert (await rig.do(customers.TagCustomers(customer_ids=both, add=("new",)))).n_records == 0
        assert (await rig.storage.customers.get(li.customer_id)).tags == ["new"]
        many = tuple(f"t{k}" for k in range(20))
        for command, error in (
            (customers.TagCustomers(customer_ids=both, add=many), errors.InvalidValue),
            (customers.CreateCustomer(numbers=("13800138000",)), errors.InvalidValue),
            (customers.CreateCustomer(numbers=("12345",)), errors.InvalidValue),
            (customers.CreateCustomer(), errors.InvalidValue),
            (customers.UpdateCustomer(customer_id=li.customer_id, numbers=("13800138000",)), errors.InvalidValue),
            (customers.UpdateCustomer(customer_id="c9"), errors.NoSuchCustomer),
            (customers.GetCustomer(customer_id="c9"), errors.NoSuchCustomer),
        ):
            with pytest.raises(error):
                await rig.do(command)
        assert (await rig.do(customers.DeleteCustomers(customer_ids=(*both, "c9")))).n_records == 2
        assert (await rig.do(customers.FindCustomers())).customers == []
        await rig.stop()

    asyncio.run(main())


def test_xrbac_05_who_may_not_see_whole_numbers_does_not(tmp_path: Path) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)
        new = NewRecord(numbers=("13800138000", "12345"))
        added = await rig.do(lists.AddRecords(campaign="spring", records=(new,)), BLIND)
        assert [each.value for each in added.rejections] == ["***45"]
        (record_id,) = added.record_ids
        record = await rig.storage.records.get(record_id)
        record.last_number = "+8613800138000"
        await rig.storage.records.update(record)
        attempt = Attempt(
            attempt_id="a1",
            campaign="spring",
            record_id=record_id,
            number="+8613800138000",
            mode="power",
            started_utc=1.0,
            ended_utc=2.0,
        )
        rig.storage.attempts.store_outcome(attempt, record)
        customer = await rig.do(customers.CreateCustomer(numbers=("13800138000",)), BLIND)
        rejected = await rig.bring_in(b"tel\n13800138000\n")
        shown = (
            customer,
            await rig.do(customers.GetCustomer(customer_id=customer.customer_id), BLIND),
            await rig.do(customers.FindCustomers(), BLIND),
            await rig.do(customers.UpdateCustomer(customer_id=customer.customer_id, name="x"), BLIND),
            await rig.do(lists.FindRecords(), BLIND),
            await rig.do(lists.GetRecord(record_id=record_id), BLIND),
            await rig.do(lists.UpdateRecord(record_id=record_id, name="x"), BLIND),
            await rig.do(imports.FindRejected(import_id=rejected.import_id), BLIND),
        )
        for each in shown:
            text = msgspec.json.encode(each).decode()
            assert "+861******8000" in text, text
            assert "138001" not in text
        assert (await rig.storage.records.get(record_id)).numbers[0].number == "+8613800138000"
        with pytest.raises(errors.PermissionDenied):
            await rig.do(dnc.FindDnc(), BLIND)
        await rig.stop()

    asyncio.run(main())


def test_while_the_database_fails(tmp_path: Path) -> None:
    async def main() -> None:
        storage = MemoryStorage()
        rig = Rig(tmp_path, storage)
        storage.fail("disk full")
        for command in (
            lists.FindRecords(),
            lists.GetRecord(record_id="r1"),
            lists.ListLists(campaign="spring"),
            lists.RemoveRecords(record_ids=("r1",)),
        ):
            with pytest.raises(errors.StorageUnavailable):
                await rig.do(command)

    asyncio.run(main())
