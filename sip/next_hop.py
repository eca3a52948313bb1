"""Where a request inside a dialog goes next (RFC 3261 §12.2.1.1, §8.1.2, §18.1.1; RFC 3581 and 5626 for NAT). Pure."""

from collections.abc import Sequence
from ipaddress import ip_address

import msgspec

from sip.errors import SipParseError
from sip.flow import Flow
from sip.message import Request, reply_flow
from sip.uri import DEFAULT_PORTS, parse_uri

MAX_UDP_REQUEST_BYTES = 1300


class Listener(msgspec.Struct, frozen=True):
    """A local address. Its place in the sequence given to `SipStack` is `Flow.listener`."""

    transport: str
    """udp, tcp, tls"""
    host: str
    port: int
    advertised_host: str = ""
    """What Via and Contact say instead of `host`."""
    advertised_port: int = 0
    external_host: str = ""
    """The same towards peers outside the local networks (`SipStack.is_outside`)."""

    @property
    def sent_by(self) -> str:
        return self._at(self.advertised_host or self.host)

    @property
    def sent_by_outside(self) -> str:
        """As peers outside see us."""
        return self._at(self.external_host or self.advertised_host or self.host)

    def _at(self, host: str) -> str:
        return f"[{host}]:{self._port}" if ":" in host else f"{host}:{self._port}"

    @property
    def _port(self) -> int:
        return self.advertised_port or self.port


def split_host_port(sent_by: str) -> tuple[str, int]:
    """host[:port] of a Via or URI; IPv6 without brackets; 0 when there is no port or it is no number."""
    if sent_by[:1] == "[":
        host, _, rest = sent_by[1:].partition("]")
        digits = rest[1:]
    else:
        host, _, digits = sent_by.partition(":")
    return host, int(digits) if digits.isdigit() and digits.isascii() and len(digits) < 6 else 0


def is_behind_nat(sent_by: str, flow: Flow) -> bool:
    """Whether the topmost Via of a request names another host than its packets come from."""
    host = flow.host
    if sent_by.startswith(host) and sent_by[len(host) : len(host) + 1] in ("", ":"):
        return False
    return not _is_same_host(split_host_port(sent_by)[0], host)


def reply_to(request: Request) -> Flow:
    """Where the responses to `request` go (`sip.message.reply_flow`); quick when the Via says where it came from.

    Raises:
        SipParseError: 400, a Via that cannot be read.
    """
    flow = request.flow
    if flow is not None:
        transport, host, port, _, _ = flow
        if transport != "udp" or request.sent_by == f"{host}:{port}":
            return flow
    return reply_flow(request)


def choose_hop(uri: str, flow: Flow, listeners: Sequence[Listener], *, is_direct: bool) -> Flow | str:
    """The flow for a request whose next hop is `uri` (the top route, or the remote target), where `flow` is how the
    peer's last message came. A `str` is a URI to be resolved first (RFC 3263).

    `is_direct`: `uri` is the peer's own Contact, so that another host in it than the packet's means NAT.
    """
    transport, ip, port, _, connection = flow
    if transport != "udp" and connection:
        return flow
    # The usual case without a parse: sip:user@host:port, no parameters.
    if uri.endswith(f"@{ip}:{port}") and uri[:4] == "sip:":
        return flow
    try:
        target = parse_uri(uri)
    except SipParseError:
        return flow
    if not target.is_sip:
        return flow
    host = target.params.get("maddr") or target.host
    try:
        ip_address(host)
    except ValueError:
        return uri
    if is_direct and not _is_same_host(host, flow.host):
        return flow
    transport = "tls" if target.scheme == "sips" else target.transport or flow.transport
    listener = choose_listener(listeners, transport, flow.listener, is_ipv6=":" in host)
    if listener is None:
        return flow
    return Flow(transport, host, target.port or DEFAULT_PORTS.get(transport, 5060), listener)


def choose_listener(listeners: Sequence[Listener], transport: str, preferred: int, *, is_ipv6: bool) -> int | None:
    """Index of a local listener of this transport and address family, `preferred` if it fits."""

    def fits(listener: Listener) -> bool:
        return listener.transport == transport and (":" in listener.host) == is_ipv6

    if 0 <= preferred < len(listeners) and fits(listeners[preferred]):
        return preferred
    return next((index for index, listener in enumerate(listeners) if fits(listener)), None)


def choose_for_size(flow: Flow, size: int, listeners: Sequence[Listener]) -> Flow:
    """TCP instead of UDP for a large request, when we could take its answers (§18.1.1)."""
    if flow.transport != "udp" or size <= MAX_UDP_REQUEST_BYTES:
        return flow
    listener = choose_listener(listeners, "tcp", -1, is_ipv6=":" in flow.host)
    return flow if listener is None else Flow("tcp", flow.host, flow.port, listener)


def _is_same_host(a: str, b: str) -> bool:
    if a == b:
        return True
    try:
        return ip_address(a) == ip_address(b)
    except ValueError:
        return False
