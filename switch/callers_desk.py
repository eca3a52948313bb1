"""Lists of callers by API: first the database is changed, then what is in memory."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from model import commands_callers as callers
from model import errors, views
from model.caller_lists import ListName
from model.declare import Command
from storage.interface import AnyStorage
from switch.caller_lists import MAX_LISTED, CallerLists, Entry
from switch.settings_store import SettingsStore, stored

if TYPE_CHECKING:
    from switch.app import App

KIND = "caller"


async def load_callers(storage: AnyStorage, lists: CallerLists) -> None:
    """What was listed before the last stop."""
    for _, entry in stored(await storage.settings.all(), KIND, Entry):
        lists.put(entry)


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    desk = CallersDesk(app)
    return {
        callers.FindListedCallers: desk.find,
        callers.AddListedCaller: desk.add,
        callers.RemoveListedCaller: desk.remove,
    }


class CallersDesk:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._directory = app.core.directory
        self._lists = app.core.directory.caller_lists
        self._store = SettingsStore(app.storage.settings)
        self._lock = asyncio.Lock()

    async def find(self, command: callers.FindListedCallers, caller: Caller) -> callers.ListedCallers:
        now = time.time()
        await self._forget_expired(command.list, now)
        every = [entry for entry in self._lists.all(command.list) if entry.caller.number.startswith(command.prefix)]
        after = [entry for entry in every if entry.caller.number > command.cursor]
        page = after[: command.limit]
        cursor = page[-1].caller.number if len(after) > len(page) else ""
        return callers.ListedCallers(callers=[_view(entry) for entry in page], n_callers=len(every), cursor=cursor)

    async def add(self, command: callers.AddListedCaller, caller: Caller) -> callers.ListedCallerView:
        listed = command.caller
        async with self._lock:
            self._check(command)
            entry = Entry(caller=listed, added_by=caller.user, added_utc=time.time())
            await self._store.put(self._key(listed.list, listed.number), entry)
            self._lists.put(entry)
        self._tell(listed.list, listed.number, "added", caller.user)
        return _view(entry)

    async def remove(self, command: callers.RemoveListedCaller, caller: Caller) -> views.Done:
        async with self._lock:
            if self._lists.get(command.list, command.number) is None:
                raise errors.NoSuchCaller(f"{command.number} is not on the list {command.list}")
            await self._store.forget(self._key(command.list, command.number))
            self._lists.remove(command.list, command.number)
        self._tell(command.list, command.number, "removed", caller.user)
        return views.Done()

    def _check(self, command: callers.AddListedCaller) -> None:
        listed = command.caller
        if self._lists.get(listed.list, listed.number) is None and len(self._lists) >= MAX_LISTED:
            raise errors.InvalidValue(f"the lists hold {MAX_LISTED} numbers, and no more may be", field="number")
        if listed.list == "blacklist":
            known, what = {number.number for number in self._directory.access_numbers.values()}, "access number"
        else:
            known, what = set(self._directory.queues), "queue"
        for name in listed.of:
            if name not in known:
                raise errors.InvalidValue(f"there is no {what} {name}", field="of")
        if listed.list == "dedicated" and listed.agent_id not in self._directory.agents:
            raise errors.InvalidValue(f"there is no agent {listed.agent_id or '(none was named)'}", field="agent_id")
        if listed.list != "dedicated" and listed.agent_id:
            raise errors.InvalidValue("only callers of the list dedicated have an agent", field="agent_id")

    def _key(self, name: str, number: str) -> str:
        return f"{KIND}:{name}/{self._lists.key(number)}"

    async def _forget_expired(self, name: ListName, now: float) -> None:
        async with self._lock:
            for entry in [each for each in self._lists.all(name) if 0.0 < each.caller.expires_utc <= now]:
                await self._store.forget(self._key(name, entry.caller.number))
                self._lists.remove(name, entry.caller.number)

    def _tell(self, name: str, number: str, change: str, by: str) -> None:
        self._app.hub.publish(callers.CallerListChanged(list=name, number=number, change=change, by=by))


def _view(entry: Entry) -> callers.ListedCallerView:
    return callers.ListedCallerView(caller=entry.caller, added_by=entry.added_by, added_utc=entry.added_utc)
