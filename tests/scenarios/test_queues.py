"""Whole switch, virtual time: a caller comes to a queue by an access number and an agent by his phone. Who is rung, who
gets the call, what becomes of it when somebody hangs up, does not answer, is not there; after-call work; overflow.

What the rules choose is in tests/acd; here it is carried out.
"""

import asyncio

import pytest

from model import events, media
from model.causes import HangupCause
from model.commands_agent import EndAcw, ForceState, GetAgent, ListAgents, NotReady, Ready, SignIn, SignOut
from model.commands_queue import (
    Explain,
    GetQueue,
    ListQueues,
    ListWaiting,
    MoveCall,
    RaiseCall,
    RequestCallback,
    SetQueueState,
)
from model.errors import NoSuchAgent, NoSuchEntry, NoSuchQueue, WrongState
from model.events_agent import AgentCallEnded, AgentStateChanged
from model.events_queue import OfferMade, OfferMissed, QueueEntered, QueueLeft
from switch import agent_ringing
from switch.release import leg_left
from tests.harness.sim_switch import EXTENSIONS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp

CENTRE = """
[[trunk]]
name = "carrier"
host = "10.0.1.1"
port = 5060
caller_id = "02188886666"
[[access_number]]
number = "4001"
to = "queue:sales"
[[access_number]]
number = "4002"
to = "queue:small"
[[route]]
name = "outside"
pattern = "9."
strip = 1
trunks = ["carrier"]
[[queue]]
name = "sales"
ring_timeout_s = 10
wrap_up = { post_call = "acw", max_s = 20 }
[[queue]]
name = "all"
strategy = "ring_all"
[[queue]]
name = "small"
[queue.limits]
max_waiting = 1
max_wait_s = 15
timeout_to = "queue:sales"
[[queue]]
name = "outward"
[queue.limits]
max_wait_s = 5
timeout_to = "external:913800001111"
[[access_number]]
number = "4003"
to = "queue:outward"
[[access_number]]
number = "4004"
to = "queue:all"
[[agent]]
agent_id = "a1"
extension = "1001"
queues = [{ queue = "sales" }, { queue = "all" }]
[[agent]]
agent_id = "a2"
extension = "1002"
queues = [{ queue = "sales" }, { queue = "all" }]
"""


BACK = """
[[access_number]]
number = "4009"
to = "queue:back"
[[agent]]
agent_id = "b1"
extension = "1003"
queues = [{ queue = "back" }]
"""


class Centre:
    """A switch with agents a1 and a2 at 1001 and 1002, and a carrier."""

    def __init__(self, more: str = "", **carrier: float) -> None:
        self.switch = SimSwitch(SimNet(), EXTENSIONS + CENTRE + more)
        self.app = SimApp(self.switch)
        self.carrier = self.switch.carrier(**carrier)

    async def agent(self, agent_id: str, number: str, *, answer_after_s: float = 1.0, is_ready: bool = True):
        phone = await self.switch.phone(number, answer_after_s=answer_after_s)
        await self.app.do(SignIn(agent_id=agent_id))
        if is_ready:
            await self.app.do(Ready(agent_id=agent_id))
        return phone

    def caller(self, number: str = "4001", caller: str = "13800001111"):
        return self.carrier.call(number, caller=caller)

    async def state(self, agent_id: str) -> str:
        return (await self.app.do(GetAgent(agent_id=agent_id))).state

    def of(self, kind):
        return self.switch.of(kind)

    async def close(self) -> None:
        """Also: every entry that began has ended, once."""
        await self.switch.close()
        entered = [each.entry_id for each in self.of(QueueEntered)]
        assert sorted(entered) == sorted(each.entry_id for each in self.of(QueueLeft))
        assert not self.switch.core.floor.centre.engine.state.entries
        assert not self.switch.core.floor.centre.engine.state.offers


