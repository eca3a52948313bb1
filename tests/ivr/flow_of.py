"""Flows for tests, written short, and a caller who walks them in virtual time."""

from typing import Any

import msgspec

from ivr import interpreter
from ivr import run as flow
from ivr.checks import flow_faults, read_flow
from ivr.interpreter import FixedWorld
from ivr.program import Program, compile_flow
from model.flows import Flow


def sound(name: str) -> list[dict[str, str]]:
    return [{"kind": "sound", "source": f"file:{name}.wav"}]


def variable(name: str, read: str = "text") -> list[dict[str, str]]:
    return [{"kind": "variable", "name": name, "read": read}]


def document(*nodes: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"name": "main", "start": nodes[0]["id"], "nodes": list(nodes), **settings}


def flow_of(*nodes: dict[str, Any], **settings: Any) -> Flow:
    made, faults = read_flow(msgspec.json.encode(document(*nodes, **settings)))
    assert made is not None, [str(fault) for fault in faults]
    return made


def program_of(*nodes: dict[str, Any], **settings: Any) -> Program:
    made = flow_of(*nodes, **settings)
    assert not [str(fault) for fault in flow_faults(made)]
    return compile_flow(made, 1)


class Caller:
    """One call; `heard` is what was said to him and not stopped before its end."""

    def __init__(self, program: Program, *others: Program, hours: str = "working", language: str = "") -> None:
        self.now = 100.0
        self.world = FixedWorld({each.name: each for each in (program, *others)}, hours)
        given = {"caller": "13800001111", "access_number": "4001"}
        self.run = interpreter.begin(program, given, language or program.flow.language, self.now)
        self.actions: list[flow.FlowAction] = []
        self._take(interpreter.start(self.run, self.now, self.world))

    def _take(self, actions: list[flow.FlowAction]) -> list[flow.FlowAction]:
        self.actions += actions
        return actions

    def give(self, given: flow.FlowInput, after_s: float = 0.0) -> list[flow.FlowAction]:
        self.now += after_s
        return self._take(interpreter.step(self.run, given, self.now, self.world))

    def keys(self, keys: str) -> None:
        for key in keys:
            self.give(flow.Digit(key), 0.2)

    def listen(self) -> None:
        """To all of what is said."""
        while self.run.is_saying:
            n = self.run.n_said
            self.give(flow.Said(n), 1.0)

    def idle(self) -> None:
        """Until what he is asked for is too late."""
        if self.run.is_saying:
            self.give(flow.Said(self.run.n_said), 1.0)
        if self.run.deadline:
            self.now = max(self.now, self.run.deadline)
            self.give(flow.Due())

    def of(self, kind: type) -> list[Any]:
        return [action for action in self.actions if isinstance(action, kind)]

    @property
    def nodes(self) -> list[str]:
        return [each.node for each in self.of(flow.Visited)]

    @property
    def said(self) -> list[Any]:
        return [sound for each in self.of(flow.Say) for sound in each.sounds]

    @property
    def at(self) -> str:
        return self.run.frames[-1].node

    @property
    def variables(self) -> dict[str, Any]:
        return self.run.frames[-1].variables
