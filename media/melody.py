"""The music on hold that comes with the package: a quiet piece of our own in D major, synthesised from the score below,
so that nobody owes anybody a licence. 48 s at 80 beats a minute, and it runs into its own beginning. Pure.
"""

import numpy as np
from numpy.typing import NDArray

from media.tones import DBM0_RMS, SAMPLE_RATE

LEVEL_DBM0 = -22.0
"""Mean level: under speech (about -20), over what echo cancellers and comfort noise make of a silent line."""

_BEAT_S = 0.75
_N_BEATS = 64

# One chord a bar of four beats, as MIDI note numbers, bass first.
_CHORDS = (
    (38, 54, 57, 62), (35, 54, 59, 62), (43, 55, 59, 62), (45, 52, 57, 61),
    (38, 54, 57, 62), (42, 54, 57, 61), (43, 55, 59, 62), (45, 52, 57, 61),
    (43, 55, 59, 62), (42, 54, 57, 61), (40, 55, 59, 64), (45, 52, 57, 61),
    (35, 54, 59, 62), (43, 55, 59, 62), (40, 55, 59, 64), (45, 52, 57, 61),
)  # fmt: skip

# (beat, length in beats, note)
_TUNE = (
    (0, 2, 74), (2, 1, 76), (3, 1, 78), (4, 3, 78), (7, 1, 76), (8, 2, 74), (10, 1, 71), (11, 1, 74), (12, 4, 73),
    (16, 2, 74), (18, 1, 76), (19, 1, 78), (20, 2, 81), (22, 2, 78), (24, 1.5, 79), (25.5, 0.5, 78), (26, 2, 74),
    (28, 4, 76),
    (32, 2, 79), (34, 1, 78), (35, 1, 76), (36, 2, 78), (38, 2, 73), (40, 2, 76), (42, 1, 74), (43, 1, 71), (44, 4, 73),
    (48, 1, 74), (49, 1, 76), (50, 2, 78), (52, 2, 79), (54, 2, 78), (56, 2, 76), (58, 1, 71), (59, 1, 74), (60, 4, 73),
)  # fmt: skip

_ARPEGGIO = (1, 2, 3, 2, 1, 2, 3, 2)
"""Which notes of the chord, an eighth each."""

# Strength of the partials 1, 2, 3 …
_BELL = (1.0, 0.45, 0.12, 0.10, 0.03)
_STRING = (1.0, 0.30, 0.18, 0.06)
_REED = (1.0, 0.10, 0.20, 0.04)


def compose() -> NDArray[np.int16]:
    """The piece at 8 kHz, 16-bit; its end continues into its beginning."""
    n = round(_N_BEATS * _BEAT_S * SAMPLE_RATE)
    sum_ = np.zeros(n)
    for bar, chord in enumerate(_CHORDS):
        beat = 4.0 * bar
        _add(sum_, beat, _swelling(chord[0] + 12, 4.4, _STRING) * 0.20)
        for note in chord[1:]:
            _add(sum_, beat, _swelling(note + 12, 4.4, _REED) * 0.13)
        for eighth, which in enumerate(_ARPEGGIO):
            _add(sum_, beat + eighth / 2, _plucked(chord[which] + 12, 1.5, _STRING) * 0.25)
    for beat, length, note in _TUNE:
        _add(sum_, beat, _plucked(note, length + 1.5, _BELL) * 0.55)
    room = np.fft.irfft(np.fft.rfft(sum_) * np.fft.rfft(_echo(n)), n)
    rms = float(np.sqrt(np.mean(room**2)))
    scaled = room * (DBM0_RMS * 10 ** (LEVEL_DBM0 / 20) / rms)
    return np.asarray(np.rint(np.clip(scaled, -32768, 32767)), np.int16)


def _add(sum_: NDArray[np.float64], beat: float, sound: NDArray[np.float64]) -> None:
    # Around the end: what still sounds there sounds on at the beginning.
    at = round(beat * _BEAT_S * SAMPLE_RATE)
    n_straight = min(len(sound), len(sum_) - at)
    sum_[at : at + n_straight] += sound[:n_straight]
    sum_[: len(sound) - n_straight] += sound[n_straight:]


def _partials(note: int, n: int, strengths: tuple[float, ...]) -> NDArray[np.float64]:
    pitch = 440.0 * 2 ** ((note - 69) / 12)
    phase = 2 * np.pi * pitch * np.arange(n) / SAMPLE_RATE
    # Nothing above the telephone band: it would only be folded or cut.
    heard = [(k, s) for k, s in enumerate(strengths, 1) if k * pitch < 3300]
    return np.asarray(np.sum([s * np.sin(k * phase) for k, s in heard], axis=0))


def _plucked(note: int, beats: float, strengths: tuple[float, ...]) -> NDArray[np.float64]:
    n = round(beats * _BEAT_S * SAMPLE_RATE)
    at_s = np.arange(n) / SAMPLE_RATE
    envelope = np.minimum(at_s / 0.008, 1) * np.exp(-at_s / 0.55) * np.minimum((n - np.arange(n)) / 400, 1)
    return np.asarray(_partials(note, n, strengths) * envelope)


def _swelling(note: int, beats: float, strengths: tuple[float, ...]) -> NDArray[np.float64]:
    n = round(beats * _BEAT_S * SAMPLE_RATE)
    at = np.linspace(0, 1, n)
    return np.asarray(_partials(note, n, strengths) * np.minimum(at / 0.15, 1) * np.minimum((1 - at) / 0.25, 1))


def _echo(n: int) -> NDArray[np.float64]:
    response = np.zeros(n)
    response[0] = 1.0
    for delay_s, strength in ((0.031, 0.30), (0.047, 0.25), (0.079, 0.18), (0.113, 0.14), (0.187, 0.10), (0.311, 0.06)):
        response[round(delay_s * SAMPLE_RATE)] = strength
    return response
