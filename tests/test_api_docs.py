"""Covers: docs/API.md is what the declarations say, and every declaration is documented in it.

Does not cover whether the texts are true.
"""

import re
from pathlib import Path

import pytest

from control import docs
from model import commands_originate, events
from model.catalogue import our_commands, our_events

API = Path(__file__).parent.parent / "docs" / "API.md"
OUR_COMMANDS = our_commands()
OUR_EVENTS = our_events()


def test_committed_file_is_what_the_declarations_say() -> None:
    assert API.read_text(encoding="utf-8") == docs.render(), "run: python -m control.docs > docs/API.md"


@pytest.mark.parametrize("spec", OUR_COMMANDS, ids=lambda spec: spec.name)
def test_command_is_in_the_document(spec) -> None:
    section = docs.render().split(f"\n### {spec.name}\n")[1].split("\n### ")[0]
    for name in spec.params.__struct_encode_fields__:
        assert f"| `{name}` |" in section
    for problem in spec.errors:
        assert f"`{problem.name}`" in section


@pytest.mark.parametrize("spec", OUR_EVENTS, ids=lambda spec: spec.name)
def test_event_is_in_the_document(spec) -> None:
    section = docs.render().split(f"\n### {spec.name}\n")[1].split("\n### ")[0]
    for name in spec.params.__struct_encode_fields__:
        assert f"| `{name}` |" in section


def test_links_lead_somewhere() -> None:
    text = docs.render()
    headings = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
    anchors = [heading.lower().replace(".", "").replace(" ", "-") for heading in headings]
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(anchors)
    assert len(anchors) == len(set(anchors)), "two headings share an anchor"


def test_text_below_a_field_is_its_documentation() -> None:
    assert docs.field_docs(commands_originate.Originate)["from_"] == "Extension or number to ring first."
    assert "leg_id" not in docs.field_docs(events.CallRinging)
