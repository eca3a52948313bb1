"""What is in force for an extension: what its user chose (feature code, API), else what is configured. Pure.

And whether a number may be chosen to forward to: who forwards pays for the call, so it must be able to make it itself.
"""

from collections.abc import Iterable

import msgspec

from storage.directory import ExtensionServices
from switch.call import Call
from switch.directory import Directory, ExtensionEntry
from switch.routing import Origin, Refuse, choose_route

OFF = "off"
"""Stored instead of a number: the user wants none, whatever is configured."""


class Services(msgspec.Struct, frozen=True, gc=False):
    """In force for one extension. Numbers are empty where nothing is forwarded."""

    always_to: str
    busy_to: str
    no_answer_to: str
    is_dnd: bool
    has_call_waiting: bool
    pickup_group: str


class ServiceTable:
    """What users chose, by extension."""

    def __init__(self) -> None:
        self._chosen: dict[str, ExtensionServices] = {}

    def load(self, chosen: Iterable[ExtensionServices]) -> None:
        """What the storage keeps."""
        self._chosen = {each.number: each for each in chosen}

    def put(self, chosen: ExtensionServices) -> None:
        self._chosen[chosen.number] = chosen

    def forget(self, number: str) -> None:
        """The extension is gone."""
        self._chosen.pop(number, None)

    def chosen(self, number: str) -> ExtensionServices:
        """As stored; nothing chosen when there is no row."""
        return self._chosen.get(number) or ExtensionServices(number=number)

    def is_dnd(self, number: str) -> bool:
        """Whether the user wants no calls."""
        own = self._chosen.get(number)
        return own is not None and own.is_dnd

    def of(self, entry: ExtensionEntry) -> Services:
        """What is in force."""
        own = self._chosen.get(entry.number)
        if own is None:
            return Services(
                entry.always_to, entry.busy_to, entry.no_answer_to, False, entry.has_call_waiting, entry.pickup_group
            )
        return Services(
            always_to=_number(own.always_to, entry.always_to),
            busy_to=_number(own.busy_to, entry.busy_to),
            no_answer_to=_number(own.no_answer_to, entry.no_answer_to),
            is_dnd=own.is_dnd,
            has_call_waiting=own.call_waiting == "on" if own.call_waiting else entry.has_call_waiting,
            pickup_group=own.pickup_group or entry.pickup_group,
        )


def target_refusal(directory: Directory, entry: ExtensionEntry, to: str, wall: float) -> str:
    """Why the extension may not forward its calls to `to` at `wall` (UTC seconds); "" when it may."""
    if to == entry.number:
        return "an extension cannot forward to itself"
    if to in directory.emergency:
        return f"{to} is an emergency number"
    decision = choose_route(directory, Origin(caller=entry.number, extension=entry), to, wall)
    return decision.why if isinstance(decision, Refuse) else ""


def is_in_call(calls: Iterable[Call], number: str) -> bool:
    """Whether a phone of the extension has a call."""
    return any(
        leg.kind == "extension" and leg.name == number and leg.state != "ended"
        for call in calls
        for leg in call.legs.values()
    )


def _number(chosen: str, configured: str) -> str:
    return configured if not chosen else "" if chosen == OFF else chosen
