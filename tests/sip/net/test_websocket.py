"""SIP over WebSocket: the upgrade and who gets it, frames cut anywhere, caps, pings, closing (RFC 7118, RFC 6455).

Not here: the stack above (tests/scenarios/test_browsers.py), real browsers (tests/live/test_browsers.py).
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from sip.flow import Flow
from sip.net.stream import StreamLimits
from sip.net.tls import TlsConfig
from sip.net.transports import Transports
from sip.net.websocket import WebSocketConfig
from tests.sip.net.certificates import Authority
from tests.sip.net.recorder import Recorder, eventually, message, on_both_loops, run
from tests.sip.net.test_stream import Listener


class Browser:
    """The client's end, by the sans-IO client of the library: bytes as a browser makes them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, origin: str) -> None:
        self.reader, self.writer = reader, writer
        self.protocol = ClientProtocol(
            parse_uri(f"ws://127.0.0.1:{port}/"),
            origin=Origin(origin) if origin else None,
            subprotocols=[Subprotocol("sip")],
        )
        self.frames: list[Frame] = []

    async def open(self) -> Response:
        self.protocol.send_request(self.protocol.connect())
        self.flush()
        event = await self.event()
        assert isinstance(event, Response)
        return event

    def flush(self) -> None:
        self.writer.write(b"".join(self.protocol.data_to_send()))

    def text(self, data: bytes, *, fin: bool = True) -> None:
        self.protocol.send_text(data, fin)
        self.flush()

    async def event(self) -> object:
        """The next frame or response; None at the end."""
        async with asyncio.timeout(20):
            while not self.frames:
                data = await self.reader.read(65536)
                if not data:
                    return None
                self.protocol.receive_data(data)
                self.frames += self.protocol.events_received()
        return self.frames.pop(0)


@contextlib.asynccontextmanager
async def listening(
    limits: StreamLimits | None = None, origins: tuple[str, ...] = (), tls: TlsConfig | None = None
) -> AsyncIterator[tuple[Recorder, Transports, int]]:
    recorder = Recorder()
    transports = await Transports.open(
        [Listener("wss" if tls else "ws")],
        recorder,
        limits=limits,
        tls=tls,
        websocket=WebSocketConfig(origins=origins),
    )
    try:
        yield recorder, transports, transports.addresses()[0][2]
    finally:
        await transports.close()


@contextlib.asynccontextmanager
async def browser(
    port: int, origin: str = "http://127.0.0.1", context: ssl.SSLContext | None = None
) -> AsyncIterator[Browser]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        yield Browser(reader, writer, port, origin)
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


@on_both_loops
def test_messages_go_both_ways_on_one_flow(loop_name: str) -> None:
    async def work() -> None:
        async with listening() as (recorder, transports, port), browser(port) as one:
            response = await one.open()
            assert response.status_code == 101
            assert response.headers["Sec-WebSocket-Protocol"] == "sip"
            one.text(message(1))
            one.protocol.send_binary(message(2))
            one.flush()
            assert await recorder.n_received(2) == [message(1), message(2)]
            flow = recorder.received[0][1]
            assert (flow.transport, flow.host, flow.connection) == ("ws", "127.0.0.1", 1)
            transports.send(message(3), flow)
            frame = await one.event()
            assert isinstance(frame, Frame)
            assert (frame.opcode, bytes(frame.data)) == (Opcode.TEXT, message(3))
            transports.send(b"\xff\xfe", flow)
            frame = await one.event()
            assert isinstance(frame, Frame)
            assert (frame.opcode, bytes(frame.data)) == (Opcode.BINARY, b"\xff\xfe")

    run(loop_name, work())


