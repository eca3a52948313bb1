"""The driver's side of `SipStack`: datagrams, timers, looked-up names and failed connections in, actions out. Pure."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence

from sip import incoming, session_refer, session_reliable, session_reoffer, session_timer
from sip.actions import Action, Rejected, RequestDone
from sip.admission import Admission, AdmitAll
from sip.errors import SipParseError
from sip.flow import Flow
from sip.message import Request, Response
from sip.next_hop import Listener
from sip.parser import parse_message
from sip.session import Endpoint, Out
from sip.session_ack import on_no_ack
from sip.session_state import Draft, ReferWatch, Reliable, Reoffer, Session, StackStats, Unacknowledged, Waiting
from sip.timers import Calendar, TransactionTimers
from sip.transaction import Transaction, TransactionStats

DEFAULT_TIMERS = TransactionTimers()

log = logging.getLogger(__name__)


class DriverSide:
    """Base of `SipStack`, which adds the application's side."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        *,
        token: Callable[[int], str],
        user_agent: str = "Ringback",
        timers: TransactionTimers = DEFAULT_TIMERS,
        methods: frozenset[str] = frozenset(("OPTIONS", "REGISTER")),
        max_sessions: int = 50_000,
        max_transactions: int = 50_000,
        max_finished: int = 200_000,
        retry_after_s: int = 5,
        session_expires_s: int = 0,
        min_se_s: int = 90,
        is_outside: Callable[[str], bool] | None = None,
        admission: Admission | None = None,
    ) -> None:
        """`token(n)` returns n random hex digits and is the only source of randomness. `methods` outside sessions come
        to the application as `IncomingRequest`; others are refused (405, 501). `session_expires_s` is the session
        interval asked for (RFC 4028), 0: none but the peer's; `min_se_s` the shortest granted. `is_outside` tells which
        hosts see us by `Listener.external_host`; `admission` who may send anything at all."""
        self._endpoint = Endpoint(listeners, token, user_agent, timers, max_finished)
        self._endpoint.session_expires_s = session_expires_s
        self._endpoint.min_se_s = min_se_s
        self._endpoint.is_outside = is_outside
        self._limits = incoming.Limits(max_sessions, max_transactions, methods, retry_after_s, admission or AdmitAll())
        self.sessions: Mapping[str, Session] = self._endpoint.sessions
        # What `deadline` looks at, after every datagram.
        self._lanes = self._endpoint.lanes
        self._servers = self._endpoint.transactions.finished_servers
        self._clients = self._endpoint.transactions.finished_clients
        self._merged = self._endpoint.merged
        self._tidy_s = timers.tidy_s

    @property
    def deadline(self) -> float | None:
        """When `poll` wants to be called; None: nothing waits."""
        tidy = min(self._servers.earliest, self._clients.earliest, self._merged.earliest) + self._tidy_s
        earliest = self._lanes.earliest()
        if tidy < earliest:
            return tidy
        return None if earliest == math.inf else earliest

    @property
    def listeners(self) -> Sequence[Listener]:
        """The local addresses; `Flow.listener` is an index of them."""
        return self._endpoint.listeners

    def flow_moved(self, before: Flow, after: Flow) -> None:
        """A peer behind NAT comes another way now: what goes to it inside sessions follows. Walks the table."""
        for session in self.sessions.values():
            if session.flow == before:
                session.flow = after

    @property
    def stats(self) -> StackStats:
        return self._endpoint.stats

    @property
    def transaction_stats(self) -> TransactionStats:
        return self._endpoint.transactions.stats

    @property
    def n_transactions(self) -> int:
        """Live transactions."""
        transactions = self._endpoint.transactions
        return len(transactions.clients) + len(transactions.servers)

    def receive(self, data: bytes, flow: Flow, now: float, *, is_busy: bool = False) -> list[Action]:
        """One message from the network. Never raises. `is_busy`: a request from there gets 503 and costs nothing."""
        out: Out = []
        endpoint = self._endpoint
        endpoint.stats.n_received += 1
        try:
            message = parse_message(data, flow)
            if isinstance(message, Request):
                try:
                    if is_busy:
                        incoming.on_busy(endpoint, self._limits, message, out)
                        return out
                    incoming.on_request(endpoint, self._limits, message, now, out)
                except SipParseError as error:
                    endpoint.stats.n_malformed += 1
                    incoming.refuse(endpoint, message, error.status, error.reason, out)
            elif isinstance(message, Response):
                incoming.on_response(endpoint, message, now, out)
        except SipParseError as error:
            incoming.on_malformed(endpoint, error, out)
        except Exception:
            # The edge of one datagram: a fault of ours must not reach the other calls.
            endpoint.stats.n_faults += 1
            log.exception("! message from %s:%d", flow.host, flow.port)
        return out

    def poll(self, now: float) -> list[Action]:
        """Let every timer fire that is due."""
        out: Out = []
        endpoint = self._endpoint
        transactions = endpoint.transactions
        for timed in endpoint.lanes.poll(now):
            if isinstance(timed, Transaction):
                if transactions.fire(timed, now, out):
                    incoming.on_failure(endpoint, timed, 408, now, out)
            elif isinstance(timed, Unacknowledged):
                on_no_ack(endpoint, timed, now, out)
            elif isinstance(timed, Reoffer):
                session_reoffer.on_timer(endpoint, timed, now, out)
            elif isinstance(timed, Calendar):
                for session in session_timer.on_timer(endpoint, now, out):
                    session_reoffer.refresh(endpoint, session, now, out)
            elif isinstance(timed, Reliable):
                session_reliable.on_timer(endpoint, timed, now, out)
            elif isinstance(timed, ReferWatch):
                session_refer.on_timer(endpoint, timed, now, out)
            elif isinstance(timed, Waiting):
                self._resolved(timed, [], now, out)
        transactions.finished_servers.poll(now)
        transactions.finished_clients.poll(now)
        endpoint.merged.poll(now)
        return out

    def resolved(self, token: int, flows: list[Flow], now: float) -> list[Action]:
        """The answer to `Resolve`: where the URI leads, best first; [] when it leads nowhere."""
        out: Out = []
        waiting = self._endpoint.waiting.get(token)
        if waiting is not None:
            self._resolved(waiting, flows, now, out)
        return out

    def flow_failed(self, flow: Flow, now: float) -> list[Action]:
        """The transport gave `flow` up (§18.4): what waits on it fails at once. Walks all transactions."""
        out: Out = []
        endpoint = self._endpoint
        transactions = endpoint.transactions
        tables = (transactions.clients, transactions.servers)
        failed = [t for table in tables for t in table.values() if _is_over(t.flow, flow)]
        for t in failed:
            if transactions.step(t, "error", now, out):
                incoming.on_failure(endpoint, t, 503, now, out)
        if flow.connection:
            for session in endpoint.sessions.values():
                if session.flow == flow:
                    session.is_behind_nat = False
                    endpoint.choose_flow(session, flow._replace(connection=0))
        return out

    def move_session(self, session: str, flow: Flow) -> None:
        """The peer of a session is reached by another connection from now on (RFC 5626 §5.3)."""
        found = self._endpoint.sessions.get(session)
        if found is not None:
            found.flow = flow
            found.hop_uri = ""

    def _resolved(self, waiting: Waiting, flows: list[Flow], now: float, out: Out) -> None:
        endpoint = self._endpoint
        flows = [endpoint.fit(flow) for flow in flows]
        del endpoint.waiting[waiting.token]
        waiting.deadline = 0.0
        session = None
        if waiting.session:
            endpoint.waiting_of.pop(waiting.session, None)
            session = endpoint.sessions.get(waiting.session)
        flow = flows[0] if flows else waiting.flow
        if session is not None and flow is not None:
            session.hop_uri = ""
            session.flow = flow
        for draft in waiting.drafts:
            if flow is None:
                self._unreachable(draft, now, out)
            elif draft.method == "ACK":
                finished = endpoint.transactions.finished_clients.get(draft.key)
                endpoint.send_ack(draft, flow, finished, out)
            elif session is not None or not waiting.session or draft.method in ("BYE", "NOTIFY"):
                t = endpoint.submit(draft, flow, now, out)
                t.other_flows += tuple(flows[1:])
                if session is not None and draft.method == "INVITE":
                    session.invite_key = t.key

    def _unreachable(self, draft: Draft, now: float, out: Out) -> None:
        if draft.usage == "notify":
            watch = self._endpoint.refers.pop(draft.user, None)
            if watch is not None:
                watch.deadline = 0.0
        elif draft.usage == "request":
            out.append(RequestDone(draft.user, None))
        elif draft.usage == "invite":
            session = self._endpoint.sessions.get(draft.user)
            if session is not None:
                self._endpoint.remove(session)
                out.append(Rejected(session.id, 503, "Service Unavailable", None))


def _is_over(ours: Flow, failed: Flow) -> bool:
    """Whether what was sent by `ours` went over `failed`, whose connection number we may not have known."""
    if ours == failed:
        return True
    return ours.transport != "udp" and not ours.connection and ours[:3] == failed[:3]
