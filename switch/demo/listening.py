"""Reads a recording back and says who can be heard in it: from the samples, not from anybody's word."""

import struct
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from media.g711 import ALAW_TO_LINEAR, ULAW_TO_LINEAR

_PCM, _ALAW, _ULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_FRAME_S = 0.020
_VOICE_RMS = 160.0
"""Some -40 dBm0: a quarter of the quietest syllable, far above silence and idle noise."""
_MIN_VOICE_SHARE = 0.15
_MAX_LIKENESS = 0.9


class Heard(msgspec.Struct, frozen=True):
    """What is in a recording."""

    duration_s: float
    voice_s: tuple[float, ...]
    """By channel: seconds with voice."""
    likeness: float = 0.0
    """Correlation of the two channels, 0…1: 1 = the same audio twice."""
    error: str = ""

    @property
    def has_both_sides(self) -> bool:
        """Two channels, each with a voice of its own for a fair share of the time."""
        return (
            not self.error
            and len(self.voice_s) == 2
            and all(seconds >= _MIN_VOICE_SHARE * self.duration_s > 0 for seconds in self.voice_s)
            and self.likeness < _MAX_LIKENESS
        )


def listen(path: Path) -> Heard:
    """Never raises: what cannot be read has `error` set."""
    try:
        rate, channels = _read_wav(path.read_bytes())
    except (OSError, ValueError, struct.error) as error:
        return Heard(0.0, (), error=str(error))
    frame = round(rate * _FRAME_S)
    n_frames = channels.shape[1] // frame
    framed = channels[:, : n_frames * frame].reshape(len(channels), n_frames, frame)
    rms = np.sqrt(np.mean(framed**2, axis=2)) if n_frames else np.zeros((len(channels), 0))
    voice_s = tuple(float((row > _VOICE_RMS).sum() * _FRAME_S) for row in rms)
    return Heard(channels.shape[1] / rate, voice_s, _likeness(channels))


def _likeness(channels: NDArray[np.float64]) -> float:
    if len(channels) != 2 or not channels.any(axis=1).all():
        return 0.0
    left, right = (channel - channel.mean() for channel in channels)
    power = float(np.sqrt(np.dot(left, left) * np.dot(right, right)))
    return abs(float(np.dot(left, right))) / power if power else 0.0


def _read_wav(data: bytes) -> tuple[int, NDArray[np.float64]]:
    """Sample rate and one row of samples a channel, of a RIFF/WAVE file of 8-bit G.711 or 16-bit PCM."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("not a WAV file")
    at, layout, body = 12, b"", b""
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if name == b"fmt ":
            layout = data[at + 8 : at + 8 + size]
        elif name == b"data":
            body = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    if len(layout) < 16:
        raise ValueError("no format in the WAV file")
    kind, n_channels, rate = struct.unpack_from("<HHI", layout)
    bits = struct.unpack_from("<H", layout, 14)[0]
    if kind == _EXTENSIBLE and len(layout) >= 26:
        kind = struct.unpack_from("<H", layout, 24)[0]
    if not n_channels or not rate:
        raise ValueError("no channels in the WAV file")
    if kind in (_ULAW, _ALAW) and bits == 8:
        table = ULAW_TO_LINEAR if kind == _ULAW else ALAW_TO_LINEAR
        samples = table[np.frombuffer(body, np.uint8)]
    elif kind == _PCM and bits == 16:
        samples = np.frombuffer(body[: len(body) // 2 * 2], "<i2")
    else:
        raise ValueError(f"WAV format {kind} with {bits} bits is not known here")
    n = len(samples) // n_channels
    return rate, samples[: n * n_channels].reshape(n, n_channels).T.astype(np.float64)
