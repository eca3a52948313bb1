"""Whole switch, virtual time: what the SIP dialog of a phone or carrier can bring about. Session timers, a lost BYE, a
transfer that nobody allows, Replaces of what is not ours.

Not here: allowed transfers (test_transfers), the protocol itself (tests/sip).
"""

import asyncio

from tests.harness.sim_switch import EXTENSIONS, HOST, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual


def test_a_long_call_is_refreshed_and_a_phone_that_vanished_ends_it():
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=1.0)
        await alice.talk_to("1002", bob)
        await asyncio.sleep(7200.0)
        assert len(switch.core.calls.calls) == 1
        assert switch.core.stack.transaction_stats.n_timeouts == 0
        await bob.close()
        await alice.wait("ended", within_s=1800.0)
        record = await switch.cdr()
        assert record.hangup_cause == "RECOVERY_ON_TIMER_EXPIRE"
        assert record.talk_s > 7200.0
        await switch.close()

    run_virtual(main(), limit_s=20_000.0)


def test_a_trunk_that_is_asked_for_no_timers_has_none():
    async def main():
        trunks = TRUNKS.replace('name = "carrier"', 'name = "carrier"\nsession_timers = false', 1)
        switch = SimSwitch(SimNet(), EXTENSIONS + trunks)
        phone = await switch.phone("1001", answer_after_s=1.0)
        carrier = switch.carrier(answer_after_s=0.5)
        for caller, callee, number in ((phone, carrier, "913800138000"), (carrier, phone, "02188886666")):
            await caller.talk_to(number, callee)
            intervals = {leg.kind: switch.core.stack.sessions[leg.session].expires_s for leg in the_legs(switch)}
            assert intervals == {"extension": 1800, "trunk": 0}
            phone.agent.hang_up(phone.the_call.id)
            await carrier.wait("ended")
        await switch.cdr(2)
        await switch.close()

    run_virtual(main())


def the_legs(switch):
    (call,) = switch.core.calls.calls.values()
    return call.live_legs()


def test_a_transfer_to_where_it_may_not_go_is_403_and_the_call_goes_on():
    async def main():
        config = EXTENSIONS.replace('number = "1002"', 'number = "1002"\nmay_call_external = false') + TRUNKS
        switch = SimSwitch(SimNet(), config)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=1.0)
        carrier = switch.carrier(answer_after_s=0.5)
        mine, his = await alice.talk_to("1002", bob)
        bob.agent.transfer(his.id, f"sip:913800138000@{HOST}")
        assert (await bob.wait("transfer")).status == 403
        await asyncio.sleep(60.0)
        assert carrier.names() == []
        assert len(switch.core.calls.calls) == 1
        alice.agent.hang_up(mine.id)
        await bob.wait("ended")
        assert (await switch.cdr()).hangup_cause == "NORMAL_CLEARING"
        await switch.close()

    run_virtual(main())
