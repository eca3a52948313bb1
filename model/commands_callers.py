"""Commands on the lists of callers. `switch/callers_desk.py` handles them."""

import msgspec

from model import views
from model.caller_lists import Listed, ListedCaller, ListName
from model.commands import Cursor, Limit, OptionalText
from model.declare import Command, Event, command, event
from model.errors import InvalidValue, NoSuchCaller, StorageUnavailable


class ListedCallerView(msgspec.Struct, frozen=True, kw_only=True):
    """An entry, and where it comes from."""

    caller: ListedCaller
    added_by: str
    added_utc: float


class ListedCallers(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list, by number."""

    callers: list[ListedCallerView]
    n_callers: int
    """Of the whole list."""
    cursor: str
    """For the next page; empty = this was the last."""


@command("caller_list.find", permission="list.manage", result=ListedCallers)
class FindListedCallers(Command, frozen=True, kw_only=True):
    """Entries of a list, by number; those that have expired are gone."""

    list: ListName
    prefix: OptionalText = ""
    """Only numbers that begin so."""
    limit: Limit = 100
    cursor: Cursor = ""


@command(
    "caller_list.add", permission="list.manage", result=ListedCallerView, errors=(InvalidValue, StorageUnavailable)
)
class AddListedCaller(Command, frozen=True, kw_only=True):
    """Puts a number on a list, or changes its entry; it holds for the next call on."""

    caller: ListedCaller


@command("caller_list.remove", permission="list.manage", result=views.Done, errors=(NoSuchCaller, StorageUnavailable))
class RemoveListedCaller(Command, frozen=True, kw_only=True):
    """Takes a number off a list."""

    list: ListName
    number: Listed


@event("caller_list.changed")
class CallerListChanged(Event, frozen=True, kw_only=True):
    """A list of callers was changed."""

    list: str
    number: str
    change: str
    """added or removed."""
    by: str


@event("call.blocked")
class CallBlocked(Event, frozen=True, kw_only=True):
    """A caller on the blacklist was refused; the record has the cause INCOMING_CALL_BARRED (`rejected_blacklist`)."""

    call_id: str
    caller: str
    dialed: str
    reason: str
    """As the list says."""
