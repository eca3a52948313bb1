"""DNS records by name and type: cache by TTL, negative cache, one question at a time for the same thing, bounded.

A slow or silent server costs whoever waits for that name, and nobody else: each look-up has a time limit of its own and
its failure is remembered for a moment.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import msgspec

from sip.net.dns_query import DnsError, Server, ask


class DnsLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    max_cached: int = 4096
    """Answers remembered, negative ones included; the oldest is forgotten first."""
    max_under_way: int = 256
    """Questions at the same time; more fail at once."""
    max_cname_hops: int = 8
    try_s: float = 1.0
    """For one server to answer, before the next is asked."""
    lookup_s: float = 5.0
    """For one name, whatever happens."""
    min_ttl_s: float = 5.0
    max_ttl_s: float = 3600.0
    max_negative_s: float = 300.0
    """A name that does not exist is not asked again for at most that long (RFC 2308 §5)."""
    failure_s: float = 5.0
    """A name whose servers did not answer is not asked again for that long."""


class _Cached(msgspec.Struct, frozen=True, gc=False):
    expires: float
    records: tuple[Any, ...]


class _Found(msgspec.Struct, frozen=True):
    """What one answer says: records, or where to go on, or () for certain."""

    records: tuple[dns.rdata.Rdata, ...]
    next_name: dns.name.Name | None
    ttl_s: float


class RecordCache:
    """Records of class IN from the given servers. `now` is the loop's time."""

    def __init__(self, servers: Sequence[Server], limits: DnsLimits, rng: random.Random) -> None:
        self._servers = tuple(servers)
        self._limits = limits
        self._rng = rng
        self._cached: dict[tuple[str, int], _Cached] = {}
        self._under_way: dict[tuple[str, int], asyncio.Task[tuple[Any, ...]]] = {}

    def __len__(self) -> int:
        return len(self._cached)

    async def get(self, name: str, kind: dns.rdatatype.RdataType) -> tuple[Any, ...]:
        """The records (dnspython's rdata), () when there are none or they cannot be had, or the cache is closed.
        Cancelling the wait leaves the look-up running for whoever asks next."""
        key = (name.lower().rstrip("."), int(kind))
        now = asyncio.get_running_loop().time()
        cached = self._cached.get(key)
        if cached is not None:
            if cached.expires > now:
                return cached.records
            del self._cached[key]
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= self._limits.max_under_way:
                return ()
            task = self._under_way[key] = asyncio.get_running_loop().create_task(self._look_up(key, kind))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                return ()
            raise

    async def close(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_up(self, key: tuple[str, int], kind: dns.rdatatype.RdataType) -> tuple[Any, ...]:
        loop = asyncio.get_running_loop()
        records: tuple[Any, ...] = ()
        ttl_s = self._limits.failure_s
        try:
            async with asyncio.timeout(self._limits.lookup_s):
                records, ttl_s = await self._follow(dns.name.from_text(key[0]), kind)
        except (TimeoutError, DnsError, dns.exception.DNSException, UnicodeError):
            # No server knows, or the name is none: nothing found, and not asked again for a moment.
            pass
        while len(self._cached) >= self._limits.max_cached:
            del self._cached[next(iter(self._cached))]
        self._cached[key] = _Cached(loop.time() + ttl_s, records)
        return records

    async def _follow(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> tuple[tuple[dns.rdata.Rdata, ...], float]:
        ttl_s = self._limits.max_ttl_s
        for _ in range(self._limits.max_cname_hops):
            found = read_answer(await self._ask_servers(name, kind), name, kind, self._limits)
            ttl_s = min(ttl_s, found.ttl_s)
            if found.next_name is None:
                return found.records, ttl_s
            name = found.next_name
        raise DnsError("too many aliases")

    async def _ask_servers(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message:
        last = DnsError("no name server")
        for server in (*self._servers, *self._servers):
            try:
                answer = await ask(name, kind, server, timeout_s=self._limits.try_s, rng=self._rng)
            except DnsError as error:
                last = error
                continue
            if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                return answer
            last = DnsError(dns.rcode.to_text(answer.rcode()))
        raise last


def read_answer(
    answer: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType, limits: DnsLimits
) -> _Found:
    """Pure. Follows aliases inside the answer; an alias whose target is not in it becomes `next_name`."""
    ttl_s = limits.max_ttl_s
    asked = name
    for _ in range(limits.max_cname_hops):
        records = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, kind)
        if records is not None:
            ttl_s = min(ttl_s, max(float(records.ttl), limits.min_ttl_s))
            return _Found(tuple(records), None, ttl_s)
        alias = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, dns.rdatatype.CNAME)
        if alias is None:
            break
        ttl_s = min(ttl_s, max(float(alias.ttl), limits.min_ttl_s))
        name = alias[0].target
    if name != asked:
        return _Found((), name, ttl_s)
    return _Found((), None, min(ttl_s, _negative_ttl(answer, limits)))


def _negative_ttl(answer: dns.message.Message, limits: DnsLimits) -> float:
    for rrset in answer.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return max(min(float(rrset.ttl), float(rrset[0].minimum), limits.max_negative_s), limits.min_ttl_s)
    return limits.failure_s


def read_hosts(path: str = "/etc/hosts") -> Mapping[str, tuple[str, ...]]:
    """Addresses by lower-case name. A file that cannot be read is an empty one."""
    hosts: dict[str, tuple[str, ...]] = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(1 << 20).splitlines()
    except OSError:
        return hosts
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            hosts[name.lower()] = (*hosts.get(name.lower(), ()), address)
    return hosts


def read_name_servers(path: str = "/etc/resolv.conf") -> list[Server]:
    """The `nameserver` lines, at most three; none when the file cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            words = [line.split() for line in file.read(1 << 16).splitlines()]
    except OSError:
        return []
    return [(line[1], 53) for line in words if len(line) > 1 and line[0] == "nameserver"][:3]
