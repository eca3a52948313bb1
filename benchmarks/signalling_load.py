"""The load of `benchmarks.signalling`: callers and callees in one process, hand-rendered SIP text, one epoll loop.

    python -m benchmarks.signalling_load --pairs 2

First prints the ports of its pairs as JSON, then obeys JSON lines on stdin and answers each with one on stdout:
`{"do": "run", "pair": 0, "host": …, "port": …, "dial": …, "rate": 200, "calls": 1000, "talk_s": 1.0}` places calls and
reports when the last has ended; `{"do": "hold", …}` leaves them up; `{"do": "release", "rate": 400}` ends those;
`{"do": "serve", "pair": 0}` answers what the switch wants of them until another line comes.

A call is what SIGNALLING §1 counts: INVITE → 200 → ACK, talk, BYE → 200; no 180. The answer latency is the time from
sending the INVITE to receiving the 200, the callee's share (this process) included. With `user` and `password` in the
job the caller is an extension: every call is challenged and goes on with SHA-256 digest, and session timers are on.
"""

import argparse
import collections
import json
import select
import socket
import sys
import time
from typing import Any

from benchmarks.signalling_text import (
    CALLER,
    answer_tail,
    callee_answer,
    follow,
    follow_template,
    header_line,
    invite_template,
    session_description,
    with_credentials,
)

_SO_RCVBUFFORCE = 33
_BUFFER_BYTES = 8 << 20
_RESEND_S = (0.5, 1.0, 2.0, 4.0, 4.0, 4.0)
"""RFC 3261 §17.1: T1, doubled up to T2."""
_GIVE_UP_S = 16.0
_DRAIN_MAX = 64
_BURST_MAX = 8

Address = tuple[str, int]


class Pair:
    """Sockets of one caller side and one callee side, and what the callee side saw."""

    def __init__(self) -> None:
        self.caller = _bound()
        self.callee = _bound()
        self.ports = (self.caller.getsockname()[1], self.callee.getsockname()[1])
        self.seen: set[int] = set()
        self.repeated = 0
        self.acks = 0
        self.acked_at: list[float] = []
        """Monotonic seconds of those that came while held calls were served."""
        self.is_served = False
        self.invites = 0
        self.sdp = session_description(30000 + self.ports[1] % 1000 * 2)
        self.has_timers = False
        self._tails = {each: answer_tail(self.ports[1], self.sdp, has_timers=each) for each in (False, True)}

    def on_callee(self, data: bytes, source: Address) -> None:
        """What comes to the callee side: answered at once, with the headers it came with."""
        kind = data[:3]
        if kind == b"ACK":
            self.acks += 1
            if self.is_served:
                self.acked_at.append(time.monotonic())
            return
        if kind not in (b"INV", b"BYE"):
            return
        mark = hash(data)
        if mark in self.seen:
            self.repeated += 1
        else:
            self.seen.add(mark)
        self.invites += kind == b"INV"
        _send(self.callee, callee_answer(data, self._tails[self.has_timers]), source)


class Call:
    """One call of the caller side. `state`: calling, up, ending, over."""

    __slots__ = ("ack", "answered_at", "bye", "invite", "n_invites", "number", "resent", "sent_at", "state")

    def __init__(self, number: int, invite: bytes, now: float) -> None:
        self.number = number
        self.n_invites = 1
        self.invite = invite
        self.sent_at = now
        self.answered_at = 0.0
        self.state = "calling"
        self.resent = 0
        self.ack = self.bye = b""


