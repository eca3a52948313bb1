"""Covers: declaring commands, events and errors; faulty declarations; permissions; that all of ours are coherent.

Does not cover decoding (tests/control/test_schema.py) and documentation (tests/test_api_docs.py).
"""

import msgspec
import pytest

from model import declare, errors
from model.campaigns import Disposition
from model.catalogue import our_commands, our_events
from model.causes import HangupCause
from model.declare import COMMANDS, ERRORS, ApiError, Command, Event, command, error, event

OUR_COMMANDS = our_commands()
OUR_EVENTS = our_events()


@pytest.fixture
def registry(monkeypatch):
    for name in ("COMMANDS", "EVENTS", "ERRORS", "_command_specs", "_event_specs"):
        monkeypatch.setattr(declare, name, dict(getattr(declare, name)))
    return declare


class Thing(Command, frozen=True, kw_only=True):
    """Does a thing."""

    call_id: str


class Happened(Event, frozen=True, kw_only=True):
    """It happened."""

    call_id: str


def test_command_is_found_by_name_and_class(registry) -> None:
    command("thing.do", role="operator", result=str, errors=(errors.NoSuchCall,))(Thing)
    spec = registry.COMMANDS["thing.do"]
    assert spec is declare.command_spec(Thing)
    assert (spec.permission, spec.params, spec.result) == ("switch.operate", Thing, str)
    assert spec.errors == (errors.NoSuchCall,)


def test_event_is_found_by_name_and_class(registry) -> None:
    event("thing.happened")(Happened)
    assert registry.EVENTS["thing.happened"] is declare.event_spec(Happened)
    assert declare.event_spec(Happened).has_call_id


def test_undeclared_class_has_no_spec() -> None:
    with pytest.raises(KeyError):
        declare.command_spec(Thing)


@pytest.mark.parametrize(
    "name", ["", "thing", "thing.", ".do", "Thing.do", "thing.do it", "thing-do.x", "call.hangup"], ids=repr
)
def test_faulty_or_taken_command_name_is_refused(registry, name) -> None:
    with pytest.raises(TypeError):
        command(name, role="operator", result=str)(Thing)


def test_unknown_role_is_refused(registry) -> None:
    with pytest.raises(TypeError, match="role"):
        command("thing.do", role="emperor", result=str)(Thing)


@pytest.mark.parametrize(
    ("faulty", "why"),
    [
        ({"permission": "call.fly"}, "no such permission"),
        ({"permission": "call.control", "of": "call_id", "own": "agent.fly"}, "no such permission"),
        ({"permission": "call.control"}, "has a scope"),
        ({"permission": "call.control", "of": "queue"}, "'queue'"),
        ({"permission": "call.view", "each": "calls"}, "no list"),
        ({"permission": "trace.use", "also": ("mode", {})}, "no field 'mode'"),
        ({"permission": "agent.manage", "of": "call_id", "grants": "role"}, "no field 'role'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_faulty_access_is_refused(registry, faulty, why) -> None:
    with pytest.raises(TypeError, match=why):
        command("thing.do", result=str, **faulty)(Thing)


def test_event_says_by_its_fields_whom_it_concerns(registry) -> None:
    event("thing.happened")(Happened)
    spec = declare.event_spec(Happened)
    assert (spec.of, spec.permission, spec.is_told_to_own) == (("call_id",), "call.view", True)


def test_event_with_a_permission_of_its_own_is_kept_from_whom_it_concerns(registry) -> None:
    event("thing.happened", permission="monitor.listen")(Happened)
    spec = declare.event_spec(Happened)
    assert (spec.permission, spec.is_told_to_own) == ("monitor.listen", False)


def test_command_without_documentation_is_refused(registry) -> None:
    class Silent(Command, frozen=True, kw_only=True):
        pass

    Silent.__doc__ = None
    with pytest.raises(TypeError, match="documentation"):
        command("thing.do", role="operator", result=str)(Silent)


def test_event_as_command_is_refused(registry) -> None:
    with pytest.raises(TypeError, match="must be a Command"):
        command("thing.do", role="operator", result=str)(Happened)  # type: ignore[type-var]


def test_event_may_not_use_the_fields_of_the_envelope(registry) -> None:
    class Numbered(Event, frozen=True, kw_only=True):
        """It has a number."""

        seq: int

    with pytest.raises(TypeError, match="envelope"):
        event("thing.numbered")(Numbered)


def test_event_without_fields_is_refused(registry) -> None:
    class Empty(Event, frozen=True, kw_only=True):
        """It says nothing."""

    with pytest.raises(TypeError, match="at least one field"):
        event("thing.empty")(Empty)


@pytest.mark.parametrize(("code", "name"), [(-32010, "brand_new"), (-32099, "no_such_call")])
def test_error_code_and_name_are_used_once(registry, code, name) -> None:
    with pytest.raises(TypeError, match="twice"):

        @error(code, name)
        class Twice(ApiError):
            """Again."""


def test_error_says_its_summary_unless_told_more() -> None:
    assert str(errors.NoSuchCall()) == "There is no call with that id"
    problem = errors.WrongState("the call has ended", state="ended")
    assert (str(problem), problem.data, problem.code) == ("the call has ended", {"state": "ended"}, -32015)


@pytest.mark.parametrize("spec", OUR_COMMANDS, ids=lambda spec: spec.name)
def test_command_is_frozen_strict_and_keyword_only(spec) -> None:
    config = spec.params.__struct_config__
    assert config.frozen
    assert config.forbid_unknown_fields
    with pytest.raises(TypeError, match="positional"):
        spec.params("x")
    for problem in spec.errors:
        assert ERRORS[problem.code] is problem


@pytest.mark.parametrize("spec", OUR_EVENTS, ids=lambda spec: spec.name)
def test_event_survives_json(spec) -> None:
    samples = {
        str: "x",
        int: 7,
        float: 1.5,
        bool: True,
        float | None: None,
        int | None: None,
        dict[str, float]: {"ms": 1.5},
        dict[str, int]: {"on_call": 7},
        dict[str, str]: {"name": "x"},
        list[str]: ["x", "y"],
        list[Disposition]: [Disposition(code="x")],
        HangupCause: HangupCause.USER_BUSY,
    }
    made = spec.params(**{field.name: samples[field.type] for field in msgspec.structs.fields(spec.params)})
    assert msgspec.json.decode(msgspec.json.encode(made), type=spec.params) == made


def test_what_the_issue_names_is_declared() -> None:
    named = """call.list call.get call.originate call.hangup call.hold call.resume call.dtmf call.play recording.list
    recording.pause recording.resume extension.list extension.create extension.update extension.delete registration.list
    trunk.list events.subscribe system.status"""
    assert set(named.split()) <= COMMANDS.keys()
