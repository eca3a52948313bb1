"""Who is calling or registering: a trunk by its address, an extension by digest, or a stranger. Pure.

A stranger learns nothing: known and unknown users get the same answer after the same work (TRUST §2).
"""

import msgspec

from sip.digest import NonceTable, Outcome, check_digest, make_challenge
from sip.errors import SipParseError
from sip.flow import Flow
from sip.message import Request
from switch.config import Config
from switch.directory import Directory, ExtensionEntry, TrunkState
from switch.guard import Guard


class Identified(msgspec.Struct, frozen=True, gc=False):
    """Exactly one of the two is set."""

    extension: ExtensionEntry | None = None
    trunk: TrunkState | None = None


class Unidentified(msgspec.Struct, frozen=True, gc=False):
    """What to answer, headers rendered."""

    status: int
    reason: str
    headers: str = ""


class Gatekeeper:
    """Checks requests against the directory. Holds the nonces that are out."""

    def __init__(self, config: Config, directory: Directory, secret: bytes, guard: Guard) -> None:
        self._directory = directory
        self._realm = config.sip.realm
        self._algorithms = config.sip.digest_algorithms
        self._nonces = NonceTable(secret)
        self._guard = guard

    def identify(self, request: Request, now: float) -> Identified | Unidentified:
        """Who sent it: a trunk's address vouches for it, everybody else proves an extension's password."""
        assert request.flow is not None
        if isinstance(request.sender, Identified):
            return request.sender
        trunk = self._directory.trunk_of(request.flow)
        if trunk is not None:
            return Identified(trunk=trunk)
        return self.authenticate(request, request.from_.uri.user, now)

    def authenticate(self, request: Request, user: str, now: float) -> Identified | Unidentified:
        """Proves that the request comes from extension `user`; the digest's user name must be the same.

        Asked again for the same request it answers the same: a nonce counts once. SipParseError: From is malformed.
        """
        flow = request.flow
        assert flow is not None
        known = request.sender
        if isinstance(known, Identified) and known.extension is not None and known.extension.number == user:
            return known
        try:
            authorizations = request.all("Authorization")
        except SipParseError:
            return Unidentified(400, "Malformed Authorization")
        result = check_digest(
            authorizations,
            method=request.method,
            uri=request.uri,
            realm=self._realm,
            source=flow.host,
            now=now,
            nonces=self._nonces,
            find_ha1=self._find_ha1,
            algorithms=self._algorithms,
        )
        name = result.username or user
        is_locked = bool(authorizations) and self._guard.is_locked(flow, name, now)
        match result.outcome:
            case Outcome.ACCEPTED if not is_locked:
                return self._accepted(request, flow, result.username, user, now)
            case Outcome.MALFORMED:
                self._guard.malformed(flow, now)
                return Unidentified(400, "Malformed Authorization")
            case Outcome.REJECTED | Outcome.ACCEPTED:
                # Locked out and right is answered as wrong: the guess is told from the others by nothing.
                is_verified = result.is_accepted or result.is_from_there
                self._guard.failed(flow, name, request.method, now, is_verified=is_verified)
                return self._challenge(flow.host, now, is_stale=False)
            case _:
                self._guard.challenged(flow, name, request.method, now)
                return self._challenge(flow.host, now, is_stale=result.outcome is Outcome.STALE and not is_locked)

    def _accepted(
        self, request: Request, flow: Flow, username: str, user: str, now: float
    ) -> Identified | Unidentified:
        entry = self._directory.extensions.get(username)
        if entry is None or username != user:
            self._guard.misbehaved("wrong_identity", flow, request.method, now, f"{username} as {user}")
            return Unidentified(403, "Forbidden")
        self._guard.proved(flow, username, now)
        request.sender = identified = Identified(extension=entry)
        return identified

    def _challenge(self, source: str, now: float, *, is_stale: bool) -> Unidentified:
        values = make_challenge(self._nonces, self._realm, source, now, algorithms=self._algorithms, is_stale=is_stale)
        return Unidentified(401, "Unauthorized", "".join([f"WWW-Authenticate: {value}\r\n" for value in values]))

    def _find_ha1(self, username: str, algorithm: str) -> str | None:
        entry = self._directory.extensions.get(username)
        if entry is None or not entry.is_enabled:
            return None
        return entry.ha1_sha256 if algorithm == "SHA-256" else entry.ha1_md5 if algorithm == "MD5" else None
