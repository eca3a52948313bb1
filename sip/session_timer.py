"""Session timers in both roles (RFC 4028): who refreshes, how often, by what, and BYE to a session nobody refreshes.

A peer without session timers is refreshed by us alone: a lost BYE is found out that way too. The refresh is an UPDATE
without a body where the peer knows the method, else a re-INVITE with the same SDP. Timers are coarse: sessions lie in
slots of five seconds, so that ten thousand held calls cost one wake-up, and hanging up costs one look-up. Pure.
"""

from sip import limits
from sip.actions import Refreshed
from sip.dialog import cseq_of, resubmit
from sip.errors import SipParseError
from sip.headers import parse_integer, parse_params
from sip.message import Message, Request, Response
from sip.session import SUPPORTED, Endpoint, Out, reason_line
from sip.session_requests import retry_with_credentials
from sip.session_state import Session
from sip.timers import Calendar
from sip.transaction import Transaction
from sip.validate import Refusal

LEAST_S = 90
"""No interval may be shorter (§4)."""
MAX_INTERVAL_ROUNDS = 3
"""422 in a row after which an INVITE counts as refused."""
_LAST_S = 32
"""BYE comes this long before the end, or a third of the interval if that is less (§10)."""


def parse_session_expires(message: Message) -> tuple[int, str]:
    """(seconds, "uac", "uas" or "") of Session-Expires; (0, "") when there is none.

    Raises:
        SipParseError: 400.
    """
    value = message.headers.get("Session-Expires")
    if value is None:
        return 0, ""
    digits, semicolon, _ = value.partition(";")
    params = parse_params(value, value.index(";")) if semicolon else {}
    seconds = parse_integer(digits.strip(" \t"), limits.MAX_EXPIRES_S, "Session-Expires")
    refresher = params.get("refresher", "").lower()
    return seconds, refresher if refresher in ("uac", "uas") else ""


def min_se(message: Message) -> int:
    """Seconds of Min-SE, 90 when there is none.

    Raises:
        SipParseError: 400.
    """
    value = message.headers.get("Min-SE")
    if value is None:
        return LEAST_S
    return max(LEAST_S, parse_integer(value.partition(";")[0].strip(" \t"), limits.MAX_EXPIRES_S, "Min-SE"))


def supports_timer(message: Message) -> bool:
    if "timer" not in message.headers.get("Supported", "").lower():
        return False
    return any(tag.lower() == "timer" for tag in message.all("Supported"))


# -- what is said ------------------------------------------------------------------------------------------------------


def invite_lines(endpoint: Endpoint, session: Session) -> str:
    """What our first INVITE says of the timer."""
    if not session.expires_s:
        return ""
    least = f"Min-SE: {session.min_se_s}\r\n" if session.min_se_s > LEAST_S else ""
    return f"Session-Expires: {session.expires_s}\r\n{least}"


def request_lines(session: Session) -> str:
    """The same for a re-INVITE or UPDATE: who refreshes stays who it is (§7.4)."""
    if not session.expires_s:
        return ""
    refresher = "uac" if session.is_refresher else "uas"
    least = f"Min-SE: {session.min_se_s}\r\n" if session.min_se_s > LEAST_S else ""
    return f"Session-Expires: {session.expires_s};refresher={refresher}\r\n{least}"


def response_lines(session: Session) -> str:
    """The same for a 2xx of ours (§9)."""
    if not session.expires_s:
        return ""
    if session.is_refresher:
        return f"Session-Expires: {session.expires_s};refresher=uas\r\n"
    return f"Require: timer\r\nSession-Expires: {session.expires_s};refresher=uac\r\n"


def forgo(session: Session) -> None:
    """No timer of ours for this call of theirs, before it is answered; the one it asks for is kept."""
    session.wanted_s = 0
    if not session.peer_asks:
        session.expires_s = 0


# -- what is heard -----------------------------------------------------------------------------------------------------


def check_interval(endpoint: Endpoint, request: Request) -> Refusal | None:
    """422 to who wants it shorter than we do, and can be told so (§9).

    Raises:
        SipParseError: 400.
    """
    seconds, _ = parse_session_expires(request)
    if seconds >= endpoint.min_se_s or not seconds or not supports_timer(request):
        return None
    return Refusal(422, "Session Interval Too Small", f"Min-SE: {endpoint.min_se_s}\r\n")


def note_request(endpoint: Endpoint, session: Session, request: Request) -> None:
    """What their INVITE, re-INVITE or UPDATE wants; the 2xx will say what comes of it (§9, table 2).

    Raises:
        SipParseError: 400.
    """
    if "Allow" in request.headers:
        session.peer_updates = "UPDATE" in request.headers["Allow"]
    wanted, refresher = parse_session_expires(request)
    ours = session.wanted_s
    session.peer_asks = bool(wanted)
    if not wanted and not ours:
        session.expires_s = 0
        return
    if not wanted and session.expires_s:
        # A re-INVITE or UPDATE that does not speak of it: as it was.
        return
    least = max(endpoint.min_se_s, min_se(request))
    session.min_se_s = max(session.min_se_s, least)
    session.expires_s = max(min(wanted or ours, ours or wanted), least)
    # Who names itself knows timers, whether it says so or not.
    session.is_refresher = refresher == "uas" or not (refresher or supports_timer(request))


