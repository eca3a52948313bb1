"""Whole switch, virtual time: a campaign calls its records by the carrier and hands who answers to its agents.

Whom it calls when, and how many at a time, is tested in tests/dialer; here it is carried out. Not covered: what agents
do with records themselves (tests/scenarios/test_preview.py).
"""

import asyncio

import msgspec
import pytest

from acd.inputs import QueueChanges
from model import media
from model.commands_agent import GetAgent, NotReady, Ready, SignIn, SignOut
from model.commands_campaign import (
    CampaignSettings,
    CreateCampaign,
    DeleteCampaign,
    GetCampaign,
    ListCampaigns,
    StartCampaign,
    StopCampaign,
    UpdateCampaign,
)
from model.commands_dnc import AddDnc
from model.commands_lists import AddRecords, NewRecord
from model.dialing import CampaignRecord, RecordNumber
from model.errors import AlreadyExists, Congested, InvalidValue, NoSuchCampaign, WrongState
from model.events_campaign import CampaignPaused, CampaignStateChanged
from storage.attempts import AttemptFilter
from storage.campaign_records import RecordFilter
from switch.flows import load_flows
from tests.harness.sim_public import Public
from tests.harness.sim_switch import EXTENSIONS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import EPOCH_UTC, run_virtual
from tests.scenarios.test_control import SimApp

CENTRE = """
[[trunk]]
name = "carrier"
host = "10.0.1.1"
port = 5060
caller_id = "02188886666"
[[route]]
name = "outside"
pattern = "1."
trunks = ["carrier"]
[[queue]]
name = "sales"
ring_timeout_s = 10
wrap_up = { post_call = "acw", max_s = 5 }
[[agent]]
agent_id = "a1"
extension = "1001"
queues = [{ queue = "sales" }]
[[agent]]
agent_id = "a2"
extension = "1002"
queues = [{ queue = "sales" }]
"""
CAMPAIGN = """
[[campaign]]
name = "spring"
mode = "progressive"
queue = "sales"
caller_id = "02166660000"
contact_hours = ""
"""


class Campaigns:
    """A switch with agents a1 and a2 at 1001 and 1002, customers behind the carrier, and the campaign spring."""

    def __init__(self, campaign: str = CAMPAIGN, more: str = "", *, centre: str = CENTRE, **public: float) -> None:
        self.switch = SimSwitch(SimNet(), EXTENSIONS + centre + campaign + more)
        self.app = SimApp(self.switch)
        self.public = Public(self.switch, **public)

    async def begin(self, *numbers: str, campaign: str = "spring") -> None:
        await self.add(*numbers, campaign=campaign)
        await self.switch.dialer_desk.restore()
        if campaign:
            await self.app.do(StartCampaign(campaign=campaign))

    async def add(self, *numbers: str, campaign: str = "spring") -> None:
        await self.switch.storage.records.add(
            [
                CampaignRecord(
                    record_id=f"r{number}",
                    campaign=campaign,
                    name=f"Customer {number}",
                    numbers=[RecordNumber(number=number)],
                    data={"city": "Shanghai"},
                    created_utc=EPOCH_UTC,
                )
                for number in numbers
            ]
        )

    async def agent(self, agent_id: str, number: str, **phone: float):
        phone.setdefault("answer_after_s", 0.05)
        made = await self.switch.phone(number, **phone)
        await self.app.do(SignIn(agent_id=agent_id))
        await self.app.do(Ready(agent_id=agent_id))
        return made

    async def two_agents_of_whom_one_leaves(self, *numbers: str) -> None:
        """While their customers' phones ring."""
        await self.agent("a1", "1001")
        await self.agent("a2", "1002")
        await self.begin(*numbers)
        await self.switch.until(lambda: self.public.most_ringing == 2)
        await self.app.do(NotReady(agent_id="a2", reason="break"))

    async def record(self, number: str) -> CampaignRecord:
        await self.switch.storage.flush()
        return await self.switch.storage.records.get(f"r{number}")

    async def attempts(self):
        await self.switch.storage.flush()
        return (await self.switch.storage.attempts.find(AttemptFilter())).items[::-1]

    async def close(self) -> None:
        await self.switch.close()


