"""Commands on do-not-call lists. `switch/dnc_desk.py` handles them."""

from typing import Annotated

from msgspec import Meta

from model import views
from model.commands import Cursor, Instant, Limit, OptionalId, OptionalText
from model.commands_lists import Rejection
from model.declare import Command, command
from model.dialing import DncEntry
from model.errors import InvalidValue, NoSuchCampaign, PermissionDenied, StorageUnavailable


class DncPage(views.View, frozen=True, kw_only=True):
    """Numbers that are not called, in their order."""

    entries: list[DncEntry]
    cursor: str
    """For the next page; empty = this was the last."""


class DncAdded(views.View, frozen=True, kw_only=True):
    """What was taken of the numbers given."""

    n_added: int
    """New ones; those that were there have the new reason and end."""
    rejections: list[Rejection]


@command(
    "dnc.add",
    permission="campaign.manage",
    result=DncAdded,
    errors=(NoSuchCampaign, InvalidValue, StorageUnavailable),
)
class AddDnc(Command, frozen=True, kw_only=True):
    """Numbers are not called any more, from this moment on."""

    numbers: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(min_length=1, max_length=1000)]
    campaign: OptionalId = ""
    """By this one; empty: by none."""
    is_prefix: bool = False
    """They are beginnings of numbers ("+86571"): an area."""
    reason: OptionalText = ""
    expires_utc: Instant = 0.0
    """Called again from then on; 0 = never."""


@command("dnc.remove", permission="campaign.manage", result=views.Done, errors=(InvalidValue, StorageUnavailable))
class RemoveDnc(Command, frozen=True, kw_only=True):
    """Takes a number off a do-not-call list. Records that were given up because of it stay so (`record.reset`)."""

    number: Annotated[str, Meta(min_length=1, max_length=64)]
    campaign: OptionalId = ""
    is_prefix: bool = False


@command(
    "dnc.find",
    permission="campaign.view",
    result=DncPage,
    errors=(InvalidValue, PermissionDenied, StorageUnavailable),
)
class FindDnc(Command, frozen=True, kw_only=True):
    """Numbers that are not called; for those who may see whole numbers (phone.view_full)."""

    number: OptionalText = ""
    """Its beginning."""
    campaign: OptionalId | None = None
    """Of one; empty: that of all; null: every list."""
    text: OptionalText = ""
    """In the reason or the number."""
    source: OptionalText = ""
    """The list it came with."""
    limit: Limit = 100
    cursor: Cursor = ""
