"""Whole switch, virtual time: two calls become one (attended transfer by REFER with Replaces); INVITE with Replaces.

One call absorbs the other: one id, one record, one recording (FEATURES XTEL-01, P-18). Calls at different media workers
are joined here, too.
"""

import asyncio

import pytest

from model import commands, events, media
from tests.harness.sim_phone import SimPhone
from tests.harness.sim_switch import SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp
from tests.scenarios.test_transfers import customer_call, hearing, leg_of, segments


async def two_calls(switch: SimSwitch, *, answers: bool = True):
    """1001 talks with a customer, holds, and calls 1002 on a second line."""
    carrier, agent, theirs, mine, call = await customer_call(switch)
    expert = await switch.phone("1002", answer_after_s=1.0 if answers else -1.0)
    agent.agent.hold(mine)
    await agent.wait("held")
    second = agent.call("1002")
    await expert.wait("answered" if answers else "incoming")
    await asyncio.sleep(1.0)
    return carrier, agent, expert, theirs, mine, second.id, call


async def statuses(phone: SimPhone) -> list[int]:
    """How the phone's transfer went."""
    await asyncio.sleep(2.0)
    return [told.status for told in phone.events if told.event == "transfer"]


@pytest.mark.parametrize("from_first", [True, False], ids=["REFER in the customer's call", "REFER in the second call"])
def test_xtel_01_attended_transfer_by_the_phone_makes_one_call_of_two(from_first):
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        carrier, agent, expert, theirs, mine, second, call = await two_calls(switch)
        other = next(each for each in switch.core.calls.calls.values() if each is not call)
        uri, named = ("sip:1002@10.0.0.1", second) if from_first else ("sip:13800138000@10.0.0.1", mine)
        agent.agent.transfer(mine if from_first else second, uri, replacing=named)
        assert (await statuses(agent))[-1] == 200
        assert not agent.agent.calls, "both calls of the phone are over"
        assert list(switch.core.calls.calls) == [call.call_id]
        assert switch.of(events.CallAbsorbed) == [events.CallAbsorbed(call_id=other.call_id, into_call_id=call.call_id)]
        assert hearing(switch, call) == "1002>carrier carrier>1002"
        assert not [leg.playing for leg in call.live_legs() if leg.playing]
        view = await app.do(commands.GetCall(call_id=other.call_id))
        assert view.live.call_id == call.call_id, "the id of what was absorbed still leads to it"
        expert_media = expert.media[expert.the_call.id].configured
        port = switch.worker.of(media.ConfigureLeg, call.call_id)[-1].port
        assert (expert_media[0].remote_port, expert_media[-1].remote_port) == (expert_media[0].remote_port, port)
        await asyncio.sleep(4.0)
        carrier.agent.hang_up(theirs)
        await expert.wait("ended")
        record = await switch.cdr()
        await switch.until(lambda: all(r.state == "finished" for r in switch.recordings.values()))
        await asyncio.sleep(3.0)

        assert len(switch.cdrs) == 1
        assert record.absorbed == [other.call_id]
        assert [leg.name for leg in record.legs] == ["carrier", "1001", "1001", "1002"]
        assert (
            {leg.call_id for leg in record.legs} == {segment.call_id for segment in record.segments} == {call.call_id}
        )
        assert segments(record, "carrier") == ["talk", "hold", "talk"]
        assert segments(record, "1002") == ["ring", "talk", "talk"]
        assert all(leg.packets_received for leg in record.legs)
        assert {recording.call_id for recording in switch.recordings.values()} == {call.call_id}
        await switch.close()

    run_virtual(main())


