"""Recordings: what legs sent, out of the jitter rings, in takes of 0.76 s for the writer thread.

Each recording has its turn once in 38 ticks, so no tick takes many. A take ends a little behind the playout clock:
packets that came too late for the listener are still in time for the recording. What is read here is only copied; the
writer's thread makes samples of the file's form out of it (`media.rendering`).
"""

from collections import deque
from typing import Protocol

import msgspec

from media.arrays import DECODED, LAWS, OPAQUE, PCMA, SILENCE_BY_LAW, LegTable, kind_of
from media.recording_file import Ending
from media.rendering import Sound, Take
from media.session import Leg, Session
from model.media import StartRecording
from rtp.ring import DEPTH, SLOTS, JitterRing

TURNS = 38
"""Ticks from one turn of a recording to its next: with `LAG`, a worker that is killed loses less than a second."""
LAG = 20
"""Chunks between the playout clock and the end of a block."""
MAX_BLOCK = SLOTS - 56
"""Chunks that one block may reach back: beyond it the ring has been written over."""
MAX_CHANNELS = 16
_CHUNK_S = 0.01
_ENCODINGS = ("g711", "pcm16")
_FORMATS = ("wav", "mp3")
_FOREVER = 1 << 60
_SAME_PAUSE_S = 0.05
WIDEBAND = frozenset({"G722", "opus", "L16/16000"})
"""Codecs with more than 4 kHz of sound."""
_REMEMBERED = 1024


class Writer(Protocol):
    """What is needed of `media.recorder.RecordingWriter`."""

    def start(
        self,
        recording_id: str,
        path: str,
        channels: int,
        encoding: str,
        *,
        session: str = "",
        sample_rate: int = 8000,
        continues_s: float = -1.0,
        wants_mp3: bool = False,
    ) -> None: ...

    def write(self, recording_id: str, block: Take) -> None: ...

    def finish(self, recording_id: str, ending: Ending) -> None: ...


class _Tap:
    __slots__ = (
        "because",
        "channels",
        "command",
        "id",
        "next",
        "paused_at",
        "pauses",
        "rate",
        "secure",
        "secure_from",
        "session",
        "speech",
        "start",
        "turn",
    )

    def __init__(self, session: Session, command: StartRecording, rate: int, clock: int, turn: int) -> None:
        self.id = command.recording
        self.command = command
        self.session = session
        self.channels = command.channels
        self.rate = rate
        self.next = clock
        self.start = clock - max(round(command.continues_s / _CHUNK_S), 0)
        """Chunk of the first sample; before the clock when the recording continues."""
        self.turn = turn
        self.pauses = list(command.pauses)
        self.paused_at = -1.0
        self.secure: list[tuple[float, float]] = []
        self.secure_from: dict[str, float] = {}
        self.speech = [0] * len(command.channels)
        self.because = [""] * len(command.channels)

    def at_s(self) -> float:
        return round((self.next - self.start) * _CHUNK_S, 2)

    def has(self, leg: str) -> bool:
        return any(leg in channel for channel in self.channels)


