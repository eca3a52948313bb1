"""`SipStack`: SIP without I/O. Datagrams, timers and the application's wishes in; actions out (RFC 3261, 6026, 3581).

The driver calls `receive`, `poll` at `deadline`, `resolved` and `flow_failed`, and performs what they return in order.
The application calls the rest. Sessions are named by id, everything that is kept is plain data. `now` is monotonic
seconds. Call `receive` for one datagram or one framed message of a stream.
"""

from collections.abc import Sequence

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
from sip.actions import Action
from sip.credentials import Credentials
from sip.dialog import dialog_head, routing
from sip.flow import Flow
from sip.next_hop import Listener
from sip.refer import Replaces
from sip.session import ALLOW, Endpoint, Out, reason_line
from sip.session_refer import find_replaced
from sip.session_state import Draft, Session, StackStats
from sip.stack_driver import DriverSide
from sip.timers import TransactionTimers
from sip.uri import escape

__all__ = ["Listener", "Session", "SipStack", "StackStats", "TransactionTimers"]


class SipStack(DriverSide):
    """One per process.

    Every operation returns what is to be done; for a session that is gone it returns []. Every session ends with
    exactly one of `Rejected`, `Cancelled`, `Ended` and `Closed`; its id means nothing afterwards.
    """

    def contact_uri(self, flow: Flow, user: str = "") -> str:
        """A URI that leads to us for the peer at `flow`, for a REGISTER's Contact."""
        return self._endpoint.contact(flow, escape(user)).partition("<")[2].partition(">")[0]

    def sent_by(self, flow: Flow) -> str:
        """Our host:port as the peer at `flow` sees it."""
        return self._endpoint.contacts[self._endpoint.view(flow)][0]

    # -- our INVITE ----------------------------------------------------------------------------------------------------

    def invite(
        self,
        *,
        flow: Flow | None,
        uri: str,
        from_: str,
        to: str,
        now: float,
        body: bytes = b"",
        content_type: str = "application/sdp",
        contact_user: str = "",
        headers: str = "",
        route: Sequence[str] = (),
        credentials: Credentials | None = None,
        max_forwards: int = 70,
        session_expires_s: int | None = None,
        reliable: str = "supported",
    ) -> tuple[str, list[Action]]:
        """Begin a session. `from_` and `to` are header values without tag; `flow` None: the first route or `uri` is
        resolved first.

        Without `body` the peer is asked for an offer, and its 2xx waits for `acknowledge`. A 401 or 407 that
        `credentials` can answer is answered inside, and a 422. `session_expires_s`: another interval than the stack's
        (0: none). `reliable`: off, supported or required, whether provisional responses shall arrive (RFC 3262); only
        with `body`. There is no timer on ringing: `cancel` is the caller's.

        Raises:
            ValueError: a line end in an argument that is one header value, or a route without URI.
        """
        endpoint = self._endpoint
        _refuse_line_ends(uri, from_, to, content_type, *route)
        out: Out = []
        flow = flow and endpoint.fit(flow)
        session_id = endpoint.token(16)
        call_id = endpoint.token(24)
        request_uri, lines = routing(uri, tuple(route))
        head = dialog_head(f"{from_};tag={session_id}", to, call_id, lines)
        contact_user = escape(contact_user) if contact_user else ""
        session = Session(
            session_id,
            call_id,
            "uac",
            "calling",
            flow or _NOWHERE,
            "",
            head,
            request_uri,
            uri,
            contact_user=contact_user,
            local_cseq=1,
            has_offer=bool(body),
            invite_cseq=1,
            credentials=credentials,
        )
        wanted_s = endpoint.session_expires_s if session_expires_s is None else session_expires_s
        session.wanted_s = session.expires_s = wanted_s
        tail = _invite_tail(endpoint, session, reliable if body else "off", headers)
        if body:
            tail = f"{tail}Content-Type: {content_type}\r\n"
        draft = Draft(
            "INVITE", request_uri, head, 1, tail, body, session_id, "invite", credentials, max_forwards, contact_user
        )
        session_uac.invite(endpoint, session, draft, flow, hop_uri(route, uri), now, out)
        return session_id, out

    def cancel(self, session: str, now: float, reason: str = "") -> list[Action]:
        """Give up our INVITE; `reason` is a Reason header value. `Closed` tells when it is through."""
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_uac.cancel(self._endpoint, found, reason_line(reason), now, out)
        return out

    def acknowledge(self, session: str, body: bytes, now: float) -> list[Action]:
        """Send the ACK with our answer to the offer that came in a 2xx."""
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_uac.acknowledge(self._endpoint, found, body, now, out)
        return out

    # -- their INVITE --------------------------------------------------------------------------------------------------

    def progress(
        self, session: str, status: int, reason: str, now: float, body: bytes = b"", headers: str = ""
    ) -> list[Action]:
        """A provisional response (100-199); repeated every minute until the next one."""
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_uas.progress(self._endpoint, found, status, reason, now, out, body, headers)
        return out

    def answer(self, session: str, body: bytes, now: float, headers: str = "") -> list[Action]:
        """200 with our answer, or our offer when the INVITE carried none; repeated until `Confirmed`."""
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_uas.answer(self._endpoint, found, body, now, out, headers)
        return out

    def forgo_timer(self, session: str) -> None:
        """No session timer of ours for this unanswered call of theirs; the one it asks for is kept."""
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_timer.forgo(found)

    def reject(self, session: str, status: int, reason: str, now: float, headers: str = "") -> list[Action]:
        """A final response of 300 or more; the session is `Closed` by it."""
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_uas.reject(self._endpoint, found, status, reason, now, out, headers)
        return out

    # -- both ----------------------------------------------------------------------------------------------------------

    def bye(self, session: str, now: float, reason: str = "") -> list[Action]:
        """End an answered session; `reason` is a Reason header value. `Closed` tells when it is through."""
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None and found.state in ("answered", "confirmed"):
            session_requests.bye(self._endpoint, found, reason_line(reason), now, out)
        return out

    def hang_up(
        self,
        session: str,
        now: float,
        status: int = 480,
        reason: str = "",
        reason_header: str = "",
        *,
        headers: str = "",
    ) -> list[Action]:
        """Reject with `status`, `reason` and `headers` (whole lines), cancel or bye, whichever fits; each with the
        Reason header value."""
        found = self._endpoint.sessions.get(session)
        if found is None:
            return []
        if found.state in ("answered", "confirmed"):
            return self.bye(session, now, reason_header)
        if found.role == "uac":
            return self.cancel(session, now, reason_header)
        headers = reason_line(reason_header) + headers
        return self.reject(session, status, reason or "Temporarily Unavailable", now, headers)

    def reinvite(self, session: str, body: bytes, now: float) -> list[Action]:
        """Offer `body`, or ask for an offer (b""), by re-INVITE; it waits its turn. Ends in `OfferAnswered`,
        `OfferRefused` or the end of the session."""
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_reoffer.reinvite(self._endpoint, found, body, now, out)
        return out

    def accept_offer(self, session: str, body: bytes, now: float) -> list[Action]:
        """200 to the re-INVITE or UPDATE that `Offered` told of."""
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_offer.accept_offer(self._endpoint, found, body, now, out)
        return out

    def refuse_offer(self, session: str, status: int, reason: str, now: float, headers: str = "") -> list[Action]:
        """488 for instance; the session goes on as it was."""
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_offer.refuse_offer(self._endpoint, found, status, reason, now, out, headers)
        return out

    def info(self, session: str, content_type: str, body: bytes, now: float) -> list[Action]:
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_requests.info(self._endpoint, found, content_type, body, now, out)
        return out

    # -- transfers (RFC 3515, RFC 3891) --------------------------------------------------------------------------------

    def accept_refer(self, refer: str, now: float) -> list[Action]:
        """202 to the REFER that `Referred` told of; then `report_refer` tells the peer how it goes."""
        out: Out = []
        session_refer.accept_refer(self._endpoint, refer, now, out)
        return out

    def refuse_refer(self, refer: str, status: int, reason: str, now: float, headers: str = "") -> list[Action]:
        """403 for instance; nothing when the REFER is answered already."""
        out: Out = []
        session_refer.refuse_refer(self._endpoint, refer, status, reason, now, out, headers)
        return out

    def report_refer(self, refer: str, status: int, now: float, reason: str = "") -> list[Action]:
        """NOTIFY; a final status (200 or more) is the last one. It works after the session's BYE too."""
        out: Out = []
        session_refer.report_refer(self._endpoint, refer, status, reason, now, out)
        return out

    def refer(
        self,
        session: str,
        uri: str,
        now: float,
        *,
        replaces: Replaces | None = None,
        referred_by: str = "",
        is_watched: bool = True,
    ) -> list[Action]:
        """Ask the peer to call `uri`. `ReferAnswered` and, if `is_watched`, `ReferNotified` follow; [] when it cannot
        be asked now (not connected, or it is being asked).

        Raises:
            ValueError: a line end in an argument.
        """
        _refuse_line_ends(uri, referred_by, str(replaces))
        out: Out = []
        found = self._endpoint.sessions.get(session)
        if found is not None:
            session_refer.refer(self._endpoint, found, uri, replaces, referred_by, now, out, is_watched=is_watched)
        return out

    def find_replaced(self, replaces: Replaces) -> tuple[str, int, str]:
        """(session, 0, "") that an INVITE with this Replaces takes the place of, else ("", status, reason) of the
        refusal (RFC 3891 §3)."""
        return find_replaced(self._endpoint, replaces)

    def dialog_of(self, session: str) -> Replaces | None:
        """A session as its peer is to be told of it: for an INVITE with Replaces to that peer, or a REFER that leads to
        it. None when it is no dialog yet."""
        found = self._endpoint.sessions.get(session)
        return Replaces(found.call_id, found.remote_tag, found.id) if found is not None and found.remote_tag else None

    # -- outside sessions ----------------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        uri: str,
        *,
        flow: Flow | None,
        from_: str,
        to: str,
        now: float,
        headers: str = "",
        body: bytes = b"",
        content_type: str = "",
        credentials: Credentials | None = None,
        route: Sequence[str] = (),
        call_id: str = "",
        cseq: int = 1,
        tag: str = "",
        contact_user: str | None = None,
        max_forwards: int = 70,
    ) -> tuple[str, list[Action]]:
        """A request outside any session; `RequestDone` with the returned token brings its outcome.

        `call_id` and `cseq` continue a series (REGISTER), and `tag`, ours, a dialog that the caller keeps (NOTIFY). A
        retry with credentials uses the next CSeq. With `contact_user` ("" too) there is a Contact of ours.

        Raises:
            ValueError: a line end in an argument that is one header value.
        """
        endpoint = self._endpoint
        _refuse_line_ends(method, uri, from_, to, content_type, call_id, *route)
        out: Out = []
        token = endpoint.token(16)
        request_uri, lines = routing(uri, tuple(route))
        head = dialog_head(f"{from_};tag={tag or token}", to, call_id or endpoint.token(24), lines)
        contact_user = escape(contact_user) if contact_user else contact_user
        tail = f"User-Agent: {endpoint.user_agent}\r\n{headers}"
        if body:
            tail = f"{tail}Content-Type: {content_type}\r\n"
        draft = Draft(
            method, request_uri, head, cseq, tail, body, token, "request", credentials, max_forwards, contact_user
        )
        if flow is None:
            endpoint.ask(hop_uri(route, uri), 0, now, out).drafts.append(draft)
        else:
            endpoint.submit(draft, endpoint.fit(flow), now, out)
        return token, out

    def respond(
        self,
        transaction: str,
        status: int,
        reason: str,
        now: float,
        headers: str = "",
        body: bytes = b"",
        content_type: str = "",
    ) -> list[Action]:
        """Answer an `IncomingRequest`; nothing happens when it is answered, or gone, already."""
        out: Out = []
        t = self._endpoint.transactions.servers.get(transaction)
        if t is not None:
            if body:
                headers = f"{headers}Content-Type: {content_type}\r\n"
            self._endpoint.answer(t, status, reason, now, out, headers, body)
        return out


_NOWHERE = Flow("udp", "", 0)


def _invite_tail(endpoint: Endpoint, session: Session, reliable: str, headers: str) -> str:
    return (
        f"Allow: {ALLOW}\r\n{session_reliable.invite_lines(reliable)}User-Agent: {endpoint.user_agent}\r\n"
        f"{session_timer.invite_lines(endpoint, session)}{headers}"
    )


def hop_uri(route: Sequence[str], uri: str) -> str:
    if not route:
        return uri
    return route[0][route[0].find("<") + 1 :].partition(">")[0]


def _refuse_line_ends(*values: str) -> None:
    text = "".join(values)
    if "\r" in text or "\n" in text:
        raise ValueError("line end in a header value")
