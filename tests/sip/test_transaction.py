"""sip/transaction.py: every state x input of the four machines, their timers on unreliable and reliable transports, and
what collapsed transactions do.

Not here: matching of messages to transactions (test_stack), what users do (test_session).
"""

import itertools

import pytest

from sip.actions import Action, Send
from sip.flow import Flow
from sip.message import Response
from sip.parser import parse_message
from sip.timers import TimerLanes, TransactionTimers
from sip.transaction import CLIENT, INVITE_CLIENT, INVITE_SERVER, SERVER, TABLE, Finished, Transaction, Transactions

UDP = Flow("udp", "10.0.0.2", 5060)
TCP = Flow("tcp", "10.0.0.2", 5060, 0, 7)
REQUEST = (
    b"%s sip:bob@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    b"From: <sip:alice@10.0.0.1>;tag=a\r\nTo: <sip:bob@10.0.0.2>\r\nCall-ID: c\r\nRoute: <sip:10.0.0.2;lr>\r\n"
    b"CSeq: 1 %s\r\nContact: <sip:10.0.0.1>\r\nContent-Length: 0\r\n\r\n"
)

# (state, input) -> (next state, does the user see it, how many messages go out). Typed from figures 5, 6, 7 and 8 of
# RFC 3261 and figures 1 and 2 of RFC 6026; a pair that is not here changes nothing and sends nothing.
EXPECTED = {
    INVITE_CLIENT: {
        ("calling", "1xx"): ("proceeding", True, 0),
        ("calling", "2xx"): ("accepted", True, 0),
        ("calling", "3xx"): ("completed", True, 1),
        ("calling", "retransmit"): ("calling", False, 1),
        ("calling", "timeout"): ("terminated", True, 0),
        ("calling", "error"): ("terminated", True, 0),
        ("proceeding", "1xx"): ("proceeding", True, 0),
        ("proceeding", "2xx"): ("accepted", True, 0),
        ("proceeding", "3xx"): ("completed", True, 1),
        ("proceeding", "timeout"): ("terminated", True, 0),
        ("proceeding", "error"): ("terminated", True, 0),
        ("completed", "3xx"): ("completed", False, 1),
        ("accepted", "2xx"): ("accepted", True, 0),
    },
    CLIENT: {
        ("trying", "1xx"): ("proceeding", True, 0),
        ("trying", "2xx"): ("completed", True, 0),
        ("trying", "3xx"): ("completed", True, 0),
        ("trying", "retransmit"): ("trying", False, 1),
        ("trying", "timeout"): ("terminated", True, 0),
        ("trying", "error"): ("terminated", True, 0),
        ("proceeding", "1xx"): ("proceeding", True, 0),
        ("proceeding", "2xx"): ("completed", True, 0),
        ("proceeding", "3xx"): ("completed", True, 0),
        ("proceeding", "retransmit"): ("proceeding", False, 1),
        ("proceeding", "timeout"): ("terminated", True, 0),
        ("proceeding", "error"): ("terminated", True, 0),
    },
    INVITE_SERVER: {
        ("proceeding", "request"): ("proceeding", False, 1),
        ("proceeding", "tu_1xx"): ("proceeding", False, 1),
        ("proceeding", "tu_2xx"): ("accepted", False, 1),
        ("proceeding", "tu_3xx"): ("completed", False, 1),
        ("proceeding", "retransmit"): ("proceeding", False, 1),
        ("proceeding", "error"): ("terminated", True, 0),
        ("completed", "request"): ("completed", False, 1),
        ("completed", "ack"): ("confirmed", False, 0),
        ("completed", "retransmit"): ("completed", False, 1),
        ("completed", "timeout"): ("terminated", False, 0),
        ("completed", "error"): ("terminated", False, 0),
        ("accepted", "ack"): ("accepted", True, 0),
    },
    SERVER: {
        ("trying", "tu_1xx"): ("proceeding", False, 1),
        ("trying", "tu_2xx"): ("completed", False, 1),
        ("trying", "tu_3xx"): ("completed", False, 1),
        ("trying", "error"): ("terminated", True, 0),
        ("proceeding", "request"): ("proceeding", False, 1),
        ("proceeding", "tu_1xx"): ("proceeding", False, 1),
        ("proceeding", "tu_2xx"): ("completed", False, 1),
        ("proceeding", "tu_3xx"): ("completed", False, 1),
        ("proceeding", "error"): ("terminated", True, 0),
        ("completed", "request"): ("completed", False, 1),
    },
}
STATES = {
    INVITE_CLIENT: ("calling", "proceeding", "completed", "accepted"),
    CLIENT: ("trying", "proceeding", "completed"),
    INVITE_SERVER: ("proceeding", "completed", "confirmed", "accepted"),
    SERVER: ("trying", "proceeding", "completed"),
}
INPUTS = ("1xx", "2xx", "3xx", "request", "ack", "tu_1xx", "tu_2xx", "tu_3xx", "retransmit", "timeout", "error")
TO_STATE = {
    (INVITE_CLIENT, "calling"): (),
    (INVITE_CLIENT, "proceeding"): ("1xx",),
    (INVITE_CLIENT, "completed"): ("3xx",),
    (INVITE_CLIENT, "accepted"): ("2xx",),
    (CLIENT, "trying"): (),
    (CLIENT, "proceeding"): ("1xx",),
    (CLIENT, "completed"): ("2xx",),
    (INVITE_SERVER, "proceeding"): ("tu_1xx",),
    (INVITE_SERVER, "completed"): ("tu_3xx",),
    (INVITE_SERVER, "confirmed"): ("tu_3xx", "ack"),
    (INVITE_SERVER, "accepted"): ("tu_2xx",),
    (SERVER, "trying"): (),
    (SERVER, "proceeding"): ("tu_1xx",),
    (SERVER, "completed"): ("tu_2xx",),
}


