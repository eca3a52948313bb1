"""The browsers of the edge: who they are, which addresses are proven theirs, their DTLS, and when they fall silent.

Datagrams that are no RTP come here; answers leave as `Datagram`s, news for the switch gathers in `events`. A stranger
(no or wrong credentials) gets no answer and leaves no state; DTLS is only spoken with an address from which an
authentic check came (TRUST §2). Pure but for OpenSSL's own clock. `now` is monotonic seconds.
"""

from typing import NamedTuple

import msgspec
import pylibsrtp

from media.webrtc.dtls import DtlsAssociation, Identity
from media.webrtc.srtp import SrtpStreams
from media.webrtc.stun import (
    BINDING_REQUEST,
    ICE_CONTROLLED,
    USE_CANDIDATE,
    StunMessage,
    failure,
    is_authentic,
    parse_stun,
    success,
)
from model.webrtc import ConfigurePeer, EdgeEvent, PeerConnected, PeerFailed, PeerHeard, PeerReleased, PeerSilent
from rtp.net.address import Address

MAX_SOURCES = 16
"""Addresses of one browser that are known at a time."""
SWEEP_S = 0.5
HANDSHAKE_SWEEP_S = 0.05

Source = int | bytes
"""A socket address as the kernel writes it: what packets are told apart by."""


class Datagram(NamedTuple):
    data: bytes
    address: Address


class PeerSettings(msgspec.Struct, frozen=True):
    silence_s: float = 5.0
    """Without audio and checks for so long, a browser is silent. Browsers check every 2.5 s at least."""


class Peer:
    """One browser's side of a leg. `edge` reads and counts here for every packet."""

    __slots__ = (
        "address", "association", "dtls", "engine_port", "fingerprints", "is_silent", "last_heard",
        "leg", "may_receive", "may_send", "n_bad", "n_in", "n_out", "n_paths", "silence_s", "sources", "streams",
        "ufrags",
    )  # fmt: skip

    def __init__(self, leg: str, now: float) -> None:
        self.leg = leg
        self.engine_port = 0
        self.association = 0
        self.fingerprints: list[tuple[str, str]] = []
        self.ufrags: list[str] = []
        """Ours; behind the newest at most one older one, good until the new one was used."""
        self.address: Address | None = None
        """Where audio goes."""
        self.sources: dict[Source, Address] = {}
        """Proven addresses, oldest first."""
        self.dtls: DtlsAssociation | None = None
        self.streams: SrtpStreams | None = None
        self.may_send = self.may_receive = True
        self.last_heard = now
        self.silence_s = 0.0
        self.is_silent = False
        self.n_in = self.n_out = self.n_bad = self.n_paths = 0


