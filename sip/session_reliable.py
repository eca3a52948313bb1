"""Provisional responses that arrive: 100rel and PRACK in both roles (RFC 3262). Pure.

Ours with SDP are sent reliably to callers that can take it, all of them to callers that demand it; one at a time, the
next (or the 2xx) when its PRACK has come. Theirs are acknowledged at once, each fork in its own early dialog.
"""

from sip import limits
from sip.actions import Confirmed, Ended, Offered, Send
from sip.dialog import response_head
from sip.errors import SipParseError
from sip.headers import parse_integer
from sip.message import Message, Request, Response
from sip.next_hop import reply_to
from sip.session import SUPPORTED, Endpoint, Out
from sip.session_requests import answer_in_dialog, dialog_of_response, retry_with_credentials
from sip.session_state import Draft, Reliable, Session
from sip.transaction import Transaction

MAX_QUEUED = 8
"""Reliable responses that wait for the one before."""
MAX_FORKS = 16
"""Early dialogs of one INVITE whose sequence is followed."""
MAX_RSEQ = 2**32 - 1


def wish(request: Request) -> str:
    """required, supported or "": what a caller says of 100rel.

    Raises:
        SipParseError: 400, a list that cannot be read.
    """
    if _names(request, "Require"):
        return "required"
    return "supported" if _names(request, "Supported") else ""


def _names(message: Message, header: str) -> bool:
    value = message.headers.get(header, "")
    return "100rel" in value.lower() and any(tag.lower() == "100rel" for tag in message.all(header))


# -- ours --------------------------------------------------------------------------------------------------------------


def is_needed(session: Session, status: int, body: bytes) -> bool:
    """Whether this provisional response has to arrive (§3)."""
    return status > 100 and (session.reliability == "required" or (session.reliability == "supported" and bool(body)))


def send(
    endpoint: Endpoint,
    session: Session,
    t: Transaction,
    status: int,
    reason: str,
    now: float,
    out: Out,
    headers: str,
    body: bytes,
) -> None:
    """`headers` are whole lines, Contact and Content-Type included."""
    waiting = endpoint.reliable.get(session.id)
    if waiting is not None:
        if len(waiting.queue) < MAX_QUEUED:
            waiting.queue.append((status, reason, headers, body))
        return
    session.rseq = session.rseq + 1 if session.rseq else endpoint.random(10_000) + 1
    data = endpoint.answer(t, status, reason, now, out, f"Require: 100rel\r\nRSeq: {session.rseq}\r\n{headers}", body)
    if body and not session.peer_updates:
        session.local_sdp = body
    timers = endpoint.timers
    reliable = endpoint.reliable[session.id] = Reliable(
        0.0, session.id, data, t.flow, session.rseq, t.cseq, timers.t1, timers.timeout - timers.t1
    )
    reliable.has_sdp = bool(body)
    endpoint.lanes.arm(reliable, now, timers.t1)


def holds_back(endpoint: Endpoint, session: Session) -> Reliable | None:
    """The response without whose PRACK no 2xx may go out, because it carries SDP (§3)."""
    reliable = endpoint.reliable.get(session.id)
    return reliable if reliable is not None and (reliable.has_sdp or any(body for *_, body in reliable.queue)) else None


def on_timer(endpoint: Endpoint, reliable: Reliable, now: float, out: Out) -> None:
    """Time to repeat it, or after 64*T1 without PRACK to give the call up (§3)."""
    if reliable.left > 1e-6:
        out.append(Send(reliable.data, reliable.flow))
        endpoint.transactions.stats.n_retransmitted += 1
        reliable.interval = min(reliable.interval * 2, reliable.left)
        reliable.left -= reliable.interval
        endpoint.lanes.arm(reliable, now, reliable.interval)
        return
    endpoint.reliable.pop(reliable.session, None)
    session = endpoint.sessions.get(reliable.session)
    t = endpoint.transactions.servers.get(session.invite_key) if session is not None else None
    if session is None or t is None:
        return
    endpoint.answer(t, 504, "Server Time-out", now, out)
    endpoint.remove(session)
    out.append(Ended(session.id, "no_prack", ""))


