"""Whole switch, virtual time: records are shared out among agents, who look at them, dial, and say how it went; whoever
has dialled, what pops up and what is owed after the call is the same.

How records are shared is in tests/dialer/test_distribution.py, who may be called in tests/dialer/test_rules.py.
"""

import asyncio
from typing import Any

import msgspec
import pytest

from control.auth import Caller
from dialer.inputs import RecordsChange
from model import commands_preview as preview
from model import errors, media
from model.commands_agent import EndAcw, GetAgent, Ready, SignIn, SignOut
from model.commands_appointments import ListAppointments
from model.commands_campaign import StartCampaign, StopCampaign
from model.commands_services import SetServices
from model.dialing import CampaignRecord, RecordNumber
from model.events_agent import AgentAcwEnded, AgentCallEnded
from model.events_preview import RecordOffered
from storage.attempts import AttemptFilter
from tests.harness.sim_switch import EXTENSIONS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp
from tests.scenarios.test_handling import invites_of

CENTRE = """
[[trunk]]
name = "carrier"
host = "10.0.1.1"
port = 5060
caller_id = "02188886666"
[[route]]
name = "outside"
pattern = "9."
strip = 1
trunks = ["carrier"]
[[queue]]
name = "sales"
wrap_up = { post_call = "acw", max_s = 20, codes = ["of_queue"] }
[[agent_group]]
name = "south"
[[agent]]
agent_id = "a1"
extension = "1001"
outbound_number = "02111110001"
queues = [{ queue = "sales" }]
[[agent]]
agent_id = "a2"
extension = "1002"
group = "south"
queues = [{ queue = "sales" }]
[[role]]
name = "blind"
permissions = ["agent.work"]
[[role]]
name = "lead_south"
permissions = ["agent.control", "agent.view"]
agent_groups = ["south"]
[[agent]]
agent_id = "a3"
extension = "1003"
role = "blind"
post_call = "available"
[[campaign]]
name = "visits"
title = "回访"
mode = "preview"
queue = "sales"
dial_prefix = "9"
caller_id = "02100009999"
contact_hours = ""
script = "您好{name}，您的{plan}套餐 {missing}"
content = "Ask how he is."
questionnaire = "q7"
is_disposition_required = true
[[campaign.dispositions]]
code = "sold"
effect = "success"
[[campaign.dispositions]]
code = "no"
[[campaign.dispositions]]
code = "later"
effect = "callback"
[[campaign.dispositions]]
code = "never"
effect = "dnc"
[[campaign]]
name = "open"
mode = "preview"
dial_prefix = "9"
contact_hours = ""
shows = "agent"
may_take_unassigned = true
wrap_up_s = 15
[[campaign.dispositions]]
code = "ok"
"""


class Floor:
    """A switch with agents a1, a2 (of campaign visits) and a3, who may not see numbers; and a carrier."""

    def __init__(self, more: str = "", *, storage: Any = None, **carrier: float) -> None:
        self.switch = SimSwitch(SimNet(), EXTENSIONS + CENTRE + more, storage=storage)
        self.app = SimApp(self.switch)
        self.carrier = self.switch.carrier(**carrier)
        self.n = 0

    async def start(self, *campaigns: str) -> "Floor":
        await self.switch.appointments.load()
        await self.switch.dialer_desk.restore()
        for name in campaigns or ("visits", "open"):
            if self.switch.core.dialer.engine.state(name) != "running":
                await self.app.do(StartCampaign(campaign=name))
        return self

    async def agent(self, agent_id: str, number: str, *, answer_after_s: float = 1.0):
        phone = await self.switch.phone(number, answer_after_s=answer_after_s)
        await self.app.do(SignIn(agent_id=agent_id))
        return phone

    async def records(self, n: int, campaign: str = "visits", **fields: Any) -> list[str]:
        made = []
        for _ in range(n):
            self.n += 1
            numbers = fields.get("numbers", [f"1380000{self.n:04}"])
            made.append(
                CampaignRecord(
                    record_id=f"r{self.n:03}",
                    campaign=campaign,
                    **{
                        "name": f"王{self.n}",
                        "data": {"plan": "58 元", "phone": "".join(numbers[:1])},
                        **fields,
                        "numbers": [RecordNumber(number=number) for number in numbers],
                    },
                )
            )
        await self.switch.storage.records.add(made)
        dialer = self.switch.core.dialer
        dialer.tell(RecordsChange(campaign=campaign))
        if dialer.engine.state(campaign) == "completed":
            await self.app.do(StartCampaign(campaign=campaign))
        return [each.record_id for each in made]

    async def record(self, record_id: str) -> CampaignRecord:
        return await self.switch.storage.records.get(record_id)

    async def state(self, agent_id: str) -> str:
        return (await self.app.do(GetAgent(agent_id=agent_id))).state

    async def talk(self, agent_id: str, record_id: str, phone, *, for_s: float = 3.0) -> str:
        """He dials, the customer answers, they speak, and the customer hangs up: the id of the call."""
        dialed = await self.app.do(preview.DialRecord(agent_id=agent_id, record_id=record_id))
        incoming = await self.carrier.wait("incoming")
        await phone.wait("answered")
        await self.carrier.wait("answered", call=incoming.call)
        await asyncio.sleep(for_s)
        self.carrier.agent.hang_up(incoming.call)
        await phone.wait("ended")
        await asyncio.sleep(0.5)
        return dialed.call_id

    def of(self, kind):
        return self.switch.of(kind)

    async def close(self) -> None:
        """Also: every attempt has ended."""
        await self.switch.close()
        assert not await self.switch.storage.attempts.unfinished()


