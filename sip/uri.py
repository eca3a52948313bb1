"""SIP, SIPS and tel URIs and the name-addr form around them (RFC 3261 §19.1, §20.10; RFC 3966).

Components are held without their %-escapes; `str()` of a parsed URI is the text as it was received, so that what a
dialog repeats is byte for byte what the peer wrote. Pure.
"""

import re
from urllib.parse import unquote_to_bytes

import msgspec

from sip import limits
from sip.errors import SipParseError
from sip.headers import parse_params, quote, quote_unless_token, unquote

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}


class SipUri(msgspec.Struct, frozen=True, gc=False, eq=False):
    """One URI. For tel, `user` is the number as written and `host` is "". Other schemes carry only `scheme` and `text`.

    Equality compares components as they stand; for the comparison of RFC 3261 §19.1.4 use `uris_equal`.
    """

    scheme: str
    """Lower case: sip, sips, tel, or another."""
    user: str = ""
    password: str = ""
    host: str = ""
    """Name, IPv4 literal, or IPv6 literal without brackets."""
    port: int = 0
    """0 when the URI names none."""
    params: dict[str, str] = {}
    """Lower-case names; "" for a parameter without value."""
    headers: dict[str, str] = {}
    text: str = ""
    """As received; "" for a URI built by us, which `str()` then renders."""

    @property
    def is_sip(self) -> bool:
        return self.scheme in ("sip", "sips")

    @property
    def transport(self) -> str:
        """Lower-case transport parameter, or "" when the URI leaves it open."""
        return self.params.get("transport", "").lower()

    def _key(self) -> tuple[object, ...]:
        opaque = "" if self.host or self.scheme == "tel" else self.text
        return (self.scheme, self.user, self.password, self.host, self.port, self.params, self.headers, opaque)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SipUri) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self.scheme, self.user, self.host, self.port))

    def __str__(self) -> str:
        return self.text or render_uri(self)


class NameAddr(msgspec.Struct, frozen=True, gc=False):
    """Value of From, To, Contact, Route …: `"display" <uri>;params`."""

    display: str
    """Without quotes; "" when absent."""
    uri: SipUri
    params: dict[str, str] = {}

    @property
    def tag(self) -> str:
        return self.params.get("tag", "")

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        params = [
            f";{name}={quote_unless_token(value)}" if value else f";{name}" for name, value in self.params.items()
        ]
        return f"{display}<{self.uri}>{''.join(params)}"


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):")
# User and password as RFC 3261 §25.1 has them, and besides: # and octets above 127, which phones do send.
_USERINFO = re.compile(r"((?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#\x80-\U0010ffff]|%[0-9A-Fa-f]{2})+)(?::((?:[A-Za-z0-9\-_.!~*'()&=+$,\x80-\U0010ffff]|%[0-9A-Fa-f]{2})*))?")  # fmt: skip  # noqa: E501
_HOSTPORT = re.compile(r"([A-Za-z0-9._\-]++|\[[0-9A-Fa-f:.]++\])(?::([0-9]++))?")
_URI_PARAM = re.compile(r";((?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})+)(?:=((?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$=,\x80-\U0010ffff]|%[0-9A-Fa-f]{2})*))?")  # fmt: skip  # noqa: E501
_URI_HEADER = re.compile(r"[?&]((?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$]|%[0-9A-Fa-f]{2})+)=((?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$;,=@]|%[0-9A-Fa-f]{2})*)")  # fmt: skip  # noqa: E501
_TEL = re.compile(r"\+?+[0-9A-Fa-f*#().\-]++")
# The usual spelling, which needs neither unescaping nor a check of the port's range.
_PLAIN_SIP = re.compile(r"sip:([A-Za-z0-9_.+\-]++)@([A-Za-z0-9.\-]++)(?::([1-9][0-9]{0,3}))?").fullmatch
_OPAQUE = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x7e]++")


def parse_uri(text: str) -> SipUri:
    """Read a URI that stands alone (no angle brackets).

    Raises:
        SipParseError: malformed, 400. An unknown scheme is no error here; the caller answers 416.
    """
    match = _PLAIN_SIP(text)
    if match is not None:
        user, host, digits = match.groups()
        return SipUri("sip", user, "", host, int(digits) if digits else 0, {}, {}, text)
    match = _SCHEME.match(text)
    if match is None:
        raise SipParseError("URI without scheme")
    scheme = match.group(1).lower()
    if scheme in ("sip", "sips"):
        return _parse_sip(scheme, text, match.end())
    if scheme == "tel":
        return _parse_tel(text, match.end())
    if _OPAQUE.fullmatch(text, match.end()) is None:
        raise SipParseError("malformed URI")
    return SipUri(scheme, text=text)


def _parse_sip(scheme: str, text: str, start: int) -> SipUri:
    user = password = ""
    at = text.find("@", start)
    if at >= 0:
        userinfo = _USERINFO.fullmatch(text, start, at)
        if userinfo is None:
            raise SipParseError("malformed user part of a URI")
        user, password = userinfo.groups("")
        start = at + 1
    host = _HOSTPORT.match(text, start)
    if host is None:
        raise SipParseError("malformed host of a URI")
    name, digits = host.groups("")
    port = 0
    if digits:
        port = int(digits) if len(digits) <= 5 else 0
        if not 0 < port <= limits.MAX_PORT:
            raise SipParseError("port of a URI out of range")
    end = host.end()
    if end == len(text):
        params: dict[str, str] = {}
        headers: dict[str, str] = {}
    else:
        params, end = _scan(_URI_PARAM, text, end)
        headers, end = _scan(_URI_HEADER, text, end) if text[end : end + 1] == "?" else ({}, end)
        if end != len(text):
            raise SipParseError("malformed end of a URI")
    if name[0] == "[":
        name = name[1:-1]
    return SipUri(scheme, unescape(user), unescape(password), name, port, params, headers, text)


