"""What legs say, frame by frame: out of the jitter ring, at a delay each leg needs, whole and in time. Pure.

One `Inputs` per sample rate: G.711 legs at 8 kHz, decoded legs at 16 kHz. Most legs are read by one gather at their
play pointer, which may be any sample. The exceptions are few in a tick: a leg with more or less delay than it needs
plays one pitch period less or more (`media.stretch`), one with a gap goes through `media.repair`, one that has been
silent waits for its next packet and begins anew with the delay it needs then.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from media import g711
from media.arrays import PCMA, SILENCE_BY_LAW, LegTable
from media.concealment import Signal
from media.delay import MAX_DELAY_CHUNKS, RUN_TICKS, DelayTable
from media.repair import Repair, Rows
from media.slips import Slips
from media.stretch import Stretcher
from rtp.ring import DEPTH, PAD, SLOTS, JitterRing

_NOTHING = 1 << 60
_SPARE_CHUNKS = 1.5
"""So much more delay than needed is left alone."""
_MUCH_CHUNKS = 6
_CALM_TICKS = 10
"""Ticks between two cuts while the delay is only a little too long."""
_HURRIED_TICKS = 2
_SIMILAR = 0.8
"""Correlation from which a period may be taken for its neighbour."""
_PATIENCE = 100
"""Times that a pause of the speaker is looked for when there is no hurry; every `_TURNS` ticks."""
_TURNS = 4
_DESPAIR = 20
"""Frames after which the least bad period is taken."""
_QUIET = 60.0
"""RMS below which nobody hears a cut (-55 dB of full scale); or one that is 20 dB below the leg's loudest of late."""
_PAIRS = np.concatenate((g711.ULAW_PAIRS, g711.ALAW_PAIRS))
_LINEAR = np.concatenate((g711.ULAW_TO_LINEAR, g711.ALAW_TO_LINEAR)).astype(np.float32)


