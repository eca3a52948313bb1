"""The edge's sockets: whole batches of packets from browsers to the engine and back, encrypted in place.

What is no RTP of a proven address goes to `peers`. A packet costs one turn of a loop, one call of libsrtp and its share
of two system calls; nothing of it becomes a Python object but its first two bytes and its source.
"""

import logging
import resource
import socket
from collections.abc import Callable, Iterable

import numpy as np

from media.webrtc.dtls import Identity
from media.webrtc.peers import Datagram, Peer, Peers, PeerSettings, Source
from media.webrtc.srtp import TRAILER_BYTES, Pointers
from model.webrtc import EDGE_PROTOCOL_VERSION, ConfigurePeer, EdgeCommand, EdgeEvent, EdgeHealth, EdgeHello
from rtp.net.address import Address
from rtp.net.mmsg import NAME_BYTES, Receiver, Sender, pack_name, unpack_name

log = logging.getLogger(__name__)

ROWS = 256
STRIDE = 2048
MAX_BATCHES = 4
"""Of one socket in one turn: the other one gets its own in time."""


class _Lane:
    """One socket, and rows for what comes in by it and leaves by the other one."""

    def __init__(self, sock: socket.socket, out_family: int) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.fd = sock.fileno()
        self.is_ipv4 = sock.family == socket.AF_INET
        self.arena = np.zeros((ROWS, STRIDE), np.uint8)
        self.receiver = Receiver(self.arena[:, : STRIDE - TRAILER_BYTES], sock.family)
        self.sender = Sender(ROWS, out_family)
        self.rows = np.uint64(self.arena.ctypes.data) + np.arange(ROWS, dtype=np.uint64) * np.uint64(STRIDE)
        lengths = self.receiver.lengths
        self.pointers = Pointers(
            self.rows.tolist(), [lengths.ctypes.data + row * lengths.strides[0] for row in range(ROWS)]
        )

    def sources(self, n: int) -> list[Source]:
        """Who sent the first n rows."""
        if self.is_ipv4:
            # Family, port and address fill the first eight bytes.
            found: list[Source] = self.receiver.words[:n, 0].tolist()
            return found
        return [name.tobytes() for name in self.receiver.names[:n]]

    def forward(self, fd: int, rows: list[int], names: list[int]) -> int:
        """Sends rows to the socket addresses at `names`; how many could not be sent."""
        n = len(rows)
        sender = self.sender
        sender.bases[:n] = self.rows[rows]
        sender.lengths[:n] = self.receiver.lengths[rows]
        sender.names[:n] = names
        return sender.send(fd, 0, n)


class _Place:
    """Socket addresses of a peer as the kernel is given them: they must stay where they are."""

    __slots__ = ("browser", "browser_at", "engine", "engine_at", "peer", "report_at", "shown")

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.engine = np.zeros((2, NAME_BYTES), np.uint8)
        self.engine_at = self.engine.ctypes.data
        self.report_at = self.engine_at + NAME_BYTES
        self.browser = np.zeros(NAME_BYTES, np.uint8)
        self.browser_at = self.browser.ctypes.data
        self.shown: Address | None = None
        """The address that stands in `browser`."""


