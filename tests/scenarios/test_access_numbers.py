"""Whole switch, virtual time: calls of access numbers by calendar, emergency closures, all of it changed by API and
kept over a restart. What calendars say is in tests/model/test_almanac.py."""

import pytest

from model import errors
from model.access_numbers import AccessNumber
from model.calendars import Calendar
from model.commands_access import (
    CloseCalendar,
    EvaluateAccessNumber,
    EvaluateCalendar,
    ListAccessNumbers,
    ListCalendars,
    RemoveAccessNumber,
    RemoveCalendar,
    ReopenCalendar,
    SetAccessNumber,
    SetCalendar,
)
from model.events_access import AccessNumberChanged, CalendarClosed, CalendarReopened
from switch.access_desk import load_access
from switch.directory import Directory
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import EPOCH_UTC, run_virtual
from tests.scenarios.test_control import SimApp

NUMBER = "4008001234"
NEVER = Calendar(name="never", time_zone="Asia/Shanghai", hours="mon 00:00-00:01")
ALWAYS = Calendar(name="always", time_zone="Asia/Shanghai")


def access(**fields) -> SetAccessNumber:
    return SetAccessNumber(access_number=AccessNumber(**{"number": NUMBER, "to": "1001", **fields}))


def test_acc_01_a_number_set_by_api_takes_calls_by_its_calendar_at_once_and_after_a_restart():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        await switch.phone("1001", answer_after_s=0.5)
        await switch.phone("1002", answer_after_s=0.5)
        carrier = switch.carrier()
        with pytest.raises(errors.InvalidValue, match="no calendar"):
            await app.do(access(calendar="never"))
        for whisper in ("file:/etc/passwd", "file:../key.wav", "voice:zh/../key"):
            with pytest.raises(errors.InvalidValue, match=r"prompts folder|is no source"):
                await app.do(access(whisper=whisper))
        await app.do(SetCalendar(calendar=NEVER))
        made = await app.do(access(calendar="never", off_to="1002", brand="Tea House", language="zh", is_vip=True))
        assert (made.now.which, made.now.to, made.now.leads_to, made.source) == (
            "closed",
            "1002",
            "extension",
            "database",
        )
        call = carrier.call(NUMBER)
        await carrier.wait("answered")
        carrier.agent.hang_up(call.id)
        record = await switch.cdr()
        assert record.access_number == NUMBER and [leg.name for leg in record.legs] == ["carrier", "1002"]
        assert record.data == {"brand": "Tea House", "language": "zh"}
        # The calendar changes, and with it the next call.
        await app.do(SetCalendar(calendar=Calendar(name="never", time_zone="Asia/Shanghai")))
        call = carrier.call(NUMBER)
        await carrier.wait("answered")
        carrier.agent.hang_up(call.id)
        assert [leg.name for leg in (await switch.cdr(2)).legs] == ["carrier", "1001"]
        assert [type(event) for event in app.published if isinstance(event, AccessNumberChanged)]
        # What is stored is what the next start finds.
        again = Directory(switch.config)
        await load_access(switch.storage, again)
        assert again.access_number("carrier", NUMBER) == made.access_number
        assert set(again.office.almanacs) == {"never"}
        await switch.close()

    run_virtual(main())


def test_xacc_01_an_emergency_closes_at_once_survives_a_restart_and_is_lifted():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        await switch.phone("1001", answer_after_s=0.5)
        carrier = switch.carrier()
        await app.do(SetCalendar(calendar=ALWAYS))
        await app.do(access(calendar="always"))
        closed = await app.do(CloseCalendar(calendar="always", is_for_today=True, reason="fire alarm"))
        assert EPOCH_UTC < closed.until_utc < EPOCH_UTC + 86400.0 + 120.0
        [told] = [event for event in app.published if isinstance(event, CalendarClosed)]
        assert (told.calendar, told.reason, told.by) == ("always", "fire alarm", "root")
        carrier.call(NUMBER)
        await carrier.wait("ended")
        assert (await switch.cdr()).hangup_cause == "CALL_REJECTED"
        again = Directory(switch.config)
        await load_access(switch.storage, again)
        assert again.office.evaluate("always", closed.since_utc).which == "emergency"
        await app.do(ReopenCalendar(calendar="always"))
        assert [event for event in app.published if isinstance(event, CalendarReopened)]
        with pytest.raises(errors.WrongState):
            await app.do(ReopenCalendar(calendar="always"))
        # Everything at once, also numbers without a calendar and those of the file.
        await app.do(CloseCalendar())
        listed = await app.do(ListAccessNumbers())
        assert {each.now.which for each in listed.access_numbers} == {"emergency"}
        assert [closure.calendar for closure in (await app.do(ListCalendars())).closures] == [""]
        await app.do(ReopenCalendar())
        with pytest.raises(errors.InvalidValue, match="over already"):
            await app.do(CloseCalendar(until_utc=1.0))
        await switch.close()

    run_virtual(main())


def test_xacc_02_what_would_happen_at_an_instant():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        await app.do(SetCalendar(calendar=Calendar(name="c", time_zone="Asia/Shanghai", hours="mon 08:00-09:00")))
        await app.do(access(calendar="c", off_to="1009"))
        # Monday 2026-11-23 08:30 in Shanghai, and two hours later.
        at = 1795393800.0
        now = await app.do(EvaluateAccessNumber(number=NUMBER, at_utc=at))
        assert (now.which, now.to, now.leads_to, now.until_utc) == ("open", "1001", "extension", at + 1800.0)
        later = await app.do(EvaluateAccessNumber(number=NUMBER, at_utc=at + 7200.0))
        assert (later.which, later.to, later.leads_to) == ("closed", "1009", "refused") and "nowhere" in later.why
        assert (await app.do(EvaluateCalendar(calendar="c", at_utc=at))).which == "open"
        with pytest.raises(errors.NoSuchCalendar):
            await app.do(EvaluateCalendar(calendar="d"))
        with pytest.raises(errors.NoSuchAccessNumber):
            await app.do(EvaluateAccessNumber(number="4"))
        with pytest.raises(errors.WrongState, match="follows"):
            await app.do(RemoveCalendar(calendar="c"))
        await app.do(RemoveAccessNumber(number=NUMBER))
        await app.do(RemoveCalendar(calendar="c"))
        assert await switch.storage.settings.all() == []
        with pytest.raises(errors.InvalidValue, match="configuration file"):
            await app.do(RemoveAccessNumber(number="02188886666"))
        await switch.close(check=False)

    run_virtual(main())


def test_acc_03_callers_of_a_vip_number_wait_with_the_vips():
    async def main():
        queue = '[[queue]]\nname = "sales"\n'
        vip = f'[[access_number]]\nnumber = "{NUMBER}"\nto = "queue:sales"\nis_vip = true\n'
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS + queue + vip)
        carrier = switch.carrier()
        call = carrier.call(NUMBER)
        await switch.until(lambda: any(type(event).__name__ == "QueueEntered" for event in switch.events))
        [entered] = [event for event in switch.events if type(event).__name__ == "QueueEntered"]
        assert entered.rank == "vip"
        carrier.agent.hang_up(call.id)
        await switch.close()

    run_virtual(main())
