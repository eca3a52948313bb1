"""One DNS question to one server (RFC 1035, RFC 6891): UDP from a random port, TCP when the answer was cut short.

The socket is connected, so the kernel drops what other hosts send and reports a closed port at once. What is no answer
to the question is ignored; the caller's timeout ends the wait.
"""

import asyncio
import random
import socket
import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype

_EDNS_PAYLOAD_BYTES = 1232
_MAX_IGNORED = 64
_LENGTH = struct.Struct(">H")

Server = tuple[str, int]
"""IP literal and port."""


class DnsError(Exception):
    """The server cannot be reached, does not answer, or answers nonsense."""


async def ask(
    name: dns.name.Name, kind: dns.rdatatype.RdataType, server: Server, *, timeout_s: float, rng: random.Random
) -> dns.message.Message:
    """The server's answer, whatever its response code. Raises DnsError when there is none within `timeout_s`."""
    query = dns.message.make_query(name, kind, use_edns=0, payload=_EDNS_PAYLOAD_BYTES, id=rng.getrandbits(16))
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _ask_udp(query, server)
            if answer.flags & dns.flags.TC:
                answer = await _ask_tcp(query, server)
    except TimeoutError as error:
        raise DnsError("no answer") from error
    except OSError as error:
        raise DnsError(error.strerror or str(error)) from error
    return answer


async def _ask_udp(query: dns.message.Message, server: Server) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    with _connectable(server, socket.SOCK_DGRAM) as sock:
        sock.connect(server)
        await loop.sock_sendall(sock, query.to_wire())
        for _ in range(_MAX_IGNORED):
            answer = _read(query, await loop.sock_recv(sock, 65535))
            if answer is not None:
                return answer
    raise DnsError("nothing but garbage")


async def _ask_tcp(query: dns.message.Message, server: Server) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    with _connectable(server, socket.SOCK_STREAM) as sock:
        await loop.sock_connect(sock, server)
        wire = query.to_wire()
        await loop.sock_sendall(sock, _LENGTH.pack(len(wire)) + wire)
        (length,) = _LENGTH.unpack(await _receive(loop, sock, _LENGTH.size))
        answer = _read(query, await _receive(loop, sock, length))
    if answer is None:
        raise DnsError("nothing but garbage")
    return answer


async def _receive(loop: asyncio.AbstractEventLoop, sock: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        piece = await loop.sock_recv(sock, length - len(received))
        if not piece:
            raise DnsError("the connection was closed")
        received += piece
    return bytes(received)


def _read(query: dns.message.Message, wire: bytes) -> dns.message.Message | None:
    try:
        answer = dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None
    return answer if query.is_response(answer) else None


def _connectable(server: Server, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, kind)
    sock.setblocking(False)
    return sock
