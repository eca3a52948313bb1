"""`sip.offer_answer` beyond G.711: G.722, Opus, L16, codecs that pass through, telephone-event at other clocks, comfort
noise, packet lengths.

Not here: what the switch prefers towards whom (tests/switch/test_leg_media.py).
"""

import pytest

from sip.offer_answer import (
    CODECS,
    Capabilities,
    Codec,
    LocalMedia,
    NoCommonCodec,
    answer_offer,
    apply_answer,
    make_offer,
    offered_codecs,
    passable_codecs,
)
from tests.sip.test_offer_answer import US, offer

EVERY = Capabilities(codecs=tuple(CODECS), comfort_noise=True)
OPUS_OFFER = (
    "m=audio 4000 RTP/AVP 96 0 101 100|a=rtpmap:96 opus/48000/2|a=fmtp:96 useinbandfec=1; usedtx=1"
    "|a=rtpmap:101 telephone-event/8000|a=rtpmap:100 telephone-event/48000"
)


def test_whole_offer_of_everything() -> None:
    assert make_offer(US, EVERY, prefer="opus").decode().split("\r\n")[5:] == [
        "m=audio 20000 RTP/AVP 107 0 8 9 118 119 13 101 111 110",
        "a=rtpmap:107 opus/48000/2", "a=fmtp:107 maxplaybackrate=16000;useinbandfec=1",
        "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:9 G722/8000", "a=rtpmap:118 L16/8000",
        "a=rtpmap:119 L16/16000", "a=rtpmap:13 CN/8000",
        "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15",
        "a=rtpmap:111 telephone-event/16000", "a=fmtp:111 0-15",
        "a=rtpmap:110 telephone-event/48000", "a=fmtp:110 0-15",
        "a=ptime:20", "a=maxptime:60", "a=sendrecv", "",
    ]  # fmt: skip


@pytest.mark.parametrize("name", CODECS)
def test_each_codec_there_and_back(name: str) -> None:
    ours = make_offer(LocalMedia("192.0.2.5", 4000, 1), EVERY, prefer=name)
    answer, theirs = answer_offer(ours, US, EVERY)
    mine = apply_answer(answer, EVERY)
    codec = CODECS[name]
    for agreed in (mine, theirs):
        assert (agreed.codec, agreed.clock_rate, agreed.payload_type) == (name, codec.clock_rate, codec.payload_type)
        assert agreed.dtmf_payload_type == {8000: 101, 16000: 111, 48000: 110}[codec.clock_rate]
        assert agreed.cn_payload_type == (13 if codec.clock_rate == 8000 else -1)
    assert mine.fmtp == codec.fmtp


def test_opus_is_answered_under_the_peers_numbers_with_our_parameters() -> None:
    body, agreed = answer_offer(offer(OPUS_OFFER), US, EVERY, prefer="opus")
    assert (agreed.codec, agreed.payload_type, agreed.dtmf_payload_type) == ("opus", 96, 100)
    assert agreed.fmtp == "useinbandfec=1; usedtx=1"
    text = body.decode()
    assert "m=audio 20000 RTP/AVP 96 100\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 maxplaybackrate" in text
    assert "a=rtpmap:100 telephone-event/48000" in text


def test_telephone_event_at_8000_when_the_peer_has_no_other() -> None:
    media = "m=audio 4000 RTP/AVP 96 101|a=rtpmap:96 opus/48000/2|a=rtpmap:101 telephone-event/8000"
    body, agreed = answer_offer(offer(media), US, EVERY)
    assert agreed.dtmf_payload_type == 101
    assert b"a=rtpmap:101 telephone-event/8000\r\n" in body
    narrow = "m=audio 4000 RTP/AVP 0 100|a=rtpmap:100 telephone-event/48000"
    assert answer_offer(offer(narrow), US, EVERY)[1].dtmf_payload_type == -1


@pytest.mark.parametrize(
    ("media", "codec"),
    [
        ("m=audio 4000 RTP/AVP 9", "G722"),
        ("m=audio 4000 RTP/AVP 97|a=rtpmap:97 g722/8000", "G722"),
        ("m=audio 4000 RTP/AVP 97|a=rtpmap:97 L16/16000/1", "L16/16000"),
        ("m=audio 4000 RTP/AVP 97|a=rtpmap:97 l16/8000", "L16/8000"),
        ("m=audio 4000 RTP/AVP 97|a=rtpmap:97 OPUS/48000/2", "opus"),
    ],
)
def test_spellings(media: str, codec: str) -> None:
    assert answer_offer(offer(media), US, EVERY)[1].codec == codec
    assert offered_codecs(offer(media)) == [codec]
    assert passable_codecs(offer(media)) == ()


@pytest.mark.parametrize("rtpmap", ["opus/48000/1", "L16/44100/2", "G722/16000", "PCMU/16000"])
def test_what_only_sounds_like_ours(rtpmap: str) -> None:
    with pytest.raises(NoCommonCodec):
        answer_offer(offer(f"m=audio 4000 RTP/AVP 97|a=rtpmap:97 {rtpmap}"), US, EVERY)


