"""Input: packets from the sockets are checked, counted, kept for the tick and forwarded, a batch at a time."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from media import relay
from media.arrays import DECODED, FRAME
from media.prediction import LENGTH, LISTENER, OUT
from media.strangers import MAX_OF_PORT, Strangers
from model.media import FirstPacket
from rtp.header import HEADER_BYTES, MAX_PACKET, PLAIN, rows_at, strip_options

if TYPE_CHECKING:
    from media.engine import Engine

RTCP_TYPES = 0xC0
"""192 to 223: RTCP that is multiplexed onto the RTP port (RFC 5761 §4), by the three highest bits."""
_FEW = 32
"""So few packets cost so little that whatever came meanwhile is taken, too."""
MAX_ROUNDS = 16
"""Packets taken of one leg in one poll."""


class Intake:
    """The engine's input side."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._ports = engine.ports
        self._table = engine.table
        self._receiver = engine.receiver
        self._by_row = engine.by_row
        self._strangers = Strangers(engine)
        self._all_rows = np.arange(max(engine.ports.batch, engine.ports.capacity))
        self._first = np.zeros(engine.ports.capacity, np.int64)
        self._prediction = engine.prediction
        self._heads = np.zeros((engine.ports.batch, 4), np.uint32)
        arena = engine.ports.arena
        self._wire_words = np.ndarray((len(arena), 3), ">u4", arena.data, strides=(arena.strides[0], 4))
        """The headers of all arena rows."""
        self._frames = np.ndarray((len(arena),), f"V{FRAME}", arena.data, HEADER_BYTES, (arena.strides[0],))
        """What follows them: 20 ms of G.711."""

    @property
    def n_strangers(self) -> int:
        """Packets to shared ports that were nobody's."""
        return self._strangers.n_dropped

    def poll(self, now: float, rounds: int = MAX_ROUNDS) -> None:
        """Takes what has arrived: all of it, or of many legs at most about `rounds` packets each."""
        ports = self._ports
        n_left = rounds * max(self._engine.n_legs, _FEW)
        self._strangers.begin()
        for number in range(MAX_ROUNDS):
            n = ports.poll()
            if n:
                self._take(n, now)
            if ports.strangers:
                self._take_strangers(list(ports.strangers), now)
            for row in list(ports.reports):
                leg = self._by_row[row]
                if leg is not None:
                    self._engine.reports.take(leg, now)
            for index in ports.shared_reports:
                self._engine.reports.take_shared(index, self._by_row, now)
            n_left -= n
            is_enough = n_left <= 0 or (number + 1 >= rounds and _FEW < n < ports.batch)
            if not n or is_enough or self._strangers.is_enough:
                return

    def take_backlog(self, rows: list[int], now: float) -> None:
        """First of all what came for the legs on `rows` while their worker was dead: none of it may overtake."""
        self._strangers.begin()
        for arena_rows, legs, lengths in self._strangers.take_backlog(rows):
            if len(arena_rows):
                self._receive(arena_rows, legs, lengths, now)

    def _take(self, n: int, now: float) -> None:
        legs, lengths = self._ports.legs[:n], self._ports.lengths[:n]
        is_strange = len(self._ports.unknown) > 0
        words = self._prediction.expect(legs)
        is_expected = self._compare(n, words)
        if is_strange:
            is_expected &= legs >= 0
        if self._ports.has_doubles:
            self._keep_one(legs, is_expected)
        if is_expected.all():
            self._receive_expected(self._all_rows[:n], legs, lengths, words, now)
            return
        if is_expected.any():
            rows = np.flatnonzero(is_expected)
            self._receive_expected(rows, legs[rows], lengths[rows], words[rows], now)
        self._prediction.settle()
        self._take_other(np.flatnonzero(~is_expected), is_strange, now)

    def _compare(self, n: int, words: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Which of the first `n` packets have the headers and lengths that `words` say."""
        heads = self._heads[:n]
        heads[:, :LENGTH] = self._wire_words[:n]
        heads[:, LENGTH] = self._ports.lengths[:n]
        same: NDArray[np.bool_] = heads.view(np.uint64) == words.view(np.uint64)[:, :2]
        is_same: NDArray[np.bool_] = same[:, 0] & same[:, 1]
        return is_same

    def _keep_one(self, legs: NDArray[np.int64], is_expected: NDArray[np.bool_]) -> None:
        """Where the same packet came twice in one batch only one is what was expected."""
        order = self._all_rows[: len(legs)]
        self._first[legs] = order
        is_expected &= self._first.take(legs) == order

    def _receive_expected(
        self,
        rows: NDArray[np.int64],
        legs: NDArray[np.int64],
        lengths: NDArray[np.int64],
        words: NDArray[np.uint32],
        now: float,
    ) -> None:
        """Keeps and forwards the packets in arena rows `rows`, which rise: all what their legs (none twice) had to send
        next, by `words`."""
        kept = self._table.is_ringed.take(legs)
        if kept.any():
            self._follow(rows, legs, lengths, kept, now)
        self._wire_words[rows_at(rows)] = words[:, OUT:LISTENER]
        listeners = words[:, LISTENER].astype(np.int64)
        self._prediction.take(legs, words, now)
        relayed = listeners < self._table.capacity
        if not relayed.all():
            rows, listeners, lengths = rows[relayed], listeners[relayed], lengths[relayed]
        if len(rows):
            self._ports.send_rows(rows, listeners, lengths)

    def _follow(
        self,
        rows: NDArray[np.int64],
        legs: NDArray[np.int64],
        lengths: NDArray[np.int64],
        kept: NDArray[np.bool_],
        now: float,
    ) -> None:
        if not kept.all():
            rows, legs, lengths = rows[kept], legs[kept], lengths[kept]
        engine = self._engine
        early_s = max(0.0, engine.next_tick - now)
        follows = engine.inputs.follow(legs, self._frames[rows_at(rows)], engine.clock, early_s)
        if follows is None:
            return
        if follows.any():
            engine.inputs.follow(legs[follows], self._frames[rows[follows]], engine.clock, early_s)
        far = ~follows
        ts = self._ports.headers["ts"][rows[far]].astype(np.uint32)
        self._keep(rows[far], legs[far], lengths[far], ts, None, np.ones(len(ts), np.bool_), now)

    def _take_other(self, rows: NDArray[np.int64], is_strange: bool, now: float) -> None:
        """Packets in arena rows `rows`, which rise, that nobody expected."""
        headers, at = self._ports.headers, rows_at(rows)
        legs, lengths = self._ports.legs[at], self._ports.lengths[at]
        odd = (headers["flags"][at] != PLAIN) | ((headers["marker_type"][at] & 0xE0) == RTCP_TYPES)
        odd |= (lengths < HEADER_BYTES) | (lengths >= MAX_PACKET)
        if is_strange:
            odd &= legs >= 0
        if odd.any():
            for k in np.flatnonzero(odd).tolist():
                length = int(lengths[k])
                lengths[k] = 0 if length >= MAX_PACKET else strip_options(self._ports.rows[int(rows[k])], length)
                if not lengths[k]:
                    self._table.rejected[legs[k]] += 1
        known = (lengths > 0) & (legs >= 0)
        if not known.all():
            rows, legs, lengths = rows[known], legs[known], lengths[known]
        if len(rows):
            self._receive_some(rows, legs, lengths, now)
        if is_strange:
            accepted = self._strangers.take_unknown(self._ports.unknown, now)
            if accepted:
                rows, legs, lengths = np.array(accepted, np.int64).T.copy()
                self._receive_some(rows, legs, lengths, now)

    def _receive_some(
        self, rows: NDArray[np.int64], legs: NDArray[np.int64], lengths: NDArray[np.int64], now: float
    ) -> None:
        """As `_receive`, of packets among which there may be several of one leg: they are taken one after the other."""
        while self._ports.has_doubles:
            if np.bincount(legs).max() < 2:
                break
            order = self._all_rows[: len(legs)]
            # Where a leg is named twice the assignment that comes last stays: that of its first packet.
            self._first[legs[::-1]] = order[::-1]
            is_first = self._first[legs] == order
            self._receive(rows[is_first], legs[is_first], lengths[is_first], now)
            rows, legs, lengths = rows[~is_first], legs[~is_first], lengths[~is_first]
        self._receive(rows, legs, lengths, now)

    def _take_strangers(self, rows: list[int], now: float) -> None:
        for _ in range(MAX_OF_PORT):
            (arena_rows, legs, lengths), rows = self._strangers.take_waiting(rows)
            if len(arena_rows):
                self._receive(arena_rows, legs, lengths, now)
            if not rows:
                return

    def _receive(
        self, rows: NDArray[np.int64], legs: NDArray[np.int64], lengths: NDArray[np.int64], now: float
    ) -> None:
        """Counts, keeps and forwards the packets in arena rows `rows`, which rise: all RTP, accepted, each leg once."""
        table, headers = self._table, self._ports.headers
        self._prediction.settle()
        self._prediction.forget(legs)
        h = headers[rows_at(rows)]
        types = h["marker_type"] & 0x7F
        is_audio = types == table.audio_type.take(legs)
        is_all_audio = bool(is_audio.all())
        is_event = ~is_audio if is_all_audio else types == table.event_type[legs]
        seq, ts = h["seq"].astype(np.uint16), h["ts"].astype(np.uint32)
        valid, fresh = self._receiver.update(
            legs, seq, ts, h["ssrc"].astype(np.int64), lengths - HEADER_BYTES, is_audio, now
        )
        table.received_at[legs] = now
        if table.is_inactive.any():
            table.is_inactive[legs] = False
        if fresh is not None:
            self._streams_begin(legs[fresh], now)
        wanted = table.may_receive.take(legs)
        if not is_all_audio:
            wanted &= is_audio | is_event
        if valid is not None:
            wanted &= valid
        if not wanted.all():
            is_noise = (types == table.noise_type[legs]) & table.may_receive[legs] & ~wanted
            if valid is not None:
                is_noise &= valid
            if is_noise.any():
                self._take_noise(rows[is_noise], legs[is_noise], lengths[is_noise], now)
            rows, legs, lengths, seq, ts = rows[wanted], legs[wanted], lengths[wanted], seq[wanted], ts[wanted]
            is_audio, is_event = is_audio[wanted], is_event[wanted]
            fresh = fresh[wanted] if fresh is not None else None
        audio = legs[is_audio], seq[is_audio], ts[is_audio], lengths[is_audio]
        kept = table.is_ringed.take(legs) & is_audio
        if kept.any():
            is_decoded = kept & (table.kind[legs] >= DECODED)
            if is_decoded.any():
                self._decode(rows, legs, lengths, is_decoded, now)
                kept &= ~is_decoded
        if kept.any():
            self._keep(rows, legs, lengths, ts, fresh, kept, now)
        relayed = table.relay_to.take(legs) >= 0
        if not is_all_audio and is_event.any():
            self._take_events(rows, legs, lengths, is_event, relayed, now)
        if not relayed.all():
            rows, legs, lengths, is_audio = rows[relayed], legs[relayed], lengths[relayed], is_audio[relayed]
        if len(rows):
            listeners = relay.rewrite(table, headers, rows, legs, lengths, is_audio, now)
            self._ports.send_rows(rows, listeners, lengths)
        self._prediction.predict(*audio)

    def _streams_begin(self, legs: NDArray[np.int64], now: float) -> None:
        self._table.is_relay_set[legs] = False
        for row in legs.tolist():
            leg = self._by_row[row]
            if leg is None:
                continue
            self._engine.pass_on(leg, self._engine.digits.renew(leg, now))
            self._engine.coding.stream_begins(row)
            self._ports.tell_ssrc(row, int(self._receiver.ssrc[row]))
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

    def _take_noise(
        self, rows: NDArray[np.int64], legs: NDArray[np.int64], lengths: NDArray[np.int64], now: float
    ) -> None:
        """Comfort noise packets: passed on to a listener who understands them, heard where the leg is mixed."""
        table, headers = self._table, self._ports.headers
        passed = table.relay_to[legs] >= 0
        for k, row in enumerate(legs.tolist()):
            at = int(rows[k])
            if table.is_ringed[row]:
                payload = bytes(self._ports.rows[at][HEADER_BYTES : int(lengths[k])])
                seq = int(headers["seq"][at])
                if table.kind[row] >= DECODED:  # the desk counts what it hands out by itself
                    self._engine.coding.receive(row, seq, int(headers["ts"][at]), b"", now)
                    seq = -1
                self._engine.inputs_of(row).comfort(row, payload, seq)
            if passed[k] and table.noise_type[table.relay_to[row]] < 0:
                passed[k] = False
                relay.skip(table, row)
        if not passed.any():
            return
        rows, legs, lengths = rows[passed], legs[passed], lengths[passed]
        listeners = relay.rewrite(table, headers, rows, legs, lengths, np.zeros(len(legs), np.bool_), now)
        headers["marker_type"][rows] = table.noise_type[listeners]
        self._ports.send_rows(rows, listeners, lengths)

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
            if relayed[k] and (not leg.settings.passes_digits or self._engine.digits.is_secret(leg)):
                relayed[k] = False
                relay.skip(self._table, row)
            self._engine.pass_on(leg, pressed)
