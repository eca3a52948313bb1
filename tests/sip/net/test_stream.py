"""TCP connections: messages cut from the stream, reuse, caps, deadlines, bounded buffers, keep-alive. Both event loops.

Not here: TLS (test_tls), the framer's own rules (tests/sip/test_framer.py).
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
import pytest

from sip.flow import Flow
from sip.net.stream import StreamLimits
from sip.net.transports import Transports
from tests.sip.net.recorder import Recorder, eventually, message, on_both_loops, run


class Listener(NamedTuple):
    transport: str
    host: str = "127.0.0.1"
    port: int = 0


class Node:
    def __init__(self, recorder: Recorder, transports: Transports) -> None:
        self.recorder = recorder
        self.transports = transports
        self.port = transports.addresses()[0][2]

    def flow(self, host: str = "127.0.0.1") -> Flow:
        """The nameless flow to this node."""
        return Flow("tcp", host, self.port)


@contextlib.asynccontextmanager
async def node(host: str = "127.0.0.1", limits: StreamLimits | None = None) -> AsyncIterator[Node]:
    recorder = Recorder()
    transports = await Transports.open([Listener("tcp", host)], recorder, limits=limits)
    try:
        yield Node(recorder, transports)
    finally:
        await transports.close()
        await transports.close()


@contextlib.asynccontextmanager
async def raw(one: Node) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@on_both_loops
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_one_connection_carries_both_directions(loop_name: str, host: str) -> None:
    async def work() -> None:
        async with node(host) as a, node(host) as b:
            for n in range(20):
                a.transports.send(message(n), b.flow(host))
            assert await b.recorder.n_received(20) == [message(n) for n in range(20)]
            [flow] = {flow for _, flow in b.recorder.received}
            assert (flow.transport, flow.host, flow.connection) == ("tcp", host, 1)
            b.transports.send(message(99, b"body"), flow)
            assert await a.recorder.n_received(1) == [message(99, b"body")]
            back = a.recorder.received[0][1]
            assert back.connection and (back.host, back.port) == (host, b.port)
            a.transports.send(message(20), b.flow(host))
            a.transports.send(message(21), back)
            await b.recorder.n_received(22)
            assert a.transports.n_connections == b.transports.n_connections == 1
            assert a.transports.stream_stats.opened == b.transports.stream_stats.accepted == 1

    run(loop_name, work())


@on_both_loops
def test_messages_are_whole_however_the_bytes_come(loop_name: str) -> None:
    async def work() -> None:
        stream = b"".join(message(n, b"x" * (n * 37)) for n in range(12))
        async with node() as a, raw(a) as (_, writer):
            position = 0
            for size in (1, 2, 3, 5, 8, 13, 21, 500, 501, len(stream)):
                writer.write(stream[position : position + size])
                position += size
                await writer.drain()
                await asyncio.sleep(0)
            assert await a.recorder.n_received(12) == [message(n, b"x" * (n * 37)) for n in range(12)]

    run(loop_name, work())


@on_both_loops
def test_keep_alive_is_answered(loop_name: str) -> None:
    async def work() -> None:
        async with node() as a, raw(a) as (reader, writer):
            writer.write(b"\r\n\r\n" + message(1) + b"\r\n\r\n\r\n\r\n")
            async with asyncio.timeout(20):
                assert await reader.readexactly(6) == b"\r\n" * 3
            assert await a.recorder.n_received(1) == [message(1)]

    run(loop_name, work())


@on_both_loops
def test_broken_stream_is_closed(loop_name: str) -> None:
    async def work() -> None:
        async with node() as a, raw(a) as (reader, writer):
            writer.write(message(1))
            await a.recorder.n_received(1)
            writer.write(b"OPTIONS sip:b SIP/2.0\r\nContent-Length: many\r\n\r\n")
            async with asyncio.timeout(20):
                assert await reader.read() == b""
            [(flow, why)] = await a.recorder.n_failed(1)
            assert flow == a.recorder.received[0][1] and "Content-Length" in why

    run(loop_name, work())


@on_both_loops
def test_lost_connection_is_told_by_its_name(loop_name: str) -> None:
    async def work() -> None:
        async with node() as a:
            async with raw(a) as (_, writer):
                writer.write(message(1))
                await a.recorder.n_received(1)
            flow = a.recorder.received[0][1]
            assert await a.recorder.n_failed(1) == [(flow, "closed by the peer")]
            assert a.transports.n_connections == 0
            a.transports.send(message(2), flow)
            assert (await a.recorder.n_failed(2))[1] == (flow, "the connection is gone")

    run(loop_name, work())


@on_both_loops
def test_refused_connection_fails_the_flow_as_given(loop_name: str) -> None:
    async def work() -> None:
        async with node() as a:
            dead = Flow("tcp", "127.0.0.1", _closed_port())
            a.transports.send(message(1), dead)
            a.transports.send(message(2), dead)
            [(flow, why)] = await a.recorder.n_failed(1)
            assert flow == dead and "refused" in why.lower()
            assert a.transports.stream_stats.failed_connects == 1

    run(loop_name, work())


@on_both_loops
def test_connection_that_never_opens_times_out(loop_name: str) -> None:
    async def work() -> None:
        with socket.socket() as full:
            # A listener whose queue is full answers no SYN.
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            others = [socket.socket() for _ in range(4)]
            for other in others:
                other.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    other.connect(("127.0.0.1", port))
            async with node(limits=StreamLimits(connect_s=0.2)) as a:
                flow = Flow("tcp", "127.0.0.1", port)
                a.transports.send(message(1), flow)
                assert await a.recorder.n_failed(1) == [(flow, "no answer to the connection attempt")]
            for other in others:
                other.close()

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize(
    ("flow", "why"),
    [
        (Flow("tcp", "phone.example", 5060), "phone.example is no IP address"),
        (Flow("tcp", "127.0.0.1", 0), "0 is no port"),
        (Flow("tls", "127.0.0.1", 5061), "TLS is not configured"),
        (Flow("tcp", "127.0.0.1", 5060, 0, 77), "the connection is gone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_sent_is_reported_later(loop_name: str, flow: Flow, why: str) -> None:
    async def work() -> None:
        async with node() as a:
            a.transports.send(message(1), flow)
            assert a.recorder.failed == []
            assert await a.recorder.n_failed(1) == [(flow, why)]

    run(loop_name, work())


@on_both_loops
def test_peer_that_takes_a_request_and_goes_fails_the_nameless_flow_too(loop_name: str) -> None:
    async def work() -> None:
        async with node() as a, node() as b:
            b.recorder.on_message = lambda _, flow: b.transports._pool._open[flow.connection].abort("gone")
            a.transports.send(message(1), b.flow())
            failed = {flow for flow, _ in await a.recorder.n_failed(2)}
            assert failed == {b.flow(), b.flow()._replace(connection=1)}

    run(loop_name, work())


@on_both_loops
def test_peer_that_answers_and_goes_fails_only_the_connection(loop_name: str) -> None:
    async def work() -> None:
        async with node() as a, node() as b:
            b.recorder.on_message = lambda _, flow: b.transports.send(message(2), flow)
            a.transports.send(message(1), b.flow())
            await a.recorder.n_received(1)
            b.transports._pool._open[1].close("idle")
            [(flow, _)] = await a.recorder.n_failed(1)
            assert flow.connection == 1
            b.recorder.on_message = None
            a.transports.send(message(3), b.flow())
            await b.recorder.n_received(2)
            assert a.transports.stream_stats.opened == 2, "the next request opens a connection"

    run(loop_name, work())


@on_both_loops
def test_peer_that_does_not_read_is_cut_off(loop_name: str) -> None:
    async def work() -> None:
        async with node(limits=StreamLimits(max_unsent_bytes=100_000)) as a, raw(a) as (_, writer):
            writer.write(message(1))
            await a.recorder.n_received(1)
            flow = a.recorder.received[0][1]
            large = message(2, b"x" * 60_000)
            for _ in range(1000):
                a.transports.send(large, flow)
                if a.recorder.failed:
                    break
                await asyncio.sleep(0)
            assert (flow, "the peer does not read") in await a.recorder.n_failed(1)
            await eventually(lambda: a.transports.n_connections == 0)

    run(loop_name, work())


@on_both_loops
def test_too_much_for_a_connection_not_open_yet(loop_name: str) -> None:
    async def work() -> None:
        async with node(limits=StreamLimits(max_unsent_bytes=1000)) as a, node() as b:
            for n in range(10):
                a.transports.send(message(n, b"x" * 200), b.flow())
            assert await a.recorder.n_failed(1) == [(b.flow(), "too much waits for the connection")]
            assert len(await b.recorder.n_received(3)) == 3

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize(
    ("sent", "limits", "why"),
    [
        (b"", StreamLimits(first_message_s=0.1), "no message came"),
        (b"\r\n\r\n", StreamLimits(first_message_s=0.1), "no message came"),
        (b"OPT", StreamLimits(message_s=0.1), "a message was not completed in time"),
        (message(1) + b"OPT", StreamLimits(message_s=0.1), "a message was not completed in time"),
        (message(1), StreamLimits(idle_s=0.1), "idle"),
    ],
    ids=["silent", "only keep-alives", "slow first message", "slow second message", "idle"],
)
def test_deadlines(loop_name: str, sent: bytes, limits: StreamLimits, why: str) -> None:
    async def work() -> None:
        async with node(limits=limits) as a, raw(a) as (reader, writer):
            writer.write(sent)
            [(_, told)] = await a.recorder.n_failed(1)
            assert told == why
            async with asyncio.timeout(20):
                assert await reader.read() in (b"", b"\r\n")
            assert a.transports.stream_stats.expired == 1
            assert a.transports._pool._sweep is None, "no timer without a connection"

    run(loop_name, work())


@on_both_loops
def test_slow_drip_does_not_extend_the_deadline(loop_name: str) -> None:
    async def work() -> None:
        async with node(limits=StreamLimits(message_s=0.3)) as a, raw(a) as (_, writer):
            text = b"OPTIONS sip:b SIP/2.0\r\n" + b"X: y\r\n" * 1000
            for n in range(len(text)):
                writer.write(text[n : n + 1])
                await asyncio.sleep(0.02)
                if a.recorder.failed:
                    break
            assert "not completed in time" in a.recorder.failed[0][1]

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize(
    "limits", [StreamLimits(max_per_source=3), StreamLimits(max_connections=3)], ids=["source", "all"]
)
def test_caps_turn_away_and_free_places_are_given_again(loop_name: str, limits: StreamLimits) -> None:
    async def work() -> None:
        async with node(limits=msgspec.structs.replace(limits)) as a, contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(raw(a))
            for _ in range(2):
                await stack.enter_async_context(raw(a))
            await eventually(lambda: a.transports.n_connections == 3)
            async with raw(a) as (reader, _), asyncio.timeout(20):
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
            assert a.transports.stream_stats.refused == 1
            first[1].close()
            await eventually(lambda: a.transports.n_connections == 2)
            async with raw(a) as (_, writer):
                writer.write(message(1))
                await a.recorder.n_received(1)
        assert a.transports._pool._per_source == {}

    run(loop_name, work())


@on_both_loops
def test_out_of_descriptors_pauses_accepting(loop_name: str) -> None:
    class Exhausted:
        def __init__(self, sock: socket.socket) -> None:
            self.sock = sock
            self.n_refusals = 1

        def accept(self) -> object:
            if self.n_refusals:
                self.n_refusals -= 1
                raise OSError(errno.EMFILE, "Too many open files")
            return self.sock.accept()

        def __getattr__(self, name: str) -> object:
            return getattr(self.sock, name)

    async def work() -> None:
        async with node() as a:
            pool = a.transports._pool
            _, sock = pool._listening[0]
            asyncio.get_running_loop().remove_reader(sock.fileno())
            pool.listen(0, "tcp", Exhausted(sock))  # type: ignore[arg-type]
            async with raw(a) as (_, writer):
                writer.write(message(1))
                assert await a.recorder.n_received(1) == [message(1)]

    run(loop_name, work())


@on_both_loops
def test_close_sends_what_waits_and_leaves_nothing(loop_name: str) -> None:
    async def work() -> None:
        async with node() as b:
            async with node() as a:
                a.transports.send(message(0), b.flow())
                await b.recorder.n_received(1)
                for n in range(1, 50):
                    a.transports.send(message(n), b.flow())
                a.transports.send(message(1), Flow("tcp", "127.0.0.1", _closed_port()))
            assert a.transports.n_connections == 0
            await b.recorder.n_received(50)
            a.transports.send(message(51), b.flow())

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize("listener", [0, 7], ids=["the named listener", "the first that fits"])
def test_outgoing_connection_comes_from_the_listeners_address(loop_name: str, listener: int) -> None:
    async def work() -> None:
        async with node("127.0.0.2") as a, node() as b:
            a.transports.send(message(1), b.flow()._replace(listener=listener))
            await b.recorder.n_received(1)
            assert b.recorder.received[0][1].host == "127.0.0.2"

    run(loop_name, work())
