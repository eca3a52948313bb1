"""Offer and answer for one audio stream, as pure functions (RFC 3264; RFC 4733 for telephone-event).

The switch negotiates each leg on its own: `answer_offer` for the caller, `make_offer` and `apply_answer` towards the
callee; for an INVITE without an offer the other way round. Directions returned are always ours.
"""

from functools import lru_cache

import msgspec

from sip.limits import MAX_PORT
from sip.sdp import (
    STATIC_PAYLOAD_TYPES,
    MediaDescription,
    RtpMap,
    SdpError,
    SessionDescription,
    check_unicast,
    parse_bounded,
    parse_rtpmap,
    parse_sdp,
)

__all__ = [
    "CODECS", "Capabilities", "Codec", "LocalMedia", "Negotiated", "NoCommonCodec", "SdpError", "answer_offer",
    "apply_answer", "make_offer", "offered_codecs",
]  # fmt: skip


class NoCommonCodec(ValueError):
    """Well-formed, but no stream in it can be accepted: no codec of ours, no plain RTP, or everything refused."""

    status = 488
    reason = "Not Acceptable Here"


class Codec(msgspec.Struct, frozen=True, gc=False):
    """One codec we may negotiate. A new codec is a new row of `CODECS`."""

    name: str
    clock_rate: int
    payload_type: int
    """What we offer it under: its static payload type, or a dynamic one of our choice."""
    channels: int = 1
    fmtp: str = ""

    @property
    def key(self) -> str:
        return RtpMap(self.name, self.clock_rate, self.channels).key


CODECS = {
    "PCMU": Codec("PCMU", 8000, 0),
    "PCMA": Codec("PCMA", 8000, 8),
}
_BY_KEY = {codec.key: codec for codec in CODECS.values()}

TELEPHONE_EVENT = "telephone-event"
_DTMF_PAYLOAD_TYPE = 101
_DTMF_EVENTS = "0-15"
_NOT_SPEECH = frozenset(("TELEPHONE-EVENT", "CN", "RED"))


class Capabilities(msgspec.Struct, frozen=True):
    """What we are willing to speak; names are keys of `CODECS`, best first."""

    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    telephone_event: bool = True
    ptime_ms: int = 20


class LocalMedia(msgspec.Struct, frozen=True):
    """Where our side of the stream is, and who describes it (RFC 3264 §8: the version grows with every change)."""

    host: str
    """IP literal, without brackets."""
    port: int
    session_id: int
    version: int = 0


class Negotiated(msgspec.Struct, frozen=True, gc=False):
    """What both sides agreed on."""

    codec: str
    payload_type: int
    """To send with; the peer may use another number towards us only if it is the one we offered."""
    dtmf_payload_type: int
    """-1: no telephone-event."""
    remote_host: str
    remote_port: int
    remote_rtcp_port: int
    direction: str
    """Ours: sendrecv, sendonly, recvonly (the peer holds us), inactive."""
    ptime_ms: int
    """What the peer would like to receive; our own when it does not say."""


def make_offer(
    local: LocalMedia, capabilities: Capabilities, *, prefer: str = "", direction: str = "sendrecv"
) -> bytes:
    """Our offer: one audio stream, `prefer` first when it is among the capabilities (RFC 3264 §5)."""
    formats, attributes = _offered_formats(capabilities, prefer)
    session = _describe_session(local, "0 0")
    return f"{session}m=audio {local.port} RTP/AVP {formats}\r\n{attributes}a={direction}\r\n".encode()


@lru_cache(maxsize=64)
def _offered_formats(capabilities: Capabilities, prefer: str) -> tuple[str, str]:
    names = list(capabilities.codecs)
    if prefer in names:
        names.remove(prefer)
        names.insert(0, prefer)
    codecs = [CODECS[name] for name in names]
    payload_types = [codec.payload_type for codec in codecs]
    attributes = "".join(_describe(codec, codec.payload_type) for codec in codecs)
    if capabilities.telephone_event:
        payload_types.append(_DTMF_PAYLOAD_TYPE)
        attributes += _describe_dtmf(_DTMF_PAYLOAD_TYPE, 8000)
    return " ".join(map(str, payload_types)), f"{attributes}a=ptime:{capabilities.ptime_ms}\r\n"


