"""Recordings: what legs sent, out of the jitter ring, in blocks of a second for the writer thread.

Each recording has its turn once in 50 ticks, so no tick takes many. A block is taken a little behind the playout clock:
packets that came too late for the listener are still in time for the recording.
"""

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media import g711
from media.arrays import CHUNK, PCMA, SILENCE_BY_LAW, LegTable
from media.session import Leg, Session
from model.media import StartRecording
from rtp.ring import DEPTH, SLOTS, JitterRing

TURNS = 50
LAG = 20
"""Chunks between the playout clock and the end of a block."""
MAX_BLOCK = SLOTS - 56
"""Chunks that one block may reach back: beyond it the ring has been written over."""
MAX_CHANNELS = 16
_CHUNK_S = 0.01
_ENCODINGS = ("g711", "pcm16")
_REMEMBERED = 1024


class Writer(Protocol):
    """What is needed of `media.recorder.RecordingWriter`."""

    def start(self, recording_id: str, path: str, channels: int, encoding: str, *, session: str = "") -> None: ...

    def write(self, recording_id: str, block: NDArray[np.uint8] | NDArray[np.int16]) -> None: ...

    def finish(self, recording_id: str, pauses: list[tuple[float, float]], speech_s: list[float]) -> None: ...


class _Tap:
    __slots__ = ("channels", "encoding", "id", "next", "paused_at", "pauses", "session", "speech", "start", "turn")

    def __init__(self, session: Session, command: StartRecording, encoding: str, clock: int, turn: int) -> None:
        self.id = command.recording
        self.session = session
        self.channels = command.channels
        self.encoding = encoding
        self.start = self.next = clock
        self.turn = turn
        self.pauses: list[tuple[float, float]] = []
        self.paused_at = -1.0
        self.speech = [0] * len(command.channels)

    def at_s(self) -> float:
        return (self.next - self.start) * _CHUNK_S


