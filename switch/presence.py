"""What is told of each extension: messages waiting, and presence put together from all that says something of it. Pure.

Whoever says most precisely wins: what was set by API, then what a phone published, then calls, then registration.
"""

from collections.abc import Callable, Iterable

from sip.event_bodies import BodyError, MessageCounts, PresenceState, parse_pidf
from sip.publication import Publications
from storage.directory import ExtensionState

DND = ("busy", "Do not disturb")
"""RPID activity and note."""


class PresenceBook:
    """States by extension. `is_registered`, `is_busy` and `is_dnd` ask the switch about a number."""

    def __init__(
        self,
        publications: Publications,
        *,
        is_registered: Callable[[str], bool],
        is_busy: Callable[[str], bool],
        is_dnd: Callable[[str], bool],
    ) -> None:
        self._publications = publications
        self._is_registered = is_registered
        self._is_busy = is_busy
        self._is_dnd = is_dnd
        self._states: dict[str, ExtensionState] = {}

    def load(self, states: Iterable[ExtensionState]) -> None:
        """What the storage keeps."""
        self._states = {state.number: state for state in states}

    def keep(self, state: ExtensionState) -> None:
        """One of them is another now."""
        self._states[state.number] = state

    def forget(self, number: str) -> None:
        """The extension is gone."""
        self._states.pop(number, None)
        self._publications.clear(number)

    def stored(self, number: str) -> ExtensionState:
        return self._states.get(number) or ExtensionState(number=number)

    def counts(self, number: str) -> MessageCounts:
        """Messages waiting."""
        state = self.stored(number)
        return MessageCounts(state.new, state.old, state.urgent_new, state.urgent_old)

    def presence(self, number: str) -> tuple[PresenceState, str]:
        """(what is told, who says so: api, phone, call, registration)"""
        stored = self.stored(number)
        is_registered = self._is_registered(number)
        if self._is_dnd(number):
            return PresenceState(is_registered, *DND), "api"
        if stored.activity:
            return PresenceState(is_registered, stored.activity, stored.note or stored.activity.capitalize()), "api"
        published = self._published(number)
        if published is not None and (published.activity or not published.is_open):
            return published, "phone"
        if self._is_busy(number):
            return PresenceState(is_registered, "on-the-phone", "On the phone"), "call"
        if published is not None:
            return published, "phone"
        return PresenceState(is_registered, "", "" if is_registered else "Offline"), "registration"

    def _published(self, number: str) -> PresenceState | None:
        for one in self._publications.of(number):
            try:
                return parse_pidf(one.body)
            except BodyError:
                continue
        return None
