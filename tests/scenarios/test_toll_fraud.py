"""Whole switch, virtual time: every way by which an extension can cause a trunk call is under the same limits.

The rules themselves are in tests/switch/test_outbound_policy.py.
"""

import asyncio

import pytest

from model.causes import HangupCause
from switch.calls import NoRouteError
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual

ABROAD = "90014155550100"


def forwarding(key, to):
    return EXTENSIONS.replace('number = "1002"\n', f'number = "1002"\n{key} = "{to}"\nring_timeout_s = 2\n') + TRUNKS


def test_a_foreign_number_is_closed_and_the_record_says_so():
    async def main():
        switch = SimSwitch(SimNet())
        phone = await switch.phone("1001")
        carrier = switch.carrier(answer_after_s=0.1)
        phone.call(ABROAD)
        assert (await phone.wait("ended")).status == 403
        assert (await switch.cdr()).hangup_cause == "OUTGOING_CALL_BARRED"
        assert carrier.events == []
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("key", ["busy_to", "no_answer_to"])
def test_forwarding_abroad_is_what_the_forwarding_extension_may(key):
    async def main():
        switch = SimSwitch(SimNet(), forwarding(key, ABROAD))
        caller = await switch.phone("1001")
        carrier = switch.carrier(answer_after_s=0.1)
        if key == "no_answer_to":
            await switch.phone("1002")
        caller.call("1002")
        await caller.wait("ended")
        assert carrier.events == []
        await switch.close()

    run_virtual(main())


def test_calls_at_one_time_are_limited_also_when_another_forwards_them():
    async def main():
        text = "[outbound]\nmax_calls = 1\n" + forwarding("busy_to", "913800138000")
        switch = SimSwitch(SimNet(), text)
        first, second = await switch.phone("1001"), await switch.phone("1003")
        carrier = switch.carrier(answer_after_s=0.1)
        first.call("1002")
        await first.wait("answered")
        second.call("1002")
        assert (await second.wait("ended")).status in (403, 480)
        # It is 1002 that pays: 1003 may still call by itself.
        second.call("913800138001")
        await second.wait("answered")
        assert len([event for event in carrier.events if event.event == "incoming"]) == 2
        first.agent.hang_up(first.the_call.id)
        await switch.until(lambda: len(switch.cdrs) == 2)
        first.call("1002")
        await first.wait("answered")
        await switch.close(check=False)

    run_virtual(main())


def test_the_api_may_not_call_abroad_unless_the_configuration_says_so():
    async def main():
        switch = SimSwitch(SimNet())
        switch.carrier(answer_after_s=0.1)
        arguments = {
            "second": "1001", "caller_id": "", "ring_timeout_s": 10.0, "variables": {}, "record": None,
            "has_ringback": False, "worker": 0, "now": switch.loop.time(),
        }  # fmt: skip
        with pytest.raises(NoRouteError) as refused:
            switch.core.calls.originate(first=ABROAD, **arguments)
        assert refused.value.cause is HangupCause.OUTGOING_CALL_BARRED
        await switch.close()

    run_virtual(main())


def test_a_trunk_that_failed_and_the_next_one_are_one_call():
    async def main():
        switch = SimSwitch(SimNet(), "[outbound]\nmax_calls_per_day = 2\n" + EXTENSIONS + TRUNKS)
        phone = await switch.phone("1001")
        switch.carrier("10.0.1.2", answer_after_s=0.1)
        for _ in range(2):
            phone.call("913800138000")
            await phone.wait("answered")
            phone.agent.hang_up(phone.the_call.id)
            await phone.wait("ended")
        phone.call("913800138000")
        assert (await phone.wait("ended")).status == 403
        await switch.close()

    run_virtual(main())


def test_a_transfer_abroad_is_refused_and_one_within_the_limits_is_paid_by_who_transfers():
    async def main():
        switch = SimSwitch(SimNet(), "[outbound]\nmax_calls = 1\n" + EXTENSIONS + TRUNKS)
        agent = await switch.phone("1001", answer_after_s=0.1)
        carrier = switch.carrier(answer_after_s=0.1)
        carrier.call("02188886666", caller="13800138000")
        mine = (await agent.wait("answered")).call
        await asyncio.sleep(1.0)
        agent.agent.transfer(mine, f"sip:{ABROAD}@10.0.0.1")
        assert (await agent.wait("transfer")).status == 403
        assert len(switch.core.calls.calls) == 1 and mine in agent.agent.calls
        await asyncio.sleep(1.0)
        agent.agent.transfer(mine, "sip:913900139000@10.0.0.1")
        await carrier.wait("incoming")
        await switch.until(lambda: len(switch.core.directory.outbound.usage["1001"].live) == 1)
        await agent.wait("ended")
        agent.call("913900139001")
        assert (await agent.wait("ended")).status == 403
        await switch.close(check=False)

    run_virtual(main())
