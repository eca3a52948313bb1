"""Whole switch, virtual time: who waits hears the steps of the queue's program one after another (XIVR-04)."""

import asyncio

import pytest

from model import media
from model.commands_agent import Ready
from model.events_queue import QueueLeft
from switch.config_file import ConfigError, parse_config
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_queue_sounds import plays, said, waiting
from tests.scenarios.test_queues import Centre

PROGRAM = """
[[access_number]]
number = "4021"
to = "queue:told"
[[queue]]
name = "told"
[queue.sound]
background = "file:advert.wav"
position_every_s = 5
callback_key = "2"
voicemail_key = "*"
voicemail_to = "hangup"
[[queue.sound.program]]
kind = "say"
sources = ["voice:zh/please_wait", "file:news.wav"]
[[queue.sound.program]]
kind = "position"
[[queue.sound.program]]
kind = "music"
seconds = 20
[[queue.sound.program]]
kind = "wait"
[[queue.sound.program]]
kind = "choices"
[[queue.sound.program]]
kind = "music"
seconds = 30
sources = ["file:own.wav"]
[queue.callback]
is_enabled = true
dial_prefix = "9"
expires_s = 90
[[agent]]
agent_id = "7001"
extension = "1003"
queues = [{ queue = "told" }]
"""
CHOICES = ["voice:zh/for_callback", "voice:zh/2", "voice:zh/for_other", "voice:zh/star"]


async def ended(centre, live) -> None:
    play = plays(centre, live.a)[-1]
    centre.switch.worker.tell(media.PlayFinished(live.call_id, live.a, play.play_id))
    await asyncio.sleep(0.01)


def last(centre, live) -> list[str]:
    return [source.rpartition("/")[2] for source in plays(centre, live.a)[-1].sources]


def test_xivr_04_the_steps_of_a_program_follow_one_another_and_begin_again():
    async def main():
        centre = Centre(PROGRAM)
        mine, live = await waiting(centre)
        for _ in range(2):
            assert last(centre, live) == ["please_wait", "news.wav"]
            await asyncio.sleep(60.0)
            await ended(centre, live)
            assert last(centre, live) == ["you_are_next"]
            await ended(centre, live)
            assert (last(centre, live), plays(centre, live.a)[-1].is_looped) == (["advert.wav"], True)
            await asyncio.sleep(19.9)
            assert last(centre, live) == ["advert.wav"]
            await asyncio.sleep(0.2)
            # How long it will take is not known, and passed over.
            assert [*plays(centre, live.a)[-1].sources] == CHOICES
            await ended(centre, live)
            assert (last(centre, live), plays(centre, live.a)[-1].offset_s) == (["own.wav"], 0.0)
            await asyncio.sleep(30.1)
        assert len({play.play_id for play in plays(centre, live.a)}) == len(plays(centre, live.a)) - 1
        centre.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(40.0)
        assert not centre.switch.core.calls.calls
        await centre.close()

    run_virtual(main())


def test_how_long_it_will_take_is_told_when_it_is_known():
    async def main():
        centre = Centre(PROGRAM)
        queue = centre.switch.core.floor.centre.engine.state.queues["told"]
        mine, live = await waiting(centre)
        now = centre.switch.loop.time()
        queue.connects += [now - 300.0 + 60.0 * n for n in range(5)]
        await ended(centre, live)
        await ended(centre, live)
        await asyncio.sleep(20.1)
        assert last(centre, live)[0] == "wait_about" and last(centre, live)[-1] == "minutes"
        await ended(centre, live)
        assert [*plays(centre, live.a)[-1].sources] == CHOICES
        centre.carrier.agent.hang_up(mine.id)
        await centre.close()

    run_virtual(main())


def test_a_key_ends_what_is_said_and_the_program_goes_on():
    async def main():
        centre = Centre(PROGRAM)
        mine, live = await waiting(centre)
        centre.switch.worker.tell(media.Digit(live.call_id, live.a, "5", 100))
        await asyncio.sleep(0.1)
        assert last(centre, live) == ["you_are_next"]
        centre.switch.worker.tell(media.Digit(live.call_id, live.a, "5", 100))
        await asyncio.sleep(0.1)
        assert last(centre, live) == ["advert.wav"]
        centre.switch.worker.tell(media.Digit(live.call_id, live.a, "2", 100))
        await asyncio.sleep(0.1)
        assert last(centre, live) == ["will_call_back"]
        # No step comes between what he hears and the end.
        await asyncio.sleep(25.0)
        assert last(centre, live) == ["will_call_back"]
        await ended(centre, live)
        await centre.carrier.wait("ended", call=mine.id)
        assert [each.reason for each in centre.of(QueueLeft)] == ["callback_converted"]
        await asyncio.sleep(100.0)
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize("after_s", [0.0, 30.0])
def test_an_agent_ends_the_program_wherever_it_is(after_s):
    async def main():
        centre = Centre(PROGRAM)
        phone = await centre.agent("7001", "1003", is_ready=False)
        mine, live = await waiting(centre)
        if after_s:
            await ended(centre, live)
            await ended(centre, live)
            await asyncio.sleep(10.0)
        n_said = len(said(centre, live))
        await centre.app.do(Ready(agent_id="7001"))
        incoming = await phone.wait("incoming")
        await phone.wait("answered")
        await asyncio.sleep(60.0)
        assert live.phase == "bridged" and len(said(centre, live)) == n_said
        phone.agent.hang_up(incoming.call)
        await centre.carrier.wait("ended", call=mine.id)
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ('[{ kind = "position" }]', "has no step music"),
        ('[{ kind = "music", seconds = 0.1 }]', "music of less than a second"),
        ('[{ kind = "music" }, { kind = "say" }]', "has nothing to say"),
        ('[{ kind = "music" }, { kind = "wait", sources = ["file:a.wav"] }]', "wait has no sources"),
        ('[{ kind = "music", sources = ["file:/etc/passwd"] }]', "must lie in the prompts folder"),
        ('[{ kind = "dance" }]', "dance"),
    ],
)
def test_programs_that_cannot_be_are_refused(steps, problem):
    with pytest.raises(ConfigError) as error:
        parse_config(f'[[queue]]\nname = "q"\n[queue.sound]\nprogram = {steps}')
    assert problem in str(error.value) and "program" in str(error.value)
