"""One INVITE usage as plain data, and what all its operations share (RFC 3261 §12-§15).

The operations are functions by concern: `session_uac` (our INVITE), `session_uas` (theirs), `session_offer` (re-INVITE,
UPDATE), `session_requests` (BYE, INFO, OPTIONS, challenges). They get the `Endpoint`, change a `Session` and append
actions to `out`. Pure.
"""

from collections.abc import Callable, Sequence

from sip.actions import Action, Closed, Ended, Resolve, Send
from sip.dialog import dialog_head, routing, with_routes
from sip.errors import SipParseError
from sip.flow import Flow
from sip.message import Message
from sip.next_hop import Listener, choose_for_size, choose_hop, choose_listener
from sip.session_state import Draft, ReferWatch, Reliable, Reoffer, Session, StackStats, Unacknowledged, Waiting
from sip.timers import Calendar, Recent, TimerLanes, TransactionTimers
from sip.transaction import ANSWER_INPUT, Finished, Transaction, Transactions

Out = list[Action]

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY"
SUPPORTED = "100rel, norefersub, replaces, timer"
"""Option tags of ours."""
EXTENSIONS = frozenset(SUPPORTED.split(", "))
_WITH_CONTACT = frozenset(("INVITE", "UPDATE", "REFER", "NOTIFY"))


