"""SRTP keys in session descriptions: the crypto attribute (RFC 4568; RFC 6188 for 256 bits). Pure.

What cannot be used (a suite that is not ours, an MKI, a session parameter that weakens or changes SRTP) reads as no
attribute at all, as §6.3 says of what an answerer does not support.
"""

import base64
import binascii
from collections.abc import Callable, Sequence

import msgspec

SALT_BYTES = 14
KEY_BYTES = {
    "AES_CM_128_HMAC_SHA1_80": 16,
    "AES_256_CM_HMAC_SHA1_80": 32,
    "AES_CM_128_HMAC_SHA1_32": 16,
    "AES_256_CM_HMAC_SHA1_32": 32,
}
"""Suite -> octets of its master key, in the order we offer them."""

MIN_LIFETIME = 1 << 20
"""Packets a key must last for, since none is ever replaced within a call: 5.8 hours of 20 ms packets."""

_MAX_TAG = 999_999_999


class Crypto(msgspec.Struct, frozen=True, gc=False):
    """One key on offer, or the one chosen."""

    tag: int
    suite: str
    key: bytes
    """Master key and salt in one."""

    def __repr__(self) -> str:
        return f"Crypto({self.tag}, {self.suite})"


class SrtpAgreement(msgspec.Struct, frozen=True, gc=False):
    """What both sides agreed on; each key is master key and salt in one."""

    suite: str
    send: bytes
    receive: bytes

    def __repr__(self) -> str:
        return f"SrtpAgreement({self.suite})"


class LocalKeys(msgspec.Struct, frozen=True, gc=False):
    """Our keys of one leg, one for each suite, the same for its whole life: a re-INVITE changes no key."""

    by_suite: dict[str, bytes]

    def __repr__(self) -> str:
        return f"LocalKeys({', '.join(self.by_suite)})"

    @classmethod
    def make(cls, random: Callable[[int], bytes], suites: Sequence[str] = tuple(KEY_BYTES)) -> "LocalKeys":
        """Fresh keys; `random` gives so many unpredictable octets."""
        return cls({suite: random(KEY_BYTES[suite] + SALT_BYTES) for suite in suites})

    def offered(self) -> list[Crypto]:
        """Every key with its tag, 1 and up."""
        return [Crypto(tag, suite, key) for tag, (suite, key) in enumerate(self.by_suite.items(), 1)]


def parse_crypto(attribute: str) -> Crypto | None:
    """`crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…|2^31` -> Crypto; None for what is malformed or of no use to us."""
    parts = attribute.partition(":")[2].split()
    if len(parts) < 3 or not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) <= 9):
        return None
    suite, parameters = parts[1].upper(), parts[2]
    # Only WSH, a hint at the size of the replay window, changes nothing of what is sent (§6.3.7).
    if suite not in KEY_BYTES or any(not each.upper().startswith("WSH=") for each in parts[3:]):
        return None
    method, _, info = parameters.partition(":")
    # Several keys need an MKI to tell which is meant.
    if method.lower() != "inline" or ";" in parameters:
        return None
    text, *more = info.split("|")
    if len(more) > 1 or (more and not _is_lifetime_enough(more[0])):
        return None
    key = _decode(text)
    if len(key) != KEY_BYTES[suite] + SALT_BYTES:
        return None
    return Crypto(int(parts[0]), suite, key)


def describe_crypto(crypto: Crypto) -> str:
    """The attribute line."""
    return f"a=crypto:{crypto.tag} {crypto.suite} inline:{base64.b64encode(crypto.key).decode()}\r\n"


def choose_crypto(attributes: Sequence[str], keys: LocalKeys) -> Crypto | None:
    """The first crypto attribute of an offer in a suite of ours: its order is the offerer's preference (§5.1.2)."""
    for attribute in attributes:
        if attribute[:7] == "crypto:":
            crypto = parse_crypto(attribute)
            if crypto is not None and crypto.suite in keys.by_suite:
                return crypto
    return None


def accept_crypto(attributes: Sequence[str], keys: LocalKeys) -> Crypto | None:
    """The crypto attribute of an answer: the only one, with a tag and suite of our offer (§5.1.3); else None."""
    found = [attribute for attribute in attributes if attribute[:7] == "crypto:"]
    crypto = parse_crypto(found[0]) if len(found) == 1 else None
    if crypto is None:
        return None
    is_offered = any((ours.tag, ours.suite) == (crypto.tag, crypto.suite) for ours in keys.offered())
    return crypto if is_offered else None


def _is_lifetime_enough(text: str) -> bool:
    """A lifetime in packets, as number or power of 2 (§6.1). An MKI, which has a colon, is none."""
    base, _, exponent = text.partition("^")
    digits = exponent or base
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15) or (exponent and base != "2"):
        return False
    lifetime = (1 << min(int(exponent), 64)) if exponent else int(base)
    return MIN_LIFETIME <= lifetime <= 1 << 48


def _decode(text: str) -> bytes:
    """Base64; some leave its padding out."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