# -- codecs that pass through -----------------------------------------------------------------------------------------

AMR = "m=audio 4000 RTP/AVP 18 96 101 0|a=rtpmap:96 AMR/8000|a=fmtp:96 octet-align=1;mode-set=7|a=fmtp:18 annexb=no"


def test_passable_codecs_keep_number_name_and_parameters() -> None:
    g729, amr = passable_codecs(offer(AMR))
    assert (g729.name, g729.payload_type, g729.fmtp) == ("G729", 18, "annexb=no")
    assert (amr.name, amr.payload_type, amr.fmtp) == ("AMR", 96, "octet-align=1;mode-set=7")


def test_a_number_of_ours_is_given_away_for_another() -> None:
    media = "m=audio 4000 RTP/AVP 107 96 101|a=rtpmap:107 AMR-WB/16000|a=rtpmap:96 iLBC/8000|a=rtpmap:101 speex/32000/2"
    codecs = {codec.name: codec.payload_type for codec in passable_codecs(offer(media))}
    assert codecs["ILBC"] == 96
    assert len(set(codecs.values())) == 3
    assert not set(codecs.values()) & {107, 101, 110, 111, 118, 119}
    assert set(codecs) == {"AMR-WB/16000", "ILBC", "SPEEX/32000/2"}


@pytest.mark.parametrize(
    "media",
    ["m=audio 4000 RTP/AVP 0 13 16 19 97|a=rtpmap:97 RED/8000", "m=video 4000 RTP/AVP 31", "m=audio 0 RTP/AVP 18"],
)
def test_nothing_passable(media: str) -> None:
    assert passable_codecs(offer(media)) == ()


def test_passing_through_from_end_to_end() -> None:
    """A's codecs go to B, B's choice and parameters come back to A."""
    towards_b = Capabilities(codecs=("PCMU", *passable_codecs(offer(AMR))))
    to_b = make_offer(US, towards_b)
    assert b" 0 18 96 101\r\n" in to_b and b"a=fmtp:96 octet-align=1;mode-set=7\r\n" in to_b
    from_b = offer("m=audio 6000 RTP/AVP 96 101|a=rtpmap:96 AMR/8000|a=fmtp:96 octet-align=1;mode-set=7;x=1")
    agreed = apply_answer(from_b, towards_b)
    assert (agreed.codec, agreed.payload_type, agreed.fmtp) == ("AMR", 96, "octet-align=1;mode-set=7;x=1")
    back = Capabilities(codecs=(Codec("AMR", 8000, 96, fmtp=agreed.fmtp, encoding="AMR"),))
    to_a, with_a = answer_offer(offer(AMR), US, back)
    assert (with_a.codec, with_a.payload_type) == ("AMR", 96)
    assert b"m=audio 20000 RTP/AVP 96\r\na=rtpmap:96 AMR/8000\r\na=fmtp:96 octet-align=1;mode-set=7;x=1\r\n" in to_a


def test_it_is_not_answered_unless_the_other_party_has_it() -> None:
    with pytest.raises(NoCommonCodec):
        answer_offer(offer("m=audio 4000 RTP/AVP 18"), US, EVERY)
    assert answer_offer(offer("m=audio 4000 RTP/AVP 18 9"), US, EVERY)[1].codec == "G722"


# -- comfort noise, packet lengths ------------------------------------------------------------------------------------


def test_comfort_noise_is_answered_only_when_wanted_and_offered() -> None:
    sdp = offer("m=audio 4000 RTP/AVP 8 13")
    body, agreed = answer_offer(sdp, US, EVERY)
    assert agreed.cn_payload_type == 13 and b"RTP/AVP 8 13\r\n" in body
    body, agreed = answer_offer(sdp, US, Capabilities())
    assert agreed.cn_payload_type == -1 and b"RTP/AVP 8\r\n" in body
    assert answer_offer(offer("m=audio 4000 RTP/AVP 8"), US, EVERY)[1].cn_payload_type == -1


@pytest.mark.parametrize(
    ("attributes", "ptime_ms"),
    [
        ("ptime:10", 10), ("ptime:20", 20), ("ptime:30", 30), ("ptime:40", 40), ("ptime:60", 60), ("ptime:50", 40),
        ("ptime:25", 20), ("ptime:100", 60), ("ptime:5", 20), ("ptime:19.5", 10), ("maxptime:10", 10),
        ("ptime:60|a=maxptime:30", 30), ("maxptime:20|a=ptime:40", 20), ("maxptime:0", 20), ("ptime:-20", 20),
        ("ptime:", 20), ("maxptime:240", 20),
    ],
)  # fmt: skip
def test_packet_length(attributes: str, ptime_ms: int) -> None:
    sdp = offer(f"m=audio 4000 RTP/AVP 0|a={attributes}")
    body, agreed = answer_offer(sdp, US, EVERY)
    assert agreed.ptime_ms == ptime_ms
    assert f"a=ptime:{ptime_ms}\r\n".encode() in body, "the same both ways: many phones know only one"
    assert apply_answer(sdp, EVERY).ptime_ms == ptime_ms
