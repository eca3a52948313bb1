"""Which list names a caller: numbers, beginnings of numbers, and callers who show none. Pure, in memory."""

import msgspec

from model.caller_lists import ANONYMOUS, LISTS, ListedCaller, ListName
from switch.numbers import clean, e164

MAX_LISTED = 200_000
"""Entries of all lists together."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """As it is kept."""

    caller: ListedCaller
    added_by: str = ""
    added_utc: float = 0.0


class CallerLists:
    """A number is one however it is written, as far as `region` ("CN") tells; the longest beginning counts."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._entries: dict[str, dict[str, Entry]] = {name: {} for name in LISTS}
        """List -> `key` -> entry."""
        self._lengths: dict[str, list[int]] = {name: [] for name in LISTS}
        """List -> lengths of the beginnings on it, the longest first."""

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._entries.values())

    def key(self, listed: str) -> str:
        """What all ways of writing a number, or a beginning, have in common."""
        if listed.endswith("*"):
            return _digits(listed) + "*"
        cleaned = clean(listed)
        if not any(c.isdigit() for c in cleaned):
            return ANONYMOUS
        return e164(cleaned, self._region) or cleaned

    def put(self, entry: Entry) -> None:
        """In the place of what the list said of this number."""
        name = entry.caller.list
        self._entries[name][self.key(entry.caller.number)] = entry
        self._measure(name)

    def remove(self, name: ListName, number: str) -> Entry | None:
        entry = self._entries[name].pop(self.key(number), None)
        self._measure(name)
        return entry

    def get(self, name: ListName, number: str) -> Entry | None:
        return self._entries[name].get(self.key(number))

    def all(self, name: ListName) -> list[Entry]:
        """By number, as it was written."""
        return sorted(self._entries[name].values(), key=lambda entry: entry.caller.number)

    def find(self, name: ListName, caller: str, of: str, now_utc: float) -> ListedCaller | None:
        """The entry that holds for a caller and a queue, or an access number."""
        entries = self._entries[name]
        if not entries:
            return None
        key = self.key(caller)
        exact = entries.get(key)
        if exact is not None and _holds(exact.caller, of, now_utc):
            return exact.caller
        # As it was shown, and as it is written in full: "138…" and "86138…" begin differently.
        for written in dict.fromkeys((_digits(caller), _digits(key))):
            for length in self._lengths[name]:
                found = entries.get(written[:length] + "*")
                if found is not None and _holds(found.caller, of, now_utc):
                    return found.caller
        return None

    def _measure(self, name: str) -> None:
        beginnings = {len(key) - 1 for key in self._entries[name] if key.endswith("*")}
        self._lengths[name] = sorted(beginnings, reverse=True)


def _digits(number: str) -> str:
    return "".join(c for c in number if c.isdigit())


def _holds(caller: ListedCaller, of: str, now_utc: float) -> bool:
    return (not caller.of or of in caller.of) and not 0.0 < caller.expires_utc <= now_utc
