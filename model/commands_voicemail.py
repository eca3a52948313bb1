"""Commands and events of voicemail (VM-03, XREC-09). `switch/voicemail_commands.py` handles them.

Messages belong to the queue of their box: who may listen to the queue's voicemail sees them (RBAC-06). Those of boxes
without a queue are for roles without a scope, and for the phones of the box.
"""

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from model import views
from model.commands import Cursor, Id, Instant, Limit, OptionalText
from model.declare import RESULT, Command, Event, command, event
from model.errors import (
    AlreadyExists,
    Congested,
    Draining,
    InUse,
    InvalidValue,
    NoRoute,
    NoSuchBox,
    NoSuchExtension,
    NoSuchMessage,
    StorageUnavailable,
    WrongState,
)
from model.partial import partial
from model.records import MessageRecord
from model.settings import Name, Number, Section
from model.voicemail import VoicemailBox

if TYPE_CHECKING:
    BoxSettings = Annotated[Section, "of model.voicemail.VoicemailBox"]
else:
    BoxSettings = partial(VoicemailBox, without=("name", "pin_hash"))

Pin = Annotated[str, Meta(pattern=r"^([0-9]{4,12})?$")]
MAX_PIECE = 512 * 1024


class VoicemailList(views.View, frozen=True, kw_only=True):
    """A page of messages, latest first."""

    messages: list[MessageRecord]
    cursor: str
    """For the next page; empty = this was the last."""


class AudioPiece(views.View, frozen=True, kw_only=True):
    """Some of a message's file."""

    message_id: str
    queue: str
    content: str
    """Base64."""
    offset: int
    size: int
    """Of the whole file."""
    content_type: str


class BoxReport(views.View, frozen=True, kw_only=True):
    """What a box took in a stretch of time, without what callers threw away themselves."""

    box: str
    queue: str
    n_left: int
    n_new: int
    """Of them, nobody has heard so far."""
    n_called_back: int
    total_s: float
    heard_after_s: float
    """How long those that were heard had waited for it, on average; 0 = none was."""


class VoicemailReport(views.View, frozen=True, kw_only=True):
    """Boxes by name."""

    boxes: list[BoxReport]


class BoxView(views.View, frozen=True, kw_only=True):
    """A box, and what is in it."""

    box: str
    queue: str
    source: str
    """file (read-only by API), database, or queue (a queue's own, not configured)."""
    has_pin: bool
    n_new: int
    n_heard: int
    settings: VoicemailBox
    """Without the hash of its PIN."""


class BoxList(views.View, frozen=True, kw_only=True):
    """Boxes by name."""

    boxes: list[BoxView]


# -- messages ----------------------------------------------------------------------------------------------------------


@command(
    "voicemail.list",
    permission="voicemail.play",
    each="messages",
    result=VoicemailList,
    errors=(InvalidValue, StorageUnavailable),
)
class ListMessages(Command, frozen=True, kw_only=True):
    """Messages, latest first; filters are combined."""

    start_utc: Instant = 0.0
    """Left at this instant or later."""
    end_utc: Instant = 0.0
    """Left before this instant; 0 = no end."""
    box: OptionalText = ""
    queue: OptionalText = ""
    caller: OptionalText = ""
    state: Literal["", "new", "heard", "deleted", "failed"] = ""
    """Empty = those that are in their boxes."""
    limit: Limit = 100
    cursor: Cursor = ""
    """From the page before."""


@command(
    "voicemail.get",
    permission="voicemail.play",
    of=RESULT,
    result=MessageRecord,
    errors=(NoSuchMessage, StorageUnavailable),
)
class GetMessage(Command, frozen=True, kw_only=True):
    """One message: who left it, when, how long it is, who has heard it."""

    message_id: Id


@command(
    "voicemail.audio",
    permission="voicemail.play",
    of=RESULT,
    result=AudioPiece,
    errors=(NoSuchMessage, WrongState, StorageUnavailable),
)
class GetAudio(Command, frozen=True, kw_only=True):
    """The sound of a message, piece after piece, to listen to or to download. It counts as heard with
    `voicemail.mark`."""

    message_id: Id
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_PIECE)] = MAX_PIECE
    """At most so many bytes."""


