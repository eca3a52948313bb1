"""Opening listeners, choosing among them, sockets handed down. Both event loops.

Not here: each transport's own behaviour (test_udp, test_stream, test_tls).
"""

import asyncio
import socket
from typing import NamedTuple

import pytest

from sip.flow import Flow
from sip.net.sockets import bind_listeners
from sip.net.transports import Transports
from tests.sip.net.recorder import Recorder, message, on_both_loops, run


class Listener(NamedTuple):
    transport: str
    host: str = "127.0.0.1"
    port: int = 0


@on_both_loops
def test_addresses_are_those_bound(loop_name: str) -> None:
    async def work() -> None:
        listeners = [
            Listener("udp"),
            Listener("tcp"),
            Listener("udp", "::1"),
            Listener("tcp", "::1"),
            Listener("udp", ""),
        ]
        transports = await Transports.open(listeners, Recorder())
        addresses = transports.addresses()
        assert [(transport, host) for transport, host, _ in addresses] == [
            (one.transport, one.host or "0.0.0.0") for one in listeners
        ]
        assert all(port > 0 for _, _, port in addresses)
        await transports.close()

    run(loop_name, work())


@on_both_loops
def test_a_listener_that_does_not_fit_is_replaced(loop_name: str) -> None:
    async def work() -> None:
        recorder, peer_recorder = Recorder(), Recorder()
        listeners = [Listener("tcp"), Listener("udp", "::1"), Listener("udp")]
        ours = await Transports.open(listeners, recorder)
        peer = await Transports.open([Listener("udp"), Listener("udp", "::1")], peer_recorder)
        (_, _, port4), (_, _, port6) = peer.addresses()
        for listener in (0, 1, 2, 99, -1):
            ours.send(message(listener), Flow("udp", "127.0.0.1", port4, listener))
            ours.send(message(listener), Flow("udp", "::1", port6, listener))
        await peer_recorder.n_received(10)
        sources = {(flow.host, flow.port) for _, flow in peer_recorder.received}
        assert sources == {(host, port) for transport, host, port in ours.addresses() if transport == "udp"}
        await ours.close()
        await peer.close()

    run(loop_name, work())


@on_both_loops
def test_replies_to_a_replaced_listener_fail_by_the_flow_that_was_given(loop_name: str) -> None:
    async def work() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        recorder = Recorder()
        ours = await Transports.open([Listener("tcp"), Listener("udp")], recorder)
        given = Flow("udp", "127.0.0.1", port, 0)
        ours.send(message(1), given)
        await recorder.until(lambda: given in dict(recorder.failed))
        await ours.close()

    run(loop_name, work())


@on_both_loops
def test_no_listener_can_reach(loop_name: str) -> None:
    async def work() -> None:
        recorder = Recorder()
        ours = await Transports.open([Listener("udp")], recorder)
        ours.send(message(1), Flow("udp", "2001:db8::1", 5060))
        [(_, why)] = await recorder.n_failed(1)
        assert why == "no UDP listener can reach 2001:db8::1"
        await ours.close()

    run(loop_name, work())


@on_both_loops
def test_sockets_handed_down_keep_what_arrived_before(loop_name: str) -> None:
    async def work() -> None:
        listeners = [Listener("udp"), Listener("tcp")]
        sockets = bind_listeners(listeners)
        udp_port, tcp_port = (sock.getsockname()[1] for sock in sockets)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.create_connection(("127.0.0.1", tcp_port)) as tcp,
        ):
            udp.sendto(message(1), ("127.0.0.1", udp_port))
            tcp.sendall(message(2))
            recorder = Recorder()
            transports = await Transports.open(listeners, recorder, sockets=sockets)
            assert set(await recorder.n_received(2)) == {message(1), message(2)}
            assert {flow.listener for _, flow in recorder.received} == {0, 1}
            await transports.close()

    run(loop_name, work())


def test_wildcards_of_both_families_share_a_port() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", 0))
        port = sock.getsockname()[1]
    sockets = bind_listeners([Listener("udp", "::", port), Listener("udp", "0.0.0.0", port)])
    assert sockets[0].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    for sock in sockets:
        sock.close()
    [alone] = bind_listeners([Listener("udp", "::", port)])
    assert alone.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0
    alone.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_taken_port_is_named_and_nothing_stays_open(transport: str) -> None:
    [taken] = bind_listeners([Listener(transport)])
    port = taken.getsockname()[1]
    with pytest.raises(OSError, match=f"cannot listen on {transport} 127.0.0.1 port {port}: Address already in use"):
        bind_listeners([Listener("udp"), Listener(transport, "127.0.0.1", port)])
    taken.close()


@pytest.mark.parametrize(
    ("listeners", "n_sockets"),
    [([Listener("sctp")], None), ([Listener("tls")], None), ([Listener("udp", "name")], None), ([Listener("udp")], 2)],
    ids=["unknown transport", "tls without certificate", "a name", "sockets do not match"],
)
def test_listeners_that_make_no_sense(listeners: list[Listener], n_sockets: int | None) -> None:
    async def work() -> None:
        sockets = None if n_sockets is None else [socket.socket() for _ in range(n_sockets)]
        with pytest.raises(ValueError, match=r"."):
            await Transports.open(listeners, Recorder(), sockets=sockets)
        for sock in sockets or ():
            sock.close()

    asyncio.run(work())