def note_response(session: Session, response: Response) -> None:
    """What the 2xx to an INVITE or UPDATE of ours says. A peer that says nothing knows no timers: then there is none,
    unless we refresh by ourselves already."""
    if "Allow" in response.headers:
        session.peer_updates = "UPDATE" in response.headers["Allow"]
    try:
        seconds, refresher = parse_session_expires(response)
    except SipParseError:
        seconds, refresher = 0, ""
    if not seconds:
        if not session.is_refresher:
            session.expires_s = 0
        return
    session.expires_s = max(seconds, LEAST_S)
    session.is_refresher = refresher != "uas"


# -- time --------------------------------------------------------------------------------------------------------------


def start(endpoint: Endpoint, session: Session, now: float, sdp: bytes = b"") -> None:
    """A 2xx went out or came: the interval begins anew. `sdp` is our side's, to be repeated when we must."""
    calendar = endpoint.calendar
    if not session.expires_s:
        calendar.remove(session.id, session.timer_slot)
        return
    if session.peer_updates:
        session.local_sdp = b""
    elif sdp:
        session.local_sdp = sdp
    if session.is_refresher and not session.peer_updates and not session.local_sdp:
        # Nothing we could refresh it with.
        session.expires_s = 0
        calendar.remove(session.id, session.timer_slot)
        return
    session.expires_at = now + session.expires_s
    _arm(endpoint, session, now, now + session.expires_s / 2 if session.is_refresher else _last(session))


def _last(session: Session) -> float:
    return session.expires_at - min(_LAST_S, session.expires_s / 3)


def _arm(endpoint: Endpoint, session: Session, now: float, when: float) -> None:
    calendar: Calendar = endpoint.calendar
    calendar.remove(session.id, session.timer_slot)
    session.timer_slot = calendar.add(session.id, when)
    if not calendar.deadline:
        endpoint.lanes.arm(calendar, now, Calendar.SLOT_S)


def on_timer(endpoint: Endpoint, now: float, out: Out) -> list[Session]:
    """The sessions whose slot has come and that are to be refreshed now by re-INVITE; the rest is done."""
    calendar = endpoint.calendar
    by_invite = []
    for session_id in calendar.due(now):
        session = endpoint.sessions.get(session_id)
        if session is None or session.state == "closing":
            continue
        if now >= _last(session) - Calendar.SLOT_S:
            expire(endpoint, session, now, out)
            continue
        # Refreshing again at the last moment is left to the answer, or to the next slot when we are too busy now.
        if session.state != "confirmed" or session.id in endpoint.waiting_of:
            _arm(endpoint, session, now, now + Calendar.SLOT_S)
            continue
        _arm(endpoint, session, now, _last(session))
        if session.peer_updates:
            tail = f"Supported: {SUPPORTED}\r\n{request_lines(session)}"
            endpoint.request(session, "UPDATE", "refresh", now, out, tail)
        elif session.local_sdp:
            by_invite.append(session)
    if calendar.slots and not calendar.deadline:
        endpoint.lanes.arm(calendar, now, Calendar.SLOT_S)
    return by_invite


def expire(endpoint: Endpoint, session: Session, now: float, out: Out) -> None:
    """Nobody refreshed it: BYE (§10)."""
    endpoint.stats.n_expired += 1
    endpoint.request(session, "BYE", "detached", now, out, reason_line('SIP;cause=408;text="Session timer expired"'))
    endpoint.end(session, "timer_expired", "", out)


def try_again(endpoint: Endpoint, session: Session, now: float) -> None:
    """The refresh did not get through for now (491, 500, 503 …): the next slot, as long as there is time."""
    if session.expires_s and session.is_refresher:
        _arm(endpoint, session, now, min(now + Calendar.SLOT_S, _last(session)))


# -- answers -----------------------------------------------------------------------------------------------------------


def sent_again(
    endpoint: Endpoint, session: Session, t: Transaction, response: Response | None, now: float, out: Out
) -> bool:
    """Whether `response`, a refusal of an INVITE or UPDATE of ours, was answered by sending it again: with credentials,
    or with a longer interval."""
    if response is None:
        return False
    if response.status in (401, 407):
        return retry_with_credentials(endpoint, t, response, now, out)
    return response.status == 422 and _raise_interval(endpoint, session, t, response, now, out)


def _raise_interval(
    endpoint: Endpoint, session: Session, t: Transaction, response: Response, now: float, out: Out
) -> bool:
    """422 to an INVITE or UPDATE of ours: the same with a longer interval (§7.4). False: it makes no sense."""
    if t.rounds >= MAX_INTERVAL_ROUNDS:
        return False
    try:
        least = min_se(response)
    except SipParseError:
        return False
    if least <= session.min_se_s and session.expires_s >= least:
        return False
    session.min_se_s = max(least, session.min_se_s)
    session.expires_s = max(session.expires_s or LEAST_S, least)
    lines = invite_lines(endpoint, session) if t.usage == "invite" else request_lines(session)
    via, branch = endpoint.via(t.flow)
    cseq = max(session.local_cseq, cseq_of(t.last)) + 1
    data = resubmit(t.last, via, cseq, lines, without=("Session-Expires:", "Min-SE:"))
    again = endpoint.transactions.start_client(
        f"{branch} {t.method}", t.method, data, t.flow, t.user, t.usage, now, out
    )
    again.credentials, again.rounds, again.n_tries = t.credentials, t.rounds + 1, t.n_tries
    session.local_cseq = cseq
    if t.method == "INVITE":
        session.invite_key = again.key
        session.invite_cseq = cseq
    return True


def note_refreshed(endpoint: Endpoint, session: Session, response: Response, now: float, out: Out) -> None:
    """2xx to our refresh."""
    note_response(session, response)
    start(endpoint, session, now)
    if response.body:
        out.append(Refreshed(session.id, response.body))