def give(agent_id: str, record_id: str, code: str, **fields: Any) -> preview.GiveResult:
    return preview.GiveResult(agent_id=agent_id, record_id=record_id, code=code, **fields)


def test_out_03_records_are_shared_out_evenly_and_as_many_as_is_said():
    async def main():
        floor = await Floor().start()
        await floor.records(7)
        shares = await floor.app.do(preview.DistributeRecords(campaign="visits", agents=["a1", "a2"]))
        assert shares.n_moved == 7
        assert sorted(each.n_given for each in shares.shares) == [3, 4]
        await floor.records(5)
        # What is left over goes to who has fewer.
        shares = await floor.app.do(preview.DistributeRecords(campaign="visits", agents=["a1", "a2"], limit=1))
        assert [each.n_to_call for each in shares.shares] == [4, 4]
        asked = preview.DistributeRecords(campaign="visits", agents=["a1", "a2"], each=1, counts={"a1": 2})
        shares = await floor.app.do(asked)
        assert [(each.agent_id, each.n_given) for each in shares.shares] == [("a1", 2), ("a2", 1)]
        assert shares.n_unassigned == 1
        with pytest.raises(errors.NoSuchAgent):
            await floor.app.do(preview.DistributeRecords(campaign="visits", agents=["a1", "nobody"]))
        await floor.close()

    run_virtual(main())


def test_out_09_records_are_given_to_others_and_taken_back_but_not_those_that_were_called():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        ids = await floor.records(6, owner="a1")
        await floor.talk("a1", ids[0], phone)
        await floor.app.do(give("a1", ids[0], "no"))
        shares = await floor.app.do(preview.ReassignRecords(campaign="visits", agent_id="a1", to=["a2", "a3"], limit=3))
        assert [(each.agent_id, each.n_given) for each in shares.shares] == [("a1", -3), ("a2", 2), ("a3", 1)]
        shares = await floor.app.do(preview.TakeBackRecords(campaign="visits", agent_id="a1"))
        assert shares.n_moved == 2
        assert shares.n_unassigned == 2
        assert (await floor.record(ids[0])).owner == "a1"
        # By name, also what was called.
        shares = await floor.app.do(preview.ReassignRecords(campaign="visits", to=["a2"], record_ids=[ids[0]]))
        assert (await floor.record(ids[0])).owner == "a2"
        with pytest.raises(errors.NoSuchRecord):
            await floor.app.do(preview.ReassignRecords(campaign="open", to=["a2"], record_ids=[ids[0]]))
        await floor.close()

    run_virtual(main())


