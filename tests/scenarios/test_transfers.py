"""Whole switch, virtual time: transfers by API and by phone (REFER, Replaces), recall, redirect, mute, customer data.

Each test is named after the FEATURES row that it shows. Consultations are in test_consults, calls that are joined in
test_joining; that the audio itself goes right is tested in tests/live/test_transfers.
"""

import asyncio

import msgspec
import pytest

from model import commands, errors, events, media
from model.commands_transfer import Mute, RedirectCall, SetCallData, Transfer
from switch.call import Call
from tests.harness.sim_phone import SimPhone
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp


def leg_of(call: Call, name: str) -> str:
    """The live leg of a phone or trunk."""
    (found,) = [leg.leg_id for leg in call.live_legs() if leg.name == name]
    return found


def hearing(switch: SimSwitch, call: Call) -> str:
    """Who hears whom, as the media worker was told last: "1001>1002" = 1002 hears 1001."""
    edges = switch.worker.of(media.ConnectMatrix, call.call_id)[-1].edges
    live = {leg.leg_id: leg.name for leg in call.live_legs()}
    return " ".join(
        sorted(f"{live[e.speaker]}>{live[e.listener]}" for e in edges if {e.speaker, e.listener} <= set(live))
    )


def answer_after(phone: SimPhone, seconds: float) -> None:
    """From now on the phone answers by itself after so long; -1 = it does not."""
    phone.agent.settings = msgspec.structs.replace(phone.agent.settings, answer_after_s=seconds)


async def customer_call(switch: SimSwitch) -> tuple[SimPhone, SimPhone, str, str, Call]:
    """A customer outside talks with 1001: (carrier, phone, their call ids, call)."""
    carrier = switch.carrier()
    agent = await switch.phone("1001", answer_after_s=0.5)
    theirs = carrier.call("02188886666", caller="13800138000")
    told = await agent.wait("answered")
    await carrier.wait("answered")
    await asyncio.sleep(1.0)
    (call,) = switch.core.calls.calls.values()
    return carrier, agent, theirs.id, told.call, call


def segments(record, name: str) -> list[str]:
    legs = {leg.leg_id for leg in record.legs if leg.name == name}
    return [segment.purpose for segment in record.segments if segment.leg_id in legs]


def test_tel_07_an_agent_hands_the_customer_to_another_agent():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        carrier, agent, theirs, _, call = await customer_call(switch)
        second = await switch.phone("1002", answer_after_s=3.0)
        await app.do(Transfer(call_id=call.call_id, leg_id=leg_of(call, "1001"), to="1002"))
        await agent.wait("ended")
        await second.wait("incoming")
        assert second.the_call.number == "13800138000", "the target sees who calls, not who transfers"
        (ringback,) = [play for play in switch.worker.of(media.Play) if play.play_id == "ringback"]
        assert ringback.leg == leg_of(call, "carrier")
        await second.wait("answered")
        await asyncio.sleep(5.0)
        assert hearing(switch, call) == "1002>carrier carrier>1002"
        assert list(switch.core.calls.calls) == [call.call_id]
        carrier.agent.hang_up(theirs)
        record = await switch.cdr()
        await asyncio.sleep(0.5)

        assert len(switch.cdrs) == 1, "one conversation, one record"
        assert [(leg.name, leg.hangup_cause) for leg in record.legs] == [
            ("carrier", "NORMAL_CLEARING"),
            ("1001", "BLIND_TRANSFER"),
            ("1002", "NORMAL_CLEARING"),
        ]
        assert record.extension == "1002"
        assert segments(record, "carrier") == ["talk", "ring", "talk"]
        assert segments(record, "1001") == ["ring", "talk"], "nobody is charged with time after he transferred"
        assert segments(record, "1002") == ["ring", "talk"]
        by_leg = {leg.name: leg for leg in record.legs}
        assert (
            by_leg["1001"].ended_utc < by_leg["1002"].answered_utc == pytest.approx(by_leg["1002"].bridged_utc, abs=0.1)
        )
        assert record.talk_s == pytest.approx(6.0, abs=0.5), "waiting for the second agent is no talk"
        (transferred,) = switch.of(events.CallTransferred)
        assert (transferred.kind, transferred.number) == ("blind", "1002")
        await switch.close()

    run_virtual(main())


