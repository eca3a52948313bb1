"""What media workers tell, in the words of calls: digits, silence, last figures, finished recordings."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from model import events, media
from model.declare import Event
from switch.call import Leg
from switch.leg_events import (
    AnswererFound,
    LegDigit,
    LegSilent,
    LegSpeaks,
    LegStatisticsCame,
    LegTone,
    PlayEnded,
    RecordingClosed,
)

if TYPE_CHECKING:
    from switch.runtime import Runtime

log = logging.getLogger(__name__)


class MediaEvents:
    """Hands each event to its call; what concerns no live call (a recording's end) is kept by itself."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._table: dict[type, Callable[[int, Any, float], None]] = {
            media.Digit: self._media_digit,
            media.LegReleased: self._leg_released,
            media.PlayFinished: self._play_finished,
            media.Inactivity: self._inactivity,
            media.RecordingFinished: self._recording_finished,
            media.Statistics: self._statistics,
            media.AnswerDetected: self._answer_detected,
            media.SpeechChanged: self._speech_changed,
            media.ToneDetected: self._tone_detected,
            media.OneWayAudio: self._one_way_audio,
            media.QualityChanged: self._quality_changed,
            media.CommandRefused: self._refused,
        }

    def handle(self, worker: int, event: media.Event, now: float) -> None:
        """Events that only tell (Health, FirstPacket …) are nothing to calls."""
        handle = self._table.get(type(event))
        if handle is not None:
            handle(worker, event, now)

    def _media_digit(self, worker: int, event: media.Digit, now: float) -> None:
        digit = LegDigit(event.session, event.leg, event.digit, event.duration_ms, is_secure=event.is_secure)
        self._runtime.dispatch(digit, now)

    def _leg_released(self, worker: int, event: media.LegReleased, now: float) -> None:
        found = self._runtime.find(event.session, event.leg)
        if found is None:
            return
        _, leg = found
        _note_statistics(leg, event.statistics)
        self._runtime.dispatch(LegStatisticsCame(event.session, event.leg), now)

    def _statistics(self, worker: int, event: media.Statistics, now: float) -> None:
        for leg_id, statistics in event.legs.items():
            found = self._runtime.find(event.session, leg_id)
            if found is not None:
                _note_statistics(found[1], statistics)

    def _answer_detected(self, worker: int, event: media.AnswerDetected, now: float) -> None:
        self._publish(
            events.CallAnswerDetected(
                call_id=event.session,
                leg_id=event.leg,
                result=event.result,
                after_s=event.after_s,
                evidence=event.evidence,
            )
        )
        rule = next((name.removeprefix("rule_") for name in event.evidence if name.startswith("rule_")), "")
        self._runtime.dispatch(AnswererFound(event.session, event.leg, event.result, rule), now)

    def _tone_detected(self, worker: int, event: media.ToneDetected, now: float) -> None:
        self._publish(events.CallToneDetected(call_id=event.session, leg_id=event.leg, tone=event.tone))
        self._runtime.dispatch(LegTone(event.session, event.leg, event.tone), now)

    def _speech_changed(self, worker: int, event: media.SpeechChanged, now: float) -> None:
        self._publish(events.CallSpeechChanged(call_id=event.session, leg_id=event.leg, is_speaking=event.is_speaking))
        self._runtime.dispatch(LegSpeaks(event.session, event.leg, event.is_speaking), now)

    def _one_way_audio(self, worker: int, event: media.OneWayAudio, now: float) -> None:
        log.warning(
            "! call %s: leg %s is not heard: %s for %.1f s", event.session, event.leg, event.why, event.silent_s
        )
        self._publish(
            events.CallOneWayAudio(call_id=event.session, leg_id=event.leg, why=event.why, silent_s=event.silent_s)
        )

    def _quality_changed(self, worker: int, event: media.QualityChanged, now: float) -> None:
        self._publish(
            events.CallQualityChanged(call_id=event.session, leg_id=event.leg, mos=event.mos, is_poor=event.is_poor)
        )

    def _publish(self, event: Event) -> None:
        self._runtime.outside.publish(event)

    def _play_finished(self, worker: int, event: media.PlayFinished, now: float) -> None:
        if event.error:
            log.warning("x call %s leg %s: play %s: %s", event.session, event.leg, event.play_id, event.error)
        self._runtime.dispatch(PlayEnded(event.session, event.leg, event.play_id, event.reason), now)

    def _inactivity(self, worker: int, event: media.Inactivity, now: float) -> None:
        self._runtime.dispatch(LegSilent(event.session, event.leg, event.silent_s), now)

    def _refused(self, worker: int, event: media.CommandRefused, now: float) -> None:
        log.error("x media worker %d refused %s for %s: %s", worker, event.command, event.session, event.error)

    def _recording_finished(self, worker: int, event: media.RecordingFinished, now: float) -> None:
        recordings = self._runtime.recordings
        record = recordings.get(event.recording)
        if record is None:
            # Of a flow that listens to its caller; or nobody's.
            closed = RecordingClosed(event.session, "", event.recording, event.duration_s, event.error)
            self._runtime.dispatch(closed, now)
            return
        wall = self._runtime.calls.env.wall(now)
        finished = msgspec.structs.replace(
            record,
            ended_utc=record.started_utc + event.duration_s if event.duration_s else wall,
            duration_s=event.duration_s,
            size=event.size,
            sha256=event.sha256,
            channels=event.channels or record.channels,
            speech_s=event.speech_s,
            pauses=event.pauses,
            path=event.path or record.path,
            format=record.format if event.is_encoding else event.format,
            silent_because=event.silent_because,
            state="encoding" if event.is_encoding else "failed" if event.error else "finished",
            error=event.error or event.format_error,
        )
        self._runtime.outside.keep(finished)
        if event.is_encoding:
            # The WAV can be played already; the end is told once, with the file that stays.
            recordings[event.recording] = finished
            return
        del recordings[event.recording]
        for tell in self._runtime.recording_closed:
            tell(finished, now)
        closed = RecordingClosed(record.call_id, "", record.recording_id, event.duration_s, event.error)
        self._runtime.dispatch(closed, now)
        common = {"recording_id": record.recording_id, "call_id": record.call_id, "path": finished.path}
        if event.error:
            self._runtime.outside.publish(
                events.RecordingFailed(**common, error=event.error, duration_s=event.duration_s, size=event.size)
            )
        else:
            self._runtime.outside.publish(
                events.RecordingFinished(
                    **common,
                    duration_s=event.duration_s,
                    size=event.size,
                    sha256=event.sha256,
                    format=event.format,
                )
            )


def _note_statistics(leg: Leg, statistics: media.LegStatistics) -> None:
    leg.statistics = statistics