def test_each_idle_agent_has_one_customer_called_and_talks_to_who_answers():
    async def main():
        centre = Campaigns()
        phone = await centre.agent("a1", "1001")
        await centre.begin("13800000001", "13800000011")
        await phone.wait("answered", within_s=20.0)
        assert centre.public.most_ringing == 1
        assert centre.public.shown == {"13800000001": "02166660000"}
        incoming = next(each for each in phone.events if each.event == "incoming")
        assert incoming.number == "13800000001", "the agent sees whom he talks to"
        await asyncio.sleep(2.0)
        assert (await centre.app.do(GetAgent(agent_id="a1"))).state == "on_call"
        assert len(centre.switch.worker.of(media.ConnectMatrix)[-1].edges) == 2
        (call,) = centre.switch.core.calls.calls.values()
        assert not centre.switch.worker.of(media.Play), "who is called hears no music, his agent no tone in his place"
        assert call.variables["campaign"] == "spring"
        assert call.variables["city"] == "Shanghai"
        await phone.wait("ended", within_s=60.0)
        await phone.wait("answered", within_s=60.0)
        await asyncio.sleep(60.0)
        first, second = await centre.attempts()
        assert [first.result, second.result] == ["human", "human"]
        assert first.agent_id == "a1"
        assert 29.0 < first.talk_s < 31.0
        assert second.started_utc > first.ended_utc, "an agent who talks gets nobody else called"
        assert centre.public.dialed.total() == 2
        await centre.close()

    run_virtual(main())


def test_who_is_called_by_no_number_may_hang_up():
    async def main():
        campaign, trunk = ('caller_id = "02166660000"\n', 'caller_id = "02188886666"\n')
        centre = Campaigns(CAMPAIGN.replace(campaign, ""), centre=CENTRE.replace(trunk, ""))
        await centre.agent("a1", "1001")
        await centre.begin("13800000001")
        await centre.public.wait("ended", within_s=60.0)
        await asyncio.sleep(5.0)
        assert centre.public.shown == {"13800000001": ""}
        assert [each.result for each in await centre.attempts()] == ["human"]
        await centre.close()

    run_virtual(main())


def test_what_the_carrier_says_is_the_result():
    async def main():
        centre = Campaigns()
        for agent_id, number in (("a1", "1001"), ("a2", "1002")):
            await centre.agent(agent_id, number)
        await centre.begin("13800000002", "13800000003", "13800000004", "13800000021")
        await asyncio.sleep(120.0)
        results = {each.number: (each.result, each.sip_status) for each in await centre.attempts()}
        assert results["13800000002"] == ("busy", 486)
        assert results["13800000003"][0] == "no_answer"
        assert results["13800000004"] == ("invalid", 404)
        assert results["13800000021"] == ("human", 200)
        assert (await centre.record("13800000002")).status == "retry_wait"
        assert (await centre.record("13800000004")).status == "failed"
        await centre.close()

    run_virtual(main())


def test_who_answers_and_finds_no_agent_hears_who_has_called_and_counts_as_abandoned():
    async def main():
        centre = Campaigns()
        await centre.two_agents_of_whom_one_leaves("13800000001", "13800000011")
        await asyncio.sleep(8.0)
        dropped = [each for each in centre.switch.core.calls.calls.values() if each.phase == "dialed"]
        assert len(dropped) == 1
        (play,) = [each for each in centre.switch.worker.of(media.Play) if each.session == dropped[0].call_id]
        assert play.sources[1] == "voice:zh/call_from"
        assert play.sources[-1] == "voice:zh/nobody_here"
        leg = dropped[0].a
        centre.switch.worker.tell(media.PlayFinished(dropped[0].call_id, leg, play.play_id))
        await asyncio.sleep(40.0)
        results = sorted((each.result, each.is_dropped) for each in await centre.attempts())
        assert results == [("dropped", True), ("human", False)]
        (lost,) = [each for each in await centre.attempts() if each.is_dropped]
        record = await centre.record(lost.number)
        assert record.next_utc - lost.ended_utc > 250_000.0, "not called again for 72 hours"
        await centre.close()

    run_virtual(main())


def test_who_hangs_up_before_his_patience_is_over_is_not_abandoned():
    async def main():
        centre = Campaigns()
        await centre.two_agents_of_whom_one_leaves("13800000001", "13800000006")
        await asyncio.sleep(60.0)
        attempts = {each.number: each for each in await centre.attempts()}
        assert not attempts["13800000006"].is_dropped
        assert attempts["13800000006"].answered_utc
        await centre.close()

    run_virtual(main())


