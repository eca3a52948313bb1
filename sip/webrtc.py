"""What a browser's session description has over a phone's: ICE, DTLS-SRTP, BUNDLE (RFC 8829, RFC 8839, RFC 8842, RFC
8843, RFC 5763, RFC 8122). Pure.

Offer/answer knows nothing of it. `undress` takes the coat off a browser's description: what is left is plain RTP at the
edge, as a phone there would describe it, and `dress` puts ours on what offer/answer made. A lite agent needs none of
the browser's candidates: the browser comes to us.
"""

import re

import msgspec

from sip.offer_answer import SecurityMismatch
from sip.sdp import SdpError, check_unicast, parse_sdp

PROFILES = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP")
HASHES = ("sha-256", "sha-384", "sha-512")
"""Of fingerprints that count."""
MAX_FINGERPRINTS = 8
_COAT = (
    "candidate", "end-of-candidates", "extmap", "extmap-allow-mixed", "fingerprint", "group", "ice-lite", "ice-options",
    "ice-pwd", "ice-ufrag", "mid", "msid", "msid-semantic", "rtcp", "rtcp-fb", "rtcp-mux", "rtcp-mux-only",
    "rtcp-rsize", "setup", "ssrc", "ssrc-group", "tls-id", "bundle-only", "crypto",
)  # fmt: skip


class RemoteTransport(msgspec.Struct, frozen=True, gc=False):
    """The browser's side, as it described it."""

    ufrag: str
    fingerprints: tuple[tuple[str, str], ...]
    """Hash name and value; those with a hash that counts."""
    setup: str
    """actpass, active or passive."""
    mids: tuple[str, ...]
    """Of every m= section, in order; "" where it has none."""
    is_bundle: bool


class LocalTransport(msgspec.Struct, frozen=True, gc=False):
    """Our side: where the edge is, its certificate, and the credentials of one leg."""

    host: str
    port: int
    fingerprint: str
    """sha-256."""
    ufrag: str
    pwd: str
    setup: str
    """actpass in offers; passive in answers, so that the browser opens the connection."""

    def __repr__(self) -> str:
        return f"LocalTransport({self.host}, {self.port}, {self.ufrag})"


def is_browser_sdp(body: bytes) -> bool:
    """Whether only a browser, or who speaks like one, can have made it."""
    return any(profile.encode() in body for profile in PROFILES)


def undress(body: bytes, host: str, port: int) -> tuple[RemoteTransport, bytes]:
    """(the browser's transport, the same as plain RTP at `host` and `port` where RTCP comes to the same port).

    The first audio section is the one; every other one is shown as refused. A refused audio section stays so.

    Raises:
        SecurityMismatch: it wants audio that the edge cannot give: no fingerprint that counts, no credentials, no
            rtcp-mux, or the browser wants us to open the connection.
        SdpError: malformed.
    """
    check_unicast(host)
    session = parse_sdp(body)
    sections = session.media
    chosen = next((each for each in sections if each.kind == "audio" and each.protocol in PROFILES and each.port), None)
    if chosen is None:
        raise SecurityMismatch("no audio section with DTLS-SRTP")

    def value(name: str) -> str | None:
        here = chosen.attribute(name)
        if here is not None:
            return here
        prefix = f"{name}:"
        return next((each[len(prefix) :].strip() for each in session.attributes if each.startswith(prefix)), None)

    if chosen.attribute("rtcp-mux") is None:
        raise SecurityMismatch("rtcp-mux is needed")
    ufrag, pwd = value("ice-ufrag"), value("ice-pwd")
    if not ufrag or not pwd or len(ufrag) > 256 or len(pwd) > 256:
        raise SecurityMismatch("no ICE credentials")
    lines = [each for each in chosen.attributes if each.startswith("fingerprint:")] or [
        each for each in session.attributes if each.startswith("fingerprint:")
    ]
    fingerprints = tuple(found for each in lines[:MAX_FINGERPRINTS] if (found := _fingerprint(each)) is not None)
    if not fingerprints:
        raise SecurityMismatch("no fingerprint with sha-256 or better")
    setup = value("setup") or "actpass"
    if setup not in ("actpass", "active"):
        raise SecurityMismatch("the edge opens no DTLS connection, setup must be actpass or active")
    mids = tuple([each.attribute("mid") or "" for each in sections])
    for mid in mids:
        if len(mid) > 64 or not mid.isascii() or " " in mid:
            raise SdpError("malformed mid")
    is_bundle = any(each.startswith("group:BUNDLE") for each in session.attributes)
    remote = RemoteTransport(ufrag, fingerprints, setup, mids, is_bundle)
    family = "IP6" if ":" in host else "IP4"
    out = ["v=0", f"o={session.origin}", "s=-", f"c=IN {family} {host}", f"t={session.timing}"]
    out += [f"a={each}" for each in session.attributes if each.partition(":")[0] not in _COAT]
    for each in sections:
        if each is not chosen:
            out.append(f"m={each.kind} 0 {each.protocol} {' '.join(each.formats)}")
            continue
        out.append(f"m=audio {port} RTP/AVP {' '.join(each.formats)}")
        out.append(f"a=rtcp:{port}")
        out += [f"a={line}" for line in each.attributes if line.partition(":")[0] not in _COAT]
    return remote, "\r\n".join([*out, ""]).encode("utf-8", "surrogateescape")


