"""`sip.offer_answer`: RFC 3264 §5 to §8 and its §10 examples, hold in every form, late offers, what is refused.

Covers one audio stream, as the switch negotiates. Not covered: codecs besides G.711 (test_offer_answer_codecs.py), SRTP
beyond its refusal (test_sdes.py), when offers may be sent (glare, re-INVITE: the stack's tests).
"""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.offer_answer import (
    Capabilities,
    LocalMedia,
    NoCommonCodec,
    SdpError,
    answer_offer,
    apply_answer,
    make_offer,
    offered_codecs,
)
from sip.parser import parse_message
from sip.sdp import parse_sdp
from tests.vectors import captured

US = LocalMedia("10.9.0.1", 20000, 77, 3)
ALL = Capabilities()


def offer(
    *media: str, host: str = "192.0.2.1", session: str = "", protocol_family: str = "IP4", timing: str = "0 0"
) -> bytes:
    lines = [
        "v=0", f"o=- 1 1 IN {protocol_family} {host}", "s=-", f"c=IN {protocol_family} {host}", f"t={timing}",
        *session.split("|"), *(line for each in media for line in each.split("|")),
    ]  # fmt: skip
    return "".join(f"{line}\r\n" for line in lines if line).encode()


# (media of the offer, m= line of the answer, codec, payload type, telephone-event)
NEGOTIATIONS = [
    ("m=audio 4000 RTP/AVP 0", "m=audio 20000 RTP/AVP 0", "PCMU", 0, -1),
    ("m=audio 4000 RTP/AVP 8 0", "m=audio 20000 RTP/AVP 8", "PCMA", 8, -1),
    ("m=audio 4000 RTP/AVP 18 3 0 8", "m=audio 20000 RTP/AVP 0", "PCMU", 0, -1),
    ("m=audio 4000 RTP/AVP 97 98|a=rtpmap:97 iLBC/8000|a=rtpmap:98 pcmu/8000/1",
     "m=audio 20000 RTP/AVP 98", "PCMU", 98, -1),
    ("m=audio 4000 RTP/AVP 0 101|a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-16",
     "m=audio 20000 RTP/AVP 0 101", "PCMU", 0, 101),
    ("m=audio 4000 RTP/AVP 110 96 0|a=rtpmap:110 telephone-event/48000|a=rtpmap:96 telephone-event/8000",
     "m=audio 20000 RTP/AVP 0 96", "PCMU", 0, 96),
    ("m=audio 4000 RTP/AVP 0 110|a=rtpmap:110 telephone-event/48000", "m=audio 20000 RTP/AVP 0", "PCMU", 0, -1),
    ("m=audio 4000 RTP/AVP 0 8|a=rtpmap:0 L16/8000", "m=audio 20000 RTP/AVP 8", "PCMA", 8, -1),
]  # fmt: skip


@pytest.mark.parametrize(("media", "answered", "codec", "payload_type", "dtmf"), NEGOTIATIONS)
def test_answer(media: str, answered: str, codec: str, payload_type: int, dtmf: int) -> None:
    body, agreed = answer_offer(offer(media), US, ALL)
    assert answered in body.decode().split("\r\n")
    assert (agreed.codec, agreed.payload_type, agreed.dtmf_payload_type) == (codec, payload_type, dtmf)
    assert (agreed.remote_host, agreed.remote_port, agreed.remote_rtcp_port) == ("192.0.2.1", 4000, 4001)
    assert (agreed.direction, agreed.ptime_ms) == ("sendrecv", 20)
    # What we answer must be readable as an answer to what was offered.
    back = apply_answer(body, ALL)
    assert (back.codec, back.payload_type, back.dtmf_payload_type) == (codec, payload_type, dtmf)


