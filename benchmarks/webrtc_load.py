"""The scripted world around the edge's process: browsers before it, a media engine behind it, packets counted.

Everything is one loop with a tick of a millisecond: each stream has its packet every twentieth of them, and the streams
are spread evenly, so that the edge sees packets come as they do from many browsers.
"""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from media.link import listen
from media.webrtc.client import EdgeClient
from media.webrtc.dtls import Identity
from model.webrtc import ConfigurePeer, ReleasePeer
from tests.harness.browser import ScriptedBrowser

TICK_S = 0.001
TICKS_A_PACKET = 20
SILENCE = b"\xd5" * 160
CONNECT_S = 10.0
_HOST = "127.0.0.1"
_HEAD = struct.Struct("!BBHII")


class Line:
    """One leg: a browser's socket and the engine's, and what went between them."""

    def __init__(self, leg: str, identity: Identity, web: tuple[str, int], fingerprint: str) -> None:
        self.leg = leg
        self.identity = identity
        self.fingerprint = fingerprint
        self.association = 0
        self.web = web
        self.engine = _even_udp()
        self.engine_port = int(self.engine.getsockname()[1])
        self.seq = 0
        self.n_engine_sent = self.n_engine_got = self.n_browser_sent = self.n_browser_got = 0
        self.is_open = False
        self.new_browser()

    def new_browser(self) -> None:
        """A page's fresh connection."""
        name = f"{self.leg}x{self.association}"
        self.browser: Any = ScriptedBrowser(name, "p" * 24, self.fingerprint, self.identity)
        self.sock = _udp()
        self.is_open = False
        self.heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    @property
    def command(self) -> ConfigurePeer:
        return ConfigurePeer(
            leg=self.leg,
            engine_port=self.engine_port,
            ufrag=self.browser.remote_ufrag,
            pwd=self.browser.remote_pwd,
            fingerprints=[("sha-256", self.identity.fingerprint)],
            association=self.association,
        )

    def browser_readable(self) -> None:
        while True:
            try:
                data = self.sock.recv(2048)
            except BlockingIOError:
                return
            for each in self.browser.receive(data):
                self.sock.sendto(each, self.web)
            if self.browser.received:
                self.n_browser_got += len(self.browser.received)
                self.browser.received.clear()
                if not self.heard.done():
                    self.heard.set_result(asyncio.get_running_loop().time())

    def engine_readable(self) -> None:
        while True:
            try:
                self.engine.recv(2048)
            except BlockingIOError:
                return
            self.n_engine_got += 1

    def engine_sends(self, edge: tuple[str, int]) -> None:
        self.seq = (self.seq + 1) & 0xFFFF
        self.engine.sendto(_HEAD.pack(0x80, 8, self.seq, self.seq * 160 & 0xFFFFFFFF, 77) + SILENCE, edge)
        self.n_engine_sent += self.is_open

    def browser_sends(self) -> None:
        if self.browser.is_connected:
            self.sock.sendto(self.browser.rtp(SILENCE), self.web)
            self.n_browser_sent += self.is_open


