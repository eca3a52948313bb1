"""What is made by API and kept whole: access numbers, calendars, queues, agents … as JSON under "KIND:NAME"."""

import logging
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from model.errors import StorageUnavailable
from storage.directory import Setting
from storage.errors import NotFoundError, UnavailableError
from storage.interface import EntryBook

log = logging.getLogger(__name__)
T = TypeVar("T")


class SettingsStore:
    """Every change is durable on return. Raises StorageUnavailable."""

    def __init__(self, book: EntryBook[Setting]) -> None:
        self._book = book

    async def put(self, key: str, value: msgspec.Struct) -> None:
        setting = Setting(key=key, value=msgspec.json.encode(value).decode(), source="api")
        try:
            try:
                await self._book.update(setting)
            except NotFoundError:
                await self._book.add(setting)
        except UnavailableError as error:
            raise StorageUnavailable(str(error)) from None

    async def forget(self, key: str) -> None:
        """Nothing where there is none."""
        try:
            await self._book.delete(key)
        except NotFoundError:
            pass
        except UnavailableError as error:
            raise StorageUnavailable(str(error)) from None


def stored(settings: Iterable[Setting], kind: str, of: type[T]) -> Iterator[tuple[str, T]]:
    """(key, value) of every one of a kind; what cannot be read is logged and left out."""
    for setting in settings:
        if setting.key.startswith(kind + ":"):
            try:
                yield setting.key, msgspec.json.decode(setting.value, type=of)
            except (msgspec.MsgspecError, ValueError) as error:
                log.error("x %s is not used: %s", setting.key, error)
