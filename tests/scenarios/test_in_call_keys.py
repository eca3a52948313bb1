"""Whole switch, virtual time: what a phone without a screen does by keys during a call: transfer, consult, three-way,
hold, park; digits that are no code reach the other party, and nobody else's digits are codes."""

import asyncio

import pytest

from model import commands, events, media
from model.events_services import CallParked
from switch import keys
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp

ON = EXTENSIONS + TRUNKS + "[feature_codes]\nin_call = true\n"


async def press(switch, call, leg, digits, gap_s=0.3):
    for digit in digits:
        switch.worker.tell(media.Digit(call.call_id, leg, digit, 100))
        await asyncio.sleep(gap_s)


async def talking(switch, **more):
    """1001 has called 1002, who has the keys: (call, the two phones, their calls)."""
    alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.5)
    mine, theirs = await alice.talk_to("1002", bob)
    await asyncio.sleep(1.0)
    (call,) = switch.core.calls.calls.values()
    return call, alice, bob, mine, theirs


def said(switch):
    """The tones the keys were answered with, in order."""
    plays = [play for play in switch.worker.of(media.Play) if play.play_id == keys.PLAY]
    return [play.sources[0].split(":")[1].split("/")[0] for play in plays]


@pytest.mark.parametrize("digits", ["*11003#", "*11003"], ids=["with #", "after a pause"])
def test_blind_transfer(digits):
    async def main():
        switch = SimSwitch(SimNet(), ON)
        call, alice, bob, mine, theirs = await talking(switch)
        carol = await switch.phone("1003", answer_after_s=1.0)
        await press(switch, call, call.b, digits[:2])
        # A dial tone for one, music for the other.
        assert said(switch) == ["dial"]
        assert call.legs[call.a].is_held
        await press(switch, call, call.b, digits[2:])
        await bob.wait("ended", call=theirs.id)
        await carol.wait("answered")
        await switch.until(lambda: switch.of(events.CallTransferred))
        assert not call.legs[call.a].is_held
        assert len(call.edges) == 2
        # No digit of it was heard by the other side.
        assert switch.worker.of(media.SendDigits) == []
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("key", "names"),
    [("*1", {"1001", "1003"}), ("*3", {"1001", "1002", "1003"}), ("*0", {"1001", "1002"})],
    ids=["hand over", "three-way", "back"],
)
def test_consult_and_what_comes_of_it(key, names):
    async def main():
        switch = SimSwitch(SimNet(), ON)
        call, alice, bob, mine, theirs = await talking(switch)
        carol = await switch.phone("1003", answer_after_s=1.0)
        await press(switch, call, call.b, "*21003#")
        await carol.wait("answered")
        await asyncio.sleep(1.0)
        assert {edge.speaker for edge in call.edges} == {
            call.b,
            next(i for i, leg in call.legs.items() if leg.name == "1003"),
        }
        await press(switch, call, call.b, "*2")
        assert {edge.speaker for edge in call.edges} == {call.a, call.b}
        await press(switch, call, call.b, key)
        await asyncio.sleep(2.0)
        assert {leg.name for leg in call.legs.values() if leg.is_up} == names
        assert len(call.edges) == len(names) * (len(names) - 1)
        alice.agent.hang_up(mine.id)
        for phone in (bob, carol):
            for one in list(phone.agent.calls):
                phone.agent.hang_up(one)
        await switch.cdr()
        assert theirs
        await switch.close()

    run_virtual(main())


def test_hold_and_park():
    async def main():
        switch = SimSwitch(SimNet(), ON)
        call, alice, bob, mine, theirs = await talking(switch)
        await press(switch, call, call.b, "*4")
        assert call.legs[call.a].is_held
        await press(switch, call, call.b, "*4")
        assert not call.legs[call.a].is_held
        await press(switch, call, call.b, "*4")
        await press(switch, call, call.b, "*0")
        assert not call.legs[call.a].is_held
        assert said(switch) == ["confirmation"] * 4
        await press(switch, call, call.b, "*5")
        await bob.wait("ended", call=theirs.id)
        assert switch.of(CallParked)[0].by == "1002"
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("digits", "passed"), [("123#", ["1", "2", "3", "#"]), ("*9", ["*9"]), ("**1", ["**"]), ("*", ["*"])], ids=str
)
def test_digits_that_are_no_code_are_passed_on(digits, passed):
    async def main():
        switch = SimSwitch(SimNet(), ON)
        call, alice, _, mine, _ = await talking(switch)
        assert not any(one.passes_digits for one in switch.worker.of(media.ConfigureLeg))
        await press(switch, call, call.b, digits)
        await asyncio.sleep(keys.CODE_S + 0.5)
        sent = [one.digits for one in switch.worker.of(media.SendDigits)]
        assert "".join(sent) == "".join(passed) if digits != "**1" else sent[0] == "**"
        assert {one.leg for one in switch.worker.of(media.SendDigits)} == {call.a}
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_what_cannot_be_done_is_refused_and_the_others_are_there_again():
    async def main():
        switch = SimSwitch(SimNet(), ON)
        call, alice, bob, mine, theirs = await talking(switch)
        for digits in ("*14711#", "*2#", "*11*", "*3", "*0"):
            await press(switch, call, call.b, digits)
            assert said(switch)[-1] == "refusal", digits
            assert not call.legs[call.a].is_held
            assert len(call.edges) == 2
        await press(switch, call, call.b, "*1")
        await asyncio.sleep(keys.FIRST_DIGIT_S + 1.0)
        assert said(switch)[-1] == "refusal"
        assert theirs.is_up
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        assert bob
        await switch.close()

    run_virtual(main())


def test_keys_of_trunks_and_secure_keys_are_no_codes():
    async def main():
        switch = SimSwitch(SimNet(), ON)
        app = SimApp(switch)
        carrier = switch.carrier()
        bob = await switch.phone("1001", answer_after_s=0.5)
        mine = carrier.call("02188886666")
        await carrier.wait("answered")
        await asyncio.sleep(1.0)
        (call,) = switch.core.calls.calls.values()
        await press(switch, call, call.a, "*5")
        await asyncio.sleep(2.0)
        assert switch.of(CallParked) == []
        await app.do(commands.Secure(call_id=call.call_id, leg_id=call.b, is_secure=True))
        for digit in "*5":
            switch.worker.tell(media.Digit(call.call_id, call.b, digit, 100, is_secure=True))
        await asyncio.sleep(2.0)
        assert switch.of(CallParked) == []
        carrier.agent.hang_up(mine.id)
        await switch.cdr()
        assert bob
        await switch.close()

    run_virtual(main())
