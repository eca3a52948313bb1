"""Micro-benchmarks of what every message passes: parse, check, serialize, answer, SDP, digest.

`python -m pytest benchmarks/micro/test_parse.py --benchmark-only`. Goals on the reference machine, in microseconds
(SIGNALLING §1): INVITE parse 6, answer 1, SDP offer read and answered 8, digest 10. The messages are those of a
B2BUA call, not the test vectors, so that figures stay comparable when vectors are added.
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from sip.credentials import Credentials
from sip.digest import NonceTable, answer_challenge, check_digest, ha1, make_challenge
from sip.flow import Flow
from sip.message import Request, build_response, note_source, serialize
from sip.offer_answer import Capabilities, LocalMedia, answer_offer, apply_answer, make_offer
from sip.parser import parse_message
from sip.sdp import parse_sdp
from sip.uri import parse_name_addr, parse_uri
from sip.validate import check_request

FLOW = Flow("udp", "10.9.0.9", 5062)
OFFER = (
    b"v=0\r\no=Z 0 1092341 IN IP4 10.9.0.2\r\ns=Z\r\nc=IN IP4 10.9.0.2\r\nt=0 0\r\n"
    b"m=audio 8000 RTP/AVP 8 0 101 106 9 98 3\r\n"
    b"a=rtpmap:106 opus/48000/2\r\na=fmtp:106 minptime=20; cbr=1; useinbandfec=1\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
    b"a=rtpmap:98 telephone-event/48000\r\na=fmtp:98 0-16\r\na=sendrecv\r\n"
)
INVITE = (
    b"INVITE sip:1002@10.9.0.1:5060 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.9.0.2:5062;branch=z9hG4bK-524287-1---0b1f4e5a3d2c1b0a;rport\r\nMax-Forwards: 70\r\n"
    b"Contact: <sip:1001@10.9.0.2:5062;transport=UDP>\r\nTo: <sip:1002@10.9.0.1>\r\n"
    b'From: "Alice" <sip:1001@10.9.0.1>;tag=8c2f1a77\r\nCall-ID: 81520ZjM4ZTkyMzE1YmE1YWEwNzU5YTFiYWJkYzc4Zjk3OTc\r\n'
    b"CSeq: 1 INVITE\r\nAllow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE\r\n"
    b"Content-Type: application/sdp\r\nSupported: replaces, norefersub, extended-refer, timer, outbound, path\r\n"
    b"User-Agent: Z 5.6.4 v2.10.20.5\r\nAllow-Events: presence, kpml, talk\r\nContent-Length: %d\r\n\r\n%b"
) % (len(OFFER), OFFER)
OK = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.9.0.1:5060;branch=z9hG4bK77ef4c2312983.1;rport=5060;received=10.9.0.1\r\n"
    b'To: <sip:1002@10.9.0.1>;tag=a48s\r\nFrom: "Alice" <sip:1001@10.9.0.1>;tag=8c2f1a77\r\n'
    b"Call-ID: 81520ZjM4ZTkyMzE1YmE1YWEwNzU5YTFiYWJkYzc4Zjk3OTc\r\nCSeq: 1 INVITE\r\n"
    b"Contact: <sip:1002@10.9.0.3:5060>\r\nContent-Length: 0\r\n\r\n"
)
US = LocalMedia("10.9.0.1", 20000, 12345)
CAPABILITIES = Capabilities()


@pytest.fixture
def request_() -> Request:
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    note_source(message, FLOW)
    return message


@pytest.mark.parametrize("data", [INVITE, OK], ids=["invite", "200"])
def test_parse(benchmark: BenchmarkFixture, data: bytes) -> None:
    benchmark(parse_message, data, FLOW)


def test_note_source(benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(note_source, setup=lambda: ((parse_message(INVITE), FLOW), {}), rounds=2000)  # type: ignore[no-untyped-call]


def test_check_request(benchmark: BenchmarkFixture, request_: Request) -> None:
    assert benchmark(check_request, request_) is None


def test_serialize(benchmark: BenchmarkFixture, request_: Request) -> None:
    benchmark(serialize, request_)


def test_build_response(benchmark: BenchmarkFixture, request_: Request) -> None:
    benchmark(build_response, request_, 180, "Ringing", to_tag="a48s", contact="<sip:us@10.9.0.1>")


def test_parse_uri(benchmark: BenchmarkFixture) -> None:
    benchmark(parse_uri, "sip:1001@10.9.0.2:5062;transport=UDP")


def test_parse_name_addr(benchmark: BenchmarkFixture) -> None:
    benchmark(parse_name_addr, '"Alice" <sip:1001@10.9.0.1>;tag=8c2f1a77')


def test_parse_sdp(benchmark: BenchmarkFixture) -> None:
    benchmark(parse_sdp, OFFER)


def test_answer_offer_not_seen_before(benchmark: BenchmarkFixture) -> None:
    ports = iter(range(1024, 10**9))

    def fresh() -> tuple[tuple[bytes, LocalMedia, Capabilities], dict[str, object]]:
        return (OFFER.replace(b"8000 RTP", b"%d RTP" % (next(ports) % 64000 + 1)), US, CAPABILITIES), {}

    benchmark.pedantic(answer_offer, setup=fresh, rounds=2000)  # type: ignore[no-untyped-call]


def test_apply_answer_not_seen_before(benchmark: BenchmarkFixture) -> None:
    ports = iter(range(1024, 10**9))

    def fresh() -> tuple[tuple[bytes, Capabilities], dict[str, object]]:
        return (make_offer(LocalMedia("10.9.0.3", next(ports) % 64000 + 1, 1), CAPABILITIES), CAPABILITIES), {}

    benchmark.pedantic(apply_answer, setup=fresh, rounds=2000)  # type: ignore[no-untyped-call]


def test_make_offer(benchmark: BenchmarkFixture) -> None:
    benchmark(make_offer, US, CAPABILITIES)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_check_digest(benchmark: BenchmarkFixture, algorithm: str) -> None:
    nonces = NonceTable(b"x" * 32)
    challenges = make_challenge(nonces, "ringback", "10.9.0.2", 1.0, algorithms=[algorithm])
    secret = ha1("alice", "ringback", "secret", algorithm)
    authorization = answer_challenge(
        challenges, Credentials("alice", "secret"), method="INVITE", uri="sip:ringback", cnonce="0a4f113b"
    )
    assert authorization is not None
    benchmark(
        check_digest, [authorization], method="INVITE", uri="sip:ringback", realm="ringback", source="10.9.0.2",
        now=1.0, nonces=nonces, find_ha1=lambda _username, _algorithm: secret,
    )  # fmt: skip


def test_make_challenge(benchmark: BenchmarkFixture) -> None:
    benchmark(make_challenge, NonceTable(b"x" * 32), "ringback", "10.9.0.2", 1.0)
