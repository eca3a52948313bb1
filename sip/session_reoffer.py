"""Our re-INVITE: its turn, its outcome, and glare (RFC 3261 §14.1)."""

from sip.actions import OfferAnswered, OfferRefused
from sip.dialog import contact_target
from sip.errors import SipParseError
from sip.message import Response
from sip.session import ALLOW, SUPPORTED, Endpoint, Out
from sip.session_requests import acknowledge_stray, lose_dialog, note_accepted
from sip.session_state import Reoffer, Session
from sip.session_timer import (
    note_refreshed,
    note_response,
    request_lines,
    sent_again,
    start,
    try_again,
)
from sip.transaction import Transaction

MAX_TRIES = 5
"""Glares in a row after which our offer counts as refused."""


def reinvite(endpoint: Endpoint, session: Session, body: bytes, now: float, out: Out) -> None:
    """Offer `body` (b"": ask for an offer), at once or when what is in progress is through."""
    if session.state not in ("confirmed", "answered") or session.ending is not None:
        if session.state != "closing":
            out.append(OfferRefused(session.id, 491))
        return
    waiting = endpoint.reoffers.get(session.id)
    if waiting is not None:
        waiting.body = body
        waiting.is_refresh = False
    elif _is_busy(endpoint, session):
        endpoint.reoffers[session.id] = Reoffer(0.0, session.id, body)
    else:
        _send(endpoint, session, body, 0, now, out)


def refresh(endpoint: Endpoint, session: Session, now: float, out: Out) -> None:
    """Our SDP once more (RFC 4028 §7.4); an offer that waits for its turn refreshes as well."""
    if session.id in endpoint.reoffers:
        return
    if _is_busy(endpoint, session):
        endpoint.reoffers[session.id] = Reoffer(0.0, session.id, session.local_sdp, is_refresh=True)
    else:
        _send(endpoint, session, session.local_sdp, 0, now, out, is_refresh=True)


def send_next_offer(endpoint: Endpoint, session: Session, now: float, out: Out) -> None:
    """Something is through: send the re-INVITE that waited for it."""
    waiting = endpoint.reoffers.get(session.id)
    if waiting is not None and not waiting.deadline and not _is_busy(endpoint, session):
        del endpoint.reoffers[session.id]
        _send(endpoint, session, waiting.body, waiting.n_tries, now, out, is_refresh=waiting.is_refresh)


def on_timer(endpoint: Endpoint, reoffer: Reoffer, now: float, out: Out) -> None:
    """The pause after a glare is over."""
    session = endpoint.sessions.get(reoffer.session)
    if session is not None:
        send_next_offer(endpoint, session, now, out)


def _is_busy(endpoint: Endpoint, session: Session) -> bool:
    return bool(
        session.invite_key
        or session.offer_key
        or session.state != "confirmed"
        or session.id in endpoint.unacknowledged
        or session.id in endpoint.waiting_of
    )


def _send(
    endpoint: Endpoint,
    session: Session,
    body: bytes,
    n_tries: int,
    now: float,
    out: Out,
    *,
    is_refresh: bool = False,
) -> None:
    session.is_refreshing = is_refresh
    session.has_offer = bool(body)
    tail = f"Allow: {ALLOW}\r\nSupported: {SUPPORTED}\r\n{request_lines(session)}"
    if body:
        tail += "Content-Type: application/sdp\r\n"
    endpoint.request(session, "INVITE", "reinvite", now, out, tail, body)
    t = endpoint.transactions.clients.get(session.invite_key)
    if t is not None:
        t.n_tries = n_tries + 1


def on_response(
    endpoint: Endpoint, t: Transaction, status: int, response: Response | None, now: float, out: Out
) -> None:
    """A response to our re-INVITE; None: it timed out (408) or could not be sent (503)."""
    session = endpoint.sessions.get(t.user)
    if status < 200:
        return
    if status < 300 and response is not None:
        _on_accepted(endpoint, session, t, response, now, out)
        return
    if session is None:
        return
    session.invite_key = ""
    if session.state == "closing":
        return
    if sent_again(endpoint, session, t, response, now, out):
        return
    if status in (408, 481):
        lose_dialog(endpoint, session, status, now, out)
    elif status == 491 and t.n_tries < MAX_TRIES:
        _wait_after_glare(endpoint, session, t, now)
    else:
        if session.is_refreshing:
            try_again(endpoint, session, now)
        else:
            out.append(OfferRefused(session.id, status))
        send_next_offer(endpoint, session, now, out)


def _wait_after_glare(endpoint: Endpoint, session: Session, t: Transaction, now: float) -> None:
    """2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other, in steps of 10 ms (§14.1)."""
    reoffer = endpoint.reoffers.get(session.id)
    if reoffer is None:
        reoffer = endpoint.reoffers[session.id] = Reoffer(0.0, session.id, t.last.partition(b"\r\n\r\n")[2])
        reoffer.is_refresh = session.is_refreshing
    reoffer.n_tries = t.n_tries
    if session.role == "uac":
        delay = (210 + endpoint.random(191)) / 100
    else:
        delay = endpoint.random(201) / 100
    endpoint.lanes.arm(reoffer, now, delay)


def _on_accepted(
    endpoint: Endpoint, session: Session | None, t: Transaction, response: Response, now: float, out: Out
) -> None:
    finished = note_accepted(endpoint, t, response)
    if session is None or session.state == "closing" or session.invite_key != t.key:
        # BYE crossed it; the peer still wants its ACK.
        acknowledge_stray(endpoint, response, finished, out)
        return
    try:
        endpoint.refresh_target(session, response, contact_target(response))
    except SipParseError:
        pass
    session.invite_cseq = response.cseq
    if session.has_offer:
        endpoint.acknowledge(session, finished, b"", now, out)
    if session.is_refreshing:
        note_refreshed(endpoint, session, response, now, out)
    else:
        note_response(session, response)
        start(endpoint, session, now, t.last.partition(b"\r\n\r\n")[2])
        out.append(OfferAnswered(session.id, response.body))
    send_next_offer(endpoint, session, now, out)


def on_refresh_response(
    endpoint: Endpoint, t: Transaction, status: int, response: Response | None, now: float, out: Out
) -> None:
    """A response to our UPDATE that refreshes (RFC 4028 §7.4)."""
    session = endpoint.sessions.get(t.user)
    if status < 200 or session is None or session.state == "closing":
        return
    if status < 300 and response is not None:
        note_refreshed(endpoint, session, response, now, out)
    elif sent_again(endpoint, session, t, response, now, out):
        return
    elif status in (408, 481):
        lose_dialog(endpoint, session, status, now, out)
    else:
        if status in (405, 501) and session.local_sdp:
            session.peer_updates = False
        try_again(endpoint, session, now)
