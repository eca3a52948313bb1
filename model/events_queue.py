"""Events of queues. Together with those of agents they are the log that every figure is computed from.

Instants are those of the envelope; durations are told in seconds, so that no figure depends on two clocks.
"""

from model.declare import Event, event


@event("queue.entered")
class QueueEntered(Event, frozen=True, kw_only=True):
    """A call waits in a queue: one queue entry begins (offered, O)."""

    call_id: str
    entry_id: str
    queue: str
    caller: str
    rank: str
    """first, returned, vip or normal: its class in the waiting order."""
    position: int
    """Its place at the moment, 1 = next."""
    priority: int
    is_outbound: bool
    """Placed by a dialler and answered by the customer."""
    waited_s: float
    """What it had waited before, in queues it overflowed from or before it was cut off."""
    n_hops: int
    is_resumed: bool
    """It was cut off and has its old place."""


@event("queue.left")
class QueueLeft(Event, frozen=True, kw_only=True):
    """The entry is over. Every entry has exactly one of these."""

    call_id: str
    entry_id: str
    queue: str
    reason: str
    """connected; abandoned; timeout, no_agent_timeout, overflow_full, exit_empty, closed (sent on); exit_key,
    withdrawn, transferred, callback_converted (FEATURES 4.3)."""
    wait_s: float
    """Since this entry began, ringing of agents included."""
    agent_id: str
    """Who took it; empty = nobody."""
    target: str
    """Where it was sent; empty = nowhere."""
    was_ringing: bool
    """An agent was being rung for it."""


@event("queue.entry_changed")
class QueueEntryChanged(Event, frozen=True, kw_only=True):
    """A waiting call has another place, or other agents may have it."""

    call_id: str
    entry_id: str
    queue: str
    change: str
    """priority, first, vip, not_vip, aged, relaxed, callback, returned."""
    position: int


@event("queue.all_busy")
class QueueAllBusy(Event, frozen=True, kw_only=True):
    """Every agent who could serve the queue is busy and calls wait; told again and again, and once when it is over."""

    queue: str
    is_over: bool
    n_waiting: int
    n_agents: int
    longest_wait_s: float


@event("queue.callback_changed")
class QueueCallbackChanged(Event, frozen=True, kw_only=True):
    """A caller who hung up to be called back keeps his place; this is how it goes (XACD-03)."""

    call_id: str
    """Of the call in which he is called back; its data `callback_of` names the one in which it was asked for."""
    entry_id: str
    queue: str
    state: str
    """asked, calling (the customer is rung), answered, retry, done; failed, expired or cancelled."""
    attempt: int


@event("centre.started")
class CentreStarted(Event, frozen=True, kw_only=True):
    """The switch was started: whoever waited or was signed in before is gone, unless it is told anew."""

    version: str


@event("queue.changed")
class QueueChanged(Event, frozen=True, kw_only=True):
    """A queue was created, updated, removed, opened, closed, or is draining."""

    queue: str
    change: str
    """created, updated, deleted, open, draining or closed."""
    by: str


@event("offer.made")
class OfferMade(Event, frozen=True, kw_only=True):
    """An agent is rung for a waiting call."""

    call_id: str
    entry_id: str
    offer_id: str
    queue: str
    agent_id: str
    waited_s: float
    position: int
    call_rule: str
    agent_rule: str
    agent_value: str
    """Why this call and why this agent: see `queue.explain`."""


@event("offer.accepted")
class OfferAccepted(Event, frozen=True, kw_only=True):
    """He took it."""

    call_id: str
    entry_id: str
    offer_id: str
    queue: str
    agent_id: str
    ring_s: float
    waited_s: float


@event("offer.missed")
class OfferMissed(Event, frozen=True, kw_only=True):
    """The offer is over and he does not have the call."""

    call_id: str
    entry_id: str
    offer_id: str
    queue: str
    agent_id: str
    outcome: str
    """no_answer, rejected, busy, unreachable (his side); lost_race, caller_gone, cancelled (not his)."""
    ring_s: float


@event("call.rated")
class CallRated(Event, frozen=True, kw_only=True):
    """What the customer said of the service after the call (SAT-02)."""

    call_id: str
    queue: str
    """Whose agent served him; empty, as `agent_id`: a flow asked him, and no agent had."""
    agent_id: str
    result: str
    """satisfied, neutral, dissatisfied, hung_up, wrong_key or not_sent."""
    key: str


@event("survey.answered")
class SurveyAnswered(Event, frozen=True, kw_only=True):
    """A caller was asked a question of a survey (XIVR-07); how he was served is `call.rated`."""

    call_id: str
    flow: str
    question: str
    answer: str
    """As the flow names it; hung_up, none (no key came), wrong_key."""
    key: str
    queue: str
    """Whose agent served him; empty: none did."""
    agent_id: str
