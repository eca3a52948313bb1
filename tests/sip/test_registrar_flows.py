"""sip/registrar.py with sip/outbound.py and sip/gruu.py: flows of one phone (RFC 5626), first hops without them, GRUUs
(RFC 5627), all as tables.

Not here: keep-alives of flows (tests/sip/test_stun.py, tests/sip/test_framer.py), calls to a GRUU
(tests/scenarios/test_registrations.py).
"""

import itertools

import pytest

from sip.flow import Flow
from sip.gruu import MAX_KEPT, read_gruu
from sip.registrar import Registrar
from sip.uri import parse_uri
from tests.sip.test_registrar import AOR, register, what

PHONE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'
STREAMS = [Flow("tcp", "198.51.100.7", 40000 + n, 1, n) for n in range(1, 5)]


def flow(n: int, cseq: int = 1, *, contact: str = "<sip:1@1.1.1.1>", supported: str = "outbound", **more: str):
    return register(
        cseq,
        f"call-{n}",
        STREAMS[n],
        Contact=f"{contact};{PHONE};reg-id={n}",
        Supported=supported,
        **more,
    )


def test_two_flows_of_one_phone_stand_beside_each_other_and_are_replaced_one_by_one() -> None:
    registrar = Registrar(flow_timer_s=120)
    first = registrar.register(AOR, flow(1), 0.0)
    assert "Require: outbound\r\nFlow-Timer: 120\r\n" in first.headers
    assert what(registrar.register(AOR, flow(2), 1.0)) == ["added"]
    assert [one.reg_id for one in registrar.lookup(AOR, 2.0)] == [2, 1]
    # The same flow anew, by another connection: it takes the place of its earlier one alone.
    again = register(1, "call-9", STREAMS[3], Contact=f"<sip:1@1.1.1.1>;{PHONE};reg-id=1", Supported="outbound")
    assert what(registrar.register(AOR, again, 2.0)) == ["refreshed"]
    assert [(one.reg_id, one.flow) for one in registrar.lookup(AOR, 3.0)] == [(1, STREAMS[3]), (2, STREAMS[2])]
    # A connection goes, and its flow with it.
    assert [change.binding.reg_id for change in registrar.flow_failed(STREAMS[3])] == [1]
    assert [one.reg_id for one in registrar.lookup(AOR, 4.0)] == [2]


@pytest.mark.parametrize(
    ("supported", "contact", "reg_id"),
    [
        ("outbound", f"<sip:1@1.1.1.1>;{PHONE};reg-id=3", 3),
        ("path, OUTBOUND", f"<sip:1@1.1.1.1>;{PHONE};reg-id=3", 3),
        ("path", f"<sip:1@1.1.1.1>;{PHONE};reg-id=3", 0),
        ("", f"<sip:1@1.1.1.1>;{PHONE};reg-id=3", 0),
        ("outbound", "<sip:1@1.1.1.1>;reg-id=3", 0),
        ("outbound", f"<sip:1@1.1.1.1>;{PHONE}", 0),
    ],
    ids=["flow", "any case", "not supported", "says nothing", "no instance", "no reg-id"],
)
def test_when_a_reg_id_counts(supported: str, contact: str, reg_id: int) -> None:
    registrar = Registrar()
    result = registrar.register(AOR, register(Contact=contact, Supported=supported), 0.0)
    assert result.status == 200
    assert registrar.lookup(AOR, 0.0)[0].reg_id == reg_id
    assert ("Require: outbound" in result.headers) == bool(reg_id)


@pytest.mark.parametrize(
    ("via", "path", "supported", "status"),
    [
        ("SIP/2.0/UDP edge;branch=z9hG4bKe, SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKu", "", "outbound", 439),
        ("SIP/2.0/UDP edge;branch=z9hG4bKe, SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKu", "<sip:e;lr>", "outbound", 439),
        ("SIP/2.0/UDP edge;branch=z9hG4bKe, SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKu", "<sip:e;lr;ob>", "outbound", 200),
        (
            "SIP/2.0/UDP edge;branch=z9hG4bKe, SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKu",
            "<sip:core;lr>, <sip:t@e;lr;ob>",
            "outbound",
            200,
        ),
        (
            "SIP/2.0/UDP edge;branch=z9hG4bKe, SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKu",
            "<sip:core;lr;ob>, <sip:e;lr>",
            "outbound",
            439,
        ),
        ("SIP/2.0/UDP edge;branch=z9hG4bKe, SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKu", "<sip:e;lr>", "path", 200),
        ("", "", "outbound", 200),
    ],
    ids=["no path", "no ob", "ob", "ob of the first hop", "ob of another hop", "no outbound wished", "we are first"],
)
def test_a_first_hop_must_keep_flows(via: str, path: str, supported: str, status: int) -> None:
    registrar = Registrar()
    request = register(Contact=f"<sip:1@1.1.1.1>;{PHONE};reg-id=1", Path=path, Supported=supported)
    if via:
        request.headers["Via"] = via
    result = registrar.register(AOR, request, 0.0)
    assert result.status == status
    assert len(registrar) == (status == 200)
    if status == 439:
        assert result.reason == "First Hop Lacks Outbound Support"


