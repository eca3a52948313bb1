"""The sockets that the supervisor owns and its children inherit, so that a restarted child never closes a port."""

import errno
import os
import resource
import socket
from collections.abc import Sequence

from switch.addresses import ListenAddress, parse_listen, split_host_port
from switch.config import Config
from switch.config_file import ConfigError

UDP_BUFFER_BYTES = 4 * 1024 * 1024
"""Asked for signalling; the kernel gives at most net.core.rmem_max."""
RTP_BUFFER_BYTES = 256 * 1024
SHARED_BUFFER_BYTES = 8 * 1024 * 1024
"""The same for an RTP port that many calls share."""
EDGE_PORT = 3480
"""UDP port for browsers' audio when the configuration names none."""


def rtp_address(config: Config) -> str:
    """Where RTP is bound: `media.address`, else where the first SIP listener is, else everywhere in both IP versions
    when there are listeners of both."""
    hosts = [parse_listen(text).host for text in config.sip.listen]
    if config.media.address:
        return config.media.address
    return "::" if len({":" in host for host in hosts}) == 2 else hosts[0]


def media_hosts(config: Config) -> list[str]:
    """The local addresses RTP comes to, that of the first SIP listener's IP version first; two when it is bound to both
    versions."""
    address = rtp_address(config)
    if address != "::":
        return [address]
    hosts = [parse_listen(text).host for text in config.sip.listen]
    first = hosts[0] if not config.media.address else "::"
    other = next((host for host in hosts if (":" in host) != (":" in first)), "0.0.0.0" if ":" in first else "::")
    return [first, other]


class OwnedSockets:
    """Everything that is listened on, bound before any child runs."""

    def __init__(self, config: Config, n_workers: int) -> None:
        """Raises ConfigError when a port is taken or an address is not ours."""
        self.sip: list[socket.socket] = []
        self.rtp: list[list[socket.socket]] = []
        """By worker: RTP, RTCP, RTP, RTCP …, in order of ports."""
        self.n_shared = 0
        """How many of each worker's pairs, the first ones, are for many legs."""
        self.control: socket.socket | None = None
        self.edge: list[socket.socket] = []
        """Of the WebRTC edge: for browsers, for the media engine; empty when nobody listens for browsers."""
        first, last = (int(port) for port in config.media.rtp_ports.split("-"))
        first += first % 2
        n_pairs = (last + 1 - first) // 2
        _raise_file_limit(2 * n_pairs * 2 + 1024)
        try:
            for text in config.sip.listen:
                self.sip.append(_bind(parse_listen(text), f"sip.listen {text}"))
            host, port = split_host_port(config.control.listen)
            self.control = _bind(ListenAddress("tcp", host, port), f"control.listen {config.control.listen}")
            address = rtp_address(config)
            if has_browsers(config):
                self._bind_edge(config, media_hosts(config)[0])
            share = n_pairs // n_workers
            if not share:
                raise ConfigError(f"media.rtp_ports {config.media.rtp_ports}: fewer than one pair a worker")
            for worker in range(n_workers):
                start = first + 2 * share * worker
                self.rtp.append(_bind_rtp(address, start, share))
            # Never more than half: phones need ports of their own.
            self.n_shared = min(config.media.shared_ports, *(len(sockets) // 4 for sockets in self.rtp))
            for sockets in self.rtp:
                for one in sockets[: 2 * self.n_shared]:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SHARED_BUFFER_BYTES)
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SHARED_BUFFER_BYTES)
        except BaseException:
            self.close()
            raise

    def all(self) -> list[socket.socket]:
        """Every socket that is open."""
        control = [self.control] if self.control is not None else []
        return [*self.sip, *control, *self.edge, *(one for sockets in self.rtp for one in sockets)]

    def close(self) -> None:
        for one in self.all():
            one.close()

    def _bind_edge(self, config: Config, rtp_host: str) -> None:
        text = config.webrtc.listen
        host, port = split_host_port(text) if text else (rtp_host, EDGE_PORT)
        self.edge.append(_bind(ListenAddress("udp", host, port), f"webrtc.listen {text or port}"))
        inner = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(rtp_host, rtp_host)
        self.edge.append(_bind(ListenAddress("udp", inner, 0), f"media.address {inner}"))


def has_browsers(config: Config) -> bool:
    """Whether anybody listens for them."""
    return any(parse_listen(text).transport in ("ws", "wss") for text in config.sip.listen)


def _bind(address: ListenAddress, what: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    kind = socket.SOCK_DGRAM if address.transport == "udp" else socket.SOCK_STREAM
    one = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER_BYTES)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UDP_BUFFER_BYTES)
        one.setblocking(False)
        one.bind((address.host, address.port))
        if kind == socket.SOCK_STREAM:
            one.listen(1024)
    except OSError as error:
        one.close()
        raise ConfigError(f"{what}: {_explain(error)}") from None
    return one


def _bind_rtp(host: str, first: int, n_pairs: int) -> list[socket.socket]:
    """Pairs of ports from `first` on. A pair of which a port is taken by somebody else is left out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sockets: list[socket.socket] = []
    problem: OSError | None = None
    for port in range(first, first + 2 * n_pairs, 2):
        pair: list[socket.socket] = []
        try:
            for number in (port, port + 1):
                one = socket.socket(family, socket.SOCK_DGRAM)
                pair.append(one)
                if host == "::":
                    # Both IP versions; what comes by version 4 has mapped addresses (RFC 4291 §2.5.5.2).
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                one.setblocking(False)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RTP_BUFFER_BYTES)
                one.bind((host, number))
        except OSError as error:
            for one in pair:
                one.close()
            if error.errno != errno.EADDRINUSE:
                raise ConfigError(f"media: {host}:{port}: {_explain(error)}") from None
            problem = error
            continue
        sockets += pair
    if not sockets:
        raise ConfigError(f"media.rtp_ports: none of the ports from {first} on is free ({problem})")
    return sockets


def _explain(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use by another program"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    if error.errno == errno.EACCES:
        return "not permitted (ports below 1024 need root or CAP_NET_BIND_SERVICE)"
    return str(error.strerror)


def place(sockets: Sequence[socket.socket], first: int) -> tuple[int, ...]:
    """Copies of the descriptors with consecutive numbers from `first` on, as children find them."""
    numbers = []
    for offset, one in enumerate(sockets):
        os.dup2(one.fileno(), first + offset, inheritable=False)
        numbers.append(first + offset)
    return tuple(numbers)


def _raise_file_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted + 256:
        limit = hard if hard != resource.RLIM_INFINITY else wanted + 4096
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        if limit < wanted:
            raise ConfigError(
                f"media.rtp_ports: needs {wanted} open files, the limit is {hard}; raise it (LimitNOFILE=, ulimit -n)"
            )


def local_address(host: str) -> str:
    """What peers can reach us by when we listen on every address: the address of the default route."""
    if host not in ("0.0.0.0", "::"):
        return host
    family, probe = (socket.AF_INET6, "2001:db8::1") if host == "::" else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        try:
            # Connecting a UDP socket sends nothing; it only asks the routing table.
            one.connect((probe, 9))
            found: str = one.getsockname()[0]
        except OSError:
            return "::1" if host == "::" else "127.0.0.1"
    return found