def test_a_caller_waits_with_music_and_talks_with_the_first_agent_who_is_ready():
    async def main():
        centre = Centre()
        phone = await centre.agent("a1", "1001", is_ready=False)
        mine = centre.caller()
        await centre.carrier.wait("answered", call=mine.id)
        await asyncio.sleep(5.0)
        plays = centre.switch.worker.of(media.Play)
        assert [(play.play_id, play.is_looped) for play in plays] == [("queue", True)]
        assert not centre.of(OfferMade)
        await centre.app.do(Ready(agent_id="a1"))
        incoming = await phone.wait("incoming")
        assert incoming.number == "13800001111"
        await asyncio.sleep(0.1)
        assert await centre.state("a1") == "ringing"
        await phone.wait("answered")
        await asyncio.sleep(3.0)
        assert centre.switch.worker.of(media.StopPlay)[-1].leg == plays[0].leg
        assert len(centre.switch.worker.of(media.ConnectMatrix)[-1].edges) == 2
        assert await centre.state("a1") == "on_call"
        phone.agent.hang_up(incoming.call)
        await centre.carrier.wait("ended", call=mine.id)
        assert await centre.state("a1") == "acw"
        (left,) = centre.of(QueueLeft)
        assert (left.reason, left.agent_id) == ("connected", "a1")
        assert 6.0 <= left.wait_s < 6.5
        (ended,) = centre.of(AgentCallEnded)
        assert (ended.queue, ended.call_type, ended.how) == ("sales", "queue", "agent")
        assert 2.9 < ended.talk_s < 3.2
        await asyncio.sleep(21.0)
        assert await centre.state("a1") == "available"
        states = [each.state for each in centre.of(AgentStateChanged)]
        assert states == ["not_ready", "available", "reserved", "ringing", "on_call", "acw", "available"]
        cdr = await centre.switch.cdr()
        assert (cdr.caller, cdr.access_number, cdr.extension) == ("13800001111", "4001", "1001")
        assert [(each.purpose, round(each.ended_utc - each.started_utc)) for each in cdr.segments][:1] == [("queue", 6)]
        assert len(centre.switch.recordings) == 1
        await centre.close()

    run_virtual(main())


def test_who_does_not_answer_is_not_ready_and_the_next_one_has_the_call():
    async def main():
        centre = Centre()
        silent = await centre.agent("a1", "1001", answer_after_s=-1.0)
        await asyncio.sleep(1.0)
        quick = await centre.agent("a2", "1002")
        mine = centre.caller()
        await silent.wait("incoming")
        assert await centre.state("a2") == "available"
        await quick.wait("answered", within_s=15.0)
        (missed,) = centre.of(OfferMissed)
        assert (missed.agent_id, missed.outcome) == ("a1", "no_answer")
        assert 9.9 < missed.ring_s < 10.1
        view = await centre.app.do(GetAgent(agent_id="a1"))
        assert (view.state, view.reason) == ("not_ready", "rona")
        centre.carrier.agent.hang_up(mine.id)
        await quick.wait("ended")
        (left,) = centre.of(QueueLeft)
        assert left.agent_id == "a2"
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.004, 0.02, 0.5, 0.999, 1.0, 1.001, 1.003, 1.01, 1.05, 2.0])
def test_the_caller_hangs_up_at_any_moment_of_an_offer(after_s):
    async def main():
        centre = Centre()
        phone = await centre.agent("a1", "1001")
        mine = centre.caller()
        await centre.carrier.wait("answered", call=mine.id)
        await asyncio.sleep(after_s)
        centre.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(2.0)
        (left,) = centre.of(QueueLeft)
        assert left.reason in ("abandoned", "connected")
        assert not phone.agent.calls
        if left.reason == "abandoned":
            assert await centre.state("a1") == "available"
            assert [each.outcome for each in centre.of(OfferMissed)] in ([], ["caller_gone"])
        else:
            assert await centre.state("a1") == "acw"
            assert len(centre.of(AgentCallEnded)) == 1
        await centre.close()

    run_virtual(main())


