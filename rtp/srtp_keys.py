"""SRTP protection profiles and the derivation of session keys (RFC 3711 §4.3, RFC 6188 §3). Pure."""

from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

SALT_BYTES = 14


class Suite(NamedTuple):
    key_bytes: int
    tag_bytes: int
    """Of SRTP; SRTCP always has 10."""


SUITES = {
    "AES_CM_128_HMAC_SHA1_80": Suite(16, 10),
    "AES_CM_128_HMAC_SHA1_32": Suite(16, 4),
    "AES_256_CM_HMAC_SHA1_80": Suite(32, 10),
    "AES_256_CM_HMAC_SHA1_32": Suite(32, 4),
}


def derive(master_key: bytes, master_salt: bytes, label: int, n_octets: int) -> bytes:
    """The session key of `label` (0 to 2: SRTP encryption, authentication, salt; 3 to 5: the same of SRTCP).

    The key derivation rate is 0, so one derivation lasts for the whole life of the master key.
    """
    x = int.from_bytes(master_salt, "big") ^ label << 48
    cipher = Cipher(algorithms.AES(master_key), modes.CTR((x << 16).to_bytes(16, "big"))).encryptor()
    return cipher.update(bytes(n_octets))


class LegKeys(NamedTuple):
    """Master key and salt in one, of each direction."""

    suite: str
    send: bytes
    receive: bytes

    def __repr__(self) -> str:
        return f"LegKeys({self.suite})"


def check_keys(keys: LegKeys) -> Suite:
    """Their suite.

    Raises:
        ValueError: an unknown suite, or a key that does not fit it.
    """
    suite = SUITES.get(keys.suite)
    if suite is None:
        raise ValueError(f"SRTP suite {keys.suite} is not one of {', '.join(SUITES)}")
    if {len(keys.send), len(keys.receive)} != {suite.key_bytes + SALT_BYTES}:
        raise ValueError(f"a key of {keys.suite} has {suite.key_bytes + SALT_BYTES} octets")
    return suite
