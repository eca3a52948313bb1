"""The routing core: which call is offered to which agent, and when a call is sent on (DIALER-ACD §4).

Pure: inputs and `now` (monotonic seconds) in, actions out, one deadline. The same inputs give the same actions, also
in an engine that was restored in between. An event costs O(k log n): k queues of the agent, n waiting or idle.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from acd import agents, announcing, entries, inputs, limits, matching, offers, waits
from acd.actions import AcdAction
from acd.busy import look_at_busy
from acd.core import Core
from acd.leaving import forget_if_empty
from acd.state import AcdState, Entry, QueueState, Tally
from model.errors import NoSuchQueue, WrongState


class AcdEngine:
    """Give it every input in the order in which things happened, and call `handle_timeout` at `deadline`."""

    def __init__(self, seed: int = 0, state: AcdState | None = None) -> None:
        """`seed` decides what is left to chance; with `state` (from `snapshot`) it goes on where that was taken."""
        self._core = Core(state if state is not None else AcdState(seed=seed))

    @property
    def deadline(self) -> float | None:
        timers = self._core.state.timers
        return timers[0][0] if timers else None

    def handle(self, told: inputs.AcdInput, now: float) -> list[AcdAction]:
        """Raises NoSuchQueue, NoSuchAgent, NoSuchEntry or WrongState, and then nothing has changed; what is told of an
        entry or an offer that is over is nothing."""
        core = self._core
        out: list[AcdAction] = []
        core.out = out
        _HANDLERS[type(told)](core, told, now)
        if core.unserved or core.freed or core.changed:
            matching.settle(core, now)
        return out

    def handle_timeout(self, now: float) -> list[AcdAction]:
        """Everything whose time has come, in its order."""
        core = self._core
        out: list[AcdAction] = []
        core.out = out
        while (timer := core.due(now)) is not None:
            _, _, kind, name = timer
            if kind in _QUEUE_TIMERS:
                queue = core.queues.get(name)
                if queue is not None:
                    _QUEUE_TIMERS[kind](core, queue, now)
            else:
                entry = core.entries.get(name)
                # A conversation may outlive its queue, and no timer concerns it then.
                if entry is not None and entry.queue in core.queues:
                    _ENTRY_TIMERS[kind](core, entry, now)
            matching.settle(core, now)
        return out

    def snapshot(self) -> bytes:
        """All it knows, as MessagePack: `restore` makes an engine that goes on the same."""
        return msgspec.msgpack.encode(self._core.state)

    @classmethod
    def restore(cls, snapshot: bytes) -> "AcdEngine":
        """Raises msgspec.ValidationError for what is no snapshot of this version."""
        return cls(state=msgspec.msgpack.decode(snapshot, type=AcdState))

    @property
    def state(self) -> AcdState:
        """To be read only."""
        return self._core.state

    # -- to be shown ---------------------------------------------------------------------------------------------------

    def n_idle(self, queue: str) -> int:
        """Agents who could be given an inbound call of the queue at once. Raises NoSuchQueue."""
        return self._core.idle[self._queue(queue)].n_inbound

    def waiting(self, queue: str, offset: int = 0, limit: int | None = None) -> list[Entry]:
        """Who waits, the next one first; those whom an agent is rung for before the others; `limit` of them from
        `offset` on. Raises NoSuchQueue."""
        core = self._core
        name = self._queue(queue)
        offered = [each for each in core.entries.values() if each.queue == name and each.state == "offered"]
        rest = [core.entries[ticket[3]] for ticket in core.lines[name].in_order()]
        others = [
            each
            for each in core.entries.values()
            if each.queue == name
            and (each.state in ("listening", "resting", "calling") or (each.state == "waiting" and each.preferred))
        ]
        found = offered + [each for each in rest if each.state != "offered"] + others
        return found[offset:] if limit is None else found[offset : offset + limit]

    def position(self, entry_id: str) -> int:
        """1 = next. Raises KeyError."""
        return self._core.position(self._core.entries[entry_id])

    def estimate(self, queue: str, position: int, now: float) -> float | None:
        """Seconds that the call at `position` will probably wait; None = not known. Raises NoSuchQueue."""
        name = self._queue(queue)
        return announcing.estimate(self._core, self._core.queues[name], position, now)

    def why_waiting(self, entry_id: str, now: float) -> dict[str, int]:
        """Why no agent is rung for it: reason -> agents of its queue whom it keeps away. Raises KeyError."""
        return waits.agents_by_reason(self._core, self._core.entries[entry_id], now)

    def explain(self, entry_id: str, now: float) -> waits.WaitExplained:
        """Why it is where it is, at this moment. Raises KeyError."""
        return waits.explain(self._core, self._core.entries[entry_id], now)

    def estimate_error(self, queue: str) -> waits.EstimateError:
        """How far predicted waits were off. Raises NoSuchQueue."""
        return waits.estimate_error(self._core.queues[self._queue(queue)])

    def _queue(self, name: str) -> str:
        if name not in self._core.queues:
            raise NoSuchQueue(f"no queue {name}")
        return name


def _queue_changes(core: Core, told: inputs.QueueChanges, now: float) -> None:
    """New settings: nobody loses his place, and what follows from them holds at once."""
    name = told.queue.name
    queue = core.queues.get(name)
    if queue is None:
        queue = core.queues[name] = QueueState(settings=told.queue, absent_since=now)
        core.index_queue(name)
        queue.absent_since = None if core.present[name] else now
    else:
        before = queue.settings.sound
        had_announcements = before.position_every_s and not before.program
        queue.settings = told.queue
        if queue.is_removed:
            queue.is_removed, queue.state = False, "open"
        if queue.state != "closed":
            _forget_closing(core, name)
        core.reindex_queue(name)
        queue.absent_since = None if core.present[name] else queue.absent_since or now
        for entry in core.entries.values():
            if entry.queue == name and entry.state in ("waiting", "listening", "offered"):
                limits.arm(core, entry, queue, now)
                if not had_announcements and not entry.callback_number:
                    announcing.arm(core, entry, queue, now)
    core.unserved += [core.entries[ticket[3]] for ticket in core.lines[name].in_order()]


def _forget_closing(core: Core, name: str) -> None:
    """It is open again: who is rung for goes nowhere when the agent does not answer."""
    for entry in core.entries.values():
        if entry.queue == name and entry.overdue_reason == "closed":
            entry.is_overdue, entry.overdue_reason = False, ""


def _queue_removed(core: Core, told: inputs.QueueRemoved, now: float) -> None:
    queue = core.queues.get(told.queue)
    if queue is None:
        raise NoSuchQueue(f"no queue {told.queue}")
    queue.is_removed = True
    if told.is_drained:
        queue.state = "draining"
        _forget_closing(core, told.queue)
    else:
        queue.state = "closed"
        agents.close_queue(core, told.queue, now)
    forget_if_empty(core, told.queue)


def _queue_state_changes(core: Core, told: inputs.QueueStateChanges, now: float) -> None:
    queue = core.queues.get(told.queue)
    if queue is None:
        raise NoSuchQueue(f"no queue {told.queue}")
    if queue.is_removed and told.state == "open":
        raise WrongState(f"queue {told.queue} is deleted once it is empty; create it again to keep it", state="deleted")
    queue.state = told.state
    if told.state == "closed":
        agents.close_queue(core, told.queue, now)
    else:
        _forget_closing(core, told.queue)


def _rules_change(core: Core, told: inputs.RulesChange, now: float) -> None:
    core.state.rules = core.rules = told.rules


def _day_begins(core: Core, told: inputs.DayBegins, now: float) -> None:
    for agent in core.agents.values():
        agent.tallies = {name: Tally(turn=tally.turn) for name, tally in agent.tallies.items()}
    for name in core.queues:
        core.reindex_queue(name)


def _forgive(core: Core, entry: Entry, now: float) -> None:
    """Agents who did not take it may be rung for it like all the others again."""
    penalty_s = core.queues[entry.queue].settings.no_answer_penalty_s
    entry.missed = {agent_id: at for agent_id, at in entry.missed.items() if now < at + penalty_s - 1e-6}
    _try_again(core, entry, now)


def _try_again(core: Core, entry: Entry, now: float) -> None:
    if entry.state == "waiting":
        core.unserved.append(entry)


def _distribute(core: Core, entry: Entry, now: float) -> None:
    if entry.state == "listening":
        entries.distribute(core, entry, now)


def _call_again(core: Core, entry: Entry, now: float) -> None:
    if entry.state == "resting":
        entries.distribute(core, entry, now)


def _all_busy(core: Core, queue: QueueState, now: float) -> None:
    interval_s = core.rules.all_busy_interval_s
    if queue.all_busy_at and now >= queue.all_busy_at + interval_s - 1e-6:
        look_at_busy(core, queue, now, is_due=True)


_HANDLERS: dict[type, Callable[[Core, Any, float], None]] = {
    inputs.CallEnters: entries.enter,
    inputs.CallLeaves: entries.leave,
    inputs.VipVerdict: entries.verdict,
    inputs.EntryChanges: entries.change,
    inputs.EntryPulled: entries.pull,
    inputs.PlaceAsked: announcing.asked,
    inputs.CallbackAsked: entries.callback_asked,
    inputs.CallbackAnswered: entries.callback_answered,
    inputs.CallbackFailed: entries.callback_failed,
    inputs.AgentSignsIn: agents.sign_in,
    inputs.AgentSignsOut: agents.sign_out,
    inputs.AgentReady: agents.ready,
    inputs.AgentNotReady: agents.not_ready,
    inputs.OfferAnswered: offers.answered,
    inputs.OfferFailed: offers.failed,
    inputs.ServiceEnds: offers.service_ends,
    inputs.QueueChanges: _queue_changes,
    inputs.QueueRemoved: _queue_removed,
    inputs.QueueStateChanges: _queue_state_changes,
    inputs.RulesChange: _rules_change,
    inputs.DayBegins: _day_begins,
}
_ENTRY_TIMERS: dict[str, Callable[[Core, Entry, float], None]] = {
    "distribute": _distribute,
    "max_wait": limits.max_wait,
    "no_agent": limits.no_agent,
    "age": limits.age,
    "relax": limits.relax,
    "announce": announcing.announce,
    "preferred": entries.preferred_over,
    "retry": _try_again,
    "forgive": _forgive,
    "ring_more": matching.ring_more,
    "call_again": _call_again,
    "expire": limits.expire,
}
_QUEUE_TIMERS: dict[str, Callable[[Core, QueueState, float], None]] = {
    "nobody": limits.nobody,
    "all_busy": _all_busy,
}
