"""Reads the flows of the configuration, once, at the start."""

from collections.abc import Set

from ivr.checks import Surroundings, flow_faults, read_flow
from ivr.program import Program, compile_flow, pieces_of
from model.flows import Flow, FlowFault, PlayText, PlayVariable
from switch.config import Config
from switch.config_ivr import flow_names
from switch.listening import UnusableError
from switch.sources import source_problem


def load_flows(
    config: Config,
    queues: Set[str] | None = None,
    calendars: Set[str] | None = None,
    boxes: Set[str] | None = None,
) -> dict[str, Program]:
    """Flows by name. Raises UnusableError that lists every mistake of every flow."""
    names = flow_names(config)
    prompts = config.resolve(config.media.prompts)

    def sound_problem(source: str) -> str:
        problem = source_problem(source)
        is_missing = not problem and source.startswith("file:") and not (prompts / source[5:]).is_file()
        return f"there is no file {prompts / source[5:]}" if is_missing else problem

    around = Surroundings(queues=queues, calendars=calendars, boxes=boxes, flows=names, source_problem=sound_problem)
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
            faults = [*flow_faults(flow, around), *([] if config.speech.enabled else _unspeakable(flow))]
            if flow.name != name:
                faults.append(FlowFault("", "name", f'is "{flow.name}" in a file for "{name}"'))
        problems += [f"{path}: {fault}" for fault in faults]
        if flow is not None and not faults:
            programs[name] = compile_flow(flow, 1)
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
