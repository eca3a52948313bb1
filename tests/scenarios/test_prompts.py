"""Whole switch, virtual time: callers hear prompts of the library in their language (XIVR-06).

How the audio gets there is in tests/switch/test_prompts_desk.py and tests/media/test_conversion.py.
"""

import asyncio
import json

import msgspec
import pytest

from control.auth import Caller
from model import errors
from model.access_numbers import AccessNumber
from model.commands import Play
from model.commands_access import SetAccessNumber
from model.commands_centre import CreateQueue
from model.commands_prompts import GetPrompt, ListPrompts, RemovePrompt, SetPrompt
from model.events_flow import FlowTrouble
from model.events_prompts import PromptChanged, PromptRemoved
from model.prompts import Prompt, PromptAudio
from switch.flows import load_flows
from switch.listening import UnusableError
from tests.harness.virtual_loop import run_virtual
from tests.ivr.flow_of import document
from tests.scenarios.test_control import SimApp
from tests.scenarios.test_ivr import Hotline

ROOT = Caller("root", "administrator")


def audio(name: str, *languages: str) -> dict[str, PromptAudio]:
    return {each: PromptAudio(file=f"{name}.{each}.wav", duration_s=1.0, sha256="0") for each in languages}


LIBRARY = {
    each.name: each
    for each in (
        Prompt(name="both", audio=audio("both", "zh", "en")),
        Prompt(name="chinese", audio=audio("chinese", "zh")),
        Prompt(name="text", texts={"en": "Hello", "zh": "您好"}),
        Prompt(name="french", audio=audio("french", "fr")),
    )
}


def play(node: str, *names: str, **more) -> dict[str, object]:
    return {
        "id": node,
        "type": "play",
        "say": [{"kind": "sound", "source": f"prompt:{each}"} for each in names],
        **more,
    }


FLOW = document(
    {"id": "menu", "type": "menu", "say": [{"kind": "sound", "source": "prompt:both"}], "choices": {"1": "english"}},
    {"id": "english", "type": "language", "language": "en-GB", "next": "said"},
    play("said", "both", "chinese", "french", next="spoken"),
    play("spoken", "text", "both"),
    language="zh",
)


