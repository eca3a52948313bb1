"""SIP over UDP (RFC 3261 §18): one raw non-blocking socket per listener, drained in batches.

A wake-up reads up to 64 datagrams and hands them over as one batch: one clock reading and one re-arming of timers for
all of them, and other sockets get their turn between. ICMP errors come from the error queue of the socket, which names
the peer they are about.
"""

import asyncio
import errno
import os
import socket
import struct
import sys
from collections import deque

import msgspec

from sip.flow import Flow
from sip.net.receiver import Failures, Receiver
from sip.net.sockets import SocketAddress, address_for, host_of
from sip.stun import answer_binding, is_binding_request

_BATCH = 64
_MAX_DATAGRAM = 65535
_MAX_BACKLOG = 1024
_MAX_CACHED = 4096
# Linux's own numbers, missing from the socket module.
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_ERROR_HEAD = struct.Struct("=IBBB")  # sock_extended_err: errno, origin, type, code
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3
_TIME_EXCEEDED = {_ORIGIN_ICMP: 11, _ORIGIN_ICMP6: 3}
_KEEP_ALIVE = b"\r\n\0 \t"


class UdpStats(msgspec.Struct):
    received: int = 0
    sent: int = 0
    keep_alives: int = 0
    dropped_sends: int = 0
    """Datagrams the kernel would not take even after waiting; for the peer they are lost on the way."""


class UdpSocket:
    """One bound UDP socket. Takes the socket over and closes it in `close`."""

    def __init__(self, sock: socket.socket, index: int, receiver: Receiver, failures: Failures) -> None:
        sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._index = index
        self._receiver = receiver
        self._failures = failures
        self.family = sock.family
        self.is_dual = sock.family == socket.AF_INET6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        self.stats = UdpStats()
        self._flows: dict[object, Flow] = {}
        self._addresses: dict[Flow, SocketAddress] = {}
        # Sent on this listener because the one in the flow did not fit: an ICMP error is told for the flow as given.
        self._given: dict[Flow, Flow] = {}
        self._backlog: deque[tuple[bytes, Flow]] = deque()
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        self._loop.add_reader(sock.fileno(), self._readable)

    @property
    def address(self) -> tuple[str, int]:
        name = self._sock.getsockname()
        return host_of(name), int(name[1])

    def can_reach(self, host: str) -> bool:
        return self.is_dual or (":" in host) == (self.family == socket.AF_INET6)

    def send(self, data: bytes, flow: Flow) -> None:
        """Never blocks, never raises. What the kernel has no room for waits; a failure is reported for `flow`."""
        if self._backlog:
            self._wait(data, flow)
            return
        address = self._addresses.get(flow)
        if address is None:
            address = self._address_of(flow)
            if address is None:
                return
        if not self._transmit(data, address, flow):
            self._wait(data, flow)

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        self._loop.remove_reader(self._sock.fileno())
        if self._backlog:
            self._loop.remove_writer(self._sock.fileno())
            self._backlog.clear()
        self._sock.close()

    # -- receiving -----------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        batch: list[tuple[bytes, Flow]] = []
        recvfrom, flows = self._sock.recvfrom, self._flows
        has_failed = False
        for _ in range(_BATCH):
            try:
                data, address = recvfrom(_MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                has_failed = True
                continue
            if len(data) <= 4 and not data.strip(_KEEP_ALIVE):
                self.stats.keep_alives += 1
                continue
            flow = flows.get(address)
            if not data[0]:
                self.stats.keep_alives += 1
                # Who never spoke SIP gets no answer: it is longer than the question (TRUST: no amplifier).
                if flow is not None and is_binding_request(data):
                    self.send(answer_binding(data, flow.host, flow.port), flow)
                continue
            if flow is None:
                flow = self._flow_from(address)
            batch.append((data, flow))
        if has_failed or not batch:
            self._read_errors()
        if batch:
            self.stats.received += len(batch)
            self._receiver.receive_batch(batch)

    def _flow_from(self, address: tuple[str | int, ...]) -> Flow:
        if len(self._flows) >= _MAX_CACHED:
            self._flows.clear()
        flow = self._flows[address] = Flow("udp", host_of(address), int(address[1]), self._index)
        return flow

    # -- errors --------------------------------------------------------------------------------------------------------

    def _read_errors(self) -> None:
        if sys.platform != "linux" or self._sock.fileno() < 0:
            return
        for _ in range(_BATCH):
            try:
                _, ancillary, _, address = self._sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                break
            why = _reason(ancillary)
            if why and address:
                flow = Flow("udp", host_of(address), int(address[1]), self._index)
                self._failures.report(flow, why)
                if flow in self._given:
                    self._failures.report(self._given[flow], why)
        # libuv stops watching a descriptor after an error event; watching anew is the way out.
        self._loop.remove_reader(self._sock.fileno())
        self._loop.add_reader(self._sock.fileno(), self._readable)

    # -- sending --------------------------------------------------------------------------------------

    def _address_of(self, flow: Flow) -> SocketAddress | None:
        try:
            address = address_for(flow.host, flow.port, self.family)
        except ValueError as error:
            self._failures.report(flow, str(error))
            return None
        if len(self._addresses) >= _MAX_CACHED:
            self._addresses.clear()
            self._given.clear()
        self._addresses[flow] = address
        if flow.listener != self._index:
            self._given[flow._replace(listener=self._index)] = flow
        return address

    def _transmit(self, data: bytes, address: SocketAddress, flow: Flow) -> bool:
        """False when the kernel has no room at the moment; every other failure is dealt with here."""
        try:
            self._sock.sendto(data, address)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            # The kernel reports an earlier datagram's ICMP error on whatever call comes next: read it, then try again.
            self._read_errors()
            try:
                self._sock.sendto(data, address)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                self.stats.dropped_sends += 1
                if error.errno != errno.ENOBUFS:
                    self._failures.report(flow, error.strerror or str(error))
                return True
        self.stats.sent += 1
        return True

    def _wait(self, data: bytes, flow: Flow) -> None:
        if len(self._backlog) >= _MAX_BACKLOG:
            self.stats.dropped_sends += 1
            return
        if not self._backlog:
            self._loop.add_writer(self._sock.fileno(), self._writable)
        self._backlog.append((data, flow))

    def _writable(self) -> None:
        while self._backlog:
            data, flow = self._backlog[0]
            address = self._addresses.get(flow) or self._address_of(flow)
            if address is not None and not self._transmit(data, address, flow):
                return
            self._backlog.popleft()
        self._loop.remove_writer(self._sock.fileno())


def _reason(ancillary: list[tuple[int, int, bytes]]) -> str:
    """Why the peer is out of reach, or "" for what RFC 3261 §18.4 says to ignore (time exceeded) and path MTU news."""
    for _, kind, value in ancillary:
        if kind not in (_IP_RECVERR, _IPV6_RECVERR) or len(value) < _ERROR_HEAD.size:
            continue
        code, origin, icmp_type, _ = _ERROR_HEAD.unpack_from(value)
        if code == errno.EMSGSIZE or _TIME_EXCEEDED.get(origin) == icmp_type:
            return ""
        return os.strerror(code)
    return ""
