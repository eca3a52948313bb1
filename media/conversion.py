"""Sound files of others made ready to be played, in a process of its own: `python -m media.conversion FILE TARGET`.

WAV, MP3, OGG or FLAC becomes a WAV of one channel, 8 kHz and 16 bits, without the silence around it, as loud as the
built-in prompts (`scripts/render-prompts`). The file may be anything, made to break the decoder too: the process lays
bounds of memory and time upon itself before it reads it, and the format is chosen here, by the first bytes, so that no
file can make the decoder open another one. It prints one line of JSON, `Converted`.
"""

import ctypes
import hashlib
import os
import resource
import signal
import sys

import av
import msgspec
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from media.wav import WavFormat, make_header

MAX_DURATION_S = 600.0
MAX_MEMORY = 2 << 30
"""Address space: libraries take most of it."""
MAX_CPU_S = 15
MAX_FILE = 32 << 20
RATE = 8000
LEVEL_DBFS = -19.0
"""RMS of what is spoken, as of the built-in prompts."""
PEAK = 0.9
"""Of full scale; what would be louder stays that much softer."""
MAX_GAIN = 30.0
"""About 30 dB: beyond it there is noise and no speech."""

_CODECS = ("pcm_", "adpcm_", "mp3", "vorbis", "opus", "flac", "gsm")
_MAX_CHANNELS = 8
_RATES = (4000, 192_000)
_BLOCK = RATE // 50
"""20 ms: what loudness is measured by."""
_ACTIVE = 0.01
"""Blocks within 20 dB of the loudest are speech."""
_QUIET_DB = -45.0
"""Against the speech: what is softer at an end is silence."""
_NOTHING = 10 ** (-60 / 20)
_BEFORE_S, _AFTER_S = 0.06, 0.1
"""Left of the silence: soft sounds that words begin and end with."""
_MAX_BAD = 0.05
"""Part of the packets that may be damaged."""
_PR_SET_PDEATHSIG = 1


class ConversionError(ValueError):
    """It cannot be played; the text says why."""


class Converted(msgspec.Struct, frozen=True):
    """What was made, or why nothing was."""

    duration_s: float = 0.0
    sha256: str = ""
    error: str = ""


def lay_bounds() -> None:
    """Upon this process, before anything is read. It ends with whoever started it, too."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE, MAX_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def convert(source: str, target: str) -> Converted:
    """Raises ConversionError or OSError; then there is no target."""
    samples = _read(source)
    samples = _level(_trim(samples))
    data = _whole_numbers(samples)
    whole = make_header(WavFormat(channels=1, encoding="pcm16", sample_rate=RATE), len(data)) + data
    part = f"{target}.part"
    try:
        with open(part, "wb") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise
    return Converted(len(samples) / RATE, hashlib.sha256(whole).hexdigest())


def format_of(head: bytes) -> str:
    """The container, by the first bytes of a file. Raises ConversionError."""
    if not head:
        raise ConversionError("the file is empty")
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"OggS":
        return "ogg"
    if head[:4] == b"fLaC":
        return "flac"
    # An MP3 begins with a tag, or with a frame: eleven ones, and MPEG 1, 2 or 2.5 Layer III.
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08):
        return "mp3"
    raise ConversionError("is no sound file: WAV, MP3, OGG and FLAC can be read")


def _read(path: str) -> NDArray[np.float32]:
    """All of it, one channel at `RATE`."""
    with open(path, "rb") as file:
        container_format = format_of(file.read(12))
        file.seek(0)
        try:
            with av.open(file, "r", format=container_format, metadata_errors="replace") as container:
                return _decode(container)
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, ConversionError):
                raise
            raise ConversionError(f"the {container_format.upper()} cannot be read: {_why(error)}") from None


def _decode(container: InputContainer) -> NDArray[np.float32]:
    if not container.streams.audio:
        raise ConversionError("holds no audio")
    stream = container.streams.audio[0]
    context = stream.codec_context
    if not context.name.startswith(_CODECS):
        raise ConversionError(f"{context.name} cannot be read")
    if not _RATES[0] <= context.sample_rate <= _RATES[1] or not 1 <= context.channels <= _MAX_CHANNELS:
        raise ConversionError(f"{context.channels} channels at {context.sample_rate} Hz cannot be read")
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    blocks: list[NDArray[np.float32]] = []
    n, n_packets, n_bad = 0, 0, 0
    for packet in container.demux(stream):
        n_packets += 1
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            n_bad += 1
            continue
        for frame in frames:
            frame.pts = None
            for made in resampler.resample(frame):
                blocks.append(made.to_ndarray()[0])
                n += blocks[-1].size
        if n > MAX_DURATION_S * RATE:
            raise ConversionError(f"is longer than {MAX_DURATION_S:.0f} seconds")
    if n_bad > max(2, n_packets * _MAX_BAD):
        raise ConversionError(f"is damaged: {n_bad} of {n_packets} parts cannot be read")
    if not n:
        raise ConversionError("holds no audio")
    blocks += [made.to_ndarray()[0] for made in resampler.resample(None)]
    samples = np.nan_to_num(np.concatenate(blocks), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(samples, -8.0, 8.0)


def _trim(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the silence at its ends, but for a little, and faded there. Raises ConversionError for nothing else."""
    fine = _BLOCK // 2
    power = _powers(samples, fine)
    loudest = float(power.max())
    if loudest < _NOTHING**2:
        raise ConversionError("holds nothing but silence")
    speech = float(power[power > loudest * _ACTIVE].mean())
    loud = np.nonzero(power > speech * 10 ** (_QUIET_DB / 10))[0]
    first = max(0, int(loud[0]) * fine - int(_BEFORE_S * RATE))
    last = min(len(samples), (int(loud[-1]) + 1) * fine + int(_AFTER_S * RATE))
    kept = samples[first:last].copy()
    fade = min(RATE // 200, len(kept))
    kept[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    kept[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return kept


def _level(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """At `LEVEL_DBFS`, or as near as its peaks allow."""
    power = _powers(samples, _BLOCK)
    active = float(power[power >= power.max() * _ACTIVE].mean())
    gain = min(10 ** (LEVEL_DBFS / 20) / active**0.5, PEAK / float(np.abs(samples).max()), MAX_GAIN)
    return samples * np.float32(gain)


def _powers(samples: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Of blocks; the last one with the rest."""
    padded = np.concatenate([samples, np.zeros(-len(samples) % size, np.float32)])
    return np.asarray((padded.reshape(-1, size) ** 2).mean(axis=1), np.float32)


def _whole_numbers(samples: NDArray[np.float32]) -> bytes:
    return bytes(np.asarray(np.rint(samples * 32767), "<i2").tobytes())


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or "no reason is known"


def main() -> None:
    lay_bounds()
    try:
        result = convert(sys.argv[1], sys.argv[2])
    except ConversionError as error:
        result = Converted(error=str(error))
    except MemoryError:
        result = Converted(error="needs too much memory")
    except OSError as error:
        result = Converted(error=error.strerror or str(error))
    print(msgspec.json.encode(result).decode())


if __name__ == "__main__":
    main()