@command(
    "voicemail.mark",
    permission="voicemail.play",
    of=RESULT,
    result=MessageRecord,
    errors=(NoSuchMessage, WrongState, StorageUnavailable),
)
class MarkMessage(Command, frozen=True, kw_only=True):
    """Says that a message was heard, or is new again; notes what there is to say of it."""

    message_id: Id
    state: Literal["new", "heard"] | UnsetType = UNSET
    remark: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET
    is_urgent: bool | UnsetType = UNSET
    is_called_back: bool | UnsetType = UNSET


@command(
    "voicemail.delete",
    permission="voicemail.play",
    of=RESULT,
    result=MessageRecord,
    errors=(NoSuchMessage, WrongState, StorageUnavailable),
)
class DeleteMessage(Command, frozen=True, kw_only=True):
    """Removes the sound of a message for good; that it was left stays known."""

    message_id: Id


@command(
    "voicemail.call_back",
    permission="voicemail.play",
    of=RESULT,
    result=MessageRecord,
    errors=(
        NoSuchMessage,
        NoSuchExtension,
        InvalidValue,
        NoRoute,
        Congested,
        Draining,
        StorageUnavailable,
    ),
)
class CallBackMessage(Command, frozen=True, kw_only=True):
    """Rings a phone and then who left the message, by the rights of the phone; it counts as called back."""

    message_id: Id
    extension: Number


@command(
    "voicemail.report",
    permission="voicemail.play",
    each="boxes",
    result=VoicemailReport,
    errors=(StorageUnavailable,),
)
class ReportVoicemail(Command, frozen=True, kw_only=True):
    """What boxes took in a stretch of time (RPT-24)."""

    start_utc: Instant = 0.0
    end_utc: Instant = 0.0
    """0 = no end."""
    box: OptionalText = ""
    queue: OptionalText = ""


# -- boxes -------------------------------------------------------------------------------------------------------------


@command("voicemail_box.list", permission="voicemail.play", each="boxes", result=BoxList)
class ListBoxes(Command, frozen=True, kw_only=True):
    """Boxes that are configured, or have messages."""


@command(
    "voicemail_box.create",
    permission="routing.manage",
    result=BoxView,
    errors=(AlreadyExists, InvalidValue, StorageUnavailable),
)
class CreateBox(Command, frozen=True, kw_only=True):
    """Adds a box; messages can be left in it at once."""

    box: Name
    pin: Pin = ""
    settings: BoxSettings = msgspec.field(default_factory=BoxSettings)


@command(
    "voicemail_box.update",
    permission="routing.manage",
    result=BoxView,
    errors=(NoSuchBox, InvalidValue, StorageUnavailable),
)
class UpdateBox(Command, frozen=True, kw_only=True):
    """Changes what is given of a box; it holds for the next call on."""

    box: Name
    pin: Pin | UnsetType = UNSET
    """Empty = none any more."""
    settings: BoxSettings = msgspec.field(default_factory=BoxSettings)


@command(
    "voicemail_box.delete",
    permission="routing.manage",
    result=views.Done,
    errors=(NoSuchBox, InvalidValue, InUse, WrongState, StorageUnavailable),
)
class DeleteBox(Command, frozen=True, kw_only=True):
    """Removes a box that is empty and that no number and no queue leads to."""

    box: Name


# -- events ------------------------------------------------------------------------------------------------------------


@event("voicemail.left", permission="queue.view")
class MessageLeft(Event, frozen=True, kw_only=True):
    """There is a new message."""

    message_id: str
    box: str
    queue: str
    call_id: str
    caller: str
    duration_s: float


@event("voicemail.changed", permission="queue.view")
class MessageChanged(Event, frozen=True, kw_only=True):
    """A message was heard, marked, called back or deleted."""

    message_id: str
    box: str
    queue: str
    state: str
    """new, heard or deleted."""
    is_called_back: bool
    by: str


@event("voicemail.not_sent", permission="queue.view")
class MessageNotSent(Event, frozen=True, kw_only=True):
    """Nobody could be told of a message by e-mail; it is in its box."""

    message_id: str
    box: str
    queue: str
    error: str


@event("voicemail_box.changed", permission="queue.view")
class BoxChanged(Event, frozen=True, kw_only=True):
    """A box was changed."""

    box: str
    queue: str
    change: str
    """created, updated or deleted."""
    by: str