def test_whole_answer() -> None:
    body, _ = answer_offer(offer("m=audio 4000 RTP/AVP 8 101|a=rtpmap:101 telephone-event/8000", timing="5 6"), US, ALL)
    assert body == (
        b"v=0\r\no=- 77 3 IN IP4 10.9.0.1\r\ns=-\r\nc=IN IP4 10.9.0.1\r\nt=5 6\r\nm=audio 20000 RTP/AVP 8 101\r\n"
        b"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )


def test_whole_offer() -> None:
    assert make_offer(LocalMedia("2001:db8::1", 20002, 5), ALL, prefer="PCMA", direction="sendonly") == (
        b"v=0\r\no=- 5 0 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\n"
        b"m=audio 20002 RTP/AVP 8 0 101\r\n"
        b"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        b"a=ptime:20\r\na=sendonly\r\n"
    )
    plain = make_offer(US, Capabilities(codecs=("PCMA",), telephone_event=False, ptime_ms=30), prefer="PCMU")
    assert b"m=audio 20000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:30\r\n" in plain


def test_preference() -> None:
    both = offer("m=audio 4000 RTP/AVP 0 8")
    assert answer_offer(both, US, ALL, prefer="PCMA")[1].codec == "PCMA"
    assert answer_offer(both, US, ALL, prefer="G722")[1].codec == "PCMU"
    assert answer_offer(both, US, Capabilities(codecs=("PCMA",)))[1].codec == "PCMA"


def test_first_acceptable_stream_is_taken_and_the_others_refused() -> None:
    """RFC 3264 §6: as many m= lines as the offer, in its order."""
    body, agreed = answer_offer(
        offer(
            "m=video 53000 RTP/AVP 32|a=rtpmap:32 MPV/90000",
            "m=audio 0 RTP/AVP 0",
            "m=audio 4000 RTP/SAVP 0",
            "m=audio 4002 RTP/AVP 9",
            "m=audio 4004 RTP/AVP 8|c=IN IP4 192.0.2.2",
            "m=audio 4006 RTP/AVP 0",
            "m=application 4008 TCP/MRCPv2 1",
        ),
        US,
        ALL,
    )
    assert [line for line in body.decode().split("\r\n") if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 32", "m=audio 0 RTP/AVP 0", "m=audio 0 RTP/SAVP 0", "m=audio 0 RTP/AVP 9",
        "m=audio 20000 RTP/AVP 8", "m=audio 0 RTP/AVP 0", "m=application 0 TCP/MRCPv2 1",
    ]  # fmt: skip
    assert (agreed.remote_host, agreed.remote_port) == ("192.0.2.2", 4004)
    assert apply_answer(body, ALL).remote_port == 20000


def test_rfc_3264_basic_exchange() -> None:
    """§10.1: Alice offers audio and two videos; we take the audio. Hosts made literal, as the switch wants them."""
    alice = offer(
        "m=audio 49170 RTP/AVP 0|a=rtpmap:0 PCMU/8000",
        "m=video 51372 RTP/AVP 31|a=rtpmap:31 H261/90000",
        "m=video 53000 RTP/AVP 32|a=rtpmap:32 MPV/90000",
    )
    body, agreed = answer_offer(alice, US, ALL)
    assert [(media.kind, media.port) for media in parse_sdp(body).media] == [
        ("audio", 20000),
        ("video", 0),
        ("video", 0),
    ]
    assert (agreed.codec, agreed.remote_port) == ("PCMU", 49170)


def test_rfc_3264_one_of_n_codec_selection() -> None:
    """§10.2: PCMU, iLBC in the offer, later reduced; a media-level sendrecv and a dynamic telephone-event."""
    bob = offer(
        "m=audio 49170 RTP/AVP 0 4 18 97|a=rtpmap:97 iLBC/8000|a=sendrecv",
        "m=audio 49172 RTP/AVP 98|a=rtpmap:98 telephone-event/8000|a=sendonly",
    )
    body, agreed = answer_offer(bob, US, ALL)
    assert agreed.codec == "PCMU"
    assert [media.port for media in parse_sdp(body).media] == [20000, 0]


OURS = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
MAY_SEND, MAY_RECEIVE = {"sendrecv", "sendonly"}, {"sendrecv", "recvonly"}


@pytest.mark.parametrize(("theirs", "wanted"), list(itertools.product(OURS, OURS)))
def test_directions(theirs: str, wanted: str) -> None:
    """RFC 3264 §6.1, all sixteen, at media and at session level, in offers and in answers."""
    sends = OURS[theirs] in MAY_SEND and wanted in MAY_SEND
    receives = OURS[theirs] in MAY_RECEIVE and wanted in MAY_RECEIVE
    expected = {
        (True, True): "sendrecv",
        (True, False): "sendonly",
        (False, True): "recvonly",
        (False, False): "inactive",
    }
    for sdp in (
        offer(f"m=audio 4000 RTP/AVP 0|a={theirs}"),
        offer("m=audio 4000 RTP/AVP 0", session=f"a={theirs}"),
        offer(f"m=audio 4000 RTP/AVP 0|a={theirs}", session="a=inactive"),
    ):
        body, agreed = answer_offer(sdp, US, ALL, direction=wanted)
        assert agreed.direction == expected[sends, receives]
        assert f"\r\na={agreed.direction}\r\n" in body.decode()
        assert apply_answer(sdp, ALL, direction=wanted).direction == agreed.direction


@pytest.mark.parametrize(
    ("sdp", "direction"),
    [
        (offer("m=audio 4000 RTP/AVP 0", host="0.0.0.0"), "recvonly"),
        (offer("m=audio 4000 RTP/AVP 0|c=IN IP4 0.0.0.0"), "recvonly"),
        (offer("m=audio 4000 RTP/AVP 0|a=sendonly", host="0.0.0.0"), "recvonly"),
        (offer("m=audio 4000 RTP/AVP 0|a=recvonly", host="0.0.0.0"), "inactive"),
        (offer("m=audio 4000 RTP/AVP 0|a=inactive", host="0.0.0.0"), "inactive"),
        (offer("m=audio 4000 RTP/AVP 0", host="::", protocol_family="IP6"), "recvonly"),
        (offer("m=audio 4000 RTP/AVP 0|a=sendonly"), "recvonly"),
        (offer("m=audio 4000 RTP/AVP 0|a=inactive"), "inactive"),
    ],
)
def test_hold(sdp: bytes, direction: str) -> None:
    assert answer_offer(sdp, US, ALL)[1].direction == direction


@pytest.mark.parametrize(
    "media",
    [
        "m=audio 4000 RTP/AVP 9", "m=audio 4000 RTP/SAVP 0 8", "m=audio 4000 UDP/TLS/RTP/SAVPF 0",
        "m=audio 0 RTP/AVP 0",
        "m=video 4000 RTP/AVP 31", "m=audio 4000 RTP/AVP 101|a=rtpmap:101 telephone-event/8000",
        "m=audio 4000 RTP/AVP 13",
        "m=audio 4000 RTP/AVP 96|a=rtpmap:96 PCMU/16000", "m=audio 4000 RTP/AVP 96|a=rtpmap:96 PCMU/8000/2", "",
    ],
)  # fmt: skip
def test_nothing_in_common(media: str) -> None:
    with pytest.raises(NoCommonCodec) as caught:
        answer_offer(offer(media), US, ALL)
    assert caught.value.status == 488
    with pytest.raises(NoCommonCodec):
        apply_answer(offer(media), ALL)


@pytest.mark.parametrize(
    "sdp",
    [
        b"", b"v=0\r\n", offer("m=audio 4000 RTP/AVP 0", host="224.2.1.1"),
        offer("m=audio 4000 RTP/AVP 0", host="evil.example"),
        offer("m=audio 4000 RTP/AVP 0|a=rtcp:99999"), offer("m=audio 4000 RTP/AVP 0|a=rtpmap:0 x"),
    ],
)  # fmt: skip
def test_malformed(sdp: bytes) -> None:
    with pytest.raises(SdpError):
        answer_offer(sdp, US, ALL)
    with pytest.raises(SdpError):
        apply_answer(sdp, ALL)


@pytest.mark.parametrize(
    ("attributes", "rtcp_port", "ptime_ms"),
    [
        ("", 4001, 20),
        ("|a=rtcp:53020", 53020, 20),
        ("|a=rtcp:53020 IN IP4 126.16.64.4|a=ptime:30", 53020, 30),
        ("|a=ptime:7", 4001, 20),
        ("|a=ptime:600", 4001, 20),
        ("|a=ptime:x", 4001, 20),
        ("|a=ptime: 40 |a=rtcp-mux", 4001, 40),
    ],
)
def test_rtcp_and_ptime(attributes: str, rtcp_port: int, ptime_ms: int) -> None:
    _, agreed = answer_offer(offer(f"m=audio 4000 RTP/AVP 0{attributes}"), US, ALL)
    assert (agreed.remote_rtcp_port, agreed.ptime_ms) == (rtcp_port, ptime_ms)


def test_without_telephone_event() -> None:
    body, agreed = answer_offer(
        offer("m=audio 4000 RTP/AVP 0 101|a=rtpmap:101 telephone-event/8000"), US, Capabilities(telephone_event=False)
    )
    assert agreed.dtmf_payload_type == -1
    assert b"telephone-event" not in body


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("desk_phone", ["G722", "PCMU", "PCMA", "G729"]),
        ("soft_phone_ipv6", ["opus", "speex", "PCMU", "PCMA"]),
        ("carrier", ["PCMA", "G729"]),
    ],
)
def test_offered_codecs(name: str, codecs: list[str]) -> None:
    body = parse_message(captured(name)).body
    assert offered_codecs(body) == codecs
    assert answer_offer(body, US, ALL)[1].codec == next(codec for codec in codecs if codec in ALL.codecs)


