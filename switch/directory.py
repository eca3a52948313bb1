"""What the switch knows in memory: extensions, trunks, access numbers, routes. Changed live, asked on every call.

Pure: no I/O. Filled from the configuration and from storage; `trunk_by_address` answers who is calling.
"""

import ipaddress
from collections.abc import Callable, Iterable

import msgspec

from ivr.program import Program
from model.access_numbers import AccessNumber
from model.agents import BUILT_IN_GROUP, Agent, AgentGroup
from model.campaigns import Campaign
from model.prompts import Prompt
from model.queues import Queue, QueueState
from model.records import MessageRecord
from model.voicemail import VoicemailBox
from sip.flow import Flow
from switch.caller_lists import CallerLists
from switch.config import Config
from switch.config_trunks import Route, TrunkGroup
from switch.last_agents import LastAgents
from switch.numbers import e164
from switch.office import Office
from switch.outbound_policy import OutboundPolicy
from switch.patterns import PatternTable
from switch.regions import Regions
from switch.trunk_state import TrunkState
from switch.voicemail import find_box

__all__ = ["Directory", "ExtensionEntry", "TrunkState", "extension_entries"]


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
    auto_answer: bool = False
    auto_release: bool = True
    may_call_external: bool = True
    may_call_international: bool = False
    max_outbound_calls: int = 0
    max_outbound_calls_per_day: int = 0
    max_outbound_minutes_per_day: int = 0
    """0: as `[outbound]` says."""
    supervision_group: str = ""
    supervises: tuple[str, ...] = ()
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


