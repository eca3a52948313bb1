"""The engine of a media worker: what comes in goes to the legs that hear it, in batches.

No clock, no loop of its own: `poll(now)` takes what the sockets have, `tick(now)` is called every 20 ms while
`is_active`, `apply(command, now)` does what the switch says. Events leave through `emit`.
"""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media.analysis import AnswerDetector, SpeechDetector
from media.arrays import CHUNK, FRAME, PCMA, TICK_S, LegTable
from media.codecs.desk import CodecDesk
from media.coding import Coding
from media.commands import Commands
from media.detectors import Detector
from media.dtmf import DigitDesk, InbandListener
from media.inputs import Inputs
from media.intake import MAX_ROUNDS, Intake
from media.line_watch import LineWatch
from media.mixer import Mixer
from media.output import FrameSender
from media.planes import Planes
from media.planning import Planner
from media.playout import Players, Prompts
from media.prediction import HeaderPrediction
from media.reports import Reports
from media.session import Leg, Session
from media.takeover import Takeover
from media.taps import TURNS, Taps, Writer
from media.tone_detector import ToneListener
from model.media import Command, Event, Inactivity, LegReleased, LegStatistics
from rtp.events import Pressed
from rtp.net.ports import Ports
from rtp.receiver import ReceiverTable
from rtp.ring import JitterRing

log = logging.getLogger(__name__)


