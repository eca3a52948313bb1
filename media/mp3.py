"""MP3 of finished recordings, in a process of its own: `python -m media.mp3 FILE.wav …`, a line of JSON for each.

With `--serve` the paths come as JSON strings, one a line, on stdin, until it ends (`media.encoders`). The WAV is
deleted once the MP3 is durable and was decoded again: as long as the WAV, and as loud on each channel. MPEG-2/2.5
Layer III by LAME; the channels are coded apart (no joint stereo), because they are two people, not a stage.
"""

import argparse
import ctypes
import fcntl
import hashlib
import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

import av
import msgspec
import numpy as np
from av.audio.layout import AudioLayout
from numpy.typing import NDArray

from media import g711
from media.encoders import Encoded
from media.wav import Held, WavError, examine

MAX_CHANNELS = 2
KBPS = {8000: 24, 16000: 32}
"""Per channel, by sample rate."""
LOCK_S = 10.0
"""How long another process may still hold the WAV."""
PR_SET_PDEATHSIG = 1

_BLOCK = 1152 * 32
"""Samples worked on at a time."""
_MAX_DURATION_ERROR_S = 0.1
_HEARD_RMS = 20.0
"""A channel above this level, in 16-bit steps, must be heard in the MP3; a silent one is below 1."""
_MAX_LEVEL_RATIO = 2.0
_HASH_BLOCK = 1 << 20


class EncodingError(ValueError):
    """There is no MP3; the WAV is as it was."""


