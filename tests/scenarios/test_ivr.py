"""Whole switch, virtual time: callers come to flows, and from there to queues, extensions, or the end."""

import asyncio
import json

import pytest

from ivr.run import Ask, LookUp
from model import events, media
from model.events_flow import FlowEnded, FlowTrouble, FlowVisited
from model.events_queue import QueueEntered, QueueLeft
from model.records import CallRecord
from switch.actions import AskDatabase, AskHttp
from switch.config_file import ConfigError
from switch.flow_requests import FlowRequests
from switch.flows import load_flows
from switch.listening import UnusableError
from tests.harness.virtual_loop import run_virtual
from tests.ivr.flow_of import document, sound, variable
from tests.scenarios.test_queues import Centre

MORE = """
[ivr]
flows = "{flows}"
[[access_number]]
number = "4010"
to = "ivr:main"
[[queue]]
name = "brief"
[queue.limits]
max_wait_s = 5
timeout_to = "ivr:main"
[[queue]]
name = "nobody"
[queue.limits]
has_no_agent_limit = true
no_agent_to = "ivr:main"
[[access_number]]
number = "4011"
to = "queue:brief"
"""


async def no_row(asked: LookUp) -> None:
    return None


def spoken(name):
    return [{"kind": "sound", "source": f"voice:zh/{name}"}]


MENU = {
    "id": "menu",
    "type": "menu",
    "say": spoken("for_other"),
    "choices": {"1": "sales", "2": "ask", "3": "secret", "4": "dial", "5": "typed", "6": "gone"},
    "no_input": "bye",
    "no_match": "bye",
}
FLOW = document(
    MENU,
    {"id": "sales", "type": "rank", "is_vip": True, "priority": 7, "next": "to_sales"},
    {"id": "to_sales", "type": "queue", "queue": "sales"},
    {
        "id": "ask",
        "type": "http",
        "url": "http://crm/{caller}",
        "picks": {"n": "usage"},
        "next": "tell",
        "failed": "bye",
    },
    {"id": "tell", "type": "play", "say": variable("n", "number"), "next": "bye"},
    {"id": "secret", "type": "collect", "variable": "pin", "is_secret": True, "max_digits": 4, "next": "bye"},
    {"id": "dial", "type": "transfer", "to": "1003", "ring_timeout_s": 10, "no_answer": "to_sales", "busy": "to_sales"},
    {"id": "typed", "type": "collect", "variable": "number", "next": "dial_typed"},
    {"id": "dial_typed", "type": "transfer", "to": "{number}", "failed": "bye"},
    {"id": "gone", "type": "queue", "queue": "all"},
    {"id": "bye", "type": "play", "say": spoken("will_call_back")},
    exit="bye",
    max_s=60,
    variables=[{"name": "n", "kind": "number"}],
)


class Hotline(Centre):
    """The centre with a flow at 4010."""

    def __init__(self, folder, flow=None, more: str = "", **carrier: float) -> None:
        (folder / "main.json").write_text(json.dumps(flow or FLOW))
        Centre.__init__(self, MORE.format(flows=folder) + more, **carrier)
        core = self.switch.core
        core.directory.flows = load_flows(core.env.config, core.directory.queues.keys())

    async def call(self, number: str = "4010"):
        mine = self.caller(number)
        await self.carrier.wait("answered", call=mine.id)
        await asyncio.sleep(0.2)
        return mine

    @property
    def live(self):
        return next(iter(self.switch.core.calls.calls.values()))

    async def keys(self, keys: str, *, is_secure: bool = False) -> None:
        for key in keys:
            self.switch.worker.tell(media.Digit(self.live.call_id, self.live.a, key, 100, is_secure=is_secure))
            await asyncio.sleep(0.3)

    async def key_of(self, call, key: str) -> None:
        self.switch.worker.tell(media.Digit(call.call_id, call.a, key, 100))
        await asyncio.sleep(0.3)

    async def listen(self, reason: str = "finished") -> None:
        """To the end of what is played now."""
        play = self.switch.worker.of(media.Play)[-1]
        self.switch.worker.tell(media.PlayFinished(play.session, play.leg, play.play_id, reason))
        await asyncio.sleep(0.2)

    def played(self) -> list[str]:
        return [source for play in self.switch.worker.of(media.Play) for source in play.sources]

    async def hang_up(self, mine) -> None:
        self.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(1.0)

    def results(self) -> list[str]:
        return [each.result for each in self.of(FlowEnded)]