class Library(Hotline):
    """A hotline whose flow plays prompts."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        core = self.switch.core
        core.directory.prompts.update(LIBRARY)
        (folder / "main.json").write_text(json.dumps(FLOW))
        core.directory.flows = load_flows(core.env.config, library=core.directory.prompts)
        self.app = SimApp(self.switch)

    def heard(self) -> list[str]:
        """File names of the library, or the source."""
        return [each.rpartition("/prompt-library/")[2] for each in self.played()]


def test_xivr_06_a_prompt_is_heard_in_the_callers_language(tmp_path):
    async def main():
        centre = Library(tmp_path)
        mine = await centre.call()
        assert centre.heard() == ["both.zh.wav"]
        assert centre.played()[0].startswith("file:/")
        await centre.keys("1")
        # English where there is, else the flow's language, else any.
        assert centre.heard()[1:] == ["both.en.wav", "chinese.zh.wav", "french.fr.wav"]
        await centre.listen()
        # What has only texts is spoken; as long as nothing can speak it, it is a tone and trouble.
        assert centre.heard()[4:] == ["tone:refusal/cn", "both.en.wav"]
        assert [each.at_node for each in centre.of(FlowTrouble)] == ["spoken"]
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_a_prompt_that_is_replaced_is_heard_anew_and_one_that_is_gone_is_a_tone(tmp_path):
    async def main():
        centre = Library(tmp_path)
        library = centre.switch.core.directory.prompts
        mine = await centre.call()
        library["both"] = Prompt(name="both", audio={"zh": PromptAudio(file="new.wav", duration_s=1.0, sha256="1")})
        await centre.keys("1")
        assert centre.heard() == ["both.zh.wav", "new.wav", "chinese.zh.wav", "french.fr.wav"]
        await centre.hang_up(mine)
        del library["both"]
        mine = await centre.call()
        assert centre.heard()[4:] == ["tone:refusal/cn"]
        assert centre.of(FlowTrouble)[0].problem == 'there is no "prompt:both"'
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_a_flow_that_names_no_prompt_of_the_library_is_refused(tmp_path):
    async def main():
        centre = Library(tmp_path)
        config = centre.switch.core.env.config
        with pytest.raises(UnusableError, match=r'menu\.say\.0\.source: there is no prompt "both" in the library'):
            load_flows(config, library={})
        assert set(load_flows(config)) == {"main"}
        await centre.close()

    run_virtual(main())


def test_who_uses_a_prompt_keeps_it(tmp_path):
    async def main():
        centre = Library(tmp_path)
        app = centre.app
        shown = await app.do(GetPrompt(prompt="both"))
        users = [f"flow main, node {where}.source" for where in ("menu, say.0", "said, say.0", "spoken, say.1")]
        assert shown.used_by == users
        with pytest.raises(errors.InUse, match=f"used by {users[0]} and 2 more"):
            await app.do(RemovePrompt(prompt="both"))
        # A flow can have it spoken, music of a queue cannot be.
        for source in ("prompt:text", "prompt:none"):
            settings = {"queue": "late", "settings": {"sound": {"background": source}}}
            number = AccessNumber(number="4020", to="queue:sales", whisper=source)
            for command in (msgspec.convert(settings, CreateQueue), SetAccessNumber(access_number=number)):
                with pytest.raises(errors.InvalidValue, match=r"no prompt|no audio"):
                    await app.do(command)
        steps = [{"kind": "say", "sources": ["prompt:french"]}, {"kind": "music", "seconds": 30}]
        await app.do(msgspec.convert({"queue": "late", "settings": {"sound": {"program": steps}}}, CreateQueue))
        with pytest.raises(errors.InUse, match="used by queue late"):
            await app.do(SetPrompt(prompt="french", texts={"fr": "Bonjour"}, audio={"fr": ""}))
        await app.do(SetPrompt(prompt="text", title="Greeting", texts={"zh": ""}))
        assert centre.switch.core.directory.prompts["text"].texts == {"en": "Hello"}
        with pytest.raises(errors.InvalidValue, match="one language at least"):
            await app.do(SetPrompt(prompt="text", texts={"en": " "}))
        with pytest.raises(errors.NoSuchUpload):
            await app.do(SetPrompt(prompt="text", audio={"en": "stranger"}))
        [changed] = [each for each in app.published if isinstance(each, PromptChanged)]
        assert (changed.prompt, changed.title, changed.languages, changed.by) == ("text", "Greeting", [], "root")
        page = await app.do(ListPrompts(limit=3))
        assert ([each.prompt for each in page.prompts], page.n_prompts) == (["both", "chinese", "french"], 4)
        page = await app.do(ListPrompts(cursor=page.cursor))
        assert ([each.prompt for each in page.prompts], page.cursor) == (["text"], "")
        assert not [each for each in app.published if isinstance(each, PromptRemoved)]
        await centre.close()

    run_virtual(main())


def test_prompts_are_played_by_command_and_to_who_waits(tmp_path):
    async def main():
        centre = Library(tmp_path)
        app = centre.app
        mine = await centre.call()
        await app.do(Play(call_id=centre.live.call_id, sources=["prompt:both"]))
        assert centre.heard()[-1] == "both.zh.wav"
        for source, says in (("prompt:none", "no prompt"), ("prompt:text", "no audio"), ("prompt:../x", "no source")):
            with pytest.raises(errors.InvalidValue, match=says):
                await app.do(Play(call_id=centre.live.call_id, sources=[source]))
        await centre.hang_up(mine)
        await asyncio.sleep(1.0)
        await centre.close()

    run_virtual(main())
