"""RFC 3263 and RFC 2782 against a DNS server of our own on loopback, well-behaved and wicked. Both event loops.

Not here: real resolvers on the Internet, DNSSEC (not done).
"""

import asyncio
import random
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.flow import Flow
from sip.net.dns import Resolver, SrvRecord, order_srv
from sip.net.dns_cache import DnsLimits, read_hosts, read_name_servers
from tests.sip.net.name_server import Zone, serving
from tests.sip.net.recorder import eventually, on_both_loops, run

FULL: Zone = {
    ("full.example", "NAPTR"): [
        '20 50 "s" "SIP+D2U" "" _sip._udp.full.example.',
        '10 60 "s" "SIP+D2T" "" _sip._tcp.full.example.',
        '10 50 "S" "SIPS+D2T" "" _sips._tcp.full.example.',
        '5 50 "s" "SIP+D2S" "" _sip._sctp.full.example.',
        '5 50 "u" "E2U+sip" "!^.*$!sip:x@y!" .',
    ],
    ("_sip._udp.full.example", "SRV"): ["10 0 5070 one.example.", "20 0 5071 two.example."],
    ("_sip._tcp.full.example", "SRV"): ["10 0 5072 one.example."],
    ("_sips._tcp.full.example", "SRV"): ["10 0 5073 one.example."],
    ("srv.example", "TXT"): ['"no naptr"'],
    ("_sip._udp.srv.example", "SRV"): ["10 0 5080 two.example."],
    ("_sips._tcp.srv.example", "SRV"): ["10 0 5081 two.example."],
    ("plain.example", "A"): ["192.0.2.9"],
    ("closed.example", "A"): ["192.0.2.8"],
    ("_sip._udp.closed.example", "SRV"): ["0 0 0 ."],
    ("_sip._tcp.closed.example", "SRV"): ["0 0 0 ."],
    ("_sips._tcp.closed.example", "SRV"): ["0 0 0 ."],
    ("one.example", "A"): ["192.0.2.1"],
    ("one.example", "AAAA"): ["2001:db8::1"],
    ("two.example", "A"): ["192.0.2.2"],
    ("alias.example", "CNAME"): ["alias2.example."],
    ("alias2.example", "CNAME"): ["plain.example."],
    ("round.example", "CNAME"): ["about.example."],
    ("about.example", "CNAME"): ["round.example."],
}


def _resolver(*servers: tuple[str, int], **options: object) -> Resolver:
    options.setdefault("hosts", {})
    options.setdefault("families", (4,))
    return Resolver(servers=servers, rng=random.Random(1), **options)  # type: ignore[arg-type]


def _text(flows: list[Flow]) -> list[str]:
    return [f"{flow.transport} {flow.host} {flow.port}" for flow in flows]


@pytest.mark.parametrize(
    ("uri", "flows"),
    [
        ("sip:192.0.2.5", ["udp 192.0.2.5 5060"]),
        ("sip:bob@192.0.2.5:5066;transport=tcp", ["tcp 192.0.2.5 5066"]),
        ("sip:bob@192.0.2.5;transport=TLS", ["tls 192.0.2.5 5061"]),
        ("sips:bob@192.0.2.5", ["tls 192.0.2.5 5061"]),
        ("sips:bob@192.0.2.5;transport=tcp", ["tls 192.0.2.5 5061"]),
        ("sips:bob@192.0.2.5;transport=udp", []),
        ("sip:bob@[2001:db8::5]:5070", ["udp 2001:db8::5 5070"]),
        ("sip:bob@example.com;maddr=192.0.2.6", ["udp 192.0.2.6 5060"]),
        ("sip:bob@192.0.2.5;transport=sctp", []),
        ("tel:+4930123", []),
        ("sip:", []),
        ("nonsense", []),
        ("sip:bob@example.com", None),
        ("sip:bob@256.1.1.1", None),
    ],
)
def test_literals_need_no_dns(uri: str, flows: list[str] | None) -> None:
    found = _resolver(families=(4, 6)).try_literal(uri)
    assert (found if found is None else _text(found)) == flows


@pytest.mark.parametrize(
    ("transports", "families", "uri", "flows"),
    [
        (("tcp",), (4,), "sip:192.0.2.5", ["tcp 192.0.2.5 5060"]),
        (("udp",), (4,), "sips:192.0.2.5", []),
        (("udp",), (4,), "sip:192.0.2.5;transport=tls", []),
        (("udp",), (6,), "sip:192.0.2.5", []),
        (("udp",), (4,), "sip:[::1]", []),
    ],
)
def test_literals_lead_only_where_we_can_go(transports: object, families: object, uri: str, flows: list[str]) -> None:
    found = _resolver(transports=transports, families=families).try_literal(uri, listener=2)
    assert found is not None and _text(found) == flows
    assert all(flow.listener == 2 for flow in found)


