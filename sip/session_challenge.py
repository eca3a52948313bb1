"""Answering a 401 or 407 to a request of ours (RFC 3261 §22.2, §22.3; RFC 8760). Pure."""

from sip.credentials import Credentials
from sip.dialog import resubmit
from sip.digest import answer_challenge, is_stale
from sip.errors import SipParseError
from sip.message import Response


def with_credentials(
    request: bytes,
    response: Response,
    credentials: Credentials,
    via: str,
    cseq: int,
    cnonce: str,
    *,
    is_in_dialog: bool,
) -> bytes | None:
    """`request` again, as a new transaction, with an answer to the challenge in `response`.

    None: the challenge cannot be read or is not for these credentials, or they were refused already.
    """
    challenge, name = (
        ("WWW-Authenticate", "Authorization")
        if response.status == 401
        else ("Proxy-Authenticate", "Proxy-Authorization")
    )
    head, _, body = request.partition(b"\r\n\r\n")
    method, uri, _ = head.partition(b"\r\n")[0].decode("utf-8", "surrogateescape").split(" ", 2)
    challenges = response.all(challenge)
    try:
        if f"\r\n{name}: ".encode() in head and not is_stale(challenges):
            return None
        value = answer_challenge(
            challenges,
            credentials,
            method=method,
            uri=uri,
            cnonce=cnonce,
            body=body,
            is_in_dialog=is_in_dialog,
        )
    except SipParseError:
        return None
    if value is None:
        return None
    return resubmit(request, via, cseq, f"{name}: {value}\r\n", without=f"{name}:")
