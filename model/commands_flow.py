"""Commands on flows of the voice menu: drafts, versions, the simulator, figures. `switch/flows_admin.py` and
`switch/flow_statistics.py` handle them.

A flow has a draft, which no caller hears, and numbered versions. The newest is the published one: to roll back is to
publish an old document again, under a new number. A flow of the folder that `ivr.flows` names is version 0; a published
one of the same name goes before it.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

from model import views
from model.declare import Command, command
from model.errors import (
    FaultyFlow,
    InUse,
    InvalidValue,
    NoSuchFlow,
    StorageUnavailable,
    WrongState,
)
from model.settings import Name, Text

At = Annotated[float, Meta(ge=0.0, le=32503680000.0)]
Version = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Document = dict[str, Any]
Keys = Annotated[str, Meta(pattern=r"^(-|!|[0-9*#]{1,64}|say:.{1,200})$")]
Hours = Literal["working", "off", "holiday", "emergency"]
TransferEnd = Literal["answered", "busy", "no_answer", "failed"]


class FlowFaultView(views.View, frozen=True, kw_only=True):
    """A mistake in a flow."""

    node: str
    """Empty = of the flow itself."""
    field: str
    problem: str


class FlowFaults(views.View, frozen=True, kw_only=True):
    """Everything that is wrong with a flow."""

    flow: str
    faults: list[FlowFaultView]
    """The first 500."""
    n_faults: int


class FlowView(views.View, frozen=True, kw_only=True):
    """A flow, without its document."""

    flow: str
    title: str = ""
    source: str
    """Of what callers hear: file (the folder that ivr.flows names), database, or empty: nothing is published."""
    version: int
    """Published; 0 = of the folder, or none."""
    published_utc: float = 0.0
    published_by: str = ""
    note: str = ""
    n_nodes: int = 0
    is_used: bool
    """False: only a draft, or the published version cannot be read any more (`flow.check` says why)."""
    is_over_file: bool = False
    """There is one of this name in the folder too, which is not used."""
    has_draft: bool = False
    draft_utc: float = 0.0
    """When it was saved."""
    draft_by: str = ""


class FlowList(views.View, frozen=True, kw_only=True):
    """Flows, by name."""

    flows: list[FlowView]


class FlowDocument(views.View, frozen=True, kw_only=True):
    """One document of a flow."""

    flow: str
    is_draft: bool
    version: int
    """0 = a draft, or of the folder."""
    saved_utc: float
    saved_by: str
    note: str = ""
    document: Document
    """As it was saved, places of nodes included."""


class FlowVersionView(views.View, frozen=True, kw_only=True):
    """A version, without its document."""

    version: int
    published_utc: float
    published_by: str
    note: str
    is_published: bool
    """Callers hear this one."""
    size: int
    """Bytes of the document."""


class FlowVersions(views.View, frozen=True, kw_only=True):
    """Versions of a flow, the newest first."""

    flow: str
    versions: list[FlowVersionView]


class FlowDraftSaved(views.View, frozen=True, kw_only=True):
    """A draft as it is now, and what keeps it from being published."""

    flow: str
    saved_utc: float
    faults: list[FlowFaultView]
    """The first 500."""
    n_faults: int


class SimulatedStep(views.View, frozen=True, kw_only=True):
    """Something that happened on a way through a flow."""

    what: str
    """node, branch, hears, caller, asks, answer, secure, data, language, rank, transfer, talks, queue, trouble, end."""
    text: str
    flow: str = ""
    """Where he was."""
    at_node: str = ""


class FlowSimulated(views.View, frozen=True, kw_only=True):
    """A way through a flow."""

    end: str
    """queue, transferred, ended, hung_up; stopped: it was too long to be walked."""
    path: list[str]
    """Nodes, as flow/node; the last 200."""
    steps: list[SimulatedStep]
    """The first 5000."""


class FlowNodeFigures(views.View, frozen=True, kw_only=True):
    """What happened at a node."""

    at_node: str
    kind: str
    visits: int
    branches: dict[str, int]
    """Branch -> how often callers went on by it."""
    dropped: int
    """Callers who hung up here (IVR-23)."""
    troubles: int


class FlowStatistics(views.View, frozen=True, kw_only=True):
    """Calls that began in a flow within a time, whatever became of them until now: calls = contained + to_queue +
    transferred + hung_up + failed + released + other + unfinished."""

    flow: str
    calls: int
    contained: int
    """The flow was enough: it ended them (XIVR-10)."""
    to_queue: int
    transferred: int
    hung_up: int
    failed: int
    """Their line was lost."""
    released: int
    """By command."""
    other: int
    unfinished: int
    """Still in it, or lost with a stop of the switch."""
    as_sub_flow: int
    """Calls of other flows that came into it."""
    versions: dict[str, int]
    """Version -> how many of `calls` began in it."""
    nodes: list[FlowNodeFigures]
    """Of this flow, the most visited first; visits of calls of other flows included."""


@command("flow.list", permission="flow.view", result=FlowList, errors=(StorageUnavailable,))
class ListFlows(Command, frozen=True, kw_only=True):
    """Flows: of the folder, published, and drafts."""


@command("flow.versions", permission="flow.view", result=FlowVersions, errors=(NoSuchFlow, StorageUnavailable))
class ListFlowVersions(Command, frozen=True, kw_only=True):
    """Who published what when."""

    flow: Name


# A document may hold what another system's door is opened with (headers of requests): it is read by who may change it,
# and does not stand in the audit log; who saved it, and when, is kept with it.


@command(
    "flow.get",
    permission="flow.manage",
    is_audited=False,
    result=FlowDocument,
    errors=(NoSuchFlow, StorageUnavailable),
)
class GetFlow(Command, frozen=True, kw_only=True):
    """The draft, where there is one, or else what is published."""

    flow: Name
    version: Version | None = None
    """This version instead; 0 = of the folder."""


@command(
    "flow.save_draft",
    permission="flow.manage",
    is_audited=False,
    result=FlowDraftSaved,
    errors=(InvalidValue, WrongState, StorageUnavailable),
)
class SaveFlowDraft(Command, frozen=True, kw_only=True):
    """Keeps a document, with whatever mistakes it has; callers hear nothing of it."""

    flow: Name
    document: Document
    """At most 512 kB."""
    seen_utc: At = 0.0
    """`saved_utc` of the draft that it was made from: refused (wrong_state) when somebody has saved since; 0 = whatever
    there is."""


@command(
    "flow.check",
    permission="flow.manage",
    is_audited=False,
    result=FlowFaults,
    errors=(NoSuchFlow, InvalidValue, StorageUnavailable),
)
class CheckFlow(Command, frozen=True, kw_only=True):
    """Everything that is wrong with a document, or with a draft or version as things are now; nothing is saved."""

    flow: Name
    document: Document | None = None
    """Empty: of the draft, where there is one, or else of what is published."""
    version: Version | None = None


@command(
    "flow.publish",
    permission="flow.manage",
    result=FlowView,
    errors=(NoSuchFlow, FaultyFlow, InvalidValue, StorageUnavailable),
)
class PublishFlow(Command, frozen=True, kw_only=True):
    """Makes the draft the newest version: callers who come from now on hear it; those who are in a flow stay in their
    version."""

    flow: Name
    note: Text = ""


@command(
    "flow.roll_back",
    permission="flow.manage",
    result=FlowView,
    errors=(NoSuchFlow, FaultyFlow, StorageUnavailable),
)
class RollBackFlow(Command, frozen=True, kw_only=True):
    """Publishes the document of an old version again, as a new version. The draft stays."""

    flow: Name
    version: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    note: Text = ""
    """Empty: "as version N"."""


@command(
    "flow.remove",
    permission="flow.manage",
    result=views.Done,
    errors=(NoSuchFlow, InUse, InvalidValue, StorageUnavailable),
)
class RemoveFlow(Command, frozen=True, kw_only=True):
    """Removes a flow with its draft and versions; refused while access numbers, queues or other flows lead to it. Where
    there is one of the name in the folder that is used again."""

    flow: Name
    is_draft_only: bool = False
    """Gives up the draft alone."""


@command(
    "flow.simulate",
    permission="flow.manage",
    is_audited=False,
    result=FlowSimulated,
    errors=(NoSuchFlow, FaultyFlow, InvalidValue, StorageUnavailable),
)
class SimulateFlow(Command, frozen=True, kw_only=True):
    """Walks a flow as a caller would, without a call; no other system is asked."""

    flow: Name
    document: Document | None = None
    """Empty: the draft, where there is one, or else what is published. Flows it calls are the published ones."""
    version: Version | None = None
    say: Annotated[tuple[Keys, ...], Meta(max_length=1000)] = ()
    """What the caller does, in order: keys; "say:WORDS" = speaks; "-" = nothing until it is too late; "!" = hangs
    up."""
    hours: Hours = "working"
    """What calendars say."""
    caller: Annotated[str, Meta(max_length=64)] = "13800001111"
    replies: Annotated[tuple[Any, ...], Meta(max_length=100)] = ()
    """The JSON answer to each HTTP request, in order; null: it fails, as those do that are not named."""
    transfer: TransferEnd = "answered"
    """How transfers end."""


@command(
    "flow.statistics",
    permission="flow.view",
    result=FlowStatistics,
    errors=(InvalidValue, StorageUnavailable),
)
class GetFlowStatistics(Command, frozen=True, kw_only=True):
    """What became of the calls that began in a flow within a time, and what happened at its nodes (XIVR-10). It is
    counted from the event log, so it reaches as far back as that."""

    flow: Name
    start_utc: At
    end_utc: At
    """Calls that began before this; at most 31 days."""
    version: Version = 0
    """Those alone that began in this version; 0 = all."""
