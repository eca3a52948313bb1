"""Whole switch, virtual time: a caller asks in a flow to be called back by a queue, at his number or another."""

import asyncio

import pytest

from model.commands_agent import Ready
from model.events_flow import FlowTrouble
from model.events_queue import QueueCallbackChanged, QueueLeft
from tests.harness.virtual_loop import run_virtual
from tests.ivr.flow_of import document
from tests.scenarios.test_ivr import Hotline, spoken

MORE = """
[[queue]]
name = "back"
[queue.callback]
is_enabled = true
dial_prefix = "9"
expires_s = 600
[[agent]]
agent_id = "b1"
extension = "1005"
queues = [{ queue = "back" }]
"""
CALL = {"type": "callback", "queue": "back", "priority": 9, "next": "done", "failed": "sorry"}
FLOW = document(
    {"id": "menu", "type": "menu", "choices": {"1": "mine", "2": "which", "3": "none"}},
    {"id": "mine", **CALL},
    {"id": "which", "type": "collect", "variable": "number", "next": "other"},
    {"id": "other", **CALL, "number": "number"},
    {"id": "none", **CALL, "queue": "sales"},
    {"id": "done", "type": "play", "say": spoken("will_call_back")},
    {"id": "sorry", "type": "play", "say": spoken("cannot_call_back")},
)


def states(centre) -> list[str]:
    return [each.state for each in centre.of(QueueCallbackChanged)]


@pytest.mark.parametrize(
    ("keys", "number"), [("1", "13800001111"), ("213900002222#", "13900002222"), ("2021 6000#", "")]
)
def test_xacd_03_a_flow_books_a_callback(tmp_path, keys, number):
    async def main():
        centre = Hotline(tmp_path, FLOW, MORE, answer_after_s=2.0)
        phone = await centre.agent("b1", "1005", is_ready=False)
        mine = await centre.call()
        await centre.keys(keys.replace(" ", ""))
        wanted = number or keys[1:].strip("#").replace(" ", "")
        assert centre.played()[-1] == "voice:zh/will_call_back"
        await centre.listen()
        await centre.carrier.wait("ended", call=mine.id)
        assert states(centre) == ["asked"]
        await asyncio.sleep(60.0)
        await centre.app.do(Ready(agent_id="b1"))
        incoming = await phone.wait("incoming")
        assert incoming.number == wanted
        await phone.wait("answered")
        await centre.carrier.wait("incoming")
        await centre.carrier.wait("answered")
        await asyncio.sleep(3.0)
        assert centre.live.variables["ivr_node"].startswith("main/")
        phone.agent.hang_up(incoming.call)
        await centre.switch.cdr(2)
        assert centre.switch.cdrs[1].dialed == "9" + wanted
        assert states(centre) == ["asked", "done"]
        assert [each.reason for each in centre.of(QueueLeft)] == ["callback_converted"]
        await centre.close()

    run_virtual(main())


def test_who_is_there_already_is_rung_at_once(tmp_path):
    async def main():
        centre = Hotline(tmp_path, FLOW, MORE, answer_after_s=2.0)
        phone = await centre.agent("b1", "1005")
        mine = await centre.call()
        await centre.keys("1")
        incoming = await phone.wait("incoming")
        assert centre.played()[-1] == "voice:zh/will_call_back"
        await centre.hang_up(mine)
        await phone.wait("answered")
        await centre.carrier.wait("answered")
        await asyncio.sleep(3.0)
        phone.agent.hang_up(incoming.call)
        await centre.switch.cdr(2)
        assert states(centre) == ["asked", "done"]
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("keys", "caller", "problem"),
    [
        ("1", "anonymous", "the caller shows no number"),
        ("2110#", "13800001111", "110 cannot be called back"),
        ("3", "13800001111", "queue sales calls nobody back"),
    ],
)
def test_who_cannot_be_called_back_hears_so(tmp_path, keys, caller, problem):
    async def main():
        centre = Hotline(tmp_path, FLOW, MORE, answer_after_s=2.0)
        mine = centre.caller("4010", caller)
        await centre.carrier.wait("answered", call=mine.id)
        await asyncio.sleep(0.2)
        await centre.keys(keys)
        assert centre.of(FlowTrouble)[-1].problem.startswith(problem)
        assert centre.played()[-1] == "voice:zh/cannot_call_back"
        assert not states(centre)
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_nobody_is_called_back_twice(tmp_path):
    async def main():
        centre = Hotline(tmp_path, FLOW, MORE, answer_after_s=2.0)
        for _ in range(2):
            mine = await centre.call()
            live = [each for each in centre.switch.core.calls.calls.values() if each.phase == "ivr"]
            await centre.key_of(live[-1], "1")
            await centre.hang_up(mine)
        assert len(states(centre)) == 1
        assert centre.of(FlowTrouble)[-1].problem == "he will be called back already"
        await asyncio.sleep(700.0)
        assert states(centre) == ["asked", "expired"]
        assert not centre.switch.core.calls.calls
        await centre.close()

    run_virtual(main())
