"""The jitter ring: what each leg sent, in chunks of 10 ms, placed by RTP timestamp on one clock for all legs. Pure.

The common clock counts chunks (two a tick). A leg's RTP time is mapped onto it by an offset that is set when its stream
starts: the first packet lies `DEPTH` chunks ahead of the clock it arrived at, whatever delay its listeners choose to
read it with. So the phase of a stream is that of its first packet, recordings of several legs are aligned by
construction, and how late a packet is read is none of the ring's business. A slot is valid for exactly the chunk whose
number is stamped on it: nothing is ever cleared, a duplicate overwrites, and what was played stays for a recorder until
the clock has gone round (2.5 s).

A sender's clock is never quite ours. The stream itself is not moved for that; `slip` moves the place at which
recordings look for it, once in a while and by a crossfade.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

CHUNK = 80
SLOTS = 256
DEPTH = 6
"""Chunks between the clock a stream's first packet arrived at and its place on the common clock."""
MAX_AHEAD = 24
"""A packet further ahead of the clock than this restarts the stream: its timestamps have jumped."""
MAX_BEHIND = 50
"""So far behind its place a packet is a slow one; when all are further behind, the timestamps have jumped."""
HISTORY = 100
"""Packets are still written this many chunks behind the clock: a recording takes its block later than the listener."""
MAX_LATE_RUN = 5
IDLE = 10
"""After this many empty chunks a packet as far behind restarts the stream at once."""
MAX_CHUNKS = 12
"""Of one packet: Opus has no longer ones (RFC 6716 §2.1.4)."""
PAD = 4
"""Chunks after the last row, so that a window of some chunks may begin at any sample."""

Blend = Callable[[int, NDArray[Any], NDArray[Any]], NDArray[Any]]
"""(row, before, after) -> one chunk that goes from the first to the second."""


