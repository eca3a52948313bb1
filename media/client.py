"""The switch's end of the connection to one media worker (model/media.py): commands out, events in, the worker's ports.

`MediaClient.run` is awaited by its owner and connects again and again; every other method returns at once. While there
is no connection commands are refused, not kept: what the worker has after a reconnect is in `Hello.sessions`, and the
owner decides from that what to configure again and what to release.
"""

import asyncio
import logging
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import cast

import msgspec

from model.media import LEGS_OF_SHARED_PORT, PROTOCOL_VERSION, Command, Event, Hello

_log = logging.getLogger(__name__)
_CLOSED = "the client is closed"

MAX_MESSAGE_BYTES = 16 << 20
"""A longer message is taken for garbage and ends the connection."""


class ClientSettings(msgspec.Struct, frozen=True):
    """Bounds and times of a `MediaClient`."""

    steady_s: float = 1.0
    """A connection that lasted so long is made anew at once: another worker is taking the old one's place."""
    retry_first_s: float = 0.05
    retry_max_s: float = 2.0
    hello_s: float = 5.0
    """A worker that has not said `Hello` by then is left and tried again."""
    port_quarantine_s: float = 5.0
    """A freed port rests this long: late packets of the old call must not fall into a new one."""
    backlog_bytes: int = 8 << 20
    """Commands a worker has not read yet; beyond it the worker is taken for stuck and the connection ended."""


class MediaClient:
    """One worker. Give it to one event loop and await `run` there.

    `on_event` gets all events of one read together, never `Hello`; `on_connected` gets each connection's `Hello`;
    `on_disconnected` gets the reason, once per connection that had said `Hello`. They are called from the loop and
    should not raise; when one does, the loop's exception handler gets it and the connection starts anew.
    """

    def __init__(
        self,
        path: str,
        *,
        on_event: Callable[[list[Event]], None],
        on_connected: Callable[[Hello], None] = lambda hello: None,
        on_disconnected: Callable[[str], None] = lambda reason: None,
        settings: ClientSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        """Of the worker's Unix stream socket."""
        self.hello: Hello | None = None
        """What the worker said of itself last; None until the first connection."""
        self.is_connected = False
        self.n_refused = 0
        """Commands that were not sent because there was no connection."""
        self.settings = settings or ClientSettings()
        self.ports = PortPool(self.settings.port_quarantine_s)
        self.shared_ports = SharedPortPool()
        self._on_event = on_event
        self._on_connected = on_connected
        self._on_disconnected = on_disconnected
        self._clock = clock
        self._connection: _Connection | None = None
        self._out = bytearray()
        self._encode_into = msgspec.msgpack.Encoder().encode_into

    @property
    def state(self) -> str:
        """connected, disconnected"""
        return "connected" if self.is_connected else "disconnected"

    async def run(self) -> None:
        """Keeps the connection up until cancelled."""
        retry_s = self.settings.retry_first_s
        loop = asyncio.get_running_loop()
        while True:
            connection = _Connection(self, loop)
            try:
                await loop.create_unix_connection(lambda c=connection: c, self.path)  # type: ignore[misc]
            except OSError as failure:
                _log.debug("media worker %s: cannot connect: %s", self.path, failure)
            else:
                began = loop.time()
                try:
                    if await connection.serve(self.settings.hello_s):
                        retry_s = self.settings.retry_first_s
                        if loop.time() - began > self.settings.steady_s:
                            continue
                finally:
                    connection.abort(_CLOSED)
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, self.settings.retry_max_s)

    def send(self, command: Command) -> bool:
        """Queues `command` for the worker; all commands of one loop iteration leave in one write. Never blocks.

        False: there is no connection and the command is gone.
        """
        if not self.is_connected:
            self.n_refused += 1
            return False
        out = self._out
        at = len(out)
        if not at and self._connection:
            self._connection.loop.call_soon(self._flush)
        self._encode_into(command, out, at + 4)
        _LENGTH.pack_into(out, at, len(out) - at - 4)
        return True

    def allocate_port(self, trunk: str = "") -> int | None:
        """An RTP port of the worker (its RTCP port is one above); None when all are taken or resting.

        `trunk` names a peer whose address is known from its SDP and not behind a NAT: it gets a port that many legs
        share, while there are such.
        """
        port = self.shared_ports.allocate(trunk) if trunk else None
        return self.ports.allocate(self._clock()) if port is None else port

    def free_port(self, port: int, now: float) -> None:
        """Gives a port back. A leg's own is used again after the quarantine, longest free first; twice is once."""
        if port in self.shared_ports:
            self.shared_ports.free(port)
        else:
            self.ports.free(port, now)

    @property
    def n_free(self) -> int:
        """Legs there is room for."""
        ports, shared = self.ports, self.shared_ports
        return ports.n_total - ports.n_taken + shared.n_total - shared.n_taken

    def _flush(self) -> None:
        connection = self._connection
        if connection and self._out and self.is_connected:
            connection.write(bytes(self._out), self.settings.backlog_bytes)
        self._out.clear()

    def _greeted(self, connection: "_Connection", hello: Hello) -> None:
        self._connection = connection
        self.hello = hello
        shared = set(hello.shared_ports)
        self.ports.reset([port for port in hello.ports if port not in shared])
        self.shared_ports.reset(hello.shared_ports)
        self.is_connected = True
        _log.info(
            "media worker %s: connected (%d ports, %d sessions)", hello.worker, len(hello.ports), len(hello.sessions)
        )
        self._on_connected(hello)

    def _received(self, events: list[Event]) -> None:
        self._on_event(events)

    def _lost(self, connection: "_Connection", reason: str) -> None:
        level = logging.INFO if reason == _CLOSED else logging.WARNING
        _log.log(level, "media worker %s: disconnected: %s", self.path, reason)
        if connection is not self._connection:
            return
        self._connection = None
        self.is_connected = False
        self._out.clear()
        self._on_disconnected(reason)


