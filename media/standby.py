"""A worker's place: its ports, where the switch connects, what an earlier worker left. And waiting for one.

A process that waits has everything imported and all sockets of all places in hand, so that taking one costs nothing
but the worker's own arrays.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO


@dataclass(slots=True)
class Place:
    name: str
    pairs: list[tuple[socket.socket, socket.socket]]
    """RTP and RTCP, by ports."""
    listener: socket.socket
    memory_fd: int
    """The file of `media.legacy`; -1 = none that outlives us."""


def wait_for_place(slots: Sequence[str], orders: TextIO) -> Place | None:
    """Blocks until `orders` names one of `slots` ("NAME:FIRST:COUNT:LISTENER:MEMORY", numbers of inherited
    descriptors); None when it ends without. Raises ValueError for slots that are none."""
    places = {}
    for slot in slots:
        name, first, count, listener, memory = slot.split(":")
        places[name] = Place(
            name, inherit_pairs(int(first), int(count)), socket.socket(fileno=int(listener)), int(memory)
        )
    name = orders.readline().strip()
    if not name:
        return None
    if name not in places:
        raise ValueError(f"{name!r} is none of the slots {', '.join(places)}")
    chosen = places.pop(name)
    for other in places.values():
        # They stay open, and unused: closing thousands of descriptors would take the time that matters now.
        other.listener.detach()
        for pair in other.pairs:
            for each in pair:
                each.detach()
    return chosen


def inherit_pairs(first: int, count: int) -> list[tuple[socket.socket, socket.socket]]:
    """The inherited sockets as (RTP, RTCP) pairs, by their ports. ValueError when they do not pair up."""
    sockets = [socket.socket(fileno=fd) for fd in range(first, first + count)]
    try:
        return _pair(sockets)
    except ValueError:
        for sock in sockets:
            sock.close()
        raise


def _pair(sockets: list[socket.socket]) -> list[tuple[socket.socket, socket.socket]]:
    by_port: dict[int, socket.socket] = {}
    for sock in sockets:
        if sock.type != socket.SOCK_DGRAM:
            raise ValueError(f"file descriptor {sock.fileno()} is no UDP socket")
        by_port[sock.getsockname()[1]] = sock
    pairs = []
    for port, sock in sorted(by_port.items()):
        if port % 2 == 0:
            if port + 1 not in by_port:
                raise ValueError(f"RTP port {port} has no neighbour {port + 1} for RTCP")
            pairs.append((sock, by_port[port + 1]))
    if not pairs or len(pairs) * 2 != len(sockets):
        raise ValueError(f"{len(sockets)} sockets with {len(pairs)} even ports are no pairs of RTP and RTCP")
    return pairs
