"""The four transaction machines of RFC 3261 §17 with RFC 6026's Accepted state, as tables to lay beside the figures.

`TABLE[kind][state, input] -> (next state, action, pass_up)`; a pair that is not there is ignored. Inputs: "1xx" "2xx"
"3xx" (300-699) are responses from the network (clients), "request" a retransmission and "ack" an ACK from the network
(servers), "tu_1xx" "tu_2xx" "tu_3xx" responses of ours (servers), "retransmit" and "timeout" the timers, "error" the
transport's. `pass_up` says that the user of the transaction must see the input.

Which timer is which (RFC letters): retransmit = A, E, G and, for a pending INVITE, the 100 after 200 ms and the
minute's provisional; timeout = B, F, H while live. D, I, J, K, L and M are lifetimes of `Finished` records: a
transaction that only waits for retransmissions is collapsed to the bytes it would repeat, in a bounded table. Users are
named by id, so nothing that lingers keeps a session alive. Pure.
"""

import math
from collections.abc import Callable

import msgspec

from sip.actions import Action, Send
from sip.credentials import Credentials
from sip.dialog import render_ack_to_failure
from sip.flow import Flow
from sip.message import Response
from sip.timers import Recent, Timed, TimerLanes, TransactionTimers

INVITE_CLIENT, CLIENT, INVITE_SERVER, SERVER = "invite_client", "client", "invite_server", "server"
RESPONSE_INPUT = ("", "1xx", "2xx", "3xx", "3xx", "3xx", "3xx")
"""By the first digit of the status."""
ANSWER_INPUT = ("", "tu_1xx", "tu_2xx", "tu_3xx", "tu_3xx", "tu_3xx", "tu_3xx")


class Transaction(Timed, gc=False):
    """A live transaction."""

    kind: str = ""
    state: str = ""
    key: str = ""
    method: str = ""
    flow: Flow = Flow("", "", 0)
    last: bytes = b""
    """What would be sent again: our request, or our last response."""
    interval: float = 0.0
    left: float = 0.0
    """Seconds from the armed deadline to timer B, F or H."""
    user: str = ""
    """Session id, request token, or "" when nobody waits."""
    usage: str = ""
    """What the user does with the outcome; the key of a table of handlers."""
    head: str = ""
    """Servers: the header lines every response starts with (Via … CSeq). Clients: unused."""
    rounds: int = 0
    """How often the request was repeated with credentials."""
    n_tries: int = 0
    """Re-INVITE: how often it was sent, with glares in between (§14.1)."""
    credentials: Credentials | None = None
    other_flows: tuple[Flow, ...] = ()
    """Where to try next when `flow` fails (UDP after TCP, §18.1.1; the next address, RFC 3263 §4.3)."""
    cseq: int = 0
    """Servers: of an INVITE, to know its ACK by."""
    merge_key: str = ""
    """Servers: what a merged request (§8.2.2.2) would have in common with this one."""


class Finished(msgspec.Struct, gc=False):
    """What is left of a transaction that only meets retransmissions."""

    kind: str
    state: str
    last: bytes
    flow: Flow
    user: str = ""
    remote_tag: str = ""
    """Accepted INVITE: To tag of the first 2xx; another one is another fork."""
    ack_headers: str = ""
    """Accepted INVITE: credential lines its ACK repeats."""


class TransactionStats(msgspec.Struct):
    n_retransmitted: int = 0
    """Messages we sent again because no answer came."""
    n_repeated: int = 0
    """Retransmissions of the peer answered from memory or absorbed."""
    n_timeouts: int = 0


_Out = list[Action]
_Action = Callable[["Transactions", Transaction, float, _Out, bytes, Response | None], None]
_Row = tuple[str, _Action | None, bool]


def _send(layer: "Transactions", t: Transaction, now: float, out: _Out, data: bytes, _: Response | None) -> None:
    t.last = data
    out.append(Send(data, t.flow))


def _repeat(layer: "Transactions", t: Transaction, now: float, out: _Out, _: bytes, __: Response | None) -> None:
    layer.stats.n_repeated += 1
    if t.last:
        out.append(Send(t.last, t.flow))


