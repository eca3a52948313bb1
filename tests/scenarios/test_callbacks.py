"""Whole switch, virtual time: who waits asks to be called back, hangs up and keeps his place (XACD-03). The agent is
rung first, or the customer; nobody is there, nobody answers, somebody gives up."""

import asyncio

import pytest

from model import events, media
from model.commands import GetCall, Hangup
from model.commands_agent import Ready
from model.commands_queue import ListWaiting, RequestCallback
from model.errors import InvalidValue, WrongState
from model.events_agent import AgentCallEnded
from model.events_queue import OfferMade, QueueCallbackChanged, QueueEntered, QueueLeft
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_queues import Centre

QUEUES = """
[[access_number]]
number = "4011"
to = "queue:back"
[[access_number]]
number = "4012"
to = "queue:first"
[[queue]]
name = "back"
[queue.sound]
callback_key = "2"
[queue.callback]
is_enabled = true
dial_prefix = "9"
expires_s = 600
[[queue]]
name = "first"
[queue.sound]
callback_key = "2"
[queue.callback]
is_enabled = true
first = "customer"
dial_prefix = "9"
caller_id = "4000000"
[[agent]]
agent_id = "b1"
extension = "1003"
queues = [{ queue = "back" }, { queue = "first" }]
"""
MOBILE = "13800001111"


class Back(Centre):
    """A caller waits in queue back or first, and agent b1 sits at 1003, not ready."""

    def __init__(self, *, carrier_answers_after_s: float = 2.0) -> None:
        super().__init__(QUEUES, answer_after_s=carrier_answers_after_s)

    def states(self) -> list[str]:
        return [each.state for each in self.of(QueueCallbackChanged)]

    async def ask(self, number: str = "4011", caller: str = MOBILE):
        """Calls, waits, presses 2 and hears what that leads to."""
        mine = self.carrier.call(number, caller=caller)
        await self.carrier.wait("answered", call=mine.id)
        await asyncio.sleep(3.0)
        (live,) = (one for one in self.switch.core.calls.calls.values() if one.phase == "queue")
        self.press(live, "2")
        await self.switch.until(lambda: self.switch.worker.of(media.Play)[-1].play_id.startswith("said"))
        return mine, live

    def press(self, live, digit: str) -> None:
        self.switch.worker.tell(media.Digit(live.call_id, live.a, digit, 100))

    async def heard(self, live) -> None:
        play = [each for each in self.switch.worker.of(media.Play) if each.leg == live.a][-1]
        self.switch.worker.tell(media.PlayFinished(live.call_id, live.a, play.play_id))
        await asyncio.sleep(0.1)


def test_xacd_03_by_key_and_the_agent_is_rung_first():
    async def main():
        centre = Back()
        phone = await centre.agent("b1", "1003", is_ready=False)
        mine, live = await centre.ask()
        assert centre.switch.worker.of(media.Play)[-1].sources == ["voice:zh/will_call_back"]
        await centre.heard(live)
        assert (await centre.carrier.wait("ended", call=mine.id)).status in (0, 200)
        assert [each.reason for each in centre.of(QueueLeft)] == ["callback_converted"]
        listed = await centre.app.do(ListWaiting(queue="back"))
        (waiting,) = listed.calls
        assert (waiting.call_type, waiting.position, waiting.caller) == ("callback", 1, MOBILE)
        assert waiting.call_id != live.call_id
        await asyncio.sleep(30.0)
        await centre.app.do(Ready(agent_id="b1"))
        incoming = await phone.wait("incoming")
        assert incoming.number == MOBILE
        await phone.wait("answered")
        await centre.carrier.wait("incoming")
        await centre.carrier.wait("answered")
        await asyncio.sleep(5.0)
        assert await centre.state("b1") == "on_call"
        assert len(centre.switch.worker.of(media.ConnectMatrix)[-1].edges) == 2
        phone.agent.hang_up(incoming.call)
        await centre.switch.cdr(2)
        assert centre.states() == ["asked", "done"]
        first, second = centre.switch.cdrs
        assert second.data["callback_of"] == first.call_id
        assert (second.direction, second.dialed, second.caller) == ("outbound", "9" + MOBILE, "4011")
        assert 4.5 < second.talk_s < 5.5
        (ended,) = centre.of(AgentCallEnded)
        assert (ended.call_type, ended.queue, ended.call_id) == ("queue", "back", second.call_id)
        assert await centre.state("b1") == "acw"
        assert len(centre.of(QueueEntered)) == 1
        await centre.close()

    run_virtual(main())


