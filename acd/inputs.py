"""What the routing core is told: nouns that happened, each with plain data. `AcdEngine.handle(input, now)` takes them.

A *queue entry* is one stay of a call in one queue; an *offer* is one presentation of an entry to one agent. Ids are
opaque and given by who tells. Nothing here is a policy: who is preferred and when somebody is sent on is the engine's.
"""

from typing import Literal

import msgspec

from model.agents import Membership
from model.queues import AcdRules, Queue, QueueState

ExitReason = Literal["abandoned", "exit_key", "withdrawn", "transferred", "callback_converted"]
"""Why a waiting call leaves on its own account; the engine's own reasons are `model.queues.OverflowReason`."""

OfferOutcome = Literal["no_answer", "rejected", "busy", "unreachable"]
"""Why an offer came to nothing on the agent's side (FEATURES 4.3)."""


class EntryPlace(msgspec.Struct, frozen=True, gc=False):
    """What an entry that was in a queue before keeps of its place."""

    enter_time: float
    """Monotonic instant at which its wait began."""
    n_hops: int = 0
    """Queues it has overflowed through."""
    is_returned: bool = False
    """An agent did not answer it: before everybody (ACD-15)."""


class CallEnters(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A call comes to a queue."""

    entry_id: str
    call_id: str
    queue: str
    caller: str = ""
    is_vip: bool = False
    priority: int = 0
    """0 to 100; a step is worth `Queue.priority_step_s` seconds of waiting within its class."""
    area: str = ""
    """The caller's, as `Agent.home_area`."""
    skills: tuple[tuple[str, int], ...] = ()
    """Asked for beside the queue's own, by name."""
    dedicated_agent: str = ""
    last_agent: str = ""
    preferred: tuple[str, ...] = ()
    """Agents tried before everybody else, in this order, for `preferred_s` (XACD-07)."""
    preferred_s: float = 0.0
    is_outbound: bool = False
    """Placed by a dialler and answered (the reserve is for the others)."""
    place: EntryPlace | None = None
    """None: it is new, and waits from now on."""
    callback_number: str = ""
    """He is not on the line: he will be called back there, so limits of waiting are not for him."""


class CallLeaves(msgspec.Struct, frozen=True, gc=False):
    """It hung up, pressed the exit key, was moved away by somebody (who lets it enter elsewhere with its `place`)."""

    entry_id: str
    reason: ExitReason


class VipVerdict(msgspec.Struct, frozen=True, gc=False):
    """A third party's answer; the entry keeps its time (DIALER-ACD §4)."""

    entry_id: str
    is_vip: bool


class EntryChanges(msgspec.Struct, frozen=True, gc=False):
    """A supervisor raises or lowers a waiting call (XSUP-05)."""

    entry_id: str
    priority: int | None = None
    is_first: bool = False
    """Before everybody."""


class PlaceAsked(msgspec.Struct, frozen=True, gc=False):
    """Who speaks to the caller wants to tell him his place now; `Announce` follows while he waits."""

    entry_id: str


class EntryPulled(msgspec.Struct, frozen=True, gc=False):
    """A supervisor, or the agent himself, takes a waiting call out of its turn: he is rung for it now (XSUP-05)."""

    entry_id: str
    agent_id: str


class CallbackAsked(msgspec.Struct, frozen=True, gc=False):
    """The caller hangs up and keeps his place: the entry is virtual from now on."""

    entry_id: str
    number: str
    call_id: str = ""
    """The call in which he will be called back, whose the place is from now on; empty = the same."""


class CallbackAnswered(msgspec.Struct, frozen=True, gc=False):
    """The customer of a virtual entry was rung first and is there: the entry is the next one to be served."""

    entry_id: str


class CallbackFailed(msgspec.Struct, frozen=True, gc=False):
    """The customer could not be reached; the engine tries again, or gives up."""

    entry_id: str


class AgentSignsIn(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """He serves these queues from now on; not ready before `AgentReady`. Again: what he serves has changed."""

    agent_id: str
    group: str = ""
    level: int = 0
    area: str = ""
    queues: tuple[Membership, ...] = ()
    skills: tuple[tuple[str, int], ...] = ()
    signed_in_at: float | None = None
    """None: now. What he keeps over a short disconnection (AGT-18)."""


class AgentSignsOut(msgspec.Struct, frozen=True, gc=False):
    agent_id: str


class AgentReady(msgspec.Struct, frozen=True, gc=False):
    """He can be offered calls: of queues, of diallers, or both."""

    agent_id: str
    takes_inbound: bool = True
    takes_outbound: bool = False
    """Calls placed by the predictive dialler (AGT-19)."""
    idle_since: float | None = None
    """None: now."""


class AgentNotReady(msgspec.Struct, frozen=True, gc=False):
    """He cannot: not ready, after-call work, a call of his own, no phone."""

    agent_id: str
    why: Literal["not_ready", "acw", "busy", "unreachable"] = "not_ready"


class OfferAnswered(msgspec.Struct, frozen=True, gc=False):
    """The agent took it."""

    offer_id: str


class OfferFailed(msgspec.Struct, frozen=True, gc=False):
    """The agent did not."""

    offer_id: str
    outcome: OfferOutcome


class ServiceEnds(msgspec.Struct, frozen=True, gc=False):
    """The conversation of a connected entry with its agent is over. He is not ready until `AgentReady`."""

    entry_id: str
    talk_s: float = 0.0


class QueueChanges(msgspec.Struct, frozen=True, gc=False):
    """A queue is new, or has other settings; callers in it stay where they are."""

    queue: Queue


class QueueRemoved(msgspec.Struct, frozen=True, gc=False):
    """Nobody new comes in, and it is forgotten once it is empty. Its callers are sent where `limits.closed_to` says;
    offers that ring may still be answered."""

    queue: str
    is_drained: bool = False
    """Its callers stay and are served."""


class QueueStateChanges(msgspec.Struct, frozen=True, gc=False):
    """open; draining: nobody new, who waits is served; closed: everybody is sent on (XACD-17)."""

    queue: str
    state: QueueState


class RulesChange(msgspec.Struct, frozen=True, gc=False):
    rules: AcdRules


class DayBegins(msgspec.Struct, frozen=True, gc=False):
    """Counts that hold for a day (fewest calls, talk time) begin anew."""


AcdInput = (
    CallEnters
    | CallLeaves
    | VipVerdict
    | EntryChanges
    | EntryPulled
    | PlaceAsked
    | CallbackAsked
    | CallbackAnswered
    | CallbackFailed
    | AgentSignsIn
    | AgentSignsOut
    | AgentReady
    | AgentNotReady
    | OfferAnswered
    | OfferFailed
    | ServiceEnds
    | QueueChanges
    | QueueRemoved
    | QueueStateChanges
    | RulesChange
    | DayBegins
)
