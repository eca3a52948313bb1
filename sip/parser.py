"""Bytes to messages: one pass, limits first, only `SipParseError` ever comes out (RFC 3261 §7, §18.3, §25).

Pure. Called once for each datagram or framed stream message. What is checked here is what every message needs to be
routed and answered; the meaning of a request is checked by `sip.validate` once it opens a transaction.

Line ends are CRLF and nothing else: a bare CR or LF inside the header block is refused, because two readers that differ
about it read two different messages. Octets that are not UTF-8 survive (surrogateescape).
"""

import re

from sip import limits
from sip.errors import SipParseError
from sip.flow import Flow
from sip.headers import CANONICAL, SINGLE, is_token, parse_integer, parse_params, split_list
from sip.message import Request, Response, parse_via

__all__ = ["SipParseError", "parse_message"]

_unfold = re.compile(r"\r\n[ \t]++").sub

_COMMON_METHODS = frozenset(
    "INVITE ACK BYE CANCEL OPTIONS REGISTER INFO PRACK UPDATE REFER NOTIFY SUBSCRIBE MESSAGE PUBLISH".split()  # noqa: SIM905
)

_SMALL_NUMBERS = {str(number): number for number in range(1024)}
"""Nearly every CSeq and Content-Length, found quicker than read."""


def parse_message(data: bytes, flow: Flow | None = None) -> Request | Response:
    """Parse one message; octets after Content-Length are ignored (RFC 3261 §18.3), as are line ends before it (§7.5).

    Raises:
        SipParseError: with the status to answer, 400, 505 (another SIP version) or 513 (over a limit), and
            `request_head` when it was a request that can be answered.
    """
    head, separator, body = data.partition(b"\r\n\r\n")
    if not head or head[:2] == b"\r\n":
        head, separator, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    try:
        if not separator:
            raise SipParseError("no end of the header block")
        if len(head) > limits.MAX_HEADER_BYTES or len(body) > limits.MAX_BODY_BYTES:
            raise SipParseError("message too large", 513, "Message Too Large")
        text = head.decode("utf-8", "surrogateescape")
        try:
            return _parse(text, body, flow)
        except SipParseError:
            # A folded line has a name that begins with white space, so it never gets through; folding is rare.
            if "\r\n " not in text and "\r\n\t" not in text:
                raise
        return _parse(_unfold(" ", text), body, flow)
    except SipParseError as error:
        error.request_head = _salvage(head[: limits.MAX_HEADER_BYTES], flow)
        raise


def _parse(text: str, body: bytes, flow: Flow | None) -> Request | Response:
    lines = text.split("\r\n")
    if len(lines) > limits.MAX_HEADER_LINES + 1:
        raise SipParseError("too many headers", 513, "Message Too Large")
    rest = "".join(lines)
    if "\n" in rest or "\r" in rest:
        raise SipParseError("bare CR or LF")
    start = lines.pop(0)
    if start[-8:] != " SIP/2.0" and start[:8] != "SIP/2.0 ":
        start = _unusual_start_line(start)
    headers, repeats = _read_headers(lines)
    try:
        call_id = headers["Call-ID"]
        number, _, method = headers["CSeq"].partition(" ")
        from_ = headers["From"]
        to = headers["To"]
        via, branch, sent_by = _read_via(headers["Via"])
    except KeyError as error:
        raise SipParseError(f"{error.args[0]} is missing") from None
    if not call_id:
        raise SipParseError("empty Call-ID")
    if method not in _COMMON_METHODS:
        number, method = _unusual_cseq(headers["CSeq"])
    cseq = _SMALL_NUMBERS.get(number)
    if cseq is None:
        cseq = parse_integer(number, limits.MAX_CSEQ, "CSeq")
    before, _, from_tag = from_.rpartition(">;tag=")
    # A token to the very end cannot lie inside quotes: they would never be closed.
    if not before or not (from_tag.isalnum() or is_token(from_tag)):
        from_tag = _unusual_tag(from_)
    if to[-1:] == ">":
        to_tag = ""
    else:
        before, _, to_tag = to.rpartition(">;tag=")
        if not before or not (to_tag.isalnum() or is_token(to_tag)):
            to_tag = _unusual_tag(to)
    if "Content-Length" in headers:
        length = headers["Content-Length"]
        n = _SMALL_NUMBERS.get(length)
        if n is None:
            n = parse_integer(length, limits.MAX_BODY_BYTES, "Content-Length")
        if n != len(body):
            if n > len(body):
                raise SipParseError("body shorter than Content-Length")
            body = body[:n]
    if start[:8] == "SIP/2.0 ":
        status, _, reason = start[8:].partition(" ")
        if len(status) != 3 or not status.isdigit() or not status.isascii() or not "100" <= status <= "699":
            raise SipParseError("malformed status")
        return Response(
            headers, repeats, body, flow, call_id, cseq, method, via, branch, sent_by, from_tag, to_tag, None,
            int(status), reason,
        )  # fmt: skip
    first, _, uri = start[:-8].partition(" ")
    if not uri or " " in uri:
        raise SipParseError("malformed start line")
    if first != method:
        if is_token(first) and first not in _COMMON_METHODS:
            raise SipParseError("unknown method", 501, "Not Implemented")
        raise SipParseError("method and CSeq differ")
    if branch == "z9hG4bK":
        # RFC 4475 §3.2.1: requests of this sender cannot be told apart, so none of them gets a transaction.
        raise SipParseError("branch names no transaction")
    return Request(
        headers, repeats, body, flow, call_id, cseq, method, via, branch, sent_by, from_tag, to_tag, None, uri
    )


