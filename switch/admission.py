"""Lets requests in, or says what to answer instead: the method policy, the guard and the gatekeeper. Pure.

`sip.incoming` asks it before a request costs a transaction; what it found out stands in `request.sender`.
"""

from collections.abc import Callable

from sip.admission import SILENCE
from sip.errors import SipParseError
from sip.message import Request
from sip.session_state import Session
from sip.uri import parse_uri
from sip.validate import Refusal
from switch.call import Leg
from switch.directory import Directory
from switch.guard import Guard
from switch.identity import Gatekeeper, Identified, Unidentified
from switch.method_policy import Sender, may_send

FORBIDDEN = Refusal(403, "Forbidden")


class Admission:
    """Implements `sip.admission.Admission`."""

    def __init__(self, gatekeeper: Gatekeeper, guard: Guard, directory: Directory) -> None:
        self._gatekeeper = gatekeeper
        self._guard = guard
        self._directory = directory
        self._leg_of: Callable[[str], Leg | None] = lambda session: None

    def ask_legs(self, leg_of: Callable[[str], Leg | None]) -> None:
        """Which leg a session is, by its id."""
        self._leg_of = leg_of

    def admit(self, request: Request, session: Session | None, now: float) -> Refusal | None:
        if session is not None:
            return self._admit_inside(request, session, now)
        flow = request.flow
        assert flow is not None
        headers = request.headers
        texts = (headers.get("User-Agent", ""), headers.get("From", ""))
        if self._guard.is_scanner(flow, texts, request.method, now):
            return SILENCE
        match may_send(request.method, is_in_dialog=False):
            case Sender.ANYONE:
                return None
            case Sender.CALLER:
                who = self._gatekeeper.identify(request, now)
            case Sender.EXTENSION:
                who = self._gatekeeper.authenticate(request, request.from_.uri.user, now)
            case Sender.OWNER:
                who = self._gatekeeper.authenticate(request, _owner(request), now)
            case _:
                self._guard.misbehaved("forbidden_method", flow, request.method, now)
                return FORBIDDEN
        return self._refusal(request, who)

    def _admit_inside(self, request: Request, session: Session, now: float) -> Refusal | None:
        flow = request.flow
        assert flow is not None
        rule = may_send(request.method, is_in_dialog=True)
        leg = self._leg_of(session.id)
        if self._is_peer(request, session, leg) or rule is Sender.DIALOG:
            # Its tags came back from there: a carrier's media gateway, a phone behind another port of its NAT.
            if not self._guard.is_known(flow, now):
                self._guard.proved(flow, "", now)
            return None
        if rule is not Sender.PEER:
            self._guard.misbehaved("forbidden_method", flow, request.method, now)
            return FORBIDDEN
        if leg is None or leg.kind != "extension":
            self._guard.misbehaved("foreign_dialog", flow, request.method, now)
            return FORBIDDEN
        return self._refusal(request, self._gatekeeper.authenticate(request, leg.name, now))

    def _is_peer(self, request: Request, session: Session, leg: Leg | None) -> bool:
        flow = request.flow
        assert flow is not None
        if flow.host == session.flow.host:
            return True
        trunk = self._directory.trunk_of(flow)
        if trunk is not None and leg is not None and (leg.kind, leg.name) == ("trunk", trunk.config.name):
            return True
        try:
            return parse_uri(session.remote_target).host.strip("[]") == flow.host
        except SipParseError:
            return False

    def _refusal(self, request: Request, who: Identified | Unidentified) -> Refusal | None:
        if isinstance(who, Identified):
            request.sender = who
            return None
        return Refusal(who.status, who.reason, who.headers)


def _owner(request: Request) -> str:
    """Whose registration or presence it is about."""
    return request.to.uri.user if request.method == "REGISTER" else parse_uri(request.uri).user