@on_both_loops
@pytest.mark.parametrize(
    ("uri", "flows"),
    [
        (
            "sip:full.example",
            ["tls 192.0.2.1 5073", "tcp 192.0.2.1 5072", "udp 192.0.2.1 5070", "udp 192.0.2.2 5071"],
        ),
        ("sips:full.example", ["tls 192.0.2.1 5073"]),
        ("sip:full.example;transport=udp", ["udp 192.0.2.1 5070", "udp 192.0.2.2 5071"]),
        ("sip:full.example;transport=ws", []),
        ("sip:one.example:5090", ["udp 192.0.2.1 5090"]),
        ("sip:one.example:5090;transport=tcp", ["tcp 192.0.2.1 5090"]),
        ("sips:one.example:5090", ["tls 192.0.2.1 5090"]),
        ("sip:srv.example", ["udp 192.0.2.2 5080", "tls 192.0.2.2 5081"]),
        ("sips:srv.example", ["tls 192.0.2.2 5081"]),
        ("sip:plain.example", ["udp 192.0.2.9 5060"]),
        ("sip:PLAIN.example.", ["udp 192.0.2.9 5060"]),
        ("sip:plain.example;transport=tcp", ["tcp 192.0.2.9 5060"]),
        ("sips:plain.example", ["tls 192.0.2.9 5061"]),
        ("sip:other.example;maddr=plain.example", ["udp 192.0.2.9 5060"]),
        ("sip:alias.example", ["udp 192.0.2.9 5060"]),
        ("sip:closed.example", []),
        ("sip:missing.example", []),
        ("sip:round.example", []),
        (f"sip:{'x' * 64}.example", []),
        (f"sip:{'x.' * 140}example", []),
        ("sip:a..example", []),
        ("sip:192.0.2.5", ["udp 192.0.2.5 5060"]),
    ],
)
def test_rfc_3263(loop_name: str, uri: str, flows: list[str]) -> None:
    async def work() -> None:
        async with serving(FULL) as (_, address):
            resolver = _resolver(address)
            assert _text(await resolver.resolve(uri, deadline_s=20)) == flows
            await resolver.close()

    run(loop_name, work())


@on_both_loops
def test_both_families_in_the_order_wanted(loop_name: str) -> None:
    async def work() -> None:
        async with serving(FULL) as (_, address):
            for families, hosts in (((4, 6), ["192.0.2.1", "2001:db8::1"]), ((6, 4), ["2001:db8::1", "192.0.2.1"])):
                resolver = _resolver(address, families=families)
                assert [flow.host for flow in await resolver.resolve("sip:one.example:1")] == hosts
                await resolver.close()

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize("behaviour", ["garbage", "wrong_id", "truncated", "bare_alias"])
def test_awkward_servers_are_understood(loop_name: str, behaviour: str) -> None:
    async def work() -> None:
        async with serving(FULL, behaviour) as (server, address):
            resolver = _resolver(address)
            assert _text(await resolver.resolve("sip:alias.example:5060", deadline_s=20)) == ["udp 192.0.2.9 5060"]
            assert bool(server.n_tcp) == (behaviour == "truncated")
            await resolver.close()

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize("behaviour", ["servfail", "black_hole", "only_garbage", "closed port"])
def test_the_second_server_is_asked(loop_name: str, behaviour: str) -> None:
    async def work() -> None:
        async with serving(FULL, behaviour) as (_, bad), serving(FULL) as (_, good):
            if behaviour == "closed port":
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.bind(("127.0.0.1", 0))
                    bad = sock.getsockname()
            resolver = _resolver(bad, good, limits=DnsLimits(try_s=0.1))
            assert _text(await resolver.resolve("sip:plain.example:5060", deadline_s=20)) == ["udp 192.0.2.9 5060"]
            await resolver.close()

    run(loop_name, work())


@on_both_loops
def test_black_hole_ends_at_the_deadline_and_is_remembered(loop_name: str) -> None:
    async def work() -> None:
        async with serving(FULL, "black_hole") as (server, address):
            resolver = _resolver(address, limits=DnsLimits(lookup_s=0.2, try_s=0.05))
            assert await resolver.resolve("sip:plain.example:5060", deadline_s=0.05) == []
            # The look-up itself goes on to its own limit; then the failure is known without asking.
            assert await resolver.resolve("sip:plain.example:5060", deadline_s=20) == []
            n_asked = len(server.asked)
            assert await resolver.resolve("sip:plain.example:5060", deadline_s=20) == []
            assert len(server.asked) == n_asked
            await resolver.close()

    run(loop_name, work())


@on_both_loops
def test_a_hundred_questions_for_one_name_are_one(loop_name: str) -> None:
    async def work() -> None:
        async with serving(FULL) as (server, address):
            resolver = _resolver(address)
            answers = await asyncio.gather(*(resolver.resolve("sip:plain.example:5060") for _ in range(100)))
            assert {tuple(_text(flows)) for flows in answers} == {("udp 192.0.2.9 5060",)}
            assert server.asked == [("plain.example", "A")]
            await resolver.close()

    run(loop_name, work())


