"""Which list names a caller: numbers, beginnings of numbers, and callers who show none. Pure, in memory."""

from collections.abc import Iterator

import msgspec

from model.caller_lists import ANONYMOUS, ListedCaller, ListName
from switch.numbers import clean, e164

MAX_LISTED = 200_000
"""Entries of all lists together."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """As it is kept."""

    caller: ListedCaller
    added_by: str = ""
    added_utc: float = 0.0


class CallerLists:
    """A number is found however it is written, as far as `region` ("CN") tells; the longest beginning counts."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._entries: dict[str, dict[str, Entry]] = {"vip": {}, "blacklist": {}}
        """List -> number as listed -> entry."""
        self._exact: dict[str, dict[str, Entry]] = {"vip": {}, "blacklist": {}}
        self._prefixes: dict[str, dict[str, Entry]] = {"vip": {}, "blacklist": {}}
        self._lengths: dict[str, list[int]] = {"vip": [], "blacklist": []}

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._entries.values())

    def put(self, entry: Entry) -> None:
        name, number = entry.caller.list, entry.caller.number
        self._entries[name][number] = entry
        if number.endswith("*"):
            self._prefixes[name][_digits(number[:-1])] = entry
            self._measure(name)
        else:
            self._exact[name][self._key(number)] = entry

    def remove(self, name: ListName, number: str) -> Entry | None:
        entry = self._entries[name].pop(number, None)
        if entry is not None and number.endswith("*"):
            self._prefixes[name].pop(_digits(number[:-1]), None)
            self._measure(name)
        elif entry is not None:
            self._exact[name].pop(self._key(number), None)
        return entry

    def get(self, name: ListName, number: str) -> Entry | None:
        return self._entries[name].get(number)

    def all(self, name: ListName) -> Iterator[Entry]:
        """By number."""
        entries = self._entries[name]
        return (entries[number] for number in sorted(entries))

    def find(self, name: ListName, caller: str, of: str, now_utc: float) -> ListedCaller | None:
        """The entry that holds for a caller and a queue, or an access number."""
        if not self._entries[name]:
            return None
        key = self._key(caller)
        exact = self._exact[name].get(key)
        if exact is not None and _holds(exact.caller, of, now_utc):
            return exact.caller
        if not self._lengths[name]:
            return None
        # As it was shown, and as it is written in full: "138…" and "86138…" begin differently.
        for written in {_digits(caller), _digits(key)}:
            for length in self._lengths[name]:
                found = self._prefixes[name].get(written[:length])
                if found is not None and len(written) >= length and _holds(found.caller, of, now_utc):
                    return found.caller
        return None

    def _key(self, number: str) -> str:
        cleaned = clean(number)
        if not any(c.isdigit() for c in cleaned):
            return ANONYMOUS
        return e164(cleaned, self._region) or cleaned

    def _measure(self, name: str) -> None:
        self._lengths[name] = sorted({len(prefix) for prefix in self._prefixes[name]}, reverse=True)


def _digits(number: str) -> str:
    return "".join(c for c in number if c.isdigit())


def _holds(caller: ListedCaller, of: str, now_utc: float) -> bool:
    return (not caller.of or of in caller.of) and not 0.0 < caller.expires_utc <= now_utc