def test_acc_02_a_number_leads_to_a_flow_and_a_key_to_a_queue(tmp_path):
    async def main():
        centre = Hotline(tmp_path)
        mine = await centre.call()
        assert centre.played()[-1] == "voice:zh/for_other"
        await centre.keys("1")
        assert centre.results() == ["queue"]
        entered = centre.of(QueueEntered)[0]
        assert (entered.queue, entered.rank, entered.priority) == ("sales", "vip", 7)
        assert centre.played()[-1] == "moh:default"
        assert centre.live.variables["ivr_path"] == "main/menu > main/sales > main/to_sales"
        assert centre.live.variables["ivr_node"] == "main/to_sales"
        phone = await centre.agent("a1", "1001")
        await phone.wait("answered")
        await asyncio.sleep(2.0)
        assert centre.of(QueueLeft)[0].reason == "connected"
        await centre.hang_up(mine)
        record = next(each for each in centre.switch.records if isinstance(each, CallRecord))
        purposes = [each.purpose for each in record.segments if each.leg_id.endswith(".0")]
        assert purposes[:2] == ["ivr", "queue"]
        await centre.close()

    run_virtual(main())


def test_ivr_14_an_answer_over_http_is_read_aloud(tmp_path):
    async def main():
        centre = Hotline(tmp_path)
        asked: list[Ask] = []
        tasks: list[asyncio.Task] = []

        async def fetch(ask: Ask) -> bytes:
            asked.append(ask)
            await asyncio.sleep(1.0)
            return b'{"usage": 1003}' if len(asked) == 1 else b"<html>"

        requests = FlowRequests(
            centre.switch.core.runtime.tell, lambda coro: tasks.append(asyncio.ensure_future(coro)), no_row, fetch
        )
        centre.switch.core.runtime.also_perform(AskHttp, requests.ask)
        mine = await centre.call()
        await centre.keys("2")
        assert centre.played()[-1] == "moh:default"
        await asyncio.sleep(1.5)
        assert asked[0].url == "http://crm/13800001111"
        assert centre.played()[-4:] == ["voice:zh/1", "voice:zh/1000", "voice:zh/0", "voice:zh/3"]
        await centre.hang_up(mine)
        again = await centre.call()
        await centre.keys("2")
        await asyncio.sleep(1.5)
        assert centre.of(FlowTrouble)[-1].at_node == "ask"
        assert centre.played()[-1] == "voice:zh/will_call_back"
        await centre.hang_up(again)
        await centre.close()

    run_virtual(main())


def test_ivr_16_what_a_database_knows_is_read_aloud(tmp_path):
    account = {"id": "account", "type": "collect", "variable": "account", "next": "usage"}
    usage = {
        "id": "usage",
        "type": "lookup",
        "source": "crm",
        "query": "SELECT m3 FROM usage WHERE account = :account",
        "picks": {"n": "m3"},
        "next": "tell",
        "none": "account",
        "failed": "bye",
    }
    tell = {"id": "tell", "type": "play", "say": variable("n", "number"), "next": "bye"}
    bye = {"id": "bye", "type": "play", "say": spoken("goodbye")}

    async def main():
        centre = Hotline(
            tmp_path,
            document(account, usage, tell, bye, variables=[{"name": "n", "kind": "number"}]),
            '[[ivr.source]]\nname = "crm"\nurl = "crm.db"\n',
        )
        rows = [None, {"m3": "1003"}]
        looked_up: list[LookUp] = []
        tasks: list[asyncio.Task] = []

        async def fetch_row(asked: LookUp):
            looked_up.append(asked)
            await asyncio.sleep(1.0)
            if not rows:
                raise ValueError("no such table: usage")
            return rows.pop(0)

        requests = FlowRequests(
            centre.switch.core.runtime.tell, lambda coro: tasks.append(asyncio.ensure_future(coro)), fetch_row
        )
        centre.switch.core.runtime.also_perform(AskDatabase, requests.look_up)
        mine = await centre.call()
        await centre.keys("12#")
        assert centre.played()[-1] == "moh:default"
        await asyncio.sleep(1.5)
        assert centre.live.flow.frames[-1].node == "account"
        await centre.keys("34#")
        await asyncio.sleep(1.5)
        assert [each.values for each in looked_up] == [{"account": "12"}, {"account": "34"}]
        assert centre.played()[-4:] == ["voice:zh/1", "voice:zh/1000", "voice:zh/0", "voice:zh/3"]
        await centre.hang_up(mine)
        again = await centre.call()
        await centre.keys("56#")
        await asyncio.sleep(1.5)
        assert centre.of(FlowTrouble)[-1].problem == "no such table: usage"
        assert centre.played()[-1] == "voice:zh/goodbye"
        await centre.hang_up(again)
        await requests.close()
        await centre.close()

    run_virtual(main())