def test_agents_who_leave_end_dialling_at_once_and_calls_beyond_need_are_given_up_after_fifteen_seconds():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin("13800000003", "13800000013")
        await centre.public.wait("incoming")
        start = asyncio.get_running_loop().time()
        await asyncio.sleep(2.0)
        await centre.app.do(SignOut(agent_id="a1"))
        await centre.public.wait("ended", within_s=60.0)
        assert 14.9 < asyncio.get_running_loop().time() - start < 17.0
        await asyncio.sleep(60.0)
        assert centre.public.dialed.total() == 1
        (only,) = await centre.attempts()
        assert only.result == "cancelled"
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize(("result", "expected"), [("human", "human"), ("machine", "machine"), ("not_sure", "human")])
def test_a_machine_is_hung_up_on_and_who_may_be_a_person_is_not(result, expected):
    async def main():
        centre = Campaigns(CAMPAIGN + "detects_machines = true\n")
        await centre.agent("a1", "1001")
        await centre.begin("13800000001")
        await centre.switch.until(lambda: centre.switch.worker.of(media.DetectAnswer))
        (asked,) = centre.switch.worker.of(media.DetectAnswer)
        assert (await centre.app.do(GetAgent(agent_id="a1"))).state == "available"
        found = media.AnswerDetected(asked.session, asked.leg, result, 1.0, {"rule_long_greeting": 1.0})
        centre.switch.worker.tell(found)
        await asyncio.sleep(60.0)
        (only,) = await centre.attempts()
        assert (only.result, only.verdict, only.evidence) == (expected, result, "long_greeting")
        assert bool(only.agent_id) == (expected == "human")
        await centre.close()

    run_virtual(main())


def test_a_verdict_that_nobody_waited_for_takes_the_machine_away_from_the_agent():
    async def main():
        centre = Campaigns(CAMPAIGN + "detects_machines = true\nis_amd_waited_for = false\n")
        phone = await centre.agent("a1", "1001")
        await centre.begin("13800000001")
        await phone.wait("answered")
        (asked,) = centre.switch.worker.of(media.DetectAnswer)
        centre.switch.worker.tell(media.AnswerDetected(asked.session, asked.leg, "machine", 3.0, {"rule_beep": 1.0}))
        await phone.wait("ended", within_s=1.0)
        await asyncio.sleep(1.0)
        (only,) = await centre.attempts()
        assert only.result == "machine"
        await centre.close()

    run_virtual(main())


def test_a_machine_hears_what_is_left_for_it_once_it_is_silent():
    async def main():
        message = 'detects_machines = true\nmachine_message = ["voice:zh/will_call_back"]\n'
        centre = Campaigns(CAMPAIGN + message)
        await centre.agent("a1", "1001")
        await centre.begin("13800000001")
        await centre.switch.until(lambda: centre.switch.worker.of(media.DetectAnswer))
        (asked,) = centre.switch.worker.of(media.DetectAnswer)
        tell = centre.switch.worker.tell
        tell(media.AnswerDetected(asked.session, asked.leg, "machine", 3.0, {"rule_long_greeting": 1.0}))
        tell(media.SpeechChanged(asked.session, asked.leg, True))
        await asyncio.sleep(5.0)
        assert not centre.switch.worker.of(media.Play), "it still greets"
        tell(media.SpeechChanged(asked.session, asked.leg, False))
        await centre.switch.until(lambda: centre.switch.worker.of(media.Play), within_s=3.0)
        (play,) = centre.switch.worker.of(media.Play)
        assert play.sources[-1] == "voice:zh/will_call_back"
        tell(media.PlayFinished(asked.session, asked.leg, play.play_id))
        await centre.public.wait("ended")
        await asyncio.sleep(1.0)
        assert [each.result for each in await centre.attempts()] == ["machine"]
        await centre.close()

    run_virtual(main())


def test_a_tone_of_the_network_before_an_answer_is_a_result():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin("13800000003")
        await centre.public.wait("incoming")
        await asyncio.sleep(1.0)
        (call,) = centre.switch.core.calls.calls.values()
        (leg,) = call.legs.values()
        centre.switch.worker.tell(media.ToneDetected(call.call_id, leg.leg_id, "special_info"))
        await centre.public.wait("ended", within_s=2.0)
        await asyncio.sleep(1.0)
        assert [each.result for each in await centre.attempts()] == ["invalid"]
        await centre.close()

    run_virtual(main())