class Taps:
    """All recordings that run. `clock` arguments are chunks of the common clock."""

    def __init__(self, table: LegTable, ring: JitterRing, writer: Writer) -> None:
        self._table = table
        self._ring = ring
        self._writer = writer
        self._taps: dict[str, _Tap] = {}
        self._turns: list[list[_Tap]] = [[] for _ in range(TURNS)]
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self.clock = 0
        """The next chunk to be played; set by the engine."""

    def __len__(self) -> int:
        return len(self._taps)

    def session_of(self, recording: str) -> str:
        """The session of a running recording, "" when there is none."""
        tap = self._taps.get(recording)
        return tap.session.id if tap is not None else ""

    def rows_of(self, session: Session) -> set[int]:
        """Rows of the session's legs that are recorded."""
        return {
            session.legs[leg].row
            for tap in self._taps.values()
            if tap.session is session
            for channel in tap.channels
            for leg in channel
            if leg in session.legs
        }

    def start(self, session: Session, command: StartRecording) -> None:
        """Begins a recording; ValueError when the command makes no sense. Done twice it does nothing more."""
        known = self._taps.get(command.recording)
        if known is not None and known.session is not session:
            raise ValueError(f"recording {command.recording} belongs to session {known.session.id}")
        if known is not None or command.recording in self._ended:
            return
        if not command.recording or not command.path.startswith("/") or "\0" in command.path:
            raise ValueError("a recording needs an id and an absolute path")
        if not 1 <= len(command.channels) <= MAX_CHANNELS:
            raise ValueError(f"a recording has 1 to {MAX_CHANNELS} channels")
        if command.encoding not in _ENCODINGS:
            raise ValueError(f"encoding {command.encoding!r} is not one of {', '.join(_ENCODINGS)}")
        encoding = command.encoding if command.encoding == "pcm16" else self._law_of(session, command.channels)
        self._writer.start(command.recording, command.path, len(command.channels), encoding, session=session.id)
        turn = min(range(TURNS), key=lambda i: len(self._turns[i]))
        tap = _Tap(session, command, encoding, self.clock, turn)
        self._taps[tap.id] = tap
        self._turns[turn].append(tap)

    def pause(self, recording: str) -> None:
        """Silence from here on."""
        tap = self._taps[recording]
        if tap.paused_at < 0:
            self._take(tap, self.clock)
            tap.paused_at = tap.at_s()

    def resume(self, recording: str) -> None:
        tap = self._taps[recording]
        if tap.paused_at >= 0:
            self._take(tap, self.clock)
            self._end_pause(tap)

    def stop(self, recording: str) -> None:
        """Takes what is there, also what waits in the jitter buffer, and hands the recording to the writer to close."""
        tap = self._taps.pop(recording)
        self._turns[tap.turn].remove(tap)
        rows = [tap.session.legs[leg].row for channel in tap.channels for leg in channel if leg in tap.session.legs]
        ends = [int(self._ring.end[row]) for row in rows if self._ring.is_started[row]]
        self._take(tap, max(self.clock, min(max(ends, default=0), self.clock + DEPTH)))
        if tap.paused_at >= 0:
            self._end_pause(tap)
        self._ended.append(tap.id)
        self._writer.finish(tap.id, tap.pauses, [n * _CHUNK_S for n in tap.speech])

    def stop_session(self, session: Session) -> None:
        for tap in [tap for tap in self._taps.values() if tap.session is session]:
            self.stop(tap.id)

    def stop_all(self) -> None:
        for recording in list(self._taps):
            self.stop(recording)

    def flush_leg(self, leg: Leg) -> None:
        """The leg's row is about to mean something else: what it said so far is taken now."""
        for tap in self._taps.values():
            if tap.session.id == leg.session and any(leg.id in channel for channel in tap.channels):
                self._take(tap, self.clock)

    def run(self) -> None:
        """Once a tick, after `clock` has moved on."""
        for tap in self._turns[(self.clock >> 1) % TURNS]:
            self._take(tap, self.clock - LAG)

    def _law_of(self, session: Session, channels: list[list[str]]) -> str:
        for channel in channels:
            for leg in channel:
                if leg in session.legs:
                    return session.legs[leg].settings.codec
        return "PCMU"

    def _end_pause(self, tap: _Tap) -> None:
        tap.pauses.append((tap.paused_at, tap.at_s()))
        tap.paused_at = -1.0

    def _take(self, tap: _Tap, end: int) -> None:
        while tap.next < end:
            count = min(end - tap.next, MAX_BLOCK)
            dtype = np.int16 if tap.encoding == "pcm16" else np.uint8
            block = np.empty((count * CHUNK, len(tap.channels)), dtype)
            for i, channel in enumerate(tap.channels):
                block[:, i] = self._channel(tap, i, channel, count)
            tap.next += count
            self._writer.write(tap.id, block)

    def _channel(
        self, tap: _Tap, i: int, channel: list[str], count: int
    ) -> NDArray[np.uint8] | NDArray[np.int16] | int:
        """The channel's samples in the recording's encoding."""
        silence = 0 if tap.encoding == "pcm16" else g711.SILENCE[tap.encoding]
        legs = [tap.session.legs[leg] for leg in channel if leg in tap.session.legs]
        if not legs or tap.paused_at >= 0 or tap.next < self.clock - MAX_BLOCK:
            return silence
        said: list[tuple[str, NDArray[np.uint8]]] = []
        came = 0
        for leg in legs:
            law = int(self._table.law[leg.row])
            codes, n = self._ring.read(leg.row, tap.next, count, int(SILENCE_BY_LAW[law]))
            came = max(came, n)
            if n:
                said.append(("PCMA" if law == PCMA else "PCMU", codes))
        tap.speech[i] += came
        if not said:
            return silence
        if len(said) == 1:
            return _convert(*said[0], tap.encoding)
        total = sum(g711.decoder(law)[codes].astype(np.int32) for law, codes in said)
        mixed = np.clip(total, -32768, 32767).astype(np.int16)
        return mixed if tap.encoding == "pcm16" else g711.encoder(tap.encoding)[mixed.view(np.uint16)]


def _convert(law: str, codes: NDArray[np.uint8], encoding: str) -> NDArray[np.uint8] | NDArray[np.int16]:
    if encoding == law:
        return codes
    if encoding == "pcm16":
        return g711.decoder(law)[codes]
    return (g711.ULAW_TO_ALAW if law == "PCMU" else g711.ALAW_TO_ULAW)[codes]
