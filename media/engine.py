"""The engine of a media worker: what comes in goes to the legs that hear it, in batches.

No clock, no loop of its own: `poll(now)` takes what the sockets have, `tick(now)` is called every 20 ms while
`is_active`, `apply(command, now)` does what the switch says. Events leave through `emit`.
"""

import logging
from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from media.arrays import CHUNK, FRAME, OPAQUE, PCMA, LegTable
from media.codecs.desk import CodecDesk
from media.coding import Coding
from media.commands import Commands
from media.detectors import Detector, Detectors
from media.dtmf import DigitDesk, InbandListener
from media.intake import Intake
from media.mixer import Listener, Mixer
from media.output import FrameSender
from media.paths import choose_paths
from media.planes import Input, Planes, RingInput
from media.playout import Players, Prompts
from media.reports import Reports
from media.session import SILENT, FrameSource, Leg, Paths, RoomKey, Session
from media.takeover import Takeover
from media.taps import TURNS, Taps, Writer
from model.media import Command, Event, Inactivity, LegReleased, LegStatistics
from rtp.events import Pressed
from rtp.net.leg_ports import LegPorts
from rtp.receiver import ReceiverTable
from rtp.ring import JitterRing

log = logging.getLogger(__name__)

_EARLY_S = 0.002
"""So much before it is due the first mixed packet after relayed ones may be sent."""


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
        codec_threads: int | None = None,
        memory_fd: int = -1,
    ) -> None:
        n = len(ports.ports)
        self.ports = ports
        self.emit = emit
        self.table = LegTable(n)
        self.receiver = ReceiverTable(n)
        self.takeover = Takeover(self, memory_fd, wall)
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
        self.wide_ring = JitterRing(n, 160, np.int16)
        """What the codec desk decoded, at 16 kHz."""
        self.inputs = RingInput(self.table, self.ring)
        self.wide_inputs = RingInput(self.table, self.wide_ring)
        self.planes = Planes(self.table, self.inputs, self.wide_inputs)
        self.mixer = Mixer(self.table, self.planes)
        self.detectors: list[Detector] = [InbandListener(self)]
        """What listens to legs: analysis, in-band digits."""
        self.sender = FrameSender(self.table, ports)
        self.coding = Coding(self.table, CodecDesk(codec_threads), self.wide_ring, self.sender.send_encoded)
        self.taps = Taps(self.table, self.ring, writer)
        self.reports = Reports(self.table, self.receiver, ports, cname, wall)
        self._commands = Commands(self)
        self._intake = Intake(self)
        self._analysis = Detectors(self.detectors, self.planes)
        self._mixed_rows: set[int] = set()
        self._changing: list[Leg] = []
        """Mixed legs whose next packet takes them from what they heard to what they are to hear."""
        self._waiting: set[int] = set()
        """Rows that were relayed to and whose first mixed packet is not due yet."""
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
            self.plan(now)
        self._intake.poll(now)
        self.coding.poll(self.clock, now)

    def pass_on(self, leg: Leg, pressed: list[Pressed], *, is_inband: bool = False) -> None:
        """Digits to whoever hears the leg and did not get them by relay."""
        if not pressed:
            return
        for listener in self.sessions[leg.session].listeners_of(leg):
            row = listener.row
            has_relay = int(self.table.relay_to[leg.row]) == row and (is_inband or self.table.event_type[row] >= 0)
            if has_relay or row in self.players.by_row or not listener.settings.may_send:
                continue
            for each in pressed:
                try:
                    self.digits.send(listener, each.digit, min(max(each.duration_ms, 60), 8000), 60)
                except ValueError as error:
                    log.warning("%s %s: digit not passed on: %s", listener.session, listener.id, error)

    def ring_of(self, row: int) -> JitterRing:
        """The ring that keeps the leg's audio."""
        return self.ring if self.table.kind[row] <= PCMA else self.wide_ring

    def input_of(self, row: int) -> Input:
        return self.inputs if self.table.kind[row] <= PCMA else self.wide_inputs

    # -- the tick -----------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """One step of 20 ms: what is mixed, played, recorded and reported."""
        if self.changed:
            self.plan(now)
        if self._waiting:
            self._wait_no_longer(now)
        if self._mixed_rows or self._analysis.is_busy:
            self.planes.read(self.clock, self._waiting)
            self._analysis.run(now)
        if self._mixed_rows:
            self.mixer.run(self._waiting)
            self.sender.send(self.mixer.payload, now, self.digits, self._waiting)
            if len(self.mixer.wide_rows) or len(self.mixer.linear_rows):
                self._encode(now)
        if self._changing:
            self._settle_changes()
        if self.players.by_row:
            self.players.after_tick(self._mixed_rows)
        if self.digits.is_sending:
            self.digits.forget_idle(self.by_row)
        self.takeover.note_digits(self.digits.notes())
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

    def _encode(self, now: float) -> None:
        with_events = self.digits.senders.keys() & set(self.mixer.wide_rows.tolist() + self.mixer.linear_rows.tolist())
        for row in with_events:
            self.sender.send_event(row, now, self.digits)
        self.coding.encode(self.mixer, self._waiting | with_events, now)

    def _wait_no_longer(self, now: float) -> None:
        """A leg that was relayed to gets its first mixed packet when that is due, not when the tick comes: by then the
        speaker's next packet is there."""
        table = self.table
        for row in list(self._waiting):
            lasts_s = table.packet_ticks(row) / (100 * int(table.step[row])) - _EARLY_S
            if now - table.sent_at[row] >= lasts_s:
                self._waiting.discard(row)

    def _settle_changes(self) -> None:
        """The legs that were sent the packet of their change hear what they are to hear."""
        later = []
        for leg in self._changing:
            if leg.row in self._waiting:
                later.append(leg)
                continue
            leg.sounding = leg.wanted
            session = self.sessions.get(leg.session)
            if session is not None and leg.row in session.paths.passing:
                self.changed.add(leg.session)
        self._changing = later

    def plan(self, now: float) -> None:
        """Works out the paths of all sessions that changed."""
        busy = self.digits.senders.keys() | self.digits.tone_senders.keys()
        is_mix_changed, self._is_mix_stale = self._is_mix_stale, False
        is_mix_changed |= self._analysis.is_stale
        changed, sources = list(self.changed), self._sources()
        self.changed.clear()
        for name in changed:
            session = self.sessions.get(name)
            if session is None:
                continue
            before = session.paths
            session.paths = choose_paths(session, sources, busy)
            is_mix_changed |= bool(before.mixed or session.paths.mixed)
            is_mix_changed |= self._analysis.update(session)
            self._apply_paths(session, before, now)
        if is_mix_changed:
            self._build_mix()

    def _sources(self) -> dict[int, FrameSource]:
        return {**self.players.by_row, **self.digits.tone_senders}

    def _apply_paths(self, session: Session, before: Paths, now: float) -> None:
        table, paths = self.table, session.paths
        came_from = {listener: speaker for speaker, listener in before.relays.items()}
        mixed_before = {leg.row for leg in before.mixed}
        for leg in paths.mixed:
            if leg.row in came_from:
                self._waiting.add(leg.row)
                self.input_of(came_from[leg.row]).start(came_from[leg.row])
        ringed = paths.ringed | self.taps.rows_of(session) | self._analysis.rows_of(session)
        for leg in session.legs.values():
            row = leg.row
            listener = paths.relays.get(row, -1)
            if table.relay_to[row] != listener:
                table.relay_to[row] = listener
                table.is_relay_set[row] = False
                if listener in mixed_before:
                    self._hand_over(row, listener, now)
                self._waiting.discard(listener)
            is_ringed = row in ringed and table.kind[row] != OPAQUE
            if table.is_ringed[row] and not is_ringed:
                self.ring_of(row).stop(row)
            table.is_ringed[row] = is_ringed

    def _hand_over(self, speaker: int, listener: int, now: float) -> None:
        """The listener goes from the mix to the relay path: what waits of the speaker goes out first."""
        if self.table.kind[listener] <= PCMA:
            codes = cast("NDArray[np.uint8]", self.inputs.drain(speaker, self.clock))
            self.sender.send_at_once(listener, codes, now)

    def _build_mix(self) -> None:
        listeners: list[Listener] = []
        halls: dict[RoomKey, list[int]] = {}
        self._changing = []
        for session in self.sessions.values():
            for hall in session.halls:
                halls[hall.key] = hall.speakers
            for leg in session.paths.mixed:
                listeners.append(Listener(leg.row, leg.wanted, leg.sounding))
                if leg.sounding != leg.wanted or leg.row in session.paths.passing:
                    self._changing.append(leg)
        self.mixer.build(listeners, halls, self._may_fade, self._analysis.rows)
        self.sender.build(self.mixer.rows, set(self.digits.senders))
        self._analysis.locate()
        self._mixed_rows = {each.row for each in listeners}
        self._waiting &= self._mixed_rows

    def _may_fade(self, room: RoomKey) -> set[int]:
        """Rows that can be faded out of a room: still there, and not secret."""
        session = self.sessions.get(room[0])
        return {leg.row for leg in session.legs.values() if not leg.is_secure} if session is not None else set()

    def forget_speaker(self, session: Session, row: int) -> None:
        """Nothing of what the row says may sound any more, not even while it fades."""
        for leg in session.legs.values():
            leg.sounding = leg.sounding.without(row)
        session.apply_edges()
        self.changed.add(session.id)
        self._is_mix_stale |= bool(session.paths.mixed)

    def settle(self, now: float) -> None:
        """A row is about to become another leg's: nothing may still mean the old one."""
        if self._is_mix_stale:
            self.plan(now)

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
        self.sender.forget(row)
        self.coding.release(row)
        self.mixer.limiter.reset(row)
        del session.legs[leg.id]
        leg.hears = []  # legs that hear each other hold each other: the worker runs without garbage collection
        leg.sounding = leg.wanted = SILENT
        self.by_row[row] = None
        self.takeover.forget(row)
        self.n_legs -= 1
        table.relay_to[table.relay_to == row] = -1
        table.reset(row)
        self._waiting.discard(row)
        self._is_mix_stale |= self._analysis.forget(leg)
        self.forget_speaker(session, row)
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

    def close(self) -> None:
        """Ends what runs beside the engine; sessions are finished before. TimeoutError when it does not end."""
        self.coding.close()

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
            packets_late=int(self.ring_of(row).late[row]),
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
