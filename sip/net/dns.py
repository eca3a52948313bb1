"""Where a SIP URI leads (RFC 3263): NAPTR, SRV with the weights of RFC 2782, A and AAAA, in the order to be tried."""

import asyncio
import ipaddress
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import dns.rdatatype

from sip.errors import SipParseError
from sip.flow import Flow
from sip.net.dns_cache import DnsLimits, RecordCache, read_hosts, read_name_servers
from sip.net.dns_query import Server
from sip.uri import SipUri, parse_uri

_DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
_SERVICES = {"sip+d2u": "udp", "sip+d2t": "tcp", "sips+d2t": "tls"}
_SRV_PREFIX = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
_MAX_TARGETS = 16
_MAX_FLOWS = 32


class SrvRecord(NamedTuple):
    priority: int
    weight: int
    port: int
    target: str


class _Hop(NamedTuple):
    """A transport, name and port whose addresses are to be found."""

    transport: str
    name: str
    port: int


class Resolver:
    """Asynchronous and bounded: never blocks the loop, never waits past the deadline, never raises for a bad name."""

    def __init__(
        self,
        *,
        servers: Sequence[Server] | None = None,
        hosts: Mapping[str, Sequence[str]] | None = None,
        transports: Sequence[str] = ("udp", "tcp", "tls"),
        families: Sequence[int] = (4, 6),
        limits: DnsLimits | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """`servers` and `hosts` default to resolv.conf and the hosts file, read once. `transports` are those we can
        use, `families` the IP versions, both in the order we prefer. `rng` chooses among weights and query ids; leave
        it out but in tests."""
        self._rng = rng or random.SystemRandom()
        self._hosts = read_hosts() if hosts is None else hosts
        self._transports = tuple(transports)
        self._families = tuple(families)
        self._records = RecordCache(
            read_name_servers() if servers is None else servers, limits or DnsLimits(), self._rng
        )

    def try_literal(self, uri: str, *, listener: int = 0) -> list[Flow] | None:
        """The flows of a URI whose host is an IP literal; [] when it leads nowhere; None when DNS must be asked."""
        parsed = _parse(uri)
        if parsed is None:
            return []
        host = _target(parsed)
        try:
            version = ipaddress.ip_address(host).version
        except ValueError:
            return None
        transport = self._explicit_transport(parsed) or self._default_transport(parsed)
        if transport not in self._transports or version not in self._families:
            return []
        return [Flow(transport, host, parsed.port or _DEFAULT_PORTS[transport], listener)]

    async def resolve(self, uri: str, *, deadline_s: float = 3.0, listener: int = 0) -> list[Flow]:
        """Flows to try in order; [] when the URI leads nowhere that we can reach, or nobody says in time.

        Look-ups that are cut off by the deadline go on, so that the next call for the same name may find the answer.
        """
        flows = self.try_literal(uri, listener=listener)
        if flows is not None:
            return flows
        parsed = parse_uri(uri)
        try:
            async with asyncio.timeout(deadline_s):
                hops = await self._hops(parsed, deadline_s)
                found = await asyncio.gather(*(self._addresses(hop.name) for hop in hops))
        except TimeoutError:
            return []
        flows = [
            Flow(hop.transport, host, hop.port, listener)
            for hop, hosts in zip(hops, found, strict=True)
            for host in hosts
        ]
        return list(dict.fromkeys(flows))[:_MAX_FLOWS]

    def server_name(self, uri: str) -> str:
        """The name that a TLS server's certificate must be for (RFC 5922 §4): the domain of the URI, never what SRV
        or an alias made of it. "" for an IP literal or a URI that is none."""
        parsed = _parse(uri)
        if parsed is None or self.try_literal(uri) is not None:
            return ""
        return _target(parsed).rstrip(".")

    async def close(self) -> None:
        """End look-ups under way; who waits for one finds nothing."""
        await self._records.close()

    # -- RFC 3263 §4.1 and §4.2 ----------------------------------------------------------------------------------------

    async def _hops(self, uri: SipUri, deadline_s: float) -> list[_Hop]:
        name = _target(uri)
        explicit = self._explicit_transport(uri)
        if uri.port or name.lower() in self._hosts:
            transport = explicit or self._default_transport(uri)
            return self._usable(_Hop(transport, name, uri.port or _DEFAULT_PORTS.get(transport, 5060)))
        if explicit:
            if explicit not in self._transports:
                return []
            return await self._srv_hops([(explicit, _SRV_PREFIX[explicit] + name)], uri)
        # Some networks swallow NAPTR questions: they may cost a third of the time, not all of it.
        services = await self._naptr(name, is_secure=uri.scheme == "sips", budget_s=deadline_s / 3)
        if not services:
            kinds = ("tls",) if uri.scheme == "sips" else self._transports
            services = [(kind, _SRV_PREFIX[kind] + name) for kind in kinds if kind in self._transports]
        return await self._srv_hops(services, uri)

    def _usable(self, hop: _Hop) -> list[_Hop]:
        return [hop] if hop.transport in self._transports else []

    async def _naptr(self, name: str, *, is_secure: bool, budget_s: float) -> list[tuple[str, str]]:
        try:
            async with asyncio.timeout(budget_s):
                records = await self._records.get(name, dns.rdatatype.NAPTR)
        except TimeoutError:
            return []
        services: list[tuple[str, str]] = []
        for record in sorted(records, key=lambda one: (one.order, one.preference))[:_MAX_TARGETS]:
            transport = _SERVICES.get(_text(record.service).lower(), "")
            if transport not in self._transports or (is_secure and transport != "tls"):
                continue
            if _text(record.flags).lower() == "s":
                services.append((transport, str(record.replacement)))
        return services

    async def _srv_hops(self, services: list[tuple[str, str]], uri: SipUri) -> list[_Hop]:
        answers = await asyncio.gather(*(self._records.get(name, dns.rdatatype.SRV) for _, name in services))
        hops: list[_Hop] = []
        for (transport, _), answer in zip(services, answers, strict=True):
            records = [SrvRecord(one.priority, one.weight, one.port, str(one.target)) for one in answer[:_MAX_TARGETS]]
            # "." means: decidedly no such service here (RFC 2782).
            usable = [one for one in records if one.target != "." and one.port]
            hops += [_Hop(transport, one.target, one.port) for one in order_srv(usable, self._rng)]
        if hops or any(answers):
            return hops[:_MAX_TARGETS]
        transport = self._explicit_transport(uri) or self._default_transport(uri)
        return self._usable(_Hop(transport, _target(uri), _DEFAULT_PORTS.get(transport, 5060)))

    async def _addresses(self, name: str) -> list[str]:
        known = self._hosts.get(name.lower().rstrip("."))
        if known is not None:
            return [host for version in self._families for host in known if _version(host) == version]
        kinds = [dns.rdatatype.AAAA if version == 6 else dns.rdatatype.A for version in self._families]
        answers = await asyncio.gather(*(self._records.get(name, kind) for kind in kinds))
        return [str(record.address) for answer in answers for record in answer[:_MAX_TARGETS]]

    # -- transports ----------------------------------------------------------------------------------------------------

    def _explicit_transport(self, uri: SipUri) -> str:
        if uri.scheme == "sips":
            # RFC 3261 §26.2.2: sips over tcp means TLS over TCP; sips over udp means nothing.
            return {"tcp": "tls", "": ""}.get(uri.transport, uri.transport if uri.transport == "tls" else "none")
        return uri.transport

    def _default_transport(self, uri: SipUri) -> str:
        if uri.scheme == "sips":
            return "tls"
        return "udp" if "udp" in self._transports or not self._transports else self._transports[0]


def order_srv(records: Sequence[SrvRecord], rng: random.Random) -> list[SrvRecord]:
    """By priority, and within one by the weighted choice of RFC 2782: a record comes first with a probability in
    proportion to its weight, one of weight 0 with a very small one."""
    ordered: list[SrvRecord] = []
    for priority in sorted({record.priority for record in records}):
        left = sorted((one for one in records if one.priority == priority), key=lambda one: one.weight)
        while left:
            chosen = rng.randint(0, sum(one.weight for one in left))
            running = 0
            for record in left:
                running += record.weight
                if running >= chosen:
                    break
            left.remove(record)
            ordered.append(record)
    return ordered


def _parse(text: str) -> SipUri | None:
    try:
        uri = parse_uri(text)
    except SipParseError:
        return None
    return uri if uri.is_sip and uri.host else None


def _target(uri: SipUri) -> str:
    return uri.params.get("maddr", "").strip("[]") or uri.host


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _version(host: str) -> int:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0