def test_a_campaign_without_agents_leads_who_answers_to_a_flow(tmp_path):
    async def main():
        flows = tmp_path / "flows"
        flows.mkdir()
        (flows / "notice.json").write_text(
            '{"name": "notice", "start": "say", "nodes": ['
            '{"id": "say", "type": "play", "say": [{"kind": "sound", "source": "voice:zh/message_left"}]}]}'
        )
        campaign = CAMPAIGN.replace("progressive", "agentless") + 'answered_to = "ivr:notice"\nmax_lines = 3\n'
        centre = Campaigns(campaign, f'[ivr]\nflows = "{flows}"\n')
        core = centre.switch.core
        core.directory.flows = load_flows(core.env.config, core.directory.queues.keys())
        await centre.begin(*(f"1380000{n:03}1" for n in range(6)))
        await asyncio.sleep(2.0)
        assert centre.public.most_ringing == 3
        await asyncio.sleep(3.0)
        for play in centre.switch.worker.of(media.Play):
            assert play.sources == ["voice:zh/message_left"]
            centre.switch.worker.tell(media.PlayFinished(play.session, play.leg, play.play_id))
        await asyncio.sleep(60.0)
        assert {each.result for each in await centre.attempts()} == {"human"}
        await centre.close()

    run_virtual(main())


def test_trunk_trouble_pauses_dialling_and_no_record_pays_for_it():
    async def main():
        campaign = CAMPAIGN.replace("progressive", "power") + "power_ratio = 5\nmax_lines = 40\n"
        centre = Campaigns(campaign)
        for agent_id, number in (("a1", "1001"), ("a2", "1002")):
            await centre.agent(agent_id, number)
        await centre.begin(*(f"1380000{n:03}5" for n in range(60)))
        await asyncio.sleep(20.0)
        (paused,) = centre.switch.of(CampaignPaused)
        assert paused.reason == "trunk_trouble"
        before = centre.public.dialed.total()
        assert 20 <= before < 60
        await asyncio.sleep(5.0)
        assert centre.public.dialed.total() == before
        for number in centre.public.dialed:
            record = await centre.record(number)
            assert (record.status, record.n_attempts) == ("new", 0)
        await centre.close()

    run_virtual(main())


def test_campaigns_are_made_changed_started_stopped_and_removed_by_api():
    async def main():
        centre = Campaigns("")
        await centre.switch.dialer_desk.restore()
        do = centre.app.do
        with pytest.raises(NoSuchCampaign):
            await do(StartCampaign(campaign="autumn"))
        with pytest.raises(InvalidValue, match="legal cap"):
            await do(
                CreateCampaign(campaign="autumn", settings=_given(mode="power", queue="sales", max_abandon_rate=0.1))
            )
        made = await do(CreateCampaign(campaign="autumn", settings=_given(mode="progressive", queue="sales")))
        assert (made.now.state, made.now.source) == ("not_started", "database")
        with pytest.raises(AlreadyExists):
            await do(CreateCampaign(campaign="autumn"))
        await centre.add("13800000001", campaign="autumn")
        assert (await do(StartCampaign(campaign="autumn"))).state == "running"
        with pytest.raises(WrongState):
            await do(DeleteCampaign(campaign="autumn"))
        await do(UpdateCampaign(campaign="autumn", settings=_given(title="Autumn")))
        assert (await do(GetCampaign(campaign="autumn"))).settings.title == "Autumn"
        assert (await do(StopCampaign(campaign="autumn"))).state == "stopped"
        await do(DeleteCampaign(campaign="autumn"))
        assert not (await do(ListCampaigns())).campaigns
        assert not (await centre.switch.storage.records.find(RecordFilter(campaign="autumn"))).items
        await centre.close()

    run_virtual(main())


def _new(number):
    return msgspec.convert({"numbers": [number]}, NewRecord)


def _given(**settings):
    return msgspec.convert(settings, CampaignSettings)


def test_a_campaigns_call_that_becomes_part_of_an_older_one_has_a_result():
    async def main():
        centre = Campaigns(talks_s=300.0)
        phone = await centre.agent("a1", "1001")
        expert = await centre.switch.phone("1002", answer_after_s=1.0)
        await centre.begin("13800000001")
        await phone.wait("answered", within_s=20.0)
        (call,) = centre.switch.core.calls.calls.values()
        mine = phone.the_call.id
        phone.agent.hold(mine)
        await phone.wait("held")
        second = phone.call("1002")
        await expert.wait("answered")
        await asyncio.sleep(1.0)
        other = next(each for each in centre.switch.core.calls.calls.values() if each is not call)
        # As a call that was up before he signed in.
        other.created_utc = call.created_utc - 10.0
        phone.agent.transfer(mine, "sip:1002@10.0.0.1", replacing=second.id)
        await asyncio.sleep(3.0)
        assert list(centre.switch.core.calls.calls) == [other.call_id]
        (only,) = await centre.attempts()
        assert (only.result, only.agent_id) == ("human", "a1")
        assert 2.0 < only.talk_s < 10.0
        expert.agent.hang_up(expert.the_call.id)
        await asyncio.sleep(5.0)
        await centre.close()

    run_virtual(main())


