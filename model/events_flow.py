"""What callers do in flows (XIVR-10): containment, and where they are lost, is computed from these. And what becomes of
flows themselves."""

from model.declare import Event, event


@event("flow.visited")
class FlowVisited(Event, frozen=True, kw_only=True):
    """A caller has come to a node."""

    call_id: str
    flow: str
    version: int
    at_node: str
    """The node."""
    kind: str
    """Type of the node."""


@event("flow.left")
class FlowLeft(Event, frozen=True, kw_only=True):
    """He went on by a branch: a key, next, no_input, no_match, failed …"""

    call_id: str
    flow: str
    version: int
    at_node: str
    branch: str


@event("flow.trouble")
class FlowTrouble(Event, frozen=True, kw_only=True):
    """Something in a flow did not work, and the caller was helped on."""

    call_id: str
    flow: str
    at_node: str
    problem: str


@event("flow.ended")
class FlowEnded(Event, frozen=True, kw_only=True):
    """The flow is over for this caller."""

    call_id: str
    flow: str
    """In which he began."""
    version: int
    at_node: str
    """Where he was, as flow/node."""
    result: str
    """queue, transferred, ended (by the flow), hung_up (IVR-23), failed (his line), released (by command)."""
    n_steps: int


@event("flow.published", permission="flow.view")
class FlowPublished(Event, frozen=True, kw_only=True):
    """Callers who come from now on hear another version of a flow."""

    flow: str
    version: int
    by: str
    note: str
    rolled_back_to: int
    """The version whose document it is; 0 = a new one."""


@event("flow.removed", permission="flow.view")
class FlowRemoved(Event, frozen=True, kw_only=True):
    """A flow was removed by API."""

    flow: str
    by: str


@event("flow.unfit", permission="flow.view")
class FlowUnfit(Event, frozen=True, kw_only=True):
    """At a start of the switch: a published flow does not fit what there is (any more)."""

    flow: str
    version: int
    is_used: bool
    """False: it cannot be read at all, so no caller comes to it."""
    faults: list[str]
    """The first 20."""
