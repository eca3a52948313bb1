"""Whole switch, virtual time: how a campaign stands, whom it called, why it calls nobody, and evidence, as the API
tells it. Every blocker is brought about for real.

What the dialler says of itself is tested in tests/dialer, what the database counts in tests/storage/test_evidence.py.
"""

import asyncio
import contextlib

import pytest
from msgspec.structs import replace

from control.auth import Caller
from dialer.inputs import NumberBarred
from model import media
from model.commands_agent import SignOut
from model.commands_campaign import StartCampaign, StopCampaign
from model.commands_campaign_view import (
    DiagnoseCampaign,
    GetProgress,
    ListAttempts,
    ListNumbers,
    ReadPacing,
    ReportCompliance,
)
from model.errors import InvalidValue, NoSuchCampaign, StorageUnavailable, WrongState
from model.events_alarm import AlarmCleared
from model.events_campaign import CampaignProgressChanged
from model.roles import Role
from switch.campaign_board import make_board
from switch.prometheus import campaign_samples
from tests.harness.virtual_loop import EPOCH_UTC, run_virtual
from tests.scenarios.test_campaigns import CAMPAIGN, Campaigns

POWER = CAMPAIGN.replace("progressive", "power") + "power_ratio = 2\n"
AGENTLESS = CAMPAIGN.replace("progressive", "agentless") + 'answered_to = "ivr:notice"\nmax_lines = 3\n'


def test_each_blocker_is_named_with_its_count_while_it_lasts():
    async def main():
        centre = Campaigns()
        await centre.add("13800000001", "13800000011", "13800000021")
        await centre.switch.dialer_desk.restore()
        assert await reasons(centre) == [("state", 0)]
        await centre.app.do(StartCampaign(campaign="spring"))
        await asyncio.sleep(1.0)
        assert await reasons(centre) == [("no_agents", 0)]
        phone = await centre.agent("a1", "1001")
        await centre.public.wait("incoming")
        await asyncio.sleep(0.5)
        assert await reasons(centre) == [("enough", 1)]
        await phone.wait("answered")
        await asyncio.sleep(1.0)
        assert ("agents_busy", 1) in await reasons(centre)
        await centre.app.do(StopCampaign(campaign="spring"))
        assert await reasons(centre) == [("state", 0)]
        (only,) = await blockers(centre)
        assert (only.text, only.text_zh) == ("it was stopped", "已停止")
        await finish(centre)

    run_virtual(main())


def test_a_closed_calendar_says_until_when():
    async def main():
        calendar = '[[calendar]]\nname = "work"\nhours = "mon-sun 09:00-18:00"\ntime_zone = "UTC"\n'
        centre = Campaigns(CAMPAIGN + 'calendar = "work"\n', calendar)
        await centre.agent("a1", "1001")
        await centre.begin("13800000001")
        await asyncio.sleep(1.0)
        (only,) = await blockers(centre)
        assert (only.reason, only.until_utc) == ("hours", EPOCH_UTC + 9 * 3600.0)
        assert "work" in only.text and "work" in only.text_zh
        await finish(centre)

    run_virtual(main())


def test_records_that_wait_are_counted_by_reason_and_so_are_those_that_are_over():
    async def main():
        centre = Campaigns(CAMPAIGN.replace('contact_hours = ""', 'contact_hours = "mon-sun 08:00-21:00"'))
        await centre.agent("a1", "1001")
        centre.switch.core.dialer.dnc.add("13800000021")
        await centre.begin("13800000001", "13800000011", "13800000021")
        await asyncio.sleep(5.0)
        found = await blockers(centre)
        assert [(each.reason, each.of, each.count) for each in found] == [
            ("no_records", "", 2),
            ("deferred", "hours", 2),
            ("dnc", "", 1),
        ]
        waits = found[1]
        assert waits.until_utc == EPOCH_UTC + 8 * 3600.0
        assert "2026-01-01 08:00 UTC" in waits.text and "2026-01-01 08:00 UTC" in waits.text_zh
        await finish(centre)

    run_virtual(main())