class PortPool:
    """Which ports are free; the longest free one is taken first. Pure: `now` is monotonic seconds."""

    def __init__(self, quarantine_s: float) -> None:
        self._quarantine_s = quarantine_s
        self._all: frozenset[int] = frozenset()
        self._taken: set[int] = set()
        self._free: deque[tuple[float, int]] = deque()

    @property
    def n_taken(self) -> int:
        return len(self._taken)

    @property
    def n_total(self) -> int:
        return len(self._all)

    def reset(self, ports: list[int]) -> None:
        """The worker's ports are these from now on; what is taken or resting of them stays so."""
        now_all = frozenset(ports)
        known = self._all
        self._all = now_all
        self._free = deque(entry for entry in self._free if entry[1] in now_all)
        self._taken &= now_all
        self._free.extendleft((float("-inf"), port) for port in reversed(ports) if port not in known)

    def allocate(self, now: float) -> int | None:
        """None: no port has rested long enough."""
        if not self._free or self._free[0][0] > now:
            return None
        port = self._free.popleft()[1]
        self._taken.add(port)
        return port

    def free(self, port: int, now: float) -> None:
        """A port that is not taken is left as it is."""
        if port in self._taken:
            self._taken.discard(port)
            self._free.append((now + self._quarantine_s, port))


class SharedPortPool:
    """Ports that many legs share. Pure.

    The legs of a trunk go round all ports: should its peers use one address and port for several calls, these calls
    are on different ports of ours as long as there are any, and a call's late packets find no other call of the trunk
    where they arrive. So no port rests after use.
    """

    def __init__(self) -> None:
        self._legs: dict[int, int] = {}
        self._next: dict[str, int] = {}
        """By trunk, counted on."""

    def __contains__(self, port: int) -> bool:
        return port in self._legs

    @property
    def n_taken(self) -> int:
        """Legs that are there."""
        return sum(self._legs.values())

    @property
    def n_total(self) -> int:
        """Legs there is room for."""
        return len(self._legs) * LEGS_OF_SHARED_PORT

    def reset(self, ports: list[int]) -> None:
        """The worker's shared ports are these from now on; the legs that are there stay so."""
        self._legs = {port: self._legs.get(port, 0) for port in ports}

    def allocate(self, trunk: str) -> int | None:
        """A port for one more leg of the trunk; None when there is no room on any."""
        if self.n_taken >= self.n_total:
            return None
        turn = self._next.get(trunk, len(self._next))
        self._next[trunk] = turn + 1
        port = list(self._legs)[turn % len(self._legs)]
        self._legs[port] += 1
        return port

    def free(self, port: int) -> None:
        """One leg less on the port. KeyError when it is none of ours."""
        self._legs[port] = max(self._legs[port] - 1, 0)


_LENGTH = struct.Struct(">I")
_decode = msgspec.msgpack.Decoder(Event).decode


class _Connection(asyncio.Protocol):
    def __init__(self, client: MediaClient, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._reason = ""
        self._is_greeted = False
        self._closed: asyncio.Future[None] = loop.create_future()
        self._hello_timer: asyncio.TimerHandle | None = None

    async def serve(self, hello_s: float) -> bool:
        """Waits for the end; True when the worker had said `Hello`."""
        if not self._is_greeted and not self._closed.done():
            self._hello_timer = self.loop.call_later(hello_s, self.abort, f"no Hello within {hello_s} s")
        await self._closed
        return self._is_greeted

    def write(self, data: bytes, max_backlog: int) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() + len(data) > max_backlog:
            self.abort(f"the worker has not read {max_backlog} bytes of commands")
            return
        transport.write(data)

    def abort(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._hello_timer:
            self._hello_timer.cancel()
        if not self._closed.done():
            self._closed.set_result(None)
        self._client._lost(self, self._reason or (str(exc) if exc else "closed by the worker"))

    def data_received(self, data: bytes) -> None:
        if self._reason:
            return
        try:
            events = self._decode_all(data)
        except msgspec.DecodeError as failure:
            self.abort(f"not our protocol: {failure}")
            return
        if events and not self._is_greeted:
            hello = events.pop(0)
            if not isinstance(hello, Hello) or hello.version != PROTOCOL_VERSION:
                self.abort(f"the worker speaks another protocol than version {PROTOCOL_VERSION}: {hello!r:.100}")
                return
            self._is_greeted = True
            if self._hello_timer:
                self._hello_timer.cancel()
            self._client._greeted(self, hello)
        if events:
            self._client._received(events)

    def _decode_all(self, data: bytes) -> list[Event]:
        buffer = self._buffer
        buffer += data
        events: list[Event] = []
        at, end = 0, len(buffer)
        with memoryview(buffer) as view:
            while end - at >= 4:
                size = _LENGTH.unpack_from(view, at)[0]
                if size > MAX_MESSAGE_BYTES:
                    raise msgspec.DecodeError(f"a message of {size} bytes")
                if end - at - 4 < size:
                    break
                events.append(_decode(view[at + 4 : at + 4 + size]))
                at += 4 + size
        del buffer[:at]
        return events
