"""Reads the flows of the configuration, once, at the start."""

from collections.abc import Mapping, Set

from ivr.checks import Surroundings, flow_faults, read_flow
from ivr.program import Program, compile_flow, pieces_of
from model.flows import Flow, FlowFault, PlayText, PlayVariable
from model.prompts import Prompt
from switch.config import Config
from switch.config_ivr import flow_names
from switch.listening import UnusableError
from switch.sources import source_problem


def surroundings(
    config: Config,
    flows: Set[str],
    queues: Set[str] | None,
    calendars: Set[str] | None,
    boxes: Set[str] | None,
    library: Mapping[str, Prompt] | None,
) -> Surroundings:
    """What flows of this switch may name. Its `source_problem` looks at the disk."""
    prompts = config.resolve(config.media.prompts)

    def sound_problem(source: str) -> str:
        problem = source_problem(source, library, may_be_spoken=config.speech.enabled)
        is_missing = not problem and source.startswith("file:") and not (prompts / source[5:]).is_file()
        return f"there is no file {prompts / source[5:]}" if is_missing else problem

    return Surroundings(
        queues=queues,
        calendars=calendars,
        boxes=boxes,
        has_recognition=config.recognition.provider != "off",
        flows=flows,
        sources={source.name for source in config.ivr.source},
        source_problem=sound_problem,
    )


def faults_of(flow: Flow, name: str, around: Surroundings, *, has_speech: bool) -> list[FlowFault]:
    """Everything that keeps a flow from being used under a name."""
    faults = [*flow_faults(flow, around), *([] if has_speech else _unspeakable(flow))]
    if flow.name != name:
        faults.append(FlowFault("", "name", f'is "{flow.name}" in a document for "{name}"'))
    return faults


def load_flows(
    config: Config,
    queues: Set[str] | None = None,
    calendars: Set[str] | None = None,
    boxes: Set[str] | None = None,
    library: Mapping[str, Prompt] | None = None,
) -> dict[str, Program]:
    """Flows of the folder by name, each version 0. Raises UnusableError that lists every mistake of every flow."""
    names = flow_names(config)
    around = surroundings(config, names, queues, calendars, boxes, library)
    programs: dict[str, Program] = {}
    problems: list[str] = []
    for name in sorted(names):
        path = config.resolve(config.ivr.flows) / f"{name}.json"
        try:
            text = path.read_bytes()
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
            continue
        flow, faults = read_flow(text)
        if flow is not None:
            faults = faults_of(flow, name, around, has_speech=config.speech.enabled)
        problems += [f"{path}: {fault}" for fault in faults]
        if flow is not None and not faults:
            programs[name] = compile_flow(flow, 0)
    if problems:
        raise UnusableError("; ".join(problems))
    return programs


def _unspeakable(flow: Flow) -> list[FlowFault]:
    """What wants speech made of text, which is off."""
    return [
        FlowFault(node.id, f"{where}.{i}", "is text, and speech is off: set speech.enabled, or record it as a sound")
        for node in flow.nodes
        for where, pieces in pieces_of(node)
        for i, piece in enumerate(pieces)
        if isinstance(piece, PlayText) or (isinstance(piece, PlayVariable) and piece.read == "text")
    ]
