"""A process of ours beside the switch, which answers messages: started, started again when it dies or falls silent.

`SideProcess.run` is awaited by its owner. Messages are MessagePack, each after its length (4 bytes), over a socket that
the process is given by `--fd`.
"""

import asyncio
import contextlib
import logging
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

import msgspec

log = logging.getLogger(__name__)

BACK_OFF_S = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
HEALTHY_S = 30.0
"""Up for so long, a process's next death is its first."""
MAX_FRAME = 1 << 20
_LENGTH = struct.Struct(">I")


class SideProcess:
    """`module` is run; `answers` is the type of what it sends. `on_up` is called when it can be told things, `on_down`
    when it is gone. `silent_s`: one that sends nothing for so long is killed; 0 = never."""

    def __init__(
        self,
        name: str,
        module: str,
        answers: Any,
        *,
        on_message: Callable[[Any], None],
        on_up: Callable[[], None],
        on_down: Callable[[], None],
        silent_s: float = 0.0,
        log_level: str = "INFO",
    ) -> None:
        self._name = name
        self._module = module
        self._decode = msgspec.msgpack.Decoder(answers).decode
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._silent_s = silent_s
        self._log_level = log_level
        self._writer: asyncio.StreamWriter | None = None

    @property
    def is_up(self) -> bool:
        return self._writer is not None

    def send(self, message: msgspec.Struct) -> None:
        """Nothing while it is down."""
        if self._writer is not None:
            data = msgspec.msgpack.encode(message)
            self._writer.write(_LENGTH.pack(len(data)) + data)

    async def run(self) -> None:
        """Keeps a process until cancelled."""
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
            log.error("x the %s is gone (%s); starting it again in %.2f s", self._name, why, pause)
            await asyncio.sleep(pause)

    async def _live(self) -> str:
        """One process's life; why it ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module, "--fd", str(theirs.fileno())),
                *("--log-level", self._log_level),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            log.info("= %s is pid %d", self._name, process.pid)
            self._writer = writer
            self._on_up()
            return await self._listen(reader, process)
        finally:
            self._writer = None
            self._on_down()
            writer.close()
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _listen(self, reader: asyncio.StreamReader, process: asyncio.subprocess.Process) -> str:
        try:
            while True:
                async with asyncio.timeout(self._silent_s or None):
                    (size,) = _LENGTH.unpack(await reader.readexactly(4))
                    if size > MAX_FRAME:
                        return f"a message of {size} bytes"
                    message = self._decode(await reader.readexactly(size))
                self._on_message(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    return f"status {await process.wait()}"
            return "its end of the connection is closed"
        except TimeoutError:
            return f"silent for {self._silent_s:.0f} s"
        except msgspec.DecodeError as error:
            return f"not our protocol: {error}"
