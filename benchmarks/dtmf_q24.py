"""The limits of ITU-T Q.24 (and its Annex A for 23 and 40 ms) as a table of signals, run against the in-band detector.

Each row is one kind of signal for all 16 digits at many alignments to the detector's blocks, coded in µ-law.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media import g711
from media.inband_dtmf import HIGH_HZ, KEYPAD, LOW_HZ, InbandDetector
from media.tones import DBM0_RMS

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """`wanted` is how often the digit must be found: 0 = it must be rejected."""

    name: str
    limit: str
    make: Callable[[str, np.random.Generator], Signal]
    wanted: int = 1
    snr_db: float = 60.0


def dual_tone(
    key: str,
    ms: float,
    *,
    level_dbm0: float = -10.0,
    twist_db: float = 0.0,
    low_offset: float = 0.0,
    high_offset: float = 0.0,
    phase: float = 0.4,
) -> Signal:
    """A digit at 8 kHz in 16-bit scale. `level_dbm0` is that of the stronger tone, `twist_db` high over low tone,
    offsets are parts of the frequency."""
    i = KEYPAD.index(key)
    time = np.arange(round(ms * 8)) / 8000
    low_db, high_db = level_dbm0 + min(0.0, -twist_db), level_dbm0 + min(0.0, twist_db)
    peak = DBM0_RMS * 2**0.5
    low = np.sin(2 * np.pi * LOW_HZ[i // 4] * (1 + low_offset) * time + phase)
    high = np.sin(2 * np.pi * HIGH_HZ[i % 4] * (1 + high_offset) * time + 2 * phase)
    return np.asarray(peak * (10 ** (low_db / 20) * low + 10 ** (high_db / 20) * high))


def rows() -> Iterator[Row]:
    """The whole table."""
    for ms, wanted in ((40, 1), (50, 1), (100, 1), (1000, 1), (23, 0), (20, 0), (15, 0)):
        yield Row(f"{ms} ms on", "40 ms accepted, 23 ms rejected", _plain(ms), wanted)
    for part in (0.015, -0.015, 0.035, -0.035, 0.045, -0.045, 0.055, -0.055):
        wanted = 1 if abs(part) < 0.02 else 0
        limit = "1.5 % accepted, 3.5 % rejected"
        yield Row(f"both {part:+.1%}", limit, _plain(50, low_offset=part, high_offset=part), wanted)
        yield Row(f"low {part:+.1%}", limit, _plain(50, low_offset=part), wanted)
        yield Row(f"high {part:+.1%}", limit, _plain(50, high_offset=part), wanted)
    yield Row("low +1.5 %, high -1.5 %", "1.5 % accepted", _plain(50, low_offset=0.015, high_offset=-0.015))
    for twist in (4, 2, -4, -8):
        yield Row(f"twist {twist:+} dB", "+4 to -8 dB accepted", _plain(50, twist_db=twist))
        yield Row(f"twist {twist:+} dB, 40 ms", "+4 to -8 dB accepted", _plain(40, twist_db=twist))
    for level in (0, -3, -10, -20, -25, -29):
        yield Row(f"level {level} dBm0", "0 to -25 dBm0 accepted", _plain(50, level_dbm0=level))
    for level in (-55, -45):
        yield Row(f"level {level} dBm0", "below -45 dBm0 rejected", _plain(50, level_dbm0=level), 0)
    for snr in (24, 18, 15):
        yield Row(f"noise {snr} dB below", "15 dB accepted", _plain(50), snr_db=snr)
    for pause in (40, 50, 80):
        yield Row(f"pause {pause} ms", "40 ms separates", _pair(50, pause), 2)
    for pause in (2, 5, 10):
        yield Row(f"interruption {pause} ms", "10 ms does not separate", _pair(50, pause))
    for harmonic in (-3, -6):
        yield Row(f"second harmonics at {harmonic} dB", "speech, rejected", _harmonics(harmonic), 0)
    yield Row("one tone of the two", "rejected", _single, 0)
    yield Row("frequency that glides", "speech, rejected", _glide, 0)


def measure(n_each: int = 8, seed: int = 1) -> list[dict[str, object]]:
    """Each row with `n_each` alignments of every digit: how many were as wanted. All rows at once."""
    rng = np.random.default_rng(seed)
    table = list(rows())
    signals: list[tuple[int, str, Signal]] = []
    for number, row in enumerate(table):
        for key in KEYPAD:
            for _ in range(n_each):
                signals.append((number, key, _placed(row.make(key, rng), row.snr_db, rng)))
    found = listen([signal for *_, signal in signals])
    good = [0] * len(table)
    for (number, key, _), digits in zip(signals, found, strict=True):
        good[number] += digits == key * table[number].wanted
    total = 16 * n_each
    return [
        {"row": row.name, "limit": row.limit, "as_wanted": n, "of": total, "passed": n == total}
        for row, n in zip(table, good, strict=True)
    ]


def listen(signals: list[Signal], heard: list[NDArray[np.bool_]] | None = None) -> list[str]:
    """The digits in each of the signals, through µ-law; `heard` is of each whether its frames of 20 ms came."""
    n = max(map(len, signals)) // 160 + 6
    pcm = np.zeros((len(signals), n * 160), np.int16)
    for i, signal in enumerate(signals):
        pcm[i, : len(signal)] = np.clip(np.rint(signal), -32768, 32767)
    coded = g711.decoder("PCMU")[g711.encoder("PCMU")[pcm.view(np.uint16)]].astype(np.float32)
    came = np.ones((len(signals), n), np.bool_)
    for i, each in enumerate(heard or []):
        came[i, : len(each)] = each
    detector, rows_ = InbandDetector(), np.arange(len(signals))
    found = [""] * len(signals)
    for k in range(n):
        for found_digit in detector.run(rows_, np.ascontiguousarray(coded[:, 160 * k : 160 * k + 160]), came[:, k]):
            found[found_digit.row] += found_digit.digit
    return found


def _placed(signal: Signal, snr_db: float, rng: np.random.Generator) -> Signal:
    before = rng.integers(0, 320)
    placed = np.concatenate([np.zeros(before), signal, np.zeros(800)])
    power = float(np.mean(signal**2))
    return np.asarray(placed + rng.normal(0, 1, len(placed)) * (power * 10 ** (-snr_db / 10)) ** 0.5)


def _plain(ms: float, **options: float) -> Callable[[str, np.random.Generator], Signal]:
    return lambda key, rng: dual_tone(key, ms, phase=float(rng.uniform(0, 3)), **options)


def _pair(ms: float, pause_ms: float) -> Callable[[str, np.random.Generator], Signal]:
    def make(key: str, rng: np.random.Generator) -> Signal:
        signal = dual_tone(key, 2 * ms + pause_ms, phase=float(rng.uniform(0, 3)))
        signal[round(8 * ms) : round(8 * (ms + pause_ms))] = 0
        return signal

    return make


def _harmonics(level_db: float) -> Callable[[str, np.random.Generator], Signal]:
    def make(key: str, rng: np.random.Generator) -> Signal:
        i, time = KEYPAD.index(key), np.arange(800) / 8000
        second = sum(np.sin(4 * np.pi * hz * time + 1) for hz in (LOW_HZ[i // 4], HIGH_HZ[i % 4]))
        return np.asarray(dual_tone(key, 100) + DBM0_RMS * 2**0.5 * 10 ** ((level_db - 10) / 20) * second)

    return make


def _single(key: str, rng: np.random.Generator) -> Signal:
    return dual_tone(key, 100, twist_db=float(rng.choice((-60.0, 60.0))))


def _glide(key: str, rng: np.random.Generator) -> Signal:
    i, time = KEYPAD.index(key), np.arange(800) / 8000
    bend = 1 + 0.6 * (time - 0.05)
    peak = DBM0_RMS * 2**0.5 * 10 ** (-10 / 20)
    turns = np.cumsum(bend) / 8000
    return np.asarray(peak * sum(np.sin(2 * np.pi * hz * turns) for hz in (LOW_HZ[i // 4], HIGH_HZ[i % 4])))
