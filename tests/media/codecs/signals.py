"""Signals for the codec tests, int16 at 16 kHz, and how like each other two are."""

import numpy as np

RATE = 16000


def speech_like(seconds=1.0, seed=1, rate=RATE):
    """A voice without words: harmonics of a wandering pitch in syllables, and hiss above 4 kHz."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(rate * seconds)) / rate
    pitch = 115 + 17 * (seed % 7) + 25 * np.sin(2 * np.pi * 1.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voiced = sum(np.sin(k * phase + k) / k for k in range(1, 24))
    hiss = rng.normal(0, 0.1, len(t))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * t) + 0.6, 0, 1)
    return np.clip((voiced + hiss) * syllables * 3500, -32768, 32767).astype(np.int16)


def tone(hz, seconds=1.0, level=8000, rate=RATE):
    return (level * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


def frames(pcm, size):
    return [pcm[i : i + size] for i in range(0, len(pcm) - size + 1, size)]


def level_at(pcm, hz, rate=RATE):
    """Amplitude of the sine at `hz`."""
    window = np.blackman(len(pcm))
    turns = np.exp(-2j * np.pi * hz * np.arange(len(pcm)) / rate)
    return 2 * abs(np.sum(pcm * window * turns)) / window.sum()


def likeness(a, b, lag=400):
    """Largest correlation of `b` with `a`, shifted by up to `lag` samples: 1.0 = the same but for level.

    Opus turns phases: speech comes out at 0.8, another voice at less than 0.4."""
    n = min(len(a), len(b)) - lag
    a, b = a[:n].astype(np.float64), b[: n + lag].astype(np.float64)
    size = 1 << (2 * n + lag).bit_length()
    products = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)[:lag]
    energy = np.concatenate([[0.0], np.cumsum(b * b)])
    norms = np.sqrt((energy[n:] - energy[: len(energy) - n])[:lag] * np.dot(a, a))
    return float(np.max(products / (norms + 1e-9)))
