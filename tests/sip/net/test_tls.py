"""TLS: both directions, verification of the server's name, strangers who do not shake hands. Both event loops."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sip.flow import Flow
from sip.net.stream import StreamLimits
from sip.net.tls import TlsConfig, client_context, server_context
from sip.net.transports import Transports
from tests.sip.net.certificates import Authority
from tests.sip.net.recorder import Recorder, eventually, message, on_both_loops, run


class Listener(NamedTuple):
    transport: str
    host: str = "127.0.0.1"
    port: int = 0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


async def _open(recorder: Recorder, tls: TlsConfig, *, limits: StreamLimits | None = None) -> Transports:
    return await Transports.open([Listener("tls")], recorder, tls=tls, limits=limits)


def _server(authority: Authority, *names: str) -> TlsConfig:
    certificate, key = authority.issue(*names)
    return TlsConfig(certificate=certificate, key=key)


@on_both_loops
def test_messages_both_ways_without_verification(loop_name: str, authority: Authority) -> None:
    async def work() -> None:
        ra, rb = Recorder(), Recorder()
        a, b = await _open(ra, _server(authority, "a.example")), await _open(rb, _server(authority, "b.example"))
        a.send(message(1), Flow("tls", "127.0.0.1", b.addresses()[0][2]))
        assert await rb.n_received(1) == [message(1)]
        flow = rb.received[0][1]
        assert flow.transport == "tls"
        for n in range(200):
            b.send(message(n, b"x" * 5000), flow)
        assert await ra.n_received(200) == [message(n, b"x" * 5000) for n in range(200)]
        await a.close()
        await b.close()

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize(
    ("names", "expected_name", "is_trusted", "is_good"),
    [
        (("trunk.example",), "trunk.example", True, True),
        (("other.example", "trunk.example"), "trunk.example", True, True),
        (("other.example",), "trunk.example", True, False),
        (("trunk.example",), "trunk.example", False, False),
        (("127.0.0.1",), "", True, True),
        (("trunk.example",), "", True, False),
        (("trunk.example",), "." + "x" * 300, True, False),
    ],
    ids=["right", "alternative", "wrong name", "unknown authority", "address", "not for the address", "no name at all"],
)
def test_verification_of_the_server(
    loop_name: str,
    authority: Authority,
    tmp_path: Path,
    names: tuple[str, ...],
    expected_name: str,
    is_trusted: bool,
    is_good: bool,
) -> None:
    ca_file = authority.ca_file if is_trusted else Authority(tmp_path, "Stranger").ca_file

    async def work() -> None:
        ra, rb = Recorder(), Recorder()
        a = await Transports.open([], ra, tls=TlsConfig(verify_peers=True, ca_file=str(ca_file)))
        b = await _open(rb, _server(authority, *names))
        flow = Flow("tls", "127.0.0.1", b.addresses()[0][2])
        if expected_name:
            a.set_server_name(flow, expected_name)
        a.send(message(1), flow)
        if is_good:
            assert await rb.n_received(1) == [message(1)]
        else:
            [(failed, why)] = await ra.n_failed(1)
            assert failed == flow and why
            assert rb.received == [] and a.n_connections == 0
        await a.close()
        await b.close()

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize(
    "opening", [b"", b"OPTIONS sip:b SIP/2.0\r\n\r\n", b"\x16\x03\x01"], ids=["silent", "plain", "half a hello"]
)
def test_strangers_who_do_not_shake_hands_are_dropped(loop_name: str, authority: Authority, opening: bytes) -> None:
    async def work() -> None:
        recorder = Recorder()
        limits = StreamLimits(handshake_s=0.2, max_connections=1)
        b = await _open(recorder, _server(authority, "b.example"), limits=limits)
        port = b.addresses()[0][2]
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(opening)
            await eventually(lambda: b.stream_stats.failed_handshakes == 1)
            assert recorder.received == [] and b.n_connections == 0
        a = await Transports.open([], recorder, tls=TlsConfig())
        a.send(message(1), Flow("tls", "127.0.0.1", port))
        assert await recorder.n_received(1) == [message(1)], "its place is free again"
        await a.close()
        await b.close()

    run(loop_name, work())


@on_both_loops
def test_closing_during_a_handshake(loop_name: str, authority: Authority) -> None:
    async def work() -> None:
        b = await _open(Recorder(), _server(authority, "b.example"))
        with socket.create_connection(("127.0.0.1", b.addresses()[0][2])):
            await eventually(lambda: bool(b._pool._tasks))
            await b.close()

    run(loop_name, work())


@on_both_loops
def test_outgoing_to_a_plain_port_fails(loop_name: str) -> None:
    async def work() -> None:
        ra, rb = Recorder(), Recorder()
        a = await Transports.open([], ra, tls=TlsConfig(), limits=StreamLimits(handshake_s=5))
        b = await Transports.open([Listener("tcp")], rb, limits=StreamLimits(message_s=0.2, first_message_s=0.2))
        flow = Flow("tls", "127.0.0.1", b.addresses()[0][2])
        a.send(message(1), flow)
        [(failed, _)] = await ra.n_failed(1)
        assert failed == flow
        await a.close()
        await b.close()

    run(loop_name, work())


@pytest.mark.parametrize("make", [server_context, client_context])
def test_contexts_refuse_old_versions(authority: Authority, make: Callable[[TlsConfig], ssl.SSLContext]) -> None:
    context = make(_server(authority, "a.example"))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (None, ValueError),
        (TlsConfig(), ValueError),
        (TlsConfig(certificate="/nonexistent.pem"), OSError),
        (TlsConfig(certificate=__file__), OSError),
    ],
    ids=["no tls", "no certificate", "no file", "no pem"],
)
def test_listener_without_a_usable_certificate(config: TlsConfig | None, error: type[Exception]) -> None:
    async def work() -> None:
        with pytest.raises(error):
            await Transports.open([Listener("tls")], Recorder(), tls=config)

    asyncio.run(work())
