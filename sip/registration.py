"""Registering with somebody else's registrar: a trunk's, or from a phone of ours at the switch (RFC 3261 §10.2).

Refresh before expiry, 423, credentials, and a pause that grows with jitter when it fails (RFC 5626 §4.5). Pure: the
requests go through a `SipStack`, whose `RequestDone` comes back to `on_done`. The driver polls at `deadline`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from sip.actions import Action, RequestDone
from sip.credentials import Credentials
from sip.errors import SipParseError
from sip.flow import Flow
from sip.headers import parse_integer, parse_retry_after
from sip.limits import MAX_EXPIRES_S
from sip.message import Response
from sip.uri import parse_uri, uris_equal


class RequestSender(Protocol):
    """What is needed of `SipStack`."""

    def request(
        self,
        method: str,
        uri: str,
        *,
        flow: Flow | None,
        from_: str,
        to: str,
        now: float,
        headers: str = "",
        body: bytes = b"",
        content_type: str = "",
        credentials: Credentials | None = None,
        route: Sequence[str] = (),
        call_id: str = "",
        cseq: int = 1,
    ) -> tuple[str, list[Action]]: ...


class Backoff(msgspec.Struct, frozen=True):
    """After the n-th failure in a row: half to all of min(max_s, base_s * 2**(n-1)), at random (RFC 5626 §4.5)."""

    base_s: float = 30.0
    max_s: float = 1800.0


DEFAULT_BACKOFF = Backoff()
MAX_GRANTED_S = 86_400
"""A Min-Expires above this is not believed."""


class RegistrationClient:
    """One address of record at one registrar.

    `state`: idle; registering (first time, or after a failure); registered (also while it is refreshed); failing (will
    be tried again at `deadline`); unregistering; stopped. `reason` says why it fails, `status` with which answer (0:
    none).
    """

    def __init__(
        self,
        *,
        aor: str,
        registrar: str,
        contact: str,
        token: Callable[[int], str],
        flow: Flow | None = None,
        credentials: Credentials | None = None,
        expires_s: int = 3600,
        contact_params: str = "",
        route: Sequence[str] = (),
        headers: str = "",
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> None:
        """`aor`, `registrar` and `contact` are URIs; `contact_params` rendered, as ';q=0.5'. `flow` None: the registrar
        is looked up each time. `token(n)` gives n random hex digits."""
        self.state = "idle"
        self.status = 0
        self.reason = ""
        self.deadline: float | None = None
        self.expires_at = 0.0
        """Until when the registrar knows us; monotonic."""
        self.service_route: tuple[str, ...] = ()
        """Route values for requests to this registrar's network (RFC 3608)."""
        self.n_failures = 0
        self.flow = flow
        self._aor = aor
        self._registrar = registrar
        self._contact = contact
        self._contact_params = contact_params
        self._token = token
        self._credentials = credentials
        self._expires_s = expires_s
        self._route = tuple(route)
        self._headers = headers
        self._backoff = backoff
        self._call_id = token(24)
        self._cseq = 0
        self._pending = ""
        self._is_brief = False

    def is_registered(self, now: float) -> bool:
        return now < self.expires_at

    def start(self, stack: RequestSender, now: float) -> list[Action]:
        """Register now."""
        self.state = "registered" if self.is_registered(now) else "registering"
        self._is_brief = False
        return self._send(stack, self._expires_s, now)

    def stop(self, stack: RequestSender, now: float) -> list[Action]:
        """Unregister; state unregistering, then stopped. Nothing is sent when the registrar does not know us."""
        self.deadline = None
        if not self.is_registered(now) and not self._pending:
            self.state = "stopped"
            return []
        self.state = "unregistering"
        return self._send(stack, 0, now)

    def poll(self, stack: RequestSender, now: float) -> list[Action]:
        """Refresh or try again when `deadline` has come."""
        if self.deadline is None or now < self.deadline:
            return []
        return self.start(stack, now)

    def flow_failed(self, flow: Flow, now: float) -> None:
        """The connection we registered over is gone, and what would come by it: register again, soon."""
        if flow.connection and self.state == "registered" and self.flow is not None and _is_over(self.flow, flow):
            self.expires_at = now
            self._fail(now, 0, "connection lost", None)

    def on_done(self, stack: RequestSender, done: RequestDone, now: float) -> list[Action]:
        """The outcome of a REGISTER; [] and nothing changes when it is not ours."""
        if not self._pending or done.token != self._pending:
            return []
        self._pending = ""
        response = done.response
        # The stack may have used two more for credentials that we were never told of.
        self._cseq = max(self._cseq, response.cseq) if response is not None else self._cseq + 2
        if self.state == "unregistering":
            self.state = "stopped"
            self.expires_at = 0.0
        elif response is None:
            self._fail(now, 0, "no answer", None)
        elif response.status < 300:
            self._succeed(response, now)
        elif response.status == 423 and self._take_min_expires(response):
            return self._send(stack, self._expires_s, now)
        else:
            self._fail(now, response.status, f"{response.status} {response.reason}", response)
        return []

    def _send(self, stack: RequestSender, expires_s: int, now: float) -> list[Action]:
        self.deadline = None
        # One that is still under way may use two more as well.
        self._cseq += 3 if self._pending else 1
        headers = f"Contact: <{self._contact}>{self._contact_params};expires={expires_s}\r\nExpires: {expires_s}\r\n"
        self._pending, actions = stack.request(
            "REGISTER",
            self._registrar,
            flow=self.flow,
            from_=f"<{self._aor}>",
            to=f"<{self._aor}>",
            now=now,
            headers=f"{headers}{self._headers}",
            credentials=self._credentials,
            route=self._route,
            call_id=self._call_id,
            cseq=self._cseq,
        )
        return actions

    def _succeed(self, response: Response, now: float) -> None:
        granted_s = self._granted(response)
        self.status = response.status
        self.reason = ""
        self.n_failures = 0
        self._is_brief = False
        self.state = "registered"
        self.service_route = tuple(response.all("Service-Route"))
        self.expires_at = now + granted_s
        # Early enough for a retransmitted exchange, and not all trunks of a restarted switch at once.
        self.deadline = now + max(1.0, granted_s * (0.75 + 0.15 * self._random()))

    def _fail(self, now: float, status: int, reason: str, response: Response | None) -> None:
        self.status = status
        self.reason = reason
        self.state = "failing"
        self.n_failures += 1
        wait_s = min(self._backoff.max_s, self._backoff.base_s * 2.0 ** min(self.n_failures - 1, 16))
        wait_s *= 0.5 + 0.5 * self._random()
        asked_s = parse_retry_after(response.headers.get("Retry-After", "")) if response is not None else 0
        self.deadline = now + max(wait_s, min(asked_s, 3600))

    def _granted(self, response: Response) -> int:
        """Seconds the registrar gave our contact; its Expires, or what we asked for, when it does not say."""
        try:
            ours = parse_uri(self._contact)
            for address in response.contacts:
                if "expires" in address.params and uris_equal(address.uri, ours):
                    return min(parse_integer(address.params["expires"], MAX_EXPIRES_S, "expires"), MAX_GRANTED_S)
            if response.expires is not None:
                return min(response.expires, MAX_GRANTED_S)
        except SipParseError:
            pass
        return self._expires_s

    def _take_min_expires(self, response: Response) -> bool:
        """Ask for longer, once in a row (§10.2.8)."""
        if self._is_brief:
            return False
        try:
            minimum = parse_integer(response.headers.get("Min-Expires", ""), MAX_GRANTED_S, "Min-Expires")
        except SipParseError:
            return False
        self._is_brief = True
        self._expires_s = max(self._expires_s, minimum)
        return True

    def _random(self) -> float:
        return int(self._token(4), 16) / 0xFFFF


def _is_over(ours: Flow, failed: Flow) -> bool:
    if ours.connection:
        return ours == failed
    return (ours.transport, ours.host, ours.port) == (failed.transport, failed.host, failed.port)
