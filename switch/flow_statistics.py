"""Figures of flows from the event log, for the API."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from ivr.statistics import FlowFigures
from model.commands_flow import FlowNodeFigures, FlowStatistics, GetFlowStatistics
from model.declare import Command, event_spec
from model.errors import InvalidValue, StorageUnavailable
from model.events_flow import FlowEnded, FlowLeft, FlowTrouble, FlowVisited
from storage.errors import UnavailableError
from storage.event_log import EventFilter
from switch.event_log import told_pages

if TYPE_CHECKING:
    from switch.app import App

MAX_DAYS = 31
MAX_EVENTS = 1_000_000
"""Of all flows; ten seconds or so."""
AROUND_S = 2 * 3600.0
"""No flow lasts so long: what is read before the time tells who was in it already, and behind it, how it ended."""
_PAGE = 500
"""Read at one time: some milliseconds of the loop, and calls go on between two of them."""
_NAMES = tuple(event_spec(kind).name for kind in (FlowVisited, FlowLeft, FlowTrouble, FlowEnded))
_RESULTS = {
    "ended": "contained",
    "queue": "to_queue",
    "transferred": "transferred",
    "hung_up": "hung_up",
    "failed": "failed",
    "released": "released",
}


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    async def statistics(command: GetFlowStatistics, caller: Caller) -> FlowStatistics:
        _check(command)
        await app.flush_records()
        figures = FlowFigures(command.flow, command.version, command.start_utc, command.end_utc)
        begin_utc, end_utc = max(0.0, command.start_utc - AROUND_S), command.end_utc + AROUND_S
        criteria = EventFilter(start_utc=begin_utc, end_utc=end_utc, names=_NAMES)
        n_events = 0
        try:
            async for events in told_pages(app.storage, criteria, _PAGE):
                n_events += len(events)
                if n_events > MAX_EVENTS:
                    raise InvalidValue(
                        f"callers passed more than {MAX_EVENTS} nodes: ask for less time", field="end_utc"
                    )
                for event, at_utc in events:
                    figures.feed(event, at_utc)
                if events and events[-1][1] >= command.end_utc and not figures.is_waiting:
                    break
        except UnavailableError as error:
            raise StorageUnavailable(str(error)) from None
        return _view(command.flow, figures)

    return {GetFlowStatistics: statistics}


def _check(command: GetFlowStatistics) -> None:
    if command.end_utc <= command.start_utc:
        raise InvalidValue("end_utc must be later than start_utc", field="end_utc")
    if command.end_utc - command.start_utc > MAX_DAYS * 86_400.0:
        raise InvalidValue(f"at most {MAX_DAYS} days at one time", field="end_utc")


def _view(flow: str, figures: FlowFigures) -> FlowStatistics:
    ends = dict.fromkeys((*_RESULTS.values(), "other"), 0)
    for result, n in figures.results.items():
        ends[_RESULTS.get(result, "other")] += n
    nodes = [
        FlowNodeFigures(
            at_node=name,
            kind=node.kind,
            visits=node.visits,
            branches=dict(sorted(node.branches.items())),
            dropped=node.dropped,
            troubles=node.troubles,
        )
        for name, node in sorted(figures.nodes.items(), key=lambda each: (-each[1].visits, each[0]))
    ]
    return FlowStatistics(
        flow=flow,
        calls=figures.calls,
        unfinished=figures.calls - sum(figures.results.values()),
        as_sub_flow=figures.as_sub_flow,
        versions={str(version): n for version, n in sorted(figures.versions.items())},
        nodes=nodes,
        **ends,
    )
