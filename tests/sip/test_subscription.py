"""sip/subscription.py: the notifier's machine, state by input, bounds, order of NOTIFYs, plain data over a restart.

Not here: who may watch what (tests/scenarios/test_watching.py), the documents (test_event_bodies.py).
"""

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sip.flow import Flow
from sip.message import Request, Response
from sip.parser import parse_message
from sip.subscription import Subscriptions
from sip.subscription_data import EventPackage, NotifyDue, Subscription

FLOW = Flow("udp", "10.0.0.5", 5060)
PACKAGES = [
    EventPackage("dialog", "application/dialog-info+xml"),
    EventPackage("presence", "application/pidf+xml", 600),
]


def subscribe(
    cseq: int = 1, *, expires: int | None = 600, tag: str = "", call_id: str = "c", **headers: str
) -> Request:
    fields = {"Event": "dialog", "Contact": "<sip:w@10.0.0.5:5060>"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    if expires is not None:
        fields["Expires"] = str(expires)
    extra = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    message = parse_message(
        f"SUBSCRIBE sip:100@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK{call_id}{cseq}\r\n"
        f"From: <sip:w@example.com>;tag=w1\r\nTo: <sip:100@example.com>{f';tag={tag}' if tag else ''}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} SUBSCRIBE\r\n{extra}Content-Length: 0\r\n\r\n".encode(),
        FLOW,
    )
    assert isinstance(message, Request)
    return message


def response(status: int, headers: str = "") -> Response:
    message = parse_message(
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n"
        f"Call-ID: c\r\nCSeq: 1 NOTIFY\r\n{headers}Content-Length: 0\r\n\r\n".encode()
    )
    assert isinstance(message, Response)
    return message


class World:
    """Subscriptions whose NOTIFYs all get a token."""

    def __init__(self, **limits: int) -> None:
        self.machine = Subscriptions(PACKAGES, **limits)
        self.sent: list[NotifyDue] = []

    def tell(self, due) -> list[NotifyDue]:
        for one in due:
            self.machine.sent(one, f"n{len(self.sent)}")
            self.sent.append(one)
        return list(due)

    def new(self, tag: str = "t", *, watcher: str = "w", resource: str = "100", now: float = 0.0, **how):
        result = self.machine.subscribe(
            subscribe(call_id=tag, **how), tag=tag, resource=resource, watcher=watcher, now=now
        )
        self.tell(result.due)
        return result


def test_states_and_inputs() -> None:
    world = World()
    machine = world.machine
    assert world.new().status == 200
    (first,) = world.sent
    assert (first.state, first.is_full, first.version, first.cseq) == ("active;expires=600", True, 0, 1)
    # While it is on its way the next ones wait, and what changed is gathered.
    assert machine.changed("dialog", "100", 1.0, ["a"]) == machine.changed("dialog", "100", 1.0, ["b"]) == []
    due, ended = machine.done("n0", response(200), 1.0)
    assert ended is None
    assert [(one.changes, one.is_full, one.version, one.cseq) for one in world.tell(due)] == [
        (frozenset("ab"), False, 1, 2)
    ]
    assert machine.done("n1", response(200), 2.0) == ([], None)
    # Everything outdoes a part.
    world.tell(machine.changed("dialog", "100", 3.0, ["a"]))
    machine.changed("dialog", "100", 3.0)
    machine.changed("dialog", "100", 3.0, ["b"])
    due, _ = machine.done("n2", response(202), 3.0)
    assert [(one.is_full, one.changes) for one in due] == [(True, frozenset())]
    # Another resource, another package: nobody watches.
    assert machine.changed("dialog", "101", 3.0) == machine.changed("presence", "100", 3.0) == []


@pytest.mark.parametrize(
    ("answer", "headers", "is_over"),
    [
        (None, "", True),
        (481, "", True),
        (404, "", True),
        (489, "", True),
        (401, "", True),
        (603, "", True),
        (503, "", True),
        (503, "Retry-After: 3600\r\n", True),
        (503, "Retry-After: soon\r\n", True),
        (503, "Retry-After: 30 (busy)\r\n", False),
        (480, "Retry-After: 30;duration=5\r\n", False),
        (200, "", False),
        (202, "Retry-After: 30\r\n", False),
    ],
)
def test_a_refused_notify_ends_it_unless_a_pause_is_asked_for(answer, headers, is_over) -> None:
    world = World()
    world.new()
    _, ended = world.machine.done("n0", response(answer, headers) if answer else None, 1.0)
    assert (ended is not None) == is_over == (len(world.machine) == 0)
    if answer and answer > 299 and not is_over:
        assert world.machine.changed("dialog", "100", 2.0) == []
        assert world.machine.deadline == 31.0
        due, _ = world.machine.poll(31.0)
        assert [one.is_full for one in due] == [True]


def test_refresh_is_ordered_and_belongs_to_its_dialog() -> None:
    world = World()
    machine = world.machine
    world.new("t")
    machine.done("n0", response(200), 1.0)
    for wrong in (subscribe(2, call_id="x", tag="t"), subscribe(2, call_id="t", tag="x")):
        assert machine.find(wrong) is None
    known = machine.find(subscribe(2, call_id="t", tag="t"))
    assert known is not None
    assert machine.refresh(known, subscribe(1, call_id="t", tag="t"), 1.0).status == 500
    assert machine.refresh(known, subscribe(2, call_id="t", tag="t", Event="presence"), 1.0).status == 489
    assert machine.refresh(known, subscribe(3, call_id="t", tag="t", expires=10), 1.0).status == 423
    moved = machine.refresh(known, subscribe(4, call_id="t", tag="t", expires=100, Contact="<sip:w@10.0.0.9>"), 5.0)
    assert (moved.status, moved.headers, known.target) == (200, "Expires: 100\r\n", "sip:w@10.0.0.9")
    world.tell(moved.due)
    machine.done("n1", response(200), 5.0)
    assert machine.deadline == 105.0
    assert machine.poll(104.9) == ([], [])
    due, over = machine.poll(105.0)
    assert [one.state for one in due] == ["terminated;reason=timeout"]
    assert over == [known] and len(machine) == 0 and machine.deadline is None
    assert machine.find(subscribe(5, call_id="t", tag="t")) is None


def test_the_end_waits_for_the_notify_on_its_way() -> None:
    world = World()
    machine = world.machine
    world.new()
    assert machine.end(1.0, "noresource", resource="100") == []
    assert machine.find(subscribe(2, tag="t", call_id="t")) is None
    due, ended = machine.done("n0", response(200), 2.0)
    assert ([one.state for one in due], ended) == (["terminated;reason=noresource"], None)
    assert len(machine) == 0
    # A watcher that is gone is not told.
    world.new("u")
    machine.end(3.0, "noresource", resource="100")
    due, ended = machine.done("n1", None, 4.0)
    assert due == [] and ended is not None and len(machine) == 0


def test_bounds() -> None:
    world = World(max_total=5, max_per_watcher=2, max_per_resource=3)
    assert [world.new(f"a{n}", watcher="a", resource=str(n)).status for n in range(3)] == [200, 200, 403]
    assert [world.new(f"b{n}", watcher=f"b{n}", resource="0").status for n in range(3)] == [200, 200, 403]
    assert [world.new(f"c{n}", watcher="c", resource="9").status for n in range(2)] == [200, 503]
    world.machine.end(0.0, "x", watcher="a")
    for n in range(len(world.sent)):
        world.machine.done(f"n{n}", response(200), 1.0)
    assert world.new("d", watcher="a", resource="1").status == 200


def test_everything_survives_as_plain_data() -> None:
    world = World()
    world.new("t")
    world.new("u", watcher="v", expires=60)
    world.machine.done("n0", response(200), 1.0)
    kept = msgspec.msgpack.encode(world.machine.snapshot())
    other = World()
    due = other.tell(other.machine.restore(msgspec.msgpack.decode(kept, type=list[Subscription]), 30.0))
    assert [(one.subscription.id, one.state, one.is_full) for one in due] == [
        ("t", "active;expires=570", True),
        ("u", "active;expires=30", True),
    ]
    assert [one.cseq for one in due] == [2, 2]
    late = Subscriptions(PACKAGES)
    states = [one.state for one in late.restore(msgspec.msgpack.decode(kept, type=list[Subscription]), 100.0)]
    assert states == ["active;expires=500", "terminated;reason=timeout"]


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes in whatever order: one NOTIFY at a time, versions and CSeqs in order, nothing after the last one,
    and the latest state always reaches whoever still watches."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Subscriptions(PACKAGES, max_per_watcher=3)
        self.now = 0.0
        self.n = 0
        self.flying: dict[str, NotifyDue] = {}
        self.last: dict[str, NotifyDue] = {}
        self.ended: set[str] = set()
        self.state = 0
        self.told: dict[str, int] = {}

    def take(self, due) -> None:
        for one in due:
            ours = one.subscription.id
            assert ours not in self.ended
            assert all(other.subscription.id != ours for other in self.flying.values())
            before = self.last.get(ours)
            if before is not None:
                assert (one.cseq, one.version) == (before.cseq + 1, before.version + 1)
            self.last[ours] = one
            self.n += 1
            self.machine.sent(one, f"n{self.n}")
            if one.state.startswith("terminated"):
                self.ended.add(ours)
            else:
                self.flying[f"n{self.n}"] = one
            self.told[ours] = self.state

    @rule(expires=st.sampled_from([0, 59, 60, 3600]), watcher=st.sampled_from("vw"))
    def new(self, expires: int, watcher: str) -> None:
        self.n += 1
        request = subscribe(call_id=f"c{self.n}", expires=expires)
        result = self.machine.subscribe(request, tag=f"t{self.n}", resource="100", watcher=watcher, now=self.now)
        assert result.status in (200, 403, 423)
        self.take(result.due)

    @rule(which=st.integers(0, 5), expires=st.sampled_from([0, 60, 3600]))
    def refresh(self, which: int, expires: int) -> None:
        live = [one for one in self.machine.snapshot() if one.ending is None]
        if live:
            one = live[which % len(live)]
            request = subscribe(one.remote_cseq + 1, call_id=one.call_id, tag=one.id, expires=expires)
            assert self.machine.find(request) is one
            self.take(self.machine.refresh(one, request, self.now).due)

    @rule(parts=st.sets(st.sampled_from("abc")))
    def change(self, parts: set[str]) -> None:
        self.state += 1
        self.take(self.machine.changed("dialog", "100", self.now, parts))

    @rule(which=st.integers(0, 5), status=st.sampled_from([200, 481, 503, None]))
    def answer(self, which: int, status: int | None) -> None:
        if self.flying:
            token = sorted(self.flying)[which % len(self.flying)]
            one = self.flying.pop(token)
            due, ended = self.machine.done(
                token, response(status, "Retry-After: 9\r\n" if status == 503 else "") if status else None, self.now
            )
            self.take(due)
            if ended is not None:
                assert ended is one.subscription
                self.ended.add(ended.id)

    @rule(seconds=st.sampled_from([1.0, 10.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        due, _ = self.machine.poll(self.now)
        self.take(due)

    @rule()
    def end(self) -> None:
        self.take(self.machine.end(self.now, "noresource", resource="100"))

    @invariant()
    def nothing_is_lost(self) -> None:
        for one in self.machine.snapshot():
            assert one.id not in self.ended
            if not one.wants:
                assert self.told[one.id] == self.state
            if not one.pending:
                assert one.wants == 0 or one.retry_at > self.now
        if not len(self.machine):
            assert self.machine.deadline is None
            assert self.machine.watchers("dialog", "100") == 0


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_any_order = AnyOrder.TestCase
