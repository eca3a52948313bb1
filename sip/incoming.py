"""What arrives: matched to its transaction, then to its session, else checked and handed over or refused.

RFC 3261 §8.2, §9.2, §12.2.2, §17.1.3, §17.2.3, §18.1.2. Pure; called by `SipStack`.
"""

import zlib

from sip import (
    session_offer,
    session_refer,
    session_reliable,
    session_reoffer,
    session_requests,
    session_timer,
    session_uac,
    session_uas,
)
from sip.actions import Action, Ended, IncomingRequest, RequestDone, Send
from sip.admission import Admission
from sip.dialog import response_head
from sip.errors import SipParseError
from sip.message import Request, Response, build_response, note_source
from sip.next_hop import reply_to
from sip.session import EXTENSIONS, Endpoint, Out
from sip.session_ack import on_ack
from sip.session_state import Session
from sip.transaction import RESPONSE_INPUT, Transaction
from sip.validate import Refusal, check_request, check_response

DIALOG_METHODS = frozenset(("INVITE", "ACK", "BYE", "CANCEL", "INFO", "PRACK", "UPDATE"))
IN_DIALOG_METHODS = DIALOG_METHODS | {"OPTIONS", "REFER", "NOTIFY", "SUBSCRIBE"}


class Limits:
    """How much a stack takes on before it answers 503."""

    __slots__ = ("admission", "max_sessions", "max_transactions", "methods", "retry_after_s")

    def __init__(
        self,
        max_sessions: int,
        max_transactions: int,
        methods: frozenset[str],
        retry_after_s: int,
        admission: Admission,
    ) -> None:
        self.max_sessions = max_sessions
        self.max_transactions = max_transactions
        self.methods = methods | DIALOG_METHODS
        self.retry_after_s = retry_after_s
        self.admission = admission


# -- responses ---------------------------------------------------------------------------------------------------------


