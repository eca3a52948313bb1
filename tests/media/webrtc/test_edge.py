"""The edge on real sockets of the loopback: audio both ways byte by byte, hold, RTCP, junk and replay, its process.

The engine is a plain socket here. Not here: who is a peer (test_peers), the switch (tests/scenarios/test_browsers.py).
"""

import asyncio
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from media.link import listen
from media.webrtc.client import EdgeClient
from media.webrtc.dtls import Identity
from media.webrtc.edge import Edge
from model.webrtc import ConfigurePeer, EdgeEvent, EdgeHello, PeerConnected, PeerReleased, ReleasePeer
from tests.harness.browser import ScriptedBrowser

PATIENCE_S = 20.0
IDENTITY = Identity()


def udp(host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(PATIENCE_S)
    return sock


def engine_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two neighbouring ports, as a leg has them."""
    while True:
        one, other = udp(host), socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            other.bind((host, one.getsockname()[1] + 1))
        except OSError:
            one.close()
            other.close()
            continue
        other.settimeout(PATIENCE_S)
        return one, other


class Rig:
    """An edge, one leg's engine sockets, and a browser with a socket."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.events: list[EdgeEvent] = []
        self.edge = Edge(udp(host), udp(host), IDENTITY, self.events.append, host=host)
        hello = self.edge.hello(1)
        self.web, self.engine_side = (host, hello.port), (host, hello.engine_port)
        self.rtp, self.rtcp = engine_pair(host)
        self.sock = udp(host)
        self.browser = ScriptedBrowser("one", "p" * 22, hello.fingerprint)

    def close(self) -> None:
        for sock in (self.rtp, self.rtcp, self.sock, self.edge._web.sock, self.edge._engine.sock):
            sock.close()

    def configure(self, **changes: bool) -> None:
        self.edge.apply(
            ConfigurePeer(
                leg="l",
                engine_port=self.rtp.getsockname()[1],
                ufrag=self.browser.remote_ufrag,
                pwd=self.browser.remote_pwd,
                fingerprints=[("sha-256", self.browser.identity.fingerprint)],
                **changes,
            ),
            time.monotonic(),
        )

    def connect(self) -> None:
        self.configure()
        flight = [self.browser.check()]
        while not self.browser.is_connected:
            for each in flight:
                self.sock.sendto(each, self.web)
            self.turn()
            flight = [out for data in self.arrived(self.sock) for out in self.browser.receive(data)]
        assert [type(event) for event in self.events] == [PeerConnected]

    def turn(self) -> None:
        """One look of the edge once something is there; loopback delivers at once."""
        select.select([self.edge._web.sock, self.edge._engine.sock], [], [], 1.0)
        self.edge.poll(time.monotonic())

    def arrived(self, sock: socket.socket) -> list[bytes]:
        found = []
        while select.select([sock], [], [], 0)[0]:
            found.append(sock.recv(2048))
        return found

    def from_engine(self, sock: socket.socket, packet: bytes) -> list[bytes]:
        """What the browser gets of it."""
        self.browser.received.clear()
        sock.sendto(packet, self.engine_side)
        self.turn()
        for data in self.arrived(self.sock):
            self.browser.receive(data)
        return list(self.browser.received)


def rtp(seq: int, payload: bytes = b"\xd5" * 160) -> bytes:
    return struct.pack("!BBHII", 0x80, 8, seq, seq * 160, 77) + payload


@pytest.fixture(params=["127.0.0.1", "::1"])
def rig(request: pytest.FixtureRequest):
    rig = Rig(request.param)
    yield rig
    rig.close()


def test_audio_goes_both_ways_untouched(rig: Rig) -> None:
    rig.connect()
    for n in range(100):
        rig.sock.sendto(rig.browser.rtp(bytes([n]) * 160), rig.web)
    rig.turn()
    came = rig.arrived(rig.rtp)
    assert [packet[12:] for packet in came] == [bytes([n]) * 160 for n in range(100)]
    assert all(packet[:2] == b"\x80\x08" for packet in came)
    for seq in range(65500, 65600):
        assert rig.from_engine(rig.rtp, rtp(seq & 0xFFFF)) == [rtp(seq & 0xFFFF)]


def test_reports_have_their_own_port(rig: Rig) -> None:
    rig.connect()
    report = struct.pack("!BBHI", 0x80, 201, 1, 77)
    rig.sock.sendto(rig.browser.protect(report), rig.web)
    rig.turn()
    assert (rig.arrived(rig.rtcp), rig.arrived(rig.rtp)) == ([report], [])
    assert rig.from_engine(rig.rtcp, report) == [report]


def test_hold_is_enforced_here(rig: Rig) -> None:
    rig.connect()
    rig.configure(may_send=False, may_receive=False)
    rig.sock.sendto(rig.browser.rtp(b"secret"), rig.web)
    rig.turn()
    assert rig.arrived(rig.rtp) == [] and rig.from_engine(rig.rtp, rtp(1)) == []
    rig.configure()
    rig.sock.sendto(rig.browser.rtp(b"open"), rig.web)
    rig.turn()
    assert [packet[12:] for packet in rig.arrived(rig.rtp)] == [b"open"]
    assert rig.from_engine(rig.rtp, rtp(2)) == [rtp(2)]


def test_junk_replays_and_strangers_change_nothing(rig: Rig) -> None:
    rig.connect()
    good = rig.browser.rtp(b"good")
    tampered = bytearray(rig.browser.rtp(b"bad"))
    tampered[14] ^= 1
    stranger = udp(rig.host)
    for data in (good, good, bytes(tampered), b"\x80" + os.urandom(40), b"\x80", b"", b"\xff" * 1500, b"\x80" * 1900):
        rig.sock.sendto(data, rig.web)
        stranger.sendto(data, rig.web)
    stranger.sendto(rtp(1), rig.engine_side)
    rig.turn()
    rig.turn()
    assert [packet[12:] for packet in rig.arrived(rig.rtp)] == [b"good"]
    assert rig.arrived(stranger) == [] and rig.arrived(rig.sock) == []
    assert rig.edge.peers.by_leg["l"].n_bad >= 4
    stranger.close()


def test_released_and_configured_again_another_leg_may_have_the_port(rig: Rig) -> None:
    rig.connect()
    rig.edge.apply(ReleasePeer("l"), 0.0)
    assert isinstance(rig.events[-1], PeerReleased)
    assert not rig.edge._places and not rig.edge._from_engine
    rig.browser = ScriptedBrowser("two", "q" * 22, IDENTITY.fingerprint)
    rig.events.clear()
    rig.arrived(rig.sock)
    rig.connect()
    assert rig.from_engine(rig.rtp, rtp(1)) == [rtp(1)]


def test_the_process_serves_the_switch_and_ends_when_asked(tmp_path: Path) -> None:
    path = str(tmp_path / "edge.sock")
    listener, web, engine = listen(path), udp(), udp()
    fds = [sock.fileno() for sock in (web, engine, listener)]
    process = subprocess.Popen(
        [sys.executable, "-m", "media.webrtc.process", "--web-fd", str(fds[0]), "--engine-fd", str(fds[1]),
         "--listener-fd", str(fds[2]), "--host", "127.0.0.1"],
        pass_fds=fds,
    )  # fmt: skip

    async def work() -> None:
        hellos: list[EdgeHello] = []
        events: list[EdgeEvent] = []
        changed = asyncio.Event()

        def note(item: object, where: list[object]) -> None:
            where.append(item)
            changed.set()

        client = EdgeClient(
            path,
            on_event=lambda event: note(event, events),  # type: ignore[arg-type]
            on_connected=lambda hello: note(hello, hellos),  # type: ignore[arg-type]
        )
        task = asyncio.create_task(client.run())
        async with asyncio.timeout(PATIENCE_S):
            while not hellos:
                changed.clear()
                await changed.wait()
            assert hellos[0].port == web.getsockname()[1] and hellos[0].pid == process.pid and client.hello == hellos[0]
            client.send(ConfigurePeer(leg="l", engine_port=20000, ufrag="u", pwd="p" * 22, fingerprints=[]))
            client.send(ReleasePeer("l"))
            while PeerReleased("l") not in events:
                changed.clear()
                await changed.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    try:
        asyncio.run(work())
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
        for sock in (listener, web, engine):
            sock.close()
