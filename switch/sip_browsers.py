"""What the legs of browsers do by SIP beyond what phones do: offers that renew path or keys. No I/O."""

import logging
from collections.abc import Callable, Mapping

import msgspec

from sip import actions as sip
from sip.offer_answer import LocalMedia, NoCommonCodec
from sip.sdp import SdpError
from sip.stack import SipStack
from switch.call import Call, Leg
from switch.leg_media import LegMedia

log = logging.getLogger(__name__)


class SipBrowsers:
    """Part of `SipLegs`, whose table of legs by session it reads."""

    def __init__(
        self,
        stack: SipStack,
        legs: Mapping[str, tuple[Call, Leg]],
        media: LegMedia,
        local_media: Callable[[Leg], LocalMedia | None],
        apply_answer: Callable[[Call, Leg, bytes], None],
    ) -> None:
        self._stack = stack
        self._legs = legs
        self._media = media
        self._local_media = local_media
        self._apply_answer = apply_answer

    def all(self) -> list[tuple[Call, Leg]]:
        """Those with a session."""
        return [entry for entry in self._legs.values() if entry[1].browser is not None]

    def adopted(self, call: Call, leg: Leg) -> None:
        """An INVITE is this leg: it may be a browser's. The offer has been checked."""
        if call.is_direct and leg.kind == "trunk":
            return
        made = self._stack.sessions.get(leg.session)
        self._media.browsers.note_caller(leg, made.flow if made is not None else None)
        if leg.browser is not None:
            call.is_direct = leg.is_direct = False
            if leg.offer:
                leg.offer = self._media.browsers.read(leg, leg.offer)

    def renew(self, leg: Leg, now: float) -> list[sip.Action]:
        """A re-INVITE that changes nothing but what the leg's browser needs anew: path, keys."""
        session = self._stack.sessions.get(leg.session)
        if leg.browser is None or leg.negotiated is None or session is None or session.state != "confirmed":
            return []
        local = self._local_media(leg)
        if local is None:
            return []
        leg.sdp_version += 1
        leg.browser.is_renewing = True
        local = msgspec.structs.replace(local, version=leg.sdp_version)
        return self._stack.reinvite(leg.session, self._media.offer_again(leg, local), now)

    def on_session(self, call: Call, leg: Leg, action: sip.SessionEvent) -> bool:
        """Whether a fact concerned the leg's browser alone."""
        side = leg.browser
        if side is None:
            return False
        if isinstance(action, sip.Offered) and (session := self._stack.sessions.get(action.session)) is not None:
            side.flow = session.flow
        if not side.is_renewing or not isinstance(action, sip.OfferAnswered | sip.OfferRefused):
            return False
        side.is_renewing = False
        if isinstance(action, sip.OfferAnswered):
            # Whether the browser is there again its packets tell.
            try:
                self._apply_answer(call, leg, action.body)
            except (NoCommonCodec, SdpError) as error:
                log.info("x leg %s: answer to our offer: %s", leg.leg_id, error)
        return True