def _read_headers(lines: list[str]) -> tuple[dict[str, str], dict[str, list[str]] | None]:
    headers: dict[str, str] = {}
    repeats: dict[str, list[str]] | None = None
    names = CANONICAL
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise SipParseError("header without colon")
        name = names[name]
        if name in headers:
            if name in SINGLE:
                raise SipParseError(f"{name} more than once")
            if repeats is None:
                repeats = {}
            if name not in repeats:
                repeats[name] = [headers[name]]
            repeats[name].append(value.strip())
        else:
            headers[name] = value.strip()
    return headers, repeats


_UP_TO_PARAMS = re.compile(r'(?:[^"<;]|"(?:[^"\\]|\\.)*"|<[^>]*+>)*', re.DOTALL)


def _unusual_tag(value: str) -> str:
    """Tag of a From or To value by the grammar; "" when it has none."""
    match = _UP_TO_PARAMS.match(value)
    assert match is not None
    end = match.end()
    return "" if end == len(value) else parse_params(value, end).get("tag", "")


def _unusual_cseq(value: str) -> tuple[str, str]:
    parts = value.replace("\t", " ").split(" ")
    words = [part for part in parts if part]
    if len(words) != 2 or not is_token(words[1]):
        raise SipParseError("malformed CSeq")
    return words[0], words[1]


def _read_via(via: str) -> tuple[str, str, str]:
    """(topmost element, branch, sent-by). Quick for the usual spelling, by the grammar for any other."""
    if via[:8] == "SIP/2.0/" and "," not in via and "\t" not in via:
        front, _, branch = via.partition(";branch=")
        protocol, _, sent_by = front.partition(" ")
        if ";" not in protocol and " " not in sent_by and " " not in branch:
            if ";" in sent_by:
                sent_by = sent_by[: sent_by.index(";")]
            if ";" in branch:
                branch = branch[: branch.index(";")]
            if branch and sent_by:
                return via, branch, sent_by
    return _unusual_via(via)


def _unusual_via(value: str) -> tuple[str, str, str]:
    """(topmost element, branch, sent-by) of a Via with several elements, odd white space or no branch."""
    elements = split_list(value)
    if not elements:
        raise SipParseError("empty Via")
    via = parse_via(elements[0])
    return elements[0], via.params.get("branch", ""), via.sent_by


_VERSION = re.compile(r"SIP/[0-9]++\.[0-9]++", re.IGNORECASE)


def _unusual_start_line(start: str) -> str:
    """The start line with its version in capitals; 505 for another version of SIP (RFC 3261 §21.5.6).

    A status line without reason and without its space is let through, because nothing is lost by it.
    """
    first, _, rest = start.partition(" ")
    if _VERSION.fullmatch(first):
        if first.upper() != "SIP/2.0":
            raise SipParseError("response of another SIP version")
        return f"SIP/2.0 {rest}"
    request, _, last = start.rpartition(" ")
    if not _VERSION.fullmatch(last):
        raise SipParseError("malformed start line")
    if last.upper() != "SIP/2.0":
        raise SipParseError("another SIP version", 505, "Version Not Supported")
    return f"{request} SIP/2.0"


def _salvage(head: bytes, flow: Flow | None) -> Request | None:
    """What an answer to a malformed request needs; None when it was not a request or names nobody to answer."""
    text = _unfold(" ", head.decode("utf-8", "surrogateescape"))
    lines = text.split("\r\n")[: limits.MAX_HEADER_LINES]
    method, _, rest = lines[0].partition(" ")
    uri, _, version = rest.strip(" ").rpartition(" ")
    if not is_token(method) or version[:4].upper() != "SIP/" or "\n" in lines[0] or "\r" in lines[0]:
        return None
    request = Request({}, flow=flow, method=method, uri=uri.strip(" "))
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or "\n" in line or "\r" in line:
            continue
        try:
            name = CANONICAL[name]
        except SipParseError:
            continue
        if name not in request.headers:
            request.headers[name] = value.strip()
        elif name == "Via":
            request.repeats = request.repeats or {name: [request.headers[name]]}
            request.repeats[name].append(value.strip())
    if "Via" not in request.headers:
        return None
    request.via = request.headers["Via"]
    request.call_id = request.headers.get("Call-ID", "")
    try:
        request.via, request.branch, request.sent_by = _unusual_via(request.headers["Via"])
        request.from_tag = _unusual_tag(request.headers.get("From", ""))
        request.to_tag = _unusual_tag(request.headers.get("To", ""))
        request.cseq = parse_integer(_unusual_cseq(request.headers.get("CSeq", ""))[0], limits.MAX_CSEQ, "CSeq")
    except SipParseError:
        # One more part that cannot be read: the answer is made of what was read so far.
        return request
    return request
