"""Digest authentication both ways (RFC 7616, RFC 8760, RFC 3261 §22): qop=auth; MD5, SHA-256, SHA-512-256 and -sess.

Pure: time, source address and client nonces are arguments; the secret is handed in. What the server side must remember
between requests is in `NonceTable`, bounded; nothing is remembered for a peer that has not proved a password.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from enum import Enum
from urllib.parse import unquote as percent_decode

import msgspec

from sip.credentials import Credentials
from sip.errors import SipParseError
from sip.headers import quote, unquote
from sip.limits import MAX_DIGEST_CHALLENGES, MAX_TRACKED_NONCES
from sip.uri import parse_uri

ALGORITHMS = ("SHA-256", "MD5")
"""Offered by default, best first (RFC 8760 §2.4)."""

_HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
if "sha512_256" in hashlib.algorithms_available:
    _HASHES["SHA-512-256"] = lambda data: hashlib.new("sha512_256", data).hexdigest()


def _hash(algorithm: str, text: str) -> str:
    return _HASHES[algorithm](text.encode("utf-8", "surrogateescape"))


def ha1(username: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """H(username:realm:password), stored instead of the password (RFC 7616 §3.4.2). KeyError: no such algorithm."""
    return _hash(algorithm, f"{username}:{realm}:{password}")


# -- reading and writing the headers -----------------------------------------------------------------------------------

_SCHEME = re.compile(r"[ \t,]*+([A-Za-z][A-Za-z0-9\-]*+)[ \t]++(?![ \t]*+=)")
_PARAM = re.compile(
    r"[ \t,]*+([A-Za-z0-9\-_]++\*?+)[ \t]*+=[ \t]*+(\"(?:[^\"\\]|\\.)*\"|[^ \t,\"]++)[ \t]*+(?:,|$)", re.DOTALL
)
_MAX_PARAMS = 32


def parse_digest(values: Sequence[str]) -> list[dict[str, str]]:
    """The parameters of every Digest challenge or credential in these header values, other schemes left out.

    Names in lower case, values without quotes. One value may hold several challenges (RFC 7235 §4.1).

    Raises:
        SipParseError: 400, malformed, a parameter twice, or too many.
    """
    found: list[dict[str, str]] = []
    for value in values:
        plain = _parse_plain(value)
        if plain is not None:
            found.append(plain)
            continue
        position = 0
        params: dict[str, str] | None = None
        while position < len(value):
            match = _PARAM.match(value, position)
            if match is not None and params is not None:
                name = match[1].lower()
                if name in params or len(params) >= _MAX_PARAMS:
                    raise SipParseError("malformed digest parameters")
                params[name] = unquote(match[2]) if match[2][0] == '"' else match[2]
            else:
                match = _SCHEME.match(value, position)
                if match is None:
                    raise SipParseError("malformed digest header")
                params = {"": match[1].lower()}
                found.append(params)
                if len(found) > MAX_DIGEST_CHALLENGES:
                    raise SipParseError("too many challenges")
            position = match.end()
    if len(found) > MAX_DIGEST_CHALLENGES:
        raise SipParseError("too many challenges")
    return [params for params in found if params.pop("", "digest") == "digest"]


def _parse_plain(value: str) -> dict[str, str] | None:
    """The usual spelling, three times as fast as by the grammar; None for any other."""
    if value[:7] != "Digest " or "\\" in value:
        return None
    params: dict[str, str] = {}
    for part in value[7:].split(","):
        name, equals, text = part.partition("=")
        name = name.strip()
        text = text.strip()
        if text[:1] == '"':
            if len(text) < 2 or text[-1] != '"':
                return None
            text = text[1:-1]
        elif not text or " " in text or "\t" in text:
            return None
        if not name.isalpha() or not equals or '"' in text:
            return None
        params[name.lower()] = text
    # A name that came twice is for the grammar to refuse.
    return params if len(params) == value.count(",") + 1 <= _MAX_PARAMS else None


# -- as client ---------------------------------------------------------------------------------------------------------


def answer_challenge(
    challenges: Sequence[str],
    credentials: Credentials,
    *,
    method: str,
    uri: str,
    cnonce: str,
    nonce_count: int = 1,
    body: bytes = b"",
    is_in_dialog: bool = False,
) -> str | None:
    """Value of the Authorization (or Proxy-Authorization) header that answers a 401 (407).

    `challenges` are all values of the challenge header; the topmost that we can answer is answered (RFC 8760 §2.4).
    None when none can: another realm than the credentials', or no algorithm or quality of protection we know.

    Raises:
        SipParseError: 400, the challenge is malformed.
    """
    for challenge in parse_digest(challenges):
        realm = challenge.get("realm", "")
        algorithm = challenge.get("algorithm", "MD5")
        base, is_session = _split_algorithm(algorithm)
        if base not in _HASHES or "nonce" not in challenge or (credentials.realm and credentials.realm != realm):
            continue
        audience = credentials.audience
        if audience is not None and not audience.may_learn(method, realm, is_in_dialog=is_in_dialog):
            continue
        secret = credentials.ha1s.get(base) or (
            ha1(credentials.username, realm, credentials.password, base) if credentials.password else ""
        )
        qops = [word.strip().lower() for word in challenge.get("qop", "").split(",") if word.strip()]
        qop = "auth" if "auth" in qops else "auth-int" if "auth-int" in qops else ""
        if not secret or (qops and not qop):
            continue
        if audience is not None:
            audience.learn(method, realm)
        count = f"{nonce_count:08x}"
        if is_session:
            secret = _hash(base, f"{secret}:{challenge['nonce']}:{cnonce}")
        subject = f"{method}:{uri}" if qop != "auth-int" else f"{method}:{uri}:{_HASHES[base](body)}"
        response = _response(base, secret, challenge["nonce"], count, cnonce, qop, subject)
        parts = [
            f"Digest username={quote(credentials.username)}, realm={quote(realm)}, nonce={quote(challenge['nonce'])}, "
            f'uri={quote(uri)}, response="{response}"'
        ]
        if "algorithm" in challenge:
            parts.append(f"algorithm={algorithm}")
        if qop:
            parts.append(f"qop={qop}, nc={count}")
        if qop or is_session:
            parts.append(f"cnonce={quote(cnonce)}")
        if "opaque" in challenge:
            parts.append(f"opaque={quote(challenge['opaque'])}")
        return ", ".join(parts)
    return None


def is_stale(challenges: Sequence[str]) -> bool:
    """The credentials were right and only the nonce too old: answer again, without blaming the password."""
    return any(challenge.get("stale", "").lower() == "true" for challenge in parse_digest(challenges))


def _split_algorithm(algorithm: str) -> tuple[str, bool]:
    name = algorithm.upper()
    return (name[:-5], True) if name.endswith("-SESS") else (name, False)


def _response(algorithm: str, secret: str, nonce: str, count: str, cnonce: str, qop: str, subject: str) -> str:
    hashed = _hash(algorithm, subject)
    middle = f"{nonce}:{count}:{cnonce}:{qop}" if qop else nonce
    return _hash(algorithm, f"{secret}:{middle}:{hashed}")


# -- as server ---------------------------------------------------------------------------------------------------------


class Outcome(Enum):
    ACCEPTED = "accepted"
    MISSING = "missing"
    """No credentials for our realm: challenge."""
    STALE = "stale"
    """Right password, nonce too old, used up or not ours: challenge with stale=true."""
    REJECTED = "rejected"
    """Wrong password, unknown user, wrong URI: challenge again (or refuse); counts as a failed attempt."""
    MALFORMED = "malformed"
    """400."""


class DigestResult(msgspec.Struct, frozen=True, gc=False):
    outcome: Outcome
    username: str = ""
    """As claimed; proved only when ACCEPTED."""
    is_from_there: bool = False
    """REJECTED with a nonce that we gave to that very address: nobody else made it up."""

    @property
    def is_accepted(self) -> bool:
        return self.outcome is Outcome.ACCEPTED


_WINDOW = 64
_NONCE = re.compile(r"[A-Za-z0-9_-]{32}")


class NonceTable:
    """Nonces that prove their own issue: HMAC over instant, serial number and source address; and the counts seen.

    `secret` (32 random octets or more) must be the same wherever the nonce may come back; a restart with a new one only
    makes every nonce stale.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        lifetime_s: float = 300.0,
        max_tracked: int = MAX_TRACKED_NONCES,
    ) -> None:
        if len(secret) < 16:
            raise ValueError("nonce secret shorter than 16 octets")
        self._secret = secret
        self._lifetime_ms = int(lifetime_s * 1000)
        self._max_tracked = max_tracked
        self._serial = 0
        self._forgotten = -1
        # Serial number -> (instant in ms, highest count, bits of the counts below it).
        self._seen: dict[int, tuple[int, int, int]] = {}
        self.dummy_ha1 = hmac.digest(secret, b"unknown user", "sha256").hex()

    def __len__(self) -> int:
        return len(self._seen)

    def issue(self, source: str, now: float) -> str:
        """A fresh nonce for requests from this IP address; `now` in monotonic seconds."""
        self._serial = (self._serial + 1) & 0xFFFFFFFFFFFF
        # Short, because an answer to a stranger must not be longer than what was asked (sip.clip): 6 octets of
        # milliseconds, 6 of serial number, 12 of proof.
        stamp = (int(now * 1000) & 0xFFFFFFFFFFFF).to_bytes(6) + self._serial.to_bytes(6)
        return base64.urlsafe_b64encode(stamp + self._proof(stamp, source)).decode()

    def is_ours(self, nonce: str, source: str, now: float) -> bool:
        """Whether it was given to that address lately: who brings it has received it there."""
        return self._read(nonce, source, int(now * 1000)) is not None

    def _read(self, nonce: str, source: str, now_ms: int) -> tuple[int, int] | None:
        """(instant in ms, serial number) of a nonce that is ours and not too old."""
        if _NONCE.fullmatch(nonce) is None:
            return None
        octets = base64.urlsafe_b64decode(nonce)
        if not hmac.compare_digest(self._proof(octets[:12], source), octets[12:]):
            return None
        issued_ms = int.from_bytes(octets[:6])
        return (issued_ms, int.from_bytes(octets[6:12])) if 0 <= now_ms - issued_ms <= self._lifetime_ms else None

    def _proof(self, stamp: bytes, source: str) -> bytes:
        return hmac.digest(self._secret, stamp + source.encode(), "sha256")[:12]

    def use(self, nonce: str, source: str, count: int, now: float) -> bool:
        """Take one count of a nonce whose password was proved; False when it is not ours, too old, or counted before.

        Counts may come out of order within the last 64, because UDP does that (RFC 7616 §3.4, nc).
        """
        now_ms = int(now * 1000)
        found = self._read(nonce, source, now_ms)
        if found is None:
            return False
        issued_ms, serial = found
        seen = self._seen.get(serial)
        if seen is None:
            if serial <= self._forgotten:
                return False
            self._make_room(now_ms)
            self._seen[serial] = (issued_ms, count, 1)
            return True
        _, highest, bits = seen
        if count > highest:
            shift = min(count - highest, _WINDOW)
            self._seen[serial] = (issued_ms, count, ((bits << shift) | 1) & ((1 << _WINDOW) - 1))
            return True
        bit = 1 << (highest - count) if highest - count < _WINDOW else 0
        if not bit or bits & bit:
            return False
        self._seen[serial] = (issued_ms, highest, bits | bit)
        return True

    def _make_room(self, now_ms: int) -> None:
        # Two of the oldest for one that is new: expired ones are gone sooner than they are made.
        for _ in range(2):
            if not self._seen:
                return
            serial = next(iter(self._seen))
            is_expired = now_ms - self._seen[serial][0] > self._lifetime_ms
            if not is_expired and len(self._seen) < self._max_tracked:
                return
            del self._seen[serial]
            if not is_expired:
                self._forgotten = max(self._forgotten, serial)