class Edge:
    """Owns both sockets. `emit` takes what the switch should know."""

    def __init__(
        self,
        web: socket.socket,
        engine: socket.socket,
        identity: Identity,
        emit: Callable[[EdgeEvent], None],
        *,
        host: str,
        settings: PeerSettings | None = None,
    ) -> None:
        """`host` is where browsers reach `web`."""
        self._web = _Lane(web, engine.family)
        self._engine = _Lane(engine, web.family)
        self._identity = identity
        self._emit = emit
        self._host = host
        self.peers = Peers(identity, settings)
        self._places: dict[str, _Place] = {}
        self._from_engine: dict[Source, tuple[_Place, bool]] = {}
        """By the engine's socket address: whose leg, and whether it is RTCP."""
        self.n_in = self.n_out = self.n_unsent = 0

    @property
    def fds(self) -> tuple[int, int]:
        """Descriptors to be watched for reading."""
        return self._web.fd, self._engine.fd

    @property
    def n_peers(self) -> int:
        return len(self.peers.by_leg)

    @property
    def deadline(self) -> float | None:
        return self.peers.deadline

    def hello(self, pid: int) -> EdgeHello:
        engine_host, engine_port = self._engine.sock.getsockname()[:2]
        return EdgeHello(
            version=EDGE_PROTOCOL_VERSION,
            fingerprint=self._identity.fingerprint,
            host=self._host,
            port=int(self._web.sock.getsockname()[1]),
            engine_host=engine_host,
            engine_port=int(engine_port),
            pid=pid,
            legs=list(self.peers.by_leg),
        )

    def health(self) -> EdgeHealth:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return EdgeHealth(
            n_peers=self.n_peers,
            n_in=self.n_in,
            n_out=self.n_out,
            n_bad_stun=self.peers.n_bad_stun,
            n_strange=self.peers.n_strange,
            n_unsent=self.n_unsent,
            cpu_s=usage.ru_utime + usage.ru_stime,
        )

    def apply(self, command: EdgeCommand, now: float) -> None:
        """What the switch wants."""
        if isinstance(command, ConfigurePeer):
            self._send(self.peers.configure(command, now))
            self._place(command)
        else:
            self._unplace(command.leg)
            self._send(self.peers.release(command.leg))
        self._tell()

    def handle_timeout(self, now: float) -> None:
        self._send(self.peers.handle_timeout(now))
        self._tell()

    def poll(self, now: float) -> None:
        """Everything that waits on both sockets, bounded."""
        for _ in range(MAX_BATCHES):
            n = self._take_browsers(now)
            n = max(n, self._take_engine())
            if n < ROWS:
                break
        self._tell()

    def close(self) -> None:
        """Says goodbye to every browser."""
        for leg in list(self.peers.by_leg):
            self._send(self.peers.release(leg))
        self._tell()

    # -- browsers ------------------------------------------------------------------------------------------------------

    def _take_browsers(self, now: float) -> int:
        lane = self._web
        n = lane.receiver.receive(lane.fd, 0)
        if not n:
            return 0
        firsts, seconds = lane.arena[:n, 0].tolist(), lane.arena[:n, 1].tolist()
        by_source, places = self.peers.by_source, self._places
        packets, lengths = lane.pointers.packets, lane.pointers.lengths
        rows: list[int] = []
        names: list[int] = []
        for row, source in enumerate(lane.sources(n)):
            peer = by_source.get(source)
            if peer is None or not 128 <= firsts[row] < 192:
                self._take_other(lane, row, source, now)
                continue
            streams = peer.streams
            if streams is None:
                continue
            is_rtcp = 192 <= seconds[row] < 224
            if is_rtcp:
                is_ours = streams.unprotect_rtcp(packets[row], lengths[row])
            else:
                is_ours = streams.unprotect(packets[row], lengths[row])
            if not is_ours:
                peer.n_bad += 1
                continue
            peer.n_in += 1
            peer.last_heard = now
            if peer.is_silent:
                self.peers.heard(peer, now)
            if is_rtcp:
                rows.append(row)
                names.append(places[peer.leg].report_at)
            elif peer.may_receive:
                rows.append(row)
                names.append(places[peer.leg].engine_at)
        if rows:
            self.n_in += len(rows)
            self.n_unsent += lane.forward(self._engine.fd, rows, names)
        return n

    def _take_other(self, lane: _Lane, row: int, source: Source, now: float) -> None:
        data = lane.arena[row, : int(lane.receiver.lengths[row])].tobytes()
        try:
            self._send(self.peers.receive(data, source, unpack_name(lane.receiver.names[row].tobytes()), now))
        except Exception:
            # The edge of one datagram: the next one must still be heard.
            log.exception("x datagram of a browser")

    # -- the engine ----------------------------------------------------------------------------------------------------

    def _take_engine(self) -> int:
        lane = self._engine
        n = lane.receiver.receive(lane.fd, 0)
        if not n:
            return 0
        known = self._from_engine
        packets, lengths = lane.pointers.packets, lane.pointers.lengths
        rows: list[int] = []
        names: list[int] = []
        for row, source in enumerate(lane.sources(n)):
            found = known.get(source)
            if found is None:
                self.peers.n_strange += 1
                continue
            place, is_rtcp = found
            peer = place.peer
            streams = peer.streams
            if streams is None or peer.address is None or not (peer.may_send or is_rtcp):
                continue
            if peer.address is not place.shown:
                self._show(place, peer.address)
            if is_rtcp:
                is_made = streams.protect_rtcp(packets[row], lengths[row])
            else:
                is_made = streams.protect(packets[row], lengths[row])
            if not is_made:
                peer.n_bad += 1
                continue
            peer.n_out += 1
            rows.append(row)
            names.append(place.browser_at)
        if rows:
            self.n_out += len(rows)
            self.n_unsent += lane.forward(self._web.fd, rows, names)
        return n

    def _show(self, place: _Place, address: Address) -> None:
        place.shown = address
        place.browser[:] = np.frombuffer(pack_name(address, self._web.sock.family), np.uint8)

    # -- places --------------------------------------------------------------------------------------------------------

    def _place(self, command: ConfigurePeer) -> None:
        """The engine's ports of the leg, each way."""
        place = self._places.get(command.leg)
        if place is not None and place.peer is self.peers.by_leg[command.leg]:
            if self._engine_name(command.engine_port) == place.engine[0].tobytes():
                return
            self._unplace(command.leg)
        place = self._places[command.leg] = _Place(self.peers.by_leg[command.leg])
        for index, port in enumerate((command.engine_port, command.engine_port + 1)):
            name = self._engine_name(port)
            place.engine[index] = np.frombuffer(name, np.uint8)
            self._from_engine[self._source(name)] = (place, index == 1)

    def _unplace(self, leg: str) -> None:
        place = self._places.pop(leg, None)
        if place is not None:
            for name in place.engine:
                self._from_engine.pop(self._source(name.tobytes()), None)

    def _engine_name(self, port: int) -> bytes:
        sock = self._engine.sock
        return pack_name((sock.getsockname()[0], port), sock.family)

    def _source(self, name: bytes) -> Source:
        return int.from_bytes(name[:8], "little") if self._engine.is_ipv4 else name

    def _send(self, datagrams: Iterable[Datagram]) -> None:
        for data, address in datagrams:
            try:
                self._web.sock.sendto(data, address)
            except OSError as error:
                # As lost on the way: whoever waits for it asks again.
                self.n_unsent += 1
                log.debug("to %s: %s", address, error)

    def _tell(self) -> None:
        events = self.peers.events
        if events:
            for event in events:
                self._emit(event)
            events.clear()
