"""sip/registration.py: every input in every state of the client, against a model of what it owes (stateful).

Covers: answers of every class, challenges that the stack answers by itself, 423, no answer, late and repeated outcomes,
a lost connection, refresh, back-off, stop and start in any state. Not here: what goes over the wire
(test_registration).
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sip.actions import Action, RequestDone
from sip.flow import Flow
from sip.message import Response
from sip.parser import parse_message
from sip.registration import Backoff, RegistrationClient
from tests.sip.two_stacks import A, B, tokens

BACKOFF = Backoff(10.0, 80.0)
EXPIRES_S = 600
OURS = Flow("tcp", B, 5060, 0, 3)
OTHER = Flow("tcp", B, 5060, 0, 4)
CREDENTIALS_CSEQ = st.integers(0, 2)
"""How many requests more the stack sent for a challenge before the outcome was told."""


class Sender:
    """In the place of the stack: notes what was to be sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, int]] = []
        """(token, CSeq, seconds asked for) of each REGISTER."""

    def request(self, method: str, uri: str, **rest: Any) -> tuple[str, Sequence[Action]]:
        assert (method, uri) == ("REGISTER", f"sip:{B}")
        expires_s = int(rest["headers"].partition("\r\nExpires: ")[2].partition("\r\n")[0])
        self.sent.append((f"token-{len(self.sent)}", rest["cseq"], expires_s))
        return self.sent[-1][0], []


