"""Whole switch, virtual time: the echo (TEL-20), by code and by one's own number. That one hears oneself is tested in
tests/media/test_conference.py, with a real phone in tests/live/test_supervision.py."""

import asyncio

import pytest

from model import commands, media
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp


@pytest.mark.parametrize("number", ["*43", "1001"], ids=["code", "own number"])
@pytest.mark.parametrize("ends", ["phone", "api", "time"])
def test_a_phone_hears_itself(number, ends):
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        mine = alice.call(number)
        await alice.wait("answered")
        (call,) = switch.core.calls.calls.values()
        assert call.phase == "echo"
        [matrix] = switch.worker.of(media.ConnectMatrix)
        assert [(edge.speaker, edge.listener, edge.gain) for edge in matrix.edges] == [(call.a, call.a, 1.0)]
        assert switch.worker.of(media.StartRecording) == []
        await asyncio.sleep(2.0)
        match ends:
            case "phone":
                alice.agent.hang_up(mine.id)
            case "api":
                await SimApp(switch).do(commands.Hangup(call_id=call.call_id))
            case "time":
                pass
        await switch.until(lambda: switch.cdrs, within_s=400.0)
        record = await switch.cdr()
        assert record.hangup_cause == ("ALLOTTED_TIMEOUT" if ends == "time" else "NORMAL_CLEARING")
        await switch.close()

    run_virtual(main())


def test_the_code_can_be_another_and_is_for_extensions_alone():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS + '[feature_codes]\necho = "*99"\n')
        alice = await switch.phone("1001")
        carrier = switch.carrier()
        mine = alice.call("*99")
        await alice.wait("answered")
        alice.agent.hang_up(mine.id)
        carrier.call("*99", caller="13800138000")
        assert (await carrier.wait("ended")).status == 404
        await switch.close()

    run_virtual(main())