class Taps:
    """All recordings that run. `clock` arguments are chunks of the common clock."""

    def __init__(self, table: LegTable, ring: JitterRing, wide_ring: JitterRing, writer: Writer) -> None:
        """`ring` has the codes of G.711 legs, `wide_ring` what others sent, decoded to 16 kHz."""
        self._table = table
        self._ring = ring
        self._wide_ring = wide_ring
        self._writer = writer
        self._taps: dict[str, _Tap] = {}
        self._turns: list[list[_Tap]] = [[] for _ in range(TURNS)]
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self._secure: dict[str, dict[str, int]] = {}
        """By session and leg: the chunk before which nothing of the leg may be recorded."""
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
        """Begins a recording, or goes on with one of an earlier worker; ValueError when the command makes no sense.

        Done again it changes who is on which channel, and nothing else. The file is 16-bit linear at 16 kHz when one of
        its legs is wideband now, else 8 kHz; it keeps that whatever its legs speak later.
        """
        known = self._taps.get(command.recording)
        if known is not None and known.session is not session:
            raise ValueError(f"recording {command.recording} belongs to session {known.session.id}")
        if known is not None:
            self._regroup(known, command)
            return
        if command.recording in self._ended and command.continues_s < 0:
            return
        _check(command)
        encoding, rate = self._form_of(session, command)
        self._writer.start(
            command.recording,
            command.path,
            len(command.channels),
            encoding,
            session=session.id,
            sample_rate=rate,
            continues_s=command.continues_s,
            wants_mp3=command.format == "mp3",
        )
        turn = min(range(TURNS), key=lambda i: len(self._turns[i]))
        tap = _Tap(session, command, rate, self.clock, turn)
        self._mark_secure(tap)
        self._taps[tap.id] = tap
        self._turns[turn].append(tap)

    def describe(self, session: Session) -> tuple[list[StartRecording], list[str]]:
        """The session's recordings as commands by which another worker goes on with them now, and which are paused."""
        taps = [tap for tap in self._taps.values() if tap.session is session]
        commands = []
        for tap in taps:
            so_far_s = (self.clock - tap.start) * _CHUNK_S
            pauses = [*tap.pauses, (tap.paused_at, so_far_s)] if tap.paused_at >= 0 else tap.pauses
            commands.append(msgspec.structs.replace(tap.command, continues_s=so_far_s, pauses=list(pauses)))
        return commands, [tap.id for tap in taps if tap.paused_at >= 0]

    def pause(self, recording: str) -> None:
        """Silence from here on."""
        tap = self._taps[recording]
        if tap.paused_at < 0:
            self._take(tap, self.clock)
            tap.paused_at = tap.at_s()

    def resume(self, recording: str) -> None:
        """What is said from here on is recorded again."""
        tap = self._taps[recording]
        if tap.paused_at >= 0:
            self._take(tap, self.clock)
            self._end_pause(tap)

    def secure(self, leg: Leg, is_secure: bool) -> None:
        """While `is_secure` nothing of the leg is recorded; the times are marked in the files. For every leg, recorded
        or not: a recording that begins later must know. What came before the end is never recorded."""
        until = self._secure.setdefault(leg.session, {})
        was_secure = until.get(leg.id, 0) == _FOREVER
        if was_secure == is_secure:
            return
        taps = [tap for tap in self._taps.values() if tap.session.id == leg.session and tap.has(leg.id)]
        for tap in taps:
            self._take(tap, self.clock)
            if is_secure:
                tap.secure_from[leg.id] = tap.at_s()
            else:
                tap.secure.append((tap.secure_from.pop(leg.id), tap.at_s()))
        # What waits to be played was said while the leg was secure.
        until[leg.id] = _FOREVER if is_secure else max(self.clock, self._end_of(leg))

    def stop(self, recording: str) -> None:
        """Takes what is there, also what waits in the jitter buffer, and hands the recording to the writer to close."""
        tap = self._taps.pop(recording)
        self._turns[tap.turn].remove(tap)
        ends = [self._end_of(leg) for channel in tap.channels for leg in self._legs(tap, channel)]
        self._take(tap, max(self.clock, min(max(ends, default=0), self.clock + DEPTH)))
        if tap.paused_at >= 0:
            self._end_pause(tap)
        tap.secure += [(since, tap.at_s()) for since in tap.secure_from.values()]
        self._ended.append(tap.id)
        because = ["" if n else why for n, why in zip(tap.speech, tap.because, strict=True)]
        self._writer.finish(
            tap.id,
            Ending(
                pauses=tap.pauses,
                speech_s=[round(n * _CHUNK_S, 2) for n in tap.speech],
                secure=sorted(tap.secure),
                silent_because=because if any(because) else [],
            ),
        )

    def stop_session(self, session: Session) -> None:
        for tap in [tap for tap in self._taps.values() if tap.session is session]:
            self.stop(tap.id)

    def stop_all(self) -> None:
        for recording in list(self._taps):
            self.stop(recording)

    def flush_leg(self, leg: Leg) -> None:
        """The leg's row is about to mean something else: what it said so far is taken now."""
        for tap in self._taps.values():
            if tap.session.id == leg.session and tap.has(leg.id):
                self._take(tap, self.clock)

    def release_leg(self, leg: Leg) -> None:
        """The leg is about to be gone."""
        self.flush_leg(leg)
        secure = self._secure.get(leg.session)
        if secure is not None:
            self.secure(leg, False)
            secure.pop(leg.id, None)
            if not secure:
                del self._secure[leg.session]

    def run(self) -> None:
        """Once a tick, after `clock` has moved on."""
        for tap in self._turns[(self.clock >> 1) % TURNS]:
            self._take(tap, self.clock - LAG)

    def _regroup(self, tap: _Tap, command: StartRecording) -> None:
        if len(command.channels) != len(tap.channels):
            raise ValueError(f"recording {tap.id} has {len(tap.channels)} channels and keeps them")
        if command.channels == tap.channels:
            return
        self._take(tap, self.clock)
        tap.channels = command.channels
        tap.command = msgspec.structs.replace(tap.command, channels=command.channels)
        for leg in [leg for leg in tap.secure_from if not tap.has(leg)]:
            tap.secure.append((tap.secure_from.pop(leg), tap.at_s()))
        self._mark_secure(tap)

    def _mark_secure(self, tap: _Tap) -> None:
        """Notes since when its legs that are secure now are silent in it."""
        for leg, until in self._secure.get(tap.session.id, {}).items():
            if until == _FOREVER and tap.has(leg):
                tap.secure_from.setdefault(leg, tap.at_s())

    def _form_of(self, session: Session, command: StartRecording) -> tuple[str, int]:
        """Encoding and sample rate of a new file."""
        codecs = [
            session.legs[leg].settings.codec for channel in command.channels for leg in channel if leg in session.legs
        ]
        if any(codec in WIDEBAND for codec in codecs):
            return "pcm16", 16000
        laws = [codec for codec in codecs if codec in LAWS]
        if command.encoding == "pcm16" or (not laws and any(DECODED <= kind_of(codec) < OPAQUE for codec in codecs)):
            return "pcm16", 8000
        return (laws[0] if laws else "PCMU"), 8000

    def _end_pause(self, tap: _Tap) -> None:
        begin, end = tap.paused_at, tap.at_s()
        tap.paused_at = -1.0
        if tap.pauses and begin - tap.pauses[-1][1] <= _SAME_PAUSE_S:
            # A pause that the change of workers cut in two.
            begin = tap.pauses.pop()[0]
        tap.pauses.append((begin, end))

    def _legs(self, tap: _Tap, channel: list[str]) -> list[Leg]:
        return [tap.session.legs[leg] for leg in channel if leg in tap.session.legs]

    def _end_of(self, leg: Leg) -> int:
        """The chunk after the newest one that came of the leg."""
        ring = self._ring if self._table.kind[leg.row] <= PCMA else self._wide_ring
        return int(ring.end[leg.row]) if ring.is_started[leg.row] else 0

    def _take(self, tap: _Tap, end: int) -> None:
        while tap.next < end:
            count = min(end - tap.next, MAX_BLOCK)
            channels: list[list[Sound]] = []
            # What has left the ring is silence, and so is a pause.
            is_silent = tap.paused_at >= 0 or tap.next < self.clock - MAX_BLOCK
            for i, channel in enumerate(tap.channels):
                sounds: list[Sound] = []
                if not is_silent:
                    came = 0
                    for leg in self._legs(tap, channel):
                        came = max(came, self._hear(tap, i, leg, count, sounds))
                    tap.speech[i] += came
                channels.append(sounds)
            tap.next += count
            self._writer.write(tap.id, Take(channels, count * tap.rate // 100))

    def _hear(self, tap: _Tap, i: int, leg: Leg, count: int, sounds: list[Sound]) -> int:
        """Adds what the leg said to `sounds`; how many chunks of it came."""
        kind = int(self._table.kind[leg.row])
        if kind == OPAQUE:
            tap.because[i] = f"{leg.settings.codec} is not decoded"
            return 0
        ring = self._ring if kind <= PCMA else self._wide_ring
        silence = int(SILENCE_BY_LAW[kind]) if kind <= PCMA else 0
        samples, came = ring.read(leg.row, tap.next, count, silence)
        n_secure = self._secure[leg.session].get(leg.id, 0) - tap.next if leg.session in self._secure else 0
        if not came or n_secure >= count:
            return 0
        if n_secure > 0:
            samples[: n_secure * ring.chunk] = silence
        encoding = ("PCMU", "PCMA")[kind] if kind <= PCMA else "pcm16"
        sounds.append(Sound(leg.id, encoding, 8000 if kind <= PCMA else 16000, samples))
        return came


def _check(command: StartRecording) -> None:
    if not command.recording or not command.path.startswith("/") or "\0" in command.path:
        raise ValueError("a recording needs an id and an absolute path")
    if not 1 <= len(command.channels) <= MAX_CHANNELS:
        raise ValueError(f"a recording has 1 to {MAX_CHANNELS} channels")
    if command.encoding not in _ENCODINGS:
        raise ValueError(f"encoding {command.encoding!r} is not one of {', '.join(_ENCODINGS)}")
    if command.format not in _FORMATS:
        raise ValueError(f"format {command.format!r} is not one of {', '.join(_FORMATS)}")
