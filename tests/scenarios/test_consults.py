"""Whole switch, virtual time: consultations by API, in every way they can end (FEATURES TEL-13, TEL-14, XTEL-02).

Transfers without consultation are in test_transfers, attended transfer by the phone itself in test_joining.
"""

import asyncio

import pytest

from model import commands, errors, events, media
from model.commands_transfer import ConsultCancel, ConsultComplete, ConsultMerge, ConsultStart, ConsultSwap
from tests.harness.sim_phone import SimPhone
from tests.harness.sim_switch import SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp
from tests.scenarios.test_transfers import customer_call, hearing, leg_of, segments


class Consultation:
    """1001 talks with a customer and consults 1002."""

    async def begin(self, *, answers: bool = True) -> None:
        self.switch = SimSwitch(SimNet())
        self.app = SimApp(self.switch)
        self.carrier, self.agent, self.theirs, self.mine, self.call = await customer_call(self.switch)
        self.expert: SimPhone = await self.switch.phone("1002", answer_after_s=2.0 if answers else -1.0)
        self.by = leg_of(self.call, "1001")
        started = await self.app.do(ConsultStart(call_id=self.call.call_id, leg_id=self.by, to="1002", timeout_s=10.0))
        assert (started.state, started.talks_with) == ("ringing", "consulted")
        self.consult_id = started.consult_id
        await self.expert.wait("incoming")
        if answers:
            await self.expert.wait("answered")
            await asyncio.sleep(1.0)

    @property
    def hearing(self) -> str:
        return hearing(self.switch, self.call)

    @property
    def states(self) -> list[str]:
        return [told.state for told in self.switch.of(events.CallConsultChanged)]

    def plays(self) -> dict[str, str]:
        """What each live party hears instead of the others."""
        return {leg.name: leg.playing for leg in self.call.live_legs() if leg.playing}

    async def end(self) -> list[str]:
        """Hangs up whatever is left; names of the legs in the one record."""
        for leg in self.call.live_legs():
            await self.app.do(commands.Hangup(call_id=self.call.call_id, leg_id=leg.leg_id))
            if self.call.phase != "bridged":
                break
        record = await self.switch.cdr()
        await self.switch.close()
        assert len(self.switch.cdrs) == 1
        return [leg.name for leg in record.legs]


def test_tel_13_the_customer_hears_music_while_the_agent_asks_and_then_the_agent_again():
    async def main():
        c = Consultation()
        await c.begin()
        assert c.expert.the_call.number == "1001", "the consulted party sees who asks"
        assert c.hearing == "1001>1002 1002>1001"
        assert c.plays() == {"carrier": "hold"}
        await c.app.do(ConsultCancel(consult_id=c.consult_id))
        await c.expert.wait("ended")
        assert c.hearing == "1001>carrier carrier>1001"
        assert c.plays() == {}
        assert c.states == ["ringing", "consulting", "cancelled"]
        with pytest.raises(errors.NoSuchConsult):
            await c.app.do(ConsultSwap(consult_id=c.consult_id))
        c.carrier.agent.hang_up(c.theirs)
        record = await c.switch.cdr()
        assert segments(record, "carrier") == ["talk", "hold", "talk"]
        assert segments(record, "1001") == ["ring", "talk", "ring", "consult", "talk"]
        assert segments(record, "1002") == ["ring", "consult"]
        await c.switch.close()

    run_virtual(main())


def test_tel_14_the_customer_is_handed_to_who_was_consulted():
    async def main():
        c = Consultation()
        await c.begin()
        await c.app.do(ConsultComplete(consult_id=c.consult_id))
        await c.agent.wait("ended")
        assert c.hearing == "1002>carrier carrier>1002"
        assert c.plays() == {}
        (told,) = c.switch.of(events.CallTransferred)
        assert (told.kind, told.number) == ("attended", "1002")
        starts = c.switch.worker.of(media.StartRecording)
        assert len({start.recording for start in starts}) == 1, "one recording, through consultation and transfer"
        assert starts[-1].channels == [[leg_of(c.call, "carrier")], [leg_of(c.call, "1002")]]
        assert await c.end() == ["carrier", "1001", "1002"]

    run_virtual(main())


def test_tel_14_to_the_outside():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.5)
        carrier = switch.carrier(answer_after_s=1.0)
        mine, _ = await alice.talk_to("1002", bob)
        (call,) = switch.core.calls.calls.values()
        started = await app.do(ConsultStart(call_id=call.call_id, leg_id=leg_of(call, "1002"), to="913800138000"))
        await carrier.wait("answered")
        await asyncio.sleep(0.5)
        await app.do(ConsultComplete(consult_id=started.consult_id))
        await asyncio.sleep(0.5)
        assert hearing(switch, call) == "1001>carrier carrier>1001"
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_xtel_02_swap_and_merge():
    async def main():
        c = Consultation()
        await c.begin()
        await c.app.do(ConsultSwap(consult_id=c.consult_id))
        assert c.hearing == "1001>carrier carrier>1001"
        assert c.plays() == {"1002": "hold"}
        view = await c.app.do(commands.GetCall(call_id=c.call.call_id))
        assert [(each.state, each.talks_with) for each in view.live.consults] == [("consulting", "others")]
        await c.app.do(ConsultSwap(consult_id=c.consult_id))
        assert c.hearing == "1001>1002 1002>1001"
        await c.app.do(ConsultMerge(consult_id=c.consult_id))
        assert len(c.hearing.split()) == 6
        assert c.plays() == {}
        assert c.states == ["ringing", "consulting", "consulting", "consulting", "merged"]
        # TEL-15: the third party is dropped, the others go on.
        await c.app.do(commands.Hangup(call_id=c.call.call_id, leg_id=leg_of(c.call, "1002")))
        await c.expert.wait("ended")
        assert c.hearing == "1001>carrier carrier>1001"
        await c.end()

    run_virtual(main())


