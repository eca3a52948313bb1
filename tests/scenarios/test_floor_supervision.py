"""Whole switch, virtual time: what supervisors do with agents of the floor: pull a call for one, listen to one wherever
he sits, record him, and hear when he wants help."""

import asyncio

import pytest

from control.auth import Caller
from model.commands_agent import AskHelp, ListAgents, Ready, RecordAgent, SignIn
from model.commands_monitor import StartMonitor
from model.commands_queue import PullCall
from model.errors import InvalidValue, NoSuchAgent, WrongState
from model.events_agent import AgentHelpRequested
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_nat import behind
from tests.scenarios.test_queues import Centre

SUPERVISOR = """
[recording]
enabled = true
[[extension]]
number = "1099"
password = "a-password-of-1001"
supervises = ["*"]
[[access_number]]
number = "4031"
to = "queue:slow"
[[queue]]
name = "slow"
[queue.sound]
distribute_after_s = 300
[[agent]]
agent_id = "s1"
extension = "1003"
queues = [{ queue = "slow" }]
"""


def test_xsup_05_a_call_is_pulled_for_an_agent():
    async def main():
        centre = Centre(SUPERVISOR)
        phone = await centre.agent("s1", "1003")
        centre.caller("4031", caller="1")
        mine = centre.caller("4031", caller="2")
        await centre.carrier.wait("answered", call=mine.id)
        await asyncio.sleep(1.0)
        live = next(one for one in centre.switch.core.calls.calls.values() if one.caller == "2")
        pulled = await centre.app.do(PullCall(queue="slow", call_id=live.call_id, agent_id="s1"))
        assert pulled.offered_to == ["s1"]
        assert (await phone.wait("incoming")).number == "2"
        with pytest.raises(WrongState, match="s1 is not available"):
            other = next(one for one in centre.switch.core.calls.calls.values() if one.caller == "1")
            await centre.app.do(PullCall(queue="slow", call_id=other.call_id, agent_id="s1"))
        await phone.wait("answered")
        for call in list(centre.carrier.agent.calls):
            centre.carrier.agent.hang_up(call)
        await centre.close()

    run_virtual(main())


def test_sup_02_sup_09_xagt_11_listened_to_and_recorded_by_agent_and_asking_for_help():
    async def main():
        centre = Centre(SUPERVISOR)
        phone = await centre.agent("a1", "1001")
        boss = await centre.switch.phone("1099", answer_after_s=1.0)
        with pytest.raises(WrongState, match="a1 is in no call"):
            await centre.app.do(RecordAgent(agent_id="a1"))
        with pytest.raises(NoSuchAgent, match="a2 is not signed in"):
            await centre.app.do(AskHelp(agent_id="a2"))
        mine = centre.caller()
        await phone.wait("answered")
        await asyncio.sleep(1.0)
        (live,) = centre.switch.core.calls.calls.values()
        with pytest.raises(InvalidValue, match="a1 does not sit at 1002"):
            await centre.app.do(StartMonitor(supervisor="1099", agent_id="a1", extension="1002"))
        view = await centre.app.do(StartMonitor(supervisor="1099", agent_id="a1"))
        assert view.call_id == live.call_id
        await boss.wait("answered")
        states = []
        for what in ("stop", "start", "pause", "resume", "stop"):
            states.append((await centre.app.do(RecordAgent(agent_id="a1", what=what))).state)
            await asyncio.sleep(0.5)
        assert states == ["finished", "recording", "paused", "recording", "finished"]
        await centre.app.do(AskHelp(agent_id="a1", note="angry"))
        (told,) = [each for each in centre.app.published if isinstance(each, AgentHelpRequested)]
        assert (told.call_id, told.note) == (live.call_id, "angry")
        centre.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await boss.wait("ended")
        await centre.close()

    run_virtual(main())


GROUPS = """
[[agent_group]]
name = "night"
[[agent]]
agent_id = "n1"
name = "Nora"
group = "night"
extension = "1003"
queues = [{ queue = "sales" }]
[[agent]]
agent_id = "n2"
group = "night"
queues = [{ queue = "small" }]
"""


def test_sup_11_sup_13_the_floor_by_group_and_queue_with_sums_of_states():
    async def main():
        centre = Centre(GROUPS)
        phone = await centre.agent("n1", "1003")
        await centre.agent("a1", "1001", is_ready=False)
        mine = centre.caller()
        await phone.wait("answered")
        await asyncio.sleep(5.0)
        night = await centre.app.do(ListAgents(group="night"))
        shown = [(each.agent_id, each.name, each.state, each.extension) for each in night.agents]
        assert shown == [("n1", "Nora", "on_call", "1003"), ("n2", "", "offline", "")]
        assert night.n_by_state == {"on_call": 1, "offline": 1}
        (nora, _) = night.agents
        assert 4.5 < nora.state_s < 5.5
        assert 5.5 < nora.signed_in_s < 8.0
        assert (nora.queue, bool(nora.call_id)) == ("sales", True)
        sales = await centre.app.do(ListAgents(queue="sales"))
        assert sales.n_by_state == {"not_ready": 1, "offline": 1, "on_call": 1}
        talking = await centre.app.do(ListAgents(queue="sales", state="on_call"))
        assert [each.agent_id for each in talking.agents] == ["n1"]
        centre.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await centre.close()

    run_virtual(main())


REMOTE = """
[[agent]]
agent_id = "home"
extension = "1003"
queues = [{ queue = "sales" }]
[[agent]]
agent_id = "boss"
role = "supervisor"
extension = "1099"
queues = [{ queue = "sales" }]
"""


def test_agt_28_sup_15_a_supervisor_serves_calls_himself_and_listens_to_an_agent_at_home():
    async def main():
        centre = Centre(SUPERVISOR + REMOTE)
        remote = await behind(centre.switch, "1003", centre.switch.net.add_nat("203.0.113.5"), answer_after_s=1.0)
        await centre.app.do(SignIn(agent_id="home"))
        await centre.app.do(Ready(agent_id="home"))
        first = centre.caller(caller="1")
        await remote.wait("answered")
        # He is an agent like any other: the next call is his.
        boss = await centre.agent("boss", "1099")
        second = centre.caller(caller="2")
        await boss.wait("answered")
        await asyncio.sleep(1.0)
        assert await centre.state("boss") == "on_call"
        centre.carrier.agent.hang_up(second.id)
        await boss.wait("ended")
        himself = Caller("boss", "", "", "boss")
        view = await centre.app.do(StartMonitor(supervisor="1099", agent_id="home"), himself)
        await boss.wait("answered")
        await asyncio.sleep(1.0)
        live = centre.switch.core.calls.calls[view.call_id]
        assert (live.caller, [monitor.mode for monitor in live.monitors.values()]) == ("1", ["listen"])
        centre.carrier.agent.hang_up(first.id)
        await remote.wait("ended")
        await boss.wait("ended")
        await centre.close()

    run_virtual(main())