class Registering(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.sender = Sender()
        self.client = RegistrationClient(
            aor=f"sip:100@{B}",
            registrar=f"sip:{B}",
            contact=f"sip:100@{A}",
            token=tokens(7),
            flow=OURS,
            expires_s=EXPIRES_S,
            backoff=BACKOFF,
        )
        self.state = "idle"
        self.pending: tuple[str, int, int] | None = None
        self.wanted_s = EXPIRES_S
        self.known_until = 0.0
        self.n_failures = 0
        self.is_brief = False
        self.last_cseq = 0
        """The highest that may have reached the registrar."""

    # -- what we do ----------------------------------------------------------------------------------------------------

    def _sent(self, n_before: int, expires_s: int) -> None:
        assert len(self.sender.sent) == n_before + 1
        self.pending = self.sender.sent[-1]
        _, cseq, asked_s = self.pending
        assert asked_s == expires_s
        # The registrar refuses what is not higher than what it has seen (RFC 3261 §10.3 step 7).
        assert cseq > self.last_cseq
        self.last_cseq = cseq + 2

    def _started(self, n_before: int) -> None:
        self.state = "registered" if self.now < self.known_until else "registering"
        self.is_brief = False
        self._sent(n_before, self.wanted_s)
        assert self.client.deadline is None

    @rule()
    def start(self) -> None:
        n = len(self.sender.sent)
        self.client.start(self.sender, self.now)  # type: ignore[arg-type]
        self._started(n)

    @rule()
    def stop(self) -> None:
        n = len(self.sender.sent)
        self.client.stop(self.sender, self.now)  # type: ignore[arg-type]
        assert self.client.deadline is None
        if self.now < self.known_until or self.pending is not None:
            self.state = "unregistering"
            self._sent(n, 0)
        else:
            self.state = "stopped"
            assert len(self.sender.sent) == n

    @rule(seconds=st.sampled_from([0.1, 4.9, 31.0, 500.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        n, due = len(self.sender.sent), self.client.deadline
        self.client.poll(self.sender, self.now)  # type: ignore[arg-type]
        if due is not None and due <= self.now:
            self._started(n)
        else:
            assert len(self.sender.sent) == n

    # -- what comes back -----------------------------------------------------------------------------------------------

    def _done(self, response: Response | None, token: str = "") -> None:
        if response is not None:
            self.last_cseq = response.cseq
        outcome = RequestDone(token or self._take(), response)
        self.client.on_done(self.sender, outcome, self.now)  # type: ignore[arg-type]

    def _take(self) -> str:
        assert self.pending is not None
        token, self.pending = self.pending[0], None
        return token

    def _response(self, status: int, more: int, *headers: str) -> Response:
        assert self.pending is not None
        lines = "".join(f"{line}\r\n" for line in headers)
        text = (
            f"SIP/2.0 {status} Words\r\nVia: SIP/2.0/TCP {A};branch=z9hG4bKx\r\nFrom: <sip:100@{B}>;tag=1\r\n"
            f"To: <sip:100@{B}>;tag=2\r\nCall-ID: c\r\nCSeq: {self.pending[1] + more} REGISTER\r\n{lines}\r\n"
        )
        parsed = parse_message(text.encode())
        assert isinstance(parsed, Response)
        return parsed

    @precondition(lambda self: self.pending is not None)
    @rule(
        granted_s=st.sampled_from([1, 60, 600, 3600]), by=st.sampled_from(["contact", "expires"]), more=CREDENTIALS_CSEQ
    )
    def granted(self, granted_s: int, by: str, more: int) -> None:
        line = f"Contact: <sip:100@{A}>;expires={granted_s}" if by == "contact" else f"Expires: {granted_s}"
        self._done(self._response(200, more, line))
        if self.state == "unregistering":
            self.state, self.known_until = "stopped", 0.0
            return
        self.state, self.known_until = "registered", self.now + granted_s
        self.n_failures, self.is_brief = 0, False
        assert self.client.deadline is not None
        wait_s = self.client.deadline - self.now
        assert max(1.0, 0.75 * granted_s) - 1e-6 <= wait_s <= max(1.0, 0.9 * granted_s) + 1e-6

    def _failed(self, retry_after_s: int = 0) -> None:
        if self.state == "unregistering":
            self.state, self.known_until = "stopped", 0.0
            return
        self.state = "failing"
        self.n_failures += 1
        full = min(BACKOFF.max_s, BACKOFF.base_s * 2.0 ** (self.n_failures - 1))
        assert self.client.deadline is not None
        wait_s = self.client.deadline - self.now
        assert max(full / 2, retry_after_s) - 1e-6 <= wait_s <= max(full, retry_after_s) + 1e-6

    @precondition(lambda self: self.pending is not None)
    @rule(
        status=st.sampled_from([302, 401, 403, 404, 407, 408, 500, 503, 603]),
        retry_after_s=st.sampled_from([0, 45]),
        more=CREDENTIALS_CSEQ,
    )
    def refused(self, status: int, retry_after_s: int, more: int) -> None:
        lines = [f"Retry-After: {retry_after_s}"] if retry_after_s else []
        self._done(self._response(status, more, *lines))
        is_over = self.state == "unregistering"
        self._failed(retry_after_s)
        assert is_over or self.client.status == status

    @precondition(lambda self: self.pending is not None)
    @rule(minimum=st.sampled_from(["", "nonsense", "60", "1800", "999999999"]), more=CREDENTIALS_CSEQ)
    def too_brief(self, minimum: str, more: int) -> None:
        n = len(self.sender.sent)
        self._done(self._response(423, more, *([f"Min-Expires: {minimum}"] if minimum else [])))
        if self.state == "unregistering" or self.is_brief or minimum not in ("60", "1800"):
            self._failed()
            return
        self.is_brief = True
        self.wanted_s = max(self.wanted_s, int(minimum))
        self._sent(n, self.wanted_s)

    @precondition(lambda self: self.pending is not None)
    @rule()
    def no_answer(self) -> None:
        self._done(None)
        self._failed()

    @rule(data=st.data())
    def late_or_twice(self, data: st.DataObject) -> None:
        old = [token for token, _, _ in self.sender.sent if self.pending is None or token != self.pending[0]]
        before = (self.client.deadline, len(self.sender.sent))
        self._done(None, data.draw(st.sampled_from([*old, "another's"])))
        assert before == (self.client.deadline, len(self.sender.sent))

    @rule(flow=st.sampled_from([OURS, OTHER]))
    def connection_lost(self, flow: Flow) -> None:
        was_registered = self.state == "registered"
        before = self.client.deadline
        self.client.flow_failed(flow, self.now)
        if flow is OURS and was_registered:
            self.known_until = self.now
            self._failed()
        else:
            assert self.client.deadline == before

    # -- always --------------------------------------------------------------------------------------------------------

    @invariant()
    def agrees_with_the_model(self) -> None:
        client = self.client
        assert (client.state, client.n_failures) == (self.state, self.n_failures)
        assert client.is_registered(self.now) == (self.now < self.known_until)

    @invariant()
    def something_is_always_going_on(self) -> None:
        """Unless it shall not be registered, it waits for an answer or for its timer."""
        if self.state in ("idle", "stopped"):
            assert self.client.deadline is None
        else:
            assert self.pending is not None or self.client.deadline is not None


TestRegistering = Registering.TestCase
