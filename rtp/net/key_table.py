"""An open-addressing hash table held in numpy: looks up whole batches of keys at once. Pure.

A key is one or more 64-bit words. Few slots are used, and a key that lies where it belongs is found by the first look:
the table of slots holds small entry numbers, words and values lie close together.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

NOTHING = -1
"""Value of a key that is not there."""
Words = tuple[NDArray[np.uint64], ...]
Homes = Callable[[Words], NDArray[np.int64]]
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class KeyTable:
    """Maps keys of `n_words` words to integers >= 0. At most `capacity` keys.

    `homes` says in which of `n_slots` (a power of two, more than `capacity`) each key belongs; by default Fibonacci
    hashing of all words into sixteen slots a key. A poor choice costs time, never a wrong answer.
    """

    def __init__(self, capacity: int, n_words: int, homes: Homes | None = None, n_slots: int = 0) -> None:
        self.capacity = capacity
        n_slots = n_slots or 1 << max(4, (16 * capacity - 1).bit_length())
        self._mask = n_slots - 1
        self._shift = np.uint64(64 - n_slots.bit_length() + 1)
        self._homes = homes or self._hashed
        self._entries = np.full(n_slots, NOTHING, np.int32)
        # One more than there can be: entry -1, that of an empty slot, is the last.
        self._words = [np.zeros(capacity + 1, np.uint64) for _ in range(n_words)]
        self._values = np.full(capacity + 1, NOTHING, np.int64)
        self._free = list(range(capacity - 1, -1, -1))
        self._slots: dict[tuple[int, ...], int] = {}
        self._longest = 1
        """No key lies further than so many slots from where it belongs."""

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, key: tuple[int, ...]) -> bool:
        return key in self._slots

    def get(self, key: tuple[int, ...]) -> int:
        slot = self._slots.get(key)
        return NOTHING if slot is None else int(self._values[self._entries[slot]])

    def put(self, key: tuple[int, ...], value: int) -> None:
        """Adds the key, or gives it another value. OverflowError when the table is full."""
        slot = self._slots.get(key)
        if slot is None:
            if not self._free:
                raise OverflowError(f"more than {self.capacity} keys")
            slot = home = self._home(key)
            while self._entries[slot] != NOTHING:
                slot = (slot + 1) & self._mask
            self._longest = max(self._longest, ((slot - home) & self._mask) + 1)
            entry = self._free.pop()
            for words, word in zip(self._words, key, strict=True):
                words[entry] = word
            self._slots[key] = slot
            self._entries[slot] = entry
        self._values[self._entries[slot]] = value

    def remove(self, key: tuple[int, ...]) -> None:
        """A key that is not there is no error."""
        hole = self._slots.pop(key, None)
        if hole is None:
            return
        entry = int(self._entries[hole])
        self._values[entry] = NOTHING
        self._free.append(entry)
        # Backward shift (Knuth 6.4 R): whoever was pushed over the hole moves into it, so no search ends too early.
        slot = hole
        while True:
            slot = (slot + 1) & self._mask
            entry = int(self._entries[slot])
            if entry == NOTHING:
                break
            moved = tuple(int(words[entry]) for words in self._words)
            if (slot - self._home(moved)) & self._mask >= (slot - hole) & self._mask:
                self._entries[hole] = entry
                self._slots[moved] = hole
                hole = slot
        self._entries[hole] = NOTHING
        if not self._slots:
            self._longest = 1

    def find(self, words: Words) -> NDArray[np.int64]:
        """Values of `n` keys, `words[i][k]` being word i of key k; NOTHING where a key is unknown."""
        slots = self._homes(words)
        entries = self._entries.take(slots)
        values = self._values.take(entries)
        right = self._are(entries, words)
        if not right.all():
            wrong = np.flatnonzero(~right)
            values[wrong] = self._probe_on(slots[wrong], tuple(word[wrong] for word in words))
        return values

    def _are(self, entries: NDArray[np.int32], words: Words) -> NDArray[np.bool_]:
        right: NDArray[np.bool_] = self._words[0].take(entries) == words[0]
        for stored, word in zip(self._words[1:], words[1:], strict=True):
            right &= stored.take(entries) == word
        return right

    def _probe_on(self, slots: NDArray[np.int64], words: Words) -> NDArray[np.int64]:
        """As `find`, for keys that do not lie in `slots`, where they belong."""
        values = np.full(len(slots), NOTHING, np.int64)
        left = np.flatnonzero(self._entries[slots] != NOTHING)
        for step in range(1, self._longest):
            if not len(left):
                break
            entries = self._entries[(slots[left] + step) & self._mask]
            right = self._are(entries, tuple(word[left] for word in words)) & (entries != NOTHING)
            values[left[right]] = self._values[entries[right]]
            left = left[~right & (entries != NOTHING)]
        return values

    def _hashed(self, words: Words) -> NDArray[np.int64]:
        hashed = words[0] * _MULTIPLIER
        for word in words[1:]:
            hashed = (hashed ^ (hashed >> np.uint64(29)) ^ word) * _MULTIPLIER
        return (hashed >> self._shift).view(np.int64)

    def _home(self, key: tuple[int, ...]) -> int:
        return int(self._homes(tuple(np.array([word], np.uint64) for word in key))[0])