class Peers:
    """All of them, by everything they are found by."""

    def __init__(self, identity: Identity, settings: PeerSettings | None = None) -> None:
        self._identity = identity
        self._settings = settings or PeerSettings()
        self.by_leg: dict[str, Peer] = {}
        self.by_source: dict[Source, Peer] = {}
        self.by_engine_port: dict[int, Peer] = {}
        self._by_ufrag: dict[str, tuple[Peer, bytes]] = {}
        self._handshaking: set[str] = set()
        self.events: list[EdgeEvent] = []
        """For the switch; whoever takes them clears the list."""
        self.n_bad_stun = 0
        self.n_strange = 0
        self._next_sweep = 0.0

    # -- what the switch wants -----------------------------------------------------------------------------------------

    def configure(self, command: ConfigurePeer, now: float) -> list[Datagram]:
        """Makes a peer, or changes it."""
        out: list[Datagram] = []
        peer = self.by_leg.get(command.leg)
        if peer is None:
            peer = self.by_leg[command.leg] = Peer(command.leg, now)
        elif (peer.association, peer.fingerprints) != (command.association, command.fingerprints):
            out = self._begin_anew(peer, now)
        peer.association, peer.fingerprints = command.association, command.fingerprints
        peer.silence_s = command.silence_s or self._settings.silence_s
        peer.may_send, peer.may_receive = command.may_send, command.may_receive
        if peer.engine_port != command.engine_port:
            self.by_engine_port.pop(peer.engine_port, None)
            peer.engine_port = command.engine_port
            self.by_engine_port[peer.engine_port] = peer
        if command.ufrag not in peer.ufrags[:1]:
            for old in peer.ufrags[1:]:
                self._by_ufrag.pop(old, None)
            peer.ufrags = [command.ufrag, *peer.ufrags[:1]]
            self._by_ufrag[command.ufrag] = (peer, command.pwd.encode())
        self._next_sweep = min(self._next_sweep or now + SWEEP_S, now + SWEEP_S)
        return out

    def release(self, leg: str) -> list[Datagram]:
        """The leg is over; the browser is told by DTLS."""
        peer = self.by_leg.pop(leg, None)
        if peer is None:
            return []
        out = self._say_goodbye(peer)
        self._forget_path(peer)
        if self.by_engine_port.get(peer.engine_port) is peer:
            del self.by_engine_port[peer.engine_port]
        self.events.append(PeerReleased(leg, peer.n_in, peer.n_out, peer.n_bad, peer.n_paths))
        return out

    # -- what browsers send --------------------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Source, address: Address, now: float) -> list[Datagram]:
        """A datagram that is not RTP or RTCP of a known address (RFC 7983)."""
        first = data[0] if data else 255
        if first < 4:
            return self._stun(data, source, address, now)
        peer = self.by_source.get(source)
        if peer is None:
            self.n_strange += 1
            return []
        if 20 <= first < 64:
            return self._dtls(peer, data, address, now)
        return []

    def heard(self, peer: Peer, now: float) -> None:
        """Something authentic came from it."""
        peer.last_heard = now
        if peer.is_silent:
            peer.is_silent = False
            self.events.append(PeerHeard(peer.leg))

    # -- time ----------------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        return self._next_sweep if self.by_leg else None

    def handle_timeout(self, now: float) -> list[Datagram]:
        """Repeats flights of DTLS that are due, notes who fell silent."""
        out: list[Datagram] = []
        if now < self._next_sweep:
            return out
        for leg in list(self._handshaking):
            peer = self.by_leg.get(leg)
            if peer is None or peer.dtls is None or peer.dtls.state != "handshaking":
                self._handshaking.discard(leg)
            elif peer.dtls.timeout_s == 0 and peer.address is not None:
                out += [Datagram(each, peer.address) for each in peer.dtls.handle_timeout()]
                self._note_state(peer, "handshaking")
        for peer in self.by_leg.values():
            silent_s = now - peer.last_heard
            if not peer.is_silent and silent_s >= peer.silence_s:
                peer.is_silent = True
                self.events.append(PeerSilent(peer.leg, round(silent_s, 3)))
        self._next_sweep = now + (HANDSHAKE_SWEEP_S if self._handshaking else SWEEP_S)
        return out

    # -- ICE -----------------------------------------------------------------------------------------------------------

    def _stun(self, data: bytes, source: Source, address: Address, now: float) -> list[Datagram]:
        request = parse_stun(data)
        found = self._by_ufrag.get(request.local_ufrag) if request is not None else None
        if request is None or found is None or request.kind != BINDING_REQUEST:
            self.n_bad_stun += 1
            return []
        peer, password = found
        if not is_authentic(request, data, password):
            self.n_bad_stun += 1
            return []
        unknown = request.unknown()
        if unknown:
            return [Datagram(failure(request, 420, "Unknown Attribute", password, unknown), address)]
        if ICE_CONTROLLED in request.attributes:
            # A lite agent never controls (RFC 8445 §6.1.1).
            return [Datagram(failure(request, 487, "Role Conflict", password), address)]
        self.heard(peer, now)
        self._prove(peer, source, address)
        self._nominate(peer, request, address)
        return [Datagram(success(request, address, password), address)]

    def _prove(self, peer: Peer, source: Source, address: Address) -> None:
        before = self.by_source.get(source)
        if before is peer:
            return
        if before is not None:
            # The same address at another leg's credentials: one browser's socket after its page was loaded again.
            before.sources.pop(source, None)
        if len(peer.sources) >= MAX_SOURCES:
            oldest = next(iter(peer.sources))
            del peer.sources[oldest]
            self.by_source.pop(oldest, None)
        peer.sources[source] = address
        self.by_source[source] = peer

    def _nominate(self, peer: Peer, request: StunMessage, address: Address) -> None:
        is_newest = request.local_ufrag == peer.ufrags[0]
        if (USE_CANDIDATE in request.attributes and is_newest) or peer.address is None:
            if peer.address != address:
                peer.address = address
                peer.n_paths += 1
            if is_newest and USE_CANDIDATE in request.attributes:
                for old in peer.ufrags[1:]:
                    self._by_ufrag.pop(old, None)
                del peer.ufrags[1:]

    # -- DTLS ----------------------------------------------------------------------------------------------------------

    def _dtls(self, peer: Peer, data: bytes, address: Address, now: float) -> list[Datagram]:
        if peer.dtls is None:
            peer.dtls = DtlsAssociation(self._identity, peer.fingerprints)
            self._handshaking.add(peer.leg)
            self._next_sweep = min(self._next_sweep, now + HANDSHAKE_SWEEP_S)
        before = peer.dtls.state
        out = [Datagram(each, address) for each in peer.dtls.receive(data)]
        self._note_state(peer, before)
        return out

    def _note_state(self, peer: Peer, before: str) -> None:
        dtls = peer.dtls
        assert dtls is not None
        if dtls.state == before:
            return
        self._handshaking.discard(peer.leg)
        if dtls.state == "connected":
            try:
                peer.streams = SrtpStreams(dtls.profile, *dtls.keys())
            except pylibsrtp.Error as error:
                self.events.append(PeerFailed(peer.leg, f"SRTP: {error}"))
                return
            host, port = peer.address or ("", 0)
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            self.events.append(PeerConnected(peer.leg, where, dtls.profile))
        else:
            peer.streams = None
            self.events.append(PeerFailed(peer.leg, dtls.why or "closed by the browser"))

    # -- ends ----------------------------------------------------------------------------------------------------------

    def _begin_anew(self, peer: Peer, now: float) -> list[Datagram]:
        """Another browser takes the leg: nothing of the old one counts any more, and it learns so."""
        out = self._say_goodbye(peer)
        self._forget_path(peer)
        peer.last_heard = now
        peer.is_silent = False
        return out

    def _say_goodbye(self, peer: Peer) -> list[Datagram]:
        if peer.dtls is None or peer.address is None:
            return []
        address = peer.address
        return [Datagram(each, address) for each in peer.dtls.close()]

    def _forget_path(self, peer: Peer) -> None:
        for source in peer.sources:
            self.by_source.pop(source, None)
        for ufrag in peer.ufrags:
            self._by_ufrag.pop(ufrag, None)
        self._handshaking.discard(peer.leg)
        peer.sources.clear()
        peer.ufrags.clear()
        peer.address = peer.dtls = peer.streams = None
