"""Session descriptions: read into what offer/answer needs, everything else kept as it came (RFC 8866, RFC 3605).

Pure. Attributes stay raw text and are read when asked: a switch looks at two or three of thirty. Bounded by
`sip.limits`.
"""

import ipaddress
from functools import lru_cache

import msgspec

from sip import limits


class SdpError(ValueError):
    """Malformed or over a limit; answered with `status`, or 488 where a session goes on without the change."""

    status = 400
    reason = "Bad Session Description"


class RtpMap(msgspec.Struct, frozen=True, gc=False):
    """The codec behind a payload type."""

    name: str
    """As written; encoding names compare in any case."""
    clock_rate: int
    channels: int = 1

    @property
    def key(self) -> str:
        """What two descriptions of the same codec have in common."""
        return f"{self.name.upper()}/{self.clock_rate}/{self.channels}"


STATIC_PAYLOAD_TYPES = {
    "0": RtpMap("PCMU", 8000), "3": RtpMap("GSM", 8000), "4": RtpMap("G723", 8000), "5": RtpMap("DVI4", 8000),
    "6": RtpMap("DVI4", 16000), "7": RtpMap("LPC", 8000), "8": RtpMap("PCMA", 8000), "9": RtpMap("G722", 8000),
    "10": RtpMap("L16", 44100, 2), "11": RtpMap("L16", 44100), "12": RtpMap("QCELP", 8000), "13": RtpMap("CN", 8000),
    "14": RtpMap("MPA", 90000), "15": RtpMap("G728", 8000), "16": RtpMap("DVI4", 11025), "17": RtpMap("DVI4", 22050),
    "18": RtpMap("G729", 8000),
}  # fmt: skip
"""RFC 3551 §6: audio formats that need no rtpmap."""


class MediaDescription(msgspec.Struct, gc=False):
    """One m= line and what belongs to it."""

    kind: str
    port: int
    protocol: str
    formats: list[str]
    host: str
    """From its own c= line, else the session's; "" when neither is there (port 0 only)."""
    attributes: list[str]
    """Text after `a=`, in order."""

    def attribute(self, name: str) -> str | None:
        """Value of the first attribute of this name, "" for a property attribute; None when absent."""
        prefix = f"{name}:"
        for attribute in self.attributes:
            if attribute.startswith(prefix):
                return attribute[len(prefix) :].strip()
            if attribute == name:
                return ""
        return None

    def rtpmaps(self) -> dict[str, RtpMap]:
        """Format -> codec for every format described by an rtpmap of its own.

        Raises:
            SdpError: a malformed rtpmap.
        """
        return dict([parse_rtpmap(attribute) for attribute in self.attributes if attribute[:7] == "rtpmap:"])


class SessionDescription(msgspec.Struct, gc=False):
    origin: str
    """Text after `o=`."""
    timing: str
    """Text after the first `t=`; an answer repeats it (RFC 3264 §6)."""
    host: str
    attributes: list[str]
    media: list[MediaDescription]


def parse_sdp(body: bytes) -> SessionDescription:
    """Read a session description; CRLF, or LF alone (RFC 8866 §5).

    Raises:
        SdpError: malformed, or over a limit.
    """
    if len(body) > limits.MAX_SDP_BYTES:
        raise SdpError("session description too large")
    lines = body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > limits.MAX_SDP_LINES:
        raise SdpError("too many lines")
    if lines[0] != "v=0":
        raise SdpError("not a session description of version 0")
    session = SessionDescription("", "0 0", "", [], [])
    media: MediaDescription | None = None
    attributes = session.attributes
    for line in lines:
        key = line[:2]
        if key == "a=":
            attributes.append(line[2:])
        elif key == "m=":
            media = _parse_media(line)
            media.host = session.host
            attributes = media.attributes
            session.media.append(media)
        elif key == "c=":
            if media is None:
                session.host = _parse_connection(line)
            else:
                media.host = _parse_connection(line)
        elif key == "o=":
            session.origin = line[2:]
        elif key == "t=":
            if media is None and session.timing == "0 0":
                session.timing = line[2:]
        elif len(key) < 2 or key[1] != "=" or not "a" <= key[0] <= "z":
            raise SdpError("malformed line")
    _check(session)
    return session


def _check(session: SessionDescription) -> None:
    if session.origin.count(" ") != 5:
        raise SdpError("malformed or missing o= line")
    if "\r" in session.timing or "\r" in session.origin:
        raise SdpError("bare CR")
    if len(session.media) > limits.MAX_SDP_MEDIA:
        raise SdpError("too many m= lines")
    for media in session.media:
        if media.port and not media.host:
            raise SdpError("m= line without an address")


def _parse_media(line: str) -> MediaDescription:
    parts = line[2:].split()
    if len(parts) < 4 or len(parts) > limits.MAX_SDP_FORMATS + 3:
        raise SdpError("malformed m= line")
    # Several ports (`49170/2`) are layered streams; the first is the one used.
    port = parse_bounded(parts[1].partition("/")[0], limits.MAX_PORT, "port")
    return MediaDescription(parts[0], port, parts[2], parts[3:], "", [])


def _parse_connection(line: str) -> str:
    parts = line[2:].split(" ")
    if len(parts) != 3 or parts[0] != "IN" or parts[1] not in ("IP4", "IP6") or not parts[2]:
        raise SdpError("malformed c= line")
    return parts[2]


@lru_cache(maxsize=1024)
def check_unicast(host: str) -> str:
    """`host` when media may be sent there: an IP literal, because nothing here may wait for DNS, and of one peer only.

    Raises:
        SdpError: a name, a multicast or broadcast address, or a scoped one.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise SdpError("address is no IP literal") from None
    if address.is_multicast or host == "255.255.255.255" or "%" in host:
        raise SdpError("address is not unicast")
    return host


@lru_cache(maxsize=512)
def parse_rtpmap(attribute: str) -> tuple[str, RtpMap]:
    """`rtpmap:8 PCMA/8000/1` -> ("8", RtpMap). The same few lines come with every call, so they are remembered.

    Raises:
        SdpError: malformed.
    """
    number, _, encoding = attribute[7:].strip().partition(" ")
    parts = encoding.strip().split("/")
    if not 2 <= len(parts) <= 3 or not parts[0]:
        raise SdpError("malformed rtpmap")
    channels = parse_bounded(parts[2], 255, "channels") if len(parts) == 3 and parts[2] else 1
    payload_type = parse_bounded(number, 127, "payload type")
    return str(payload_type), RtpMap(parts[0], parse_bounded(parts[1], 10**6, "clock rate"), channels)


def parse_bounded(text: str, maximum: int, what: str) -> int:
    """A decimal number 0..maximum.

    Raises:
        SdpError: anything else.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or int(text) > maximum:
        raise SdpError(f"{what} out of range")
    return int(text)