def test_out_01_an_agent_sees_a_customer_and_dials_him():
    async def main():
        floor = await Floor(answer_after_s=2.0).start()
        phone = await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        sheet = await floor.app.do(preview.NextRecord(agent_id="a1"))
        assert (sheet.record.record_id, sheet.may_call, sheet.position) == (record_id, True, 0)
        assert sheet.script == "您好王1，您的58 元套餐 {missing}"
        dialed = await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        await asyncio.sleep(0.05)
        assert b"\r\nAnswer-Mode: Auto\r\n" in invites_of(floor.switch)[0]
        # Durable before anybody rings.
        (attempt,) = await floor.switch.storage.attempts.unfinished()
        assert (attempt.attempt_id, attempt.agent_id, attempt.mode) == (dialed.call_id, "a1", "preview")
        ringing = await phone.wait("incoming")
        assert ringing.number == "13800000001"
        await phone.wait("answered")
        incoming = await floor.carrier.wait("incoming")
        assert floor.switch.worker.of(media.Play)[0].sources == ["tone:zip/cn"]
        assert (incoming.dialed, incoming.number) == ("13800000001", "02100009999")
        assert await floor.state("a1") == "dialing"
        await floor.carrier.wait("answered")
        await asyncio.sleep(5.0)
        assert await floor.state("a1") == "on_call"
        (offered,) = floor.of(RecordOffered)
        assert (offered.agent_id, offered.call_id, offered.record_id) == ("a1", dialed.call_id, record_id)
        assert (offered.number, offered.questionnaire) == ("13800000001", "q7")
        assert [each.code for each in offered.dispositions] == ["sold", "no", "later", "never"]
        floor.carrier.agent.hang_up(incoming.call)
        await phone.wait("ended")
        await asyncio.sleep(0.5)
        assert await floor.state("a1") == "acw"
        after = await floor.app.do(give("a1", record_id, "sold", note="two of them"))
        assert (after.record.status, after.record.disposition, after.record.note) == ("done", "sold", "two of them")
        assert await floor.state("a1") != "acw"
        (ended,) = floor.of(AgentAcwEnded)
        assert (ended.code, ended.note, ended.call_id) == ("sold", "two of them", dialed.call_id)
        (called,) = floor.of(AgentCallEnded)
        assert (called.call_type, called.queue) == ("campaign", "")
        assert 4.0 < called.talk_s < 6.0
        attempt = await floor.switch.storage.attempts.get(dialed.call_id)
        assert (attempt.result, attempt.disposition) == ("human", "sold")
        assert 4.0 < attempt.talk_s < 6.0
        cdr = await floor.switch.cdr()
        assert (cdr.call_id, cdr.agent_id, cdr.extension) == (dialed.call_id, "a1", "1001")
        record = await floor.record(record_id)
        assert (record.n_attempts, record.agent_id) == (1, "a1")
        await floor.close()

    run_virtual(main())


def test_xagt_02_after_call_work_ends_only_with_a_disposition_or_in_time():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        ids = await floor.records(3, owner="a1")
        await floor.talk("a1", ids[0], phone)
        for refused in (
            EndAcw(agent_id="a1"),
            EndAcw(agent_id="a1", code="wonderful"),
            EndAcw(agent_id="a1", code="of_queue"),
            EndAcw(agent_id="a1", code="later"),
        ):
            with pytest.raises(errors.InvalidValue):
                await floor.app.do(refused)
        for kept in (Ready(agent_id="a1"), preview.DialRecord(agent_id="a1", record_id=ids[1])):
            with pytest.raises(errors.WrongState):
                await floor.app.do(kept)
        # The code of the after-call work is the disposition.
        await floor.app.do(EndAcw(agent_id="a1", code="no", note="busy"))
        await asyncio.sleep(0.1)
        record = await floor.record(ids[0])
        assert (record.status, record.disposition, record.note) == ("done", "no", "busy")
        # Time is up.
        call_id = await floor.talk("a1", ids[1], phone)
        await asyncio.sleep(21.0)
        assert floor.of(AgentAcwEnded)[-1].code == "ACW_TIMEOUT"
        assert (await floor.record(ids[1])).disposition == "ACW_TIMEOUT"
        assert (await floor.switch.storage.attempts.get(call_id)).disposition == "ACW_TIMEOUT"
        # He leaves without a word.
        await floor.talk("a1", ids[2], phone)
        await floor.app.do(SignOut(agent_id="a1"))
        await asyncio.sleep(0.1)
        assert (await floor.record(ids[2])).disposition == "ACW_TIMEOUT"
        # And says it later.
        await floor.app.do(give("a1", ids[2], "sold"))
        assert (await floor.record(ids[2])).disposition == "sold"
        await floor.close()

    run_virtual(main())


def test_a_result_that_is_given_while_they_talk_is_the_code_of_the_work_after_it():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        await phone.wait("answered")
        await floor.carrier.wait("answered")
        await asyncio.sleep(1.0)
        await floor.app.do(give("a1", record_id, "sold"))
        assert await floor.state("a1") == "on_call"
        phone.agent.hang_up(phone.the_call.id)
        await asyncio.sleep(1.0)
        assert await floor.state("a1") == "acw"
        await floor.app.do(Ready(agent_id="a1"))
        assert floor.of(AgentAcwEnded)[-1].code == "sold"
        record = await floor.record(record_id)
        assert (record.status, record.disposition) == ("done", "sold")
        await floor.close()

    run_virtual(main())


def test_out_06_agents_show_their_own_numbers_and_after_call_work_needs_no_queue():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, "open", owner="a1")
        await floor.talk("a1", record_id, phone)
        assert [each.number for each in floor.carrier.events if each.event == "incoming"] == ["02111110001"]
        assert await floor.state("a1") == "acw"
        await asyncio.sleep(15.0)
        assert await floor.state("a1") == "not_ready"
        # Not owed, so nothing is said in his place but that he said nothing in time.
        assert (await floor.record(record_id)).disposition == "ACW_TIMEOUT"
        await floor.close()

    run_virtual(main())


