"""Packets made in the tick: headers before the mixer's frames, other packet lengths, telephone-events."""

import numpy as np
from numpy.typing import NDArray

from media.arrays import CHUNK, FRAME, LegTable
from media.dtmf import DigitDesk
from media.relay import MARKER, next_timestamp
from rtp.header import HEADER_BYTES, PLAIN, header_view
from rtp.net.ports import Outgoing, Ports


class FrameSender:
    """Sends what the mixer made: one packet a tick to most legs, and one by one to legs with packets of another length
    or with digits instead of audio."""

    def __init__(self, table: LegTable, ports: Ports) -> None:
        self._table = table
        self._ports = ports
        self._plain_before: set[int] = set()
        self._starting: set[int] = set()
        """Rows whose next plain packet is the first after something else."""
        self._parts: dict[int, bytearray] = {}
        """By row: audio that does not fill a packet yet."""
        self._odd_seq: dict[int, int] = {}
        """By row of another packet length: sequence number of its last packet, while its audio goes on."""
        self._due: dict[int, tuple[int, int, bool]] = {}
        """By row of the codec desk: sequence number of its last packet, RTP ticks from its beginning to the next one,
        and whether silence lies between."""
        self.build(np.zeros(0, np.int64), set())

    def build(self, rows: NDArray[np.int64], with_events: set[int]) -> None:
        """`rows` in the mixer's order; `with_events` are rows that get telephone-events for now."""
        table, n = self._table, len(rows)
        self._packets = np.zeros((n, HEADER_BYTES + FRAME), np.uint8)
        self._headers = header_view(self._packets)
        self._headers["flags"] = PLAIN
        self._headers["ssrc"] = table.out_ssrc[rows]
        is_odd = table.ptime[rows] != FRAME // CHUNK
        is_odd |= np.isin(rows, list(with_events))
        self._odd = [(i, int(rows[i])) for i in np.flatnonzero(is_odd).tolist()]
        odd_rows = {row for _, row in self._odd}
        self._odd_seq = {row: seq for row, seq in self._odd_seq.items() if row in odd_rows}
        self._positions = np.flatnonzero(~is_odd)
        self._rows = rows[self._positions]
        self._outgoing = self._ports.prepare(self._packets, self._positions, self._rows)
        self._types = table.audio_type[self._rows].astype(np.uint8)
        plain = set(self._rows.tolist())
        # A row that was about to start and has not been sent anything since still is.
        self._starting = (self._starting & plain) | (plain - self._plain_before)
        self._plain_before = plain

    def forget(self, row: int) -> None:
        """The leg is gone, or speaks another codec."""
        self._parts.pop(row, None)
        self._odd_seq.pop(row, None)
        self._due.pop(row, None)
        self._plain_before.discard(row)
        self._starting.discard(row)

    def send(self, payload: NDArray[np.uint8], now: float, digits: DigitDesk, waiting: set[int]) -> None:
        """One frame per row of `build`, encoded in the leg's codec; nothing to the legs in `waiting`."""
        if not len(payload):
            return
        np.copyto(self._packets[:, HEADER_BYTES:], payload)
        if waiting and not waiting.isdisjoint(self._plain_before):
            chosen = np.flatnonzero(~np.isin(self._rows, list(waiting)))
            rows, positions = self._rows[chosen], self._positions[chosen]
            outgoing = self._ports.prepare(self._packets, positions, rows)
            self._send_plain(rows, positions, self._types[chosen], outgoing, now)
        else:
            self._send_plain(self._rows, self._positions, self._types, self._outgoing, now)
        for position, row in self._odd:
            if row in digits.senders:
                self._parts.pop(row, None)
                self.send_event(row, now, digits)
            elif row not in waiting:
                self._send_odd(row, payload[position], now)

    def _send_plain(
        self,
        rows: NDArray[np.int64],
        where: NDArray[np.intp],
        types: NDArray[np.uint8],
        outgoing: Outgoing,
        now: float,
    ) -> None:
        table, headers = self._table, self._headers
        seq = table.out_seq[rows] + np.uint16(1)
        ts = table.out_ts[rows] + np.uint32(FRAME)
        if self._starting:
            types = types.copy()
            for i, row in enumerate(rows.tolist()):
                if row in self._starting:
                    ts[i] = next_timestamp(table, row, now)
                    types[i] |= MARKER
            self._starting.difference_update(rows.tolist())
        headers["marker_type"][where] = types
        headers["seq"][where] = seq
        headers["ts"][where] = ts
        table.out_seq[rows] = seq
        table.out_ts[rows] = ts
        table.out_samples[rows] = FRAME
        table.sent_at[rows] = now
        table.packets_sent[rows] += 1
        table.bytes_sent[rows] += FRAME
        outgoing.send()

    def send_event(self, row: int, now: float, digits: DigitDesk) -> None:
        """The telephone-event packet that is due to the leg in this tick, if one is."""
        packet = digits.step(row)
        if packet is not None:
            self._table.out_ts[row] += np.uint32(packet.advance)
            event_type = int(self._table.event_type[row])
            self.send_one(row, event_type, packet.payload, now, is_new=packet.begins, marker=packet.begins)

    def _send_odd(self, row: int, frame: NDArray[np.uint8], now: float) -> None:
        size = int(self._table.ptime[row]) * CHUNK
        part = self._parts.setdefault(row, bytearray())
        part += frame.tobytes()
        while len(part) >= size:
            self._send_codes(row, bytes(part[:size]), now)
            del part[:size]

    def send_at_once(self, row: int, codes: NDArray[np.uint8], now: float) -> None:
        """Sends all that waits for the leg and then `codes`, G.711 in its own law: the relay path follows."""
        size = int(self._table.ptime[row]) * CHUNK
        audio = bytes(self._parts.pop(row, b"")) + codes.tobytes()
        # The last packet takes what would not fill one of its own: a few samples alone confuse some phones.
        n = max(len(audio) // size, 1)
        for k in range(n if audio else 0):
            self._send_codes(row, audio[k * size : (k + 1) * size if k < n - 1 else None], now)

    def send_encoded(self, row: int, ticks: int, payload: bytes, now: float, is_first: bool) -> None:
        """What the codec desk made for the leg, `ticks` of the RTP clock long; nothing to be sent (DTX) still takes its
        time. `is_first`: something else, or nothing, was sent before."""
        table = self._table
        seq, due, is_after_silence = self._due.pop(row, (-1, 0, False))
        is_first |= seq != table.out_seq[row]
        if not payload:
            if not is_first:
                self._due[row] = (seq, due + ticks, True)
            return
        ts = next_timestamp(table, row, now) if is_first else (int(table.out_ts[row]) + due) & 0xFFFFFFFF
        kind = int(table.audio_type[row])
        self.send_one(row, kind, payload, now, is_new=True, marker=is_first or is_after_silence, ts=ts)
        self._due[row] = (int(table.out_seq[row]), ticks, False)

    def _send_codes(self, row: int, codes: bytes, now: float) -> None:
        table = self._table
        # Audio that goes on takes the time it is long, however late this process came to send it.
        goes_on = self._odd_seq.get(row) == table.out_seq[row]
        ts = (int(table.out_ts[row]) + int(table.out_samples[row])) & 0xFFFFFFFF if goes_on else -1
        self.send_one(row, int(table.audio_type[row]), codes, now, is_new=True, marker=False, ts=ts)
        self._odd_seq[row] = int(table.out_seq[row])

    def send_one(
        self, row: int, type_: int, payload: bytes, now: float, *, is_new: bool, marker: bool, ts: int = -1
    ) -> None:
        """One packet to the leg; `is_new` when it begins a new timestamp (the packets of one event share theirs), which
        is `ts` or, when that is -1, follows from the time that has passed."""
        table = self._table
        if ts < 0:
            ts = next_timestamp(table, row, now) if is_new else int(table.out_ts[row])
        seq = (int(table.out_seq[row]) + 1) & 0xFFFF
        header = (
            bytes((PLAIN, type_ | (MARKER if marker else 0)))
            + seq.to_bytes(2, "big")
            + ts.to_bytes(4, "big")
            + int(table.out_ssrc[row]).to_bytes(4, "big")
        )
        # Before it is sent, in this order: should we die now, no number is used twice (media.legacy).
        if is_new:
            table.out_ts[row] = ts
            table.out_samples[row] = len(payload)
            table.sent_at[row] = now
        table.out_seq[row] = seq
        table.packets_sent[row] += 1
        table.bytes_sent[row] += len(payload)
        self._ports.send(row, header + payload)
