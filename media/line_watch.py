"""The state of every leg's line, looked at in passing: level and speech, one-way audio, quality.

Nothing here is decoded for its own sake. Legs whose audio is kept (mixed or recorded) are sampled: one frame of 20 ms
in 100 ms, out of the ring. Everything else is counters that are there anyway.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media import g711
from media.arrays import PCMA, LegTable
from media.quality import QualityWatch, estimate_mos
from media.session import Leg, Session
from media.speech import SpeechMeter
from model.media import Event, OneWayAudio, QualityChanged
from rtp.receiver import ReceiverTable
from rtp.ring import SLOTS, JitterRing

SAMPLING = 5
"""Ticks between two frames that are looked at."""
LAG = 20
"""Chunks behind the clock at which they are read: late packets are there by then."""
TURNS = 50
"""Frames that are looked at between two looks at a leg's line (5 s)."""
NO_RTP_S = 4.0
"""A leg that sends nothing for so long, while it is heard and its peer sends, is one-way."""
PEER_SPEECH_S = 4.0
"""So much speech of the other side without a sound from this one is no polite listening any more …"""
SILENT_S = 20.0
"""… if it also lasted this long."""
BUFFERS_MS = 60.0
"""Packet, jitter buffer and device of a usual telephone, on top of the way through the network."""
_SAMPLE_S = SAMPLING * 0.02
_LINEAR = np.concatenate((g711.ULAW_TO_LINEAR, g711.ALAW_TO_LINEAR)).astype(np.float32)


class _Line:
    __slots__ = ("active_at", "active_frames", "is_one_way", "mark", "quality")

    def __init__(self, now: float) -> None:
        self.quality = QualityWatch()
        self.is_one_way = False
        self.active_at = now
        """When the leg was last found to have made a sound, or was not connected."""
        self.active_frames = 0
        """The meter's count at that time."""
        self.mark: dict[int, int] = {}
        """The counts of those who hear it at that time."""


class LineWatch:
    """Watches the legs of one engine."""

    def __init__(
        self,
        table: LegTable,
        receiver: ReceiverTable,
        ring: JitterRing,
        wide: JitterRing | None,
        emit: Callable[[Event], None],
    ) -> None:
        self._table = table
        self._receiver = receiver
        self._ring = ring
        self._wide = wide
        """Decoded samples of the legs that are not G.711."""
        self._emit = emit
        self._meter = SpeechMeter(table.capacity)
        self._lines: dict[int, _Line] = {}
        self._tick = 0

    def add(self, leg: Leg, now: float) -> None:
        self._meter.reset(leg.row)
        self._lines[leg.row] = _Line(now)

    def remove(self, leg: Leg) -> None:
        del self._lines[leg.row]

    def speech_s(self, leg: Leg) -> float:
        """Seconds in which the leg spoke, as far as it was sampled."""
        return round(int(self._meter.active_frames[leg.row]) * _SAMPLE_S, 1)

    def mos(self, leg: Leg, round_trip_ms: float) -> float:
        """Estimated quality of the whole stream so far; -1 while nothing came. `round_trip_ms` -1: unknown."""
        expected, lost = self._losses(leg.row)
        if expected <= 0:
            return -1.0
        delay_ms = max(round_trip_ms, 0.0) / 2 + BUFFERS_MS
        return estimate_mos(leg.settings.codec, lost / expected, delay_ms=delay_ms)

    def run(self, by_row: list[Leg | None], sessions: dict[str, Session], clock: int, now: float) -> None:
        """Once a tick; `clock` is the next chunk to be played."""
        self._tick += 1
        turn, phase = divmod(self._tick, SAMPLING)
        if phase == 0:
            self._sample(clock - LAG)
        elif phase == 1:
            for row in range(turn % TURNS, len(by_row), TURNS):
                leg = by_row[row]
                if leg is not None:
                    self._look_at_quality(leg)
                    self._look_at_audio(leg, sessions[leg.session], now)

    def _sample(self, chunk: int) -> None:
        rows = np.flatnonzero(self._table.is_ringed)
        if not len(rows):
            return
        is_g711 = self._table.kind[rows] <= PCMA
        narrow, codes = _frames(self._ring, rows[is_g711], chunk)
        if len(narrow):
            law = (self._table.law[narrow, None] == PCMA).astype(np.int64)
            self._meter.run(narrow, _LINEAR.take(codes + (law << 8), mode="clip"))
        if self._wide is not None and not is_g711.all():
            decoded, samples = _frames(self._wide, rows[~is_g711], chunk)
            if len(decoded):
                self._meter.run(decoded, samples.astype(np.float32))

    def _losses(self, row: int) -> tuple[int, int]:
        """Packets expected, and those of them that were lost or too late."""
        receiver = self._receiver
        lost = receiver.lost(row)
        return int(receiver.packets[row]) - int(receiver.duplicates[row]) + lost, lost + int(self._ring.late[row])

    def _look_at_quality(self, leg: Leg) -> None:
        quality = self._lines[leg.row].quality
        if quality.judge(leg.settings.codec, *self._losses(leg.row)):
            self._emit(QualityChanged(session=leg.session, leg=leg.id, mos=quality.mos, is_poor=quality.is_poor))

    def _look_at_audio(self, leg: Leg, session: Session, now: float) -> None:
        table, line = self._table, self._lines[leg.row]
        if not table.is_ringed[leg.row] and not line.is_one_way and now - table.received_at[leg.row] <= NO_RTP_S:
            # It sends, and nobody here knows what: as most legs do.
            line.active_at, line.mark = now, {}
            return
        listeners = [each for each in session.listeners_of(leg) if any(speaker is each for speaker, _ in leg.hears)]
        active = int(self._meter.active_frames[leg.row])
        if not listeners or not table.may_receive[leg.row] or leg.is_secure:
            line.active_at, line.active_frames, line.is_one_way = now, active, False
            line.mark = {}
            return
        heard_at = float(table.received_at[leg.row])
        others_send = any(now - float(table.received_at[each.row]) < 1.0 for each in listeners)
        if others_send and now - heard_at > NO_RTP_S:
            self._tell(leg, line, "no_rtp", now - heard_at)
            return
        if active != line.active_frames or not line.mark:
            line.active_at, line.active_frames, line.is_one_way = now, active, False
            line.mark = {each.row: int(self._meter.active_frames[each.row]) for each in listeners}
            return
        spoken_s = max(
            (int(self._meter.active_frames[each.row]) - line.mark.get(each.row, 0)) * _SAMPLE_S for each in listeners
        )
        if table.is_ringed[leg.row] and spoken_s > PEER_SPEECH_S and now - line.active_at > SILENT_S:
            self._tell(leg, line, "silent", now - line.active_at)

    def _tell(self, leg: Leg, line: _Line, why: str, silent_s: float) -> None:
        if not line.is_one_way:
            line.is_one_way = True
            self._emit(OneWayAudio(session=leg.session, leg=leg.id, why=why, silent_s=round(silent_s, 1)))


def _frames(
    ring: JitterRing, rows: NDArray[np.int64], chunk: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8] | NDArray[np.int16]]:
    """Which of `rows` have the two chunks from `chunk` on, and what is in them."""
    wanted = np.array([chunk, chunk + 1])
    slots = wanted & (SLOTS - 1)
    rows = rows[(ring.stamp[rows[:, None], slots] == wanted).all(axis=1)]
    return rows, ring.data[rows[:, None], slots].reshape(len(rows), 2 * ring.chunk)
