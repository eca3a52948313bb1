"""The pool of MP3 encoders: processes at the lowest priority, minded by one thread, so that neither the tick nor the
interpreter lock of the worker feels them.

What waits here is on disk all the same: a WAV whose MP3 was not made (the worker was killed, or stopped with work left)
is found by the switch at its next start. An encoder that dies is started again, and the recording that killed it twice
stays a WAV.
"""

import collections
import os
import queue
import selectors
import subprocess
import sys
import threading
import time

import msgspec

from model.media import RecordingFinished

_AT_LOWEST_PRIORITY = (
    "import os,sys; os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0)); os.nice(19); "
    "os.sched_setaffinity(0, range(os.cpu_count() or 1)); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
COMMAND = (sys.executable, "-I", "-S", "-c", _AT_LOWEST_PRIORITY, "-m", "media.mp3", "--serve")
"""The worker's real-time priority is laid down before anything is loaded."""
ENCODE = COMMAND[:-1]
"""The same for the files that are named behind it."""


class Encoded(msgspec.Struct, frozen=True):
    """What an encoder answers: a verified MP3, or why there is none (`path` is the WAV then)."""

    path: str
    duration_s: float
    size: int
    sha256: str
    error: str = ""


class PoolLimits(msgspec.Struct, frozen=True):
    """Bounds of an `EncoderPool`."""

    processes: int = 1
    max_waiting: int = 20_000
    """Recordings that wait; beyond it they stay WAV files."""
    attempts: int = 2
    """How often an encoder may die of one recording."""
    restart_s: float = 1.0
    """Before an encoder is started in the place of one that died."""
    idle_s: float = 30.0
    """An encoder without work is ended after this time."""
    base_s: float = 120.0
    seconds_per_second: float = 1.0
    """An encoder that needs longer than `base_s` and this for every second of audio hangs: it is killed."""


class _Job:
    __slots__ = ("event", "n_deaths")

    def __init__(self, event: RecordingFinished) -> None:
        self.event = event
        self.n_deaths = 0


class _Encoder:
    """A process, and what it is at."""

    __slots__ = ("buffer", "idle_since", "job", "kill_at", "process")

    def __init__(self, command: tuple[str, ...], now: float) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.job: _Job | None = None
        self.buffer = b""
        self.kill_at = 0.0
        self.idle_since = now

    def give(self, job: _Job, kill_at: float) -> None:
        """Raises BrokenPipeError when the process is gone."""
        self.job = job
        self.kill_at = kill_at
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(job.event.path) + b"\n")

    @property
    def fd(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def end(self) -> None:
        """It works for nobody any more; waits until it is gone, which SIGKILL makes short."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait()


class EncoderPool:
    """Every method but the thread's own is for one thread, the worker's, and none of them waits."""

    def __init__(self, limits: PoolLimits | None = None, *, command: tuple[str, ...] = COMMAND) -> None:
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when `poll` has something."""
        self._limits = limits or PoolLimits()
        self._command = command
        self._inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._outbox: collections.deque[RecordingFinished] = collections.deque()
        self._n_in = self._n_out = 0
        self._kick = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_closing = False
        self._waiting: collections.deque[_Job] = collections.deque()
        self._encoders: dict[int, _Encoder] = {}
        self._start_at = 0.0
        self._crash: BaseException | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._kick, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="encoder-pool", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Recordings that wait for their MP3 or are being encoded."""
        return self._n_in - self._n_out

    def encode(self, event: RecordingFinished) -> None:
        """Makes the MP3 of the WAV that `event` tells of; the event for the MP3 comes by `poll`. When it cannot be made
        that event tells of the WAV, with `format_error`."""
        if self.backlog >= self._limits.max_waiting or self._crash or self._is_closing:
            self._n_in += 1
            self._tell(event, "too many recordings wait for an encoder")
            return
        self._n_in += 1
        self._inbox.put(_Job(event))
        os.eventfd_write(self._kick, 1)

    def poll(self) -> list[RecordingFinished]:
        """What was done since the last call. Raises RuntimeError when the thread died of a bug."""
        try:
            os.eventfd_read(self.wake_fd)
        except BlockingIOError:
            pass
        if self._crash:
            raise RuntimeError("the encoder thread died") from self._crash
        events = []
        while self._outbox:
            events.append(self._outbox.popleft())
        return events

    def close(self, timeout_s: float = 5.0) -> None:
        """Ends the encoders; what waits stays a WAV, to be found later. Raises TimeoutError when they do not die."""
        if not self._is_closing:
            self._is_closing = True
            os.eventfd_write(self._kick, 1)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"the encoders did not end within {timeout_s} s")
        self._selector.close()
        os.close(self._kick)
        os.close(self.wake_fd)

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._step(time.monotonic())
        except BaseException as crash:  # The owner gets it from `poll`: nobody joins a daemon thread for its exception.
            self._crash = crash
            os.eventfd_write(self.wake_fd, 1)
        finally:
            for encoder in self._encoders.values():
                encoder.end()

    def _step(self, now: float) -> None:
        for key, _ in self._selector.select(self._wait_s(now)):
            if key.fd == self._kick:
                os.eventfd_read(self._kick)
            else:
                self._hear(self._encoders[key.fd])
        while not self._inbox.empty():
            job = self._inbox.get_nowait()
            if job is not None:
                self._waiting.append(job)
        now = time.monotonic()
        for encoder in list(self._encoders.values()):
            self._look_after(encoder, now)
        while self._waiting and len(self._encoders) < self._limits.processes and now >= self._start_at:
            self._start(now)

    def _wait_s(self, now: float) -> float | None:
        due = [encoder.kill_at for encoder in self._encoders.values() if encoder.job is not None]
        due += [e.idle_since + self._limits.idle_s for e in self._encoders.values() if e.job is None]
        if self._waiting and len(self._encoders) < self._limits.processes:
            due.append(self._start_at)
        return max(min(due) - now, 0.0) if due else None

    def _look_after(self, encoder: _Encoder, now: float) -> None:
        if encoder.job is None and self._waiting:
            self._give(encoder, now)
        elif encoder.job is None and now - encoder.idle_since >= self._limits.idle_s:
            self._remove(encoder)
        elif encoder.job is not None and now >= encoder.kill_at:
            self._died(encoder, "took too long")

    def _start(self, now: float) -> None:
        try:
            encoder = _Encoder(self._command, now)
        except OSError as error:
            # No process can be made at the moment: the recordings wait, and it is tried again.
            self._start_at = now + self._limits.restart_s
            self._give_up_first(error.strerror or repr(error))
            return
        self._encoders[encoder.fd] = encoder
        self._selector.register(encoder.fd, selectors.EVENT_READ)
        self._give(encoder, now)

    def _give(self, encoder: _Encoder, now: float) -> None:
        job = self._waiting.popleft()
        limits = self._limits
        try:
            encoder.give(job, now + limits.base_s + limits.seconds_per_second * job.event.duration_s)
        except BrokenPipeError:
            self._died(encoder, "died")

    def _hear(self, encoder: _Encoder) -> None:
        data = os.read(encoder.fd, 65536)
        if not data:
            self._died(encoder, "died")
            return
        encoder.buffer += data
        if not encoder.buffer.endswith(b"\n"):
            return
        try:
            encoded = msgspec.json.decode(encoder.buffer, type=Encoded)
        except msgspec.DecodeError:
            self._died(encoder, "made no sense")
            return
        job, encoder.job, encoder.buffer = encoder.job, None, b""
        encoder.idle_since = time.monotonic()
        if job is not None:
            self._done(job, encoded)

    def _done(self, job: _Job, encoded: Encoded) -> None:
        if encoded.error:
            self._tell(job.event, encoded.error)
            return
        made = msgspec.structs.replace(
            job.event,
            path=encoded.path,
            size=encoded.size,
            sha256=encoded.sha256,
            format="mp3",
            is_encoding=False,
        )
        self._put(made)

    def _died(self, encoder: _Encoder, how: str) -> None:
        job = encoder.job
        self._remove(encoder)
        status = encoder.process.returncode
        self._start_at = time.monotonic() + self._limits.restart_s
        if job is None:
            return
        job.n_deaths += 1
        if job.n_deaths >= self._limits.attempts:
            self._tell(job.event, f"the encoder {how} {job.n_deaths} times (status {status})")
        else:
            self._waiting.append(job)

    def _remove(self, encoder: _Encoder) -> None:
        del self._encoders[encoder.fd]
        self._selector.unregister(encoder.fd)
        encoder.end()

    def _give_up_first(self, why: str) -> None:
        job = self._waiting[0]
        job.n_deaths += 1
        if job.n_deaths >= self._limits.attempts:
            self._waiting.popleft()
            self._tell(job.event, f"no encoder can be started: {why}")

    def _tell(self, event: RecordingFinished, error: str) -> None:
        self._put(msgspec.structs.replace(event, is_encoding=False, format_error=error))

    def _put(self, event: RecordingFinished) -> None:
        self._n_out += 1
        self._outbox.append(event)
        os.eventfd_write(self.wake_fd, 1)
