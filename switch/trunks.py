"""Trunks: where they are (DNS, looked up again and again), registering with those that want it, and asking those that
are qualified whether they are there."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from model import events
from model.declare import Event
from sip import actions as sip
from sip.credentials import Credentials
from sip.flow import Flow
from sip.registration import Backoff, RegistrationClient
from switch.actions import DoubtTrunk
from switch.config_trunks import Trunk
from switch.directory import Directory, TrunkState
from switch.qualifier import Qualifier
from switch.runtime import Runtime

log = logging.getLogger(__name__)

RESOLVE_EVERY_S = 60.0
BACKOFF = Backoff(base_s=4.0, max_s=120.0)
"""A trunk that is down is missed by customers: tried again sooner than RFC 5626 asks of phones."""
UNREGISTER_S = 1.0
"""How long the end waits for answers to the last REGISTERs."""


class Lookup(Protocol):
    """Where a SIP URI leads (sip.net.dns.Resolver)."""

    def try_literal(self, uri: str, *, listener: int = 0) -> list[Flow] | None: ...
    async def resolve(self, uri: str, *, deadline_s: float = 3.0, listener: int = 0) -> list[Flow]: ...


class NamesServers(Protocol):
    """Which name a TLS server's certificate must have (sip.net.transports.Transports)."""

    def set_server_name(self, flow: Flow, name: str) -> None: ...


