"""Between engine and codec desk: packets of legs that are not G.711 go to its threads, and what comes back goes into
the ring and to the peers. Nothing here waits.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media.arrays import DECODED, OPAQUE, LegTable
from media.codecs.base import WIDE_HZ
from media.codecs.desk import CodecDesk
from media.codecs.streams import CodecCounters
from media.inputs import Inputs
from media.mixer import Mixer
from media.session import Leg

SendPacket = Callable[[int, int, bytes, float, bool], None]
"""(row, RTP ticks, payload, now, whether it is the first after something else)"""


class Coding:
    """`inputs` take the decoded audio, `send` the packets made."""

    def __init__(self, table: LegTable, desk: CodecDesk, inputs: Inputs, send: SendPacket) -> None:
        self._table = table
        self._desk = desk
        self._inputs = inputs
        self._send = send
        self._encoding: set[int] = set()
        """Rows that were encoded for in the last tick."""
        self._starting: set[int] = set()
        """Rows whose first packet is being made."""

    def configure(self, leg: Leg) -> None:
        """The leg's settings are new."""
        settings = leg.settings
        if DECODED <= self._table.kind[leg.row] < OPAQUE:
            self._desk.start(leg.row, settings.codec, settings.fmtp, settings.ptime_ms)
        else:
            self._desk.stop(leg.row)

    def release(self, row: int) -> None:
        self._desk.stop(row)
        self._encoding.discard(row)
        self._starting.discard(row)

    def stream_begins(self, row: int) -> None:
        """Another stream of the leg comes in, or the leg was not listened to until now."""
        self._desk.reset(row)

    def receive(self, row: int, seq: int, ts: int, payload: bytes, now: float) -> None:
        """One packet of the leg; empty when it is a telephone-event or comfort noise."""
        self._desk.receive(row, seq, ts, payload, now)

    def poll(self, clock: int, now: float, early_s: float = 0.0) -> None:
        """Once a poll, after the sockets: hands over what was received, keeps and sends what came back. `early_s` is
        the time until the next tick."""
        self._desk.flush(now)
        late = self._inputs.late
        for batch in self._desk.collect():
            made_up = batch.rows[batch.is_made_up]
            before = late[made_up]
            self._inputs.put(
                batch.rows,
                batch.ts,
                batch.fresh,
                batch.pcm,
                batch.sizes,
                clock,
                seq=batch.numbers,
                early_s=early_s,
            )
            late[made_up] = before  # a packet that was lost is not late besides
            self._inputs.note_made_up(made_up, batch.sizes[batch.is_made_up])
        self.send_made(now)

    def send_made(self, now: float) -> None:
        """Sends what is ready; also before paths are changed, so that it keeps its place."""
        for row, ticks, payload in self._desk.collect_packets():
            self._send(row, ticks, payload, now, row in self._starting)
            self._starting.discard(row)

    def send_at_once(self, row: int, pcm: NDArray[np.int16], now: float) -> None:
        """The relay path follows: `pcm`, 16 kHz, is the rest of what the leg hears from the mix."""
        for ticks, payload in self._desk.encode_at_once(row, pcm):
            self._send(row, ticks, payload, now, row in self._starting)
            self._starting.discard(row)

    def keep(self, rows: set[int]) -> None:
        """Only these legs are mixed for from now on."""
        self._encoding &= rows

    def encode(self, mixer: Mixer, idle: set[int], now: float) -> None:
        """Once a tick: what the mixer made for the desk's legs, but for those in `idle`."""
        encoding: set[int] = set()
        for rows, frames in ((mixer.wide_rows, mixer.wide), (mixer.linear_rows, mixer.linear)):
            if not len(rows):
                continue
            if not idle.isdisjoint(rows.tolist()):
                chosen = np.flatnonzero(~np.isin(rows, list(idle)))
                rows, frames = rows[chosen], frames[chosen]
            self._begin(rows)
            encoding.update(rows.tolist())
            self._desk.encode(rows, frames, now)
        self._encoding = encoding

    def _begin(self, rows: NDArray[np.int64]) -> None:
        for row in rows.tolist():
            if row not in self._encoding:
                self._desk.reset_encoder(row)
                self._starting.add(row)

    def counters(self, row: int) -> CodecCounters | None:
        """What happened on the leg at the desk; None when it has none."""
        return self._desk.counters(row)

    @property
    def n_dropped(self) -> int:
        """Packets and frames that no codec thread had time for."""
        return self._desk.n_dropped

    def late(self, row: int) -> int:
        """Packets that came after the desk had filled their place."""
        counters = self._desk.counters(row)
        return counters.late if counters is not None else 0

    def concealed_s(self, row: int) -> float:
        """Audio that the desk made up for lost packets."""
        counters = self._desk.counters(row)
        return counters.concealed_samples / WIDE_HZ if counters is not None else 0.0

    def expect_loss(self, row: int, fraction: float) -> None:
        """The part of our packets that the peer reported lost (RTCP)."""
        self._desk.expect_loss(row, fraction)

    def close(self) -> None:
        """Ends the desk's threads. TimeoutError when one does not."""
        self._desk.close()
