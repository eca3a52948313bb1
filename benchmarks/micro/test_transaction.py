"""What the SIP stack costs, fed from memory in a tight loop: one transaction step, one timer, one complete B2BUA call.

`python -m benchmarks.micro.test_transaction` prints µs per call, best of several rounds; pytest-benchmark runs the
same. The call is 5 datagrams in (INVITE, 200, ACK, BYE, 200) and 5 out, bodies as they come, no CDR and no events:
those belong to `benchmarks.signalling`. The peers are pre-rendered text with the few values filled in that differ by
call.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from sip.actions import Answered, Closed, Ended, IncomingInvite, Send
from sip.flow import Flow
from sip.stack import Listener, SipStack
from sip.timers import Timed, TimerLanes, TransactionTimers
from sip.transaction import Transactions

CALLER = Flow("udp", "192.0.2.10", 5060)
CALLEE = Flow("udp", "192.0.2.20", 5060)

SDP = (
    b"v=0\r\no=- 3911 3911 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
)

INVITE = (
    b"INVITE sip:200@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-i%d\r\nMax-Forwards: 70\r\n"
    b"From: <sip:100@192.0.2.1>;tag=f%d\r\nTo: <sip:200@192.0.2.1>\r\nCall-ID: c%d@192.0.2.10\r\nCSeq: 1 INVITE\r\n"
    b"Contact: <sip:100@192.0.2.10:5060>\r\nUser-Agent: load\r\nContent-Type: application/sdp\r\n"
    b"Content-Length: %d\r\n\r\n"
)
IN_DIALOG = (
    b"%s sip:192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-%s%d\r\nMax-Forwards: 70\r\n"
    b"From: <sip:100@192.0.2.1>;tag=f%d\r\nTo: <sip:200@192.0.2.1>;tag=%s\r\nCall-ID: c%d@192.0.2.10\r\nCSeq: %d %s\r\n"
    b"Contact: <sip:100@192.0.2.10:5060>\r\nContent-Length: 0\r\n\r\n"
)


class Tokens:
    """Random hex digits out of a pool, as the switch makes them."""

    def __init__(self) -> None:
        self._pool = ""
        self._at = 0

    def __call__(self, n: int) -> str:
        start = self._at
        end = start + n
        if end > len(self._pool):
            self._pool = os.urandom(4096).hex()
            start, end = 0, n
        self._at = end
        return self._pool[start:end]


def answer_to(request: bytes, tag: bytes, body: bytes) -> bytes:
    """200 to a request of ours, by slicing: Via … CSeq are lines 2 to 7."""
    lines = request.split(b"\r\n", 8)
    via, _, from_, to, call_id, *_ = lines[1:7]
    cseq = next(line for line in lines if line.startswith(b"CSeq"))
    if b";tag=" not in to:
        to += b";tag=" + tag
    extra = b"Contact: <sip:200@192.0.2.20:5060>\r\nContent-Type: application/sdp\r\n" if body else b""
    head = b"\r\n".join((b"SIP/2.0 200 OK", via, from_, to, call_id, cseq, b""))
    return head + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Bridge:
    """The least a B2BUA has to do: answer the one leg when the other answers, end the one when the other ends."""

    def __init__(self) -> None:
        self.stack = SipStack([Listener("udp", "192.0.2.1", 5060)], token=Tokens())
        self.peer: dict[str, str] = {}
        self.sent: list[bytes] = []
        self.spent = 0.0
        self.count = itertools.count().__next__

    def feed(self, data: bytes, flow: Flow, now: float) -> None:
        """Only what happens in here is the stack's and counted."""
        start = time.perf_counter()
        stack = self.stack
        sent = self.sent
        sent.clear()
        for action in stack.receive(data, flow, now):
            if isinstance(action, Send):
                sent.append(action.data)
            elif isinstance(action, IncomingInvite):
                other, actions = stack.invite(
                    flow=CALLEE,
                    uri="sip:200@192.0.2.20:5060",
                    from_=action.request.headers["From"].partition(";tag=")[0],
                    to="<sip:200@192.0.2.20>",
                    now=now,
                    body=action.request.body,
                )
                self.peer[other] = action.session
                self.peer[action.session] = other
                sent.extend(each.data for each in actions if isinstance(each, Send))
            elif isinstance(action, Answered):
                actions = stack.answer(self.peer[action.session], action.body, now)
                sent.extend(each.data for each in actions if isinstance(each, Send))
            elif isinstance(action, Ended):
                actions = stack.bye(self.peer.pop(action.session), now)
                sent.extend(each.data for each in actions if isinstance(each, Send))
            elif isinstance(action, Closed):
                self.peer.pop(action.session, None)
        _ = stack.deadline
        self.spent += time.perf_counter() - start

    def call(self, now: float) -> None:
        n = self.count()
        self.feed(INVITE % (n, n, n, len(SDP)) + SDP, CALLER, now)
        invite = self.sent[-1]
        self.feed(answer_to(invite, b"callee", SDP), CALLEE, now)
        accepted = self.sent[-1]
        at = accepted.index(b";tag=", accepted.index(b"\r\nTo:")) + 5
        tag = accepted[at : accepted.index(b"\r", at)]
        self.feed(IN_DIALOG % (b"ACK", b"a", n, n, tag, n, 1, b"ACK"), CALLER, now)
        self.feed(IN_DIALOG % (b"BYE", b"b", n, n, tag, n, 2, b"BYE"), CALLER, now)
        self.feed(answer_to(self.sent[-1], b"", b""), CALLEE, now)


