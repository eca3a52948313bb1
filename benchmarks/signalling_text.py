"""SIP as text for the load of the signalling benchmarks: templates filled by `%`, answers cut out of what came."""

import hashlib
import re

_EMPTY = b"Content-Length: 0\r\n\r\n"
_KEPT = (b"Via", b"From", b"Call-ID", b"CSeq", b"Record-Route")
CALLER = "13800138000"


def session_description(rtp_port: int) -> bytes:
    return (
        "v=0\r\no=- 5 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {rtp_port} RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
    ).encode()


def invite_template(dial: str, switch_port: int, port: int, sdp: bytes, *, caller: str = CALLER) -> bytes:
    """Wants (number, number, number). Another `caller` is an extension, which has session timers too."""
    timer = "" if caller == CALLER else "Session-Expires: 1800\r\n"
    supported = "replaces" if caller == CALLER else "replaces, timer"
    return (
        f"INVITE sip:{dial}@127.0.0.1:{switch_port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKi%d\r\nMax-Forwards: 70\r\n"
        f'From: "Load" <sip:{caller}@127.0.0.1:{port}>;tag=c%d\r\nTo: <sip:{dial}@127.0.0.1>\r\n'
        f"Call-ID: %d@load\r\nCSeq: 1 INVITE\r\nContact: <sip:{caller}@127.0.0.1:{port}>\r\n"
        f"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nSupported: {supported}\r\n{timer}User-Agent: load\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n"
    ).encode() + sdp


def with_credentials(invite: bytes, refusal: bytes, user: str, password: str) -> bytes:
    """The INVITE once more, as the next request, with an answer to the SHA-256 challenge in a 401 (RFC 7616)."""
    at = refusal.index(b"algorithm=SHA-256")
    challenge = refusal[refusal.rindex(b"\r\n", 0, at) : refusal.index(b"\r\n", at)].decode()
    realm, nonce = (re.search(rf'{name}="([^"]*)"', challenge)[1] for name in ("realm", "nonce"))  # type: ignore[index]
    uri = invite[7 : invite.index(b" SIP/2.0")].decode()
    secret = _hash(f"{user}:{realm}:{password}")
    proof = _hash(f"{secret}:{nonce}:00000001:load:auth:{_hash(f'INVITE:{uri}')}")
    line = (
        f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{proof}", '
        'algorithm=SHA-256, cnonce="load", qop=auth, nc=00000001\r\n'
    )
    again = invite.replace(b"branch=z9hG4bKi", b"branch=z9hG4bKj", 1).replace(b"CSeq: 1 ", b"CSeq: 2 ", 1)
    return again.replace(b"Content-Type:", line.encode() + b"Content-Type:", 1)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def follow_template(port: int, *, caller: str = CALLER) -> bytes:
    """Requests after the INVITE.

    Wants (method, URI, mark of the branch, number, number, To line, number, CSeq, method).
    """
    return (
        f"%b %b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bK%b%d\r\nMax-Forwards: 70\r\n"
        f'From: "Load" <sip:{caller}@127.0.0.1:{port}>;tag=c%d\r\n%b\r\nCall-ID: %d@load\r\nCSeq: %d %b\r\n'
        "Content-Length: 0\r\n\r\n"
    ).encode()


def follow(template: bytes, method: bytes, answer: bytes, number: int, *, n_invites: int = 1) -> bytes:
    """The ACK or BYE that goes with a 200 to the INVITE; `n_invites`: 2 after a challenge."""
    to = header_line(answer, b"To")
    at = answer.index(b"\r\nContact:")
    uri = answer[answer.index(b"<", at) + 1 : answer.index(b">", at)]
    cseq = n_invites if method == b"ACK" else n_invites + 1
    return template % (method, uri, method[:1].lower(), number, number, to, number, cseq, method)


def answer_tail(port: int, sdp: bytes, *, has_timers: bool = False) -> bytes:
    """What the callee's 200 to an INVITE has behind its To."""
    timers = "\r\nRequire: timer\r\nSession-Expires: 1800;refresher=uac" if has_timers else ""
    return (
        f";tag=callee{timers}\r\nContact: <sip:callee@127.0.0.1:{port}>\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n"
    ).encode() + sdp


def callee_answer(request: bytes, tail: bytes) -> bytes:
    """200 to an INVITE (with `tail`) or a BYE, with the headers it came with."""
    kept = [b"SIP/2.0 200 OK"]
    to = b""
    for line in request[: request.index(b"\r\n\r\n")].split(b"\r\n")[1:]:
        name = line[: line.find(b":")]
        if name in _KEPT:
            kept.append(line)
        elif name == b"To":
            to = line
    kept.append(to + tail if request[:3] == b"INV" else to + b"\r\n" + _EMPTY)
    return b"\r\n".join(kept)


def header_line(message: bytes, name: bytes) -> bytes:
    """The whole line, without its end."""
    at = message.index(b"\r\n" + name + b":") + 2
    return message[at : message.index(b"\r\n", at)]