def _parse_tel(text: str, start: int) -> SipUri:
    number = _TEL.match(text, start)
    if number is None:
        raise SipParseError("malformed tel URI")
    params, end = _scan(_URI_PARAM, text, number.end())
    if end != len(text):
        raise SipParseError("malformed tel URI")
    return SipUri("tel", number.group(), params=params, text=text)


def _scan(pattern: re.Pattern[str], text: str, start: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    while (match := pattern.match(text, start)) is not None:
        if len(found) >= limits.MAX_LIST_ITEMS:
            raise SipParseError("URI with too many parameters")
        name, value = match.groups("")
        found.setdefault(unescape(name).lower(), unescape(value))
        start = match.end()
    return found, start


def unescape(text: str) -> str:
    """Without %-escapes; octets that are not UTF-8 become surrogates (PEP 383)."""
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()"
_USER_SAFE = frozenset((_UNRESERVED + "&=+$,;?/").encode())
_PASSWORD_SAFE = frozenset((_UNRESERVED + "&=+$,").encode())
_PARAM_SAFE = frozenset((_UNRESERVED + "[]/:&+$").encode())
HEADER_SAFE = frozenset((_UNRESERVED + "[]/?:+$").encode())


def escape(text: str, safe: frozenset[int] = _USER_SAFE) -> str:
    """With %-escapes for every octet outside `safe` (default: what a user part may hold)."""
    octets = text.encode("utf-8", "surrogateescape")
    return "".join(chr(octet) if octet in safe else f"%{octet:02X}" for octet in octets)


def render_uri(uri: SipUri) -> str:
    """The URI in its own right spelling, whatever it was received as."""
    pairs = [(escape(name, _PARAM_SAFE), escape(value, _PARAM_SAFE)) for name, value in uri.params.items()]
    params = "".join(f";{name}={value}" if value else f";{name}" for name, value in pairs)
    if uri.scheme == "tel":
        return f"tel:{uri.user}{params}"
    if not uri.is_sip:
        return uri.text
    user = escape(uri.user)
    if uri.password:
        user += ":" + escape(uri.password, _PASSWORD_SAFE)
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    port = f":{uri.port}" if uri.port else ""
    pairs = [(escape(name, HEADER_SAFE), escape(value, HEADER_SAFE)) for name, value in uri.headers.items()]
    headers = "&".join(f"{name}={value}" for name, value in pairs)
    return f"{uri.scheme}:{user}{'@' if user else ''}{host}{port}{params}{'?' if headers else ''}{headers}"


# Parameters that make two URIs differ when only one of them has it (RFC 3261 §19.1.4).
_DECISIVE_PARAMS = ("user", "ttl", "method", "maddr", "transport")


def uris_equal(a: SipUri, b: SipUri) -> bool:
    """The comparison of RFC 3261 §19.1.4 for sip and sips, of RFC 3966 §4 for tel; other schemes compare as text."""
    if a.scheme != b.scheme:
        return False
    if a.scheme == "tel":
        return _tel_digits(a.user) == _tel_digits(b.user) and _lower(a.params) == _lower(b.params)
    if not a.is_sip:
        return a.text == b.text
    if a.user != b.user or a.password != b.password or a.host.lower() != b.host.lower() or a.port != b.port:
        return False
    ours, theirs = _lower(a.params), _lower(b.params)
    if any(ours[name] != theirs[name] for name in ours.keys() & theirs.keys()):
        return False
    if any((name in ours) != (name in theirs) for name in _DECISIVE_PARAMS):
        return False
    return a.headers == b.headers


def _lower(params: dict[str, str]) -> dict[str, str]:
    return {name: value.lower() for name, value in params.items()}


def _tel_digits(number: str) -> str:
    return number.translate({ord(sign): None for sign in "-.()"}).lower()


_BRACKETED = re.compile(r'[ \t]*+(?:("(?:[^"\\]|\\.)*")[ \t]*+|([^"<>,;:@=\r\n]*+))<([^<>"]*+)>', re.DOTALL)
_DISPLAY_TOKENS = re.compile(r"[A-Za-z0-9\-.!%*_+`'~ \t\x80-\U0010ffff]*+")


def parse_name_addr(text: str) -> NameAddr:
    """Read `"display" <uri>;params`, or the bare form, in which parameters belong to the header (RFC 3261 §20).

    Raises:
        SipParseError: malformed, or a bare URI with ? or , in it (§20.10), 400.
    """
    if text[:1] == "<":
        plain, _, tag = text.partition(">;tag=")
        if tag.isalnum() and tag.isascii() and _PLAIN_SIP(plain, 1) is not None:
            return NameAddr("", parse_uri(plain[1:]), {"tag": tag})
    match = _BRACKETED.match(text)
    if match is not None:
        quoted, tokens, uri = match.groups("")
        display = unquote(quoted) if quoted else tokens.strip(" \t")
        if _DISPLAY_TOKENS.fullmatch(tokens) is None:
            raise SipParseError("display name needs quotes")
        end = match.end()
        return NameAddr(display, parse_uri(uri), parse_params(text, end) if end < len(text) else {})
    uri, semicolon, _ = text.partition(";")
    if "<" in uri or '"' in uri or "?" in uri or "," in uri:
        raise SipParseError("malformed address")
    uri = uri.strip(" \t")
    return NameAddr("", parse_uri(uri), parse_params(text, text.index(";")) if semicolon else {})
