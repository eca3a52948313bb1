"""rtp/net: both transports on real loopback sockets, IPv4 and IPv6: who gets which packet, what leaves where.

The cases of two legs with one peer address, one leg that waits for its peer a port, addresses that change, packets of
closed legs, mixed relaying, ICMP errors. Not here: which strangers are believed (tests/media/test_strangers.py), speed.
"""

import contextlib
import select
import socket

import numpy as np
import pytest

from rtp.net.mmsg import pack_name, unpack_name
from rtp.net.ports import Ports
from rtp.net.shared_ports import PortRefused
from tests.media.worker_process import bind_pairs

HOSTS = ["127.0.0.1", "::1"]


def packet(ssrc, seq, text=b"x" * 160):
    return bytes((0x80, 0)) + seq.to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big") + text


@contextlib.contextmanager
def rig(n_own, n_shared, host="127.0.0.1", shared_legs=8):
    sockets = bind_pairs(n_own + n_shared, host)
    pairs = list(zip(sockets[::2], sockets[1::2], strict=True))
    ports = Ports(pairs[:n_own], pairs[n_own:], shared_legs=shared_legs if n_shared else 0)
    try:
        yield ports
    finally:
        ports.close_all()


@contextlib.contextmanager
def peer(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        made.bind((host, 0))
        made.settimeout(5)
        yield made


def address(sock):
    return sock.getsockname()[:2]


def open_leg(ports, port, source, destination=None):
    row = ports.choose_row(port)
    ports.open(row, port)
    ports.connect(row, source, destination or source)
    return row


def poll(ports, n):
    """(leg, bytes) of the next `n` packets."""
    found = []
    while len(found) < n:
        assert select.select([ports._watcher.epoll], [], [], 5)[0], f"{found} is all that came"
        taken = ports.poll()
        found += [
            (leg, bytes(ports.rows[i][:length]))
            for i, (leg, length) in enumerate(
                zip(ports.legs[:taken].tolist(), ports.lengths[:taken].tolist(), strict=True)
            )
        ]
    return found


@pytest.mark.parametrize("host", HOSTS)
def test_name_there_and_back(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    assert unpack_name(pack_name((host, 40000), family)) == (host, 40000)


def test_no_ipv6_address_over_ipv4():
    with pytest.raises(OSError):
        pack_name(("::1", 1), socket.AF_INET)


@pytest.mark.parametrize("n_shared", [0, 1], ids=["own port", "shared port"])
def test_a_port_of_both_ip_versions_talks_with_either_and_tells_plain_addresses(n_shared):
    with rig(1 - n_shared, n_shared, host="::") as ports, peer("127.0.0.1") as old, peer("::1") as new:
        (port,) = ports.own_ports + ports.shared_ports
        for n, (host, one) in enumerate((("127.0.0.1", old), ("::1", new))):
            row = open_leg(ports, port, address(one))
            one.sendto(packet(7, n), (host, port))
            ((leg, data),) = poll(ports, 1)
            assert (leg, data) == (row, packet(7, n))
            ports.send(row, packet(9, n))
            data, source = one.recvfrom(2000)
            assert (data, source[:2]) == (packet(9, n), (host, port))
            ports.send_report(row, b"report", address(one))
            assert one.recvfrom(2000)[0] == b"report"
            ports.close(row)


def test_a_stranger_of_ipv4_is_told_by_his_plain_address():
    with rig(1, 0, host="::") as ports, peer("127.0.0.1") as one:
        (port,) = ports.own_ports
        row = open_leg(ports, port, ("127.0.0.1", 9))
        one.sendto(packet(7, 1), ("127.0.0.1", port))
        found = None
        while found is None:
            found = ports.read_stranger(row, 0)
        assert found == (172, address(one))


@pytest.mark.parametrize("host", HOSTS)
def test_many_legs_on_one_port_are_told_apart_by_address(host):
    with rig(0, 1, host) as ports, contextlib.ExitStack() as stack:
        peers = [stack.enter_context(peer(host)) for _ in range(8)]
        port = ports.shared_ports[0]
        rows = [open_leg(ports, port, address(each)) for each in peers]
        assert len(set(rows)) == 8
        for i, each in enumerate(peers):
            for k in range(3):
                each.sendto(packet(i, k), (host, port))
        got = poll(ports, 24)
        assert sorted(got) == sorted((row, packet(i, k)) for i, row in enumerate(rows) for k in range(3))
        assert ports.has_doubles and not len(ports.unknown)


@pytest.mark.parametrize("host", HOSTS)
def test_relayed_from_one_transport_to_the_other_out_of_one_arena(host):
    with rig(1, 2, host) as ports, peer(host) as a, peer(host) as b, peer(host) as c:
        own = open_leg(ports, ports.own_ports[0], address(a))
        first = open_leg(ports, ports.shared_ports[0], address(b))
        second = open_leg(ports, ports.shared_ports[1], address(c))
        a.sendto(packet(1, 1), (host, ports.own_ports[0]))
        b.sendto(packet(2, 2, b"y" * 80), (host, ports.shared_ports[0]))
        c.sendto(packet(3, 3), (host, ports.shared_ports[1]))
        n = 0
        while n < 3:
            taken = ports.poll()
            n += taken
            to = {own: first, first: second, second: own}
            listeners = np.array([to[leg] for leg in ports.legs[:taken].tolist()], np.int64)
            ports.send_rows(np.arange(taken), listeners, ports.lengths[:taken].copy())
        assert b.recvfrom(2000) == (packet(1, 1), (*(host, ports.shared_ports[0]), *b.getsockname()[2:]))
        assert c.recvfrom(2000)[0] == packet(2, 2, b"y" * 80)
        assert a.recvfrom(2000) == (packet(3, 3), (*(host, ports.own_ports[0]), *b.getsockname()[2:]))
        assert ports.n_send_failures == 0


def test_same_address_on_two_ports_are_two_legs():
    with rig(0, 2) as ports, peer() as a:
        rows = [open_leg(ports, port, address(a)) for port in ports.shared_ports]
        for i, port in enumerate(ports.shared_ports):
            a.sendto(packet(i, 0), ("127.0.0.1", port))
        assert sorted(poll(ports, 2)) == [(rows[0], packet(0, 0)), (rows[1], packet(1, 0))]


def test_second_leg_with_the_same_address_is_refused_until_the_first_is_heard_then_told_by_ssrc():
    with rig(0, 1) as ports, peer() as a, peer() as b:
        port = ports.shared_ports[0]
        first = open_leg(ports, port, address(a))
        second = ports.choose_row(port)
        ports.open(second, port)
        with pytest.raises(PortRefused, match="not heard yet"):
            ports.connect(second, address(a), address(a))
        ports.connect(second, address(b), address(b))
        ports.tell_ssrc(first, 11)
        ports.connect(second, address(a), address(a))
        third = ports.choose_row(port)
        ports.open(third, port)
        with pytest.raises(PortRefused):
            ports.connect(third, address(a), address(a))
        for ssrc in (11, 22):
            a.sendto(packet(ssrc, 0), ("127.0.0.1", port))
        assert poll(ports, 2) == [(first, packet(11, 0)), (-1, packet(22, 0))]
        assert ports.rows_at(0, address(a), 22) == [first, second]
        ports.tell_ssrc(second, 22)
        assert ports.rows_at(0, address(a), 22) == [second]
        for ssrc in (22, 11, 33):
            a.sendto(packet(ssrc, 1), ("127.0.0.1", port))
        assert [row for row, _ in poll(ports, 3)] == [second, first, -1]
        ports.tell_ssrc(first, 33)
        ports.close(second)
        for ssrc in (33, 22, 44):  # alone again: whatever comes from there is the first leg's
            a.sendto(packet(ssrc, 2), ("127.0.0.1", port))
        assert [row for row, _ in poll(ports, 3)] == [first] * 3
        ports.close(first)
        a.sendto(packet(33, 3), ("127.0.0.1", port))
        assert ports.rows_at(0, address(a), 33) == []


def test_one_leg_a_port_may_wait_for_its_peer():
    with rig(0, 2) as ports, peer() as a:
        one, other = ports.shared_ports
        waiting = open_leg(ports, one, None, address(a))
        second = ports.choose_row(one)
        ports.open(second, one)
        with pytest.raises(PortRefused, match="waits"):
            ports.connect(second, None, None)
        open_leg(ports, other, None, address(a))
        ports.connect(waiting, address(a), address(a))
        ports.connect(second, None, None)
        ports.connect(waiting, None, None)  # on hold: it was known once


def test_address_that_changes():
    with rig(0, 1) as ports, peer() as a, peer() as b:
        port = ports.shared_ports[0]
        row = open_leg(ports, port, address(a))
        ports.connect(row, address(b), address(b))
        a.sendto(packet(1, 1), ("127.0.0.1", port))
        b.sendto(packet(1, 2), ("127.0.0.1", port))
        assert poll(ports, 2) == [(-1, packet(1, 1)), (row, packet(1, 2))]
        assert ports.source_of(0) == (0, address(a)) and ports.unknown.tolist() == [0]
        ports.send(row, b"hello")
        assert b.recv(100) == b"hello"


def test_what_waits_when_the_first_leg_comes_is_nobodys():
    with rig(0, 1) as ports, peer() as a:
        port = ports.shared_ports[0]
        a.sendto(packet(1, 1), ("127.0.0.1", port))
        row = open_leg(ports, port, address(a))
        a.sendto(packet(1, 2), ("127.0.0.1", port))
        assert poll(ports, 1) == [(row, packet(1, 2))]
        ports.close(row)
        a.sendto(packet(1, 3), ("127.0.0.1", port))
        row = ports.choose_row(port)
        ports.open(row, port, is_kept=True)
        ports.connect(row, address(a), address(a))
        assert poll(ports, 1) == [(row, packet(1, 3))]


def test_peers_that_are_gone_harm_nobody():
    """The ICMP errors of one leg's peer reach neither the other legs nor us."""
    with rig(0, 1) as ports, peer() as a:
        port = ports.shared_ports[0]
        with peer() as gone:
            nobody = open_leg(ports, port, address(gone))
        row = open_leg(ports, port, address(a))
        for _ in range(20):
            ports.rows[0][:172] = ports.rows[1][:172] = packet(1, 1)
            ports.send_rows(np.arange(2), np.array([nobody, row]), np.array([172, 172]))
            assert a.recv(2000) == packet(1, 1)
            a.sendto(packet(2, 2), ("127.0.0.1", port))
            assert poll(ports, 1) == [(row, packet(2, 2))]


def test_a_leg_without_destination_keeps_nothing_back():
    with rig(0, 1) as ports, peer() as a, peer() as b:
        port = ports.shared_ports[0]
        mute = ports.choose_row(port)
        ports.open(mute, port)
        ports.connect(mute, address(b), None)
        row = open_leg(ports, port, address(a))
        ports.rows[0][:172] = packet(1, 1)
        ports.send_rows(np.zeros(3, np.int64), np.array([mute, row, mute]), np.array([172, 172, 172]))
        assert a.recv(2000) == packet(1, 1)
        assert ports.n_send_failures == 2
        ports.send(mute, b"x")


def test_prepared_packets_follow_their_legs():
    with rig(1, 2) as ports, peer() as a, peer() as b, peer() as c, peer() as d:
        rows = [
            open_leg(ports, ports.shared_ports[1], address(a)),
            open_leg(ports, ports.own_ports[0], address(b)),
            open_leg(ports, ports.shared_ports[0], address(c)),
        ]
        packets = np.zeros((4, 20), np.uint8)
        outgoing = ports.prepare(packets, np.array([3, 0, 1]), np.array(rows))
        packets[:] = np.arange(4)[:, None]
        outgoing.send()
        assert [each.recv(100)[0] for each in (a, b, c)] == [3, 0, 1]
        ports.connect(rows[0], address(d), address(d))
        packets += 10
        outgoing.send()
        assert [each.recv(100)[0] for each in (d, b, c)] == [13, 10, 11]


def test_full_ports_and_foreign_ports():
    with rig(1, 1, shared_legs=2) as ports, peer() as a, peer() as b:
        port = ports.shared_ports[0]
        rows = [open_leg(ports, port, address(each)) for each in (a, b)]
        with pytest.raises(PortRefused):
            ports.choose_row(port)
        with pytest.raises(KeyError):
            ports.choose_row(port + 1)
        ports.close(rows[0])
        assert ports.choose_row(port) == rows[0]
        assert ports.choose_row(ports.own_ports[0]) == 0


def test_reports_of_shared_legs_come_with_the_port():
    with rig(0, 1) as ports, peer() as a:
        port = ports.shared_ports[0]
        row = open_leg(ports, port, address(a))
        a.sendto(b"rtcp", ("127.0.0.1", port + 1))
        assert select.select([ports._watcher.epoll], [], [], 5)[0]
        ports.poll()
        assert ports.shared_reports == [0]
        assert ports.read_shared_report(0) == (b"rtcp", address(a)) and ports.read_shared_report(0) is None
        ports.send_report(row, b"answer", address(a))
        assert a.recvfrom(100) == (b"answer", ("127.0.0.1", port + 1))
