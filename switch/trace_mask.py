"""Takes the secrets out of a SIP message that is shown: digest responses, SRTP keys, passwords of ICE, digits by INFO.

What is taken out is replaced by as many asterisks, so that Content-Length stays true. Pure.
"""

import re

_HEAD = re.compile(rb"\r?\n\r?\n")
_CREDENTIALS = re.compile(
    rb"^((?:Proxy-)?Auth(?:orization|entication-Info))[ \t]*:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
_PROOF = re.compile(rb'\b(response|cnonce|rspauth|password|auts)([ \t]*=[ \t]*)("[^"\r\n]*"|[^\s,]+)', re.IGNORECASE)
_OTHER_SCHEME = re.compile(rb"^([^:]*:[ \t]*(?!Digest\b)[^\s,]+[ \t]+)(.*)$", re.IGNORECASE | re.DOTALL)
_SDP_SECRET = re.compile(rb"(inline:|^k=|^a=key-mgmt:|^a=ice-pwd:)([^\s|;]+)", re.IGNORECASE | re.MULTILINE)
_DIGITS = re.compile(rb"^(Signal[ \t]*=[ \t]*|d=)([0-9A-Da-d*#,]+)", re.IGNORECASE | re.MULTILINE)
_BARE_DIGITS = re.compile(rb"^[0-9A-Da-d*#,\s]{1,64}$")


def mask_secrets(data: bytes) -> bytes:
    """The message as it may be shown to who need not know any secret in it."""
    split = _HEAD.search(data)
    head, rest = (data[: split.start()], data[split.start() :]) if split is not None else (data, b"")
    if b"uth" in head or b"UTH" in head:
        head = _CREDENTIALS.sub(_mask_credentials, head)
    if not rest.strip():
        return head + rest
    rest = _SDP_SECRET.sub(_mask_value, rest)
    if head.startswith(b"INFO ") or b"dtmf" in head.lower():
        if _BARE_DIGITS.match(rest.strip()):
            return head + re.sub(rb"[0-9A-Da-d*#,]", b"*", rest)
        rest = _DIGITS.sub(_mask_value, rest)
    return head + rest


def _mask_credentials(found: re.Match[bytes]) -> bytes:
    line = found.group()
    other = _OTHER_SCHEME.match(line)
    if other is not None and b"nfo" not in found.group(1):
        # Basic, Bearer: all of it is the secret.
        return other.group(1) + b"*" * len(other.group(2))
    return _PROOF.sub(_mask_proof, line)


def _mask_proof(found: re.Match[bytes]) -> bytes:
    value = found.group(3)
    stars = b'"' + b"*" * (len(value) - 2) + b'"' if value[:1] == b'"' and len(value) > 1 else b"*" * len(value)
    return found.group(1) + found.group(2) + stars


def _mask_value(found: re.Match[bytes]) -> bytes:
    return found.group(1) + b"*" * len(found.group(2))