def response(event: str) -> Response:
    status = {"1xx": "180", "2xx": "200", "3xx": "486"}[event]
    message = parse_message(
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1\r\nFrom: <sip:alice@10.0.0.1>;tag=a\r\n"
        "To: <sip:bob@10.0.0.2>;tag=b\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert isinstance(message, Response)
    return message


class Machine:
    """One transaction and where it is by now: live, collapsed or gone."""

    def __init__(self, kind: str, flow: Flow = UDP, timers: TransactionTimers | None = None) -> None:
        self.lanes = TimerLanes()
        self.layer = Transactions(timers or TransactionTimers(), self.lanes, 100)
        self.out: list[Action] = []
        self.now = 0.0
        method = b"INVITE" if "invite" in kind else b"BYE"
        if "client" in kind:
            self.t = self.layer.start_client(
                "k", method.decode(), REQUEST % (method, method), flow, "u", "x", 0.0, self.out
            )
        else:
            self.t = self.layer.start_server("k", method.decode(), flow, "Via: v\r\n", 0.0, self.out)

    @property
    def finished(self) -> Finished | None:
        return self.layer.finished_clients.get("k") or self.layer.finished_servers.get("k")

    @property
    def state(self) -> str:
        if self.t.key in self.layer.clients or self.t.key in self.layer.servers:
            return self.t.state
        return self.finished.state if self.finished is not None else "terminated"

    def feed(self, event: str) -> bool:
        if self.t.key in self.layer.clients or self.t.key in self.layer.servers:
            message = response(event) if event in ("1xx", "2xx", "3xx") else None
            return self.layer.step(self.t, event, self.now, self.out, f"{event} bytes".encode(), message)
        return self.finished is not None and self.layer.step_finished(self.finished, event, self.out)

    def run(self, until: float) -> list[float]:
        """Let timers fire; when each message went out."""
        times = [self.now] * len(self.out)
        while (deadline := self.lanes.deadline) is not None and deadline <= until:
            self.now = deadline
            for t in self.lanes.poll(self.now):
                assert isinstance(t, Transaction)
                self.layer.fire(t, self.now, self.out)
                times += [self.now] * (len(self.out) - len(times))
        self.layer.finished_clients.poll(until)
        self.layer.finished_servers.poll(until)
        self.now = until
        return times


@pytest.mark.parametrize(
    ("kind", "state", "event"),
    [(kind, state, event) for kind in TABLE for state in STATES[kind] for event in INPUTS],
    ids=lambda value: value,
)
def test_every_state_and_input(kind: str, state: str, event: str) -> None:
    machine = Machine(kind)
    for step in TO_STATE[kind, state]:
        machine.feed(step)
    assert machine.state == state
    machine.out.clear()
    # Timers fire only where the figure has one; elsewhere the table ignores them too.
    next_state, pass_up, n_sent = EXPECTED[kind].get((state, event), (state, False, 0))
    assert machine.feed(event) is pass_up
    assert machine.state == next_state
    assert len([action for action in machine.out if isinstance(action, Send)]) == n_sent


def test_table_holds_nothing_the_figures_do_not() -> None:
    for kind, rows in TABLE.items():
        for (state, event), (next_state, _, pass_up) in rows.items():
            expected = EXPECTED[kind].get((state, event), (state, False, 0))
            assert (next_state, pass_up) == expected[:2], (kind, state, event)


@pytest.mark.parametrize(
    ("kind", "flow", "times"),
    [
        (INVITE_CLIENT, UDP, [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]),
        (INVITE_CLIENT, TCP, [0.0]),
        (CLIENT, UDP, [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]),
        (CLIENT, TCP, [0.0]),
    ],
    ids=["timer A, B", "reliable B", "timer E, F", "reliable F"],
)
def test_client_retransmits_and_gives_up_at_32_s(kind: str, flow: Flow, times: list[float]) -> None:
    machine = Machine(kind, flow)
    assert machine.run(31.9) == times
    assert machine.state in ("calling", "trying")
    machine.run(32.0)
    assert machine.state == "terminated"
    assert len(machine.out) == len(times)


def test_timer_e_is_t2_once_proceeding_and_f_stays() -> None:
    machine = Machine(CLIENT)
    machine.run(0.6)
    machine.feed("1xx")
    assert machine.run(31.99) == [0.6, 0.6, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    machine.run(32.0)
    assert machine.state == "terminated"


def test_proceeding_invite_neither_retransmits_nor_ends() -> None:
    machine = Machine(INVITE_CLIENT)
    machine.feed("1xx")
    machine.run(10_000.0)
    assert machine.state == "proceeding"
    machine.layer.give_up_after(machine.t, machine.now, 32.0)
    machine.run(10_032.0)
    assert machine.state == "terminated"


@pytest.mark.parametrize(("flow", "n_sent"), [(UDP, 11), (TCP, 1)], ids=["timer G, H", "reliable H"])
def test_refusal_is_repeated_until_ack_or_timer_h(flow: Flow, n_sent: int) -> None:
    machine = Machine(INVITE_SERVER, flow)
    machine.feed("tu_3xx")
    machine.run(31.99)
    assert len(machine.out) == n_sent
    assert machine.state == "completed"
    machine.run(32.0)
    assert machine.state == "terminated"


@pytest.mark.parametrize(
    ("kind", "events", "flow", "lifetime"),
    [
        (INVITE_CLIENT, ("3xx",), UDP, 32.0),
        (INVITE_CLIENT, ("3xx",), TCP, 0.0),
        (INVITE_CLIENT, ("2xx",), UDP, 32.0),
        (INVITE_CLIENT, ("2xx",), TCP, 32.0),
        (CLIENT, ("2xx",), UDP, 5.0),
        (CLIENT, ("2xx",), TCP, 0.0),
        (INVITE_SERVER, ("tu_3xx", "ack"), UDP, 5.0),
        (INVITE_SERVER, ("tu_3xx", "ack"), TCP, 0.0),
        (INVITE_SERVER, ("tu_2xx",), UDP, 32.0),
        (INVITE_SERVER, ("tu_2xx",), TCP, 32.0),
        (SERVER, ("tu_2xx",), UDP, 32.0),
        (SERVER, ("tu_2xx",), TCP, 0.0),
    ],
    ids=[
        "D",
        "D reliable",
        "M",
        "M reliable",
        "K",
        "K reliable",
        "I",
        "I reliable",
        "L",
        "L reliable",
        "J",
        "J reliable",
    ],
)
def test_how_long_a_finished_transaction_is_remembered(
    kind: str, events: tuple[str, ...], flow: Flow, lifetime: float
) -> None:
    machine = Machine(kind, flow)
    for event in events:
        machine.feed(event)
    assert machine.t.key not in machine.layer.clients
    assert machine.t.key not in machine.layer.servers
    assert (machine.finished is not None) is (lifetime > 0)
    machine.run(lifetime - 0.01)
    assert (machine.finished is not None) is (lifetime > 0)
    machine.run(lifetime)
    assert machine.finished is None
    assert len(machine.lanes) == 0


def test_ack_to_a_failure_is_made_of_the_request() -> None:
    machine = Machine(INVITE_CLIENT)
    machine.feed("3xx")
    ack = machine.out[-1]
    assert isinstance(ack, Send)
    assert ack.data == (
        b"ACK sip:bob@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        b"From: <sip:alice@10.0.0.1>;tag=a\r\nTo: <sip:bob@10.0.0.2>;tag=b\r\nCall-ID: c\r\n"
        b"Route: <sip:10.0.0.2;lr>\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(("trying_s", "times"), [(0.2, [0.2]), (0.0, [0.0])], ids=["after 200 ms", "at once"])
def test_trying(trying_s: float, times: list[float]) -> None:
    machine = Machine(INVITE_SERVER, timers=TransactionTimers(trying_s=trying_s))
    assert machine.run(59.0) == times
    sent = machine.out[0]
    assert isinstance(sent, Send)
    assert sent.data == b"SIP/2.0 100 Trying\r\nVia: v\r\nContent-Length: 0\r\n\r\n"


def test_ringing_replaces_trying_and_is_repeated_every_minute() -> None:
    machine = Machine(INVITE_SERVER)
    machine.run(0.1)
    machine.feed("tu_1xx")
    assert machine.run(200.0) == [0.1, 60.1, 120.1, 180.1]


def test_other_t1_and_t2() -> None:
    machine = Machine(CLIENT, timers=TransactionTimers(t1=0.1, t2=0.3))
    times = machine.run(6.39)
    gaps = [round(b - a, 3) for a, b in itertools.pairwise(times)]
    assert gaps[:4] == [0.1, 0.2, 0.3, 0.3]
    assert machine.state == "trying"
    machine.run(6.5)
    assert machine.state == "terminated"
