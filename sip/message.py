"""SIP messages as plain data, and the two ways one leaves: passed on (`serialize`) or answered (`build_response`).

RFC 3261 §7, §8.2.6, §18.2; RFC 3581. Messages come from `sip.parser.parse_message`; typed values are parsed on first
use and cached. Pure.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from sip import limits
from sip.errors import SipParseError
from sip.flow import Flow
from sip.headers import CANONICAL, COMMA_LISTS, is_known, parse_integer, parse_params, quote_unless_token, split_list
from sip.uri import NameAddr, parse_name_addr

__all__ = ["Message", "Request", "Response", "Via", "build_response", "note_source", "reply_flow", "serialize"]

_T = TypeVar("_T")


class Via(msgspec.Struct, frozen=True, gc=False):
    """One Via element (RFC 3261 §20.42)."""

    transport: str
    """Upper case as a rule; as received."""
    host: str
    """IPv6 literals keep their brackets."""
    port: int
    """0 when absent."""
    params: dict[str, str]

    @property
    def sent_by(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


class Message(msgspec.Struct, gc=False, eq=False):
    """What requests and responses share. Header values never hold CR or LF."""

    headers: dict[str, str] = {}
    """Canonical name -> first value, in order of first appearance; unknown names as received."""
    repeats: dict[str, list[str]] | None = None
    """Canonical name -> all values in order, only for names that came on several lines; None mostly."""
    body: bytes = b""
    flow: Flow | None = None
    call_id: str = ""
    cseq: int = 0
    method: str = ""
    """Of the CSeq; for a request the same as in the start line."""
    via: str = ""
    """Topmost Via element."""
    branch: str = ""
    """Of the topmost Via; "" when it has none (RFC 2543 peers, matched by RFC 3261 §17.2.3's second rule)."""
    sent_by: str = ""
    """host or host:port of the topmost Via."""
    from_tag: str = ""
    to_tag: str = ""
    typed: dict[str, Any] | None = None
    """Cache of the typed accessors."""

    def get(self, name: str, default: str | None = None) -> str | None:
        """First value of the header of this canonical name; unknown names match in any case."""
        value = self.headers.get(name)
        if value is None:
            if name in CANONICAL and is_known(name):
                return default
            name = name.lower()
            return next((value for key, value in self.headers.items() if key.lower() == name), default)
        return value

    def all(self, name: str) -> list[str]:
        """All values in order; comma lists are split where the header is one.

        Raises:
            SipParseError: 400, a list with unbalanced quotes or too many elements.
        """
        if self.repeats is not None and name in self.repeats:
            values = self.repeats[name]
            if name in COMMA_LISTS:
                values = [item for value in values for item in split_list(value)]
                if len(values) > limits.MAX_LIST_ITEMS:
                    raise SipParseError(f"too many values of {name}")
            return list(values)
        value = self.get(name)
        if value is None:
            return []
        return split_list(value) if name in COMMA_LISTS else [value]

    def _cached(self, key: str, value: _T) -> _T:
        if self.typed is None:
            self.typed = {}
        self.typed[key] = value
        return value

    def _address(self, name: str) -> NameAddr:
        if self.typed is not None and name in self.typed:
            address: NameAddr = self.typed[name]
            return address
        return self._cached(name, parse_name_addr(self.headers.get(name, "")))

    @property
    def from_(self) -> NameAddr:
        """SipParseError (400) when malformed, as with every typed accessor."""
        return self._address("From")

    @property
    def to(self) -> NameAddr:
        return self._address("To")

    @property
    def has_wildcard_contact(self) -> bool:
        """`Contact: *`, which removes every binding (RFC 3261 §10.2.2)."""
        return self.headers.get("Contact") == "*"

    @property
    def contacts(self) -> list[NameAddr]:
        """All contacts in order; [] for none and for `Contact: *`."""
        if self.has_wildcard_contact and (self.repeats is None or "Contact" not in self.repeats):
            return []
        return self.addresses("Contact")

    def addresses(self, name: str) -> list[NameAddr]:
        """All values of a header made of addresses (Contact, Route, Record-Route, P-Asserted-Identity …)."""
        if self.typed is not None and name in self.typed:
            found: list[NameAddr] = self.typed[name]
            return found
        return self._cached(name, [parse_name_addr(value) for value in self.all(name)])

    @property
    def top_via(self) -> Via:
        if self.typed is not None and "Via" in self.typed:
            via: Via = self.typed["Via"]
            return via
        return self._cached("Via", parse_via(self.via))

    def _integer(self, name: str, maximum: int) -> int | None:
        value = self.headers.get(name)
        return None if value is None else parse_integer(value, maximum, name)

    @property
    def max_forwards(self) -> int | None:
        return self._integer("Max-Forwards", limits.MAX_MAX_FORWARDS)

    @property
    def expires(self) -> int | None:
        """Seconds of the Expires header."""
        return self._integer("Expires", limits.MAX_EXPIRES_S)

    @property
    def content_type(self) -> str:
        """`type/subtype` in lower case, without parameters; "" when absent."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip(" \t").lower()

    def tokens(self, name: str) -> list[str]:
        """Elements of a token list (Supported, Require, Allow …) as received; option tags compare in lower case."""
        return self.all(name)


class Request(Message, gc=False, eq=False):
    uri: str = ""
    """Request-URI as received."""
    sender: Any = None
    """What the application's admission found out about who sent it (sip.admission)."""


class Response(Message, gc=False, eq=False):
    status: int = 0
    reason: str = ""


_VIA = re.compile(
    r"SIP[ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]++"
    r"([A-Za-z0-9._\-]++|\[[0-9A-Fa-f:.]++\])[ \t]*+(?::[ \t]*+([0-9]++)[ \t]*+)?",
    re.IGNORECASE,
)


def parse_via(value: str) -> Via:
    """One Via element, white space wherever RFC 3261 §25.1 lets it stand.

    Raises:
        SipParseError: 400.
    """
    match = _VIA.match(value)
    if match is None:
        raise SipParseError("malformed Via")
    transport, host, digits = match.groups("")
    port = parse_integer(digits, limits.MAX_PORT, "port of a Via") if digits else 0
    if digits and not port:
        raise SipParseError("port of a Via out of range")
    return Via(transport, host, port, parse_params(value, match.end()))


def _with_via(message: Message, name: str, via: str) -> None:
    """Replace the topmost Via element in the header block."""
    line = message.headers[name]
    line = via + line[len(message.via) :] if line.startswith(message.via) else via
    message.headers[name] = line
    if message.repeats is not None and name in message.repeats:
        message.repeats[name][0] = line
    message.via = via
    if message.typed is not None:
        message.typed.pop("Via", None)


def note_source(request: Request, flow: Flow) -> None:
    """Write received= and rport= into the topmost Via (RFC 3261 §18.2.1, RFC 3581 §4), and keep the flow.

    Whatever the peer itself put into received= is overwritten: only the address the packet came from counts.
    """
    request.flow = flow
    via = request.via
    lower = via.lower()
    wants_port = ";rport" in lower
    if not wants_port and "received" not in lower and request.sent_by.partition(":")[0] == flow.host:
        return
    if not wants_port or ";received" in lower or " " in via[via.find(" ", 8) + 1 :]:
        _note_source_carefully(request, flow)
        return
    start = lower.find(";rport")
    end = start + len(";rport")
    if via[end : end + 1] not in ("", ";"):
        _note_source_carefully(request, flow)
        return
    _with_via(request, "Via", f"{via[:start]};received={flow.host};rport={flow.port}{via[end:]}")


def _note_source_carefully(request: Request, flow: Flow) -> None:
    via = request.top_via
    wants_port = "rport" in via.params
    params = {name: value for name, value in via.params.items() if name not in ("received", "rport")}
    if wants_port or via.host.strip("[]") != flow.host:
        params["received"] = flow.host
    if wants_port:
        params["rport"] = str(flow.port)
    pairs = [(name, quote_unless_token(value) if value else "") for name, value in params.items()]
    rendered = "".join(f";{name}={value}" if value else f";{name}" for name, value in pairs)
    _with_via(request, "Via", f"SIP/2.0/{via.transport} {via.sent_by}{rendered}")


def reply_flow(request: Request) -> Flow:
    """Where the responses to a request go that came over `request.flow` (RFC 3261 §18.2.2, RFC 3581 §4).

    maddr is not obeyed: it would let a stranger aim our answers at anybody.
    """
    flow = request.flow
    if flow is None:
        raise ValueError("request without a flow")
    if flow.transport != "udp" or ";rport" in request.via:
        return flow
    try:
        via = request.top_via
    except SipParseError:
        return flow
    return flow if "rport" in via.params else flow._replace(port=via.port or 5060)


def serialize(message: Message) -> bytes:
    """The message as it goes on: headers in order and spelling of arrival (names canonical), Content-Length right.

    Parsing what comes out and serializing again gives the same bytes.
    """
    if isinstance(message, Request):
        lines = [f"{message.method} {message.uri} SIP/2.0\r\n"]
    else:
        assert isinstance(message, Response)
        lines = [f"SIP/2.0 {message.status} {message.reason}\r\n"]
    repeats = message.repeats
    has_length = False
    for name, value in message.headers.items():
        if repeats is not None and name in repeats:
            lines.extend([f"{name}: {each}\r\n" for each in repeats[name]])
        elif name == "Content-Length":
            has_length = True
            lines.append(f"Content-Length: {len(message.body)}\r\n")
        else:
            lines.append(f"{name}: {value}\r\n")
    if not has_length:
        lines.append(f"Content-Length: {len(message.body)}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("utf-8", "surrogateescape") + message.body


_DIALOG_FORMING = frozenset(("INVITE", "SUBSCRIBE", "REFER", "NOTIFY"))


def build_response(
    request: Request,
    status: int,
    reason: str,
    *,
    to_tag: str = "",
    contact: str = "",
    headers: str = "",
    body: bytes = b"",
    content_type: str = "",
) -> bytes:
    """A response to `request` (RFC 3261 §8.2.6): Via in order, From, To with `to_tag` unless it has one, Call-ID, CSeq;
    Record-Route for 101…299 that form a dialog (§12.1.1); Timestamp in a 100.

    `contact` is a whole Contact value; `headers` holds rendered lines, each `Name: value` with its line end (values
    from outside go through `sip.headers.header_line`). Call `note_source` on the request before.

    Raises:
        ValueError: a line end in what the caller passed, or `headers` not ending with one.
    """
    if not f"{reason}{to_tag}{contact}{content_type}".isprintable():
        _refuse_line_ends(reason, to_tag, contact, content_type)
    if headers and (headers[-2:] != "\r\n" or "\r\n\r\n" in headers or headers.count("\n") != headers.count("\r\n")):
        raise ValueError("headers must be whole lines, each with its line end")
    fields = request.headers
    repeats = request.repeats
    to = fields.get("To", "")
    if to_tag and not request.to_tag:
        to = f"{to};tag={to_tag}"
    via = fields.get("Via", "")
    if repeats is not None and "Via" in repeats:
        via = "\r\nVia: ".join(repeats["Via"])
    extra = ""
    if "Record-Route" in fields and 100 < status < 300 and request.method in _DIALOG_FORMING:
        routes = repeats["Record-Route"] if repeats and "Record-Route" in repeats else [fields["Record-Route"]]
        extra = "".join([f"Record-Route: {value}\r\n" for value in routes])
    if contact:
        extra = f"{extra}Contact: {contact}\r\n"
    if status == 100 and "Timestamp" in fields:
        extra = f"{extra}Timestamp: {fields['Timestamp']}\r\n"
    if body:
        extra = f"{extra}{headers}Content-Type: {content_type}\r\n"
    else:
        extra = f"{extra}{headers}"
    if not (via and to and "From" in fields and "Call-ID" in fields and "CSeq" in fields):
        start = f"SIP/2.0 {status} {reason}\r\n"
        return _build_partial_response(request, start, {"Via": via, "To": to}, extra, body)
    return (
        f"SIP/2.0 {status} {reason}\r\nVia: {via}\r\nFrom: {fields['From']}\r\nTo: {to}\r\n"
        f"Call-ID: {fields['Call-ID']}\r\nCSeq: {fields['CSeq']}\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    ).encode("utf-8", "surrogateescape") + body


def _build_partial_response(request: Request, start: str, own: dict[str, str], extra: str, body: bytes) -> bytes:
    """The answer to a request that lacks mandatory headers (RFC 4475 §3.3.1): what there is, is copied."""
    values = own | {name: request.headers.get(name, "") for name in ("From", "Call-ID", "CSeq")}
    copied = "".join(f"{name}: {value}\r\n" for name, value in values.items() if value)
    head = f"{start}{copied}{extra}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("utf-8", "surrogateescape") + body


def _refuse_line_ends(*values: str) -> None:
    if any("\r" in value or "\n" in value for value in values):
        raise ValueError("line end in a header value")
