"""The floors of `benchmarks.media`: bare programs that only receive and send the same datagrams, every 10 ms.

    python -m benchmarks.media_floor --kind leg --fds 100:800 --peers 40000,40001,…

`leg`: one connected socket a leg, as the worker's per-leg ports; each socket that has something is read and its packet
sent to the other leg. With one packet a socket `recvmmsg` would only add to the cost, so it is `recv_into` and `send`,
the cheapest calls Python has. `shared`: few sockets for all legs, `recvmmsg` and `sendmmsg` in batches, the other leg
found by one array look-up. Neither looks at a packet. Runs until SIGTERM.
"""

import argparse
import gc
import os
import select
import signal
import socket
import sys
import time
from types import FrameType

import numpy as np

from benchmarks.measure import raise_priority
from benchmarks.mmsg import MessageBatch, addresses

POLL_S = 0.01
_BATCH = 1024
_MAX_ROUNDS = 16


class LegFloor:
    """Leg l is the socket `fds[l]`, its peer 127.0.0.1:`peers[l]`."""

    def __init__(self, fds: list[int], peers: list[int]) -> None:
        self._sockets = [socket.socket(fileno=fd) for fd in fds]
        self._epoll = select.epoll()
        self._pass: dict[int, tuple[object, object]] = {}
        for leg, (sock, peer) in enumerate(zip(self._sockets, peers, strict=True)):
            sock.setblocking(False)
            sock.connect(("127.0.0.1", peer))
            self._epoll.register(sock.fileno(), select.EPOLLIN)
            self._pass[sock.fileno()] = (sock.recv_into, self._sockets[leg ^ 1].send)
        self._view = memoryview(bytearray(2048))

    def poll(self) -> None:
        """Passes on everything that waits."""
        view, passing = self._view, self._pass
        for _ in range(_MAX_ROUNDS):
            ready = self._epoll.poll(0, _BATCH)
            for fd, _events in ready:
                receive, send = passing[fd]
                send(view[: receive(view)])  # type: ignore[operator]
            if not ready:
                return


class SharedFloor:
    """Legs are told apart by (our socket, their port); leg l belongs to socket l * len(fds) // legs."""

    def __init__(self, fds: list[int], peers: list[int], sockets_of: list[int]) -> None:
        self._fds = fds
        self._epoll = select.epoll()
        for fd in fds:
            os.set_blocking(fd, False)
            self._epoll.register(fd, select.EPOLLIN)
        self._batch = MessageBatch(_BATCH)
        names = addresses("127.0.0.1", np.array(peers, np.int64))
        other = np.arange(len(peers)) ^ 1
        # Both legs of a call are on one socket, so what comes in on a socket goes out on it.
        self._next = {fd: np.zeros(65536, names.dtype) for fd in fds}
        for leg, which in enumerate(sockets_of):
            self._next[fds[which]][peers[leg]] = names[other[leg]]

    def poll(self) -> None:
        """Passes on everything that waits."""
        batch = self._batch
        for fd, _ in self._epoll.poll(0):
            while n := batch.receive(fd):
                batch.names[:n] = self._next[fd][batch.names["port"][:n]]
                batch.send(fd, n, int(batch.lengths[0]))
                if n < batch.size:
                    break


def main() -> int:
    """Runs one floor."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.media_floor")
    parser.add_argument("--kind", choices=("leg", "shared"), required=True)
    parser.add_argument("--fds", required=True, metavar="FIRST:COUNT")
    parser.add_argument("--peers", required=True, help="port of each leg's peer")
    parser.add_argument("--sockets-of", default="", help="shared: which socket each leg uses")
    parser.add_argument("--cpu", type=int, default=-1)
    options = parser.parse_args()
    first, count = map(int, options.fds.split(":"))
    fds, peers = list(range(first, first + count)), [int(port) for port in options.peers.split(",")]
    floor: LegFloor | SharedFloor
    if options.kind == "leg":
        floor = LegFloor(fds, peers)
    else:
        floor = SharedFloor(fds, peers, [int(index) for index in options.sockets_of.split(",")])
    if options.cpu >= 0:
        os.sched_setaffinity(0, {options.cpu})
    raise_priority()
    is_stopping = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal is_stopping
        is_stopping = True

    signal.signal(signal.SIGTERM, stop)
    gc.collect()
    gc.disable()
    print("ready", flush=True)
    due = time.monotonic()
    while not is_stopping:
        floor.poll()
        due = max(due + POLL_S, time.monotonic())
        time.sleep(max(due - time.monotonic(), 0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
