"""Mailboxes, presence, watchers and instant messages: what can be asked and told of them over the control API."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from model.commands import ExtensionNumber, OptionalText
from model.declare import Command, Event, command, event
from model.errors import InvalidValue, NoSuchExtension, NotReachable, StorageUnavailable

Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Activity = Literal["available", "away", "busy", "meal", "meeting"]


class MailboxView(Struct, frozen=True, kw_only=True):
    """Messages waiting for an extension."""

    extension: str
    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0
    n_watchers: int = 0
    """Phones that are told."""


class PresenceView(Struct, frozen=True, kw_only=True):
    """Whether somebody can be reached, as watchers are told."""

    extension: str
    is_open: bool
    """Can be reached."""
    activity: str = ""
    """Empty, or on-the-phone, away, busy, meal, meeting … (RFC 4480)."""
    note: str = ""
    source: str = ""
    """What says so: api, phone (it published that), call, registration."""
    n_watchers: int = 0


class SubscriptionView(Struct, frozen=True, kw_only=True):
    """One phone watching something."""

    watcher: str
    """Extension that watches."""
    event: str
    """message-summary, dialog or presence."""
    extension: str
    """What it watches."""
    address: str
    expires_s: float


class SubscriptionList(Struct, frozen=True, kw_only=True):
    subscriptions: list[SubscriptionView]
    n_subscriptions: int
    """All of them, also those beyond the limit."""


class MessageSent(Struct, frozen=True, kw_only=True):
    n_phones: int
    """Phones of the extension it was sent to."""


@command(
    "mailbox.set",
    permission="extension.control",
    of="extension",
    result=MailboxView,
    errors=(NoSuchExtension, StorageUnavailable, InvalidValue),
)
class SetMailbox(Command, frozen=True, kw_only=True):
    """Says how many messages wait for an extension; its phones show it at once (message waiting lamp)."""

    extension: ExtensionNumber
    new: Count
    """Not heard yet."""
    old: Count = 0
    urgent_new: Count = 0
    """Of `new`."""
    urgent_old: Count = 0
    """Of `old`."""


@command(
    "mailbox.get",
    permission="extension.view",
    of="extension",
    own="agent.work",
    result=MailboxView,
    errors=(NoSuchExtension,),
)
class GetMailbox(Command, frozen=True, kw_only=True):
    """How many messages wait for an extension."""

    extension: ExtensionNumber


@command(
    "presence.set",
    permission="extension.control",
    of="extension",
    own="agent.work",
    result=PresenceView,
    errors=(NoSuchExtension, StorageUnavailable),
)
class SetPresence(Command, frozen=True, kw_only=True):
    """Says what an extension's user is doing; watchers are told at once. Kept until it is set again.

    It changes nothing of how calls go: who wants none says so by `extension.set_services`, and watchers see that too.
    """

    extension: ExtensionNumber
    activity: Activity
    """available takes an earlier one back: then phone, calls and registration speak for themselves."""
    note: OptionalText = ""
    """Shown beside it."""


@command(
    "presence.get",
    permission="extension.view",
    of="extension",
    own="agent.work",
    result=PresenceView,
    errors=(NoSuchExtension,),
)
class GetPresence(Command, frozen=True, kw_only=True):
    """Whether somebody can be reached, and what they do."""

    extension: ExtensionNumber


@command("subscription.list", permission="switch.view", result=SubscriptionList)
class ListSubscriptions(Command, frozen=True, kw_only=True):
    """Which phones watch what."""

    extension: OptionalText = ""
    """Only those that watch this extension."""
    watcher: OptionalText = ""
    """Only those of this extension's phones."""
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


@command("message.send", permission="message.send", result=MessageSent, errors=(NoSuchExtension, NotReachable))
class SendMessage(Command, frozen=True, kw_only=True):
    """Sends a text to the phones of an extension (SIP MESSAGE). `message.delivered` or `message.failed` follow."""

    to: ExtensionNumber
    text: Annotated[str, Meta(min_length=1, max_length=1000)]
    from_: OptionalText = ""
    """Number shown as the sender; empty: the switch's name."""


@event("mailbox.changed")
class MailboxChanged(Event, frozen=True, kw_only=True):
    """The number of messages waiting for an extension was set."""

    extension: str
    new: int
    old: int


@event("presence.changed")
class PresenceChanged(Event, frozen=True, kw_only=True):
    """An extension's user, or a phone of it, said what they are doing."""

    extension: str
    is_open: bool
    activity: str
    note: str
    source: str
    """api or phone."""


@event("subscription.added")
class SubscriptionAdded(Event, frozen=True, kw_only=True):
    """A phone watches something."""

    watcher: str
    package: str
    """message-summary, dialog or presence."""
    extension: str


@event("subscription.removed")
class SubscriptionRemoved(Event, frozen=True, kw_only=True):
    """A phone watches something no longer."""

    watcher: str
    package: str
    extension: str
    why: str
    """timeout (expired or given back), refused (a NOTIFY was), no_answer, connection_lost, noresource, rejected."""


@event("message.delivered")
class MessageDelivered(Event, frozen=True, kw_only=True):
    """A phone took an instant message."""

    sender: str
    extension: str
    address: str
    """Of the phone."""
    size: int
    """Bytes; the text itself is told to nobody."""


@event("message.failed")
class MessageFailed(Event, frozen=True, kw_only=True):
    """A phone did not take an instant message."""

    sender: str
    extension: str
    address: str
    status: int
    """SIP status; 0 = no answer."""