def test_p_18_the_recording_goes_on_through_a_transfer():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        carrier, _, theirs, _, call = await customer_call(switch)
        first = leg_of(call, "1001")
        second = await switch.phone("1002", answer_after_s=1.0)
        await app.do(Transfer(call_id=call.call_id, leg_id=first, to="1002"))
        await second.wait("answered")
        await asyncio.sleep(1.0)
        customer, now = leg_of(call, "carrier"), leg_of(call, "1002")
        starts = switch.worker.of(media.StartRecording)
        assert len({start.recording for start in starts}) == 1
        assert [start.channels for start in starts] == [[[customer], [first]], [[customer], []], [[customer], [now]]]
        carrier.agent.hang_up(theirs)
        record = await switch.cdr()
        await switch.until(lambda: [r.state for r in switch.recordings.values()] == ["finished"])
        (recording,) = switch.recordings.values()
        assert recording.call_id == record.call_id
        await switch.close()

    run_virtual(main())


def test_tel_08_a_transfer_by_agent_name_and_to_the_outside():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        carrier, agent, theirs, _, call = await customer_call(switch)
        leg = leg_of(call, "1001")
        for to, error in (
            ("agent:1009", errors.NoRoute),
            ("ivr:main", errors.NoRoute),
            ("queue:sales", errors.NoRoute),
            ("fax:1", errors.InvalidValue),
            ("4711", errors.NoRoute),
        ):
            with pytest.raises(error):
                await app.do(Transfer(call_id=call.call_id, leg_id=leg, to=to))
        assert agent.the_call.is_up, "what is refused changes nothing"
        outside = switch.carrier("10.0.1.2", answer_after_s=1.0)
        answer_after(carrier, 1.0)
        await app.do(Transfer(call_id=call.call_id, leg_id=leg, to="913900139000"))
        told = await carrier.wait("incoming")
        assert told.dialed == "13900139000"
        await carrier.wait("answered")
        await asyncio.sleep(1.0)
        assert len(switch.of(events.CallTransferred)) == 1
        assert not outside.events
        carrier.agent.hang_up(theirs)
        record = await switch.cdr()
        assert [leg.name for leg in record.legs] == ["carrier", "1001", "carrier"]
        await switch.close()

    run_virtual(main())


def test_a_transfer_needs_the_rights_of_who_transfers():
    async def main():
        barred = EXTENSIONS.replace('name = "Phone 1001"', 'name = "Phone 1001"\nmay_call_external = false')
        switch = SimSwitch(SimNet(), barred + TRUNKS)
        app = SimApp(switch)
        _, agent, theirs, mine, call = await customer_call(switch)
        with pytest.raises(errors.NoRoute) as refused:
            await app.do(Transfer(call_id=call.call_id, leg_id=leg_of(call, "1001"), to="913900139000"))
        assert refused.value.data["cause"] == "OUTGOING_CALL_BARRED"
        agent.agent.transfer(mine, "sip:913900139000@10.0.0.1")
        assert (await agent.wait("transfer")).status == 403
        await asyncio.sleep(2.0)
        assert hearing(switch, call) == "1001>carrier carrier>1001", "and the call goes on"
        assert theirs
        agent.agent.hang_up(mine)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("why", ["busy", "no answer", "not registered"])