def measure(n_calls: int = 300, n_rounds: int = 40, calls_per_s: float = 800.0) -> tuple[float, Bridge]:
    """(µs per call of the best round, the bridge). Virtual time goes on as at `calls_per_s`, so that tables have the
    size they have in real life and what is due is done."""
    bridge = Bridge()
    # As the switch does after its start (SIGNALLING §2).
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    now = 0.0
    best = float("inf")
    for _ in range(n_rounds):
        bridge.spent = 0.0
        for _ in range(n_calls):
            now += 1 / calls_per_s
            deadline = bridge.stack.deadline
            if deadline is not None and deadline <= now:
                start = time.perf_counter()
                bridge.stack.poll(now)
                bridge.spent += time.perf_counter() - start
            bridge.call(now)
        best = min(best, bridge.spent / n_calls * 1e6)
    assert not bridge.stack.sessions and bridge.stack.n_transactions == 0
    assert bridge.stack.stats.n_faults == 0
    return best, bridge


def test_b2bua_call(benchmark: Callable[..., Any]) -> None:
    bridge = Bridge()
    times = itertools.count()
    benchmark(lambda: bridge.call(next(times) / 800))
    assert not bridge.stack.sessions


def test_timer_arm_and_cancel(benchmark: Callable[..., Any]) -> None:
    lanes = TimerLanes()
    times = itertools.count()

    def arm_and_cancel() -> None:
        timed = Timed()
        lanes.arm(timed, next(times) / 1000, 0.5)
        timed.deadline = 0.0
        _ = lanes.deadline

    benchmark(arm_and_cancel)


def test_transaction_life(benchmark: Callable[..., Any]) -> None:
    """One server transaction from request to its collapsed end."""
    timers = TransactionTimers()
    transactions = Transactions(timers, TimerLanes(), 1000)
    times = itertools.count()

    def live() -> None:
        n = next(times)
        now = n / 100
        out: list[Any] = []
        t = transactions.start_server(f"key {n}", "BYE", CALLER, "", now, out)
        transactions.step(t, "tu_2xx", now, out, b"SIP/2.0 200 OK\r\n\r\n")
        transactions.finished_servers.poll(now)

    benchmark(live)


if __name__ == "__main__":
    figure, _ = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    sys.stdout.write(f"{figure:.1f} µs per B2BUA call in the stack (5 datagrams in, both legs)\n")
