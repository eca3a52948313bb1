"""What can be played: sources named by text, made ready once as 16-bit samples at 8 kHz, kept in a bounded cache.

"tone:NAME/PLAN" (`media.tones`), "moh:NAME" (a WAV file of that name in one of the music folders, or the built-in
"default"), "voice:LANGUAGE/NAME" (a built-in prompt), "file:PATH" (a WAV file, any sample rate, mono or stereo, PCM,
A-law or µ-law) and "silence:MS".

The tick asks with `PromptCache.get`, a dictionary look-up; loading, decoding and resampling happen in a thread. A file
that was changed on disk is noticed and loaded again within `RECHECK_S`.
"""

import os
import queue
import re
import stat
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from media.melody import compose
from media.resample import resample
from media.tones import SAMPLE_RATE, UnknownTone, find_tone, render
from media.wav import WavError, read_samples

RECHECK_S = 10.0
"""A cached file is looked at again when it is used after this time."""
MAX_FILE_BYTES = 128 << 20
MAX_SILENCE_MS = 600_000

_VOICES = os.path.join(os.path.dirname(__file__), "voices")
_VOICE_NAME = re.compile(r"[a-z]{2}/[a-z0-9_]{1,40}")
_MUSIC_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class SourceError(ValueError):
    """A source that cannot be played; the text says why, for whoever named it."""


class PreparedSource(msgspec.Struct, frozen=True, gc=False):
    """Ready to play."""

    samples: NDArray[np.int16]
    """8 kHz, read-only, at least one."""
    is_looped: bool
    """Music and most tones: the end continues into the beginning."""


class _Entry(msgspec.Struct, gc=False):
    source: PreparedSource
    stamp: tuple[int, int]
    """(mtime_ns, size) of the file, (0, 0) when there is none."""
    checked_at: float


