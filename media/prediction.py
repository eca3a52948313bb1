"""Header prediction: most packets are exactly the one that had to come next, and cost little.

The idea is Van Jacobson's for TCP ("header prediction", 4.3BSD Reno; RFC 1144 §3.2.2): for each leg it is written down
what the header of its next packet will be, and what ours will be when we pass it on. A packet that is as predicted
needs one comparison and one copy; nothing about its stream has to be worked out. What it means for the counters is
settled for all legs at once, at the next tick or before anybody looks at them. Anything else (a gap, a marker, another
length, the first packet of a stream, an event) takes the general way, which then predicts again.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from media.arrays import PCMA, LegTable
from media.inputs import Inputs
from rtp.header import HEADER_BYTES, PLAIN
from rtp.receiver import ReceiverTable

Rows = NDArray[np.int64]

# Columns of `HeaderPrediction.words`.
IN, IN_TS, IN_SSRC, LENGTH, OUT, OUT_TS, OUT_SSRC, LISTENER = range(8)
_SEQ = 0xFFFF
_NOBODY = 0xFFFFFFFF
_ONE = np.uint64(1)


class HeaderPrediction:
    """What comes next on every leg that sends one byte a tick of its clock: G.711, and G.722 that is passed on.

    Packets are `pending` until `settle`: counted here, and not yet in the tables.
    """

    def __init__(self, table: LegTable, receiver: ReceiverTable, inputs: Inputs) -> None:
        n = table.capacity
        self._table, self._receiver, self._inputs = table, receiver, inputs
        self.words = np.zeros((n, 8), np.uint32)
        """By row: flags, type and sequence number of the next packet; its timestamp, SSRC, length in bytes; the same of
        ours; the row that hears it. No packet has flags 0: nothing is predicted."""
        self.steps = np.zeros((n, 8), np.uint32)
        """What is added to `words` with each packet."""
        self.pending = np.zeros(n, np.int64)
        self._is_untimed = np.zeros(n, np.bool_)
        """The newest pending packet is one whose time of arrival was not looked at yet."""
        self.arrived = np.zeros(n, np.float64)
        """When the newest predicted packet came."""
        self._has_pending = False

    def begin(self) -> None:
        """Settles what another worker left pending; what it expected is of no use without its streams' places."""
        self._has_pending = bool(self.pending.any())
        self.settle()
        self.words[:] = 0

    def forget(self, rows: int | Sequence[int] | Rows) -> None:
        """Nothing is predicted any more: something about the legs changes, or their next packet is another one."""
        self.words[rows] = 0

    # -- packets ------------------------------------------------------------------------------------------------------

    def expect(self, legs: Rows) -> NDArray[np.uint32]:
        """Rows of `words` to compare packets of `legs` with; -1 = of no leg, whatever it is compared with."""
        if self._has_pending:
            untimed = self._is_untimed.take(legs)
            if untimed.any():
                self._settle_times(legs[untimed])
        return self.words.take(legs, axis=0)

    def take(self, legs: Rows, words: NDArray[np.uint32], now: float) -> None:
        """The legs (none twice) sent what was predicted; `words` are their rows from `expect`, and are used up."""
        # In this order: should we die in between, a successor settles it, and no number is used twice.
        self.arrived[legs] = now
        words += self.steps.take(legs, axis=0)
        self.words[legs] = words
        self.pending[legs] += 1
        self._is_untimed[legs] = True
        self._has_pending = True

    def settle(self) -> None:
        """Writes what is pending to the tables."""
        if not self._has_pending:
            return
        self._has_pending = False
        untimed = np.flatnonzero(self._is_untimed)
        if len(untimed):
            self._settle_times(untimed)
        rows = np.flatnonzero(self.pending)
        words, n = self.words.take(rows, axis=0), self.pending.take(rows)
        payload = words[:, LENGTH].astype(np.int64) - HEADER_BYTES
        arrived = self.arrived.take(rows)
        table = self._table
        table.received_at[rows] = arrived
        if table.is_inactive.any():
            table.is_inactive[rows] = False
        self._count(rows, words, n, payload)
        heard = words[:, LISTENER] != _NOBODY
        if not heard.all():
            words, n, payload, arrived = words[heard], n[heard], payload[heard], arrived[heard]
        listeners = words[:, LISTENER].astype(np.int64)
        table.out_seq[listeners] = (words[:, OUT] - 1).astype(np.uint16)
        table.out_ts[listeners] = words[:, OUT_TS] - payload.astype(np.uint32)
        table.out_samples[listeners] = payload
        table.sent_at[listeners] = arrived
        table.packets_sent[listeners] += n
        table.bytes_sent[listeners] += n * payload
        self.pending[rows] = 0

    def _settle_times(self, rows: Rows) -> None:
        """What depends on when the newest packets of `rows` came, before there are newer ones."""
        words = self.words.take(rows, axis=0)
        self._unwrap(rows, words)
        ts = (words[:, IN_TS] - (words[:, LENGTH] - np.uint32(HEADER_BYTES))).astype(np.int64)
        self._receiver.note_time(rows, ts, self.arrived.take(rows))
        self._inputs.settle(rows)
        self._is_untimed[rows] = False

    def _unwrap(self, rows: Rows, words: NDArray[np.uint32]) -> None:
        """Sequence numbers that have just gone round have carried into the payload type."""
        pair = words[:, IN : OUT + 1 : OUT - IN]
        is_round = (pair & _SEQ) == 0
        if is_round.any():
            pair[is_round] -= np.uint32(0x10000)
            self.words[rows] = words

    def _count(self, rows: Rows, words: NDArray[np.uint32], n: Rows, payload: NDArray[np.int64]) -> None:
        """As `ReceiverTable.update` does for packets in order, `n` of each."""
        received = self._receiver
        received.packets[rows] += n
        received.bytes[rows] += n * payload
        received.highest[rows] += n
        received.unique[rows] += n
        seq = (words[:, IN] - 1).astype(np.uint16)
        received.max_seq[rows] = seq
        shift = n.astype(np.uint64)
        received.seen[rows] = (received.seen.take(rows) << shift) | ((_ONE << shift) - _ONE)
        self._inputs.last_seq[rows] = seq

    # -- what to expect -----------------------------------------------------------------------------------------------

    def predict(self, legs: Rows, seq: NDArray[np.uint16], ts: NDArray[np.uint32], lengths: Rows) -> None:
        """What follows packets that were just taken the general way: audio of `legs` (none twice), `lengths` bytes."""
        table, received = self._table, self._receiver
        kept = table.is_ringed.take(legs)
        fits = table.is_byte_a_tick.take(legs) & (~kept | (table.kind.take(legs) <= PCMA))
        fits &= table.may_receive.take(legs) & received.is_timed.take(legs) & (received.max_seq.take(legs) == seq)
        if kept.any():
            fits[kept] &= self._inputs.follows(legs[kept], lengths[kept] - HEADER_BYTES)
        listeners = table.relay_to.take(legs)
        heard = listeners >= 0
        out_seq = seq + table.relay_seq.take(legs)
        fits &= ~heard | (table.is_relay_set.take(legs) & (table.out_seq.take(listeners, mode="clip") == out_seq))
        if not fits.all():
            legs, seq, ts, lengths = legs[fits], seq[fits], ts[fits], lengths[fits]
            listeners, heard, out_seq = listeners[fits], heard[fits], out_seq[fits]
        if not len(legs):
            return
        step = (lengths - HEADER_BYTES).astype(np.uint32)
        words = np.zeros((len(legs), 8), np.uint32)
        words[:, IN] = _first_word(table.audio_type.take(legs), seq)
        words[:, IN_TS] = ts + step
        words[:, IN_SSRC] = received.ssrc.take(legs)
        words[:, LENGTH] = lengths
        words[:, OUT] = _first_word(table.audio_type.take(listeners, mode="clip"), out_seq)
        words[:, OUT_TS] = ts + table.relay_ts.take(legs) + step
        words[:, OUT_SSRC] = table.out_ssrc.take(listeners, mode="clip")
        words[:, LISTENER] = np.where(heard, listeners, _NOBODY)
        steps = np.zeros_like(words)
        steps[:, (IN, OUT)] = 1
        steps[:, IN_TS] = steps[:, OUT_TS] = step
        self.steps[legs] = steps
        self.words[legs] = words


def _first_word(types: NDArray[np.int16], seq: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """The first four bytes of the header of the packet after the one with sequence number `seq`, without marker."""
    word = np.full(len(seq), PLAIN << 24, np.uint32)
    word |= (types.astype(np.uint32) & 0x7F) << np.uint32(16)
    word |= (seq + np.uint16(1)).astype(np.uint32)
    return word
