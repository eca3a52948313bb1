"""The API's commands about mailboxes, presence, watchers and messages: the database first, then phones."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from control.auth import Caller
from model import errors, watching
from model.declare import Command
from storage.errors import UnavailableError
from switch.mailboxes import store_state
from switch.notifier import MWI, PRESENCE, Notifier

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    handlers = WatchingCommands(app)
    return {
        watching.SetMailbox: handlers.set_mailbox,
        watching.GetMailbox: handlers.get_mailbox,
        watching.SetPresence: handlers.set_presence,
        watching.GetPresence: handlers.get_presence,
        watching.ListSubscriptions: handlers.list_subscriptions,
        watching.SendMessage: handlers.send_message,
    }


class WatchingCommands:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._runtime = app.runtime
        self._directory = app.runtime.calls.env.directory

    @property
    def _notifier(self) -> Notifier:
        return self._app.core.notifier

    async def set_mailbox(self, command: watching.SetMailbox, caller: Caller) -> watching.MailboxView:
        self._check(command.extension)
        if command.urgent_new > command.new or command.urgent_old > command.old:
            raise errors.InvalidValue("there are more urgent messages than messages", field="urgent_new")
        counts = {name: getattr(command, name) for name in ("new", "old", "urgent_new", "urgent_old")}
        await self._store(command.extension, **counts)
        event = watching.MailboxChanged(extension=command.extension, new=command.new, old=command.old)
        self._app.hub.publish(event)
        return self._mailbox(command.extension)

    def get_mailbox(self, command: watching.GetMailbox, caller: Caller) -> watching.MailboxView:
        self._check(command.extension)
        return self._mailbox(command.extension)

    async def set_presence(self, command: watching.SetPresence, caller: Caller) -> watching.PresenceView:
        self._check(command.extension)
        activity = "" if command.activity == "available" else command.activity
        await self._store(command.extension, activity=activity, note=command.note if activity else "")
        return self._presence(command.extension)

    def get_presence(self, command: watching.GetPresence, caller: Caller) -> watching.PresenceView:
        self._check(command.extension)
        return self._presence(command.extension)

    def list_subscriptions(self, command: watching.ListSubscriptions, caller: Caller) -> watching.SubscriptionList:
        found = self._notifier.views(command.extension, command.watcher, self._runtime.outside.clock())
        return watching.SubscriptionList(subscriptions=found[: command.limit], n_subscriptions=len(found))

    def send_message(self, command: watching.SendMessage, caller: Caller) -> watching.MessageSent:
        self._check(command.to)
        now = self._runtime.outside.clock()
        sender = command.from_ or self._app.config.node.name
        n_phones = self._app.core.messages.send(sender, command.to, command.text, now)
        self._runtime.rearm(now)
        if not n_phones:
            raise errors.NotReachable(f"no phone of extension {command.to} is registered")
        return watching.MessageSent(n_phones=n_phones)

    def _check(self, number: str) -> None:
        if number not in self._directory.extensions:
            raise errors.NoSuchExtension(f"no extension {number}")

    async def _store(self, number: str, **changes: Any) -> None:
        try:
            await store_state(self._app.core, self._app.storage, number, **changes)
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None

    def _mailbox(self, number: str) -> watching.MailboxView:
        counts = self._notifier.book.counts(number)
        n_watchers = self._notifier.subscriptions.watchers(MWI, number)
        return watching.MailboxView(extension=number, n_watchers=n_watchers, **msgspec.structs.asdict(counts))

    def _presence(self, number: str) -> watching.PresenceView:
        state, source = self._notifier.book.presence(number)
        n_watchers = self._notifier.subscriptions.watchers(PRESENCE, number)
        return watching.PresenceView(
            extension=number, source=source, n_watchers=n_watchers, **msgspec.structs.asdict(state)
        )
