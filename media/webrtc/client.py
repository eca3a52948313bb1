"""The switch's end of the connection to the WebRTC edge: commands out, events in. `run` is awaited by its owner and
connects again and again; `send` returns at once.

What was commanded is kept, so that after a lost connection the same edge process is told everything again. Another
process has neither the keys nor the certificate of the old one: then the owner has to make new offers to the browsers
(`on_connected`), and nothing is repeated.
"""

import asyncio
import logging
import struct
from collections.abc import Callable

import msgspec

from model.webrtc import EDGE_PROTOCOL_VERSION, ConfigurePeer, EdgeCommand, EdgeEvent, EdgeHello, ReleasePeer

log = logging.getLogger(__name__)

RETRY_FIRST_S, RETRY_MAX_S = 0.05, 2.0
MAX_MESSAGE_BYTES = 1 << 20
MAX_BACKLOG_BYTES = 8 << 20
_LENGTH = struct.Struct(">I")


class EdgeClient:
    """One edge. The callbacks are called from the loop; `on_connected` gets each connection's `EdgeHello`."""

    def __init__(
        self,
        path: str,
        *,
        on_event: Callable[[EdgeEvent], None],
        on_connected: Callable[[EdgeHello], None] = lambda hello: None,
        on_disconnected: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.path = path
        """Of the edge's Unix stream socket."""
        self.hello: EdgeHello | None = None
        """What the edge said last; None until the first connection."""
        self.is_connected = False
        self._on_event = on_event
        self._on_connected = on_connected
        self._on_disconnected = on_disconnected
        self._is_up = asyncio.Event()
        self._book: dict[str, ConfigurePeer] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(EdgeEvent).decode

    async def run(self) -> None:
        """Keeps the connection up until cancelled."""
        retry_s = RETRY_FIRST_S
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self.path)
            except OSError as failure:
                log.debug("webrtc edge: cannot connect: %s", failure)
            else:
                try:
                    reason = await self._serve(reader, writer)
                finally:
                    writer.transport.abort()
                    self._writer = None
                if self.is_connected:
                    self.is_connected = False
                    retry_s = RETRY_FIRST_S
                    self._on_disconnected(reason)
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, RETRY_MAX_S)

    async def wait_until_up(self, within_s: float) -> None:
        """Until the edge has been heard for the first time; what is not up by then comes when it comes."""
        try:
            await asyncio.wait_for(self._is_up.wait(), within_s)
        except TimeoutError:
            log.error("x the webrtc edge is not up after %.0f s; browsers are refused until it is", within_s)

    def send(self, command: EdgeCommand) -> None:
        """Never blocks. Without a connection it is only noted."""
        if isinstance(command, ConfigurePeer):
            self._book[command.leg] = command
        else:
            self._book.pop(command.leg, None)
        self._write(command)

    def _write(self, command: EdgeCommand) -> None:
        writer = self._writer
        if writer is None or not self.is_connected:
            return
        if writer.transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            log.error("x the webrtc edge does not read")
            writer.transport.abort()
            return
        body = self._encode(command)
        writer.write(_LENGTH.pack(len(body)) + body)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Until the connection ends; why it did."""
        try:
            while True:
                size = _LENGTH.unpack(await reader.readexactly(4))[0]
                if size > MAX_MESSAGE_BYTES:
                    return f"a message of {size} bytes"
                event = self._decode(await reader.readexactly(size))
                if self.is_connected:
                    self._on_event(event)
                elif not isinstance(event, EdgeHello) or event.version != EDGE_PROTOCOL_VERSION:
                    return f"the edge speaks another protocol than version {EDGE_PROTOCOL_VERSION}"
                else:
                    self._writer = writer
                    self._greeted(event)
        except msgspec.DecodeError as failure:
            return f"not our protocol: {failure}"
        except (asyncio.IncompleteReadError, OSError) as failure:
            return "closed by the edge" if isinstance(failure, asyncio.IncompleteReadError) else str(failure)

    def _greeted(self, hello: EdgeHello) -> None:
        is_same = self.hello is not None and self.hello.fingerprint == hello.fingerprint
        self.hello = hello
        self.is_connected = True
        log.info("= webrtc edge: connected, pid %d, %d legs", hello.pid, len(hello.legs))
        if not is_same:
            self._book.clear()
        for leg in hello.legs:
            if leg not in self._book:
                self._write(ReleasePeer(leg))
        for command in self._book.values():
            self._write(command)
        self._is_up.set()
        self._on_connected(hello)
