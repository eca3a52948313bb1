"""`ringback serve`: owns the sockets, starts switch and media workers, restarts what dies, drains on SIGTERM.

Every child inherits its sockets, so restarting it closes no port. Restarts back off; a child that stayed up for a while
starts afresh at once. How a media worker is replaced is in `switch.media_workers`.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

from media.link import listen
from switch.config import Config
from switch.media_workers import CANNOT_START, MediaWorkers, Slot, die_with_parent
from switch.sockets import OwnedSockets, local_address, place

log = logging.getLogger(__name__)

BACK_OFF_S = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
HEALTHY_S = 30.0
"""Up for so long, a child's next death is its first."""
STOP_S = 10.0
"""What a child gets to end after its drain before it is killed."""


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
                *self.command, pass_fds=self.fds, start_new_session=True, preexec_fn=die_with_parent
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


def n_workers(config: Config) -> int:
    """Media workers to run: as configured, else one for each core but one."""
    return config.media.workers or max(1, (os.cpu_count() or 2) - 1)


async def serve(config: Config) -> int:
    """Runs the switch until SIGTERM, SIGINT or a drain by API. Returns the exit status. Raises ConfigError."""
    workers = n_workers(config)
    sockets = OwnedSockets(config, workers)
    config.resolve(".").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ringback-") as run_directory:
        media = MediaWorkers([], config.node.log_level.upper(), n_shared=sockets.n_shared)
        edge: EdgePlace | None = None
        try:
            edge = EdgePlace.make(config, sockets, Path(run_directory))
            switch = _children(config, sockets, Path(run_directory), media, edge)
            return await _supervise(config, media, switch, edge)
        finally:
            sockets.close()
            if edge is not None:
                edge.listener.close()
            for slot in media.slots:
                slot.close()


class EdgePlace:
    """What the WebRTC edge's process is started with: sockets that outlive it."""

    def __init__(self, path: Path, listener: socket.socket, child: Child) -> None:
        self.path = path
        self.listener = listener
        self.child = child

    @classmethod
    def make(cls, config: Config, sockets: OwnedSockets, run_directory: Path) -> "EdgePlace | None":
        """None where nobody listens for browsers. Raises OSError."""
        if not sockets.edge:
            return None
        web, engine = sockets.edge
        path = run_directory / "edge.sock"
        listener = listen(str(path))
        told = config.webrtc.advertised_address or config.media.advertised_address
        command = [sys.executable, "-m", "media.webrtc.process", "--host", told or local_address(web.getsockname()[0])]
        command += ["--silence-s", str(config.webrtc.silence_s), "--log-level", config.node.log_level.upper()]
        fds = (web.fileno(), engine.fileno(), listener.fileno())
        for name, fd in zip(("--web-fd", "--engine-fd", "--listener-fd"), fds, strict=True):
            command += [name, str(fd)]
        return cls(path, listener, Child("webrtc edge", command, fds))


def _children(
    config: Config, sockets: OwnedSockets, run_directory: Path, media: MediaWorkers, edge: EdgePlace | None
) -> Child:
    """Fills `media.slots`; the switch."""
    paths = [run_directory / f"media-{index}.sock" for index in range(len(sockets.rtp))]
    for index, path in enumerate(paths):
        media.slots.append(Slot.make(f"w{index}", path, ()))
    # Above every descriptor that is open: copying must not close one of the originals.
    listeners = [edge.listener.fileno()] if edge is not None else []
    own = listeners + [one.fileno() for one in sockets.all()] + [fd for slot in media.slots for fd in slot.fds]
    next_fd = max(own) + 1
    switch_command = [sys.executable, "-m", "switch.process", "--config", config.path]
    for slot, path, rtp in zip(media.slots, paths, sockets.rtp, strict=True):
        slot.rtp_fds = place(rtp, next_fd)
        next_fd += len(rtp)
        switch_command += ["--media", str(path)]
    if edge is not None:
        switch_command += ["--edge", str(edge.path)]
    sip_fds = place(sockets.sip, next_fd)
    control_fds = place([one for one in [sockets.control] if one is not None], next_fd + len(sip_fds))
    switch_command += ["--sip-fds", f"{sip_fds[0]}:{len(sip_fds)}", "--control-fd", str(control_fds[0])]
    return Child("switch", switch_command, sip_fds + control_fds)


async def _supervise(config: Config, media: MediaWorkers, switch: Child, edge: EdgePlace | None) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def asked_to_stop() -> None:
        # The second time means: now.
        switch.is_wanted = False
        switch.signal(signal.SIGTERM)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    loop.add_signal_handler(signal.SIGHUP, switch.signal, signal.SIGHUP)
    media_task = asyncio.create_task(media.run())
    switch_task = asyncio.create_task(switch.keep_running())
    edge_task = asyncio.create_task(edge.child.keep_running()) if edge is not None else None
    stop_task = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([switch_task, stop_task], return_when=asyncio.FIRST_COMPLETED)
        await _finish(switch, switch_task, config.node.drain_s + STOP_S)
        if edge is not None and edge_task is not None:
            edge.child.is_wanted = False
            edge.child.signal(signal.SIGTERM)
            await _finish(edge.child, edge_task, STOP_S)
        media.stop()
        done, _ = await asyncio.wait([media_task], timeout=STOP_S)
        if not done:
            log.error("x the media workers do not end; killing them")
            media.stop(signal.SIGKILL)
        await media_task
        status = switch_task.result()
        return status if status in (0, CANNOT_START) else 1
    finally:
        stop_task.cancel()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def _finish(child: Child, task: "asyncio.Task[int]", timeout_s: float) -> None:
    done, _ = await asyncio.wait([task], timeout=timeout_s)
    if not done:
        log.error("x %s does not end; killing it", child.name)
        child.is_wanted = False
        child.signal(signal.SIGKILL)
        await task
