"""Dialogs as text (RFC 3261 §12): routes, targets, the constant header block, and requests derived from sent ones.

Every request of ours has one layout, so that a CANCEL, an ACK or the same request with credentials is cut out of the
bytes that were sent, and nothing else of the request needs to be kept:

    METHOD uri SIP/2.0, Via, Max-Forwards, From, To, Call-ID, Route*, CSeq, everything else

Pure; called by the session and transaction modules.
"""

from sip.errors import SipParseError
from sip.message import Message, Response


def address_uri(value: str) -> str:
    """The URI text of a Contact, Route or From value, without brackets and header parameters.

    Raises:
        SipParseError: 400, there is none.
    """
    if value[:1] == "<":
        end = value.find(">")
        if end > 1:
            return value[1:end]
        raise SipParseError("unbalanced angle bracket")
    start = value.rfind("<") if '"' in value else value.find("<")
    if start >= 0:
        end = value.find(">", start)
        if end < 0:
            raise SipParseError("unbalanced angle bracket")
        return value[start + 1 : end]
    uri = value.partition(";")[0].strip(" \t")
    if ":" not in uri:
        raise SipParseError("address without URI")
    return uri


def contact_target(message: Message) -> str:
    """The remote target: the URI of the first Contact; "" when there is none.

    Raises:
        SipParseError: 400.
    """
    value = message.headers.get("Contact")
    if value is None or value == "*":
        return ""
    if value[:1] != "<" and "," in value:
        value = message.all("Contact")[0]
    return address_uri(value)


def route_set(message: Message, *, reverse: bool) -> tuple[str, ...]:
    """Record-Route as a route set: in order for the UAS (§12.1.1), reversed for the UAC (§12.1.2).

    Raises:
        SipParseError: 400.
    """
    if "Record-Route" not in message.headers:
        return ()
    routes = message.all("Record-Route")
    return tuple(reversed(routes) if reverse else routes)


def is_loose(route: str) -> bool:
    """Whether the route's router keeps the Request-URI (`;lr`, §12.2.1.1)."""
    uri = route[route.find("<") + 1 :].partition(">")[0].lower()
    return any(param == "lr" or param.startswith("lr=") for param in uri.partition("?")[0].split(";")[1:])


def routing(remote_target: str, routes: tuple[str, ...]) -> tuple[str, str]:
    """(Request-URI, Route header lines) for a request to `remote_target` by way of `routes` (§12.2.1.1).

    Raises:
        SipParseError: 400, a strict router's route without URI.
    """
    if not routes:
        return remote_target, ""
    if is_loose(routes[0]):
        return remote_target, "".join([f"Route: {route}\r\n" for route in routes])
    # A strict router wants to find itself in the Request-URI, and the target last in the Route.
    lines = "".join([f"Route: {route}\r\n" for route in routes[1:]])
    return address_uri(routes[0]).partition("?")[0], f"{lines}Route: <{remote_target}>\r\n"


def dialog_head(local: str, remote: str, call_id: str, route_lines: str) -> str:
    """The header block all our requests of a dialog share; `local` and `remote` with their tags."""
    return f"From: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\n{route_lines}"


def with_routes(head: str, route_lines: str) -> str:
    """The same block after a target refresh."""
    start = head.find("\r\nRoute: ")
    return f"{head[: start + 2] if start >= 0 else head}{route_lines}"


def local_and_remote(head: str) -> tuple[str, str]:
    """From and To values of a dialog's block."""
    local, remote, _ = head.split("\r\n", 2)
    return local[6:], remote[4:]


def _lines(request: bytes) -> list[str]:
    return request.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape").split("\r\n")


def _derived(request: bytes, method: str, to: str) -> str:
    """Start line to CSeq of a request that belongs to `request`: same URI, Via, From, Call-ID, Route, CSeq number."""
    lines = _lines(request)
    uri = lines[0].split(" ")[1]
    kept = [f"{method} {uri} SIP/2.0"]
    for line in lines[1:]:
        name = line[: line.find(":")]
        if name == "To":
            kept.append(f"To: {to}" if to else line)
        elif name == "CSeq":
            kept.append(f"CSeq: {line[6:].partition(' ')[0]} {method}")
            break
        else:
            kept.append(line)
    return "\r\n".join(kept) + "\r\n"


def render_ack_to_failure(invite: bytes, response: Response) -> bytes:
    """The ACK that belongs to a failed INVITE transaction (§17.1.1.3)."""
    text = f"{_derived(invite, 'ACK', response.headers['To'])}Content-Length: 0\r\n\r\n"
    return text.encode("utf-8", "surrogateescape")


def render_cancel(invite: bytes, headers: str) -> bytes:
    """The CANCEL of an INVITE of ours (§9.1); `headers` are rendered lines, Reason for instance."""
    text = f"{_derived(invite, 'CANCEL', '')}{headers}Content-Length: 0\r\n\r\n"
    return text.encode("utf-8", "surrogateescape")


_CREDENTIALS = ("Authorization:", "Proxy-Authorization:")


def credentials_of(request: bytes) -> str:
    """The credential lines of a request of ours, for the ACK to its 2xx (§22.1)."""
    return "".join([f"{line}\r\n" for line in _lines(request) if line.startswith(_CREDENTIALS)])


def cseq_of(request: bytes) -> int:
    for line in _lines(request):
        if line.startswith("CSeq: "):
            return int(line[6:].partition(" ")[0])
    raise ValueError("request without CSeq")


def resubmit(request: bytes, via: str, cseq: int, headers: str = "", *, without: str | tuple[str, ...] = "\n") -> bytes:
    """The same request as a new transaction: another Via (value) and CSeq, `headers` added, lines that start with
    `without` left out."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    kept = [lines[0], f"Via: {via}"]
    for line in lines[2:]:
        if line.startswith("CSeq: "):
            kept.append(f"CSeq: {cseq} {line.rpartition(' ')[2]}")
        elif not line.startswith(without):
            kept.append(line)
    text = "\r\n".join(kept)
    return f"{text}\r\n{headers}\r\n".encode("utf-8", "surrogateescape") + body


def response_head(request: Message, to_tag: str) -> str:
    """The lines every response to `request` starts with, after `note_source` (§8.2.6.2, §12.1.1)."""
    fields = request.headers
    repeats = request.repeats
    via = fields["Via"]
    if repeats is not None and "Via" in repeats:
        via = "\r\nVia: ".join(repeats["Via"])
    to = fields["To"] if request.to_tag else f"{fields['To']};tag={to_tag}"
    head = (
        f"Via: {via}\r\nFrom: {fields['From']}\r\nTo: {to}\r\nCall-ID: {request.call_id}\r\nCSeq: {fields['CSeq']}\r\n"
    )
    if "Record-Route" in fields:
        routes = repeats["Record-Route"] if repeats and "Record-Route" in repeats else [fields["Record-Route"]]
        head += "".join([f"Record-Route: {value}\r\n" for value in routes])
    if "Timestamp" in fields:
        head += f"Timestamp: {fields['Timestamp']}\r\n"
    return head
