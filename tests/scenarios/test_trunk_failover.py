"""Whole switch, virtual time: the call goes on by another trunk, or another address of the same one, when the first
does not react, and what failed is not asked first again for a while. DNS is a table here;
tests/live/test_trunk_failover.py has a real one. Refusals by cause are in test_trunks.py."""

import asyncio

import pytest

from sip.flow import Flow
from tests.harness.peer import RawPeer
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual

INVITE = r"^INVITE .*\[CSeq 1 INVITE"


def with_options(options: str, trunk: str = "carrier") -> str:
    return EXTENSIONS + TRUNKS.replace(f'name = "{trunk}"\n', f'name = "{trunk}"\n{options}\n', 1)


async def call_and_wait(switch, phone):
    """Seconds until the answer."""
    started = switch.loop.time()
    phone.call("913800138000")
    await phone.wait("answered")
    return switch.loop.time() - started


async def end(switch, phone, n: int = 1):
    phone.agent.hang_up(phone.the_call.id)
    record = await switch.cdr(n)
    await phone.wait("ended")
    return record


def test_a_trunk_that_does_not_react_is_left_within_two_seconds():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        phone = await switch.phone("1001")
        hole = RawPeer(net, "10.0.1.1")
        switch.carrier("10.0.1.2", answer_after_s=0.0)
        assert await call_and_wait(switch, phone) <= 2.0
        record = await end(switch, phone)
        assert record.trunk == "spare"
        dead = next(leg for leg in record.legs if leg.name == "carrier")
        assert (dead.hangup_cause, dead.sip_status) == ("RECOVERY_ON_TIMER_EXPIRE", 408)
        assert hole.count(INVITE) >= 2
        await hole.close()
        await switch.close()

    run_virtual(main())


def test_a_trunk_that_did_not_react_is_tried_last_for_a_while_and_first_again_afterwards():
    async def main():
        net = SimNet()
        switch = SimSwitch(net, with_options("rest_s = 20.0"))
        phone = await switch.phone("1001")
        hole = RawPeer(net, "10.0.1.1")
        switch.carrier("10.0.1.2", answer_after_s=0.0)
        assert await call_and_wait(switch, phone) > 1.0
        await end(switch, phone)
        heard = hole.count(INVITE)
        assert await call_and_wait(switch, phone) < 0.5
        await end(switch, phone, 2)
        await asyncio.sleep(40.0)
        heard = hole.count(INVITE)
        assert await call_and_wait(switch, phone) > 1.0
        await end(switch, phone, 3)
        assert hole.count(INVITE) > heard
        await hole.close()
        await switch.close()

    run_virtual(main())


def test_a_resting_trunk_is_still_used_when_it_is_the_only_one():
    async def main():
        net = SimNet()
        switch = SimSwitch(net, EXTENSIONS + TRUNKS.replace('["carrier", "spare"]', '["carrier"]'))
        phone = await switch.phone("1001")
        phone.call("913800138000")
        assert (await phone.wait("ended")).status == 503
        await switch.cdr()
        switch.carrier(answer_after_s=0.0)
        assert await call_and_wait(switch, phone) < 0.5
        await end(switch, phone, 2)
        await switch.close()

    run_virtual(main())


def test_the_last_way_gets_all_the_time_of_rfc_3261():
    async def main():
        net = SimNet()
        switch = SimSwitch(net, EXTENSIONS + TRUNKS.replace('["carrier", "spare"]', '["carrier"]'))
        phone = await switch.phone("1001")
        hole = RawPeer(net, "10.0.1.1")
        started = switch.loop.time()
        phone.call("913800138000")
        invite = await hole.expect(INVITE)
        await asyncio.sleep(6.0)
        hole.respond(invite, 486, "Busy Here")
        assert (await phone.wait("ended")).status == 486
        assert switch.loop.time() - started < 10.0
        await switch.cdr()
        await hole.close()
        await switch.close()

    run_virtual(main())


