"""The peer's INVITE: ringing, answering, refusing, and its CANCEL (RFC 3261 §9.2, §12.1.1, §13.3)."""

from sip import session_reliable, session_timer
from sip.actions import Cancelled, IncomingInvite
from sip.dialog import address_uri, contact_target, response_head, route_set
from sip.flow import Flow
from sip.message import Request
from sip.next_hop import is_behind_nat
from sip.session import Endpoint, Out
from sip.session_ack import accept_invite
from sip.session_reoffer import send_next_offer
from sip.session_state import Session
from sip.transaction import Transaction


def on_invite(endpoint: Endpoint, request: Request, key: str, flow: Flow, now: float, out: Out) -> Transaction:
    """A new INVITE outside any dialog; `flow` is where its responses go.

    Raises:
        SipParseError: 400, no dialog can be made of it; no session exists then.
    """
    source = request.flow or flow
    target = contact_target(request)
    if not target:
        # Callers of RFC 2543 are reached by their From; `check_request` demands a Contact of all others.
        target = address_uri(request.headers["From"])
    routes = route_set(request, reverse=False)
    session_id = endpoint.token(16)
    head = response_head(request, session_id)
    session = Session(
        session_id,
        request.call_id,
        "uas",
        "incoming",
        source,
        request.from_tag,
        remote_cseq=request.cseq,
        invite_key=key,
        has_offer=bool(request.body),
        is_behind_nat=is_behind_nat(request.sent_by, source),
    )
    session.wanted_s = endpoint.session_expires_s
    if "Supported" in request.headers or "Require" in request.headers:
        session.reliability = session_reliable.wish(request)
    session_timer.note_request(endpoint, session, request)
    local = f"{request.headers['To']};tag={session_id}"
    endpoint.establish(session, local, request.headers["From"], target, routes, source)
    t = endpoint.transactions.start_server(key, "INVITE", flow, head, now, out)
    t.user = session_id
    t.usage = "invite"
    t.cseq = request.cseq
    endpoint.sessions[session_id] = session
    endpoint.stats.n_sessions += 1
    out.append(IncomingInvite(session_id, request))
    return t


def progress(
    endpoint: Endpoint, session: Session, status: int, reason: str, now: float, out: Out, body: bytes, headers: str
) -> None:
    t = endpoint.transactions.servers.get(session.invite_key)
    if t is None or session.role != "uas":
        return
    if status > 100:
        session.state = "early"
        headers = f"{endpoint.contact(t.flow, session.contact_user)}{headers}"
    if body:
        headers = f"{headers}Content-Type: application/sdp\r\n"
    if session_reliable.is_needed(session, status, body):
        session_reliable.send(endpoint, session, t, status, reason, now, out, headers, body)
    else:
        endpoint.answer(t, status, reason, now, out, headers, body)


def answer(endpoint: Endpoint, session: Session, body: bytes, now: float, out: Out, headers: str) -> None:
    t = endpoint.transactions.servers.get(session.invite_key)
    if t is None or session.role != "uas" or session.state not in ("incoming", "early"):
        return
    reliable = session_reliable.holds_back(endpoint, session)
    if reliable is not None:
        reliable.queue.append((200, "OK", headers, body))
        return
    if session.is_agreed and not session.has_offer:
        # Our offer and its answer are through: SDP in the 2xx would be another offer (RFC 6337 §3.1.1).
        body = b""
    endpoint.end_reliable(session)
    accept_invite(endpoint, session, t, body, now, out, headers, is_first=True)
    session.state = "answered"
    session.invite_key = ""


def reject(endpoint: Endpoint, session: Session, status: int, reason: str, now: float, out: Out, headers: str) -> None:
    t = endpoint.transactions.servers.get(session.invite_key)
    if t is None or session.role != "uas" or session.state not in ("incoming", "early"):
        return
    endpoint.answer(t, status, reason, now, out, headers)
    endpoint.close(session, out)


def on_prack(endpoint: Endpoint, session: Session, request: Request, key: str, now: float, out: Out) -> None:
    """Their PRACK, and what waited for it.

    Raises:
        SipParseError: 400.
    """
    for reliable in session_reliable.on_prack(endpoint, session, request, key, now, out):
        for status, reason, headers, body in reliable.queue:
            t = endpoint.transactions.servers.get(session.invite_key)
            if status >= 200:
                answer(endpoint, session, body, now, out, headers)
            elif t is not None:
                session_reliable.send(endpoint, session, t, status, reason, now, out, headers, body)


def on_cancel(endpoint: Endpoint, request: Request, t: Transaction, now: float, out: Out) -> None:
    """A CANCEL for the INVITE transaction `t`; the CANCEL itself is answered. Too late after a final response."""
    if t.state != "proceeding":
        return
    session = endpoint.sessions.get(t.user)
    endpoint.answer(t, 487, "Request Terminated", now, out)
    if session is None:
        return
    if t.usage == "invite":
        endpoint.remove(session)
        out.append(Cancelled(session.id, request.headers.get("Reason", "")))
    else:
        session.offer_key = ""
        send_next_offer(endpoint, session, now, out)