def answer_offer(
    offer: bytes, local: LocalMedia, capabilities: Capabilities, *, prefer: str = "", direction: str = "sendrecv"
) -> tuple[bytes, Negotiated]:
    """Answer with the first acceptable audio stream, one codec and telephone-event; all others get port 0 (§6).

    The codec is `prefer` when it was offered, else the first one offered that we speak. `direction` is what we would do
    ourselves; the answer says what is left of it against the offer (§6.1).

    Raises:
        NoCommonCodec: nothing acceptable in it; answer 488.
        SdpError: malformed; answer 400.
    """
    session = _read(offer)
    for chosen in session.media:
        agreed = _agree(session, chosen, capabilities, prefer, direction)
        if agreed is not None:
            break
    else:
        raise NoCommonCodec("no acceptable audio stream in the offer")
    codec = CODECS[agreed.codec]
    formats, attributes = _answered_formats(codec, agreed.payload_type, agreed.dtmf_payload_type, capabilities.ptime_ms)
    accepted = f"m=audio {local.port} RTP/AVP {formats}\r\n{attributes}a={agreed.direction}\r\n"
    if len(session.media) == 1:
        media = accepted
    else:
        media = "".join([accepted if each is chosen else _refused(each) for each in session.media])
    answer = f"{_describe_session(local, session.timing)}{media}"
    return answer.encode("utf-8", "surrogateescape"), agreed


@lru_cache(maxsize=256)
def _answered_formats(codec: Codec, payload_type: int, dtmf_payload_type: int, ptime_ms: int) -> tuple[str, str]:
    attributes = _describe(codec, payload_type)
    formats = str(payload_type)
    if dtmf_payload_type >= 0:
        formats += f" {dtmf_payload_type}"
        attributes += _describe_dtmf(dtmf_payload_type, codec.clock_rate)
    return formats, f"{attributes}a=ptime:{ptime_ms}\r\n"


def apply_answer(answer: bytes, capabilities: Capabilities, *, direction: str = "sendrecv") -> Negotiated:
    """What the peer made of our offer (§7). `direction` is what we offered: a peer cannot widen it.

    Raises:
        NoCommonCodec: the stream was refused, or accepted with nothing we offered.
        SdpError: malformed.
    """
    session = _read(answer)
    for media in session.media:
        agreed = _agree(session, media, capabilities, "", direction)
        if agreed is not None:
            return agreed
    raise NoCommonCodec("the answer accepts nothing of the offer")


def offered_codecs(offer: bytes) -> list[str]:
    """Encoding names of the first live audio stream in the offer's order, whether we speak them or not.

    Names of ours come as in `CODECS`; telephone-event, comfort noise and redundancy are no codecs. [] without audio.

    Raises:
        SdpError: malformed.
    """
    return list(_offered_codecs(offer))


# As with `_read`: one offer is asked about when the call comes in and again when it goes on.
@lru_cache(maxsize=128)
def _offered_codecs(offer: bytes) -> tuple[str, ...]:
    for media in _read(offer).media:
        if _is_plain_audio(media):
            maps = dict([_speech_rtpmap(attribute) for attribute in media.attributes if attribute[:7] == "rtpmap:"])
            offered = [maps[text] if text in maps else _STATIC_SPEECH.get(text, "") for text in media.formats]
            return tuple(dict.fromkeys([name for name in offered if name]))
    return ()


@lru_cache(maxsize=512)
def _speech_rtpmap(attribute: str) -> tuple[str, str]:
    """(format, codec name) of an rtpmap, the name "" when it is no speech."""
    text, rtpmap = parse_rtpmap(attribute)
    return text, _speech_name(rtpmap.name)


def _speech_name(name: str) -> str:
    upper = name.upper()
    if upper in _NOT_SPEECH:
        return ""
    return upper if upper in CODECS else name


_STATIC_SPEECH = {text: _speech_name(rtpmap.name) for text, rtpmap in STATIC_PAYLOAD_TYPES.items()}


# The same offer is read when the callee's codec is chosen and again when it is answered; nobody changes what is read.
_read = lru_cache(maxsize=128)(parse_sdp)


def _is_plain_audio(media: MediaDescription) -> bool:
    return media.kind == "audio" and media.port > 0 and media.protocol == "RTP/AVP"


