"""What the peers have seen of a worker and it has learned of them, in memory that outlives it.

The columns that change with every packet (SSRC, sequence numbers, timestamps, what was received) *are* that memory, so
keeping them costs nothing, and kill -9 loses none of it; what changes rarely (a learned address, digits that are being
sent) is noted in it. The file behind it, a memfd, belongs to the supervisor. The worker that takes the dead one's place
maps the same file; a leg that is configured there under its old name on its old port goes on where it was.
"""

import hashlib
import mmap
import os
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from media.beat import PAGE
from rtp.events import SenderState

_ALIGN = 64
_DIGEST_AT = 64
"""In the first page, of which the beginning is `media.beat`'s."""
_DIGEST_BYTES = 16
_NOTE_BYTES = 512
_DIGITS_BYTES = 1024

Address = tuple[str, int]


class AddressNote(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the leg's address guard knows, and since when the leg is there (monotonic seconds)."""

    remote: Address | None
    learn_from: str
    source: Address | None
    destination: Address | None
    may_learn: bool
    packets_at_configure: int
    first_packet_s: float
    allocated_at: float


class DigitsNote(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Digits on their way to the leg."""

    is_tones: bool
    seq: int
    """Newest sequence number of the leg at that time."""
    state: SenderState


class Saved(msgspec.Struct, frozen=True, gc=False):
    """What an earlier worker left of one leg, besides its columns."""

    relay_to: int
    """The row that heard the leg by relay, -1 = none."""
    addresses: AddressNote | None
    digits: DigitsNote | None


class _Notes:
    """One small record a row. What was half written when the worker died reads as nothing."""

    def __init__(self, pages: NDArray[np.uint8], kind: type) -> None:
        self._pages = pages
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(kind)

    def write(self, row: int, note: object) -> None:
        body = self._encoder.encode(note)
        data = len(body).to_bytes(2, "big") + zlib.crc32(body).to_bytes(4, "big") + body
        if len(data) > self._pages.shape[1]:
            self.clear(row)
            return
        self._pages[row, : len(data)] = np.frombuffer(data, np.uint8)

    def clear(self, row: int) -> None:
        self._pages[row, :2] = 0

    def read(self, row: int) -> Any:
        """None: there is none."""
        page = self._pages[row].tobytes()
        body = page[6 : 6 + int.from_bytes(page[:2], "big")]
        if not body or zlib.crc32(body) != int.from_bytes(page[2:6], "big"):
            return None
        try:
            return self._decoder.decode(body)
        except msgspec.DecodeError:  # of a version that noted something else
            return None


class Legacy:
    """Moves columns of `tables` into the file `fd` (-1: memory that dies with us), made as large as is needed.

    `tables` are objects with the names of their columns, each an array with one entry a leg row; they are replaced in
    the object, so nobody may hold them yet. `relay_to` is the column of the row that hears a leg by relay. What stands
    in the file is left there until the row is somebody else's, however often the worker is replaced meanwhile.
    """

    def __init__(self, fd: int, tables: Sequence[tuple[Any, Sequence[str]]], relay_to: tuple[Any, str]) -> None:
        columns = [(table, name) for table, names in tables for name in names]
        capacity = len(getattr(*relay_to))
        own = [np.zeros(capacity, np.uint64), np.full(capacity, -1, np.int64)]
        own += [np.zeros(capacity, np.bool_)]
        own += [np.zeros((capacity, size), np.uint8) for size in (_NOTE_BYTES, _DIGITS_BYTES)]
        moved = [getattr(table, name) for table, name in (*columns, relay_to)]
        views, is_same = _map(fd, [*moved, *(column.copy() for column in moved[:-1]), *own])
        self._keys, self._relay_was, self._is_aside, notes, digits = views[-len(own) :]
        self._notes = _Notes(notes, AddressNote)
        self._digits = _Notes(digits, DigitsNote)
        self._columns = views[: len(columns)]
        self._aside = views[len(moved) : len(moved) + len(columns)]
        """What a leg is to get back that has just been claimed: we may die before it has it."""
        self._noted_digits: set[int] = set()
        live = views[len(columns)]
        if is_same:
            for row in np.flatnonzero(self._is_aside).tolist():
                self._put_back(row)
            relayed = live >= 0
            self._relay_was[relayed] = live[relayed]
        live[:] = -1
        for (table, name), view in zip((*columns, relay_to), views, strict=False):
            setattr(table, name, view)

    def find(self, session: str, leg: str) -> int:
        """The row that is this leg's; -1 = none is."""
        found = np.flatnonzero(self._keys == _key(session, leg))
        return int(found[0]) if len(found) else -1

    def claim(self, row: int, session: str, leg: str) -> Saved | None:
        """The row is this leg's from now on. What an earlier worker left of the same leg, else None; before the row's
        columns are reset."""
        key = _key(session, leg)
        if self._keys[row] != key:
            self.forget(row)
            self._notes.clear(row)
            self._digits.clear(row)
            self._relay_was[row] = -1
            self._keys[row] = key
            return None
        for column, aside in zip(self._columns, self._aside, strict=True):
            aside[row] = column[row]
        self._is_aside[row] = True
        return Saved(int(self._relay_was[row]), self._notes.read(row), self._digits.read(row))

    def give(self, row: int) -> None:
        """Puts the columns of a row that was claimed back as they were, after it was reset."""
        if self._is_aside[row]:
            self._put_back(row)

    def _put_back(self, row: int) -> None:
        for column, aside in zip(self._columns, self._aside, strict=True):
            column[row] = aside[row]
        self._is_aside[row] = False

    def note(self, row: int, addresses: AddressNote) -> None:
        self._notes.write(row, addresses)

    def note_digits(self, sending: dict[int, DigitsNote]) -> None:
        """All rows that digits are being sent to, after the tick that sent some."""
        for row in self._noted_digits - sending.keys():
            self._digits.clear(row)
        for row, note in sending.items():
            self._digits.write(row, note)
        self._noted_digits = set(sending)

    def forget(self, row: int) -> None:
        """The leg is over."""
        self._keys[row] = 0
        self._is_aside[row] = False


def _key(session: str, leg: str) -> np.uint64:
    digest = hashlib.blake2b(f"{session}\0{leg}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little") | 1)


def _map(fd: int, arrays: list[NDArray[Any]]) -> tuple[list[NDArray[Any]], bool]:
    """`arrays` as they stand in the file, and whether they stood there; else they are what was given."""
    offsets, end = [], PAGE
    for array in arrays:
        offsets.append(end)
        end += -(-array.nbytes // _ALIGN) * _ALIGN
    layout = repr([(array.dtype.str, array.shape) for array in arrays]).encode()
    digest = hashlib.blake2b(layout, digest_size=_DIGEST_BYTES).digest()
    if fd >= 0 and os.fstat(fd).st_size < end:
        os.ftruncate(fd, end)
    memory = mmap.mmap(fd, end)
    views = [
        np.frombuffer(memory, array.dtype, array.size, at).reshape(array.shape)
        for array, at in zip(arrays, offsets, strict=True)
    ]
    is_same = memory[_DIGEST_AT : _DIGEST_AT + _DIGEST_BYTES] == digest
    if not is_same:
        memory[_DIGEST_AT : _DIGEST_AT + _DIGEST_BYTES] = bytes(_DIGEST_BYTES)
        for view, array in zip(views, arrays, strict=True):
            view[:] = array
        memory[_DIGEST_AT : _DIGEST_AT + _DIGEST_BYTES] = digest
    return views, is_same
