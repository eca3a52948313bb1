"""What is known of header fields: canonical names, which may come once, which are comma lists (RFC 3261 §7.3, §20).

Also the three scanners that every structured value is read with. Pure; called by the parser and by typed accessors.
"""

import re
import sys

from sip import limits
from sip.errors import SipParseError

_NAMES = """
Accept Accept-Contact Accept-Encoding Accept-Language Accept-Resource-Priority Alert-Info Allow Allow-Events
Answer-Mode Authentication-Info Authorization Call-ID Call-Info Contact Content-Disposition Content-Encoding
Content-Language Content-Length Content-Type CSeq Date Diversion Encryption Error-Info Event Expires Feature-Caps
Flow-Timer From Geolocation Geolocation-Error Geolocation-Routing Hide History-Info Identity Identity-Info In-Reply-To
Info-Package Join Max-Breadth Max-Forwards Min-Expires Min-SE MIME-Version Organization P-Access-Network-Info
P-Answer-State P-Asserted-Identity P-Asserted-Service P-Associated-URI P-Called-Party-ID P-Charging-Function-Addresses
P-Charging-Vector P-DCS-Billing-Info P-DCS-LAES P-DCS-OSPS P-DCS-Redirect P-DCS-Trace-Party-ID P-Early-Media
P-Media-Authorization P-Preferred-Identity P-Preferred-Service P-Profile-Key P-Served-User P-User-Database
P-Visited-Network-ID Path Permission-Missing Policy-Contact Policy-ID Priority Privacy Proxy-Authenticate
Proxy-Authentication-Info Proxy-Authorization Proxy-Require RAck Reason Recv-Info Record-Route Refer-Sub Refer-To
Referred-By Reject-Contact Remote-Party-ID Replaces Reply-To Request-Disposition Require Resource-Priority
Response-Key Retry-After Route RSeq Security-Client Security-Server Security-Verify Server Service-Route
Session-Expires Session-ID SIP-ETag SIP-If-Match Subject Subscription-State Suppress-If-Match Supported Target-Dialog
Timestamp To Trigger-Consent Unsupported User-Agent User-to-User Via Warning WWW-Authenticate
""".split()  # noqa: SIM905 - read down the alphabet

COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition", "e": "Content-Encoding",
    "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length", "m": "Contact",
    "n": "Identity-Info", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via",
    "x": "Session-Expires", "y": "Identity",
}  # fmt: skip

SINGLE = frozenset(
    """Authentication-Info Call-ID Content-Disposition Content-Length Content-Type CSeq Date Event Expires From
    Max-Forwards Min-Expires Min-SE MIME-Version Organization Priority RAck Refer-To Referred-By Reply-To Replaces
    Retry-After RSeq Server Session-Expires Subject Subscription-State Timestamp To User-Agent""".split()  # noqa: SIM905
)
"""Fields that may come once only: a second one is 400 (RFC 3261 §7.3.1, RFC 4475 §3.3.8)."""

COMMA_LISTS = frozenset(
    """Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Call-Info Contact
    Content-Encoding Content-Language Diversion Error-Info History-Info In-Reply-To P-Asserted-Identity
    P-Associated-URI P-Preferred-Identity Path Proxy-Require Reason Record-Route Recv-Info Reject-Contact
    Request-Disposition Require Route Security-Client Security-Server Security-Verify Service-Route Supported
    Unsupported Via Warning""".split()  # noqa: SIM905
)

_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]"
is_token = re.compile(f"{_TOKEN}++").fullmatch

_BY_LOWER = {name.lower(): sys.intern(name) for name in _NAMES} | COMPACT


class _CanonicalNames(dict[str, str]):
    """Spelling as received -> canonical name. Bounded, so that a peer cannot make it grow."""

    def __missing__(self, spelling: str) -> str:
        name = spelling.rstrip(" \t")
        if not is_token(name):
            raise SipParseError("malformed header name")
        canonical = _BY_LOWER.get(name.lower(), name)
        if len(self) < limits.MAX_INTERNED_NAMES and len(name) <= 64:
            self[sys.intern(spelling)] = sys.intern(canonical)
        return canonical


