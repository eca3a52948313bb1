"""The engine of a media worker: what comes in goes to the legs that hear it, in batches.

No clock, no loop of its own: `poll(now)` takes what the sockets have, `tick(now)` is called every 20 ms while
`is_active`, `apply(command, now)` does what the switch says. Events leave through `emit`.
"""

import logging
from collections.abc import Callable

import numpy as np

from media.arrays import CHUNK, FRAME, LegTable
from media.commands import Commands
from media.dtmf import DigitDesk
from media.intake import Intake
from media.mixer import Listener, Mixer
from media.output import FrameSender
from media.paths import choose_paths
from media.playout import Players, Prompts
from media.reports import Reports
from media.session import Leg, Session
from media.taps import TURNS, Taps, Writer
from model.media import Command, Event, Inactivity, LegReleased, LegStatistics
from rtp.events import Pressed
from rtp.net.leg_ports import LegPorts
from rtp.receiver import ReceiverTable
from rtp.ring import JitterRing

log = logging.getLogger(__name__)


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
        self._intake = Intake(self)
        self._mixed_rows: set[int] = set()
        self._is_mix_stale = False
        """A leg that took part in the mix is gone; its row must not be used before the mix is built anew."""

    def apply(self, command: Command, now: float) -> None:
        """Does what the switch says; heard from the next packet or tick on."""
        self._commands.apply(command, now)

    @property
    def is_active(self) -> bool:
        """Legs are there: `poll` and `tick` must be called."""
        return self.n_legs > 0

    def poll(self, now: float) -> None:
        """Takes everything that has arrived, and forwards what is relayed."""
        if self.changed:
            self.plan()
        self._intake.poll(now)

    def pass_on(self, leg: Leg, pressed: list[Pressed]) -> None:
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
            self.pass_on(leg, pressed)
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
        is_mix_changed, self._is_mix_stale = self._is_mix_stale, False
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

    def settle(self) -> None:
        """A row is about to become another leg's: nothing may still mean the old one."""
        if self._is_mix_stale:
            self.plan()

    # -- the end ------------------------------------------------------------------------------------------------------

    def release(self, leg: Leg, now: float, *, quietly: bool = False) -> None:
        """Frees the leg's row and port; `quietly`: it never really was."""
        session, row, table = self.sessions[leg.session], leg.row, self.table
        if leg.row in self.players.by_row:
            self.players.stop(leg, "", "released")
        self.taps.release_leg(leg)
        statistics = self.statistics(leg)
        self.reports.remove(leg, now)
        self.ports.close(row)
        self.digits.release(row)
        del session.legs[leg.id]
        leg.hears = []  # legs that hear each other hold each other: the worker runs without garbage collection
        self.by_row[row] = None
        self.n_legs -= 1
        table.relay_to[table.relay_to == row] = -1
        table.reset(row)
        session.apply_edges()
        self.changed.add(session.id)
        self._is_mix_stale |= bool(session.paths.mixed)
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