def test_xtel_02_nobody_answers_the_transfer_and_the_agent_is_rung_again(why):
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        carrier, agent, theirs, _, call = await customer_call(switch)
        if why != "not registered":
            second = await switch.phone("1002")
        await app.do(Transfer(call_id=call.call_id, leg_id=leg_of(call, "1001"), to="1002", timeout_s=10.0))
        await agent.wait("ended")
        if why == "busy":
            told = await second.wait("incoming")
            second.agent.reject(told.call)
        await agent.wait("answered")
        await asyncio.sleep(2.0)
        (failed,) = switch.of(events.CallTransferFailed)
        assert failed.is_recalled
        assert (
            failed.cause.value
            == {
                "busy": "USER_BUSY",
                "no answer": "NO_ANSWER",
                "not registered": "USER_NOT_REGISTERED",
            }[why]
        )
        assert hearing(switch, call) == "1001>carrier carrier>1001"
        assert [told.kind for told in switch.of(events.CallTransferred)] == ["recalled"]
        carrier.agent.hang_up(theirs)
        record = await switch.cdr()
        assert record.hangup_cause == "NORMAL_CLEARING"
        await switch.close()

    run_virtual(main())


def test_nobody_answers_the_recall_either():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS + "[calls]\nrecall_timeout_s = 12\n")
        app = SimApp(switch)
        carrier, agent, _, _, call = await customer_call(switch)
        answer_after(agent, -1.0)
        await app.do(Transfer(call_id=call.call_id, leg_id=leg_of(call, "1001"), to="1002"))
        await agent.wait("incoming")
        began = switch.loop.time()
        await carrier.wait("ended")
        assert switch.loop.time() - began == pytest.approx(12.0, abs=0.5)
        record = await switch.cdr()
        assert record.hangup_cause == "NO_ANSWER"
        await switch.close()

    run_virtual(main())


def test_the_customer_leaves_while_the_transfer_rings():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        carrier, _, theirs, _, call = await customer_call(switch)
        second = await switch.phone("1002")
        await app.do(Transfer(call_id=call.call_id, leg_id=leg_of(call, "1001"), to="1002"))
        await second.wait("incoming")
        carrier.agent.hang_up(theirs)
        await second.wait("ended")
        record = await switch.cdr()
        assert record.hangup_side == "caller"
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("leaves_at_once", [False, True], ids=["waits for the outcome", "hangs up at once"])
def test_tel_07_a_phone_transfers_by_refer(leaves_at_once):
    async def main():
        switch = SimSwitch(SimNet())
        carrier, agent, theirs, mine, call = await customer_call(switch)
        second = await switch.phone("1002", answer_after_s=2.0)
        agent.agent.transfer(mine, "sip:1002@10.0.0.1")
        assert (await agent.wait("transfer")).status == 100
        if leaves_at_once:
            agent.agent.hang_up(mine)
        await second.wait("answered")
        if not leaves_at_once:
            await switch.until(lambda: "ended" in agent.names())
            assert [told.status for told in agent.events if told.event == "transfer"] == [100, 200]
        await asyncio.sleep(1.0)
        assert hearing(switch, call) == "1002>carrier carrier>1002"
        carrier.agent.hang_up(theirs)
        record = await switch.cdr()
        assert [leg.name for leg in record.legs] == ["carrier", "1001", "1002"]
        await switch.close()

    run_virtual(main())


def test_a_refer_that_fails_gives_the_customer_back():
    async def main():
        switch = SimSwitch(SimNet())
        _, agent, _, mine, call = await customer_call(switch)
        agent.agent.hold(mine)
        await agent.wait("held")
        second = await switch.phone("1002")
        agent.agent.transfer(mine, "sip:1002@10.0.0.1")
        told = await second.wait("incoming")
        second.agent.reject(told.call)
        await switch.until(lambda: any(e.event == "transfer" and e.status == 486 for e in agent.events))
        (failed,) = switch.of(events.CallTransferFailed)
        assert not failed.is_recalled
        agent.agent.resume(mine)
        await agent.wait("resumed")
        assert hearing(switch, call) == "1001>carrier carrier>1001"
        agent.agent.hang_up(mine)
        record = await switch.cdr()
        assert segments(record, "carrier") == ["talk", "hold", "ring", "hold", "talk"]
        await switch.close()

    run_virtual(main())


