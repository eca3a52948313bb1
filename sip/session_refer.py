"""REFER inside a dialog, both ways, with the subscription it makes (RFC 3515, RFC 4488, RFC 6665).

The subscription of a peer outlives the session: who asked for a transfer mostly hangs up, and still wants to know how
it went. One NOTIFY is on its way at a time, so that none overtakes another; the newest state is what follows. Pure.
"""

from sip.actions import ReferAnswered, ReferNotified, Referred
from sip.dialog import response_head
from sip.message import Request, Response
from sip.next_hop import reply_to
from sip.refer import (
    SIPFRAG_TYPE,
    Replaces,
    event_package,
    is_terminated,
    parse_refer_to,
    parse_sipfrag,
    refer_to_line,
    referred_by,
    wants_no_subscription,
)
from sip.session import Endpoint, Out
from sip.session_requests import answer_in_dialog, lose_dialog, retry_with_credentials
from sip.session_state import ReferWatch, Session
from sip.transaction import Transaction

REFER_EXPIRES_S = 120
"""How long the subscription a REFER makes lasts unless it is refreshed."""
MAX_REFERS = 8
"""Transfers of one session that are told about at the same time."""

_REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 403: "Forbidden", 404: "Not Found",
    408: "Request Timeout", 410: "Gone", 480: "Temporarily Unavailable", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 500: "Server Internal Error", 503: "Service Unavailable", 603: "Decline",
}  # fmt: skip


# -- theirs ------------------------------------------------------------------------------------------------------------


def on_refer(endpoint: Endpoint, session: Session, request: Request, key: str, now: float, out: Out) -> None:
    """A REFER of the peer: given to the application, which answers with `accept_refer` or `refuse_refer`.

    Raises:
        SipParseError: 400 or 416, its Refer-To is of no use.
    """
    if session.state == "closing":
        answer_in_dialog(endpoint, session, request, key, now, out, "481 Call/Transaction Does Not Exist")
        return
    if session.state != "confirmed":
        answer_in_dialog(endpoint, session, request, key, now, out, "491 Request Pending")
        return
    target = parse_refer_to(request)
    by = referred_by(request)
    if target.method.upper() != "INVITE":
        answer_in_dialog(endpoint, session, request, key, now, out, "501 Not Implemented")
        return
    if sum(1 for watch in endpoint.refers.values() if watch.session is session) >= MAX_REFERS:
        answer_in_dialog(endpoint, session, request, key, now, out, "503 Service Unavailable", "Retry-After: 5\r\n")
        return
    t = endpoint.transactions.start_server(
        key, "REFER", reply_to(request), response_head(request, session.id), now, out
    )
    # The first REFER of a dialog needs no id in its NOTIFYs, and not every phone understands one (RFC 3515 §2.4.6).
    event = f"refer;id={request.cseq}" if session.n_refers else "refer"
    session.n_refers += 1
    endpoint.refers[key] = ReferWatch(0.0, key, session, event, is_wanted=not wants_no_subscription(request))
    t.user = session.id
    out.append(Referred(session.id, key, target, by))


def accept_refer(endpoint: Endpoint, key: str, now: float, out: Out) -> None:
    """202, and the first NOTIFY unless the peer wants none."""
    t, watch = endpoint.transactions.servers.get(key), endpoint.refers.get(key)
    if t is None or watch is None:
        return
    headers = endpoint.contact(t.flow, watch.session.contact_user)
    if not watch.is_wanted:
        del endpoint.refers[key]
        endpoint.answer(t, 202, "Accepted", now, out, f"{headers}Refer-Sub: false\r\n")
        return
    endpoint.answer(t, 202, "Accepted", now, out, headers)
    watch.is_accepted = True
    watch.expires_at = now + REFER_EXPIRES_S
    endpoint.lanes.arm(watch, now, float(REFER_EXPIRES_S))
    _tell(endpoint, watch, 100, "Trying", now, out)


def refuse_refer(
    endpoint: Endpoint, key: str, status: int, reason: str, now: float, out: Out, headers: str = ""
) -> None:
    """A final refusal; nothing when it is answered already."""
    t, watch = endpoint.transactions.servers.get(key), endpoint.refers.get(key)
    if t is not None and watch is not None and not watch.is_accepted:
        del endpoint.refers[key]
        endpoint.answer(t, status, reason, now, out, headers)


def report_refer(endpoint: Endpoint, key: str, status: int, reason: str, now: float, out: Out) -> None:
    """How the transfer goes; a final status ends the subscription."""
    watch = endpoint.refers.get(key)
    if watch is not None and watch.is_accepted and not watch.is_over:
        _tell(endpoint, watch, status, reason or _REASONS.get(status, "Unknown"), now, out)


def on_timer(endpoint: Endpoint, watch: ReferWatch, now: float, out: Out) -> None:
    """The subscription ran out: one last NOTIFY with what is known (RFC 6665 §4.2.2)."""
    if not watch.is_over:
        watch.why_over = "timeout"
        _tell(endpoint, watch, watch.status, watch.reason, now, out)


