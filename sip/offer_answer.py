"""Offer and answer for one audio stream, as pure functions (RFC 3264; RFC 4733 for telephone-event; RFC 4568 for keys).
The switch negotiates each leg on its own: `answer_offer` for the caller, `make_offer` and `apply_answer` towards the
callee; for an INVITE without an offer the other way round. Directions returned are always ours.
"""

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from sip.codecs import (
    CODECS,
    COMFORT_NOISE,
    COMFORT_NOISE_KEY,
    EVENT_PAYLOAD_TYPES,
    EVENT_RATES,
    STATIC_KEYS,
    STATIC_SPEECH,
    Codec,
    describe_codec,
    describe_comfort_noise,
    describe_events,
    foreign_codecs,
    keyed_rtpmap,
    speech_rtpmap,
)
from sip.limits import MAX_PORT
from sip.media_terms import DIRECTIONS, PTIMES_MS, choose_ptime, our_direction, parse_fmtp
from sip.sdes import Crypto, LocalKeys, SrtpAgreement, accept_crypto, choose_crypto, describe_crypto
from sip.sdp import MediaDescription, SdpError, SessionDescription, check_unicast, parse_bounded, parse_sdp

__all__ = [
    "CODECS", "Capabilities", "Codec", "LocalMedia", "Negotiated", "NoCommonCodec", "SdpError", "SecurityMismatch",
    "answer_offer", "apply_answer", "check_security", "make_offer", "offered_codecs", "passable_codecs",
]  # fmt: skip


class NoCommonCodec(ValueError):
    """Well-formed, but no stream in it can be accepted: no codec of ours, a profile we lack, or everything refused."""

    status = 488
    reason = "Not Acceptable Here"
    warning = "305"
    """Code for a Warning header (RFC 3261 §20.43); the text is the exception's."""


class SecurityMismatch(NoCommonCodec):
    """One side wants SRTP and the other does not, or no key of it is of use."""

    warning = "302"


class Capabilities(msgspec.Struct, frozen=True):
    """What we are willing to speak, best first."""

    codecs: tuple[str | Codec, ...] = ("PCMU", "PCMA")
    """Keys of `CODECS`; codecs of others where the other party of the call speaks them (`passable_codecs`)."""
    telephone_event: bool = True
    ptime_ms: int = 20
    comfort_noise: bool = False
    """RFC 3389: let peers be silent."""
    srtp: str = "off"
    """off; optional: offered as RTP/AVP with keys, which any peer can answer plainly; required: RTP/SAVP or nothing.
    With the last two the functions need `keys`."""


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
    clock_rate: int = 8000
    fmtp: str = ""
    """The peer's format parameters."""
    cn_payload_type: int = -1
    """-1: no comfort noise."""
    srtp: SrtpAgreement | None = None


def make_offer(
    local: LocalMedia,
    capabilities: Capabilities,
    *,
    prefer: str = "",
    direction: str = "sendrecv",
    keys: LocalKeys | None = None,
) -> bytes:
    """Our offer: one audio stream, `prefer` first when it is among the capabilities (RFC 3264 §5)."""
    formats, attributes = _offered_formats(capabilities, prefer)
    session = _describe_session(local, "0 0")
    profile, crypto = "RTP/AVP", ""
    if capabilities.srtp != "off":
        assert keys is not None
        profile = "RTP/SAVP" if capabilities.srtp == "required" else profile
        crypto = "".join([describe_crypto(each) for each in keys.offered()])
    return f"{session}m=audio {local.port} {profile} {formats}\r\n{crypto}{attributes}a={direction}\r\n".encode()


@lru_cache(maxsize=256)
def _offered_formats(capabilities: Capabilities, prefer: str) -> tuple[str, str]:
    codecs = list(_codecs(capabilities))
    codecs.sort(key=lambda codec: codec.name != prefer)
    payload_types = [codec.payload_type for codec in codecs]
    attributes = "".join(describe_codec(codec, codec.payload_type) for codec in codecs)
    clocks = {codec.clock_rate for codec in codecs}
    if capabilities.comfort_noise and 8000 in clocks:
        payload_types.append(COMFORT_NOISE)
        attributes += describe_comfort_noise(COMFORT_NOISE)
    if capabilities.telephone_event:
        for clock, payload_type in EVENT_PAYLOAD_TYPES.items():
            # Many know no other clock than 8000, whatever the codec's is.
            if clock in clocks or clock == 8000:
                payload_types.append(payload_type)
                attributes += describe_events(payload_type, clock)
    attributes += f"a=ptime:{capabilities.ptime_ms}\r\n"
    if clocks != {8000}:
        attributes += f"a=maxptime:{PTIMES_MS[-1]}\r\n"
    return " ".join(map(str, payload_types)), attributes