def encode(wav_path: str) -> Encoded:
    """Makes the MP3 beside the WAV and deletes the WAV. Done again after a crash it ends what was begun.

    Raises EncodingError or OSError; the WAV is there then.
    """
    path = mp3_path(wav_path)
    try:
        fd = os.open(wav_path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # Died between deleting the WAV and saying so.
        if not os.path.exists(path):
            raise
        return _describe(path, _decode(path).duration_s)
    with os.fdopen(fd, "rb") as file:
        _lock(file)
        held = _examine(file)
        part = f"{path}.part"
        try:
            written = _encode(file, held, part)
            _verify(written, _decode(part))
            with open(part, "rb") as made:
                os.fsync(made.fileno())
            os.replace(part, path)
        except BaseException:
            if os.path.exists(part):
                os.unlink(part)
            raise
        _sync_folder(path)
        encoded = _describe(path, written.duration_s)
        os.unlink(wav_path)
        _sync_folder(path)
        return encoded


def mp3_path(wav_path: str) -> str:
    """The name of the MP3 of a WAV."""
    return f"{wav_path.removesuffix('.wav')}.mp3"


class _Levels:
    """Length and power per channel of audio that goes by, the power without what lies at the Nyquist frequency: an MP3
    need not keep that."""

    def __init__(self, channels: int, rate: int) -> None:
        self._power = np.zeros(channels)
        self._n = 0
        self._rate = rate

    def add(self, block: NDArray[np.int16]) -> None:
        """`block` is (channels, samples)."""
        wide = block.astype(np.float32)
        self._power += ((wide[:, 1:] + wide[:, :-1]) ** 2 / 4).sum(axis=1)
        self._n += block.shape[1]

    @property
    def duration_s(self) -> float:
        return self._n / self._rate

    @property
    def rms(self) -> NDArray[np.float64]:
        return np.sqrt(self._power / max(self._n, 1))


def _lock(file: BinaryIO) -> None:
    # The writer holds the lock until the file is whole, another encoder until it is done.
    give_up = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                raise EncodingError("the file is still in use") from None
            time.sleep(0.1)
        else:
            return


def _examine(file: BinaryIO) -> Held:
    fd = file.fileno()
    try:
        held = examine(lambda n, offset: os.pread(fd, n, offset), os.fstat(fd).st_size)
    except WavError as error:
        raise EncodingError(str(error)) from error
    if held is None or not held.data_size:
        raise EncodingError("nothing was recorded")
    if held.form.channels > MAX_CHANNELS:
        raise EncodingError(f"an MP3 has {MAX_CHANNELS} channels at most, the recording has {held.form.channels}")
    if held.form.sample_rate not in KBPS:
        raise EncodingError(f"{held.form.sample_rate} Hz is not one of {', '.join(map(str, KBPS))}")
    return held


def _blocks(file: BinaryIO, held: Held) -> Iterator[NDArray[np.int16]]:
    """(channels, samples) of the WAV."""
    form = held.form
    with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        end = held.header_size + held.data_size
        for at in range(held.header_size, end, _BLOCK * form.frame_size):
            data = mapped[at : min(at + _BLOCK * form.frame_size, end)]
            if form.encoding == "pcm16":
                samples = np.frombuffer(data, "<i2")
            else:
                samples = g711.decoder(form.encoding)[np.frombuffer(data, np.uint8)]
            yield np.ascontiguousarray(samples.reshape(-1, form.channels).T)


def _encode(file: BinaryIO, held: Held, path: str) -> _Levels:
    rate, channels = held.form.sample_rate, held.form.channels
    layout = AudioLayout("stereo" if channels == 2 else "mono")
    levels, n = _Levels(channels, rate), 0
    with av.open(path, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate, options={"joint_stereo": "0"})
        stream.codec_context.layout = layout
        stream.codec_context.format = "s16p"
        stream.codec_context.bit_rate = KBPS[rate] * 1000 * channels
        for block in _blocks(file, held):
            levels.add(block)
            frame = av.AudioFrame.from_ndarray(block, format="s16p", layout=layout)
            frame.sample_rate = rate
            frame.pts = n
            n += block.shape[1]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return levels


def _decode(path: str) -> _Levels:
    with av.open(path, "r", format="mp3") as container:
        stream = container.streams.audio[0]
        levels = _Levels(stream.codec_context.channels, stream.codec_context.sample_rate)
        to_integers = av.AudioResampler(format="s16p")
        for frame in container.decode(stream):
            for part in to_integers.resample(frame):
                levels.add(np.asarray(part.to_ndarray(), np.int16))
        return levels


def _verify(wav: _Levels, mp3: _Levels) -> None:
    if abs(wav.duration_s - mp3.duration_s) > _MAX_DURATION_ERROR_S:
        raise EncodingError(f"the MP3 lasts {mp3.duration_s:.2f} s, the WAV {wav.duration_s:.2f} s")
    if len(wav.rms) != len(mp3.rms):
        raise EncodingError(f"the MP3 has {len(mp3.rms)} channels")
    for i, (before, after) in enumerate(zip(wav.rms, mp3.rms, strict=True)):
        is_lost = before > _HEARD_RMS and after * _MAX_LEVEL_RATIO < before
        if is_lost or after > max(before * _MAX_LEVEL_RATIO, _HEARD_RMS):
            raise EncodingError(f"channel {i} has level {after:.0f} in the MP3, {before:.0f} in the WAV")


def _describe(path: str, duration_s: float) -> Encoded:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
        return Encoded(path, duration_s, os.fstat(file.fileno()).st_size, digest.hexdigest())


def _sync_folder(path: str) -> None:
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _answer(path: str) -> bytes:
    try:
        result = encode(path)
    except EncodingError as error:
        result = Encoded(path, 0.0, 0, "", str(error))
    except (OSError, av.FFmpegError) as error:
        result = Encoded(path, 0.0, 0, "", error.strerror or repr(error))
    return msgspec.json.encode(result) + b"\n"


def main(arguments: list[str]) -> int:
    """Exit status 1 when one of the files named could not be encoded."""
    parser = argparse.ArgumentParser(prog="python -m media.mp3", description="MP3 of finished recordings")
    parser.add_argument("--serve", action="store_true", help="take paths as JSON strings from stdin")
    parser.add_argument("files", nargs="*", metavar="FILE.wav")
    options = parser.parse_args(arguments)
    if options.serve:
        # Work without an owner would go on beside whoever recovers it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        paths: Iterator[str] = (json.loads(line) for line in sys.stdin)
    else:
        paths = iter(options.files)
    status = 0
    for path in paths:
        answer = _answer(path)
        status |= b'"error":""' not in answer
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
    return status if not options.serve else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