def _absorb(layer: "Transactions", t: Transaction, now: float, out: _Out, _: bytes, __: Response | None) -> None:
    layer.stats.n_repeated += 1


def _retransmit(layer: "Transactions", t: Transaction, now: float, out: _Out, _: bytes, __: Response | None) -> None:
    """A doubles without bound, E and G up to T2; E is T2 at once when proceeding."""
    layer.stats.n_retransmitted += 1
    out.append(Send(t.last, t.flow))
    interval = t.interval * 2
    if t.kind != INVITE_CLIENT and (interval > layer.timers.t2 or t.state == "proceeding"):
        interval = layer.timers.t2
    layer.arm_within(t, now, interval)


def _stop(layer: "Transactions", t: Transaction, now: float, out: _Out, _: bytes, __: Response | None) -> None:
    """A provisional response: only the user's ring timeout, or the CANCEL's, bounds the transaction now."""
    t.deadline = 0.0


def _ring(layer: "Transactions", t: Transaction, now: float, out: _Out, data: bytes, _: Response | None) -> None:
    t.last = data
    out.append(Send(data, t.flow))
    layer.lanes.arm(t, now, layer.timers.provisional_s)


def _ring_again(layer: "Transactions", t: Transaction, now: float, out: _Out, _: bytes, __: Response | None) -> None:
    if not t.last:
        t.last = f"SIP/2.0 100 Trying\r\n{t.head}Content-Length: 0\r\n\r\n".encode("utf-8", "surrogateescape")
    out.append(Send(t.last, t.flow))
    layer.lanes.arm(t, now, layer.timers.provisional_s)


def _accept_client(layer: "Transactions", t: Transaction, now: float, _: _Out, __: bytes, ___: Response | None) -> None:
    layer.forget(t)
    layer.finished_clients.put(
        t.key, Finished(INVITE_CLIENT, "accepted", b"", t.flow, t.user), now, layer.timeout_s
    )  # timer M


def _acknowledge(
    layer: "Transactions", t: Transaction, now: float, out: _Out, _: bytes, response: Response | None
) -> None:
    if response is None:
        return
    ack = render_ack_to_failure(t.last, response)
    out.append(Send(ack, t.flow))
    layer.forget(t)
    if t.flow.transport == "udp":
        layer.finished_clients.put(t.key, Finished(INVITE_CLIENT, "completed", ack, t.flow), now, layer.timers.timer_d)


def _finish_client(layer: "Transactions", t: Transaction, now: float, _: _Out, __: bytes, ___: Response | None) -> None:
    layer.forget(t)
    if t.flow.transport == "udp":
        layer.finished_clients.put(t.key, _DONE, now, layer.timers.t4)  # timer K


def _accept_server(
    layer: "Transactions", t: Transaction, now: float, out: _Out, data: bytes, _: Response | None
) -> None:
    """The user repeats the 2xx until the ACK comes; the transaction absorbs the INVITE's retransmissions."""
    out.append(Send(data, t.flow))
    layer.forget(t)
    layer.finished_servers.put(
        t.key, Finished(INVITE_SERVER, "accepted", b"", t.flow, t.user), now, layer.timeout_s
    )  # timer L


def _reject_server(
    layer: "Transactions", t: Transaction, now: float, out: _Out, data: bytes, _: Response | None
) -> None:
    t.last = data
    out.append(Send(data, t.flow))
    t.left = layer.timeout_s  # timer H
    layer.arm_within(t, now, layer.timers.t1 if t.flow.transport == "udp" else t.left)


def _confirm_server(
    layer: "Transactions", t: Transaction, now: float, _: _Out, __: bytes, ___: Response | None
) -> None:
    layer.forget(t)
    if t.flow.transport == "udp":
        layer.finished_servers.put(t.key, Finished(INVITE_SERVER, "confirmed", b"", t.flow), now, layer.timers.t4)


def _finish_server(
    layer: "Transactions", t: Transaction, now: float, out: _Out, data: bytes, _: Response | None
) -> None:
    layer.forget(t)
    layer.answer_at_once(t.key, t.flow, data, now, out)


