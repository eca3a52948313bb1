"""WAV files: the header our recordings carry, its repair after a crash, and reading what others made.

RIFF as in IBM/Microsoft 1991 and RFC 2361: format 1 (16-bit PCM), 6 (A-law), 7 (µ-law). The header is of fixed length,
so it can be written again at any time. It keeps room for a `ds64` chunk: beyond 4 GiB the file becomes RF64 (EBU Tech
3306).
"""

import hashlib
import os
import struct
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from media.g711 import decoder

FORMAT_TAGS = {"pcm16": 1, "PCMA": 6, "PCMU": 7}
SAMPLE_BYTES = {"pcm16": 2, "PCMA": 1, "PCMU": 1}

_ENCODINGS = {tag: name for name, tag in FORMAT_TAGS.items()}
_FLOAT_TAG, _EXTENSIBLE_TAG = 3, 0xFFFE
_MAX_RIFF = 0xFFFFFFFF
_DS64_SIZE = 28
_HASH_BLOCK = 1 << 20


class WavError(ValueError):
    """Not a WAV file we can read; the text says what is wrong with it."""


class WavFormat(msgspec.Struct, frozen=True, gc=False):
    """What is in the file. `encoding`: "pcm16", "PCMA" or "PCMU"; `sample_rate` in Hz."""

    channels: int
    encoding: str
    sample_rate: int = 8000

    @property
    def frame_size(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * SAMPLE_BYTES[self.encoding]


class Repaired(msgspec.Struct, frozen=True, gc=False):
    """A recording as it is on disk after `repair`."""

    path: str
    duration_s: float
    size: int
    sha256: str
    channels: int
    encoding: str
    is_changed: bool
    """False: the header was right already."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """What a file of ours holds, whatever its header says."""

    form: WavFormat
    header_size: int
    data_size: int
    """Whole frames of audio in the file, in bytes; behind them nothing counts."""


class Layout(msgspec.Struct, frozen=True, gc=False):
    """Where things are in a file."""

    tag: int
    channels: int
    sample_rate: int
    bits: int
    frame_size: int
    data_offset: int
    data_size: int
    """As the header says."""
    riff_size: int


def make_header(form: WavFormat, data_size: int, trailer_size: int = 0) -> bytes:
    """The header for `data_size` bytes of audio followed by `trailer_size` bytes of other chunks.

    Always of the same length for one `form`. Raises KeyError for an unknown encoding.
    """
    tag, frame_size = FORMAT_TAGS[form.encoding], form.frame_size
    fmt = struct.pack(
        "<HHIIHH",
        tag,
        form.channels,
        form.sample_rate,
        form.sample_rate * frame_size,
        frame_size,
        8 * SAMPLE_BYTES[form.encoding],
    )
    n_frames = data_size // frame_size
    fact = b""
    if tag != 1:
        fmt += b"\0\0"
        fact = b"fact" + struct.pack("<II", 4, min(n_frames, _MAX_RIFF))
    size = 12 + 8 + _DS64_SIZE + 8 + len(fmt) + len(fact) + 8
    riff_size = size - 8 + data_size + (data_size & 1) + trailer_size
    if riff_size > _MAX_RIFF:
        sizes = struct.pack("<QQQI", riff_size, data_size, n_frames, 0)
        head = struct.pack("<4sI4s4sI", b"RF64", _MAX_RIFF, b"WAVE", b"ds64", _DS64_SIZE) + sizes
        data_size = _MAX_RIFF
    else:
        head = struct.pack("<4sI4s4sI28x", b"RIFF", riff_size, b"WAVE", b"JUNK", _DS64_SIZE)
    return b"".join([head, b"fmt ", struct.pack("<I", len(fmt)), fmt, fact, b"data", struct.pack("<I", data_size)])


def make_markers(markers: Sequence[tuple[int, str]]) -> bytes:
    """Chunks `cue ` and `LIST adtl` naming positions (in samples per channel); b"" for none."""
    if not markers:
        return b""
    cue = struct.pack("<I", len(markers))
    labels = b"adtl"
    for number, (position, text) in enumerate(markers, 1):
        at = min(position, _MAX_RIFF)
        cue += struct.pack("<II4sIII", number, at, b"data", 0, 0, at)
        label = struct.pack("<I", number) + text.encode() + b"\0"
        labels += b"labl" + struct.pack("<I", len(label)) + label + b"\0" * (len(label) & 1)
    return b"cue " + struct.pack("<I", len(cue)) + cue + b"LIST" + struct.pack("<I", len(labels)) + labels


def examine(read: Callable[[int, int], bytes], size: int) -> Held | None:
    """What a recording of ours holds, also when its writer died. `read(n, offset)` gives bytes of the file of `size`.

    None when there is no header yet: nothing was recorded. Raises `WavError` when it is something else.
    """
    head = read(4096, 0)
    if not head.strip(b"\0"):
        return None
    layout = parse_layout(head)
    encoding = _ENCODINGS.get(layout.tag, "")
    if not encoding:
        raise WavError(f"format {layout.tag} is none of ours")
    form = WavFormat(layout.channels, encoding, layout.sample_rate)
    if len(make_header(form, 0)) != layout.data_offset:
        raise WavError("the header is not one of ours")
    data_end = layout.data_offset + layout.data_size
    padded_end = data_end + (layout.data_size & 1)
    is_right = layout.riff_size + 8 == size and padded_end <= size
    # Died between the markers and the last header: the audio is whole, the markers may not be.
    if is_right or (size > padded_end and read(4, padded_end) == b"cue "):
        data_size = layout.data_size
    else:
        data_size = max(size - layout.data_offset, 0)
    return Held(form, layout.data_offset, data_size - data_size % form.frame_size)


def repair(path: str) -> Repaired | None:
    """Makes the header of a recording whose writer died say what is in the file; blocks (disk), so not for a loop.

    Not for a recording that a worker still writes: it may cut off what is just being written.

    None when there is no such file or it holds no header yet: nothing was recorded. A part of a frame at the end is cut
    off. The file is on disk (fsync) when this returns. Raises `WavError` when the file is something else, OSError when
    it cannot be read or written.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(fd).st_size
        held = examine(lambda n, offset: os.pread(fd, n, offset), size)
        if held is None:
            return None
        is_changed = _repair_sizes(fd, size, held)
        return Repaired(
            path=path,
            duration_s=held.data_size / held.form.frame_size / held.form.sample_rate,
            size=os.fstat(fd).st_size,
            sha256=_hash(fd),
            channels=held.form.channels,
            encoding=held.form.encoding,
            is_changed=is_changed,
        )
    finally:
        os.close(fd)


def parse_layout(head: bytes) -> Layout:
    """Reads the chunks up to the audio from the first bytes of a file. Raises `WavError`."""
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        raise WavError("no RIFF/WAVE header")
    riff_size = struct.unpack_from("<I", head, 4)[0]
    data_size_64 = -1
    fmt: tuple[int, ...] = ()
    at = 12
    while at + 8 <= len(head):
        name, size = struct.unpack_from("<4sI", head, at)
        at += 8
        if name == b"data":
            if not fmt:
                raise WavError("data before fmt")
            if size == _MAX_RIFF and data_size_64 >= 0:
                size = data_size_64
            tag, channels, rate, _, frame_size, bits = fmt
            return Layout(tag, channels, rate, bits, frame_size, at, size, riff_size)
        if name == b"ds64" and at + 16 <= len(head):
            riff_size, data_size_64 = struct.unpack_from("<QQ", head, at)
        elif name == b"fmt ":
            fmt = _parse_fmt(head[at : at + size])
        at += size + (size & 1)
    raise WavError("no data chunk")


def read_samples(data: bytes) -> tuple[NDArray[np.float32], int]:
    """The audio of a whole file, mixed to one channel, full scale ±32768, and its sample rate in Hz.

    Reads PCM of 8, 16, 24 and 32 bits, 32-bit float, A-law and µ-law, each also as WAVE_FORMAT_EXTENSIBLE. Sizes in the
    header that go beyond the file are taken as "to the end". Raises `WavError`.
    """
    layout = parse_layout(data)
    available = min(layout.data_size, len(data) - layout.data_offset)
    raw = np.frombuffer(data, np.uint8, available // layout.frame_size * layout.frame_size, layout.data_offset)
    if layout.tag in (6, 7) and layout.bits == 8:
        samples = decoder(_ENCODINGS[layout.tag])[raw].astype(np.float32)
    elif layout.tag == 1 and layout.bits == 8:
        samples = (raw.astype(np.float32) - np.float32(128)) * np.float32(256)
    elif layout.tag == 1 and layout.bits == 16:
        samples = raw.view("<i2").astype(np.float32)
    elif layout.tag == 1 and layout.bits == 24:
        triples = raw.reshape(-1, 3)
        weights = np.array([1 / 256, 1, 256], np.float32)
        unsigned = triples.astype(np.float32) @ weights
        samples = np.where(triples[:, 2] > 127, unsigned - np.float32(65536), unsigned)
    elif layout.tag == 1 and layout.bits == 32:
        samples = raw.view("<i4").astype(np.float32) / np.float32(65536)
    elif layout.tag == _FLOAT_TAG and layout.bits == 32:
        samples = np.nan_to_num(raw.view("<f4").astype(np.float32)) * np.float32(32768)
    else:
        raise WavError(f"format {layout.tag} with {layout.bits} bits is not supported (PCM, float, A-law, µ-law are)")
    if layout.channels == 1:
        return samples, layout.sample_rate
    return samples.reshape(-1, layout.channels).mean(axis=1, dtype=np.float32), layout.sample_rate


def _parse_fmt(chunk: bytes) -> tuple[int, ...]:
    if len(chunk) < 16:
        raise WavError("fmt chunk is too short")
    tag, channels, rate, byte_rate, frame_size, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE_TAG and len(chunk) >= 26:
        tag = struct.unpack_from("<H", chunk, 24)[0]
    if not 1 <= channels <= 64 or not 1000 <= rate <= 384_000:
        raise WavError(f"{channels} channels at {rate} Hz are out of range")
    if frame_size != channels * ((bits + 7) // 8) or frame_size == 0:
        raise WavError(f"frames of {frame_size} bytes do not fit {channels} channels of {bits} bits")
    return tag, channels, rate, byte_rate, frame_size, bits


def _repair_sizes(fd: int, size: int, held: Held) -> bool:
    layout = parse_layout(os.pread(fd, 4096, 0))
    data_end = layout.data_offset + layout.data_size
    if layout.riff_size + 8 == size and data_end + (layout.data_size & 1) <= size:
        return False
    header = make_header(held.form, held.data_size)
    os.ftruncate(fd, len(header) + held.data_size)
    if held.data_size & 1:
        os.pwrite(fd, b"\0", len(header) + held.data_size)
    os.pwrite(fd, header, 0)
    os.fsync(fd)
    return True


def _hash(fd: int) -> str:
    digest, at = hashlib.sha256(), 0
    while block := os.pread(fd, _HASH_BLOCK, at):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()
