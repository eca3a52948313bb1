"""What the routing core knows, as plain data: it can be written down, and an engine restored from it goes on the same.

What is only an index over it (lines of waiting calls, heaps of idle agents) is not here; `acd.core` makes it anew.
"""

from typing import Literal

import msgspec

from model.agents import Membership
from model.queues import AcdRules, Queue

FIRST, RETURNED, VIP, NORMAL = range(4)
"""Classes of the waiting order: put first by a supervisor, not answered by an agent, VIP, everybody else."""
RANKS = ("first", "returned", "vip", "normal")

RETRY_S = 3.0
"""So long after he did not take a call an agent is not rung for it again, even when nobody else is there."""

Key = tuple[int, float, int]
"""Place in the waiting order: class, instant from which it counts as waiting, arrival serial."""


class Entry(msgspec.Struct, gc=False, kw_only=True):
    """One stay of a call in one queue."""

    entry_id: str
    call_id: str
    queue: str
    caller: str
    state: str = "waiting"
    """listening (distribution has not begun), waiting, offered, resting (a callback between two attempts), calling (its
    customer is rung), connected"""
    rank: int = NORMAL
    enter_time: float
    """Since when it counts as waiting, queues before this one included."""
    began: float
    """When it came to this queue."""
    seq: int
    priority: int = 0
    is_vip: bool = False
    is_aged: bool = False
    is_outbound: bool = False
    area: str = ""
    skills: tuple[tuple[str, int], ...] = ()
    """What is asked of agents now, by name."""
    asked: tuple[tuple[str, int], ...] = ()
    """What was asked in the beginning."""
    n_relaxed: int = 0
    dedicated_agent: str = ""
    last_agent: str = ""
    preferred: tuple[str, ...] = ()
    preferred_until: float = 0.0
    n_hops: int = 0
    missed: dict[str, float] = {}
    """Agents who did not take it -> until when they are passed over."""
    offers: list[str] = []
    agent_id: str = ""
    """Who serves it."""
    is_overdue: bool = False
    """Its time is up; it is sent on when the agent who is rung does not answer."""
    overdue_reason: str = ""
    announced: int = 0
    """The place it was told last; 0 = none."""
    began_at: int = 0
    """Its place when it came."""
    callback_number: str = ""
    """It is virtual: its caller hung up and is called back there."""
    n_attempts: int = 0
    predicted_s: float = -1.0
    """What was expected of its wait when it came; below 0 = nothing."""
    head_s: float = -1.0
    """What the wait of the head of the line would have predicted."""

    def key(self, step_s: float) -> Key:
        return (self.rank, self.enter_time - self.priority * step_s, self.seq)


class Tally(msgspec.Struct, gc=False):
    """An agent's day in one queue."""

    answered: int = 0
    talk_s: float = 0.0
    turn: int = 0
    """When he was rung last, in turns of the queue."""


class AgentState(msgspec.Struct, gc=False, kw_only=True):
    """A signed-in agent."""

    agent_id: str
    group: str = ""
    level: int = 0
    area: str = ""
    queues: tuple[Membership, ...] = ()
    skills: dict[str, int] = {}
    signed_in_at: float
    serial: int
    """Counts sign-ins, for who signed in at the same instant."""
    state: str = "away"
    """away, idle, offered, serving"""
    why: str = "not_ready"
    """Why he is away."""
    takes_inbound: bool = False
    takes_outbound: bool = False
    idle_since: float = 0.0
    lots: dict[str, float] = {}
    """Queue -> his lot there for the random strategy, drawn when he became ready: the least is the next."""
    epoch: int = 0
    """Entries of heaps with another epoch are of the past."""
    offer_id: str = ""
    entry_id: str = ""
    tallies: dict[str, Tally] = {}

    def level_in(self, queue: str) -> int:
        for each in self.queues:
            if each.queue == queue:
                return each.level if each.level >= 0 else self.level
        return self.level

    @property
    def is_ready(self) -> bool:
        return self.takes_inbound or self.takes_outbound


class OfferState(msgspec.Struct, gc=False, kw_only=True):
    offer_id: str
    entry_id: str
    agent_id: str
    queue: str
    made_at: float


class QueueState(msgspec.Struct, gc=False, kw_only=True):
    settings: Queue
    state: Literal["open", "draining", "closed"] = "open"
    is_removed: bool = False
    """Closed or draining, and forgotten once nobody waits in it, is offered from it or is called back."""
    n_waiting: int = 0
    """Entries that nobody serves yet, virtual ones not counted."""
    n_turns: int = 0
    n_calling: int = 0
    """Customers who are rung before an agent (callback.first = "customer")."""
    absent_since: float | None = 0.0
    """Since when nobody is there; None = somebody is."""
    connects: list[float] = []
    """Instants of the latest connects, at most 64."""
    last_wait_s: float = -1.0
    """Of who was connected last."""
    cut_off: dict[str, tuple[float, float]] = {}
    """Callers who hung up while they waited -> (enter_time, until when they may resume)."""
    squared_error: float = 0.0
    squared_error_of_head: float = 0.0
    n_predicted: int = 0
    """Of waits that were predicted, against what they became (seconds squared)."""
    clocks: dict[int, float] = {}
    """Level -> the lot of who was chosen last (random strategy): new lots begin there."""
    all_busy_at: float = 0.0
    """When it was told last that all are busy; 0.0 = it is not so."""


class AcdState(msgspec.Struct, kw_only=True):
    seed: int
    rules: AcdRules = AcdRules()
    queues: dict[str, QueueState] = {}
    agents: dict[str, AgentState] = {}
    entries: dict[str, Entry] = {}
    offers: dict[str, OfferState] = {}
    timers: list[tuple[float, int, str, str]] = []
    """A heap of (instant, serial, kind, id of an entry or name of a queue)."""
    serial: int = 0
    """Counts everything that needs an order or a name of its own."""