def dress(plain: bytes, local: LocalTransport, mids: tuple[str, ...] = ()) -> bytes:
    """Our plain description in a browser's coat. `mids` are those of the offer that it answers, () in an offer of ours.

    No a=ssrc: the engine keeps its source to itself, and browsers take whatever comes.
    """
    head, *sections = plain.decode("utf-8", "surrogateescape").split("m=")
    out: list[str] = []
    active = ""
    for index, section in enumerate(sections):
        mid = mids[index] if index < len(mids) else str(index) if not mids else ""
        line, _, rest = section.partition("\r\n")
        kind, port, protocol, formats = line.split(" ", 3)
        named = f"a=mid:{mid}\r\n" if mid else ""
        if port == "0":
            out.append(f"m={kind} 0 {protocol} {formats}\r\n{named}{rest}")
            continue
        active = mid
        family = "IP6" if ":" in local.host else "IP4"
        out.append(
            f"m={kind} {local.port} UDP/TLS/RTP/SAVPF {formats}\r\nc=IN {family} {local.host}\r\n{named}"
            f"a=rtcp-mux\r\na=ice-ufrag:{local.ufrag}\r\na=ice-pwd:{local.pwd}\r\n"
            f"a=fingerprint:sha-256 {local.fingerprint}\r\na=setup:{local.setup}\r\na=msid:ringback audio\r\n"
            f"a=candidate:1 1 udp 2130706431 {local.host} {local.port} typ host\r\na=end-of-candidates\r\n{rest}"
        )
    group = f"a=group:BUNDLE {active}\r\n" if active else ""
    return f"{head}a=ice-lite\r\n{group}a=msid-semantic:WMS *\r\n{''.join(out)}".encode("utf-8", "surrogateescape")


def keep_one_event(plain: bytes) -> bytes:
    """An offer of ours with telephone-event at the clock of its first codec alone (RFC 4733 §2.1): browsers take the
    first codec, and Chromium of several events the one with the lowest clock, whatever the codec's is."""
    text = plain.decode("utf-8", "surrogateescape")
    head, _, rest = text.partition("m=audio ")
    line, _, attributes = rest.partition("\r\n")
    port, protocol, *formats = line.split(" ")
    events = dict(re.findall(r"a=rtpmap:(\d+) telephone-event/(\d+)", attributes))
    found = re.search(rf"a=rtpmap:{formats[0]} [^/\r\n]+/(\d+)", attributes) if formats else None
    clock = found[1] if found is not None else "8000"
    if clock not in events.values():
        return plain
    others = [number for number, rate in events.items() if rate != clock]
    formats = [each for each in formats if each not in others]
    kept = [each for each in attributes.split("\r\n") if not _is_about(each, others)]
    media = "\r\n".join([" ".join([port, protocol, *formats]), *kept])
    return f"{head}m=audio {media}".encode("utf-8", "surrogateescape")


def _is_about(line: str, formats: list[str]) -> bool:
    """Whether an attribute line describes one of the formats."""
    name, _, rest = line.partition(":")
    return name in ("a=rtpmap", "a=fmtp") and rest.partition(" ")[0] in formats


def _fingerprint(attribute: str) -> tuple[str, str] | None:
    """`fingerprint:sha-256 AB:CD…`; None for a hash that does not count, or what is malformed."""
    name, _, text = attribute.partition(":")[2].strip().partition(" ")
    pairs = text.strip().upper().split(":")
    is_hex = all(len(pair) == 2 and all(c in "0123456789ABCDEF" for c in pair) for pair in pairs)
    sizes = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
    name = name.lower()
    return (name, ":".join(pairs)) if is_hex and sizes.get(name) == len(pairs) else None