@pytest.mark.parametrize("why", ["rejects", "does not answer"])
def test_xtel_02_nobody_answers_and_the_agent_is_back_with_the_customer(why):
    async def main():
        c = Consultation()
        await c.begin(answers=False)
        assert c.plays() == {"carrier": "hold", "1001": "ringback"}
        with pytest.raises(errors.WrongState):
            await c.app.do(ConsultMerge(consult_id=c.consult_id))
        if why == "rejects":
            c.expert.agent.reject(c.expert.the_call.id)
        await c.switch.until(lambda: c.states[-1] == "failed", within_s=11.0)
        assert c.switch.of(events.CallConsultChanged)[-1].cause == ("USER_BUSY" if why == "rejects" else "NO_ANSWER")
        assert c.hearing == "1001>carrier carrier>1001"
        assert c.plays() == {}
        await c.end()

    run_virtual(main())


def test_xtel_02_an_agent_who_hands_over_before_the_answer_is_rung_when_there_is_none():
    async def main():
        c = Consultation()
        await c.begin(answers=False)
        await c.app.do(ConsultComplete(consult_id=c.consult_id))
        await c.agent.wait("ended")
        assert c.plays() == {"carrier": "ringback"}
        await c.agent.wait("answered", within_s=15.0)
        await asyncio.sleep(0.5)
        assert c.hearing == "1001>carrier carrier>1001"
        assert c.states == ["ringing", "completed"]
        await c.end()

    run_virtual(main())


@pytest.mark.parametrize("answered", [True, False])
def test_an_agent_who_hangs_up_hands_over(answered):
    async def main():
        c = Consultation()
        await c.begin(answers=answered)
        c.agent.agent.hang_up(c.mine)
        if not answered:
            await asyncio.sleep(1.0)
            c.expert.agent.answer(c.expert.the_call.id)
        await asyncio.sleep(1.0)
        assert c.hearing == "1002>carrier carrier>1002"
        await c.end()

    run_virtual(main())


def test_the_consulted_party_leaves():
    async def main():
        c = Consultation()
        await c.begin()
        c.expert.agent.hang_up(c.expert.the_call.id)
        await asyncio.sleep(0.5)
        assert c.hearing == "1001>carrier carrier>1001"
        assert c.plays() == {}
        assert c.states[-1] == "cancelled"
        await c.end()

    run_virtual(main())


@pytest.mark.parametrize("answered", [True, False])
def test_the_customer_does_not_wait(answered):
    async def main():
        c = Consultation()
        await c.begin(answers=answered)
        c.carrier.agent.hang_up(c.theirs)
        if not answered:
            await asyncio.sleep(1.0)
            c.expert.agent.answer(c.expert.the_call.id)
        await asyncio.sleep(1.0)
        assert c.hearing == "1001>1002 1002>1001"
        assert c.plays() == {}
        await c.end()

    run_virtual(main())


def test_nobody_is_left_when_customer_and_agent_leave_while_it_rings():
    async def main():
        c = Consultation()
        await c.begin(answers=False)
        c.carrier.agent.hang_up(c.theirs)
        await asyncio.sleep(0.5)
        c.agent.agent.hang_up(c.mine)
        await c.expert.wait("ended")
        await c.switch.cdr()
        await c.switch.close()

    run_virtual(main())


def test_what_cannot_be_consulted_is_refused():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        carrier, _, theirs, _, call = await customer_call(switch)
        leg = leg_of(call, "1001")
        with pytest.raises(errors.NoRoute):
            await app.do(ConsultStart(call_id=call.call_id, leg_id=leg, to="4711"))
        with pytest.raises(errors.NoSuchLeg):
            await app.do(ConsultStart(call_id=call.call_id, leg_id="x", to="1002"))
        assert not switch.of(events.CallConsultChanged)
        await switch.phone("1002")
        await app.do(ConsultStart(call_id=call.call_id, leg_id=leg, to="1002"))
        with pytest.raises(errors.WrongState):
            await app.do(ConsultStart(call_id=call.call_id, leg_id=leg, to="1003"))
        carrier.agent.hang_up(theirs)
        for each in call.live_legs():
            await app.do(commands.Hangup(call_id=call.call_id, leg_id=each.leg_id))
            if call.phase != "bridged":
                break
        await switch.cdr()
        await switch.close()

    run_virtual(main())