def test_a_switch_that_drains_calls_nobody_new():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin("13800000001", "13800000011", "13800000021")
        await centre.public.wait("answered", within_s=20.0)
        centre.switch.core.dialer.is_draining = True
        await asyncio.sleep(120.0)
        assert centre.public.dialed.total() == 1
        assert len(await centre.attempts()) == 1
        assert (await centre.record("13800000011")).n_attempts == 0
        await centre.close()

    run_virtual(main())


def test_without_room_for_a_call_nobody_is_dialled_and_no_record_pays_for_it():
    async def main():
        def full() -> None:
            raise Congested("calls.max_calls is reached")

        centre = Campaigns()
        await centre.agent("a1", "1001")
        centre.switch.core.dialer.check_room = full
        await centre.begin("13800000001")
        await asyncio.sleep(20.0)
        assert not centre.public.dialed
        assert (await centre.record("13800000001")).n_attempts == 0
        centre.switch.core.dialer.check_room = lambda: None
        await asyncio.sleep(400.0)
        assert centre.public.dialed.total() == 1
        await centre.close()

    run_virtual(main())


def test_outside_its_hours_a_campaign_rests_and_goes_on_by_itself():
    async def main():
        hours = '[[calendar]]\nname = "office"\ntime_zone = "UTC"\nhours = "thu 00:01-00:03; thu 00:05-23:00"\n'
        centre = Campaigns(CAMPAIGN + 'calendar = "office"\n', hours)
        await centre.agent("a1", "1001")
        await centre.begin(*(f"1380000{n:03}1" for n in range(12)))
        state = await centre.app.do(GetCampaign(campaign="spring"))
        assert state.now.state == "suspended"
        assert not centre.public.dialed
        await asyncio.sleep(50.0)
        assert not centre.public.dialed
        await asyncio.sleep(20.0)
        assert centre.public.dialed.total() == 1
        await asyncio.sleep(110.0)
        before = centre.public.dialed.total()
        assert before >= 2
        await asyncio.sleep(100.0)
        assert centre.public.dialed.total() == before
        await asyncio.sleep(60.0)
        assert centre.public.dialed.total() > before
        states = [(each.state, each.reason) for each in centre.switch.of(CampaignStateChanged)]
        assert states[-3:] == [("running", "hours_begin"), ("suspended", "hours_end"), ("running", "hours_begin")]
        await centre.close()

    run_virtual(main())


def test_hours_that_are_changed_while_it_runs_count_for_those_who_were_put_aside():
    async def main():
        centre = Campaigns("")
        phone = await centre.agent("a1", "1001")
        await centre.begin(campaign="")
        settings = {"mode": "progressive", "queue": "sales", "contact_hours": "mon 09:00-10:00", "time_zone": "UTC"}
        await centre.app.do(CreateCampaign(campaign="autumn", settings=_given(**settings)))
        await centre.add("13800000001", campaign="autumn")
        await centre.app.do(StartCampaign(campaign="autumn"))
        await asyncio.sleep(5.0)
        assert not centre.public.dialed
        record = await centre.record("13800000001")
        assert (record.status, record.deferred) == ("new", "hours")
        await centre.app.do(UpdateCampaign(campaign="autumn", settings=_given(contact_hours="mon-sun 00:00-24:00")))
        await asyncio.sleep(5.0)
        assert centre.public.dialed.total() == 1
        await phone.wait("ended", within_s=90.0)
        await centre.close()

    run_virtual(main())


def test_callers_come_first_and_the_reserve_is_kept_for_them():
    async def main():
        inbound = '[[access_number]]\nnumber = "4001"\nto = "queue:sales"\n'
        text = CAMPAIGN
        centre = Campaigns(text, inbound)
        queue = centre.switch.core.directory.queues["sales"]
        await centre.agent("a1", "1001", answer_after_s=1.0)
        await centre.agent("a2", "1002", answer_after_s=1.0)
        centre.switch.core.floor.ask(QueueChanges(msgspec.structs.replace(queue, reserve=1)))
        await centre.begin("13800000001", "13800000011", "13800000021")
        await asyncio.sleep(10.0)
        assert centre.public.dialed.total() == 1, "one of two agents is kept"
        mine = centre.public.call("4001", caller="13900000000")
        await centre.public.wait("answered", call=mine.id)
        await asyncio.sleep(3.0)
        assert {(await centre.app.do(GetAgent(agent_id=each))).state for each in ("a1", "a2")} == {"on_call"}
        centre.public.agent.hang_up(mine.id)
        await asyncio.sleep(60.0)
        await centre.close()

    run_virtual(main())