def on_prack(endpoint: Endpoint, session: Session, request: Request, key: str, now: float, out: Out) -> list[Reliable]:
    """Their PRACK. What may follow now is in the queue of what is returned; the caller sends it.

    Raises:
        SipParseError: 400, a RAck that cannot be read.
    """
    reliable = endpoint.reliable.get(session.id)
    if reliable is None or _parse_rack(request) != (reliable.rseq, reliable.cseq):
        answer_in_dialog(endpoint, session, request, key, now, out, "481 Call/Transaction Does Not Exist")
        return []
    is_answer_due = reliable.has_sdp and not session.has_offer and not session.is_agreed
    if is_answer_due and not request.body:
        raise SipParseError("no answer to the offer in PRACK")
    del endpoint.reliable[session.id]
    reliable.deadline = 0.0
    session.is_agreed = session.is_agreed or reliable.has_sdp
    if is_answer_due or not request.body:
        answer_in_dialog(endpoint, session, request, key, now, out, "200 OK")
        if is_answer_due:
            out.append(Confirmed(session.id, request.body))
    elif not session.is_agreed or session.offer_key:
        # An offer while another one is open (RFC 3261 §13.2.1): the PRACK counts, its offer does not.
        answer_in_dialog(endpoint, session, request, key, now, out, "488 Not Acceptable Here")
    else:
        head = response_head(request, session.id)
        t = endpoint.transactions.start_server(key, "PRACK", reply_to(request), head, now, out)
        t.user, t.usage, t.cseq = session.id, "offer", request.cseq
        session.offer_key = key
        out.append(Offered(session.id, request.body))
    return [reliable]


def _parse_rack(request: Request) -> tuple[int, int]:
    words = request.headers.get("RAck", "").split()
    if len(words) != 3:
        raise SipParseError("malformed RAck")
    rseq = parse_integer(words[0], MAX_RSEQ, "RAck")
    cseq = parse_integer(words[1], limits.MAX_CSEQ, "RAck")
    return (rseq, cseq) if words[2] == "INVITE" else (-1, cseq)


def invite_lines(reliable: str) -> str:
    """Supported, and Require, of an INVITE of ours: `reliable` is off, supported or required."""
    if reliable == "off":
        return f"Supported: {SUPPORTED.removeprefix('100rel, ')}\r\n"
    return f"Supported: {SUPPORTED}\r\n" + "Require: 100rel\r\n" * (reliable == "required")


# -- theirs ------------------------------------------------------------------------------------------------------------


def acknowledge(endpoint: Endpoint, session: Session, response: Response, now: float, out: Out) -> bool:
    """PRACK a provisional response that asks for it (§4). False: it is a repetition, or one before it is missing."""
    if "RSeq" not in response.headers:
        return True
    try:
        if not _names(response, "Require"):
            return True
        rseq = parse_integer(response.headers["RSeq"], MAX_RSEQ, "RSeq")
    except SipParseError:
        return True
    seen = session.remote_rseqs.get(response.to_tag)
    if (seen is not None and rseq != seen + 1) or (seen is None and len(session.remote_rseqs) >= MAX_FORKS):
        return False
    dialog = dialog_of_response(endpoint, response)
    if dialog is None:
        return False
    uri, head, flow = dialog
    session.remote_rseqs = session.remote_rseqs | {response.to_tag: rseq}
    session.local_cseq += 1
    tail = f"RAck: {rseq} {response.cseq} INVITE\r\n"
    draft = Draft("PRACK", uri, head, session.local_cseq, tail, b"", session.id, "prack", session.credentials)
    endpoint.submit(draft, flow, now, out)
    if response.body and session.has_offer:
        session.is_agreed = True
    return True


def on_prack_response(
    endpoint: Endpoint, t: Transaction, status: int, response: Response | None, now: float, out: Out
) -> None:
    """Refused or lost, the call goes on: its final response decides."""
    if response is not None and status in (401, 407):
        retry_with_credentials(endpoint, t, response, now, out)