def test_xacd_03_the_customer_is_rung_first_and_waits_with_music():
    async def main():
        centre = Back()
        phone = await centre.agent("b1", "1003", is_ready=False, answer_after_s=2.0)
        _, live = await centre.ask("4012")
        await centre.heard(live)
        await asyncio.sleep(10.0)
        assert centre.states() == ["asked"]
        await centre.app.do(Ready(agent_id="b1"))
        assert (await centre.carrier.wait("incoming")).number == "4000000"
        await centre.carrier.wait("answered")
        await phone.wait("answered")
        await asyncio.sleep(4.0)
        assert centre.states() == ["asked", "calling", "answered"]
        back = next(one for one in centre.switch.core.calls.calls.values())
        assert [play.play_id for play in centre.switch.worker.of(media.Play, back.call_id)] == ["queue"]
        assert await centre.state("b1") == "on_call"
        (offer,) = centre.of(OfferMade)
        assert offer.call_id == back.call_id
        for call in list(centre.carrier.agent.calls):
            centre.carrier.agent.hang_up(call)
        await phone.wait("ended")
        assert [each.reason for each in centre.of(QueueLeft)] == ["callback_converted", "connected"]
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize("number", ["4011", "4012"], ids=["agent first", "customer first"])
def test_a_customer_who_does_not_answer_is_tried_again_and_given_up(number):
    async def main():
        centre = Back(carrier_answers_after_s=-1.0)
        phone = await centre.agent("b1", "1003", is_ready=False)
        _, live = await centre.ask(number)
        await centre.heard(live)
        await centre.app.do(Ready(agent_id="b1"))
        for attempt in range(2):
            if number == "4011":
                await phone.wait("answered", within_s=200.0)
            ring = await centre.carrier.wait("incoming", within_s=200.0)
            centre.carrier.agent.reject(ring.call)
            await asyncio.sleep(1.0)
            if number == "4011":
                await phone.wait("ended")
                assert await centre.state("b1") == "acw"
                if not attempt:
                    await centre.app.do(Ready(agent_id="b1"))
        await asyncio.sleep(5.0)
        assert centre.states()[-1] == "failed"
        assert centre.states().count("retry") == 1
        assert not centre.switch.core.calls.calls
        record = centre.switch.cdrs[-1]
        assert (record.hangup_cause, record.talk_s) == ("NO_ANSWER", 0.0)
        await centre.close()

    run_virtual(main())


def test_the_agent_hangs_up_while_his_customer_is_rung():
    async def main():
        centre = Back(carrier_answers_after_s=-1.0)
        phone = await centre.agent("b1", "1003", is_ready=False)
        _, live = await centre.ask()
        await centre.heard(live)
        await centre.app.do(Ready(agent_id="b1"))
        answered = await phone.wait("answered")
        await centre.carrier.wait("incoming")
        phone.agent.hang_up(answered.call)
        await centre.carrier.wait("ended")
        assert centre.states() == ["asked", "retry"]
        # It is his turn again after a while.
        await centre.app.do(Ready(agent_id="b1"))
        await phone.wait("answered", within_s=90.0)
        ring = await centre.carrier.wait("incoming")
        centre.carrier.agent.answer(ring.call)
        await asyncio.sleep(3.0)
        assert await centre.state("b1") == "on_call"
        centre.carrier.agent.hang_up(ring.call)
        await phone.wait("ended")
        assert centre.states() == ["asked", "retry", "done"]
        await centre.close()

    run_virtual(main())


def test_an_agent_who_does_not_answer_leaves_it_to_the_next():
    async def main():
        centre = Back()
        await centre.agent("b1", "1003", is_ready=False, answer_after_s=-1.0)
        _, live = await centre.ask()
        await centre.heard(live)
        await centre.app.do(Ready(agent_id="b1"))
        await asyncio.sleep(30.0)
        assert await centre.state("b1") == "not_ready"
        assert centre.states() == ["asked"]
        # Nobody came in time.
        await asyncio.sleep(600.0)
        assert centre.states() == ["asked", "expired"]
        assert not centre.switch.core.calls.calls
        await centre.close()

    run_virtual(main())


def test_hung_up_at_once_and_cancelled_by_api():
    async def main():
        centre = Back()
        mine, _ = await centre.ask()
        centre.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(1.0)
        (waiting,) = (await centre.app.do(ListWaiting(queue="back"))).calls
        view = await centre.app.do(GetCall(call_id=waiting.call_id))
        assert view.live.variables["callback_number"] == MOBILE
        await centre.app.do(Hangup(call_id=waiting.call_id))
        assert centre.states() == ["asked", "cancelled"]
        assert not (await centre.app.do(ListWaiting(queue="back"))).calls
        await centre.close()

    run_virtual(main())


def test_who_cannot_be_called_back_hears_so_and_waits_on():
    async def main():
        centre = Back()
        mine, live = await centre.ask(caller="anonymous")
        assert centre.switch.worker.of(media.Play)[-1].sources == ["voice:zh/cannot_call_back"]
        await centre.heard(live)
        assert centre.switch.worker.of(media.Play)[-1].play_id == "queue"
        assert not centre.of(QueueLeft)
        with pytest.raises(InvalidValue, match="shows no number"):
            await centre.app.do(RequestCallback(queue="back", call_id=live.call_id))
        with pytest.raises(InvalidValue, match="110 cannot be called back"):
            await centre.app.do(RequestCallback(queue="back", call_id=live.call_id, number="110"))
        # A supervisor knows his number.
        view = await centre.app.do(RequestCallback(queue="back", call_id=live.call_id, number=MOBILE))
        assert centre.states() == ["asked"]
        await centre.heard(live)
        await centre.carrier.wait("ended", call=mine.id)
        with pytest.raises(WrongState, match="called back already"):
            await centre.app.do(RequestCallback(queue="back", call_id=view.call_id))
        await centre.app.do(Hangup(call_id=view.call_id))
        # Where nobody is called back the key is a digit like any other.
        mine = centre.caller("4001")
        await asyncio.sleep(2.0)
        (other,) = (one for one in centre.switch.core.calls.calls.values() if one.phase == "queue")
        centre.press(other, "2")
        await asyncio.sleep(0.5)
        assert [each.digit for each in centre.of(events.CallDigit)] == ["2"]
        with pytest.raises(WrongState, match="calls nobody back"):
            await centre.app.do(RequestCallback(queue="sales", call_id=other.call_id))
        centre.carrier.agent.hang_up(mine.id)
        await centre.close()

    run_virtual(main())
