"""Whole switch, virtual time: when the agent has hung up the caller enters a flow that asks him (XIVR-07), with the six
classes of SAT-02 for how he was served; the record is that of the conversation."""

import asyncio
import json

import pytest

from model import media
from model.commands_agent import Ready
from model.events_flow import FlowEnded
from model.events_queue import CallRated, QueueEntered, SurveyAnswered
from switch.config_file import ConfigError
from switch.flows import load_flows
from tests.harness.virtual_loop import run_virtual
from tests.ivr.flow_of import document
from tests.scenarios.test_ivr import spoken
from tests.scenarios.test_queues import Centre

RATED = """
[ivr]
flows = "{flows}"
[[queue]]
name = "rated"
[queue.satisfaction]
flow = "after"
[[access_number]]
number = "4009"
to = "queue:rated"
[[agent]]
agent_id = "a9"
extension = "1005"
queues = [{{ queue = "rated" }}]
"""
RATE = {
    "id": "rate",
    "type": "satisfaction",
    "say": spoken("please_wait"),
    "choices": {"3": "complaints"},
    "next": "again",
    "no_match": "wish",
    "no_input": "bye",
}
WISH = {
    "id": "wish",
    "type": "satisfaction",
    "question": "recommends",
    "say": spoken("for_other"),
    "answers": {"1": "yes", "2": "no"},
    "next": "bye",
}
AFTER = document(
    RATE,
    {**RATE, "id": "again", "choices": {}, "next": "wish"},
    WISH,
    {"id": "complaints", "type": "queue", "queue": "sales"},
    {"id": "bye", "type": "play", "say": spoken("goodbye")},
    name="after",
    exit="bye",
)


class Asked(Centre):
    def __init__(self, folder) -> None:
        (folder / "after.json").write_text(json.dumps(AFTER))
        super().__init__(RATED.format(flows=folder))
        core = self.switch.core
        core.directory.flows = load_flows(core.env.config, core.directory.queues.keys())

    async def served(self):
        """A caller who has talked for two seconds with an agent, who has hung up."""
        phone = await self.agent("a9", "1005")
        mine = self.caller("4009")
        incoming = await phone.wait("incoming")
        await phone.wait("answered")
        await asyncio.sleep(2.0)
        phone.agent.hang_up(incoming.call)
        await asyncio.sleep(0.5)
        return mine

    async def keys(self, keys: str) -> None:
        for key in keys:
            (live,) = self.switch.core.calls.calls.values()
            self.switch.worker.tell(media.Digit(live.call_id, live.a, key, 100))
            await asyncio.sleep(0.5)

    def ratings(self):
        return [(each.result, each.queue, each.agent_id, each.key) for each in self.of(CallRated)]

    def answers(self):
        return [(each.question, each.answer, each.key, each.agent_id) for each in self.of(SurveyAnswered)]


@pytest.mark.parametrize(
    ("keys", "result", "key", "answer"),
    [
        ("11", "satisfied", "1", "yes"),
        ("22", "neutral", "2", "no"),
        ("721", "neutral", "2", "yes"),
        ("781", "wrong_key", "", "yes"),
        ("199", "satisfied", "1", "wrong_key"),
        ("1", "satisfied", "1", "none"),
        ("", "hung_up", "", None),
        ("7", "wrong_key", "", None),
    ],
)
def test_xivr_07_a_flow_asks_when_the_agent_has_hung_up(tmp_path, keys, result, key, answer):
    async def main():
        centre = Asked(tmp_path)
        mine = await centre.served()
        assert centre.switch.worker.of(media.Play)[-1].sources == ["voice:zh/please_wait"]
        assert await centre.state("a9") == "acw"
        assert centre.switch.worker.of(media.StopRecording)
        await centre.keys(keys)
        for _ in range(8):
            play = centre.switch.worker.of(media.Play)[-1]
            centre.switch.worker.tell(media.PlayFinished(play.session, play.leg, play.play_id))
            await asyncio.sleep(6.0)
        await centre.carrier.wait("ended", call=mine.id, within_s=20.0)
        assert centre.ratings() == [(result, "rated", "a9", key)]
        assert [each[1] for each in centre.answers()] == ([answer] if answer else [])
        record = await centre.switch.cdr()
        assert 1.9 < record.talk_s < 2.2
        assert (record.hangup_cause, record.hangup_side, record.agent_id) == ("NORMAL_CLEARING", "agent", "a9")
        assert record.data["rating"] == result
        assert record.data.get("survey_recommends") == answer
        assert not [each for each in record.segments if each.purpose == "ivr"]
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("keys", "rating", "answers"),
    [
        ("", "hung_up", []),
        ("7", "wrong_key", []),
        ("1", "satisfied", [("recommends", "hung_up", "", "a9")]),
    ],
)
def test_sat_02_who_hangs_up_when_he_is_asked_has_not_answered(tmp_path, keys, rating, answers):
    async def main():
        centre = Asked(tmp_path)
        mine = await centre.served()
        await centre.keys(keys)
        centre.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(3.0)
        assert [each[0] for each in centre.ratings()] == [rating]
        assert centre.answers() == answers
        assert [each.result for each in centre.of(FlowEnded)] == ["hung_up"]
        assert not centre.switch.core.calls.calls
        await centre.close()

    run_virtual(main())


def test_who_hangs_up_himself_was_not_asked(tmp_path):
    async def main():
        centre = Asked(tmp_path)
        phone = await centre.agent("a9", "1005")
        mine = centre.caller("4009")
        await phone.wait("answered")
        centre.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await asyncio.sleep(1.0)
        assert [each[0] for each in centre.ratings()] == ["not_sent"]
        assert not centre.of(FlowEnded)
        await centre.close()

    run_virtual(main())


def test_who_is_dissatisfied_may_be_led_to_somebody_else(tmp_path):
    async def main():
        centre = Asked(tmp_path)
        mine = await centre.served()
        second = await centre.agent("a1", "1001")
        await centre.keys("3")
        assert centre.ratings() == [("dissatisfied", "rated", "a9", "3")]
        assert [each.queue for each in centre.of(QueueEntered)] == ["rated", "sales"]
        incoming = await second.wait("incoming")
        await second.wait("answered")
        await asyncio.sleep(3.0)
        await centre.app.do(Ready(agent_id="a9"))
        assert len(centre.switch.worker.of(media.ConnectMatrix)[-1].edges) == 2
        second.agent.hang_up(incoming.call)
        await centre.carrier.wait("ended", call=mine.id)
        record = await centre.switch.cdr()
        # Both conversations, without what was between them.
        talks = [each.ended_utc - each.started_utc for each in record.segments if each.purpose == "talk"]
        own = sum(talks) / 2
        assert record.agent_id == "a1" and record.talk_s == pytest.approx(own, abs=0.2)
        assert len(talks) == 4
        assert len(centre.ratings()) == 1
        await centre.close()

    run_virtual(main())


def test_a_flow_that_is_not_there_keeps_the_switch_from_starting(tmp_path):
    async def main():
        with pytest.raises(ConfigError, match=r'satisfaction\.flow: there is no flow "after"'):
            Centre(RATED.format(flows=tmp_path))

    run_virtual(main())
