"""Keeps one phone registered: a `RegistrationClient` on the phone's stack, and what becomes of it as events."""

from collections.abc import Callable, Sequence

from sip.actions import Action, RequestDone
from sip.credentials import Credentials
from sip.registration import Backoff, RegistrationClient
from sip.stack import Listener, SipStack
from switch.demo.phone_call import AgentSettings

_BACKOFF = Backoff(base_s=2.0, max_s=60.0)
"""A phone on a desk: somebody waits for it, so it tries again sooner than a trunk."""


class Registrant:
    """`on_change(event, status, reason)` hears registered, unregistered and registration_failed.

    `deadline` is when `poll` wants to be called. All requests outside sessions of this stack must be ours.
    """

    def __init__(
        self,
        stack: SipStack,
        listener: Listener,
        settings: AgentSettings,
        credentials: Credentials,
        token: Callable[[int], str],
        on_change: Callable[[str, int, str], None],
    ) -> None:
        self.is_registered = False
        self._stack = stack
        self._on_change = on_change
        self._client = RegistrationClient(
            aor=f"sip:{settings.name}@{settings.domain}",
            registrar=f"sip:{settings.domain}",
            contact=f"sip:{settings.name}@{listener.sent_by};transport={listener.transport}",
            token=token,
            flow=settings.server,
            credentials=credentials,
            expires_s=settings.expires_s,
            backoff=_BACKOFF,
        )

    @property
    def deadline(self) -> float | None:
        return self._client.deadline

    def start(self, now: float) -> Sequence[Action]:
        return self._client.start(self._stack, now)

    def stop(self, now: float) -> Sequence[Action]:
        """Removes the binding; `unregistered` follows whatever the answer is."""
        actions = self._client.stop(self._stack, now)
        self._tell(now)
        return actions

    def poll(self, now: float) -> Sequence[Action]:
        return self._client.poll(self._stack, now)

    def on(self, action: object, now: float) -> Sequence[Action] | None:
        """What follows from an action of the stack; None when it is not about this registration."""
        if not isinstance(action, RequestDone):
            return None
        actions = self._client.on_done(self._stack, action, now)
        self._tell(now)
        return actions

    def _tell(self, now: float) -> None:
        client = self._client
        is_registered = client.is_registered(now) and client.state != "stopped"
        if is_registered != self.is_registered:
            self.is_registered = is_registered
            self._on_change("registered" if is_registered else "unregistered", client.status, client.reason)
        if client.state == "failing":
            self._on_change("registration_failed", client.status, client.reason)
