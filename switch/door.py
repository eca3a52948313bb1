"""The door for what is no part of a session yet: new INVITEs, OPTIONS, and every other method (denied by default).

REGISTER goes on to `switch.registrations`, responses to our own requests to `switch.trunks`.
"""

import logging
from collections.abc import Callable

import msgspec

from model.causes import HangupCause
from sip import actions as sip
from sip.errors import SipParseError
from sip.message import Request
from sip.offer_answer import NoCommonCodec
from sip.refer import parse_replaces
from sip.sdp import SdpError
from sip.uri import parse_uri
from switch import parking, pickup
from switch.call import Call, Leg
from switch.caller import Caller, caller_of, max_breadth, note_story
from switch.calls import Calls
from switch.causes import status_of_cause
from switch.cdr import mask
from switch.directory import TrunkState
from switch.identity import Gatekeeper, Identified, Unidentified
from switch.leg_events import LegReplaces, LegRetrieves
from switch.media_pool import MediaPool
from switch.messages import Messages
from switch.notifier import ALLOW_EVENTS, Notifier
from switch.number_rules import number_from_trunk
from switch.numbers import clean
from switch.registrations import Registrations
from switch.release import end_leg
from switch.runtime import Runtime
from switch.sip_legs import SipLegs
from switch.trunks import Trunks

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5
METHODS = frozenset(("OPTIONS", "REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE"))
"""Served outside sessions; the stack refuses all others."""
ALLOWED = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, UPDATE, REFER, NOTIFY, SUBSCRIBE, PUBLISH, MESSAGE"


