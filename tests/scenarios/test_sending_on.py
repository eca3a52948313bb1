"""Whole switch, virtual time: who talks with an agent is sent to a queue, a flow or voicemail, by API or by the agent's
phone; what becomes of the agent, of the record, and when it cannot be."""

import asyncio

import pytest

from model import errors, media
from model.commands_transfer import Transfer
from model.events import CallTransferred
from model.events_flow import FlowEnded
from model.events_queue import QueueEntered, QueueLeft
from model.records import CallRecord
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_ivr import Hotline

MORE = """
[[voicemail]]
name = "office"
number = "7001"
"""


class Desk(Hotline):
    """A customer who talks with agent a1."""

    def __init__(self, folder) -> None:
        super().__init__(folder, None, MORE)

    async def begin(self):
        self.phone = await self.agent("a1", "1001")
        mine = self.caller("4001")
        await self.phone.wait("answered")
        await asyncio.sleep(5.0)
        assert self.live.phase == "bridged"
        return mine

    async def send(self, to: str) -> None:
        await self.app.do(Transfer(call_id=self.live.call_id, leg_id=self.live.b, to=to))
        await self.phone.wait("ended")
        await asyncio.sleep(0.5)

    async def record(self) -> CallRecord:
        await asyncio.sleep(5.0)
        (found,) = [each for each in self.switch.records if isinstance(each, CallRecord)]
        return found


def test_tel_10_an_agent_sends_his_customer_to_another_queue(tmp_path):
    async def main():
        centre = Desk(tmp_path)
        mine = await centre.begin()
        await centre.send("queue:all")
        assert [each.queue for each in centre.of(QueueEntered)] == ["sales", "all"]
        assert centre.played()[-1] == "moh:default"
        assert await centre.state("a1") == "acw"
        assert [each.number for each in centre.of(CallTransferred)] == ["queue:all"]
        await asyncio.sleep(10.0)
        second = await centre.agent("a2", "1002")
        await second.wait("answered")
        await asyncio.sleep(4.0)
        assert centre.live.phase == "bridged"
        assert await centre.state("a2") == "on_call"
        assert len(centre.switch.worker.of(media.ConnectMatrix)[-1].edges) == 2
        await centre.hang_up(mine)
        assert [each.reason for each in centre.of(QueueLeft)] == ["connected", "connected"]
        record = await centre.record()
        assert record.talk_s == pytest.approx(9.0, abs=1.5)
        customers = [each.purpose for each in record.segments if each.leg_id.endswith(".0")]
        assert customers == ["queue", "talk", "queue", "talk"]
        # One recording for each agent.
        assert len(centre.switch.recordings) == 2
        await centre.close()

    run_virtual(main())


def test_tel_09_an_agent_sends_his_customer_to_a_flow_and_a_key_leads_back_to_an_agent(tmp_path):
    async def main():
        centre = Desk(tmp_path)
        mine = await centre.begin()
        await centre.send("ivr:main")
        assert centre.played()[-1] == "voice:zh/for_other"
        second = await centre.agent("a2", "1002")
        await centre.keys("1")
        assert [each.result for each in centre.of(FlowEnded)] == ["queue"]
        await second.wait("answered")
        await asyncio.sleep(2.0)
        assert centre.live.phase == "bridged"
        await centre.hang_up(mine)
        record = await centre.record()
        customers = [each.purpose for each in record.segments if each.leg_id.endswith(".0")]
        assert customers == ["queue", "talk", "ivr", "queue", "talk"]
        await centre.close()

    run_virtual(main())


def test_by_refer_to_a_number_that_leads_to_a_flow(tmp_path):
    async def main():
        centre = Desk(tmp_path)
        mine = await centre.begin()
        centre.phone.agent.transfer(centre.phone.the_call.id, "sip:4010@10.0.0.1")
        await centre.phone.wait("ended")
        await asyncio.sleep(0.5)
        assert [told.status for told in centre.phone.events if told.event == "transfer"] == [100, 200]
        assert centre.live.phase == "ivr"
        assert centre.played()[-1] == "voice:zh/for_other"
        await centre.hang_up(mine)
        assert [each.result for each in centre.of(FlowEnded)] == ["hung_up"]
        await centre.close()

    run_virtual(main())


def test_to_voicemail(tmp_path):
    async def main():
        centre = Desk(tmp_path)
        mine = await centre.begin()
        await centre.send("7001")
        assert centre.played()[-1] == "voice:zh/leave_message"
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize("to", ["queue:none", "ivr:none", "voicemail:none"])
def test_where_nothing_is_nobody_is_sent(tmp_path, to):
    async def main():
        centre = Desk(tmp_path)
        mine = await centre.begin()
        with pytest.raises(errors.NoRoute, match="there is no"):
            await centre.app.do(Transfer(call_id=centre.live.call_id, leg_id=centre.live.b, to=to))
        assert centre.live.phase == "bridged"
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())
