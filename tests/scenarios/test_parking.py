"""Whole switch, virtual time: a party is parked by REFER and by API, waits with music in an orbit, and is taken by
dialling it, by the code alone, by API; time-out rings back, then the overflow; bad orbits; who leaves meanwhile."""

import asyncio

import msgspec
import pytest

from model import errors, events, media
from model.commands_parking import ListParked, Park, Retrieve
from model.events_services import CallParked, CallRetrieved
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp
from tests.scenarios.test_services import REFUSED, dial

SHORT = EXTENSIONS + "[parking]\ntimeout_s = 30\nrecall_s = 10\n"


async def parked(switch, app, number="1001", by="1002"):
    """`number` has called `by`, which parks it by API: (waiting phone, its call, parker, what the API said)."""
    waiting, parker = await switch.phone(number), await switch.phone(by, answer_after_s=0.5)
    mine, theirs = await waiting.talk_to(by, parker)
    await asyncio.sleep(2.0)
    (call,) = (one for one in switch.core.calls.calls.values() if one.legs[one.a].name == number)
    shown = await app.do(Park(call_id=call.call_id, leg_id=call.b))
    await parker.wait("ended", call=theirs.id)
    return waiting, mine, parker, shown


def stop_answering(phone):
    phone.agent.settings = msgspec.structs.replace(phone.agent.settings, answer_after_s=-1.0)


@pytest.mark.parametrize("target", ["*68", "705", "*68705"])
def test_a_phone_parks_by_transfer_and_another_one_dials_the_orbit(target):
    async def main():
        switch = SimSwitch(SimNet())
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.5)
        carol = await switch.phone("1003")
        mine, theirs = await alice.talk_to("1002", bob)
        await asyncio.sleep(5.0)
        bob.agent.transfer(theirs.id, f"sip:{target}@10.0.0.1")
        await switch.until(lambda: switch.of(CallParked))
        (told,) = switch.of(CallParked)
        assert told.by == "1002"
        assert told.orbit == ("705" if "705" in target else "701")
        # It hears music, and nobody hears it.
        assert switch.worker.of(media.Play)[-1].leg == told.leg_id
        assert switch.worker.of(media.ConnectMatrix)[-1].edges == []
        await bob.wait("ended", call=theirs.id, within_s=40)
        await asyncio.sleep(5.0)
        taken = carol.call(told.orbit)
        await carol.wait("answered", call=taken.id)
        (retrieved,) = switch.of(CallRetrieved)
        assert (retrieved.by, retrieved.how) == ("1003", "dialed")
        assert len(switch.worker.of(media.ConnectMatrix)[-1].edges) == 2
        assert switch.worker.of(media.StopPlay)[-1].leg == told.leg_id
        assert mine.is_up
        await asyncio.sleep(5.0)
        alice.agent.hang_up(mine.id)
        await carol.wait("ended")
        record = await switch.cdr()
        # One call over all of it, one recording, and what was done when.
        assert [leg.name for leg in record.legs] == ["1001", "1002", "1003"]
        assert record.legs[1].hangup_cause == "BLIND_TRANSFER"
        assert {segment.purpose for segment in record.segments} >= {"talk", "hold"}
        assert len(switch.recordings) == 1
        assert len(switch.cdrs) == 1
        assert switch.core.env.orbits.n_taken == 0
        await switch.close()

    run_virtual(main())


def test_the_code_alone_takes_the_longest_parked_and_first_ones_own():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        first = await parked(switch, app, "1001", "1002")
        second = await parked(switch, app, "1003", "1004")
        listed = (await app.do(ListParked())).parked
        assert [(one.orbit, one.number, one.by) for one in listed] == [("701", "1001", "1002"), ("702", "1003", "1004")]
        other = await switch.phone("1005")
        own = second[2].call("*69")
        await second[2].wait("answered", call=own.id)
        assert switch.of(CallRetrieved)[-1].orbit == "702"
        any_one = other.call("*69")
        await other.wait("answered", call=any_one.id)
        assert switch.of(CallRetrieved)[-1].orbit == "701"
        assert await dial(switch, await switch.phone("1001", host="10.0.0.77"), "*69") == REFUSED
        for phone in (first[0], second[0]):
            phone.agent.hang_up(phone.the_call.id)
        await switch.cdr(3)
        await switch.close()

    run_virtual(main())


