"""The stream connections of all TCP, TLS and WebSocket listeners, and those we open (RFC 3261 §18).

Accepting is done here rather than by `loop.create_server`, so that the caps hold before a TLS handshake costs anything.
Every task (a handshake, a connect) is owned by the pool, and so is the one timer that ends what is late or idle.
"""

import asyncio
import contextlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Coroutine
from typing import Any

import msgspec

from sip.flow import Flow
from sip.net.receiver import Failures, Receiver
from sip.net.sockets import host_of
from sip.net.stream import StreamConnection, StreamLimits
from sip.net.websocket import WebSocketConfig, WebSocketConnection

_ACCEPTS_PER_WAKE_UP = 32
_PAUSE_S = 1.0
_SHUTDOWN_S = 1.0
_MAX_SERVER_NAMES = 4096

Peer = tuple[str, str, int]  # transport, host, port


class StreamStats(msgspec.Struct):
    accepted: int = 0
    opened: int = 0
    failed_connects: int = 0
    refused: int = 0
    """Connections turned away by a cap."""
    failed_handshakes: int = 0
    expired: int = 0


class _Waiting(msgspec.Struct):
    """What is to be sent once the connection is open."""

    flow: Flow
    messages: list[bytes] = []
    n_bytes: int = 0


class StreamPool:
    """Implements `stream.Owner`."""

    def __init__(
        self,
        receiver: Receiver,
        failures: Failures,
        limits: StreamLimits,
        *,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
        web_tls: ssl.SSLContext | None = None,
        websocket: WebSocketConfig | None = None,
    ) -> None:
        self.limits = limits
        self._websocket = websocket or WebSocketConfig()
        self.stats = StreamStats()
        self._loop = asyncio.get_running_loop()
        self._receiver = receiver
        self._failures = failures
        self._server_tls = server_tls
        self._client_tls = client_tls
        self._web_tls = web_tls
        self._listening: dict[int, tuple[str, socket.socket]] = {}
        self._open: dict[int, StreamConnection] = {}
        self._by_peer: dict[Peer, StreamConnection] = {}
        self._waiting: dict[Peer, _Waiting] = {}
        self._per_source: dict[str, int] = {}
        self._server_names: dict[Peer, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening: set[int] = set()
        self._next_id = 1
        self._sweep: asyncio.TimerHandle | None = None
        self._resume: dict[int, asyncio.TimerHandle] = {}
        self._drained = asyncio.Event()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._open)

    def listen(self, index: int, transport: str, sock: socket.socket) -> None:
        """Accept on a listening socket, which the pool takes over."""
        sock.setblocking(False)
        self._listening[index] = (transport, sock)
        self._loop.add_reader(sock.fileno(), self._accept, index, transport, sock)

    def use_tls(
        self, server_tls: ssl.SSLContext | None, client_tls: ssl.SSLContext | None, web_tls: ssl.SSLContext | None
    ) -> None:
        """For connections from now on."""
        self._server_tls = server_tls
        self._client_tls = client_tls
        self._web_tls = web_tls

    def peer_names(self, flow: Flow) -> frozenset[str]:
        """What the certificate that the peer of a tls connection showed is for; none when it showed none."""
        connection = self._open.get(flow.connection)
        return connection.peer_names if isinstance(connection, StreamConnection) else frozenset()

    def set_server_name(self, flow: Flow, name: str) -> None:
        """The name the certificate of the TLS server at `flow` must be for; without it, its address."""
        if len(self._server_names) >= _MAX_SERVER_NAMES:
            self._server_names.pop(next(iter(self._server_names)))
        self._server_names[(flow.transport, flow.host, flow.port)] = name

    def send(self, data: bytes, flow: Flow) -> None:
        """Never blocks, never raises. Without a connection in `flow`, one to the same peer is used or opened."""
        if self._is_closed:
            return
        if flow.connection:
            connection = self._open.get(flow.connection)
            if connection is None:
                self._failures.report(flow, "the connection is gone")
            else:
                connection.send(data, flow)
            return
        peer = (flow.transport, flow.host, flow.port)
        connection = self._by_peer.get(peer)
        if connection is not None:
            connection.send(data, flow)
        else:
            self._send_when_open(data, flow, peer)

    async def close(self) -> None:
        """Stop accepting, send what waits for at most a second, and leave nothing open."""
        if self._is_closed:
            return
        self._is_closed = True
        for _, sock in self._listening.values():
            self._loop.remove_reader(sock.fileno())
            sock.close()
        for handle in (*self._resume.values(), *([self._sweep] if self._sweep else [])):
            handle.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._open.values()):
            connection.close("shut down")
        if self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SHUTDOWN_S):
                    await self._drained.wait()
        for connection in list(self._open.values()):
            connection.abort("shut down")
        if self._open:
            await self._drained.wait()

    # -- stream.Owner --------------------------------------------------------------------------------------------------

    def opened(self, connection: StreamConnection) -> None:
        self._opening.discard(connection.flow.connection)
        self._open[connection.flow.connection] = connection
        if connection.is_outgoing:
            flow = connection.flow
            peer = (flow.transport, flow.host, flow.port)
            self._by_peer[peer] = connection
            waiting = self._waiting.pop(peer, None)
            for message in waiting.messages if waiting is not None else ():
                connection.send(message, connection.peer_flow)

    def received(self, batch: list[tuple[bytes, Flow]]) -> None:
        if not self._is_closed:
            self._receiver.receive_batch(batch)

    def failed(self, flow: Flow, why: str) -> None:
        self._failures.report(flow, why)

    def lost(self, connection: StreamConnection, why: str) -> None:
        flow = connection.flow
        self._open.pop(flow.connection, None)
        if connection.is_outgoing:
            peer = (flow.transport, flow.host, flow.port)
            if self._by_peer.get(peer) is connection:
                del self._by_peer[peer]
            # An idle connection that goes away costs nothing, the next request opens another; a request it took and
            # never answered has failed.
            if connection.is_unanswered:
                self._failures.report(connection.peer_flow, why)
        else:
            self._leave(connection)
        self._failures.report(flow, why)
        if self._is_closed and not self._open:
            self._drained.set()

    def watch(self, deadline: float) -> None:
        """Have the sweep come by that time. Most deadlines are later than the one that is armed: nothing to do."""
        if self._is_closed:
            return
        if self._sweep is not None:
            if self._sweep.when() <= deadline:
                return
            self._sweep.cancel()
        self._sweep = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._sweep = None
        now = self._loop.time()
        for connection in list(self._open.values()):
            if connection.deadline() <= now:
                self.stats.expired += 1
                connection.expire(now)
        waiting = [connection.deadline() for connection in self._open.values() if connection.deadline() > now]
        if waiting:
            # Never more than one sweep a second: it looks at every connection.
            self.watch(max(min(waiting), now + _PAUSE_S))

    # -- accepting -----------------------------------------------------------------------------------------------------

    def _accept(self, index: int, transport: str, sock: socket.socket) -> None:
        for _ in range(_ACCEPTS_PER_WAKE_UP):
            try:
                client, address = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of descriptors: the connection stays in the kernel's queue until others have closed.
                self._loop.remove_reader(sock.fileno())
                self._resume[index] = self._loop.call_later(_PAUSE_S, self.listen, index, transport, sock)
                return
            source = host_of(address)
            n_of_source = self._per_source.get(source, 0)
            if n_of_source >= self.limits.max_per_source or self._n_connections() >= self.limits.max_connections:
                self.stats.refused += 1
                client.close()
                continue
            self._per_source[source] = n_of_source + 1
            flow = Flow(transport, source, int(address[1]), index, self._take_id())
            self._own(self._welcome(client, flow))

    async def _welcome(self, client: socket.socket, flow: Flow) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = (
            WebSocketConnection(self, flow, self._websocket)
            if flow.transport in ("ws", "wss")
            else StreamConnection(self, flow, is_outgoing=False)
        )
        context = {"tls": self._server_tls, "wss": self._web_tls}.get(flow.transport)
        options = self._tls_options(context) if context is not None else {}
        is_open = False
        try:
            await self._loop.connect_accepted_socket(lambda: connection, client, **options)
            self.stats.accepted += 1
            is_open = True
        except OSError:
            self.stats.failed_handshakes += 1
        finally:
            self._opening.discard(flow.connection)
            if not is_open:
                client.close()
                self._leave(connection)

    def _leave(self, connection: StreamConnection) -> None:
        if connection.has_place:
            connection.has_place = False
            source = connection.flow.host
            left = self._per_source[source] - 1
            if left:
                self._per_source[source] = left
            else:
                del self._per_source[source]

    # -- connecting ----------------------------------------------------------------------------------------------------

    def _send_when_open(self, data: bytes, flow: Flow, peer: Peer) -> None:
        waiting = self._waiting.get(peer)
        if waiting is None:
            why = self._why_not(flow)
            if why:
                self._failures.report(flow, why)
                return
            waiting = self._waiting[peer] = _Waiting(flow)
            self._own(self._connect(flow, peer))
        waiting.n_bytes += len(data)
        if waiting.n_bytes > self.limits.max_unsent_bytes:
            self._failures.report(flow, "too much waits for the connection")
        else:
            waiting.messages.append(data)

    def _why_not(self, flow: Flow) -> str:
        if flow.transport in ("ws", "wss"):
            return "browsers connect to us, never we to them"
        if flow.transport == "tls":
            if self._client_tls is None:
                return "TLS is not configured"
            name = self._server_names.get((flow.transport, flow.host, flow.port), "")
            if not _may_be_server_name(name):
                return f"{name!r} is no name a certificate can be for"
        if self._n_connections() >= self.limits.max_connections:
            return "too many connections"
        try:
            ipaddress.ip_address(flow.host)
        except ValueError:
            return f"{flow.host} is no IP address"
        return "" if 0 < flow.port < 65536 else f"{flow.port} is no port"

    async def _connect(self, flow: Flow, peer: Peer) -> None:
        options: dict[str, Any] = {}
        if flow.transport == "tls":
            options = self._tls_options(self._client_tls)
            options["server_hostname"] = self._server_names.get(peer, flow.host.partition("%")[0])
        connection = StreamConnection(self, flow._replace(connection=self._take_id()), is_outgoing=True)
        why = ""
        try:
            sock = await self._connected_socket(flow)
            try:
                await self._loop.create_connection(lambda: connection, sock=sock, **options)
            except BaseException:
                sock.close()
                raise
            self.stats.opened += 1
        except TimeoutError:
            why = "no answer to the connection attempt"
        except OSError as error:
            why = _text(error)
        finally:
            self._opening.discard(connection.flow.connection)
            self._waiting.pop(peer, None)
        if why:
            self.stats.failed_connects += 1
            self._failures.report(flow, why)

    async def _connected_socket(self, flow: Flow) -> socket.socket:
        family = socket.AF_INET6 if ":" in flow.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host = self._local_host(flow, family)
            if host:
                sock.bind((host, 0))
            async with asyncio.timeout(self.limits.connect_s):
                await self._loop.sock_connect(sock, (flow.host, flow.port))
        except BaseException:
            sock.close()
            raise
        return sock

    def _local_host(self, flow: Flow, family: int) -> str:
        """Peers know us by the address we listen on; a wildcard leaves the choice to the routing table."""
        fitting = [
            index
            for index, (transport, sock) in self._listening.items()
            if transport == flow.transport and sock.family == family
        ]
        if not fitting:
            return ""
        chosen = flow.listener if flow.listener in fitting else fitting[0]
        host = str(self._listening[chosen][1].getsockname()[0])
        return "" if ipaddress.ip_address(host).is_unspecified else host

    def _tls_options(self, context: ssl.SSLContext | None) -> dict[str, Any]:
        return {
            "ssl": context,
            "ssl_handshake_timeout": self.limits.handshake_s,
            "ssl_shutdown_timeout": _SHUTDOWN_S,
        }

    def _n_connections(self) -> int:
        return len(self._open) + len(self._opening)

    def _take_id(self) -> int:
        taken = self._next_id
        self._next_id += 1
        self._opening.add(taken)
        return taken

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _may_be_server_name(name: str) -> bool:
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return "\0" not in name and not name.startswith(".")


def _text(error: OSError) -> str:
    """asyncio and uvloop put texts of their own into the errors of the system."""
    if error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