def _agree(
    session: SessionDescription, media: MediaDescription, capabilities: Capabilities, prefer: str, direction: str
) -> Negotiated | None:
    """What could be agreed on for this stream; None when it must be refused."""
    if not _is_plain_audio(media):
        return None
    keys: dict[str, str] = {}
    theirs = ""
    ptime_ms = capabilities.ptime_ms
    rtcp_port = media.port + 1 if media.port < MAX_PORT else media.port
    for attribute in media.attributes:
        if attribute[:7] == "rtpmap:":
            text, key = _keyed_rtpmap(attribute)
            keys[text] = key
        elif attribute in _BITS:
            theirs = theirs or attribute
        elif attribute[:6] == "ptime:":
            ptime_ms = _PTIMES_MS.get(attribute[6:].strip(), ptime_ms)
        elif attribute[:5] == "rtcp:":
            rtcp_port = parse_bounded(attribute[5:].strip().partition(" ")[0], MAX_PORT, "rtcp port")
    codec: Codec | None = None
    codec_type = ""
    dtmf_types: dict[int, str] = {}
    for text in media.formats:
        key = keys.get(text) or _STATIC_KEYS.get(text, "")
        candidate = _BY_KEY.get(key)
        if candidate is None:
            if key in _DTMF_RATES:
                dtmf_types.setdefault(_DTMF_RATES[key], text)
        elif candidate.name in capabilities.codecs and (codec is None or candidate.name == prefer != codec.name):
            codec, codec_type = candidate, text
    if codec is None:
        return None
    if not theirs:
        theirs = next((attribute for attribute in session.attributes if attribute in _BITS), "sendrecv")
    return Negotiated(
        codec.name,
        int(codec_type),
        int(dtmf_types.get(codec.clock_rate, -1)) if capabilities.telephone_event else -1,
        check_unicast(media.host),
        media.port,
        rtcp_port,
        _our_direction(theirs, media.host, direction),
        ptime_ms,
    )


_STATIC_KEYS = {text: rtpmap.key for text, rtpmap in STATIC_PAYLOAD_TYPES.items()}
_DTMF_RATES = {RtpMap(TELEPHONE_EVENT, rate).key: rate for rate in (8000, 16000, 24000, 32000, 44100, 48000)}
_PTIMES_MS = {str(ms): ms for ms in (10, 20, 30, 40, 50, 60)}


@lru_cache(maxsize=512)
def _keyed_rtpmap(attribute: str) -> tuple[str, str]:
    text, rtpmap = parse_rtpmap(attribute)
    return text, rtpmap.key


_SENDS, _RECEIVES = 1, 2
_BITS = {"sendrecv": 3, "sendonly": 1, "recvonly": 2, "inactive": 0}
_BY_BITS = {bits: name for name, bits in _BITS.items()}


def _our_direction(theirs: str, host: str, wanted: str) -> str:
    """Our side of `theirs`, no more than we want. An address of zeroes cannot receive (hold of RFC 2543, §8.4)."""
    bits = _BITS[theirs]
    if host in ("0.0.0.0", "::"):
        bits &= _SENDS
    ours = (_RECEIVES if bits & _SENDS else 0) | (_SENDS if bits & _RECEIVES else 0)
    return _BY_BITS[ours & _BITS[wanted]]


def _describe(codec: Codec, payload_type: int) -> str:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    fmtp = f"a=fmtp:{payload_type} {codec.fmtp}\r\n" if codec.fmtp else ""
    return f"a=rtpmap:{payload_type} {codec.name}/{codec.clock_rate}{channels}\r\n{fmtp}"


def _describe_dtmf(payload_type: int, clock_rate: int) -> str:
    return f"a=rtpmap:{payload_type} {TELEPHONE_EVENT}/{clock_rate}\r\na=fmtp:{payload_type} {_DTMF_EVENTS}\r\n"


def _describe_session(local: LocalMedia, timing: str) -> str:
    family = "IP6" if ":" in local.host else "IP4"
    origin = f"o=- {local.session_id} {local.version} IN {family} {local.host}"
    return f"v=0\r\n{origin}\r\ns=-\r\nc=IN {family} {local.host}\r\nt={timing}\r\n"


def _refused(media: MediaDescription) -> str:
    return f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}\r\n"
