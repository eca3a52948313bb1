"""SIP legs that go to another port of ours, or to another call. No I/O.

A leg is moved by a re-INVITE with the new address (RFC 3264 §8.3.1), whatever worker, machine or kind of port it comes
from: its peer needs to know nothing else, and one that refuses keeps nothing waiting but itself.
"""

from collections.abc import Callable, MutableMapping

from model.causes import HangupCause
from sip import actions as sip
from sip.offer_answer import LocalMedia, NoCommonCodec
from sip.stack import SipStack
from switch.call import Call, Leg
from switch.leg_events import CallEvent, LegFailed
from switch.leg_media import LegMedia


class SipMoves:
    """Part of `SipLegs`, whose table of legs by session it changes; `place` gives a leg its port."""

    def __init__(
        self,
        stack: SipStack,
        legs: MutableMapping[str, tuple[Call, Leg]],
        media: LegMedia,
        place: Callable[[Leg], LocalMedia | None],
    ) -> None:
        self._stack = stack
        self._legs = legs
        self._media = media
        self._place = place

    def relocate(self, call: Call, leg: Leg, now: float) -> tuple[list[sip.Action], list[CallEvent]]:
        """Offers the leg, which has no port of ours (any more), one at its call's worker."""
        leg.is_configured, leg.is_moving = False, True
        leg.sdp_version += 1
        local = self._place(leg)
        if local is None:
            return [], [LegFailed(call.call_id, leg.leg_id, HangupCause.REQUESTED_CHAN_UNAVAIL, 503)]
        try:
            body = self._media.offer(leg, call.other(leg.leg_id), local)
        except NoCommonCodec:
            return [], [LegFailed(call.call_id, leg.leg_id, HangupCause.INCOMPATIBLE_DESTINATION, 488)]
        return self._stack.reinvite(leg.session, body, now), []

    def rehome(self, call: Call) -> None:
        """Sessions of legs that came from another call are this one's."""
        for leg in call.legs.values():
            if leg.session in self._legs:
                self._legs[leg.session] = (call, leg)
