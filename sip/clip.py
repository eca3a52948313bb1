"""Keeps an answer to an unproved source as small as what was asked (TRUST §2): spoofed requests amplify nothing."""

import re

_OPTIONAL = re.compile(
    rb"\r\n(?!(?:Via|From|To|Call-ID|CSeq|Content-Length|WWW-Authenticate|Contact|Record-Route|Min-Expires):)[^\r\n]++"
)
_COMPACT = {b"Via": b"v", b"From": b"f", b"To": b"t", b"Call-ID": b"i", b"Content-Length": b"l"}
_NAMES = re.compile(rb"(?<=\r\n)(Via|From|To|Call-ID|Content-Length): ")
_REASON = re.compile(rb"^(SIP/2\.0 [0-9]{3} )[^\r\n]*+")
_CHALLENGE = re.compile(rb"\r\nWWW-Authenticate: Digest [^\r\n]*+")


def clip(response: bytes, limit: int) -> bytes | None:
    """`response` in at most `limit` bytes: first without what is only useful, then with the compact names of RFC 3261
    §7.3.3, then with the last of its challenges alone and hardly a reason. None when that is not enough, or when there
    is a body."""
    if len(response) <= limit:
        return response
    if not response.endswith(b"\r\n\r\n"):
        return None
    response = _OPTIONAL.sub(b"", response)
    if len(response) <= limit:
        return response
    response = _NAMES.sub(lambda match: _COMPACT[match[1]] + b":", response)
    if len(response) <= limit:
        return response
    challenges = _CHALLENGE.findall(response)
    if not challenges:
        return None
    # A phone that asks so tersely is old, and MD5, offered last, is what it understands: also without being named.
    last = challenges[-1].replace(b", algorithm=MD5", b"").replace(b", ", b",")
    head = response[: response.index(challenges[0])]
    response = head + last + _CHALLENGE.sub(b"", response[len(head) :])
    if len(response) > limit:
        response = _REASON.sub(rb"\1No", response, count=1)
    return response if len(response) <= limit else None
