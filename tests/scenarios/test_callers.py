"""Whole switch, virtual time: who calls decides: VIPs wait before others, who is on the blacklist is refused
unanswered, and whoever served a caller last, or is at home where he calls from, is preferred."""

import asyncio

import pytest

from model.caller_lists import ListedCaller
from model.commands_agent import EndAcw, Ready
from model.commands_callers import (
    AddListedCaller,
    CallBlocked,
    CallerListChanged,
    FindListedCallers,
    RemoveListedCaller,
)
from model.errors import InvalidValue, NoSuchCaller
from model.events_queue import OfferMade, QueueEntered, QueueEntryChanged
from switch.caller_lists import CallerLists
from switch.callers_desk import load_callers
from switch.last_agents import LastAgents, recall_agents
from switch.vip_check import VipCheck
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_queues import Centre

HOMES = """
[[agent]]
agent_id = "hz"
extension = "1003"
home_area = "杭州"
queues = [{ queue = "sales" }]
[[agent]]
agent_id = "cz"
extension = "1004"
home_area = "常州"
queues = [{ queue = "sales" }]
"""


def vip(number: str, *of: str) -> AddListedCaller:
    return AddListedCaller(caller=ListedCaller(list="vip", number=number, of=of))


def blocked(number: str, *of: str, reason: str = "") -> AddListedCaller:
    return AddListedCaller(caller=ListedCaller(list="blacklist", number=number, of=of, reason=reason))


def test_acd_10_vips_of_all_queues_and_of_some_wait_before_others():
    async def main():
        centre = Centre()
        await centre.app.do(vip("13800001111"))
        await centre.app.do(vip("13900002222", "sales"))
        await centre.app.do(vip("13700003333", "small"))
        calls = [centre.caller(caller=n) for n in ("13600004444", "13800001111", "13900002222", "13700003333")]
        await asyncio.sleep(3.0)
        assert [each.rank for each in centre.of(QueueEntered)] == ["normal", "vip", "vip", "normal"]
        assert centre.of(QueueEntered)[1].position == 1
        for call in calls:
            centre.carrier.agent.hang_up(call.id)
        await centre.close()

    run_virtual(main())


def test_blk_01_a_blocked_caller_is_refused_unanswered_and_told_so_in_the_record():
    async def main():
        centre = Centre()
        await centre.app.do(blocked("138*", reason="nuisance"))
        await centre.app.do(blocked("anonymous", "4001"))
        mine = centre.caller(caller="13800001111")
        ended = await centre.carrier.wait("ended", call=mine.id)
        assert ended.status == 403
        (told,) = centre.of(CallBlocked)
        assert (told.caller, told.dialed, told.reason) == ("13800001111", "4001", "nuisance")
        record = await centre.switch.cdr()
        assert (record.hangup_cause, record.answered_utc) == ("INCOMING_CALL_BARRED", 0.0)
        assert not centre.of(QueueEntered)
        hidden = centre.caller(caller="anonymous")
        assert (await centre.carrier.wait("ended", call=hidden.id)).status == 403
        # Only that access number refuses who shows no number.
        other = centre.caller("4002", caller="anonymous")
        await centre.carrier.wait("answered", call=other.id)
        centre.carrier.agent.hang_up(other.id)
        await centre.app.do(RemoveListedCaller(list="blacklist", number="138*"))
        again = centre.caller(caller="13800001111")
        await centre.carrier.wait("answered", call=again.id)
        centre.carrier.agent.hang_up(again.id)
        await centre.close()

    run_virtual(main())


