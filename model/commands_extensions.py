"""Commands on extensions: who can register, and what each may do. `switch/extensions_admin.py` handles them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from model import views
from model.commands import Cursor, ExtensionNumber, Limit, OptionalText, RingTimeout
from model.declare import Command, command
from model.errors import AlreadyExists, InvalidValue, NoSuchExtension, StorageUnavailable

Password = Annotated[str, Meta(min_length=8, max_length=128, pattern=r"^[\x21-\x7e]+$")]


@command(
    "extension.list",
    permission="extension.view",
    own="agent.work",
    each="extensions",
    result=views.ExtensionList,
    errors=(StorageUnavailable,),
)
class ListExtensions(Command, frozen=True, kw_only=True):
    """Extensions, by number."""

    prefix: OptionalText = ""
    """Only numbers that begin with this."""
    limit: Limit = 1000
    cursor: Cursor = ""
    """From the page before."""


@command(
    "extension.get",
    permission="extension.view",
    of="extension",
    own="agent.work",
    result=views.ExtensionView,
    errors=(NoSuchExtension, StorageUnavailable),
)
class GetExtension(Command, frozen=True, kw_only=True):
    """One extension."""

    extension: ExtensionNumber


@command(
    "extension.create",
    permission="extension.manage",
    result=views.ExtensionCreated,
    errors=(AlreadyExists, InvalidValue, StorageUnavailable),
)
class CreateExtension(Command, frozen=True, kw_only=True):
    """Adds an extension; a phone can register at once."""

    extension: ExtensionNumber
    """Its number: digits, letters, ".", "_" and "-", at most 32."""
    password: Password | None = None
    """SIP password, printable ASCII without blanks; null = the switch makes a strong one."""
    name: OptionalText = ""
    """Shown to who is called."""
    caller_id: OptionalText = ""
    """Number shown on trunks; empty = the trunk's."""
    ring_timeout_s: RingTimeout = 0.0
    """Seconds it rings; 0 = the switch's default."""
    busy_to: OptionalText = ""
    """Number called instead when it is busy or not registered."""
    no_answer_to: OptionalText = ""
    """Number called instead when it does not answer in time."""
    may_call_external: bool = True
    """May call by trunk; emergency numbers always."""
    may_call_international: bool = False
    """May call foreign countries by trunk."""
    is_recorded: bool = True
    """Its calls are recorded, when recording is on at all."""
    is_enabled: bool = True
    """False: it can neither register nor call nor be called."""
    media: Literal["relay", "direct"] = "relay"
    """relay: audio through the switch; direct: from phone to phone, never recorded."""


@command(
    "extension.update",
    permission="extension.manage",
    result=views.ExtensionView,
    errors=(NoSuchExtension, InvalidValue, StorageUnavailable),
)
class UpdateExtension(Command, frozen=True, kw_only=True):
    """Changes the fields that are given, as in `extension.create`, without touching live calls."""

    extension: ExtensionNumber
    password: Password | UnsetType = UNSET
    name: OptionalText | UnsetType = UNSET
    caller_id: OptionalText | UnsetType = UNSET
    ring_timeout_s: RingTimeout | UnsetType = UNSET
    busy_to: OptionalText | UnsetType = UNSET
    no_answer_to: OptionalText | UnsetType = UNSET
    may_call_external: bool | UnsetType = UNSET
    may_call_international: bool | UnsetType = UNSET
    is_recorded: bool | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET
    media: Literal["relay", "direct"] | UnsetType = UNSET


@command(
    "extension.delete", permission="extension.manage", result=views.Done, errors=(NoSuchExtension, StorageUnavailable)
)
class DeleteExtension(Command, frozen=True, kw_only=True):
    """Removes an extension and its registrations; its live calls go on."""

    extension: ExtensionNumber
