"""Whole switch, virtual time: times agreed on with customers (OUT-27). Who is reminded of them when, also after a
snooze, a restart, a database that was away, and when he was not there."""

import asyncio
from typing import Any

import pytest

from control.auth import Caller
from model import commands_appointments as appointments
from model import commands_preview as preview
from model import errors
from model.commands_agent import SignIn
from model.commands_appointments import AppointmentDue
from model.customers import Appointment
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_preview import Floor, give


def due(floor: Floor) -> list[tuple[str, str, str, bool]]:
    return [(each.appointment_id, each.agent_id, each.queue, each.is_overdue) for each in floor.of(AppointmentDue)]


async def make(floor: Floor, in_s: float, **fields: Any) -> Appointment:
    at_utc = floor.switch.wall() + in_s
    return await floor.app.do(
        appointments.CreateAppointment(agent_id="a1", at_utc=at_utc, matter="the offer", name="王", **fields)
    )


def test_out_27_an_agent_is_reminded_at_the_time_and_again_after_a_snooze():
    async def main():
        floor = await Floor().start()
        made = await make(floor, 400.0)
        later = await make(floor, 900.0)
        await asyncio.sleep(399.0)
        assert due(floor) == []
        await asyncio.sleep(2.0)
        assert due(floor) == [(made.appointment_id, "a1", "", False)]
        snooze = appointments.SnoozeAppointment(agent_id="a1", appointment_id=made.appointment_id, seconds=60)
        assert (await floor.app.do(snooze)).state == "open"
        await asyncio.sleep(61.0)
        assert len(due(floor)) == 2
        done = appointments.FinishAppointment(agent_id="a1", appointment_id=made.appointment_id)
        await floor.app.do(done)
        with pytest.raises(errors.WrongState):
            await floor.app.do(snooze)
        await asyncio.sleep(600.0)
        assert [each[0] for each in due(floor)] == [made.appointment_id] * 2 + [later.appointment_id]
        await floor.close()

    run_virtual(main())


def test_what_was_not_kept_is_told_when_he_signs_in():
    async def main():
        floor = await Floor().start()
        mine = await make(floor, 10.0)
        shared = await make(floor, 20.0, campaign="visits", is_shared=True)
        kept = await make(floor, 10.0)
        await floor.app.do(appointments.FinishAppointment(agent_id="a1", appointment_id=kept.appointment_id))
        await make(floor, 3600.0)
        await asyncio.sleep(60.0)
        # The shared one is told to all who serve the queue.
        assert due(floor) == [(mine.appointment_id, "a1", "", False), (shared.appointment_id, "", "sales", False)]
        for agent_id, number in (("a1", "1001"), ("a2", "1002"), ("a3", "1003")):
            await floor.agent(agent_id, number)
        await asyncio.sleep(1.0)
        assert due(floor)[2:] == [
            (mine.appointment_id, "a1", "", True),
            (shared.appointment_id, "a1", "", True),
            (shared.appointment_id, "a2", "", True),
        ]
        await floor.close()

    run_virtual(main())


def test_a_restart_keeps_appointments_and_reminds_nobody_twice():
    async def main():
        floor = await Floor().start()
        told = await make(floor, 10.0)
        missed = await make(floor, 100.0)
        ahead = await make(floor, 2000.0)
        await asyncio.sleep(20.0)
        assert [each[0] for each in due(floor)] == [told.appointment_id]
        await floor.switch.close(check=False)
        await asyncio.sleep(1000.0)
        floor = await Floor(storage=floor.switch.storage).start()
        await asyncio.sleep(1.0)
        assert [each[0] for each in due(floor)] == [missed.appointment_id]
        await asyncio.sleep(1000.0)
        assert [each[0] for each in due(floor)] == [missed.appointment_id, ahead.appointment_id]
        await floor.close()

    run_virtual(main())


def test_a_database_that_is_away_delays_reminders_and_loses_none():
    async def main():
        floor = await Floor().start()
        made = await make(floor, 10.0)
        floor.switch.storage.fail("the disk is full")
        await asyncio.sleep(60.0)
        assert due(floor) == []
        with pytest.raises(errors.StorageUnavailable):
            await make(floor, 10.0)
        floor.switch.storage.recover()
        await asyncio.sleep(10.0)
        assert [each[0] for each in due(floor)] == [made.appointment_id]
        await floor.close()

    run_virtual(main())


def test_xout_11_the_record_follows_its_appointment():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        await floor.talk("a1", record_id, phone)
        await floor.app.do(give("a1", record_id, "later", callback_utc=floor.switch.wall() + 600.0))
        (made,) = (await floor.app.do(appointments.ListAppointments(agent_id="a1"))).appointments
        at_utc = floor.switch.wall() + 60.0
        change = appointments.ChangeAppointment(agent_id="a1", appointment_id=made.appointment_id, at_utc=at_utc)
        await floor.app.do(change)
        assert (await floor.record(record_id)).callback_utc == at_utc
        await asyncio.sleep(61.0)
        assert due(floor) == [(made.appointment_id, "a1", "", False)]
        assert (await floor.app.do(preview.NextRecord(agent_id="a1"))).record.record_id == record_id
        await floor.app.do(appointments.CancelAppointment(agent_id="a1", appointment_id=made.appointment_id))
        record = await floor.record(record_id)
        assert (record.status, record.callback_utc, record.owner) == ("retry_wait", 0.0, "a1")
        await floor.close()

    run_virtual(main())


def test_promised_calls_go_with_a_record_that_is_given_to_somebody_else():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        await floor.talk("a1", record_id, phone)
        await floor.app.do(give("a1", record_id, "later", callback_utc=floor.switch.wall() + 60.0))
        await floor.app.do(preview.ReassignRecords(campaign="visits", to=["a2"], record_ids=[record_id]))
        record = await floor.record(record_id)
        assert (record.owner, record.callback_owner) == ("a2", "a2")
        await asyncio.sleep(61.0)
        assert [each[1] for each in due(floor)] == ["a2"]
        await floor.app.do(preview.TakeBackRecords(campaign="visits", record_ids=[record_id]))
        (shared,) = (await floor.app.do(appointments.ListAppointments(is_shared=True))).appointments
        assert (shared.record_id, shared.agent_id) == (record_id, "")
        await floor.close()

    run_virtual(main())


def test_appointments_are_their_owners_business():
    async def main():
        floor = await Floor().start()
        await floor.app.do(SignIn(agent_id="a2", mode="unbound"))
        made = await make(floor, 600.0)
        other = Caller("a2", "", agent="a2")
        with pytest.raises(errors.PermissionDenied):
            await floor.app.do(appointments.ListAppointments(agent_id="a1"), other)
        with pytest.raises(errors.PermissionDenied):
            await floor.app.do(appointments.ListAppointments(), other)
        cancel = appointments.CancelAppointment(agent_id="a2", appointment_id=made.appointment_id)
        with pytest.raises(errors.PermissionDenied):
            await floor.app.do(cancel, other)
        with pytest.raises(errors.NoSuchAppointment):
            await floor.app.do(appointments.CancelAppointment(agent_id="a2", appointment_id="x"), other)
        share = appointments.ChangeAppointment(agent_id="a1", appointment_id=made.appointment_id, is_shared=True)
        with pytest.raises(errors.InvalidValue):
            await floor.app.do(share)
        with pytest.raises(errors.InvalidValue):
            # Nobody could be reminded.
            await make(floor, 600.0, campaign="open", is_shared=True)
        with pytest.raises(errors.InvalidValue):
            await make(floor, 400 * 86_400.0)
        await floor.close()

    run_virtual(main())