class Directory:
    """The live tables. Every look-up is a dict access."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.extensions: dict[str, ExtensionEntry] = {}
        self.trunks: dict[str, TrunkState] = {}
        self.office = Office(config.calendar, config.numbering.time_zone)
        self.access_numbers: dict[tuple[str, str], AccessNumber] = {}
        self._access_e164: dict[tuple[str, str], AccessNumber] = {}
        self.routes: PatternTable[Route] = PatternTable((route.pattern, route) for route in config.route)
        self.outbound = OutboundPolicy(config.outbound, config.numbering.region)
        self.trunk_groups: dict[str, TrunkGroup] = {group.name: group for group in config.trunk_group}
        self.conferences = {each.number: each for each in config.conference}
        self.campaigns: dict[str, Campaign] = {campaign.name: campaign for campaign in config.campaign}
        self.queues: dict[str, Queue] = {queue.name: queue for queue in config.queue}
        self.boxes: dict[str, VoicemailBox] = {box.name: box for box in config.voicemail}
        self.flows: dict[str, Program] = {}
        """What callers are led to: as published, or of the folder."""
        self.file_flows: dict[str, Program] = {}
        """Of the folder; a published one of the same name goes before it."""
        self.prompts: dict[str, Prompt] = {}
        self.queue_states: dict[str, QueueState] = {}
        """Queues that were closed or drained by command before the last stop."""
        self.leaving: dict[str, Queue] = {}
        """Deleted queues that calls are still in, or came from."""
        self.agent_groups = {group.name: group for group in (AgentGroup(name=BUILT_IN_GROUP), *config.agent_group)}
        self.agents: dict[str, Agent] = {agent.agent_id: agent for agent in config.agent}
        self.may_supervise_by_role: Callable[[str, str], bool] = lambda seat, extension: False
        """Whether the role of who sits at one extension lets him supervise another (switch.agent_rights)."""
        self.sees_whole_numbers: Callable[[str], bool] = lambda agent_id: True
        """Whether the role of an agent lets him see telephone numbers (switch.agent_rights)."""
        self.caller_lists = CallerLists(config.numbering.region)
        self.regions = Regions(config.numbering.region)
        self.last_agents = LastAgents(config.numbering.region, config.acd.last_agent_days * 86_400.0)
        self.emergency = frozenset(config.numbering.emergency)
        self._by_source: dict[tuple[str, int], TrunkState] = {}
        self._by_stream: dict[tuple[str, str], TrunkState] = {}
        self.peer_names: Callable[[Flow], frozenset[str]] = lambda flow: frozenset()
        """What the verified certificate of a connection's peer is for (sip.net.transports)."""
        for trunk in config.trunk:
            self.trunks[trunk.name] = TrunkState(config=trunk)
        self._by_certificate = {
            state.config.certificate_name.lower(): state
            for state in self.trunks.values()
            if state.config.certificate_name
        }
        for number in config.access_number:
            self.add_access_number(number)

    def box_at(self, number: str) -> VoicemailBox | None:
        """The voicemail box with this number."""
        return next((box for box in self.boxes.values() if box.number == number), None) if number else None

    def box_of_message(self, message: MessageRecord) -> VoicemailBox | None:
        """The box as it is now that the message is in."""
        return find_box(self.boxes, message.box, message.queue or message.box)

    def queue_of(self, name: str) -> Queue | None:
        """Settings for a call that is in a queue, or came from it; nobody can be sent to one that is deleted."""
        return self.queues.get(name) or self.leaving.get(name)

    def agent_roles(self) -> dict[str, str]:
        """Agent → his one role (RBAC-01)."""
        return {agent_id: agent.role for agent_id, agent in self.agents.items()}

    def add_access_number(self, number: AccessNumber) -> None:
        self.access_numbers[(number.trunk, number.number)] = number
        full = e164(number.number, self.config.numbering.region)
        if full:
            self._access_e164.setdefault((number.trunk, full), number)

    def remove_access_number(self, trunk: str, number: str) -> None:
        """Nothing happens where there is none."""
        self.access_numbers.pop((trunk, number), None)
        rest = list(self.access_numbers.values())
        self.access_numbers, self._access_e164 = {}, {}
        for each in rest:
            self.add_access_number(each)

    def access_number(self, trunk: str, dialed: str) -> AccessNumber | None:
        """The access number `dialed` as this trunk delivers it: the trunk's own before one of any trunk, and as it is
        written before another way to write the same telephone number (that only of a trunk: a phone's own numbers are
        looked for on every call, and reading one costs more than all else here)."""
        found = self.access_numbers.get((trunk, dialed)) or self.access_numbers.get(("", dialed))
        if found is not None or not trunk:
            return found
        full = e164(dialed, self.config.numbering.region)
        return self._access_e164.get((trunk, full)) or self._access_e164.get(("", full)) if full else None

    def trunk_by_address(self, host: str, port: int) -> TrunkState | None:
        """The trunk whose signalling comes from here, by address and port before address alone."""
        return self._by_source.get((host, port)) or self._by_source.get((host, 0))

    def trunk_of(self, flow: Flow) -> TrunkState | None:
        """The trunk that sends from there. Over a stream its port says nothing: whoever connects chooses it."""
        if flow.transport == "tls" and self._by_certificate:
            for name in self.peer_names(flow):
                if name in self._by_certificate:
                    return self._by_certificate[name]
        found = self.trunk_by_address(flow.host, flow.port)
        if found is None and flow.transport in ("tcp", "tls"):
            found = self._by_stream.get((flow.transport, flow.host))
        return found

    def is_trunk(self, flow: Flow) -> bool:
        """The same, asked of every datagram."""
        if flow.transport == "udp":
            return (flow.host, flow.port) in self._by_source or (flow.host, 0) in self._by_source
        return self.trunk_of(flow) is not None

    def trunk_resolved(self, name: str, flows: list[Flow]) -> bool:
        """Takes what DNS said of a trunk. Returns True when that changed its state."""
        trunk = self.trunks[name]
        before = trunk.state
        trunk.flows = flows
        keys = {(flow.transport, flow.host, flow.port) for flow in flows}
        trunk.health = {key: health for key, health in trunk.health.items() if key in keys}
        sources = _sources_of(trunk.config.from_addresses)
        trunk.audience.hosts = frozenset(flow.host for flow in flows) | {host for host, _ in sources}
        trunk.sources = frozenset(sources) or frozenset((flow.host, flow.port) for flow in flows)
        by_address = [one for one in self.trunks.values() if not one.config.certificate_name]
        self._by_source = {source: t for t in by_address for source in t.sources}
        self._by_stream = {
            (t.config.transport, flow.host): t for t in by_address if not t.config.from_addresses for flow in t.flows
        }
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