class PromptCache:
    """Sources by name. All methods are for one thread, the engine's; none waits but `close`.

    `music_folders` are searched in order for "moh:NAME" as NAME.wav. `max_bytes` bounds the samples kept; the least
    recently used go first (whoever is playing them keeps them).
    """

    def __init__(
        self,
        music_folders: Sequence[str] = (),
        *,
        max_bytes: int = 256 << 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._music_folders = tuple(music_folders)
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._n_bytes = 0
        self._loading: set[str] = set()
        self._checking: set[str] = set()
        self._inbox: queue.SimpleQueue[tuple[str, _Entry | None] | None] = queue.SimpleQueue()
        self._outbox: deque[tuple[str, _Entry | str]] = deque()
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when `poll` has something."""
        self._thread = threading.Thread(target=self._run, name="prompt-loader", daemon=True)
        self._thread.start()

    @property
    def thread_id(self) -> int:
        """Of the loading thread, for `os.sched_setscheduler`; see `RecordingWriter.thread_id`."""
        return self._thread.native_id or 0

    @property
    def n_loading(self) -> int:
        """Sources that were requested and have not come yet."""
        return len(self._loading)

    def get(self, source: str) -> PreparedSource | None:
        """The source if it is ready; None: `request` it."""
        entry = self._entries.get(source)
        if entry is None:
            return None
        self._entries.move_to_end(source)
        if entry.stamp[1] and source not in self._checking and self._clock() - entry.checked_at > RECHECK_S:
            self._checking.add(source)
            self._inbox.put((source, entry))
        return entry.source

    def request(self, source: str) -> None:
        """Starts to load `source`; `poll` gives it or the reason why not. Asking twice is asking once."""
        if source not in self._loading:
            self._loading.add(source)
            self._inbox.put((source, None))

    def poll(self) -> list[tuple[str, PreparedSource | str]]:
        """What was loaded since the last call: (source, ready to play or what is wrong with it)."""
        try:
            os.eventfd_read(self.wake_fd)
        except BlockingIOError:
            pass
        results: list[tuple[str, PreparedSource | str]] = []
        while self._outbox:
            source, loaded = self._outbox.popleft()
            was_asked = source in self._loading
            self._loading.discard(source)
            self._checking.discard(source)
            if isinstance(loaded, str):
                self._forget(source)
            else:
                self._keep(source, loaded)
            if was_asked:
                results.append((source, loaded if isinstance(loaded, str) else loaded.source))
        return results

    def close(self, timeout_s: float = 10.0) -> None:
        """Ends the thread; blocks until the file in hand is done. Raises TimeoutError when the disk hangs."""
        self._inbox.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"a prompt was still being read after {timeout_s} s")
        os.close(self.wake_fd)

    def _keep(self, source: str, entry: _Entry) -> None:
        self._forget(source)
        self._entries[source] = entry
        self._n_bytes += entry.source.samples.nbytes
        while self._n_bytes > self._max_bytes and len(self._entries) > 1:
            self._forget(next(iter(self._entries)))

    def _forget(self, source: str) -> None:
        entry = self._entries.pop(source, None)
        if entry:
            self._n_bytes -= entry.source.samples.nbytes

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (item := self._inbox.get()) is not None:
            source, known = item
            loaded: _Entry | str
            try:
                loaded = self._load(source, known)
            except (SourceError, WavError, UnknownTone, OSError, MemoryError) as failure:
                loaded = f"{source}: {getattr(failure, 'strerror', None) or failure or 'out of memory'}"
            except Exception as failure:  # Edge of one source: a bug in reading one file must not silence all others.
                loaded = f"{source}: {failure!r}"
            self._outbox.append((source, loaded))
            os.eventfd_write(self.wake_fd, 1)

    def _load(self, source: str, known: _Entry | None) -> _Entry:
        path = find_file(source, self._music_folders)
        stamp = (0, 0)
        if path:
            status = os.stat(path)
            stamp = (status.st_mtime_ns, status.st_size)
            if known and known.stamp == stamp:
                return _Entry(known.source, stamp, self._clock())
        return _Entry(prepare(source, self._music_folders), stamp, self._clock())


def find_file(source: str, music_folders: Sequence[str] = ()) -> str:
    """The path of the file behind "file:…", "voice:…" or "moh:…", "" when the source is made without one.

    Raises `SourceError`.
    """
    kind, _, name = source.partition(":")
    if kind == "file":
        if not name:
            raise SourceError("file: without a path")
        return name
    if kind == "voice":
        if not _VOICE_NAME.fullmatch(name) or not os.path.isfile(path := os.path.join(_VOICES, f"{name}.wav")):
            raise SourceError("there is no such built-in prompt")
        return path
    if kind != "moh":
        return ""
    if not _MUSIC_NAME.fullmatch(name):
        raise SourceError("the name of music is letters, digits, '_', '-' and '.'")
    for folder in music_folders:
        path = os.path.join(folder, f"{name}.wav")
        if os.path.isfile(path):
            return path
    if name == "default":
        return ""
    raise SourceError(f"no {name}.wav in {', '.join(music_folders) or 'any music folder (none is configured)'}")


def prepare(source: str, music_folders: Sequence[str] = ()) -> PreparedSource:
    """Makes a source ready; blocks (disk, arithmetic). Raises `SourceError`, `WavError`, `UnknownTone`, OSError."""
    kind, separator, name = source.partition(":")
    if kind == "tone":
        tone_name, _, plan = name.partition("/")
        tone = find_tone(tone_name, plan)
        return _prepared(render(tone), tone.is_looped)
    if kind == "silence":
        if not re.fullmatch("[0-9]{1,6}", name) or not 1 <= int(name) <= MAX_SILENCE_MS:
            raise SourceError(f"silence wants 1 to {MAX_SILENCE_MS} milliseconds")
        return _prepared(np.zeros(int(name) * SAMPLE_RATE // 1000, np.int16), False)
    if kind in ("file", "voice", "moh") and separator:
        path = find_file(source, music_folders)
        return _prepared(_read_file(path) if path else compose(), kind == "moh")
    raise SourceError('a source is "tone:NAME/PLAN", "moh:NAME", "voice:LANGUAGE/NAME", "file:PATH" or "silence:MS"')


def _prepared(samples: NDArray[np.int16], is_looped: bool) -> PreparedSource:
    samples.flags.writeable = False
    return PreparedSource(samples, is_looped)


def _read_file(path: str) -> NDArray[np.int16]:
    # A pipe or a device would be waited for, or never end.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise SourceError("not a regular file")
    with open(path, "rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise SourceError(f"larger than {MAX_FILE_BYTES >> 20} MiB")
    samples, rate = read_samples(data)
    if not len(samples):
        raise SourceError("holds no audio")
    resampled = resample(samples, rate, SAMPLE_RATE)
    return np.asarray(np.rint(np.clip(resampled, -32768, 32767)), np.int16)