def test_xivr_08_what_is_typed_in_secret_is_told_to_nobody(tmp_path):
    async def main():
        centre = Hotline(tmp_path)
        await centre.call()
        await centre.keys("3")
        assert [each.is_secure for each in centre.switch.worker.of(media.SecureLeg)] == [True]
        await centre.keys("9876", is_secure=True)
        assert [each.digit for each in centre.of(events.CallDigit)] == ["3"]
        assert [each.is_secure for each in centre.switch.worker.of(media.SecureLeg)] == [True, False]
        assert centre.played()[-1] == "voice:zh/will_call_back"
        await centre.listen()
        assert centre.results() == ["ended"]
        assert "9876" not in repr(centre.switch.records)
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize(("answer_after_s", "result"), [(2.0, "transferred"), (60.0, "queue")])
def test_a_transfer_connects_or_the_flow_goes_on(tmp_path, answer_after_s, result):
    async def main():
        centre = Hotline(tmp_path)
        phone = await centre.switch.phone("1003", answer_after_s=answer_after_s)
        mine = await centre.call()
        await centre.keys("4")
        await phone.wait("incoming")
        await asyncio.sleep(15.0)
        assert centre.results() == [result]
        if result == "transferred":
            assert centre.live.phase == "bridged"
            assert len(centre.switch.worker.of(media.ConnectMatrix)[-1].edges) == 2
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize("number", ["913800001111", "999", "120"])
def test_what_a_caller_types_leads_to_nobody_outside(tmp_path, number):
    async def main():
        centre = Hotline(tmp_path)
        await centre.call()
        await centre.keys(f"5{number}#")
        assert len(centre.live.legs) == 1
        assert centre.played()[-1] == "voice:zh/will_call_back"
        await centre.listen()
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize("keys", ["", "2", "3", "31", "4", "5", "51"])
def test_ivr_23_whoever_hangs_up_anywhere_is_counted_and_lets_go_of_everything(tmp_path, keys):
    async def main():
        centre = Hotline(tmp_path)
        centre.switch.core.runtime.also_perform(AskHttp, lambda action, now: None)
        await centre.switch.phone("1003", answer_after_s=60.0)
        mine = await centre.call()
        await centre.keys(keys)
        await centre.hang_up(mine)
        assert centre.results() == ["hung_up"]
        await asyncio.sleep(5.0)
        assert not centre.switch.core.calls.calls
        assert len(centre.switch.records) == 1
        await centre.close()

    run_virtual(main())


def test_a_queue_sends_those_who_waited_too_long_to_a_flow(tmp_path):
    async def main():
        centre = Hotline(tmp_path)
        mine = await centre.call("4011")
        await asyncio.sleep(6.0)
        assert centre.of(QueueLeft)[0].reason == "timeout"
        assert centre.played()[-1] == "voice:zh/for_other"
        await centre.keys("1")
        assert [each.queue for each in centre.of(QueueEntered)] == ["brief", "sales"]
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_a_circle_of_flows_and_queues_in_which_nobody_waits_ends(tmp_path):
    async def main():
        round_and_round = document({"id": "go", "type": "queue", "queue": "nobody"})
        centre = Hotline(tmp_path, round_and_round)
        mine = centre.caller("4010")
        await asyncio.sleep(5.0)
        assert not centre.switch.core.calls.calls
        assert centre.switch.core.calls.counters.unhandled_errors == 0
        assert centre.results() == ["queue"] * 5
        record = next(each for each in centre.switch.records if isinstance(each, CallRecord))
        assert record.hangup_cause == "NO_ROUTE_DESTINATION"
        assert mine is not None
        await centre.close()

    run_virtual(main())


def test_whoever_does_nothing_is_let_go(tmp_path):
    async def main():
        centre = Hotline(tmp_path)
        await centre.call()
        for _ in range(3):
            await centre.listen()
            await asyncio.sleep(6.0)
        assert centre.played()[-1] == "voice:zh/will_call_back"
        await centre.listen()
        assert centre.results() == ["ended"]
        assert [each.at_node for each in centre.of(FlowVisited)] == ["menu", "bye"]
        await centre.close()

    run_virtual(main())


def test_a_sound_that_is_gone_is_a_tone_and_the_flow_goes_on(tmp_path):
    async def main():
        centre = Hotline(tmp_path)
        mine = await centre.call()
        await centre.listen("error")
        assert centre.of(FlowTrouble)[0].problem == "a sound cannot be played"
        assert centre.played()[-1].startswith("tone:")
        await centre.listen("error")
        assert len(centre.of(FlowTrouble)) == 1
        await centre.keys("1")
        assert centre.results() == ["queue"]
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_a_queue_that_was_deleted_meanwhile(tmp_path):
    async def main():
        centre = Hotline(tmp_path)
        await centre.call()
        del centre.switch.core.directory.queues["all"]
        await centre.keys("6")
        assert centre.of(FlowTrouble)[0].problem == 'the flow leads to queue "all", which is gone'
        assert centre.played()[-1] == "voice:zh/will_call_back"
        await centre.listen()
        await centre.close()

    run_virtual(main())


def test_a_flow_that_is_not_there_or_not_good_is_refused_at_the_start(tmp_path):
    async def main():
        with pytest.raises(ConfigError, match='there is no flow "main"'):
            Centre(MORE.format(flows=tmp_path))
        bad = document(
            {"id": "a", "type": "play", "say": [{"kind": "text", "text": "hello"}, *sound("gone")], "next": "b"}
        )
        with pytest.raises(UnusableError) as failure:
            Hotline(tmp_path, bad)
        assert 'a.next: there is no node "b"' in str(failure.value)
        assert "a.say.1.source: there is no file" in str(failure.value)

    run_virtual(main())