def test_wss(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("127.0.0.1")
    context = ssl.create_default_context(cafile=str(authority.ca_file))

    async def work() -> None:
        async with (
            listening(tls=TlsConfig(certificate=certificate, key=key)) as (recorder, _, port),
            browser(port, "https://127.0.0.1:8443", context) as one,
        ):
            assert (await one.open()).status_code == 101
            one.text(message(1))
            await recorder.n_received(1)
            assert recorder.received[0][1].transport == "wss"

    run("uvloop", work())


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        ((), "http://127.0.0.1", 101),
        ((), "https://127.0.0.1:8443", 101),
        ((), "https://127.0.0.1.evil.example", 403),
        ((), "https://evil.example", 403),
        ((), "null", 403),
        ((), "", 403),
        (("https://a.example",), "https://a.example", 101),
        (("https://a.example",), "https://a.example:444", 403),
        (("https://a.example",), "http://127.0.0.1", 403),
        (("https://a.example", "none"), "", 101),
        (("*",), "https://evil.example", 101),
        (("*",), "", 101),
    ],
)
def test_only_allowed_pages_get_a_websocket(origins: tuple[str, ...], origin: str, status: int) -> None:
    async def work() -> None:
        async with listening(origins=origins) as (recorder, transports, port), browser(port, origin) as one:
            assert (await one.open()).status_code == status
            if status != 101:
                assert await one.event() is None
                await eventually(lambda: transports.n_connections == 0)
            assert recorder.received == []

    run("asyncio", work())


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda text: text.replace(b"Sec-WebSocket-Protocol: sip\r\n", b""), b"400"),
        (lambda text: text.replace(b"Protocol: sip", b"Protocol: xmpp, msrp"), b"400"),
        (lambda text: text.replace(b"GET", b"POST"), b"405"),
        (lambda text: text.replace(b"Upgrade: websocket\r\n", b""), b"426"),
        (lambda text: text.replace(b"Version: 13", b"Version: 12"), b"400"),
    ],
    ids=["no subprotocol", "others", "POST", "no upgrade", "version"],
)
def test_a_bad_upgrade_is_refused_and_the_connection_closed(change: object, status: bytes) -> None:
    async def work() -> None:
        async with listening() as (recorder, transports, port), browser(port) as one:
            one.protocol.send_request(one.protocol.connect())
            one.writer.write(change(b"".join(one.protocol.data_to_send())))  # type: ignore[operator]
            async with asyncio.timeout(20):
                answer = await one.reader.read()
            assert answer.startswith(b"HTTP/1.1 " + status) or not answer
            await eventually(lambda: transports.n_connections == 0)
            assert recorder.received == []

    run("asyncio", work())


def test_sip_without_websocket_is_not_heard() -> None:
    async def work() -> None:
        async with listening() as (recorder, transports, port), browser(port) as one:
            one.writer.write(message(1))
            async with asyncio.timeout(20):
                await one.reader.read()
            await eventually(lambda: transports.n_connections == 0)
            assert recorder.received == []

    run("asyncio", work())


