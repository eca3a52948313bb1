"""Codecs as session descriptions name them (RFC 3551, RFC 4566 §6), ours and those that only pass through. Pure."""

from functools import lru_cache

import msgspec

from sip.sdp import STATIC_PAYLOAD_TYPES, RtpMap, parse_rtpmap


class Codec(msgspec.Struct, frozen=True, gc=False):
    """One codec we may negotiate. A new codec of ours is a new row of `CODECS`."""

    name: str
    """What calls and media workers call it."""
    clock_rate: int
    payload_type: int
    """What we offer it under: its static payload type, or a dynamic one of our choice."""
    channels: int = 1
    fmtp: str = ""
    """Format parameters we give."""
    encoding: str = ""
    """Encoding name where it is not `name`."""

    @property
    def key(self) -> str:
        return RtpMap(self.encoding or self.name, self.clock_rate, self.channels).key


OPUS_FMTP = "maxplaybackrate=16000;useinbandfec=1"
"""RFC 7587 §6.1: what is heard and recorded here has 16 kHz, so more is wasted; lost packets are mended by FEC. Stereo
and DTX are off by default."""

CODECS = {
    codec.name: codec
    for codec in (
        Codec("PCMU", 8000, 0),
        Codec("PCMA", 8000, 8),
        Codec("G722", 8000, 9),
        Codec("opus", 48000, 107, channels=2, fmtp=OPUS_FMTP),
        Codec("L16/8000", 8000, 118, encoding="L16"),
        Codec("L16/16000", 16000, 119, encoding="L16"),
    )
}
BY_KEY = {codec.key: codec for codec in CODECS.values()}

TELEPHONE_EVENT = "telephone-event"
EVENT_PAYLOAD_TYPES = {8000: 101, 16000: 111, 48000: 110}
"""RTP clock -> what we offer telephone-event under: it must run at its codec's clock (RFC 4733 §2.1)."""
EVENT_RATES = {RtpMap(TELEPHONE_EVENT, rate).key: rate for rate in (8000, 16000, 24000, 32000, 44100, 48000)}
COMFORT_NOISE = 13
COMFORT_NOISE_KEY = STATIC_PAYLOAD_TYPES["13"].key

_NOT_SPEECH = frozenset(("TELEPHONE-EVENT", "CN", "RED"))
_TAKEN = frozenset((*(codec.payload_type for codec in CODECS.values()), *EVENT_PAYLOAD_TYPES.values()))
_DYNAMIC = range(96, 128)

STATIC_KEYS = {text: rtpmap.key for text, rtpmap in STATIC_PAYLOAD_TYPES.items()}


@lru_cache(maxsize=512)
def keyed_rtpmap(attribute: str) -> tuple[str, str]:
    """(format, key of the codec) of an rtpmap attribute.

    Raises:
        SdpError: malformed.
    """
    text, rtpmap = parse_rtpmap(attribute)
    return text, rtpmap.key


@lru_cache(maxsize=512)
def speech_rtpmap(attribute: str) -> tuple[str, str]:
    """(format, codec name) of an rtpmap attribute, the name "" when it is no speech.

    Raises:
        SdpError: malformed.
    """
    text, rtpmap = parse_rtpmap(attribute)
    return text, speech_name(rtpmap)


def speech_name(rtpmap: RtpMap) -> str:
    """Ours as in `CODECS`, others as written; "" for telephone-event, comfort noise and redundancy."""
    upper = rtpmap.name.upper()
    if upper in _NOT_SPEECH:
        return ""
    ours = BY_KEY.get(rtpmap.key)
    return rtpmap.name if ours is None else ours.name


STATIC_SPEECH = {text: speech_name(rtpmap) for text, rtpmap in STATIC_PAYLOAD_TYPES.items()}


def foreign_name(rtpmap: RtpMap) -> str:
    """What a codec that is not ours is called: "G729", and with its rate where that is not 8000 Hz in one channel."""
    channels = f"/{rtpmap.channels}" if rtpmap.channels > 1 else ""
    rate = f"/{rtpmap.clock_rate}" if channels or rtpmap.clock_rate != 8000 else ""
    return f"{rtpmap.name.upper()}{rate}{channels}"


def foreign_codecs(formats: list[str], rtpmaps: dict[str, RtpMap], fmtps: dict[str, str]) -> tuple[Codec, ...]:
    """The formats of an offer that are speech in no codec of ours, as we may offer them to the other party.

    Each keeps its payload type unless that is one of ours. Of one codec in several variants the first is taken.
    """
    found: dict[str, Codec] = {}
    given: set[int] = set()
    for text in formats:
        rtpmap = rtpmaps.get(text) or STATIC_PAYLOAD_TYPES.get(text)
        if rtpmap is None or rtpmap.clock_rate % 100 or not speech_name(rtpmap):
            continue
        if rtpmap.key in BY_KEY or rtpmap.key in found:
            continue
        payload_type = int(text)
        if payload_type in _TAKEN:
            used = given.union(_TAKEN, [int(each) for each in formats if each.isdigit()])
            free = next((each for each in _DYNAMIC if each not in used), None)
            if free is None:
                continue
            given.add(free)
            payload_type = free
        found[rtpmap.key] = Codec(
            foreign_name(rtpmap), rtpmap.clock_rate, payload_type, rtpmap.channels, fmtps.get(text, ""), rtpmap.name
        )
    return tuple(found.values())


def describe_codec(codec: Codec, payload_type: int) -> str:
    """Its rtpmap and fmtp lines."""
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    fmtp = f"a=fmtp:{payload_type} {codec.fmtp}\r\n" if codec.fmtp else ""
    return f"a=rtpmap:{payload_type} {codec.encoding or codec.name}/{codec.clock_rate}{channels}\r\n{fmtp}"


def describe_events(payload_type: int, clock_rate: int) -> str:
    """The lines of telephone-event: the sixteen of a keypad."""
    return f"a=rtpmap:{payload_type} {TELEPHONE_EVENT}/{clock_rate}\r\na=fmtp:{payload_type} 0-15\r\n"


def describe_comfort_noise(payload_type: int) -> str:
    return f"a=rtpmap:{payload_type} CN/8000\r\n"
