"""The worker's end of the command link: MessagePack frames over a Unix stream socket, one switch at a time.

A new connection replaces the old one. Events that are made while nobody is connected wait, up to a bound: a switch that
comes back must learn which recordings ended meanwhile.
"""

import logging
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from model.media import Command, Health

log = logging.getLogger(__name__)

MAX_FRAME = 1 << 20
MAX_OUT = 16 << 20
"""Bytes that may wait for a switch that does not read; beyond it the connection is closed."""
MAX_KEPT = 20_000
"""Events kept while nobody is connected; the oldest go first."""
_READ = 1 << 16


def listen(path: str) -> socket.socket:
    """A Unix socket at `path`, for our user alone; what stood there goes. Raises OSError."""
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
        listener.listen(4)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
    return listener


class CommandLink:
    """Owns the listening socket and the connection; `watch(fd, writable)` and `unwatch(fd)` are the loop's."""

    def __init__(
        self,
        listener: socket.socket,
        hello: Callable[[], Any],
        watch: Callable[[int, bool], None],
        unwatch: Callable[[int], None],
        *,
        commands: Any = Command,
        passing: tuple[type, ...] = (Health,),
    ) -> None:
        """`commands`: the union of what is taken; `passing`: events that are of no use later on."""
        self._hello = hello
        self._watch = watch
        self._unwatch = unwatch
        self._decoder = msgspec.msgpack.Decoder(commands)
        self._encoder = msgspec.msgpack.Encoder()
        self._passing = passing
        self._in = bytearray()
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._head_sent = 0
        """Bytes of the first frame of `_out` that are with the socket already."""
        self._kept: deque[bytes] = deque(maxlen=MAX_KEPT)
        self._peer: socket.socket | None = None
        self._listener = listener
        listener.setblocking(False)
        watch(self._listener.fileno(), False)

    def handle(self, fd: int) -> list[Any]:
        """Something is ready on `fd`: the commands that have come."""
        if fd == self._listener.fileno():
            self._accept()
            return []
        if self._peer is None or fd != self._peer.fileno():
            return []
        commands = self._receive()
        self.flush()
        return commands

    def emit(self, event: msgspec.Struct) -> None:
        """Queues an event; `flush` sends it."""
        body = self._encoder.encode(event)
        frame = len(body).to_bytes(4, "big") + body
        if self._peer is None:
            if not isinstance(event, self._passing):
                self._kept.append(frame)
            return
        self._out.append(frame)
        self._out_bytes += len(frame)

    def flush(self) -> None:
        """Sends what the socket takes."""
        if self._peer is None or not self._out:
            return
        data = b"".join(self._out)
        try:
            sent = self._peer.send(memoryview(data)[self._head_sent :])
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._drop(f"send: {error}")
            return
        self._head_sent += sent
        while self._out and self._head_sent >= len(self._out[0]):
            frame = self._out.popleft()
            self._head_sent -= len(frame)
            self._out_bytes -= len(frame)
        if self._out_bytes > MAX_OUT:
            self._drop("the switch does not read")
            return
        self._watch(self._peer.fileno(), bool(self._out))

    def close(self) -> None:
        """Sends the rest, waiting at most a second, and closes both sockets."""
        if self._peer is not None:
            self._peer.settimeout(1.0)
            try:
                self._peer.sendall(memoryview(b"".join(self._out))[self._head_sent :])
            except OSError as error:
                log.warning("last events not delivered: %s", error)
            self._drop("closing")
        self._unwatch(self._listener.fileno())
        self._listener.close()

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError as error:
            log.warning("accept: %s", error)
            return
        if self._peer is not None:
            self._drop("replaced by a new connection")
        peer.setblocking(False)
        self._peer = peer
        self._watch(peer.fileno(), False)
        kept = list(self._kept)
        self._kept.clear()
        self.emit(self._hello())
        self._out.extend(kept)
        self._out_bytes += sum(map(len, kept))
        self.flush()

    def _receive(self) -> list[Any]:
        assert self._peer is not None
        try:
            data = self._peer.recv(_READ)
        except BlockingIOError:
            return []
        except OSError as error:
            self._drop(f"receive: {error}")
            return []
        if not data:
            self._drop("closed by the switch")
            return []
        self._in += data
        commands: list[Any] = []
        at = 0
        while len(self._in) - at >= 4:
            length = int.from_bytes(self._in[at : at + 4], "big")
            if length > MAX_FRAME:
                self._drop(f"a frame of {length} bytes")
                return commands
            if len(self._in) - at - 4 < length:
                break
            try:
                commands.append(self._decoder.decode(self._in[at + 4 : at + 4 + length]))
            except msgspec.DecodeError as error:
                self._drop(f"bad frame: {error}")
                return commands
            at += 4 + length
        del self._in[:at]
        return commands

    def _drop(self, why: str) -> None:
        if self._peer is None:
            return
        log.info("connection to the switch ends: %s", why)
        self._unwatch(self._peer.fileno())
        self._peer.close()
        self._peer = None
        self._in.clear()
        # What the switch has not got it gets when it comes back; a frame that was half sent is sent again whole.
        self._kept.extend(self._out)
        self._out.clear()
        self._out_bytes = self._head_sent = 0