class JitterRing:
    """Rings of `capacity` legs with `chunk` elements of `dtype` in 10 ms: bytes of G.711, or samples.

    Elements go in and out as they are: the codec is not looked at. `rate(row, ticks)` says how many RTP ticks make a
    chunk where it is not one an element. Memory is only taken by rows that are written to.
    """

    def __init__(self, capacity: int, chunk: int = CHUNK, dtype: DTypeLike = np.uint8) -> None:
        n = capacity
        self.chunk = chunk
        self.flat = np.zeros((n * SLOTS + PAD) * chunk, dtype)
        self.data = self.flat[: n * SLOTS * chunk].reshape(n, SLOTS, chunk)
        self.stamp = np.full((n, SLOTS), -1, np.int64)
        self.ticks = np.full(n, chunk, np.int64)
        """RTP ticks of a chunk."""
        self.is_started = np.zeros(n, np.bool_)
        self.offset = np.zeros(n, np.int64)
        """RTP ticks on the common clock minus RTP time."""
        self.last_ts = np.zeros(n, np.int64)
        """Timestamp of the newest packet, unwrapped to 64 bits."""
        self.end = np.zeros(n, np.int64)
        """Chunk after the newest one received, on the common clock."""
        self.late = np.zeros(n, np.int64)
        """Packets that came behind the play pointer; counted by who plays."""
        self.late_run = np.zeros(n, np.int64)
        self.n_restarts = np.zeros(n, np.int64)
        self.shift = np.zeros(n, np.int64)
        """Elements by which recordings look for the stream after its place (from chunk `slip_at` on)."""
        self.shift_before = np.zeros(n, np.int64)
        self.slip_at = np.full(n, -1, np.int64)
        self.blend: Blend = _cut
        """How recordings pass a slip."""
        self._slots = self.data.reshape(n * SLOTS, chunk)
        self._flat_stamp = self.stamp.reshape(n * SLOTS)
        # Every two slots that follow each other as one item; two that begin at an even one never go round.
        self._pairs = np.ndarray(
            (n * SLOTS - 1,),
            f"V{2 * chunk * self.flat.itemsize}",
            self.flat.data,
            strides=(chunk * self.flat.itemsize,),
        )

    def reset(self, row: int, ticks: int = 0) -> None:
        """Forgets the leg's audio and mapping; its counters start anew. `ticks` are RTP ticks of a chunk, 0 = one an
        element."""
        self.stamp[row] = -1
        self.late[row] = self.n_restarts[row] = self.end[row] = 0
        self.shift[row] = self.shift_before[row] = 0
        self.slip_at[row] = -1
        self.ticks[row] = ticks or self.chunk
        self.stop(row)

    def stop(self, row: int) -> None:
        """The next packet starts a new mapping; what is in the ring stays."""
        self.is_started[row] = False

    def put(
        self,
        legs: NDArray[np.int64],
        ts: NDArray[np.uint32],
        fresh: NDArray[np.bool_] | None,
        payload: NDArray[Any],
        sizes: NDArray[np.int64],
        clock: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Places one packet of each of `legs`: `payload[n, >= longest]` elements, of which `sizes` count.

        `clock` is the next chunk to be played; `fresh` marks packets that begin a new stream. Returns (first, begins):
        the element on the common clock at which each packet begins, and which of them began a new mapping.
        """
        wide = ts.astype(np.int64)
        last = self.last_ts[legs]
        # An unwrapped timestamp is the nearest to the one before, whatever the 32 bits did in between.
        wide = last + ((wide - last) & 0xFFFFFFFF)
        wide -= np.where(wide - last >= 1 << 31, 1 << 32, 0)
        ticks = self.ticks[legs]
        count = np.minimum(sizes, MAX_CHUNKS * self.chunk)
        place, phase = np.divmod(wide + self.offset[legs], ticks)
        begins = ~self.is_started[legs] | (place > clock + DEPTH + MAX_AHEAD)
        if fresh is not None:
            begins |= fresh
        behind = place < clock + DEPTH - IDLE
        if behind.any():
            self._judge_late(legs, place, behind, begins, clock)
        elif self.late_run[legs].any():
            self.late_run[legs] = 0
        if begins.any():
            rows = legs[begins]
            self.offset[rows] = (clock + DEPTH) * ticks[begins] - wide[begins]
            self.is_started[rows] = True
            self.late_run[rows] = 0
            self.n_restarts[rows] += 1
            place, phase = np.where(begins, clock + DEPTH, place), np.where(begins, 0, phase)
        self.last_ts[legs] = np.maximum(wide, np.where(begins, wide, last))
        chunks = count // self.chunk
        is_odd = (phase != 0) | (chunks * self.chunk != count)
        self.end[legs] = np.maximum(place + chunks, np.where(begins, 0, self.end[legs]))
        if is_odd.any():
            phase = phase * self.chunk // ticks
            for k in np.flatnonzero(is_odd & (place >= clock - HISTORY)).tolist():
                self._write_odd(int(legs[k]), int(place[k]), int(phase[k]), payload[k, : int(count[k])])
            plain = ~is_odd
            self._write(legs[plain], place[plain], chunks[plain], payload[plain], clock)
        else:
            self._write(legs, place, chunks, payload, clock)
        return place * self.chunk + phase, begins

    def may_follow(self, legs: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Where a leg's next packet can be put with `follow`: if it is as long as the newest one, of `sizes` elements,
        and begins where that ends."""
        end = self.end.take(legs)
        fits: NDArray[np.bool_] = self.is_started.take(legs) & (self.late_run.take(legs) == 0) & (end & 1 == 0)
        fits &= (sizes == 2 * self.chunk) & (self.ticks.take(legs) == self.chunk)
        fits &= self.last_ts.take(legs) + self.offset.take(legs) + sizes == end * self.chunk
        return fits

    def follow(self, legs: NDArray[np.int64], frames: NDArray[np.void], clock: int) -> NDArray[np.bool_] | None:
        """Places two chunks of each of `legs` (none twice) right after what it sent last, which `may_follow` allowed.

        None: all are placed. Else none is, and False stands where a place is so far from the clock that `put` must
        judge it. `settle` has to follow before the leg's next packet.
        """
        place = self.end.take(legs)
        now = clock + DEPTH
        if int(place.max()) > now + MAX_AHEAD or int(place.min()) < now - IDLE:
            return (place <= now + MAX_AHEAD) & (place >= now - IDLE)
        slot = legs * SLOTS + (place & (SLOTS - 1))
        self._pairs[slot] = frames
        self._flat_stamp[slot] = place
        slot += 1
        place += 1
        self._flat_stamp[slot] = place
        place += 1
        self.end[legs] = place
        return None

    def settle(self, legs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Each of `legs` had one packet placed by `follow`: the element on the common clock at which it begins."""
        self.last_ts[legs] += 2 * self.chunk
        return (self.end.take(legs) - 2) * self.chunk

    def _judge_late(
        self,
        legs: NDArray[np.int64],
        place: NDArray[np.int64],
        behind: NDArray[np.bool_],
        begins: NDArray[np.bool_],
        clock: int,
    ) -> None:
        """Adds to `begins` where the timestamps have jumped back."""
        far = (place < clock + DEPTH - MAX_BEHIND) & ~begins
        run = np.where(far, self.late_run[legs] + 1, 0)
        is_idle = self.end[legs] <= clock + DEPTH - IDLE
        begins |= (far & (run > MAX_LATE_RUN)) | (behind & is_idle & (place < self.end[legs] + IDLE))
        self.late_run[legs] = run

    def _write(
        self,
        legs: NDArray[np.int64],
        first: NDArray[np.int64],
        count: NDArray[np.int64],
        payload: NDArray[Any],
        clock: int,
    ) -> None:
        base, size = legs * SLOTS, self.chunk
        most = int(count.max(initial=0))
        is_plain = most == int(count.min(initial=most)) and int(first.min(initial=clock)) >= clock - HISTORY
        for k in range(most):
            chunk = first + k
            part = payload[:, k * size : (k + 1) * size]
            if is_plain:
                slot = base + (chunk & (SLOTS - 1))
                self._slots[slot] = part
                self._flat_stamp[slot] = chunk
            else:
                fits = (count > k) & (chunk >= clock - HISTORY)
                slot = base[fits] + (chunk[fits] & (SLOTS - 1))
                self._slots[slot] = part[fits]
                self._flat_stamp[slot] = chunk[fits]

    def _write_odd(self, row: int, chunk: int, phase: int, payload: NDArray[Any]) -> None:
        """A packet that does not begin or end with a chunk. What a chunk lacks until the next packet is its last
        element repeated; the packet before has written what is missing at the beginning."""
        at = 0
        while at < len(payload):
            part = payload[at : at + self.chunk - phase]
            slot = self.data[row, chunk & (SLOTS - 1)]
            if self.stamp[row, chunk & (SLOTS - 1)] != chunk:
                slot[:phase] = part[0]
                slot[phase + len(part) :] = part[-1]
                self.stamp[row, chunk & (SLOTS - 1)] = chunk
            slot[phase : phase + len(part)] = part
            at += len(part)
            chunk, phase = chunk + 1, 0
        self.end[row] = max(self.end[row], chunk)

    def slip(self, row: int, at: int, by: int) -> None:
        """From chunk `at` of the common clock on, recordings find the stream `by` elements further on than before."""
        self.shift_before[row] = self.shift[row]
        self.shift[row] += by
        self.slip_at[row] = at

    def read(self, row: int, chunk: int, count: int, silence: int) -> tuple[NDArray[Any], int]:
        """`count` chunks of one leg from `chunk` on, `silence` where nothing came, and how many chunks came.

        `count` is at most `SLOTS`; for recordings and tests, the tick gathers by itself. Reading passes a `slip` by a
        crossfade of one chunk (`blend`).
        """
        at = int(self.slip_at[row]) - chunk
        shift, shift_before = int(self.shift[row]), int(self.shift_before[row])
        if not 0 <= at < count or shift == shift_before:
            return self._read(row, chunk, count, silence, shift_before if at >= count else shift)
        size = self.chunk
        before, came = self._read(row, chunk, at + 1, silence, shift_before)
        after, n = self._read(row, chunk + at, count - at, silence, shift)
        if before[-size:].any() and after[:size].any():
            after[:size] = self.blend(row, before[-size:], after[:size])
        return np.concatenate((before[:-size], after)), min(came + n, count)

    def _read(self, row: int, chunk: int, count: int, silence: int, shift: int) -> tuple[NDArray[Any], int]:
        whole, part = divmod(shift, self.chunk)
        wanted = np.arange(chunk + whole, chunk + whole + count + (part > 0))
        first = (chunk + whole) & (SLOTS - 1)
        if first + len(wanted) <= SLOTS:
            # In one piece, as most are: a third of the time.
            came = self.stamp[row, first : first + len(wanted)] == wanted
            block = self.data[row, first : first + len(wanted)].copy()
        else:
            slots = wanted & (SLOTS - 1)
            came = self.stamp[row, slots] == wanted
            block = self.data[row, slots]
        if not came.all():
            block[~came] = silence
        elements = block.reshape(-1)[part : part + count * self.chunk]
        return elements, int(np.count_nonzero(came[:count]))


def _cut(row: int, before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    return after
