"""The protocol between the switch and the WebRTC edge, framed as that of media workers (`model/media.py`).

Commands are idempotent by leg and never answered: the switch makes up the ICE credentials itself and knows the edge's
address and fingerprint from `EdgeHello`, so no call waits for a round trip.
"""

import msgspec

EDGE_PROTOCOL_VERSION = 1


class _Tagged(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    pass


# -- commands: switch to edge -----------------------------------------------------------------------------------------


class ConfigurePeer(_Tagged, frozen=True):
    """A browser's side of a leg, new or changed. Other credentials are an ICE restart: the keys stay and audio goes on
    by the old path until the browser nominates one anew (RFC 8445 §2.4). Another association is another browser, or
    the same after its page was loaded again: everything but the engine's port begins anew."""

    leg: str
    engine_port: int
    """The leg's RTP port at the media engine; its RTCP port is one above."""
    ufrag: str
    """Ours, RFC 8445 §5.3; the browser's is not checked by a lite agent."""
    pwd: str
    fingerprints: list[tuple[str, str]]
    """Of the browser's certificate (RFC 8122): hash name as in SDP, hex with colons. One must match."""
    association: int = 0
    may_send: bool = True
    """To the browser; enforced here whatever the engine sends."""
    may_receive: bool = True
    silence_s: float = 0.0
    """When nothing came for so long, `PeerSilent` is told; 0: the edge's own."""

    def __repr__(self) -> str:
        return f"ConfigurePeer({self.leg})"


class ReleasePeer(_Tagged, frozen=True):
    leg: str


EdgeCommand = ConfigurePeer | ReleasePeer


# -- events: edge to switch -------------------------------------------------------------------------------------------


class EdgeHello(_Tagged, frozen=True):
    """First message on every connection."""

    version: int
    fingerprint: str
    """sha-256 of the edge's certificate, as in SDP; made anew by every process."""
    host: str
    """Where browsers reach it."""
    port: int
    engine_host: str
    """Where it expects the engine's packets, and sends from."""
    engine_port: int
    pid: int = 0
    legs: list[str] = []
    """Those it has (after the switch was restarted)."""


class PeerConnected(_Tagged, frozen=True):
    """DTLS is through: audio flows. Comes again after a new association."""

    leg: str
    address: str
    profile: str
    """SRTP protection profile (RFC 5764, RFC 7714)."""


class PeerSilent(_Tagged, frozen=True):
    """Nothing came from the browser any more, no audio and no consent check (RFC 7675)."""

    leg: str
    silent_s: float


class PeerHeard(_Tagged, frozen=True):
    """A silent one is there again."""

    leg: str


class PeerFailed(_Tagged, frozen=True):
    """DTLS came to nothing: another certificate than announced, no common profile, closed by the browser."""

    leg: str
    why: str


class PeerReleased(_Tagged, frozen=True):
    """Figures of a browser's side, once it is over."""

    leg: str
    n_in: int = 0
    """RTP and RTCP packets that were for us."""
    n_out: int = 0
    n_bad: int = 0
    """Not authentic, or seen before."""
    n_paths: int = 0
    """Addresses nominated one after the other."""


class EdgeHealth(_Tagged, frozen=True):
    """Every few seconds while browsers are there. Counters since the start."""

    n_peers: int
    n_in: int = 0
    n_out: int = 0
    n_bad_stun: int = 0
    n_strange: int = 0
    """Datagrams of nobody known."""
    n_unsent: int = 0
    cpu_s: float = 0.0
    """Processor time of the process since its start."""


EdgeEvent = EdgeHello | PeerConnected | PeerSilent | PeerHeard | PeerFailed | PeerReleased | EdgeHealth
