"""One recording on disk: blocks waiting, blocks written, header, closing. Called by `media.recorder`'s thread only.

Nothing here keeps time or retries: a call either does its work or raises OSError; made again later, it goes on where it
stopped.
"""

import errno
import hashlib
import os
from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.g711 import SILENCE
from media.wav import WavFormat, make_header, make_markers
from model.media import RecordingFinished

Block = NDArray[np.uint8] | NDArray[np.int16]

_MAX_BUFFERS = 16
"""Blocks in one system call."""
_SILENCE_STEP = 16_000
"""Samples of silence made at a time."""
_HASH_STEP = 1 << 20
_MAX_NAMES = 100


class Disk(Protocol):
    """What a recording asks of the file system; each call may raise OSError."""

    def create(self, path: str) -> int: ...
    def write(self, fd: int, buffers: list[bytes | memoryview], offset: int) -> int: ...
    def read(self, fd: int, size: int, offset: int) -> bytes: ...
    def sync(self, fd: int, path: str) -> None: ...
    def close(self, fd: int) -> None: ...


class LocalDisk:
    """The file system of this machine."""

    def create(self, path: str) -> int:
        """Makes the folders and a new file; FileExistsError when there is one."""
        folder = os.path.dirname(path) or "."
        try:
            os.makedirs(folder, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder) from None
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    def write(self, fd: int, buffers: list[bytes | memoryview], offset: int) -> int:
        """How many bytes were written, at least one."""
        return os.pwritev(fd, buffers, offset)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """b"" at the end of the file."""
        return os.pread(fd, size, offset)

    def sync(self, fd: int, path: str) -> None:
        """Returns when the file and its name are durable."""
        os.fsync(fd)
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self, fd: int) -> None:
        """Ends the use of `fd`."""
        os.close(fd)


