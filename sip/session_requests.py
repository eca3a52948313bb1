"""Requests inside a dialog that carry no offer (BYE, INFO, OPTIONS), credentials, and stray 2xx.

RFC 3261 §13.2.2.4, §15, §22; RFC 2976 for INFO. Pure.
"""

from sip.actions import Cancelled, InfoReceived
from sip.dialog import (
    address_uri,
    contact_target,
    credentials_of,
    cseq_of,
    dialog_head,
    response_head,
    resubmit,
    route_set,
    routing,
)
from sip.errors import SipParseError
from sip.flow import Flow
from sip.message import Request, Response
from sip.next_hop import choose_hop, reply_to
from sip.session import ALLOW, SUPPORTED, Endpoint, Out
from sip.session_challenge import with_credentials
from sip.session_state import Draft, Session
from sip.transaction import Finished, Transaction

MAX_INFOS = 64
"""INFO requests that may wait for the answer to the one before."""
MAX_CREDENTIAL_ROUNDS = 2


def bye(endpoint: Endpoint, session: Session, headers: str, now: float, out: Out) -> None:
    """End a session that was answered; while our 2xx has no ACK the BYE waits for it (§15)."""
    if session.state == "closing" or session.ending is not None:
        return
    if session.state == "answered" and session.role == "uas":
        session.ending = headers
        return
    if session.invite_key and (session.state == "answered" or not session.has_offer):
        # The peer waits for the answer to its offer: an ACK it must have, and then the BYE.
        finished = endpoint.transactions.finished_clients.get(session.invite_key)
        if finished is not None and not finished.last:
            endpoint.acknowledge(session, finished, b"", now, out)
    send_bye(endpoint, session, headers, now, out)


def send_bye(endpoint: Endpoint, session: Session, headers: str, now: float, out: Out) -> None:
    refuse_pending(endpoint, session, now, out)
    session.state = "closing"
    session.ending = None
    endpoint.request(session, "BYE", "bye", now, out, headers)


def refuse_pending(endpoint: Endpoint, session: Session, now: float, out: Out) -> None:
    """487 to what the peer still waits for when the session ends (§15.1.2)."""
    if endpoint.refers:
        _refuse_refers(endpoint, session, now, out)
    if not session.offer_key and not session.invite_key:
        return
    for key in (session.offer_key, session.invite_key):
        t = endpoint.transactions.servers.get(key) if key else None
        if t is not None:
            endpoint.answer(t, 487, "Request Terminated", now, out)
    session.offer_key = ""


def _refuse_refers(endpoint: Endpoint, session: Session, now: float, out: Out) -> None:
    for watch in [each for each in endpoint.refers.values() if each.session is session and not each.is_accepted]:
        del endpoint.refers[watch.key]
        refer = endpoint.transactions.servers.get(watch.key)
        if refer is not None:
            endpoint.answer(refer, 487, "Request Terminated", now, out)


def answer_in_dialog(
    endpoint: Endpoint,
    session: Session,
    request: Request,
    key: str,
    now: float,
    out: Out,
    status: str,
    headers: str = "",
) -> None:
    """Answer a request inside the dialog that nobody has to be asked about; `key` is its transaction's."""
    head = response_head(request, session.id)
    data = f"SIP/2.0 {status}\r\n{head}{headers}Content-Length: 0\r\n\r\n".encode("utf-8", "surrogateescape")
    endpoint.transactions.answer_at_once(key, reply_to(request), data, now, out)


def on_bye(endpoint: Endpoint, session: Session, request: Request, key: str, now: float, out: Out) -> None:
    if session.role == "uac" and session.state in ("calling", "early", "cancelling", "cancelled"):
        # The callee may not send BYE in an early dialog (§15).
        answer_in_dialog(endpoint, session, request, key, now, out, "481 Call/Transaction Does Not Exist")
        return
    answer_in_dialog(endpoint, session, request, key, now, out, "200 OK")
    if session.state == "closing":
        return
    reason = request.headers.get("Reason", "")
    refuse_pending(endpoint, session, now, out)
    if session.state in ("incoming", "early"):
        endpoint.remove(session)
        out.append(Cancelled(session.id, reason))
    elif session.ending is not None:
        endpoint.close(session, out)
    else:
        endpoint.end(session, "bye", reason, out)


def on_bye_response(
    endpoint: Endpoint, t: Transaction, status: int, response: Response | None, now: float, out: Out
) -> None:
    session = endpoint.sessions.get(t.user)
    if status < 200 or session is None:
        return
    if response is not None and status in (401, 407) and retry_with_credentials(endpoint, t, response, now, out):
        return
    endpoint.close(session, out)


def info(endpoint: Endpoint, session: Session, content_type: str, body: bytes, now: float, out: Out) -> None:
    # In an early dialog of ours nobody knows yet which fork will answer.
    if session.state == "confirmed" or (session.state == "early" and session.role == "uas"):
        # One at a time: a later CSeq that overtakes an earlier one makes the peer refuse that (§12.2.2).
        if len(session.infos) >= MAX_INFOS:
            return
        session.infos.append((content_type, body))
        if len(session.infos) == 1:
            _send_info(endpoint, session, now, out)


def _send_info(endpoint: Endpoint, session: Session, now: float, out: Out) -> None:
    content_type, body = session.infos[0]
    tail = f"Content-Type: {content_type}\r\n" if body else ""
    endpoint.request(session, "INFO", "info", now, out, tail, body)


def on_info(endpoint: Endpoint, session: Session, request: Request, key: str, now: float, out: Out) -> None:
    answer_in_dialog(endpoint, session, request, key, now, out, "200 OK")
    if session.state != "closing":
        out.append(InfoReceived(session.id, request.content_type, request.body))