def test_out_05_an_agent_takes_what_is_nobodys_where_he_may():
    async def main():
        floor = await Floor().start()
        await floor.agent("a1", "1001")
        await floor.agent("a2", "1002")
        (kept,) = await floor.records(1)
        ids = await floor.records(2, "open")
        with pytest.raises(errors.PermissionDenied):
            await floor.app.do(preview.PickRecord(agent_id="a1", record_id=kept))
        with pytest.raises(errors.NoSuchRecord):
            await floor.app.do(preview.NextRecord(agent_id="a1", campaign="visits"))
        one, other = await asyncio.gather(
            *(floor.app.do(preview.NextRecord(agent_id=agent_id)) for agent_id in ("a1", "a2"))
        )
        assert {one.record.record_id, other.record.record_id} == set(ids)
        with pytest.raises(errors.PermissionDenied):
            await floor.app.do(preview.PickRecord(agent_id="a1", record_id=other.record.record_id))
        with pytest.raises(errors.PermissionDenied):
            await floor.app.do(preview.OpenRecord(agent_id="a1", record_id=other.record.record_id))
        mine = await floor.app.do(preview.ListOwnRecords(agent_id="a1", text="王"))
        assert [each.record_id for each in mine.records] == [one.record.record_id]
        mine = await floor.app.do(preview.ListOwnRecords(agent_id="a1", text="李"))
        assert mine.records == []
        await floor.close()

    run_virtual(main())


def test_promised_calls_come_first_then_what_is_urgent():
    async def main():
        floor = await Floor().start()
        await floor.agent("a1", "1001")
        wall = floor.switch.wall()
        await floor.records(1, owner="a1")
        (urgent,) = await floor.records(1, owner="a1", priority=5)
        promise = {"status": "callback", "owner": "a1", "callback_owner": "a1"}
        (due,) = await floor.records(1, **promise, callback_utc=wall - 5, next_utc=wall - 5)
        await floor.records(1, **promise, callback_utc=wall + 500, next_utc=wall + 500)
        assert (await floor.app.do(preview.NextRecord(agent_id="a1"))).record.record_id == due
        await floor.switch.storage.records.assign([due], "a2", wall)
        assert (await floor.app.do(preview.NextRecord(agent_id="a1"))).record.record_id == urgent
        mine = await floor.app.do(preview.ListOwnRecords(agent_id="a1", what="callbacks"))
        assert len(mine.records) == 1
        await floor.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("why", "fields"),
    [
        ("dnc", {"numbers": ["13800009999"]}),
        ("day_limit", {"n_attempts": 3, "n_today": 3, "day": "2099-01-01", "last_utc": 1.0}),
        ("attempts_used", {"n_attempts": 6, "status": "retry_wait"}),
        ("no_number", {"numbers": []}),
    ],
)
def test_what_nobody_may_do_is_refused_and_nobody_rings(why, fields):
    async def main():
        floor = await Floor().start()
        phone = await floor.agent("a1", "1001")
        floor.switch.core.dialer.dnc.add("13800009999")
        (record_id,) = await floor.records(1, owner="a1", **fields)
        with pytest.raises(errors.WrongState) as refused:
            await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        assert refused.value.data["reason"] == why
        sheet = await floor.app.do(preview.OpenRecord(agent_id="a1", record_id=record_id))
        assert (sheet.may_call, sheet.why_not) == (False, why)
        await asyncio.sleep(2.0)
        assert "incoming" not in phone.names()
        assert await floor.switch.storage.attempts.of_record(record_id) == []
        await floor.close()

    run_virtual(main())


def test_an_agent_may_call_sooner_than_the_dialler_would():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        wall = floor.switch.wall()
        (record_id,) = await floor.records(
            1, owner="a1", status="retry_wait", n_attempts=1, last_utc=wall - 30, next_utc=wall + 7200, deferred="retry"
        )
        with pytest.raises(errors.NoSuchRecord):
            await floor.app.do(preview.NextRecord(agent_id="a1"))
        await floor.talk("a1", record_id, phone)
        assert (await floor.record(record_id)).n_attempts == 2
        await floor.close()

    run_virtual(main())


def slow(book, name: str, by_s: float) -> None:
    """A query takes its time."""
    ask = getattr(book, name)

    async def asked(*args):
        await asyncio.sleep(by_s)
        return await ask(*args)

    setattr(book, name, asked)