class RecordingFile:
    """A WAV file that grows; see `media.wav` for the format."""

    __slots__ = (
        "_blocks_released",
        "_bytes_released",
        "_digest",
        "_disk",
        "_fd",
        "_hashed",
        "_head",
        "_header_size",
        "_pending",
        "_size",
        "_trailer",
        "_wanted_path",
        "_written",
        "form",
        "n_lost",
        "n_waiting",
        "path",
        "recording",
        "session",
    )

    def __init__(self, disk: Disk, recording: str, session: str, path: str, form: WavFormat) -> None:
        self._disk = disk
        self.recording = recording
        self.session = session
        self.form = form
        self.path = path
        self.n_lost = 0
        """Samples replaced by silence because the disk did not keep up."""
        self._wanted_path = path
        self._fd = -1
        self._pending: deque[memoryview | int] = deque()
        self.n_waiting = 0
        """Blocks not written yet."""
        self._blocks_released = 0
        self._bytes_released = 0
        self._head = memoryview(b"")
        """Silence that is being written."""
        self._header_size = len(make_header(form, 0))
        self._written = 0
        self._size = 0
        self._trailer: bytes | None = None
        self._digest = hashlib.sha256()
        self._hashed = 0

    @property
    def is_open(self) -> bool:
        """The file exists."""
        return self._fd >= 0

    @property
    def duration_s(self) -> float:
        """Seconds of audio in the file."""
        return self._written // self.form.frame_size / self.form.sample_rate

    def push(self, block: Block) -> None:
        """Takes a block of (samples, channels)."""
        self.n_waiting += 1
        self._pending.append(np.ascontiguousarray(block).data.cast("B"))

    def push_silence(self, n_samples: int, *, is_lost: bool) -> None:
        """Takes `n_samples` of silence; costs no memory."""
        if n_samples <= 0:
            return
        if is_lost:
            self.n_lost += n_samples
        last = self._pending[-1] if self._pending else None
        if isinstance(last, int):
            self._pending[-1] = last + n_samples
        else:
            self._pending.append(n_samples)

    def take_released(self) -> tuple[int, int]:
        """Blocks and bytes that no longer wait, since the last call."""
        released = self._blocks_released, self._bytes_released
        self._blocks_released = self._bytes_released = 0
        return released

    def flush(self) -> None:
        """Writes everything that waits, and the header after it. Raises OSError; what was written stays written."""
        if self._fd < 0:
            self._create()
        if not self._pending and not self._head:
            return
        try:
            while self._pending or self._head:
                self._write_some()
        finally:
            self._write_header(0)

    def finish(self, pauses: list[tuple[float, float]]) -> None:
        """Writes what waits, the markers of `pauses` and the last header. Raises OSError; may be called again."""
        self.flush()
        if self._trailer is None:
            rate = self.form.sample_rate
            marks = [
                (round(at * rate), name) for start, end in pauses for at, name in ((start, "pause"), (end, "resume"))
            ]
            self._trailer = b"\0" * (self._data_size() & 1) + make_markers(marks)
        data_end = self._header_size + self._data_size()
        self._write_all(self._trailer, data_end)
        self._write_header(len(self._trailer) - (self._data_size() & 1))
        self._size = data_end + len(self._trailer)

    def hash_some(self) -> bool:
        """Reads on over the finished file; True when its checksum is complete. Raises OSError."""
        data = self._disk.read(self._fd, _HASH_STEP, self._hashed)
        self._digest.update(data)
        self._hashed += len(data)
        return self._hashed >= self._size or not data

    def sync(self) -> None:
        """Returns when the file is durable. Raises OSError."""
        self._disk.sync(self._fd, self.path)

    def close(self, error: str, pauses: list[tuple[float, float]], speech_s: list[float]) -> RecordingFinished:
        """Lets go of the file, whatever state it is in, and says what it holds."""
        if self._fd >= 0:
            try:
                self._disk.close(self._fd)
            except OSError as failure:
                error = error or str(failure)
            self._fd = -1
        is_whole = self._size > 0 and self._hashed >= self._size
        waiting = [block for block in self._pending if not isinstance(block, int)]
        self._blocks_released += len(waiting)
        self._bytes_released += sum(map(len, waiting))
        self._pending.clear()
        self.n_waiting = 0
        return RecordingFinished(
            session=self.session,
            recording=self.recording,
            path=self.path,
            duration_s=self.duration_s,
            size=self._size or (self._header_size + self._written if self._written else 0),
            sha256=self._digest.hexdigest() if is_whole else "",
            channels=self.form.channels,
            speech_s=speech_s,
            pauses=pauses,
            error=error,
        )

    def _create(self) -> None:
        # What is there already is somebody's recording: it is never overwritten.
        stem, dot, suffix = self._wanted_path.rpartition(".")
        for number in range(1, _MAX_NAMES):
            self.path = self._wanted_path if number == 1 else f"{stem}-{number}{dot}{suffix}"
            try:
                self._fd = self._disk.create(self.path)
            except FileExistsError:
                continue
            self._write_header(0)
            return
        raise FileExistsError(f"{self._wanted_path} and {_MAX_NAMES - 2} other names are taken")

    def _write_some(self) -> None:
        if not self._head and isinstance(self._pending[0], int):
            n = min(self._pending[0], _SILENCE_STEP)
            self._head = memoryview(self._silence(n))
            if self._pending[0] > n:
                self._pending[0] -= n
            else:
                self._pending.popleft()
        buffers: list[bytes | memoryview] = [self._head] if self._head else []
        for item in self._pending if not self._head else ():
            if isinstance(item, int) or len(buffers) == _MAX_BUFFERS:
                break
            buffers.append(item)
        n_written = self._disk.write(self._fd, buffers, self._header_size + self._written)
        self._written += n_written
        if self._head:
            self._head = self._head[n_written:]
        else:
            self._drop_blocks(n_written)

    def _drop_blocks(self, n_written: int) -> None:
        self._bytes_released += n_written
        while n_written:
            block = self._pending[0]
            assert isinstance(block, memoryview)
            if n_written < len(block):
                self._pending[0] = block[n_written:]
                return
            n_written -= len(block)
            self._pending.popleft()
            self.n_waiting -= 1
            self._blocks_released += 1

    def _silence(self, n_samples: int) -> bytes:
        return bytes([SILENCE.get(self.form.encoding, 0)]) * (n_samples * self.form.frame_size)

    def _data_size(self) -> int:
        return self._written - self._written % self.form.frame_size

    def _write_header(self, trailer_size: int) -> None:
        self._write_all(make_header(self.form, self._data_size(), trailer_size), 0)

    def _write_all(self, data: bytes, offset: int) -> None:
        at = 0
        while at < len(data):
            at += self._disk.write(self._fd, [memoryview(data)[at:]], offset + at)
