"""Sessions as plain data: what a worker was told, kept so that another worker can be told the same. Pure.

The switch keeps one `SessionBook` for each worker and shows it every command and event. When the worker dies, whoever
takes its place gets an `Adopt` for each session: legs, matrix, what is played and how far it was, recordings and how
long they ran. Nothing above must remember what it once asked for.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from model import media as protocol
from model.media import (
    Adopt,
    Command,
    ConfigureLeg,
    ConnectMatrix,
    DetectAnswer,
    Event,
    LegState,
    Play,
    SendDigits,
    SessionSnapshot,
    StartRecording,
)

NOTHING = LegState(ssrc=0, seq=0, timestamp=0)
"""Of a leg of which nothing is known but how it was configured."""
SAFE_PACKETS = 50
"""How far beyond what it may have sent a leg's sequence numbers go on when its state is not the newest: 1 s."""


def later(state: LegState, settings: ConfigureLeg, now_utc: float) -> LegState:
    """`state`, which may be old, moved ahead: no packet can have been sent with a higher sequence number or timestamp.

    A listener takes the step for lost packets (RFC 3550 A.1 allows for 3000).
    """
    if not state.sent_utc:
        return state
    packets = math.ceil(max(0.0, now_utc - state.sent_utc) * 1000 / settings.ptime_ms) + SAFE_PACKETS
    ticks = packets * settings.ptime_ms * settings.clock_hz // 1000
    roll_over, receiving = state.srtp_roll_over
    return msgspec.structs.replace(
        state,
        seq=(state.seq + packets) & 0xFFFF,
        timestamp=(state.timestamp + ticks) & 0xFFFFFFFF,
        sent_utc=now_utc,
        srtp_roll_over=(roll_over + (state.seq + packets > 0xFFFF), receiving),
    )


class _Recording:
    """One that runs; times are monotonic seconds."""

    __slots__ = ("began", "paused_at", "pauses", "start")

    def __init__(self, start: StartRecording, now: float) -> None:
        self.start = start
        self.began = now - max(start.continues_s, 0.0)
        self.pauses = list(start.pauses)
        self.paused_at = -1.0
        """-1 = it is not paused."""

    def describe(self, now: float) -> StartRecording:
        pauses = self.pauses
        if self.paused_at >= 0:
            pauses = [*pauses, (self.paused_at - self.began, now - self.began)]
        return msgspec.structs.replace(self.start, continues_s=max(0.0, now - self.began), pauses=pauses)


class _Page:
    """One session."""

    __slots__ = ("detecting", "digits", "legs", "matrix", "plays", "recordings", "secure", "states")

    def __init__(self) -> None:
        self.legs: dict[str, ConfigureLeg] = {}
        self.states: dict[str, LegState] = {}
        self.matrix: ConnectMatrix | None = None
        self.plays: dict[str, tuple[Play, float]] = {}
        """By leg, and when it began."""
        self.recordings: dict[str, _Recording] = {}
        self.secure: set[str] = set()
        self.detecting: dict[str, DetectAnswer] = {}
        self.digits: list[SendDigits] = []
        """That no worker has got yet."""


