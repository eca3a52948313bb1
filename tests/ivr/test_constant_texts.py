"""Which texts are spoken ahead (IVR-13)."""

import json
from pathlib import Path

from ivr.constant_texts import constant_texts
from ivr.speaking import Speech
from tests.ivr.flow_of import program_of, variable

FLOWS = Path(__file__).parents[2] / "contrib" / "flows"


def text(*texts: str) -> list[dict[str, str]]:
    return [{"kind": "text", "text": each} for each in texts]


def test_constant_texts_in_the_language_in_which_they_are_heard():
    main = program_of(
        {"id": "a", "type": "menu", "say": text("中", " 中 ", "{caller}") + variable("caller"),
         "no_match_say": text("不"), "choices": {"1": "en", "2": "sub", "3": "b"}},
        {"id": "en", "type": "language", "language": "en-GB", "next": "b"},
        {"id": "b", "type": "play", "say": text("both"), "next": "a"},
        {"id": "sub", "type": "sub_flow", "flow": "sub", "next": "bye"},
        {"id": "bye", "type": "play", "say": text("再见")},
        language="zh-CN",
        exit="bye",
    )  # fmt: skip
    sub = program_of({"id": "s", "type": "play", "say": text("sub")}, name="sub", language="en")
    programs = {"main": main, "sub": sub}
    found = constant_texts(programs, ["main", "sub"])
    assert found[0] == Speech("中", "zh")
    assert {(each.text, each.language) for each in found} == {
        *(("中", "zh"), ("不", "zh"), ("再见", "zh")),
        *(("both", "zh"), ("both", "en"), ("sub", "en"), ("sub", "zh")),
    }
    assert len(found) == 7
    assert constant_texts(programs, ["sub"]) == [Speech("sub", "en")]
    assert Speech("sub", "zh") in constant_texts(programs, ["main"])


def test_a_voice_that_only_speaks_variables_is_woken_too():
    varying = program_of(
        {"id": "a", "type": "play", "say": text("中"), "next": "en"},
        {"id": "en", "type": "language", "language": "en", "next": "b"},
        {"id": "b", "type": "play", "say": text("{caller}"), "next": "fr"},
        {"id": "fr", "type": "language", "language": "fr", "next": "c"},
        {"id": "c", "type": "play", "say": variable("caller", "digits")},
        language="zh",
    )
    assert constant_texts({"main": varying}, ["main"]) == [Speech("中", "zh"), Speech("0", "en")]
    named = program_of({"id": "a", "type": "play", "say": variable("caller")}, language="en")
    assert constant_texts({"main": named}, ["main"]) == [Speech("0", "en")]


def test_every_constant_text_of_the_examples_is_found():
    for path in FLOWS.glob("*.json"):
        written = json.loads(path.read_text())
        program = program_of(*written.pop("nodes"), **{k: v for k, v in written.items() if k != "start"})
        told = {each["text"] for each in _texts(json.loads(path.read_text())) if "{" not in each["text"]}
        assert told and told == {each.text for each in constant_texts({program.name: program}, [program.name])}


def _texts(document) -> list[dict[str, str]]:
    if isinstance(document, list):
        return [found for each in document for found in _texts(each)]
    if isinstance(document, dict):
        here = [document] if document.get("kind") == "text" else []
        return here + [found for each in document.values() for found in _texts(each)]
    return []
