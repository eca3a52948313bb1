"""The WebRTC edge as the switch keeps it: the connection to its process; what becomes of calls whose browser is gone.

A browser that falls silent counts as away: the others hear music (as on hold), and `webrtc.reattach_s` later the leg is
given up. Its page comes back by a new INVITE with Replaces (RFC 3891), after it was loaded again, or by an ICE restart,
which we ask for ourselves when its WebSocket still stands. A new edge process has no keys: every browser gets an offer.
"""

import logging
from collections.abc import Callable

from media.webrtc.client import EdgeClient
from model.causes import HangupCause
from model.declare import Event
from model.events_webrtc import CallBrowserBack, CallBrowserLost, WebrtcEdgeChanged
from model.views import WebrtcView
from model.webrtc import (
    EdgeEvent,
    EdgeHealth,
    EdgeHello,
    PeerConnected,
    PeerFailed,
    PeerHeard,
    PeerReleased,
    PeerSilent,
)
from sip.errors import SipParseError
from sip.flow import Flow
from sip.gruu import bare_instance, read_gruu
from sip.registrar import Binding
from sip.uri import parse_uri, uris_equal
from switch.browsers import Browsers
from switch.call import Call, Leg
from switch.leg_events import LegFailed, LegHolds, LegResumes
from switch.runtime import Runtime

log = logging.getLogger(__name__)

LOST_CONNECTION_SILENCE_S = 1.0
"""When its WebSocket is gone, a browser that was silent for so long is gone, too."""