class Engine:
    """Legs, sessions and the arrays they live in."""

    def __init__(
        self,
        ports: Ports,
        emit: Callable[[Event], None],
        *,
        prompts: Prompts,
        writer: Writer,
        cname: str,
        wall: Callable[[], float],
        codec_threads: int | None = None,
        memory_fd: int = -1,
    ) -> None:
        n = ports.capacity
        self.ports = ports
        self.emit = emit
        self.table = LegTable(n)
        self.receiver = ReceiverTable(n)
        self.ring = JitterRing(n)
        self.inputs = Inputs(self.table, self.ring, self._jitter_s)
        self.prediction = HeaderPrediction(self.table, self.receiver, self.inputs)
        self.takeover = Takeover(self, memory_fd, wall)
        self.sessions: dict[str, Session] = {}
        self.by_row: list[Leg | None] = [None] * n
        self.n_legs = 0
        self.clock = 0
        """Chunk of the jitter ring that the next tick plays."""
        self.next_tick = 0.0
        """When that is due, monotonic seconds."""
        self.changed: set[str] = set()
        """Sessions whose paths must be worked out anew before the next packet."""
        self.digits = DigitDesk(self.table, emit, self.changed.add)
        self.players = Players(prompts, emit, self.changed.add)
        self.wide_ring = JitterRing(n, 160, np.int16)
        """What the codec desk decoded, at 16 kHz."""
        self.wide_inputs = Inputs(self.table, self.wide_ring, self._jitter_s)
        self.planes = Planes(self.table, self.inputs, self.wide_inputs)
        self.mixer = Mixer(self.table, self.planes)
        self.answers = AnswerDetector(self.by_row, emit, self.changed.add)
        self.detectors: list[Detector] = [
            InbandListener(self),
            ToneListener(self.by_row, emit),
            SpeechDetector(self.by_row, emit),
            self.answers,
        ]
        """What listens to legs: analysis, in-band digits."""
        self.sender = FrameSender(self.table, ports)
        self.coding = Coding(self.table, CodecDesk(codec_threads), self.wide_inputs, self.sender.send_encoded)
        self.taps = Taps(self.table, self.ring, self.wide_ring, writer)
        self.reports = Reports(self.table, self.receiver, ports, cname, wall, self.coding.expect_loss)
        self.lines = LineWatch(self.table, self.receiver, self.ring, self.wide_ring, emit)
        self._commands = Commands(self)
        self._intake = Intake(self)
        self.planner = Planner(self)

    def apply(self, command: Command, now: float) -> None:
        """Does what the switch says; heard from the next packet or tick on."""
        self.prediction.settle()
        self._commands.apply(command, now)

    @property
    def is_active(self) -> bool:
        """Legs are there: `poll` and `tick` must be called."""
        return self.n_legs > 0

    def poll(self, now: float, rounds: int = MAX_ROUNDS) -> None:
        """Takes what has arrived (of each leg on its own port up to `rounds` packets), and forwards what is relayed."""
        if self.changed:
            self.prediction.settle()
            self.planner.plan(now)
        if self.takeover.backlog:
            self._intake.take_backlog(self.takeover.take_backlog(), now)
        self._intake.poll(now, rounds)
        self.coding.poll(self.clock, now, max(0.0, self.next_tick - now))

    @property
    def n_strangers(self) -> int:
        """Packets to shared ports that were nobody's."""
        return self._intake.n_strangers

    def pass_on(self, leg: Leg, pressed: list[Pressed], *, is_inband: bool = False) -> None:
        """Digits to whoever hears the leg and did not get them by relay."""
        if not pressed or not leg.settings.passes_digits:
            return
        for listener in self.sessions[leg.session].listeners_of(leg):
            row = listener.row
            has_relay = int(self.table.relay_to[leg.row]) == row and (is_inband or self.table.event_type[row] >= 0)
            settings = listener.settings
            if has_relay or row in self.players.by_row or not (settings.may_send and settings.takes_digits):
                continue
            for each in pressed:
                try:
                    self.digits.send(listener, each.digit, min(max(each.duration_ms, 60), 8000), 60)
                except ValueError as error:
                    log.warning("%s %s: digit not passed on: %s", listener.session, listener.id, error)

    def ring_of(self, row: int) -> JitterRing:
        """The ring that keeps the leg's audio."""
        return self.ring if self.table.kind[row] <= PCMA else self.wide_ring

    def inputs_of(self, row: int) -> Inputs:
        """Where the tick reads the leg."""
        return self.inputs if self.table.kind[row] <= PCMA else self.wide_inputs

    def _jitter_s(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.receiver.jitter[rows] / (100 * self.table.step[rows])

    # -- the tick -----------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """One step of 20 ms: what is mixed, played, recorded and reported."""
        self.prediction.settle()
        if self.changed:
            self.planner.plan(now)
        self.inputs.run(self.clock)
        self.wide_inputs.run(self.clock)
        self.planner.run(now)
        if self.players.by_row:
            self.players.after_tick(self.planner.mixed_rows)
        if self.digits.is_sending:
            self.digits.forget_idle(self.by_row)
        self.takeover.note_digits(self.digits.notes())
        self.clock += FRAME // CHUNK
        self.next_tick = now + TICK_S
        self.taps.clock = self.clock
        self.taps.run()
        self.lines.run(self.by_row, self.sessions, self.clock, now)
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

    # -- the end ------------------------------------------------------------------------------------------------------

    def release(self, leg: Leg, now: float, *, quietly: bool = False) -> None:
        """Frees the leg's row and port; `quietly`: it never really was."""
        session, row, table = self.sessions[leg.session], leg.row, self.table
        self.prediction.settle()
        self.prediction.forget([leg.row, *np.flatnonzero(table.relay_to == row).tolist()])
        if leg.row in self.players.by_row:
            self.players.stop(leg, "", "released")
        self.taps.release_leg(leg)
        statistics = self.statistics(leg)
        self.reports.remove(leg, now)
        self.lines.remove(leg)
        self.answers.release(row)
        self.ports.close(row)
        self.digits.release(row)
        self.sender.forget(row)
        self.coding.release(row)
        self.mixer.limiter.reset(row)
        del session.legs[leg.id]
        leg.hears = []  # legs that hear each other hold each other: the worker runs without garbage collection
        self.by_row[row] = None
        self.takeover.forget(row)
        self.n_legs -= 1
        table.relay_to[table.relay_to == row] = -1
        table.reset(row)
        self.planner.release(session, leg)
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
        self.prediction.settle()
        row, received, table = leg.row, self.receiver, self.table
        source, ticks = leg.guard.source, int(table.step[row])
        has_received = received.packets[row] > 0
        return LegStatistics(
            packets_received=int(received.packets[row]),
            packets_sent=int(table.packets_sent[row]),
            bytes_received=int(received.bytes[row]),
            bytes_sent=int(table.bytes_sent[row]),
            packets_lost=received.lost(row),
            packets_late=int(self.ring_of(row).late[row]) + self.coding.late(row),
            packets_duplicate=int(received.duplicates[row]),
            packets_rejected=int(table.rejected[row]),
            jitter_ms=round(float(received.jitter[row]) * 10 / ticks, 3),
            max_jitter_ms=round(float(received.max_jitter[row]) * 10 / ticks, 3),
            concealed_ms=round((self.inputs_of(row).concealed_s(row) + self.coding.concealed_s(row)) * 1000, 1),
            round_trip_ms=round(self.reports.round_trip_ms(leg), 3),
            remote_lost_fraction=self.reports.remote_lost_fraction(leg),
            mos=self.lines.mos(leg, self.reports.round_trip_ms(leg)),
            speech_s=self.lines.speech_s(leg),
            first_packet_s=round(leg.first_packet_s, 4) if leg.first_packet_s >= 0 else -1.0,
            codec=leg.settings.codec,
            remote=_address_text(source) if has_received and source is not None else "",
        )


def _address_text(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
