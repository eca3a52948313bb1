"""Tones, G.711 and WAV for judging what was heard. Independent of the product's own codecs, so that both cannot be
wrong in the same way."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 8000
Pcm = NDArray[np.float64]
"""Samples from -1 to 1 at 8 kHz."""


def tone(hz: float, seconds: float, level: float = 0.3) -> Pcm:
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)


def tone_share(samples: Pcm, hz: float, window_s: float = 0.1, rate: int = RATE) -> float:
    """Which part of the power is the tone: the median over windows, 0 to 1; 0 for silence and for nothing."""
    size = int(window_s * rate)
    n = len(samples) // size
    if n == 0:
        return 0.0
    windows = samples[: n * size].reshape(n, size)
    windows = windows - windows.mean(axis=1, keepdims=True)
    wave = np.exp(-2j * np.pi * hz * np.arange(size) / rate)
    power = (windows**2).sum(axis=1)
    in_tone = 2 * np.abs(windows @ wave) ** 2 / size
    shares = np.where(power > size * 1e-6, in_tone / np.maximum(power, 1e-12), 0.0)
    return float(np.median(shares))


def hears(samples: Pcm, hz: float, window_s: float = 0.1, rate: int = RATE) -> bool:
    """Mostly this tone."""
    return tone_share(samples, hz, window_s, rate) > 0.8


def power_db(samples: Pcm) -> float:
    """Mean power below full scale, dB; -120 for silence."""
    mean = float((samples**2).mean()) if len(samples) else 0.0
    return 10 * np.log10(max(mean, 1e-12))


def decode_ulaw(octets: bytes) -> Pcm:
    """G.711 µ-law by the formula of the standard."""
    code = ~np.frombuffer(octets, np.uint8)
    exponent, mantissa = (code >> 4) & 7, (code & 15).astype(np.int32)
    magnitude = ((mantissa << 3) + 0x84 << exponent.astype(np.int32)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude) / 32768.0


def decode_alaw(octets: bytes) -> Pcm:
    """G.711 A-law by the formula of the standard."""
    code = np.frombuffer(octets, np.uint8) ^ 0x55
    exponent, mantissa = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude) / 32768.0


def encode_ulaw(samples: Pcm) -> bytes:
    """The nearest µ-law code of each sample (by search: slow and surely right)."""
    return _nearest(samples, decode_ulaw(bytes(range(256))))


def encode_alaw(samples: Pcm) -> bytes:
    """The nearest A-law code of each sample."""
    return _nearest(samples, decode_alaw(bytes(range(256))))


def _nearest(samples: Pcm, codes: Pcm) -> bytes:
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    place = np.clip(np.searchsorted(ordered, samples), 1, 255)
    nearer_left = samples - ordered[place - 1] < ordered[place] - samples
    return bytes(order[np.where(nearer_left, place - 1, place)].astype(np.uint8))


def write_wav(path: Path, samples: Pcm, rate: int = RATE) -> None:
    """16-bit mono."""
    data = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", len(data))  # fmt: skip  # noqa: E501
    path.write_bytes(head + data)


class Wav:
    """A WAV file as read: `channels[i]` are samples, at `rate`. Knows PCM 16, A-law and µ-law (formats 1, 6, 7).

    Of a file still being written, whose header does not know its length yet, everything there is counts. Raises
    AssertionError for what is no such file."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        assert raw[:4] == b"RIFF" and raw[8:12] == b"WAVE", f"{path} is no WAV file"
        self.size = len(raw)
        chunks: dict[bytes, bytes] = {}
        position = 12
        while position + 8 <= len(raw):
            name, length = struct.unpack_from("<4sI", raw, position)
            if name == b"data" and length == 0:
                length = len(raw) - position - 8
            chunks.setdefault(name, raw[position + 8 : position + 8 + length])
            position += 8 + length + length % 2
        assert b"fmt " in chunks and b"data" in chunks, f"{path}: chunks {list(chunks)}"
        kind, n_channels, self.rate, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
        data = chunks[b"data"]
        if kind == 1 and bits == 16:
            flat: Pcm = np.frombuffer(data[: len(data) // 2 * 2], "<i2") / 32768.0
        elif kind in (6, 7):
            flat = decode_alaw(data) if kind == 6 else decode_ulaw(data)
        else:
            raise AssertionError(f"{path}: format {kind} with {bits} bits")
        n = len(flat) // n_channels
        self.channels = [flat[: n * n_channels].reshape(n, n_channels)[:, channel] for channel in range(n_channels)]
        self.seconds = n / self.rate
