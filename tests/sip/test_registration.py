"""sip/registration.py against sip/registrar.py through two stacks: register, refresh, credentials, 423, back-off, flow
lost, unregister. Not here: the registrar's rules (test_registrar), digest itself (test_digest)."""

from collections.abc import Callable

import pytest

from sip.actions import Action, IncomingRequest, RequestDone
from sip.credentials import Credentials
from sip.digest import NonceTable, check_digest, ha1, make_challenge
from sip.flow import Flow
from sip.registrar import Registrar
from sip.registration import Backoff, RegistrationClient
from tests.sip.two_stacks import A, B, Network, tokens, udp

AOR = f"sip:100@{B}"


class World:
    """A registers at B, which asks for a password when `password` is set."""

    def __init__(self, password: str = "", *, min_expires_s: int = 60, **options: object) -> None:
        self.net = Network()
        self.net.on_event = self.on_event
        self.registrar = Registrar(min_expires_s=min_expires_s)
        self.password = password
        self.nonces = NonceTable(b"0123456789abcdef0123456789abcdef")
        self.answer: Callable[[IncomingRequest], tuple[int, str, str] | None] = lambda event: None
        self.client = RegistrationClient(
            aor=AOR,
            registrar=f"sip:{B}",
            contact=self.net.stacks[A].contact_uri(Flow("udp", A, 5060), "100"),
            token=tokens(5),
            **{"flow": udp(B), "expires_s": 600, **options},  # type: ignore[arg-type]
        )

    def on_event(self, host: str, event: Action) -> None:
        if isinstance(event, RequestDone):
            self.net.perform(A, self.client.on_done(self.net.stacks[A], event, self.net.now))
        elif isinstance(event, IncomingRequest):
            status, reason, headers = self.answer(event) or self.register(event)
            self.net.perform(B, self.net.stacks[B].respond(event.transaction, status, reason, self.net.now, headers))

    def register(self, event: IncomingRequest) -> tuple[int, str, str]:
        now = self.net.now
        if self.password:
            result = check_digest(
                event.request.all("Authorization"),
                method="REGISTER",
                uri=event.request.uri,
                realm="b",
                source=A,
                now=now,
                nonces=self.nonces,
                find_ha1=lambda user, algorithm: ha1(user, "b", self.password, algorithm),
            )
            if not result.is_accepted:
                lines = [f"WWW-Authenticate: {value}\r\n" for value in make_challenge(self.nonces, "b", A, now)]
                return 401, "Unauthorized", "".join(lines)
        outcome = self.registrar.register(AOR, event.request, now)
        return outcome.status, outcome.reason, outcome.headers

    def start(self) -> None:
        self.net.perform(A, self.client.start(self.net.stacks[A], self.net.now))

    def run(self, seconds: float) -> None:
        """Let time pass, the client's timer included."""
        until = self.net.now + seconds
        self.net.run(0.01)
        while self.client.deadline is not None and self.client.deadline <= until:
            self.net.run(self.client.deadline - self.net.now)
            self.net.perform(A, self.client.poll(self.net.stacks[A], self.net.now))
            self.net.run(0.01)
        self.net.run(max(0.0, until - self.net.now))

    @property
    def n_bindings(self) -> int:
        return len(self.registrar.lookup(AOR, self.net.now))


def test_register_refresh_unregister() -> None:
    world = World()
    assert world.client.state == "idle"
    world.start()
    assert world.client.state == "registering"
    world.net.run()
    assert (world.client.state, world.client.status, world.n_bindings) == ("registered", 200, 1)
    assert world.client.deadline is not None
    assert 0.74 * 600 <= world.client.deadline <= 0.91 * 600
    for _ in range(10):
        world.run(300.0)
        assert (world.client.state, world.n_bindings) == ("registered", 1)
    world.net.perform(A, world.client.stop(world.net.stacks[A], world.net.now))
    assert world.client.state == "unregistering"
    world.net.run()
    assert (world.client.state, world.n_bindings, world.client.deadline) == ("stopped", 0, None)
    world.net.finish()
    world.net.assert_empty()