@pytest.mark.parametrize("by_s", [0.0, 0.2], ids=["at once", "slow database"])
def test_two_agents_cannot_call_the_same_record_or_number(by_s):
    async def main():
        floor = await Floor(answer_after_s=5.0).start()
        slow(floor.switch.storage.records, "get", by_s)
        slow(floor.switch.storage.attempts, "store_attempt", by_s)
        await floor.agent("a1", "1001")
        await floor.agent("a2", "1002")
        (record_id,) = await floor.records(1, owner="a1", agent_id="a2", numbers=["13811112222", "13811113333"])
        (twin,) = await floor.records(1, owner="a2", numbers=["13811112222"])
        dials = [
            preview.DialRecord(agent_id="a1", record_id=record_id),
            preview.DialRecord(agent_id="a2", record_id=record_id, position=1),
            preview.DialRecord(agent_id="a2", record_id=twin),
        ]
        done = await asyncio.gather(*(floor.app.do(each) for each in dials), return_exceptions=True)
        assert [type(each) for each in done] == [preview.DialedRecord, errors.WrongState, errors.WrongState]
        await asyncio.sleep(3.0)
        for each in dials[1:]:
            with pytest.raises(errors.WrongState):
                await floor.app.do(each)
        await asyncio.sleep(10.0)
        assert len([each for each in floor.carrier.events if each.event == "incoming"]) == 1
        # Nothing was even stored of the others.
        assert len((await floor.switch.storage.attempts.find(AttemptFilter())).items) == 1
        for phone in floor.switch.phones:
            for call in [*phone.agent.calls]:
                phone.agent.hang_up(call)
        await asyncio.sleep(1.0)
        await floor.close()

    run_virtual(main())


def test_what_comes_about_while_an_attempt_is_stored_keeps_it_from_being_dialled():
    async def main():
        floor = await Floor().start()
        phone = await floor.agent("a1", "1001")
        ids = await floor.records(3, owner="a1")
        slow(floor.switch.storage.attempts, "store_attempt", 0.5)

        async def bar() -> None:
            await asyncio.sleep(0.2)
            floor.switch.core.dialer.dnc.add("13800000001")

        refused, _ = await asyncio.gather(
            floor.app.do(preview.DialRecord(agent_id="a1", record_id=ids[0])), bar(), return_exceptions=True
        )
        assert refused.data["reason"] == "dnc"
        # One agent, one call.
        done = await asyncio.gather(
            *(floor.app.do(preview.DialRecord(agent_id="a1", record_id=each)) for each in ids[1:]),
            return_exceptions=True,
        )
        assert [type(each) for each in done] == [preview.DialedRecord, errors.WrongState]
        answered = await phone.wait("answered")
        phone.agent.hang_up(answered.call)
        await asyncio.sleep(2.0)
        for record_id in (ids[0], ids[2]):
            (attempt,) = await floor.switch.storage.attempts.of_record(record_id)
            assert attempt.result == "cancelled"
            record = await floor.record(record_id)
            assert (record.status, record.n_attempts) == ("new", 0)
        await floor.close()

    run_virtual(main())


def test_a_customer_who_does_not_answer_is_rung_as_long_as_the_campaign_says():
    async def main():
        floor = await Floor().start()
        await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        await floor.carrier.wait("incoming")
        await asyncio.sleep(40.0)
        (attempt,) = await floor.switch.storage.attempts.of_record(record_id)
        assert attempt.result == "no_answer"
        assert 24.0 < attempt.ended_utc - attempt.rang_utc < 26.0
        await floor.close()

    run_virtual(main())


def test_an_agents_phone_that_is_forwarded_is_not_when_he_dials():
    async def main():
        floor = await Floor().start()
        await floor.agent("a1", "1001", answer_after_s=-1.0)
        other = await floor.switch.phone("1005", answer_after_s=1.0)
        await floor.app.do(SetServices(extension="1001", no_answer_to="1005"))
        (record_id,) = await floor.records(1, owner="a1")
        await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        await asyncio.sleep(60.0)
        assert "incoming" not in other.names()
        await floor.close()

    run_virtual(main())


def test_who_dials_the_next_one_has_finished_with_the_last():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        ids = await floor.records(2, "open", owner="a1")
        first = await floor.talk("a1", ids[0], phone)
        assert await floor.state("a1") == "acw"
        await floor.app.do(preview.DialRecord(agent_id="a1", record_id=ids[1]))
        assert [(each.call_id, each.code) for each in floor.of(AgentAcwEnded)] == [(first, "")]
        assert (await floor.record(ids[0])).status == "connected"
        await phone.wait("answered")
        phone.agent.hang_up(phone.the_call.id)
        await asyncio.sleep(2.0)
        await floor.close()

    run_virtual(main())


INSIDE = """
[[campaign]]
name = "inside"
mode = "preview"
contact_hours = ""
"""


