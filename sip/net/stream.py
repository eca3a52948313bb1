"""One SIP connection over TCP or TLS (RFC 3261 §18.3, RFC 5626 §3.5.1): bytes in, whole messages out."""

import asyncio
from typing import Protocol, cast

import msgspec

from sip.errors import SipParseError
from sip.flow import Flow
from sip.framer import StreamFramer
from sip.net.tls import certificate_names


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Caps that keep strangers from holding what is ours. Times in seconds."""

    max_connections: int = 4096
    """Of all stream listeners and outgoing connections together, handshakes under way included."""
    max_per_source: int = 256
    """Accepted connections from one address; an office behind one NAT counts as one."""
    connect_s: float = 5.0
    handshake_s: float = 10.0
    first_message_s: float = 30.0
    """An accepted connection that has not brought one whole message by then is closed."""
    message_s: float = 10.0
    """From the first byte of a message to its last."""
    idle_s: float = 3900.0
    """Without a byte either way; above the usual registration time, so that a phone without keep-alives stays."""
    ping_s: float = 30.0
    """A WebSocket on which nothing came for so long is asked for a sign of life."""
    pong_s: float = 15.0
    """What the browser gets to answer that."""
    max_unsent_bytes: int = 1 << 20
    """Waiting for one peer that does not read, or for a connection that is not open yet."""


class Owner(Protocol):
    """Whom a connection tells: the pool."""

    limits: StreamLimits

    def opened(self, connection: "StreamConnection") -> None: ...
    def received(self, batch: list[tuple[bytes, Flow]]) -> None: ...
    def watch(self, deadline: float) -> None: ...
    def failed(self, flow: Flow, why: str) -> None: ...
    def lost(self, connection: "StreamConnection", why: str) -> None: ...


class StreamConnection(asyncio.Protocol):
    """An open connection. `flow` is its name; `peer_flow` the nameless flow that reaches it too, when we opened it."""

    def __init__(self, owner: Owner, flow: Flow, *, is_outgoing: bool) -> None:
        self.flow = flow
        self.is_outgoing = is_outgoing
        self.has_place = not is_outgoing
        """Counts against the cap of its source."""
        self.peer_names: frozenset[str] = frozenset()
        """What its verified certificate is for."""
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._why = ""
        self._has_message = is_outgoing
        self._is_unanswered = False
        self._partial_since = 0.0
        self._opened_at = 0.0
        self._last_activity = 0.0

    @property
    def peer_flow(self) -> Flow:
        return self.flow._replace(connection=0)

    @property
    def is_unanswered(self) -> bool:
        """We sent something and have not heard anything since: whoever sent it should not wait for its timer."""
        return self._is_unanswered

    def send(self, data: bytes, flow: Flow) -> None:
        """Never blocks, never raises; a peer that does not read is cut off."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self._owner.failed(flow, "the connection is closed")
        elif transport.get_write_buffer_size() + len(data) > self._owner.limits.max_unsent_bytes:
            self._owner.failed(flow, "the peer does not read")
            self.abort("the peer does not read")
        else:
            self._is_unanswered = True
            self._last_activity = self._loop.time()
            transport.write(data)

    def deadline(self) -> float:
        """When the connection will have broken a rule if nothing more comes (loop time)."""
        limits = self._owner.limits
        if self._partial_since:
            return self._partial_since + limits.message_s
        if not self._has_message:
            return self._opened_at + limits.first_message_s
        return self._last_activity + limits.idle_s

    def expire(self, now: float) -> None:
        """Close for the rule whose deadline passed, if one did."""
        if self.deadline() > now:
            return
        if self._partial_since:
            self.abort("a message was not completed in time")
        elif not self._has_message:
            self.abort("no message came")
        else:
            self.close("idle")

    def close(self, why: str) -> None:
        """Close after sending what waits."""
        self._why = self._why or why
        if self._transport is not None:
            self._transport.close()

    def abort(self, why: str) -> None:
        """Close at once."""
        self._why = self._why or why
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Our own limit closes the connection long before; the loop's flow control has nobody to tell.
        self._transport.set_write_buffer_limits(high=2 * self._owner.limits.max_unsent_bytes)
        if self.flow.transport == "tls":
            self.peer_names = certificate_names(transport.get_extra_info("peercert"))
        self._opened_at = self._last_activity = self._loop.time()
        self._owner.opened(self)
        self._owner.watch(self.deadline())

    def data_received(self, data: bytes) -> None:
        self._last_activity = now = self._loop.time()
        self._is_unanswered = False
        broken = ""
        messages: list[bytes] = []
        try:
            messages = self._framer.feed(data)
            if messages:
                # What cannot be cut any more is told by the next call, after the messages before it.
                messages += self._framer.feed(b"")
        except SipParseError as error:
            broken = error.detail
        if self._framer.pongs:
            self._pong()
        if messages:
            if not self._has_message:
                self._has_message = True
                self._owner.watch(self.deadline())
            flow = self.flow
            self._owner.received([(message, flow) for message in messages])
        if broken:
            self.close(broken)
        elif not self._framer.is_partial:
            self._partial_since = 0.0
        elif messages or not self._partial_since:
            self._partial_since = now
            self._owner.watch(self.deadline())

    def eof_received(self) -> bool:
        self._why = self._why or "closed by the peer"
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        why = self._why or (str(exc) if exc else "closed by the peer")
        self._owner.lost(self, why)

    def _pong(self) -> None:
        pongs, self._framer.pongs = self._framer.pongs, 0
        transport = self._transport
        if transport is not None and not transport.is_closing() and transport.get_write_buffer_size() < 4096:
            transport.write(b"\r\n" * pongs)