class SessionBook:
    """Everything one worker was told and has not ended."""

    def __init__(self) -> None:
        self._pages: dict[str, _Page] = {}
        self._closing: dict[str, StartRecording] = {}
        """Recordings that shall end and have not told yet that they did."""
        self._on_command: dict[type, Callable[[Any, float, bool], None]] = {
            ConfigureLeg: self._configure,
            ConnectMatrix: self._matrix,
            protocol.SecureLeg: self._secure,
            Play: self._play,
            protocol.StopPlay: self._stop_play,
            SendDigits: self._send_digits,
            StartRecording: self._record,
            protocol.PauseRecording: self._pause,
            protocol.ResumeRecording: self._resume,
            protocol.StopRecording: self._stop_recording,
            DetectAnswer: self._detect,
            protocol.ReleaseLeg: self._release_leg,
            protocol.ReleaseSession: self._release,
            Adopt: self._adopt,
        }
        self._on_event: dict[type, Callable[[Any], None]] = {
            protocol.PlayFinished: self._play_finished,
            protocol.RecordingFinished: self._recording_finished,
            protocol.AnswerDetected: self._answer_detected,
            protocol.SnapshotTaken: self._snapshot_taken,
        }

    @property
    def sessions(self) -> list[str]:
        """Ids of the sessions that live."""
        return list(self._pages)

    def sent(self, command: Command, now: float, *, is_delivered: bool) -> None:
        """Notes a command; `is_delivered`: a worker was there to take it."""
        note = self._on_command.get(type(command))
        if note is not None:
            note(command, now, is_delivered)

    def told(self, events: Iterable[Event]) -> None:
        """Notes what the worker said."""
        table = self._on_event
        for event in events:
            note = table.get(type(event))
            if note is not None:
                note(event)

    def describe(self, session: str, now: float, broken_at: float) -> list[Command]:
        """What a worker that knows nothing of the session must be told; empty when there is nothing to tell.

        `broken_at` is when its worker fell silent: what is played goes on from there, a recording's time runs on.
        """
        page = self._pages.get(session)
        if page is None or not page.legs:
            return []
        snapshot = SessionSnapshot(
            session=session,
            legs=[(settings, page.states.get(leg, NOTHING)) for leg, settings in page.legs.items()],
            matrix=page.matrix,
            plays=[
                msgspec.structs.replace(play, offset_s=max(0.0, broken_at - began))
                for play, began in page.plays.values()
            ],
            recordings=[each.describe(now) for each in page.recordings.values()],
            paused=[name for name, each in page.recordings.items() if each.paused_at >= 0],
            secure=sorted(page.secure),
        )
        return [Adopt(session, snapshot), *page.detecting.values(), *self._take_digits(page)]

    def take_closing(self) -> list[StartRecording]:
        """Recordings that should have ended with the worker that died, and cannot tell any more."""
        closing = list(self._closing.values())
        self._closing.clear()
        return closing

    def _take_digits(self, page: _Page) -> list[SendDigits]:
        digits, page.digits = page.digits, []
        return digits

    # -- commands ------------------------------------------------------------------------------------------------------

    def _configure(self, command: ConfigureLeg, now: float, is_delivered: bool) -> None:
        page = self._pages.get(command.session)
        if page is None:
            page = self._pages[command.session] = _Page()
        page.legs[command.leg] = command

    def _matrix(self, command: ConnectMatrix, now: float, is_delivered: bool) -> None:
        page = self._pages.get(command.session)
        if page is not None:
            page.matrix = command

    def _secure(self, command: protocol.SecureLeg, now: float, is_delivered: bool) -> None:
        page = self._pages.get(command.session)
        if page is not None:
            (page.secure.add if command.is_secure else page.secure.discard)(command.leg)

    def _play(self, command: Play, now: float, is_delivered: bool) -> None:
        page = self._pages.get(command.session)
        if page is None:
            return
        playing = page.plays.get(command.leg)
        if playing is None or playing[0].play_id != command.play_id:
            page.plays[command.leg] = (command, now - command.offset_s)

    def _stop_play(self, command: protocol.StopPlay, now: float, is_delivered: bool) -> None:
        self._forget_play(command.session, command.leg, command.play_id)

    def _forget_play(self, session: str, leg: str, play_id: str) -> None:
        page = self._pages.get(session)
        playing = page.plays.get(leg) if page is not None else None
        if page is not None and playing is not None and play_id in ("", playing[0].play_id):
            del page.plays[leg]

    def _send_digits(self, command: SendDigits, now: float, is_delivered: bool) -> None:
        page = self._pages.get(command.session)
        if page is not None and not is_delivered:
            page.digits.append(command)

    def _record(self, command: StartRecording, now: float, is_delivered: bool) -> None:
        page = self._pages.get(command.session)
        if page is None:
            return
        running = page.recordings.setdefault(command.recording, _Recording(command, now))
        running.start = msgspec.structs.replace(running.start, channels=command.channels)

    def _pause(self, command: protocol.PauseRecording, now: float, is_delivered: bool) -> None:
        running = self._running(command.session, command.recording)
        if running is not None and running.paused_at < 0:
            running.paused_at = now

    def _resume(self, command: protocol.ResumeRecording, now: float, is_delivered: bool) -> None:
        running = self._running(command.session, command.recording)
        if running is not None and running.paused_at >= 0:
            running.pauses.append((running.paused_at - running.began, now - running.began))
            running.paused_at = -1.0

    def _running(self, session: str, recording: str) -> _Recording | None:
        page = self._pages.get(session)
        return page.recordings.get(recording) if page is not None else None

    def _stop_recording(self, command: protocol.StopRecording, now: float, is_delivered: bool) -> None:
        page = self._pages.get(command.session)
        if page is not None:
            self._close(page, command.recording)

    def _close(self, page: _Page, recording: str) -> None:
        running = page.recordings.pop(recording, None)
        if running is not None:
            self._closing[recording] = running.start

    def _detect(self, command: DetectAnswer, now: float, is_delivered: bool) -> None:
        page = self._pages.get(command.session)
        if page is not None:
            page.detecting[command.leg] = command

    def _release_leg(self, command: protocol.ReleaseLeg, now: float, is_delivered: bool) -> None:
        page = self._pages.get(command.session)
        if page is None:
            return
        for kept in (page.legs, page.states, page.plays, page.detecting):
            kept.pop(command.leg, None)
        page.secure.discard(command.leg)
        page.digits = [each for each in page.digits if each.leg != command.leg]
        if not page.legs:
            self._end(command.session)

    def _release(self, command: protocol.ReleaseSession, now: float, is_delivered: bool) -> None:
        self._end(command.session)

    def _end(self, session: str) -> None:
        page = self._pages.pop(session, None)
        if page is not None:
            for recording in list(page.recordings):
                self._close(page, recording)

    def _adopt(self, command: Adopt, now: float, is_delivered: bool) -> None:
        """A session that another worker had."""
        snapshot = command.snapshot
        for settings, state in snapshot.legs:
            self._configure(settings, now, is_delivered)
            self._pages[settings.session].states[settings.leg] = state
        page = self._pages.get(command.session)
        if page is None:
            return
        page.matrix = snapshot.matrix
        for play in snapshot.plays:
            self._play(play, now, is_delivered)
        for start in snapshot.recordings:
            self._record(start, now, is_delivered)
        for recording in snapshot.paused:
            self._pause(protocol.PauseRecording(command.session, recording), now, is_delivered)
        page.secure |= set(snapshot.secure)

    # -- events --------------------------------------------------------------------------------------------------------

    def _play_finished(self, event: protocol.PlayFinished) -> None:
        self._forget_play(event.session, event.leg, event.play_id)

    def _recording_finished(self, event: protocol.RecordingFinished) -> None:
        page = self._pages.get(event.session)
        running = page.recordings.pop(event.recording, None) if page is not None else None
        if not event.is_encoding:
            self._closing.pop(event.recording, None)
        elif running is not None:
            # It has not ended before its MP3 is made.
            self._closing[event.recording] = running.start

    def _answer_detected(self, event: protocol.AnswerDetected) -> None:
        page = self._pages.get(event.session)
        if page is not None:
            page.detecting.pop(event.leg, None)

    def _snapshot_taken(self, event: protocol.SnapshotTaken) -> None:
        page = self._pages.get(event.session)
        if page is not None:
            for settings, state in event.snapshot.legs:
                if settings.leg in page.legs:
                    page.states[settings.leg] = state
