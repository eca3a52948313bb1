"""Speech-like audio without a word in it: syllables of pitch pulses through formant filters, in phrases with pauses.

Each seed is another voice saying other things, the same every time. For demos and tests that must tell a voice from
silence, from a tone and from another voice.
"""

import numpy as np
from numpy.typing import NDArray

from media.g711 import encoder

RATE_HZ = 8000
LEVEL_DBM0 = -20.0
"""Of the syllables, pauses left out."""

# ITU-T G.711: a sine at full scale is +3.17 dBm0; its RMS in 16-bit samples is 32124 / sqrt(2).
_FULL_SCALE_RMS = 32124 / 2**0.5
_FULL_SCALE_DBM0 = 3.17

# First three formants in Hz of the vowels of father, bed, see, law, boot, bird, cat, hut, of a man.
_VOWELS_HZ = (
    (730, 1090, 2440),
    (530, 1840, 2480),
    (270, 2290, 3010),
    (570, 840, 2410),
    (300, 870, 2240),
    (490, 1350, 1690),
    (660, 1720, 2410),
    (640, 1190, 2390),
)
_BANDWIDTHS_HZ = (70, 100, 150)
_GAINS = (1.0, 0.6, 0.3)

Samples = NDArray[np.float64]


def speak(seed: int, seconds: float = 12.0, codec: str = "PCMU") -> bytes:
    """`seconds` of one voice, encoded as "PCMU" or "PCMA" at 8 kHz and about `LEVEL_DBM0`; it may be looped."""
    linear = synthesise(seed, seconds)
    return encoder(codec).take(linear.view(np.uint16)).tobytes()


def hum(hz: float, codec: str = "PCMU") -> bytes:
    """One second of a tone of whole Hz at `LEVEL_DBM0`, encoded like `speak`; it may be looped."""
    wave = np.sin(2 * np.pi * round(hz) * np.arange(RATE_HZ) / RATE_HZ)
    level = _FULL_SCALE_RMS * 2**0.5 * 10 ** ((LEVEL_DBM0 - _FULL_SCALE_DBM0) / 20)
    return encoder(codec).take((level * wave).astype(np.int16).view(np.uint16)).tobytes()


def synthesise(seed: int, seconds: float = 12.0) -> NDArray[np.int16]:
    """The same as 16-bit samples."""
    rng = np.random.default_rng(seed)
    voice = _Voice(rng)
    n = round(seconds * RATE_HZ)
    out = np.zeros(n)
    is_spoken = np.zeros(n, bool)
    at = round(0.1 * RATE_HZ)
    while at < n:
        for _ in range(int(rng.integers(3, 9))):
            syllable = voice.syllable()
            end = min(at + len(syllable), n)
            if end > at:
                out[at:end] += syllable[: end - at]
                is_spoken[at:end] = True
            at += len(syllable) + round(rng.uniform(0.0, 0.04) * RATE_HZ)
        at += round(rng.uniform(0.25, 0.7) * RATE_HZ)
    rms = float(np.sqrt(np.mean(out[is_spoken] ** 2)))
    wanted = _FULL_SCALE_RMS * 10 ** ((LEVEL_DBM0 - _FULL_SCALE_DBM0) / 20)
    return np.clip(out * (wanted / rms), -32124, 32124).astype(np.int16)


class _Voice:
    """Pitch and vocal tract length of one speaker."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._pitch_hz = float(rng.uniform(85, 230))
        self._tract = float(0.95 + (self._pitch_hz - 85) / 145 * 0.22)

    def syllable(self) -> Samples:
        rng = self._rng
        n = round(rng.uniform(0.11, 0.24) * RATE_HZ)
        vowel = _vowel(self._pulses(n), _VOWELS_HZ[rng.integers(len(_VOWELS_HZ))], self._tract)
        rise, fall = round(0.015 * RATE_HZ), round(0.05 * RATE_HZ)
        vowel[:rise] *= np.linspace(0, 1, rise)
        vowel[-fall:] *= np.linspace(1, 0, fall)
        vowel /= max(1e-9, float(np.sqrt(np.mean(vowel**2))))
        vowel *= rng.uniform(0.6, 1.2)
        if rng.random() < 0.4:
            # An unvoiced consonant: noise without its low frequencies.
            noise = np.diff(rng.standard_normal(round(rng.uniform(0.03, 0.08) * RATE_HZ) + 1))
            return np.concatenate([noise * np.hanning(len(noise)) * 0.15, vowel])
        return vowel

    def _pulses(self, n: int) -> Samples:
        rng = self._rng
        start = self._pitch_hz * rng.uniform(0.9, 1.2)
        pitch = np.linspace(start, start * rng.uniform(0.85, 1.1), n)
        phase = np.cumsum(pitch / RATE_HZ)
        return np.diff(np.floor(phase), prepend=0.0) + rng.standard_normal(n) * 0.01


def _vowel(excitation: Samples, formants_hz: tuple[int, ...], tract: float) -> Samples:
    """Resonators in parallel, each as the first 25 ms of its impulse response."""
    n = np.arange(round(0.025 * RATE_HZ))
    response = np.zeros(len(n))
    for formant_hz, bandwidth_hz, gain in zip(formants_hz, _BANDWIDTHS_HZ, _GAINS, strict=True):
        frequency = min(formant_hz * tract, 3400.0)
        angle = 2 * np.pi * frequency / RATE_HZ
        response += gain * np.exp(-np.pi * bandwidth_hz / RATE_HZ * n) * np.sin(angle * (n + 1))
    voiced = np.convolve(excitation, response)[: len(excitation)]
    return voiced - float(np.mean(voiced))
