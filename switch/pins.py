"""PINs that agents key at phones: how they are kept (scrypt, RFC 7914), and how often somebody may try.

A PIN has few digits, so its hash is made to be slow (some 50 ms): call `check_pin` in a thread.
"""

import hashlib
import hmac
import itertools
import re
import secrets

import msgspec

from switch.bounded_table import BoundedTable

_FORM = re.compile(r"[0-9]{4,12}")
_HASH_FORM = re.compile(r"scrypt:([0-9]{1,2}):([0-9a-f]{32}):([0-9a-f]{64})")
_LOG2_N = 14
_MAX_LOG2_N = 17
"""128 MiB; a hash that asks for more is no hash of ours."""
FREE_TRIES = 4
"""Wrong PINs in a row before the first wait."""
FIRST_WAIT_S = 30.0
MAX_WAIT_S = 3600.0
FORGOTTEN_S = 24 * 3600.0


def pin_fault(pin: str) -> str:
    """What is wrong with a PIN somebody wants to have; "" = nothing."""
    if not _FORM.fullmatch(pin):
        return "a PIN has 4 to 12 digits"
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    if len(steps) == 1 and steps <= {0, 1, 9}:
        return "a PIN is no row of equal or consecutive digits"
    return ""


def hash_pin(pin: str) -> str:
    """What to store in place of it. Raises ValueError for what `pin_fault` finds fault with."""
    if fault := pin_fault(pin):
        raise ValueError(fault)
    return hash_keyed(pin)


def hash_keyed(secret: str) -> str:
    """What to store in place of what somebody will key, whatever it is."""
    salt = secrets.token_bytes(16)
    return f"scrypt:{_LOG2_N}:{salt.hex()}:{_derive(secret, salt, _LOG2_N).hex()}"


def is_pin_hash(text: str) -> bool:
    """Whether `check_pin` can use it."""
    found = _HASH_FORM.fullmatch(text)
    return found is not None and 10 <= int(found[1]) <= _MAX_LOG2_N


def check_pin(pin: str, pin_hash: str) -> bool:
    """Whether it is this PIN. Takes as long for a hash that is missing or malformed, and is False then."""
    found = _HASH_FORM.fullmatch(pin_hash) if is_pin_hash(pin_hash) else None
    log2_n, salt, wanted = (_LOG2_N, "00" * 16, "") if found is None else (int(found[1]), found[2], found[3])
    made = _derive(pin[:64], bytes.fromhex(salt), log2_n).hex()
    return hmac.compare_digest(made, wanted)


def _derive(pin: str, salt: bytes, log2_n: int) -> bytes:
    n = 1 << log2_n
    return hashlib.scrypt(pin.encode(), salt=salt, n=n, r=8, p=1, dklen=32, maxmem=256 * n * 8)


class _Tries(msgspec.Struct, gc=False):
    n: int
    latest: float


class PinGuard:
    """Who has tried how often, bounded; pure, `now` in monotonic seconds. A name is an agent's id or an extension."""

    def __init__(self, max_names: int = 4096) -> None:
        self._tries: BoundedTable[str, _Tries] = BoundedTable(max_names)

    def wait_s(self, names: tuple[str, ...], now: float) -> float:
        """How long nobody may try for any of these names; 0 = now."""
        return max((self._wait_s(name, now) for name in names), default=0.0)

    def failed(self, names: tuple[str, ...], now: float) -> None:
        for name in names:
            tries = self._tries.look_up(name)
            if tries is None or now - tries.latest > FORGOTTEN_S:
                tries = self._tries[name] = _Tries(0, now)
            tries.n, tries.latest = tries.n + 1, now

    def passed(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._tries.pop(name, None)

    def _wait_s(self, name: str, now: float) -> float:
        tries = self._tries.get(name)
        if tries is None or tries.n <= FREE_TRIES or now - tries.latest > FORGOTTEN_S:
            return 0.0
        wait_s = min(MAX_WAIT_S, FIRST_WAIT_S * 2.0 ** min(tries.n - FREE_TRIES - 1, 16))
        return max(0.0, tries.latest + wait_s - now)
