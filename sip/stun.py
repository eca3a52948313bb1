"""STUN as keep-alive of SIP over UDP (RFC 5626 §4.4.2, RFC 8489): Binding requests, and their answers. Pure."""

import ipaddress
import struct

MAGIC = 0x2112A442
_REQUEST, _SUCCESS = 0x0001, 0x0101
_XOR_MAPPED_ADDRESS = 0x0020
_HEAD = struct.Struct("!HHI12s")


def is_binding_request(data: bytes) -> bool:
    """Whether a datagram on a SIP port is one: no SIP message begins with a zero byte."""
    if len(data) < _HEAD.size or data[0]:
        return False
    kind, length, magic, _ = _HEAD.unpack_from(data)
    return kind == _REQUEST and magic == MAGIC and length == len(data) - _HEAD.size and not length % 4


def answer_binding(data: bytes, host: str, port: int) -> bytes:
    """The success response to a Binding request that came from `host`, `port`: where we see the sender (§14.2).

    Raises:
        ValueError: `host` is no address.
    """
    transaction = data[8:20]
    address = ipaddress.ip_address(host)
    key = struct.pack("!I", MAGIC) + transaction
    mixed = bytes(a ^ b for a, b in zip(address.packed, key, strict=False))
    family = 1 if address.version == 4 else 2
    value = struct.pack("!BBH", 0, family, port ^ (MAGIC >> 16)) + mixed
    attribute = struct.pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value
    return _HEAD.pack(_SUCCESS, len(attribute), MAGIC, transaction) + attribute
