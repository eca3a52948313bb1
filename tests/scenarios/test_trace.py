"""Whole switch, virtual time: which messages `trace.*` tells, of chosen calls alone and with all their legs; bounded,
and nothing is looked at when nobody traces. How they are shown is in tests/switch/test_trace.py."""

import asyncio

import pytest

from control.auth import Caller
from model import errors
from model.commands_trace import ReadTrace, StartTrace, StopTrace
from switch import trace
from switch.trace_ladder import summary
from tests.harness.sim_switch import SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp


async def read(app, trace_id, **more):
    got = await app.do(ReadTrace(trace_id=trace_id, **more))
    return got.messages


def peers(messages):
    return {message.remote.rpartition(":")[0] for message in messages}


async def two_calls(switch):
    """1001 calls 1002, 1003 calls 1004; both end."""
    phones = [await switch.phone(str(number), answer_after_s=0.5) for number in range(1001, 1005)]
    first, _ = await phones[0].talk_to("1002", phones[1])
    second, _ = await phones[2].talk_to("1004", phones[3])
    phones[0].agent.hang_up(first.id)
    phones[2].agent.hang_up(second.id)
    await switch.cdr(2)
    await asyncio.sleep(1.0)  # the last answers


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        ({}, {"10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.14"}),
        ({"extension": "1002"}, {"10.0.0.11", "10.0.0.12"}),
        ({"number": "003"}, {"10.0.0.13", "10.0.0.14"}),
        ({"number": "1004", "extension": "1001"}, set()),
        ({"peer": "10.0.0.14"}, {"10.0.0.13", "10.0.0.14"}),
        ({"peer": "10.0.0.14:5061"}, set()),
    ],
    ids=["all", "called extension", "end of caller's number", "both must hold", "peer", "port"],
)
def test_a_chosen_call_is_told_with_all_its_legs_and_no_other(wanted, seen):
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        started = await app.do(StartTrace(**wanted))
        await two_calls(switch)
        messages = []
        while more := await read(app, started.trace_id):
            messages += more
        assert peers(messages) == seen
        assert [message.at_utc for message in messages] == sorted(message.at_utc for message in messages)
        if wanted == {"extension": "1002"}:
            told = [summary(message.data) for message in messages if b"REGISTER" not in message.data]
            # Also what came of the caller's leg before the called extension was known.
            assert told[0] == "INVITE 1002 SDP"
            assert told.count("200 OK (BYE)") == 2
            (call_id,) = {message.call_id for message in messages} - {""}
            assert call_id == switch.cdrs[0].call_id
        await app.do(StopTrace(trace_id=started.trace_id))
        await switch.close()

    run_virtual(main())


def test_a_live_call_is_traced_by_its_id_from_now_on():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.5)
        call, _ = await alice.talk_to("1002", bob)
        await asyncio.sleep(1.0)
        (live,) = switch.core.calls.calls
        started = await app.do(StartTrace(call_id=live))
        waiting = asyncio.ensure_future(app.do(ReadTrace(trace_id=started.trace_id, wait_s=20.0)))
        await asyncio.sleep(3.0)
        alice.agent.hang_up(call.id)
        got = await waiting
        assert summary(got.messages[0].data).startswith("BYE")
        assert {message.call_id for message in got.messages} == {live}
        with pytest.raises(errors.NoSuchCall):
            await app.do(StartTrace(call_id="no-such-call"))
        await app.do(StopTrace(trace_id=started.trace_id))
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_passwords_are_no_part_of_a_trace_unless_an_administrator_asks():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        masked = await app.do(StartTrace())
        bare = await app.do(StartTrace(is_unmasked=True))
        await switch.phone("1001")
        with_proof = [m for m in await read(app, bare.trace_id) if b"response=" in m.data]
        hidden = [m for m in await read(app, masked.trace_id) if b"response=" in m.data]
        assert len(with_proof) == len(hidden) > 0
        assert all(b'response="**' in m.data for m in hidden)
        assert not any(b'response="**' in m.data for m in with_proof)
        with pytest.raises(errors.PermissionDenied):
            await app.do(StartTrace(is_unmasked=True), Caller("sue", "supervisor"))
        await switch.close()

    run_virtual(main())


def test_a_trace_is_bounded_and_ends_when_nobody_reads_it(monkeypatch):
    monkeypatch.setattr(trace, "MAX_UNREAD", 5)

    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        runtime = switch.core.runtime
        plain = runtime.outside.send
        started = await app.do(StartTrace())
        assert runtime.outside.send is not plain
        await two_calls(switch)
        got = await app.do(ReadTrace(trace_id=started.trace_id))
        assert len(got.messages) == 5
        assert got.n_lost > 5
        for _ in range(trace.MAX_TRACES - 1):
            await app.do(StartTrace())
        with pytest.raises(errors.Congested):
            await app.do(StartTrace())
        await asyncio.sleep(trace.UNREAD_S + 1)
        await switch.phone("1005")
        with pytest.raises(errors.NoSuchTrace):
            await app.do(ReadTrace(trace_id=started.trace_id))
        # Nobody traces: messages take the plain way again.
        assert runtime.outside.send is plain
        assert runtime._tap is None
        await switch.close()

    run_virtual(main())


def test_a_trace_of_a_trunk_by_its_name_and_of_no_such_peer():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        carrier = switch.carrier(answer_after_s=0.2)
        alice = await switch.phone("1001")
        started = await app.do(StartTrace(peer="carrier"))
        call = alice.call("94711")
        await alice.wait("answered")
        alice.agent.hang_up(call.id)
        await switch.cdr()
        assert peers(await read(app, started.trace_id)) == {"10.0.0.11", "10.0.1.1"}
        with pytest.raises(errors.InvalidValue):
            await app.do(StartTrace(number="7"))
        assert carrier
        await switch.close()

    run_virtual(main())
