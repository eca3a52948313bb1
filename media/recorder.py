"""Writes recordings to disk in a thread of its own, so that the tick never waits for a disk.

The tick gives blocks of one second or so (`RecordingWriter.write`) and takes events (`poll`, when `wake_fd` is
readable). A file stands under its final name from the start and its header is written again after each block: it can be
played up to the last block at any moment, also after kill -9 (`media.wav.repair` mends what a power cut leaves). When
the disk is slow, full or gone, blocks wait in a bounded backlog; beyond it the newest are replaced by silence that is
counted, so that time stays right. Other recordings, and calls, notice nothing.
"""

import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from media.disk import Disk, LocalDisk
from media.recording_file import Ending, RecordingFile
from media.rendering import RATES, Block
from media.wav import FORMAT_TAGS, WavFormat
from model.media import RecordingFinished, RecordingStarted


class WriterLimits(msgspec.Struct, frozen=True):
    """Bounds of a `RecordingWriter`."""

    backlog_bytes: int = 128 << 20
    """Waiting for the disk, all recordings together."""
    backlog_blocks_per_recording: int = 60
    """Waiting for the disk, one recording whose file cannot be written."""
    retry_s: float = 0.5
    """Between attempts to write a file that failed."""
    give_up_s: float = 30.0
    """How long a finished recording waits for a disk that fails, before it is closed as it is."""


class _Start(msgspec.Struct, frozen=True):
    recording: str
    session: str
    path: str
    form: WavFormat
    continues_s: float
    wants_mp3: bool


class _Write(msgspec.Struct, frozen=True, gc=False):
    recording: str
    block: Block
    n_silent: int
    """Samples of silence that stand before the block."""


class _Finish(msgspec.Struct, frozen=True):
    recording: str
    n_silent: int
    ending: Ending


class _Open:
    """A recording in the thread's hands."""

    __slots__ = ("error", "file", "finish", "give_up_at", "retry_at")

    def __init__(self, file: RecordingFile) -> None:
        self.file = file
        self.finish: _Finish | None = None
        self.error = ""
        """Why it could not be written the last time; "" = it could."""
        self.retry_at = 0.0
        self.give_up_at = 0.0


