"""An open-addressing hash table held in numpy: looks up whole batches of keys at once. Pure.

A key is one or more 64-bit words; the multipliers are random, so nobody outside can choose keys that collide.
"""

import secrets

import numpy as np
from numpy.typing import NDArray

NOTHING = -1
"""Value of a key that is not there."""
Words = tuple[NDArray[np.uint64], ...]


class KeyTable:
    """Maps keys of `n_words` words to integers >= 0. At most `capacity` keys: they take a quarter of the slots."""

    def __init__(self, capacity: int, n_words: int) -> None:
        self.capacity = capacity
        bits = max(4, (4 * capacity - 1).bit_length())
        self._mask = (1 << bits) - 1
        self._shift = np.uint64(64 - bits)
        self._multipliers = [np.uint64(secrets.randbits(64) | 1) for _ in range(n_words)]
        self._words = [np.zeros(1 << bits, np.uint64) for _ in range(n_words)]
        self._values = np.full(1 << bits, NOTHING, np.int64)
        self._slots: dict[tuple[int, ...], int] = {}
        self._longest = 1
        """No key lies further than so many slots from where it belongs."""

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, key: tuple[int, ...]) -> bool:
        return key in self._slots

    def get(self, key: tuple[int, ...]) -> int:
        slot = self._slots.get(key)
        return NOTHING if slot is None else int(self._values[slot])

    def put(self, key: tuple[int, ...], value: int) -> None:
        """Adds the key, or gives it another value. OverflowError when the table is full."""
        slot = self._slots.get(key)
        if slot is None:
            if len(self._slots) >= self.capacity:
                raise OverflowError(f"more than {self.capacity} keys")
            slot = home = self._home(key)
            while self._values[slot] != NOTHING:
                slot = (slot + 1) & self._mask
            self._longest = max(self._longest, ((slot - home) & self._mask) + 1)
            self._settle(slot, key, value)
        else:
            self._values[slot] = value

    def remove(self, key: tuple[int, ...]) -> None:
        """A key that is not there is no error."""
        hole = self._slots.pop(key, None)
        if hole is None:
            return
        # Backward shift (Knuth 6.4 R): whoever was pushed over the hole moves into it, so no search ends too early.
        slot = hole
        while True:
            slot = (slot + 1) & self._mask
            if self._values[slot] == NOTHING:
                break
            moved = tuple(int(words[slot]) for words in self._words)
            if (slot - self._home(moved)) & self._mask >= (slot - hole) & self._mask:
                self._settle(hole, moved, int(self._values[slot]))
                hole = slot
        self._values[hole] = NOTHING
        if not self._slots:
            self._longest = 1

    def find(self, words: Words) -> NDArray[np.int64]:
        """Values of `n` keys, `words[i][k]` being word i of key k; NOTHING where a key is unknown."""
        hashed = words[0] * self._multipliers[0]
        for word, multiplier in zip(words[1:], self._multipliers[1:], strict=True):
            hashed = (hashed ^ (hashed >> np.uint64(29)) ^ word) * multiplier
        slots = (hashed >> self._shift).view(np.int64)
        values = self._values.take(slots)
        right = self._words[0].take(slots) == words[0]
        for stored, word in zip(self._words[1:], words[1:], strict=True):
            right &= stored.take(slots) == word
        # An empty slot may hold an old key: its value is NOTHING, which is then the answer.
        if not right.all():
            self._probe_on(values, slots, np.flatnonzero(~right), words)
        return values

    def _probe_on(
        self, values: NDArray[np.int64], slots: NDArray[np.int64], left: NDArray[np.intp], words: Words
    ) -> None:
        for step in range(1, self._longest + 1):
            left = left[values[left] != NOTHING]
            if not len(left):
                return
            at = (slots[left] + step) & self._mask
            values[left] = self._values[at]
            right = self._words[0][at] == words[0][left]
            for stored, word in zip(self._words[1:], words[1:], strict=True):
                right &= stored[at] == word[left]
            left = left[~right]
        values[left] = NOTHING

    def _home(self, key: tuple[int, ...]) -> int:
        hashed = key[0] * int(self._multipliers[0]) & _ALL
        for word, multiplier in zip(key[1:], self._multipliers[1:], strict=True):
            hashed = (hashed ^ hashed >> 29 ^ word) * int(multiplier) & _ALL
        return hashed >> int(self._shift)

    def _settle(self, slot: int, key: tuple[int, ...], value: int) -> None:
        for words, word in zip(self._words, key, strict=True):
            words[slot] = word
        self._values[slot] = value
        self._slots[key] = slot


_ALL = (1 << 64) - 1
