"""What a request means, checked once, when it opens a transaction (RFC 3261 §8.2, §16.3); and what a response must be.

Pure. `SipStack.receive` calls `check_request` for a request that matches no transaction and answers the `Refusal`, and
`check_response` for a response before it is matched. RFC 4475 is the yardstick: `tests/sip/test_torture.py`.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

import msgspec

from sip.errors import SipParseError
from sip.message import Request, Response
from sip.uri import parse_uri

METHODS = frozenset(("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "INFO", "UPDATE"))
SCHEMES = frozenset(("sip", "sips", "tel"))
BODY_TYPES: Mapping[str, frozenset[str]] = {
    "INVITE": frozenset(("application/sdp",)),
    "ACK": frozenset(("application/sdp",)),
    "UPDATE": frozenset(("application/sdp",)),
    "INFO": frozenset(("application/dtmf-relay", "application/dtmf")),
}
"""Method -> bodies understood; a method not in here may carry any, because none is looked at."""

_REGISTERED_METHODS = METHODS | {"PRACK", "REFER", "NOTIFY", "SUBSCRIBE", "MESSAGE", "PUBLISH"}


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A final answer to a request; `headers` is rendered text for `build_response`."""

    status: int
    reason: str
    headers: str = ""


def check_request(
    request: Request,
    *,
    supported_methods: Collection[str] = METHODS,
    supported_schemes: Collection[str] = SCHEMES,
    supported_extensions: Collection[str] = frozenset(),
    body_types: Mapping[str, Collection[str]] = BODY_TYPES,
) -> Refusal | None:
    """Why this request cannot be served at all; None when it can go on. An ACK is checked too, but never answered.

    400 malformed · 405 a method we know and do not serve · 501 one we do not know · 416 URI scheme · 483 no hops left ·
    420 a required extension (option tags in lower case) · 415 body · 406 INVITE whose answer may not be SDP.
    """
    if request.method not in supported_methods:
        if request.method in _REGISTERED_METHODS:
            return Refusal(405, "Method Not Allowed", f"Allow: {', '.join(sorted(supported_methods))}\r\n")
        return Refusal(501, "Not Implemented", f"Allow: {', '.join(sorted(supported_methods))}\r\n")
    headers = request.headers
    refusal: Refusal | None = None
    try:
        if not _is_plain_uri(request.uri):
            refusal = _check_uri(request, supported_schemes)
        if refusal is None and headers.get("Max-Forwards", "70") != "70":
            refusal = _check_hops(request)
        if refusal is not None:
            return refusal
        _check_syntax(request)
        if "Require" in headers:
            refusal = _check_extensions(request, supported_extensions)
        if refusal is None and (request.body or "Accept" in headers):
            refusal = _check_body(request, body_types)
    except SipParseError as error:
        return Refusal(error.status, error.reason)
    return refusal


def check_response(response: Response, sent_bys: Collection[str]) -> str:
    """Why this response must be discarded without a word, or "" (RFC 3261 §8.1.3.3, §18.1.2).

    `sent_bys` are the host or host:port texts we put into the Via of requests.
    """
    if response.repeats is not None and "Via" in response.repeats:
        return "more than one Via"
    if response.headers["Via"] != response.via and len(response.all("Via")) > 1:
        return "more than one Via"
    if response.sent_by not in sent_bys:
        return "sent-by is not ours"
    return ""


# The usual spellings, without anything that could be ambiguous; what does not match is read by the grammar.
_PLAIN_URI = r"sips?+:(?:[A-Za-z0-9._+*\-]++@)?[A-Za-z0-9.\-]++(?::[1-9][0-9]{0,3}+)?"
_match_plain_uri = re.compile(_PLAIN_URI).fullmatch
_match_plain_address = re.compile(
    rf'(?:"[A-Za-z0-9 ._+\-]*+"[ ]?+)?<{_PLAIN_URI}(?:;[a-z]++=[A-Za-z0-9.\-]++)*>(?:;[a-z]++=[A-Za-z0-9.\-]++)*'
).fullmatch


