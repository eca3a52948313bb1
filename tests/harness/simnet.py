"""A simulated network in virtual time: seeded latency, jitter, loss, reordering, duplication, partitions and NAT.

`SimNet.attach` gives what `sip.net.Transports` gives: `send(data, flow)`, `addresses()`, `close()`. What arrives goes
to `receiver.receive_batch(list[(bytes, Flow)])`, failures to `receiver.flow_failed(flow, why)`. UDP loses and reorders
as the link says; tcp and tls are reliable, ordered, one message a piece (framing is the business of `sip/framer`), and
fail with `flow_failed` when nobody listens or the connection is cut. The same seed gives the same run.
"""

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from sip.flow import Flow
from tests.harness.nat import Address, Nat


class Receiver(Protocol):
    def receive_batch(self, batch: list[tuple[bytes, Flow]]) -> None: ...
    def flow_failed(self, flow: Flow, why: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Link:
    """What happens to datagrams of one direction. Times in seconds, probabilities 0…1."""

    latency_s: float = 0.005
    jitter_s: float = 0.0
    """Added at random, 0…jitter_s; order is kept."""
    loss: float = 0.0
    reorder: float = 0.0
    """Chance to be held back by `reorder_s`, so that later ones overtake it."""
    reorder_s: float = 0.05
    duplicate: float = 0.0


PERFECT = Link()


class Seen(NamedTuple):
    """One line of the trace: what was put on the wire and what became of it."""

    at: float
    source: Address
    destination: Address
    data: bytes
    fate: str
    """sent, lost, duplicated, refused, filtered"""


class _Due(NamedTuple):
    at: float
    order: int
    port: "SimTransports"
    data: bytes
    flow: Flow | None
    """None: the flow in `failed` failed."""
    failed: tuple[Flow, str] | None


class SimNet:
    """All hosts and the links between them. Make it inside the running (virtual) loop."""

    def __init__(self, seed: int = 1, link: Link = PERFECT, trace_length: int = 10_000) -> None:
        self.random = random.Random(seed)
        self.default_link = link
        self.links: dict[tuple[str, str], Link] = {}
        """By (source host, destination host)."""
        self.cut_off: set[str] = set()
        """Hosts that neither send nor hear anything."""
        self.trace: deque[Seen] = deque(maxlen=trace_length)
        self.ports: dict[tuple[str, str, int], tuple[SimTransports, int]] = {}
        self.nats: dict[str, Nat] = {}
        """By outside host; see `add_nat`."""
        self._loop = asyncio.get_running_loop()
        self._heap: list[_Due] = []
        self._order = 0
        self._timer: asyncio.TimerHandle | None = None
        self._last_arrival: dict[tuple[Address, Address], float] = {}
        self._next_connection = 1

    # -- set-up --------------------------------------------------------------------------------------------------------

    def attach(self, receiver: Receiver, *listeners: tuple[str, str, int], nat: Nat | None = None) -> "SimTransports":
        """Opens (transport, host, port) listeners; port 0 picks a free one. Raises OSError when one is taken."""
        port = SimTransports(self, receiver, nat)
        for transport, host, number in listeners:
            port.listen(transport, host, number)
        return port

    def open(self, address: Address, on_datagram: Callable[[bytes, Address], None]) -> "Datagrams":
        """A plain datagram socket (RTP)."""
        return Datagrams(self, address, on_datagram)

    def add_nat(self, outside_host: str, kind: str = "restricted", idle_s: float = 60.0) -> Nat:
        """A router for programs that `attach` with `nat=` it; see `Nat` for the kinds."""
        nat = self.nats[outside_host] = Nat(outside_host, kind, idle_s)
        return nat

    def set_link(self, source: str, destination: str, link: Link, *, both_ways: bool = True) -> None:
        self.links[source, destination] = link
        if both_ways:
            self.links[destination, source] = link

    def worsen(self, **changes: float) -> None:
        """Changes fields of the default link from now on."""
        self.default_link = replace(self.default_link, **changes)

    def cut_connections(self, host: str) -> None:
        """Breaks every tcp/tls connection of `host`; both ends learn it."""
        for port, _ in set(self.ports.values()):
            for number, connection in list(port.connections.items()):
                if host in (connection.local[0], connection.remote[0]):
                    port.drop(number, "connection reset")

    # -- moving data ---------------------------------------------------------------------------------------------------

    def datagram(self, source: Address, destination: Address, data: bytes, transport: str = "udp") -> bool:
        """Puts one datagram on the wire. False when the destination's port is closed (ICMP port unreachable)."""
        link = self.links.get((source[0], destination[0]), self.default_link)
        if source[0] in self.cut_off or destination[0] in self.cut_off or self.random.random() < link.loss:
            self._note(source, destination, data, "lost")
            return True
        inside = destination
        nat = self.nats.get(destination[0])
        if nat is not None:
            found = nat.inbound(destination[1], source, self._loop.time())
            if found is None:
                self._note(source, destination, data, "filtered")
                return True
            inside = found
        target = self.ports.get((transport, *inside))
        if target is None:
            self._note(source, destination, data, "refused")
            return False
        port, listener = target
        flow = Flow(transport, source[0], source[1], listener)
        self._note(source, destination, data, "sent")
        self._schedule(self._arrival(source, destination, link), port, data, flow)
        if link.duplicate and self.random.random() < link.duplicate:
            self._note(source, destination, data, "duplicated")
            self._schedule(self._arrival(source, destination, link) + 0.001, port, data, flow)
        return True

    def _arrival(self, source: Address, destination: Address, link: Link) -> float:
        at = self._loop.time() + link.latency_s + self.random.random() * link.jitter_s
        if link.reorder and self.random.random() < link.reorder:
            return at + link.reorder_s
        at = max(at, self._last_arrival.get((source, destination), 0.0))
        self._last_arrival[source, destination] = at
        return at

    def stream_latency(self, source: Address, destination: Address) -> float:
        link = self.links.get((source[0], destination[0]), self.default_link)
        return self._arrival(source, destination, replace(link, reorder=0.0))

    def new_connection(self) -> int:
        self._next_connection += 1
        return self._next_connection

    def _note(self, source: Address, destination: Address, data: bytes, fate: str) -> None:
        self.trace.append(Seen(self._loop.time(), source, destination, data, fate))

    def deliver(self, at: float, port: "SimTransports", data: bytes, flow: Flow) -> None:
        self._schedule(at, port, data, flow)

    def fail(self, at: float, port: "SimTransports", flow: Flow, why: str) -> None:
        self._schedule(at, port, b"", None, (flow, why))

    def _schedule(
        self, at: float, port: "SimTransports", data: bytes, flow: Flow | None, failed: tuple[Flow, str] | None = None
    ) -> None:
        self._order += 1
        heapq.heappush(self._heap, _Due(at, self._order, port, data, flow, failed))
        self._rearm()

    def _rearm(self) -> None:
        if not self._heap:
            return
        at = self._heap[0].at
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._deliver_due)

    def _deliver_due(self) -> None:
        self._timer = None
        now = self._loop.time() + 1e-9
        batches: dict[int, tuple[SimTransports, list[tuple[bytes, Flow]]]] = {}
        failures: list[tuple[SimTransports, Flow, str]] = []
        while self._heap and self._heap[0].at <= now:
            due = heapq.heappop(self._heap)
            if due.port.is_closed:
                continue
            if due.flow is not None:
                batches.setdefault(id(due.port), (due.port, []))[1].append((due.data, due.flow))
            elif due.failed is not None:
                failures.append((due.port, *due.failed))
        self._rearm()
        for port, batch in batches.values():
            port.receiver.receive_batch(batch)
        for port, flow, why in failures:
            port.receiver.flow_failed(flow, why)

    def sent(self, *, source: str = "", destination: str = "", containing: bytes = b"") -> list[Seen]:
        """Lines of the trace by source and destination host and content, duplicates made by the network left out."""
        return [
            seen
            for seen in self.trace
            if (not source or seen.source[0] == source)
            and (not destination or seen.destination[0] == destination)
            and containing in seen.data
            and seen.fate != "duplicated"
        ]