def test_a_campaign_without_records_and_one_that_has_called_them_all():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin()
        await asyncio.sleep(5.0)
        assert await reasons(centre) == [("state", 0), ("no_records", 0)]
        await centre.add("13800000004", "13800000001")
        await centre.app.do(StartCampaign(campaign="spring"))
        await asyncio.sleep(200.0)
        assert [(each.reason, each.of, each.count) for each in await blockers(centre)] == [
            ("state", "", 0),
            ("closed", "done", 1),
            ("closed", "failed", 1),
        ]
        await finish(centre)

    run_virtual(main())


def test_lines_that_are_full_are_those_of_the_campaign_or_those_of_the_trunk(tmp_path):
    async def main():
        (tmp_path / "notice.json").write_text('{"start": "end", "nodes": {"end": {"type": "hang_up"}}}')
        centre = Campaigns(AGENTLESS, f'[ivr]\nflows = "{tmp_path}"\n')
        await centre.begin(*(f"1380000{n:03}3" for n in range(6)))
        await asyncio.sleep(2.0)
        assert await reasons(centre) == [("lines_full", 3)]
        trunk = centre.switch.core.directory.trunks["carrier"]
        trunk.config = replace(trunk.config, max_channels=3)
        first = (await blockers(centre))[0]
        assert (first.reason, first.of, first.count) == ("trunk_full", "carrier", 3)
        flows, trunk.flows = trunk.flows, []
        first = (await blockers(centre))[0]
        assert (first.reason, first.of) == ("trunk_down", "carrier")
        trunk.flows = flows
        await finish(centre)

    run_virtual(main())


def test_a_number_without_a_route_is_named():
    async def main():
        centre = Campaigns()
        await centre.begin("93800000001")
        await asyncio.sleep(1.0)
        first, *_ = await blockers(centre)
        assert (first.reason, first.text) == ("no_way", "no route leads to 93800000001")
        await finish(centre)

    async def international():
        centre = Campaigns()
        await centre.begin("+8613800000001")
        await asyncio.sleep(1.0)
        trunk = centre.switch.core.directory.trunks["carrier"]
        assert [reason for reason, _ in await reasons(centre)] == ["no_agents"]
        flows, trunk.flows = trunk.flows, []
        assert [reason for reason, _ in await reasons(centre)] == ["trunk_down", "no_agents"]
        trunk.flows = flows
        await finish(centre)

    run_virtual(main())
    run_virtual(international())


def test_trunk_trouble_and_the_limit_of_abandoned_calls():
    async def main():
        centre = Campaigns(POWER.replace("power_ratio = 2", "power_ratio = 5\nmax_lines = 40"))
        for agent_id, number in (("a1", "1001"), ("a2", "1002")):
            await centre.agent(agent_id, number)
        await centre.begin(*(f"1380000{n:03}5" for n in range(60)))
        await asyncio.sleep(20.0)
        assert [reason for reason, _ in await reasons(centre)] == ["trunk_trouble"]
        await finish(centre)

    async def limit():
        centre = Campaigns(POWER)
        await centre.two_agents_of_whom_one_leaves("13800000001", "13800000011", "13800000021")
        await asyncio.sleep(8.0)
        found = {each.reason: each for each in await blockers(centre)}
        assert found["agents_busy"].count == 1
        assert found["abandon_limit"].count == 1
        assert "50.00%" in found["abandon_limit"].text
        await finish(centre)

    run_virtual(main())
    run_virtual(limit())


def test_a_database_that_fails_is_named_and_named_by_nothing_else():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin("13800000001")
        centre.switch.storage.fail("disk full")
        await asyncio.sleep(2.0)
        first, *_ = await blockers(centre)
        assert first.reason == "database"
        assert "disk full" in first.text
        for command in (
            GetProgress(campaign="spring"),
            ListNumbers(campaign="spring"),
            ListAttempts(),
            ReadPacing(campaign="spring"),
            ReportCompliance(),
        ):
            with pytest.raises(StorageUnavailable):
                await centre.app.do(command)
        await finish(centre)

    run_virtual(main())


