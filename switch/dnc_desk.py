"""Do-not-call lists by API (XOUT-04)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from model import commands_dnc as dnc
from model import errors, views
from model.declare import Command
from model.dialing import DncEntry
from storage.barred import DncFilter
from storage.errors import NotFoundError
from switch.asking import asked
from switch.hidden_numbers import HiddenNumbers
from switch.imports import rejections_of
from switch.list_cells import CellError, number_of
from switch.list_rows import ListOptions, RejectedRow
from switch.list_takers import rejection_of
from switch.lists import Lists

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    desk = DncDesk(app.lists, HiddenNumbers(app.gate))
    return {dnc.AddDnc: desk.add, dnc.RemoveDnc: desk.remove, dnc.FindDnc: desk.find}


class DncDesk:
    def __init__(self, kept: Lists, hidden: HiddenNumbers) -> None:
        self._lists = kept
        self._hidden = hidden

    async def add(self, command: dnc.AddDnc, caller: Caller) -> dnc.DncAdded:
        if command.campaign:
            self._lists.campaign(command.campaign)
        wall = self._lists.wall()
        if 0 < command.expires_utc <= wall:
            raise errors.InvalidValue("is over already", field="expires_utc")
        numbers, rejected = await self._lists.in_thread(_read, command, self._lists.options("dnc"))
        entries = [
            DncEntry(
                number=number,
                campaign=command.campaign,
                is_prefix=command.is_prefix,
                reason=command.reason,
                source="api",
                added_by=caller.user,
                added_utc=wall,
                expires_utc=command.expires_utc,
            )
            for number in numbers
        ]
        n_added = await asked(self._lists.storage.barred.add(entries))
        self._lists.bar(entries)
        return dnc.DncAdded(n_added=n_added, rejections=self._hidden.rejections(rejections_of(rejected), caller))

    async def remove(self, command: dnc.RemoveDnc, caller: Caller) -> views.Done:
        for number in _written(command.number, self._lists.options("dnc"), is_prefix=command.is_prefix):
            try:
                await asked(self._lists.storage.barred.remove(number, command.campaign, is_prefix=command.is_prefix))
            except NotFoundError:
                continue
            self._lists.allow(number, command.campaign, is_prefix=command.is_prefix)
            return views.Done()
        raise errors.InvalidValue(f"{command.number} is not on that list", field="number")

    async def find(self, command: dnc.FindDnc, caller: Caller) -> dnc.DncPage:
        if not self._hidden.are_shown_to(caller):
            raise errors.PermissionDenied("who may not see whole telephone numbers may not see lists of them")
        criteria = DncFilter(number=command.number, campaign=command.campaign, text=command.text, source=command.source)
        page = await asked(self._lists.storage.barred.find(criteria, after=command.cursor, limit=command.limit))
        return dnc.DncPage(entries=page.items, cursor=page.after)


def _read(command: dnc.AddDnc, options: ListOptions) -> tuple[list[str], list[RejectedRow]]:
    found: dict[str, None] = {}
    rejected = []
    for row, text in enumerate(command.numbers, 1):
        try:
            found[_prefix(text) if command.is_prefix else _number(text, options)] = None
        except CellError as error:
            rejected.append(rejection_of(row, "numbers", text, error))
    return [*found], rejected


def _number(text: str, options: ListOptions) -> str:
    """What is no telephone number of the region is barred as it is."""
    return number_of(text, options.region, may_be_internal=True)


def _prefix(text: str) -> str:
    prefix = text.strip().rstrip("*")
    if not (prefix.isascii() and prefix.lstrip("+").isdigit()):
        raise CellError("not_a_number")
    return prefix


def _written(text: str, options: ListOptions, *, is_prefix: bool) -> list[str]:
    """How it may stand on the list: as it was given, or as a number is written there."""
    try:
        return [*dict.fromkeys((text.strip(), _prefix(text) if is_prefix else _number(text, options)))]
    except CellError:
        return [text.strip()]
