"""Whole switch, virtual time: a call that rings at one phone is taken at another: by its number, as any of the group,
by the busy lamp (Replaces); who may, who wins, and that the phones which rang are told of it."""

import asyncio

import pytest

from model.events_services import CallPickedUp
from tests.harness.sim_switch import EXTENSIONS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_services import REFUSED, dial


def cancels(switch):
    return [seen.data for seen in switch.net.trace if seen.data.startswith(b"CANCEL")]


@pytest.mark.parametrize("code", ["*81002", "*8*1002", "*8"], ids=["its number", "with a star", "any of the group"])
def test_a_ringing_call_is_taken_at_another_phone(code):
    async def main():
        switch = SimSwitch(SimNet())
        alice, bob, carol = [await switch.phone(number) for number in ("1001", "1002", "1003")]
        call = alice.call("1002")
        await bob.wait("incoming")
        await asyncio.sleep(2.0)
        mine = carol.call(code)
        await carol.wait("answered", call=mine.id)
        await alice.wait("answered", call=call.id)
        await bob.wait("ended")
        (cancel,) = cancels(switch)
        assert b"Call completed elsewhere" in cancel
        (live,) = switch.core.calls.calls.values()
        assert {live.legs[live.a].name, live.legs[live.b].name} == {"1001", "1003"}
        assert {(edge.speaker, edge.listener) for edge in live.edges} == {(live.a, live.b), (live.b, live.a)}
        await asyncio.sleep(5.0)
        carol.agent.hang_up(mine.id)
        await alice.wait("ended")
        record = await switch.cdr()
        assert (record.caller, record.dialed, record.extension) == ("1001", "1002", "1003")
        assert sorted((leg.name, leg.hangup_cause) for leg in record.legs) == [
            ("1001", "NORMAL_CLEARING"),
            ("1002", "ANSWERED_ELSEWHERE"),
            ("1003", "NORMAL_CLEARING"),
        ]
        assert record.talk_s == pytest.approx(5.0, abs=0.3)
        (told,) = switch.of(CallPickedUp)
        assert (told.extension, told.by) == ("1002", "1003")
        # One conversation, one record: the code that took it is no call of its own.
        await asyncio.sleep(5.0)
        assert len(switch.cdrs) == 1
        await switch.close()

    run_virtual(main())


def test_a_call_is_taken_with_the_busy_lamp_of_the_phone_that_rings():
    async def main():
        switch = SimSwitch(SimNet())
        alice, bob, carol = [await switch.phone(number) for number in ("1001", "1002", "1003")]
        call = alice.call("1002")
        await bob.wait("incoming")
        await asyncio.sleep(1.0)
        (live,) = switch.core.calls.calls.values()
        (rung,) = (leg for leg in live.legs.values() if leg.name == "1002")
        # What a NOTIFY of its dialogs says (RFC 4235).
        dialog = switch.core.stack.dialog_of(rung.session)
        replaces = f"Replaces: {dialog.call_id};to-tag={dialog.from_tag};from-tag={dialog.to_tag};early-only\r\n"
        mine = carol.call("1002", headers=replaces)
        await carol.wait("answered", call=mine.id)
        await alice.wait("answered", call=call.id)
        await bob.wait("ended")
        assert b"Call completed elsewhere" in cancels(switch)[0]
        assert switch.of(CallPickedUp)[0].by == "1003"
        # Too late: it is a conversation now, which `early-only` does not break into.
        again = bob.call("1002", headers=replaces)
        assert (await bob.wait("ended", call=again.id)).status in (481, 486, 603)
        alice.agent.hang_up(call.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_of_several_calls_the_one_that_rings_longest_is_taken():
    async def main():
        switch = SimSwitch(SimNet())
        phones = [await switch.phone(str(number)) for number in range(1001, 1006)]
        first = phones[0].call("1003")
        await asyncio.sleep(1.0)
        phones[1].call("1004")
        await asyncio.sleep(1.0)
        phones[4].call("*8")
        await phones[4].wait("answered")
        assert first.is_up
        assert switch.of(CallPickedUp)[0].extension == "1003"
        await switch.close(check=False)

    run_virtual(main())


GROUPS = EXTENSIONS.replace('number = "1002"\n', 'number = "1002"\npickup_group = "sales"\n').replace(
    'number = "1004"\n', 'number = "1004"\npickup_group = "sales"\n'
)


@pytest.mark.parametrize(
    ("by", "code", "may"), [("1003", "*81002", False), ("1003", "*8", False), ("1004", "*8", True)]
)
def test_only_phones_of_the_group_take_each_others_calls(by, code, may):
    async def main():
        switch = SimSwitch(SimNet(), GROUPS)
        alice, bob = await switch.phone("1001"), await switch.phone("1002")
        picker = await switch.phone(by)
        call = alice.call("1002")
        told = await bob.wait("incoming")
        await asyncio.sleep(1.0)
        if may:
            mine = picker.call(code)
            await picker.wait("answered", call=mine.id)
            assert call.is_up
            picker.agent.hang_up(mine.id)
            await switch.cdr()
        else:
            assert await dial(switch, picker, code) == REFUSED
            bob.agent.answer(told.call)
            await alice.wait("answered")
            alice.agent.hang_up(call.id)
            await switch.cdr(2)
        await switch.close()

    run_virtual(main())


def test_nothing_rings_and_nobody_is_disturbed():
    async def main():
        switch = SimSwitch(SimNet())
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.5)
        carol = await switch.phone("1003")
        assert await dial(switch, carol, "*8") == REFUSED
        call, _ = await alice.talk_to("1002", bob)
        assert await dial(switch, carol, "*81002") == REFUSED
        # Nobody takes a call that rings at himself.
        carol.call("1001")
        assert await dial(switch, alice, "*81001") == REFUSED
        assert call.is_up
        await switch.close(check=False)

    run_virtual(main())


@pytest.mark.parametrize("after_ms", range(0, 60, 4))
def test_pickup_and_answer_cross_and_one_of_them_wins(after_ms):
    async def main():
        switch = SimSwitch(SimNet())
        alice, bob, carol = [await switch.phone(number) for number in ("1001", "1002", "1003")]
        call = alice.call("1002")
        told = await bob.wait("incoming")
        await asyncio.sleep(1.0)
        mine = carol.call("*81002")
        await asyncio.sleep(after_ms / 1000)
        if told.call in bob.agent.calls:
            bob.agent.answer(told.call)
        await alice.wait("answered", call=call.id)
        await asyncio.sleep(3.0)
        n_up = sum(one.is_up for phone in (bob, carol) for one in phone.agent.calls.values())
        if switch.of(CallPickedUp):
            assert (n_up, mine.is_up) == (1, True)
        else:
            assert told.call in bob.agent.calls
        alice.agent.hang_up(call.id)
        for one in list(carol.agent.calls):
            carol.agent.hang_up(one)
        await switch.until(lambda: not switch.core.calls.calls)
        await switch.close()

    run_virtual(main())


def test_an_early_offer_without_codec_in_common_takes_no_call():
    async def main():
        switch = SimSwitch(SimNet())
        alice, bob = await switch.phone("1001"), await switch.phone("1002")
        odd = await switch.phone("1003", codecs=("L16/8000",))
        call = alice.call("1002")
        told = await bob.wait("incoming")
        mine = odd.call("*81002")
        assert (await odd.wait("ended", call=mine.id)).status == 488
        bob.agent.answer(told.call)
        await alice.wait("answered", call=call.id)
        alice.agent.hang_up(call.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())
