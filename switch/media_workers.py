"""The media workers as the supervisor keeps them: one process a slot, and one spare that takes a dead one's place.

Every process is started the same way and with every slot's sockets; it waits, imported and warm, until a line on its
standard input names the slot that is its own. So whoever takes over has only to begin: the ports, the listening socket
for the switch and what the legs' peers have seen (`media.legacy`) belong to the supervisor and stay as they are.
A worker that is alive but shows nothing for `HANG_S` after it said it would (`media.beat`) is killed and replaced.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from media.beat import PAGE, Beat
from media.link import listen

log = logging.getLogger(__name__)

BACK_OFF_S = (0.0, 0.0, 0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Before a process is replaced, by how many deaths are not forgiven yet."""
FORGIVEN_S = 2.0
"""A life so long makes good for one death: whoever dies less often is replaced at once, for ever."""
SPARE_AFTER_S = 0.1
"""A new spare is started so much later: until then the calls of the dead worker need the processors."""
STARTING_S = 20.0
"""What a process gets from its start to its first sign of life."""
LOOK_S = 1.0
LOOK_MAX_S = 2.0
HANG_S = 2.0
CANNOT_START = 2
"""A child's exit status that no restart would change; it has said why in one line."""
NICE = -10
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In a child, before its program: a supervisor that is killed must leave nobody behind that holds its ports."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _prepare() -> None:
    # A spare must be ready soon even when the machine is busy; the worker raises itself further.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    die_with_parent()


@dataclass(slots=True)
class Slot:
    """One media worker's place: everything about it that outlives the process."""

    name: str
    rtp_fds: tuple[int, ...]
    """Consecutive, as children find them."""
    listener: socket.socket
    """Where the switch connects."""
    memory_fd: int
    beat: Beat
    process: asyncio.subprocess.Process | None = None

    @classmethod
    def make(cls, name: str, path: Path, rtp_fds: tuple[int, ...]) -> "Slot":
        """Listens at `path`, for our user alone. Raises OSError."""
        listener = listen(str(path))
        memory_fd = os.memfd_create(f"ringback-{name}")
        os.ftruncate(memory_fd, PAGE)
        return cls(name, rtp_fds, listener, memory_fd, Beat(memory_fd))

    @property
    def fds(self) -> tuple[int, ...]:
        return (*self.rtp_fds, self.listener.fileno(), self.memory_fd)

    @property
    def argument(self) -> str:
        """For `python -m media.worker --slot`."""
        rtp = f"{self.rtp_fds[0]}:{len(self.rtp_fds)}"
        return f"{self.name}:{rtp}:{self.listener.fileno()}:{self.memory_fd}"

    def close(self) -> None:
        self.beat.close()
        self.listener.close()
        os.close(self.memory_fd)


@dataclass(slots=True)
class MediaWorkers:
    """Keeps every slot filled from `run` to `stop`."""

    slots: list[Slot]
    log_level: str = "INFO"
    n_shared: int = 0
    """How many of each one's RTP ports, the first ones, are for many legs."""
    is_wanted: bool = True
    n_restarts: int = 0
    _spare: asyncio.subprocess.Process | None = None
    _is_spare_taken: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until every process has ended after `stop`, or could not start at all."""
        spare = asyncio.create_task(self._keep_spare())
        try:
            await asyncio.gather(*(self._keep_filled(slot) for slot in self.slots))
        finally:
            spare.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await spare
            if self._spare is not None and self._spare.returncode is None:
                self._spare.kill()
                await self._spare.wait()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends all processes by that signal and lets `run` return when they have gone."""
        self.is_wanted = False
        for process in [slot.process for slot in self.slots] + [self._spare]:
            if process is not None and process.returncode is None:
                process.send_signal(number)

    async def _start(self) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "media.worker", "--standby", "--log-level", self.log_level]
        command += ["--shared-ports", str(self.n_shared)]
        for slot in self.slots:
            command += ["--slot", slot.argument]
        fds = [fd for slot in self.slots for fd in slot.fds]
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, pass_fds=fds, start_new_session=True, preexec_fn=_prepare
        )

    # -- slots ---------------------------------------------------------------------------------------------------------

    async def _keep_filled(self, slot: Slot) -> None:
        failures = 0
        while self.is_wanted:
            started = time.monotonic()
            process = await self._fill(slot)
            status = await self._wait_for_end(slot, process)
            slot.process = None
            if not self.is_wanted or status == CANNOT_START:
                log.info("= media worker %s ended, status %d", slot.name, status)
                return
            failures = max(0, failures - int((time.monotonic() - started) / FORGIVEN_S))
            pause = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            failures += 1
            self.n_restarts += 1
            log.error("x media worker %s died (status %d); replaced in %.2f s", slot.name, status, pause)
            if pause:
                await asyncio.sleep(pause)

    async def _fill(self, slot: Slot) -> asyncio.subprocess.Process:
        """The spare becomes the slot's worker; a new process when there is no spare."""
        process, self._spare = self._spare, None
        self._is_spare_taken.set()
        if process is None or process.returncode is not None:
            process = await self._start()
        slot.process = process
        slot.beat.promise(time.monotonic() + STARTING_S)
        assert process.stdin is not None
        # Should it die this moment, `wait` tells.
        with contextlib.suppress(ConnectionError):
            process.stdin.write(f"{slot.name}\n".encode())
        if not self.is_wanted:
            process.terminate()
        log.info("= media worker %s is pid %d", slot.name, process.pid)
        return process

    async def _wait_for_end(self, slot: Slot, process: asyncio.subprocess.Process) -> int:
        guard = asyncio.create_task(self._kill_when_it_hangs(slot, process))
        try:
            return await process.wait()
        finally:
            guard.cancel()

    async def _kill_when_it_hangs(self, slot: Slot, process: asyncio.subprocess.Process) -> None:
        missed = 0.0
        while True:
            due = slot.beat.due
            await asyncio.sleep(min(max(due - time.monotonic(), LOOK_S), LOOK_MAX_S))
            late = time.monotonic() - due
            if slot.beat.due != due or late < HANG_S:
                missed = 0.0
            elif missed != due:
                # The machine may have been stopped, and we with it: the worker gets one more look.
                missed = due
            elif self.is_wanted:
                log.error("x media worker %s hangs since %.1f s; killing it", slot.name, late)
                process.kill()
                return

    # -- the spare -----------------------------------------------------------------------------------------------------

    async def _keep_spare(self) -> None:
        failures = 0
        while self.is_wanted:
            await asyncio.sleep(max(SPARE_AFTER_S, BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]))
            started = time.monotonic()
            self._spare = spare = await self._start()
            self._is_spare_taken.clear()
            if await self._until_taken_or_dead(spare):
                continue
            self._spare = None
            failures = max(0, failures - int((time.monotonic() - started) / FORGIVEN_S)) + 1
            log.warning("x the spare media worker died (status %s)", spare.returncode)
            if spare.returncode == CANNOT_START:
                return

    async def _until_taken_or_dead(self, spare: asyncio.subprocess.Process) -> bool:
        """True: it was taken."""
        dead = asyncio.create_task(spare.wait())
        taken = asyncio.create_task(self._is_spare_taken.wait())
        try:
            await asyncio.wait([dead, taken], return_when=asyncio.FIRST_COMPLETED)
            return self._spare is not spare
        finally:
            dead.cancel()
            taken.cancel()