CANONICAL: dict[str, str] = _CanonicalNames()
for _lower, _canonical in _BY_LOWER.items():
    CANONICAL[_canonical] = CANONICAL[_lower] = CANONICAL[_lower.upper()] = _canonical


def is_known(name: str) -> bool:
    return name.lower() in _BY_LOWER


def header_line(name: str, value: str) -> str:
    """`Name: value` with its line end, for values that came from outside.

    Raises:
        ValueError: the name is no token, or the value holds CR or LF.
    """
    if not is_token(name):
        raise ValueError("header name is no token")
    if "\r" in value or "\n" in value:
        raise ValueError(f"line end in the value of {name}")
    return f"{name}: {value}\r\n"


_LIST_ITEM = re.compile(r'(?:[^,"<]|"(?:[^"\\]|\\.)*"|<[^>]*+>)*', re.DOTALL)


def split_list(value: str) -> list[str]:
    """The elements of a comma list; commas inside quotes and <> do not count. Empty elements are dropped (§7.3.1).

    Raises:
        SipParseError: a quote or < that never ends, or more than `MAX_LIST_ITEMS` elements.
    """
    if "," not in value:
        return [value] if value else []
    if '"' not in value and "<" not in value:
        items = [item.strip(" \t") for item in value.split(",")]
    else:
        items = []
        end = -1
        while end < len(value):
            match = _LIST_ITEM.match(value, end + 1)
            assert match is not None
            items.append(match.group().strip(" \t"))
            end = match.end()
            if end < len(value) and value[end] != ",":
                raise SipParseError("unbalanced quote or angle bracket")
    if len(items) > limits.MAX_LIST_ITEMS:
        raise SipParseError("list too long")
    return [item for item in items if item]


_PARAM = re.compile(
    rf'[ \t]*+;[ \t]*+({_TOKEN}++)(?:[ \t]*+=[ \t]*+("(?:[^"\\]|\\.)*"|[^ \t;,"<>]++))?[ \t]*+', re.DOTALL
)


def parse_params(text: str, start: int = 0) -> dict[str, str]:
    """`;name=value` parameters of a header value from `start` to its end: lower-case names, values without quotes.

    A parameter without value is "". The first of two equal names wins.

    Raises:
        SipParseError: anything else stands there.
    """
    params: dict[str, str] = {}
    end = len(text)
    while start < end:
        match = _PARAM.match(text, start)
        if match is None or len(params) >= limits.MAX_LIST_ITEMS:
            raise SipParseError("malformed header parameter")
        name, value = match.groups("")
        params.setdefault(name.lower(), unquote(value) if value[:1] == '"' else value)
        start = match.end()
    return params


def parse_retry_after(value: str) -> int:
    """Seconds of a Retry-After value (RFC 3261 §20.33); 0 for none and for what cannot be read."""
    digits = value.partition(";")[0].partition("(")[0].strip(" \t")
    return int(digits) if digits.isdigit() and digits.isascii() and len(digits) < 8 else 0


_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def unquote(value: str) -> str:
    """The text of a quoted string (RFC 3261 §25.1); what is not quoted stays as it is."""
    if len(value) < 2 or value[0] != '"':
        return value
    inner = value[1:-1]
    return _QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner


def quote(value: str) -> str:
    r"""`value` as a quoted string, \ and " escaped.

    Raises:
        ValueError: it holds CR or LF, which cannot be quoted.
    """
    if "\r" in value or "\n" in value:
        raise ValueError("line end in a quoted string")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_PLAIN_VALUE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~\[\]:]++")


def quote_unless_token(value: str) -> str:
    """A parameter value as it may stand after the equals sign: token or host as it is, anything else quoted."""
    return value if _PLAIN_VALUE.fullmatch(value) else quote(value)


def parse_integer(value: str, maximum: int, what: str) -> int:
    """A decimal number 0..maximum.

    Raises:
        SipParseError: anything else.
    """
    if not (value.isascii() and value.isdigit() and len(value) <= limits.MAX_INTEGER_DIGITS):
        raise SipParseError(f"{what} is not a number")
    number = int(value)
    if number > maximum:
        raise SipParseError(f"{what} out of range")
    return number
