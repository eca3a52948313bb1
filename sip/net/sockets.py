"""Making and naming the sockets of SIP listeners; used by the transports and by whoever opens them before (supervisor).

Dual stack: an IPv6 wildcard listener serves IPv4 too, unless an IPv4 listener has the same transport and port.
"""

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import Protocol

_UDP_BUFFER_BYTES = 4 << 20
_TCP_BACKLOG = 1024
# Linux's own numbers, missing from the socket module.
_SO_RCVBUFFORCE = 33
_MAPPED = "::ffff:"

SocketAddress = tuple[str, int] | tuple[str, int, int, int]


class ListenerLike(Protocol):
    """What of a listener matters here: `transport` udp, tcp, tls, ws or wss; `host` an IP literal ("" is all IPv4)."""

    @property
    def transport(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


def bind_listeners(listeners: Sequence[ListenerLike]) -> list[socket.socket]:
    """One bound, non-blocking socket for each listener, in order; streams are listening already.

    Raises OSError that names the listener when an address cannot be had, and ValueError when it is no IP address. Then
    none stays open.
    """
    sockets: list[socket.socket] = []
    try:
        for listener in listeners:
            sockets.append(_bind(listener, is_ipv6_only=_has_ipv4_twin(listener, listeners)))
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def host_of(address: tuple[str | int, ...]) -> str:
    """The plain IP literal of a socket address: mapped IPv4 unwrapped, the zone of a link-local address kept."""
    host = str(address[0])
    if ":" not in host:
        return host
    if host.startswith(_MAPPED) and "." in host:
        return host[len(_MAPPED) :]
    if len(address) == 4 and address[3] and "%" not in host:
        return f"{host}%{address[3]}"
    return host


def address_for(host: str, port: int, family: int) -> SocketAddress:
    """The socket address of an IP literal for a socket of that family. Raises ValueError when it is none, or when the
    family cannot reach it. Never looks a name up: a socket call given a name would block the loop."""
    if not 0 < port < 65536:
        raise ValueError(f"{port} is no port")
    address = ipaddress.ip_address(host)
    if family == socket.AF_INET:
        if address.version != 4:
            raise ValueError(f"{host} cannot be reached by IPv4")
        return (host, port)
    if isinstance(address, ipaddress.IPv4Address):
        return (_MAPPED + host, port, 0, 0)
    zone = address.scope_id or ""
    if zone and not zone.isdigit():
        try:
            zone = str(socket.if_nametoindex(zone))
        except OSError as error:
            raise ValueError(f"{host}: no such interface") from error
    return (host.partition("%")[0], port, 0, int(zone or 0))


def _has_ipv4_twin(listener: ListenerLike, listeners: Sequence[ListenerLike]) -> bool:
    kind = listener.transport == "udp"
    return any(
        ":" not in other.host and other.port == listener.port and (other.transport == "udp") == kind
        for other in listeners
    )


def _bind(listener: ListenerLike, *, is_ipv6_only: bool) -> socket.socket:
    host = listener.host or "0.0.0.0"
    address = ipaddress.ip_address(host)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    is_udp = listener.transport == "udp"
    sock = socket.socket(family, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(is_ipv6_only))
        if is_udp:
            _enlarge(sock)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.port:
            sock.bind(address_for(host, listener.port, family))
        else:
            sock.bind((host, 0))
        if not is_udp:
            sock.listen(_TCP_BACKLOG)
    except OSError as error:
        sock.close()
        code = error.errno or errno.EINVAL
        where = f"{listener.transport} {host} port {listener.port}"
        raise OSError(code, f"cannot listen on {where}: {os.strerror(code)}") from error
    return sock


def _enlarge(sock: socket.socket) -> None:
    # A burst of a thousand INVITEs must wait in the kernel while the loop is busy; root may pass the system's limit.
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _UDP_BUFFER_BYTES)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER_BYTES)
