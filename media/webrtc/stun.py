"""STUN as an ICE-lite agent needs it: binding requests with short-term credentials, and their answers (RFC 8489, RFC
8445 §7.3). Pure.

A lite agent sends no check of its own: a browser's authentic request is proof enough that it is there.
"""

import hmac
import ipaddress
import struct
import zlib
from collections.abc import Iterable

import msgspec

from rtp.net.address import Address

BINDING_REQUEST, BINDING_SUCCESS, BINDING_ERROR = 0x0001, 0x0101, 0x0111
USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, UNKNOWN_ATTRIBUTES = 0x0006, 0x0008, 0x0009, 0x000A
XOR_MAPPED_ADDRESS, PRIORITY, USE_CANDIDATE = 0x0020, 0x0024, 0x0025
SOFTWARE, FINGERPRINT, ICE_CONTROLLED, ICE_CONTROLLING = 0x8022, 0x8028, 0x8029, 0x802A
MAGIC = 0x2112A442
MAX_BYTES = 1280
"""A longer request is nobody's."""

_KNOWN = {USERNAME, MESSAGE_INTEGRITY, XOR_MAPPED_ADDRESS, PRIORITY, USE_CANDIDATE}
_FINGERPRINT_XOR = 0x5354554E
_MAX_ATTRIBUTES = 32
_HEAD = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")


class StunMessage(msgspec.Struct, frozen=True, gc=False):
    """A message that is well-formed; whether it is authentic `is_authentic` says."""

    kind: int
    transaction: bytes
    attributes: dict[int, bytes]
    """The first of each type; nothing behind MESSAGE-INTEGRITY but FINGERPRINT counts (RFC 8489 §14.5)."""
    integrity_at: int
    """Offset of MESSAGE-INTEGRITY, 0 when there is none."""

    @property
    def local_ufrag(self) -> str:
        """Whom a request is for: the part of USERNAME before the colon (RFC 8445 §7.2.2)."""
        return self.attributes.get(USERNAME, b"").partition(b":")[0].decode("ascii", "replace")

    def unknown(self) -> list[int]:
        """Attributes that must be understood and are not (§6.3.1)."""
        return [kind for kind in self.attributes if kind < 0x8000 and kind not in _KNOWN]


def parse_stun(data: bytes) -> StunMessage | None:
    """None for what is no STUN message, or one whose FINGERPRINT is wrong."""
    if not 20 <= len(data) <= MAX_BYTES:
        return None
    kind, length, magic, transaction = _HEAD.unpack_from(data)
    if magic != MAGIC or length + 20 != len(data) or length & 3 or kind & 0xC000:
        return None
    attributes: dict[int, bytes] = {}
    integrity_at = 0
    at = 20
    for _ in range(_MAX_ATTRIBUTES):
        if at == len(data):
            break
        if at + 4 > len(data):
            return None
        name, size = _ATTRIBUTE.unpack_from(data, at)
        end = at + 4 + size
        if end > len(data):
            return None
        if name == FINGERPRINT:
            if size != 4 or end != len(data) or data[at + 4 : end] != _fingerprint(data[:at]):
                return None
        elif not integrity_at:
            attributes.setdefault(name, data[at + 4 : end])
            if name == MESSAGE_INTEGRITY:
                integrity_at = at
        at = end + (-size & 3)
    if at != len(data):
        return None
    return StunMessage(kind, transaction, attributes, integrity_at)


def is_authentic(message: StunMessage, data: bytes, password: bytes) -> bool:
    """Whether `data`, of which `message` was read, was made by somebody who knows the password (RFC 8489 §14.5)."""
    if not message.integrity_at:
        return False
    return hmac.compare_digest(
        message.attributes[MESSAGE_INTEGRITY], _integrity(data[: message.integrity_at], password)
    )


def build_stun(kind: int, transaction: bytes, attributes: Iterable[tuple[int, bytes]], password: bytes) -> bytes:
    """A message with MESSAGE-INTEGRITY and FINGERPRINT at its end."""
    body = b"".join([_ATTRIBUTE.pack(name, len(value)) + value + bytes(-len(value) & 3) for name, value in attributes])
    data = _HEAD.pack(kind, len(body), MAGIC, transaction) + body
    data += _ATTRIBUTE.pack(MESSAGE_INTEGRITY, 20) + _integrity(data, password)
    data = data[:2] + (len(data) - 20 + 8).to_bytes(2, "big") + data[4:]
    return data + _ATTRIBUTE.pack(FINGERPRINT, 4) + _fingerprint(data)


def success(request: StunMessage, source: Address, password: bytes) -> bytes:
    """The answer to a binding request from `source`."""
    mapped = xor_address(source, request.transaction)
    return build_stun(BINDING_SUCCESS, request.transaction, [(XOR_MAPPED_ADDRESS, mapped)], password)


def failure(request: StunMessage, code: int, reason: str, password: bytes, unknown: Iterable[int] = ()) -> bytes:
    """An error answer (RFC 8489 §14.8), e.g. 420 with the attributes that are unknown, 487 for a role conflict."""
    attributes = [(ERROR_CODE, bytes([0, 0, code // 100, code % 100]) + reason.encode())]
    names = b"".join([name.to_bytes(2, "big") for name in unknown])
    if names:
        attributes.append((UNKNOWN_ATTRIBUTES, names))
    return build_stun(BINDING_ERROR, request.transaction, attributes, password)


def xor_address(address: Address, transaction: bytes) -> bytes:
    """Value of XOR-MAPPED-ADDRESS (§14.2)."""
    host, port = address
    packed = ipaddress.ip_address(host.partition("%")[0]).packed
    mask = MAGIC.to_bytes(4, "big") + transaction
    family = 1 if len(packed) == 4 else 2
    masked = bytes([a ^ b for a, b in zip(packed, mask, strict=False)])
    return bytes([0, family]) + (port ^ (MAGIC >> 16)).to_bytes(2, "big") + masked


def unxor_address(value: bytes, transaction: bytes) -> Address | None:
    """The address in XOR-MAPPED-ADDRESS; None when it is malformed."""
    if (len(value), value[1:2]) not in ((8, b"\1"), (20, b"\2")):
        return None
    mask = MAGIC.to_bytes(4, "big") + transaction
    packed = bytes([a ^ b for a, b in zip(value[4:], mask, strict=False)])
    return str(ipaddress.ip_address(packed)), int.from_bytes(value[2:4], "big") ^ (MAGIC >> 16)


def _integrity(before: bytes, password: bytes) -> bytes:
    # The length counts as if the message ended with this attribute.
    head = before[:2] + (len(before) - 20 + 24).to_bytes(2, "big") + before[4:]
    return hmac.digest(password, head, "sha1")


def _fingerprint(before: bytes) -> bytes:
    return (zlib.crc32(before) ^ _FINGERPRINT_XOR).to_bytes(4, "big")
