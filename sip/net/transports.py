"""All the listeners of a switch behind one interface: `Transports.send`, and a `Receiver` for what comes in.

Sockets may be handed in already bound (the supervisor keeps them over a restart); they are taken over and closed.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence

from sip.flow import Flow
from sip.net.pool import StreamPool, StreamStats
from sip.net.receiver import Failures, Receiver
from sip.net.sockets import ListenerLike, bind_listeners, host_of
from sip.net.stream import StreamLimits
from sip.net.tls import TlsConfig, client_context, mutual_context, server_context
from sip.net.udp import UdpSocket, UdpStats
from sip.net.websocket import WebSocketConfig

_TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")


Contexts = tuple[ssl.SSLContext | None, ssl.SSLContext | None, ssl.SSLContext | None]
"""(for tls listeners, for outgoing connections, for wss listeners)"""


class Transports:
    """Made by `open`. Everything happens on the loop's thread."""

    def __init__(
        self,
        receiver: Receiver,
        limits: StreamLimits,
        tls: TlsConfig | None,
        websocket: WebSocketConfig | None = None,
    ) -> None:
        self._failures = Failures(asyncio.get_running_loop(), receiver)
        self._receiver = receiver
        self._udp: dict[int, UdpSocket] = {}
        self._addresses: list[tuple[str, str, int]] = []
        server_tls, client_tls, web_tls = self.make_contexts(tls)
        self._pool = StreamPool(
            receiver,
            self._failures,
            limits,
            server_tls=server_tls,
            client_tls=client_tls,
            web_tls=web_tls,
            websocket=websocket,
        )

    @classmethod
    async def open(
        cls,
        listeners: Sequence[ListenerLike],
        receiver: Receiver,
        *,
        sockets: Sequence[socket.socket] | None = None,
        tls: TlsConfig | None = None,
        limits: StreamLimits | None = None,
        websocket: WebSocketConfig | None = None,
    ) -> "Transports":
        """Listen on all of `listeners`, on `sockets` (one for each, bound; streams listening) when given.

        Without `tls` nothing speaks TLS, outgoing neither. Raises OSError when an address or a certificate file cannot
        be had, ValueError when the listeners make no sense.
        """
        for listener in listeners:
            if listener.transport not in _TRANSPORTS:
                raise ValueError(f"unknown transport {listener.transport}")
            if listener.transport in ("tls", "wss") and (tls is None or not tls.certificate):
                raise ValueError(f"a {listener.transport} listener needs a certificate")
        if sockets is not None and len(sockets) != len(listeners):
            raise ValueError(f"{len(sockets)} sockets for {len(listeners)} listeners")
        transports = cls(receiver, limits or StreamLimits(), tls, websocket)
        bound = list(sockets) if sockets is not None else bind_listeners(listeners)
        for index, (listener, sock) in enumerate(zip(listeners, bound, strict=True)):
            transports._start(index, listener.transport, sock)
        return transports

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message. Never blocks, never raises; a failure is told by `Receiver.flow_failed`, later.

        A listener that does not fit the flow (another transport or address family) is replaced by the first that does.
        """
        if flow.transport != "udp":
            self._pool.send(data, flow)
            return
        udp = self._udp.get(flow.listener)
        if udp is None or not udp.can_reach(flow.host):
            udp = next((one for one in self._udp.values() if one.can_reach(flow.host)), None)
            if udp is None:
                self._failures.report(flow, f"no UDP listener can reach {flow.host}")
                return
        udp.send(data, flow)

    @staticmethod
    def make_contexts(tls: TlsConfig | None) -> Contexts:
        """What `use_contexts` takes. Reads files. Raises OSError (ssl.SSLError too) when one is no good."""
        if tls is None:
            return None, None, None
        has_certificate = bool(tls.certificate)
        server, web = (mutual_context(tls), server_context(tls)) if has_certificate else (None, None)
        return server, client_context(tls), web

    def use_contexts(self, contexts: Contexts) -> None:
        """For connections from now on; those that are open keep theirs. ValueError: a listener would be without."""
        if contexts[0] is None and any(transport in ("tls", "wss") for transport, _, _ in self._addresses):
            raise ValueError("a tls listener needs a certificate")
        self._pool.use_tls(*contexts)

    def peer_names(self, flow: Flow) -> frozenset[str]:
        """What the verified certificate of the peer of a tls connection is for, in lower case; none without one."""
        return self._pool.peer_names(flow)

    def set_server_name(self, flow: Flow, name: str) -> None:
        """The name that the certificate of the TLS server at `flow` must be for (RFC 5922 §7.1), when peers are
        verified; for a server without a name here its certificate must be for its address."""
        self._pool.set_server_name(flow, name)

    def addresses(self) -> list[tuple[str, str, int]]:
        """(transport, host, port) of each listener as bound, in order."""
        return list(self._addresses)

    @property
    def udp_stats(self) -> list[UdpStats]:
        """Of each UDP listener, in order."""
        return [udp.stats for udp in self._udp.values()]

    @property
    def stream_stats(self) -> StreamStats:
        return self._pool.stats

    @property
    def n_connections(self) -> int:
        return len(self._pool)

    async def close(self) -> None:
        """Close every socket; for at most two seconds, streams may send what waits."""
        for udp in self._udp.values():
            udp.close()
        await self._pool.close()
        self._failures.close()

    def _start(self, index: int, transport: str, sock: socket.socket) -> None:
        name = sock.getsockname()
        self._addresses.append((transport, host_of(name), int(name[1])))
        if transport == "udp":
            self._udp[index] = UdpSocket(sock, index, self._receiver, self._failures)
        else:
            self._pool.listen(index, transport, sock)
