"""Whole switch, virtual time: the caller rates the service after the call (SAT-01), with the six classes of SAT-02; the
agent is free meanwhile, and the record is that of the conversation."""

import asyncio

import pytest

from model import media
from model.commands_agent import Ready
from model.events_queue import CallRated
from model.records import RecordingRecord
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_queues import Centre

RATED = """
[[queue]]
name = "rated"
[queue.satisfaction]
is_enabled = true
prompt = "file:rate.wav"
timeout_s = 5
[[access_number]]
number = "4009"
to = "queue:rated"
[[agent]]
agent_id = "a9"
extension = "1005"
queues = [{ queue = "rated" }]
"""


async def served(centre):
    """(caller's call, agent's phone, agent's call): they have talked for two seconds."""
    phone = await centre.agent("a9", "1005")
    mine = centre.caller("4009")
    incoming = await phone.wait("incoming")
    await phone.wait("answered")
    await asyncio.sleep(2.0)
    return mine, phone, incoming.call


def press(centre, key):
    (live,) = centre.switch.core.calls.calls.values()
    centre.switch.worker.tell(media.Digit(live.call_id, live.a, key, 100))


def prompt_ends(centre):
    play = centre.switch.worker.of(media.Play)[-1]
    assert play.play_id == "rating"
    centre.switch.worker.tell(media.PlayFinished(play.session, play.leg, play.play_id))


@pytest.mark.parametrize(
    ("keys", "result"),
    [
        ("1", "satisfied"),
        ("2", "neutral"),
        ("3", "dissatisfied"),
        ("72", "neutral"),
        ("78", "wrong_key"),
        ("", "hung_up"),
        ("7", "wrong_key"),
    ],
)
def test_sat_02_what_the_caller_presses_or_does_not(keys, result):
    async def main():
        centre = Centre(RATED)
        mine, phone, call_id = await served(centre)
        phone.agent.hang_up(call_id)
        await asyncio.sleep(0.5)
        # He hears what asks him, and the agent is with nobody.
        play = centre.switch.worker.of(media.Play)[-1]
        assert (play.play_id, play.sources[-1].endswith("prompts/rate.wav")) == ("rating", True)
        assert await centre.state("a9") == "acw"
        assert centre.switch.worker.of(media.StopRecording)
        for key in keys:
            press(centre, key)
            await asyncio.sleep(0.5)
        prompt_ends(centre)
        await centre.carrier.wait("ended", call=mine.id, within_s=20.0)
        (told,) = centre.of(CallRated)
        assert (told.result, told.queue, told.agent_id) == (result, "rated", "a9")
        record = await centre.switch.cdr()
        assert 1.9 < record.talk_s < 2.2
        assert (record.hangup_cause, record.hangup_side, record.agent_id) == ("NORMAL_CLEARING", "agent", "a9")
        recording = next(each for each in centre.switch.records if isinstance(each, RecordingRecord))
        assert recording.agent_id == "a9"
        await centre.close()

    run_virtual(main())


def test_who_hangs_up_first_was_not_asked_and_who_hangs_up_when_asked_has_not_rated():
    async def main():
        centre = Centre(RATED)
        mine, phone, _ = await served(centre)
        centre.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await asyncio.sleep(1.0)
        assert [each.result for each in centre.of(CallRated)] == ["not_sent"]
        await centre.app.do(Ready(agent_id="a9"))
        second = centre.caller("4009", "2")
        incoming = await phone.wait("incoming")
        await phone.wait("answered")
        await asyncio.sleep(1.0)
        phone.agent.hang_up(incoming.call)
        await asyncio.sleep(1.0)
        centre.carrier.agent.hang_up(second.id)
        await asyncio.sleep(1.0)
        assert [each.result for each in centre.of(CallRated)] == ["not_sent", "hung_up"]
        await centre.close()

    run_virtual(main())


def test_who_never_had_an_agent_and_queues_that_do_not_ask_rate_nothing():
    async def main():
        centre = Centre(RATED)
        waiting = centre.caller("4009")
        await centre.carrier.wait("answered", call=waiting.id)
        centre.carrier.agent.hang_up(waiting.id)
        phone = await centre.agent("a1", "1001")
        mine = centre.caller()
        incoming = await phone.wait("incoming")
        await phone.wait("answered")
        phone.agent.hang_up(incoming.call)
        await centre.carrier.wait("ended", call=mine.id)
        assert not centre.of(CallRated)
        await centre.close()

    run_virtual(main())
