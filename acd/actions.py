"""What the routing core asks for. The runner performs it and tells the result as an input (`acd/inputs.py`)."""

from typing import Literal

import msgspec

from model.declare import Event

WithdrawReason = Literal["lost_race", "caller_gone", "cancelled"]


class Explanation(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Why this call and why this agent, in the words of the rules; told by the API and kept with the offer."""

    call_rule: str
    """returned, vip, aged, weight, service_level, priority, oldest, only: what put this call before the others."""
    agent_rule: str
    """dedicated, preferred, last_agent, area, level, or the strategy's name, only: what put this agent first."""
    agent_value: str = ""
    """Its value, as "idle 93.2 s", "answered 4 today"."""
    position: int = 1
    waited_s: float = 0.0
    n_waiting: int = 0
    n_eligible: int = 0
    """Idle agents who could have been chosen."""
    passed_over: tuple[tuple[str, str], ...] = ()
    """Agents whom a stronger rule would have chosen: (agent_id, why not); at most 8."""


class Offer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Ring the agent for the entry. `OfferAnswered` or `OfferFailed` follows; who rings out is the runner's to say."""

    offer_id: str
    entry_id: str
    call_id: str
    queue: str
    agent_id: str
    ring_timeout_s: float
    is_callback: bool = False
    """The entry is virtual: the customer has to be called."""
    why: Explanation


class Withdraw(msgspec.Struct, frozen=True, gc=False):
    """Stop ringing, or end what was answered too late. Nothing of this offer is told any more."""

    offer_id: str
    reason: WithdrawReason


class Connect(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The offer was answered in time: bridge entry and agent."""

    offer_id: str
    entry_id: str
    call_id: str
    queue: str
    agent_id: str
    waited_s: float


class Announce(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Tell the caller his place; due when the engine says, spoken when the runner can."""

    entry_id: str
    call_id: str
    position: int
    is_more_than: bool = False
    """There are more before him than `position`."""
    ewt_s: float | None = None
    """None: not known well enough to be said (XACD-04)."""


class SendOn(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The entry leaves the queue for `target` (ACD-07…09)."""

    entry_id: str
    call_id: str
    queue: str
    reason: str
    """As `model.queues.OverflowReason`."""
    target: str
    """As `model.queues.Target`; a `queue:` target is entered by a new entry with `place` as told here."""
    enter_time: float
    n_hops: int


class CallBack(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Ring the customer of a virtual entry now (customer first, or his turn comes)."""

    entry_id: str
    call_id: str
    number: str


AcdAction = Offer | Withdraw | Connect | Announce | SendOn | CallBack | Event
"""Events of `model.events_queue` are published, and kept in the log that figures are computed from."""
