"""What is wrong with a flow: all of it at once, each with its node and field (XIVR-01). Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

import msgspec

from ivr.expression import ExpressionError, convert, infer, parse
from ivr.program import branches_of, expressions_of, kinds_of, places, secrets_of, sources_of, templates_of
from ivr.queries import QueryError, parameters
from ivr.script import expressions, parse_script
from ivr.voices import LANGUAGES, PROMPTS
from model.flows import (
    BUILT_IN,
    RATINGS,
    Back,
    CallMeBack,
    Collect,
    Flow,
    FlowFault,
    Http,
    Kind,
    LeaveMessage,
    Listen,
    Lookup,
    MemberCheck,
    Node,
    Satisfaction,
    Schedule,
    Script,
    SubFlow,
    Top,
    ToQueue,
)
from model.flows import Set as SetNode


class Surroundings(msgspec.Struct, frozen=True, gc=False):
    """What a flow may name; None = not known here, so not checked."""

    queues: Set[str] | None = None
    calendars: Set[str] | None = None
    boxes: Set[str] | None = None
    """Boxes for messages."""
    has_recognition: bool | None = None
    flows: Set[str] | None = None
    sources: Set[str] | None = None
    """Databases."""
    source_problem: Callable[[str], str] | None = None
    """What is wrong with a source of sound; "" = nothing."""


def read_flow(text: bytes) -> tuple[Flow | None, list[FlowFault]]:
    """The flow of a JSON document, or everything that its types refuse."""
    try:
        document: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return None, [FlowFault("", "", f"is no JSON: {error}")]
    if not isinstance(document, dict):
        return None, [FlowFault("", "", "is no JSON object")]
    try:
        return msgspec.convert(document, Flow), []
    except msgspec.ValidationError as error:
        whole = _fault("", error)
    faults = []
    nodes = document.get("nodes")
    if isinstance(nodes, list):
        for i, node in enumerate(nodes):
            name = str(node.get("id") or f"nodes[{i}]")[:64] if isinstance(node, dict) else f"nodes[{i}]"
            try:
                msgspec.convert(node, Node)
            except msgspec.ValidationError as error:
                faults.append(_fault(name, error))
    try:
        stand_in = [{"type": "hang_up", "id": "x"}] if nodes else nodes
        msgspec.convert({**document, "nodes": stand_in} if "nodes" in document else document, Flow)
    except msgspec.ValidationError as error:
        faults.insert(0, _fault("", error))
    return None, faults or [whole]


def _fault(node: str, error: msgspec.ValidationError) -> FlowFault:
    problem, _, where = str(error).partition(" - at `")
    return FlowFault(node, where.removesuffix("`").removeprefix("$").removeprefix(".").replace("[...]", ""), problem)


def flow_faults(flow: Flow, around: Surroundings = Surroundings()) -> list[FlowFault]:  # noqa: B008
    """Everything that the types cannot see."""
    ids = [node.id for node in flow.nodes]
    faults = (
        [FlowFault(name, "id", "is there twice") for name in dict.fromkeys(ids) if ids.count(name) > 1]
        if len({*ids}) < len(ids)
        else []
    )
    nodes = {node.id: node for node in flow.nodes}
    if flow.start not in nodes:
        faults.append(FlowFault("", "start", f'there is no node "{flow.start}"'))
    if flow.exit and flow.exit not in nodes:
        faults.append(FlowFault("", "exit", f'there is no node "{flow.exit}"'))
    kinds = kinds_of(flow)
    faults += _variable_faults(flow)
    for node in flow.nodes:
        for where, to, _ in branches_of(node):
            if to and to not in nodes:
                faults.append(FlowFault(node.id, where, f'there is no node "{to}"'))
        faults += _name_faults(node, kinds, secrets_of(flow))
        faults += _secret_faults(node, kinds, secrets_of(flow))
        faults += _answer_faults(node)
        faults += _query_faults(node, kinds)
        faults += _sound_faults(node, around)
        faults += _known_faults(node, around)
        if isinstance(node, Collect) and node.min_digits > node.max_digits:
            faults.append(FlowFault(node.id, "min_digits", f"is more than max_digits ({node.max_digits})"))
    if flow.start in nodes:
        faults += _unreachable(flow, nodes)
        faults += _endless(flow, nodes)
    return faults


def _variable_faults(flow: Flow) -> Iterator[FlowFault]:
    seen: set[str] = set()
    for i, variable in enumerate(flow.variables):
        if variable.name in BUILT_IN:
            yield FlowFault("", f"variables.{i}", f'"{variable.name}" is a variable of the switch itself')
        if variable.name in seen:
            yield FlowFault("", f"variables.{i}", f'"{variable.name}" is there twice')
        seen.add(variable.name)
        if variable.kind == "number" and variable.initial:
            try:
                convert(variable.initial, "number")
            except ExpressionError:
                yield FlowFault("", f"variables.{i}.initial", f"{variable.initial!r} is no number")
        if variable.kind == "truth" and variable.initial not in ("", "true", "false"):
            yield FlowFault("", f"variables.{i}.initial", "is neither true nor false")


def _script_faults(node: Script, kinds: Mapping[str, Kind], secrets: frozenset[str]) -> Iterator[FlowFault]:
    block, problems = parse_script(node.lines)
    yield from (FlowFault(node.id, f"lines.{line}", problem) for line, problem in problems)
    for line, name, text in expressions(block):
        yield from _value_faults(node, f"lines.{line}", name, text, kinds, secrets)


def _value_faults(
    node: Node, where: str, name: str, text: str, kinds: Mapping[str, Kind], secrets: frozenset[str]
) -> Iterator[FlowFault]:
    """Of an expression for the variable `name`; "" = a condition."""
    try:
        given = infer(parse(text), kinds)
    except ExpressionError as error:
        yield FlowFault(node.id, where, str(error))
        return
    if name and (name in BUILT_IN or name not in kinds):
        why = "cannot be set" if name in BUILT_IN else "is not among the flow's variables"
        yield FlowFault(node.id, where, f'"{name}" {why}')
        return
    if name and name not in secrets and secrets & names_in(text):
        yield FlowFault(node.id, where, "would copy secret digits to a variable that is not secret")
    wanted: Kind = kinds[name] if name else "truth"
    if given != wanted:
        yield FlowFault(node.id, where, f"gives {given}, and {wanted} is wanted")


def _name_faults(node: Node, kinds: Mapping[str, Kind], secrets: frozenset[str]) -> Iterator[FlowFault]:
    if isinstance(node, Script):
        yield from _script_faults(node, kinds, secrets)
    else:
        for where, text in expressions_of(node):
            name = where.partition(".")[2] if isinstance(node, SetNode) else ""
            yield from _value_faults(node, where, name, text, kinds, secrets)
    for where, template, may_be_secret in templates_of(node):
        for name in places(template):
            if name not in kinds:
                yield FlowFault(node.id, where, f'there is no variable "{name}"')
            elif name in secrets and not may_be_secret:
                yield FlowFault(node.id, where, f'"{name}" is secret: it may be sent in body or headers, nothing else')
    if isinstance(node, Http | Lookup):
        for name in node.picks:
            if name in BUILT_IN:
                yield FlowFault(node.id, f"picks.{name}", "cannot be set")
    if isinstance(node, Collect | Listen) and node.variable in BUILT_IN:
        yield FlowFault(node.id, "variable", f'"{node.variable}" cannot be set')
    if isinstance(node, Collect | Listen) and kinds.get(node.variable) != "text":
        yield FlowFault(node.id, "variable", f'"{node.variable}" is no text; number("…") makes numbers of digits')
    if isinstance(node, Listen) and node.variable in secrets:
        yield FlowFault(node.id, "variable", f'"{node.variable}" is secret: what is said goes to a service')


def _query_faults(node: Node, kinds: Mapping[str, Kind]) -> Iterator[FlowFault]:
    if not isinstance(node, Lookup):
        return
    try:
        names = parameters(node.query)
    except QueryError as error:
        yield FlowFault(node.id, "query", str(error))
        return
    yield from (FlowFault(node.id, "query", f'there is no variable "{name}"') for name in names if name not in kinds)


def _answer_faults(node: Node) -> Iterator[FlowFault]:
    """The service has the ratings that reports count, and no others."""
    if not isinstance(node, Satisfaction):
        return
    for key in node.choices.keys() - node.answers.keys():
        yield FlowFault(node.id, f"choices.{key}", "is no key of the answers")
    if not node.question:
        for key, answer in node.answers.items():
            if answer not in RATINGS.values():
                there_are = ", ".join(RATINGS.values())
                yield FlowFault(node.id, f"answers.{key}", f'"{answer}" is no rating of the service: {there_are}')


def _secret_faults(node: Node, kinds: Mapping[str, Kind], secrets: frozenset[str]) -> Iterator[FlowFault]:
    """Of what is checked against a password."""
    if not isinstance(node, MemberCheck):
        return
    for where, name in (("member", node.member), ("password", node.password)):
        if kinds.get(name) != "text":
            yield FlowFault(node.id, where, f'there is no variable "{name}" of text')
        elif (name in secrets) != (where == "password"):
            problem = "is not secret (is_secret)" if where == "password" else "is secret, and would be shown"
            yield FlowFault(node.id, where, f'"{name}" {problem}')


def names_in(text: str) -> set[str]:
    """Words of an expression, variables among them."""
    return set(re.findall(r"[a-z_][a-z0-9_]*", re.sub(r"\"[^\"]*\"|'[^']*'", "", text)))


def _sound_faults(node: Node, around: Surroundings) -> Iterator[FlowFault]:
    for where, source, _ in sources_of(node):
        if source.startswith("voice:"):
            language, _, name = source.removeprefix("voice:").partition("/")
            if language not in LANGUAGES or name not in PROMPTS[language]:
                yield FlowFault(node.id, where, f'there is no built-in prompt "{source}"')
        elif around.source_problem is not None and (problem := around.source_problem(source)):
            yield FlowFault(node.id, where, problem)


def _known_faults(node: Node, around: Surroundings) -> Iterator[FlowFault]:
    match node:
        case ToQueue(queue=queue) | CallMeBack(queue=queue) if around.queues is not None and queue not in around.queues:
            yield FlowFault(node.id, "queue", f'there is no queue "{queue}"')
        case Schedule(calendar=calendar) if around.calendars is not None and calendar not in around.calendars:
            yield FlowFault(node.id, "calendar", f'there is no calendar "{calendar}"')
        case LeaveMessage(box=box) if around.boxes is not None and box not in around.boxes:
            yield FlowFault(node.id, "box", f'there is no voicemail box "{box}"')
        case Lookup(source=source) if around.sources is not None and source not in around.sources:
            yield FlowFault(node.id, "source", f'there is no source "{source}" (ivr.source)')
        case Listen() if around.has_recognition is False:
            yield FlowFault(node.id, "type", "recognition is off ([recognition] provider)")
        case SubFlow(flow=flow) if around.flows is not None and flow not in around.flows:
            yield FlowFault(node.id, "flow", f'there is no flow "{flow}"')
        case _:
            pass


def _leads_to(flow: Flow, node: Node, nodes: Mapping[str, Node]) -> set[str]:
    found = {to or flow.exit for _, to, _ in branches_of(node)}
    # Limits of steps and time lead there from anywhere.
    return {to for to in (*found, flow.exit) if to in nodes}


def _unreachable(flow: Flow, nodes: Mapping[str, Node]) -> Iterator[FlowFault]:
    seen, ahead = {flow.start}, [flow.start]
    while ahead:
        for to in _leads_to(flow, nodes[ahead.pop()], nodes) - seen:
            seen.add(to)
            ahead.append(to)
    yield from (FlowFault(node.id, "", "cannot be reached") for node in flow.nodes if node.id not in seen)


def _endless(flow: Flow, nodes: Mapping[str, Node]) -> Iterator[FlowFault]:
    """Circles in which nobody presses a key."""
    silent = {node.id: _silent_ways(flow, node, nodes) for node in flow.nodes if not isinstance(node, Back | Top)}
    told: set[str] = set()
    for start in silent:
        ahead = _ahead(start, silent)
        if start in ahead and start not in told:
            told |= {each for each in ahead if start in _ahead(each, silent)}
            yield FlowFault(start, "", "is part of a loop in which the caller need not do anything")


def _silent_ways(flow: Flow, node: Node, nodes: Mapping[str, Node]) -> list[str]:
    # Where the exit itself leads nowhere, the call ends.
    end = "" if node.id == flow.exit else flow.exit
    return [way for _, to, is_asked in branches_of(node) if not is_asked and (way := to or end) in nodes]


def _ahead(start: str, ways: Mapping[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    ahead = [*ways.get(start, ())]
    while ahead:
        at = ahead.pop()
        if at not in seen:
            seen.add(at)
            ahead += ways.get(at, ())
    return seen
