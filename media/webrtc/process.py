"""The process of the WebRTC edge: `python -m media.webrtc.process --web-fd N --engine-fd N --listener-fd N --host IP`.

The supervisor owns its sockets. With few browsers it wakes up for every packet; with many it looks every few
milliseconds, since a wake-up costs more than what it brings. SIGTERM says goodbye to every browser and ends it.
"""

import argparse
import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from types import FrameType

from media.link import CommandLink
from media.webrtc.dtls import Identity
from media.webrtc.edge import Edge
from media.webrtc.peers import PeerSettings
from media.webrtc.srtp import check_binding
from model.webrtc import EdgeCommand, EdgeHealth

log = logging.getLogger("media.webrtc")

TICK_S = 0.005
"""What a packet may wait when there are many."""
TICK_FROM = 20
"""So many browsers are many."""
IDLE_S = 5.0
HEALTH_S = 5.0
NICE = -10


class EdgeProcess:
    """The loop: sockets, timers, the link to the switch."""

    def __init__(self, edge_sockets: tuple[socket.socket, socket.socket], listener: socket.socket, host: str,
                 settings: PeerSettings) -> None:  # fmt: skip
        web, engine = edge_sockets
        self._epoll = select.epoll()
        self._watched: set[int] = set()
        self._is_stopping = False
        self._edge = Edge(web, engine, Identity(), self._emit, host=host, settings=settings)
        self._wake, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._own = (*self._edge.fds, self._wake.fileno())
        for fd in self._own:
            self._watch(fd, False)
        self._link = CommandLink(
            listener,
            lambda: self._edge.hello(os.getpid()),
            self._watch,
            self._unwatch,
            commands=EdgeCommand,
            passing=(EdgeHealth,),
        )
        self._next_health = 0.0

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Ends `run`; may be called by a signal handler."""
        self._is_stopping = True
        # A wait goes on after a signal's handler (PEP 475).
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b"x")

    def run(self) -> None:
        """Serves until `stop`."""
        while not self._is_stopping:
            self._step()
        self._edge.close()
        self._link.close()
        self._epoll.close()
        self._wake.close()
        self._waker.close()

    def _step(self) -> None:
        edge = self._edge
        is_ticking = edge.n_peers >= TICK_FROM
        now = time.monotonic()
        if is_ticking:
            time.sleep(TICK_S)
            wait = 0.0
        else:
            deadline = edge.deadline
            wait = IDLE_S if deadline is None else min(max(deadline - now, 0.0), IDLE_S)
        ready = [fd for fd, _ in self._epoll.poll(wait)]
        now = time.monotonic()
        commands = [command for fd in ready if fd not in self._own for command in self._link.handle(fd)]
        for command in commands:
            edge.apply(command, now)
        edge.poll(now)
        deadline = edge.deadline
        if deadline is not None and deadline <= now:
            edge.handle_timeout(now)
        if edge.n_peers and now >= self._next_health:
            self._next_health = now + HEALTH_S
            self._link.emit(edge.health())
            gc.collect(0)
        self._link.flush()

    def _emit(self, event: object) -> None:
        self._link.emit(event)  # type: ignore[arg-type]

    def _watch(self, fd: int, is_writable: bool) -> None:
        events = select.EPOLLIN | (select.EPOLLOUT if is_writable else 0)
        if fd in self._watched:
            self._epoll.modify(fd, events)
        else:
            self._watched.add(fd)
            self._epoll.register(fd, events)

    def _unwatch(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.discard(fd)
            self._epoll.unregister(fd)


def main(arguments: list[str] | None = None) -> int:
    """Runs the edge; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m media.webrtc.process", description="Ringback WebRTC edge")
    parser.add_argument("--web-fd", type=int, required=True, help="UDP socket for browsers")
    parser.add_argument("--engine-fd", type=int, required=True, help="UDP socket for the media engine")
    parser.add_argument("--listener-fd", type=int, required=True, help="Unix socket for the switch")
    parser.add_argument("--host", required=True, help="the address browsers are told")
    parser.add_argument("--silence-s", type=float, default=PeerSettings().silence_s)
    parser.add_argument("--log-level", default="INFO")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s edge %(name)s: %(message)s")
    try:
        check_binding()
        sockets = [socket.socket(fileno=fd) for fd in (options.web_fd, options.engine_fd, options.listener_fd)]
    except (RuntimeError, OSError) as error:
        print(f"webrtc edge: {error}", file=sys.stderr)
        return 2
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    process = EdgeProcess((sockets[0], sockets[1]), sockets[2], options.host, PeerSettings(silence_s=options.silence_s))
    signal.signal(signal.SIGTERM, process.stop)
    signal.signal(signal.SIGINT, process.stop)
    gc.collect()
    gc.freeze()
    gc.disable()
    process.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
