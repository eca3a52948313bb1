"""The peer's re-INVITE and UPDATE inside a dialog (RFC 3261 §14.2, RFC 3311 §5.2)."""

from sip import session_timer
from sip.actions import Offered
from sip.dialog import contact_target
from sip.message import Request
from sip.next_hop import is_behind_nat
from sip.session import Endpoint, Out
from sip.session_ack import accept_invite, confirm
from sip.session_reoffer import send_next_offer
from sip.session_state import Session
from sip.transaction import Transaction


def on_offer(endpoint: Endpoint, session: Session, request: Request, t: Transaction, now: float, out: Out) -> None:
    """A re-INVITE or UPDATE as server transaction `t`: refused or answered at once, or given to the application."""
    if "Session-Expires" in request.headers:
        refusal = session_timer.check_interval(endpoint, request)
        if refusal is not None:
            endpoint.answer(t, refusal.status, refusal.reason, now, out, refusal.headers)
            return
    unacknowledged = endpoint.unacknowledged.get(session.id)
    if unacknowledged is not None and not unacknowledged.is_answer_due:
        # Who sends the next offer has seen our 2xx: its ACK was lost or overtaken.
        confirm(endpoint, session, unacknowledged, b"", now, out)
        unacknowledged = None
    is_early = session.state in ("calling", "early", "incoming", "cancelling", "cancelled")
    # UPDATE is for early dialogs (RFC 3311 §5.2): with SDP once the first offer is answered, without it at any time.
    may_update = t.method == "UPDATE" and is_early and (session.is_agreed or not request.body)
    is_unanswered = session.role == "uas" and session.state in ("incoming", "early") and not may_update
    if session.state == "closing":
        endpoint.answer(t, 481, "Call/Transaction Does Not Exist", now, out)
    elif session.offer_key or is_unanswered:
        headers = f"Retry-After: {endpoint.random(11)}\r\n"
        endpoint.answer(t, 500, "Server Internal Error", now, out, headers)
    elif not may_update and (session.invite_key or session.state != "confirmed" or unacknowledged is not None):
        endpoint.answer(t, 491, "Request Pending", now, out)
    else:
        if request.flow is not None:
            session.is_behind_nat = is_behind_nat(request.sent_by, request.flow)
        if session.role == "uas" or not is_early:
            endpoint.refresh_target(session, request, contact_target(request))
        session_timer.note_request(endpoint, session, request)
        if t.method == "UPDATE" and not request.body:
            if is_early:
                endpoint.answer(t, 200, "OK", now, out, endpoint.contact(t.flow, session.contact_user))
                return
            _accept_update(endpoint, session, t, b"", now, out)
            return
        t.user = session.id
        t.usage = "offer"
        t.cseq = request.cseq
        session.offer_key = t.key
        if not is_early:
            session.has_offer = bool(request.body)
        out.append(Offered(session.id, request.body))


def accept_offer(endpoint: Endpoint, session: Session, body: bytes, now: float, out: Out) -> None:
    t = endpoint.transactions.servers.get(session.offer_key)
    session.offer_key = ""
    if t is None:
        return
    if t.method == "INVITE":
        accept_invite(endpoint, session, t, body, now, out, is_first=False)
        return
    if t.method == "PRACK":
        endpoint.answer(t, 200, "OK", now, out, "Content-Type: application/sdp\r\n" if body else "", body)
        return
    _accept_update(endpoint, session, t, body, now, out)
    send_next_offer(endpoint, session, now, out)


def _accept_update(endpoint: Endpoint, session: Session, t: Transaction, body: bytes, now: float, out: Out) -> None:
    headers = endpoint.contact(t.flow, session.contact_user)
    if session.state == "confirmed":
        session_timer.start(endpoint, session, now, body)
        headers += session_timer.response_lines(session)
    if body:
        headers += "Content-Type: application/sdp\r\n"
    endpoint.answer(t, 200, "OK", now, out, headers, body)


def refuse_offer(
    endpoint: Endpoint, session: Session, status: int, reason: str, now: float, out: Out, headers: str = ""
) -> None:
    t = endpoint.transactions.servers.get(session.offer_key)
    session.offer_key = ""
    if t is not None:
        endpoint.answer(t, status, reason, now, out, headers)
        send_next_offer(endpoint, session, now, out)