# Figures 5 (with RFC 6026 figure 1's Accepted), 6, 7 (RFC 6026 figure 2), 8.
TABLE: dict[str, dict[tuple[str, str], _Row]] = {
    INVITE_CLIENT: {
        ("calling", "1xx"): ("proceeding", _stop, True),
        ("calling", "2xx"): ("accepted", _accept_client, True),
        ("calling", "3xx"): ("completed", _acknowledge, True),
        ("calling", "retransmit"): ("calling", _retransmit, False),
        ("calling", "timeout"): ("terminated", None, True),
        ("calling", "error"): ("terminated", None, True),
        ("proceeding", "1xx"): ("proceeding", None, True),
        ("proceeding", "2xx"): ("accepted", _accept_client, True),
        ("proceeding", "3xx"): ("completed", _acknowledge, True),
        ("proceeding", "timeout"): ("terminated", None, True),  # only armed by CANCEL (§9.1)
        ("proceeding", "error"): ("terminated", None, True),
        ("completed", "3xx"): ("completed", _repeat, False),
        ("accepted", "2xx"): ("accepted", None, True),
    },
    CLIENT: {
        ("trying", "1xx"): ("proceeding", None, True),
        ("trying", "2xx"): ("completed", _finish_client, True),
        ("trying", "3xx"): ("completed", _finish_client, True),
        ("trying", "retransmit"): ("trying", _retransmit, False),
        ("trying", "timeout"): ("terminated", None, True),
        ("trying", "error"): ("terminated", None, True),
        ("proceeding", "1xx"): ("proceeding", None, True),
        ("proceeding", "2xx"): ("completed", _finish_client, True),
        ("proceeding", "3xx"): ("completed", _finish_client, True),
        ("proceeding", "retransmit"): ("proceeding", _retransmit, False),
        ("proceeding", "timeout"): ("terminated", None, True),
        ("proceeding", "error"): ("terminated", None, True),
        ("completed", "1xx"): ("completed", _absorb, False),
        ("completed", "2xx"): ("completed", _absorb, False),
        ("completed", "3xx"): ("completed", _absorb, False),
    },
    INVITE_SERVER: {
        ("proceeding", "request"): ("proceeding", _repeat, False),
        ("proceeding", "tu_1xx"): ("proceeding", _ring, False),
        ("proceeding", "tu_2xx"): ("accepted", _accept_server, False),
        ("proceeding", "tu_3xx"): ("completed", _reject_server, False),
        ("proceeding", "retransmit"): ("proceeding", _ring_again, False),
        ("proceeding", "error"): ("terminated", None, True),
        ("completed", "request"): ("completed", _repeat, False),
        ("completed", "ack"): ("confirmed", _confirm_server, False),
        ("completed", "retransmit"): ("completed", _retransmit, False),
        ("completed", "timeout"): ("terminated", None, False),
        ("completed", "error"): ("terminated", None, False),
        ("confirmed", "request"): ("confirmed", _absorb, False),
        ("confirmed", "ack"): ("confirmed", _absorb, False),
        ("accepted", "request"): ("accepted", _absorb, False),
        ("accepted", "ack"): ("accepted", None, True),
    },
    SERVER: {
        ("trying", "request"): ("trying", _absorb, False),
        ("trying", "tu_1xx"): ("proceeding", _send, False),
        ("trying", "tu_2xx"): ("completed", _finish_server, False),
        ("trying", "tu_3xx"): ("completed", _finish_server, False),
        ("trying", "error"): ("terminated", None, True),
        ("proceeding", "request"): ("proceeding", _repeat, False),
        ("proceeding", "tu_1xx"): ("proceeding", _send, False),
        ("proceeding", "tu_2xx"): ("completed", _finish_server, False),
        ("proceeding", "tu_3xx"): ("completed", _finish_server, False),
        ("proceeding", "error"): ("terminated", None, True),
        ("completed", "request"): ("completed", _repeat, False),
    },
}