def test_a_trunk_may_transfer_only_to_our_own_numbers():
    async def main():
        switch = SimSwitch(SimNet())
        carrier, agent, theirs, _, call = await customer_call(switch)
        carrier.agent.transfer(theirs, "sip:913900139000@10.0.0.1")
        assert (await carrier.wait("transfer")).status == 404
        assert agent.the_call.is_up and call.phase == "bridged"
        carrier.agent.hang_up(theirs)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_tel_12_an_unanswered_call_is_moved_on_by_command():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice, bob = await switch.phone("1001"), await switch.phone("1002")
        carol = await switch.phone("1003", answer_after_s=1.0)
        mine = alice.call("1002")
        await bob.wait("incoming")
        (call,) = switch.core.calls.calls.values()
        with pytest.raises(errors.NoRoute):
            await app.do(RedirectCall(call_id=call.call_id, to="4711"))
        await app.do(RedirectCall(call_id=call.call_id, to="1003"))
        await bob.wait("ended")
        await carol.wait("answered")
        await alice.wait("answered")
        with pytest.raises(errors.WrongState):
            await app.do(RedirectCall(call_id=call.call_id, to="1002"))
        alice.agent.hang_up(mine.id)
        record = await switch.cdr()
        assert [(leg.name, leg.hangup_cause) for leg in record.legs[1:]] == [
            ("1002", "BLIND_TRANSFER"),
            ("1003", "NORMAL_CLEARING"),
        ]
        await switch.close()

    run_virtual(main())


def test_tel_05_mute_is_one_way():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        _, agent, _, mine, call = await customer_call(switch)
        leg = leg_of(call, "1001")
        view = await app.do(Mute(call_id=call.call_id, leg_id=leg))
        assert [each.is_muted for each in view.legs] == [False, True]
        assert hearing(switch, call) == "carrier>1001"
        await app.do(Mute(call_id=call.call_id, leg_id=leg, is_muted=False))
        assert hearing(switch, call) == "1001>carrier carrier>1001"
        assert [told.is_muted for told in switch.of(events.CallMuted)] == [True, False]
        agent.agent.hang_up(mine)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_tel_25_the_customers_data_goes_where_the_call_goes():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        carrier, _, theirs, _, call = await customer_call(switch)
        await app.do(SetCallData(call_id=call.call_id, data={"customer_id": "42", "vip": "yes", "old": "1"}))
        view = await app.do(SetCallData(call_id=call.call_id, data={"old": None}))
        assert view.variables == {"customer_id": "42", "vip": "yes"}
        assert switch.of(events.CallDataChanged)[-1].data == view.variables
        with pytest.raises(errors.InvalidValue):
            await app.do(SetCallData(call_id=call.call_id, data={f"n{i}": "" for i in range(63)}))
        second = await switch.phone("1002", answer_after_s=1.0)
        await app.do(Transfer(call_id=call.call_id, leg_id=leg_of(call, "1001"), to="1002"))
        await second.wait("answered")
        await asyncio.sleep(0.1)
        (told,) = switch.of(events.CallTransferred)
        assert told.data == view.variables
        carrier.agent.hang_up(theirs)
        record = await switch.cdr()
        assert record.data == view.variables
        detail = await app.do(commands.GetCall(call_id=record.call_id))
        assert detail.record.data == view.variables
        await switch.close()

    run_virtual(main())


def test_audio_that_went_directly_comes_by_us_after_a_transfer():
    async def main():
        direct = EXTENSIONS.replace("[[extension]]", '[[extension]]\nmedia = "direct"')
        switch = SimSwitch(SimNet(), direct)
        app = SimApp(switch)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        carol = await switch.phone("1003", answer_after_s=1.0)
        mine, _ = await alice.talk_to("1002", bob)
        (call,) = switch.core.calls.calls.values()
        assert call.is_direct and not switch.worker.commands
        await app.do(Transfer(call_id=call.call_id, leg_id=leg_of(call, "1002"), to="1003"))
        await carol.wait("answered")
        await asyncio.sleep(1.0)
        assert hearing(switch, call) == "1001>1003 1003>1001"
        configured = {command.leg: command.port for command in switch.worker.of(media.ConfigureLeg)}
        assert alice.media[mine.id].configured[-1].remote_port == configured[leg_of(call, "1001")]
        assert not switch.worker.of(media.StartRecording), "who wants it direct is not recorded"
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())