def test_progress_counts_records_and_attempts_as_they_were():
    async def main():
        centre = Campaigns(CAMPAIGN + 'dispositions = [{ code = "deal", effect = "success" }]\n')
        await centre.two_agents_of_whom_one_leaves("13800000001", "13800000011", "13800000021", "13800000031")
        await asyncio.sleep(8.0)
        live = (await centre.app.do(GetProgress(campaign="spring"))).live
        assert (live.n_lines, live.n_talking, live.n_agents, live.n_busy, live.occupancy) == (2, 1, 1, 1, 1.0)
        await centre.app.do(StopCampaign(campaign="spring"))
        await asyncio.sleep(60.0)
        found = await centre.app.do(GetProgress(campaign="spring", by=["list", "agent"]))
        records = found.records
        assert sorted(each.result for each in await centre.attempts()) == ["dropped", "human"]
        assert (records.n_records, records.n_called, records.n_not_called) == (4, 2, 2)
        assert (records.n_connected, records.n_not_connected, records.n_delivered) == (2, 0, 1)
        assert (records.called_rate, records.answered_rate, records.transferred_rate) == (0.5, 1.0, 0.5)
        assert (found.today.n_attempts, found.today.n_live, found.today.n_dropped) == (2, 2, 1)
        assert (found.today.contact_rate, found.today.drop_rate) == (1.0, 0.5)
        assert found.days_30 == found.today
        assert [each.rate for each in found.live.abandoned] == [0.5] * 4
        assert (found.left_s, found.left_why) == (None, "not_running")
        (a_list,) = found.lists
        assert (a_list.n_records, a_list.n_called, a_list.called_rate) == (4, 2, 0.5)
        (agent,) = found.agents
        assert (agent.agent_id, agent.n_attempts, agent.n_connected) == ("a1", 1, 1)
        assert agent.talk_s == pytest.approx(30.0, abs=1.0)
        with pytest.raises(NoSuchCampaign):
            await centre.app.do(GetProgress(campaign="none"))
        await finish(centre)

    run_virtual(main())


def test_every_number_is_shown_as_it_is_now_to_who_may_see_it():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin("13800000002", "13800000001", "13800000011")
        await centre.public.wait("incoming")
        await asyncio.sleep(0.2)
        (ringing,) = [each for each in await numbers(centre) if each.is_calling]
        assert (ringing.status, ringing.n_attempts, ringing.last_result) == ("dialing", 1, "")
        await asyncio.sleep(60.0)
        (busy,) = await numbers(centre, results=["busy"])
        assert (busy.number, busy.status, busy.deferred, busy.n_attempts) == ("13800000002", "retry_wait", "retry", 1)
        assert busy.next_utc == pytest.approx(busy.last_utc + 600.0)
        assert [each.number for each in await numbers(centre, number="011", is_suffix=True)] == ["13800000011"]
        (talks,) = await numbers(centre, statuses=["dialing"])
        assert (talks.number, talks.is_calling) == ("13800000011", True)
        first = await centre.app.do(ListNumbers(campaign="spring", limit=2))
        rest = await centre.app.do(ListNumbers(campaign="spring", limit=2, cursor=first.cursor))
        assert (len(first.numbers), len(rest.numbers), rest.cursor) == (2, 1, "")
        centre.app.roles.put(Role(name="lead", permissions=("campaign.view",)))
        hidden = await centre.app.do(ListNumbers(campaign="spring"), Caller("lea", "lead"))
        assert {each.number for each in hidden.numbers} == {"138****0001", "138****0002", "138****0011"}
        called = await centre.app.do(ListAttempts(campaign="spring"), Caller("lea", "lead"))
        assert {each.number for each in called.attempts} == {"138****0001", "138****0002", "138****0011"}
        await finish(centre)

    run_virtual(main())


