"""Per-leg UDP ports: one epoll, packets read into one arena, one `send` a packet.

Two sockets stand behind a leg's RTP port. The *open* one is inherited, bound and never connected: it hears strangers
and peers whose address is not known yet, and its packets are read with their source address, slowly and in small
numbers. The *peer* socket is made when the peer's address is known, bound to the same port and connected: the kernel
gives it exactly the peer's packets, so nothing needs a source address, and both directions cost about half of what
they cost unconnected (measured: receive 1.0 µs against 2.1, send 3.6 against 4.9).
"""

import select
import socket
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rtp.header import MAX_PACKET, header_view

Address = tuple[str, int]
Send = Callable[[Any], int]

COMMON_PACKET = 172
"""20 ms of G.711: rows of this length are sent without making a slice."""


class _Leg:
    __slots__ = ("destination", "open", "peer", "port", "rtcp", "source")

    def __init__(self, port: int, open_: socket.socket, rtcp: socket.socket) -> None:
        self.port = port
        self.open = open_
        self.rtcp = rtcp
        self.peer: socket.socket | None = None
        self.source: Address | None = None
        self.destination: Address | None = None


class LegPorts:
    """The sockets of up to `len(pairs)` legs; `row` is the leg's index in every array of the media plane.

    `pairs` are bound UDP sockets, RTP (even port) with RTCP; they stay open when a leg is released.
    """

    def __init__(self, pairs: Sequence[tuple[socket.socket, socket.socket]], *, batch: int = 1024) -> None:
        self.batch = max(64, min(batch, len(pairs)))
        self.arena = np.zeros((self.batch, MAX_PACKET), np.uint8)
        self.headers = header_view(self.arena)
        self.legs = np.zeros(self.batch, np.int64)
        self.lengths = np.zeros(self.batch, np.int64)
        view = self.arena.reshape(-1).data
        self.rows = [view[i * MAX_PACKET : (i + 1) * MAX_PACKET] for i in range(self.batch)]
        self._common = [row[:COMMON_PACKET] for row in self.rows]
        self.senders: list[Send | None] = [None] * len(pairs)
        self.n_send_failures = 0
        self.strangers: list[int] = []
        """Rows whose open socket had something at the last `poll`."""
        self.reports: list[int] = []
        """Rows whose RTCP socket had something at the last `poll`."""
        self.others: list[int] = []
        """Foreign file descriptors (`watch`) that are ready: see `take_others`."""
        self._pairs = list(pairs)
        for sockets in self._pairs:
            for each in sockets:
                each.setblocking(False)
        self.ports: dict[int, int] = {rtp.getsockname()[1]: i for i, (rtp, _) in enumerate(self._pairs)}
        self._legs: dict[int, _Leg] = {}
        self._epoll = select.epoll()
        self._fast: dict[int, tuple[Callable[[Any], int], int]] = {}
        self._slow: dict[int, tuple[list[int], int]] = {}

    # -- allocation ---------------------------------------------------------------------------------------------------

    def open(self, row: int, *, is_kept: bool = False) -> None:
        """Starts listening for the leg. What was waiting on its port belongs to nobody and is thrown away, unless
        `is_kept`: the leg was there before, in a worker that died."""
        rtp, rtcp = self._pairs[row]
        if not is_kept:
            for each in (rtp, rtcp):
                _drain(each)
        leg = self._legs[row] = _Leg(rtp.getsockname()[1], rtp, rtcp)
        self._slow[leg.open.fileno()] = (self.strangers, row)
        self._slow[leg.rtcp.fileno()] = (self.reports, row)
        self._epoll.register(leg.open.fileno(), select.EPOLLIN)
        self._epoll.register(leg.rtcp.fileno(), select.EPOLLIN)

    def connect(self, row: int, source: Address | None, destination: Address | None) -> None:
        """From now on the peer is `source`, and we send to `destination` (mostly the same). OSError when impossible."""
        leg = self._legs[row]
        if source != leg.source:
            self._disconnect(leg)
            if source is not None:
                leg.peer = self._peer_socket(leg, source)
                leg.source = source
                self._fast[leg.peer.fileno()] = (leg.peer.recv_into, row)
                self._epoll.register(leg.peer.fileno(), select.EPOLLIN)
        leg.destination = destination
        self.senders[row] = None
        if destination is not None:
            if leg.peer is not None and destination == leg.source:
                self.senders[row] = leg.peer.send
            else:
                self.senders[row] = _sender_to(leg.open, destination)

    def close(self, row: int) -> None:
        """Stops listening; the port itself stays bound."""
        leg = self._legs.pop(row, None)
        if leg is None:
            return
        self.senders[row] = None
        self._disconnect(leg)
        for each in (leg.open, leg.rtcp):
            self._epoll.unregister(each.fileno())
            del self._slow[each.fileno()]

    def close_all(self) -> None:
        for row in list(self._legs):
            self.close(row)
        for sockets in self._pairs:
            for each in sockets:
                each.close()
        self._epoll.close()

    def _disconnect(self, leg: _Leg) -> None:
        if leg.peer is not None:
            self._epoll.unregister(leg.peer.fileno())
            del self._fast[leg.peer.fileno()]
            leg.peer.close()
        leg.peer = leg.source = None

    def _peer_socket(self, leg: _Leg, source: Address) -> socket.socket:
        peer = socket.socket(leg.open.family, socket.SOCK_DGRAM)
        try:
            peer.setblocking(False)
            # Both need the option at the moment of bind only; left on, any local user could share the port.
            leg.open.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            peer.bind(leg.open.getsockname()[:2])
            peer.connect(source)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            # Between bind and connect anybody's packet could land here.
            _drain(peer)
        except OSError:
            peer.close()
            raise
        finally:
            leg.open.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        return peer

    # -- input --------------------------------------------------------------------------------------------------------

    def watch(self, fd: int, *, writable: bool = False) -> None:
        """Reports `fd` in `others` when it can be read (or written)."""
        events = select.EPOLLIN | (select.EPOLLOUT if writable else 0)
        if fd in self._slow:
            self._epoll.modify(fd, events)
        else:
            self._slow[fd] = (self.others, fd)
            self._epoll.register(fd, events)

    def unwatch(self, fd: int) -> None:
        if self._slow.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def take_others(self) -> list[int]:
        """The foreign descriptors that became ready since the last call."""
        ready = list(dict.fromkeys(self.others))
        self.others.clear()
        return ready

    def poll(self, timeout_s: float = 0.0) -> int:
        """Reads at most one packet of each connected leg into the arena; how many.

        Sets `legs[:n]`, `lengths[:n]`, and the lists of slower things that are ready.
        """
        self.strangers.clear()
        self.reports.clear()
        fast, rows, legs, lengths = self._fast, self.rows, [], []
        n = 0
        for fd, _ in self._epoll.poll(timeout_s, self.batch):
            entry = fast.get(fd)
            if entry is None:
                ready = self._slow.get(fd)
                if ready is not None:
                    ready[0].append(ready[1])
                continue
            try:
                lengths.append(entry[0](rows[n]))
            except OSError:  # nothing there after all, or an ICMP error from the peer's side
                continue
            legs.append(entry[1])
            n += 1
        self.legs[:n] = legs
        self.lengths[:n] = lengths
        return n

    def read_stranger(self, row: int, into: int) -> tuple[int, Address] | None:
        """One packet of the leg's open socket into arena row `into`: (length, source), or None when there is none."""
        try:
            length, address = self._legs[row].open.recvfrom_into(self.rows[into])
        except OSError:
            return None
        return length, (address[0], address[1])

    def read_report(self, row: int) -> tuple[bytes, Address] | None:
        """One RTCP packet of the leg, or None when there is none."""
        try:
            data, address = self._legs[row].rtcp.recvfrom(1500)
        except OSError:
            return None
        return data, (address[0], address[1])

    # -- output -------------------------------------------------------------------------------------------------------

    def send_rows(self, rows: list[int], legs: list[int], lengths: list[int]) -> None:
        """Sends arena row `rows[i]`, `lengths[i]` bytes long, to leg `legs[i]`."""
        senders, common = self.senders, self._common
        for row, leg, length in zip(rows, legs, lengths, strict=True):
            send = senders[leg]
            if send is None:
                continue
            try:
                send(common[row] if length == COMMON_PACKET else self.rows[row][:length])
            except OSError:  # the peer's host is away for the moment: its own silence ends the call, not this
                self.n_send_failures += 1

    def send(self, leg: int, packet: Any) -> None:
        """Sends one RTP packet to the leg."""
        send = self.senders[leg]
        if send is not None:
            try:
                send(packet)
            except OSError:
                self.n_send_failures += 1

    def send_report(self, row: int, packet: bytes, destination: Address) -> None:
        """Sends one RTCP packet from the leg's RTCP port."""
        try:
            self._legs[row].rtcp.sendto(packet, destination)
        except OSError:
            self.n_send_failures += 1


def _sender_to(via: socket.socket, destination: Address) -> Send:
    def send(packet: Any) -> int:
        return via.sendto(packet, destination)

    return send


def _drain(sock: socket.socket) -> None:
    for _ in range(10_000):
        try:
            sock.recv(1)
        except BlockingIOError:
            return
        except OSError:  # an ICMP error from earlier on: it is taken off by being raised
            continue
