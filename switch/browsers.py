"""Legs of browsers: what lies between their session descriptions and a phone's, and what the WebRTC edge must know.

To everything above, a browser is a phone that sends plain RTP from the edge's own address: descriptions lose their coat
on the way in and get one on the way out (`sip.webrtc`). Holds nothing but the edge's last words; what belongs to a leg
is in `Leg.browser`. No I/O.
"""

from collections.abc import Callable

from model.webrtc import ConfigurePeer, EdgeCommand, EdgeHello, ReleasePeer
from sip.flow import Flow
from sip.offer_answer import LocalMedia, Negotiated, SecurityMismatch
from sip.webrtc import LocalTransport, RemoteTransport, dress, is_browser_sdp, keep_one_event, undress
from switch.call import BrowserSide, Leg

_NOWHERE = ("127.0.0.1", 9)


class Browsers:
    """`random(n)` makes n unguessable hex digits, `send` takes commands for the edge."""

    def __init__(
        self, random: Callable[[int], str], send: Callable[[EdgeCommand], None] = lambda command: None
    ) -> None:
        self._random = random
        self._send = send
        self.edge: EdgeHello | None = None
        """None: there is no edge, or it is away."""

    def send_by(self, send: Callable[[EdgeCommand], None]) -> None:
        """Where commands go from now on."""
        self._send = send

    # -- which legs ----------------------------------------------------------------------------------------------------

    def note_caller(self, leg: Leg, flow: Flow | None) -> None:
        """An INVITE came, its offer is in the leg. Who offers as a browser does is one, and who comes by WebSocket and
        offers nothing."""
        if is_browser_sdp(leg.offer) or (not leg.offer and flow is not None and flow.transport in ("ws", "wss")):
            leg.browser = BrowserSide(flow=flow)

    def note_callee(self, leg: Leg, flow: Flow, uri: str) -> None:
        """An INVITE is going out. Who registered by WebSocket, here or at a proxy before us, is a browser."""
        if flow.transport in ("ws", "wss") or ";transport=ws" in uri.lower():
            leg.browser = BrowserSide(flow=flow)

    # -- descriptions --------------------------------------------------------------------------------------------------

    def local_media(self, leg: Leg, session_id: int) -> LocalMedia | None:
        """Where the browser finds us; None without an edge."""
        if self.edge is None:
            return None
        return LocalMedia(self.edge.host, self.edge.port, session_id, leg.sdp_version)

    def check(self, body: bytes) -> bytes:
        """A first offer without its coat, before there is a leg. Raises as `sip.webrtc.undress`, and SecurityMismatch
        without an edge."""
        if not is_browser_sdp(body):
            return body
        if self.edge is None:
            raise SecurityMismatch("DTLS-SRTP is not possible here")
        return undress(body, *_NOWHERE)[1]

    def read(self, leg: Leg, body: bytes) -> bytes:
        """The browser's description as plain RTP; what it says of itself is noted in the leg.

        Raises:
            SecurityMismatch, SdpError: as `sip.webrtc.undress`; and plain RTP, of which a browser says nothing.
        """
        side = leg.browser
        if side is None or body == side.plain:
            return body
        if self.edge is None:
            raise SecurityMismatch("the WebRTC edge is away")
        remote, plain = undress(body, self.edge.engine_host, self.edge.engine_port)
        self._note(side, remote)
        side.plain = plain
        return plain

    def _note(self, side: BrowserSide, remote: RemoteTransport) -> None:
        if side.fingerprints and remote.fingerprints != side.fingerprints:
            # Another connection of the page: DTLS begins anew (RFC 8842 §4).
            side.association += 1
            side.ufrag = ""
        elif side.remote_ufrag and remote.ufrag != side.remote_ufrag and not side.is_offering:
            # ICE restart (RFC 8839 §4.4.1.1.1): ours must be new, too.
            side.ufrag = ""
        side.fingerprints, side.remote_ufrag, side.mids = remote.fingerprints, remote.ufrag, remote.mids
        side.is_offering = False

    def write(self, leg: Leg, plain: bytes, *, is_offer: bool) -> bytes:
        """Our plain description as the browser needs it."""
        side, edge = leg.browser, self.edge
        if side is None or edge is None:
            return plain
        if not side.ufrag:
            side.ufrag, side.pwd = self._random(8), self._random(32)
        side.is_offering = is_offer
        if is_offer:
            plain = keep_one_event(plain)
        local = LocalTransport(
            edge.host,
            edge.port,
            edge.fingerprint,
            side.ufrag,
            side.pwd,
            # Who opened the connection does so for its whole life (RFC 8842 §5.2).
            "actpass" if is_offer else "passive",
        )
        return dress(plain, local, () if is_offer and not side.mids else side.mids)

    def restart_ice(self, leg: Leg) -> None:
        """The next description has new credentials: the browser looks for a path anew."""
        if leg.browser is not None:
            leg.browser.ufrag = ""

    # -- the edge ------------------------------------------------------------------------------------------------------

    def configure(self, leg: Leg, negotiated: Negotiated, *, silence_s: float = 0.0) -> None:
        """Tells the edge what was agreed; nothing for a leg that is no browser. `silence_s`: see `ConfigurePeer`."""
        side = leg.browser
        if side is None or not side.ufrag:
            return
        self._send(
            ConfigurePeer(
                leg=leg.leg_id,
                engine_port=leg.port,
                ufrag=side.ufrag,
                pwd=side.pwd,
                fingerprints=list(side.fingerprints),
                association=side.association,
                may_send=negotiated.direction in ("sendrecv", "sendonly"),
                may_receive=negotiated.direction in ("sendrecv", "recvonly"),
                silence_s=silence_s,
            )
        )
        side.is_configured = True

    def release(self, leg: Leg) -> None:
        """The leg is over."""
        if leg.browser is not None and leg.browser.is_configured:
            leg.browser.is_configured = False
            self._send(ReleasePeer(leg.leg_id))


def no_browsers() -> Browsers:
    """Where there is no edge: browsers' offers are refused."""
    return Browsers(lambda n: "")
