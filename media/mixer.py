"""The tick's array work: gather one frame of every speaker, decode, mix by the hear-matrix, encode, send.

`build` lays out the arrays for a set of listeners; `run` is then called every 20 ms and allocates nothing as long as
audio flows (missing audio and legs with odd packet lengths cost a little).
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media import g711
from media.arrays import FRAME, PCMU, SILENCE_BY_LAW, LegTable
from rtp.ring import SLOTS, JitterRing

_MAX_CONCEALED = 2
"""So many missing frames are filled with the one before, at half its level each time; then there is silence."""


class FrameSource(Protocol):
    """Something that is heard and is no leg: a prompt, in-band digits."""

    def fill(self, frame: NDArray[np.int16]) -> None:
        """The next 20 ms, linear at 8 kHz."""


class Listener:
    """One leg the mixer makes packets for: the legs it hears with their gains, or a source instead of them."""

    __slots__ = ("row", "source", "speakers")

    def __init__(self, row: int, speakers: list[tuple[int, float]], source: FrameSource | None) -> None:
        self.row = row
        self.speakers = speakers
        self.source = source


class _Round:
    """The k-th speaker of each listener of a group: `y[:n] += x[speakers] * gains`."""

    __slots__ = ("gains", "speakers")

    def __init__(self, speakers: list[int], gains: list[float]) -> None:
        self.speakers = np.array(speakers, np.int64)
        self.gains = None if all(gain == 1.0 for gain in gains) else np.array(gains, np.float32)[:, None]


class Mixer:
    """Makes `payload[i]`, one encoded frame for listener row `rows[i]`, in every `run`."""

    def __init__(self, table: LegTable, ring: JitterRing) -> None:
        self._table = table
        n = table.capacity
        self._pairs = ring.data.reshape(n * SLOTS // 2, FRAME)
        self._stamps = ring.stamp.reshape(n * SLOTS // 2, 2)
        self.rows = np.zeros(0, np.int64)
        self.build([])

    def build(self, listeners: list[Listener]) -> None:
        """Lays out the arrays; what the same speakers said last is kept for concealment no longer than this."""
        law = self._table.law
        speakers = sorted({row for each in listeners for row, _ in each.speakers}, key=lambda row: (int(law[row]), row))
        self._sources = [each.source for each in listeners if each.source is not None]
        order = sorted(listeners, key=lambda each: (int(law[each.row]), -max(1, len(each.speakers))))
        position = {row: i for i, row in enumerate(speakers)}
        after = len(speakers)
        heard: list[list[tuple[int, float]]] = []
        number = {id(source): after + i for i, source in enumerate(self._sources)}
        for each in order:
            if each.source is not None:
                heard.append([(number[id(each.source)], 1.0)])
            else:
                heard.append([(position[row], gain) for row, gain in each.speakers])
        self._n_ulaw = sum(1 for row in speakers if law[row] == PCMU)
        self._rounds = []
        n_ulaw_out = sum(1 for each in order if law[each.row] == PCMU)
        self._n_ulaw_out = n_ulaw_out
        for begin, end in ((0, n_ulaw_out), (n_ulaw_out, len(order))):
            group = heard[begin:end]
            for k in range(max(map(len, group), default=0)):
                of = [each[k] for each in group if len(each) > k]
                self._rounds.append((begin, k, _Round([s for s, _ in of], [g for _, g in of])))
        self.rows = np.array([each.row for each in order], np.int64)
        self._allocate(speakers, len(self._sources), len(order))

    def _allocate(self, speakers: list[int], n_sources: int, n_out: int) -> None:
        n = len(speakers)
        self._base = np.array(speakers, np.int64) * (SLOTS // 2)
        self._index = np.zeros(n, np.int64)
        self._stamp = np.zeros((n, 2), np.int64)
        self._came = np.zeros((n, 2), np.bool_)
        self._want = np.zeros(2, np.int64)
        self._codes = np.zeros((n, FRAME), np.uint8)
        self._silence = SILENCE_BY_LAW[self._table.law[speakers]].reshape(n, 1, 1) if n else np.zeros((0, 1, 1), "u1")
        # `take` makes a copy of any index that is no intp: megabytes a tick.
        self._decode_index = np.zeros((n, FRAME // 2), np.intp)
        self._encode_index = np.zeros((n_out, FRAME), np.intp)
        self._decoded = np.zeros((n, FRAME // 2), np.uint32)
        self._linear = np.zeros((n + n_sources, FRAME), np.float32)
        self._n_missing = np.full(n, _MAX_CONCEALED, np.int64)
        self._frame = np.zeros(FRAME, np.int16)
        self._part = np.zeros((n_out, FRAME), np.float32)
        self._mixed = np.zeros((n_out, FRAME), np.float32)
        self._clipped = np.zeros((n_out, FRAME), np.int16)
        self.payload = np.zeros((n_out, FRAME), np.uint8)

    def run(self, clock: int) -> None:
        """Fills `payload` with what each listener hears in chunks `clock` and `clock + 1`; `clock` is even."""
        n = len(self._base)
        if n:
            self._gather(clock)
        for i, source in enumerate(self._sources, n):
            source.fill(self._frame)
            np.copyto(self._linear[i], self._frame, casting="unsafe")
        for begin, k, each in self._rounds:
            end = begin + len(each.speakers)
            part = self._part[begin:end] if k else self._mixed[begin:end]
            self._linear.take(each.speakers, axis=0, out=part, mode="clip")
            if each.gains is not None:
                np.multiply(part, each.gains, out=part)
            if k:
                np.add(self._mixed[begin:end], part, out=self._mixed[begin:end])
        np.clip(self._mixed, -32768, 32767, out=self._mixed)
        np.copyto(self._clipped, self._mixed, casting="unsafe")
        codes, m = self._encode_index, self._n_ulaw_out
        np.copyto(codes, self._clipped.view(np.uint16))
        if m:
            g711.LINEAR_TO_ULAW.take(codes[:m], out=self.payload[:m], mode="clip")
        if m < len(self.rows):
            g711.LINEAR_TO_ALAW.take(codes[m:], out=self.payload[m:], mode="clip")

    def _gather(self, clock: int) -> None:
        n, codes = len(self._base), self._codes
        np.add(self._base, (clock & (SLOTS - 1)) >> 1, out=self._index)
        self._pairs.take(self._index, axis=0, out=codes, mode="clip")
        self._stamps.take(self._index, axis=0, out=self._stamp, mode="clip")
        self._want[0], self._want[1] = clock, clock + 1
        np.equal(self._stamp, self._want, out=self._came)
        is_whole = bool(self._came.all())
        gone: NDArray[np.intp] | None = None
        if not is_whole:
            np.copyto(codes.reshape(n, 2, FRAME // 2), self._silence, where=~self._came[:, :, None])
            gone = np.flatnonzero(~self._came.any(axis=1))
            before = self._linear[gone]
        m, pairs = self._n_ulaw, self._decode_index
        np.copyto(pairs, codes.view(np.uint16))
        if m:
            g711.ULAW_PAIRS.take(pairs[:m], out=self._decoded[:m], mode="clip")
        if m < n:
            g711.ALAW_PAIRS.take(pairs[m:], out=self._decoded[m:], mode="clip")
        np.copyto(self._linear[:n], self._decoded.view(np.int16), casting="unsafe")
        if gone is None:
            self._n_missing[:] = 0
            return
        missing = self._n_missing
        missing[self._came.any(axis=1)] = 0
        for k, row in enumerate(gone.tolist()):
            if missing[row] < _MAX_CONCEALED:
                self._linear[row] = before[k] * np.float32(0.5)
                missing[row] += 1
