"""Extensions by API: first the database is changed, then what is in memory. Those of the file are read-only."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from control.auth import Caller
from model import commands_extensions, errors, events, views
from model.declare import Command
from sip.digest import ha1
from storage.directory import Extension
from storage.errors import DuplicateError, NotFoundError, UnavailableError
from switch.directory import ExtensionEntry
from switch.init_config import new_password
from switch.views import extension_view

if TYPE_CHECKING:
    from switch.app import App

_CHANGEABLE = (
    "name",
    "caller_id",
    "ring_timeout_s",
    "busy_to",
    "no_answer_to",
    "may_call_external",
    "may_call_international",
    "is_recorded",
    "is_enabled",
    "media",
)


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    admin = ExtensionsAdmin(app)
    return {
        commands_extensions.ListExtensions: admin.list,
        commands_extensions.GetExtension: admin.get,
        commands_extensions.CreateExtension: admin.create,
        commands_extensions.UpdateExtension: admin.update,
        commands_extensions.DeleteExtension: admin.delete,
    }


def hash_password(number: str, realm: str, password: str) -> tuple[str, str]:
    """(HA1 by MD5, HA1 by SHA-256)"""
    return ha1(number, realm, password, "MD5"), ha1(number, realm, password, "SHA-256")


def entry_of(stored: Extension) -> ExtensionEntry:
    """A row of the database as calls see it."""
    fields = {name: getattr(stored, name) for name in _CHANGEABLE}
    return ExtensionEntry(
        number=stored.number,
        ha1_md5=stored.ha1_md5,
        ha1_sha256=stored.ha1_sha256,
        source="database",
        **fields,
    )


class ExtensionsAdmin:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._directory = app.runtime.calls.env.directory

    def list(self, command: commands_extensions.ListExtensions, caller: Caller) -> views.ExtensionList:
        numbers = sorted(n for n in self._directory.extensions if n.startswith(command.prefix) and n > command.cursor)
        page = numbers[: command.limit]
        cursor = page[-1] if len(numbers) > len(page) else ""
        return views.ExtensionList(extensions=[self._view(number) for number in page], cursor=cursor)

    def get(self, command: commands_extensions.GetExtension, caller: Caller) -> views.ExtensionView:
        self._entry(command.extension)
        return self._view(command.extension)

    async def create(self, command: commands_extensions.CreateExtension, caller: Caller) -> views.ExtensionCreated:
        number = command.extension
        if number in self._directory.extensions:
            raise errors.AlreadyExists(f"extension {number} exists")
        password = command.password or new_password()
        realm = self._app.config.sip.realm
        ha1_md5, ha1_sha256 = hash_password(number, realm, password)
        stored = Extension(
            number=number,
            realm=realm,
            ha1_md5=ha1_md5,
            ha1_sha256=ha1_sha256,
            source="api",
            **{name: getattr(command, name) for name in _CHANGEABLE},
        )
        try:
            stored = await self._app.storage.extensions.add(stored)
        except DuplicateError:
            raise errors.AlreadyExists(f"extension {number} exists") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        self._directory.extensions[number] = entry_of(stored)
        self._changed(number, "created", caller)
        return views.ExtensionCreated(extension=self._view(number), password=password)

    async def update(self, command: commands_extensions.UpdateExtension, caller: Caller) -> views.ExtensionView:
        number = command.extension
        self._changeable(number)
        changes: dict[str, Any] = {
            name: value for name in _CHANGEABLE if (value := getattr(command, name)) is not msgspec.UNSET
        }
        if command.password is not msgspec.UNSET:
            realm = self._app.config.sip.realm
            changes["realm"] = realm
            changes["ha1_md5"], changes["ha1_sha256"] = hash_password(number, realm, command.password)
        try:
            stored = await self._app.storage.extensions.get(number)
            stored = await self._app.storage.extensions.update(msgspec.structs.replace(stored, **changes))
        except NotFoundError:
            raise errors.NoSuchExtension(f"no extension {number}") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        self._directory.extensions[number] = entry_of(stored)
        self._changed(number, "updated", caller)
        return self._view(number)

    async def delete(self, command: commands_extensions.DeleteExtension, caller: Caller) -> views.Done:
        number = command.extension
        self._changeable(number)
        try:
            await self._app.storage.extensions.delete(number)
        except NotFoundError:
            raise errors.NoSuchExtension(f"no extension {number}") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        self._directory.extensions.pop(number, None)
        self._app.registrations.remove_all(number)
        await self._forget_state(number)
        await self._app.services.forget(number)
        self._changed(number, "deleted", caller)
        return views.Done()

    async def _forget_state(self, number: str) -> None:
        runtime = self._app.runtime
        now = runtime.outside.clock()
        self._app.core.notifier.extension_gone(number, now)
        runtime.rearm(now)
        try:
            await self._app.storage.extension_states.delete(number)
        except NotFoundError:
            pass
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None

    def _entry(self, number: str) -> ExtensionEntry:
        entry = self._directory.extensions.get(number)
        if entry is None:
            raise errors.NoSuchExtension(f"no extension {number}")
        return entry

    def _changeable(self, number: str) -> None:
        if self._entry(number).source == "file":
            raise errors.InvalidValue(
                f"extension {number} stands in the configuration file; change it there", field="extension"
            )

    def _view(self, number: str) -> views.ExtensionView:
        entry = self._directory.extensions[number]
        n_calls = sum(
            1
            for call in self._app.runtime.calls.calls.values()
            if any(leg.kind == "extension" and leg.name == number and not leg.is_ended for leg in call.legs.values())
        )
        return extension_view(entry, len(self._app.registrations.views(number)), n_calls)

    def _changed(self, number: str, change: str, caller: Caller) -> None:
        self._app.hub.publish(events.ExtensionChanged(extension=number, change=change, by=caller.user))