def test_customers_may_be_at_our_own_extensions():
    async def main():
        floor = await Floor(INSIDE).start("inside")
        phone = await floor.agent("a1", "1001")
        other = await floor.switch.phone("1005", answer_after_s=1.0)
        (record_id,) = await floor.records(1, "inside", owner="a1", numbers=["1005"])
        await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        await other.wait("answered")
        await asyncio.sleep(5.0)
        (call,) = floor.switch.core.calls.calls.values()
        assert [call.legs[each].role for each in (call.a, call.b)] == ["agent", "customer"]
        phone.agent.hang_up(phone.the_call.id)
        await asyncio.sleep(1.0)
        (attempt,) = await floor.switch.storage.attempts.of_record(record_id)
        assert attempt.result == "human"
        assert attempt.answered_utc > 0
        assert 4.0 < attempt.talk_s < 6.0
        # There is nothing to say of it.
        assert (await floor.record(record_id)).status == "done"
        assert await floor.state("a1") == "not_ready"
        await floor.close()

    run_virtual(main())


@pytest.mark.parametrize("agent_after_s", [-1.0, 1.0], ids=["agent does not pick up", "agent gives up"])
def test_a_call_that_never_reached_the_customer_does_not_count(agent_after_s):
    async def main():
        floor = await Floor(answer_after_s=-1.0).start()
        phone = await floor.agent("a1", "1001", answer_after_s=agent_after_s)
        (record_id,) = await floor.records(1, owner="a1")
        dialed = await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        if agent_after_s > 0:
            answered = await phone.wait("answered")
            await floor.carrier.wait("incoming")
            await asyncio.sleep(2.0)
            phone.agent.hang_up(answered.call)
        await asyncio.sleep(40.0)
        attempt = await floor.switch.storage.attempts.get(dialed.call_id)
        assert attempt.result == "cancelled"
        record = await floor.record(record_id)
        # It rang there, when he had picked up.
        assert record.n_attempts == (agent_after_s > 0)
        assert record.status in ("new", "retry_wait")
        assert not floor.of(RecordOffered)
        await floor.close()

    run_virtual(main())


def test_a_customer_who_is_busy_is_called_again_as_the_matrix_says():
    async def main():
        floor = await Floor().start()
        await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        dialed = await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        incoming = await floor.carrier.wait("incoming")
        floor.carrier.agent.reject(incoming.call)
        await asyncio.sleep(5.0)
        attempt = await floor.switch.storage.attempts.get(dialed.call_id)
        assert (attempt.result, attempt.agent_id) == ("busy", "a1")
        record = await floor.record(record_id)
        assert (record.status, record.owner) == ("retry_wait", "a1")
        assert record.next_utc == pytest.approx(attempt.ended_utc + 600.0, abs=1.0)
        assert await floor.state("a1") == "not_ready"
        await floor.close()

    run_virtual(main())


def test_who_may_not_see_numbers_dials_without_them():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a3", "1003")
        (record_id,) = await floor.records(1, "open", owner="a3")
        me = Caller("a3", "", agent="a3")
        sheet = await floor.app.do(preview.OpenRecord(agent_id="a3", record_id=record_id), me)
        assert [each.number for each in sheet.record.numbers] == ["138****0001"]
        assert sheet.record.data["phone"] == "138****0001"
        dialed = await floor.app.do(preview.DialRecord(agent_id="a3", record_id=record_id), me)
        assert dialed.number == "138****0001"
        ringing = await phone.wait("incoming")
        assert "1380000" not in ringing.number
        incoming = await floor.carrier.wait("incoming")
        assert incoming.dialed == "13800000001"
        await floor.carrier.wait("answered")
        await asyncio.sleep(1.0)
        (offered,) = floor.of(RecordOffered)
        assert (offered.number, offered.data["phone"]) == ("138****0001", "138****0001")
        floor.carrier.agent.hang_up(incoming.call)
        await asyncio.sleep(1.0)
        # He is set to be available after calls.
        assert await floor.state("a3") == "not_ready"
        await floor.close()

    run_virtual(main())


def test_agents_work_for_themselves_and_supervisors_for_their_groups():
    async def main():
        floor = await Floor().start()
        ids = await floor.records(1, owner="a1") + await floor.records(1, owner="a2")
        me, lead = Caller("a1", "", agent="a1"), Caller("lea", "lead_south")
        await floor.app.do(preview.NextRecord(agent_id="a1"), me)
        await floor.app.do(preview.OpenRecord(agent_id="a2", record_id=ids[1]), lead)
        for command, caller in (
            (preview.NextRecord(agent_id="a2"), me),
            (preview.OpenRecord(agent_id="a1", record_id=ids[0]), lead),
            (preview.DistributeRecords(campaign="visits", agents=["a1"]), me),
        ):
            with pytest.raises(errors.PermissionDenied):
                await floor.app.do(command, caller)
        await floor.close()

    run_virtual(main())