def answer_offer(
    offer: bytes,
    local: LocalMedia,
    capabilities: Capabilities,
    *,
    prefer: str = "",
    direction: str = "sendrecv",
    keys: LocalKeys | None = None,
) -> tuple[bytes, Negotiated]:
    """Answer with the first acceptable audio stream, one codec and telephone-event; all others get port 0 (§6).

    The codec is `prefer` when it was offered, else the first one offered that we speak. `direction` is what we would do
    ourselves; the answer says what is left of it against the offer (§6.1). A stream with keys goes before one without.

    Raises:
        NoCommonCodec: nothing acceptable in it; answer 488.
        SdpError: malformed; answer 400.
    """
    session = _read(offer)
    chosen, crypto, agreed = _choose(session, capabilities, keys, prefer, direction)
    key = ""
    if crypto is not None:
        agreed, ours = _secured(agreed, crypto, keys)
        key = describe_crypto(ours)
    codec = next(codec for codec in _codecs(capabilities) if codec.name == agreed.codec)
    formats, attributes = _answered_formats(
        codec, agreed.payload_type, agreed.dtmf_payload_type, agreed.cn_payload_type, agreed.ptime_ms,
        _event_clock(chosen, agreed),
    )  # fmt: skip
    accepted = f"m=audio {local.port} {chosen.protocol} {formats}\r\n{key}{attributes}a={agreed.direction}\r\n"
    if len(session.media) == 1:
        media = accepted
    else:
        media = "".join([accepted if each is chosen else _refused(each) for each in session.media])
    answer = f"{_describe_session(local, session.timing)}{media}"
    return answer.encode("utf-8", "surrogateescape"), agreed


@lru_cache(maxsize=256)
def _answered_formats(
    codec: Codec, payload_type: int, dtmf_payload_type: int, cn_payload_type: int, ptime_ms: int, event_clock: int
) -> tuple[str, str]:
    attributes = describe_codec(codec, payload_type)
    formats = str(payload_type)
    if cn_payload_type >= 0:
        formats += f" {cn_payload_type}"
        attributes += describe_comfort_noise(cn_payload_type)
    if dtmf_payload_type >= 0:
        formats += f" {dtmf_payload_type}"
        attributes += describe_events(dtmf_payload_type, event_clock)
    return formats, f"{attributes}a=ptime:{ptime_ms}\r\n"


def apply_answer(
    answer: bytes, capabilities: Capabilities, *, direction: str = "sendrecv", keys: LocalKeys | None = None
) -> Negotiated:
    """What the peer made of our offer (§7). `direction` is what we offered: a peer cannot widen it.

    Raises:
        NoCommonCodec: the stream was refused, or accepted with nothing we offered.
        SdpError: malformed.
    """
    session = _read(answer)
    for media in session.media:
        if not _is_audio(media):
            continue
        crypto = accept_crypto(media.attributes, keys) if keys is not None and capabilities.srtp != "off" else None
        if crypto is None and (media.protocol != "RTP/AVP" or capabilities.srtp == "required"):
            continue
        agreed = _agree(session, media, capabilities, "", direction)
        if agreed is not None:
            return agreed if crypto is None else _secured(agreed, crypto, keys)[0]
    raise _why_not(session, capabilities)


def check_security(offer: bytes, capabilities: Capabilities, keys: LocalKeys | None = None) -> None:
    """Raises as `answer_offer` does (NoCommonCodec, SdpError) when no stream of the offer suits us as to SRTP."""
    session = _read(offer)
    if next(_acceptable(session, capabilities, keys), None) is None:
        raise _why_not(session, capabilities)


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
        if _is_audio(media):
            maps = dict([speech_rtpmap(attribute) for attribute in media.attributes if attribute[:7] == "rtpmap:"])
            offered = [maps[text] if text in maps else STATIC_SPEECH.get(text, "") for text in media.formats]
            return tuple(dict.fromkeys([name for name in offered if name]))
    return ()


@lru_cache(maxsize=128)
def passable_codecs(offer: bytes) -> tuple[Codec, ...]:
    """The codecs in an offer that are not ours, as the other party may be offered them: what both speak is passed
    through untouched.

    Raises:
        SdpError: malformed.
    """
    for media in _read(offer).media:
        if _is_audio(media):
            fmtps = dict([parse_fmtp(attribute) for attribute in media.attributes if attribute[:5] == "fmtp:"])
            return foreign_codecs(media.formats, media.rtpmaps(), fmtps)
    return ()


# The same offer is read when the callee's codec is chosen and again when it is answered; nobody changes what is read.
_read = lru_cache(maxsize=128)(parse_sdp)


def _codecs(capabilities: Capabilities) -> Iterator[Codec]:
    for each in capabilities.codecs:
        yield each if isinstance(each, Codec) else CODECS[each]


def _is_audio(media: MediaDescription) -> bool:
    return media.kind == "audio" and media.port > 0 and media.protocol in ("RTP/AVP", "RTP/SAVP")


def _choose(
    session: SessionDescription, capabilities: Capabilities, keys: LocalKeys | None, prefer: str, direction: str
) -> tuple[MediaDescription, Crypto | None, Negotiated]:
    for media, crypto in _acceptable(session, capabilities, keys):
        agreed = _agree(session, media, capabilities, prefer, direction)
        if agreed is not None:
            return media, crypto, agreed
    raise _why_not(session, capabilities)


