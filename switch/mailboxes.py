"""The message lamps of phones (RFC 3842): counts are stored, then told to whoever watches."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from model.watching import MailboxChanged
from storage.directory import ExtensionState
from storage.errors import NotFoundError, UnavailableError
from storage.interface import AnyStorage
from switch.core import Core

log = logging.getLogger(__name__)


async def store_state(core: Core, storage: AnyStorage, number: str, **changes: Any) -> ExtensionState:
    """Changes what is kept of an extension, and tells its watchers. Raises UnavailableError."""
    book = storage.extension_states
    try:
        stored = await book.get(number)
        stored = await book.update(msgspec.structs.replace(stored, **changes))
    except NotFoundError:
        stored = await book.add(ExtensionState(number=number, source="api", **changes))
    now = core.runtime.outside.clock()
    core.notifier.state_set(stored, now)
    core.runtime.rearm(now)
    return stored


class Mailboxes:
    """What voicemail says of phones' messages; one change after the other."""

    def __init__(self, core: Core, storage: AnyStorage, publish: Callable[[Any], None]) -> None:
        self._core = core
        self._storage = storage
        self._publish = publish
        self._lock = asyncio.Lock()

    async def light(self, number: str, new: int, old: int, urgent_new: int, urgent_old: int) -> None:
        """Nothing when it is so already."""
        async with self._lock:
            before = self._core.notifier.book.counts(number)
            if (before.new, before.old, before.urgent_new, before.urgent_old) == (new, old, urgent_new, urgent_old):
                return
            counts = {"new": new, "old": old, "urgent_new": urgent_new, "urgent_old": urgent_old}
            try:
                await store_state(self._core, self._storage, number, **counts)
            except UnavailableError as error:
                log.error("x the message lamp of %s is not told: %s", number, error)
                return
            self._publish(MailboxChanged(extension=number, new=new, old=old))