def on_subscribe(endpoint: Endpoint, session: Session, request: Request, key: str, now: float, out: Out) -> None:
    """A SUBSCRIBE that refreshes or ends the subscription of a REFER; no other is made inside a session.

    Raises:
        SipParseError: 400.
    """
    package, number = event_package(request)
    if package != "refer":
        headers = "Allow-Events: refer\r\n"
        answer_in_dialog(endpoint, session, request, key, now, out, "489 Bad Event", headers)
        return
    name = f"refer;id={number}" if number else ""
    watches = [each for each in endpoint.refers.values() if each.session is session and each.is_accepted]
    watch = next((each for each in watches if not name or each.event in (name, "refer")), None)
    if watch is None or watch.is_over:
        answer_in_dialog(endpoint, session, request, key, now, out, "481 Subscription Does Not Exist")
        return
    wanted = request.expires
    granted = REFER_EXPIRES_S if wanted is None else min(wanted, REFER_EXPIRES_S)
    contact = endpoint.contact(reply_to(request), session.contact_user)
    answer_in_dialog(endpoint, session, request, key, now, out, "200 OK", f"{contact}Expires: {granted}\r\n")
    watch.expires_at = now + granted
    if granted:
        endpoint.lanes.arm(watch, now, float(granted))
    else:
        watch.why_over = "timeout"
    _tell(endpoint, watch, watch.status, watch.reason, now, out)


def _tell(endpoint: Endpoint, watch: ReferWatch, status: int, reason: str, now: float, out: Out) -> None:
    watch.status, watch.reason = status, reason
    if status >= 200 and not watch.why_over:
        watch.why_over = "noresource"
    if watch.is_sending:
        watch.has_news = True
        return
    watch.is_sending = True
    watch.has_news = False
    if watch.why_over:
        state = f"terminated;reason={watch.why_over}"
        watch.is_over = True
        watch.deadline = 0.0
    else:
        state = f"active;expires={max(0, round(watch.expires_at - now))}"
    tail = f"Event: {watch.event}\r\nSubscription-State: {state}\r\nContent-Type: {SIPFRAG_TYPE}\r\n"
    body = f"SIP/2.0 {status} {reason}\r\n".encode("utf-8", "surrogateescape")
    endpoint.request(watch.session, "NOTIFY", "notify", now, out, tail, body, user=watch.key)


def on_notify_response(
    endpoint: Endpoint, t: Transaction, status: int, response: Response | None, now: float, out: Out
) -> None:
    """481 or silence ends this subscription and nothing else (RFC 5057 §5.1)."""
    watch = endpoint.refers.get(t.user)
    if status < 200 or watch is None:
        return
    is_challenge = response is not None and status in (401, 407)
    if is_challenge and retry_with_credentials(endpoint, t, response, now, out, session=watch.session):
        return
    watch.is_sending = False
    if watch.is_over or status >= 300:
        watch.deadline = 0.0
        del endpoint.refers[t.user]
    elif watch.has_news:
        _tell(endpoint, watch, watch.status, watch.reason, now, out)


# -- ours --------------------------------------------------------------------------------------------------------------


def refer(
    endpoint: Endpoint,
    session: Session,
    uri: str,
    replaces: Replaces | None,
    by: str,
    now: float,
    out: Out,
    *,
    is_watched: bool = True,
) -> bool:
    """Ask the peer to call `uri`. One at a time in a session; False: not now."""
    if session.state != "confirmed" or session.is_referring:
        return False
    session.is_referring = True
    tail = refer_to_line(uri, replaces)
    if by:
        tail += f"Referred-By: {by}\r\n"
    if not is_watched:
        tail += "Supported: norefersub\r\nRefer-Sub: false\r\n"
    endpoint.request(session, "REFER", "refer", now, out, tail)
    return True


def on_refer_response(
    endpoint: Endpoint, t: Transaction, status: int, response: Response | None, now: float, out: Out
) -> None:
    session = endpoint.sessions.get(t.user)
    if status < 200 or session is None or session.state == "closing":
        return
    if response is not None and status in (401, 407) and retry_with_credentials(endpoint, t, response, now, out):
        return
    if status in (408, 481):
        session.is_referring = False
        lose_dialog(endpoint, session, status, now, out)
        return
    is_watched = status < 300 and response is not None and not wants_no_subscription(response)
    # A NOTIFY that overtook the 202 may have ended it already.
    was_referring, session.is_referring = session.is_referring, session.is_referring and is_watched
    if was_referring:
        out.append(ReferAnswered(session.id, status, is_watched))


def on_notify(endpoint: Endpoint, session: Session, request: Request, key: str, now: float, out: Out) -> None:
    """How a transfer goes that we asked the peer for.

    Raises:
        SipParseError: 400.
    """
    package, _ = event_package(request)
    if package != "refer":
        headers = "Allow-Events: refer\r\n"
        answer_in_dialog(endpoint, session, request, key, now, out, "489 Bad Event", headers)
        return
    if not session.is_referring or session.state == "closing":
        answer_in_dialog(endpoint, session, request, key, now, out, "481 Subscription Does Not Exist")
        return
    answer_in_dialog(endpoint, session, request, key, now, out, "200 OK")
    found = parse_sipfrag(request.body)
    status, reason = found if found is not None else (0, "")
    is_final = is_terminated(request) or status >= 200
    if is_final:
        session.is_referring = False
    if status or is_final:
        out.append(ReferNotified(session.id, status, reason, is_final))


# -- Replaces ----------------------------------------------------------------------------------------------------------


def find_replaced(endpoint: Endpoint, replaces: Replaces) -> tuple[str, int, str]:
    """(session, 0, "") that an INVITE with this Replaces takes the place of, else ("", status, reason): RFC 3891 §3."""
    session = endpoint.sessions.get(replaces.to_tag)
    if session is None or session.call_id != replaces.call_id or session.remote_tag != replaces.from_tag:
        return "", 481, "Call/Transaction Does Not Exist"
    match session.state:
        case "closing" | "cancelling" | "cancelled":
            return "", 603, "Decline"
        case "confirmed" | "answered":
            return ("", 486, "Busy Here") if replaces.early_only else (session.id, 0, "")
        case _ if session.role == "uas":
            # Only who rings somebody may be told to stop it.
            return "", 481, "Call/Transaction Does Not Exist"
        case _:
            return session.id, 0, ""