def _acceptable(
    session: SessionDescription, capabilities: Capabilities, keys: LocalKeys | None
) -> Iterator[tuple[MediaDescription, Crypto | None]]:
    """The offered streams whose security suits us, those with keys first."""
    streams = [media for media in session.media if _is_audio(media)]
    if capabilities.srtp != "off" and keys is not None:
        for media in streams:
            crypto = choose_crypto(media.attributes, keys)
            if crypto is not None:
                yield media, crypto
    if capabilities.srtp != "required":
        for media in streams:
            if media.protocol == "RTP/AVP":
                yield media, None


def _secured(agreed: Negotiated, theirs: Crypto, keys: LocalKeys | None) -> tuple[Negotiated, Crypto]:
    """What was agreed with its keys, and our side's attribute."""
    assert keys is not None
    ours = keys.by_suite[theirs.suite]
    srtp = SrtpAgreement(theirs.suite, ours, theirs.key)
    return msgspec.structs.replace(agreed, srtp=srtp), Crypto(theirs.tag, theirs.suite, ours)


def _why_not(session: SessionDescription, capabilities: Capabilities) -> NoCommonCodec:
    streams = [media for media in session.media if media.kind == "audio" and media.port > 0]
    profiles = {media.protocol for media in streams}
    if capabilities.srtp == "required" and streams:
        return SecurityMismatch("SRTP with keys by SDES is required")
    if profiles and "RTP/AVP" not in profiles:
        return SecurityMismatch("SRTP is not possible here" if capabilities.srtp == "off" else "no usable SRTP key")
    return NoCommonCodec("no acceptable audio stream")


def _agree(
    session: SessionDescription, media: MediaDescription, capabilities: Capabilities, prefer: str, direction: str
) -> Negotiated | None:
    """What could be agreed on for this stream, its keys apart; None when it must be refused."""
    keys: dict[str, str] = {}
    fmtps: dict[str, str] = {}
    theirs = ""
    ptime, max_ptime = "", ""
    rtcp_port = media.port + 1 if media.port < MAX_PORT else media.port
    for attribute in media.attributes:
        if attribute[:7] == "rtpmap:":
            text, key = keyed_rtpmap(attribute)
            keys[text] = key
        elif attribute in DIRECTIONS:
            theirs = theirs or attribute
        elif attribute[:5] == "fmtp:":
            text, value = parse_fmtp(attribute)
            fmtps[text] = value
        elif attribute[:6] == "ptime:":
            ptime = attribute[6:]
        elif attribute[:9] == "maxptime:":
            max_ptime = attribute[9:]
        elif attribute[:5] == "rtcp:":
            rtcp_port = parse_bounded(attribute[5:].strip().partition(" ")[0], MAX_PORT, "rtcp port")
    codec: Codec | None = None
    codec_type = cn_type = ""
    event_types: dict[int, str] = {}
    ours = _speakable(capabilities)
    for text in media.formats:
        key = keys.get(text) or STATIC_KEYS.get(text, "")
        candidate = ours.get(key)
        if candidate is not None:
            if codec is None or candidate.name == prefer != codec.name:
                codec, codec_type = candidate, text
        elif key in EVENT_RATES:
            event_types.setdefault(EVENT_RATES[key], text)
        elif key == COMFORT_NOISE_KEY:
            cn_type = text
    if codec is None:
        return None
    if not theirs:
        theirs = next((attribute for attribute in session.attributes if attribute in DIRECTIONS), "sendrecv")
    event_type = event_types.get(codec.clock_rate) or event_types.get(8000) or "-1"
    return Negotiated(
        codec.name,
        int(codec_type),
        int(event_type) if capabilities.telephone_event else -1,
        check_unicast(media.host),
        media.port,
        rtcp_port,
        our_direction(theirs, media.host, direction),
        choose_ptime(ptime, max_ptime, capabilities.ptime_ms),
        codec.clock_rate,
        fmtps.get(codec_type, ""),
        int(cn_type) if cn_type and capabilities.comfort_noise and codec.clock_rate == 8000 else -1,
    )


@lru_cache(maxsize=256)
def _speakable(capabilities: Capabilities) -> dict[str, Codec]:
    return {codec.key: codec for codec in _codecs(capabilities)}


def _event_clock(media: MediaDescription, agreed: Negotiated) -> int:
    """Clock of the telephone-event format that was agreed on."""
    text = str(agreed.dtmf_payload_type)
    for attribute in media.attributes:
        if attribute[:7] == "rtpmap:" and agreed.dtmf_payload_type >= 0:
            found, key = keyed_rtpmap(attribute)
            if found == text:
                return EVENT_RATES.get(key, agreed.clock_rate)
    return agreed.clock_rate


def _describe_session(local: LocalMedia, timing: str) -> str:
    family = "IP6" if ":" in local.host else "IP4"
    origin = f"o=- {local.session_id} {local.version} IN {family} {local.host}"
    return f"v=0\r\n{origin}\r\ns=-\r\nc=IN {family} {local.host}\r\nt={timing}\r\n"


def _refused(media: MediaDescription) -> str:
    return f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}\r\n"
