"""A flow made ready to run: nodes by id, expressions read, variables with their kinds. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec

from ivr.expression import Term, Value, convert, parse, show
from ivr.script import Block, expressions, parse_script
from model.flows import (
    BUILT_IN,
    CallMeBack,
    Collect,
    Condition,
    Data,
    Flow,
    HangUp,
    Http,
    Kind,
    Listen,
    Lookup,
    Menu,
    Node,
    Piece,
    Play,
    PlaySound,
    PlayText,
    PlayVariable,
    Satisfaction,
    Schedule,
    Script,
    Set,
    Transfer,
)

_PLACE = re.compile(r"\{([^{}]*)\}")
_BRANCHES = (
    *("next", "otherwise", "failed", "busy", "no_answer", "no_input", "no_match"),
    *("nothing", "full"),
    *("none", "ok", "wrong", "locked"),
)
_INITIAL: dict[Kind, str] = {"text": "", "number": "0", "truth": "false"}


class Program(msgspec.Struct, frozen=True, gc=False):
    """Of a flow that `ivr.checks` has passed."""

    flow: Flow
    version: int
    nodes: dict[str, Node]
    expressions: dict[str, Term]
    """By their text."""
    kinds: dict[str, Kind]
    secrets: frozenset[str]
    """Variables that take secret digits."""
    scripts: dict[str, Block]
    """By their nodes."""

    @property
    def name(self) -> str:
        return self.flow.name

    def initial(self) -> dict[str, Value]:
        given = {each.name: each.initial for each in self.flow.variables}
        return {name: convert(given.get(name) or _INITIAL[kind], kind) for name, kind in self.kinds.items()}


def compile_flow(flow: Flow, version: int) -> Program:
    """Raises ExpressionError."""
    return Program(
        flow=flow,
        version=version,
        nodes={node.id: node for node in flow.nodes},
        expressions={text: parse(text) for node in flow.nodes for _, text in expressions_of(node)},
        kinds=kinds_of(flow),
        secrets=secrets_of(flow),
        scripts={node.id: parse_script(node.lines)[0] for node in flow.nodes if isinstance(node, Script)},
    )


def kinds_of(flow: Flow) -> dict[str, Kind]:
    """Every variable: those of all flows, those it names, and those that digits are collected into."""
    kinds: dict[str, Kind] = {}
    for node in flow.nodes:
        if isinstance(node, Collect | Listen):
            kinds[node.variable] = "text"
        elif isinstance(node, Http | Lookup):
            kinds |= dict.fromkeys(node.picks, "text")
    return kinds | {each.name: each.kind for each in flow.variables} | BUILT_IN


def secrets_of(flow: Flow) -> frozenset[str]:
    return frozenset(node.variable for node in flow.nodes if isinstance(node, Collect) and node.is_secret)


def expressions_of(node: Node) -> Iterator[tuple[str, str]]:
    """(field, expression)"""
    match node:
        case Set(values=values):
            yield from ((f"values.{name}", text) for name, text in values.items())
        case Script(lines=lines):
            yield from ((f"lines.{line}", text) for line, _, text in expressions(parse_script(lines)[0]))
        case Condition(cases=cases):
            yield from ((f"cases.{i}.when", case.when) for i, case in enumerate(cases))
        case Collect(accept=accept) | Listen(accept=accept) if accept:
            yield "accept", accept
        case _:
            pass


def templates_of(node: Node) -> Iterator[tuple[str, str, bool]]:
    """(field, template, whether a secret may stand in it)"""
    match node:
        case Http():
            yield "url", node.url, False
            yield from ((f"headers.{name}", text, True) for name, text in node.headers.items())
            yield from ((f"body.{name}", text, True) for name, text in node.body.items())
        case Data(data=data):
            yield from ((f"data.{name}", text, False) for name, text in data.items())
        case CallMeBack(number=number) if number:
            yield "number", f"{{{number}}}", False
        case Transfer(to=to):
            yield "to", to, False
        case _:
            pass
    for where, pieces in pieces_of(node):
        for i, piece in enumerate(pieces):
            if isinstance(piece, PlayText):
                yield f"{where}.{i}.text", piece.text, False
            elif isinstance(piece, PlayVariable):
                yield f"{where}.{i}.name", f"{{{piece.name}}}", False


def pieces_of(node: Node) -> Iterator[tuple[str, tuple[Piece, ...]]]:
    if isinstance(node, Play | Menu | Collect | Listen | Satisfaction):
        yield "say", node.say
    if isinstance(node, Menu | Collect | Listen | Satisfaction):
        yield "no_input_say", node.no_input_say
        yield "no_match_say", node.no_match_say


def sources_of(node: Node) -> Iterator[tuple[str, str, bool]]:
    """(field, source of sound, whether a text will do in its place)"""
    for where, pieces in pieces_of(node):
        for i, piece in enumerate(pieces):
            if isinstance(piece, PlaySound):
                yield f"{where}.{i}.source", piece.source, True
    if isinstance(node, Http | Lookup):
        yield "hold", node.hold, False


def branches_of(node: Node) -> Iterator[tuple[str, str, bool]]:
    """(field, node it leads to, whether the caller did something for it); "" leads to the exit."""
    if isinstance(node, Menu | Satisfaction):
        yield from ((f"choices.{key}", to, True) for key, to in node.choices.items())
    if isinstance(node, Condition):
        yield from ((f"cases.{i}.next", case.next, False) for i, case in enumerate(node.cases))
    if isinstance(node, Schedule):
        yield from ((name, getattr(node, name), False) for name in ("working", "off", "holiday", "emergency"))
    for name in _BRANCHES:
        if hasattr(node, name) and not isinstance(node, HangUp):
            yield name, getattr(node, name), isinstance(node, Collect | Listen | Satisfaction) and name == "next"


def places(template: str) -> list[str]:
    """Names of the variables in a template."""
    return _PLACE.findall(template)


def fill(template: str, values: Mapping[str, Value], quote: Callable[[str], str] = str) -> str:
    return _PLACE.sub(lambda place: quote(show(values[place[1]])), template)