def test_attempts_and_decisions_are_searched():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin("13800000002", "13800000001")
        await asyncio.sleep(60.0)
        (busy,) = (await centre.app.do(ListAttempts(results=["busy"]))).attempts
        assert busy.number == "13800000002"
        assert (await centre.app.do(ListAttempts(number="001", is_suffix=True))).attempts[0].result == "human"
        assert not (await centre.app.do(ListAttempts(is_dropped=True))).attempts
        with pytest.raises(InvalidValue):
            await centre.app.do(ListAttempts(cursor="nonsense"))
        entries = (await centre.app.do(ReadPacing(campaign="spring"))).entries
        assert sum(each.n_dials for each in entries) >= 1
        assert entries == sorted(entries, key=lambda each: each.at_utc)
        dialled = next(each for each in entries if each.n_dials)
        assert dialled.reason == "pacing"
        assert dialled.inputs["idle"] == 1.0
        later = await centre.app.do(ReadPacing(campaign="spring", start_utc=entries[1].at_utc, limit=1))
        assert later.entries == entries[1:2]
        await finish(centre)

    run_virtual(main())


def test_evidence_of_a_day_on_which_one_was_abandoned():
    async def main():
        centre = Campaigns()
        await centre.two_agents_of_whom_one_leaves("13800000001", "13800000011")
        await asyncio.sleep(8.0)
        (dropped,) = [each for each in centre.switch.core.calls.calls.values() if each.phase == "dialed"]
        (play,) = [each for each in centre.switch.worker.of(media.Play) if each.session == dropped.call_id]
        centre.switch.worker.tell(media.PlayFinished(dropped.call_id, dropped.a, play.play_id))
        await asyncio.sleep(60.0)
        report = await centre.app.do(ReportCompliance())
        (spring,) = report.campaigns
        today = spring.days[-1]
        assert len(spring.days) == 30
        assert (today.day, today.n_dialled, today.n_live, today.n_connected, today.n_dropped) == (
            "2026-01-01",
            2,
            2,
            1,
            1,
        )
        assert (today.n_messages, today.abandon_rate, today.abandon_rate_30_days) == (1, 0.5, 0.5)
        assert today.message_after_s == pytest.approx(2.0, abs=0.1)
        assert (today.n_short_rings, today.n_outside_hours, today.n_too_soon) == (0, 0, 0)
        assert spring.total.abandon_rate == 0.5
        # What the dialler keeps to and what the database counts are the same.
        assert [each.rate for each in spring.windows] == [0.5] * 4
        assert (spring.faults, report.is_clean) == (["abandon_rate 2026-01-01"], False)
        assert set(report.formulas) >= {"abandon_rate", "too_soon", "outside_hours"}
        # It is midnight: by the hours of a law both calls came too early.
        held = await centre.app.do(ReportCompliance(campaign="spring", contact_hours="mon-sun 08:00-21:00"))
        assert held.campaigns[0].total.n_outside_hours == 2
        assert "n_outside_hours" in held.campaigns[0].faults
        await finish(centre)

    run_virtual(main())


def test_evidence_of_calls_given_up_and_of_numbers_that_were_barred_meanwhile():
    async def main():
        centre = Campaigns()
        await centre.agent("a1", "1001")
        await centre.begin("13800000003")
        await centre.public.wait("incoming")
        await asyncio.sleep(2.0)
        await centre.app.do(SignOut(agent_id="a1"))
        await asyncio.sleep(60.0)
        report = await centre.app.do(ReportCompliance(campaign="spring"))
        assert [each.result for each in await centre.attempts()] == ["cancelled"]
        assert (report.campaigns[0].total.n_dialled, report.campaigns[0].total.n_short_rings) == (1, 0)
        assert report.is_clean
        centre.switch.core.dialer.tell(NumberBarred(number="13800000003", campaign="spring"))
        await centre.agent("a2", "1002")
        await asyncio.sleep(400.0)
        assert (await centre.app.do(ReportCompliance(campaign="spring"))).campaigns[0].n_dnc == 1
        await finish(centre)

    run_virtual(main())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"start_utc": EPOCH_UTC - 40 * 86_400.0}, "31 days at most"),
        ({"start_utc": EPOCH_UTC, "end_utc": EPOCH_UTC - 86_400.0}, "after start_utc"),
        ({"contact_hours": "mon-sun 25:00-26:00"}, "25:00"),
    ],
)
def test_what_cannot_be_reported_is_refused(given, says):
    async def main():
        centre = Campaigns()
        await centre.begin()
        with pytest.raises(InvalidValue, match=says):
            await centre.app.do(ReportCompliance(**given))
        with pytest.raises(NoSuchCampaign):
            await centre.app.do(ReportCompliance(campaign="none"))
        await finish(centre)

    run_virtual(main())