def test_two_agents_answer_at_the_same_time_and_one_has_the_call():
    async def main():
        centre = Centre()
        one = await centre.agent("a1", "1001")
        other = await centre.agent("a2", "1002")
        mine = centre.caller("4004")
        await centre.carrier.wait("answered", call=mine.id)
        await asyncio.sleep(4.0)
        assert len(centre.of(OfferMade)) == 2
        (left,) = centre.of(QueueLeft)
        winner, loser = (one, other) if left.agent_id == "a1" else (other, one)
        assert len(winner.agent.calls) == 1
        assert not loser.agent.calls
        (missed,) = centre.of(OfferMissed)
        assert missed.outcome == "lost_race"
        assert await centre.state(missed.agent_id) == "available"
        centre.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(1.0)
        await centre.close()

    run_virtual(main())


def test_an_agent_whose_phone_is_gone_is_not_ready_and_nobody_waits_for_him():
    async def main():
        centre = Centre()
        await centre.agent("a1", "1001")
        # Nobody has noticed for long enough that it is gone.
        centre.switch.core.registrations.remove_all("1001")
        mine = centre.caller()
        await centre.carrier.wait("answered", call=mine.id)
        await asyncio.sleep(1.0)
        view = await centre.app.do(GetAgent(agent_id="a1"))
        assert (view.state, view.reason) == ("not_ready", "device_unreachable")
        assert [each.outcome for each in centre.of(OfferMissed)] == ["unreachable"]
        centre.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(1.0)
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize("is_callback", [False, True], ids=["waiting", "called back"])
def test_an_agent_whose_phone_is_gone_when_he_is_connected_is_not_talking_for_ever(monkeypatch, is_callback):
    async def main():
        centre = Centre('[[queue]]\nname = "back"\n[queue.callback]\nis_enabled = true\ndial_prefix = "9"\n' + BACK)
        phone = await centre.agent("b1", "1003", is_ready=False)
        runtime = centre.switch.core.runtime
        mine = centre.caller("4009")
        await centre.carrier.wait("answered", call=mine.id)
        (live,) = centre.switch.core.calls.calls.values()
        if is_callback:
            await centre.app.do(RequestCallback(queue="back", call_id=live.call_id))
            centre.carrier.agent.hang_up(mine.id)
        take = agent_ringing.take

        def gone(call, offer_id, agent_id):
            # Between his answer and the core's word there is no time in which a phone could end its leg here.
            leg_left(call.legs[call.stay.answered[offer_id]], HangupCause.NORMAL_CLEARING, 0.0, runtime.calls.env)
            return take(call, offer_id, agent_id)

        monkeypatch.setattr(agent_ringing, "take", gone)
        await centre.app.do(Ready(agent_id="b1"))
        answered = await phone.wait("answered")
        await asyncio.sleep(1.0)
        phone.agent.hang_up(answered.call)
        await asyncio.sleep(1.0)
        assert await centre.state("b1") == "acw"
        assert [each.queue for each in centre.of(AgentCallEnded)] == ["back"]
        runtime.run(lambda now: runtime.calls.release_all(HangupCause.SYSTEM_SHUTDOWN, now))
        await centre.close()

    run_virtual(main())


def test_a_full_queue_turns_away_before_it_answers_and_time_sends_to_the_next_queue():
    async def main():
        centre = Centre()
        phone = await centre.agent("a1", "1001")
        first, second = centre.caller("4002", "1"), centre.caller("4002", "2")
        refused = await centre.carrier.wait("ended", call=second.id)
        assert refused.status == 486
        assert first.is_up
        incoming = await phone.wait("incoming", within_s=16.0)
        assert incoming.number == "1"
        await phone.wait("answered")
        await asyncio.sleep(0.1)
        reasons = [(each.queue, each.reason, each.target) for each in centre.of(QueueLeft)]
        assert reasons == [
            ("small", "overflow_full", "hangup"),
            ("small", "timeout", "queue:sales"),
            ("sales", "connected", ""),
        ]
        entered = centre.of(QueueEntered)[-1]
        assert (entered.queue, entered.n_hops) == ("sales", 1)
        assert 14.9 < entered.waited_s < 15.1
        phone.agent.hang_up(incoming.call)
        await asyncio.sleep(1.0)
        await centre.close()

    run_virtual(main())


