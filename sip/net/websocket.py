"""SIP over WebSocket (RFC 7118, RFC 6455): one browser, HTTP upgrade and frames in, whole messages out.

The bytes are read and made by the sans-IO core of `websockets`; this is a stream connection like those over TCP to the
pool, which owns it. Each WebSocket message is one SIP message; its frames may be cut anywhere, and it may come in
several. Only what a page of an allowed origin opens becomes a WebSocket: browsers say where a page is from, and no
other program can make them lie.
"""

import http
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from sip import limits
from sip.flow import Flow
from sip.net.stream import Owner, StreamConnection

_PING = b"\r\n\r\n"
_MAX_FRAGMENTS = 4096


class WebSocketConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Who may open a WebSocket."""

    origins: tuple[str, ...] = ()
    """Pages whose scripts may, as "https://host[:port]"; "*" is every page, "none" is a program that is no browser and
    names no page. Empty: pages of the host that the WebSocket is opened to."""


class WebSocketConnection(StreamConnection):
    """Accepted, never opened by us: nobody can be reached at a browser's own address (RFC 7118 §5)."""

    def __init__(self, owner: Owner, flow: Flow, config: WebSocketConfig) -> None:
        super().__init__(owner, flow, is_outgoing=False)
        self._config = config
        self._protocol = ServerProtocol(
            subprotocols=[Subprotocol("sip")],
            max_size=(limits.MAX_STREAM_BUFFER_BYTES, limits.MAX_STREAM_BUFFER_BYTES),
        )
        self._fragments: list[bytes] = []
        self._last_heard = 0.0
        self._pinged_at = 0.0

    def send(self, data: bytes, flow: Flow) -> None:
        """One SIP message as one WebSocket message. Never blocks, never raises; who does not read is cut off."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._protocol.state is not State.OPEN:
            self._owner.failed(flow, "the connection is closed")
        elif transport.get_write_buffer_size() + len(data) > self._owner.limits.max_unsent_bytes:
            self._owner.failed(flow, "the peer does not read")
            self.abort("the peer does not read")
        else:
            self._is_unanswered = True
            self._last_activity = self._loop.time()
            try:
                data.decode()
            except UnicodeDecodeError:
                self._protocol.send_binary(data)
            else:
                self._protocol.send_text(data)
            self._flush()

    def deadline(self) -> float:
        """When something is due: a rule will have been broken, or the browser is asked whether it is there."""
        limits_ = self._owner.limits
        if self._partial_since:
            return self._partial_since + limits_.message_s
        if self._protocol.state is State.CONNECTING:
            return self._opened_at + limits_.handshake_s
        if not self._has_message:
            return self._opened_at + limits_.first_message_s
        if self._pinged_at:
            return self._pinged_at + limits_.pong_s
        return self._last_heard + limits_.ping_s

    def expire(self, now: float) -> None:
        """Ends what broke a rule; asks a browser that was silent."""
        if self.deadline() > now:
            return
        if self._partial_since:
            self.abort("a message was not completed in time")
        elif self._protocol.state is State.CONNECTING:
            self.abort("the WebSocket was not opened in time")
        elif not self._has_message:
            self.close("no message came")
        elif self._pinged_at:
            self.abort("no answer to a ping")
        else:
            self._pinged_at = now
            self._protocol.send_ping(b"")
            self._flush()
            self._owner.watch(self.deadline())

    def close(self, why: str) -> None:
        """Says goodbye (1001) and closes after sending what waits."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.GOING_AWAY)
            self._flush()
        super().close(why)

    def data_received(self, data: bytes) -> None:
        now = self._last_activity = self._last_heard = self._loop.time()
        self._pinged_at = 0.0
        self._is_unanswered = False
        if not self._why:
            self._protocol.receive_data(data)
            self._take(now)

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        return super().eof_received()

    # -- what comes ----------------------------------------------------------------------------------------------------

    def _take(self, now: float) -> None:
        messages: list[bytes] = []
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._answer(event)
            else:
                assert isinstance(event, Frame)
                self._frame(event, messages)
        if self._protocol.handshake_exc is not None and self._protocol.state is State.CONNECTING:
            # What came is no HTTP; the library has nothing to say to it.
            self.close("no WebSocket handshake")
        self._flush()
        if messages:
            self._has_message = True
            self._owner.received([(message, self.flow) for message in messages])
        if not (self._fragments or self._protocol.reader.buffer) or self._protocol.state is State.CONNECTING:
            self._partial_since = 0.0
        elif messages or not self._partial_since:
            self._partial_since = now
        self._owner.watch(self.deadline())
        if self._protocol.state in (State.CLOSING, State.CLOSED):
            super().close(self._why or self._protocol.close_reason or "closed by the peer")

    def _answer(self, request: Request) -> None:
        protocol = self._protocol
        protocol.origins = self._allowed(request.headers.get_all("Host"))
        response = protocol.accept(request)
        try:
            protocol.send_response(response)
        except InvalidState:
            return
        if response.status_code != http.HTTPStatus.SWITCHING_PROTOCOLS:
            self._flush()
            super().close(f"no WebSocket: {protocol.handshake_exc or response.status_code}")

    def _allowed(self, hosts: Sequence[str]) -> list[Origin | re.Pattern[str] | None] | None:
        allowed = self._config.origins
        if "*" in allowed:
            return None
        if allowed:
            return [None if one == "none" else Origin(one) for one in allowed]
        host = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 else None
        if not host:
            return []
        if ":" in host:
            host = f"[{host}]"
        return [re.compile(rf"https?://{re.escape(host)}(:[0-9]{{1,5}})?", re.IGNORECASE)]

    def _frame(self, frame: Frame, messages: list[bytes]) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        self._fragments.append(bytes(frame.data))
        if not frame.fin:
            if len(self._fragments) > _MAX_FRAGMENTS:
                self._protocol.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
                self._fragments.clear()
            return
        message = self._fragments[0] if len(self._fragments) == 1 else b"".join(self._fragments)
        self._fragments.clear()
        if message.strip(b"\r\n \t\0"):
            messages.append(message)
        elif message == _PING:
            self._protocol.send_text(b"\r\n")

    def _flush(self) -> None:
        transport = self._transport
        waiting = [data for data in self._protocol.data_to_send() if data]
        if waiting and transport is not None and not transport.is_closing():
            if transport.get_write_buffer_size() > self._owner.limits.max_unsent_bytes:
                self.abort("the peer does not read")
            else:
                transport.write(b"".join(waiting))