class Inputs:
    """Reads the legs in `ring`: G.711 by the table's law, or samples as they are.

    `jitter` is the network's jitter by row in seconds, as it is known before a leg is read for the first time.
    """

    def __init__(
        self, table: LegTable, ring: JitterRing, jitter: Callable[[Rows], NDArray[np.float64]] | None = None
    ) -> None:
        n, c = len(ring.stamp), ring.chunk
        self._table, self._ring, self._jitter = table, ring, jitter
        self._is_coded = ring.flat.dtype == np.uint8
        self.frame = 2 * c
        self.delays = DelayTable(n, c)
        self.repair = Repair(n, ring, self._decode_rows)
        self._stretcher = Stretcher(100 * c, self.frame)
        self._slips = Slips(ring, self.delays, self._decode_rows, self._encode)
        self.play = np.zeros(n, np.int64)
        """The next sample to be played, on the ring's common clock."""
        self._is_plain = np.zeros(n, np.bool_)
        self._is_repaired = np.zeros(n, np.bool_)
        self._begin_at = np.full(n, _NOTHING, np.int64)
        """Where the first packet lies that came while nothing was played."""
        self._may_cut_at = np.zeros(n, np.int64)
        self._n_refused = np.zeros(n, np.int64)
        self.last_seq = np.full(n, -1, np.int64)
        """Sequence number of the newest packet; -1 = none came."""
        self._followed = np.zeros(n, np.bool_)
        """What `follow` placed and `settle` has not counted yet."""
        self._early = np.zeros(n, np.float64)
        self._clock = 0
        self._loud = np.zeros(n, np.float64)
        self.stretched = np.zeros(n, np.int64)
        """Samples cut out or put in, to keep the delay right."""
        size = ring.flat.itemsize
        # Every possible frame as one item: a gather of frames that begin anywhere is then one of items.
        self._windows = np.ndarray(
            (len(ring.flat) - PAD * c,), f"V{self.frame * size}", ring.flat.data, strides=(size,)
        )
        self._stamps = ring.stamp.reshape(-1)
        self._step = np.arange(3)
        self._rows = np.zeros(0, np.int64)
        self._bind(self._rows)

    # -- what comes in ------------------------------------------------------------------------------------------------

    def put(
        self,
        legs: Rows,
        ts: NDArray[np.uint32],
        fresh: NDArray[np.bool_] | None,
        payload: NDArray[Any],
        sizes: NDArray[np.int64],
        clock: int,
        *,
        seq: NDArray[np.uint16] | None = None,
        early_s: float = 0.0,
    ) -> None:
        """Places packets as `JitterRing.put` does, and counts what came too late. `early_s` is the time from now to the
        next tick; with `seq`, a jump of the timestamp without a missing packet is known for silence."""
        c = self._ring.chunk
        ends = self._ring.end[legs]
        first, begins = self._ring.put(legs, ts, fresh, payload, sizes, clock)
        if begins.any():
            self.delays.forget(legs[begins])
            self._slips.renew(legs[begins], clock)
        if seq is not None:
            number = seq.astype(np.int64)
            spurt = (first > ends * c) & ((number - self.last_seq[legs]) & 0xFFFF == 1) & ~begins
            if spurt.any():
                self.repair.quiet[legs[spurt], 0] = ends[spurt]
                self.repair.quiet[legs[spurt], 1] = first[spurt] // c
            self.last_seq[legs] = number
        self._note(legs, first, sizes, clock, early_s * 100 * c)

    def follows(self, legs: Rows, sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Where the next packet may come by `follow`, when the newest one of `sizes` samples was just `put`."""
        return self._ring.may_follow(legs, sizes) & ~self._followed.take(legs)

    def follow(self, legs: Rows, frames: NDArray[np.void], clock: int, early_s: float) -> NDArray[np.bool_] | None:
        """As `put`, of packets that begin where the last one of their leg ended; what `JitterRing.follow` returns."""
        refused = self._ring.follow(legs, frames, clock)
        if refused is None:
            self._followed[legs] = True
            self._early[legs] = early_s * 100 * self._ring.chunk
            self._clock = clock
        return refused

    def settle(self, legs: Rows) -> None:
        """Counts what `follow` has placed of `legs`; before the next tick, and before the next packet of any."""
        legs = legs[self._followed.take(legs)]
        if not len(legs):
            return
        self._followed[legs] = False
        first = self._ring.settle(legs)
        self._note(legs, first, np.full(len(legs), self.frame), self._clock, self._early.take(legs))

    def _note(
        self, legs: Rows, first: Rows, sizes: NDArray[np.int64], clock: int, early: float | NDArray[np.float64]
    ) -> None:
        """Packets of `legs` were placed at `first`: how late they were, and whether they begin something."""
        c = self._ring.chunk
        self.delays.observe(legs, first, sizes, clock, early)
        is_repaired = self._is_repaired[legs]
        plays = self._is_plain[legs] | is_repaired
        late = plays & (first + sizes <= np.where(is_repaired, self.repair.next[legs] * c, self.play[legs]))
        if late.any():
            self._ring.late[legs] += late
        if not plays.all():
            idle = legs[~plays]
            self._begin_at[idle] = np.minimum(self._begin_at[idle], first[~plays])

    @property
    def late(self) -> NDArray[np.int64]:
        """By row: packets that came too late to be played."""
        return self._ring.late

    def note_made_up(self, rows: Rows, sizes: NDArray[np.int64]) -> None:
        """The legs' codec has made up so many samples for lost packets, and they were `put`."""
        self.repair.concealed[rows] += sizes

    def comfort(self, row: int, payload: bytes, seq: int = -1) -> None:
        """A comfort noise packet (RFC 3389): what the leg's silence sounds like from now on."""
        self.repair.noise.set(row, payload, int(self._ring.end[row]))
        if seq >= 0:
            self.last_seq[row] = seq

    def reset(self, row: int, ticks: int = 0) -> None:
        """Forgets everything about the leg. `ticks` are RTP ticks of 10 ms, 0 = one a sample."""
        self._ring.reset(row, ticks)
        self.delays.reset(row)
        self.repair.reset(row)
        self.stretched[row] = self._may_cut_at[row] = self._n_refused[row] = 0
        self.last_seq[row] = -1
        self._loud[row] = 0.0
        self._halt(row)

    def run(self, clock: int) -> None:
        """Once a tick, before it is read: measures delays and drift, and lets recordings follow it."""
        tick, phase = divmod(clock >> 1, RUN_TICKS)
        for row in self.delays.run(tick).tolist() if not phase else ():
            self._slips.follow(row, clock)

    # -- the tick -----------------------------------------------------------------------------------------------------

    def start(self, row: int) -> None:
        """The leg was not read until now: its next packet is the first to be played, with the smallest delay that the
        jitter allows."""
        self._halt(row)
        jitter = self.delays.jitter[[row]]
        if self._jitter is not None:
            jitter = np.maximum(jitter, self._jitter(np.array([row])) * 100 * self._ring.chunk)
        self.delays.begin(np.array([row]), jitter)

    def is_ready(self, row: int, clock: int) -> bool:
        """Whether the tick of chunk `clock` plays something that came of the leg."""
        if self._is_plain[row] or self._is_repaired[row]:
            return True
        due = (clock + DEPTH) * self._ring.chunk - self.delays.target[row]
        return bool(self._begin_at[row] < due + self.frame)

    def _halt(self, row: int) -> None:
        self._is_plain[row] = self._is_repaired[row] = False
        self._begin_at[row] = _NOTHING
        self.repair.made[row] = 0

    def drain(self, row: int, clock: int, *, is_still_read: bool = False) -> NDArray[Any]:
        """What was received of the leg and not yet played, as it lies in the ring; the leg is no longer played, unless
        somebody else still reads it."""
        c = self._ring.chunk
        if self._is_repaired[row]:
            begin = int(self.repair.next[row]) * c - int(self.repair.queued[row])
        elif self._is_plain[row]:
            begin = int(self.play[row])
        else:
            begin = int(self._begin_at[row])
        end = min(int(self._ring.end[row]), clock + DEPTH + MAX_DELAY_CHUNKS) * c
        if not is_still_read:
            self._halt(row)
        if not self._ring.is_started[row] or end <= begin:
            return np.zeros(0, self._ring.flat.dtype)
        begin = max(begin, end - MAX_DELAY_CHUNKS * c)
        first = begin // c
        chunks = np.arange(first, end // c)
        block = self._ring.data[row, chunks & (SLOTS - 1)]
        block[self._ring.stamp[row, chunks & (SLOTS - 1)] != chunks] = self._silence(row)
        return cast("NDArray[Any]", block.reshape(-1)[begin - first * c :])

    def delay_s(self, row: int, clock: int) -> float:
        """How long what is played now has waited, beyond a packet that came as fast as the first."""
        begin = (
            self.repair.next[row] * self._ring.chunk - self.repair.queued[row]
            if self._is_repaired[row]
            else (self.play[row])
        )
        return float((clock + DEPTH) * self._ring.chunk - begin) / (100 * self._ring.chunk)

    def concealed_s(self, row: int) -> float:
        """Audio that was made up for lost and late packets."""
        return float(self.repair.concealed[row]) / (100 * self._ring.chunk)

    def read(self, rows: Rows, clock: int) -> Signal:
        """The frame `[n, frame]` of each of `rows` (no row twice) for the chunks `clock` and `clock + 1`, float32 in
        16-bit scale. The array is this object's own and is written over by the next call."""
        if rows is not self._rows and not np.array_equal(rows, self._rows):
            self._bind(rows)
        c, slots = self._ring.chunk, SLOTS * self._ring.chunk
        play = self.play[rows]
        chunk, phase = np.divmod(play, c)
        wanted = chunk[:, None] + self._step
        came = self._stamps[self._base[:, None] + (wanted & (SLOTS - 1))] == wanted
        came[:, 2] |= phase == 0
        at = (chunk & (SLOTS - 1)) * c + phase
        spare = (clock + DEPTH) * c - play - self.delays.target[rows]
        is_plain = self._is_plain[rows] & came.all(axis=1)
        keeps = (spare >= 0) & ((spare < _SPARE_CHUNKS * c) | (self._may_cut_at[rows] > clock >> 1))
        if not keeps.all():
            is_urgent = (spare > _MUCH_CHUNKS * c) | (spare < -self.delays.wish[rows])
            keeps |= ~is_urgent & ((rows + (clock >> 1)) % _TURNS != 0)
        is_plain &= keeps & (at <= slots - self.frame)
        self._gather(self._base * c + at)
        self.play[rows] = play + self.frame
        if not is_plain.all():
            self._handle(rows, np.flatnonzero(~is_plain), play, came.all(axis=1), spare, clock)
        return self._frames

    def _bind(self, rows: Rows) -> None:
        n = len(rows)
        self._rows = rows.copy()
        self._base = self._rows * SLOTS
        self._frames = np.zeros((n, self.frame), np.float32)
        self._index = np.zeros((n, self.frame // 2), np.intp)
        self._decoded = np.zeros((n, self.frame // 2), np.uint32)
        self._law = self._table.law[self._rows] == PCMA

    def _gather(self, at: Rows) -> None:
        if not len(at):
            return
        items = self._windows[at]
        if not self._is_coded:
            np.copyto(self._frames, items.view(np.int16).reshape(self._frames.shape), casting="unsafe")
            return
        pairs = items.view(np.uint16).reshape(self._index.shape)
        law = self._table.law[self._rows] == PCMA
        if law.any():
            np.add(pairs, law[:, None] * np.intp(65536), out=self._index)
        else:
            np.copyto(self._index, pairs)
        _PAIRS.take(self._index, out=self._decoded, mode="clip")
        np.copyto(self._frames, self._decoded.view(np.int16), casting="unsafe")

    def _handle(self, rows: Rows, odd: Rows, play: Rows, came: NDArray[np.bool_], spare: Rows, clock: int) -> None:
        """All legs that are not simply read: `odd` are their places in `rows`."""
        those = rows[odd]
        is_plain = self._is_plain[those]
        whole = odd[is_plain & came[odd]]
        if len(whole):
            self._keep_delay(rows, whole, play, spare, clock)
        broken = odd[is_plain & ~came[odd]]
        if len(broken):
            gone = rows[broken]
            self.repair.enter(gone, play[broken])
            self._is_plain[gone], self._is_repaired[gone] = False, True
        waiting = odd[~is_plain & ~self._is_repaired[those]]
        if len(waiting):
            self._frames[waiting] = 0
            self._wait(rows[waiting], waiting, clock)
        repaired = odd[self._is_repaired[those]]
        if len(repaired):
            self._repair(rows[repaired], repaired)

    def _repair(self, rows: Rows, places: Rows) -> None:
        frames, is_well, is_over = self.repair.run(rows)
        self._frames[places] = frames
        well = rows[is_well]
        self._is_plain[well] = True
        self.play[well] = self.repair.next[well] * self._ring.chunk - self.repair.queued[well]
        self._is_repaired[rows[is_well | is_over]] = False
        self._begin_at[rows[is_over]] = _NOTHING
        for lost in self.repair.lost:
            self.delays.note_losses(lost)
        self.repair.lost.clear()

    def _wait(self, rows: Rows, places: Rows, clock: int) -> None:
        """Legs of which nothing is played: comfort noise, or the beginning of what has come."""
        c = self._ring.chunk
        begin = self._begin_at[rows]
        due = (clock + DEPTH) * c - self.delays.target[rows]
        begins = begin < due + self.frame
        noisy = np.flatnonzero(self.repair.noise.is_on[rows] & ~begins)
        for k in noisy.tolist():
            self._frames[places[k]] = self.repair.noise.next(int(rows[k]), self.frame)
        if not begins.any():
            return
        rows, begin, due = rows[begins], begin[begins], due[begins]
        begin = np.where(due - begin > MAX_DELAY_CHUNKS * c, due, begin) // c
        is_quiet = (self.repair.quiet[rows, 0] < begin) & (begin <= self.repair.quiet[rows, 1])
        self.repair.concealed[rows] += np.where(is_quiet, 0, self.repair.made[rows])
        self.repair.begin(rows, begin, np.clip(begin * c - due, 0, self.frame))
        self._is_repaired[rows] = True
        self._begin_at[rows] = _NOTHING

    def _keep_delay(self, rows: Rows, places: Rows, play: Rows, spare: Rows, clock: int) -> None:
        """Legs whose frame is there: cuts a period where there is too much delay, puts one in where there is too
        little, and gathers frames that go round the ring's end."""
        c, frame, margin = self._ring.chunk, self.frame, self._stretcher.margin
        those, at, over = rows[places], play[places], spare[places]
        context = self.repair.window(those, at - margin, frame + 2 * margin)
        out = context[:, margin : margin + frame].copy()
        tick = clock >> 1
        cuts = (over >= _SPARE_CHUNKS * c) & (tick >= self._may_cut_at[those])
        cuts &= self._has(those, at, at + frame + margin)
        grows = (over < 0) & self._has(those, at - margin, at)
        is_urgent = np.where(over < 0, over + self.delays.wish[those] < 0, over > _MUCH_CHUNKS * c)
        least = self._least(those, context, is_urgent)
        self._n_refused[those[(least > 1.0) & (cuts | grows)]] += 1
        for which, method, sign in ((cuts, self._stretcher.shorten, 1), (grows, self._stretcher.lengthen, -1)):
            which &= least < 1.0
            if not which.any():
                continue
            some = those[which]
            out[which], lags = method(context[which], least=least[which])
            self.play[some] += sign * lags
            self.stretched[some] += lags
            self._n_refused[some] = np.where(lags > 0, 0, self._n_refused[some] + 1)
            pause = np.where(is_urgent[which], _HURRIED_TICKS, _CALM_TICKS)
            self._may_cut_at[some] = tick + np.where(lags > 0, pause, 1)
        self._frames[places] = out

    def _least(self, rows: Rows, context: Signal, is_urgent: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How like itself the signal has to be for a cut: not at all in a pause, for which there may be time."""
        level = np.sqrt(np.einsum("ij,ij->i", context, context) / context.shape[1])
        self._loud[rows] = loud = np.maximum(self._loud[rows] * 0.998, level)
        waited = self._n_refused[rows] - np.where(is_urgent, 0, _PATIENCE)
        least = np.where(waited < 0, 2.0, np.where(waited < _DESPAIR, _SIMILAR, -2.0))
        return np.where(level < np.maximum(_QUIET, 0.1 * loud), -2.0, least)

    def _has(self, rows: Rows, begin: Rows, end: Rows) -> NDArray[np.bool_]:
        """Whether everything between two samples has come."""
        c = self._ring.chunk
        first, last = begin // c, (end - 1) // c
        chunks = first[:, None] + np.arange(int((last - first).max()) + 1)
        came = self._stamps[rows[:, None] * SLOTS + (chunks & (SLOTS - 1))] == chunks
        return cast("NDArray[np.bool_]", (came | (chunks > last[:, None])).all(axis=1))

    # -- codes and samples --------------------------------------------------------------------------------------------

    def _decode_rows(self, rows: Rows, elements: NDArray[Any]) -> Signal:
        if not self._is_coded:
            return elements.astype(np.float32)
        law = (self._table.law[rows] == PCMA).astype(np.int64)
        return cast("Signal", _LINEAR[elements + law[:, None] * 256])

    def _encode(self, row: int, samples: Signal) -> NDArray[Any]:
        linear = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
        if not self._is_coded:
            return linear
        table = g711.LINEAR_TO_ALAW if self._table.law[row] == PCMA else g711.LINEAR_TO_ULAW
        return cast("NDArray[Any]", table[linear.view(np.uint16)])

    def _silence(self, row: int) -> int:
        return int(SILENCE_BY_LAW[self._table.law[row]]) if self._is_coded else 0
