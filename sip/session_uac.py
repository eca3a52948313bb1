"""Our INVITE: its responses, forks, CANCEL and the ACK (RFC 3261 §9.1, §13.2; RFC 6026 for the 2xx that come again)."""

from sip.actions import Answered, Progressed, Rejected, Send
from sip.dialog import contact_target, render_cancel, route_set
from sip.errors import SipParseError
from sip.flow import Flow
from sip.message import Response
from sip.session import Endpoint, Out
from sip.session_reliable import acknowledge as acknowledge_provisional
from sip.session_requests import acknowledge_stray, note_accepted, send_bye
from sip.session_state import Draft, Session
from sip.session_timer import note_response, sent_again, start
from sip.transaction import Finished, Transaction


def invite(
    endpoint: Endpoint, session: Session, draft: Draft, flow: Flow | None, hop_uri: str, now: float, out: Out
) -> None:
    """Send the first INVITE of a new session, by `flow` or to wherever `hop_uri` leads."""
    endpoint.sessions[session.id] = session
    endpoint.stats.n_sessions += 1
    if flow is None:
        waiting = endpoint.waiting_of[session.id] = endpoint.ask(hop_uri, 0, now, out)
        waiting.session = session.id
        waiting.drafts.append(draft)
        return
    session.invite_key = endpoint.submit(draft, flow, now, out).key


def on_response(
    endpoint: Endpoint, t: Transaction, status: int, response: Response | None, now: float, out: Out
) -> None:
    """A response to our first INVITE; `response` None: it timed out (408) or could not be sent (503)."""
    session = endpoint.sessions.get(t.user)
    if status < 200 and response is not None:
        if session is not None:
            _on_provisional(endpoint, session, t, response, now, out)
    elif status < 300 and response is not None:
        _on_first_2xx(endpoint, session, t, response, now, out)
    elif session is None:
        return
    elif session.state in ("cancelling", "cancelled"):
        endpoint.close(session, out)
    elif sent_again(endpoint, session, t, response, now, out):
        return
    else:
        reason = response.reason if response is not None else _REASON.get(status, "")
        endpoint.remove(session)
        out.append(Rejected(session.id, status, reason, response))


_REASON = {408: "Request Timeout", 503: "Service Unavailable"}


def _on_provisional(
    endpoint: Endpoint, session: Session, t: Transaction, response: Response, now: float, out: Out
) -> None:
    if session.state == "cancelling":
        # CANCEL had to wait for the first provisional response (§9.1).
        _send_cancel(endpoint, session, t, now, out)
    if session.state == "cancelled":
        return
    if session.state == "calling":
        session.state = "early"
    if response.status > 100:
        if not acknowledge_provisional(endpoint, session, response, now, out):
            return
        if response.to_tag:
            session.remote_tag = response.to_tag
        out.append(
            Progressed(
                session.id,
                response.status,
                response.reason,
                response.body,
                response.to_tag,
                response.headers.get("P-Early-Media", ""),
            )
        )


def _on_first_2xx(
    endpoint: Endpoint, session: Session | None, t: Transaction, response: Response, now: float, out: Out
) -> None:
    finished = note_accepted(endpoint, t, response)
    if session is None or session.state not in ("calling", "early", "cancelling", "cancelled"):
        end_fork(endpoint, response, finished, now, out)
        return
    session.remote_tag = response.to_tag
    session.invite_cseq = response.cseq
    flow = response.flow or t.flow
    try:
        target = contact_target(response) or session.remote_target
        routes = route_set(response, reverse=True)
        endpoint.establish(session, session.local, response.headers["To"], target, routes, flow)
    except SipParseError:
        # It cannot be routed as it wishes; the peer that answered is still at the other end of the flow.
        endpoint.establish(session, session.local, response.headers["To"], session.remote_target, (), flow)
    note_response(session, response)
    start(endpoint, session, now, t.last.partition(b"\r\n\r\n")[2])
    is_cancelled = session.state in ("cancelling", "cancelled")
    if is_cancelled or session.has_offer:
        session.state = "confirmed"
        endpoint.acknowledge(session, finished, b"", now, out)
        if is_cancelled:
            send_bye(endpoint, session, session.ending or "", now, out)
            return
    else:
        session.state = "answered"
        session.invite_key = t.key
    out.append(Answered(session.id, response, response.body))


def on_repeated_2xx(endpoint: Endpoint, key: str, finished: Finished, response: Response, now: float, out: Out) -> None:
    """A 2xx after the first: the same one again (its ACK was lost) or that of another fork."""
    if response.to_tag == finished.remote_tag:
        if finished.last:
            out.append(Send(finished.last, finished.flow))
        return
    fork_key = f"{key} {response.to_tag}"
    fork = endpoint.transactions.finished_clients.get(fork_key)
    if fork is not None:
        out.append(Send(fork.last, fork.flow))
        return
    fork = Finished(finished.kind, finished.state, b"", finished.flow, "", response.to_tag, finished.ack_headers)
    endpoint.transactions.finished_clients.put(fork_key, fork, now, endpoint.timers.timeout)
    end_fork(endpoint, response, fork, now, out)


def end_fork(endpoint: Endpoint, response: Response, finished: Finished | None, now: float, out: Out) -> None:
    """ACK and BYE a dialog nobody wants (§13.2.2.4)."""
    ack = acknowledge_stray(endpoint, response, finished, out)
    if ack is not None:
        draft, flow = ack
        bye = Draft("BYE", draft.uri, draft.head, draft.cseq + 1, "", b"", "", "detached")
        endpoint.submit(bye, flow, now, out)


def acknowledge(endpoint: Endpoint, session: Session, body: bytes, now: float, out: Out) -> None:
    """The ACK that brings our answer to the offer in a 2xx."""
    if not session.invite_key or session.state not in ("answered", "confirmed"):
        return
    finished = endpoint.transactions.finished_clients.get(session.invite_key)
    if finished is None or finished.last:
        return
    endpoint.acknowledge(session, finished, body, now, out)
    session.state = "confirmed"


def cancel(endpoint: Endpoint, session: Session, headers: str, now: float, out: Out) -> None:
    """Give up our INVITE; `headers` are the lines the CANCEL, or the BYE if a 2xx comes first, shall carry."""
    if session.state not in ("calling", "early"):
        return
    was_early = session.state == "early"
    session.state = "cancelling"
    session.ending = headers
    t = endpoint.transactions.clients.get(session.invite_key)
    if t is None:
        # Nothing was sent yet: its address is still being looked up.
        endpoint.forget_waiting(session.id)
        endpoint.close(session, out)
    elif was_early:
        _send_cancel(endpoint, session, t, now, out)


def _send_cancel(endpoint: Endpoint, session: Session, t: Transaction, now: float, out: Out) -> None:
    transactions = endpoint.transactions
    branch = t.key.partition(" ")[0]
    data = render_cancel(t.last, session.ending or "")
    transactions.start_client(f"{branch} CANCEL", "CANCEL", data, t.flow, session.id, "cancel", now, out)
    transactions.give_up_after(t, now, endpoint.timers.timeout)
    session.state = "cancelled"
