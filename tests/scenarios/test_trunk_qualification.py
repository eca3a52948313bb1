"""Whole switch, virtual time: OPTIONS to trunks, what is told of them, and that calls pass over a trunk that is down.
Intervals and hysteresis are in tests/switch/test_qualifier.py."""

import asyncio
from contextlib import asynccontextmanager

from model import events
from switch.views import trunk_view
from tests.harness.peer import RawPeer
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual

QUALIFIED = EXTENSIONS + TRUNKS.replace('name = "carrier"\n', 'name = "carrier"\nqualify_s = 10.0\n', 1)


@asynccontextmanager
async def keeping_trunks(switch):
    task = asyncio.create_task(switch.core.trunks.keep_resolved())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_trunk_that_stops_answering_goes_down_calls_pass_over_it_and_it_comes_back():
    async def main():
        net = SimNet()
        switch = SimSwitch(net, QUALIFIED)
        trunk = switch.core.directory.trunks["carrier"]
        phone = await switch.phone("1001")
        switch.carrier("10.0.1.2", answer_after_s=0.0)
        dead = RawPeer(net, "10.0.1.1")
        async with keeping_trunks(switch):
            asked = await dead.expect("^OPTIONS sip:10.0.1.1")
            assert (
                asked.header("Accept") == "application/sdp"
                and asked.header("To") == "<sip:10.0.1.1:5060;transport=udp>"
            )
            await switch.until(lambda: trunk.state == "down")
            assert switch.of(events.TrunkDown)[-1].reason == "no answer to OPTIONS"
            shown = trunk_view(trunk, switch.loop.time())
            assert (shown.state, shown.reason, shown.addresses[0].state) == ("down", "no answer to OPTIONS", "down")
            heard = dead.count("^INVITE")
            phone.call("913800138000")
            await phone.wait("answered")
            assert dead.count("^INVITE") == heard
            phone.agent.hang_up(phone.the_call.id)
            assert (await switch.cdr()).trunk == "spare"

            await dead.close()
            carrier = switch.carrier(answer_after_s=0.0)
            await switch.until(lambda: trunk.state == "up")
            came = switch.of(events.TrunkUp)[-1]
            assert came.trunk == "carrier" and came.down_s > 5.0
            phone.call("913800138000")
            await phone.wait("answered")
            phone.agent.hang_up(phone.the_call.id)
            assert (await switch.cdr(2)).trunk == "carrier"
            assert "incoming" in carrier.names()
        await switch.close()

    run_virtual(main())


def test_the_only_trunk_being_down_is_said_at_once():
    async def main():
        switch = SimSwitch(SimNet(), QUALIFIED.replace('["carrier", "spare"]', '["carrier"]'))
        phone = await switch.phone("1001")
        async with keeping_trunks(switch):
            await switch.until(lambda: switch.core.directory.trunks["carrier"].state == "down")
            started = switch.loop.time()
            phone.call("913800138000")
            assert (await phone.wait("ended")).status == 503
            assert switch.loop.time() - started < 0.5
            assert (await switch.cdr()).hangup_cause == "GATEWAY_DOWN"
        await switch.close()

    run_virtual(main())


def test_a_call_that_gets_no_answer_has_the_trunk_asked_at_once():
    async def main():
        net = SimNet()
        switch = SimSwitch(net, QUALIFIED.replace("qualify_s = 10.0", "qualify_s = 600.0"))
        trunk = switch.core.directory.trunks["carrier"]
        phone = await switch.phone("1001")
        switch.carrier("10.0.1.2", answer_after_s=0.0)
        carrier = RawPeer(net, "10.0.1.1")
        async with keeping_trunks(switch):
            carrier.respond(await carrier.expect("^OPTIONS"), 200, "OK")
            await switch.until(lambda: trunk.health_of(trunk.flows[0]).state == "up")
            phone.call("913800138000")
            await phone.wait("answered")
            await switch.until(lambda: trunk.state == "down", within_s=10.0)
            phone.agent.hang_up(phone.the_call.id)
            await switch.cdr()
        await carrier.close()
        await switch.close()

    run_virtual(main())


def test_a_trunk_that_is_not_qualified_is_never_asked():
    async def main():
        net = SimNet()
        switch = SimSwitch(net, EXTENSIONS + TRUNKS)
        carrier = RawPeer(net, "10.0.1.1")
        async with keeping_trunks(switch):
            await carrier.expect_nothing(200.0)
            assert switch.of(events.TrunkUp)[0].trunk == "carrier"
        await carrier.close()
        await switch.close()

    run_virtual(main())
