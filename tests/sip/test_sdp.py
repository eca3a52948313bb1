"""`sip.sdp`: reading session descriptions, good and bad ones in `tests/vectors/sdp`, bounds, IPv6.

Not covered: what is negotiated from them (test_offer_answer.py); ICE, SRTP keys and bandwidth, which stay raw.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip import limits
from sip.parser import parse_message
from sip.sdp import RtpMap, SdpError, check_unicast, parse_rtpmap, parse_sdp
from tests.vectors import HERE, captured, captured_names, seeds

GOOD = sorted((HERE / "sdp" / "good").glob("*.sdp"))
BAD = sorted((HERE / "sdp" / "bad").glob("*.sdp"))
SESSION = b"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_good(path: Path, line_end: bytes) -> None:
    session = parse_sdp(path.read_bytes().replace(b"\n", line_end))
    assert session.media[0].kind == "audio"
    assert 0 < session.media[0].port <= 65535
    assert session.media[0].host


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad(path: Path) -> None:
    with pytest.raises(SdpError) as caught:
        parse_sdp(path.read_bytes().replace(b"\n", b"\r\n"))
    assert caught.value.status == 400


@pytest.mark.parametrize("name", [name for name in captured_names() if name != "late_offer"])
def test_captured(name: str) -> None:
    session = parse_sdp(parse_message(captured(name)).body)
    assert [media.kind for media in session.media] == ["audio"]


def test_everything_read() -> None:
    session = parse_sdp((HERE / "sdp" / "good" / "every_line.sdp").read_bytes())
    media = session.media[0]
    assert session.origin == "alice 2890844526 2890844526 IN IP4 192.0.2.1"
    assert session.timing == "2873397496 2873404696"
    assert (session.host, session.attributes) == ("192.0.2.1", ["recvonly"])
    assert (media.port, media.protocol, media.formats, media.host) == (49170, "RTP/AVP", ["0"], "192.0.2.1")
    assert media.attribute("ptime") == "30"
    assert media.attribute("maxptime") is None


def test_attributes() -> None:
    lines = b"m=audio 4000 RTP/AVP 96 0\na=rtpmap:96 opus/48000/2\na=rtcp-mux\na=rtcp:4500 IN IP4 192.0.2.1\n"
    media = parse_sdp(SESSION + lines).media[0]
    assert media.rtpmaps() == {"96": RtpMap("opus", 48000, 2)}
    assert media.attribute("rtcp-mux") == ""
    assert media.attribute("rtcp") == "4500 IN IP4 192.0.2.1"


@pytest.mark.parametrize(
    ("attribute", "payload_type", "rtpmap"),
    [
        ("rtpmap:0 PCMU/8000", "0", RtpMap("PCMU", 8000)),
        ("rtpmap:096  opus/48000/2", "96", RtpMap("opus", 48000, 2)),
        ("rtpmap:8 pcma/8000/", "8", RtpMap("pcma", 8000)),
    ],
)
def test_rtpmap(attribute: str, payload_type: str, rtpmap: RtpMap) -> None:
    assert parse_rtpmap(attribute) == (payload_type, rtpmap)
    assert rtpmap.key == rtpmap.key.upper()


@pytest.mark.parametrize(
    "attribute",
    ["rtpmap:", "rtpmap:0", "rtpmap:0 PCMU", "rtpmap:128 X/8000", "rtpmap:x X/8000", "rtpmap:0 /8000", "rtpmap:0 X/y",
     "rtpmap:0 X/8000/256", "rtpmap:0 X/8000/1/1", "rtpmap:0 X/99999999", "rtpmap:-1 X/8000"],
)  # fmt: skip
def test_bad_rtpmap(attribute: str) -> None:
    with pytest.raises(SdpError):
        parse_rtpmap(attribute)


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "2001:db8::1", "::", "127.0.0.1"])
def test_unicast(host: str) -> None:
    assert check_unicast(host) == host


@pytest.mark.parametrize(
    "host", ["224.2.1.1", "ff02::1", "255.255.255.255", "host.example.com", "fe80::1%eth0", "", "1.2.3"]
)
def test_not_unicast(host: str) -> None:
    with pytest.raises(SdpError):
        check_unicast(host)


@pytest.mark.parametrize(
    "body",
    [
        SESSION + b"a=x\n" * (limits.MAX_SDP_LINES + 1),
        SESSION + b"a=" + b"x" * limits.MAX_SDP_BYTES + b"\n",
        SESSION + b"m=audio 4000 RTP/AVP 0\n" * (limits.MAX_SDP_MEDIA + 1),
        SESSION + b"m=audio 4000 RTP/AVP" + b" 0" * (limits.MAX_SDP_FORMATS + 1) + b"\n",
        SESSION + b"m=audio " + b"4" * 5000 + b" RTP/AVP 0\n",
        SESSION.replace(b"t=0 0", b"t=0\r0") + b"m=audio 4000 RTP/AVP 0\n",
    ],
    ids=["lines", "bytes", "media", "formats", "digits", "bare-cr"],
)
def test_limits(body: bytes) -> None:
    with pytest.raises(SdpError):
        parse_sdp(body)


PIECES = [path.read_bytes() for path in GOOD] + seeds("sdp")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PIECES), st.integers(0, 600), st.integers(0, 30), st.binary(max_size=12))
def test_only_sdp_error(body: bytes, at: int, n: int, replacement: bytes) -> None:
    try:
        session = parse_sdp(body[:at] + replacement + body[at + n :])
        for media in session.media:
            media.rtpmaps()
            assert 0 <= media.port <= 65535
    except SdpError:
        return


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_only_sdp_error_for_noise(body: bytes) -> None:
    for data in (body, SESSION + body):
        try:
            parse_sdp(data)
        except SdpError:
            continue