def test_who_never_wants_to_be_called_is_not_called_by_anybody():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1", numbers=["13811112222", "13811113333"])
        (twin,) = await floor.records(1, owner="a1", numbers=["13811113333"])
        await floor.talk("a1", record_id, phone)
        await floor.app.do(give("a1", record_id, "never"))
        assert (await floor.record(record_id)).status == "dnc"
        with pytest.raises(errors.WrongState) as refused:
            await floor.app.do(preview.DialRecord(agent_id="a1", record_id=twin))
        assert refused.value.data["reason"] == "dnc"
        await floor.close()

    run_virtual(main())


def test_a_stopped_campaign_is_not_called_by_hand_either():
    async def main():
        floor = await Floor().start()
        await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        await floor.app.do(StopCampaign(campaign="visits"))
        with pytest.raises(errors.WrongState) as refused:
            await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        assert refused.value.data["state"] == "stopped"
        with pytest.raises(errors.NoSuchRecord):
            await floor.app.do(preview.NextRecord(agent_id="a1"))
        await floor.close()

    run_virtual(main())


def test_a_database_that_is_away_keeps_everybody_from_calling():
    async def main():
        floor = await Floor().start()
        phone = await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        floor.switch.storage.fail("the disk is full")
        with pytest.raises(errors.StorageUnavailable):
            await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        await asyncio.sleep(2.0)
        assert "incoming" not in phone.names()
        floor.switch.storage.recover()
        await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        answered = await phone.wait("answered")
        phone.agent.hang_up(answered.call)
        await asyncio.sleep(2.0)
        await floor.close()

    run_virtual(main())


AUTO = """
[[campaign]]
name = "auto"
mode = "progressive"
queue = "sales"
dial_prefix = "9"
contact_hours = ""
is_disposition_required = true
script = "{name}"
content = "Spring offer."
questionnaire = "q8"
[[campaign.dispositions]]
code = "sold"
effect = "success"
[[campaign.dispositions]]
code = "later"
effect = "callback"
"""


def test_xagt_02_what_the_dialler_hands_to_an_agent_is_answered_for_as_what_he_dials():
    async def main():
        floor = await Floor(AUTO, answer_after_s=1.0).start("auto")
        phone = await floor.agent("a1", "1001", answer_after_s=0.05)
        await floor.app.do(Ready(agent_id="a1"))
        (record_id,) = await floor.records(1, "auto")
        incoming = await floor.carrier.wait("incoming")
        await phone.wait("answered")
        await asyncio.sleep(5.0)
        (offered,) = floor.of(RecordOffered)
        assert (offered.agent_id, offered.record_id, offered.script) == ("a1", record_id, "王1")
        assert (offered.content, offered.questionnaire) == ("Spring offer.", "q8")
        assert [each.code for each in offered.dispositions] == ["sold", "later"]
        sheet = await floor.app.do(preview.OpenRecord(agent_id="a1", record_id=record_id))
        assert sheet.record.name == "王1"
        with pytest.raises(errors.PermissionDenied):
            await floor.app.do(preview.OpenRecord(agent_id="a2", record_id=record_id))
        floor.carrier.agent.hang_up(incoming.call)
        await asyncio.sleep(1.0)
        assert await floor.state("a1") == "acw"
        with pytest.raises(errors.WrongState):
            await floor.app.do(Ready(agent_id="a1"))
        at_utc = floor.switch.wall() + 60.0
        await floor.app.do(give("a1", record_id, "later", callback_utc=at_utc))
        assert await floor.state("a1") == "available"
        (ended,) = floor.of(AgentCallEnded)
        assert (ended.queue, ended.call_type) == ("sales", "queue")
        record = await floor.record(record_id)
        assert (record.status, record.callback_owner, record.owner) == ("callback", "a1", "a1")
        # What he promised no dialler calls: he does.
        await asyncio.sleep(90.0)
        assert len([each for each in floor.carrier.events if each.event == "incoming"]) == 1
        assert (await floor.app.do(preview.NextRecord(agent_id="a1"))).record.record_id == record_id
        await floor.talk("a1", record_id, phone)
        await floor.app.do(give("a1", record_id, "sold"))
        assert (await floor.record(record_id)).status == "done"
        await floor.close()

    run_virtual(main())


def test_what_is_the_diallers_no_agent_dials():
    async def main():
        floor = await Floor(AUTO).start("auto")
        await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, "auto", owner="a1", next_utc=floor.switch.wall() + 3600.0)
        for refused in (
            preview.DialRecord(agent_id="a1", record_id=record_id),
            preview.DistributeRecords(campaign="auto", agents=["a1"]),
        ):
            with pytest.raises(errors.WrongState):
                await floor.app.do(refused)
        await floor.close()

    run_virtual(main())