def test_time_sends_outside_and_the_caller_talks_there():
    async def main():
        centre = Centre()
        mine = centre.caller("4003")
        incoming = await centre.carrier.wait("incoming", within_s=10.0)
        assert incoming.dialed == "13800001111"
        centre.carrier.agent.answer(incoming.call)
        await asyncio.sleep(2.0)
        (connected,) = centre.of(events.CallConnected)
        assert connected.leg_id
        centre.carrier.agent.hang_up(incoming.call)
        await centre.carrier.wait("ended", call=mine.id)
        await centre.close()

    run_virtual(main())


def test_what_an_agent_asks_for_during_a_call_holds_afterwards():
    async def main():
        centre = Centre()
        phone = await centre.agent("a1", "1001")
        mine = centre.caller()
        await phone.wait("answered")
        await asyncio.sleep(0.1)
        view = await centre.app.do(NotReady(agent_id="a1", reason="break"))
        assert (view.state, view.pending) == ("on_call", "break")
        centre.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        view = await centre.app.do(EndAcw(agent_id="a1", code="done"))
        assert (view.state, view.reason) == ("not_ready", "break")
        await centre.close()

    run_virtual(main())


def test_signed_out_while_rung_and_by_a_supervisor_while_talking():
    async def main():
        centre = Centre()
        phone = await centre.agent("a1", "1001", answer_after_s=3.0)
        mine = centre.caller()
        await phone.wait("incoming")
        await centre.app.do(SignOut(agent_id="a1"))
        await phone.wait("ended")
        assert [each.outcome for each in centre.of(OfferMissed)] == ["cancelled"]
        await centre.app.do(SignIn(agent_id="a1"))
        await centre.app.do(Ready(agent_id="a1"))
        await phone.wait("answered")
        await centre.app.do(ForceState(agent_id="a1", state="sign_out"))
        assert await centre.state("a1") == "offline"
        await asyncio.sleep(2.0)
        assert mine.is_up
        centre.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await centre.close()

    run_virtual(main())


def test_own_calls_of_an_agent_make_him_busy_and_count():
    async def main():
        centre = Centre()
        phone = await centre.agent("a1", "1001")
        other = await centre.switch.phone("1003", answer_after_s=1.0)
        own, _ = await phone.talk_to("1003", other)
        assert await centre.state("a1") == "on_call"
        mine = centre.caller()
        await centre.carrier.wait("answered", call=mine.id)
        await asyncio.sleep(5.0)
        assert not centre.of(OfferMade)
        phone.agent.hang_up(own.id)
        await phone.wait("incoming")
        await phone.wait("answered")
        kinds = [(each.call_type, each.queue) for each in centre.of(AgentCallEnded)]
        assert kinds == [("internal", "")]
        centre.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(1.0)
        await centre.close()

    run_virtual(main())


def test_hung_up_by_api_and_at_a_drain_every_entry_is_told_its_end():
    async def main():
        centre = Centre()
        for n in range(5):
            centre.caller(caller=str(n))
        await asyncio.sleep(3.0)
        runtime = centre.switch.core.runtime
        runtime.run(lambda now: runtime.calls.release_all(HangupCause.SYSTEM_SHUTDOWN, now))
        await asyncio.sleep(1.0)
        assert not centre.carrier.agent.calls
        assert [each.reason for each in centre.of(QueueLeft)] == ["withdrawn"] * 5
        await centre.close()

    run_virtual(main())


