"""Whole switch, virtual time: texts of flows are spoken (IVR-10, IVR-13), and what happens when they are not."""

import asyncio
import json

import pytest

from ivr.speaking import Speech
from model import media
from model.events_flow import FlowTrouble, FlowVisited
from speech.errors import SpeechError
from switch import speech_service
from switch.config_file import parse_config
from switch.flows import load_flows
from switch.listening import UnusableError
from tests.harness.virtual_loop import run_virtual
from tests.ivr.flow_of import document, variable
from tests.scenarios.test_flow_admin import Editor
from tests.scenarios.test_ivr import Hotline, spoken

MENU = "请按一"
FLOW = document(
    {
        "id": "menu",
        "type": "menu",
        "say": [*spoken("for_other"), {"kind": "text", "text": MENU}],
        "choices": {"1": "tell", "2": "english"},
        "no_input": "bye",
        "no_match": "bye",
    },
    {"id": "english", "type": "language", "language": "en-GB", "next": "tell"},
    {"id": "tell", "type": "play", "say": [{"kind": "text", "text": "{caller}:"}, *variable("name")], "next": "bye"},
    {"id": "bye", "type": "play", "say": spoken("will_call_back")},
    exit="bye",
    variables=[{"name": "name", "initial": "王先生"}],
)


class Mouth:
    """In the place of the speech worker: takes as long as it is told."""

    def __init__(self, takes_s: float = 0.5) -> None:
        self.takes_s = takes_s
        self.asked: list[tuple[str, str, bool]] = []
        self.told_used: list[str] = []
        self.broken = ""

    async def make(self, text, language, timeout_s, *, is_ahead=False):
        self.asked.append((text, language, is_ahead))
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.sleep(self.takes_s)
        except TimeoutError:
            raise SpeechError(f"not made within {timeout_s:g} s") from None
        if self.broken:
            raise SpeechError(self.broken)
        return f"/speech/{language}/{text}.wav"

    def used(self, paths):
        self.told_used += paths


class Speaking(Hotline):
    def __init__(self, folder, mouth: Mouth) -> None:
        super().__init__(folder, FLOW)
        self.tasks: list[asyncio.Task] = []
        self.mouth = mouth
        self.switch.core.speech.use(mouth, lambda work: self.tasks.append(asyncio.ensure_future(work)), 3.0)

    def troubles(self) -> list[str]:
        return [each.problem for each in self.of(FlowTrouble)]

    async def close(self) -> None:
        assert self.switch.core.runtime.counters.unhandled_errors == 0
        assert self.switch.core.calls.counters.unhandled_errors == 0
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await super().close()


ZH_MENU = f"file:/speech/zh/{MENU}.wav"