def test_progress_is_told_while_somebody_listens_and_something_changes():
    async def main():
        centre = Campaigns()
        board = make_board(centre.app)
        told = centre.app.published
        await centre.begin("13800000001")
        await board.look()
        await board.look()
        (first,) = [each for each in told if isinstance(each, CampaignProgressChanged)]
        assert (first.state, first.n_records, first.n_called, first.n_lines) == ("running", 1, 0, 0)
        await centre.agent("a1", "1001")
        await centre.public.wait("incoming")
        await asyncio.sleep(5.0)
        await board.look()
        last = told[-1]
        assert (last.n_called, last.n_lines, last.n_agents, last.dial_level) == (1, 1, 1, 1.0)
        centre.switch.storage.fail("gone")
        await asyncio.sleep(5.0)
        await board.look()
        assert (told[-1].n_records, told[-1].n_agents) == (None, 1)
        await finish(centre)

    run_virtual(main())


def test_prometheus_reads_campaigns():
    async def main():
        centre = Campaigns()
        await centre.two_agents_of_whom_one_leaves("13800000001", "13800000011")
        await asyncio.sleep(8.0)
        found = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in campaign_samples(centre.app)
            for sample in family.samples
        }
        assert found["ringback_campaign_running", "spring"] == 1.0
        assert found["ringback_campaign_calls", "spring", "talking"] == 1.0
        assert found["ringback_campaign_calls", "ringing", "spring"] == 0.0
        assert found["ringback_campaign_agents", "busy", "spring"] == 1.0
        assert found["ringback_campaign_abandon_rate", "days_30", "spring"] == 0.5
        assert found["ringback_campaign_answered_total", "spring"] == 2.0
        await finish(centre)

    run_virtual(main())


def test_alarms_of_a_queue_know_its_campaigns():
    async def main():
        rules = """
        [[alarm]]
        name = "lost"
        measure = "campaign_abandon_rate"
        limit = 0.03
        [[alarm]]
        name = "idle"
        measure = "campaigns_idle"
        limit = 0
        for_s = 10
        """
        centre = Campaigns(CAMPAIGN, rules)
        look, told = centre.app.alarms.look, centre.app.published
        look(centre.switch.wall())
        await centre.two_agents_of_whom_one_leaves("13800000001", "13800000011", "13800000021")
        look(centre.switch.wall())
        assert not told
        await asyncio.sleep(8.0)
        look(centre.switch.wall())
        (lost,) = told
        assert (lost.alarm, lost.queue, lost.value) == ("lost", "sales", 0.5)
        # The database fails while the agent talks: he is free again, somebody is to be called, and is not.
        centre.switch.storage.fail("disk full")
        await asyncio.sleep(60.0)
        look(centre.switch.wall())
        await asyncio.sleep(10.0)
        look(centre.switch.wall())
        assert [each.alarm for each in told] == ["lost", "idle"]
        centre.switch.storage.recover()
        await asyncio.sleep(10.0)
        look(centre.switch.wall())
        assert told[-1].alarm == "idle"
        assert isinstance(told[-1], AlarmCleared)
        await finish(centre)

    run_virtual(main())


async def finish(centre):
    """Nobody new is called, whoever talks goes on to the end, and nothing is left."""
    if centre.switch.storage.state.is_failing:
        centre.switch.storage.recover()
    with contextlib.suppress(WrongState):
        await centre.app.do(StopCampaign(campaign="spring"))
    await centre.switch.until(lambda: not centre.switch.core.calls.calls, within_s=200.0)
    await centre.close()


async def blockers(centre):
    return (await centre.app.do(DiagnoseCampaign(campaign="spring"))).blockers


async def reasons(centre):
    return [(each.reason, each.count) for each in await blockers(centre)]


async def numbers(centre, **given):
    await centre.switch.storage.flush()
    return (await centre.app.do(ListNumbers(campaign="spring", **given))).numbers