# The same addresses come again and again, in every request of a phone.
@lru_cache(maxsize=2048)
def _is_plain_uri(text: str) -> bool:
    return _match_plain_uri(text) is not None


@lru_cache(maxsize=2048)
def _is_plain_address(text: str) -> bool:
    return _match_plain_address(text) is not None


def _check_uri(request: Request, supported_schemes: Collection[str]) -> Refusal | None:
    uri = parse_uri(request.uri)
    if uri.scheme not in supported_schemes:
        return Refusal(416, "Unsupported URI Scheme")
    if uri.headers or "method" in uri.params:
        raise SipParseError("headers or method in a Request-URI (RFC 3261 §19.1.1)")
    return None


def _check_hops(request: Request) -> Refusal | None:
    """No hops left is fatal to what would go on to a user behind us, not to what asks the switch itself (§11.2)."""
    if request.max_forwards != 0 or request.method in ("ACK", "CANCEL"):
        return None
    if request.to_tag or not parse_uri(request.uri).user:
        return None
    return Refusal(483, "Too Many Hops")


def _check_syntax(request: Request) -> None:
    headers = request.headers
    # Without the tag, which is new in every call and was read by the parser.
    if not _is_plain_address(headers["From"].removesuffix(f";tag={request.from_tag}")):
        _ = request.from_
    to_tag = request.to_tag
    if not _is_plain_address(headers["To"].removesuffix(f";tag={to_tag}") if to_tag else headers["To"]):
        _ = request.to
    for name in ("Contact", "Route", "Record-Route"):
        if name in headers:
            _check_addresses(request, name)
    if "Expires" in headers:
        _ = request.expires
    if "Date" in headers and not headers["Date"].endswith(" GMT"):
        raise SipParseError("Date is not in GMT (RFC 3261 §20.17)")
    if request.method == "INVITE" and "Contact" not in headers and request.branch.startswith("z9hG4bK"):
        # Callers of RFC 2543 are reached by their From.
        raise SipParseError("INVITE without Contact (RFC 3261 §8.1.1.8)")
    if request.method == "REGISTER" and not request.to.uri.is_sip:
        raise SipParseError("To of a REGISTER is no address of record (RFC 3261 §10.2)")


def _check_addresses(request: Request, name: str) -> None:
    repeats = request.repeats
    if repeats is None or name not in repeats:
        value = request.headers[name]
        if _is_plain_address(value):
            return
        if name == "Contact" and value == "*":
            if request.method != "REGISTER":
                raise SipParseError("Contact: * outside REGISTER")
            return
    request.addresses(name)


def _check_extensions(request: Request, supported: Collection[str]) -> Refusal | None:
    if request.method in ("ACK", "CANCEL"):
        return None
    unknown = [tag for tag in request.all("Require") if tag.lower() not in supported]
    return Refusal(420, "Bad Extension", f"Unsupported: {', '.join(unknown)}\r\n") if unknown else None


def _check_body(request: Request, body_types: Mapping[str, Collection[str]]) -> Refusal | None:
    method = request.method
    understood = body_types.get(method)
    headers = request.headers
    if method == "INVITE" and "Accept" in headers and not _accepts_sdp(request):
        return Refusal(406, "Not Acceptable")
    if not request.body or understood is None:
        return None
    is_encoded = headers.get("Content-Encoding", "identity").lower() != "identity"
    if headers.get("Content-Type") in understood and not is_encoded:
        return None
    if "Content-Type" not in headers:
        raise SipParseError("body without Content-Type (RFC 3261 §20.15)")
    if "handling=optional" in headers.get("Content-Disposition", "").lower().replace(" ", ""):
        return None
    if request.content_type in understood and not is_encoded:
        return None
    accept = f"Accept: {', '.join(sorted(understood))}\r\n"
    return Refusal(415, "Unsupported Media Type", f"{accept}Accept-Encoding: identity\r\n" if is_encoded else accept)


def _accepts_sdp(request: Request) -> bool:
    ranges = [value.partition(";")[0].replace(" ", "").lower() for value in request.all("Accept")]
    return any(each in ("application/sdp", "application/*", "*/*") for each in ranges)
