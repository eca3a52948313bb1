"""What REFER, Replaces and their kin say. Pure.

Refer-To (RFC 3515), Refer-Sub (RFC 4488), Referred-By (RFC 3892), Replaces (RFC 3891), and the status line in the body
of a NOTIFY (message/sipfrag, RFC 3420).
"""

import msgspec

from sip.errors import SipParseError
from sip.headers import is_token, parse_params
from sip.message import Message, Request
from sip.uri import HEADER_SAFE, escape, parse_name_addr, render_uri

SIPFRAG_TYPE = "message/sipfrag;version=2.0"
MAX_SIPFRAG_BYTES = 2048


class Replaces(msgspec.Struct, frozen=True, gc=False):
    """A dialog as the peer that is asked to give it up knows it: `to_tag` is that peer's own."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    def __str__(self) -> str:
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}" + ";early-only" * self.early_only


class ReferTo(msgspec.Struct, frozen=True, gc=False):
    """Where a REFER leads."""

    uri: str
    """Without the headers it came with, and without its method parameter."""
    user: str
    """The number that is to be called; "" when the URI has none."""
    method: str = "INVITE"
    replaces: Replaces | None = None


def parse_replaces(value: str) -> Replaces:
    """A Replaces value (RFC 3891 §6.1).

    Raises:
        SipParseError: 400, a tag is missing or it cannot be read.
    """
    call_id, semicolon, _ = value.partition(";")
    call_id = call_id.strip(" \t")
    if not call_id or " " in call_id or not semicolon:
        raise SipParseError("malformed Replaces")
    params = parse_params(value, value.index(";"))
    to_tag, from_tag = params.get("to-tag", ""), params.get("from-tag", "")
    if not (to_tag and from_tag and is_token(to_tag) and is_token(from_tag)):
        raise SipParseError("Replaces without its tags")
    return Replaces(call_id, to_tag, from_tag, "early-only" in params)


def parse_refer_to(request: Request) -> ReferTo:
    """The Refer-To of a REFER (RFC 3515 §2.1).

    Raises:
        SipParseError: 400, it is missing or cannot be read.
    """
    value = request.headers.get("Refer-To", "")
    if not value:
        raise SipParseError("Refer-To is missing")
    uri = parse_name_addr(value).uri
    if uri.is_sip:
        replaces = uri.headers.get("replaces")
        params = {name: text for name, text in uri.params.items() if name != "method"}
        plain = render_uri(msgspec.structs.replace(uri, headers={}, params=params, text=""))
        found = parse_replaces(replaces) if replaces else None
        return ReferTo(plain, uri.user, uri.params.get("method", "INVITE"), found)
    if uri.scheme != "tel":
        raise SipParseError("Refer-To leads to no number", 416, "Unsupported URI Scheme")
    return ReferTo(str(uri), uri.user)


def referred_by(message: Message) -> str:
    """The Referred-By value, written by us again; "" when there is none.

    Raises:
        SipParseError: 400.
    """
    value = message.headers.get("Referred-By", "")
    if not value:
        return ""
    address = parse_name_addr(value)
    return f"<{address.uri}>"


def wants_no_subscription(message: Message) -> bool:
    """Refer-Sub: false (RFC 4488 §4)."""
    return message.headers.get("Refer-Sub", "").partition(";")[0].strip(" \t").lower() == "false"


def refer_to_line(uri: str, replaces: Replaces | None) -> str:
    """A Refer-To line; Replaces as a header of the URI."""
    if replaces is None:
        return f"Refer-To: <{uri}>\r\n"
    return f"Refer-To: <{uri}?Replaces={escape(str(replaces), HEADER_SAFE)}>\r\n"


def parse_sipfrag(body: bytes) -> tuple[int, str] | None:
    """(status, reason) of the status line a NOTIFY brings; None when there is none."""
    line = body[:MAX_SIPFRAG_BYTES].decode("utf-8", "replace").lstrip("\r\n").partition("\n")[0].rstrip("\r")
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0" or len(status) != 3 or not (status.isascii() and status.isdigit()):
        return None
    return int(status), reason


def event_package(message: Message) -> tuple[str, str]:
    """(package in lower case, id) of the Event header; ("", "") when it is missing.

    Raises:
        SipParseError: 400.
    """
    value = message.headers.get("Event", "")
    package, semicolon, _ = value.partition(";")
    params = parse_params(value, value.index(";")) if semicolon else {}
    return package.strip(" \t").lower(), params.get("id", "")


def is_terminated(message: Message) -> bool:
    """Whether a NOTIFY is the last one (RFC 6665 §4.1.3)."""
    state = message.headers.get("Subscription-State", "").partition(";")[0]
    return state.strip(" \t").lower() == "terminated"
