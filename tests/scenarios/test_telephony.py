"""Whole switch, virtual time: rows of the catalogue's telephony chapter that no other file is about: who calls is seen,
calls of both directions are kept alike."""

from model import commands, events
from tests.harness.sim_switch import SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp


def test_tel_01_who_calls_is_shown_on_the_phone_and_told_to_screens():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        agent = await switch.phone("1001")
        carrier = switch.carrier()
        carrier.call("02188886666", caller="13800138000")
        incoming = await agent.wait("incoming")
        assert incoming.number == "13800138000"
        invite = net.sent(destination="10.0.0.11", containing=b"INVITE sip:1001")[0]
        assert b"From: <sip:13800138000@" in invite.data
        (created,) = switch.of(events.CallCreated)
        assert (created.direction, created.caller, created.dialed) == ("inbound", "13800138000", "02188886666")
        await switch.until(lambda: switch.of(events.CallRinging))
        assert switch.of(events.CallRinging)[0].call_id == created.call_id
        agent.agent.reject(incoming.call)
        # Colleagues are shown by name.
        colleague = await switch.phone("1002")
        colleague.call("1001")
        await agent.wait("incoming")
        assert net.sent(destination="10.0.0.11", containing=b'From: "Phone 1002" <sip:1002@')
        colleague.agent.hang_up(colleague.the_call.id)
        await switch.close()

    run_virtual(main())


def test_tel_36_calls_of_both_directions_are_kept_and_found_alike():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        agent = await switch.phone("1001", answer_after_s=0.5)
        carrier = switch.carrier(answer_after_s=0.5)
        carrier.call("02188886666", caller="13800138000")
        await agent.wait("answered")
        agent.agent.hang_up(agent.the_call.id)
        await switch.cdr(1)
        agent.call("913800138000")
        await carrier.wait("answered")
        await agent.wait("answered")
        agent.agent.hang_up(agent.the_call.id)
        await switch.cdr(2)
        found = await app.do(commands.SearchHistory(number="13800138000", is_suffix=True))
        assert {call.direction for call in found.calls} == {"inbound", "outbound"}
        for direction, caller in (("inbound", "13800138000"), ("outbound", "1001")):
            (call,) = (await app.do(commands.SearchHistory(direction=direction))).calls
            assert (call.caller, call.talk_s > 0, call.trunk) == (caller, True, "carrier")
        await switch.close()

    run_virtual(main())