def test_offered_codecs_of_other_things() -> None:
    assert offered_codecs(offer("m=video 4000 RTP/AVP 31", "m=audio 0 RTP/AVP 0")) == []
    assert offered_codecs(offer("m=audio 4000 RTP/AVP 13 96 97 0|a=rtpmap:96 pcmu/8000|a=rtpmap:97 RED/8000")) == [
        "PCMU"
    ]
    assert offered_codecs(offer("m=audio 4000 RTP/AVP 0 8 9|a=rtpmap:0 CN/8000|a=rtpmap:9 g722/8000")) == [
        "PCMA",
        "G722",
    ]
    with pytest.raises(SdpError):
        offered_codecs(b"x")


def test_ipv6() -> None:
    body = parse_message(captured("soft_phone_ipv6")).body
    answer, agreed = answer_offer(body, LocalMedia("2001:db8::1", 20000, 1), ALL)
    assert (agreed.remote_host, agreed.remote_rtcp_port, agreed.dtmf_payload_type) == ("2001:db8::20", 50014, 98)
    assert b"c=IN IP6 2001:db8::1\r\n" in answer


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["0", "8", "9", "18", "96", "101"]), min_size=1, max_size=6, unique=True),
    st.lists(st.sampled_from(ALL.codecs), min_size=1, unique=True),
    st.booleans(),
    st.sampled_from(["", *ALL.codecs]),
)
def test_answer_holds_only_what_was_offered(formats: list[str], codecs: list[str], dtmf: bool, prefer: str) -> None:
    capabilities = Capabilities(codecs=tuple(codecs), telephone_event=dtmf)
    sdp = offer(f"m=audio 4000 RTP/AVP {' '.join(formats)}|a=rtpmap:96 PCMA/8000|a=rtpmap:101 telephone-event/8000")
    try:
        body, agreed = answer_offer(sdp, US, capabilities, prefer=prefer)
    except NoCommonCodec:
        assert not (("0" in formats and "PCMU" in codecs) or ({"8", "96"} & set(formats) and "PCMA" in codecs))
        return
    answered = parse_sdp(body).media[0].formats
    assert set(answered) <= set(formats)
    assert agreed.codec in codecs
    assert apply_answer(body, capabilities).payload_type == agreed.payload_type
    if prefer in codecs and ("0" if prefer == "PCMU" else "8") in formats:
        assert agreed.codec == prefer


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL.codecs), st.sampled_from(list(OURS)), st.integers(1, 65535))
def test_our_offer_and_our_answer_understand_each_other(prefer: str, direction: str, port: int) -> None:
    ours = make_offer(LocalMedia("192.0.2.5", port, 1), ALL, prefer=prefer, direction=direction)
    answer, theirs = answer_offer(ours, US, ALL)
    mine = apply_answer(answer, ALL, direction=direction)
    assert (theirs.remote_port, mine.codec, theirs.codec) == (port, prefer, prefer)
    assert mine.direction == direction == OURS[theirs.direction]
    assert mine.dtmf_payload_type == theirs.dtmf_payload_type == 101
