"""The engine of a media worker: what comes in goes to the legs that hear it, in batches.

No clock, no loop of its own: `poll(now)` takes what the sockets have, `tick(now)` is called every 20 ms while
`is_active`, `apply(command, now)` does what the switch says. Events leave through `emit`.
"""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media import relay
from media.arrays import CHUNK, FRAME, LegTable
from media.commands import Commands
from media.dtmf import DigitDesk
from media.learning import Verdict
from media.mixer import Listener, Mixer
from media.output import FrameSender
from media.paths import choose_paths
from media.playout import Players, Prompts
from media.reports import Reports
from media.session import Leg, Session
from media.taps import TURNS, Taps, Writer
from model.media import Command, Event, FirstPacket, Inactivity, LegReleased, LegStatistics
from rtp.events import Pressed
from rtp.header import HEADER_BYTES, MAX_PACKET, PLAIN, strip_options
from rtp.net.leg_ports import LegPorts
from rtp.receiver import ReceiverTable
from rtp.ring import JitterRing

log = logging.getLogger(__name__)

MAX_ROUNDS = 16
"""Packets taken of one leg in one poll."""
MAX_STRANGERS = 32
"""Packets taken of one leg's open socket in one poll: more is a flood, and waits."""


class Engine:
    """Legs, sessions and the arrays they live in."""

    def __init__(
        self,
        ports: LegPorts,
        emit: Callable[[Event], None],
        *,
        prompts: Prompts,
        writer: Writer,
        cname: str,
        wall: Callable[[], float],
    ) -> None:
        n = len(ports.ports)
        self.ports = ports
        self.emit = emit
        self.table = LegTable(n)
        self.receiver = ReceiverTable(n)
        self.ring = JitterRing(n)
        self.sessions: dict[str, Session] = {}
        self.by_row: list[Leg | None] = [None] * n
        self.n_legs = 0
        self.clock = 0
        """Chunk of the jitter ring that the next tick plays."""
        self.changed: set[str] = set()
        """Sessions whose paths must be worked out anew before the next packet."""
        self.digits = DigitDesk(self.table, emit, self.changed.add)
        self.players = Players(prompts, emit, self.changed.add)
        self.mixer = Mixer(self.table, self.ring)
        self.sender = FrameSender(self.table, ports)
        self.taps = Taps(self.table, self.ring, writer)
        self.reports = Reports(self.table, self.receiver, ports, cname, wall)
        self._commands = Commands(self)
        self._mixed_rows: set[int] = set()

    def apply(self, command: Command, now: float) -> None:
        """Does what the switch says; heard from the next packet or tick on."""
        self._commands.apply(command, now)

    @property
    def is_active(self) -> bool:
        """Legs are there: `poll` and `tick` must be called."""
        return self.n_legs > 0

    # -- packets ------------------------------------------------------------------------------------------------------

    def poll(self, now: float) -> None:
        """Takes everything that has arrived, and forwards what is relayed."""
        if self.changed:
            self.plan()
        ports = self.ports
        for _ in range(MAX_ROUNDS):
            n = ports.poll()
            if n:
                self._take(n, now)
            if ports.strangers:
                self._take_strangers(list(ports.strangers), now)
            for row in list(ports.reports):
                leg = self.by_row[row]
                if leg is not None:
                    self.reports.take(leg, now)
            if not n:
                return

    def _take(self, n: int, now: float) -> None:
        headers = self.ports.headers
        legs, lengths = self.ports.legs[:n], self.ports.lengths[:n]
        rows = np.arange(n)
        odd = (headers["flags"][:n] != PLAIN) | (lengths < HEADER_BYTES) | (lengths >= MAX_PACKET)
        odd |= (headers["marker_type"][:n] >= 192) & (headers["marker_type"][:n] <= 223)
        if odd.any():
            for k in np.flatnonzero(odd).tolist():
                length = int(lengths[k])
                lengths[k] = 0 if length >= MAX_PACKET else strip_options(self.ports.rows[k], length)
                if not lengths[k]:
                    self.table.rejected[legs[k]] += 1
            rows = np.flatnonzero(lengths)
            legs, lengths = legs[rows], lengths[rows]
        if len(rows):
            self._receive(rows, legs, lengths, now)

    def _take_strangers(self, rows: list[int], now: float) -> None:
        """Packets that did not come from a leg's connected peer: judged one by one, at most one of each leg a batch."""
        ports, headers = self.ports, self.ports.headers
        for _ in range(MAX_STRANGERS):
            n = 0
            waiting = []
            for row in rows:
                if n == ports.batch:
                    waiting.append(row)
                    continue
                read = ports.read_stranger(row, n)
                if read is None:
                    continue
                waiting.append(row)
                length, address = read
                length = 0 if length >= MAX_PACKET else strip_options(ports.rows[n], length)
                leg = self.by_row[row]
                if leg is None or not length:
                    self.table.rejected[row] += 1
                    continue
                verdict = self._judge(leg, address, int(headers["ssrc"][n]), int(headers["seq"][n]))
                if verdict is Verdict.REJECT:
                    self.table.rejected[row] += 1
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
        received = self.receiver
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
            self.ports.connect(leg.row, leg.guard.source, leg.guard.destination)
        except OSError as error:
            log.warning("%s %s: cannot reach %s: %s", leg.session, leg.id, leg.guard.source, error)
            return
        self.reports.redirect(leg)
        log.info(
            "%s %s: RTP comes from %s, ours goes to %s", leg.session, leg.id, leg.guard.source, leg.guard.destination
        )

    def _receive(
        self, rows: NDArray[np.int64], legs: NDArray[np.int64], lengths: NDArray[np.int64], now: float
    ) -> None:
        """Counts, keeps and forwards the packets in arena rows `rows`: all RTP, accepted, each leg once."""
        table, headers = self.table, self.ports.headers
        h = headers[rows]
        types = h["marker_type"] & 0x7F
        is_audio = types == table.audio_type[legs]
        is_event = types == table.event_type[legs]
        ts = h["ts"].astype(np.uint32)
        valid, fresh = self.receiver.update(
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
            self._keep(rows, legs, lengths, ts, fresh, kept)
        relayed = table.relay_to[legs] >= 0
        if is_event.any():
            self._take_events(rows, legs, lengths, is_event, relayed, now)
        if not relayed.all():
            rows, legs, lengths, is_audio = rows[relayed], legs[relayed], lengths[relayed], is_audio[relayed]
        if len(rows):
            listeners = relay.rewrite(table, headers, rows, legs, lengths, is_audio, now)
            self.ports.send_rows(rows.tolist(), listeners.tolist(), lengths.tolist())

    def _streams_begin(self, legs: NDArray[np.int64], now: float) -> None:
        self.table.is_relay_set[legs] = False
        for row in legs.tolist():
            leg = self.by_row[row]
            if leg is None:
                continue
            self.digits.reset(row)
            if leg.first_packet_s < 0:
                leg.first_packet_s = now - leg.allocated_at
                self.emit(FirstPacket(session=leg.session, leg=leg.id))

    def _keep(
        self,
        rows: NDArray[np.int64],
        legs: NDArray[np.int64],
        lengths: NDArray[np.int64],
        ts: NDArray[np.uint32],
        fresh: NDArray[np.bool_] | None,
        kept: NDArray[np.bool_],
    ) -> None:
        if not kept.all():
            rows, legs, lengths, ts = rows[kept], legs[kept], lengths[kept], ts[kept]
            fresh = fresh[kept] if fresh is not None else None
        payload = self.ports.arena[rows, HEADER_BYTES : int(lengths.max())]
        self.ring.put(legs, ts, fresh, payload, lengths - HEADER_BYTES, self.clock)

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
            row, packet = int(legs[k]), self.ports.rows[int(rows[k])]
            leg = self.by_row[row]
            if leg is None:
                continue
            if relayed[k] and self.table.event_type[self.table.relay_to[row]] < 0:
                relayed[k] = False
                relay.skip(self.table, row)
            ts = int.from_bytes(packet[4:8], "big")
            pressed = self.digits.receive(leg, bytes(packet[HEADER_BYTES : int(lengths[k])]), ts, now)
            self._pass_on(leg, pressed)

    def _pass_on(self, leg: Leg, pressed: list[Pressed]) -> None:
        """Digits to whoever hears the leg and did not get them by relay."""
        if not pressed:
            return
        for listener in self.sessions[leg.session].listeners_of(leg):
            row = listener.row
            has_relay = int(self.table.relay_to[leg.row]) == row and self.table.event_type[row] >= 0
            if has_relay or row in self.players.by_row or not listener.settings.may_send:
                continue
            for each in pressed:
                try:
                    self.digits.send(listener, each.digit, min(max(each.duration_ms, 60), 8000), 60)
                except ValueError as error:
                    log.warning("%s %s: digit not passed on: %s", listener.session, listener.id, error)

    # -- the tick -----------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """One step of 20 ms: what is mixed, played, recorded and reported."""
        if self.changed:
            self.plan()
        if self._mixed_rows:
            self.mixer.run(self.clock)
            self.sender.send(self.mixer.payload, now, self.digits)
        if self.players.by_row:
            self.players.after_tick(self._mixed_rows)
        if self.digits.is_sending:
            self.digits.forget_idle(self.by_row)
        self.clock += FRAME // CHUNK
        self.taps.clock = self.clock
        self.taps.run()
        for leg, pressed in self.digits.handle_timeout(now):
            self._pass_on(leg, pressed)
        self.reports.run(self.by_row, now)
        if (self.clock >> 1) % (TURNS // 10) == 0:
            self._look_for_silence(now)

    def _look_for_silence(self, now: float) -> None:
        table = self.table
        silent = (table.inactivity_s > 0) & table.may_receive & ~table.is_inactive
        silent &= now - table.received_at > table.inactivity_s
        for row in np.flatnonzero(silent).tolist():
            leg = self.by_row[row]
            table.is_inactive[row] = True
            if leg is not None:
                silent_s = now - float(table.received_at[row])
                self.emit(Inactivity(session=leg.session, leg=leg.id, silent_s=round(silent_s, 3)))

    def plan(self) -> None:
        """Works out the paths of all sessions that changed."""
        playing = self.players.by_row.keys() | self.digits.senders.keys() | self.digits.tone_senders.keys()
        is_mix_changed = False
        for name in self.changed:
            session = self.sessions.get(name)
            if session is None:
                continue
            before = session.paths
            session.paths = choose_paths(session, set(playing))
            is_mix_changed |= bool(before.mixed or session.paths.mixed)
            self._apply_paths(session)
        self.changed.clear()
        if is_mix_changed:
            self._build_mix()

    def _apply_paths(self, session: Session) -> None:
        table = self.table
        ringed = session.paths.ringed | self.taps.rows_of(session)
        for leg in session.legs.values():
            row = leg.row
            listener = session.paths.relays.get(row, -1)
            if table.relay_to[row] != listener:
                table.relay_to[row] = listener
                table.is_relay_set[row] = False
            if table.is_ringed[row] and row not in ringed:
                self.ring.stop(row)
            table.is_ringed[row] = row in ringed

    def _build_mix(self) -> None:
        listeners, samples = [], {}
        for session in self.sessions.values():
            for leg in session.paths.mixed:
                row = leg.row
                source = self.digits.tone_senders.get(row) or self.players.by_row.get(row)
                speakers = [] if source is not None else [(speaker.row, gain) for speaker, gain in leg.hears]
                listeners.append(Listener(row, speakers, source))
                if leg.settings.ptime_ms != 20:
                    samples[row] = leg.settings.ptime_ms * 8
        self.mixer.build(listeners)
        self.sender.build(self.mixer.rows, samples, set(self.digits.senders))
        self._mixed_rows = set(self.mixer.rows.tolist())

    # -- the end ------------------------------------------------------------------------------------------------------

    def release(self, leg: Leg, now: float, *, quietly: bool = False) -> None:
        """Frees the leg's row and port; `quietly`: it never really was."""
        session, row, table = self.sessions[leg.session], leg.row, self.table
        if leg.row in self.players.by_row:
            self.players.stop(leg, "", "released")
        self.taps.flush_leg(leg)
        statistics = self.statistics(leg)
        self.reports.remove(leg, now)
        self.ports.close(row)
        self.digits.release(row)
        del session.legs[leg.id]
        self.by_row[row] = None
        self.n_legs -= 1
        table.relay_to[table.relay_to == row] = -1
        table.reset(row)
        session.apply_edges()
        # Before anything else happens: the row may be another leg's with the very next command.
        self.changed.add(session.id)
        self.plan()
        if not session.legs:
            self.taps.stop_session(session)
            del self.sessions[session.id]
        if not quietly:
            self.emit(LegReleased(session=leg.session, leg=leg.id, statistics=statistics))

    def finish_session(self, session: Session, now: float) -> None:
        """Ends its recordings with all that came, then its legs."""
        self.taps.stop_session(session)
        for leg in list(session.legs.values()):
            self.release(leg, now)

    def statistics(self, leg: Leg) -> LegStatistics:
        """What went over the leg so far."""
        row, received, table = leg.row, self.receiver, self.table
        source = leg.guard.source
        has_received = received.packets[row] > 0
        return LegStatistics(
            packets_received=int(received.packets[row]),
            packets_sent=int(table.packets_sent[row]),
            bytes_received=int(received.bytes[row]),
            bytes_sent=int(table.bytes_sent[row]),
            packets_lost=received.lost(row),
            packets_late=int(self.ring.late[row]),
            packets_duplicate=int(received.duplicates[row]),
            packets_rejected=int(table.rejected[row]),
            jitter_ms=round(float(received.jitter[row]) / 8, 3),
            max_jitter_ms=round(float(received.max_jitter[row]) / 8, 3),
            round_trip_ms=round(self.reports.round_trip_ms(leg), 3),
            remote_lost_fraction=self.reports.remote_lost_fraction(leg),
            first_packet_s=round(leg.first_packet_s, 4) if leg.first_packet_s >= 0 else -1.0,
            codec=leg.settings.codec,
            remote=_address_text(source) if has_received and source is not None else "",
        )


def _address_text(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