def test_lists_are_found_by_page_kept_over_a_restart_and_refuse_what_makes_no_sense():
    async def main():
        centre = Centre()
        for n in range(5):
            await centre.app.do(vip(f"1380000111{n}"))
        first = await centre.app.do(FindListedCallers(list="vip", limit=3))
        rest = await centre.app.do(FindListedCallers(list="vip", limit=3, cursor=first.cursor))
        assert [each.caller.number[-1] for each in first.callers + rest.callers] == list("01234")
        assert (first.n_callers, rest.cursor, rest.callers[0].added_by) == (5, "", "root")
        with pytest.raises(InvalidValue, match="there is no queue nowhere"):
            await centre.app.do(vip("13800001119", "nowhere"))
        with pytest.raises(InvalidValue, match="there is no access number 9"):
            await centre.app.do(blocked("13800001119", "9"))
        with pytest.raises(NoSuchCaller, match="13800009999 is not on the list vip"):
            await centre.app.do(RemoveListedCaller(list="vip", number="13800009999"))
        await centre.app.do(RemoveListedCaller(list="vip", number="13800001110"))
        told = [each.change for each in centre.app.published if isinstance(each, CallerListChanged)]
        assert told == ["added"] * 5 + ["removed"]
        again = CallerLists("CN")
        await load_callers(centre.switch.storage, again)
        assert [entry.caller.number[-1] for entry in again.all("vip")] == list("1234")
        # What has expired is gone once somebody looks.
        past = ListedCaller(list="vip", number="13800001118", expires_utc=1.0)
        await centre.app.do(AddListedCaller(caller=past))
        assert (await centre.app.do(FindListedCallers(list="vip"))).n_callers == 4
        await centre.close()

    run_virtual(main())


def test_acd_04_who_served_the_caller_last_has_him_again_also_after_a_restart():
    async def main():
        centre = Centre()
        one, two = await centre.agent("a1", "1001"), await centre.agent("a2", "1002")
        for caller, phone in (("13800001111", one), ("13800002222", two)):
            mine = centre.caller(caller=caller)
            await phone.wait("answered")
            await asyncio.sleep(1.0)
            centre.carrier.agent.hang_up(mine.id)
            await phone.wait("ended")
        for agent_id in ("a2", "a1"):
            await centre.app.do(EndAcw(agent_id=agent_id))
            await centre.app.do(Ready(agent_id=agent_id))
            await asyncio.sleep(1.0)
        # a2 has been idle for longer.
        mine = centre.caller(caller="+8613800001111")
        await one.wait("answered")
        assert [(each.agent_id, each.agent_rule) for each in centre.of(OfferMade)][-1] == ("a1", "last_agent")
        centre.carrier.agent.hang_up(mine.id)
        await one.wait("ended")
        await centre.switch.cdr(3)
        after = LastAgents("CN", 86_400.0)
        await recall_agents(centre.switch.storage, after, centre.switch.wall())
        assert [after.of(n, centre.switch.wall()) for n in ("13800001111", "13800002222")] == ["a1", "a2"]
        await centre.close()

    run_virtual(main())


OWN = """
[[access_number]]
number = "4041"
to = "queue:own"
priority = 7
skills = { en = 3 }
[[access_number]]
number = "4042"
to = "queue:own"
[[queue]]
name = "own"
has_dedicated_agent = true
[[agent]]
agent_id = "o1"
extension = "1003"
queues = [{ queue = "own" }]
[[agent]]
agent_id = "o2"
extension = "1004"
queues = [{ queue = "own" }]
skills = { en = 5 }
"""


def test_acd_17_a_customer_has_an_agent_of_his_own():
    async def main():
        centre = Centre(OWN)
        first = await centre.agent("o1", "1003")
        await asyncio.sleep(1.0)
        own = await centre.agent("o2", "1004")
        listed = ListedCaller(list="dedicated", number="13800001111", of=("own",), agent_id="o2")
        await centre.app.do(AddListedCaller(caller=listed))
        mine = centre.caller("4042", caller="+8613800001111")
        await own.wait("answered")
        assert [(each.agent_id, each.agent_rule) for each in centre.of(OfferMade)] == [("o2", "dedicated")]
        # While his own agent talks he is everybody's.
        again = centre.caller("4042", caller="13800001111")
        await first.wait("answered")
        for call in (mine, again):
            centre.carrier.agent.hang_up(call.id)
        for params, says in (
            ({"list": "dedicated", "number": "138", "agent_id": "zz"}, "there is no agent zz"),
            ({"list": "dedicated", "number": "138"}, "there is no agent"),
            ({"list": "vip", "number": "138", "agent_id": "o1"}, "only callers of the list dedicated"),
        ):
            with pytest.raises(InvalidValue, match=says):
                await centre.app.do(AddListedCaller(caller=ListedCaller(**params)))
        await asyncio.sleep(1.0)
        await centre.close()

    run_virtual(main())


