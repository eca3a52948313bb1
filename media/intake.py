"""Input: packets from the sockets are checked, counted, kept for the tick and forwarded, a batch at a time."""

import logging
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from media import relay
from media.arrays import DECODED
from media.learning import Verdict
from media.session import Leg
from model.media import FirstPacket
from rtp.header import HEADER_BYTES, MAX_PACKET, PLAIN, strip_options

if TYPE_CHECKING:
    from media.engine import Engine

log = logging.getLogger(__name__)

MAX_ROUNDS = 16
"""Packets taken of one leg in one poll."""
MAX_STRANGERS = 32
"""Packets taken of one leg's open socket in one poll: more is a flood, and waits."""
MAX_STRANGERS_IN_ALL = 512
"""The same of all legs together."""


class Intake:
    """The engine's input side."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._ports = engine.ports
        self._table = engine.table
        self._receiver = engine.receiver
        self._by_row = engine.by_row
        self._n_strangers = 0
        """Packets taken of open sockets in this poll."""

    def poll(self, now: float) -> None:
        """Takes everything that has arrived."""
        ports = self._ports
        self._n_strangers = 0
        for _ in range(MAX_ROUNDS):
            n = ports.poll()
            if n:
                self._take(n, now)
            if ports.strangers:
                self._take_strangers(list(ports.strangers), now)
            for row in list(ports.reports):
                leg = self._by_row[row]
                if leg is not None:
                    self._engine.reports.take(leg, now)
            if not n:
                return

    def _take(self, n: int, now: float) -> None:
        headers = self._ports.headers
        legs, lengths = self._ports.legs[:n], self._ports.lengths[:n]
        rows = np.arange(n)
        odd = (headers["flags"][:n] != PLAIN) | (lengths < HEADER_BYTES) | (lengths >= MAX_PACKET)
        odd |= (headers["marker_type"][:n] >= 192) & (headers["marker_type"][:n] <= 223)
        if odd.any():
            for k in np.flatnonzero(odd).tolist():
                length = int(lengths[k])
                lengths[k] = 0 if length >= MAX_PACKET else strip_options(self._ports.rows[k], length)
                if not lengths[k]:
                    self._table.rejected[legs[k]] += 1
            rows = np.flatnonzero(lengths)
            legs, lengths = legs[rows], lengths[rows]
        if len(rows):
            self._receive(rows, legs, lengths, now)

    def _take_strangers(self, rows: list[int], now: float) -> None:
        """Packets that did not come from a leg's connected peer: judged one by one, at most one of each leg a batch."""
        ports, headers = self._ports, self._ports.headers
        for _ in range(MAX_STRANGERS):
            n = 0
            waiting = []
            for row in rows:
                if n == ports.batch or self._n_strangers >= MAX_STRANGERS_IN_ALL:
                    break
                read = ports.read_stranger(row, n)
                if read is None:
                    continue
                self._n_strangers += 1
                waiting.append(row)
                length, address = read
                length = 0 if length >= MAX_PACKET else strip_options(ports.rows[n], length)
                leg = self._by_row[row]
                if leg is None or not length:
                    self._table.rejected[row] += 1
                    continue
                verdict = self._judge(leg, address, int(headers["ssrc"][n]), int(headers["seq"][n]))
                if verdict is Verdict.REJECT:
                    self._table.rejected[row] += 1
                    continue
                if verdict is Verdict.LEARN:
                    self._follow(leg)
                ports.legs[n], ports.lengths[n] = row, length
                n += 1
            if n:
                self._receive(np.arange(n), ports.legs[:n], ports.lengths[:n], now)
            rows = waiting
            if not rows:
                return

    def _judge(self, leg: Leg, address: tuple[str, int], ssrc: int, seq: int) -> Verdict:
        received = self._receiver
        return leg.guard.judge(
            address,
            ssrc,
            seq,
            has_received=int(received.packets[leg.row]) > leg.packets_at_configure,
            stream=(int(received.ssrc[leg.row]), int(received.max_seq[leg.row])),
        )

    def _follow(self, leg: Leg) -> None:
        """The guard has learned an address: the sockets follow."""
        try:
            self._ports.connect(leg.row, leg.guard.source, leg.guard.destination)
        except OSError as error:
            log.warning("%s %s: cannot reach %s: %s", leg.session, leg.id, leg.guard.source, error)
            return
        self._engine.reports.redirect(leg)
        self._engine.takeover.note(leg)
        self._engine.changed.add(leg.session)
        log.info(
            "%s %s: RTP comes from %s, ours goes to %s", leg.session, leg.id, leg.guard.source, leg.guard.destination
        )

    def _receive(
        self, rows: NDArray[np.int64], legs: NDArray[np.int64], lengths: NDArray[np.int64], now: float
    ) -> None:
        """Counts, keeps and forwards the packets in arena rows `rows`: all RTP, accepted, each leg once."""
        table, headers = self._table, self._ports.headers
        h = headers[rows]
        types = h["marker_type"] & 0x7F
        is_audio = types == table.audio_type[legs]
        is_event = types == table.event_type[legs]
        ts = h["ts"].astype(np.uint32)
        valid, fresh = self._receiver.update(
            legs, h["seq"].astype(np.uint16), ts, h["ssrc"].astype(np.int64), lengths - HEADER_BYTES, is_audio, now
        )
        table.received_at[legs] = now
        table.is_inactive[legs] = False
        if fresh is not None:
            self._streams_begin(legs[fresh], now)
        wanted = (is_audio | is_event) & table.may_receive[legs]
        if valid is not None:
            wanted &= valid
        if not wanted.all():
            rows, legs, lengths, ts = rows[wanted], legs[wanted], lengths[wanted], ts[wanted]
            is_audio, is_event = is_audio[wanted], is_event[wanted]
            fresh = fresh[wanted] if fresh is not None else None
        kept = table.is_ringed[legs] & is_audio
        if kept.any():
            is_decoded = kept & (table.kind[legs] >= DECODED)
            if is_decoded.any():
                self._decode(rows, legs, lengths, is_decoded, now)
                kept &= ~is_decoded
        if kept.any():
            self._keep(rows, legs, lengths, ts, fresh, kept, now)
        relayed = table.relay_to[legs] >= 0
        if is_event.any():
            self._take_events(rows, legs, lengths, is_event, relayed, now)
        if not relayed.all():
            rows, legs, lengths, is_audio = rows[relayed], legs[relayed], lengths[relayed], is_audio[relayed]
        if len(rows):
            listeners = relay.rewrite(table, headers, rows, legs, lengths, is_audio, now)
            self._ports.send_rows(rows.tolist(), listeners.tolist(), lengths.tolist())

    def _streams_begin(self, legs: NDArray[np.int64], now: float) -> None:
        self._table.is_relay_set[legs] = False
        for row in legs.tolist():
            leg = self._by_row[row]
            if leg is None:
                continue
            self._engine.pass_on(leg, self._engine.digits.renew(leg, now))
            self._engine.coding.stream_begins(row)
            if leg.first_packet_s < 0:
                leg.first_packet_s = now - leg.allocated_at
                self._engine.takeover.note(leg)
                self._engine.emit(FirstPacket(session=leg.session, leg=leg.id))

    def _keep(
        self,
        rows: NDArray[np.int64],
        legs: NDArray[np.int64],
        lengths: NDArray[np.int64],
        ts: NDArray[np.uint32],
        fresh: NDArray[np.bool_] | None,
        kept: NDArray[np.bool_],
        now: float,
    ) -> None:
        if not kept.all():
            rows, legs, lengths, ts = rows[kept], legs[kept], lengths[kept], ts[kept]
            fresh = fresh[kept] if fresh is not None else None
        payload = self._ports.arena[rows, HEADER_BYTES : int(lengths.max())]
        engine = self._engine
        seq = self._ports.headers["seq"][rows].astype(np.uint16)
        early_s = max(0.0, engine.next_tick - now)
        engine.inputs.put(legs, ts, fresh, payload, lengths - HEADER_BYTES, engine.clock, seq=seq, early_s=early_s)

    def _decode(
        self,
        rows: NDArray[np.int64],
        legs: NDArray[np.int64],
        lengths: NDArray[np.int64],
        is_decoded: NDArray[np.bool_],
        now: float,
    ) -> None:
        """Packets for the codec desk: handed over one by one, its threads do the work."""
        headers = self._ports.headers
        for k in np.flatnonzero(is_decoded).tolist():
            row = int(rows[k])
            payload = bytes(self._ports.rows[row][HEADER_BYTES : int(lengths[k])])
            self._engine.coding.receive(int(legs[k]), int(headers["seq"][row]), int(headers["ts"][row]), payload, now)

    def _take_events(
        self,
        rows: NDArray[np.int64],
        legs: NDArray[np.int64],
        lengths: NDArray[np.int64],
        is_event: NDArray[np.bool_],
        relayed: NDArray[np.bool_],
        now: float,
    ) -> None:
        """Telephone-events: few, and one by one. Takes those that the listener cannot have out of `relayed`."""
        for k in np.flatnonzero(is_event).tolist():
            row, packet = int(legs[k]), self._ports.rows[int(rows[k])]
            leg = self._by_row[row]
            if leg is None:
                continue
            if relayed[k] and self._table.event_type[self._table.relay_to[row]] < 0:
                relayed[k] = False
                relay.skip(self._table, row)
            ts = int.from_bytes(packet[4:8], "big")
            if self._table.is_ringed[row] and self._table.kind[row] >= DECODED:
                self._engine.coding.receive(row, int.from_bytes(packet[2:4], "big"), ts, b"", now)
            pressed = self._engine.digits.receive(leg, bytes(packet[HEADER_BYTES : int(lengths[k])]), ts, now)
            if relayed[k] and self._engine.digits.is_secret(leg):
                relayed[k] = False
                relay.skip(self._table, row)
            self._engine.pass_on(leg, pressed)
