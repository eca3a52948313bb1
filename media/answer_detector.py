"""Who answered a call: a human, a machine, or not sure, with the evidence. Pure.

A human says one short thing and waits; a machine talks on, or beeps. Measured from the answer: silence before the first
word, length of the greeting, words in it, pauses, silence after it, steady tones. The rules and the times are the
field's (compare the application AMD of any PBX); the answer comes as soon as a rule decides, at the latest after the
time that was given, and then it may be "not_sure": what to do then is the campaign's business, not ours.
"""

import numpy as np
from numpy.typing import NDArray

from media.speech import SpeechMeter

FRAME_MS = 20
INITIAL_SILENCE_MS = 2600
"""Nobody said anything: not sure. A human who holds a phone to his ear says something sooner."""
SHORT_GREETING_MS = 1300
"""A greeting this short is a human's, if silence follows."""
LONG_GREETING_MS = 2400
"""Nobody who answers a telephone talks so long without a pause."""
WAIT_MS = 700
"""Silence after a greeting that means "your turn"."""
WORD_GAP_MS = 80
MIN_WORD_MS = 80
MANY_WORDS = 7
BEEP_MS = 160
_BEEP_HZ = (350.0, 2200.0)
_PURE = 0.88
"""Part of the power in one spectral peak that makes a tone."""
_N_FFT = 256


class Trial:
    """One leg that is being judged."""

    __slots__ = (
        "_gap_ms",
        "_max_ms",
        "_word_ms",
        "beep_ms",
        "elapsed_ms",
        "first_word_ms",
        "longest_beep_ms",
        "longest_pause_ms",
        "n_words",
        "reason",
        "result",
        "silence_ms",
        "speech_end_ms",
        "voiced_ms",
    )

    def __init__(self, max_s: float) -> None:
        self._max_ms = int(max_s * 1000)
        self._gap_ms = 0
        self._word_ms = 0
        self.elapsed_ms = 0
        self.first_word_ms = -1
        self.speech_end_ms = -1
        self.silence_ms = 0
        """Since the last active frame."""
        self.longest_pause_ms = 0
        """Within the greeting."""
        self.voiced_ms = 0
        self.n_words = 0
        self.beep_ms = 0
        self.longest_beep_ms = 0
        self.result = ""
        """human, machine, not_sure; empty while it is open."""
        self.reason = ""

    @property
    def greeting_ms(self) -> int:
        """From the first word's begin to the last one's end."""
        return self.speech_end_ms - self.first_word_ms if self.first_word_ms >= 0 else 0

    def step(self, *, is_active: bool, is_tone: bool) -> None:
        """One frame of 20 ms. A tone is neither speech nor silence."""
        self.elapsed_ms += FRAME_MS
        if is_tone:
            self.beep_ms += FRAME_MS
            self.longest_beep_ms = max(self.longest_beep_ms, self.beep_ms)
            self._word_ms = 0
        else:
            self.beep_ms = 0
            self._listen(is_active)
        self._decide()

    def _listen(self, is_active: bool) -> None:
        if is_active:
            self._word_ms += FRAME_MS
            if self._word_ms == MIN_WORD_MS:
                begin = self.elapsed_ms - MIN_WORD_MS
                if self.first_word_ms < 0:
                    self.first_word_ms = begin
                else:
                    self.longest_pause_ms = max(self.longest_pause_ms, begin - self.speech_end_ms)
                self.n_words += 1
            if self._word_ms >= MIN_WORD_MS:
                self.speech_end_ms = self.elapsed_ms
                self.voiced_ms += FRAME_MS
                self.silence_ms = 0
            self._gap_ms = 0
            return
        self._gap_ms += FRAME_MS
        self.silence_ms += FRAME_MS
        if self._gap_ms >= WORD_GAP_MS:
            self._word_ms = 0

    def _decide(self) -> None:
        has_spoken = self.first_word_ms >= 0
        if self.longest_beep_ms >= BEEP_MS:
            self._end("machine", "beep")
        elif has_spoken and self.greeting_ms >= LONG_GREETING_MS:
            self._end("machine", "long_greeting")
        elif self.n_words >= MANY_WORDS:
            self._end("machine", "many_words")
        elif has_spoken and self.silence_ms >= WAIT_MS and self.greeting_ms <= SHORT_GREETING_MS:
            self._end("human", "short_greeting")
        elif has_spoken and self.silence_ms >= 1.5 * WAIT_MS:
            # Between short and long: who then waits for an answer is human; a machine would have gone on.
            self._end("human", "waits")
        elif not has_spoken and self.elapsed_ms >= min(INITIAL_SILENCE_MS, self._max_ms):
            self._end("not_sure", "silence")
        elif self.elapsed_ms >= self._max_ms:
            self._end("not_sure", "time")

    def _end(self, result: str, reason: str) -> None:
        self.result = result
        self.reason = reason

    def evidence(self) -> dict[str, float]:
        """What was measured, ms and counts; the rule that decided stands as `rule_NAME`: 1."""
        return {
            f"rule_{self.reason}": 1.0,
            "initial_silence_ms": float(self.first_word_ms if self.first_word_ms >= 0 else self.elapsed_ms),
            "greeting_ms": float(self.greeting_ms),
            "voiced_ms": float(self.voiced_ms),
            "words": float(self.n_words),
            "longest_pause_ms": float(self.longest_pause_ms),
            "silence_after_ms": float(self.silence_ms),
            "beep_ms": float(self.longest_beep_ms),
        }


