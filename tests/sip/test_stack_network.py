"""Two stacks over a network that loses, delays, reorders and duplicates, driven at random in virtual time.

Whatever happens (late offers, PRACK, re-INVITE, REFER, session timers, messages that come again much later), both ends
agree about which calls were ended, every session ends with exactly one final event, and nothing is left. Not here: what
each message looks like (test_session_calls, test_stack_requests).
"""

import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from sip.actions import Action, Answered, Cancelled, Closed, Ended, IncomingInvite, Offered, Referred, Rejected
from tests.sip.two_stacks import ANSWER, OFFER, A, B, Network, udp

FINAL = (Rejected, Cancelled, Ended, Closed)


class Calls:
    """The application at both ends."""

    def __init__(self, seed: int, loss: float, duplication: float, jitter_s: float) -> None:
        self.rng = random.Random(seed)
        self.loss, self.duplication, self.jitter_s = loss, duplication, jitter_s
        self.net = Network(fate=self.fate, session_expires_s=90)
        self.refers: list[str] = []
        self.net.on_event = self.on_event
        self.begun: dict[str, list[str]] = {A: [], B: []}
        self.ended: dict[str, list[str]] = {A: [], B: []}

    def fate(self, data: bytes) -> list[float]:
        rng = self.rng
        n_copies = 0 if rng.random() < self.loss else 2 if rng.random() < self.duplication else 1
        return [0.001 + rng.random() * self.jitter_s for _ in range(n_copies)]

    def on_event(self, host: str, event: Action) -> None:
        if isinstance(event, IncomingInvite):
            self.begun[host].append(event.session)
        elif isinstance(event, Offered):
            stack = self.net.stacks[host]
            if self.rng.random() < 0.8:
                self.net.perform(host, stack.accept_offer(event.session, ANSWER, self.net.now))
            else:
                self.net.perform(host, stack.refuse_offer(event.session, 488, "No", self.net.now))
        elif isinstance(event, Answered):
            self.net.perform(host, self.net.stacks[host].acknowledge(event.session, ANSWER, self.net.now))
        elif isinstance(event, Referred):
            self.refers.append(event.refer)
            stack, refer, now = self.net.stacks[host], event.refer, self.net.now
            if self.rng.random() < 0.8:
                self.net.perform(host, stack.accept_refer(refer, now))
            else:
                self.net.perform(host, stack.refuse_refer(refer, 403, "Forbidden", now))
        elif isinstance(event, FINAL):
            self.ended[host].append(event.session)

    def invite(self, host: str, offer: bytes = OFFER) -> None:
        other = B if host == A else A
        session, actions = self.net.stacks[host].invite(
            flow=udp(other),
            uri=f"sip:x@{other}",
            from_=f"<sip:y@{host}>",
            to=f"<sip:x@{other}>",
            now=self.net.now,
            body=offer,
            reliable=self.rng.choice(("off", "supported", "required")),
        )
        self.begun[host].append(session)
        self.net.perform(host, actions)

    def pick(self, host: str) -> str:
        sessions = list(self.net.stacks[host].sessions)
        return self.rng.choice(sessions) if sessions else ""

    def do(self, host: str, what: str) -> None:
        session = self.pick(host)
        stack, now = self.net.stacks[host], self.net.now
        actions = {
            "ring": lambda: stack.progress(session, 180, "Ringing", now),
            "early": lambda: stack.progress(session, 183, "Session Progress", now, ANSWER),
            "ask": lambda: stack.reinvite(session, b"", now),
            "refer": lambda: stack.refer(session, "sip:z@10.0.0.3", now, is_watched=self.rng.random() < 0.8),
            "report": lambda: stack.report_refer(self.some_refer(), self.rng.choice((180, 200, 486)), now),
            "answer": lambda: stack.answer(session, ANSWER, now),
            "reject": lambda: stack.reject(session, 486, "Busy Here", now),
            "hang_up": lambda: stack.hang_up(session, now),
            "reinvite": lambda: stack.reinvite(session, OFFER, now),
            "info": lambda: stack.info(session, "application/dtmf-relay", b"Signal=1", now),
        }[what]()
        self.net.perform(host, actions)

    def some_refer(self) -> str:
        return self.rng.choice(self.refers) if self.refers else ""

    def repeat(self) -> None:
        """Something that was sent at any time comes once more."""
        if self.net.wire:
            _, source, target, data = self.rng.choice(self.net.wire)
            self.net.perform(target, self.net.stacks[target].receive(data, udp(source), self.net.now))

    def finish(self) -> None:
        """Everybody hangs up; then nothing may be left."""
        for _ in range(3):
            for host, stack in self.net.stacks.items():
                for session in list(stack.sessions):
                    self.net.perform(host, stack.hang_up(session, self.net.now))
            self.net.run(100.0)
        self.net.finish()
        self.net.assert_empty()
        for host in (A, B):
            assert sorted(self.ended[host]) == sorted(self.begun[host])


ACTIONS = ["ring", "early", "answer", "answer", "reject", "hang_up", "reinvite", "ask", "info", "refer", "report"]


class TwoStacks(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.calls = Calls(1, 0.15, 0.15, 0.8)

    @rule(seed=st.integers(0, 2**16))
    def reseed(self, seed: int) -> None:
        self.calls.rng.seed(seed)

    @rule(host=st.sampled_from([A, B]), offer=st.sampled_from([OFFER, OFFER, b""]))
    def invite(self, host: str, offer: bytes) -> None:
        self.calls.invite(host, offer)

    @rule()
    def repeat(self) -> None:
        self.calls.repeat()

    @rule(host=st.sampled_from([A, B]), what=st.sampled_from(ACTIONS))
    def do(self, host: str, what: str) -> None:
        self.calls.do(host, what)

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 5.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.calls.net.run(seconds)

    def teardown(self) -> None:
        self.calls.finish()


TestTwoStacks = TwoStacks.TestCase
TestTwoStacks.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3, 0.6], ids=lambda loss: f"{loss:.0%} lost")
def test_many_calls(loss: float) -> None:
    calls = Calls(7, loss, 0.1, 0.4)
    rng = random.Random(3)
    for _ in range(400):
        host = rng.choice([A, B])
        if rng.random() < 0.2:
            calls.invite(host)
        else:
            calls.do(host, rng.choice(ACTIONS))
        calls.net.run(rng.choice([0.01, 0.1, 0.5, 2.0]))
    calls.finish()


def test_clean_network_makes_no_retransmission() -> None:
    calls = Calls(7, 0.0, 0.0, 0.0)
    for _ in range(20):
        calls.invite(A)
        calls.net.run(0.05)
        session = next(iter(calls.net.stacks[B].sessions))
        calls.net.perform(B, calls.net.stacks[B].answer(session, ANSWER, calls.net.now))
        calls.net.run(0.05)
        calls.net.perform(B, calls.net.stacks[B].bye(session, calls.net.now))
        calls.net.run(0.05)
    calls.finish()
    for stack in calls.net.stacks.values():
        assert stack.transaction_stats.n_retransmitted == 0
        assert stack.stats.n_unmatched == 0
    assert len(calls.net.wire) == 20 * 5