def test_a_trunk_that_says_trying_in_time_is_waited_for():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        phone = await switch.phone("1001")
        slow = RawPeer(net, "10.0.1.1")
        spare = switch.carrier("10.0.1.2", answer_after_s=0.0)
        phone.call("913800138000")
        invite = await slow.expect(INVITE)
        slow.respond(invite, 100, "Trying")
        await asyncio.sleep(8.0)
        assert not spare.events
        slow.respond(invite, 486, "Busy Here")
        assert (await phone.wait("ended")).status == 486
        await switch.cdr()
        await slow.close()
        await switch.close()

    run_virtual(main())


def test_an_answer_that_comes_after_the_trunk_was_left_is_ended():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        phone = await switch.phone("1001")
        late = RawPeer(net, "10.0.1.1")
        switch.carrier("10.0.1.2", answer_after_s=0.0)
        phone.call("913800138000")
        invite = await late.expect(INVITE)
        await phone.wait("answered")
        answer = "v=0\no=- 1 1 IN IP4 10.0.1.1\ns=-\nc=IN IP4 10.0.1.1\nt=0 0\nm=audio 4000 RTP/AVP 8\n"
        late.respond(invite, 200, "OK", body=answer)
        await late.expect("^ACK ")
        bye = await late.expect("^BYE ")
        late.respond(bye, 200, "OK")
        assert (await end(switch, phone)).trunk == "spare"
        await late.close()
        await switch.close()

    run_virtual(main())


def test_another_address_of_the_same_trunk_is_tried_before_the_next_trunk():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        phone = await switch.phone("1001")
        hole = RawPeer(net, "10.0.1.7")
        switch.carrier("10.0.1.8", answer_after_s=0.0)
        spare = switch.carrier("10.0.1.2", answer_after_s=0.0)
        flows = [Flow("udp", "10.0.1.7", 5060), Flow("udp", "10.0.1.8", 5060)]
        switch.core.directory.trunk_resolved("carrier", flows)
        assert await call_and_wait(switch, phone) <= 1.0
        record = await end(switch, phone)
        assert record.trunk == "carrier" and not spare.events
        assert [leg.remote_address for leg in record.legs if leg.name == "carrier"] == [
            "10.0.1.7:5060",
            "10.0.1.8:5060",
        ]
        await hole.close()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(("header", "rests_s"), [("Retry-After: 120 (soon)", 120), ("", 20)])
def test_a_trunk_that_says_503_rests_for_as_long_as_it_asks(header, rests_s):
    async def main():
        net = SimNet()
        switch = SimSwitch(net, with_options("rest_s = 20.0"))
        phone = await switch.phone("1001")
        busy = RawPeer(net, "10.0.1.1")
        switch.carrier("10.0.1.2", answer_after_s=0.0)
        phone.call("913800138000")
        busy.respond(await busy.expect(INVITE), 503, "Overload", headers=header)
        await phone.wait("answered")
        await end(switch, phone)
        trunk, flow = switch.core.directory.trunks["carrier"], Flow("udp", "10.0.1.1", 5060)
        now = switch.loop.time()
        assert trunk.is_resting(flow, now + rests_s - 10) and not trunk.is_resting(flow, now + rests_s + 1)
        await busy.close()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(("failover", "reaches_spare"), [('["404"]', True), ('["USER_BUSY"]', False)])
def test_a_route_says_itself_after_which_refusals_the_next_trunk_is_tried(failover, reaches_spare):
    async def main():
        config = EXTENSIONS + TRUNKS.replace("strip = 1\n", f"strip = 1\nfailover = {failover}\n")
        switch = SimSwitch(SimNet(), config)
        phone = await switch.phone("1001")
        carrier = switch.carrier()
        spare = switch.carrier("10.0.1.2", answer_after_s=0.0)
        phone.call("913800138000")
        carrier.agent.reject((await carrier.wait("incoming")).call, 404, "Not Found")
        if reaches_spare:
            await phone.wait("answered")
            assert (await end(switch, phone)).trunk == "spare"
        else:
            assert (await phone.wait("ended")).status == 404
            assert not spare.events
            await switch.cdr()
        await switch.close()

    run_virtual(main())