def test_commands_that_make_no_sense():
    async def main():
        centre = Centre()
        with pytest.raises(NoSuchAgent, match="no agent x"):
            await centre.app.do(Ready(agent_id="x"))
        with pytest.raises(NoSuchAgent, match="not signed in"):
            await centre.app.do(Ready(agent_id="a1"))
        await centre.agent("a1", "1001")
        with pytest.raises(WrongState, match="a1 is signed in at extension 1001"):
            await centre.app.do(SignIn(agent_id="a2", extension="1001"))
        with pytest.raises(WrongState, match="after-call work"):
            await centre.app.do(EndAcw(agent_id="a1"))
        found = await centre.app.do(ListAgents(queue="sales"))
        assert found.n_by_state == {"available": 1, "offline": 1}
        await centre.close()

    run_virtual(main())


def test_what_supervisors_see_and_do_with_waiting_calls():
    async def main():
        centre = Centre()
        for n in range(4):
            centre.caller(caller=str(n))
            await asyncio.sleep(2.0)
        shown = await centre.app.do(ListWaiting(queue="sales"))
        assert [(each.caller, each.position, each.customer_type) for each in shown.calls] == [
            (str(n), n + 1, "normal") for n in range(4)
        ]
        assert [round(each.waited_s) for each in shown.calls] == [8, 6, 4, 2]
        assert {each.dialed for each in shown.calls} == {"4001"}
        page = await centre.app.do(ListWaiting(queue="sales", limit=3))
        rest = await centre.app.do(ListWaiting(queue="sales", limit=3, cursor=page.cursor))
        assert [each.caller for each in page.calls + rest.calls] == ["0", "1", "2", "3"]
        assert (page.n_waiting, rest.cursor) == (4, "")
        calls = {each.caller: each.call_id for each in shown.calls}
        raised = await centre.app.do(RaiseCall(queue="sales", call_id=calls["3"], is_first=True))
        assert (raised.position, raised.customer_type) == (1, "first")
        await centre.app.do(RaiseCall(queue="sales", call_id=calls["2"], priority=1))
        standing = await centre.app.do(Explain(queue="sales", call_id=calls["0"]))
        assert (standing.call.position, len(standing.before_it)) == (3, 2)
        assert standing.agents == {}
        await centre.app.do(MoveCall(queue="sales", call_id=calls["1"], to="all"))
        with pytest.raises(NoSuchEntry, match="does not wait in queue sales"):
            await centre.app.do(Explain(queue="sales", call_id=calls["1"]))
        moved = await centre.app.do(ListWaiting(queue="all"))
        assert [(each.caller, round(each.waited_s)) for each in moved.calls] == [("1", 6)]
        with pytest.raises(NoSuchQueue):
            await centre.app.do(MoveCall(queue="all", call_id=calls["1"], to="nowhere"))
        views = {each.queue: each for each in (await centre.app.do(ListQueues())).queues}
        assert (views["sales"].n_waiting, views["all"].n_waiting, views["sales"].n_agents) == (3, 1, 0)
        assert views["sales"].n_by_state == {"offline": 2}
        # Who was put first is the first to be served; the others are sent away.
        phone = await centre.agent("a1", "1001")
        incoming = await phone.wait("incoming")
        assert incoming.number == "3"
        await phone.wait("answered")
        await asyncio.sleep(0.1)
        view = await centre.app.do(GetQueue(queue="sales"))
        assert (view.now.n_waiting, view.now.n_idle, view.now.n_agents) == (2, 0, 1)
        closed = await centre.app.do(SetQueueState(queue="sales", state="closed"))
        assert (closed.state, closed.n_waiting) == ("closed", 0)
        refused = centre.caller(caller="5")
        assert (await centre.carrier.wait("ended", call=refused.id)).status == 603
        assert len(centre.carrier.agent.calls) == 2
        phone.agent.hang_up(incoming.call)
        await centre.app.do(SetQueueState(queue="all", state="closed"))
        await asyncio.sleep(1.0)
        reasons = sorted(each.reason for each in centre.of(QueueLeft))
        assert reasons == ["closed", "closed", "closed", "closed", "connected", "transferred"]
        await centre.close()

    run_virtual(main())