@dataclass(slots=True)
class _Connection:
    transport: str
    local: Address
    remote: Address
    peer: "SimTransports"
    peer_number: int
    listener: int


class SimTransports:
    """One program's sockets: the interface of `sip.net.Transports`."""

    def __init__(self, net: SimNet, receiver: Receiver, nat: Nat | None = None) -> None:
        self.net = net
        self.receiver = receiver
        self.nat = nat
        self.is_closed = False
        self.local: list[tuple[str, str, int]] = []
        self.connections: dict[int, _Connection] = {}

    def listen(self, transport: str, host: str, port: int) -> None:
        if not port:
            port = next(n for n in range(40_000, 65_000) if (transport, host, n) not in self.net.ports)
        if (transport, host, port) in self.net.ports:
            raise OSError(98, f"address in use: {transport}:{host}:{port}")
        self.net.ports[transport, host, port] = (self, len(self.local))
        self.local.append((transport, host, port))

    def addresses(self) -> list[tuple[str, str, int]]:
        return list(self.local)

    def send(self, data: bytes, flow: Flow) -> None:
        """As `sip.net.Transports.send`: never blocks, never raises."""
        if self.is_closed:
            return
        if flow.transport == "udp":
            _, host, port = self.local[flow.listener]
            source = (host, port)
            destination = (flow.host, flow.port)
            if self.nat is not None:
                source = self.nat.outbound(source, destination, asyncio.get_running_loop().time())
            if not self.net.datagram(source, destination, data):
                latency = self.net.links.get((source[0], destination[0]), self.net.default_link).latency_s
                self.net.fail(asyncio.get_running_loop().time() + 2 * latency, self, flow, "port unreachable")
            return
        self._send_stream(data, flow)

    def _send_stream(self, data: bytes, flow: Flow) -> None:
        number = flow.connection or self._connection_to(flow)
        connection = self.connections.get(number)
        now = asyncio.get_running_loop().time()
        if connection is None or connection.remote[0] in self.net.cut_off or connection.local[0] in self.net.cut_off:
            self.net.fail(now, self, flow, "not connected")
            return
        peer, peer_number = connection.peer, connection.peer_number
        back = peer.connections[peer_number]
        arrived = Flow(flow.transport, back.remote[0], back.remote[1], back.listener, peer_number)
        at = self.net.stream_latency(connection.local, connection.remote)
        self.net.trace.append(Seen(now, connection.local, connection.remote, data, "sent"))
        self.net.deliver(at, peer, data, arrived)

    def _connection_to(self, flow: Flow) -> int:
        remote = (flow.host, flow.port)
        for number, known in self.connections.items():
            if known.transport == flow.transport and known.remote == remote:
                return number
        target = self.net.ports.get((flow.transport, *remote))
        if target is None:
            return 0
        peer, listener = target
        host = next((h for t, h, _ in self.local if t == flow.transport), self.local[0][1] if self.local else "0.0.0.0")
        local = (host, 50_000 + self.net.new_connection() % 15_000)
        mine, theirs = self.net.new_connection(), self.net.new_connection()
        self.connections[mine] = _Connection(flow.transport, local, remote, peer, theirs, flow.listener)
        peer.connections[theirs] = _Connection(flow.transport, remote, local, self, mine, listener)
        return mine

    def drop(self, number: int, why: str) -> None:
        """Breaks one connection; both receivers get `flow_failed`."""
        connection = self.connections.pop(number, None)
        if connection is None:
            return
        now = asyncio.get_running_loop().time()
        self.net.fail(now, self, Flow(connection.transport, *connection.remote, connection.listener, number), why)
        theirs = connection.peer.connections.pop(connection.peer_number, None)
        if theirs is not None:
            back = Flow(connection.transport, *connection.local, theirs.listener, connection.peer_number)
            self.net.fail(now, connection.peer, back, why)

    async def close(self) -> None:
        for number in list(self.connections):
            self.drop(number, "closed")
        self.is_closed = True
        for key in [key for key, (port, _) in self.net.ports.items() if port is self]:
            del self.net.ports[key]


class Datagrams:
    """A plain datagram socket on a `SimNet`."""

    def __init__(self, net: SimNet, address: Address, on_datagram: Callable[[bytes, Address], None]) -> None:
        self._on_datagram = on_datagram
        self._transports = net.attach(self, ("udp", *address))
        self.address: Address = self._transports.local[0][1:]

    def send(self, data: bytes, destination: Address) -> None:
        self._transports.send(data, Flow("udp", *destination))

    def receive_batch(self, batch: Sequence[tuple[bytes, Flow]]) -> None:
        for data, flow in batch:
            self._on_datagram(data, (flow.host, flow.port))

    def flow_failed(self, flow: Flow, why: str) -> None:
        """A datagram socket does not care."""

    async def close(self) -> None:
        await self._transports.close()