def test_one_flow_a_register() -> None:
    registrar = Registrar()
    two = f"<sip:1@1.1.1.1>;{PHONE};reg-id=1, <sip:2@1.1.1.1>;{PHONE};reg-id=2"
    assert registrar.register(AOR, register(Contact=two, Supported="outbound"), 0.0).status == 400
    assert len(registrar) == 0


def gruus_of(registrar: Registrar, request, now: float = 0.0) -> tuple[str, str]:
    line = registrar.register(AOR, request, now).headers
    return line.partition('pub-gruu="')[2].partition('"')[0], line.partition('temp-gruu="')[2].partition('"')[0]


def test_gruus_lead_to_one_phone_while_it_is_registered() -> None:
    numbers = itertools.count()
    registrar = Registrar(token=lambda n: f"{next(numbers):0{n}x}")
    public, temporary = gruus_of(registrar, flow(1, supported="gruu, outbound"))
    assert public == "sip:100@example.com;gr=urn:uuid:00000000-0000-1000-8000-aabbccddeeff"
    registrar.register(AOR, register(1, "other", Contact="<sip:desk@2.2.2.2>"), 1.0)
    kind, instance = read_gruu(parse_uri(public)) or ("?", "?")
    assert (kind, instance) == ("", "urn:uuid:00000000-0000-1000-8000-aabbccddeeff")
    assert [one.contact for one in registrar.lookup_instance(AOR, instance, 2.0)] == ["sip:1@1.1.1.1"]
    name, _ = read_gruu(parse_uri(temporary)) or ("", "")
    assert registrar.find_temporary(name) == (AOR, instance)
    # Each REGISTER makes another one, the old ones go on leading here, as many as are kept.
    made = [name]
    for cseq in range(2, MAX_KEPT + 4):
        found = read_gruu(parse_uri(gruus_of(registrar, flow(1, cseq, supported="gruu, outbound"), 3.0)[1]))
        assert found is not None
        made.append(found[0])
    assert len(set(made)) == len(made)
    leading = [name for name in made if registrar.find_temporary(name)]
    assert leading == made[-MAX_KEPT:]
    # A phone that was restarted handed none of them out.
    gruus_of(
        registrar, register(1, "new", Contact=f"<sip:1@1.1.1.1>;{PHONE};reg-id=1", Supported="gruu, outbound"), 4.0
    )
    assert not any(registrar.find_temporary(name) for name in made)
    registrar.clear(AOR)
    assert registrar._temporary == {}


@pytest.mark.parametrize(
    ("contact", "supported"),
    [("<sip:1@1.1.1.1>", "gruu"), (f"<sip:1@1.1.1.1>;{PHONE}", ""), (f"<sip:1@1.1.1.1>;{PHONE}", "path")],
    ids=["no instance", "not asked", "something else"],
)
def test_who_gets_no_gruu(contact: str, supported: str) -> None:
    registrar = Registrar(token=lambda n: "0" * n)
    result = registrar.register(AOR, register(Contact=contact, Supported=supported), 0.0)
    assert result.status == 200 and "gruu" not in result.headers


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("sip:1@x;gr=urn:uuid:ABC", ("", "urn:uuid:abc")),
        ("sip:tgruu.00ff@x;gr", ("tgruu.00ff", "")),
        ("sip:1@x;gr", None),
        ("sip:1@x", None),
        ("sip:tgruu.00ff@x", None),
    ],
)
def test_read_gruu(uri: str, found: tuple[str, str] | None) -> None:
    assert read_gruu(parse_uri(uri)) == found
