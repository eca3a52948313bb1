"""aiortc as a browser before the edge: a peer of another maker, with its own ICE, DTLS, SRTP and SDP."""

import asyncio
import contextlib
import secrets
from unittest import mock

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError

from model.webrtc import ConfigurePeer
from sip.offer_answer import Capabilities, LocalMedia, answer_offer
from sip.webrtc import LocalTransport, dress, undress

_CODECS = Capabilities(codecs=("PCMA",))
"""What the load sends."""


class AiortcBrowser:
    """Offers audio, and sends and hears it; `close` says how many packets came."""

    def __init__(self, leg: str) -> None:
        self.leg = leg
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.addTrack(AudioStreamTrack())
        self._up = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection.on("connectionstatechange", self._changed)
        self._connection.on("track", self._track)

    async def connect(self, web: tuple[str, int], fingerprint: str, engine_port: int) -> ConfigurePeer:
        """Takes the edge's answer; what the edge must be told of it."""
        # aioice leaves the loopback out, and everything happens there.
        with mock.patch("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: [web[0]]):
            await self._connection.setLocalDescription(await self._connection.createOffer())
        offer = self._connection.localDescription.sdp.encode()
        remote, plain = undress(offer, "127.0.0.1", 9)
        ufrag, pwd = secrets.token_hex(4), secrets.token_hex(12)
        answer, _ = answer_offer(plain, LocalMedia(*web, 1), _CODECS)
        local = LocalTransport(*web, fingerprint, ufrag, pwd, "passive")
        body = dress(answer, local, remote.mids).decode()
        command = ConfigurePeer(
            leg=self.leg, engine_port=engine_port, ufrag=ufrag, pwd=pwd, fingerprints=list(remote.fingerprints)
        )
        self._tasks.add(
            asyncio.create_task(self._connection.setRemoteDescription(RTCSessionDescription(sdp=body, type="answer")))
        )
        return command

    async def connected(self, within_s: float = 20.0) -> None:
        """Until DTLS is through."""
        await asyncio.wait_for(self._up.wait(), within_s)

    async def n_received(self) -> int:
        """Packets that came so far."""
        report = await self._connection.getStats()
        return sum(getattr(each, "packetsReceived", 0) for each in report.values() if each.type == "inbound-rtp")

    async def close(self) -> int:
        """How many packets came."""
        n = await self.n_received()
        await self._connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return n

    def _changed(self) -> None:
        if self._connection.connectionState == "connected":
            self._up.set()

    def _track(self, track: object) -> None:
        # Somebody must take the frames, or they pile up.
        self._tasks.add(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: object) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                await track.recv()  # type: ignore[attr-defined]
