"""What the answers of SIP legs to our offers mean: codecs for the worker, ringing, early media, hold. No I/O."""

import logging

from model.causes import HangupCause
from sip import actions as sip
from sip.offer_answer import NoCommonCodec
from sip.sdp import SdpError
from switch.call import Call, Leg
from switch.invite_terms import InviteTerms
from switch.leg_events import CallEvent, LegEarlyMedia, LegFailed, LegHolds, LegResumes, LegRinging
from switch.leg_media import LegMedia

log = logging.getLogger(__name__)


class SipAnswers:
    """Part of `SipLegs`."""

    def __init__(self, media: LegMedia, terms: InviteTerms) -> None:
        self._media = media
        self._terms = terms

    def progressed(self, call: Call, leg: Leg, action: sip.Progressed) -> list[CallEvent]:
        """A provisional response: it rings, or is heard already."""
        is_heard = bool(action.body) and self._terms.may_be_heard(leg, action.p_early_media)
        if not action.body:
            if action.status in (180, 183):
                return [LegRinging(leg.call_id, leg.leg_id)]
            return []
        if call.is_direct:
            leg.local_sdp = action.body
            return [LegEarlyMedia(leg.call_id, leg.leg_id) if is_heard else LegRinging(leg.call_id, leg.leg_id)]
        try:
            self.apply(call, leg, action.body)
        except (NoCommonCodec, SdpError) as error:
            # An early answer we cannot use spoils nothing yet: the final one may be another fork's.
            log.info("x leg %s: early media: %s", leg.leg_id, error)
            is_heard = False
        return [LegEarlyMedia(leg.call_id, leg.leg_id) if is_heard else LegRinging(leg.call_id, leg.leg_id)]

    def confirmed(self, call: Call, leg: Leg, body: bytes) -> list[CallEvent]:
        """The answer came in an ACK, a PRACK or to a re-INVITE of ours."""
        if not body or call.is_direct:
            return []
        try:
            self.apply(call, leg, body)
        except (NoCommonCodec, SdpError) as error:
            log.info("x leg %s: answer in ACK: %s", leg.leg_id, error)
            return [LegFailed(leg.call_id, leg.leg_id, HangupCause.INCOMPATIBLE_DESTINATION, 488)]
        return self.hold_events(leg)

    def apply(self, call: Call, leg: Leg, answer: bytes) -> None:
        """Raises NoCommonCodec or SdpError."""
        negotiated = self._media.apply(leg, answer)
        if not self._media.may_talk(call, leg, negotiated):
            raise NoCommonCodec(f"{negotiated.codec} is not what the caller speaks, and is not decoded here")
        self._media.configure(leg, negotiated)

    def refreshed(self, call: Call, leg: Leg, answer: bytes) -> None:
        """The answer to a refresh is the one we had, or the phone moved its audio."""
        if call.is_direct:
            return
        try:
            negotiated = self._media.apply(leg, answer)
        except (NoCommonCodec, SdpError) as error:
            log.info("x leg %s: answer to a refresh: %s", leg.leg_id, error)
            return
        if negotiated != leg.negotiated and self._media.may_talk(call, leg, negotiated):
            self._media.configure(leg, negotiated)

    def hold_events(self, leg: Leg) -> list[CallEvent]:
        """Our direction tells whether the peer wants audio: recvonly or inactive means it holds us."""
        if leg.negotiated is not None and leg.negotiated.direction in ("recvonly", "inactive"):
            return [LegHolds(leg.call_id, leg.leg_id)]
        return [LegResumes(leg.call_id, leg.leg_id)]