def test_when_nobody_takes_it_the_parker_is_rung_with_the_orbit_in_the_name():
    async def main():
        switch = SimSwitch(SimNet(), SHORT)
        app = SimApp(switch)
        _, mine, parker, shown = await parked(switch, app)
        started = switch.loop.time()
        told = await parker.wait("answered")
        assert switch.loop.time() - started == pytest.approx(30.5, abs=0.5)
        invites = [seen.data for seen in switch.net.trace if seen.data.startswith(b"INVITE sip:1002@10.0.0.12")]
        assert f'From: "{shown.orbit}'.encode() in invites[-1]
        await switch.until(lambda: switch.of(CallRetrieved))
        (retrieved,) = switch.of(CallRetrieved)
        assert (retrieved.by, retrieved.how) == ("1002", "recalled")
        assert mine.is_up
        parker.agent.hang_up(told.call)
        record = await switch.cdr()
        assert [leg.name for leg in record.legs] == ["1001", "1002", "1002"]
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("overflow", ["1003", "", "110"], ids=["another phone", "none", "where nobody may"])
def test_after_the_parker_the_overflow_is_rung_and_else_it_waits_on(overflow):
    async def main():
        switch = SimSwitch(SimNet(), SHORT + (f'overflow_to = "{overflow}"\n' if overflow else "") + TRUNKS)
        app = SimApp(switch)
        waiting, mine, parker, _ = await parked(switch, app)
        stop_answering(parker)
        carol = await switch.phone("1003", answer_after_s=1.0)
        await parker.wait("incoming")
        await parker.wait("ended")
        if overflow == "1003":
            await carol.wait("answered")
            await switch.until(lambda: switch.of(CallRetrieved))
            assert switch.of(CallRetrieved)[0].how == "overflow"
        else:
            assert "incoming" not in carol.names()
            # Into its orbit again, and after a while the parker is rung once more.
            assert (await app.do(ListParked())).parked
            await parker.wait("incoming")
        assert mine.is_up
        waiting.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.until(lambda: not parker.agent.calls and not carol.agent.calls)
        await switch.close()

    run_virtual(main())


def test_the_parked_party_may_leave_at_any_time():
    async def main():
        switch = SimSwitch(SimNet(), SHORT)
        app = SimApp(switch)
        waiting, mine, parker, _ = await parked(switch, app)
        stop_answering(parker)
        told = await parker.wait("incoming")
        waiting.agent.hang_up(mine.id)
        await parker.wait("ended", call=told.call)
        record = await switch.cdr()
        assert record.hangup_cause == "NORMAL_CLEARING"
        assert switch.core.env.orbits.n_taken == 0
        await switch.close()

    run_virtual(main())


def test_a_call_is_not_parked_for_ever():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + "[parking]\ntimeout_s = 0\nmax_s = 100\n")
        app = SimApp(switch)
        waiting, mine, _, _ = await parked(switch, app)
        await waiting.wait("ended", call=mine.id, within_s=110)
        assert (await switch.cdr()).hangup_cause == "ALLOTTED_TIMEOUT"
        await switch.close()

    run_virtual(main())


def test_parked_and_fetched_by_api():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        waiting, mine, _, shown = await parked(switch, app)
        carol = await switch.phone("1003", answer_after_s=1.0)
        with pytest.raises(errors.NoRoute):
            await app.do(Retrieve(call_id=shown.call_id, to="4711"))
        await app.do(Retrieve(call_id=shown.call_id, to="1003"))
        await carol.wait("answered")
        await switch.until(lambda: switch.of(CallRetrieved))
        assert switch.of(CallRetrieved)[0].how == "fetched"
        assert [type(event) for event in switch.events].count(events.CallEnded) == 0
        with pytest.raises(errors.WrongState):
            await app.do(Retrieve(call_id=shown.call_id, to="1003"))
        waiting.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_what_cannot_be_parked_is_refused_and_the_call_goes_on():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + '[parking]\norbits = "701-701"\n')
        app = SimApp(switch)
        await parked(switch, app)
        alice, bob = await switch.phone("1003"), await switch.phone("1004", answer_after_s=0.5)
        mine, theirs = await alice.talk_to("1004", bob)
        await asyncio.sleep(1.0)
        (call,) = (one for one in switch.core.calls.calls.values() if one.legs[one.a].name == "1003")
        for orbit, error in (("", errors.NoRoute), ("701", errors.NoRoute), ("9", errors.InvalidValue)):
            with pytest.raises(error):
                await app.do(Park(call_id=call.call_id, leg_id=call.b, orbit=orbit))
        for target, status in (("*68", b"SIP/2.0 503"), ("701", b"SIP/2.0 486"), ("*689", b"SIP/2.0 404")):
            bob.agent.transfer(theirs.id, f"sip:{target}@10.0.0.1")
            await asyncio.sleep(1.0)
            answers = [
                seen.data for seen in switch.net.trace if b" REFER\r\n" in seen.data and b"SIP/2.0 " in seen.data[:8]
            ]
            assert answers[-1].startswith(status), answers[-1]
        assert mine.is_up
        assert theirs.is_up
        assert len(switch.of(CallParked)) == 1
        await switch.close(check=False)

    run_virtual(main())
