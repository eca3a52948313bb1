"""`sip.parser`: RFC 3261 §7 reading of one message, limits, and what must never happen.

Covers: compact forms, folding, white space, repeated headers, start lines, Content-Length, every limit, answerable
heads of malformed requests, and by hypothesis: only SipParseError whatever the bytes, parse/serialize a fixed point.
Not covered: the RFC 4475 messages (test_torture.py), typed values (test_message.py, test_uri.py).
"""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip import limits
from sip.flow import Flow
from sip.headers import CANONICAL
from sip.message import Request, Response, build_response, serialize
from sip.parser import SipParseError, parse_message
from tests.vectors import captured, captured_names, rfc4475, rfc4475_names, seeds

HEAD = (
    "OPTIONS sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport\r\n"
    "From: <sip:alice@example.com>;tag=a1\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: c1@192.0.2.1\r\n"
    "CSeq: 7 OPTIONS\r\n"
)


def request(extra: str = "", *, head: str = HEAD, body: bytes = b"") -> bytes:
    return (head + extra + "\r\n").encode("utf-8", "surrogateescape") + body


def changed(old: str, new: str) -> bytes:
    assert old in HEAD
    return request(head=HEAD.replace(old, new))


def test_request() -> None:
    flow = Flow("udp", "192.0.2.1", 5070)
    message = parse_message(request("Content-Length: 2\r\n", body=b"hi, more"), flow)
    assert isinstance(message, Request)
    assert (message.method, message.uri, message.cseq, message.call_id) == (
        "OPTIONS", "sip:bob@example.com", 7, "c1@192.0.2.1",
    )  # fmt: skip
    assert (message.from_tag, message.to_tag) == ("a1", "")
    assert (message.branch, message.sent_by) == ("z9hG4bK1", "192.0.2.1:5070")
    assert message.via == "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport"
    assert (message.body, message.flow, message.repeats) == (b"hi", flow, None)


def test_response() -> None:
    message = parse_message(request(head=HEAD.replace("OPTIONS sip:bob@example.com SIP/2.0", "SIP/2.0 404 Not Found")))
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.method) == (404, "Not Found", "OPTIONS")


@pytest.mark.parametrize("name", captured_names())
def test_captured(name: str) -> None:
    message = parse_message(captured(name))
    assert message.method == "INVITE"
    assert message.from_.uri.user == message.contacts[0].uri.user or name in ("carrier", "late_offer")
    assert len(message.all("Via")) == (2 if name == "carrier" else 1)
    once = serialize(message)
    assert serialize(parse_message(once)) == once


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        (request("s: lunch\r\n"), "Subject", "lunch"),
        (request("k: timer\r\n"), "Supported", "timer"),
        (request("x: 1800\r\n"), "Session-Expires", "1800"),
        (request("EXPIRES:60\r\n"), "Expires", "60"),
        (request("expIRES \t: \t 60 \r\n"), "Expires", "60"),
        (request("Subject: one\r\n two\r\n\tthree\r\n"), "Subject", "one two three"),
        (request("Subject:\r\n \r\n"), "Subject", ""),
        (request("Subject:\r\n"), "Subject", ""),
        (request("X-Own: kept: as is\r\n"), "X-Own", "kept: as is"),
        (request("X-Own: 1\r\n"), "x-OWN", "1"),
        (request("Subject: caf\udce9\r\n"), "Subject", "caf\udce9"),
        (request("Subject: 大停電\r\n"), "Subject", "大停電"),
    ],
)
def test_header_spelling(data: bytes, name: str, value: str) -> None:
    message = parse_message(data)
    assert message.get(name) == value
    assert parse_message(serialize(message)).get(name) == value


def test_repeated_headers_keep_their_order() -> None:
    message = parse_message(request("Route: <sip:a;lr>\r\nX-A: 1\r\nroute: <sip:b;lr>, <sip:c;lr>\r\nX-A: 2\r\n"))
    assert message.all("Route") == ["<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>"]
    assert message.all("X-A") == ["1", "2"]
    assert message.get("Route") == "<sip:a;lr>"
    assert message.all("Absent") == []


