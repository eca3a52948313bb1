"""Commands on members, who tell in a flow by a keyed password who they are. `switch/members.py` handles them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from model import views
from model.commands import Cursor, Limit, OptionalText
from model.declare import Command, Event, command, event
from model.errors import AlreadyExists, NoSuchMember, StorageUnavailable

MemberNumber = Annotated[str, Meta(pattern=r"^[0-9]{1,32}$")]
MemberPassword = Annotated[str, Meta(pattern=r"^[0-9]{4,32}$")]


class MemberEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A member; nobody is told his password."""

    member: str
    name: str
    has_password: bool
    is_locked: bool
    """Too many wrong passwords were keyed for him."""
    created_utc: float
    updated_utc: float


class MemberList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of members, by number."""

    members: list[MemberEntry]
    cursor: str
    """For the next page; empty = this was the last."""


@command("member.list", permission="list.manage", result=MemberList, errors=(StorageUnavailable,))
class ListMembers(Command, frozen=True, kw_only=True):
    """Members, by number."""

    prefix: OptionalText = ""
    """Only numbers that begin so."""
    limit: Limit = 100
    cursor: Cursor = ""
    """From the page before."""


@command("member.create", permission="list.manage", result=MemberEntry, errors=(AlreadyExists, StorageUnavailable))
class CreateMember(Command, frozen=True, kw_only=True):
    """Adds a member; he is known from the next call on."""

    member: MemberNumber
    """His number, which he keys."""
    password: MemberPassword | None = None
    """4 to 32 digits; null: no password is right for him."""
    name: OptionalText = ""


@command("member.set_password", permission="list.manage", result=MemberEntry, errors=(NoSuchMember, StorageUnavailable))
class SetMemberPassword(Command, frozen=True, kw_only=True):
    """Another password; a member who was locked may try again at once."""

    member: MemberNumber
    password: MemberPassword
    """4 to 32 digits."""


@command("member.remove", permission="list.manage", result=views.Done, errors=(NoSuchMember, StorageUnavailable))
class RemoveMember(Command, frozen=True, kw_only=True):
    """Takes a member away."""

    member: MemberNumber


@event("member.checked")
class MemberChecked(Event, frozen=True, kw_only=True):
    """A caller has keyed a member's number and a password (MPV-01)."""

    call_id: str
    member: str
    """As keyed; there may be no such member."""
    result: str
    """ok, wrong, locked."""
