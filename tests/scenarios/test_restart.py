"""Whole switch, virtual time: the switch is started again while agents are signed in. Who they were is read from the
event log, as a switch that was killed leaves it."""

import asyncio

from control.auth import Caller
from model.commands_agent import GetAgent, NotReady, Ready, SignIn, SignOut
from model.events_agent import AgentSignedIn, AgentStateChanged
from model.events_queue import OfferMade
from switch.event_log import LOGGED, record_of
from switch.seats import recall_seats
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_queues import Centre


class LoggedCentre(Centre):
    """Keeps its log in `rows`, as the switch does."""

    def __init__(self, more: str = "", **carrier: float) -> None:
        super().__init__(more, **carrier)
        self.rows = []
        switch = self.switch
        told = switch.core.runtime.outside.publish

        def publish(event) -> None:
            told(event)
            if type(event) in LOGGED:
                self.rows.append(record_of(event, "node", len(self.rows) + 1, switch.wall()))

        switch.core.runtime.outside.publish = publish

    async def started_again(self, more: str = "", down_s: float = 10.0) -> "LoggedCentre":
        """A new switch over the same log; this one is gone."""
        for phone in self.switch.phones:
            await phone.close()
        await self.switch.close(check=False)
        await asyncio.sleep(down_s)
        after = LoggedCentre(more)
        for row in self.rows:
            after.switch.storage.put(row)
        after.rows += self.rows
        core = after.switch.core
        await recall_seats(after.switch.storage, core.floor, after.switch.config, after.switch.wall())
        return after

    async def view(self, agent_id: str):
        return await self.app.do(GetAgent(agent_id=agent_id))


MORE = """
[[agent]]
agent_id = "a3"
extension = "1003"
queues = [{ queue = "sales" }]
[[agent]]
agent_id = "a4"
"""


def test_agt_18_agents_are_what_they_were_when_the_switch_is_started_again():
    async def main():
        before = LoggedCentre(MORE)
        await before.agent("a1", "1001")
        await before.agent("a2", "1002")
        await before.app.do(NotReady(agent_id="a2", reason="break"))
        await before.agent("a3", "1003")
        await before.app.do(SignOut(agent_id="a3"))
        await before.app.do(SignIn(agent_id="a4", mode="unbound"))
        await asyncio.sleep(100.0)
        after = await before.started_again(MORE)
        # The phone of a1 has not registered with the new one yet.
        one, two, three, four = [await after.view(f"a{n}") for n in (1, 2, 3, 4)]
        assert (one.state, one.reason, one.extension) == ("not_ready", "device_unreachable", "1001")
        assert 109.0 < one.signed_in_s < 112.0
        assert (two.state, two.reason) == ("not_ready", "break")
        assert (three.state, four.state, four.mode) == ("offline", "not_ready", "unbound")
        assert [each.agent_id for each in after.of(AgentSignedIn) if each.is_restored] == ["a1", "a2", "a4"]
        mine = after.caller()
        await after.carrier.wait("answered", call=mine.id)
        phone = await after.switch.phone("1001", answer_after_s=1.0)
        await phone.wait("answered")
        await asyncio.sleep(0.1)
        assert (await after.view("a1")).state == "on_call"
        after.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await after.close()

    run_virtual(main())


def test_killed_during_a_call_an_agent_is_what_he_wanted_to_be_after_it():
    async def main():
        before = LoggedCentre()
        phones = [await before.agent("a1", "1001"), await before.agent("a2", "1002")]
        for phone in phones:
            before.caller()
            await phone.wait("answered")
        await asyncio.sleep(0.1)
        await before.app.do(NotReady(agent_id="a2", reason="away"))
        assert [(await before.view(each)).state for each in ("a1", "a2")] == ["on_call", "on_call"]
        after = await before.started_again()
        await after.switch.phone("1001")
        await after.switch.phone("1002")
        assert [(await after.view(each)).state for each in ("a1", "a2")] == ["available", "not_ready"]
        assert (await after.view("a2")).reason == "away"
        assert [(await after.view(each)).n_answered for each in ("a1", "a2")] == [0, 0]
        await after.close()

    run_virtual(main())


def test_answered_calls_and_the_client_of_an_agent_are_kept():
    async def main():
        himself = Caller("anna", "operator", "", "a1")
        before = LoggedCentre("[agents]\nlink_grace_s = 30\n")
        phone = await before.switch.phone("1001", answer_after_s=1.0)
        await before.app.do(SignIn(agent_id="a1", is_client=True), himself)
        await before.app.do(Ready(agent_id="a1"), himself)
        mine = before.caller()
        await phone.wait("answered")
        await asyncio.sleep(2.0)
        before.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(30.0)
        assert (await before.view("a1")).state == "available"
        middle = await before.started_again("[agents]\nlink_grace_s = 30\n")
        after = await middle.started_again("[agents]\nlink_grace_s = 30\n")
        assert (await after.view("a1")).n_answered == 1
        await after.switch.phone("1001")
        await asyncio.sleep(31.0)
        assert (await after.view("a1")).reason == "link_lost"
        after.switch.core.floor.client_changed("a1", True)
        assert [each.state for each in after.of(AgentStateChanged)][-1] == "available"
        await after.close()

    run_virtual(main())


def test_who_signed_in_too_long_ago_or_exists_no_more_is_not_signed_in_again(caplog):
    async def main():
        before = LoggedCentre(MORE)
        await before.agent("a1", "1001")
        await before.agent("a3", "1003")
        after = await before.started_again()
        assert (await after.view("a1")).state == "not_ready"
        assert "agent a3 was signed in and exists no more" in caplog.text
        later = await after.started_again("[agents]\nrestore_s = 600\n", down_s=700.0)
        assert (await later.view("a1")).state == "offline"
        never = await after.started_again("[agents]\nrestore_s = 0\n")
        assert (await never.view("a1")).state == "offline"
        assert not never.of(OfferMade)
        await later.close()
        await never.close()

    run_virtual(main())
