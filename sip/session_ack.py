"""2xx responses of ours and their ACK: repeated until it comes, BYE when it does not (RFC 3261 §13.3.1.4, §14.2)."""

from sip import session_timer
from sip.actions import Confirmed, Send
from sip.message import Request
from sip.session import ALLOW, SUPPORTED, Endpoint, Out, reason_line
from sip.session_reoffer import send_next_offer
from sip.session_requests import send_bye
from sip.session_state import Session, Unacknowledged
from sip.transaction import Transaction


def accept_invite(
    endpoint: Endpoint,
    session: Session,
    t: Transaction,
    body: bytes,
    now: float,
    out: Out,
    headers: str = "",
    *,
    is_first: bool,
) -> None:
    """2xx to an INVITE or re-INVITE, repeated until its ACK."""
    session_timer.start(endpoint, session, now, body)
    if body:
        headers = f"{headers}Content-Type: application/sdp\r\n"
    contact = endpoint.contact(t.flow, session.contact_user)
    headers = f"{contact}Allow: {ALLOW}\r\nSupported: {SUPPORTED}\r\n{session_timer.response_lines(session)}{headers}"
    flow = t.flow
    data = endpoint.answer(t, 200, "OK", now, out, headers, body)
    timers = endpoint.timers
    is_answer_due = not (session.has_offer or (is_first and session.is_agreed))
    unacknowledged = endpoint.unacknowledged[session.id] = Unacknowledged(
        0.0,
        session.id,
        data,
        flow,
        t.cseq,
        timers.t1,
        timers.timeout - timers.t1,
        is_first,
        is_answer_due,
    )
    endpoint.lanes.arm(unacknowledged, now, timers.t1)


def on_ack(endpoint: Endpoint, session: Session, request: Request, now: float, out: Out) -> None:
    """The ACK to a 2xx of ours."""
    unacknowledged = endpoint.unacknowledged.get(session.id)
    if unacknowledged is not None and unacknowledged.cseq == request.cseq:
        confirm(endpoint, session, unacknowledged, request.body, now, out)
        send_next_offer(endpoint, session, now, out)


def confirm(
    endpoint: Endpoint, session: Session, unacknowledged: Unacknowledged, body: bytes, now: float, out: Out
) -> None:
    """The ACK came, or something that proves it was sent."""
    del endpoint.unacknowledged[session.id]
    unacknowledged.deadline = 0.0
    if session.state == "answered":
        session.state = "confirmed"
    answer_body = body if unacknowledged.is_answer_due else b""
    if unacknowledged.is_first or unacknowledged.is_answer_due:
        out.append(Confirmed(session.id, answer_body))
    if session.ending is not None:
        send_bye(endpoint, session, session.ending, now, out)


def on_no_ack(endpoint: Endpoint, unacknowledged: Unacknowledged, now: float, out: Out) -> None:
    """Time to repeat the 2xx, or to give up: BYE (§13.3.1.4)."""
    if unacknowledged.left > 1e-6:
        out.append(Send(unacknowledged.data, unacknowledged.flow))
        endpoint.transactions.stats.n_retransmitted += 1
        interval = min(unacknowledged.interval * 2, endpoint.timers.t2, unacknowledged.left)
        unacknowledged.interval = interval
        unacknowledged.left -= interval
        endpoint.lanes.arm(unacknowledged, now, interval)
        return
    endpoint.unacknowledged.pop(unacknowledged.session, None)
    session = endpoint.sessions.get(unacknowledged.session)
    if session is None:
        return
    endpoint.stats.n_no_ack += 1
    if session.ending is not None:
        send_bye(endpoint, session, session.ending, now, out)
        return
    endpoint.request(session, "BYE", "detached", now, out, reason_line('SIP;cause=408;text="ACK not received"'))
    endpoint.end(session, "no_ack", "", out)
