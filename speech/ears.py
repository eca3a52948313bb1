"""The listening process: understands what callers say, by a service, while they say it. Started by the switch.

The media worker writes what a caller says into a file, as it writes recordings; here it is read while it grows, sent
on, and removed. So audio passes neither through the switch nor a new way out of the media worker. It ends with its
socket.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import msgspec

from model.recognition import MAX_FRAME, Enough, Heard, Listen, Recognition, Setup, ToEars
from speech.errors import SpeechError
from speech.recognizers import Recognizer, recognizer

log = logging.getLogger(__name__)

LOOK_S = 0.1
"""How often a file that grows is looked at."""
GRACE_S = 3.0
"""Longer than the caller may speak nothing is waited for."""
NICE = 5
STALE_S = 60.0
MAX_READ = 1 << 16
_HEAD = 4096
_LENGTH = struct.Struct(">I")


class Growing:
    """A WAV file of 16-bit samples, one channel, that is being written."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._at = 0
        self.rate = 0
        self.is_whole = asyncio.Event()
        """Nothing more comes."""

    async def wait_for_head(self) -> None:
        """Until it is known what is in it. Raises SpeechError when nothing comes at all."""
        while not await asyncio.to_thread(self._read_head):
            if self.is_whole.is_set():
                raise SpeechError("nothing was recorded")
            await self._pause()

    async def pieces(self) -> AsyncIterator[bytes]:
        while True:
            is_whole = self.is_whole.is_set()
            while piece := await asyncio.to_thread(self._read):
                yield piece
            if is_whole:
                return
            await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self.is_whole.wait()

    def _read_head(self) -> bool:
        try:
            with open(self._path, "rb") as file:
                head = file.read(_HEAD)
        except FileNotFoundError:
            return False
        at = 12
        while at + 8 <= len(head):
            name, size = struct.unpack_from("<4sI", head, at)
            if name == b"fmt " and at + 24 <= len(head):
                kind, channels, self.rate, _, _, bits = struct.unpack_from("<HHIIHH", head, at + 8)
                if (kind, channels, bits) != (1, 1, 16):
                    raise SpeechError(f"a recording of {channels} channels with {bits} bits, format {kind}")
            if name == b"data":
                self._at = at + 8
                return self.rate > 0
            at += 8 + size + size % 2
        return False

    def _read(self) -> bytes:
        with open(self._path, "rb") as file:
            file.seek(self._at)
            read = file.read(MAX_READ)
        read = read[: len(read) // 2 * 2]
        self._at += len(read)
        return read


class Ears:
    """Everybody who is listened to."""

    def __init__(self, setup: Setup, writer: asyncio.StreamWriter) -> None:
        self._settings: Recognition = setup.settings
        self._service: Recognizer = recognizer(setup.settings, setup.token)
        self._writer = writer
        self._files: dict[int, Growing] = {}
        self._tasks: dict[int, asyncio.Task[Heard]] = {}
        _remove_stale(Path(setup.folder))

    def take(self, message: ToEars) -> None:
        match message:
            case Listen(number=number):
                self._files[number] = Growing(message.path)
                task = self._tasks[number] = asyncio.create_task(self._listen(message))
                # A task that is cancelled before its first step has no other end.
                task.add_done_callback(partial(self._over, message))
            case Enough(number=number, is_wanted=is_wanted):
                if number in self._files:
                    self._files[number].is_whole.set()
                if not is_wanted and number in self._tasks:
                    self._tasks[number].cancel()
            case Setup():
                raise msgspec.DecodeError("a second Setup")

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, wish: Listen) -> Heard:
        file = self._files[wish.number]
        try:
            async with asyncio.timeout(wish.max_s + self._settings.answer_s + GRACE_S):
                await file.wait_for_head()
                text = await self._service.recognise(file.pieces(), file.rate, wish.language, wish.hints)
        except TimeoutError:
            return Heard(wish.number, "", "took too long")
        except SpeechError as failure:
            return Heard(wish.number, "", str(failure))
        except OSError as failure:
            return Heard(wish.number, "", failure.strerror or type(failure).__name__)
        return Heard(wish.number, text)

    def _over(self, wish: Listen, task: "asyncio.Task[Heard]") -> None:
        del self._files[wish.number], self._tasks[wish.number]
        with contextlib.suppress(OSError):
            os.unlink(wish.path)
        if task.cancelled():
            return
        failure = task.exception()
        if failure is not None:
            log.error("x a caller is not understood", exc_info=failure)
        heard = task.result() if failure is None else Heard(wish.number, "", "a fault of ours")
        data = msgspec.msgpack.encode(heard)
        self._writer.write(_LENGTH.pack(len(data)) + data)


def _remove_stale(folder: Path) -> None:
    """What processes that died have left."""
    for path in folder.glob("*.wav"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()


async def serve(sock: socket.socket) -> int:
    """Until the other side is gone; the exit status."""
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    decode = msgspec.msgpack.Decoder(ToEars).decode
    ears: Ears | None = None
    try:
        while True:
            (size,) = _LENGTH.unpack(await reader.readexactly(4))
            if size > MAX_FRAME:
                raise msgspec.DecodeError(f"a message of {size} bytes")
            message: ToEars = decode(await reader.readexactly(size))
            if ears is None:
                if not isinstance(message, Setup):
                    raise msgspec.DecodeError("the first message is no Setup")
                ears = Ears(message, writer)
            else:
                ears.take(message)
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0
    except (msgspec.DecodeError, SpeechError) as error:
        log.error("x the listening process cannot go on: %s", error)
        return 1
    finally:
        if ears is not None:
            await ears.close()
        writer.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="speech.ears")
    parser.add_argument("--fd", required=True, type=int, help="socket of the switch")
    parser.add_argument("--log-level", default="INFO")
    arguments = parser.parse_args()
    logging.basicConfig(level=arguments.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It would tell what callers said.
    logging.getLogger("websockets").setLevel(logging.WARNING)
    # Calls come first.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    return asyncio.run(serve(socket.socket(fileno=arguments.fd)))


if __name__ == "__main__":
    sys.exit(main())