def on_response(endpoint: Endpoint, response: Response, now: float, out: Out) -> None:
    if check_response(response, endpoint.sent_bys):
        endpoint.stats.n_unmatched += 1
        return
    transactions = endpoint.transactions
    key = f"{response.branch} {response.method}"
    event = RESPONSE_INPUT[response.status // 100]
    t = transactions.clients.get(key)
    if t is not None:
        if transactions.step(t, event, now, out, b"", response):
            HANDLERS[t.usage](endpoint, t, response.status, response, now, out)
        return
    finished = transactions.finished_clients.entries.get(key)
    if finished is None:
        endpoint.stats.n_unmatched += 1
    elif transactions.step_finished(finished, event, out):
        session_uac.on_repeated_2xx(endpoint, key, finished, response, now, out)


def on_failure(endpoint: Endpoint, t: Transaction, status: int, now: float, out: Out) -> None:
    """A transaction timed out (408) or lost its transport (503), and its user must know."""
    session = endpoint.sessions.get(t.user)
    if t.head:
        if session is not None and t.usage == "invite":
            endpoint.remove(session)
            out.append(Ended(session.id, "transport_failed", ""))
        return
    is_given_up = session is not None and session.state in ("cancelling", "cancelled")
    if t.other_flows and not is_given_up:
        via, branch = endpoint.via(t.other_flows[0])
        session_requests.resend(endpoint, t, t.other_flows[0], via, branch, now, out)
        return
    HANDLERS[t.usage](endpoint, t, status, None, now, out)


def _on_outside_response(
    endpoint: Endpoint, t: Transaction, status: int, response: Response | None, now: float, out: Out
) -> None:
    if status < 200:
        return
    if (
        response is not None
        and status in (401, 407)
        and session_requests.retry_with_credentials(endpoint, t, response, now, out)
    ):
        return
    out.append(RequestDone(t.user, response))


def _ignore(
    endpoint: Endpoint, t: Transaction, status: int, response: Response | None, now: float, out: list[Action]
) -> None:
    """Nobody waits for the outcome."""


HANDLERS = {
    "invite": session_uac.on_response,
    "reinvite": session_reoffer.on_response,
    "bye": session_requests.on_bye_response,
    "info": session_requests.on_info_response,
    "refresh": session_reoffer.on_refresh_response,
    "refer": session_refer.on_refer_response,
    "notify": session_refer.on_notify_response,
    "prack": session_reliable.on_prack_response,
    "request": _on_outside_response,
    "cancel": _ignore,
    "detached": _ignore,
}


# -- requests ----------------------------------------------------------------------------------------------------------


def server_key(request: Request, method: str) -> str:
    """What a request has in common with its retransmissions, its CANCEL and the ACK to its failure (§17.2.3)."""
    if request.branch.startswith("z9hG4bK"):
        return f"{request.branch} {request.sent_by} {method}"
    # RFC 2543 peers: the To tag is left out, because it is ours and new in the ACK.
    return f"{request.uri} {request.from_tag} {request.call_id} {request.cseq} {request.via} {method}"


def on_request(endpoint: Endpoint, limits: Limits, request: Request, now: float, out: Out) -> None:
    """Raises:
    SipParseError: with the status to refuse the request with.
    """
    transactions = endpoint.transactions
    method = request.method
    if method == "ACK":
        key = server_key(request, "INVITE")
        event = "ack"
    else:
        key = server_key(request, method)
        event = "request"
    t = transactions.servers.get(key)
    if t is not None:
        transactions.step(t, event, now, out)
        return
    finished = transactions.finished_servers.entries.get(key)
    if finished is not None and not transactions.step_finished(finished, event, out):
        return
    if method == "ACK":
        session = find_session(endpoint, request)
        if session is None:
            endpoint.stats.n_unmatched += 1
        else:
            on_ack(endpoint, session, request, now, out)
        return
    if request.flow is not None:
        note_source(request, request.flow)
    if method == "CANCEL":
        _on_cancel(endpoint, request, now, out)
    elif request.to_tag:
        _on_request_in_dialog(endpoint, limits, request, key, now, out)
    else:
        _on_new_request(endpoint, limits, request, key, now, out)


def find_session(endpoint: Endpoint, request: Request) -> Session | None:
    """The session of a request inside a dialog, by Call-ID and both tags (§12.2.2)."""
    session = endpoint.sessions.get(request.to_tag)
    if session is None or session.call_id != request.call_id:
        return None
    if session.remote_tag == request.from_tag or (session.role == "uac" and session.state in _UNSETTLED):
        return session
    return None


_UNSETTLED = frozenset(("early", "cancelling", "cancelled"))
"""Our INVITE may have several early dialogs, each with its own remote tag."""


def _on_cancel(endpoint: Endpoint, request: Request, now: float, out: Out) -> None:
    key = server_key(request, "INVITE")
    t = endpoint.transactions.servers.get(key)
    finished = endpoint.transactions.finished_servers.entries.get(key)
    if t is not None and request.flow is not None and request.flow.host != t.flow.host:
        # Whoever guessed or overheard a branch ends no call from elsewhere (§9.2 asks for the INVITE's own client).
        t = None
        finished = None
    if t is None and finished is None:
        refuse(endpoint, request, 481, "Call/Transaction Does Not Exist", out)
        return
    user = t.user if t is not None else finished.user if finished is not None else ""
    out.append(Send(build_response(request, 200, "OK", to_tag=user or _tag(request)), reply_to(request)))
    if t is not None:
        session_uas.on_cancel(endpoint, request, t, now, out)


def _on_request_in_dialog(endpoint: Endpoint, limits: Limits, request: Request, key: str, now: float, out: Out) -> None:
    method = request.method
    session = find_session(endpoint, request)
    if session is None:
        if method == "SUBSCRIBE" and method in limits.methods:
            # Subscriptions are dialogs that the application keeps.
            _on_new_request(endpoint, limits, request, key, now, out)
            return
        refuse(endpoint, request, 481, "Call/Transaction Does Not Exist", out)
        return
    # Each fork of our INVITE counts for itself.
    is_counted = session.role != "uac" or session.state not in _UNSETTLED
    if is_counted and request.cseq <= session.remote_cseq:
        refuse(endpoint, request, 500, "CSeq Out Of Order", out)
        return
    denied = limits.admission.admit(request, session, now)
    if denied is not None:
        refuse(endpoint, request, denied.status, denied.reason, out, denied.headers)
        return
    if is_counted:
        session.remote_cseq = request.cseq
    refusal = check_request(request, supported_methods=IN_DIALOG_METHODS, supported_extensions=EXTENSIONS)
    if refusal is None:
        handle = _IN_DIALOG.get(method)
        try:
            if handle is not None:
                handle(endpoint, session, request, key, now, out)
                return
            head = response_head(request, session.id)
            t = endpoint.transactions.start_server(key, method, reply_to(request), head, now, out)
            session_offer.on_offer(endpoint, session, request, t, now, out)
            return
        except SipParseError as error:
            refusal = Refusal(error.status, error.reason)
    _refuse_in_dialog(endpoint, session, request, key, refusal, now, out)


def _refuse_in_dialog(
    endpoint: Endpoint, session: Session, request: Request, key: str, refusal: Refusal, now: float, out: Out
) -> None:
    """Remembered, unlike other refusals: the CSeq is used up, and a retransmission must get the same answer."""
    endpoint.stats.n_refused += 1
    transactions = endpoint.transactions
    t = transactions.servers.get(key) or transactions.start_server(
        key, request.method, reply_to(request), response_head(request, session.id), now, out
    )
    endpoint.answer(t, refusal.status, refusal.reason, now, out, refusal.headers)


_IN_DIALOG = {
    "BYE": session_requests.on_bye,
    "INFO": session_requests.on_info,
    "OPTIONS": session_requests.on_options,
    "REFER": session_refer.on_refer,
    "NOTIFY": session_refer.on_notify,
    "PRACK": session_uas.on_prack,
    "SUBSCRIBE": session_refer.on_subscribe,
}


def _on_new_request(endpoint: Endpoint, limits: Limits, request: Request, key: str, now: float, out: Out) -> None:
    method = request.method
    is_invite = method == "INVITE"
    transactions = endpoint.transactions
    if len(transactions.servers) >= limits.max_transactions or (
        is_invite and len(endpoint.sessions) >= limits.max_sessions
    ):
        endpoint.stats.n_overload += 1
        refuse(endpoint, request, 503, "Service Unavailable", out, f"Retry-After: {limits.retry_after_s}\r\n")
        return
    refusal = check_request(request, supported_methods=limits.methods, supported_extensions=EXTENSIONS)
    merge_key = f"{request.call_id} {request.from_tag} {request.cseq} {method}"
    if refusal is None and is_invite and "Session-Expires" in request.headers:
        refusal = session_timer.check_interval(endpoint, request)
    if refusal is None and is_invite and _is_loop(endpoint, request):
        refusal = _MERGED
    if refusal is None and not is_invite and method in DIALOG_METHODS:
        refusal = _NO_DIALOG
    elif refusal is None and merge_key in endpoint.merged.entries:
        refusal = _MERGED
    if refusal is None:
        refusal = limits.admission.admit(request, None, now)
    if refusal is not None:
        refuse(endpoint, request, refusal.status, refusal.reason, out, refusal.headers)
        return
    flow = reply_to(request)
    if is_invite:
        t = session_uas.on_invite(endpoint, request, key, flow, now, out)
    else:
        tag = request.to_tag or endpoint.token(16)
        t = transactions.start_server(key, method, flow, response_head(request, tag), now, out)
        out.append(IncomingRequest(key, request, tag))
    t.merge_key = merge_key
    endpoint.merged.put(merge_key, key, now, endpoint.transactions.timeout_s)


_NO_DIALOG = Refusal(481, "Call/Transaction Does Not Exist")
_MERGED = Refusal(482, "Loop Detected")


def _is_loop(endpoint: Endpoint, request: Request) -> bool:
    """Our own INVITE comes back to us for the same user: a loop; for another one it is a spiral, and served (RFC 5393
    §4.2.1). Loops through others that make it a new dialog are ended by Max-Forwards, which is handed on (RFC 7332)."""
    ours = endpoint.sessions.get(request.from_tag)
    if ours is None or ours.role != "uac" or ours.call_id != request.call_id:
        return False
    return request.uri.partition("@")[0] == ours.request_uri.partition("@")[0]


def refuse(endpoint: Endpoint, request: Request, status: int, reason: str, out: Out, headers: str = "") -> None:
    """A stateless refusal (§8.2.7): a retransmission gets the same again, and nobody can fill a table with it.
    Status 0: none at all."""
    endpoint.stats.n_refused += 1
    if not status:
        return
    data = build_response(request, status, reason, to_tag=_tag(request), headers=headers)
    out.append(Send(data, reply_to(request)))


def on_busy(endpoint: Endpoint, limits: Limits, request: Request, out: Out) -> None:
    """503 to whatever it is (RFC 7339 §5): not even looked at."""
    endpoint.stats.n_overload += 1
    if request.method != "ACK" and request.flow is not None:
        note_source(request, request.flow)
        refuse(endpoint, request, 503, "Service Unavailable", out, f"Retry-After: {limits.retry_after_s}\r\n")


def on_malformed(endpoint: Endpoint, error: SipParseError, out: Out) -> None:
    endpoint.stats.n_malformed += 1
    request = error.request_head
    if request is None or request.flow is None or request.method == "ACK":
        return
    try:
        note_source(request, request.flow)
        flow = reply_to(request)
    except SipParseError:
        flow = request.flow
    out.append(Send(build_response(request, error.status, error.reason, to_tag=_tag(request)), flow))


def _tag(request: Request) -> str:
    """A To tag that a retransmission gets again (§8.2.7)."""
    text = f"{request.call_id} {request.from_tag} {request.branch}"
    return f"{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"
