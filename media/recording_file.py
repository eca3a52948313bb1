"""One recording on disk: blocks waiting, blocks written, header, closing. Called by `media.recorder`'s thread only.

Nothing here keeps time or retries: a call either does its work or raises OSError; made again later, it goes on where it
stopped.
"""

import hashlib
from collections import deque

import msgspec

from media.disk import Disk
from media.rendering import Block, Renderer
from media.wav import WavError, WavFormat, examine, make_header, make_markers
from model.media import RecordingFinished

_MAX_BUFFERS = 16
"""Blocks in one system call."""
_SILENCE_STEP = 16_000
"""Samples of silence made at a time."""
_HASH_STEP = 1 << 20
_MAX_NAMES = 100


_END_MARKS = {"pause": "resume", "secure": "secure end"}


class Ending(msgspec.Struct, frozen=True):
    """What the engine knows of a recording at its end. Stretches are (from, to) in seconds from the start."""

    pauses: list[tuple[float, float]] = []
    speech_s: list[float] = []
    """Per channel: seconds in which audio came."""
    secure: list[tuple[float, float]] = []
    """Stretches in which a leg was secure, so that nothing of it is in the recording."""
    silent_because: list[str] = []


class RecordingFile:
    """A WAV file that grows; see `media.wav` for the format.

    `told` is the form the recording was announced with: blocks and silence come in it. With `continues_s` >= 0 the file
    at `path` goes on, in the form it has, from so many seconds on; what it lacks until then is silence.
    """

    __slots__ = (
        "_blocks_released",
        "_bytes_released",
        "_continues_s",
        "_costs",
        "_digest",
        "_disk",
        "_fd",
        "_hashed",
        "_header_size",
        "_pending",
        "_ready",
        "_renderer",
        "_size",
        "_told",
        "_trailer",
        "_wanted_path",
        "_wants_mp3",
        "_written",
        "form",
        "n_lost",
        "n_waiting",
        "path",
        "recording",
        "session",
    )

    def __init__(
        self,
        disk: Disk,
        recording: str,
        session: str,
        path: str,
        told: WavFormat,
        *,
        continues_s: float = -1.0,
        wants_mp3: bool = False,
    ) -> None:
        self._disk = disk
        self._told = told
        self._continues_s = continues_s
        self._wants_mp3 = wants_mp3
        self._renderer = Renderer(told, told)
        self.recording = recording
        self.session = session
        self.form = told
        """Of the file."""
        self.path = path
        self.n_lost = 0
        """Samples (of `told`) replaced by silence because the disk did not keep up."""
        self._wanted_path = path
        self._fd = -1
        self._pending: deque[Block | int] = deque()
        self._ready: deque[memoryview] = deque()
        """Rendered, before all that is pending."""
        self._costs: deque[int] = deque()
        """Bytes that each of `_ready` counts for in the backlog; -1 for silence, which is no block."""
        self.n_waiting = 0
        """Blocks not written yet."""
        self._blocks_released = 0
        self._bytes_released = 0
        self._header_size = len(make_header(told, 0))
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

    @property
    def lost_s(self) -> float:
        """Seconds replaced by silence because the disk did not keep up."""
        return self.n_lost / self._told.sample_rate

    def push(self, block: Block) -> None:
        """Takes a block; it is rendered when it is written."""
        self.n_waiting += 1
        self._pending.append(block)

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
            self._open()
        if not self._pending and not self._ready:
            return
        try:
            while self._pending or self._ready:
                self._write_some()
        finally:
            self._write_header(0)

    def finish(self, ending: Ending) -> None:
        """Writes what waits, the markers and the last header. Raises OSError; may be called again."""
        self.flush()
        if self._trailer is None:
            rate = self.form.sample_rate
            marks = [
                (round(at * rate), name)
                for kind, stretches in (("pause", ending.pauses), ("secure", ending.secure))
                for start, end in stretches
                for at, name in ((start, kind), (end, _END_MARKS[kind]))
            ]
            self._trailer = b"\0" * (self._data_size() & 1) + make_markers(sorted(marks))
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

    def close(self, error: str, ending: Ending) -> RecordingFinished:
        """Lets go of the file, whatever state it is in, and says what it holds."""
        if self._fd >= 0:
            try:
                self._disk.close(self._fd)
            except OSError as failure:
                error = error or str(failure)
            self._fd = -1
        is_whole = self._size > 0 and self._hashed >= self._size
        waiting = [block.nbytes for block in self._pending if not isinstance(block, int)]
        waiting += [cost for cost in self._costs if cost >= 0]
        self._blocks_released += len(waiting)
        self._bytes_released += sum(waiting)
        for queue in (self._pending, self._ready, self._costs):
            queue.clear()
        self.n_waiting = 0
        return RecordingFinished(
            session=self.session,
            recording=self.recording,
            path=self.path,
            duration_s=self.duration_s,
            size=self._size or (self._header_size + self._written if self._written else 0),
            sha256=self._digest.hexdigest() if is_whole else "",
            channels=self.form.channels,
            speech_s=ending.speech_s,
            pauses=ending.pauses,
            silent_because=ending.silent_because,
            is_encoding=self._wants_mp3 and is_whole and self._written > 0,
            error=error,
        )

    def _open(self) -> None:
        if self._continues_s < 0 or not self._resume():
            self._create()

    def _resume(self) -> bool:
        """Goes on in the file that is there; False when there is none that could go on."""
        try:
            fd = self._disk.reopen(self.path)
        except FileNotFoundError:
            return False
        try:
            size = self._disk.size(fd)
            held = examine(lambda n, offset: self._disk.read(fd, n, offset), size)
            if held is not None and held.form.channels != self._told.channels:
                raise WavError(f"{held.form.channels} channels")
            if held is not None:
                self.form, self._header_size, self._written = held.form, held.header_size, held.data_size
                self._renderer = Renderer(self.form, self._told)
            # Markers, and a part of a frame, would stand where the audio goes on.
            self._disk.truncate(fd, self._header_size + self._written)
        except WavError:
            # Somebody else's, or broken beyond use: it is left alone, the recording goes on beside it.
            self._disk.close(fd)
            return False
        except OSError:
            self._disk.close(fd)
            raise
        self._fd = fd
        self._fill_gap()
        self._write_header(0)
        return True

    def _fill_gap(self) -> None:
        missing_s = self._continues_s - self.duration_s
        n_missing = round(missing_s * self._told.sample_rate)
        if n_missing > 0:
            self._pending.appendleft(n_missing)
        self._continues_s = -1.0

    def _create(self) -> None:
        # What is there already is somebody's recording: it is never overwritten.
        stem, dot, suffix = self._wanted_path.rpartition(".")
        for number in range(1, _MAX_NAMES):
            self.path = self._wanted_path if number == 1 else f"{stem}-{number}{dot}{suffix}"
            try:
                self._fd = self._disk.create(self.path)
            except FileExistsError:
                continue
            self._fill_gap()
            self._write_header(0)
            return
        raise FileExistsError(f"{self._wanted_path} and {_MAX_NAMES - 2} other names are taken")

    def _write_some(self) -> None:
        if not self._ready:
            self._make_ready()
        n_written = self._disk.write(self._fd, list(self._ready), self._header_size + self._written)
        self._written += n_written
        while n_written:
            first = self._ready[0]
            if n_written < len(first):
                self._ready[0] = first[n_written:]
                return
            n_written -= len(first)
            self._ready.popleft()
            self._release(self._costs.popleft())

    def _make_ready(self) -> None:
        first = self._pending[0]
        if isinstance(first, int):
            n = min(first, _SILENCE_STEP)
            if first > n:
                self._pending[0] = first - n
            else:
                self._pending.popleft()
            self._costs.append(-1)
            self._ready.append(memoryview(self._renderer.silence(n)))
            return
        while self._pending and len(self._ready) < _MAX_BUFFERS:
            block = self._pending[0]
            if isinstance(block, int):
                return
            self._pending.popleft()
            self._costs.append(block.nbytes)
            self._ready.append(self._renderer.render(block))

    def _release(self, cost: int) -> None:
        if cost >= 0:
            self.n_waiting -= 1
            self._blocks_released += 1
            self._bytes_released += cost

    def _data_size(self) -> int:
        return self._written - self._written % self.form.frame_size

    def _write_header(self, trailer_size: int) -> None:
        self._write_all(make_header(self.form, self._data_size(), trailer_size), 0)

    def _write_all(self, data: bytes, offset: int) -> None:
        at = 0
        while at < len(data):
            at += self._disk.write(self._fd, [memoryview(data)[at:]], offset + at)
