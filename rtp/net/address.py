"""Where packets come from and go to.

A port that serves both IP versions is an IPv6 socket, which knows IPv4 peers by mapped addresses (RFC 4291 §2.5.5.2).
Everywhere else they have their plain ones.
"""

import socket

Address = tuple[str, int]
"""IP address and UDP port."""

_MAPPED = "::ffff:"


def for_socket(address: Address, family: int) -> Address:
    """The address as a socket of this family takes it."""
    host, port = address
    return (_MAPPED + host, port) if family == socket.AF_INET6 and ":" not in host else address


def plain(host: str) -> str:
    """A host as the kernel tells it, an IPv4 one without the mapping."""
    return host[len(_MAPPED) :] if host.startswith(_MAPPED) and "." in host else host