class Load:
    """Runs one job at a time over one pair."""

    def __init__(self, pairs: list[Pair]) -> None:
        self.pairs = pairs
        self.epoll = select.epoll()
        for pair in pairs:
            self.epoll.register(pair.caller, select.EPOLLIN)
            self.epoll.register(pair.callee, select.EPOLLIN)
        self.next_number = int(time.time()) % 100_000 * 100_000
        self.held: dict[int, Call] = {}
        self.calls: dict[int, Call] = {}

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def run(self, job: dict[str, Any], *, is_held: bool = False) -> dict[str, Any]:
        """Places `calls` at `rate` a second; each ends after `talk_s`, unless it is held."""
        pair = self.pairs[job["pair"]]
        self.user, self.password = str(job.get("user", "")), str(job.get("password", ""))
        self._begin(pair, (job["host"], job["port"]), is_held, float(job.get("talk_s", 1.0)), str(job["dial"]))
        rate, n = float(job["rate"]), int(job["calls"])
        start = time.monotonic()
        placed = 0
        last = start
        while True:
            now = time.monotonic()
            due = min(n, int((now - start) * rate) + 1, placed + _BURST_MAX)
            while placed < due:
                self._place(now)
                placed += 1
                last = now
            self._timers(now)
            if placed == n and (not self.calls or now - last > _GIVE_UP_S):
                break
            wait = start + placed / rate - now if placed < n else 0.05
            if self.byes:
                wait = min(wait, self.byes[0][0] - now)
            self._wait(max(0.0, wait))
        return self._report(n, time.monotonic() - start)

    def release(self, job: dict[str, Any]) -> dict[str, Any]:
        """Ends the held calls at `rate` a second."""
        rate = float(job["rate"])
        start = time.monotonic()
        self.calls, self.held = self.held, {}
        n = len(self.calls)
        waiting = collections.deque(self.calls.values())
        self.missing_before = 0
        while self.calls and time.monotonic() - start < n / rate + _GIVE_UP_S:
            now = time.monotonic()
            while waiting and n - len(waiting) < (now - start) * rate:
                self._end(waiting.popleft(), now)
            self._timers(now)
            self._wait(min(1 / rate, 0.02))
        return {"released": n - len(self.calls), "failed": len(self.calls) + self.failed}

    def serve(self, job: dict[str, Any]) -> dict[str, Any]:
        """Answers what comes to held calls until one line more is on standard input; when ACKs came to the callee."""
        pair = self.pairs[job["pair"]]
        pair.acked_at, pair.is_served = [], True
        while not select.select([sys.stdin], [], [], 0)[0]:
            self._wait(0.005)
        sys.stdin.readline()
        pair.is_served = False
        return {"acked_at": pair.acked_at}

    # -- one call ------------------------------------------------------------------------------------------------------

    def _begin(self, pair: Pair, target: Address, is_held: bool, talk_s: float, dial: str) -> None:
        self.pair, self.target, self.is_held, self.talk_s, self.dial = pair, target, is_held, talk_s, dial
        self.calls = {}
        self.latencies: list[float] = []
        self.byes: collections.deque[tuple[float, Call]] = collections.deque()
        self.resends: dict[float, collections.deque[tuple[float, Call, str]]] = {
            delay: collections.deque() for delay in _RESEND_S
        }
        self.failed = self.n_resent = self.repeated_answers = 0
        self.statuses: collections.Counter[int] = collections.Counter()
        self.callee_before = (pair.invites, pair.acks, pair.repeated)
        caller = self.user or CALLER
        pair.has_timers = bool(self.user)
        self.invite = invite_template(dial, target[1], pair.ports[0], pair.sdp, caller=caller)
        self.follow = follow_template(pair.ports[0], caller=caller)

    def _place(self, now: float) -> None:
        self.next_number += 1
        number = self.next_number
        call = Call(number, self.invite % (number, number, number), now)
        self.calls[number] = call
        _send(self.pair.caller, call.invite, self.target)
        self._resend_after(call, now)

    def _on_caller(self, data: bytes) -> None:
        if data[:4] == b"BYE ":
            # The switch ends a leg that was transferred away.
            _send(self.pair.caller, callee_answer(data, b""), self.target)
            call_id = header_line(data, b"Call-ID").partition(b":")[2].strip()
            self.held.pop(int(call_id.partition(b"@")[0]), None)
            return
        if data[:8] != b"SIP/2.0 ":
            return
        at = data.index(b"\r\nCall-ID:") + 10
        call_id = data[at : data.index(b"\r\n", at)].strip()
        call = self.calls.get(int(call_id.partition(b"@")[0]))
        if call is None:
            self.repeated_answers += 1
            return
        status = int(data[8:11])
        if status < 200:
            return
        at = data.index(b"\r\nCSeq:") + 7
        is_invite = data[at : data.index(b"\r\n", at)].endswith(b"INVITE")
        now = time.monotonic()
        if is_invite:
            self._on_final(call, status, data, now)
        elif call.state == "ending":
            self.failed += status != 200
            call.state = "over"
            del self.calls[call.number]

    def _on_final(self, call: Call, status: int, data: bytes, now: float) -> None:
        number = call.number
        if call.state != "calling":
            self.repeated_answers += 1
            if call.ack:
                _send(self.pair.caller, call.ack, self.target)
            return
        if status != 200:
            is_challenge = status == 401 and call.n_invites == 1 and bool(self.user)
            uri = self.invite[7 : self.invite.index(b" SIP/2.0")]
            to = header_line(data, b"To")
            mark = b"i" if call.n_invites == 1 else b"j"
            ack = self.follow % (b"ACK", uri, mark, number, number, to, number, call.n_invites, b"ACK")
            _send(self.pair.caller, ack, self.target)
            if is_challenge:
                call.invite = with_credentials(call.invite, data, self.user, self.password)
                call.n_invites = 2
                _send(self.pair.caller, call.invite, self.target)
                return
            self.failed += 1
            self.statuses[status] += 1
            call.state = "over"
            del self.calls[number]
            return
        self.latencies.append(now - call.sent_at)
        call.ack = follow(self.follow, b"ACK", data, number, n_invites=call.n_invites)
        call.bye = follow(self.follow, b"BYE", data, number, n_invites=call.n_invites)
        call.state = "up"
        call.answered_at = now
        _send(self.pair.caller, call.ack, self.target)
        if self.is_held:
            self.held[number] = call
            del self.calls[number]
        else:
            self.byes.append((now + self.talk_s, call))

    def _end(self, call: Call, now: float) -> None:
        call.state = "ending"
        _send(self.pair.caller, call.bye, self.target)
        call.resent = 0
        self._resend_after(call, now)

    def _resend_after(self, call: Call, now: float) -> None:
        delay = _RESEND_S[call.resent]
        self.resends[delay].append((now + delay, call, call.state))

    def _timers(self, now: float) -> None:
        while self.byes and self.byes[0][0] <= now:
            self._end(self.byes.popleft()[1], now)
        for lane in self.resends.values():
            while lane and lane[0][0] <= now:
                _, call, state = lane.popleft()
                if call.state == state:
                    self._resend(call, now)

    def _resend(self, call: Call, now: float) -> None:
        call.resent += 1
        if call.resent == len(_RESEND_S):
            self.failed += 1
            call.state = "over"
            self.calls.pop(call.number, None)
            return
        self.n_resent += 1
        _send(self.pair.caller, call.invite if call.state == "calling" else call.bye, self.target)
        self._resend_after(call, now)

    def _wait(self, timeout_s: float) -> None:
        for fd, _ in self.epoll.poll(timeout_s):
            for pair in self.pairs:
                if fd == pair.caller.fileno():
                    for _ in range(_DRAIN_MAX):
                        got = _receive(pair.caller)
                        if got is None:
                            break
                        self._on_caller(got[0])
                elif fd == pair.callee.fileno():
                    for _ in range(_DRAIN_MAX):
                        got = _receive(pair.callee)
                        if got is None:
                            break
                        pair.on_callee(*got)

    def _report(self, n: int, elapsed_s: float) -> dict[str, Any]:
        # A moment for what is still on its way: the callee's ACK, a late repetition.
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            self._wait(0.05)
        pair = self.pair
        invites, acks, repeated = (
            after - before
            for after, before in zip((pair.invites, pair.acks, pair.repeated), self.callee_before, strict=True)
        )
        pair.seen.clear()
        ordered = sorted(self.latencies)
        return {
            "calls": n,
            "answered": len(ordered),
            "failed": self.failed + len(self.calls) + max(0, len(ordered) - acks),
            "statuses": dict(self.statuses),
            "retransmissions": repeated + self.repeated_answers,
            "load_retransmissions": self.n_resent,
            "callee_invites": invites,
            "callee_acks": acks,
            "answer_ms_p50": round(_quantile(ordered, 0.50) * 1000, 3),
            "answer_ms_p99": round(_quantile(ordered, 0.99) * 1000, 3),
            "answer_ms_max": round((ordered[-1] if ordered else 0.0) * 1000, 3),
            "seconds": round(elapsed_s, 3),
        }


def _quantile(ordered: list[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))] if ordered else 0.0


def _bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
            break
        except PermissionError:
            continue
    return sock


def _send(sock: socket.socket, data: bytes, target: Address) -> None:
    try:
        sock.sendto(data, target)
    except (BlockingIOError, ConnectionRefusedError):
        # Repeated by the resend timer, or counted as failed.
        return


def _receive(sock: socket.socket) -> tuple[bytes, Address] | None:
    try:
        return sock.recvfrom(65535)
    except (BlockingIOError, ConnectionRefusedError):
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1)
    load = Load([Pair() for _ in range(parser.parse_args().pairs)])
    print(json.dumps({"pairs": [pair.ports for pair in load.pairs]}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        match job["do"]:
            case "run":
                answer = load.run(job)
            case "hold":
                answer = load.run(job, is_held=True)
            case "release":
                answer = load.release(job)
            case "serve":
                answer = load.serve(job)
            case other:
                answer = {"error": f"unknown job {other!r}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
