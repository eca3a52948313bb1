"""A scripted SIP peer that writes and reads raw text, with a reader of its own: no test of the stack by the stack.

A template is SIP text with `{name}` places; line ends may be "\\n", and `Content-Length: {length}` is filled in.
Places: whatever is passed or was `set`; `{branch}` `{call_id}` `{tag}` (fresh, but the same until `new_call`), `{host}`
`{port}`; `{last:Via}`: all header lines of that name of the last message expected, as they came.
"""

import asyncio
import random
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sip.flow import Flow
from tests.harness.simnet import SimNet, SimTransports

_SHORT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "c": "content-type",
    "l": "content-length",
}


class Unexpected(AssertionError):
    """The message that came is not the one the script expects, or none came."""


@dataclass(slots=True)
class Received:
    """A message as it came."""

    text: str
    start: str
    """The start line."""
    headers: list[tuple[str, str]]
    body: str
    flow: Flow
    at: float
    seen: bool = field(default=False)

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Of the CSeq."""
        return self.header("CSeq").split()[-1]

    @property
    def summary(self) -> str:
        return f"{self.start} [CSeq {self.header('CSeq')}]"

    def all(self, name: str) -> list[str]:
        return [value for n, value in self.headers if _SHORT.get(n.lower(), n.lower()) == name.lower()]

    def header(self, name: str) -> str:
        """First value; "" when there is none."""
        return next(iter(self.all(name)), "")

    def lines(self, name: str) -> str:
        return "\r\n".join(f"{name}: {value}" for value in self.all(name))

    def tag(self, name: str) -> str:
        found = re.search(r";\s*tag=([^;>\s]+)", self.header(name).rpartition(">")[2])
        return found[1] if found else ""

    @property
    def contact_uri(self) -> str:
        found = re.search(r"<([^>]+)>", self.header("Contact"))
        return found[1] if found else self.header("Contact").split(";")[0]


def read_message(data: bytes, flow: Flow, at: float) -> Received:
    text = data.decode("utf-8", "surrogateescape")
    head, _, body = text.partition("\r\n\r\n")
    start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name.strip(), value.strip()))
    return Received(text, start, headers, body, flow, at)


class RawPeer:
    """Speaks raw text from one address; a Receiver of `SimNet` (or of anything with `send(data, flow)`)."""

    def __init__(self, net: SimNet, host: str, port: int = 5060, transport: str = "udp", **attach: Any) -> None:
        self.host, self.port = host, port
        self.transports: SimTransports = net.attach(self, (transport, host, port), **attach)
        self.transport = transport
        self.received: list[Received] = []
        """Everything that ever came, retransmissions too."""
        self.failures: list[tuple[Flow, str]] = []
        self.last: Received | None = None
        self.values: dict[str, str] = {}
        self.target: Flow | None = None
        """Where `send` goes: what was set, else where the last message came from."""
        self._inbox: deque[Received] = deque()
        self._known: set[str] = set()
        self._waiting: asyncio.Future[None] | None = None
        self._random = random.Random(f"{host}:{port}")
        self.new_call()

    # -- Receiver ------------------------------------------------------------------------------------------------------

    def receive_batch(self, batch: list[tuple[bytes, Flow]]) -> None:
        now = asyncio.get_running_loop().time()
        for data, flow in batch:
            message = read_message(data, flow, now)
            self.received.append(message)
            self._inbox.append(message)
        self._wake()

    def flow_failed(self, flow: Flow, why: str) -> None:
        self.failures.append((flow, why))
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # -- sending -------------------------------------------------------------------------------------------------------

    def new_call(self) -> None:
        """Fresh Call-ID, tag and branch."""
        self.values["call_id"] = f"{self._random.getrandbits(48):x}@{self.host}"
        self.values["tag"] = f"{self._random.getrandbits(32):x}"
        self.new_branch()

    def new_branch(self) -> str:
        self.values["branch"] = f"z9hG4bK{self._random.getrandbits(48):x}"
        return self.values["branch"]

    def set(self, **values: object) -> None:
        self.values.update({name: str(value) for name, value in values.items()})

    def render(self, template: str, **values: object) -> bytes:
        """Template to bytes. KeyError names a place nobody filled."""
        known = {"host": self.host, "port": str(self.port), "transport": self.transport.upper()}
        known |= self.values | {name: str(value) for name, value in values.items()}
        text = re.sub(r"\r?\n", "\r\n", template.lstrip("\n"))
        if "\r\n\r\n" not in text:
            text = text.rstrip("\r\n") + "\r\n\r\n"

        def place(match: re.Match[str]) -> str:
            name = match[1]
            if name == "length":
                return match[0]
            if name.startswith("last:"):
                assert self.last is not None, "nothing was expected yet"
                return self.last.lines(name[5:])
            return known[name]

        text = re.sub(r"\{(last:[A-Za-z-]+|[a-z][a-z_0-9]*)\}", place, text)
        body = text.partition("\r\n\r\n")[2].encode()
        return text.replace("{length}", str(len(body)), 1).encode("utf-8", "surrogateescape")

    def send(self, template: str, to: Flow | None = None, **values: object) -> bytes:
        """Renders and sends; returns the bytes, so that a test can send them again."""
        data = self.render(template, **values)
        self.send_bytes(data, to)
        return data

    def send_bytes(self, data: bytes, to: Flow | None = None) -> None:
        flow = to or self.target or (self.last.flow if self.last else None)
        assert flow is not None, "where to? set peer.target"
        self.transports.send(data, flow)

    def respond(
        self, request: Received, status: int, reason: str = "", *, headers: str = "", body: str = "", tag: str = ""
    ) -> bytes:
        """Answers `request` with a response made by the book (RFC 3261 §8.2.6) out of what it carried."""
        to = request.lines("To")
        if status > 100 and not request.tag("To"):
            to += f";tag={tag or self.values['tag']}"
        lines = [f"SIP/2.0 {status} {reason or 'Because'}", request.lines("Via")]
        if request.all("Record-Route"):
            lines.append(request.lines("Record-Route"))
        lines += [request.lines("From"), to, request.lines("Call-ID"), request.lines("CSeq")]
        if "contact:" not in headers.lower() and request.method in ("INVITE", "UPDATE", "SUBSCRIBE"):
            lines.append(f"Contact: <sip:{self.host}:{self.port};transport={self.transport}>")
        lines += [line for line in re.split(r"\r?\n", headers) if line]
        payload = re.sub(r"\r?\n", "\r\n", body).encode()
        if payload and "content-type:" not in headers.lower():
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(payload)}")
        data = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + payload
        self.transports.send(data, request.flow)
        return data

    # -- expecting -----------------------------------------------------------------------------------------------------

    async def expect(self, pattern: str, *, within_s: float = 40.0, ignore: str = r"^SIP/2\.0 100 ") -> Received:
        """The next new message must match `pattern` (regex, searched in "start line [CSeq n METHOD]").

        Retransmissions of what was expected before, and what matches `ignore`, are passed over. Raises `Unexpected`.
        """
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            while self._inbox:
                message = self._inbox.popleft()
                if message.text in self._known:
                    continue
                if re.search(pattern, message.summary):
                    self._known.add(message.text)
                    self.last = message
                    return message
                if ignore and re.search(ignore, message.summary):
                    continue
                raise Unexpected(f"expected {pattern!r}, got {message.summary!r}:\n{message.text}")
            if not await self._wait(deadline):
                raise Unexpected(f"expected {pattern!r} within {within_s} s, nothing came")

    async def expect_nothing(self, within_s: float = 5.0, *, ignore: str = "") -> None:
        """Nothing new may come; retransmissions of what was expected before may. Raises `Unexpected`."""
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            while self._inbox:
                message = self._inbox.popleft()
                if message.text not in self._known and not (ignore and re.search(ignore, message.summary)):
                    raise Unexpected(f"expected nothing, got {message.summary!r}")
            if not await self._wait(deadline):
                return

    async def _wait(self, deadline: float) -> bool:
        loop = asyncio.get_running_loop()
        if loop.time() >= deadline:
            return False
        self._waiting = loop.create_future()
        try:
            async with asyncio.timeout_at(deadline):
                await self._waiting
        except TimeoutError:
            return False
        finally:
            self._waiting = None
        return True

    def count(self, pattern: str) -> int:
        """How many messages of everything that ever came match (retransmissions count)."""
        return sum(1 for message in self.received if re.search(pattern, message.summary))

    async def close(self) -> None:
        await self.transports.close()
