"""Whole switch, virtual time: a flow listens to what its caller says (XIVR-05): when it begins and ends, what is told
to the listening process, what its answers lead to, and that nothing stays behind.

The process and real services are in tests/speech/test_ears.py, a real call in tests/live/test_listening.py.
"""

import asyncio

import pytest

from model import media
from model.events_flow import FlowEnded, FlowLeft, FlowTrouble
from switch.actions import HearCaller, StopHearing
from switch.leg_events import CallerHeard
from tests.harness.virtual_loop import run_virtual
from tests.ivr.flow_of import document
from tests.scenarios.test_ivr import Hotline

FLOW = document(
    {
        "id": "what",
        "type": "listen",
        "variable": "wish",
        "say": [{"kind": "sound", "source": "voice:zh/for_other"}],
        "hints": ["销售", "服务"],
        "accept": 'contains(wish, "销售") or wish = "1"',
        "retries": 1,
        "next": "sales",
        "no_input": "bye",
        "no_match": "bye",
        "failed": "bye",
    },
    {"id": "sales", "type": "data", "data": {"wish": "{wish}"}, "next": "to_sales"},
    {"id": "to_sales", "type": "queue", "queue": "sales"},
    {"id": "bye", "type": "hang_up"},
)
ON = '\n[recognition]\nprovider = "websocket"\nurl = "ws://127.0.0.1:9"\n'


class Listener(Hotline):
    def __init__(self, folder) -> None:
        super().__init__(folder, FLOW, ON)
        self.asked: list[HearCaller] = []
        self.stopped: list[StopHearing] = []
        runtime = self.switch.core.runtime
        runtime.also_perform(HearCaller, lambda action, now: self.asked.append(action))
        runtime.also_perform(StopHearing, lambda action, now: self.stopped.append(action))

    async def speak(self, is_speaking: bool = True) -> None:
        self.switch.worker.tell(media.SpeechChanged(self.live.call_id, self.live.a, is_speaking))
        await asyncio.sleep(0.2)

    async def understood(self, text: str, error: str = "") -> None:
        self.switch.core.runtime.tell(CallerHeard(self.asked[-1].call_id, "", self.asked[-1].token, text, error))
        await asyncio.sleep(0.2)

    def branches(self) -> list[str]:
        return [each.branch for each in self.of(FlowLeft)]


def scenario(steps):
    def test(tmp_path):
        async def main():
            centre = Listener(tmp_path)
            mine = await centre.call()
            await steps(centre, mine)
            await centre.close()

        run_virtual(main())

    test.__doc__ = steps.__doc__
    return test


@scenario
async def test_xivr_05_what_is_said_decides(centre, mine):
    assert not centre.asked
    await centre.listen()
    (asked,) = centre.asked
    assert (asked.language, asked.hints) == ("zh", ("销售", "服务"))
    (begun,) = centre.switch.worker.of(media.StartRecording)
    assert (begun.path, begun.channels, begun.encoding) == (asked.path, [[centre.live.a]], "pcm16")
    assert "speech" in centre.switch.worker.of(media.ConfigureLeg)[-1].detect
    await centre.speak()
    await asyncio.sleep(3.0)
    await centre.speak(is_speaking=False)
    assert not centre.switch.worker.of(media.StopRecording)
    await asyncio.sleep(1.5)
    assert len(centre.switch.worker.of(media.StopRecording)) == 1
    assert [(each.token, each.is_wanted) for each in centre.stopped] == [(asked.token, True)]
    await centre.understood("我要找销售")
    assert centre.branches() == ["next", "next"]
    assert centre.live.variables["wish"] == "我要找销售"
    assert [each.result for each in centre.of(FlowEnded)] == ["queue"]
    # It is no recording of the call.
    assert centre.switch.recordings == {}
    await centre.hang_up(mine)


@scenario
async def test_a_service_that_is_sure_at_once_ends_it(centre, mine):
    await centre.listen()
    await centre.speak()
    await centre.understood("销售")
    assert centre.branches() == ["next", "next"]
    assert len(centre.switch.worker.of(media.StopRecording)) == 1
    assert centre.stopped[-1].is_wanted is False
    await centre.hang_up(mine)


@scenario
async def test_who_says_nothing_is_asked_again_and_then_let_go(centre, mine):
    await centre.listen()
    await asyncio.sleep(6.0)
    assert centre.stopped[-1].is_wanted is False
    assert centre.branches() == []
    await centre.listen()
    assert len(centre.asked) == 2
    await asyncio.sleep(6.0)
    assert centre.branches() == ["no_input"]
    assert [each.result for each in centre.of(FlowEnded)] == ["ended"]
    await centre.carrier.wait("ended", call=mine.id)


@scenario
async def test_what_does_not_fit_is_asked_again(centre, mine):
    for n in (1, 2):
        await centre.listen()
        await centre.speak()
        await centre.understood("你好")
        assert centre.branches() == ["no_match"] * (n - 1)
    assert mine is not None


@scenario
async def test_a_key_counts_as_if_it_were_said(centre, mine):
    await centre.listen()
    await centre.keys("1")
    assert centre.branches() == ["next", "next"]
    assert centre.stopped[-1].is_wanted is False
    await centre.hang_up(mine)


@scenario
async def test_who_does_not_stop_is_stopped(centre, mine):
    await centre.listen()
    await centre.speak()
    await asyncio.sleep(26.0)
    assert len(centre.switch.worker.of(media.StopRecording)) == 1
    await centre.understood("销售")
    assert centre.branches() == ["next", "next"]
    await centre.hang_up(mine)


@pytest.mark.parametrize("why", ["error", "never"])
def test_what_cannot_be_understood_has_a_branch(tmp_path, why):
    async def main():
        centre = Listener(tmp_path)
        await centre.call()
        await centre.listen()
        await centre.speak()
        if why == "error":
            await centre.understood("", "recognition is off")
        else:
            await asyncio.sleep(60.0)
        assert centre.branches() == ["failed"]
        assert len(centre.of(FlowTrouble)) == 1
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize("when", ["asked", "speaking", "closing"])
def test_whoever_hangs_up_leaves_nothing_behind(tmp_path, when):
    async def main():
        centre = Listener(tmp_path)
        mine = await centre.call()
        await centre.listen()
        if when != "asked":
            await centre.speak()
        if when == "closing":
            await centre.speak(is_speaking=False)
            await asyncio.sleep(1.5)
        await centre.hang_up(mine)
        assert centre.stopped[-1].is_wanted is False
        assert [each.result for each in centre.of(FlowEnded)] == ["hung_up"]
        # An answer that comes now is nobody's.
        await centre.understood("销售")
        await asyncio.sleep(5.0)
        assert not centre.switch.core.calls.calls
        await centre.close()

    run_virtual(main())