def test_credentials() -> None:
    world = World("secret", credentials=Credentials("100", "secret", realm="b"))
    world.start()
    world.run(2000.0)
    assert (world.client.state, world.n_bindings) == ("registered", 1)
    assert world.client.n_failures == 0


@pytest.mark.parametrize(
    "credentials",
    [None, Credentials("100", "wrong"), Credentials("100", "secret", realm="elsewhere")],
    ids=["none", "wrong password", "another realm"],
)
def test_credentials_that_do_not_fit(credentials: Credentials | None) -> None:
    world = World("secret", credentials=credentials)
    world.start()
    world.net.run()
    assert (world.client.state, world.client.status, world.client.reason) == ("failing", 401, "401 Unauthorized")
    n_sent = len(world.net.sent(A))
    # A wrong password is tried once, and credentials of another realm never leave.
    assert n_sent == (2 if credentials is not None and not credentials.realm else 1)


def test_too_brief_takes_what_the_registrar_wants() -> None:
    world = World(min_expires_s=900)
    world.start()
    world.net.run()
    assert (world.client.state, world.n_bindings) == ("registered", 1)
    assert world.client.expires_at > 890.0


def test_too_brief_forever_is_a_failure() -> None:
    world = World()
    world.answer = lambda event: (423, "Interval Too Brief", "Min-Expires: 60\r\n")
    world.start()
    world.net.run()
    assert (world.client.state, world.client.status) == ("failing", 423)
    assert len(world.net.sent(A)) == 2


def test_back_off_doubles_with_jitter_up_to_its_maximum() -> None:
    world = World(backoff=Backoff(10.0, 60.0))
    world.answer = lambda event: (500, "Server Internal Error", "")
    world.start()
    world.net.run()
    waits = []
    for _ in range(6):
        assert world.client.deadline is not None
        waits.append(world.client.deadline - world.net.now)
        world.run(waits[-1] + 0.05)
    for wait, full in zip(waits, [10.0, 20.0, 40.0, 60.0, 60.0, 60.0], strict=True):
        assert full / 2 - 0.2 <= wait <= full
    world.answer = lambda event: None
    world.run(61.0)
    assert (world.client.state, world.client.n_failures) == ("registered", 0)


def test_retry_after_is_kept() -> None:
    world = World(backoff=Backoff(1.0, 2.0))
    world.answer = lambda event: (503, "Service Unavailable", "Retry-After: 120 (soon);duration=5\r\n")
    world.start()
    world.net.run()
    assert world.client.deadline is not None
    assert world.client.deadline - world.net.now > 119.0


def test_no_answer_is_a_failure_and_the_binding_is_known_to_be_gone() -> None:
    world = World()
    world.start()
    world.net.run()
    world.net.fate = lambda data: []
    world.run(1000.0)
    assert (world.client.state, world.client.reason, world.client.status) == ("failing", "no answer", 0)
    assert not world.client.is_registered(world.net.now)
    assert world.client.stop(world.net.stacks[A], world.net.now) != [] or world.client.state == "stopped"


def test_lost_connection_registers_again_soon() -> None:
    stream = Flow("tcp", B, 5060, 0, 3)
    client = World(backoff=Backoff(2.0, 60.0), flow=stream).client
    client.state = "registered"
    client.expires_at = 500.0
    client.flow_failed(Flow("tcp", B, 5060, 0, 4), 10.0)
    assert client.state == "registered"
    client.flow_failed(stream, 10.0)
    assert (client.state, client.reason) == ("failing", "connection lost")
    assert client.deadline is not None and client.deadline <= 12.0
    assert not client.is_registered(10.0)


def test_other_peoples_outcomes_are_ignored() -> None:
    world = World()
    world.start()
    assert world.client.on_done(world.net.stacks[A], RequestDone("other", None), 0.0) == []
    assert world.client.state == "registering"


def test_service_route_is_kept() -> None:
    world = World()
    world.answer = lambda event: (200, "OK", "Service-Route: <sip:p1;lr>, <sip:p2;lr>\r\nExpires: 100\r\n")
    world.start()
    world.net.run()
    assert world.client.service_route == ("<sip:p1;lr>", "<sip:p2;lr>")
    assert 99.0 < world.client.expires_at < 101.0