class Trunks:
    """State of all trunks. `keep_resolved` and `close` are its only waiting parts."""

    def __init__(
        self,
        runtime: Runtime,
        directory: Directory,
        resolver: Lookup,
        publish: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        self.deadline: float | None = None
        """Of the registration that is due first."""
        self._clock = clock
        self._runtime = runtime
        self._directory = directory
        self._resolver = resolver
        self._publish = publish
        self._transports: NamesServers | None = None
        self._clients: dict[str, RegistrationClient] = {}
        self._answered = asyncio.Event()
        self._qualifier = Qualifier(directory.trunks)
        runtime.also_perform(DoubtTrunk, self._doubt)

    def _note_deadline(self) -> None:
        deadlines = [client.deadline for client in self._clients.values()] + [self._qualifier.deadline]
        self.deadline = min((each for each in deadlines if each is not None), default=None)

    def use_transports(self, transports: NamesServers) -> None:
        self._transports = transports

    def resolve_literals(self) -> None:
        """Trunks given by IP address are known before the first datagram is read."""
        for trunk in self._directory.trunks.values():
            flows = self._resolver.try_literal(trunk_uri(trunk.config), listener=trunk.config.listener)
            if flows:
                self._directory.trunk_resolved(trunk.config.name, flows)

    async def keep_resolved(self) -> None:
        """Looks every trunk up, now and every minute; runs until cancelled."""
        while True:
            for trunk in list(self._directory.trunks.values()):
                await self._resolve(trunk)
            await asyncio.sleep(RESOLVE_EVERY_S)

    async def _resolve(self, trunk: TrunkState) -> None:
        config = trunk.config
        uri = trunk_uri(config)
        flows = await self._resolver.resolve(uri, listener=config.listener)
        if not flows and trunk.flows:
            # An old address that works beats a resolver that does not.
            log.warning(
                "! trunk %s: %s does not resolve now; keeping %s", config.name, config.host, trunk.flows[0].host
            )
            return
        if config.transport == "tls" and self._transports is not None:
            for flow in flows:
                self._transports.set_server_name(flow, config.host)
        trunk.error = "" if flows else f"{config.host} does not resolve"
        before = trunk.state
        self._directory.trunk_resolved(config.name, flows)
        self._watch(trunk)
        if config.register and flows and config.name not in self._clients:
            self._start_registering(trunk)
        self._note_state(trunk, before)

    def _watch(self, trunk: TrunkState) -> None:
        now = self._clock()
        self._qualifier.watch(trunk.config.name, now)
        self._note_deadline()
        self._runtime.extra_changed()
        self._runtime.rearm(now)

    def _doubt(self, action: DoubtTrunk, now: float) -> None:
        self._qualifier.hurry(action.trunk, now)
        self._note_deadline()
        self._runtime.extra_changed()

    def _ask(self, now: float) -> None:
        """Sends the OPTIONS that are due; who did not answer in time is noted."""
        before = {name: trunk.state for name, trunk in self._directory.trunks.items()}
        for probe in self._qualifier.poll(now):
            config = self._directory.trunks[probe.trunk].config
            uri = trunk_uri(config)
            host = self._runtime.legs.local_host(probe.flow)
            token, actions = self._runtime.stack.request(
                "OPTIONS",
                uri,
                flow=probe.flow,
                from_=f"<sip:{host}>",
                to=f"<{uri}>",
                now=now,
                headers="Accept: application/sdp\r\n",
            )
            self._qualifier.asked(probe, token, now)
            self._runtime.perform_sip(actions, now)
        for name, state in before.items():
            self._note_state(self._directory.trunks[name], state)

    def _start_registering(self, trunk: TrunkState) -> None:
        config = trunk.config
        host = self._runtime.legs.local_host(trunk.flows[0])
        transport = f";transport={config.transport}" if config.transport != "udp" else ""
        client = RegistrationClient(
            aor=f"sip:{config.username}@{config.host}",
            registrar=trunk_uri(config),
            contact=f"sip:{config.username}@{host}{transport}",
            token=self._runtime.calls.env.ids.token,
            flow=trunk.flows[0],
            credentials=Credentials(config.username, config.password, realm=config.realm, audience=trunk.audience),
            expires_s=config.expires_s,
            backoff=BACKOFF,
        )
        self._clients[config.name] = client
        now = self._clock()
        self._runtime.perform_sip(client.start(self._runtime.stack, now), now)
        self._note_deadline()
        self._runtime.extra_changed()
        self._runtime.rearm(now)

    def handle_timeout(self, now: float) -> None:
        """Refreshes and retries what is due."""
        for name, client in self._clients.items():
            trunk = self._directory.trunks[name]
            if trunk.flows:
                client.flow = trunk.flows[0]
            self._runtime.perform_sip(client.poll(self._runtime.stack, now), now)
        self._ask(now)
        self._note_deadline()

    def request_done(self, action: sip.RequestDone, now: float) -> None:
        """The answer to one of our REGISTERs or OPTIONS."""
        asked = self._qualifier.asked_for(action.token)
        if asked:
            before = self._directory.trunks[asked].state
            self._qualifier.answered(action.token, action.response.status if action.response else 503, now)
            self._note_state(self._directory.trunks[asked], before)
            self._note_deadline()
            return
        for name, client in self._clients.items():
            before = self._directory.trunks[name].state
            self._runtime.perform_sip(client.on_done(self._runtime.stack, action, now), now)
            trunk = self._directory.trunks[name]
            trunk.registration = {"registered": "registered", "failing": "rejected"}.get(client.state, "registering")
            trunk.error = client.reason
            trunk.service_route = client.service_route
            self._note_state(trunk, before)
        self._note_deadline()
        self._answered.set()

    def flow_failed(self, flow: Flow, now: float) -> None:
        for client in self._clients.values():
            client.flow_failed(flow, now)
        self._note_deadline()

    def _note_state(self, trunk: TrunkState, before: str) -> None:
        state, name = trunk.state, trunk.config.name
        if state == before and trunk.since_utc:
            return
        wall = self._runtime.calls.env.wall(self._clock())
        down_s = wall - trunk.since_utc if trunk.since_utc else 0.0
        was_up = trunk.since_utc and before == "up"
        trunk.since_utc = wall
        log.info("= trunk %s: %s %s", name, state, trunk.reason)
        self._publish(events.TrunkStateChanged(trunk=name, state=state, reason=trunk.reason))
        if state == "up":
            self._publish(events.TrunkUp(trunk=name, down_s=down_s))
        elif was_up:
            self._publish(events.TrunkDown(trunk=name, reason=trunk.reason))

    async def close(self) -> None:
        """Unregisters; waits a moment for the answers."""
        now = self._clock()
        for client in self._clients.values():
            self._runtime.perform_sip(client.stop(self._runtime.stack, now), now)
        self._note_deadline()
        self._runtime.rearm(now)
        try:
            async with asyncio.timeout(UNREGISTER_S):
                while any(client.state != "stopped" for client in self._clients.values()):
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            log.warning("! some trunk did not answer that we unregister")


def trunk_uri(config: Trunk) -> str:
    """The trunk as a SIP URI, for look-ups and REGISTER."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    port = f":{config.port}" if config.port else ""
    transport = f";transport={config.transport}" if config.transport != "udp" or config.port else ""
    return f"sip:{host}{port}{transport}"
