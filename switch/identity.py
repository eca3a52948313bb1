"""Who is calling or registering: a trunk by its address, an extension by digest, or a stranger. Pure.

A stranger learns nothing: known and unknown users get the same answer after the same work (TRUST §2).
"""

import logging

import msgspec

from sip.digest import NonceTable, Outcome, check_digest, make_challenge
from sip.errors import SipParseError
from sip.message import Request
from switch.config import Config
from switch.directory import Directory, ExtensionEntry, TrunkState

security_log = logging.getLogger("ringback.security")


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

    def __init__(self, config: Config, directory: Directory, secret: bytes) -> None:
        self._directory = directory
        self._realm = config.sip.realm
        self._algorithms = config.sip.digest_algorithms
        self._nonces = NonceTable(secret)

    def identify(self, request: Request, now: float) -> Identified | Unidentified:
        """Who sent an INVITE: a trunk's address vouches for it, everybody else proves an extension's password."""
        assert request.flow is not None
        trunk = self._directory.trunk_by_address(request.flow.host, request.flow.port)
        if trunk is not None:
            return Identified(trunk=trunk)
        return self.authenticate(request, request.from_.uri.user, now)

    def authenticate(self, request: Request, user: str, now: float) -> Identified | Unidentified:
        """Proves that the request comes from extension `user`; the digest's user name must be the same."""
        assert request.flow is not None
        source = request.flow.host
        try:
            authorizations = request.all("Authorization")
        except SipParseError:
            return Unidentified(400, "Malformed Authorization")
        result = check_digest(
            authorizations,
            method=request.method,
            uri=request.uri,
            realm=self._realm,
            source=source,
            now=now,
            nonces=self._nonces,
            find_ha1=self._find_ha1,
            algorithms=self._algorithms,
        )
        match result.outcome:
            case Outcome.ACCEPTED:
                entry = self._directory.extensions.get(result.username)
                if entry is None or result.username != user:
                    security_log.warning(
                        "! %s from %s: authenticated as %s, but says it is %s",
                        request.method, source, _safe(result.username), _safe(user),
                    )  # fmt: skip
                    return Unidentified(403, "Forbidden")
                return Identified(extension=entry)
            case Outcome.MALFORMED:
                return Unidentified(400, "Malformed Authorization")
            case Outcome.REJECTED:
                security_log.warning(
                    "! %s from %s: wrong credentials for %s", request.method, source, _safe(result.username)
                )
                return self._challenge(source, now, is_stale=False)
            case _:
                return self._challenge(source, now, is_stale=result.outcome is Outcome.STALE)

    def _challenge(self, source: str, now: float, *, is_stale: bool) -> Unidentified:
        values = make_challenge(self._nonces, self._realm, source, now, algorithms=self._algorithms, is_stale=is_stale)
        return Unidentified(401, "Unauthorized", "".join([f"WWW-Authenticate: {value}\r\n" for value in values]))

    def _find_ha1(self, username: str, algorithm: str) -> str | None:
        entry = self._directory.extensions.get(username)
        if entry is None or not entry.is_enabled:
            return None
        return entry.ha1_sha256 if algorithm == "SHA-256" else entry.ha1_md5 if algorithm == "MD5" else None


def _safe(text: str) -> str:
    """A name a stranger chose, fit for a log line."""
    return "".join(c if c.isprintable() and c not in "\"'" else "?" for c in text[:64])