class AnswerJudge:
    """All legs that are being judged; rows index the meter's arrays."""

    def __init__(self, capacity: int) -> None:
        self._meter = SpeechMeter(capacity)
        self._trials: dict[int, Trial] = {}
        self._window = np.hanning(160).astype(np.float32)

    def __contains__(self, row: int) -> bool:
        return row in self._trials

    def start(self, row: int, max_s: float) -> None:
        """Begins with the next frame; a trial that runs goes on."""
        if row not in self._trials:
            self._meter.reset(row)
            self._trials[row] = Trial(max_s)

    def stop(self, row: int) -> None:
        self._trials.pop(row, None)

    def run(self, rows: NDArray[np.int64], pcm: NDArray[np.float32]) -> list[tuple[int, Trial]]:
        """One frame (float32[n, 160] at 8 kHz) of rows that are judged; the trials that ended, with their rows."""
        self._meter.run(rows, pcm)
        active = self._meter.is_active[rows].tolist()
        tones = self._are_tones(rows, pcm).tolist()
        ended = []
        for row, is_active, is_tone in zip(rows.tolist(), active, tones, strict=True):
            trial = self._trials[row]
            trial.step(is_active=is_active, is_tone=is_tone)
            if trial.result:
                del self._trials[row]
                ended.append((row, trial))
        return ended

    def _are_tones(self, rows: NDArray[np.int64], pcm: NDArray[np.float32]) -> NDArray[np.bool_]:
        spectrum = np.abs(np.fft.rfft(pcm * self._window, _N_FFT, axis=1)) ** 2
        hz = 8000 / _N_FFT
        band = spectrum[:, : round(3800 / hz)]
        peak = band.argmax(axis=1)
        # The window's main lobe is 4 / 160 of the rate wide.
        reach = round(2 * 8000 / 160 / hz)
        near = np.clip(peak[:, None] + np.arange(-reach, reach + 1), 0, band.shape[1] - 1)
        part = np.take_along_axis(band, near, axis=1).sum(axis=1) / np.maximum(band.sum(axis=1), 1e-3)
        is_tone: NDArray[np.bool_] = (part > _PURE) & (self._meter.level_db[rows] > -42)
        is_tone &= (peak * hz > _BEEP_HZ[0]) & (peak * hz < _BEEP_HZ[1])
        return is_tone
