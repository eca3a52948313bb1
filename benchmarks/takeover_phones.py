"""The telephones of `benchmarks.takeover`: real SIP over the demo's agents, RTP with a tone of their own each way, and
the exact time, sequence number, timestamp and SSRC of every packet that comes.
"""

import asyncio
import random
from collections.abc import Callable

import numpy as np

from media.g711 import encoder
from sip.net.transports import Transports
from sip.offer_answer import Negotiated
from sip.stack import Listener
from switch.demo.agent import Agent
from switch.demo.events import PhoneEvent
from switch.demo.phone import bind_signalling, parse_flow
from switch.demo.phone_call import AgentSettings
from switch.demo.rtp import LineStatistics
from switch.demo.rtp_sockets import open_pair, receive, send

HOST = "127.0.0.1"
PACKET_S = 0.02
CALLER_HZ, CALLEE_HZ = 400.0, 1000.0
"""What each side says, all the time. Both fill a packet exactly, so every packet of a side is the same."""
_SAMPLES = 160


def tone(hz: float) -> bytes:
    """One packet of µ-law."""
    samples = 8000 * np.sin(2 * np.pi * hz * np.arange(_SAMPLES) / 8000)
    return encoder("PCMU")[samples.astype(np.int16).view(np.uint16)].tobytes()


class Line:
    """One call's audio at one phone."""

    def __init__(self, clock: "Clock", payload: bytes, randomness: random.Random, host: str = HOST) -> None:
        self._sockets = open_pair(host)
        self.address: tuple[str, int] = self._sockets[0].getsockname()[:2]
        self.statistics = LineStatistics()
        self.arrived: list[tuple[float, int, int, int]] = []
        """Of every RTP packet: when, sequence number, timestamp, SSRC."""
        self._clock = clock
        self._payload = payload
        self._media: Negotiated | None = None
        self._ssrc = randomness.getrandbits(32).to_bytes(4, "big")
        self._seq = randomness.getrandbits(16)
        self._ts = randomness.getrandbits(32)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sockets[0], self._read)

    def configure(self, media: Negotiated) -> None:
        self._media = media
        self._clock.lines[self] = None

    def send_digits(self, digits: str) -> None:
        raise ValueError("this phone has no keys")

    def tick(self) -> None:
        """The packet of these 20 ms."""
        media = self._media
        assert media is not None
        header = bytes((0x80, media.payload_type)) + self._seq.to_bytes(2, "big") + self._ts.to_bytes(4, "big")
        send(self._sockets[0], header + self._ssrc + self._payload, (media.remote_host, media.remote_port))
        self._seq = (self._seq + 1) & 0xFFFF
        self._ts = (self._ts + _SAMPLES) & 0xFFFFFFFF

    def close(self) -> None:
        self._clock.lines.pop(self, None)
        if self._sockets[0].fileno() >= 0:
            self._loop.remove_reader(self._sockets[0])
        for each in self._sockets:
            each.close()

    def _read(self) -> None:
        now = self._loop.time()
        while (data := receive(self._sockets[0])) is not None:
            if len(data) > 12 and data[0] >> 6 == 2:
                self.arrived.append(
                    (
                        now,
                        int.from_bytes(data[2:4], "big"),
                        int.from_bytes(data[4:8], "big"),
                        int.from_bytes(data[8:12], "big"),
                    )
                )


class Clock:
    """Lets the lines send, a tenth of them every 2 ms, so that their packets do not come all at once."""

    PARTS = 10

    def __init__(self) -> None:
        self.lines: dict[Line, None] = {}
        self.late_s_max = 0.0
        """Worst lateness: what the machine did to the phones."""

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due, part = loop.time(), 0
        while True:
            due += PACKET_S / self.PARTS
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            self.late_s_max = max(self.late_s_max, loop.time() - due)
            for line in list(self.lines)[part :: self.PARTS]:
                line.tick()
            part = (part + 1) % self.PARTS


class Telephone:
    """A registered phone, or with `is_carrier` one that answers every call at once."""

    def __init__(self, agent: Agent, transports: Transports) -> None:
        self.agent = agent
        self._transports = transports

    @classmethod
    async def open(
        cls,
        name: str,
        server: str,
        clock: Clock,
        on_event: Callable[[PhoneEvent], None],
        lines: dict[str, Line],
        *,
        password: str = "",
        port: int = 0,
    ) -> "Telephone":
        """`lines` gets the audio of its calls, by call id at the phone. Raises OSError when the port is taken."""
        randomness = random.Random(name)
        payload = tone(CALLER_HZ if password else CALLEE_HZ)

        def make_media(call_id: str, on_digit: Callable[[str, int], None]) -> Line:
            lines[call_id] = Line(clock, payload, randomness)
            return lines[call_id]

        flow = parse_flow(server)
        sock = bind_signalling("udp", HOST, port)
        try:
            listener = Listener("udp", *sock.getsockname()[:2])
            settings = AgentSettings(
                name=name,
                server=flow,
                domain=flow.host,
                password=password,
                codecs=("PCMU",),
                answer_after_s=-1.0 if password else 0.0,
                is_carrier=not password,
            )
            agent = Agent(settings, listener, make_media, on_event, randomness)
            transports = await Transports.open([listener], agent.driver, sockets=[sock])
        except BaseException:
            sock.close()
            raise
        agent.start(transports)
        return cls(agent, transports)

    async def close(self) -> None:
        self.agent.stop()
        await self._transports.close()