def test_xacd_01_xacd_02_an_access_number_asks_for_skills_and_puts_its_calls_before_others():
    async def main():
        centre = Centre(OWN)
        plain = centre.caller("4042", caller="1")
        await asyncio.sleep(1.0)
        skilled = centre.caller("4041", caller="2")
        await asyncio.sleep(1.0)
        assert [(each.caller, each.priority, each.position) for each in centre.of(QueueEntered)] == [
            ("1", 0, 1),
            ("2", 7, 1),
        ]
        other = await centre.agent("o1", "1003")
        assert (await other.wait("incoming")).number == "1"
        able = await centre.agent("o2", "1004")
        assert (await able.wait("incoming")).number == "2"
        for call in (plain, skilled):
            centre.carrier.agent.hang_up(call.id)
        await asyncio.sleep(1.0)
        await centre.close()

    run_virtual(main())


def test_acd_04_xacc_04_agents_at_home_where_the_caller_is_are_preferred():
    async def main():
        centre = Centre(HOMES)
        regions = centre.switch.core.directory.regions
        regions.use_homes(["杭州", "常州"])
        regions.load()
        first = await centre.agent("hz", "1003")
        await asyncio.sleep(1.0)
        second = await centre.agent("cz", "1004")
        mine = centre.caller(caller="13912345678")
        await second.wait("answered")
        (offer,) = centre.of(OfferMade)
        assert (offer.agent_id, offer.agent_rule, offer.agent_value) == ("cz", "area", "常州")
        assert "incoming" not in first.names()
        centre.carrier.agent.hang_up(mine.id)
        await second.wait("ended")
        await centre.close()

    run_virtual(main())


HTTP = """
[vip]
method = "http"
url = "https://crm.example/vip?caller={caller}&called={called}&queue={queue}"
authorization = "Bearer secret"
"""


def test_acd_11_acd_12_a_customer_system_is_asked_and_the_call_waits_meanwhile(caplog):
    async def main():
        centre = Centre(HTTP)
        asked = []

        async def fetch(url):
            asked.append(url)
            await asyncio.sleep(1.0 if "caller=138" in url else 5.0 if "caller=139" in url else 0.1)
            if "caller=137" in url:
                raise ValueError("status 500")
            return b'{"vip": true}'

        tasks = []
        check = VipCheck(
            centre.switch.config.vip,
            centre.switch.core.floor,
            lambda work: tasks.append(asyncio.ensure_future(work)),
            fetch,
        )
        # The list of our own does not count beside it.
        await centre.app.do(vip("13600004444"))
        calls = [centre.caller(caller=n) for n in ("13700003333", "13800001111", "13900002222", "anonymous")]
        await asyncio.sleep(0.5)
        assert [each.rank for each in centre.of(QueueEntered)] == ["normal"] * 4
        await asyncio.sleep(10.0)
        (told,) = centre.of(QueueEntryChanged)
        assert (told.change, told.position) == ("vip", 1)
        assert sorted(asked)[1] == "https://crm.example/vip?caller=13800001111&called=4001&queue=sales"
        assert len(asked) == 3
        # One server error, one answer that came too late; the log says so without the secret or the number.
        assert check.n_failed == 2
        assert "callers count as normal" in caplog.text
        assert "secret" not in caplog.text
        assert "13700003333" not in caplog.text
        for call in calls:
            centre.carrier.agent.hang_up(call.id)
        await asyncio.gather(*tasks)
        await centre.close()

    run_virtual(main())
