"""Two or more `SipStack`s over an in-memory network in virtual time, and a peer that is raw text. For tests/sip."""

import heapq
import random
from collections.abc import Callable
from itertools import count

from sip.actions import Action, Resolve, Send
from sip.flow import Flow
from sip.stack import Listener, SipStack, TransactionTimers

A, B = "10.0.0.1", "10.0.0.2"
OFFER = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
ANSWER = b"v=0\r\no=- 2 2 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"


def tokens(seed: int) -> Callable[[int], str]:
    rng = random.Random(seed)
    return lambda n: f"{rng.getrandbits(4 * n):0{n}x}"


def udp(host: str, port: int = 5060) -> Flow:
    return Flow("udp", host, port)


def make_stack(host: str, seed: int = 1, transports: tuple[str, ...] = ("udp",), **options: object) -> SipStack:
    listeners = [Listener(transport, host, 5060) for transport in transports]
    return SipStack(listeners, token=tokens(seed), **options)  # type: ignore[arg-type]


class Network:
    """Carries what stacks send, `fate` deciding: the delays at which copies arrive ([]: lost). All else that comes out
    of a stack is an event, kept in `events[host]` and given to `on_event` when there is one."""

    def __init__(self, *hosts: str, fate: Callable[[bytes], list[float]] | None = None, **options: object) -> None:
        self.now = 0.0
        self.stacks = {host: make_stack(host, n, **options) for n, host in enumerate(hosts or (A, B))}  # type: ignore[arg-type]
        self.events: dict[str, list[Action]] = {host: [] for host in self.stacks}
        self.wire: list[tuple[float, str, str, bytes]] = []
        """Everything sent: when, from, to, bytes; lost or not."""
        self.fate = fate or (lambda data: [0.001])
        self.on_event: Callable[[str, Action], None] | None = None
        self._queue: list[tuple[float, int, str, str, bytes]] = []
        self._serial = count().__next__

    def perform(self, host: str, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                self.wire.append((self.now, host, action.flow.host, action.data))
                for delay in self.fate(action.data):
                    entry = (self.now + delay, self._serial(), host, action.flow.host, action.data)
                    heapq.heappush(self._queue, entry)
            elif isinstance(action, Resolve):
                raise AssertionError("nothing to resolve here")
            else:
                self.events[host].append(action)
                if self.on_event is not None:
                    self.on_event(host, action)

    def step(self, until: float) -> bool:
        """The next thing that happens, if it happens by `until`."""
        deadlines = [(s.deadline, host) for host, s in self.stacks.items() if s.deadline is not None]
        due, host = min(deadlines, default=(float("inf"), ""))
        if self._queue and self._queue[0][0] <= due:
            if self._queue[0][0] > until:
                return False
            when, _, source, target, data = heapq.heappop(self._queue)
            self.now = max(self.now, when)
            if target in self.stacks:
                self.perform(target, self.stacks[target].receive(data, udp(source), self.now))
            return True
        if not host or due > until:
            return False
        self.now = max(self.now, due)
        self.perform(host, self.stacks[host].poll(self.now))
        return True

    def run(self, seconds: float = 0.1) -> None:
        """Let this much time pass."""
        until = self.now + seconds
        while self.step(until):
            pass
        self.now = until

    def finish(self) -> None:
        """Until nothing waits any more."""
        n_steps = 0
        while self.step(float("inf")):
            n_steps += 1
            assert n_steps < 100_000, "it never ends"

    def sent(self, host: str) -> list[str]:
        """Method or status of everything `host` sent."""
        return [kind(data) for _, source, _, data in self.wire if source == host]

    def names(self, host: str) -> list[str]:
        return [type(event).__name__ for event in self.events[host]]

    def assert_empty(self) -> None:
        for stack in self.stacks.values():
            assert_empty(stack)


def assert_empty(stack: SipStack) -> None:
    """Nothing is left of anything."""
    endpoint = stack._endpoint
    transactions = endpoint.transactions
    left = {
        "sessions": len(stack.sessions),
        "clients": len(transactions.clients),
        "servers": len(transactions.servers),
        "finished clients": len(transactions.finished_clients),
        "finished servers": len(transactions.finished_servers),
        "merged": len(endpoint.merged),
        "unacknowledged": len(endpoint.unacknowledged),
        "reoffers": len(endpoint.reoffers),
        "refers": len(endpoint.refers),
        "reliable": len(endpoint.reliable),
        "session timers": len(endpoint.calendar.slots),
        "waiting": len(endpoint.waiting) + len(endpoint.waiting_of),
        "timers": len(endpoint.lanes),
    }
    assert not any(left.values()), left
    assert stack.deadline is None
    assert stack.stats.n_faults == 0


def kind(data: bytes) -> str:
    words = data.split(b" ", 2)
    return words[1].decode() if words[0] == b"SIP/2.0" else words[0].decode()


def header(data: bytes, name: str) -> str:
    """First value of a header of a message of ours, by its very spelling."""
    for line in data.decode().split("\r\n"):
        if line.startswith(f"{name}: "):
            return line[len(name) + 2 :]
    return ""


def headers(data: bytes, name: str) -> list[str]:
    lines = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return [line[len(name) + 2 :] for line in lines if line.startswith(f"{name}: ")]


def set_up(net: Network, *, offer: bytes = OFFER) -> tuple[str, str]:
    """A call from A to B, answered. (session at A, session at B)."""
    caller, actions = net.stacks[A].invite(
        flow=udp(B), uri=f"sip:bob@{B}", from_=f"<sip:alice@{A}>", to=f"<sip:bob@{B}>", now=net.now, body=offer
    )
    net.perform(A, actions)
    net.run()
    callee: str = next(e.session for e in net.events[B] if type(e).__name__ == "IncomingInvite")  # type: ignore[attr-defined]
    net.perform(B, net.stacks[B].answer(callee, ANSWER if offer else OFFER, net.now))
    net.run()
    if not offer:
        net.perform(A, net.stacks[A].acknowledge(caller, ANSWER, net.now))
        net.run()
    return caller, callee


def request_text(method: str, **changes: str) -> bytes:
    """A request of a raw peer at 10.0.0.9 to B; keyword `Header_Name` replaces or adds, "" removes; `uri`, `body`."""
    uri = changes.pop("uri", f"sip:bob@{B}")
    body = changes.pop("body", "")
    fields = {
        "Via": "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKraw1",
        "Max-Forwards": "70",
        "From": "<sip:raw@10.0.0.9>;tag=rawtag",
        "To": f"<sip:bob@{B}>",
        "Call-ID": "rawcall",
        "CSeq": f"1 {method}",
        "Contact": "<sip:raw@10.0.0.9:5060>",
    }
    if body:
        fields["Content-Type"] = "application/sdp"
    for name, value in changes.items():
        fields[name.replace("_", "-")] = value
    fields["Content-Length"] = str(len(body))
    text = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"{method} {uri} SIP/2.0\r\n{text}\r\n{body}".encode()


RAW = udp("10.0.0.9")
FAST = TransactionTimers(trying_s=0.0)
