"""Whole switch, virtual time: digits that the API asks a party for: enough of them, a last key, silence, hang-up; and
what is played meanwhile. Digits nobody may hear are in test_control (call.secure)."""

import asyncio

import pytest

from model import commands, errors, media
from model.commands_audio import Collect, StopCollect
from model.events_audio import CallDigitsCollected
from tests.harness.sim_switch import SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp
from tests.scenarios.test_in_call_keys import press, talking


@pytest.mark.parametrize(
    ("digits", "wanted", "collected", "reason"),
    [
        ("1234", {"max_digits": 4}, "1234", "complete"),
        ("12#", {}, "12", "terminator"),
        ("12*", {"terminators": "*#"}, "12", "terminator"),
        ("12", {"next_digit_s": 2.0}, "12", "timeout"),
        ("", {"first_digit_s": 3.0}, "", "timeout"),
        ("#", {"terminators": "", "max_digits": 1}, "#", "complete"),
    ],
    ids=["enough", "last key", "other last key", "no more", "none", "no last key"],
)
def test_digits_are_collected_and_told_once(digits, wanted, collected, reason):
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        call, alice, _, mine, _ = await talking(switch)
        sources = ["tone:dial/cn"]
        started = await app.do(Collect(call_id=call.call_id, leg_id=call.a, sources=sources, **wanted))
        play = switch.worker.of(media.Play)[-1]
        assert (play.leg, play.sources, play.play_id) == (call.a, sources, started.collect_id)
        if digits:
            await press(switch, call, call.a, digits)
            stopped = switch.worker.of(media.StopPlay)
            assert [one.play_id for one in stopped] == [started.collect_id]
        else:
            # The time runs from the end of the question.
            await asyncio.sleep(5.0)
            assert switch.of(CallDigitsCollected) == []
            switch.worker.tell(media.PlayFinished(call.call_id, call.a, started.collect_id))
        await switch.until(lambda: switch.of(CallDigitsCollected), within_s=10.0)
        # Somebody else's keys, and those after it, are nobody's answer.
        await press(switch, call, call.b, "9")
        await press(switch, call, call.a, "9")
        (told,) = switch.of(CallDigitsCollected)
        assert (told.leg_id, told.collect_id, told.digits, told.reason) == (
            call.a,
            started.collect_id,
            collected,
            reason,
        )
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_a_collection_ends_with_the_leg_with_another_one_and_when_it_is_stopped():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        call, alice, _, mine, _ = await talking(switch)
        ids = {"call_id": call.call_id, "leg_id": call.a}
        await app.do(Collect(**ids))
        await press(switch, call, call.a, "1")
        await app.do(Collect(**ids, sources=["tone:dial/cn"]))
        await app.do(StopCollect(**ids))
        assert switch.worker.of(media.StopPlay)
        await app.do(Collect(**ids))
        await press(switch, call, call.a, "7")
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        told = [(one.digits, one.reason) for one in switch.of(CallDigitsCollected)]
        assert told == [("1", "replaced"), ("", "stopped"), ("7", "hangup")]
        with pytest.raises(errors.NoSuchCall):
            await app.do(Collect(**ids))
        await switch.close()

    run_virtual(main())


def test_what_is_typed_in_secret_is_not_collected_here():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        call, alice, _, mine, _ = await talking(switch)
        ids = {"call_id": call.call_id, "leg_id": call.a}
        with pytest.raises(errors.InvalidValue):
            await app.do(Collect(**ids, sources=["file:../secret.wav"]))
        await app.do(commands.Secure(**ids, is_secure=True))
        await app.do(Collect(**ids, max_digits=4))
        for digit in "4711":
            switch.worker.tell(media.Digit(call.call_id, call.a, digit, 100, is_secure=True))
        await switch.until(lambda: switch.of(CallDigitsCollected))
        assert switch.of(CallDigitsCollected)[0].digits == ""
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())