class RecordingWriter:
    """Every method but the thread's own is for one thread, the engine's, and none of them waits."""

    def __init__(
        self,
        limits: WriterLimits | None = None,
        *,
        disk: Disk | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when `poll` has something."""
        self._limits = limits or WriterLimits()
        self._disk = disk or LocalDisk()
        self._clock = clock
        self._inbox: queue.SimpleQueue[_Start | _Write | _Finish | None] = queue.SimpleQueue()
        self._outbox: deque[RecordingStarted | RecordingFinished] = deque()
        self._known: set[str] = set()
        self._silent: dict[str, int] = {}
        # Each counter has one writing thread, so none needs a lock.
        self._bytes_in = self._bytes_out = 0
        self._blocks_in = self._blocks_out = 0
        self._open: dict[str, _Open] = {}
        self._written: dict[str, _Open] = {}
        """Finished, with the last header: only checksum and fsync are missing."""
        self._failing: dict[str, str] = {}
        self._crash: BaseException | None = None
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="recording-writer", daemon=True)
        self._thread.start()

    @property
    def thread_id(self) -> int:
        """Of the writing thread, for `os.sched_setscheduler`: it takes turns with the tick at the interpreter's lock,
        so it must not be an ordinary thread where the tick is a real-time one.
        """
        return self._thread.native_id or 0

    @property
    def backlog(self) -> int:
        """Blocks waiting for the disk."""
        return self._blocks_in - self._blocks_out

    @property
    def is_failing(self) -> bool:
        """Some file cannot be written at the moment, or audio is being replaced by silence."""
        return bool(self._failing or self._silent or self._crash)

    @property
    def error(self) -> str:
        """Why `is_failing`; "" when it is not."""
        if self._crash:
            return f"the recording thread died: {self._crash!r}"
        reasons = list(self._failing.values())
        return reasons[0] if reasons else ("the disk does not keep up" if self._silent else "")

    def start(
        self,
        recording_id: str,
        path: str,
        channels: int,
        encoding: str,
        *,
        session: str = "",
        sample_rate: int = 8000,
        continues_s: float = -1.0,
        wants_mp3: bool = False,
    ) -> None:
        """Begins a recording of `channels` channels in "PCMU", "PCMA" or "pcm16"; `RecordingStarted` follows.

        Doing it again for a recording that runs is nothing. A file that is there is never overwritten: a number is put
        to the name, `RecordingFinished.path` tells. With `continues_s` >= 0 the file at `path` goes on instead, and
        what it lacks up to then is silence. `wants_mp3` only marks the end: `RecordingFinished.is_encoding`. Raises
        ValueError for an unknown encoding or rate.
        """
        if encoding not in FORMAT_TAGS:
            raise ValueError(f"encoding {encoding!r} is none of {', '.join(FORMAT_TAGS)}")
        if sample_rate not in RATES:
            raise ValueError(f"{sample_rate} Hz is not one of {RATES}")
        if recording_id in self._known or self._is_closing:
            return
        self._known.add(recording_id)
        form = WavFormat(channels, encoding, sample_rate)
        self._inbox.put(_Start(recording_id, session, path, form, continues_s, wants_mp3))

    def write(self, recording_id: str, block: Block) -> None:
        """Takes `block`, which belongs to the writer from now on."""
        if recording_id not in self._known or not len(block):
            return
        n_silent = self._silent.pop(recording_id, 0) if self._silent else 0
        if self._bytes_in - self._bytes_out + block.nbytes > self._limits.backlog_bytes:
            self._silent[recording_id] = n_silent + len(block)
            return
        self._bytes_in += block.nbytes
        self._blocks_in += 1
        self._inbox.put(_Write(recording_id, block, n_silent))

    def finish(self, recording_id: str, ending: Ending) -> None:
        """Ends a recording; `RecordingFinished` follows when the file is durable."""
        if recording_id not in self._known:
            return
        self._known.discard(recording_id)
        self._inbox.put(_Finish(recording_id, self._silent.pop(recording_id, 0), ending))

    def poll(self) -> list[RecordingStarted | RecordingFinished]:
        """What happened since the last call. Raises RuntimeError when the thread died of a bug."""
        try:
            os.eventfd_read(self.wake_fd)
        except BlockingIOError:
            pass
        if self._crash:
            raise RuntimeError("the recording thread died") from self._crash
        events = []
        while self._outbox:
            events.append(self._outbox.popleft())
        return events

    def close(self, timeout_s: float = 10.0) -> list[RecordingStarted | RecordingFinished]:
        """Finishes what runs, waits for the thread and gives the last events. Blocks up to `timeout_s`.

        A disk that fails is tried once more, not waited for. Raises TimeoutError when the thread hangs in the disk.
        """
        if not self._is_closing:
            for recording_id in sorted(self._known):
                self.finish(recording_id, Ending())
            self._is_closing = True
            self._inbox.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"the disk did not answer within {timeout_s} s")
        events = self.poll()
        os.close(self.wake_fd)
        return events

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except BaseException as crash:  # The owner gets it from `poll`: nobody joins a daemon thread for its exception.
            self._crash = crash
            os.eventfd_write(self.wake_fd, 1)

    def _step(self) -> bool:
        """One round: everything that came in, then everything that is due. False: closed, nothing left."""
        touched = self._take_inbox(self._wait_s())
        now = self._clock()
        for name in touched:
            opened = self._open.get(name)
            if opened and not opened.error:
                self._attempt(opened, now)
        # Hundreds of recordings run, few fail or end: only those are looked through.
        for name in list(self._failing):
            opened = self._open[name]
            if now >= opened.retry_at or self._is_closing:
                self._attempt(opened, now)
        written = next((o for o in self._written.values() if not o.error), None)
        if written:
            self._complete(written, now)
        return not (self._is_closing and not self._open and self._inbox.empty())

    def _wait_s(self) -> float | None:
        if any(not o.error for o in self._written.values()) or (self._is_closing and self._open):
            return 0.0
        if not self._failing:
            return None
        return max(min(self._open[name].retry_at for name in self._failing) - self._clock(), 0.0)

    def _take_inbox(self, wait_s: float | None) -> list[str]:
        touched: dict[str, None] = {}
        try:
            item = self._inbox.get(timeout=wait_s) if wait_s is None or wait_s > 0 else self._inbox.get_nowait()
            while True:
                if item is not None:
                    self._take(item)
                    touched[item.recording] = None
                item = self._inbox.get_nowait()
        except queue.Empty:
            return list(touched)

    def _take(self, item: _Start | _Write | _Finish) -> None:
        if isinstance(item, _Start):
            if item.recording in self._open:
                return
            file = RecordingFile(
                self._disk,
                item.recording,
                item.session,
                item.path,
                item.form,
                continues_s=item.continues_s,
                wants_mp3=item.wants_mp3,
            )
            self._open[item.recording] = _Open(file)
            return
        opened = self._open.get(item.recording)
        if opened is None or opened.finish is not None:
            self._let_go(item)
            return
        opened.file.push_silence(item.n_silent, is_lost=True)
        if isinstance(item, _Finish):
            opened.finish = item
            opened.give_up_at = self._clock() + self._limits.give_up_s
        elif opened.error and opened.file.n_waiting >= self._limits.backlog_blocks_per_recording:
            # A file that fails must not use up the backlog of all the others.
            opened.file.push_silence(len(item.block), is_lost=True)
            self._let_go(item)
        else:
            opened.file.push(item.block)

    def _let_go(self, item: _Write | _Finish) -> None:
        if isinstance(item, _Write):
            self._blocks_out += 1
            self._bytes_out += item.block.nbytes

    def _attempt(self, opened: _Open, now: float) -> None:
        file, was_open = opened.file, opened.file.is_open
        try:
            if opened.finish is None:
                file.flush()
            else:
                file.finish(opened.finish.ending)
                self._written[file.recording] = opened
        except OSError as failure:
            self._fail(opened, failure, now)
        else:
            opened.error = ""
            self._failing.pop(file.recording, None)
        self._settle(file)
        if file.is_open and not was_open:
            self._tell(RecordingStarted(file.session, file.recording))

    def _complete(self, opened: _Open, now: float) -> None:
        try:
            # A slice at a time: a long recording's checksum must not keep the others waiting.
            if not opened.file.hash_some():
                return
            opened.file.sync()
        except OSError as failure:
            self._fail(opened, failure, now)
        else:
            self._close(opened)

    def _fail(self, opened: _Open, failure: OSError, now: float) -> None:
        opened.error = failure.strerror or str(failure)
        opened.retry_at = now + self._limits.retry_s
        self._failing[opened.file.recording] = f"{opened.file.path}: {opened.error}"
        if opened.finish is not None and (now >= opened.give_up_at or self._is_closing):
            self._close(opened)

    def _close(self, opened: _Open) -> None:
        file, finish = opened.file, opened.finish
        assert finish is not None
        error = opened.error
        if file.n_lost:
            lost = f"{file.lost_s:.1f} s replaced by silence: the disk did not keep up"
            error = f"{error}; {lost}" if error else lost
        self._failing.pop(file.recording, None)
        self._written.pop(file.recording, None)
        del self._open[file.recording]
        event = file.close(error, finish.ending)
        self._settle(file)
        self._tell(event)

    def _settle(self, file: RecordingFile) -> None:
        blocks, n_bytes = file.take_released()
        self._blocks_out += blocks
        self._bytes_out += n_bytes

    def _tell(self, event: RecordingStarted | RecordingFinished) -> None:
        self._outbox.append(event)
        os.eventfd_write(self.wake_fd, 1)
