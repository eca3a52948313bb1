"""UDP listeners: batches, addresses of both families, keep-alives, ICMP errors, a full send buffer. Both event loops.

Not here: choosing among listeners (test_transports), what the SIP stack makes of the messages.
"""

import asyncio
import socket

import pytest

from sip.flow import Flow
from sip.net.receiver import Failures
from sip.net.sockets import address_for, host_of
from sip.net.udp import UdpSocket
from tests.sip.net.recorder import Recorder, on_both_loops, run


class Opened:
    """A UdpSocket on loopback with its recorder, closed at the end."""

    def __init__(self, host: str = "127.0.0.1", *, is_dual: bool = False) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if is_dual:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((host, 0))
        self.sock = sock
        self.recorder = Recorder()
        self.failures = Failures(asyncio.get_running_loop(), self.recorder)
        self.udp = UdpSocket(sock, 3, self.recorder, self.failures)
        self.port = self.udp.address[1]

    async def __aenter__(self) -> "Opened":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.udp.close()
        self.udp.close()
        self.failures.close()


def _closed_port(host: str = "127.0.0.1") -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


@on_both_loops
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_both_ways_carry_the_peers_literal_address(loop_name: str, host: str) -> None:
    async def work() -> None:
        async with Opened(host) as a, Opened(host) as b:
            a.udp.send(b"hello", Flow("udp", host, b.port))
            assert await b.recorder.n_received(1) == [b"hello"]
            assert b.recorder.received[0][1] == Flow("udp", host, a.port, 3)
            b.udp.send(b"there", b.recorder.received[0][1])
            assert await a.recorder.n_received(1) == [b"there"]

    run(loop_name, work())


@on_both_loops
def test_dual_stack_socket_names_ipv4_peers_plainly(loop_name: str) -> None:
    async def work() -> None:
        async with Opened("::", is_dual=True) as dual, Opened("127.0.0.1") as phone:
            assert dual.udp.can_reach("127.0.0.1") and dual.udp.can_reach("::1")
            assert not phone.udp.can_reach("::1")
            phone.udp.send(b"in", Flow("udp", "127.0.0.1", dual.port))
            await dual.recorder.n_received(1)
            flow = dual.recorder.received[0][1]
            assert flow.host == "127.0.0.1"
            dual.udp.send(b"out", flow)
            assert await phone.recorder.n_received(1) == [b"out"]

    run(loop_name, work())


@on_both_loops
def test_a_burst_comes_in_batches_and_in_order(loop_name: str) -> None:
    async def work() -> None:
        async with Opened() as a:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for n in range(150):
                    sender.sendto(b"%d" % n, ("127.0.0.1", a.port))
            assert await a.recorder.n_received(150) == [b"%d" % n for n in range(150)]
            assert max(a.recorder.batches) == 64
            assert len({id(flow) for _, flow in a.recorder.received}) == 1
            assert a.udp.stats.received == 150

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize("keep_alive", [b"", b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b"  "], ids=repr)
def test_keep_alives_are_counted_and_go_no_further(loop_name: str, keep_alive: bytes) -> None:
    async def work() -> None:
        async with Opened() as a, Opened() as b:
            flow = Flow("udp", "127.0.0.1", b.port)
            a.udp.send(keep_alive, flow)
            a.udp.send(b"OPTIONS", flow)
            assert await b.recorder.n_received(1) == [b"OPTIONS"]
            assert b.udp.stats.keep_alives == 1

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_closed_ports_are_reported_each_time_and_the_socket_goes_on(loop_name: str, host: str) -> None:
    async def work() -> None:
        async with Opened(host) as a, Opened(host) as b:
            dead = Flow("udp", host, _closed_port(host), 3)
            for n in range(1, 4):
                a.udp.send(b"anyone", dead)
                assert (await a.recorder.n_failed(n))[-1] == (dead, "Connection refused")
                b.udp.send(b"still here %d" % n, Flow("udp", host, a.port))
                assert (await a.recorder.n_received(n))[-1] == b"still here %d" % n

    run(loop_name, work())


@on_both_loops
def test_an_earlier_datagrams_error_is_not_blamed_on_the_next_peer(loop_name: str) -> None:
    async def work() -> None:
        async with Opened() as a, Opened() as b:
            dead, alive = Flow("udp", "127.0.0.1", _closed_port(), 3), Flow("udp", "127.0.0.1", b.port, 3)
            # On loopback the error is there before the second send, which is the call that gets to see it.
            a.udp.send(b"1", dead)
            a.udp.send(b"2", alive)
            assert await b.recorder.n_received(1) == [b"2"]
            assert await a.recorder.n_failed(1) == [(dead, "Connection refused")]

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize(
    ("flow", "why"),
    [
        (Flow("udp", "phone.example", 5060), "phone.example"),
        (Flow("udp", "127.0.0.1", 0), "0 is no port"),
        (Flow("udp", "127.0.0.1", 70000), "70000 is no port"),
        (Flow("udp", "::1", 5060), "cannot be reached by IPv4"),
        (Flow("udp", "203.0.113.1", 5060), "unreachable"),
    ],
    ids=["a name", "port 0", "port too high", "other family", "loopback socket cannot reach the world"],
)
def test_what_cannot_be_sent_is_reported_later(loop_name: str, flow: Flow, why: str) -> None:
    async def work() -> None:
        async with Opened() as a:
            a.udp.send(b"x", flow)
            a.udp.send(b"x", flow)
            assert a.recorder.failed == [], "never from inside send"
            [(failed, text)] = await a.recorder.n_failed(1)
            assert failed == flow
            assert why in text or text == "Invalid argument"

    run(loop_name, work())