class Door:
    def __init__(
        self,
        runtime: Runtime,
        gatekeeper: Gatekeeper,
        registrations: Registrations,
        trunks: Trunks,
        notifier: Notifier,
        messages: Messages,
        *,
        is_congested: Callable[[], bool],
    ) -> None:
        self._runtime = runtime
        self._calls: Calls = runtime.calls
        self._legs: SipLegs = runtime.legs
        self._pool: MediaPool = runtime.pool
        self._gatekeeper = gatekeeper
        self._registrations = registrations
        self._trunks = trunks
        self._notifier = notifier
        self._messages = messages
        self._is_congested = is_congested
        self.is_draining = False
        self.requests_done: list[Callable[[sip.RequestDone, float], object]] = []
        """Also told of the answers to requests of ours."""
        self._realm = self._calls.env.config.sip.realm

    def incoming_invite(self, action: sip.IncomingInvite, now: float) -> None:
        """Identifies the caller, checks what it offers, and begins a call."""
        request = action.request
        try:
            who = self._gatekeeper.identify(request, now)
            if isinstance(who, Unidentified):
                self._reject(action.session, who.status, who.reason, now, who.headers)
                return
            found = caller_of(request, who)
            caller, breadth = found.number, max_breadth(request)
            dialed, instance = self._dialed(request, who.trunk)
            if who.trunk is not None:
                region = self._calls.env.config.numbering.region
                caller = number_from_trunk(who.trunk.config, caller, region, "caller")
                dialed = number_from_trunk(who.trunk.config, dialed, region, "dialed")
        except SipParseError as error:
            self._reject(action.session, error.status, str(error), now)
            return
        if "Replaces" in request.headers:
            self._replace(action, request, caller, who, now)
            return
        if not breadth:
            self._reject(action.session, 440, "Max-Breadth Exceeded", now)
            return
        if who.extension is not None and self._takes_over(action, request, caller, who, dialed, now):
            return
        directory = self._calls.env.directory
        is_emergency = who.trunk is None and dialed in directory.emergency
        worker = self._pool.choose_worker()
        refusal = self._congestion(worker, is_emergency)
        if refusal:
            log.warning("x INVITE from %s refused: %s", caller, refusal)
            self._reject(action.session, 503, "Service Unavailable", now, f"Retry-After: {RETRY_AFTER_S}\r\n")
            return
        unusable = self._unusable_offer(
            request.body, who, request.flow is not None and request.flow.transport in ("tls", "wss")
        )
        if unusable is not None:
            cause, headers = unusable
            why = headers.partition('"')[2].rstrip('"\r\n')
            log.info("x INVITE from %s: %s", caller, why or "SDP that cannot be read")
            self._reject(action.session, *status_of_cause(cause), now, headers)
            return
        who_calls = msgspec.structs.replace(found, number=caller)
        self._begin(action, who_calls, dialed, instance, breadth, who, worker, now)

    def _begin(
        self,
        action: sip.IncomingInvite,
        caller: Caller,
        dialed: str,
        instance: str,
        breadth: int,
        who: Identified,
        worker: int,
        now: float,
    ) -> None:
        max_forwards = action.request.max_forwards
        call, leg = self._calls.incoming(
            caller=caller.number,
            caller_name=caller.name,
            dialed=dialed,
            entry=who.extension,
            trunk=who.trunk,
            worker=worker,
            max_forwards=70 if max_forwards is None else max_forwards,
            now=now,
        )
        call.instance = instance
        call.is_private = caller.is_private
        call.max_breadth = breadth
        note_story(call, leg, action.request, who)
        self._adopt(action, call, leg)
        self._runtime.perform(self._calls.begin(call, now), now)

    def _adopt(self, action: sip.IncomingInvite, call: Call, leg: Leg) -> None:
        request = action.request
        flow = request.flow
        assert flow is not None
        leg.sip_call_id = mask(request.call_id)
        leg.address = f"{flow.host}:{flow.port}"
        leg.user_agent = mask(request.headers.get("User-Agent", "")[:128])
        leg.offer = request.body
        self._legs.adopt(action.session, call, leg)

    def _replace(self, action: sip.IncomingInvite, request: Request, caller: str, who: Identified, now: float) -> None:
        """INVITE with Replaces: the caller takes the place of a leg (RFC 3891 §3). Any extension that knows a dialog
        may, since only its parties, and those it was shown to, know the tags; a trunk only that of a leg of its own."""
        try:
            found, status, reason = self._legs.transfers.find_replaced(parse_replaces(request.headers["Replaces"]))
        except SipParseError as error:
            self._reject(action.session, error.status, error.reason, now)
            return
        if found is not None and who.trunk is not None and found[1].name != who.trunk.config.name:
            found, status, reason = None, 403, "Forbidden"
        if found is None:
            self._reject(action.session, status, reason, now)
            return
        self._join(action, request, caller, who, *found, now)

    def _takes_over(
        self, action: sip.IncomingInvite, request: Request, caller: str, who: Identified, dialed: str, now: float
    ) -> bool:
        """Whether a feature code was dialled that takes a call which is there."""
        env = self._calls.env
        feature = env.features.find(dialed)
        name = feature.name if feature is not None else ""
        found: tuple[Call, Leg] | None = None
        calls = self._calls.calls.values()
        if feature is not None and name == "pickup" and who.extension is not None:
            found = pickup.find(calls, who.extension, feature.number, env)
        elif who.extension is not None and (name == "retrieve" or dialed in env.orbits):
            found = parking.find(calls, dialed, who.extension.number, env)
        if found is None:
            return False
        self._join(action, request, caller, who, *found, now, is_parked=name != "pickup")
        return True

    def _join(
        self,
        action: sip.IncomingInvite,
        request: Request,
        caller: str,
        who: Identified,
        call: Call,
        replaced: Leg,
        now: float,
        *,
        is_parked: bool = False,
    ) -> None:
        """A leg of its own in a call that is there: in the place of `replaced`, or to talk with it."""
        unusable = self._unusable_offer(
            request.body, who, request.flow is not None and request.flow.transport in ("tls", "wss")
        )
        if unusable is not None:
            self._reject(action.session, *status_of_cause(unusable[0]), now, unusable[1])
            return
        leg = self._calls.joining(call, replaced, who.extension, who.trunk, caller, now)
        self._adopt(action, call, leg)
        ids = call.call_id, leg.leg_id
        self._runtime.dispatch(LegRetrieves(*ids) if is_parked else LegReplaces(*ids, replaced.leg_id), now)
        if leg.state == "trying":
            self._runtime.perform(end_leg(leg, HangupCause.CALL_REJECTED, "system", now, self._calls.env), now)
            call.legs.pop(leg.leg_id, None)

    def incoming_request(self, action: sip.IncomingRequest, now: float) -> None:
        """REGISTER, OPTIONS, SUBSCRIBE, PUBLISH and MESSAGE are served; nothing else is, by anybody."""
        request = action.request
        match request.method:
            case "SUBSCRIBE":
                self._notifier.subscribe(action, now)
                return
            case "PUBLISH":
                self._notifier.publish(action, now)
                return
            case "MESSAGE":
                self._messages.incoming(action, now)
                return
            case "REGISTER":
                status, reason, headers = self._registrations.register(request, now)
                self._runtime.extra_changed()
            case "OPTIONS":
                status, reason = (503, "Service Unavailable") if self.is_draining else (200, "OK")
                headers = f"Allow: {ALLOWED}\r\nAllow-Events: {ALLOW_EVENTS}\r\n"
                headers += "Accept: application/sdp\r\nSupported: path, outbound, gruu, norefersub, replaces\r\n"
            case _:
                status, reason, headers = 405, "Method Not Allowed", f"Allow: {ALLOWED}\r\n"
        self._runtime.perform_sip(
            self._runtime.stack.respond(action.transaction, status, reason, now, headers=headers), now
        )

    def request_done(self, action: sip.RequestDone, now: float) -> None:
        self._trunks.request_done(action, now)
        self._notifier.request_done(action, now)
        self._messages.request_done(action, now)
        for done in self.requests_done:
            done(action, now)
        self._runtime.extra_changed()

    def _reject(self, session: str, status: int, reason: str, now: float, headers: str = "") -> None:
        self._runtime.perform_sip(self._runtime.stack.reject(session, status, reason, now, headers=headers), now)

    def _congestion(self, worker: int, is_emergency: bool) -> str:
        """Why no new call can be taken; "" when it can. An emergency call is refused only when audio is impossible."""
        if worker < 0:
            return "no media worker has a free port"
        if is_emergency:
            return ""
        if self.is_draining:
            return "draining"
        if len(self._calls.calls) >= self._calls.env.config.calls.max_calls:
            return "calls.max_calls is reached"
        if self._is_congested():
            return "the record writer's backlog is full"
        return ""

    def _unusable_offer(self, body: bytes, who: Identified, is_tls: bool) -> tuple[HangupCause, str] | None:
        """Said before anything rings; audio that goes directly is the other party's business."""
        is_direct = who.trunk.config.media == "direct" if who.trunk is not None else False
        if not body or is_direct:
            return None
        try:
            if who.trunk is not None:
                self._legs.media.check(body, "trunk", who.trunk.config.name, is_tls=is_tls)
            elif who.extension is not None:
                self._legs.media.check(body, "extension", who.extension.number, is_tls=is_tls)
        except NoCommonCodec as error:
            return HangupCause.INCOMPATIBLE_DESTINATION, f'Warning: {error.warning} {self._realm} "{error}"\r\n'
        except SdpError:
            return HangupCause.INCOMPATIBLE_DESTINATION, ""
        return None

    def _dialed(self, request: Request, trunk: TrunkState | None) -> tuple[str, str]:
        """(number, instance of the one phone that is meant or "")"""
        uri = parse_uri(request.uri)
        if trunk is None:
            number, instance = self._registrations.resolve_gruu(uri)
            return mask(clean(number)), instance
        # A registered trunk sends its calls to our contact; the number stands in To then.
        user = (request.to.uri.user or uri.user) if uri.user == trunk.config.username else uri.user
        return mask(clean(user)), ""
