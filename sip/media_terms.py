"""What single attributes of an m= section mean for us: direction, packet length, format parameters (RFC 3264, RFC 8866
§6). Pure."""

from functools import lru_cache

PTIMES_MS = (10, 20, 30, 40, 60)
"""Packet lengths we make."""


@lru_cache(maxsize=512)
def parse_fmtp(attribute: str) -> tuple[str, str]:
    """`fmtp:107 useinbandfec=1` -> ("107", "useinbandfec=1")."""
    text, _, parameters = attribute[5:].strip().partition(" ")
    return text, parameters.strip()


@lru_cache(maxsize=256)
def choose_ptime(ptime: str, max_ptime: str, default_ms: int) -> int:
    """The longest packet we make that is no longer than what the peer would like, and than what it can take."""
    wanted, most = _milliseconds(ptime) or default_ms, _milliseconds(max_ptime) or 1000
    return max((ms for ms in PTIMES_MS if ms <= min(wanted, most)), default=default_ms)


def _milliseconds(text: str) -> int:
    """A ptime value, 0 when it makes no sense; some write fractions."""
    digits = text.strip().partition(".")[0]
    milliseconds = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 4 else 0
    return milliseconds if milliseconds <= 200 else 0


_SENDS, _RECEIVES = 1, 2
DIRECTIONS = {"sendrecv": 3, "sendonly": 1, "recvonly": 2, "inactive": 0}
_BY_BITS = {bits: name for name, bits in DIRECTIONS.items()}


def our_direction(theirs: str, host: str, wanted: str) -> str:
    """Our side of `theirs`, no more than we want. An address of zeroes cannot receive (hold of RFC 2543, §8.4)."""
    bits = DIRECTIONS[theirs]
    if host in ("0.0.0.0", "::"):
        bits &= _SENDS
    ours = (_RECEIVES if bits & _SENDS else 0) | (_SENDS if bits & _RECEIVES else 0)
    return _BY_BITS[ours & DIRECTIONS[wanted]]
