"""`ringback serve`: owns the sockets, starts switch and media workers, restarts what dies, drains on SIGTERM.

Every child inherits its sockets, so restarting it closes no port. Restarts back off; a child that stayed up for a while
starts afresh at once.
"""

import asyncio
import ctypes
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path

from switch.config import Config
from switch.sockets import OwnedSockets, place

log = logging.getLogger(__name__)

BACK_OFF_S = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
HEALTHY_S = 30.0
"""Up for so long, a child's next death is its first."""
STOP_S = 10.0
"""What a child gets to end after its drain before it is killed."""
CANNOT_START = 2
"""A child's exit status that no restart would change; it has said why in one line."""
PR_SET_PDEATHSIG = 1


class Child:
    """One process that shall run until the supervisor stops."""

    def __init__(self, name: str, command: list[str], fds: tuple[int, ...]) -> None:
        self.name = name
        self.command = command
        self.fds = fds
        self.process: asyncio.subprocess.Process | None = None
        self.is_wanted = True
        self.n_restarts = 0

    async def keep_running(self) -> int:
        """Starts it, and again whenever it dies; returns its exit status once it ended as asked or by its own will."""
        loop = asyncio.get_running_loop()
        failures = 0
        status = 0
        while self.is_wanted:
            started = loop.time()
            self.process = await asyncio.create_subprocess_exec(
                *self.command, pass_fds=self.fds, start_new_session=True, preexec_fn=_die_with_parent
            )
            log.info("= %s started, pid %d", self.name, self.process.pid)
            status = await self.process.wait()
            if not self.is_wanted or status in (0, CANNOT_START):
                log.info("= %s ended, status %d", self.name, status)
                return status
            if loop.time() - started > HEALTHY_S:
                failures = 0
            pause = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            failures += 1
            self.n_restarts += 1
            log.error("x %s died (status %d); starting it again in %.2f s", self.name, status, pause)
            await asyncio.sleep(pause)
        return status

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)


def _die_with_parent() -> None:
    # A supervisor that is killed must not leave children behind that hold its ports.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def n_workers(config: Config) -> int:
    """Media workers to run: as configured, else one for each core but one."""
    return config.media.workers or max(1, (os.cpu_count() or 2) - 1)


async def serve(config: Config) -> int:
    """Runs the switch until SIGTERM, SIGINT or a drain by API. Returns the exit status. Raises ConfigError."""
    workers = n_workers(config)
    sockets = OwnedSockets(config, workers)
    config.resolve(".").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ringback-") as run_directory:
        try:
            media, switch = _children(config, sockets, Path(run_directory))
            return await _supervise(config, media, switch)
        finally:
            sockets.close()


def _children(config: Config, sockets: OwnedSockets, run_directory: Path) -> tuple[list[Child], Child]:
    # Above every descriptor that is open: copying must not close one of the originals.
    next_fd = max(one.fileno() for one in sockets.all()) + 1
    media = []
    switch_command = [sys.executable, "-m", "switch.process", "--config", config.path]
    for index, rtp in enumerate(sockets.rtp):
        fds = place(rtp, next_fd)
        next_fd += len(fds)
        path = str(run_directory / f"media-{index}.sock")
        command = [sys.executable, "-m", "media.worker", "--name", f"w{index}", "--socket", path]
        command += ["--rtp-fds", f"{fds[0]}:{len(fds)}", "--log-level", config.node.log_level.upper()]
        media.append(Child(f"media worker w{index}", command, fds))
        switch_command += ["--media", path]
    sip_fds = place(sockets.sip, next_fd)
    control_fds = place([one for one in [sockets.control] if one is not None], next_fd + len(sip_fds))
    switch_command += ["--sip-fds", f"{sip_fds[0]}:{len(sip_fds)}", "--control-fd", str(control_fds[0])]
    return media, Child("switch", switch_command, sip_fds + control_fds)


async def _supervise(config: Config, media: list[Child], switch: Child) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def asked_to_stop() -> None:
        # The second time means: now.
        switch.is_wanted = False
        switch.signal(signal.SIGTERM)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    media_tasks = [asyncio.create_task(child.keep_running()) for child in media]
    switch_task = asyncio.create_task(switch.keep_running())
    stop_task = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([switch_task, stop_task], return_when=asyncio.FIRST_COMPLETED)
        await _finish(switch, switch_task, config.node.drain_s + STOP_S)
        for child in media:
            child.is_wanted = False
            child.signal(signal.SIGTERM)
        for child, task in zip(media, media_tasks, strict=True):
            await _finish(child, task, STOP_S)
        status = switch_task.result()
        return status if status in (0, CANNOT_START) else 1
    finally:
        stop_task.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _finish(child: Child, task: "asyncio.Task[int]", timeout_s: float) -> None:
    done, _ = await asyncio.wait([task], timeout=timeout_s)
    if not done:
        log.error("x %s does not end; killing it", child.name)
        child.is_wanted = False
        child.signal(signal.SIGKILL)
        await task
