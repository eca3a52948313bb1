"""A browser in virtual time: a `SimPhone` by WebSocket whose descriptions wear a browser's coat on the wire, and the
edge's process as the switch sees it, with audio that is only noted."""

import re
from typing import Any

from model.webrtc import ConfigurePeer, EdgeCommand, EdgeEvent, EdgeHello, PeerConnected, PeerReleased, ReleasePeer
from sip.flow import Flow
from sip.webrtc import undress
from tests.harness.sim_phone import SimPhone
from tests.harness.sim_switch import HOST, PASSWORD, SimSwitch

EDGE_HOST, EDGE_PORT = "10.0.0.1", 3480
ENGINE_SIDE = ("127.0.0.1", 41000)
LISTEN = f'[sip]\nlisten = ["udp:{HOST}:5060", "tcp:{HOST}:5060", "ws:{HOST}:5066"]\n'


class SimEdge:
    """In the place of the edge's process: answers what it is told as if every browser connected at once."""

    def __init__(self, switch: SimSwitch, fingerprint: str = "AA") -> None:
        self._switch = switch
        self.commands: list[EdgeCommand] = []
        self.peers: dict[str, ConfigurePeer] = {}
        self.is_connecting = True
        switch.core.browser_edge.browsers.send_by(self._take)
        self.start(fingerprint)

    def start(self, fingerprint: str) -> None:
        """A process of the edge is up; it has no peers."""
        self.peers.clear()
        hello = EdgeHello(
            version=1, fingerprint=":".join([fingerprint] * 32), host=EDGE_HOST, port=EDGE_PORT,
            engine_host=ENGINE_SIDE[0], engine_port=ENGINE_SIDE[1],
        )  # fmt: skip
        self._switch.core.browser_edge.greeted(hello)

    def tell(self, event: EdgeEvent) -> None:
        self._switch.loop.call_later(0.01, self._switch.core.browser_edge.receive, event)

    def _take(self, command: EdgeCommand) -> None:
        self.commands.append(command)
        match command:
            case ConfigurePeer(leg=leg):
                before = self.peers.get(leg)
                self.peers[leg] = command
                is_new = before is None or before.association != command.association
                if is_new and command.fingerprints and self.is_connecting:
                    self.tell(PeerConnected(leg, "192.0.2.1:5000", "SRTP_AEAD_AES_128_GCM"))
            case ReleasePeer(leg=leg):
                if self.peers.pop(leg, None) is not None:
                    self.tell(PeerReleased(leg))


class SimBrowser(SimPhone):
    """`coat` is what it says of itself; `theirs` are the session descriptions that came, as they came."""

    def __init__(self, switch: SimSwitch, number: str, host: str, **settings: Any) -> None:
        self.theirs: list[str] = []
        self.ufrag, self.fingerprint = "page", ":".join(["BB"] * 32)
        self.setup = "actpass"
        super().__init__(switch.net, host, number, Flow("ws", HOST, 5066), password=PASSWORD, domain=HOST, **settings)
        driver = self.agent.driver
        plain_receive, plain_send = driver.receive_batch, self.transports.send

        def receive(batch: list[tuple[bytes, Flow]]) -> None:
            plain_receive([(self._without_coat(data), flow) for data, flow in batch])

        driver.receive_batch = receive  # type: ignore[method-assign]
        self.transports.send = lambda data, flow: plain_send(self._with_coat(data), flow)  # type: ignore[method-assign]

    @property
    def last_offer(self) -> str:
        return self.theirs[-1]

    def _with_coat(self, data: bytes) -> bytes:
        if not self._has_sdp(data):
            return data
        text = self._body(data).decode()
        setup = "active" if data.startswith(b"SIP/2.0") else self.setup
        coat = (
            f"a=mid:0\r\na=rtcp-mux\r\na=ice-ufrag:{self.ufrag}\r\na=ice-pwd:{'p' * 24}\r\n"
            f"a=fingerprint:sha-256 {self.fingerprint}\r\na=setup:{setup}\r\n"
        )
        text = re.sub(r"m=audio \d+ RTP/AVP (.*)\r\n", rf"m=audio 9 UDP/TLS/RTP/SAVPF \1\r\n{coat}", text)
        text = text.replace("t=0 0\r\n", "t=0 0\r\na=group:BUNDLE 0\r\n")
        return self._with_body(data, re.sub(r"c=IN IP4 \S+", "c=IN IP4 0.0.0.0", text).encode())

    def _without_coat(self, data: bytes) -> bytes:
        if not self._has_sdp(data):
            return data
        body = self._body(data)
        self.theirs.append(body.decode())
        assert b"a=ice-lite\r\n" in body and b"a=ssrc" not in body
        return self._with_body(data, undress(body.replace(b"a=setup:passive", b"a=setup:active"), "10.0.0.9", 9000)[1])

    @staticmethod
    def _has_sdp(data: bytes) -> bool:
        return b"\r\n\r\nv=0" in data

    @staticmethod
    def _body(data: bytes) -> bytes:
        return data.partition(b"\r\n\r\n")[2]

    @staticmethod
    def _with_body(data: bytes, body: bytes) -> bytes:
        head = data.partition(b"\r\n\r\n")[0]
        head = re.sub(rb"(?i)(Content-Length|l): *\d+", b"Content-Length: %d" % len(body), head)
        return head + b"\r\n\r\n" + body
