"""Packets made in the tick: headers before the mixer's frames, other packet lengths, telephone-events."""

import numpy as np
from numpy.typing import NDArray

from media.arrays import FRAME, LegTable
from media.dtmf import DigitDesk
from media.relay import MARKER, next_timestamp
from rtp.header import HEADER_BYTES, PLAIN, header_view
from rtp.net.leg_ports import LegPorts


class _Odd:
    """A leg whose packets are made one by one: not 20 ms long, or digits instead of audio."""

    __slots__ = ("position", "row", "samples", "waiting")

    def __init__(self, row: int, position: int, samples: int) -> None:
        self.row = row
        self.position = position
        self.samples = samples
        self.waiting = bytearray()


class FrameSender:
    """Sends what the mixer made, one packet a tick and leg."""

    def __init__(self, table: LegTable, ports: LegPorts) -> None:
        self._table = table
        self._ports = ports
        self._plain_before: set[int] = set()
        self.build(np.zeros(0, np.int64), {}, set())

    def build(self, rows: NDArray[np.int64], samples: dict[int, int], with_events: set[int]) -> None:
        """`rows` in the mixer's order; `samples` per packet of the rows where that is not 160; `with_events` are rows
        that get telephone-events for now."""
        table, n = self._table, len(rows)
        self._packets = np.zeros((n, HEADER_BYTES + FRAME), np.uint8)
        self._headers = header_view(self._packets)
        self._headers["flags"] = PLAIN
        self._headers["ssrc"] = table.out_ssrc[rows]
        view = self._packets.reshape(-1).data
        size = HEADER_BYTES + FRAME
        self._odd = [
            _Odd(row, i, samples.get(row, FRAME))
            for i, row in enumerate(rows.tolist())
            if row in samples or row in with_events
        ]
        odd = {each.row for each in self._odd}
        self._positions = np.array([i for i, row in enumerate(rows.tolist()) if row not in odd], np.int64)
        self._rows = rows[self._positions]
        self._sends = [(row, view[i * size : (i + 1) * size]) for i, row in enumerate(rows.tolist()) if row not in odd]
        self._types = table.audio_type[self._rows].astype(np.uint8)
        plain = set(self._rows.tolist())
        self._starting = sorted(plain - self._plain_before)
        self._plain_before = plain

    def send(self, payload: NDArray[np.uint8], now: float, digits: DigitDesk) -> None:
        """One frame per row of `build`, encoded in the leg's codec."""
        if not len(payload):
            return
        table, rows, headers = self._table, self._rows, self._headers
        np.copyto(self._packets[:, HEADER_BYTES:], payload)
        seq = table.out_seq[rows] + np.uint16(1)
        ts = table.out_ts[rows] + np.uint32(FRAME)
        types = self._types
        if self._starting:
            types = types.copy()
            at = {row: i for i, row in enumerate(rows.tolist())}
            for row in self._starting:
                ts[at[row]] = next_timestamp(table, row, now)
                types[at[row]] |= MARKER
            self._starting = []
        where = self._positions
        headers["marker_type"][where] = types
        headers["seq"][where] = seq
        headers["ts"][where] = ts
        table.out_seq[rows] = seq
        table.out_ts[rows] = ts
        table.out_samples[rows] = FRAME
        table.sent_at[rows] = now
        table.packets_sent[rows] += 1
        table.bytes_sent[rows] += FRAME
        send = self._ports.send
        for row, packet in self._sends:
            send(row, packet)
        for odd in self._odd:
            if odd.row in digits.senders:
                odd.waiting.clear()
                self._send_event(odd.row, now, digits)
            else:
                self._send_odd(odd, payload[odd.position], now)

    def _send_event(self, row: int, now: float, digits: DigitDesk) -> None:
        packet = digits.step(row)
        if packet is not None:
            event_type = int(self._table.event_type[row])
            self._send_one(row, event_type, packet.payload, now, is_new=packet.begins, marker=packet.begins)

    def _send_odd(self, odd: _Odd, frame: NDArray[np.uint8], now: float) -> None:
        odd.waiting += frame.tobytes()
        audio_type = int(self._table.audio_type[odd.row])
        while len(odd.waiting) >= odd.samples:
            self._send_one(odd.row, audio_type, bytes(odd.waiting[: odd.samples]), now, is_new=True, marker=False)
            del odd.waiting[: odd.samples]

    def _send_one(self, row: int, type_: int, payload: bytes, now: float, *, is_new: bool, marker: bool) -> None:
        table = self._table
        ts = next_timestamp(table, row, now) if is_new else int(table.out_ts[row])
        seq = (int(table.out_seq[row]) + 1) & 0xFFFF
        header = (
            bytes((PLAIN, type_ | (MARKER if marker else 0)))
            + seq.to_bytes(2, "big")
            + ts.to_bytes(4, "big")
            + int(table.out_ssrc[row]).to_bytes(4, "big")
        )
        self._ports.send(row, header + payload)
        table.out_seq[row] = seq
        if is_new:
            table.out_ts[row] = ts
            table.out_samples[row] = len(payload)
            table.sent_at[row] = now
        table.packets_sent[row] += 1
        table.bytes_sent[row] += len(payload)