@on_both_loops
@pytest.mark.parametrize("name", ["plain.example", "missing.example"])
def test_answers_are_cached_for_their_ttl(loop_name: str, name: str) -> None:
    async def work() -> None:
        async with serving(FULL) as (server, address):
            resolver = _resolver(address)
            for _ in range(3):
                await resolver.resolve(f"sip:{name}:5060")
            assert len(server.asked) == 1
            [(key, cached)] = resolver._records._cached.items()
            left_s = cached.expires - asyncio.get_running_loop().time()
            assert 50 < left_s < (301 if name == "plain.example" else 61), "the TTL, or the SOA's minimum"
            resolver._records._cached[key] = type(cached)(0.0, cached.records)
            await resolver.resolve(f"sip:{name}:5060")
            assert len(server.asked) == 2
            await resolver.close()

    run(loop_name, work())


@on_both_loops
def test_cache_and_questions_are_bounded(loop_name: str) -> None:
    async def work() -> None:
        async with serving(FULL) as (_, address):
            resolver = _resolver(address, limits=DnsLimits(max_cached=10))
            for n in range(30):
                await resolver.resolve(f"sip:name{n}.example:5060")
            assert len(resolver._records) == 10
            await resolver.close()
        async with serving(FULL, "black_hole") as (server, address):
            resolver = _resolver(address, limits=DnsLimits(max_under_way=5, lookup_s=0.2))
            await asyncio.gather(*(resolver.resolve(f"sip:name{n}.example:5060") for n in range(30)))
            assert len({name for name, _ in server.asked}) == 5
            await resolver.close()

    run(loop_name, work())


@on_both_loops
def test_closing_ends_the_wait(loop_name: str) -> None:
    async def work() -> None:
        async with serving(FULL, "black_hole") as (server, address):
            resolver = _resolver(address)
            waiting = asyncio.ensure_future(resolver.resolve("sip:plain.example:5060", deadline_s=60))
            await eventually(lambda: bool(server.asked))
            await resolver.close()
            assert await waiting == []

    run(loop_name, work())


@on_both_loops
def test_hosts_file_comes_before_dns(loop_name: str) -> None:
    async def work() -> None:
        async with serving(FULL) as (server, address):
            hosts = {"plain.example": ("2001:db8::7", "198.51.100.7", "junk")}
            resolver = _resolver(address, hosts=hosts, families=(4, 6))
            assert _text(await resolver.resolve("sip:Plain.Example")) == [
                "udp 198.51.100.7 5060",
                "udp 2001:db8::7 5060",
            ]
            assert server.asked == []
            await resolver.close()

    run(loop_name, work())


def test_without_any_server() -> None:
    async def work() -> None:
        resolver = _resolver()
        assert await resolver.resolve("sip:plain.example") == []
        await resolver.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("sip:bob@trunk.example;transport=tls", "trunk.example"),
        ("sips:trunk.example.", "trunk.example"),
        ("sip:192.0.2.1", ""),
        ("sip:[2001:db8::1]", ""),
        ("junk", ""),
    ],
)
def test_server_name_is_the_domain_of_the_uri(uri: str, name: str) -> None:
    assert _resolver().server_name(uri) == name


def test_weights_of_rfc_2782() -> None:
    records = [SrvRecord(1, 60, 1, "heavy"), SrvRecord(1, 20, 1, "light"), SrvRecord(1, 20, 1, "light2")]
    rng = random.Random(7)
    first = [order_srv(records, rng)[0].target for _ in range(4000)]
    assert 0.55 < first.count("heavy") / 4000 < 0.65
    assert 0.15 < first.count("light") / 4000 < 0.25


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 65535), st.integers(1, 9), st.sampled_from("abc"))),
    st.integers(),
)
def test_ordering_keeps_every_record_and_the_priorities(rows: list[tuple[int, int, int, str]], seed: int) -> None:
    records = [SrvRecord(*row) for row in rows]
    ordered = order_srv(records, random.Random(seed))
    assert sorted(ordered) == sorted(records)
    assert [one.priority for one in ordered] == sorted(one.priority for one in records)


def test_system_files(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_bytes(b"127.0.0.1 localhost # me\n\n::1 localhost ip6\n# 1.1.1.1 no\n192.0.2.1\n\xff\xfe bad\n")
    assert read_hosts(str(hosts)) == {"localhost": ("127.0.0.1", "::1"), "ip6": ("::1",), "bad": ("\ufffd\ufffd",)}
    resolv = tmp_path / "resolv.conf"
    resolv.write_text(
        "search x\nnameserver 192.0.2.53\nnameserver\nnameserver ::1\nnameserver 1.1.1.1\nnameserver 9.9.9.9\n"
    )
    assert read_name_servers(str(resolv)) == [("192.0.2.53", 53), ("::1", 53), ("1.1.1.1", 53)]
    assert read_hosts(str(tmp_path / "none")) == {} and read_name_servers(str(tmp_path / "none")) == []