def test_an_agent_of_the_dialler_alone_gets_no_callers():
    async def main():
        centre = Campaigns(CAMPAIGN, '[[access_number]]\nnumber = "4001"\nto = "queue:sales"\n')
        phone = await centre.agent("a1", "1001", answer_after_s=1.0)
        await centre.app.do(Ready(agent_id="a1", presence="auto_dial"))
        mine = centre.public.call("4001", caller="13900000000")
        await centre.public.wait("answered", call=mine.id)
        await asyncio.sleep(5.0)
        assert "incoming" not in phone.names()
        await centre.begin("13800000001")
        await phone.wait("answered", within_s=20.0)
        centre.public.agent.hang_up(mine.id)
        await asyncio.sleep(60.0)
        await centre.close()

    run_virtual(main())


def test_two_campaigns_share_their_agents_by_weight_and_never_call_for_the_same_one():
    async def main():
        second = CAMPAIGN.replace("spring", "autumn") + "weight = 30\n"
        centre = Campaigns(CAMPAIGN + second, rings_s=1.0, talks_s=2.0)
        await centre.agent("a1", "1001")
        await centre.add(*(f"1390000{n:03}1" for n in range(60)), campaign="autumn")
        await centre.begin(*(f"1380000{n:03}1" for n in range(60)))
        await centre.app.do(StartCampaign(campaign="autumn"))
        await asyncio.sleep(200.0)
        assert centre.public.most_ringing == 1
        spring = sum(number.startswith("138") for number in centre.public.dialed)
        autumn = sum(number.startswith("139") for number in centre.public.dialed)
        assert autumn > 2 * spring > 0
        await centre.close()

    run_virtual(main())


def test_a_restart_in_the_middle_calls_nobody_twice():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin("13800000001", "13800000011", "13800000021")
        await centre.public.wait("incoming")
        await asyncio.sleep(1.0)
        await centre.switch.storage.flush()
        dialed = centre.public.dialed.copy()
        storage, text = centre.switch.storage, centre.switch.text
        centre.switch.core.dialer.keep()
        await storage.flush()
        # The process is gone: nothing of it is told to anybody any more.
        centre.switch.core.dialer.store = None
        await centre.switch.close(check=False)
        again = Campaigns.__new__(Campaigns)
        again.switch = SimSwitch(SimNet(), text, storage=storage)
        again.app = SimApp(again.switch)
        again.public = Public(again.switch)
        await again.agent("a1", "1001")
        await again.switch.dialer_desk.restore()
        assert (await again.app.do(GetCampaign(campaign="spring"))).now.state == "running"
        await asyncio.sleep(200.0)
        assert not set(dialed) & set(again.public.dialed), "who was being called is not called again at once"
        assert set(dialed) | set(again.public.dialed) == {"13800000001", "13800000011", "13800000021"}
        results = sorted(each.result for each in await again.attempts())
        assert results == ["human", "human", "interrupted"]
        await again.close()

    run_virtual(main())


def test_records_that_come_while_it_runs_are_called_and_numbers_that_are_barred_are_not():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin("13800000001")
        await centre.public.wait("incoming")
        await centre.app.do(AddDnc(numbers=("13800138021",)))
        await centre.app.do(AddRecords(campaign="spring", records=(_new("13800138011"), _new("13800138031"))))
        await asyncio.sleep(1.0)
        await centre.app.do(AddDnc(numbers=("13800138031",)))
        await asyncio.sleep(120.0)
        assert set(centre.public.dialed) == {"13800000001", "13800138011"}
        await centre.close()

    run_virtual(main())


def test_nothing_is_dialled_while_attempts_cannot_be_stored():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.add("13800000001")
        await centre.switch.dialer_desk.restore()
        centre.switch.storage.fail("disk full")
        await centre.app.do(StartCampaign(campaign="spring"))
        await asyncio.sleep(60.0)
        assert not centre.public.dialed
        centre.switch.storage.recover()
        await asyncio.sleep(120.0)
        assert centre.public.dialed.total() == 1
        await centre.close()

    run_virtual(main())
