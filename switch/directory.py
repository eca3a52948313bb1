"""What the switch knows in memory: extensions, trunks, access numbers, routes. Changed live, asked on every call.

Pure: no I/O. Filled from the configuration and from storage; `trunk_by_address` answers who is calling.
"""

import ipaddress
from collections.abc import Callable, Iterable

import msgspec

from sip.flow import Flow
from switch.config import Config
from switch.config_trunks import AccessNumber, Route, Trunk
from switch.outbound_policy import OutboundPolicy
from switch.patterns import PatternTable


class ExtensionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An extension as calls see it. The password is not here, only what digest needs of it (RFC 7616 §3.4.2)."""

    number: str
    ha1_md5: str
    ha1_sha256: str
    name: str = ""
    caller_id: str = ""
    ring_timeout_s: float = 0.0
    busy_to: str = ""
    no_answer_to: str = ""
    always_to: str = ""
    has_call_waiting: bool = True
    pickup_group: str = ""
    may_call_external: bool = True
    may_call_international: bool = False
    max_outbound_calls: int = 0
    max_outbound_calls_per_day: int = 0
    max_outbound_minutes_per_day: int = 0
    """0: as `[outbound]` says."""
    is_recorded: bool = True
    recording_format: str = ""
    recording_channels: str = ""
    """As `[recording]` says where they are empty."""
    is_enabled: bool = True
    media: str = "relay"
    codecs: tuple[str, ...] = ()
    srtp: str = ""
    dtmf: str = "auto"
    watched_by: tuple[str, ...] = ()
    """Who may watch its calls and presence; empty: as configured for all."""
    source: str = "file"
    """file: from the configuration (read-only by API); database: made by API."""


class TrunkState(msgspec.Struct, kw_only=True):
    """A trunk and what is known of it now."""

    config: Trunk
    flows: list[Flow] = []
    """Where its calls go, in order of preference (RFC 3263); empty while unknown."""
    sources: frozenset[tuple[str, int]] = frozenset()
    """(ip, port) its calls come from; port 0 = any."""
    n_calls: int = 0
    calls_total: int = 0
    calls_failed: int = 0
    """Calls to it that it refused or that could not be sent."""
    registration: str = ""
    """"", registering, registered, rejected"""
    error: str = ""
    since_utc: float = 0.0
    """When `state` became what it is."""

    @property
    def is_full(self) -> bool:
        return 0 < self.config.max_channels <= self.n_calls

    @property
    def state(self) -> str:
        """up, down (no address), registering or rejected."""
        if not self.flows:
            return "down"
        if self.config.register and self.registration != "registered":
            return self.registration or "registering"
        return "up"


class Directory:
    """The live tables. Every look-up is a dict access."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.extensions: dict[str, ExtensionEntry] = {}
        self.trunks: dict[str, TrunkState] = {}
        self.access_numbers: dict[tuple[str, str], AccessNumber] = {}
        self.routes: PatternTable[Route] = PatternTable((route.pattern, route) for route in config.route)
        self.outbound = OutboundPolicy(config.outbound, config.numbering.region)
        self.emergency = frozenset(config.numbering.emergency)
        self._by_source: dict[tuple[str, int], TrunkState] = {}
        for trunk in config.trunk:
            self.trunks[trunk.name] = TrunkState(config=trunk)
        for number in config.access_number:
            self.add_access_number(number)

    def add_access_number(self, number: AccessNumber) -> None:
        self.access_numbers[(number.trunk, number.number)] = number

    def access_number(self, trunk: str, dialed: str) -> AccessNumber | None:
        """The access number `dialed` as this trunk delivers it: the trunk's own before one of any trunk."""
        found = self.access_numbers.get((trunk, dialed))
        return found or self.access_numbers.get(("", dialed))

    def trunk_by_address(self, host: str, port: int) -> TrunkState | None:
        """The trunk whose signalling comes from here, by address and port before address alone."""
        return self._by_source.get((host, port)) or self._by_source.get((host, 0))

    def trunk_resolved(self, name: str, flows: list[Flow]) -> bool:
        """Takes what DNS said of a trunk. Returns True when that changed its state."""
        trunk = self.trunks[name]
        before = trunk.state
        trunk.flows = flows
        sources = _sources_of(trunk.config.from_addresses)
        trunk.sources = frozenset(sources) or frozenset((flow.host, flow.port) for flow in flows)
        self._by_source = {source: t for t in self.trunks.values() for source in t.sources}
        return trunk.state != before

    def emergency_trunks(self) -> Iterable[TrunkState]:
        names = self.config.numbering.emergency_trunks
        return (self.trunks[name] for name in names) if names else self.trunks.values()


def _sources_of(addresses: Iterable[str]) -> list[tuple[str, int]]:
    sources = []
    for text in addresses:
        try:
            sources.append((str(ipaddress.ip_address(text.strip("[]"))), 0))
        except ValueError:
            host, _, port = text.rpartition(":")
            sources.append((str(ipaddress.ip_address(host.strip("[]"))), int(port)))
    return sources


HashPassword = Callable[[str, str, str], tuple[str, str]]
"""(number, realm, password) → (HA1 by MD5, HA1 by SHA-256)"""


def extension_entries(config: Config, hash_password: HashPassword) -> list[ExtensionEntry]:
    """The configuration's extensions as entries."""
    entries = []
    for extension in config.extension:
        ha1_md5, ha1_sha256 = hash_password(extension.number, config.sip.realm, extension.password)
        fields = {name: getattr(extension, name) for name in extension.__struct_fields__ if name != "password"}
        entries.append(ExtensionEntry(ha1_md5=ha1_md5, ha1_sha256=ha1_sha256, **fields))
    return entries
