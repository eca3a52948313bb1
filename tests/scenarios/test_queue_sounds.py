"""Whole switch, virtual time: what who waits in a queue is told and can do about it, and what caller and agent hear
when they are connected (ACD-06, ACD-13, ACD-18, XACD-04). That it reaches the right ears is tests/media's."""

import asyncio

import pytest

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


LEAVING = """
[[access_number]]
number = "4031"
to = "queue:to_queue"
whisper = "file:hotline.wav"
[[access_number]]
number = "4032"
to = "queue:to_number"
[[access_number]]
number = "4033"
to = "queue:to_nobody"
[[queue]]
name = "to_queue"
[queue.sound]
background = "file:advert.wav"
position_every_s = 20
is_position_first = true
voicemail_key = "*"
voicemail_to = "queue:told"
whisper = "file:told.wav"
[[queue]]
name = "to_number"
[queue.sound]
voicemail_key = "0"
voicemail_to = "external:913800002222"
[[queue]]
name = "to_nobody"
[queue.sound]
voicemail_key = "9"
voicemail_to = "hangup"
[[agent]]
agent_id = "7002"
extension = "1004"
queues = [{ queue = "to_queue" }]
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
    return [play.sources for play in plays(centre, live.a) if play.play_id.startswith("said")]


async def finished(centre, live):
    play_id = plays(centre, live.a)[-1].play_id
    assert play_id.startswith("said")
    centre.switch.worker.tell(media.PlayFinished(live.call_id, live.a, play_id))
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
        assert (stop.leg, stop.play_id) == (live.a, "said1.1")
        assert plays(centre, live.a)[-1].play_id == "queue"
        await asyncio.sleep(21.0)
        assert len(said(centre, live)) == 2
        centre.switch.worker.tell(media.Digit(live.call_id, live.a, "2", 80))
        await asyncio.sleep(0.05)
        assert said(centre, live)[-1] == ["voice:zh/will_call_back"]
        # The end of what was interrupted comes late, and is not the end of this.
        centre.switch.worker.tell(media.PlayFinished(live.call_id, live.a, "said1.2", "stopped"))
        await asyncio.sleep(0.5)
        assert mine.is_up
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


async def press(centre, live, digit):
    centre.switch.worker.tell(media.Digit(live.call_id, live.a, digit, 80))
    await asyncio.sleep(0.05)


def test_acd_06_a_key_leads_to_another_queue_and_its_music_begins():
    async def main():
        centre = Centre(TOLD + LEAVING)
        mine, live = await waiting(centre, "4031")
        assert said(centre, live) == [["voice:zh/you_are_next", "voice:zh/for_other", "voice:zh/star"]]
        await press(centre, live, "*")
        assert [(each.queue, each.reason) for each in centre.of(QueueLeft)] == [("to_queue", "exit_key")]
        assert live.stay.queue == "told"
        *_, music, place = plays(centre, live.a)
        # The worker takes a play of an id that plays for the same one: it must differ from that of the first queue.
        assert (music.play_id, music.offset_s, music.is_looped) == ("queue2", 0.0, True)
        assert (place.play_id, place.sources[0]) == ("said2.1", "voice:zh/you_are_next")
        # The end of what was said in the queue before is nothing to this one.
        n_plays = len(plays(centre, live.a))
        centre.switch.worker.tell(media.PlayFinished(live.call_id, live.a, "said1.1", "replaced"))
        await asyncio.sleep(0.05)
        assert len(plays(centre, live.a)) == n_plays
        await press(centre, live, "*")
        assert live.stay.queue == "told", "the key of the queue before means nothing here"
        centre.carrier.agent.hang_up(mine.id)
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize("is_rung", [False, True])
def test_acd_06_a_key_leads_outside_whether_an_agent_is_rung_or_not(is_rung):
    async def main():
        centre = Centre(TOLD + LEAVING.replace('{ queue = "to_queue" }', '{ queue = "to_number" }'))
        phone = await centre.agent("7002", "1004", answer_after_s=-1.0) if is_rung else None
        mine, live = await waiting(centre, "4032")
        await press(centre, live, "1")
        assert not centre.of(QueueLeft), "no other key leads anywhere"
        await press(centre, live, "0")
        incoming = await centre.carrier.wait("incoming")
        assert incoming.dialed == "13800002222"
        assert [each.reason for each in centre.of(QueueLeft)] == ["exit_key"]
        await asyncio.sleep(0.5)
        music, ringback = plays(centre, live.a)
        assert ringback.play_id != music.play_id
        assert ringback.sources == ["tone:ringback/cn"]
        if phone is not None:
            assert not phone.agent.calls
            assert await centre.state("7002") == "available"
        centre.carrier.agent.answer(incoming.call)
        await asyncio.sleep(1.0)
        assert live.phase == "bridged"
        centre.carrier.agent.hang_up(incoming.call)
        await centre.carrier.wait("ended", call=mine.id)
        await centre.close()

    run_virtual(main())


def test_acd_06_a_key_may_end_the_call():
    async def main():
        centre = Centre(TOLD + LEAVING)
        mine, live = await waiting(centre, "4033")
        await press(centre, live, "9")
        await centre.carrier.wait("ended", call=mine.id)
        assert [each.reason for each in centre.of(QueueLeft)] == ["exit_key"]
        await centre.close()

    run_virtual(main())


def test_xacd_11_the_agent_hears_what_was_dialled_rather_than_the_queue_and_the_recording_has_neither():
    async def main():
        centre = Centre(TOLD + LEAVING)
        phone = await centre.agent("7002", "1004")
        mine, live = await waiting(centre, "4031")
        await phone.wait("answered")
        await asyncio.sleep(0.1)
        (whisper,) = plays(centre, live.b)
        assert (whisper.play_id, whisper.sources[0].rpartition("/")[2]) == ("whisper", "hotline.wav")
        # They talk already; what is played to a leg is no part of what the leg says.
        edges = centre.switch.worker.of(media.ConnectMatrix)[-1].edges
        assert {(each.speaker, each.listener) for each in edges} == {(live.a, live.b), (live.b, live.a)}
        (recording,) = centre.switch.worker.of(media.StartRecording)
        assert recording.channels == [[live.a], [live.b]]
        centre.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await centre.close()

    run_virtual(main())