def test_ivr_13_a_text_is_spoken_in_the_place_where_it_stands_and_at_once_the_second_time(tmp_path):
    async def main():
        centre = Speaking(tmp_path, Mouth(1.0))
        mine = await centre.call()
        assert not centre.played()
        await asyncio.sleep(1.0)
        assert centre.played() == ["voice:zh/for_other", ZH_MENU]
        await centre.hang_up(mine)
        again = await centre.call()
        assert centre.played()[2:] == ["voice:zh/for_other", ZH_MENU]
        assert centre.mouth.asked == [(MENU, "zh", False)]
        assert not centre.troubles()
        await asyncio.sleep(31.0)
        assert centre.mouth.told_used == [f"/speech/zh/{MENU}.wav"]
        await centre.hang_up(again)
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize(("keys", "language"), [("1", "zh"), ("2", "en")])
def test_ivr_10_variables_are_spoken_in_the_language_of_the_caller(tmp_path, keys, language):
    async def main():
        centre = Speaking(tmp_path, Mouth())
        mine = await centre.call()
        await centre.keys(keys)
        await asyncio.sleep(1.0)
        assert centre.played()[-2:] == [
            f"file:/speech/{language}/13800001111:.wav",
            "file:/speech/zh/王先生.wav",
        ]
        await centre.listen()
        assert centre.played()[-1] == "voice:zh/will_call_back"
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_keys_count_while_a_text_is_made_and_it_is_not_played_any_more(tmp_path):
    async def main():
        centre = Speaking(tmp_path, Mouth(2.0))
        mine = await centre.call()
        await centre.keys("1")
        assert [each.at_node for each in centre.of(FlowVisited)] == ["menu", "tell"]
        await asyncio.sleep(5.0)
        assert ZH_MENU not in centre.played()
        assert centre.played()[-1] == "file:/speech/zh/王先生.wav"
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_a_caller_who_hangs_up_while_a_text_is_made(tmp_path):
    async def main():
        centre = Speaking(tmp_path, Mouth(2.0))
        mine = await centre.call()
        await centre.hang_up(mine)
        await asyncio.sleep(5.0)
        assert centre.results() == ["hung_up"]
        assert not centre.switch.core.calls.calls
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("takes_s", "broken", "why"), [(60.0, "", "not made within 3 s"), (0.1, "no voice", "no voice")]
)
def test_speech_that_is_down_is_a_tone_and_the_flow_goes_on(tmp_path, takes_s, broken, why):
    async def main():
        centre = Speaking(tmp_path, Mouth(takes_s))
        centre.mouth.broken = broken
        mine = await centre.call()
        await asyncio.sleep(3.5)
        assert centre.troubles() == [f"text cannot be spoken: {why}"]
        assert centre.played() == ["voice:zh/for_other", centre.switch.core.env.refused]
        await centre.keys("9")
        await asyncio.sleep(3.5)
        assert len(centre.troubles()) == 2
        centre.mouth.takes_s, centre.mouth.broken = 0.1, ""
        await centre.keys("1")
        assert centre.played()[-1] == "file:/speech/zh/王先生.wav"
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_without_a_worker_it_is_a_tone_at_once(tmp_path):
    async def main():
        centre = Hotline(tmp_path, FLOW)
        mine = await centre.call()
        assert centre.played() == ["voice:zh/for_other", centre.switch.core.env.refused]
        assert "speech is off" in centre.of(FlowTrouble)[0].problem
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_a_file_that_cannot_be_played_is_made_anew_once(tmp_path):
    async def main():
        centre = Speaking(tmp_path, Mouth())
        mine = await centre.call()
        await asyncio.sleep(1.0)
        await centre.listen("error")
        await asyncio.sleep(1.0)
        assert centre.played()[-2:] == ["voice:zh/for_other", ZH_MENU]
        assert [text for text, *_ in centre.mouth.asked] == [MENU, MENU]
        assert not centre.troubles()
        await centre.listen("error")
        assert centre.troubles() == ["a sound cannot be played"]
        assert centre.played()[-1] == centre.switch.core.env.refused
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_files_that_are_gone_are_made_again(tmp_path):
    async def main():
        centre = Speaking(tmp_path, Mouth())
        mine = await centre.call()
        await asyncio.sleep(1.0)
        await centre.hang_up(mine)
        centre.switch.core.speech.gone([f"/speech/zh/{MENU}.wav", "/speech/zh/other.wav"])
        mine = await centre.call()
        await asyncio.sleep(1.0)
        assert [text for text, *_ in centre.mouth.asked] == [MENU, MENU]
        assert centre.played()[-1] == ZH_MENU
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_what_is_made_ahead_waits_for_nobody(tmp_path, caplog):
    async def main():
        centre = Speaking(tmp_path, Mouth())
        speech = centre.switch.core.speech
        await speech.render_ahead([Speech(MENU, "zh"), Speech("", "zh"), Speech("x" * 2001, "en")])
        assert centre.mouth.asked == [(MENU, "zh", True)]
        assert "a text has 1 to 2000 characters, this one has 2001" in caplog.text
        mine = await centre.call()
        assert centre.played() == ["voice:zh/for_other", ZH_MENU]
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_others_want_texts_too(tmp_path):
    async def main():
        centre = Speaking(tmp_path, Mouth())
        speech = centre.switch.core.speech
        wanted = [Speech(" a\n\tb\0c ", "en-GB"), Speech("a b c", "en"), Speech("\n", "en")]
        first, second, none = await speech.want(wanted)
        assert first == second == "/speech/en/a b c.wav"
        assert isinstance(none, SpeechError)
        assert await speech.want(wanted[:1], is_anew=True) == [first]
        assert [text for text, *_ in centre.mouth.asked] == ["a b c", "a b c"]
        await centre.close()

    run_virtual(main())


