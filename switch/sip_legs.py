"""Legs that speak SIP: translates between sessions of `sip.stack` and the words of calls (leg events and actions).

Owns which session is which leg, and the SDP of every leg: what is offered, answered, and told to the media worker.
No I/O: returns stack actions, or leg events for the calls.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from model.causes import HangupCause
from sip import actions as sip
from sip.flow import Flow
from sip.offer_answer import NoCommonCodec
from sip.sdp import SdpError
from sip.stack import SipStack
from switch.actions import SendInfoDigits
from switch.browsers import Browsers
from switch.call import Call, Leg
from switch.causes import cause_of_reason, cause_of_status, reason_header, status_of_cause
from switch.cdr import mask
from switch.config import Config
from switch.directory import Directory
from switch.info_digits import INFO_TYPE, format_info, parse_info
from switch.invite_terms import InviteTerms
from switch.leg_events import (
    CallEvent,
    LegAnswered,
    LegDigit,
    LegFailed,
    LegHungUp,
    LegOffers,
    LegRefusesOffer,
    LegTakesOffer,
)
from switch.leg_media import LegMedia
from switch.media_pool import MediaPool
from switch.sip_answers import SipAnswers
from switch.sip_browsers import SipBrowsers
from switch.sip_lines import retry_after_s, warning_line
from switch.sip_moves import SipMoves
from switch.sip_transfers import SipTransfers

log = logging.getLogger(__name__)

Told = tuple[Sequence[sip.Action], Sequence[CallEvent]]
_NOTHING: Told = ((), ())
_CAUSE_OF_END = {"bye": HangupCause.NORMAL_CLEARING, "transport_failed": HangupCause.NETWORK_OUT_OF_ORDER}


class SipLegs:
    """Every method returns (stack actions, leg events); the runtime performs the ones and dispatches the others."""

    def __init__(
        self,
        config: Config,
        directory: Directory,
        stack: SipStack,
        pool: MediaPool,
        *,
        local_host: Callable[[Flow], str],
        browsers: Browsers | None = None,
    ) -> None:
        self._config = config
        self._stack = stack
        self.local_host = local_host
        self.media = LegMedia(config, directory, pool, browsers)
        self._legs: dict[str, tuple[Call, Leg]] = {}
        self._terms = InviteTerms(config, directory, local_host)
        self.answers = SipAnswers(self.media, self._terms)
        self.transfers = SipTransfers(stack, self._legs)
        self.browsers = SipBrowsers(stack, self._legs, self.media, self.media.local, self.answers.apply)
        self.moves = SipMoves(stack, self._legs, self.media, self.media.local)
        self.handlers: dict[type, Callable[[Call, Leg, Any, float], Told]] = {
            sip.Progressed: self._progressed,
            sip.Answered: self._answered,
            sip.Rejected: self._rejected,
            sip.Confirmed: self._confirmed,
            sip.Cancelled: self._cancelled,
            sip.Offered: self._offered,
            sip.OfferAnswered: self._reoffered,
            sip.OfferRefused: self._reoffered,
            sip.Refreshed: self._refreshed,
            sip.InfoReceived: self._keyed,
            sip.Referred: self._referred,
            sip.ReferAnswered: self._refer_went_on,
            sip.ReferNotified: self._refer_went_on,
            sip.Ended: self._ended,
            sip.Closed: self._closed,
        }

    # -- what the calls want ------------------------------------------------------------------------------------------

    def adopt(self, session: str, call: Call, leg: Leg) -> None:
        """An incoming session is this leg."""
        leg.session = session
        if self._terms.is_untimed(leg.kind, leg.name):
            self._stack.forgo_timer(session)
        made = self._stack.sessions.get(session)
        leg.is_tls = made is not None and made.flow.transport in ("tls", "wss")
        self.browsers.adopted(call, leg)
        self._legs[session] = (call, leg)

    def leg_of(self, session: str) -> Leg | None:
        """Whose session it is; None while nobody has taken it."""
        found = self._legs.get(session)
        return found[1] if found is not None else None

    def start(self, call: Call, leg: Leg, now: float) -> Told:
        """Sends the INVITE to the leg's target."""
        target = leg.target
        assert target is not None
        leg.address = f"{target.flow.host}:{target.flow.port}"
        leg.is_tls = target.flow.transport in ("tls", "wss")
        self.media.browsers.note_callee(leg, target.flow, target.uri)
        try:
            body = self._first_offer(call, leg)
        except NoCommonCodec as error:
            log.warning("x leg %s: %s", leg.leg_id, error)
            return [], [LegFailed(call.call_id, leg.leg_id, HangupCause.INCOMPATIBLE_DESTINATION)]
        if body is None:
            return [], [LegFailed(call.call_id, leg.leg_id, HangupCause.REQUESTED_CHAN_UNAVAIL)]
        session, actions = self._terms.invite(self._stack, call, leg, target, body, now)
        leg.flow = target.flow
        leg.local_sdp = body
        if not self.media.may_insist(leg):
            leg.target = None
        self._legs[session] = (call, leg)
        leg.session = session
        made = self._stack.sessions.get(session)
        leg.sip_call_id = made.call_id if made is not None else ""
        return actions, []

    def ring(self, leg: Leg, now: float) -> list[sip.Action]:
        return self._stack.progress(leg.session, 180, "Ringing", now)

    def progress(self, call: Call, leg: Leg, peer: Leg, now: float) -> Told:
        """183 with our SDP: the caller hears `peer` before the answer."""
        body, failed = self._answer_body(call, leg, peer)
        if failed is not None:
            return [], [failed]
        headers = self._terms.early_media_line(leg) if leg.wants_early_media_line else ""
        return self._stack.progress(leg.session, 183, "Session Progress", now, body=body, headers=headers), []

    def answer(self, call: Call, leg: Leg, peer: Leg | None, now: float) -> Told:
        """200 with our SDP."""
        body, failed = self._answer_body(call, leg, peer)
        if failed is not None:
            return [], [failed]
        return self._stack.answer(leg.session, body, now), []

    def end(self, leg: Leg, cause: HangupCause, now: float) -> list[sip.Action]:
        """Rejects, cancels or ends the session, whichever fits."""
        if not leg.session:
            return []
        status, reason = status_of_cause(cause)
        lines = warning_line(leg.warning)
        actions = self._stack.hang_up(leg.session, now, status, reason, reason_header(cause), headers=lines)
        self.media.browsers.release(leg)
        self._forget_if_gone(leg.session)
        return actions

    def leave_if_silent(self, call: Call, leg: Leg, now: float) -> Told:
        """Gives up an INVITE to which nothing came back; an answer that comes late is still ended (RFC 3261 §9.1)."""
        session = self._stack.sessions.get(leg.session)
        if session is None or session.state != "calling":
            return [], []
        cause = HangupCause.RECOVERY_ON_TIMER_EXPIRE
        return self.end(leg, cause, now), [LegFailed(call.call_id, leg.leg_id, cause, 408)]

    def reoffer(self, leg: Leg, body: bytes, now: float) -> list[sip.Action]:
        return self._stack.reinvite(leg.session, body, now)

    def take_offer(self, leg: Leg, body: bytes, now: float) -> list[sip.Action]:
        return self._stack.accept_offer(leg.session, body, now)

    def refuse_offer(self, leg: Leg, status: int, now: float) -> list[sip.Action]:
        return self._stack.refuse_offer(leg.session, status, "Not Acceptable Here", now)

    def send_digits(self, leg: Leg, action: SendInfoDigits, now: float) -> list[sip.Action]:
        """Digits by SIP INFO."""
        out: list[sip.Action] = []
        for digit in action.digits:
            out += self._stack.info(leg.session, INFO_TYPE, format_info(digit, action.duration_ms), now)
        return out

    # -- what the stack tells -----------------------------------------------------------------------------------------

    def on_session(self, action: sip.SessionEvent, now: float) -> Told:
        """A fact about a session becomes leg events; SDP that only concerns this leg is answered here."""
        entry = self._legs.get(action.session)
        if entry is None:
            return _NOTHING
        call, leg = entry
        if leg.browser is not None and self.browsers.on_session(call, leg, action):
            return _NOTHING
        return self.handlers[type(action)](call, leg, action, now)

    def _progressed(self, call: Call, leg: Leg, action: sip.Progressed, now: float) -> Told:
        leg.has_responded = True
        self._note_address(leg)
        return [], self.answers.progressed(call, leg, action)

    def _rejected(self, call: Call, leg: Leg, action: sip.Rejected, now: float) -> Told:
        status, response = action.status, action.response
        self._forget_if_gone(action.session)
        if status in (415, 488, 606) and self.media.may_insist(leg):
            self.media.insist(leg)
            return self.start(call, leg, now)
        reason = ""
        if response is not None:
            leg.has_responded = True
            leg.retry_after_s = retry_after_s(response)
            reason = response.get("Reason", "") or ""
        cause = cause_of_reason(reason, cause_of_status(status))
        return [], [LegFailed(call.call_id, leg.leg_id, cause, status)]

    def _confirmed(self, call: Call, leg: Leg, action: sip.Confirmed, now: float) -> Told:
        leg.local_sdp = b""
        peer = call.other(leg.leg_id)
        if peer is not None:
            peer.local_sdp = b""
        return [], self.answers.confirmed(call, leg, action.body)

    def _cancelled(self, call: Call, leg: Leg, action: sip.Cancelled, now: float) -> Told:
        self._forget_if_gone(action.session)
        cause = cause_of_reason(action.reason, HangupCause.ORIGINATOR_CANCEL)
        return [], [LegHungUp(call.call_id, leg.leg_id, cause)]

    def _refreshed(self, call: Call, leg: Leg, action: sip.Refreshed, now: float) -> Told:
        self.answers.refreshed(call, leg, action.body)
        return _NOTHING

    def _keyed(self, call: Call, leg: Leg, action: sip.InfoReceived, now: float) -> Told:
        parsed = parse_info(action.content_type, action.body)
        return [], [LegDigit(call.call_id, leg.leg_id, parsed[0], parsed[1], by_info=True)] if parsed else []

    def _referred(self, call: Call, leg: Leg, action: sip.Referred, now: float) -> Told:
        return [], [self.transfers.referred(call, leg, action)]

    def _refer_went_on(self, call: Call, leg: Leg, action: sip.ReferAnswered | sip.ReferNotified, now: float) -> Told:
        return [], [self.transfers.progressed(call, leg, action)]

    def _ended(self, call: Call, leg: Leg, action: sip.Ended, now: float) -> Told:
        cause = _CAUSE_OF_END.get(action.why, HangupCause.RECOVERY_ON_TIMER_EXPIRE)
        self._forget_if_gone(action.session)
        return [], [LegHungUp(call.call_id, leg.leg_id, cause_of_reason(action.reason, cause))]

    def _closed(self, call: Call, leg: Leg, action: sip.Closed, now: float) -> Told:
        self._forget_if_gone(action.session)
        return _NOTHING

    def _note_address(self, leg: Leg) -> None:
        """Where a URI led to is known only now."""
        made = self._stack.sessions.get(leg.session) if leg.kind == "uri" else None
        if made is not None:
            leg.address = f"{made.flow.host}:{made.flow.port}"

    def _forget_if_gone(self, session: str) -> None:
        if session not in self._stack.sessions and (gone := self._legs.pop(session, None)) is not None:
            self.media.browsers.release(gone[1])

    def flow_moved(self, before: Flow, after: Flow) -> None:
        """The phone at `before` comes from `after` now; its audio may too."""
        for _, leg in self._legs.values():
            if leg.address == f"{before.host}:{before.port}" and not leg.is_ended:
                leg.address = f"{after.host}:{after.port}"
                if before.host != after.host and leg.is_configured and leg.negotiated is not None:
                    self.media.configure(leg, leg.negotiated)

    def reconfigure(self, leg: Leg) -> list[sip.Action]:
        """Tells the worker again what the leg is; before it was told at all there is nothing to do."""
        if leg.is_configured and leg.negotiated is not None:
            self.media.configure(leg, leg.negotiated)
        return []

    @property
    def n_sessions(self) -> int:
        return len(self._legs)

    # -- SDP ----------------------------------------------------------------------------------------------------------

    def _first_offer(self, call: Call, leg: Leg) -> bytes | None:
        caller = call.asked_by(leg)
        if call.is_direct and caller is not None and caller.offer:
            leg.is_direct = True
            return caller.offer
        return None if (local := self.media.local(leg)) is None else self.media.offer(leg, caller, local)

    def _answer_body(self, call: Call, leg: Leg, peer: Leg | None) -> tuple[bytes, LegFailed | None]:
        """Our SDP for a caller: the answer to its offer, or an offer when it made none."""
        if leg.local_sdp:
            return leg.local_sdp, None
        if call.is_direct and peer is not None:
            leg.offer = b""
            leg.local_sdp = peer.local_sdp
            return leg.local_sdp, None
        local = self.media.local(leg)
        if local is None:
            return b"", LegFailed(call.call_id, leg.leg_id, HangupCause.REQUESTED_CHAN_UNAVAIL, 503)
        try:
            if not leg.offer:
                leg.local_sdp = self.media.offer(leg, peer, local)
                return leg.local_sdp, None
            body, negotiated = self.media.answer(leg, peer, leg.offer, local)
        except (NoCommonCodec, SdpError) as error:
            self._note_refusal(leg, error)
            return b"", LegFailed(call.call_id, leg.leg_id, HangupCause.INCOMPATIBLE_DESTINATION, 488)
        leg.offer = b""
        leg.local_sdp = body
        self.media.configure(leg, negotiated)
        return body, None

    def _answered(self, call: Call, leg: Leg, action: sip.Answered, now: float) -> Told:
        leg.target = None
        self._note_address(leg)
        headers = action.response.headers
        leg.user_agent = mask((headers.get("User-Agent") or headers.get("Server", ""))[:128])
        body = action.body
        ids = (call.call_id, leg.leg_id)
        if call.is_direct:
            leg.local_sdp = body or leg.local_sdp
            return [], [LegAnswered(*ids)]
        leg.local_sdp = b""
        if not body and leg.negotiated is not None:
            # The answer came with a reliable provisional response, and need not come again (RFC 3262 §5).
            return [], [LegAnswered(*ids)]
        try:
            self.answers.apply(call, leg, body)
        except (NoCommonCodec, SdpError) as error:
            log.info("x leg %s: answer: %s", leg.leg_id, error)
            cause = HangupCause.INCOMPATIBLE_DESTINATION
            return self.end(leg, cause, now), [LegFailed(*ids, cause, 488)]
        return [], [LegAnswered(*ids)]

    def _offered(self, call: Call, leg: Leg, action: sip.Offered, now: float) -> Told:
        """A re-INVITE: answered here, unless audio goes directly."""
        body = action.body
        if call.is_direct:
            return [], [LegOffers(call.call_id, leg.leg_id, body)]
        leg.sdp_version += 1
        local = self.media.local(leg)
        if local is None:
            return self._stack.refuse_offer(leg.session, 503, "Service Unavailable", now), []
        try:
            if not body:
                return self._stack.accept_offer(leg.session, self.media.offer_again(leg, local), now), []
            peer = call.other(leg.leg_id)
            answer, negotiated = self.media.answer(leg, peer, body, local)
        except NoCommonCodec as error:
            leg.sdp_version -= 1
            self._note_refusal(leg, error)
            headers, leg.warning = warning_line(leg.warning), ""
            return self._stack.refuse_offer(leg.session, 488, "Not Acceptable Here", now, headers), []
        except SdpError:
            leg.sdp_version -= 1
            return self._stack.refuse_offer(leg.session, 400, "Malformed SDP", now), []
        self.media.configure(leg, negotiated)
        return self._stack.accept_offer(leg.session, answer, now), self.answers.hold_events(leg)

    def _reoffered(self, call: Call, leg: Leg, action: sip.OfferAnswered | sip.OfferRefused, now: float) -> Told:
        """What became of our re-INVITE: it moved the leg, or passed an offer on."""
        ids = (call.call_id, leg.leg_id)
        is_moving, leg.is_moving = leg.is_moving, False
        match action:
            case sip.OfferAnswered(body=body):
                return [], self.answers.confirmed(call, leg, body) if is_moving else [LegTakesOffer(*ids, body)]
            case sip.OfferRefused(status=status) if is_moving:
                return [], [LegFailed(*ids, cause_of_status(status), status)]
            case sip.OfferRefused(status=status):
                return [], [LegRefusesOffer(*ids, status)]

    def _note_refusal(self, leg: Leg, error: NoCommonCodec | SdpError) -> None:
        log.info("x leg %s: %s", leg.leg_id, error)
        if isinstance(error, NoCommonCodec):
            leg.warning = f'{error.warning} {self._config.sip.realm} "{error}"'