@pytest.mark.parametrize(
    ("via", "branch", "sent_by"),
    [
        ("SIP/2.0/UDP h.example.com;branch=z9hG4bKa", "z9hG4bKa", "h.example.com"),
        ("SIP / 2.0 / UDP h:5060 ; branch = z9hG4bKa ; rport", "z9hG4bKa", "h:5060"),
        ("SIP/2.0/TCP [2001:db8::1]:5061;rport;BRANCH=z9hG4bKa;x=y", "z9hG4bKa", "[2001:db8::1]:5061"),
        ("SIP/2.0/UDP h;branch=z9hG4bKa, SIP/2.0/UDP g;branch=z9hG4bKb", "z9hG4bKa", "h"),
        ('SIP/2.0/UDP h;x=",;branch=no";branch=z9hG4bKa', "z9hG4bKa", "h"),
        ("sip/2.0/udp h", "", "h"),
    ],
)
def test_topmost_via(via: str, branch: str, sent_by: str) -> None:
    message = parse_message(changed("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport", via))
    assert (message.branch, message.sent_by) == (branch, sent_by)


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("<sip:a@b>;tag=x-1.y", "x-1.y"),
        ("<sip:a@b>;x=1;tag=t", "t"),
        ("<sip:a@b>;tag=t;x=1", "t"),
        ("<sip:a@b> ; TAG = t", "t"),
        ("sip:a@b;tag=t", "t"),
        ("sip:a@b", ""),
        ('"A;tag=no" <sip:a@b>', ""),
        ('"A;tag=no" <sip:a@b;tag=no>;tag=t', "t"),
        ('<sip:a@b>;x=">;tag=no"', ""),
        ('<sip:a@b>;x=">;tag=no";tag=t', "t"),
        ('<sip:a@b>;tag="quoted"', "quoted"),
    ],
)
def test_tags(value: str, tag: str) -> None:
    assert parse_message(changed("<sip:alice@example.com>;tag=a1", value)).from_tag == tag


BAD = [
    ("empty", b"", 400, False),
    ("keep-alive", b"\r\n\r\n", 400, False),
    ("binary", bytes(range(256)), 400, False),
    ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, False),
    ("no-blank-line", HEAD.encode(), 400, True),
    ("bare-lf", request().replace(b"\r\n", b"\n"), 400, False),
    ("one-bare-lf", request("Subject: a\nX-Evil: b\r\n"), 400, True),
    ("one-bare-cr", request("Subject: a\rX-Evil: b\r\n"), 400, True),
    ("no-colon", request("Subject\r\n"), 400, True),
    ("space-in-name", request("Sub ject: x\r\n"), 400, True),
    ("empty-name", request(": x\r\n"), 400, True),
    ("no-call-id", changed("Call-ID: c1@192.0.2.1\r\n", ""), 400, True),
    ("empty-call-id", changed("c1@192.0.2.1", ""), 400, True),
    ("no-cseq", changed("CSeq: 7 OPTIONS\r\n", ""), 400, True),
    ("no-from", changed("From: <sip:alice@example.com>;tag=a1\r\n", ""), 400, True),
    ("no-to", changed("To: <sip:bob@example.com>\r\n", ""), 400, True),
    ("no-via", changed("Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport\r\n", ""), 400, False),
    ("bad-via", changed("SIP/2.0/UDP 192.0.2.1:5070", "SIP/2.0/UDP"), 400, True),
    ("via-params-first", changed("SIP/2.0/UDP 192.0.2.1:5070", "SIP/2.0/UDP;a=b 192.0.2.1:5070"), 400, True),
    ("via-port-0", changed("192.0.2.1:5070;branch", "192.0.2.1:0;;branch").replace(b";;", b" ;"), 400, True),
    ("via-port-65536", changed("192.0.2.1:5070;branch", "192.0.2.1:65536 ;branch"), 400, True),
    ("cookie-only", changed("z9hG4bK1", "z9hG4bK"), 400, True),
    ("cseq-words", changed("7 OPTIONS", "seven OPTIONS"), 400, True),
    ("cseq-sign", changed("7 OPTIONS", "+7 OPTIONS"), 400, True),
    ("cseq-underscore", changed("7 OPTIONS", "1_0 OPTIONS"), 400, True),
    ("cseq-other-digits", changed("7 OPTIONS", "٧ OPTIONS"), 400, True),
    ("cseq-2**31", changed("7 OPTIONS", "2147483648 OPTIONS"), 400, True),
    ("cseq-long", changed("7 OPTIONS", "0" * 30 + "7 OPTIONS"), 400, True),
    ("cseq-method", changed("7 OPTIONS", "7 INVITE"), 400, True),
    ("unknown-method-cseq", changed("OPTIONS sip", "DANCE sip"), 501, True),
    ("two-cseq", request("CSeq: 7 OPTIONS\r\n"), 400, True),
    ("two-from", request("f: <sip:alice@example.com>;tag=a1\r\n"), 400, True),
    ("two-max-forwards", request("Max-Forwards: 1\r\nMax-Forwards: 1\r\n"), 400, True),
    ("version-3", changed("com SIP/2.0", "com SIP/3.0"), 505, True),
    ("version-none", changed("com SIP/2.0", "com"), 400, False),
    ("four-words", changed("com SIP/2.0", "com x SIP/2.0"), 400, True),
    ("length-negative", request("Content-Length: -1\r\n"), 400, True),
    ("length-empty", request("Content-Length:\r\n"), 400, True),
    ("length-too-long", request("Content-Length: 5\r\n", body=b"1234"), 400, True),
    ("length-huge", request(f"Content-Length: {'9' * 5000}\r\n"), 400, True),
    ("status-99", request(head=HEAD.replace("OPTIONS sip:bob@example.com SIP/2.0", "SIP/2.0 099 Low")), 400, False),
    ("status-700", request(head=HEAD.replace("OPTIONS sip:bob@example.com SIP/2.0", "SIP/2.0 700 High")), 400, False),
    ("headers-too-large", request(f"X: {'y' * limits.MAX_HEADER_BYTES}\r\n"), 513, True),
    ("body-too-large", request(body=b"x" * (limits.MAX_BODY_BYTES + 1)), 513, True),
    ("too-many-headers", request("A:b\r\n" * (limits.MAX_HEADER_LINES + 1)), 513, True),
    ("too-many-vias", request(f"Via: {', '.join(['SIP/2.0/UDP h'] * (limits.MAX_LIST_ITEMS + 1))}\r\n"), None, True),
]  # fmt: skip


