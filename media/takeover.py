"""How the engine takes a session over from another worker, and describes its own so that another one can.

From a worker that died on this machine everything is exact: `media.legacy` has it. From one on another machine there is
only what its last snapshot said, and sequence numbers go on a safe step ahead of it (`media.snapshot.later`).
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from media.legacy import AddressNote, DigitsNote, Legacy, Saved
from media.session import Leg, Session
from media.snapshot import later
from model.media import (
    Adopt,
    ConfigureLeg,
    ConnectMatrix,
    LegState,
    PauseRecording,
    SecureLeg,
    SessionSnapshot,
)

if TYPE_CHECKING:
    from media.engine import Engine

LEG_COLUMNS = (
    *("out_ssrc", "out_seq", "out_ts", "out_samples", "sent_at", "packets_sent", "bytes_sent", "rejected"),
    *("relay_seq", "relay_ts", "is_relay_set"),
)

PREDICTION_COLUMNS = ("words", "pending", "arrived")
"""What was not settled yet."""
STREAM_COLUMNS = ("highest", "window", "ssrc", "first")
"""Of SRTP: without them packet indices would be used again."""


class Takeover:
    """The engine's part that outlives a worker. Made before anybody holds columns of the engine's tables."""

    def __init__(self, engine: "Engine", memory_fd: int, wall: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._wall = wall
        tables: list[tuple[object, tuple[str, ...]]] = [
            (engine.table, LEG_COLUMNS),
            (engine.receiver, tuple(vars(engine.receiver))),
            (engine.prediction, PREDICTION_COLUMNS),
        ]
        tables += [(streams, STREAM_COLUMNS) for streams in engine.ports.srtp.streams]
        self._legacy = Legacy(memory_fd, tables, (engine.table, "relay_to"))
        engine.prediction.begin()
        self._saved: dict[int, Saved] = {}
        self.backlog: list[int] = []
        """Rows of legs with ports of their own whose packets wait since their worker died."""

    # -- legs ----------------------------------------------------------------------------------------------------------

    def find(self, session: str, leg: str) -> int:
        """The row that an earlier worker had the leg on; -1 = none."""
        return self._legacy.find(session, leg)

    def claim(self, row: int, session: str, leg: str) -> bool:
        """The row becomes this leg's; before columns are reset. True: an earlier worker had it, its packets wait."""
        saved = self._legacy.claim(row, session, leg)
        if saved is None:
            return False
        self._saved[row] = saved
        return True

    def go_on(self, leg: Leg) -> None:
        """Columns and addresses as they were: once the leg is configured, before its sockets are connected."""
        saved = self._saved.pop(leg.row, None)
        if saved is None:
            return
        engine, row = self._engine, leg.row
        self._legacy.give(row)
        engine.table.relay_to[row] = saved.relay_to
        note = saved.addresses
        if note is not None:
            leg.first_packet_s = note.first_packet_s
            leg.allocated_at = note.allocated_at
            leg.packets_at_configure = note.packets_at_configure
            leg.guard.go_on(note.remote, note.learn_from, note.source, note.destination, may_learn=note.may_learn)
        if saved.digits is not None and leg.settings.may_send:
            engine.digits.go_on(leg, saved.digits)
        if leg.settings.port not in engine.ports.shared_ports:
            self.backlog.append(row)

    def take_backlog(self) -> list[int]:
        """The rows of `backlog`, once; those whose leg is gone already left out."""
        rows, self.backlog = self.backlog, []
        return [row for row in rows if self._engine.by_row[row] is not None]

    def note(self, leg: Leg) -> None:
        """The leg was configured, or learned its peer's address, or heard it for the first time."""
        guard = leg.guard
        remote, learn_from, may_learn = guard.configured
        self._legacy.note(
            leg.row,
            AddressNote(
                remote,
                learn_from,
                guard.source,
                guard.destination,
                may_learn,
                leg.packets_at_configure,
                leg.first_packet_s,
                leg.allocated_at,
            ),
        )

    def note_digits(self, sending: dict[int, DigitsNote]) -> None:
        """Once a tick, after it."""
        self._legacy.note_digits(sending)

    def forget(self, row: int) -> None:
        """The leg is over."""
        self._legacy.forget(row)

    # -- sessions ------------------------------------------------------------------------------------------------------

    def describe(self, session: Session, now: float) -> SessionSnapshot:
        """All of the session as it is now."""
        engine = self._engine
        recordings, paused = engine.taps.describe(session)
        return SessionSnapshot(
            session=session.id,
            legs=[(leg.settings, self._state(leg, now)) for leg in session.legs.values()],
            matrix=ConnectMatrix(session.id, session.edges, session.rooms),
            plays=[
                engine.players.by_row[leg.row].describe()
                for leg in session.legs.values()
                if leg.row in engine.players.by_row
            ],
            recordings=recordings,
            paused=paused,
            secure=[leg.id for leg in session.legs.values() if leg.is_secure],
        )

    def _state(self, leg: Leg, now: float) -> LegState:
        table, row = self._engine.table, leg.row
        sent_at = float(table.sent_at[row])
        return LegState(
            ssrc=int(table.out_ssrc[row]),
            seq=int(table.out_seq[row]),
            timestamp=int(table.out_ts[row]),
            sent_utc=self._wall() - (now - sent_at) if sent_at >= 0 else 0.0,
            source=leg.guard.source,
            destination=leg.guard.destination,
            srtp_roll_over=self._engine.ports.srtp.roll_over(row),
        )

    def adopt(self, command: Adopt, now: float) -> None:
        """Does all that the snapshot says, each thing as if it had been commanded."""
        engine, snapshot = self._engine, command.snapshot
        for settings, state in snapshot.legs:
            session = engine.sessions.get(settings.session)
            known = session is not None and settings.leg in session.legs
            engine.apply(settings, now)
            session = engine.sessions.get(settings.session)
            leg = session.legs.get(settings.leg) if session is not None else None
            if leg is not None and not known and not engine.table.packets_sent[leg.row]:
                self._set(leg, settings, state, now)
        if snapshot.matrix is not None:
            engine.apply(snapshot.matrix, now)
        for name in snapshot.secure:
            engine.apply(SecureLeg(command.session, name, True), now)
        for recording in snapshot.recordings:
            engine.apply(recording, now)
        for name in snapshot.paused:
            engine.apply(PauseRecording(command.session, name), now)
        for play in snapshot.plays:
            engine.apply(play, now)

    def _set(self, leg: Leg, settings: ConfigureLeg, state: LegState, now: float) -> None:
        """What another machine's worker had sent, as far as it is known."""
        if not state.sent_utc:
            return
        engine, row = self._engine, leg.row
        ahead = later(state, settings, self._wall())
        engine.table.out_ssrc[row] = ahead.ssrc
        engine.table.out_seq[row] = ahead.seq
        engine.table.out_ts[row] = ahead.timestamp
        engine.table.sent_at[row] = now
        if engine.ports.srtp.has_keys[row]:
            engine.ports.srtp.set_roll_over(row, *ahead.srtp_roll_over, sent_seq=ahead.seq)
        if state.source is not None:
            remote, learn_from, _ = leg.guard.configured
            leg.guard.go_on(remote, learn_from, state.source, state.destination, may_learn=False)
            engine.ports.connect(row, leg.guard.source, leg.guard.destination)
            engine.reports.redirect(leg)
            self.note(leg)