@given(
    st.lists(st.binary(min_size=1, max_size=40).map(lambda body: message(7, body)), min_size=1, max_size=4),
    st.lists(st.integers(1, 200), max_size=8),
    st.lists(st.integers(1, 60), max_size=4),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_cut_anywhere_messages_come_whole(messages: list[bytes], cuts: list[int], fragments: list[int]) -> None:
    """Whatever the network's packets and the browser's frames are."""

    async def work() -> None:
        async with listening() as (recorder, _, port), browser(port) as one:
            await one.open()
            for each in messages:
                rest = each
                sizes = [size for size in fragments if size < len(each)][:1]
                for size in sizes:
                    one.protocol.send_binary(rest[:size], fin=False)
                    one.protocol.send_ping(b"between")
                    rest = rest[size:]
                    one.protocol.send_continuation(rest, fin=True)
                if not sizes:
                    one.protocol.send_binary(rest)
            data = b"".join(one.protocol.data_to_send())
            for size in cuts:
                one.writer.write(data[:size])
                await one.writer.drain()
                await asyncio.sleep(0)
                data = data[size:]
            one.writer.write(data)
            assert await recorder.n_received(len(messages)) == messages

    run("asyncio", work())


def test_too_large_a_message_ends_the_connection() -> None:
    async def work() -> None:
        async with listening() as (recorder, transports, port), browser(port) as one:
            await one.open()
            one.text(b"x" * 40_000, fin=False)
            one.protocol.send_continuation(b"x" * 40_000, fin=True)
            one.flush()
            frame = await one.event()
            assert isinstance(frame, Frame)
            assert frame.opcode is Opcode.CLOSE and bytes(frame.data[:2]) == (1009).to_bytes(2, "big")
            await eventually(lambda: transports.n_connections == 0)
            [(flow, _)] = await recorder.n_failed(1)
            assert flow.transport == "ws" and recorder.received == []

    run("asyncio", work())


def test_an_unmasked_frame_is_a_protocol_error() -> None:
    async def work() -> None:
        async with listening() as (recorder, transports, port), browser(port) as one:
            await one.open()
            one.writer.write(b"\x81\x05hello")
            frame = await one.event()
            assert isinstance(frame, Frame) and bytes(frame.data[:2]) == (1002).to_bytes(2, "big")
            await eventually(lambda: transports.n_connections == 0)
            assert recorder.received == []

    run("asyncio", work())


@pytest.mark.parametrize(
    ("limits", "opens", "says"),
    [
        (StreamLimits(handshake_s=0.05), False, False),
        (StreamLimits(first_message_s=0.05), True, False),
        (StreamLimits(ping_s=0.05, pong_s=0.05), True, True),
    ],
    ids=["no upgrade", "no message", "no pong"],
)
def test_who_is_silent_is_cut_off(limits: StreamLimits, opens: bool, says: bool) -> None:
    async def work() -> None:
        async with listening(limits) as (_, transports, port), browser(port) as one:
            await eventually(lambda: transports.n_connections == 1)
            if opens:
                await one.open()
            if says:
                one.text(message(1))
            # Nothing is read here, so no ping is answered.
            await eventually(lambda: transports.stream_stats.expired >= 1 and transports.n_connections == 0)

    run("asyncio", work())


def test_who_answers_pings_stays_and_pings_are_answered() -> None:
    async def work() -> None:
        async with listening(StreamLimits(ping_s=0.02)) as (recorder, transports, port), browser(port) as one:
            await one.open()
            one.text(message(1))
            n_pings = 0
            while n_pings < 3:
                frame = await one.event()
                assert isinstance(frame, Frame)
                n_pings += frame.opcode is Opcode.PING
                one.flush()
            one.protocol.send_ping(b"you?")
            one.text(b"\r\n\r\n")
            found = []
            while len(found) < 2:
                frame = await one.event()
                assert isinstance(frame, Frame)
                if frame.opcode is not Opcode.PING:
                    found.append((frame.opcode, bytes(frame.data)))
                one.flush()
            assert found == [(Opcode.PONG, b"you?"), (Opcode.TEXT, b"\r\n")]
            assert transports.n_connections == 1 and len(recorder.received) == 1

    run("asyncio", work())


def test_closing_is_said_and_told() -> None:
    async def work() -> None:
        async with listening() as (recorder, transports, port), browser(port) as one, browser(port) as other:
            for each in (one, other):
                await each.open()
                each.text(message(1))
            await recorder.n_received(2)
            one.protocol.send_close(1001)
            one.flush()
            [(flow, _)] = await recorder.n_failed(1)
            transports.send(message(2), flow)
            await recorder.n_failed(2)
            await transports.close()
            frame = await other.event()
            assert isinstance(frame, Frame)
            assert frame.opcode is Opcode.CLOSE and bytes(frame.data[:2]) == (1001).to_bytes(2, "big")

    run("asyncio", work())


def test_nobody_is_connected_to() -> None:
    async def work() -> None:
        async with listening() as (recorder, transports, port):
            transports.send(message(1), Flow("ws", "127.0.0.1", port))
            assert await recorder.n_failed(1) == [
                (Flow("ws", "127.0.0.1", port), "browsers connect to us, never we to them")
            ]

    run("asyncio", work())
