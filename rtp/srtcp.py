"""SRTCP of one direction of one leg (RFC 3711 §3.4). Pure.

Reports are a packet every 5 s, so nothing here is made for batches.
"""

import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from rtp.srtp_keys import SALT_BYTES, Suite, derive
from rtp.srtp_streams import MAX_OTHERS, Other

TAG = 10
"""80 bits with every suite (RFC 4568 §6.2, RFC 6188 §4)."""
MAC_KEY = 20

_HEADER = 8
"""Octets that stay in the clear."""
_ENCRYPTED = 1 << 31


class Srtcp:
    """Seals what is sent with `master`, or opens what is received with it. `index` is the first one to send with:
    higher than any that was used with this key."""

    def __init__(self, suite: Suite, master: bytes, index: int = 0) -> None:
        key, salt = master[: suite.key_bytes], master[suite.key_bytes :]
        self._key = derive(key, salt, 3, suite.key_bytes)
        self._mac_key = derive(key, salt, 4, MAC_KEY)
        self._salt = int.from_bytes(derive(key, salt, 5, SALT_BYTES), "big") << 16
        self._index = index
        self._seen: dict[int, Other] = {}

    def seal(self, data: bytes) -> bytes:
        """SRTCP of a compound RTCP packet."""
        index = self._index
        self._index = (index + 1) & (_ENCRYPTED - 1)
        signed = self._crypt(data, index) + (index | _ENCRYPTED).to_bytes(4, "big")
        return signed + self._tag(signed)

    def open(self, data: bytes) -> bytes | None:
        """The compound RTCP packet in it; None for what is forged, replayed or cut."""
        end = len(data) - TAG
        if end < _HEADER + 4 or not hmac.compare_digest(self._tag(data[:end]), data[end:]):
            return None
        word = int.from_bytes(data[end - 4 : end], "big")
        index, ssrc = word & ~_ENCRYPTED, int.from_bytes(data[4:8], "big")
        stream = self._seen.pop(ssrc, Other(-1, 0, 0))
        is_new = stream.is_new(index)
        self._seen[ssrc] = stream.after(index) if is_new else stream
        if len(self._seen) > MAX_OTHERS:
            del self._seen[next(iter(self._seen))]
        if not is_new:
            return None
        return self._crypt(data[: end - 4], index) if word & _ENCRYPTED else data[: end - 4]

    def _crypt(self, data: bytes, index: int) -> bytes:
        nonce = self._salt ^ int.from_bytes(data[4:_HEADER], "big") << 64 ^ index << 16
        cipher = Cipher(algorithms.AES(self._key), modes.CTR(nonce.to_bytes(16, "big"))).encryptor()
        return data[:_HEADER] + cipher.update(data[_HEADER:])

    def _tag(self, data: bytes) -> bytes:
        return hmac.digest(self._mac_key, data, "sha1")[:TAG]
