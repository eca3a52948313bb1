"""Whole switch, virtual time: records that come, change and go while a campaign runs are called, called otherwise or no
more; numbers that are barred at that moment are not called.

How lists come in from files is in tests/switch/test_list_imports.py.
"""

import asyncio

from model.commands_campaign import StartCampaign
from model.commands_dnc import AddDnc, RemoveDnc
from model.commands_lists import (
    AddRecords,
    FindRecords,
    GetRecord,
    NewRecord,
    RemoveList,
    RemoveRecords,
    ResetRecords,
    UpdateRecord,
)
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_campaigns import Campaigns


async def add(centre: Campaigns, *numbers: str, **fields) -> list[str]:
    records = tuple(NewRecord(numbers=(number,), **fields) for number in numbers)
    done = await centre.app.do(AddRecords(campaign="spring", list_name="may", records=records))
    assert not done.rejections
    return done.record_ids


def test_out_08_records_that_come_while_it_runs_are_called_as_people_dial_them():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin("13800000011")
        await centre.switch.until(lambda: centre.public.dialed["13800000011"], within_s=30.0)
        (record_id,) = await add(centre, "+86 138 1234 5671", name="王芳", data={"policy": "P-7"})
        await centre.switch.until(lambda: centre.public.dialed["13812345671"], within_s=120.0)
        await asyncio.sleep(60.0)
        detail = await centre.app.do(GetRecord(record_id=record_id))
        assert detail.record.numbers[0].number == "+8613812345671"
        assert detail.record.status in ("connected", "done")
        assert [(each.number, each.result) for each in detail.attempts] == [("+8613812345671", "human")]
        assert centre.public.dialed.total() == 2
        await centre.close()

    run_virtual(main())


def test_records_in_the_hopper_are_changed_removed_and_put_first():
    async def main():
        centre = Campaigns()
        phone = await centre.agent("a1", "1001")
        await centre.begin("13800000011")
        await phone.wait("answered", within_s=30.0)
        # He talks for half a minute: the next ones wait in the hopper.
        first, second, third, fourth = await add(centre, "13812345671", "13812345681", "13812345691", "13812345611")
        await asyncio.sleep(5.0)
        states = {each.record_id: each.status for each in (await centre.app.do(FindRecords(list_name="may"))).records}
        assert set(states.values()) == {"queued"}
        await centre.app.do(RemoveRecords(record_ids=(first,)))
        await centre.app.do(UpdateRecord(record_id=third, priority=9, name="First of all"))
        await centre.app.do(UpdateRecord(record_id=fourth, numbers=("13912345611",)))
        await centre.switch.until(lambda: centre.public.dialed.total() == 2, within_s=120.0)
        assert centre.public.dialed["13812345691"] == 1
        await centre.switch.until(lambda: centre.public.dialed.total() == 4, within_s=240.0)
        assert centre.public.dialed["13812345681"] == centre.public.dialed["13912345611"] == 1
        await asyncio.sleep(60.0)
        assert centre.public.dialed.total() == 4
        # Everybody was called: it is completed. One of them from the beginning:
        await centre.app.do(ResetRecords(record_ids=(second,)))
        await centre.app.do(StartCampaign(campaign="spring"))
        await centre.switch.until(lambda: centre.public.dialed["13812345681"] == 2, within_s=600.0)
        await centre.close()

    run_virtual(main())


def test_xout_04_a_number_that_is_barred_while_it_waits_is_not_called():
    async def main():
        centre = Campaigns()
        phone = await centre.agent("a1", "1001")
        await centre.begin("13800000011")
        await phone.wait("answered", within_s=30.0)
        barred, area, _ = await add(centre, "13812345671", "13912345671", "13712345671")
        await asyncio.sleep(5.0)
        await centre.app.do(AddDnc(numbers=("138 1234 5671",), reason="asked us"))
        await centre.app.do(AddDnc(numbers=("+86139",), is_prefix=True, campaign="spring"))
        await centre.switch.until(lambda: centre.public.dialed["13712345671"], within_s=120.0)
        await asyncio.sleep(60.0)
        assert centre.public.dialed.total() == 2
        for record_id in (barred, area):
            assert (await centre.app.do(GetRecord(record_id=record_id))).record.status == "dnc"
        refused = await centre.app.do(AddRecords(campaign="spring", records=(NewRecord(numbers=("13900000001",)),)))
        assert [each.reason for each in refused.rejections] == ["on_dnc_list"]
        # Allowed again, and asked for once more.
        await centre.app.do(RemoveDnc(number="13812345671"))
        await centre.app.do(ResetRecords(record_ids=(barred,)))
        await centre.app.do(StartCampaign(campaign="spring"))
        await centre.switch.until(lambda: centre.public.dialed["13812345671"], within_s=120.0)
        # And the whole list goes, but for whom it speaks to.
        gone = await centre.app.do(RemoveList(campaign="spring", list_name="may"))
        assert gone.n_records == 2
        await centre.close()

    run_virtual(main())