@pytest.mark.parametrize(("data", "status", "is_answerable"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input(data: bytes, status: int | None, is_answerable: bool) -> None:
    if status is None:
        with pytest.raises(SipParseError):
            parse_message(data).all("Via")
        return
    with pytest.raises(SipParseError) as caught:
        parse_message(data, Flow("udp", "192.0.2.1", 5070))
    assert caught.value.status == status
    head = caught.value.request_head
    assert (head is not None) == is_answerable
    if head is not None:
        answer = build_response(head, status, caught.value.reason, to_tag="t")
        assert answer.startswith(b"SIP/2.0 %d " % status)
        assert b"\r\nVia: " in answer
        assert answer.endswith(b"Content-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n" + request(),
        changed("com SIP/2.0", "com sip/2.0"),
        request(head=HEAD.replace("OPTIONS sip:bob@example.com SIP/2.0", "SIP/2.0 200")),
        changed("7 OPTIONS", "7 \t OPTIONS"),
        changed("7 OPTIONS", "0007 OPTIONS"),
    ],
    ids=["leading-line-ends", "version-lower-case", "no-reason", "cseq-white-space", "cseq-zeros"],
)
def test_lenient(data: bytes) -> None:
    assert parse_message(data).cseq == 7


def test_name_table_stays_bounded() -> None:
    for i in range(3 * limits.MAX_INTERNED_NAMES):
        parse_message(request(f"X-{i}: y\r\n"))
    assert len(CANONICAL) <= limits.MAX_INTERNED_NAMES
    assert parse_message(request("X-After: z\r\ns: lunch\r\n")).get("Subject") == "lunch"


# -- whatever the bytes ------------------------------------------------------------------------------------------------

CORPUS = [rfc4475(name) for name in rfc4475_names()] + [captured(name) for name in captured_names()] + seeds("sip")
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def exercise(data: bytes) -> None:
    """Everything that is ever done with a message from outside; only SipParseError may come out."""
    try:
        message = parse_message(data, Flow("udp", "192.0.2.1", 5060))
    except SipParseError as error:
        if error.request_head is not None:
            build_response(error.request_head, error.status, error.reason, to_tag="x")
        return
    once = serialize(message)
    assert serialize(parse_message(once)) == once
    for read in (
        lambda: message.from_, lambda: message.to, lambda: message.contacts, lambda: message.max_forwards,
        lambda: message.expires, lambda: message.top_via, lambda: message.addresses("Route"),
        lambda: message.all("Via"), lambda: message.content_type,
    ):  # fmt: skip
        try:
            read()
        except SipParseError:
            continue


@FEW
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    exercise(data)


@FEW
@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=40)), max_size=6), st.binary(max_size=40))
def test_any_headers(headers: list[tuple[str, str]], body: bytes) -> None:
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers)
    exercise((HEAD + extra + "\r\n").encode("utf-8", "surrogatepass") + body)


@FEW
@given(st.sampled_from(CORPUS), st.integers(0, 2**32), st.integers(1, 8))
def test_mutated_messages(seed: bytes, seed_of_chance: int, n_changes: int) -> None:
    chance = random.Random(seed_of_chance)
    data = bytearray(seed)
    for _ in range(n_changes):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            data[at:at] = bytes([chance.randrange(256)])
        elif kind == 1:
            del data[at : at + chance.randrange(1, 20)]
        elif kind == 2:
            signs = [bytes([sign]) for sign in b'"<>,;%:@ ']
            data[at:at] = chance.choice([b"\r\n", b"\r\n ", b"\x00", *signs])
        else:
            end = min(len(data), at + chance.randrange(1, 60))
            data[at:at] = data[at:end]
    exercise(bytes(data))
