"""The speech worker as the switch keeps it: started, started again when it dies or falls silent, and asked for files.

`SpeechClient.run` is awaited by its owner. What was asked of a worker that died is asked of the next one, once.
"""

import asyncio
import contextlib
import logging
import socket
import struct
import sys
from collections.abc import Callable, Sequence

import msgspec

from model.speech import BEAT_S, MAX_FRAME, Alive, FromSpeech, Gone, Setup, Speak, Spoken, ToSpeech, Used
from speech.errors import SpeechError

log = logging.getLogger(__name__)

BACK_OFF_S = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
HEALTHY_S = 30.0
"""Up for so long, a worker's next death is its first."""
SILENT_S = 10.0 * BEAT_S
"""A worker that shows nothing for so long is killed."""
MAX_ASKED = 1000
MAX_TRIES = 2
"""Workers that are asked for one text: it may be what they die of."""
_LENGTH = struct.Struct(">I")


class _Asked(msgspec.Struct):
    wish: Speak
    answer: "asyncio.Future[str]"
    n_tries: int = 0


class SpeechClient:
    """`on_gone` is told paths that are not there any more."""

    def __init__(self, setup: Setup, on_gone: Callable[[Sequence[str]], None], log_level: str = "INFO") -> None:
        self._setup = setup
        self._on_gone = on_gone
        self._log_level = log_level
        self._asked: dict[int, _Asked] = {}
        self._n_asked = 0
        self._writer: asyncio.StreamWriter | None = None

    async def make(self, text: str, language: str, timeout_s: float, *, is_ahead: bool = False) -> str:
        """Path of a file. Raises SpeechError, also when it takes longer than `timeout_s`."""
        if len(self._asked) >= MAX_ASKED:
            raise SpeechError(f"{MAX_ASKED} texts wait already")
        self._n_asked += 1
        wish = Speak(self._n_asked, text, language, timeout_s, is_ahead)
        asked = self._asked[wish.number] = _Asked(wish, asyncio.get_running_loop().create_future())
        try:
            if self._writer is not None:
                self._ask(self._writer, asked)
            async with asyncio.timeout(timeout_s):
                return await asked.answer
        except TimeoutError:
            raise SpeechError(f"not made within {timeout_s:g} s") from None
        finally:
            del self._asked[wish.number]

    def used(self, paths: Sequence[str]) -> None:
        """These were played without asking."""
        if self._writer is not None and paths:
            self._send(self._writer, Used(tuple(paths)))

    async def run(self) -> None:
        """Keeps a worker until cancelled."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            try:
                why = await self._live()
            except OSError as error:
                why = f"cannot be started: {error.strerror}"
            if loop.time() - started > HEALTHY_S:
                failures = 0
            pause = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            failures += 1
            log.error("x the speech worker is gone (%s); starting it again in %.2f s", why, pause)
            await asyncio.sleep(pause)

    async def _live(self) -> str:
        """One worker's life; why it ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "speech.worker", "--fd", str(theirs.fileno())),
                *("--log-level", self._log_level),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            log.info("= speech worker is pid %d", process.pid)
            self._send(writer, self._setup)
            self._writer = writer
            for asked in list(self._asked.values()):
                self._ask(writer, asked)
            return await self._listen(reader, process)
        finally:
            self._writer = None
            writer.close()
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _listen(self, reader: asyncio.StreamReader, process: asyncio.subprocess.Process) -> str:
        decode = msgspec.msgpack.Decoder(FromSpeech).decode
        try:
            while True:
                async with asyncio.timeout(SILENT_S):
                    (size,) = _LENGTH.unpack(await reader.readexactly(4))
                    if size > MAX_FRAME:
                        return f"a message of {size} bytes"
                    message = decode(await reader.readexactly(size))
                self._take(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    return f"status {await process.wait()}"
            return "its end of the connection is closed"
        except TimeoutError:
            return f"silent for {SILENT_S:.0f} s"
        except msgspec.DecodeError as error:
            return f"not our protocol: {error}"

    def _take(self, message: FromSpeech) -> None:
        match message:
            case Spoken(number=number):
                asked = self._asked.get(number)
                if asked is None or asked.answer.done():
                    return
                if message.error:
                    asked.answer.set_exception(SpeechError(message.error))
                else:
                    asked.answer.set_result(message.path)
            case Gone(paths=paths):
                self._on_gone(paths)
            case Alive():
                pass

    def _ask(self, writer: asyncio.StreamWriter, asked: _Asked) -> None:
        if asked.answer.done():
            return
        if asked.n_tries >= MAX_TRIES:
            asked.answer.set_exception(SpeechError("the speech worker died of it, or while it was made"))
            return
        asked.n_tries += 1
        self._send(writer, asked.wish)

    @staticmethod
    def _send(writer: asyncio.StreamWriter, message: ToSpeech) -> None:
        data = msgspec.msgpack.encode(message)
        writer.write(_LENGTH.pack(len(data)) + data)
