"""A media worker in a process of its own, its switch side and phones with plain sockets: for tests on loopback."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from model.media import Command, ConfigureLeg, ConnectMatrix, Edge, Event, Hello

TIMEOUT_S = 20.0


def bind_pairs(n: int, host: str = "127.0.0.1") -> list[socket.socket]:
    """2n bound sockets: even RTP port, its odd neighbour, and so on."""
    found: list[socket.socket] = []
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while len(found) < 2 * n:
        rtp = socket.socket(family, socket.SOCK_DGRAM)
        rtcp = socket.socket(family, socket.SOCK_DGRAM)
        rtp.bind((host, 0))
        port = rtp.getsockname()[1]
        try:
            if port % 2:
                raise OSError("odd")
            rtcp.bind((host, port + 1))
        except OSError:
            rtp.close()
            rtcp.close()
            continue
        found += [rtp, rtcp]
    return found


class SwitchSide:
    """The switch's end of the link."""

    def __init__(self, path: str) -> None:
        self._decoder = msgspec.msgpack.Decoder(Event)
        self._buffer = bytearray()
        self.events: list[Any] = []
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self.hello: Hello = self.wait(Hello)

    def send(self, *commands: Command) -> None:
        for command in commands:
            body = msgspec.msgpack.encode(command)
            self.socket.sendall(len(body).to_bytes(4, "big") + body)

    def wait(self, kind: type, check: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first event of `kind` that has come or will, taken out of `events`."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            for i, event in enumerate(self.events):
                if isinstance(event, kind) and check(event):
                    return self.events.pop(i)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise AssertionError(f"no {kind.__name__}; there are {self.events}")
            self._read()

    def pump(self) -> None:
        """Takes what has come, waiting for nothing."""
        while select.select([self.socket], [], [], 0)[0]:
            self._read()

    def _read(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the worker closed the link")
        self._buffer += data
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if len(self._buffer) < 4 + length:
                return
            self.events.append(self._decoder.decode(self._buffer[4 : 4 + length]))
            del self._buffer[: 4 + length]

    def close(self) -> None:
        self.socket.close()


class Worker:
    """`with Worker(n_ports) as worker:`; `worker.switch` is connected, `worker.ports` are its RTP ports."""

    def __init__(self, n_ports: int = 4, *extra: str, host: str = "127.0.0.1") -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        self.path = str(self.folder / "w.sock")
        self._sockets = bind_pairs(n_ports, host)
        # Consecutive descriptors high above pytest's own.
        first = 200
        high = []
        for i, sock in enumerate(self._sockets):
            os.dup2(sock.fileno(), first + i, inheritable=True)
            high.append(first + i)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "media.worker", "--name", "w0", "--socket", self.path),
                *("--rtp-fds", f"{first}:{len(high)}", "--priority", "none", *extra),
            ],
            pass_fds=high,
            cwd=Path(__file__).parents[2],
        )
        for fd in high:
            os.close(fd)
        self.switch = SwitchSide(self.path)
        self.ports = self.switch.hello.ports

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.switch.close()
        while Phone.made:
            Phone.made.pop().close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for sock in self._sockets:
            sock.close()
        self._folder.cleanup()

    def reconnect(self) -> SwitchSide:
        self.switch.close()
        self.switch = SwitchSide(self.path)
        return self.switch


class Phone:
    """An RTP endpoint: sends packets with its own SSRC, collects what comes. `Worker` closes it at the latest."""

    made: ClassVar[list["Phone"]] = []

    def __init__(self, payload_type: int = 0, host: str = "127.0.0.1", ssrc: int = 0x1234) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.host, self.port = self.socket.getsockname()[:2]
        self.payload_type = payload_type
        self.ssrc = ssrc
        self.seq = 65530  # wraps early on
        self.ts = 0xFFFFFF00
        self.target: tuple[str, int] = ("", 0)
        self.received: list[bytes] = []
        self.made.append(self)

    def send(self, payload: bytes, *, payload_type: int | None = None, marker: bool = False, step: int = -1) -> bytes:
        """Sends one packet and moves on by its length (or `step` timestamp units)."""
        packet = self.packet(payload, payload_type=payload_type, marker=marker)
        self.socket.sendto(packet, self.target)
        self.seq = (self.seq + 1) & 0xFFFF
        self.ts = (self.ts + (len(payload) if step < 0 else step)) & 0xFFFFFFFF
        return packet

    def packet(self, payload: bytes, *, payload_type: int | None = None, marker: bool = False) -> bytes:
        kind = self.payload_type if payload_type is None else payload_type
        return (
            bytes((0x80, kind | (0x80 if marker else 0)))
            + self.seq.to_bytes(2, "big")
            + self.ts.to_bytes(4, "big")
            + self.ssrc.to_bytes(4, "big")
            + payload
        )

    def wait_for(self, n: int) -> list[bytes]:
        """Waits until `n` packets have come in all; they are in `received`."""
        deadline = time.monotonic() + TIMEOUT_S
        while len(self.received) < n:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise AssertionError(f"{len(self.received)} packets came, not {n}")
            self.received.append(self.socket.recv(2048))
        return self.received

    def collect(self) -> list[bytes]:
        """Takes what has come, waiting for nothing; `received`."""
        while select.select([self.socket], [], [], 0)[0]:
            with contextlib.suppress(ConnectionError):
                self.received.append(self.socket.recv(2048))
        return self.received

    def drain(self) -> list[bytes]:
        """All that has come, and forgets it."""
        self.collect()
        taken, self.received = self.received, []
        return taken

    def close(self) -> None:
        self.socket.close()


def configure(worker: Worker, phone: Phone, leg: str, port_index: int, **more: Any) -> ConfigureLeg:
    """The command that puts `phone` on leg `leg`; the phone learns its target."""
    port = worker.ports[port_index]
    phone.target = (phone.host, port)
    settings: dict[str, Any] = {
        "session": "s1",
        "payload_type": phone.payload_type,
        "codec": "PCMA" if phone.payload_type == 8 else "PCMU",
        "remote_host": phone.host,
        "remote_port": phone.port,
    }
    return ConfigureLeg(leg=leg, port=port, **(settings | more))


def bridge(*pairs: tuple[str, str], session: str = "s1", gain: float = 1.0) -> ConnectMatrix:
    """Both legs of each pair hear each other."""
    edges = [edge for a, b in pairs for edge in (Edge(a, b, gain), Edge(b, a, gain))]
    return ConnectMatrix(session=session, edges=edges)


def fields(packet: bytes) -> tuple[int, int, int, int, bytes]:
    """(payload type with marker bit, sequence number, timestamp, SSRC, payload)."""
    return (
        packet[1],
        int.from_bytes(packet[2:4], "big"),
        int.from_bytes(packet[4:8], "big"),
        int.from_bytes(packet[8:12], "big"),
        packet[12:],
    )
