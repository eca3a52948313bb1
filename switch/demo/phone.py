"""A real phone: an `Agent` with a socket of its own and RTP with speech-like audio."""

import random
import socket
from collections.abc import Callable

from sip.flow import Flow
from sip.net.transports import Transports
from sip.stack import Listener
from switch.demo.agent import Agent
from switch.demo.events import AddPhone, PhoneEvent
from switch.demo.phone_call import AgentSettings, Media
from switch.demo.rtp import RtpClock, RtpLine
from switch.demo.speech import hum, speak


class Phone:
    """One phone, or one carrier, on sockets. Calls are made and answered on its `agent`."""

    def __init__(self, agent: Agent, transports: Transports, address: tuple[str, int]) -> None:
        self.agent = agent
        self.address = address
        self._transports = transports

    @classmethod
    async def open(cls, wanted: AddPhone, clock: RtpClock, on_event: Callable[[PhoneEvent], None]) -> "Phone":
        """Binds its port and starts it; with a password it registers. Raises OSError when the port is taken and
        ValueError when `server` is no "transport:address:port"."""
        server = parse_flow(wanted.server)
        randomness = random.Random(f"{wanted.phone} {wanted.voice}")
        if wanted.tone_hz:
            voice = {codec: hum(wanted.tone_hz, codec=codec) for codec in wanted.codecs}
        else:
            voice = {codec: speak(wanted.voice, codec=codec) for codec in wanted.codecs}

        def make_media(call_id: str, on_digit: Callable[[str, int], None]) -> Media:
            return RtpLine(wanted.host, clock, voice, randomness=randomness, on_digit=on_digit)

        sock = bind_signalling(server.transport, wanted.host, wanted.port)
        try:
            address: tuple[str, int] = sock.getsockname()[:2]
            listener = Listener(server.transport, *address)
            settings = AgentSettings(
                name=wanted.phone,
                server=server,
                domain=wanted.domain or (f"[{server.host}]" if ":" in server.host else server.host),
                password=wanted.password,
                display=wanted.display,
                expires_s=wanted.expires_s,
                codecs=wanted.codecs,
                answer_after_s=wanted.answer_after_s,
                is_carrier=wanted.is_carrier,
            )
            agent = Agent(settings, listener, make_media, on_event, randomness)
            transports = await Transports.open([listener], agent.driver, sockets=[sock])
        except BaseException:
            sock.close()
            raise
        agent.start(transports)
        return cls(agent, transports, address)

    async def close(self) -> None:
        """Stops without telling anybody; hang up and unregister before."""
        self.agent.stop()
        await self._transports.close()


def parse_flow(text: str) -> Flow:
    """ "udp:127.0.0.1:5060" or "tcp:[::1]:5060" → Flow. Raises ValueError."""
    transport, _, rest = text.partition(":")
    host, _, port = rest.rpartition(":")
    if transport not in ("udp", "tcp") or not host or not port.isdigit():
        raise ValueError(f'"{text}" must be "transport:address:port", udp or tcp')
    return Flow(transport, host.strip("[]"), int(port))


def bind_signalling(transport: str, host: str, port: int) -> socket.socket:
    """A bound, non-blocking socket; port 0 = any free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind((host, port))
        if transport != "udp":
            sock.listen(16)
    except OSError:
        sock.close()
        raise
    return sock
