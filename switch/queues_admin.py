"""Queues by API: first the database is changed, then what is in memory, then the floor is told.

Nobody who waits is lost: a queue is deleted empty, or when its callers are served, or when they have somewhere to go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from acd.desk_inputs import AgentSettingsChange
from acd.inputs import QueueChanges, QueueRemoved
from acd.state import Entry
from control.auth import Caller
from model import commands_centre as centre
from model import errors, views
from model.access_numbers import AccessNumber
from model.commands_queue import QueueDetail
from model.declare import Command
from model.events_queue import QueueChanged
from model.partial import merged
from model.queues import Queue
from switch.campaign_uses import campaigns_naming
from switch.centre_store import Sources, state_key
from switch.config_centre import queue_problem, target_problem, targets_of
from switch.flow_store import flows_naming
from switch.queue_commands import QueueCommands
from switch.routing import QUEUE
from switch.settings_store import SettingsStore
from switch.sources import source_problem

if TYPE_CHECKING:
    from switch.app import App

_NAMED = 20
"""So many of those who need a queue are named to who wants to delete it."""


def make_handlers(app: "App", lock: asyncio.Lock) -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    """`lock`: of all who change the centre."""
    admin = QueuesAdmin(app, lock)
    return {
        centre.CreateQueue: admin.create,
        centre.UpdateQueue: admin.update,
        centre.DeleteQueue: admin.delete,
    }


class QueuesAdmin:
    def __init__(self, app: "App", lock: asyncio.Lock) -> None:
        self._app = app
        self._lock = lock
        self._commands = QueueCommands(app)
        self._directory = app.core.directory
        self._floor = app.core.floor
        self._engine = app.core.floor.centre.engine
        self._store = SettingsStore(app.storage.settings)
        self._sources = Sources(app.config)

    async def create(self, command: centre.CreateQueue, caller: Caller) -> QueueDetail:
        name = command.queue
        async with self._lock:
            if name in self._directory.queues:
                raise errors.AlreadyExists(f"queue {name} exists")
            queue = merged(Queue(name=name), command.settings)
            # One of that name may have been closed before, and then taken from the file.
            await self._store.forget(state_key(name))
            await self._keep(queue)
            # One of that name may still be served empty: agents who were its are so no longer.
            self._tell_agents(name)
            self._changed(name, "created", caller)
            return self._commands.detail(name)

    async def update(self, command: centre.UpdateQueue, caller: Caller) -> QueueDetail:
        name = command.queue
        async with self._lock:
            queue = merged(self._changeable(name), command.settings)
            await self._keep(queue)
            self._changed(name, "updated", caller)
            return self._commands.detail(name)

    async def delete(self, command: centre.DeleteQueue, caller: Caller) -> views.Done:
        name = command.queue
        async with self._lock:
            queue = self._changeable(name)
            users = [*self._users(name)]
            if users:
                more = f" and {len(users) - 1} more" if len(users) > 1 else ""
                raise errors.InUse(f"{users[0]}{more} leads to queue {name}", users=users[:_NAMED])
            target = command.to or queue.limits.closed_to
            n_waiting = len(self._waiting(name))
            if n_waiting and command.waiting == "refuse":
                raise errors.WrongState(
                    f"{n_waiting} callers wait in queue {name}: delete it with waiting = drain (they are served first) "
                    "or overflow (they are sent on)",
                    state="waiting",
                    n_waiting=n_waiting,
                )
            if command.waiting == "overflow" and (problem := self._way_problem(name, target)):
                raise errors.WrongState(f"callers of queue {name} would be lost: {problem}", state="waiting")
            await self._forget(name)
            self._remove(queue, target, is_drained=command.waiting != "overflow")
            self._changed(name, "deleted", caller)
            return views.Done()

    async def _keep(self, queue: Queue) -> None:
        keys, problem = queue_problem(
            queue,
            self._directory.queues.keys() | {queue.name},
            self._directory.flows,
            self._directory.boxes,
        )
        if problem:
            raise errors.InvalidValue(f"queue {queue.name}: {problem}", field=".".join(keys))
        for field, source in sounds_of(queue):
            if problem := source_problem(source, self._directory.prompts):
                raise errors.InvalidValue(f"queue {queue.name}: {problem}", field=field)
        await self._store.put(f"queue:{queue.name}", queue)
        self._directory.queues[queue.name] = queue
        self._directory.leaving.pop(queue.name, None)
        self._floor.ask(QueueChanges(queue))

    async def _forget(self, name: str) -> None:
        """Nobody is sent there from the first moment on; when the database cannot be written it is as before."""
        directory = self._directory
        queue = directory.leaving[name] = directory.queues.pop(name)
        try:
            await self._take_from_agents(name)
            await self._store.forget(state_key(name))
            await self._store.forget(f"queue:{name}")
        except errors.StorageUnavailable:
            directory.queues[name] = directory.leaving.pop(name, queue)
            raise

    # -- deleting ------------------------------------------------------------------------------------------------------

    def _remove(self, queue: Queue, target: str, *, is_drained: bool) -> None:
        # While the database was written somebody may have come, or the way may have closed: then they are served.
        is_drained = is_drained or bool(self._way_problem(queue.name, target))
        if not is_drained:
            limits = msgspec.structs.replace(queue.limits, closed_to=target)
            self._floor.ask(QueueChanges(msgspec.structs.replace(queue, limits=limits)))
        self._floor.ask(QueueRemoved(queue.name, is_drained))
        if queue.name not in self._engine.state.queues:
            # Else its agents serve it until it is empty.
            self._tell_agents(queue.name)
        used = {call.stay.queue for call in self._floor.calls.values() if call.stay is not None}
        for name in self._directory.leaving.keys() - used:
            del self._directory.leaving[name]

    def _users(self, name: str) -> Iterator[str]:
        to = QUEUE + name
        for number in self._directory.access_numbers.values():
            if to in ways_of(number):
                yield f"access number {number.number}"
        for queue in self._directory.queues.values():
            if queue.name != name and any(target == to for _, target in targets_of(queue)):
                yield f"queue {queue.name}"
        yield from flows_naming(self._directory, "queue", name)
        yield from campaigns_naming(self._directory, "queue", name)

    def _waiting(self, name: str) -> list[Entry]:
        entries = self._engine.state.entries.values()
        return [each for each in entries if each.queue == name and each.state != "connected"]

    def _way_problem(self, name: str, target: str) -> str:
        """Why whoever waits cannot be sent there; "" = he can."""
        waiting = self._waiting(name)
        if not waiting:
            return ""
        if any(each.callback_number for each in waiting):
            return "some of them are called back"
        if target in ("", "hangup"):
            return f"limits.closed_to is {target or 'empty'}; say where to send them"
        directory = self._directory
        if problem := target_problem(target, directory.queues.keys() - {name}, directory.flows, directory.boxes):
            return problem
        if target.startswith(QUEUE):
            if self._engine.state.queues[target.removeprefix(QUEUE)].state != "open":
                return f"{target} is not open"
            if any(each.n_hops >= self._engine.state.rules.max_hops for each in waiting):
                return "some of them have been sent on too often (acd.max_hops)"
        return ""

    async def _take_from_agents(self, name: str) -> None:
        for agent_id, agent in [*self._directory.agents.items()]:
            kept = tuple(each for each in agent.queues if each.queue != name)
            if len(kept) != len(agent.queues):
                agent = msgspec.structs.replace(agent, queues=kept)
                await self._store.put(f"agent:{agent_id}", agent)
                self._directory.agents[agent_id] = agent

    def _tell_agents(self, name: str) -> None:
        """Whoever is signed in for the queue serves what he is configured for."""
        for desk in [*self._floor.centre.desk.state.agents.values()]:
            agent = self._directory.agents.get(desk.agent_id)
            if agent is not None and any(each.queue == name for each in desk.agent.queues):
                self._floor.ask(AgentSettingsChange(agent))

    def _changeable(self, name: str) -> Queue:
        queue = self._directory.queues.get(name)
        if queue is None:
            raise errors.NoSuchQueue(f"no queue {name}")
        self._sources.check_changeable(f"queue:{name}")
        return queue

    def _changed(self, name: str, change: str, caller: Caller) -> None:
        self._app.hub.publish(QueueChanged(queue=name, change=change, by=caller.user))


def sounds_of(queue: Queue) -> Iterator[tuple[str, str]]:
    """(key, source) of what is played. The file may name files anywhere, who comes over the network may not."""
    yield "sound.background", queue.sound.background
    if queue.sound.whisper:
        yield "sound.whisper", queue.sound.whisper
    if queue.satisfaction.prompt:
        yield "satisfaction.prompt", queue.satisfaction.prompt
    for i, step in enumerate(queue.sound.program):
        yield from ((f"sound.program.{i}.sources", source) for source in step.sources)


def ways_of(number: AccessNumber) -> tuple[str, ...]:
    return number.to, number.off_to, number.holiday_to, number.emergency_to
