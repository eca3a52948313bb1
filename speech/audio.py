"""What a provider made becomes what callers hear: 8 kHz, as loud as every prompt, without silence around it."""

import io
import math
import struct
import wave

import numpy as np
from numpy.typing import NDArray

from speech.errors import SpeechError

RATE = 8000
RATES = range(4000, 96_001)
"""Hz that a provider may make."""
MAX_S = 600
"""A text that takes longer is refused."""
LEVEL_DBFS = -19.0
"""RMS of what is spoken, as that of the built-in prompts."""
PEAK = 0.9
HEADER_BYTES = 44
_HALF = 16
"""Zero crossings of the filter on either side."""
_BLOCK = 8000
_BEFORE_S, _AFTER_S = 0.02, 0.1

Samples = NDArray[np.int16]


def finish(samples: Samples, rate: int) -> Samples:
    """For callers. Raises SpeechError when there is nothing to hear."""
    if rate not in RATES:
        raise SpeechError(f"{rate} Hz were made; {RATES[0]} to {RATES[-1]} can be used")
    if len(samples) > MAX_S * rate:
        raise SpeechError(f"it would take more than {MAX_S} s to say it")
    heard = _trim(resample(samples.astype(np.float32) / np.float32(32768), rate))
    return np.asarray(np.rint(_level(heard) * 32767), np.int16)


def resample(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """At 8 kHz, nothing above 3.6 kHz folded down."""
    if rate == RATE:
        return samples
    shared = math.gcd(rate, RATE)
    up, down = RATE // shared, rate // shared
    cut = 0.9 * min(1.0, RATE / rate)
    half = math.ceil(_HALF / cut)
    offsets = np.arange(1 - half, half + 1)
    # One row of the filter for each place that an output has between two inputs.
    at = offsets[None, :] - np.arange(up)[:, None] / up
    filters = np.sinc(at * cut) * np.i0(8.6 * np.sqrt(np.clip(1 - (at / half) ** 2, 0, 1)))
    filters = (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)
    padded = np.concatenate((np.zeros(half, np.float32), samples, np.zeros(half + 1, np.float32)))
    n = len(samples) * up // down
    made = np.empty(n, np.float32)
    for first in range(0, n, _BLOCK):
        places = np.arange(first, min(first + _BLOCK, n)) * down
        around = padded[(places // up)[:, None] + offsets[None, :] + half]
        made[first : first + len(places)] = np.einsum("ij,ij->i", around, filters[places % up])
    return made


def _trim(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    loud = np.flatnonzero(np.abs(samples) > 0.004)
    if not len(loud):
        raise SpeechError("nothing can be heard of it")
    first = max(0, int(loud[0]) - int(_BEFORE_S * RATE))
    return samples[first : int(loud[-1]) + int(_AFTER_S * RATE)]


def _level(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    blocks = np.resize(samples, (max(1, len(samples) // 160), 160))
    power = (blocks**2).mean(axis=1)
    active = power[power >= power.max() / 100].mean()
    gain = min(10 ** (LEVEL_DBFS / 20) / math.sqrt(active), PEAK / float(np.abs(samples).max()))
    return np.asarray(samples * np.float32(gain), np.float32)


def to_wav(samples: Samples) -> bytes:
    """A file of ours: 16-bit PCM, mono, 8 kHz."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def is_whole(head: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that begins with `head` is one that `to_wav` made, to its end."""
    if len(head) < HEADER_BYTES or size <= HEADER_BYTES:
        return False
    expected = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", size - 8, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16,
                           b"data", size - HEADER_BYTES)  # fmt: skip
    return head[:HEADER_BYTES] == expected


def from_wav(data: bytes) -> tuple[Samples, int]:
    """(samples of one channel, Hz). Raises SpeechError."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            n_channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError, struct.error) as error:
        raise SpeechError(f"the answer is no WAV file of PCM ({error or 'it ends too early'})") from None
    if width != 2 or n_channels not in (1, 2):
        raise SpeechError(f"the answer has {8 * width} bits, {n_channels} channels; 16 bits, 1 or 2 are understood")
    samples = np.frombuffer(raw[: len(raw) // (2 * n_channels) * 2 * n_channels], "<i2")
    if n_channels == 2:
        samples = samples.reshape(-1, 2).astype(np.int32).mean(axis=1)
    return np.asarray(samples, np.int16), rate
