"""A phone, or a carrier, in virtual time: the demo's `Agent` over `SimNet`, with audio that is only noted, not sent."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from sip.flow import Flow
from sip.offer_answer import Negotiated
from sip.stack import Listener
from switch.demo.agent import Agent
from switch.demo.events import PhoneEvent
from switch.demo.phone_call import AgentSettings, PhoneCall
from switch.demo.rtp import LineStatistics
from tests.harness.nat import Nat
from tests.harness.simnet import SimNet


class SilentMedia:
    """Keeps what the audio would have been told to do."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.statistics = LineStatistics()
        self.configured: list[Negotiated] = []
        self.is_closed = False

    def configure(self, media: Negotiated) -> None:
        self.configured.append(media)

    def send_digits(self, digits: str) -> None:
        self.statistics.digits_sent += digits

    def close(self) -> None:
        self.is_closed = True


class SimPhone:
    """`SimPhone(net, "10.0.0.7", "1001", server, password=…)`; more keywords go to `AgentSettings`.

    `events` holds all that happened; `wait` waits for what is to come. Close it at the end of the test.
    """

    def __init__(
        self,
        net: SimNet,
        host: str,
        name: str,
        server: Flow,
        *,
        port: int = 5060,
        nat: Nat | None = None,
        seed: int = 1,
        **settings: Any,
    ) -> None:
        self.name = name
        self.events: list[PhoneEvent] = []
        self.media: dict[str, SilentMedia] = {}
        """By id of the call."""
        self._net = net
        self._host = host
        self._next_port = 40_000
        self._read = 0
        self._waiting: asyncio.Future[None] | None = None
        settings.setdefault("domain", server.host)
        self.agent = Agent(
            AgentSettings(name=name, server=server, **settings),
            Listener(server.transport, host, port),
            self._make_media,
            self._on_event,
            random.Random(f"{seed} {name} {host}"),
        )
        self.transports = net.attach(self.agent.driver, (server.transport, host, port), nat=nat)
        self.agent.start(self.transports)

    # -- what happens --------------------------------------------------------------------------------------------------

    async def wait(self, event: str, *, within_s: float = 60.0, call: str = "") -> PhoneEvent:
        """The next event of that name after the last one waited for; others on the way are passed over.

        Raises AssertionError when it does not come within `within_s` virtual seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while True:
            while self._read < len(self.events):
                told = self.events[self._read]
                self._read += 1
                if told.event == event and (not call or told.call == call):
                    return told
            self._waiting = loop.create_future()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._waiting
            except TimeoutError:
                seen = [told.event for told in self.events]
                raise AssertionError(f"{self.name}: no {event!r} within {within_s} s; there were {seen}") from None
            finally:
                self._waiting = None

    async def registered(self) -> None:
        if not self.agent.is_registered:
            await self.wait("registered")

    @property
    def the_call(self) -> PhoneCall:
        """The only call it has."""
        (call,) = self.agent.calls.values()
        return call

    def media_of(self, call: str) -> SilentMedia:
        return self.media[call]

    def names(self) -> list[str]:
        return [event.event for event in self.events]

    # -- doing ---------------------------------------------------------------------------------------------------------

    def call(self, number: str, **options: str) -> PhoneCall:
        return self.agent.call(number, **options)

    async def talk_to(self, number: str, callee: "SimPhone") -> tuple[PhoneCall, PhoneCall]:
        """Calls and waits until `callee`, which must answer by itself, and this phone are connected."""
        mine = self.call(number)
        told = await callee.wait("answered")
        await self.wait("answered")
        return mine, callee.agent.calls[told.call]

    async def close(self) -> None:
        """Stops without telling anybody."""
        self.agent.stop()
        await self.transports.close()

    # -- wiring --------------------------------------------------------------------------------------------------------

    def _make_media(self, call_id: str, on_digit: Callable[[str, int], None]) -> SilentMedia:
        self._next_port += 2
        media = self.media[call_id] = SilentMedia((self._host, self._next_port))
        return media

    def _on_event(self, event: PhoneEvent) -> None:
        self.events.append(event)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
