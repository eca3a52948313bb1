"""Whole switch, virtual time: what a media worker finds out about a line reaches subscribers and the record; who
answered can be asked for. How it is found out is tested in tests/media."""

import asyncio

import pytest

from model import commands, errors, events, media
from tests.harness.sim_switch import EXTENSIONS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp


def test_what_the_worker_tells_of_a_line_is_an_event_of_the_call():
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=1.0)
        call = alice.call("1002")
        await bob.wait("answered")
        await asyncio.sleep(1.0)
        [session] = switch.worker.legs
        leg = sorted(switch.worker.legs[session])[0]
        switch.worker.tell(media.SpeechChanged(session, leg, is_speaking=True))
        switch.worker.tell(media.OneWayAudio(session, leg, "silent", 21.5))
        switch.worker.tell(media.QualityChanged(session, leg, 2.4, is_poor=True))
        await asyncio.sleep(0.1)
        assert switch.of(events.CallSpeechChanged) == [
            events.CallSpeechChanged(call_id=session, leg_id=leg, is_speaking=True)
        ]
        assert switch.of(events.CallOneWayAudio) == [
            events.CallOneWayAudio(call_id=session, leg_id=leg, why="silent", silent_s=21.5)
        ]
        assert switch.of(events.CallQualityChanged) == [
            events.CallQualityChanged(call_id=session, leg_id=leg, mos=2.4, is_poor=True)
        ]
        alice.agent.hang_up(call.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_who_answered_is_asked_for_and_told():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=1.0)
        call = alice.call("1002")
        await bob.wait("answered")
        await asyncio.sleep(0.5)
        [view] = (await app.do(commands.ListCalls())).calls
        leg = next(leg.leg_id for leg in view.legs if leg.name == "1002")
        await app.do(commands.DetectAnswer(call_id=view.call_id, leg_id=leg, max_s=3.0))
        assert switch.worker.of(media.DetectAnswer) == [media.DetectAnswer(view.call_id, leg, 3.0)]
        evidence = {"rule_beep": 1.0, "beep_ms": 180.0}
        switch.worker.tell(media.AnswerDetected(view.call_id, leg, "machine", 2.5, evidence))
        await asyncio.sleep(0.1)
        assert switch.of(events.CallAnswerDetected) == [
            events.CallAnswerDetected(
                call_id=view.call_id, leg_id=leg, result="machine", after_s=2.5, evidence=evidence
            )
        ]
        with pytest.raises(errors.NoSuchLeg):
            await app.do(commands.DetectAnswer(call_id=view.call_id, leg_id="nobody"))
        alice.agent.hang_up(call.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_quality_stands_in_the_record():
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=1.0)
        call = alice.call("1002")
        await bob.wait("answered")
        await asyncio.sleep(1.0)
        [session] = switch.worker.legs
        last = media.LegStatistics(
            packets_received=990,
            packets_lost=10,
            packets_late=3,
            jitter_ms=4.5,
            mos=4.2,
            concealed_ms=260.0,
            speech_s=8.1,
        )
        legs = sorted(switch.worker.legs[session])
        switch.worker.legs[session].clear()
        alice.agent.hang_up(call.id)
        for leg in legs:
            switch.worker.tell(media.LegReleased(session, leg, last))
        record = await switch.cdr()
        for leg in record.legs:
            assert (leg.packets_received, leg.packets_lost, leg.packets_late) == (990, 10, 3)
            assert (leg.mos, leg.concealed_ms, leg.speech_s, leg.jitter_ms) == (4.2, 260.0, 8.1, 4.5)
            assert leg.round_trip_ms == 0.0, "unknown"
        await switch.close()

    run_virtual(main())


def test_secure_digits_are_nobodys_but_his_who_collects_them():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=1.0)
        call = alice.call("1002")
        await bob.wait("answered")
        await asyncio.sleep(0.5)
        [view] = (await app.do(commands.ListCalls())).calls
        leg = next(leg.leg_id for leg in view.legs if leg.name == "1001")
        secure = {"call_id": view.call_id, "leg_id": leg}
        assert (await app.do(commands.Secure(**secure, is_secure=True))).digits == ""
        for digit in "4711":
            switch.worker.tell(media.Digit(view.call_id, leg, digit, 100, is_secure=True))
        await asyncio.sleep(0.1)
        ended = await app.do(commands.Secure(**secure, is_secure=False))
        assert ended.digits == "4711" and "4711" not in repr(ended)
        switch.worker.tell(media.Digit(view.call_id, leg, "9", 100, is_secure=True))
        await asyncio.sleep(0.1)
        assert (await app.do(commands.Secure(**secure, is_secure=False))).digits == "", "returned once"
        assert [c.is_secure for c in switch.worker.of(media.SecureLeg)] == [True, False]
        assert [event.is_secure for event in switch.of(events.CallSecured)] == [True, False]
        assert [event.n_digits for event in switch.of(events.CallSecureDigit)] == [1, 2, 3, 4]
        assert switch.of(events.CallDigit) == []
        switch.worker.tell(media.Digit(view.call_id, leg, "5", 100))
        await asyncio.sleep(0.1)
        assert [event.digit for event in switch.of(events.CallDigit)] == ["5"]
        alice.agent.hang_up(call.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("is_wanted", [False, True])
def test_speech_is_listened_for_when_the_configuration_says_so(is_wanted: bool):
    async def main():
        wish = "[media]\ndetect_speech = true\n" if is_wanted else ""
        switch = SimSwitch(SimNet(), EXTENSIONS + wish)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=1.0)
        call = alice.call("1002")
        await bob.wait("answered")
        await asyncio.sleep(0.5)
        legs = switch.worker.of(media.ConfigureLeg)
        assert legs and all(("speech" in leg.detect) == is_wanted for leg in legs)
        alice.agent.hang_up(call.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())
