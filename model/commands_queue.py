"""Commands of queues: what waits in them and why, and what supervisors do about it (SUP-12, XSUP-05, XACD-17)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from model import views
from model.agents import AgentId
from model.commands import Cursor, Id, Limit, OptionalText
from model.declare import Command, command
from model.errors import InvalidValue, NoSuchEntry, NoSuchQueue, StorageUnavailable, WrongState
from model.queues import Queue, QueueState
from model.settings import Name


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """A queue as it is now."""

    queue: str
    title: str
    state: str
    """open; draining: nobody new; closed."""
    n_waiting: int
    """Callers whom nobody serves yet."""
    n_callbacks: int
    """Who hung up to be called back, and keep their place."""
    longest_wait_s: float
    n_agents: int
    """Signed in and serving it (服务座席数)."""
    n_idle: int
    """Who could have the next call at once (空闲座席数)."""
    n_by_state: dict[str, int]
    """Of all agents who serve it, signed in or not."""
    is_all_busy: bool
    """Calls wait and no agent is idle (ACD-19)."""
    ewt_s: float | None
    """What who came now would probably wait; null = not known well enough."""
    ewt_error_s: float | None
    """How far such estimates were off, root of the mean square; null = none yet."""


class QueueList(views.View, frozen=True, kw_only=True):
    """Queues by name."""

    queues: list[QueueView]


class QueueDetail(views.View, frozen=True, kw_only=True):
    """A queue with its settings."""

    queue: str
    now: QueueView
    settings: Queue
    source: str
    """file (read-only by API) or database."""


class WaitingCall(msgspec.Struct, frozen=True, kw_only=True):
    """A caller in a queue."""

    entry_id: str
    call_id: str
    queue: str
    position: int
    """1 = next; 0 = an agent is being rung, or none is looked for yet."""
    state: str
    """listening, waiting, offered; resting and calling: a callback."""
    caller: str
    dialed: str
    waited_s: float
    """Queues before this one included."""
    customer_type: str
    """first, returned, vip or normal: the class in the waiting order."""
    call_type: str
    """inbound, outbound or callback."""
    priority: int
    skills: dict[str, int]
    """Asked of agents now."""
    offered_to: list[str]
    """Agents who are rung for it."""
    ewt_s: float | None


class WaitingCalls(views.View, frozen=True, kw_only=True):
    """Who waits, the next one first."""

    calls: list[WaitingCall]
    n_waiting: int
    """Also those of other pages."""
    cursor: str
    """For the next page; empty = this was the last."""


class Standing(views.View, frozen=True, kw_only=True):
    """Why a call waits where it does."""

    call: WaitingCall
    ranking: str
    """The rule in words: class, then the instant from which it counts as waiting, then arrival."""
    counts_as_waiting_s: float
    """Its wait with its priority."""
    before_it: list[str]
    """Entries that go before it, at most 20."""
    agents: dict[str, int]
    """Why no agent has it: reason -> agents of the queue."""


@command("queue.list", permission="queue.view", each="queues", result=QueueList)
class ListQueues(Command, frozen=True, kw_only=True):
    """Queues, with what is going on in each."""


@command("queue.get", permission="queue.view", of="queue", result=QueueDetail, errors=(NoSuchQueue,))
class GetQueue(Command, frozen=True, kw_only=True):
    """One queue and how it is configured."""

    queue: Name


@command("queue.waiting", permission="queue.view", of="queue", result=WaitingCalls, errors=(NoSuchQueue,))
class ListWaiting(Command, frozen=True, kw_only=True):
    """The callers who wait in a queue."""

    queue: Name
    limit: Limit = 1000
    cursor: Cursor = ""


@command(
    "queue.explain",
    permission="queue.view",
    of=("queue", "call_id"),
    result=Standing,
    errors=(NoSuchQueue, NoSuchEntry),
)
class Explain(Command, frozen=True, kw_only=True):
    """Why a call waits: its place, who goes before it, what keeps each agent away. Why an agent was chosen stands in
    `offer.made`."""

    queue: Name
    call_id: Id


@command(
    "queue.raise_call",
    permission="queue.control",
    of=("queue", "call_id"),
    result=WaitingCall,
    errors=(NoSuchQueue, NoSuchEntry, WrongState),
)
class RaiseCall(Command, frozen=True, kw_only=True):
    """Gives a waiting call another priority, or puts it before everybody."""

    queue: Name
    call_id: Id
    priority: Annotated[int, Meta(ge=0, le=100)] | None = None
    """A step is worth queue.priority_step_s seconds of waiting; null = as it is."""
    is_first: bool = False


@command(
    "queue.move_call",
    permission="queue.control",
    of=("queue", "call_id"),
    result=views.Done,
    errors=(NoSuchQueue, NoSuchEntry, WrongState),
)
class MoveCall(Command, frozen=True, kw_only=True):
    """Moves a waiting call to another queue, where it counts as waiting since it did here."""

    queue: Name
    call_id: Id
    to: Name


@command(
    "queue.pull",
    permission="queue.control",
    of=("queue", "call_id"),
    result=WaitingCall,
    errors=(NoSuchQueue, NoSuchEntry, WrongState),
)
class PullCall(Command, frozen=True, kw_only=True):
    """Rings an available agent for a waiting call out of its turn; when he does not answer it is the next one to be
    served."""

    queue: Name
    call_id: Id
    agent_id: AgentId


class CallbackView(msgspec.Struct, frozen=True, kw_only=True):
    """A callback that was taken."""

    call_id: str
    """The call in which the customer will be called back; `call.hangup` cancels it."""


@command(
    "queue.request_callback",
    permission="queue.control",
    of=("queue", "call_id"),
    result=CallbackView,
    errors=(NoSuchQueue, NoSuchEntry, WrongState, InvalidValue),
)
class RequestCallback(Command, frozen=True, kw_only=True):
    """Lets a caller who waits hang up and keep his place: he is called back when it is his turn (XACD-03)."""

    queue: Name
    call_id: Id
    number: OptionalText = ""
    """Where; empty = at the number he calls from."""


@command(
    "queue.set_state",
    permission="queue.control",
    of="queue",
    result=QueueView,
    errors=(NoSuchQueue, WrongState, StorageUnavailable),
)
class SetQueueState(Command, frozen=True, kw_only=True):
    """Opens a queue, lets it run empty, or closes it: then everybody in it is sent where limits.closed_to says. A
    restart changes nothing of that."""

    queue: Name
    state: QueueState