class Endpoint:
    """The state of a stack: tables, timers, and the texts of its listeners."""

    __slots__ = (
        "calendar",
        "contacts",
        "is_outside",
        "lanes",
        "listeners",
        "merged",
        "min_se_s",
        "refers",
        "reliable",
        "reoffers",
        "sent_bys",
        "session_expires_s",
        "sessions",
        "stats",
        "timers",
        "token",
        "transactions",
        "unacknowledged",
        "user_agent",
        "vias",
        "waiting",
        "waiting_of",
        "waiting_token",
    )

    def __init__(
        self,
        listeners: Sequence[Listener],
        token: Callable[[int], str],
        user_agent: str,
        timers: TransactionTimers,
        max_finished: int,
    ) -> None:
        self.listeners = tuple(listeners)
        # How we are seen from inside, by index of the listener; behind those the same from outside.
        names = [(one, one.sent_by) for one in self.listeners] + [(one, one.sent_by_outside) for one in self.listeners]
        self.vias = [f"SIP/2.0/{one.transport.upper()} {name};rport;branch=" for one, name in names]
        self.contacts = [(name, "" if one.transport == "udp" else f";transport={one.transport}") for one, name in names]
        self.sent_bys = frozenset(name for _, name in names)
        self.is_outside: Callable[[str], bool] | None = None
        self.token = token
        self.user_agent = user_agent
        self.timers = timers
        self.lanes = TimerLanes()
        self.transactions = Transactions(timers, self.lanes, max_finished)
        self.sessions: dict[str, Session] = {}
        self.unacknowledged: dict[str, Unacknowledged] = {}
        self.reoffers: dict[str, Reoffer] = {}
        self.reliable: dict[str, Reliable] = {}
        self.refers: dict[str, ReferWatch] = {}
        self.merged: Recent[str] = Recent(max_finished)
        self.waiting: dict[int, Waiting] = {}
        self.waiting_of: dict[str, Waiting] = {}
        self.waiting_token = 0
        self.calendar = Calendar()
        self.session_expires_s = 0
        self.min_se_s = 90
        self.stats = StackStats()

    # -- sending -------------------------------------------------------------------------------------------------------

    def view(self, flow: Flow) -> int:
        """Index in `vias` and `contacts`: how we are seen from there."""
        if self.is_outside is not None and self.is_outside(flow.host):
            return flow.listener + len(self.listeners)
        return flow.listener

    def contact(self, flow: Flow, user: str) -> str:
        """A Contact line of ours, for the peer at `flow`."""
        sent_by, params = self.contacts[self.view(flow)]
        return f"Contact: <sip:{user}@{sent_by}{params}>\r\n" if user else f"Contact: <sip:{sent_by}{params}>\r\n"

    def render(self, draft: Draft, flow: Flow, branch: str) -> bytes:
        contact = "" if draft.contact_user is None else self.contact(flow, draft.contact_user)
        return (
            f"{draft.method} {draft.uri} SIP/2.0\r\nVia: {self.vias[self.view(flow)]}{branch}\r\n"
            f"Max-Forwards: {draft.max_forwards}\r\n{draft.head}CSeq: {draft.cseq} {draft.method}\r\n"
            f"{contact}{draft.tail}Content-Length: {len(draft.body)}\r\n\r\n"
        ).encode("utf-8", "surrogateescape") + draft.body

    def submit(self, draft: Draft, flow: Flow, now: float, out: Out) -> Transaction:
        """Send a request as a transaction of its own, over TCP when it is too large for UDP (§18.1.1)."""
        branch = f"z9hG4bK{self.token(16)}"
        data = self.render(draft, flow, branch)
        other_flows: tuple[Flow, ...] = ()
        if len(data) > 1300 and flow.transport == "udp":
            stream = choose_for_size(flow, len(data), self.listeners)
            if stream is not flow:
                other_flows = (flow,)
                flow = stream
                data = self.render(draft, flow, branch)
        t = self.transactions.start_client(
            f"{branch} {draft.method}", draft.method, data, flow, draft.user, draft.usage, now, out
        )
        t.credentials = draft.credentials
        t.other_flows = other_flows
        return t

    def request(
        self,
        session: Session,
        method: str,
        usage: str,
        now: float,
        out: Out,
        tail: str = "",
        body: bytes = b"",
        *,
        user: str = "",
    ) -> None:
        """A request inside the dialog; it waits when the next hop has to be resolved first. `user`: who gets the
        outcome when it is not the session."""
        contact_user = session.contact_user if method in _WITH_CONTACT else None
        session.local_cseq += 1
        draft = Draft(
            method, session.request_uri, session.head, session.local_cseq, tail, body, user or session.id, usage,
            session.credentials, 70, contact_user,
        )  # fmt: skip
        if method == "INVITE":
            session.invite_cseq = session.local_cseq
        if session.hop_uri:
            self._wait(session, draft, now, out)
            return
        t = self.submit(draft, session.flow, now, out)
        if method == "INVITE":
            session.invite_key = t.key

    def acknowledge(self, session: Session, finished: Finished | None, body: bytes, now: float, out: Out) -> None:
        """ACK to a 2xx (§13.2.2.4); remembered in `finished` for the 2xx that come again."""
        draft = Draft(
            "ACK", session.request_uri, session.head, session.invite_cseq,
            finished.ack_headers if finished is not None else "", body, session.id, "ack", key=session.invite_key,
        )  # fmt: skip
        if body:
            draft.tail += "Content-Type: application/sdp\r\n"
        session.invite_key = ""
        if session.hop_uri:
            self._wait(session, draft, now, out)
        else:
            self.send_ack(draft, session.flow, finished, out)

    def send_ack(self, draft: Draft, flow: Flow, finished: Finished | None, out: Out) -> None:
        ack = self.render(draft, flow, f"z9hG4bK{self.token(16)}")
        out.append(Send(ack, flow))
        if finished is not None:
            finished.last = ack
            finished.flow = flow

    def _wait(self, session: Session, draft: Draft, now: float, out: Out) -> None:
        waiting = self.waiting_of.get(session.id)
        if waiting is None:
            waiting = self.waiting_of[session.id] = self.ask(session.hop_uri, session.flow.listener, now, out)
            waiting.session = session.id
            waiting.flow = session.flow
        waiting.drafts.append(draft)

    def ask(self, uri: str, listener: int, now: float, out: Out) -> Waiting:
        """Ask for `uri` to be resolved. The driver's answer is waited for 64*T1 at most."""
        self.waiting_token += 1
        waiting = Waiting(0.0, self.waiting_token)
        self.waiting[waiting.token] = waiting
        self.lanes.arm(waiting, now, self.timers.timeout)
        out.append(Resolve(waiting.token, uri, listener))
        return waiting

    def fit(self, flow: Flow) -> Flow:
        """`flow` with a listener of its transport and address family, as `sip.net` will take one; for flows that come
        from the application."""
        index = flow.listener
        listeners = self.listeners
        is_ipv6 = ":" in flow.host
        if index < len(listeners):
            listener = listeners[index]
            if listener.transport == flow.transport and (":" in listener.host) == is_ipv6:
                return flow
        fitting = choose_listener(listeners, flow.transport, index, is_ipv6=is_ipv6)
        return flow._replace(listener=fitting or 0)

    def forget_waiting(self, session_id: str) -> None:
        waiting = self.waiting_of.pop(session_id, None)
        if waiting is not None:
            del self.waiting[waiting.token]
            waiting.deadline = 0.0

    def via(self, flow: Flow) -> tuple[str, str]:
        """(Via value, branch) for a new transaction."""
        branch = f"z9hG4bK{self.token(16)}"
        return f"{self.vias[self.view(flow)]}{branch}", branch

    def random(self, n: int) -> int:
        """0 … n-1."""
        return int(self.token(8), 16) % n

    def answer(
        self, t: Transaction, status: int, reason: str, now: float, out: Out, headers: str = "", body: bytes = b""
    ) -> bytes:
        """A response of ours; `headers` holds whole lines, Content-Type too when there is a body."""
        data = (f"SIP/2.0 {status} {reason}\r\n{t.head}{headers}Content-Length: {len(body)}\r\n\r\n").encode(
            "utf-8", "surrogateescape"
        ) + body
        self.transactions.step(t, ANSWER_INPUT[status // 100], now, out, data)
        if status >= 300 and t.merge_key:
            # No longer ongoing (§8.2.2.2): some clients repeat a refused request with the same CSeq.
            self.merged.pop(t.merge_key)
        return data

    # -- the state of sessions -----------------------------------------------------------------------------------------

    def refresh_target(self, session: Session, message: Message, contact: str) -> None:
        """Take a new remote target (§12.2) and choose where requests go from now on. `message` came from the peer."""
        flow = message.flow or session.flow
        if contact and contact != session.remote_target:
            try:
                session.request_uri, lines = routing(contact, session.routes)
            except SipParseError:
                return
            session.remote_target = contact
            session.head = with_routes(session.head, lines)
        self.choose_flow(session, flow)

    def establish(
        self, session: Session, local: str, remote: str, target: str, routes: tuple[str, ...], flow: Flow
    ) -> None:
        """Fill in what a dialog consists of.

        Raises:
            SipParseError: 400, a route that cannot be read.
        """
        session.request_uri, lines = routing(target, routes)
        session.remote_target = target
        session.routes = routes
        session.head = dialog_head(local, remote, session.call_id, lines)
        self.choose_flow(session, flow)

    def choose_flow(self, session: Session, flow: Flow) -> None:
        session.hop_uri = ""
        if session.is_behind_nat:
            session.flow = flow
            return
        if session.routes:
            route = session.routes[0]
            hop = choose_hop(route[route.find("<") + 1 :].partition(">")[0], flow, self.listeners, is_direct=False)
        else:
            hop = choose_hop(session.remote_target, flow, self.listeners, is_direct=True)
        if isinstance(hop, str):
            session.flow = flow
            session.hop_uri = hop
        else:
            session.flow = hop

    def remove(self, session: Session) -> None:
        """Forget a session. What lingers of it are finished transactions, which hold its id and nothing else."""
        self.sessions.pop(session.id, None)
        if session.timer_slot:
            self.calendar.remove(session.id, session.timer_slot)
        unacknowledged = self.unacknowledged.pop(session.id, None)
        if unacknowledged is not None:
            unacknowledged.deadline = 0.0
        self.end_reliable(session)
        reoffer = self.reoffers.pop(session.id, None)
        if reoffer is not None:
            reoffer.deadline = 0.0
        session.offer_key = session.invite_key = ""

    def end_reliable(self, session: Session) -> None:
        """No provisional response is repeated any more: there is a final one."""
        reliable = self.reliable.pop(session.id, None) if self.reliable else None
        if reliable is not None:
            reliable.deadline = 0.0

    def close(self, session: Session, out: Out) -> None:
        self.remove(session)
        out.append(Closed(session.id))

    def end(self, session: Session, why: str, reason: str, out: Out) -> None:
        self.remove(session)
        out.append(Ended(session.id, why, reason))


def reason_line(reason: str) -> str:
    """A Reason header line (RFC 3326) of a header value, "" for none."""
    return f"Reason: {reason}\r\n" if reason else ""
