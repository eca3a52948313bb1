"""Whole switch, virtual time: what who waits in a queue is told and can do about it, and what caller and agent hear
when they are connected (ACD-06, ACD-13, ACD-18, XACD-04). That it reaches the right ears is tests/media's."""

import asyncio

from model import media
from model.commands_agent import Ready
from model.events_queue import OfferMade, QueueLeft
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_queues import Centre

TOLD = """
[[access_number]]
number = "4021"
to = "queue:told"
[[access_number]]
number = "4022"
to = "queue:told"
language = "en"
[[queue]]
name = "told"
[queue.sound]
background = "file:advert.wav"
distribute_after_s = 4
position_every_s = 20
is_position_first = true
only_when_better = false
has_ewt = true
callback_key = "2"
announce_agent = true
whisper = "file:told.wav"
[queue.callback]
is_enabled = true
dial_prefix = "9"
[[agent]]
agent_id = "7001"
extension = "1003"
queues = [{ queue = "told" }]
"""


def plays(centre, leg):
    return [play for play in centre.switch.worker.of(media.Play) if play.leg == leg]


async def waiting(centre, number="4021"):
    mine = centre.caller(number)
    await centre.carrier.wait("answered", call=mine.id)
    await asyncio.sleep(0.1)
    live = next(one for one in centre.switch.core.calls.calls.values() if one.phase == "queue")
    return mine, live


def said(centre, live):
    return [play.sources for play in plays(centre, live.a) if play.play_id == "said"]


async def finished(centre, live):
    centre.switch.worker.tell(media.PlayFinished(live.call_id, live.a, "said"))
    await asyncio.sleep(0.01)


def test_acd_06_the_place_is_told_again_and_again_and_the_music_goes_on_where_it_would_be():
    async def main():
        centre = Centre(TOLD)
        mine, live = await waiting(centre)
        first, _ = plays(centre, live.a)[:2]
        assert (first.play_id, first.is_looped, first.offset_s) == ("queue", True, 0.0)
        assert first.sources[0].endswith("advert.wav")
        assert said(centre, live) == [
            ["voice:zh/you_are_next", "voice:zh/for_callback", "voice:zh/2"],
        ]
        await asyncio.sleep(3.9)
        await finished(centre, live)
        again = plays(centre, live.a)[-1]
        assert (again.play_id, again.is_looped) == ("queue", True)
        assert 3.9 < again.offset_s < 4.2
        await asyncio.sleep(20.0)
        assert len(said(centre, live)) == 2
        centre.carrier.agent.hang_up(mine.id)
        await centre.close()

    run_virtual(main())


def test_acd_06_in_the_language_of_the_access_number():
    async def main():
        centre = Centre(TOLD)
        mine, live = await waiting(centre, "4022")
        assert said(centre, live) == [["voice:en/you_are_next", "voice:en/for_callback", "voice:en/2"]]
        centre.carrier.agent.hang_up(mine.id)
        await centre.close()

    run_virtual(main())


def test_acd_06_a_key_ends_what_is_said_and_chooses():
    async def main():
        centre = Centre(TOLD)
        mine, live = await waiting(centre)
        centre.switch.worker.tell(media.Digit(live.call_id, live.a, "5", 80))
        await asyncio.sleep(0.05)
        stop = centre.switch.worker.of(media.StopPlay)[-1]
        assert (stop.leg, stop.play_id) == (live.a, "said")
        assert plays(centre, live.a)[-1].play_id == "queue"
        await asyncio.sleep(21.0)
        assert len(said(centre, live)) == 2
        centre.switch.worker.tell(media.Digit(live.call_id, live.a, "2", 80))
        await asyncio.sleep(0.05)
        assert said(centre, live)[-1] == ["voice:zh/will_call_back"]
        await finished(centre, live)
        await centre.carrier.wait("ended", call=mine.id)
        assert [each.reason for each in centre.of(QueueLeft)] == ["callback_converted"]
        centre.switch.core.runtime.run(
            lambda now: centre.switch.core.calls.release_all(live.hangup_cause, now)  # the callback
        )
        await centre.close()

    run_virtual(main())


def test_acd_13_acd_18_agents_are_looked_for_later_and_both_are_told_who_the_other_is():
    async def main():
        centre = Centre(TOLD)
        phone = await centre.agent("7001", "1003")
        mine, live = await waiting(centre)
        await asyncio.sleep(3.5)
        assert not centre.of(OfferMade)
        await phone.wait("answered")
        await asyncio.sleep(0.1)
        caller = plays(centre, live.a)[-1]
        assert (caller.play_id, caller.is_looped) == ("agent_number", False)
        assert [each.rpartition("/")[2] for each in caller.sources] == [
            "agent",
            "7",
            "0",
            "0",
            "yao",
            "at_your_service",
        ]
        (agent,) = plays(centre, live.b)
        assert agent.play_id == "whisper"
        assert agent.sources[0].endswith("told.wav")
        # The announcement was going on when he was connected: it has ended, and is not told as a play of the API's.
        assert centre.switch.worker.of(media.StopPlay)[-1].leg == live.a
        centre.switch.worker.tell(media.PlayFinished(live.call_id, live.a, "agent_number"))
        await asyncio.sleep(30.0)
        assert not [each for each in centre.switch.events if type(each).__name__ == "CallPlayFinished"]
        assert len(said(centre, live)) == 1
        centre.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await centre.app.do(Ready(agent_id="7001"))
        await centre.close()

    run_virtual(main())