def test_who_wants_the_same_text_waits_for_the_same_and_never_for_what_is_made_ahead(tmp_path):
    async def main():
        centre = Speaking(tmp_path, Mouth(1.0))
        speech = centre.switch.core.speech
        ahead = asyncio.ensure_future(speech.want([Speech(MENU, "zh")], is_ahead=True))
        callers = [await centre.call() for _ in range(3)]
        await asyncio.sleep(1.0)
        assert centre.mouth.asked == [(MENU, "zh", True), (MENU, "zh", False)]
        assert centre.played() == ["voice:zh/for_other", ZH_MENU] * 3
        assert await ahead == [f"/speech/zh/{MENU}.wav"]
        first = asyncio.ensure_future(speech.want([Speech("a", "en")]))
        second = asyncio.ensure_future(speech.want([Speech("a", "en")]))
        await asyncio.sleep(0.1)
        first.cancel()
        assert str((await second)[0]) == "given up"
        centre.mouth.broken = "no voice"
        both = await asyncio.gather(*(speech.want([Speech("b", "en")]) for _ in range(2)))
        assert [str(each[0]) for each in both] == ["no voice", "no voice"]
        for mine in callers:
            await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_no_more_than_so_many_callers_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(speech_service, "MAX_WAITING", 1)

    async def main():
        centre = Speaking(tmp_path, Mouth(2.0))
        first = await centre.call()
        second = await centre.call()
        assert centre.troubles() == ["text cannot be spoken: 1 callers wait for texts"]
        assert centre.played() == ["voice:zh/for_other", centre.switch.core.env.refused]
        await asyncio.sleep(2.0)
        assert centre.played()[-1] == ZH_MENU
        await centre.hang_up(first)
        await centre.hang_up(second)
        await centre.close()

    run_virtual(main())


def test_no_more_than_so_many_texts_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(speech_service, "MAX_KNOWN", 2)

    async def main():
        centre = Speaking(tmp_path, Mouth())
        speech = centre.switch.core.speech
        for text in "abcb":
            await speech.want([Speech(text, "en")])
        await speech.want([Speech("a", "en")])
        assert [text for text, *_ in centre.mouth.asked] == ["a", "b", "c", "a"]
        await centre.close()

    run_virtual(main())


def test_a_call_that_says_text_keeps_it_out_of_the_log():
    from switch.actions import MakeSpeech

    assert "secret" not in repr(MakeSpeech("c", "l", "t", (Speech("secret", "en"),)))


def test_flows_with_text_are_refused_where_speech_is_off(tmp_path):
    (tmp_path / "main.json").write_text(json.dumps(FLOW))
    text = f'[ivr]\nflows = "{tmp_path}"\n'
    assert load_flows(parse_config(text)).keys() == {"main"}
    with pytest.raises(UnusableError) as failure:
        load_flows(parse_config(text + "[speech]\nenabled = false\n"))
    assert "menu.say.1: is text, and speech is off" in str(failure.value)
    assert "tell.say.1: is text, and speech is off" in str(failure.value)


def test_a_menu_asks_again_with_its_text(tmp_path):
    async def main():
        centre = Speaking(tmp_path, Mouth())
        mine = await centre.call()
        await asyncio.sleep(1.0)
        first = centre.switch.worker.of(media.Play)[-1]
        await centre.listen()
        await asyncio.sleep(6.0)
        second = centre.switch.worker.of(media.Play)[-1]
        assert second.sources == first.sources and second.play_id != first.play_id
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_texts_of_a_flow_are_spoken_when_it_is_published(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        mouth, tasks = Mouth(), []
        centre.switch.core.speech.use(mouth, lambda work: tasks.append(asyncio.ensure_future(work)), 3.0)
        await centre.publish({**FLOW, "name": "night"})
        await asyncio.sleep(1.0)
        await asyncio.sleep(1.0)
        assert mouth.asked == [(MENU, "zh", True), ("0", "en", True)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await centre.close()

    run_virtual(main())
