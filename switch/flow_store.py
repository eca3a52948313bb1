"""Published flows: taken from the database before the first call, and who names what."""

import logging
from collections.abc import Callable, Iterator
from typing import Literal

from ivr.checks import flow_faults, read_flow
from ivr.program import Program, compile_flow
from model.declare import Event
from model.events_flow import FlowUnfit
from storage.interface import AnyStorage
from switch.config import Config
from switch.directory import Directory
from switch.flows import faults_of, surroundings

log = logging.getLogger(__name__)
_TOLD = 20


async def load_published(
    storage: AnyStorage, config: Config, directory: Directory, publish: Callable[[Event], None]
) -> None:
    """Those that do not fit what there is now (a queue is gone) are used all the same: their callers come to the exit,
    which is better than no flow. The log and subscribers hear of it."""
    rows = await storage.flows.published()
    names = directory.flows.keys() | {row.name for row in rows}
    queues, calendars, boxes = directory.queues.keys(), directory.office.almanacs.keys(), directory.boxes.keys()
    around = surroundings(config, names, queues, calendars, boxes, directory.prompts)
    for row in rows:
        flow, faults = read_flow(row.document.encode())
        is_used = flow is not None and not (faults := flow_faults(flow))
        if flow is not None and is_used:
            if row.name in directory.file_flows:
                log.warning("! flow %s of the folder is not used: version %d is published", row.name, row.version)
            directory.flows[row.name] = compile_flow(flow, row.version)
            faults = faults_of(flow, row.name, around, has_speech=config.speech.enabled)
        if faults:
            told = [str(fault) for fault in faults[:_TOLD]]
            how = "does not fit any more" if is_used else "cannot be read and is not used"
            log.error("x flow %s, version %d, %s: %s", row.name, row.version, how, "; ".join(told))
            publish(FlowUnfit(flow=row.name, version=row.version, is_used=is_used, faults=told))


def flows_naming(directory: Directory, what: Literal["queue", "calendar", "flow", "box"], name: str) -> Iterator[str]:
    """Flows that callers are led to, and those of the folder, in which a node names it. Drafts do not count."""
    for flow in sorted({*directory.flows, *directory.file_flows}):
        programs = (directory.flows.get(flow), directory.file_flows.get(flow))
        if not (what == "flow" and flow == name) and any(
            _names(program, what, name) for program in programs if program
        ):
            yield f"flow {flow}"


def _names(program: Program, what: str, name: str) -> bool:
    return any(getattr(node, what, "") == name for node in program.flow.nodes)
