"""An offer in which every stream is switched off (port 0, RFC 3264 §8.2): a session without audio for now, as some old
phones hold. Pure."""

from sip.offer_answer import LocalMedia
from sip.sdp import parse_sdp


def is_silent(offer: bytes) -> bool:
    """Whether no stream of `offer` has a port. False for an offer without any stream.

    Raises:
        SdpError: malformed.
    """
    media = parse_sdp(offer).media
    return bool(media) and not any(each.port for each in media)


def answer_silent(offer: bytes, local: LocalMedia) -> bytes:
    """The answer that leaves every stream switched off (RFC 3264 §6).

    Raises:
        SdpError: malformed.
    """
    session = parse_sdp(offer)
    family = "IP6" if ":" in local.host else "IP4"
    origin = f"o=- {local.session_id} {local.version} IN {family} {local.host}"
    streams = "".join([f"m={each.kind} 0 {each.protocol} {' '.join(each.formats)}\r\n" for each in session.media])
    text = f"v=0\r\n{origin}\r\ns=-\r\nc=IN {family} {local.host}\r\nt={session.timing}\r\n{streams}"
    return text.encode("utf-8", "surrogateescape")
