"""What happens to browsers as phones, as told to subscribers. Fields are only added, never renamed."""

from model.declare import Event, event


@event("call.browser_lost")
class CallBrowserLost(Event, frozen=True, kw_only=True):
    """Nothing comes from a leg's browser any more: its page is being loaded again, or its network changed. The others
    hear music until it is back or `waits_s` are over."""

    call_id: str
    leg_id: str
    why: str
    waits_s: float


@event("call.browser_back")
class CallBrowserBack(Event, frozen=True, kw_only=True):
    """The browser of a leg is connected, for the first time or again: audio flows."""

    call_id: str
    leg_id: str


@event("webrtc.edge_changed")
class WebrtcEdgeChanged(Event, frozen=True, kw_only=True):
    """The process that carries browsers' audio is up or down."""

    state: str
    """up or down."""
    reason: str = ""
