"""A small DNS server on loopback (real UDP and TCP sockets), well-behaved or wicked in a named way."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], list[str]]
"""(name, type) -> records as in a zone file. A CNAME answers every type, and its target's records come along."""


class NameServer(asyncio.DatagramProtocol):
    """`behaviour`: answer, black_hole, garbage (then the answer), only_garbage, wrong_id (then the answer), truncated
    (the answer comes over TCP), servfail, bare_alias (CNAME without its target's records), loop."""

    def __init__(self, zone: Zone, behaviour: str = "answer", *, ttl_s: int = 300) -> None:
        self.zone = zone
        self.behaviour = behaviour
        self.ttl_s = ttl_s
        self.asked: list[tuple[str, str]] = []
        self.n_tcp = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        self.asked.append((question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)))
        if self.behaviour == "black_hole":
            return
        if self.behaviour in ("garbage", "only_garbage"):
            for junk in (b"", b"\0", data[:7], b"\xff" * 512, data[:2] + b"\xff" * 40, data):
                self._transport.sendto(junk, addr)
            if self.behaviour == "only_garbage":
                return
        if self.behaviour == "wrong_id":
            forged = self.answer(query)
            forged.id = query.id ^ 1
            self._transport.sendto(forged.to_wire(), addr)
        answer = self.answer(query)
        if self.behaviour == "truncated":
            answer.answer.clear()
            answer.flags |= dns.flags.TC
        self._transport.sendto(answer.to_wire(), addr)

    async def serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_tcp += 1
        length = int.from_bytes(await reader.readexactly(2), "big")
        wire = self.answer(dns.message.from_wire(await reader.readexactly(length))).to_wire()
        for piece in (len(wire).to_bytes(2, "big"), wire[:10], wire[10:]):
            writer.write(piece)
            await writer.drain()
        writer.close()

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        if self.behaviour == "servfail":
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        name, kind = query.question[0].name, dns.rdatatype.to_text(query.question[0].rdtype)
        for _ in range(20):
            text = name.to_text(omit_final_dot=True).lower()
            alias = self.zone.get((text, "CNAME"))
            if alias is None:
                break
            answer.answer.append(dns.rrset.from_text(name, self.ttl_s, "IN", "CNAME", *alias))
            name = dns.name.from_text(alias[0])
            if self.behaviour == "bare_alias":
                return answer
        records = self.zone.get((text, kind))
        if records:
            answer.answer.append(dns.rrset.from_text(name, self.ttl_s, "IN", kind, *records))
        elif not any(known == text for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if not records:
            soa = "ns.example. admin.example. 1 3600 600 86400 60"
            answer.authority.append(dns.rrset.from_text("example.", 900, "IN", "SOA", soa))
        return answer


@contextlib.asynccontextmanager
async def serving(
    zone: Zone, behaviour: str = "answer", *, ttl_s: int = 300
) -> AsyncIterator[tuple[NameServer, tuple[str, int]]]:
    """The server and its address."""
    loop = asyncio.get_running_loop()
    server = NameServer(zone, behaviour, ttl_s=ttl_s)
    # Bound here: the loop would ask its resolver threads for a literal, and was seen to wait for them for ever.
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.setblocking(False)
    while True:
        stream = await asyncio.start_server(server.serve_stream, "127.0.0.1", 0)
        address: tuple[str, int] = stream.sockets[0].getsockname()
        try:
            datagrams.bind(address)
            break
        except OSError:
            # Free for TCP alone: somebody's UDP socket has that number.
            stream.close()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, sock=datagrams)
    try:
        yield server, address
    finally:
        transport.close()
        stream.close()
        await asyncio.sleep(0)


def _bind_both() -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket on one port: a port that is free in one is sometimes taken in the other."""
    while True:
        listener = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.setblocking(False)
        datagrams.setblocking(False)
        try:
            datagrams.bind(listener.getsockname())
        except OSError:
            listener.close()
            datagrams.close()
            continue
        return listener, datagrams
