"""What became of callers in a flow, and where they were lost (XIVR-10), of the events of flows in their order. Pure.

Counted are the calls that began in it within a time, and what they did, also behind the end of that time.
"""

import msgspec

from model.declare import Event
from model.events_flow import FlowEnded, FlowLeft, FlowTrouble, FlowVisited


class NodeFigures(msgspec.Struct, gc=False):
    """What happened at a node."""

    kind: str = ""
    visits: int = 0
    branches: dict[str, int] = {}
    dropped: int = 0
    troubles: int = 0


class _Run(msgspec.Struct, gc=False):
    """A call between the first node and the end of its flow."""

    flow: str
    counts: bool
    has_come: bool = False
    """As from another flow."""


class FlowFigures:
    """`version` 0: whatever version the calls began in."""

    def __init__(self, flow: str, version: int, start_utc: float, end_utc: float) -> None:
        self.calls = 0
        self.as_sub_flow = 0
        self.results: dict[str, int] = {}
        self.versions: dict[int, int] = {}
        self.nodes: dict[str, NodeFigures] = {}
        self._flow = flow
        self._version = version
        self._start_utc = start_utc
        self._end_utc = end_utc
        self._runs: dict[str, _Run] = {}
        self._n_open = 0

    @property
    def is_waiting(self) -> bool:
        """Some of the calls have not ended."""
        return self._n_open > 0

    def feed(self, event: Event, at_utc: float) -> None:
        match event:
            case FlowVisited():
                self._visited(event, at_utc)
            case FlowLeft():
                if (node := self._node(event.call_id, event.flow, event.at_node)) is not None:
                    node.branches[event.branch] = node.branches.get(event.branch, 0) + 1
            case FlowTrouble():
                if (node := self._node(event.call_id, event.flow, event.at_node)) is not None:
                    node.troubles += 1
            case FlowEnded():
                self._ended(event)
            case _:
                pass

    def _visited(self, event: FlowVisited, at_utc: float) -> None:
        run = self._runs.get(event.call_id)
        if run is None:
            if at_utc >= self._end_utc:
                return
            counts = at_utc >= self._start_utc and (not self._version or self._is_wanted(event))
            run = self._runs[event.call_id] = _Run(event.flow, counts)
            if counts and run.flow == self._flow:
                self.calls += 1
                self._n_open += 1
                self.versions[event.version] = self.versions.get(event.version, 0) + 1
        if run.counts and event.flow == self._flow:
            node = self.nodes.setdefault(event.at_node, NodeFigures())
            node.kind = event.kind
            node.visits += 1
            if run.flow != self._flow and not run.has_come:
                run.has_come = True
                self.as_sub_flow += 1

    def _ended(self, event: FlowEnded) -> None:
        run = self._runs.pop(event.call_id, None)
        if run is None or not run.counts:
            return
        if run.flow == self._flow:
            self._n_open -= 1
            self.results[event.result] = self.results.get(event.result, 0) + 1
        flow, _, node = event.at_node.partition("/")
        if event.result == "hung_up" and flow == self._flow:
            self.nodes.setdefault(node, NodeFigures()).dropped += 1

    def _is_wanted(self, event: FlowVisited) -> bool:
        return event.flow == self._flow and event.version == self._version

    def _node(self, call_id: str, flow: str, node: str) -> NodeFigures | None:
        run = self._runs.get(call_id)
        if run is None or not run.counts or flow != self._flow:
            return None
        return self.nodes.setdefault(node, NodeFigures())
