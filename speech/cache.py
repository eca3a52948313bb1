"""What was spoken, kept on disk: a file a text, voice, language, rate and version of the provider.

Bounded: the least recently used go. A file is there as a whole or not at all; one that is broken counts as none.
"""

import contextlib
import hashlib
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import msgspec

from speech.audio import HEADER_BYTES, Samples, is_whole, to_wav
from speech.errors import SpeechError

_NAME = re.compile(r"[0-9a-f]{64}\.wav")
_UNFINISHED = re.compile(r"[0-9a-f]{64}\.wav\.part")
_FORM = "1"
"""Of what `speech.audio` makes of it: another one makes all files anew."""


def key_of(text: str, language: str, voice: str, rate: float, version: str) -> str:
    told = msgspec.json.encode((_FORM, text, language, voice, rate, version))
    return hashlib.sha256(told).hexdigest()


class SpeechCache:
    """For several threads. Raises OSError when the folder cannot be used."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._sizes: OrderedDict[str, int] = OrderedDict()
        """By name, the least recently used first."""
        self._n_bytes = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = []
        for entry in os.scandir(folder):
            if _UNFINISHED.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
            elif _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                found.append((entry.stat().st_mtime, entry.name, entry.stat().st_size))
        for _, name, size in sorted(found):
            self._sizes[name] = size
            self._n_bytes += size
        self._make_room(0)

    @property
    def n_bytes(self) -> int:
        return self._n_bytes

    def find(self, key: str) -> str | None:
        """Path of the file, when it is there and whole."""
        name = f"{key}.wav"
        path = self._folder / name
        with self._lock:
            try:
                with open(path, "rb") as file:
                    is_good = is_whole(file.read(HEADER_BYTES), os.fstat(file.fileno()).st_size)
            except OSError:
                is_good = False
            if not is_good:
                self._n_bytes -= self._sizes.pop(name, 0)
                return None
            self._note_use(name)
            return str(path)

    def put(self, key: str, samples: Samples) -> tuple[str, list[str]]:
        """(path of the new file, paths of those that had to go). Raises SpeechError."""
        name = f"{key}.wav"
        path = self._folder / name
        data = to_wav(samples)
        if len(data) > self._max_bytes:
            raise SpeechError(f"takes {len(data)} bytes; all that may be kept are {self._max_bytes}")
        with self._lock:
            gone = self._make_room(len(data))
            part = self._folder / f"{name}.part"
            try:
                with open(part, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(part, path)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.unlink(part)
                raise SpeechError(f"cannot be written: {error.strerror}") from None
            self._n_bytes += len(data) - self._sizes.pop(name, 0)
            self._sizes[name] = len(data)
        return str(path), gone

    def used(self, paths: Iterable[str]) -> None:
        """Others were played longer ago than these."""
        with self._lock:
            for path in paths:
                name = os.path.basename(path)
                if name in self._sizes:
                    self._note_use(name)

    def _note_use(self, name: str) -> None:
        if name not in self._sizes:
            self._sizes[name] = os.stat(self._folder / name).st_size
            self._n_bytes += self._sizes[name]
        self._sizes.move_to_end(name)
        # So that it is known after a restart, too.
        with contextlib.suppress(OSError):
            os.utime(self._folder / name, (time.time(), time.time()))

    def _make_room(self, n_bytes: int) -> list[str]:
        gone = []
        while self._sizes and self._n_bytes + n_bytes > self._max_bytes:
            name, size = self._sizes.popitem(last=False)
            self._n_bytes -= size
            path = str(self._folder / name)
            with contextlib.suppress(OSError):
                os.unlink(path)
            gone.append(path)
        return gone
