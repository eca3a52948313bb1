"""Packet indices and replay windows of SRTP streams (RFC 3711 §3.3.1, §3.3.2), one stream of each leg at hand. Pure.

A packet index is 48 bits: roll-over counter and sequence number. Legs have one stream at a time; the ones a peer left
are remembered, so that their packets cannot be replayed either.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW = 64
MAX_OTHERS = 8
"""Streams of a leg that are remembered besides the running one."""
_ALL = (1 << WINDOW) - 1
_ONE = np.uint64(1)


class Other(NamedTuple):
    """One stream as plain numbers."""

    highest: int
    """Packet index; -1: none came yet."""
    window: int
    """Bit i: packet `highest - i` came."""
    roll_over: int
    """Counter that the first packet has."""

    def candidates(self, seq: int) -> tuple[int, ...]:
        """Which packet this may be, likeliest first. A first packet may lie behind a wrap that nobody here saw."""
        if self.highest < 0:
            first = self.roll_over << 16 | seq
            return (first, first + 65536) if self.roll_over else (first,)
        step = (seq - self.highest) & 0xFFFF
        index = self.highest + (step - 65536 if step >= 32768 else step)
        return (index if index >= 0 else index + 65536,)

    def is_new(self, index: int) -> bool:
        """Neither came before nor is too old to tell."""
        back = self.highest - index
        return self.highest < 0 or back < 0 or (back < WINDOW and not self.window >> back & 1)

    def after(self, index: int) -> "Other":
        """The stream when the packet has been accepted."""
        ahead = index - self.highest
        if self.highest < 0 or ahead >= WINDOW:
            return Other(index, 1, self.roll_over)
        if ahead > 0:
            return Other(index, (self.window << ahead | 1) & _ALL, self.roll_over)
        return Other(self.highest, self.window | 1 << -ahead, self.roll_over)


class Streams:
    """The streams of one direction of all legs."""

    def __init__(self, capacity: int) -> None:
        self.highest = np.full(capacity, -1, np.int64)
        self.window = np.zeros(capacity, np.uint64)
        self.ssrc = np.full(capacity, -1, np.int64)
        self.first = np.zeros(capacity, np.int64)
        """Roll-over counter that the first packet has."""
        self._others: dict[int, dict[int, Other]] = {}

    def reset(self, row: int) -> None:
        """New keys: nothing was seen."""
        self.highest[row] = self.ssrc[row] = -1
        self.window[row] = self.first[row] = 0
        self._others.pop(row, None)

    def roll_over(self, row: int) -> int:
        highest = int(self.highest[row])
        return highest >> 16 if highest >= 0 else int(self.first[row])

    def continue_from(self, row: int, roll_over: int, seq: int = -1) -> None:
        """The next packet has this roll-over counter (or the next, after a wrap). With `seq`, all up to it are used."""
        self.first[row] = roll_over
        if seq >= 0:
            self.highest[row] = roll_over << 16 | seq
            self.window[row] = _ALL

    # -- many ---------------------------------------------------------------------------------------------------------

    def locate(self, legs: NDArray[np.int64], seq: NDArray[np.uint16]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(packet index, is new) for one packet of each leg, all of its running stream."""
        highest = self.highest[legs]
        step = (seq - highest.astype(np.uint16)).view(np.int16).astype(np.int64)
        index = highest + step
        if (index < 0).any():
            index[index < 0] += 65536
        if (step == 1).all():
            return index, np.ones(len(legs), np.bool_)
        back = highest - index
        came = (self.window[legs] >> np.clip(back, 0, WINDOW - 1).astype(np.uint64)) & _ONE != 0
        return index, (back < 0) | ((back < WINDOW) & ~came)

    def accept(self, legs: NDArray[np.int64], index: NDArray[np.int64]) -> None:
        """These packets, at most one of each leg, were new and are verified."""
        highest, window = self.highest[legs], self.window[legs]
        ahead = index - highest
        forward = np.clip(ahead, 0, WINDOW - 1).astype(np.uint64)
        moved = np.where(ahead >= WINDOW, _ONE, window << forward | _ONE)
        back = np.clip(-ahead, 0, WINDOW - 1).astype(np.uint64)
        self.window[legs] = np.where(ahead > 0, moved, window | (_ONE << back))
        self.highest[legs] = np.maximum(highest, index)

    # -- one ----------------------------------------------------------------------------------------------------------

    def of(self, row: int, ssrc: int) -> Other:
        """The leg's stream of this SSRC, a fresh one when it has none."""
        current = int(self.ssrc[row])
        if current in (ssrc, -1):
            return Other(int(self.highest[row]), int(self.window[row]), int(self.first[row]))
        return self._others.get(row, {}).get(ssrc) or Other(-1, 0, 0)

    def take(self, row: int, ssrc: int, stream: Other, index: int) -> None:
        """The packet of `stream`, as `of` gave it, is accepted; its stream is now the leg's running one."""
        current = int(self.ssrc[row])
        if current not in (ssrc, -1):
            others = self._others.setdefault(row, {})
            others.pop(ssrc, None)
            others[current] = Other(int(self.highest[row]), int(self.window[row]), 0)
            if len(others) > MAX_OTHERS:
                del others[next(iter(others))]
        after = stream.after(index)
        self.ssrc[row] = ssrc
        self.highest[row] = after.highest
        self.window[row] = after.window
