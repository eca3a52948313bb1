"""Changes what is in force for extensions, for the API and for feature codes: first in the database, then in memory."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from control.auth import Caller
from model import errors
from model.commands_services import ExtensionServicesView, GetServices, SetServices
from model.declare import ApiError, Command, Event
from model.events_services import ExtensionServicesChanged
from storage.directory import ExtensionServices
from storage.errors import NotFoundError, UnavailableError
from storage.interface import AnyStorage
from switch.actions import ChangeServices
from switch.directory import ExtensionEntry
from switch.leg_events import FeatureDone
from switch.numbers import clean
from switch.runtime import Runtime
from switch.services import OFF, target_refusal

if TYPE_CHECKING:
    from switch.app import App

log = logging.getLogger(__name__)

_FORWARDS = ("always_to", "busy_to", "no_answer_to")


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    return {GetServices: app.services.get, SetServices: app.services.set}


class ServicesDesk:
    """One per switch. `own` sees the work through that a feature code asks for; `changed` is told (number, now)."""

    def __init__(
        self,
        runtime: Runtime,
        storage: AnyStorage,
        publish: Callable[[Event], None],
        own: Callable[[Coroutine[Any, Any, None]], None],
        changed: Callable[[str, float], None],
    ) -> None:
        self._runtime = runtime
        self._env = runtime.calls.env
        self._storage = storage
        self._publish = publish
        self._own = own
        self._changed = changed
        self._lock = asyncio.Lock()
        runtime.also_perform(ChangeServices, self._asked_by_phone)

    async def load(self) -> None:
        """What users chose before the last stop. UnavailableError when it cannot be read."""
        self._env.services.load(await self._storage.extension_services.all())

    def get(self, command: GetServices, caller: Caller) -> ExtensionServicesView:
        return self._view(self._entry(command.extension))

    async def set(self, command: SetServices, caller: Caller) -> ExtensionServicesView:
        changes: dict[str, Any] = {}
        for name in (*_FORWARDS, "pickup_group"):
            value = getattr(command, name)
            if value is not UNSET:
                changes[name] = "" if value is None else clean(value) or OFF
        if command.has_call_waiting is not UNSET:
            changes["call_waiting"] = {None: "", True: "on", False: "off"}[command.has_call_waiting]
        if command.is_dnd is not UNSET:
            changes["is_dnd"] = command.is_dnd
        await self._change(command.extension, changes, caller.user)
        return self._view(self._entry(command.extension))

    async def forget(self, number: str) -> None:
        """The extension was deleted."""
        self._env.services.forget(number)
        try:
            await self._storage.extension_services.delete(number)
        except NotFoundError:
            pass
        except UnavailableError as error:
            log.error("x services of extension %s stay in the database: %s", number, error)

    def _asked_by_phone(self, action: ChangeServices, now: float) -> None:
        value: Any = action.value
        changes = {action.field: value == "on" if action.field == "is_dnd" else clean(value)}
        self._own(self._change_for_phone(action, changes))

    async def _change_for_phone(self, action: ChangeServices, changes: dict[str, Any]) -> None:
        why = ""
        try:
            await self._change(action.extension, changes, action.extension)
        except ApiError as problem:
            why = problem.message
            log.info("x extension %s: %s: %s", action.extension, action.field, why)
        self._runtime.tell(FeatureDone(action.call_id, action.leg_id, why))

    async def _change(self, number: str, changes: dict[str, Any], by: str) -> None:
        """Raises NoSuchExtension, InvalidValue, StorageUnavailable."""
        entry = self._entry(number)
        for name in _FORWARDS:
            to = changes.get(name, "")
            if to and to != OFF:
                wall = self._env.wall(self._runtime.outside.clock())
                why = target_refusal(self._env.directory, entry, to, wall)
                if why:
                    raise errors.InvalidValue(f"calls of {number} cannot go to {to}: {why}", field=name)
        async with self._lock:
            chosen = msgspec.structs.replace(self._env.services.chosen(number), **changes)
            try:
                stored = await self._store(chosen)
            except UnavailableError as error:
                raise errors.StorageUnavailable(str(error)) from None
            self._env.services.put(stored)
        self._changed(number, self._runtime.outside.clock())
        told = self._view(entry)
        self._publish(ExtensionServicesChanged(by=by, **msgspec.structs.asdict(told)))

    async def _store(self, chosen: ExtensionServices) -> ExtensionServices:
        try:
            return await self._storage.extension_services.update(chosen)
        except NotFoundError:
            return await self._storage.extension_services.add(chosen)

    def _entry(self, number: str) -> ExtensionEntry:
        entry = self._env.directory.extensions.get(number)
        if entry is None:
            raise errors.NoSuchExtension(f"no extension {number}")
        return entry

    def _view(self, entry: ExtensionEntry) -> ExtensionServicesView:
        services = self._env.services.of(entry)
        return ExtensionServicesView(extension=entry.number, **msgspec.structs.asdict(services))
