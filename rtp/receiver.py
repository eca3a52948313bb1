"""What arrives on each leg, counted as RFC 3550 says (A.1 validity, A.3 loss, A.8 jitter), many legs at once. Pure.

`update` takes a batch with at most one packet of each leg, so that every array operation is free of collisions.
"""

import numpy as np
from numpy.typing import NDArray

MAX_DROPOUT = 3000
MAX_MISORDER = 100
_WINDOW = np.uint64(63)
_ONE = np.uint64(1)


class ReceiverTable:
    """Receiver state of `capacity` legs, one array entry per leg; `reset(row)` before a leg is used."""

    def __init__(self, capacity: int) -> None:
        n = capacity
        self.clock_hz = np.full(n, 8000, np.int64)
        """Of the leg's timestamps."""
        self.ssrc = np.full(n, -1, np.int64)
        self.max_seq = np.zeros(n, np.uint16)
        self.bad_seq = np.full(n, -1, np.int32)
        self.highest = np.zeros(n, np.int64)
        """Extended highest sequence number of the current stream."""
        self.base = np.zeros(n, np.int64)
        self.unique = np.zeros(n, np.int64)
        """Packets of the current stream, duplicates not counted."""
        self.lost_before = np.zeros(n, np.int64)
        """Lost packets of streams that ended (another SSRC, a sequence jump)."""
        self.packets = np.zeros(n, np.int64)
        self.bytes = np.zeros(n, np.int64)
        self.duplicates = np.zeros(n, np.int64)
        self.seen = np.zeros(n, np.uint64)
        """Bit i: packet `highest - i` came."""
        self.last_ts = np.zeros(n, np.int64)
        self.transit = np.zeros(n, np.int64)
        self.is_timed = np.zeros(n, np.bool_)
        self.jitter = np.zeros(n, np.float64)
        """In timestamp units, as RFC 3550 A.8."""
        self.max_jitter = np.zeros(n, np.float64)
        self.prior_expected = np.zeros(n, np.int64)
        self.prior_unique = np.zeros(n, np.int64)

    def reset(self, row: int) -> None:
        """Forgets everything about the leg."""
        for column in vars(self).values():
            column[row] = 0
        self.clock_hz[row] = 8000
        self.ssrc[row] = -1
        self.bad_seq[row] = -1

    def update(
        self,
        legs: NDArray[np.int64],
        seq: NDArray[np.uint16],
        ts: NDArray[np.uint32],
        ssrc: NDArray[np.int64],
        lengths: NDArray[np.int64],
        is_audio: NDArray[np.bool_],
        now: float,
    ) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
        """Counts one packet of each of `legs`; `lengths` are payload bytes, `now` seconds.

        Returns (valid, fresh): `valid` is None when all packets belong to their stream, else False where a packet lies
        so far off that it is ignored until a second one follows it (A.1); `fresh` is None or True where a new stream
        began with this packet.
        """
        step = (seq - self.max_seq.take(legs)).view(np.int16)
        known = self.ssrc.take(legs) == ssrc
        is_in_order = bool((step == 1).all())
        if not is_in_order:
            known &= (step > -MAX_MISORDER) & (step < MAX_DROPOUT)
        valid = fresh = None
        if not known.all():
            fresh = np.zeros(len(legs), np.bool_)
            valid = known
            for k in np.flatnonzero(~known).tolist():
                valid[k] = fresh[k] = self._begin(int(legs[k]), int(seq[k]), int(ssrc[k]))
            if valid.all():
                valid = None
            else:
                keep = valid
                legs, seq, ts, lengths = legs[keep], seq[keep], ts[keep], lengths[keep]
                is_audio = is_audio[keep]
            step = (seq - self.max_seq[legs]).view(np.int16)
            is_in_order = False
        self._count(legs, seq, None if is_in_order else step, lengths)
        self._time(legs, ts, is_audio, now)
        return valid, fresh

    def _count(
        self,
        legs: NDArray[np.int64],
        seq: NDArray[np.uint16],
        step: NDArray[np.int16] | None,
        lengths: NDArray[np.int64],
    ) -> None:
        """`step`: how far ahead of the highest each sequence number is; None = all by one."""
        self.packets[legs] += 1
        self.bytes[legs] += lengths
        if step is None:  # no bit can be set twice
            self.max_seq[legs] = seq
            self.highest[legs] += 1
            self.seen[legs] = (self.seen.take(legs) << _ONE) | _ONE
            self.unique[legs] += 1
            return
        ahead = np.maximum(step, 0)
        back = np.minimum(-np.minimum(step, 0), 63).astype(np.uint64)
        seen = self.seen[legs]
        seen = np.where(ahead > 63, np.uint64(0), seen << np.minimum(ahead, 63).astype(np.uint64))
        # What is older than the window is taken for a repetition: it cannot be told from one.
        is_old = step < -63
        again = ((seen >> back) & _ONE != 0) | is_old
        self.seen[legs] = np.where(is_old, seen, seen | (_ONE << back))
        self.duplicates[legs] += again
        self.unique[legs] += ~again
        self.highest[legs] += ahead
        self.max_seq[legs] = np.where(step > 0, seq, self.max_seq[legs])

    def _time(self, legs: NDArray[np.int64], ts: NDArray[np.uint32], is_audio: NDArray[np.bool_], now: float) -> None:
        wide = ts.astype(np.int64)
        moved = is_audio & (wide != self.last_ts.take(legs))  # the packets of one telephone-event share their timestamp
        if not moved.all():
            legs, wide = legs[moved], wide[moved]
        self.note_time(legs, wide, now)

    def note_time(self, legs: NDArray[np.int64], ts: NDArray[np.int64], now: float | NDArray[np.float64]) -> None:
        """Packets of `legs` that begin at the RTP times `ts` came at `now`, seconds (A.8)."""
        clock_hz = self.clock_hz.take(legs)
        transit = (now * clock_hz).astype(np.int64) - ts
        change = (transit - self.transit.take(legs)).astype(np.int32)  # modulo 2**32, like the timestamps themselves
        deviation = np.abs(change.astype(np.int64))
        is_jump = deviation > clock_hz  # a second: the sender's clock was set, not the network slow
        is_timed = self.is_timed.take(legs)
        if not is_timed.all():
            is_jump |= ~is_timed
            self.is_timed[legs] = True
        if is_jump.any():
            deviation[is_jump] = 0
        jitter = self.jitter.take(legs)
        jitter += (deviation - jitter) * (1 / 16)
        self.jitter[legs] = jitter
        is_worst = jitter > self.max_jitter.take(legs)
        if is_worst.any():
            self.max_jitter[legs[is_worst]] = jitter[is_worst]
        self.transit[legs] = transit
        self.last_ts[legs] = ts

    def _begin(self, row: int, seq: int, ssrc: int) -> bool:
        if self.ssrc[row] == ssrc and self.bad_seq[row] != seq:
            self.bad_seq[row] = (seq + 1) & 0xFFFF
            return False
        if self.ssrc[row] >= 0:
            self.lost_before[row] += self.expected_of_stream(row) - self.unique[row]
        self.ssrc[row] = ssrc
        self.bad_seq[row] = -1
        self.max_seq[row] = (seq - 1) & 0xFFFF
        self.highest[row] = seq - 1
        self.base[row] = seq
        self.unique[row] = self.prior_expected[row] = self.prior_unique[row] = 0
        self.seen[row] = 0
        self.is_timed[row] = False
        return True

    def expected_of_stream(self, row: int) -> int:
        return max(int(self.highest[row] - self.base[row]) + 1, int(self.unique[row]))

    def lost(self, row: int) -> int:
        """Packets lost since the leg was reset; never negative."""
        if self.ssrc[row] < 0:
            return 0
        return int(self.lost_before[row]) + self.expected_of_stream(row) - int(self.unique[row])

    def take_fraction_lost(self, row: int) -> int:
        """Fraction lost since the last call in 1/256 (A.3), for a report block."""
        return int(self.report(np.array([row]))[0][0])

    def report(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`take_fraction_lost` and `lost` of many legs, none twice, that have all received something."""
        unique = self.unique.take(rows)
        expected = np.maximum(self.highest.take(rows) - self.base.take(rows) + 1, unique)
        interval = expected - self.prior_expected.take(rows)
        lost = interval - (unique - self.prior_unique.take(rows))
        self.prior_expected[rows] = expected
        self.prior_unique[rows] = unique
        fraction = np.minimum((np.maximum(lost, 0) << 8) // np.maximum(interval, 1), 255)
        return fraction, self.lost_before.take(rows) + expected - unique