class Field:
    """The edge's process and every line. `async with Field() as field`."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.n_aiortc_packets = 0
        self._is_sending = False
        self._aiortc: list[object] = []
        self._identities: list[Identity] = []

    async def __aenter__(self) -> "Field":
        self._stack = contextlib.AsyncExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ringback-bench-")))
        path = str(folder / "edge.sock")
        listener, web, engine = listen(path), _udp(), _udp()
        fds = [sock.fileno() for sock in (web, engine, listener)]
        command = [sys.executable, "-m", "media.webrtc.process", "--host", _HOST, "--log-level", "WARNING"]
        for name, fd in zip(("--web-fd", "--engine-fd", "--listener-fd"), fds, strict=True):
            command += [name, str(fd)]
        self._process = await asyncio.create_subprocess_exec(*command, pass_fds=fds)
        self.pid = self._process.pid
        for sock in (listener, web, engine):
            sock.close()
        self._client = EdgeClient(path, on_event=lambda event: None)
        self._running = asyncio.create_task(self._client.run())
        await self._client.wait_until_up(CONNECT_S)
        hello = self._client.hello
        assert hello is not None
        self.web, self.edge, self.fingerprint = (hello.host, hello.port), (_HOST, hello.engine_port), hello.fingerprint
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        await self._process.wait()
        await self._stack.aclose()

    # -- connecting ----------------------------------------------------------------------------------------------------

    async def connect(self, n: int) -> None:
        """So many browsers, a few at a time."""
        for _ in range(n):
            await self._open(self._line())
        for line in self.lines:
            line.is_open = True

    async def open_more(self, n: int) -> list[float]:
        """Opens and closes so many connections under load, one after the other; milliseconds until each heard audio."""
        took = []
        for _ in range(n):
            line = self._line()
            took.append(await self._open(line))
            self._client.send(ReleasePeer(line.leg))
            self._drop(line)
            self.lines.remove(line)
        return took

    async def reload(self, n: int) -> list[float]:
        """Pages of lines that are up are loaded again; milliseconds until each heard audio again."""
        took = []
        for line in self.lines[:n]:
            line.is_open = False
            asyncio.get_running_loop().remove_reader(line.sock)
            line.sock.close()
            line.association += 1
            line.new_browser()
            took.append(await self._open(line))
        return took

    async def connect_aiortc(self, n: int) -> None:
        """Browsers of another maker; they prove that what is measured is what such a one gets, too."""
        from benchmarks.webrtc_aiortc import AiortcBrowser

        for _ in range(n):
            line = self._line()
            browser = AiortcBrowser(line.leg)
            command = await browser.connect(self.web, self.fingerprint, line.engine_port)
            self._client.send(command)
            await browser.connected()
            line.browser = browser
            self._aiortc.append(browser)

    def _line(self) -> Line:
        # Making a certificate is the browser's work, done before.
        identity = Identity()
        line = Line(f"leg{len(self.lines)}-{os.urandom(3).hex()}", identity, self.web, self.fingerprint)
        self.lines.append(line)
        asyncio.get_running_loop().add_reader(line.engine, line.engine_readable)
        return line

    async def _open(self, line: Line) -> float:
        loop = asyncio.get_running_loop()
        loop.add_reader(line.sock, line.browser_readable)
        began = loop.time()
        self._client.send(line.command)
        pacing = None if self._is_sending else asyncio.create_task(self._send_until_heard(line))
        # A check that is lost is made again, as browsers do.
        while not line.heard.done():
            if not line.browser.answers:
                line.sock.sendto(line.browser.check(), line.web)
            await asyncio.wait([line.heard], timeout=0.05)
            if loop.time() - began > CONNECT_S:
                raise TimeoutError(f"{line.leg} does not connect")
        if pacing is not None:
            pacing.cancel()
            await asyncio.gather(pacing, return_exceptions=True)
        return (line.heard.result() - began) * 1000

    async def _send_until_heard(self, line: Line) -> None:
        while True:
            line.engine_sends(self.edge)
            await asyncio.sleep(TICK_S * TICKS_A_PACKET)

    # -- load ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Audio flows on all lines."""
        self._is_sending = True
        for line in self.lines:
            line.is_open = True
            line.n_engine_sent = line.n_engine_got = line.n_browser_sent = line.n_browser_got = 0
        self._sending = asyncio.create_task(self._send())

    async def stop(self) -> None:
        """No more audio; what is under way arrives."""
        if not self._is_sending:
            return
        self._is_sending = False
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        await asyncio.sleep(0.2)
        self._counted = [
            (line.n_engine_sent - line.n_browser_got, line.n_browser_sent - line.n_engine_got)
            for line in self.lines
            if line.association == 0 and isinstance(line.browser, ScriptedBrowser)
        ]
        self.n_sent = sum(line.n_engine_sent + line.n_browser_sent for line in self.lines)
        for browser in self._aiortc:
            self.n_aiortc_packets += await browser.close()  # type: ignore[attr-defined]
        self._aiortc.clear()
        for line in self.lines:
            self._drop(line)

    @property
    def n_lost(self) -> int:
        """Of the lines that were up all the time."""
        return sum(max(towards, 0) + max(from_, 0) for towards, from_ in self._counted)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        tick = 0
        while True:
            for line in self.lines[tick % TICKS_A_PACKET :: TICKS_A_PACKET]:
                line.engine_sends(self.edge)
                if isinstance(line.browser, ScriptedBrowser):
                    line.browser_sends()
            tick += 1
            await asyncio.sleep(max(0.0, began + tick * TICK_S - loop.time()))

    def _drop(self, line: Line) -> None:
        loop = asyncio.get_running_loop()
        for sock in (line.sock, line.engine):
            loop.remove_reader(sock)
            sock.close()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many percent are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * share / 100 + 0.5) - 1)]


def _even_udp() -> socket.socket:
    """As the engine's ports are: the odd one above is the leg's own, for RTCP."""
    while (sock := _udp()).getsockname()[1] % 2:
        sock.close()
    return sock


def _udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind((_HOST, 0))
    sock.setblocking(False)
    return sock
