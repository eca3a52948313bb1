"""Who may use the control API: named users with a role, each with a token of 256 random bits.

Only the SHA-256 of a token is stored. A slow password hash would protect secrets that can be guessed; 256 random bits
cannot, so one fast hash is enough and checking it (about 1 µs) never blocks the loop. What a human made up cannot be a
token: its form is checked first.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

import msgspec

_FORM = re.compile(r"rbk_[A-Za-z0-9_-]{43}")
_HASH_FORM = re.compile(r"sha256:[0-9a-f]{64}")


class Caller(msgspec.Struct, frozen=True):
    """Who sent a command."""

    user: str
    role: str
    """Empty: that of his agent."""
    address: str = ""
    """Where from, "host:port"."""
    agent: str = ""
    """Id of the agent he is; empty: nobody's."""


class ApiUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user as configured."""

    name: str
    role: str = ""
    """Empty: that of his agent."""
    agent: str = ""
    token_hash: str
    """As `hash_token` makes it."""


def new_token() -> str:
    """A new token."""
    return "rbk_" + secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """What to store in place of the token. Raises ValueError when it was not made by `new_token`."""
    if not _FORM.fullmatch(token):
        raise ValueError("not a Ringback token: make one with `ringback token`")
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


class TokenTable:
    """Finds the user of a token. Raises ValueError when a user's hash is malformed or a name comes twice."""

    def __init__(self, users: Iterable[ApiUser]) -> None:
        self._users = tuple(users)
        names: set[str] = set()
        for user in self._users:
            if not _HASH_FORM.fullmatch(user.token_hash):
                raise ValueError(f"user {user.name}: token hash must be sha256: and 64 hexadecimal digits")
            if user.name in names:
                raise ValueError(f"user {user.name} comes twice")
            names.add(user.name)

    def authenticate(self, token: str) -> ApiUser | None:
        """The user of the token, None when it is nobody's; takes equally long for both."""
        digest = "sha256:" + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        found = None
        for user in self._users:
            if hmac.compare_digest(digest, user.token_hash):
                found = user
        return found if _FORM.fullmatch(token) else None


class FailureTable:
    """Failed logins by source, bounded; pure. `now` is monotonic seconds.

    A valid token is never refused for the failures of others behind the same address: guessing one is hopeless anyway,
    and a broken script must not lock the console out.
    """

    def __init__(
        self,
        *,
        first_delay_s: float = 0.5,
        max_delay_s: float = 8.0,
        n_allowed: int = 20,
        window_s: float = 60.0,
        max_sources: int = 4096,
    ) -> None:
        self.first_delay_s = first_delay_s
        self.max_delay_s = max_delay_s
        self.n_allowed = n_allowed
        self.window_s = window_s
        self.max_sources = max_sources
        self._failures: dict[str, tuple[int, float]] = {}

    def failed(self, source: str, now: float) -> tuple[float, bool]:
        """Notes a failure. Returns how long to delay the answer (s), and whether the source is over its limit."""
        n, since = self._failures.pop(source, (0, now))
        if now - since > self.window_s:
            n, since = 0, now
        n += 1
        while len(self._failures) >= self.max_sources:
            del self._failures[next(iter(self._failures))]
        self._failures[source] = n, since
        delay = min(self.first_delay_s * 2 ** min(n - 1, 10), self.max_delay_s)
        return delay, n > self.n_allowed

    def succeeded(self, source: str) -> None:
        """Forgets the failures of a source."""
        self._failures.pop(source, None)

    def __len__(self) -> int:
        return len(self._failures)
