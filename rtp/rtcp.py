"""RTCP (RFC 3550 §6): compound packets with SR or RR, SDES CNAME and BYE, built and parsed. Pure."""

import struct
from dataclasses import dataclass

SR, RR, SDES, BYE = 200, 201, 202, 203
MAX_COMPOUND = 1500
NTP_OFFSET_S = 2_208_988_800
"""Seconds between 1900 and 1970."""

_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!QIII")
_COMMON = struct.Struct("!BBHIQIIIIIIIII")


@dataclass(slots=True)
class ReportBlock:
    """How a stream arrives (§6.4.1). `lost` is negative when duplicates outnumber losses; jitter in timestamp units;
    `last_sr` is the middle of that report's NTP time, `delay` since then in 1/65536 s (both 0: none came)."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest_seq: int
    jitter: int
    last_sr: int
    delay: int


@dataclass(slots=True)
class SenderInfo:
    """What was sent (§6.4.1): 64-bit NTP time, the RTP timestamp of that instant, packets, payload bytes."""

    ntp: int
    timestamp: int
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """One compound packet. `sender` is None for a receiver report; `bye` holds the SSRCs that leave."""

    ssrc: int
    sender: SenderInfo | None = None
    blocks: tuple[ReportBlock, ...] = ()
    cname: str = ""
    bye: tuple[int, ...] = ()


def ntp_time(wall_s: float) -> int:
    """64-bit NTP time of `wall_s` seconds since 1970 (UTC)."""
    return int((wall_s + NTP_OFFSET_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def middle(ntp: int) -> int:
    """The 32 bits that reports refer to (1/65536 s)."""
    return ntp >> 16 & 0xFFFFFFFF


def build(report: Report) -> bytes:
    """The compound packet; SR or RR first, then SDES when there is a CNAME, then BYE."""
    body = b""
    if report.sender is not None:
        s = report.sender
        body = _SENDER.pack(s.ntp, s.timestamp & 0xFFFFFFFF, s.packets & 0xFFFFFFFF, s.bytes & 0xFFFFFFFF)
    for b in report.blocks:
        lost = max(-0x800000, min(b.lost, 0x7FFFFF)) & 0xFFFFFF
        body += _BLOCK.pack(
            b.ssrc, b.fraction_lost << 24 | lost, b.highest_seq & 0xFFFFFFFF, b.jitter & 0xFFFFFFFF, b.last_sr, b.delay
        )
    kind = RR if report.sender is None else SR
    packet = _packet(kind, len(report.blocks), report.ssrc.to_bytes(4, "big") + body)
    if report.cname:
        packet += _description(report.ssrc, report.cname)
    if report.bye:
        packet += _packet(BYE, len(report.bye), b"".join(ssrc.to_bytes(4, "big") for ssrc in report.bye))
    return packet


def build_sender_report(ssrc: int, sender: SenderInfo, block: ReportBlock, cname: str) -> bytes:
    """As `build` of a report with one block and no BYE, for the many of them."""
    lost = max(-0x800000, min(block.lost, 0x7FFFFF)) & 0xFFFFFF
    return _COMMON.pack(
        *(0x81, SR, _COMMON.size // 4 - 1, ssrc),
        *(sender.ntp, sender.timestamp & 0xFFFFFFFF, sender.packets & 0xFFFFFFFF, sender.bytes & 0xFFFFFFFF),
        *(block.ssrc, block.fraction_lost << 24 | lost, block.highest_seq & 0xFFFFFFFF),
        *(block.jitter & 0xFFFFFFFF, block.last_sr, block.delay),
    ) + _description(ssrc, cname)


def _description(ssrc: int, cname: str) -> bytes:
    name = cname.encode()[:255]
    item = ssrc.to_bytes(4, "big") + bytes((1, len(name))) + name
    return _packet(SDES, 1, item + bytes(4 - len(item) % 4))


def parse(data: bytes) -> Report | None:
    """What a compound packet says, None when it is none (validity as RFC 3550 A.2). Unknown parts are passed over."""
    if len(data) < 8 or len(data) > MAX_COMPOUND or data[0] >> 6 != 2 or data[1] not in (SR, RR) or data[0] & 0x20:
        return None
    ssrc, sender, cname = int.from_bytes(data[4:8], "big"), None, ""
    blocks: list[ReportBlock] = []
    bye: list[int] = []
    at = 0
    while at < len(data):
        if at + 4 > len(data) or data[at] >> 6 != 2:
            return None
        count, kind = data[at] & 0x1F, data[at + 1]
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            return None
        body = data[at + 4 : end]
        if kind in (SR, RR):
            rest = body[4:]
            if kind == SR:
                if len(rest) < _SENDER.size:
                    return None
                sender = SenderInfo(*_SENDER.unpack_from(rest))
                rest = rest[_SENDER.size :]
            if len(rest) < count * _BLOCK.size:
                return None
            blocks += [_parse_block(rest, i * _BLOCK.size) for i in range(count)]
        elif kind == SDES and count:
            cname = cname or _parse_cname(body)
        elif kind == BYE:
            bye += [int.from_bytes(body[i : i + 4], "big") for i in range(0, min(4 * count, len(body) - 3), 4)]
        at = end
    return Report(ssrc, sender, tuple(blocks), cname, tuple(bye))


def _parse_block(data: bytes, at: int) -> ReportBlock:
    ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(data, at)
    lost = loss & 0xFFFFFF
    return ReportBlock(ssrc, loss >> 24, lost - 0x1000000 if lost & 0x800000 else lost, highest, jitter, last_sr, delay)


def _parse_cname(chunk: bytes) -> str:
    at = 4
    while at + 2 <= len(chunk) and chunk[at]:
        if chunk[at] == 1:
            return chunk[at + 2 : at + 2 + chunk[at + 1]].decode("utf-8", "replace")
        at += 2 + chunk[at + 1]
    return ""


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return bytes((0x80 | count, kind)) + (len(body) // 4).to_bytes(2, "big") + body
