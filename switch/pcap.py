"""SIP messages as a packet capture that Wireshark and tshark read: classic pcap, link type raw IP. Every message stands
in a UDP datagram, whatever transport it took. Pure."""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

_MAGIC = 0xA1B2C3D4
_LINKTYPE_RAW = 101
_SNAPLEN = 65535
_UDP = 17
_TTL = 64
MAX_PAYLOAD = 65535 - 40 - 8
"""What fits into one datagram of either family; a longer message is cut, as a capture with a snap length would."""


def file_header() -> bytes:
    """What a capture begins with."""
    return struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_RAW)


def packet(at_utc: float, source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    """One record. Where one host is IPv6 the other is written as IPv6 too; a host that is a name becomes 0.0.0.0."""
    payload = payload[:MAX_PAYLOAD]
    pair = _address(source[0]), _address(destination[0])
    if pair[0].version == 4 and pair[1].version == 4:
        data = _ipv4(
            pair[0].packed, pair[1].packed, _udp(pair[0].packed + pair[1].packed, source, destination, payload)
        )
    else:
        ends = [_as_ipv6(each) for each in pair]
        data = _ipv6(ends[0], ends[1], _udp(ends[0] + ends[1], source, destination, payload))
    micros = round(at_utc * 1_000_000)
    seconds, rest = divmod(micros, 1_000_000)
    return struct.pack("<IIII", seconds, rest, len(data), len(data)) + data


def _address(host: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(host)
    except ValueError:
        return IPv4Address(0)


def _as_ipv6(address: IPv4Address | IPv6Address) -> bytes:
    """An IPv4 address as a mapped one (RFC 4291 §2.5.5.2)."""
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


def _ipv4(source: bytes, destination: bytes, datagram: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0x4000, _TTL, _UDP, 0) + source + destination
    return head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + datagram


def _ipv6(source: bytes, destination: bytes, datagram: bytes) -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(datagram), _UDP, _TTL) + source + destination + datagram


def _udp(addresses: bytes, source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    length = 8 + len(payload)
    head = struct.pack(">HHHH", source[1], destination[1], length, 0)
    pseudo = (
        addresses + struct.pack(">HH", _UDP, length)
        if len(addresses) == 8
        else addresses + struct.pack(">IHBB", length, 0, 0, _UDP)
    )
    # A sum of zero is sent as all ones (RFC 768).
    return head[:6] + struct.pack(">H", _checksum(pseudo + head + payload) or 0xFFFF) + payload


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
