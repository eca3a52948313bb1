"""Handlers of `model.commands_queue`: what is shown comes from the routing core, what is done goes to the floor."""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from acd.inputs import CallLeaves, EntryChanges, EntryPlace, EntryPulled, QueueStateChanges
from acd.state import RANKS, RETURNED, Entry, QueueState
from control.auth import Caller
from model import commands_queue as queues
from model import views
from model.declare import Command
from model.errors import NoSuchEntry, NoSuchQueue, StorageUnavailable, WrongState
from model.events_queue import QueueChanged
from switch.centre_store import KeptState, Sources, state_key
from switch.leg_events import MoveToQueue
from switch.settings_store import SettingsStore

if TYPE_CHECKING:
    from switch.app import App

_SHOWN_BEFORE = 20


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    handlers = QueueCommands(app)
    return {
        queues.ListQueues: handlers.list,
        queues.GetQueue: handlers.get,
        queues.ListWaiting: handlers.waiting,
        queues.Explain: handlers.explain,
        queues.RaiseCall: handlers.raise_call,
        queues.MoveCall: handlers.move_call,
        queues.PullCall: handlers.pull,
        queues.RequestCallback: handlers.request_callback,
        queues.SetQueueState: handlers.set_state,
    }


class QueueCommands:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._floor = app.core.floor
        self._engine = app.core.floor.centre.engine
        self._directory = app.core.directory
        self._sources = Sources(app.config)
        self._store = SettingsStore(app.storage.settings)
        self._lock = asyncio.Lock()

    def list(self, command: queues.ListQueues, caller: Caller) -> queues.QueueList:
        return queues.QueueList(queues=[self._view(each) for _, each in sorted(self._engine.state.queues.items())])

    def get(self, command: queues.GetQueue, caller: Caller) -> queues.QueueDetail:
        return self.detail(command.queue)

    def detail(self, name: str) -> queues.QueueDetail:
        """Raises NoSuchQueue."""
        queue = self._queue(name)
        return queues.QueueDetail(
            queue=name,
            now=self._view(queue),
            settings=queue.settings,
            source=self._sources.source(f"queue:{name}"),
        )

    def waiting(self, command: queues.ListWaiting, caller: Caller) -> queues.WaitingCalls:
        self._queue(command.queue)
        entries = self._engine.waiting(command.queue)
        start = int(command.cursor) if command.cursor.isdecimal() else 0
        page = entries[start : start + command.limit]
        end = start + len(page)
        return queues.WaitingCalls(
            calls=[self._call(entry) for entry in page],
            n_waiting=len(entries),
            cursor=str(end) if end < len(entries) else "",
        )

    def explain(self, command: queues.Explain, caller: Caller) -> queues.Standing:
        entry = self._entry(command.queue, command.call_id)
        now = self._floor.now()
        step_s = self._queue(command.queue).settings.priority_step_s
        before = [each.entry_id for each in self._engine.waiting(command.queue)]
        before = before[: before.index(entry.entry_id)] if entry.entry_id in before else []
        return queues.Standing(
            call=self._call(entry),
            ranking="first > returned > vip > normal; then waiting longest, a step of priority being worth "
            f"{step_s:g} s; then arrival",
            counts_as_waiting_s=now - entry.key(step_s)[1],
            before_it=before[:_SHOWN_BEFORE],
            agents=self._engine.why_waiting(entry.entry_id, now),
        )

    def raise_call(self, command: queues.RaiseCall, caller: Caller) -> queues.WaitingCall:
        entry = self._entry(command.queue, command.call_id)
        self._floor.ask(EntryChanges(entry.entry_id, command.priority, command.is_first))
        return self._call(entry)

    def move_call(self, command: queues.MoveCall, caller: Caller) -> views.Done:
        entry = self._entry(command.queue, command.call_id)
        self._queue(command.to)
        if entry.callback_number:
            raise WrongState("a callback stays in its queue")
        place = EntryPlace(entry.enter_time, entry.n_hops, is_returned=entry.rank == RETURNED)
        self._floor.ask(CallLeaves(entry.entry_id, "transferred"))
        self._app.runtime.tell(MoveToQueue(entry.call_id, "", command.to, place))
        return views.Done()

    def pull(self, command: queues.PullCall, caller: Caller) -> queues.WaitingCall:
        entry = self._entry(command.queue, command.call_id)
        self._floor.ask(EntryPulled(entry.entry_id, command.agent_id))
        return self._call(entry)

    def request_callback(self, command: queues.RequestCallback, caller: Caller) -> queues.CallbackView:
        entry = self._entry(command.queue, command.call_id)
        call = self._app.runtime.calls.find(entry.call_id)
        if call is None or entry.callback_number:
            raise WrongState(f"call {command.call_id} is called back already")
        return queues.CallbackView(call_id=self._floor.ask_callback(call, command.number))

    async def set_state(self, command: queues.SetQueueState, caller: Caller) -> queues.QueueView:
        """At once; that it outlives a restart is seen to afterwards."""
        name = command.queue
        queue = self._queue(name)
        self._floor.ask(QueueStateChanges(name, command.state))
        self._app.hub.publish(QueueChanged(queue=command.queue, change=command.state, by=caller.user))
        view = self._view(queue)
        try:
            await self._keep_state(name)
        except StorageUnavailable as problem:
            message = f"queue {name} is {command.state} now, but will be as before after a restart: {problem.message}"
            raise StorageUnavailable(message) from None
        return view

    async def _keep_state(self, name: str) -> None:
        async with self._lock:
            # As it is by now: somebody else may have changed it again.
            queue = self._engine.state.queues.get(name)
            if queue is None or queue.is_removed or queue.state == "open":
                await self._store.forget(state_key(name))
            else:
                await self._store.put(state_key(name), KeptState(name, queue.state))

    # -- looking -------------------------------------------------------------------------------------------------------

    def _queue(self, name: str) -> QueueState:
        queue = self._engine.state.queues.get(name)
        if queue is None:
            raise NoSuchQueue(f"no queue {name}")
        return queue

    def _entry(self, queue: str, call_id: str) -> Entry:
        self._queue(queue)
        for entry in self._engine.state.entries.values():
            if entry.queue == queue and entry.call_id == call_id and entry.state != "connected":
                return entry
        raise NoSuchEntry(f"call {call_id} does not wait in queue {queue}")

    def _view(self, queue: QueueState) -> queues.QueueView:
        settings, now = queue.settings, self._floor.now()
        name = settings.name
        entries = [each for each in self._engine.state.entries.values() if each.queue == name]
        waiting = [each for each in entries if each.state != "connected"]
        desk = self._floor.centre.desk.state.agents
        states: Counter[str] = Counter()
        for agent in self._directory.agents.values():
            if any(each.queue == name for each in agent.queues):
                seat = desk.get(agent.agent_id)
                states[seat.display()[0] if seat is not None else "offline"] += 1
        n_signed_in = sum(states.values()) - states["offline"]
        callers = [each for each in waiting if not each.callback_number]
        return queues.QueueView(
            queue=name,
            title=settings.title,
            state=queue.state,
            n_waiting=len(callers),
            n_callbacks=len(waiting) - len(callers),
            longest_wait_s=max((now - each.enter_time for each in callers), default=0.0),
            n_agents=n_signed_in,
            n_idle=self._engine.n_idle(name),
            n_by_state=dict(states),
            is_all_busy=bool(queue.all_busy_at),
            ewt_s=self._engine.estimate(name, len(waiting) + 1, now),
            ewt_error_s=math.sqrt(queue.squared_error / queue.n_predicted) if queue.n_predicted else None,
        )

    def _call(self, entry: Entry) -> queues.WaitingCall:
        now = self._floor.now()
        call = self._app.runtime.calls.find(entry.call_id)
        is_standing = entry.state == "waiting"
        position = self._engine.position(entry.entry_id) if is_standing else 0
        offers = self._engine.state.offers
        return queues.WaitingCall(
            entry_id=entry.entry_id,
            call_id=entry.call_id,
            queue=entry.queue,
            position=position,
            state=entry.state,
            caller=entry.caller,
            dialed=call.access_number or call.dialed if call is not None else "",
            waited_s=now - entry.enter_time,
            customer_type=RANKS[entry.rank],
            call_type="callback" if entry.callback_number else "outbound" if entry.is_outbound else "inbound",
            priority=entry.priority,
            skills=dict(entry.skills),
            offered_to=[offers[offer].agent_id for offer in entry.offers],
            ewt_s=self._engine.estimate(entry.queue, max(position, 1), now),
        )