def test_a_word_that_the_database_could_not_take_is_kept_until_it_can():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        await floor.talk("a1", record_id, phone)
        floor.switch.storage.fail("the disk is full")
        await floor.app.do(EndAcw(agent_id="a1", code="no"))
        await asyncio.sleep(30.0)
        floor.switch.storage.recover()
        await asyncio.sleep(10.0)
        assert (await floor.record(record_id)).disposition == "no"
        await floor.close()

    run_virtual(main())


def test_the_end_of_the_switch_in_the_middle_of_a_call_counts_it_and_leaves_the_record_to_its_agent():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        dialed = await floor.app.do(preview.DialRecord(agent_id="a1", record_id=record_id))
        await floor.carrier.wait("answered")
        await floor.switch.close(check=False)
        floor = await Floor(storage=floor.switch.storage).start()
        assert (await floor.switch.storage.attempts.get(dialed.call_id)).result == "interrupted"
        record = await floor.record(record_id)
        assert (record.owner, record.status) == ("a1", "retry_wait")
        await floor.agent("a1", "1001")
        await floor.app.do(give("a1", record_id, "sold"))
        assert (await floor.record(record_id)).status == "done"
        await floor.close()

    run_virtual(main())


def test_out_32_what_each_agent_achieved():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        ids = await floor.records(3, owner="a1")
        since = floor.switch.wall()
        for record_id, code in zip(ids, ("sold", "no", "sold"), strict=True):
            await floor.talk("a1", record_id, phone, for_s=10.0)
            await floor.app.do(give("a1", record_id, code))
        asked = preview.CampaignAgents(start_utc=since - 1, end_utc=floor.switch.wall() + 1)
        (mine,) = (await floor.app.do(asked)).figures
        assert (mine.agent_id, mine.campaign, mine.n_attempts, mine.n_connected) == ("a1", "visits", 3, 3)
        assert (mine.n_deals, mine.dispositions) == (2, {"sold": 2, "no": 1})
        assert mine.talk_s == pytest.approx(30.0, abs=1.0)
        by_hour = (await floor.app.do(msgspec.structs.replace(asked, interval="hour"))).figures
        assert sum(each.n_deals for each in by_hour) == 2
        with pytest.raises(errors.InvalidValue):
            await floor.app.do(msgspec.structs.replace(asked, start_utc=since - 86_400 * 200, interval="day"))
        await floor.close()

    run_virtual(main())


def test_a_promise_makes_an_appointment_of_the_agent_and_the_record_is_his(caplog):
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        await floor.talk("a1", record_id, phone)
        with pytest.raises(errors.InvalidValue):
            await floor.app.do(give("a1", record_id, "later"))
        at_utc = floor.switch.wall() + 600.0
        sheet = await floor.app.do(give("a1", record_id, "later", callback_utc=at_utc, note="the offer"))
        assert (sheet.record.status, sheet.record.callback_utc) == ("callback", at_utc)
        (made,) = (await floor.app.do(ListAppointments(agent_id="a1"))).appointments
        assert (made.record_id, made.at_utc, made.matter) == (record_id, at_utc, "the offer")
        assert made.number == "13800000001"
        await asyncio.sleep(0.1)
        # Said once.
        assert "is lost" not in caplog.text
        # Kept by the next conversation.
        await floor.talk("a1", record_id, phone)
        await floor.app.do(give("a1", record_id, "sold"))
        assert (await floor.app.do(ListAppointments(agent_id="a1"))).appointments == []
        await floor.close()

    run_virtual(main())


def test_a_shared_promise_is_anybodys_of_the_queue():
    async def main():
        floor = await Floor(answer_after_s=1.0).start()
        phone = await floor.agent("a1", "1001")
        (record_id,) = await floor.records(1, owner="a1")
        await floor.talk("a1", record_id, phone)
        at_utc = floor.switch.wall() + 100.0
        await floor.app.do(give("a1", record_id, "later", callback_utc=at_utc, is_shared=True))
        assert (await floor.record(record_id)).owner == ""
        with pytest.raises(errors.NoSuchRecord):
            await floor.app.do(preview.NextRecord(agent_id="a2"))
        await asyncio.sleep(101.0)
        with pytest.raises(errors.NoSuchRecord):
            # He does not serve the queue.
            await floor.app.do(preview.NextRecord(agent_id="a3"))
        sheet = await floor.app.do(preview.NextRecord(agent_id="a2"))
        assert (sheet.record.record_id, sheet.record.owner) == (record_id, "a2")
        await floor.close()

    run_virtual(main())