class BrowserEdge:
    """A machine of the runtime (`deadline`, `handle_timeout`) and the owner of `EdgeClient`."""

    def __init__(
        self, runtime: Runtime, browsers: Browsers, publish: Callable[[Event], None], *, reattach_s: float
    ) -> None:
        self._runtime = runtime
        self.browsers = browsers
        self._publish = publish
        self._reattach_s = reattach_s
        self._away: dict[str, float] = {}
        """Legs whose browser is gone, and when they are given up."""
        self._fingerprint = ""
        self.health: EdgeHealth | None = None

    def connect(self, path: str) -> EdgeClient:
        """A client whose news come here; the owner runs it."""
        client = EdgeClient(path, on_event=self.receive, on_connected=self.greeted, on_disconnected=self.disconnected)
        self.browsers.send_by(client.send)
        return client

    @property
    def deadline(self) -> float | None:
        return min(self._away.values(), default=None)

    def handle_timeout(self, now: float) -> None:
        """Gives up legs that were waited for long enough."""
        for leg_id, until in list(self._away.items()):
            if until > now:
                continue
            del self._away[leg_id]
            found = self._find(leg_id)
            if found is not None:
                log.info("% %s: its browser did not come back", leg_id)
                call, leg = found
                self._runtime.dispatch(LegFailed(call.call_id, leg.leg_id, HangupCause.MEDIA_TIMEOUT), now)

    # -- the process ---------------------------------------------------------------------------------------------------

    def greeted(self, hello: EdgeHello) -> None:
        """The edge is up. Another process than before knows nothing of the browsers that are there."""
        is_new = bool(self._fingerprint) and self._fingerprint != hello.fingerprint
        self.browsers.edge = hello
        self._fingerprint = hello.fingerprint
        self._publish(WebrtcEdgeChanged(state="up"))
        if is_new:
            self._step(self._offer_all)

    def disconnected(self, reason: str) -> None:
        self.browsers.edge = None
        log.error("x webrtc edge: %s", reason)
        self._publish(WebrtcEdgeChanged(state="down", reason=reason))

    def _offer_all(self, now: float) -> None:
        for call, leg in self._runtime.legs.browsers.all():
            if leg.browser is not None and leg.browser.is_configured:
                leg.browser.association += 1
                self._renew(call, leg, now)

    # -- what the edge tells -------------------------------------------------------------------------------------------

    def receive(self, event: EdgeEvent) -> None:
        self._step(lambda now: self._receive(event, now))

    def _receive(self, event: EdgeEvent, now: float) -> None:
        match event:
            case PeerConnected(leg=leg_id, address=address, profile=profile):
                log.info("= leg %s: browser at %s, %s", leg_id, address, profile)
                self._back(leg_id, now)
            case PeerHeard(leg=leg_id):
                self._back(leg_id, now)
            case PeerSilent(leg=leg_id, silent_s=silent_s):
                self._lost(leg_id, f"silent for {silent_s:.1f} s", now)
            case PeerFailed(leg=leg_id, why=why):
                self._lost(leg_id, why, now, may_renew=False)
            case PeerReleased(leg=leg_id):
                self._away.pop(leg_id, None)
            case EdgeHealth():
                self.health = event
            case EdgeHello():
                pass

    def _back(self, leg_id: str, now: float) -> None:
        self._away.pop(leg_id, None)
        found = self._find(leg_id)
        if found is None:
            return
        call, leg = found
        self._publish(CallBrowserBack(call_id=call.call_id, leg_id=leg_id))
        if leg.negotiated is not None and leg.negotiated.direction in ("sendrecv", "sendonly"):
            self._runtime.dispatch(LegResumes(call.call_id, leg_id), now)

    def _lost(self, leg_id: str, why: str, now: float, *, may_renew: bool = True) -> None:
        found = self._find(leg_id)
        if found is None or leg_id in self._away:
            return
        call, leg = found
        log.info("x leg %s: browser lost: %s", leg_id, why)
        self._away[leg_id] = now + self._reattach_s
        self._publish(CallBrowserLost(call_id=call.call_id, leg_id=leg_id, why=why, waits_s=self._reattach_s))
        self._runtime.dispatch(LegHolds(call.call_id, leg_id), now)
        if may_renew:
            # Only the page can look for another path, and only when it is told to.
            self._renew(call, leg, now)

    def _renew(self, call: Call, leg: Leg, now: float) -> None:
        self.browsers.restart_ice(leg)
        self._runtime.perform_sip(self._runtime.legs.browsers.renew(leg, now), now)

    # -- what the transports tell --------------------------------------------------------------------------------------

    def flow_failed(self, flow: Flow, now: float) -> None:
        """A WebSocket is gone: audio may go on without it, but is watched closely."""
        if flow.transport not in ("ws", "wss"):
            return
        for _, leg in self._runtime.legs.browsers.all():
            if leg.browser is not None and leg.browser.flow == flow and leg.negotiated is not None:
                self.browsers.configure(leg, leg.negotiated, silence_s=LOST_CONNECTION_SILENCE_S)

    def registered(self, number: str, binding: Binding) -> None:
        """A browser registered: where its page is reached from now on, also in the calls it has (RFC 5626 §5.3)."""
        flow = binding.flow
        if flow.transport not in ("ws", "wss"):
            return
        for _, leg in self._runtime.legs.browsers.all():
            if leg.name != number or leg.browser is None or leg.browser.flow == flow:
                continue
            session = self._runtime.stack.sessions.get(leg.session)
            if session is not None and _is_same_page(session.remote_target, binding):
                self._runtime.stack.move_session(leg.session, flow)
                leg.browser.flow = flow
                if leg.negotiated is not None:
                    self.browsers.configure(leg, leg.negotiated)

    # -- asked by the API ----------------------------------------------------------------------------------------------

    def view(self) -> WebrtcView:
        """The edge as `system.status` shows it."""
        hello, health = self.browsers.edge, self.health or EdgeHealth(0)
        return WebrtcView(
            state="up" if hello is not None else "down" if self._fingerprint else "off",
            pid=hello.pid if hello is not None else 0,
            n_browsers=sum(leg.browser is not None for _, leg in self._runtime.legs.browsers.all()),
            n_away=len(self._away),
            packets_in=health.n_in,
            packets_out=health.n_out,
            packets_strange=health.n_strange + health.n_bad_stun,
            packets_unsent=health.n_unsent,
            cpu_s=health.cpu_s,
        )

    def _find(self, leg_id: str) -> tuple[Call, Leg] | None:
        found = self._runtime.find(leg_id.partition(".")[0], leg_id)
        return None if found is None or found[1].is_ended else found

    def _step(self, step: Callable[[float], None]) -> None:
        now = self._runtime.outside.clock()
        step(now)
        self._runtime.extra_changed()
        self._runtime.rearm(now)


def _is_same_page(target: str, binding: Binding) -> bool:
    """Whether the Contact of a call is that of the registration: the same but for what RFC 5626 §5.4 adds (;ob), or a
    GRUU of its instance."""
    try:
        uri = parse_uri(target)
    except SipParseError:
        return False
    gruu = read_gruu(uri)
    if gruu is not None:
        return bool(gruu[1]) and gruu[1] == bare_instance(binding.instance)
    return uris_equal(uri, binding.uri)
