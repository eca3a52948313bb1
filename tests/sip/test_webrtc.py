"""sip/webrtc.py: browsers' descriptions without their coat and ours with one, through the whole of offer/answer.

The descriptions are as Chromium, Firefox and aiortc write them, shortened. Not here: the edge that they lead to
(tests/media/webrtc), real browsers (tests/live/test_browsers.py).
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.offer_answer import (
    Capabilities,
    LocalMedia,
    NoCommonCodec,
    SecurityMismatch,
    answer_offer,
    apply_answer,
    make_offer,
    offered_codecs,
)
from sip.sdp import SdpError, parse_sdp
from sip.webrtc import LocalTransport, dress, is_browser_sdp, keep_one_event, undress

PRINT = ":".join(["AB"] * 32)
EDGE = ("127.0.0.1", 40000)
LOCAL = LocalTransport("203.0.113.5", 3480, ":".join(["CD"] * 32), "ours", "o" * 22, "passive")
CAPABILITIES = Capabilities(codecs=("PCMA", "PCMU", "G722", "opus"))
SECURE = f"a=ice-ufrag:Xy+/\r\na=ice-pwd:{'p' * 24}\r\na=fingerprint:sha-256 {PRINT}\r\na=setup:actpass\r\n"
CHROMIUM = (
    "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "a=extmap-allow-mixed\r\na=msid-semantic: WMS stream\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    f"a=candidate:1 1 udp 2113937151 0d6b.local 5000 typ host\r\n{SECURE}a=ice-options:trickle\r\na=mid:0\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=msid:stream track\r\na=rtcp-mux\r\n"
    "a=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10\r\n"
    "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n"
    "a=rtpmap:126 telephone-event/8000\r\na=ssrc:17 cname:x\r\n"
    f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n{SECURE}a=mid:1\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"
)
FIREFOX = (
    "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=sendrecv\r\n"
    f"a=fingerprint:sha-256 {PRINT}\r\na=group:BUNDLE 0\r\na=ice-options:trickle\r\na=msid-semantic:WMS *\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\na=fmtp:101 0-15\r\n"
    f"a=ice-pwd:{'p' * 32}\r\na=ice-ufrag:2f6a\r\na=mid:0\r\na=rtcp-mux\r\na=rtpmap:109 opus/48000/2\r\n"
    "a=rtpmap:9 G722/8000/1\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000/1\r\n"
    "a=setup:actpass\r\n"
)


def answered(offer: str, codec: str = "PCMA", direction: str = "sendrecv") -> tuple[str, object]:
    remote, plain = undress(offer.encode(), *EDGE)
    local = LocalMedia(LOCAL.host, LOCAL.port, 7, 1)
    body, agreed = answer_offer(plain, local, CAPABILITIES, prefer=codec, direction=direction)
    return dress(body, LOCAL, remote.mids).decode(), agreed


@pytest.mark.parametrize("codec", ["PCMA", "PCMU", "G722", "opus"])
def test_an_offer_of_chromium_is_answered(codec: str) -> None:
    answer, agreed = answered(CHROMIUM, codec)
    assert (agreed.codec, agreed.remote_host, agreed.remote_port, agreed.remote_rtcp_port) == (
        codec, "127.0.0.1", 40000, 40000,
    )  # fmt: skip
    assert agreed.dtmf_payload_type == (110 if codec == "opus" else 126)
    assert agreed.direction == "sendrecv" and agreed.srtp is None
    session = parse_sdp(answer.encode())
    assert "ice-lite" in session.attributes and "group:BUNDLE 0" in session.attributes
    audio, video = session.media
    assert (audio.port, audio.protocol, audio.host) == (3480, "UDP/TLS/RTP/SAVPF", "203.0.113.5")
    for name, value in (
        ("mid", "0"),
        ("setup", "passive"),
        ("rtcp-mux", ""),
        ("ice-ufrag", "ours"),
        ("ice-pwd", "o" * 22),
        ("fingerprint", f"sha-256 {LOCAL.fingerprint}"),
        ("candidate", "1 1 udp 2130706431 203.0.113.5 3480 typ host"),
    ):
        assert audio.attribute(name) == value
    for name in ("ssrc", "extmap", "crypto", "rtcp-fb"):
        assert audio.attribute(name) is None
    assert (video.port, video.attribute("mid"), video.protocol) == (0, "1", "UDP/TLS/RTP/SAVPF")


def test_what_it_wants_and_says_is_read() -> None:
    remote, plain = undress(CHROMIUM.encode(), *EDGE)
    assert remote.ufrag == "Xy+/" and remote.fingerprints == (("sha-256", PRINT),) and remote.setup == "actpass"
    assert remote.mids == ("0", "1") and remote.is_bundle
    assert offered_codecs(plain)[:4] == ["opus", "G722", "PCMU", "PCMA"]
    for secret in (b"ice-", b"fingerprint", b"candidate", b"SAVPF 111"):
        assert secret not in plain


def test_a_fingerprint_for_the_whole_session_counts() -> None:
    remote, _ = undress(FIREFOX.encode(), *EDGE)
    assert remote.fingerprints == (("sha-256", PRINT),)
    answer, agreed = answered(FIREFOX)
    assert agreed.codec == "PCMA" and "a=mid:0\r\n" in answer


@pytest.mark.parametrize(
    ("theirs", "ours"), [("sendonly", "recvonly"), ("inactive", "inactive"), ("recvonly", "sendonly")]
)
def test_hold_is_seen_through_the_coat(theirs: str, ours: str) -> None:
    """The address of zeroes that every browser writes is no hold."""
    answer, agreed = answered(CHROMIUM.replace("a=sendrecv", f"a={theirs}"))
    assert agreed.direction == ours and f"a={ours}\r\n" in answer


def test_an_offer_of_ours_is_answered_by_a_browser() -> None:
    plain = make_offer(LocalMedia(LOCAL.host, LOCAL.port, 7, 0), CAPABILITIES)
    offer = dress(plain, msgspec.structs.replace(LOCAL, setup="actpass"))
    assert is_browser_sdp(offer) and b"a=setup:actpass" in offer and b"a=mid:0" in offer
    answer = (
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 8 101\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtcp-mux\r\n"
        f"{SECURE.replace('actpass', 'active')}a=sendrecv\r\na=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\n"
    )
    remote, plain = undress(answer.encode(), *EDGE)
    agreed = apply_answer(plain, CAPABILITIES)
    assert (agreed.codec, agreed.payload_type, agreed.remote_port, remote.setup) == ("PCMA", 8, 40000, "active")


@pytest.mark.parametrize(
    ("codecs", "kept", "left_out"),
    [
        (("PCMA", "opus"), "101 telephone-event/8000", "telephone-event/48000"),
        (("G722", "opus"), "101 telephone-event/8000", "telephone-event/48000"),
        (("opus", "PCMA"), "110 telephone-event/48000", "telephone-event/8000"),
        (("PCMU",), "101 telephone-event/8000", "telephone-event/48000"),
    ],
)
def test_an_offer_has_events_at_the_clock_of_its_first_codec(codecs: tuple[str, ...], kept: str, left_out: str) -> None:
    plain = make_offer(LocalMedia("203.0.113.5", 3480, 7), Capabilities(codecs=codecs))
    offer = keep_one_event(plain).decode()
    assert f"a=rtpmap:{kept}\r\n" in offer and left_out not in offer
    [audio] = parse_sdp(offer.encode()).media
    described = [each for each in audio.attributes if each.startswith("rtpmap:")]
    assert len(audio.formats) == len(described) == len(codecs) + 1
    number = kept.partition(" ")[0]
    assert number in audio.formats and any(each.startswith(f"fmtp:{number} ") for each in audio.attributes)
    plain = make_offer(LocalMedia("203.0.113.5", 3480, 7), Capabilities(codecs=codecs, telephone_event=False))
    assert keep_one_event(plain) == plain


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("a=rtcp-mux\r\n", "", "rtcp-mux is needed"),
        (f"sha-256 {PRINT}", f"sha-1 {':'.join(['AB'] * 20)}", "no fingerprint with sha-256 or better"),
        (PRINT, PRINT[:-3], "no fingerprint with sha-256 or better"),
        ("a=setup:actpass", "a=setup:passive", "the edge opens no DTLS connection"),
        ("a=setup:actpass", "a=setup:holdconn", "the edge opens no DTLS connection"),
        ("a=ice-ufrag:Xy+/\r\n", "", "no ICE credentials"),
        ("m=audio 9 UDP", "m=audio 0 UDP", "no audio section with DTLS-SRTP"),
        ("UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "no audio section with DTLS-SRTP"),
    ],
)
def test_what_the_edge_cannot_do_is_refused_with_a_reason(old: str, new: str, error: str) -> None:
    with pytest.raises(SecurityMismatch, match=error):
        undress(CHROMIUM.replace(old, new).encode(), *EDGE)


def test_no_common_codec() -> None:
    _, plain = undress(CHROMIUM.encode(), *EDGE)
    with pytest.raises(NoCommonCodec):
        answer_offer(plain, LocalMedia("127.0.0.1", 1, 1), Capabilities(codecs=("L16/16000",)))


@given(st.data())
def test_no_bytes_crash_it(data: st.DataObject) -> None:
    """Cut, repeated and changed anywhere: an error of ours or a description that offer/answer can read."""
    body = bytearray(CHROMIUM.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=10))
    try:
        remote, plain = undress(bytes(body), *EDGE)
        made, _ = answer_offer(plain, LocalMedia("127.0.0.1", 1, 1), CAPABILITIES)
    except (SdpError, NoCommonCodec):
        return
    parse_sdp(dress(made, LOCAL, remote.mids))
