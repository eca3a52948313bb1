"""The demo's processes: the switch (`ringback serve`) and the phones, each ended by its own pid."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from control.client import ConnectionFailed, ControlClient
from switch.demo.events import PhoneCommand, PhoneEvent, Quit
from switch.demo.setting import HOST, Setting

_START_S = 60.0
_STOP_S = 20.0
_MAX_LINE = 1 << 16


class DemoError(RuntimeError):
    """The demo cannot go on; the message is for the user."""


class SwitchProcess:
    """`ringback serve` on the demo's configuration; its log goes to a file."""

    def __init__(self, process: asyncio.subprocess.Process, setting: Setting) -> None:
        self._process = process
        self._setting = setting

    @classmethod
    async def start(cls, setting: Setting) -> "SwitchProcess":
        """Starts it; it is not ready yet (see `connect`)."""
        with setting.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "from switch.cli import main; main()",
                "serve", "--config", str(setting.config),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return cls(process, setting)

    async def connect(self, host: str = HOST) -> ControlClient:
        """A logged-in control connection, as soon as the switch answers. Raises DemoError."""
        deadline = asyncio.get_running_loop().time() + _START_S
        while True:
            if self._process.returncode is not None:
                raise DemoError(f"the switch ended at once (status {self._process.returncode}): {self.last_words()}")
            try:
                return await ControlClient.connect(host, self._setting.control_port, self._setting.token)
            except (ConnectionFailed, TimeoutError) as error:
                # The supervisor listens before the switch is there: a connection may wait that nobody answers yet.
                if asyncio.get_running_loop().time() > deadline:
                    raise DemoError(f"the switch does not answer: {error}; {self.last_words()}") from None
            await asyncio.sleep(0.05)

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL when it does not end in time. Returns its exit status."""
        return await _stop(self._process)

    def last_words(self) -> str:
        return _last_line(self._setting.log)


class PhonesProcess:
    """`python -m switch.demo.phones`; every event it tells goes to `on_event`."""

    def __init__(
        self, process: asyncio.subprocess.Process, on_event: Callable[[PhoneEvent], None], errors: Path
    ) -> None:
        self._process = process
        self._on_event = on_event
        self._errors = errors
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, on_event: Callable[[PhoneEvent], None], errors: Path) -> "PhonesProcess":
        """`errors` is the file its standard error goes to."""
        with errors.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "switch.demo.phones",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                limit=_MAX_LINE, start_new_session=True,
            )  # fmt: skip
        return cls(process, on_event, errors)

    def send(self, command: PhoneCommand) -> None:
        """Raises DemoError when the process is gone."""
        stdin = self._process.stdin
        if self._process.returncode is not None or stdin is None or stdin.is_closing():
            raise DemoError(f"the phones ended: {_last_line(self._errors)}")
        stdin.write(msgspec.json.encode(command) + b"\n")

    async def stop(self) -> int:
        """Asks it to hang up, unregister and end; waits. Returns its exit status."""
        stdin = self._process.stdin
        if self._process.returncode is None and stdin is not None and not stdin.is_closing():
            stdin.write(msgspec.json.encode(Quit()) + b"\n")
            try:
                async with asyncio.timeout(_STOP_S):
                    await self._process.wait()
            except TimeoutError:
                pass
            stdin.close()
        status = await _stop(self._process)
        await self._reader
        return status

    async def _read(self) -> None:
        decoder = msgspec.json.Decoder(PhoneEvent)
        stdout = self._process.stdout
        if stdout is None:
            raise DemoError("the phones have no standard output")
        while line := await stdout.readline():
            self._on_event(decoder.decode(line))


async def _stop(process: asyncio.subprocess.Process) -> int:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            break
        process.send_signal(number)
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            continue
    return await process.wait()


def _last_line(path: Path) -> str:
    lines = path.read_text("utf-8", "replace").strip().splitlines() if path.exists() else []
    return lines[-1] if lines else "it said nothing"