def test_p_18_the_customers_recording_goes_on_and_has_the_new_party():
    async def main():
        switch = SimSwitch(SimNet())
        carrier, agent, _, theirs, mine, second, call = await two_calls(switch)
        running = call.recording
        agent.agent.transfer(mine, "sip:1002@10.0.0.1", replacing=second)
        await statuses(agent)
        assert call.recording is running
        start = switch.worker.of(media.StartRecording, call.call_id)[-1]
        assert start.recording == running.recording_id
        assert start.channels == [[leg_of(call, "carrier")], [leg_of(call, "1002")]]
        carrier.agent.hang_up(theirs)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_calls_at_two_media_workers_are_joined_at_the_customers():
    async def main():
        switch = SimSwitch(SimNet(), n_workers=2)
        carrier, agent, expert, theirs, mine, second, call = await two_calls(switch)
        other = next(each for each in switch.core.calls.calls.values() if each is not call)
        assert call.worker != other.worker
        home, away = switch.workers[call.worker], switch.workers[other.worker]
        agent.agent.transfer(mine, "sip:1002@10.0.0.1", replacing=second)
        assert (await statuses(agent))[-1] == 200
        assert away.legs == {}, "nothing is left where the second call was"
        configured = home.of(media.ConfigureLeg)[-1]
        assert (configured.session, configured.leg) == (call.call_id, leg_of(call, "1002"))
        assert expert.media[expert.the_call.id].configured[-1].remote_port == configured.port
        edges = home.of(media.ConnectMatrix, call.call_id)[-1].edges
        assert {edge.speaker for edge in edges} == {leg_of(call, "carrier"), leg_of(call, "1002")}
        carrier.agent.hang_up(theirs)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_who_is_called_has_not_answered_yet():
    async def main():
        switch = SimSwitch(SimNet())
        carrier, agent, expert, theirs, mine, second, call = await two_calls(switch, answers=False)
        agent.agent.transfer(mine, "sip:1002@10.0.0.1", replacing=second)
        await expert.wait("ended")
        told = await expert.wait("incoming")
        expert.agent.answer(told.call)
        assert (await statuses(agent))[-1] == 200
        assert hearing(switch, call) == "1002>carrier carrier>1002"
        carrier.agent.hang_up(theirs)
        await switch.until(lambda: len(switch.cdrs) == 2)
        await switch.close()

    run_virtual(main())


def test_nobody_joins_calls_of_others():
    async def main():
        switch = SimSwitch(SimNet())
        _, agent, _, _, mine, second, call = await two_calls(switch)
        thief = await switch.phone("1003")
        dave = await switch.phone("1004", answer_after_s=0.5)
        await thief.talk_to("1004", dave)
        named = agent.agent.stack.dialog_of(agent.agent.calls[second].session)
        stolen = thief.agent.stack.refer(
            thief.the_call.session, "sip:1002@10.0.0.1", thief.agent.driver.now(), replaces=named
        )
        thief.agent.driver.perform(stolen)
        assert await statuses(thief) == [403]
        assert len(switch.core.calls.calls) == 3
        assert agent.agent.calls[second].is_up and thief.the_call.is_up
        for phone in (agent, thief):
            for each in list(phone.agent.calls):
                phone.agent.hang_up(each)
        await switch.until(lambda: len(switch.cdrs) == 3)
        assert mine and call
        await switch.close()

    run_virtual(main())


def test_a_leg_that_does_not_take_its_new_port_is_lost_and_nothing_else():
    async def main():
        switch = SimSwitch(SimNet())
        carrier, agent, expert, theirs, mine, second, call = await two_calls(switch)
        expert.agent._capabilities = type(expert.agent._capabilities)(codecs=("L16/8000",))
        agent.agent.transfer(mine, "sip:1002@10.0.0.1", replacing=second)
        await statuses(agent)
        record = await switch.cdr()
        assert record.hangup_cause == "INCOMPATIBLE_DESTINATION"
        assert carrier and theirs and call
        await switch.close()

    run_virtual(main())


def test_an_invite_with_replaces_takes_the_place_of_a_leg():
    async def main():
        switch = SimSwitch(SimNet())
        carrier, agent, theirs, mine, call = await customer_call(switch)
        other = await switch.phone("1003")
        mine_dialog = agent.agent.stack.dialog_of(agent.agent.calls[mine].session)
        # What 1003 was shown of the call: the dialog as the switch has it.
        other.agent.call("1001", headers=f"Replaces: {mine_dialog}\r\n")
        await other.wait("answered")
        await agent.wait("ended")
        await asyncio.sleep(0.5)
        assert hearing(switch, call) == "1003>carrier carrier>1003"
        assert [told.kind for told in switch.of(events.CallTransferred)] == ["replaced"]
        carrier.agent.hang_up(theirs)
        record = await switch.cdr()
        assert [(leg.name, leg.hangup_cause) for leg in record.legs] == [
            ("carrier", "NORMAL_CLEARING"),
            ("1001", "ATTENDED_TRANSFER"),
            ("1003", "NORMAL_CLEARING"),
        ]
        await switch.close()

    run_virtual(main())