def make_challenge(
    nonces: NonceTable,
    realm: str,
    source: str,
    now: float,
    *,
    algorithms: Sequence[str] = ALGORITHMS,
    is_stale: bool = False,
) -> list[str]:
    """Values for WWW-Authenticate (or Proxy-Authenticate), one line each in this order (RFC 8760 §2.3).

    `source` is the IP address of the peer: the nonce is worth nothing from elsewhere.
    """
    nonce = nonces.issue(source, now)
    stale = ", stale=true" if is_stale else ""
    quoted = quote(realm)
    return [f'Digest realm={quoted}, nonce="{nonce}", algorithm={name}, qop="auth"{stale}' for name in algorithms]


_COUNT = re.compile(r"[0-9A-Fa-f]{8}")
_FIELDS = frozenset(("username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce"))


def check_digest(
    authorizations: Sequence[str],
    *,
    method: str,
    uri: str,
    realm: str,
    source: str,
    now: float,
    nonces: NonceTable,
    find_ha1: Callable[[str, str], str | None],
    algorithms: Sequence[str] = ALGORITHMS,
) -> DigestResult:
    """Check the Authorization values of a request against what `find_ha1(username, algorithm)` knows.

    The same work is done for a user it does not know, and digests are compared in constant time, so that neither answer
    nor delay tells which users exist. `uri` is the Request-URI. A nonce is counted only after its digest proved right.
    """
    try:
        offered = [params for params in parse_digest(authorizations) if params.get("realm") == realm]
    except SipParseError:
        return DigestResult(Outcome.MALFORMED)
    if not offered:
        return DigestResult(Outcome.MISSING)
    params = offered[0]
    algorithm, is_session = _split_algorithm(params.get("algorithm", "MD5"))
    if algorithm not in algorithms or algorithm not in _HASHES:
        return DigestResult(Outcome.MISSING)
    if "username*" in params and "username" not in params:
        params["username"] = percent_decode(params["username*"].partition("''")[2])
    is_whole = params.keys() >= _FIELDS
    if not is_whole or params["qop"].lower() != "auth" or not _COUNT.fullmatch(params["nc"]):
        return DigestResult(Outcome.MALFORMED, params.get("username", ""))
    username, nonce, cnonce = params["username"], params["nonce"], params["cnonce"]
    secret = find_ha1(username, algorithm)
    is_known = secret is not None
    secret = secret or nonces.dummy_ha1
    if is_session:
        secret = _hash(algorithm, f"{secret}:{nonce}:{cnonce}")
    expected = _response(algorithm, secret, nonce, params["nc"], cnonce, params["qop"], f"{method}:{params['uri']}")
    given = params["response"].lower().encode("utf-8", "surrogateescape")
    if not (hmac.compare_digest(expected.encode(), given) and is_known and _is_same_target(params["uri"], uri)):
        return DigestResult(Outcome.REJECTED, username, nonces.is_ours(nonce, source, now))
    if not nonces.use(nonce, source, int(params["nc"], 16), now):
        return DigestResult(Outcome.STALE, username)
    return DigestResult(Outcome.ACCEPTED, username)


def _is_same_target(digest_uri: str, request_uri: str) -> bool:
    """The URI that was signed names what was asked for; parameters may differ (RFC 7616 §3.4.6, RFC 3261 §22.4)."""
    if digest_uri == request_uri:
        return True
    try:
        signed, asked = parse_uri(digest_uri), parse_uri(request_uri)
    except SipParseError:
        return False
    return (signed.scheme, signed.user, signed.host.lower()) == (asked.scheme, asked.user, asked.host.lower())
