"""Keeps one phone registered (RFC 3261 §10.2): first, again before it expires, again after failures, and away at last.

Pure: returns the stack's actions; `deadline` is when `poll` wants to be called.
"""

import random
from collections.abc import Callable, Sequence

from sip.actions import RequestDone
from sip.digest import Credentials
from sip.errors import SipParseError
from sip.message import Response
from sip.stack import Listener, SipStack
from switch.demo.phone_call import AgentSettings

_BACK_OFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_REFRESH_AT = 0.8
"""Of the time granted."""


class Registrant:
    """`on_change(event, status, reason)` hears registered, unregistered and registration_failed."""

    def __init__(
        self,
        stack: SipStack,
        listener: Listener,
        settings: AgentSettings,
        credentials: Credentials,
        randomness: random.Random,
        on_change: Callable[[str, int, str], None],
    ) -> None:
        self.deadline: float | None = None
        self.is_registered = False
        self._stack = stack
        self._settings = settings
        self._credentials = credentials
        self._random = randomness
        self._on_change = on_change
        self._contact = f"<sip:{settings.name}@{listener.sent_by};transport={listener.transport}>"
        self._call_id = f"{randomness.getrandbits(96):024x}"
        self._cseq = 0
        self._token = ""
        self._expires_s = settings.expires_s
        self._is_leaving = False
        self._failures = 0

    def start(self, now: float) -> Sequence[object]:
        self._is_leaving = False
        return self._register(now)

    def stop(self, now: float) -> Sequence[object]:
        """Removes the binding (expires=0); `unregistered` follows whatever the answer is."""
        self._is_leaving = True
        self.deadline = None
        return self._register(now)

    def poll(self, now: float) -> Sequence[object]:
        if self.deadline is None or now < self.deadline:
            return ()
        self.deadline = None
        return self._register(now)

    def on(self, action: object, now: float) -> Sequence[object] | None:
        """What follows from an action of the stack; None when it is not about this registration."""
        if not isinstance(action, RequestDone) or action.token != self._token:
            return None
        self._token = ""
        response = action.response
        status = response.status if response is not None else 408
        if self._is_leaving:
            self._change(False, status, "")
            return ()
        if response is not None and 200 <= status < 300:
            self._failures = 0
            self.deadline = now + _REFRESH_AT * self._granted_s(response)
            self._change(True, status, "")
            return ()
        if response is not None and status == 423 and self._can_ask_longer(response):
            return self._register(now)
        back_off = _BACK_OFF_S[min(self._failures, len(_BACK_OFF_S) - 1)]
        self._failures += 1
        self.deadline = now + back_off * self._random.uniform(0.8, 1.2)
        reason = response.reason if response is not None else "no answer"
        self._change(False, status, reason)
        self._on_change("registration_failed", status, reason)
        return ()

    def _register(self, now: float) -> Sequence[object]:
        settings = self._settings
        # A retry with credentials inside the stack takes the next number.
        self._cseq += 2
        expires_s = 0 if self._is_leaving else self._expires_s
        self._token, actions = self._stack.request(
            "REGISTER",
            f"sip:{settings.domain}",
            flow=settings.server,
            from_=f"<sip:{settings.name}@{settings.domain}>",
            to=f"<sip:{settings.name}@{settings.domain}>",
            now=now,
            headers=f"Contact: {self._contact};expires={expires_s}\r\nExpires: {expires_s}\r\n",
            credentials=self._credentials,
            call_id=self._call_id,
            cseq=self._cseq,
        )
        return actions

    def _granted_s(self, response: Response) -> float:
        """What the registrar gave our contact; its Expires header, else what we asked for (§10.2.4)."""
        try:
            for contact in response.contacts:
                if contact.uri.user == self._settings.name and "expires" in contact.params:
                    return max(1.0, float(contact.params["expires"] or 0))
            return max(1.0, float(response.get("Expires") or self._expires_s))
        except (SipParseError, ValueError):
            return float(self._expires_s)

    def _can_ask_longer(self, response: Response) -> bool:
        wanted = response.get("Min-Expires") or ""
        if not wanted.isdigit() or not self._expires_s < int(wanted) <= 86_400:
            return False
        self._expires_s = int(wanted)
        return True

    def _change(self, is_registered: bool, status: int, reason: str) -> None:
        if self.is_registered != is_registered:
            self.is_registered = is_registered
            self._on_change("registered" if is_registered else "unregistered", status, reason)
