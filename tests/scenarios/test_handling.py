"""Whole switch, virtual time: how calls are taken and let go: what a screen shows, answer and release by itself or by
hand, hold that lasts too long (FEATURES TEL-01, TEL-03, TEL-04, TEL-06)."""

import asyncio

import pytest

from model import commands, events, media
from model.commands_transfer import SetCallData
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp
from tests.scenarios.test_transfers import answer_after, customer_call, hearing, leg_of


def with_1001(line: str, more: str = "") -> str:
    """The usual configuration, with a line for extension 1001."""
    return EXTENSIONS.replace('name = "Phone 1001"', f'name = "Phone 1001"\n{line}') + TRUNKS + more


def invites_of(switch: SimSwitch) -> list[bytes]:
    """What phone 1001 was sent as INVITE, in order."""
    return [seen.data for seen in switch.net.sent(destination="10.0.0.11", containing=b"INVITE sip:1001@")]


def test_tel_01_a_ringing_call_is_told_with_all_that_a_screen_shows():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        carrier = switch.carrier()
        agent = await switch.phone("1001")
        theirs = carrier.call("02188886666", caller="13800138000")
        await agent.wait("incoming")
        await asyncio.sleep(0.1)
        (told,) = switch.of(events.CallRinging)
        assert (told.number, told.caller, told.access_number) == ("1001", "13800138000", "02188886666")
        await app.do(SetCallData(call_id=told.call_id, data={"customer_id": "7"}))
        assert switch.of(events.CallDataChanged)[-1].data == {"customer_id": "7"}
        carrier.agent.hang_up(theirs.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_tel_03_a_phone_that_shall_answer_by_itself_is_asked_to_and_hears_a_tone_first():
    async def main():
        switch = SimSwitch(SimNet(), with_1001("auto_answer = true"))
        carrier, agent, theirs, mine, call = await customer_call(switch)
        invites = invites_of(switch)
        assert b"\r\nAnswer-Mode: Auto\r\n" in invites[0]
        assert b";answer-after=0\r\n" in invites[0] and b";info=alert-autoanswer\r\n" in invites[0]
        (tone,) = switch.worker.of(media.Play)
        assert (tone.leg, tone.sources) == (leg_of(call, "1001"), ["tone:zip/cn"])
        switch.worker.tell(media.PlayFinished(call.call_id, tone.leg, tone.play_id))
        await asyncio.sleep(0.1)
        assert hearing(switch, call) == "1001>carrier carrier>1001"
        assert not switch.of(events.CallPlayFinished)
        bob = await switch.phone("1002")
        bob.call("1001")
        await asyncio.sleep(1.0)
        invites = invites_of(switch)
        assert b"Answer-Mode" not in invites[-1], "nobody is torn out of the call he is in"
        agent.agent.hang_up(mine)
        assert carrier and theirs
        await switch.until(lambda: len(switch.cdrs) == 2)
        await switch.close()

    run_virtual(main())


def test_tel_03_others_answer_by_hand():
    async def main():
        switch = SimSwitch(SimNet())
        carrier, _, theirs, _, _ = await customer_call(switch)
        invites = invites_of(switch)
        assert invites and b"Answer-Mode" not in invites[0]
        assert not switch.worker.of(media.Play)
        carrier.agent.hang_up(theirs)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("hangs_up", [True, False])
def test_tel_04_an_agent_releases_by_hand(hangs_up):
    async def main():
        switch = SimSwitch(SimNet(), with_1001("auto_release = false", "[calls]\nrelease_tone_s = 20\n"))
        carrier, agent, theirs, mine, call = await customer_call(switch)
        await asyncio.sleep(3.0)
        carrier.agent.hang_up(theirs)
        await asyncio.sleep(5.0)
        assert agent.the_call.is_up
        (play,) = switch.worker.of(media.Play)
        assert (play.leg, play.sources) == (leg_of(call, "1001"), ["tone:busy/cn"])
        (told,) = switch.of(events.CallLeftAlone)
        assert (told.cause, told.side) == ("NORMAL_CLEARING", "caller")
        await switch.until(lambda: [r.state for r in switch.recordings.values()] == ["finished"])
        began = switch.loop.time()
        if hangs_up:
            agent.agent.hang_up(mine)
        record = await switch.cdr()
        assert switch.loop.time() - began == pytest.approx(0.0 if hangs_up else 15.0, abs=1.0)
        assert (record.hangup_cause, record.hangup_side) == ("NORMAL_CLEARING", "caller")
        assert record.talk_s == pytest.approx(4.0, abs=0.3), "busy tone is no talk"
        await switch.close()

    run_virtual(main())


def test_tel_04_others_are_released_with_the_customer():
    async def main():
        switch = SimSwitch(SimNet())
        carrier, agent, theirs, _, _ = await customer_call(switch)
        carrier.agent.hang_up(theirs)
        await agent.wait("ended")
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_tel_06_who_holds_by_api_hears_a_reminder_again_and_again():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS + "[calls]\nhold_recall_s = 30\n")
        app = SimApp(switch)
        carrier, _, theirs, _, call = await customer_call(switch)
        customer, agent = leg_of(call, "carrier"), leg_of(call, "1001")
        await app.do(commands.Hold(call_id=call.call_id, leg_id=customer))
        await asyncio.sleep(65.0)
        assert [play.leg for play in switch.worker.of(media.Play) if play.play_id == "reminder"] == [agent, agent]
        told = switch.of(events.CallHoldReminded)
        assert [(each.leg_id, each.by_leg_id, round(each.held_s)) for each in told] == [
            (customer, agent, 30),
            (customer, agent, 60),
        ]
        await app.do(commands.Resume(call_id=call.call_id, leg_id=customer))
        await asyncio.sleep(65.0)
        assert len(switch.of(events.CallHoldReminded)) == 2
        carrier.agent.hang_up(theirs)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("answers", [True, False])
def test_tel_06_a_phone_that_holds_too_long_is_called(answers):
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS + "[calls]\nhold_recall_s = 30\n")
        carrier, agent, theirs, mine, call = await customer_call(switch)
        second = await switch.phone("1001", host="10.0.0.77")
        agent.agent.hold(mine)
        await agent.wait("held")
        told = await second.wait("incoming")
        assert second.the_call.number == "13800138000"
        if answers:
            second.agent.answer(told.call)
            await agent.wait("ended")
            await asyncio.sleep(0.5)
            assert hearing(switch, call) == "1001>carrier carrier>1001"
        else:
            await second.wait("ended")
            agent.agent.resume(mine)
            await agent.wait("resumed")
            assert hearing(switch, call) == "1001>carrier carrier>1001"
        carrier.agent.hang_up(theirs)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_the_customer_on_hold_leaves_while_the_holder_is_called():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS + "[calls]\nhold_recall_s = 30\n")
        carrier, agent, theirs, mine, _ = await customer_call(switch)
        second = await switch.phone("1001", host="10.0.0.77")
        answer_after(agent, -1.0)
        agent.agent.hold(mine)
        await second.wait("incoming")
        carrier.agent.hang_up(theirs)
        await second.wait("ended")
        await agent.wait("ended")
        await switch.cdr()
        await switch.close()

    run_virtual(main())