class Transactions:
    """All transactions of a stack, their timers, and what is remembered of the finished ones."""

    __slots__ = (
        "clients",
        "finished_clients",
        "finished_servers",
        "lanes",
        "servers",
        "stats",
        "t1",
        "timeout_s",
        "timers",
    )

    def __init__(self, timers: TransactionTimers, lanes: TimerLanes, max_finished: int) -> None:
        self.timers = timers
        self.timeout_s = timers.timeout
        self.t1 = min(timers.t1, timers.timeout)
        self.lanes = lanes
        self.clients: dict[str, Transaction] = {}
        self.servers: dict[str, Transaction] = {}
        self.finished_clients: Recent[Finished] = Recent(max_finished)
        self.finished_servers: Recent[Finished] = Recent(max_finished)
        self.stats = TransactionStats()

    def start_client(
        self, key: str, method: str, data: bytes, flow: Flow, user: str, usage: str, now: float, out: _Out
    ) -> Transaction:
        """Send a request (not ACK) and wait for its answer."""
        kind, state = (INVITE_CLIENT, "calling") if method == "INVITE" else (CLIENT, "trying")
        interval = self.t1 if flow.transport == "udp" else self.timeout_s
        left = self.timeout_s - interval
        t = Transaction(0.0, kind, state, key, method, flow, data, interval, left, user, usage)
        self.clients[key] = t
        out.append(Send(data, flow))
        self.lanes.arm(t, now, interval)
        return t

    def start_server(self, key: str, method: str, flow: Flow, head: str, now: float, out: _Out) -> Transaction:
        """`flow` is where the responses go; `head` the lines each of them starts with."""
        if method == "INVITE":
            t = Transaction(0.0, INVITE_SERVER, "proceeding", key, method, flow, left=math.inf, head=head)
            if self.timers.trying_s:
                self.lanes.arm(t, now, self.timers.trying_s)
            else:
                _ring_again(self, t, now, out, b"", None)
        else:
            t = Transaction(0.0, SERVER, "trying", key, method, flow, head=head)
        self.servers[key] = t
        return t

    def answer_at_once(self, key: str, flow: Flow, data: bytes, now: float, out: _Out) -> None:
        """Complete a server transaction, not INVITE, with its final response; it need not have been started."""
        out.append(Send(data, flow))
        if flow.transport == "udp":
            self.finished_servers.put(key, Finished(SERVER, "completed", data, flow), now, self.timeout_s)  # timer J

    def step(
        self, t: Transaction, event: str, now: float, out: _Out, data: bytes = b"", response: Response | None = None
    ) -> bool:
        """One input. True: the user must see it."""
        row = TABLE[t.kind].get((t.state, event))
        if row is None:
            return False
        t.state, action, pass_up = row
        if action is not None:
            action(self, t, now, out, data, response)
        elif t.state == "terminated":
            self.forget(t)
        return pass_up

    def step_finished(self, finished: Finished, event: str, out: _Out) -> bool:
        """The same for a collapsed transaction: it can only repeat, absorb, or pass up."""
        row = TABLE[finished.kind].get((finished.state, event))
        if row is None:
            return False
        self.stats.n_repeated += 1
        if row[1] is _repeat and finished.last:
            out.append(Send(finished.last, finished.flow))
        return row[2]

    def fire(self, t: Transaction, now: float, out: _Out) -> bool:
        """The armed timer of `t` fired. True: it timed out and the user must see it."""
        if t.left > 1e-6:
            return self.step(t, "retransmit", now, out)
        self.stats.n_timeouts += 1
        return self.step(t, "timeout", now, out)

    def give_up_after(self, t: Transaction, now: float, delay: float) -> None:
        """Arm the time-out of an INVITE that was cancelled while proceeding (§9.1)."""
        t.left = 0.0
        self.lanes.arm(t, now, delay)

    def arm_within(self, t: Transaction, now: float, interval: float) -> None:
        """The next retransmission after `interval`, or the time-out if that comes first."""
        interval = min(interval, t.left)
        t.left -= interval
        t.interval = interval
        self.lanes.arm(t, now, interval)

    def forget(self, t: Transaction) -> None:
        """Drop it from the live tables."""
        t.deadline = 0.0
        (self.clients if t.kind is INVITE_CLIENT or t.kind is CLIENT else self.servers).pop(t.key, None)


_DONE = Finished(CLIENT, "completed", b"", Flow("", "", 0))