@on_both_loops
def test_a_datagram_too_large_is_reported(loop_name: str) -> None:
    async def work() -> None:
        async with Opened() as a, Opened() as b:
            flow = Flow("udp", "127.0.0.1", b.port, 3)
            a.udp.send(b"x" * 70000, flow)
            assert await a.recorder.n_failed(1) == [(flow, "Message too long")]

    run(loop_name, work())


class _FullSocket:
    """Stands in for a socket whose send buffer is full until told otherwise."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.is_full = True

    def sendto(self, data: bytes, address: object) -> int:
        if self.is_full:
            raise BlockingIOError
        return self._sock.sendto(data, address)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


@on_both_loops
def test_a_full_send_buffer_keeps_order_and_is_bounded(loop_name: str) -> None:
    async def work() -> None:
        async with Opened() as a, Opened() as b:
            full = _FullSocket(a.sock)
            a.udp._sock = full  # type: ignore[assignment]
            flow = Flow("udp", "127.0.0.1", b.port)
            for n in range(1030):
                a.udp.send(b"%d" % n, flow)
            await asyncio.sleep(0)
            assert a.udp.stats.dropped_sends == 6 and a.udp.stats.sent == 0
            full.is_full = False
            a.udp.send(b"last", flow)
            assert a.udp.stats.dropped_sends == 7, "what waits goes first"
            # The receiver's buffer holds them all: sockets of listeners are enlarged, this one takes small datagrams.
            await b.recorder.until(lambda: a.udp.stats.sent == 1024 and bool(b.recorder.received))
            received = [int(data) for data, _ in b.recorder.received]
            assert received == sorted(received) and received[0] == 0
            a.udp.send(b"9999", flow)
            await b.recorder.until(lambda: b.recorder.received[-1][0] == b"9999")

    run(loop_name, work())


@on_both_loops
def test_closing_with_a_backlog_leaves_nothing(loop_name: str) -> None:
    async def work() -> None:
        async with Opened() as a:
            a.udp._sock = _FullSocket(a.sock)  # type: ignore[assignment]
            a.udp.send(b"x", Flow("udp", "127.0.0.1", 5060))

    run(loop_name, work())


@pytest.mark.parametrize(
    ("address", "host"),
    [
        (("192.0.2.1", 5060), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5060, 0, 0), "192.0.2.1"),
        (("2001:db8::1", 5060, 0, 0), "2001:db8::1"),
        (("fe80::1", 5060, 0, 2), "fe80::1%2"),
    ],
)
def test_host_of_an_address(address: tuple[str | int, ...], host: str) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize(
    ("host", "family", "address"),
    [
        ("192.0.2.1", socket.AF_INET, ("192.0.2.1", 5060)),
        ("192.0.2.1", socket.AF_INET6, ("::ffff:192.0.2.1", 5060, 0, 0)),
        ("2001:db8::1", socket.AF_INET6, ("2001:db8::1", 5060, 0, 0)),
        ("fe80::1%2", socket.AF_INET6, ("fe80::1", 5060, 0, 2)),
        ("fe80::1%lo", socket.AF_INET6, ("fe80::1", 5060, 0, 1)),
    ],
)
def test_address_for_a_host(host: str, family: int, address: object) -> None:
    assert address_for(host, 5060, family) == address


@pytest.mark.parametrize("host", ["", "name", "1.2.3", "fe80::1%none", "::1"])
def test_address_for_what_is_none(host: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        address_for(host, 5060, socket.AF_INET6 if "%" in host else socket.AF_INET)


@on_both_loops
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_stun_keep_alives_are_answered_to_whoever_spoke_sip(loop_name: str, host: str) -> None:
    """RFC 5626 §4.4.2; strangers get nothing: the answer is longer than the question."""

    async def work() -> None:
        request = bytes.fromhex("000100002112a442") + b"twelve bytes"
        async with Opened(host) as switch, Opened(host) as phone:
            to_switch = Flow("udp", host, switch.port)
            phone.udp.send(request, to_switch)
            phone.udp.send(b"REGISTER", to_switch)
            assert await switch.recorder.n_received(1) == [b"REGISTER"]
            phone.udp.send(request, to_switch)
            phone.udp.send(b"again", to_switch)
            assert await switch.recorder.n_received(2) == [b"REGISTER", b"again"]
            assert switch.udp.stats.keep_alives == 2
            # The answer itself begins with 1, which the phone's socket passes on.
            (answer,) = await phone.recorder.n_received(1)
            assert answer[:2] == b"\x01\x01" and answer[8:20] == b"twelve bytes"

    run(loop_name, work())
