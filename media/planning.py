"""What is heard where, carried out: chooses the paths of sessions that changed, lays out the mix, and runs it."""

from typing import TYPE_CHECKING

from media.arrays import OPAQUE, PCMA, TICK_S
from media.detectors import Detectors
from media.mixer import Listener
from media.paths import choose_paths
from media.session import SILENT, FrameSource, Leg, Paths, RoomKey, Session

if TYPE_CHECKING:
    from media.engine import Engine

_EARLY_S = 0.002
"""So much before it is due the first mixed packet after relayed ones may be sent."""


class Planner:
    """Part of the engine: all that happens to the hear-matrix between a command and the packets."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._analysis = Detectors(engine.detectors, engine.planes)
        self.mixed_rows: set[int] = set()
        self._changing: list[Leg] = []
        """Mixed legs whose next packet takes them from what they heard to what they are to hear."""
        self._waiting: set[int] = set()
        """Rows that were relayed to and whose first mixed packet is not due yet."""
        self._awaited: dict[int, int] = {}
        """Of those the ones whose speaker is still there, to go on or to fade, and his row."""
        self._read: set[int] = set()
        """Rows whose audio the tick reads."""
        self._is_mix_stale = False
        """A leg that took part in the mix is gone; its row must not be used before the mix is built anew."""

    def run(self, now: float) -> None:
        """Once a tick: everybody is heard, whoever is sent a packet gets it."""
        engine = self._engine
        if self._waiting:
            self._wait_no_longer(now)
        if self.mixed_rows or self._analysis.is_busy:
            engine.planes.read(engine.clock, self._waiting)
            self._analysis.run(now)
        if self.mixed_rows:
            engine.mixer.run(self._waiting)
            engine.sender.send(engine.mixer.payload, now, engine.digits, self._waiting)
            if len(engine.mixer.wide_rows) or len(engine.mixer.linear_rows):
                self._encode(now)
        if self._changing:
            self._settle_changes()

    def _wait_no_longer(self, now: float) -> None:
        """A leg that was relayed to is sent its first mixed packet when there is something of the speaker it heard, who
        goes on in it or fades, but no packet later than it is due; without him when it is due."""
        table, clock = self._engine.table, self._engine.clock
        for row in list(self._waiting):
            waited_s = now - float(table.sent_at[row])
            lasts_s = table.packet_ticks(row) / (100 * int(table.step[row]))
            speaker = self._awaited.get(row, -1)
            if speaker < 0:
                is_due = waited_s >= lasts_s - _EARLY_S
            else:
                # What the codec desk decodes is there a poll later.
                patience_s = TICK_S if table.kind[speaker] <= PCMA else 2 * TICK_S
                is_due = self._engine.inputs_of(speaker).is_ready(speaker, clock)
                is_due |= waited_s >= lasts_s + patience_s - _EARLY_S
            if is_due:
                self._go_on(row)

    def _go_on(self, row: int) -> None:
        self._waiting.discard(row)
        self._awaited.pop(row, None)

    def _settle_changes(self) -> None:
        """The legs that were sent the packet of their change hear what they are to hear."""
        later = []
        for leg in self._changing:
            if leg.row in self._waiting:
                later.append(leg)
                continue
            leg.sounding = leg.wanted
            session = self._engine.sessions.get(leg.session)
            if session is not None and leg.row in session.paths.passing:
                self._engine.changed.add(leg.session)
        self._changing = later

    def plan(self, now: float) -> None:
        """Works out the paths of all sessions that changed."""
        self._engine.coding.send_made(now)
        busy = self._engine.digits.senders.keys() | self._engine.digits.tone_senders.keys()
        is_mix_changed, self._is_mix_stale = self._is_mix_stale, False
        is_mix_changed |= self._analysis.is_stale
        changed, sources = list(self._engine.changed), self._sources()
        self._engine.changed.clear()
        for name in changed:
            session = self._engine.sessions.get(name)
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
        return {**self._engine.players.by_row, **self._engine.digits.tone_senders}

    def _apply_paths(self, session: Session, before: Paths, now: float) -> None:
        engine, table, paths = self._engine, self._engine.table, session.paths
        relayed_before = {listener: speaker for speaker, listener in before.relays.items()}
        mixed_before = {leg.row for leg in before.mixed}
        analysed = self._analysis.rows_of(session)
        for leg in paths.mixed:
            speaker = relayed_before.get(leg.row, -1)
            if speaker >= 0:
                self._waiting.add(leg.row)
                if any(row == speaker for row, _ in leg.sounding.speakers):
                    self._awaited[leg.row] = speaker
                engine.inputs_of(speaker).start(speaker)
        ringed = paths.ringed | analysed | engine.taps.rows_of(session)
        for leg in session.legs.values():
            row = leg.row
            engine.prediction.forget(row)
            listener = paths.relays.get(row, -1)
            if table.relay_to[row] != listener:
                table.relay_to[row] = listener
                table.is_relay_set[row] = False
                if listener in mixed_before:
                    self._hand_over(row, listener, now, is_still_read=row in paths.ringed or row in analysed)
                self._go_on(listener)
            is_ringed = row in ringed and table.kind[row] != OPAQUE
            if table.is_ringed[row] and not is_ringed:
                engine.ring_of(row).stop(row)
            if is_ringed and not table.is_ringed[row]:
                engine.coding.stream_begins(row)
            table.is_ringed[row] = is_ringed

    def _hand_over(self, speaker: int, listener: int, now: float, *, is_still_read: bool) -> None:
        """The listener goes from the mix to the relay path: what waits of the speaker goes out first."""
        engine = self._engine
        audio = engine.inputs_of(speaker).drain(speaker, engine.clock, is_still_read=is_still_read)
        if engine.table.kind[listener] <= PCMA:
            engine.sender.send_at_once(listener, audio, now)
        else:
            engine.coding.send_at_once(listener, audio, now)

    def _build_mix(self) -> None:
        engine = self._engine
        listeners: list[Listener] = []
        halls: dict[RoomKey, dict[int, float]] = {}
        self._changing = []
        for session in engine.sessions.values():
            for hall in session.halls:
                halls[hall.key] = hall.speakers
            for leg in session.paths.mixed:
                listeners.append(Listener(leg.row, leg.wanted, leg.sounding))
                if leg.sounding != leg.wanted or leg.row in session.paths.passing:
                    self._changing.append(leg)
        engine.mixer.build(listeners, halls, self._may_fade, self._analysis.rows)
        for row in engine.planes.rows - self._read:
            engine.inputs_of(row).start(row)
        self._read = engine.planes.rows
        engine.sender.build(engine.mixer.rows, set(engine.digits.senders))
        self._analysis.locate()
        self.mixed_rows = {each.row for each in listeners}
        for row in self._waiting - self.mixed_rows:
            self._go_on(row)
        engine.coding.keep(self.mixed_rows)

    def _may_fade(self, room: RoomKey) -> set[int]:
        """Rows that can be faded out of a room: still there, and not secret."""
        session = self._engine.sessions.get(room[0])
        return {leg.row for leg in session.legs.values() if not leg.is_secure} if session is not None else set()

    def forget_speaker(self, session: Session, row: int) -> None:
        """Nothing of what the row says may sound any more, not even while it fades."""
        for leg in session.legs.values():
            leg.sounding = leg.sounding.without(row)
        session.apply_edges()
        self._engine.changed.add(session.id)
        self._is_mix_stale |= bool(session.paths.mixed)

    def release(self, session: Session, leg: Leg) -> None:
        """The leg is gone."""
        leg.sounding = leg.wanted = SILENT
        self._go_on(leg.row)
        self._awaited = {row: speaker for row, speaker in self._awaited.items() if speaker != leg.row}
        self._is_mix_stale |= self._analysis.forget(leg)
        self.forget_speaker(session, leg.row)

    def settle(self, now: float) -> None:
        """A row is about to become another leg's: nothing may still mean the old one."""
        if self._is_mix_stale:
            self.plan(now)

    def _encode(self, now: float) -> None:
        with_events = self._engine.digits.senders.keys() & set(
            self._engine.mixer.wide_rows.tolist() + self._engine.mixer.linear_rows.tolist()
        )
        for row in with_events:
            self._engine.sender.send_event(row, now, self._engine.digits)
        self._engine.coding.encode(self._engine.mixer, self._waiting | with_events, now)