def on_info_response(
    endpoint: Endpoint, t: Transaction, status: int, response: Response | None, now: float, out: Out
) -> None:
    """481 or no answer at all means that the peer lost the dialog (§12.2.1.2)."""
    session = endpoint.sessions.get(t.user)
    if status < 200 or session is None or session.state == "closing":
        return
    if response is not None and status in (401, 407) and retry_with_credentials(endpoint, t, response, now, out):
        return
    if status in (408, 481):
        lose_dialog(endpoint, session, status, now, out)
        return
    del session.infos[:1]
    if session.infos:
        _send_info(endpoint, session, now, out)


def lose_dialog(endpoint: Endpoint, session: Session, status: int, now: float, out: Out) -> None:
    """The peer does not know the dialog (481), or does not answer in it (408, then BYE to be sure)."""
    refuse_pending(endpoint, session, now, out)
    if status == 408:
        endpoint.request(session, "BYE", "detached", now, out)
    endpoint.end(session, "dialog_lost", "", out)


def on_options(endpoint: Endpoint, session: Session, request: Request, key: str, now: float, out: Out) -> None:
    contact = endpoint.contact(reply_to(request), "")
    headers = f"{contact}Allow: {ALLOW}\r\nAccept: application/sdp\r\nSupported: {SUPPORTED}\r\n"
    answer_in_dialog(endpoint, session, request, key, now, out, "200 OK", headers)


# -- credentials -------------------------------------------------------------------------------------------------------


def retry_with_credentials(
    endpoint: Endpoint,
    t: Transaction,
    response: Response | None,
    now: float,
    out: Out,
    *,
    session: Session | None = None,
) -> bool:
    """Send the request of `t` again with credentials for the challenge in `response`. False: we have none that fit, or
    tried twice."""
    if t.credentials is None or response is None or t.rounds >= MAX_CREDENTIAL_ROUNDS:
        return False
    audience = t.credentials.audience
    asked_by = response.flow.host if response.flow is not None else t.flow.host
    if audience is not None and not {t.flow.host, asked_by} <= audience.hosts:
        # Whoever we were led to (a callee's Contact, a redirection) is not whom the password is for.
        return False
    session = session or endpoint.sessions.get(t.user)
    cseq = cseq_of(t.last) + 1
    if session is not None:
        cseq = max(session.local_cseq + 1, cseq)
    via, branch = endpoint.via(t.flow)
    data = with_credentials(
        t.last,
        response,
        t.credentials,
        via,
        cseq,
        endpoint.token(16),
        is_in_dialog=t.usage not in ("invite", "request"),
    )
    if data is None:
        return False
    again = endpoint.transactions.start_client(
        f"{branch} {t.method}", t.method, data, t.flow, t.user, t.usage, now, out
    )
    again.credentials = t.credentials
    again.rounds = t.rounds + 1
    again.n_tries = t.n_tries
    if session is not None:
        session.local_cseq = cseq
        if t.method == "INVITE":
            session.invite_key = again.key
            session.invite_cseq = cseq
    return True


def resend(endpoint: Endpoint, t: Transaction, flow: Flow, via: str, branch: str, now: float, out: Out) -> None:
    """Send the request of the failed `t` by its next flow, as a new transaction (§18.1.1, RFC 3263 §4.3)."""
    data = resubmit(t.last, via, cseq_of(t.last))
    again = endpoint.transactions.start_client(f"{branch} {t.method}", t.method, data, flow, t.user, t.usage, now, out)
    again.credentials = t.credentials
    again.rounds = t.rounds
    again.n_tries = t.n_tries
    again.other_flows = t.other_flows[1:]
    session = endpoint.sessions.get(t.user)
    if session is not None and t.method == "INVITE":
        session.invite_key = again.key


# -- 2xx nobody waits for ----------------------------------------------------------------------------------------------


def note_accepted(endpoint: Endpoint, t: Transaction, response: Response) -> Finished | None:
    """Write into what is left of our accepted INVITE what repeated 2xx are compared with."""
    finished = endpoint.transactions.finished_clients.entries.get(t.key)
    if finished is not None:
        finished.remote_tag = response.to_tag
        if t.credentials is not None:
            finished.ack_headers = credentials_of(t.last)
    return finished


def dialog_of_response(endpoint: Endpoint, response: Response) -> tuple[str, str, Flow] | None:
    """(Request-URI, header block, flow) of the dialog that a response to an INVITE of ours makes, of nothing but the
    response; None when it cannot be."""
    flow = response.flow
    if flow is None:
        return None
    try:
        target = contact_target(response) or address_uri(response.headers["To"])
        routes = route_set(response, reverse=True)
        uri, lines = routing(target, routes)
        hop = choose_hop(address_uri(routes[0]) if routes else target, flow, endpoint.listeners, is_direct=not routes)
    except SipParseError:
        return None
    if isinstance(hop, str):
        # Not worth a look-up: whoever sent the 2xx can be reached the way it came.
        hop = flow
    return uri, dialog_head(response.headers["From"], response.headers["To"], response.call_id, lines), hop


def acknowledge_stray(
    endpoint: Endpoint, response: Response, finished: Finished | None, out: Out
) -> tuple[Draft, Flow] | None:
    """ACK a 2xx for which no session is (any more). The ACK and its flow, or None."""
    dialog = dialog_of_response(endpoint, response)
    if dialog is None:
        return None
    uri, head, hop = dialog
    ack_headers = finished.ack_headers if finished is not None else ""
    ack = Draft("ACK", uri, head, response.cseq, ack_headers, b"", "", "ack")
    endpoint.send_ack(ack, hop, finished, out)
    return ack, hop
