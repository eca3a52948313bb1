"""Figures of queues and agents since midnight, of nothing but the events that were told (FEATURES 4.7).

Pure: `feed` takes each event with the instant of its envelope. Durations are whole milliseconds inside, so that sums do
not depend on the order in which they are made: the same events give the same figures, live or from the log.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from model.declare import Event
from model.events_agent import AgentAcwEnded, AgentCallEnded, AgentSignedIn, AgentSignedOut, AgentStateChanged
from model.events_queue import CallRated, CentreStarted, OfferAccepted, OfferMade, OfferMissed, QueueEntered, QueueLeft

Thresholds = tuple[float, float]
"""Answered within so many seconds is in time; who hangs up sooner than the second did not really wait."""


class QueueFigures(msgspec.Struct, gc=False):
    """Sums of one queue; `_ms`: milliseconds."""

    carried: int = 0
    """Waited at midnight."""
    offered: int = 0
    answered: int = 0
    answered_in_time: int = 0
    abandoned: int = 0
    abandoned_in_time: int = 0
    abandoned_short: int = 0
    flowed: dict[str, int] = {}
    """Left in another way: reason -> how many; `lost`: the switch was stopped while they waited."""
    wait_answered_ms: int = 0
    wait_abandoned_ms: int = 0
    wait_flowed_ms: int = 0
    longest_wait_ms: int = 0
    """Of who has left."""
    offers: int = 0
    offers_accepted: int = 0
    missed: dict[str, int] = {}
    """Offers that came to nothing: outcome -> how many."""
    ring_ms: int = 0
    handled: int = 0
    transferred: int = 0
    held: int = 0
    talk_ms: int = 0
    hold_ms: int = 0
    acw_ms: int = 0
    rated: dict[str, int] = {}

    @property
    def flowed_out(self) -> int:
        return sum(self.flowed.values())


class AgentFigures(msgspec.Struct, gc=False):
    """Sums of one agent."""

    sign_ins: int = 0
    state_ms: dict[str, int] = {}
    """Display state -> how long; together the time he was signed in."""
    not_ready_ms: dict[str, int] = {}
    not_ready_n: dict[str, int] = {}
    """By reason."""
    offers: int = 0
    offers_accepted: int = 0
    missed: dict[str, int] = {}
    ring_ms: int = 0
    handled: dict[str, int] = {}
    """Call type -> how many."""
    transferred: int = 0
    held: int = 0
    talk_ms: int = 0
    hold_ms: int = 0
    acws: int = 0
    acw_ms: int = 0
    rated: dict[str, int] = {}


class AgentNow(msgspec.Struct, gc=False):
    """What a signed-in agent does."""

    group: str
    state: str
    reason: str
    since_ms: int
    """Of the state."""
    counted_ms: int
    """What of it is not in the sums begins here."""


class Metrics:
    """`thresholds`: those of a queue, as configured; `day_end`: the first midnight behind an instant (UTC seconds)."""

    def __init__(self, thresholds: Callable[[str], Thresholds], day_end: Callable[[float], float]) -> None:
        self.queues: dict[str, QueueFigures] = {}
        self.agents: dict[str, AgentFigures] = {}
        self.waiting: dict[str, dict[str, int]] = {}
        """Queue -> entry -> when it came."""
        self.now: dict[str, AgentNow] = {}
        self.identity_violations = 0
        """Events by which O = A + B + F + W would not hold; 0 while all is well."""
        self.last_ms = 0
        self._thresholds = thresholds
        self._day_end = day_end
        self._midnight_ms = 0

    def feed(self, event: Event, at_utc: float) -> None:
        """What was told; events that no figure is made of do nothing."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            self.advance(at_utc)
            handler(self, event, self.last_ms)

    def advance(self, at_utc: float) -> None:
        """Time has come so far; at midnight sums begin anew, and what goes on is split there."""
        # A clock that was set back stands still here: no duration is below nothing.
        at_ms = max(round(at_utc * 1000), self.last_ms)
        if not self._midnight_ms:
            self._midnight_ms = round(self._day_end(at_utc) * 1000)
        if at_ms >= self._midnight_ms:
            self.queues, self.agents = {}, {}
            for queue, entries in self.waiting.items():
                self.queue(queue).carried = len(entries)
            # Whoever is signed in has been since the last midnight there was.
            begins_ms = self._midnight_ms
            while (end_ms := round(self._day_end(begins_ms / 1000) * 1000)) <= at_ms:
                begins_ms = end_ms
            for state in self.now.values():
                state.counted_ms = max(state.counted_ms, begins_ms)
            self._midnight_ms = end_ms
        self.last_ms = at_ms

    def restarted(self) -> None:
        """The switch came up again: nobody waits, nobody is signed in, and nobody was since the last event."""
        for queue, entries in self.waiting.items():
            figures = self.queue(queue)
            if entries:
                figures.flowed["lost"] = figures.flowed.get("lost", 0) + len(entries)
        self.waiting.clear()
        for agent_id in [*self.now]:
            self._count(agent_id, self.last_ms)
            del self.now[agent_id]

    def state_ms(self, agent_id: str, at_utc: float) -> dict[str, int]:
        """Time in each state, the present one up to now included."""
        sums = dict(self.agent(agent_id).state_ms)
        now = self.now.get(agent_id)
        if now is not None:
            sums[now.state] = sums.get(now.state, 0) + max(0, round(at_utc * 1000) - now.counted_ms)
        return sums

    def queue(self, name: str) -> QueueFigures:
        return self.queues.setdefault(name, QueueFigures())

    def agent(self, agent_id: str) -> AgentFigures:
        return self.agents.setdefault(agent_id, AgentFigures())

    # -- queues --------------------------------------------------------------------------------------------------------

    def _entered(self, event: QueueEntered, at_ms: int) -> None:
        waiting = self.waiting.setdefault(event.queue, {})
        if event.entry_id in waiting:
            self.identity_violations += 1
            return
        waiting[event.entry_id] = at_ms
        self.queue(event.queue).offered += 1

    def _left(self, event: QueueLeft, at_ms: int) -> None:
        if self.waiting.get(event.queue, {}).pop(event.entry_id, None) is None:
            self.identity_violations += 1
            return
        figures = self.queue(event.queue)
        wait_ms = round(event.wait_s * 1000)
        in_time_s, short_s = self._thresholds(event.queue)
        is_in_time = wait_ms <= in_time_s * 1000
        figures.longest_wait_ms = max(figures.longest_wait_ms, wait_ms)
        if event.reason == "connected":
            figures.answered += 1
            figures.answered_in_time += is_in_time
            figures.wait_answered_ms += wait_ms
        elif event.reason == "abandoned":
            figures.abandoned += 1
            figures.abandoned_in_time += is_in_time
            figures.abandoned_short += wait_ms < short_s * 1000
            figures.wait_abandoned_ms += wait_ms
        else:
            figures.flowed[event.reason] = figures.flowed.get(event.reason, 0) + 1
            figures.wait_flowed_ms += wait_ms

    def _offer(self, event: OfferMade, at_ms: int) -> None:
        self.queue(event.queue).offers += 1
        self.agent(event.agent_id).offers += 1

    def _accepted(self, event: OfferAccepted, at_ms: int) -> None:
        for figures in (self.queue(event.queue), self.agent(event.agent_id)):
            figures.offers_accepted += 1
            figures.ring_ms += round(event.ring_s * 1000)

    def _missed(self, event: OfferMissed, at_ms: int) -> None:
        for figures in (self.queue(event.queue), self.agent(event.agent_id)):
            figures.missed[event.outcome] = figures.missed.get(event.outcome, 0) + 1
            figures.ring_ms += round(event.ring_s * 1000)

    def _rated(self, event: CallRated, at_ms: int) -> None:
        if not event.queue:
            return  # Of a flow that no agent was in.
        for figures in (self.queue(event.queue), self.agent(event.agent_id)):
            figures.rated[event.result] = figures.rated.get(event.result, 0) + 1

    # -- agents --------------------------------------------------------------------------------------------------------

    def _signed_in(self, event: AgentSignedIn, at_ms: int) -> None:
        self._count(event.agent_id, at_ms)
        self.agent(event.agent_id).sign_ins += not event.is_restored
        self.now[event.agent_id] = AgentNow(event.group, "not_ready", "login", at_ms, at_ms)

    def _signed_out(self, event: AgentSignedOut, at_ms: int) -> None:
        self._count(event.agent_id, at_ms)
        self.now.pop(event.agent_id, None)

    def _state(self, event: AgentStateChanged, at_ms: int) -> None:
        self._count(event.agent_id, at_ms)
        if event.state == "offline":
            self.now.pop(event.agent_id, None)
            return
        self.now[event.agent_id] = AgentNow(event.group, event.state, event.reason, at_ms, at_ms)
        if event.state == "not_ready":
            counts = self.agent(event.agent_id).not_ready_n
            counts[event.reason] = counts.get(event.reason, 0) + 1

    def _count(self, agent_id: str, at_ms: int) -> None:
        now = self.now.get(agent_id)
        if now is None:
            return
        figures, spent_ms = self.agent(agent_id), at_ms - now.counted_ms
        now.counted_ms = at_ms
        figures.state_ms[now.state] = figures.state_ms.get(now.state, 0) + spent_ms
        if now.state == "not_ready":
            figures.not_ready_ms[now.reason] = figures.not_ready_ms.get(now.reason, 0) + spent_ms

    def _call_ended(self, event: AgentCallEnded, at_ms: int) -> None:
        mine = self.agent(event.agent_id)
        mine.handled[event.call_type] = mine.handled.get(event.call_type, 0) + 1
        concerned: list[QueueFigures | AgentFigures] = [mine]
        if event.queue:
            self.queue(event.queue).handled += 1
            concerned.append(self.queue(event.queue))
        for figures in concerned:
            figures.transferred += event.how == "transferred"
            figures.held += event.n_holds > 0
            figures.talk_ms += round(event.talk_s * 1000)
            figures.hold_ms += round(event.hold_s * 1000)

    def _acw_ended(self, event: AgentAcwEnded, at_ms: int) -> None:
        mine = self.agent(event.agent_id)
        mine.acws += 1
        mine.acw_ms += round(event.acw_s * 1000)
        if event.queue:
            self.queue(event.queue).acw_ms += round(event.acw_s * 1000)


_HANDLERS: Mapping[type[Event], Callable[[Metrics, Any, int], None]] = {
    CentreStarted: lambda metrics, event, at_ms: metrics.restarted(),
    QueueEntered: Metrics._entered,
    QueueLeft: Metrics._left,
    OfferMade: Metrics._offer,
    OfferAccepted: Metrics._accepted,
    OfferMissed: Metrics._missed,
    CallRated: Metrics._rated,
    AgentSignedIn: Metrics._signed_in,
    AgentSignedOut: Metrics._signed_out,
    AgentStateChanged: Metrics._state,
    AgentCallEnded: Metrics._call_ended,
    AgentAcwEnded: Metrics._acw_ended,
}
