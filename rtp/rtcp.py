"""RTCP (RFC 3550 §6): compound packets with SR or RR, SDES CNAME and BYE, built and parsed. Pure."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SR, RR, SDES, BYE = 200, 201, 202, 203
MAX_COMPOUND = 1500
NTP_OFFSET_S = 2_208_988_800
"""Seconds between 1900 and 1970."""

_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!QIII")
_REPORT_FIELDS = [
    *(("head", "u1"), ("kind", "u1"), ("length", ">u2"), ("ssrc", ">u4"), ("ntp", ">u8"), ("timestamp", ">u4")),
    *(("packets", ">u4"), ("bytes", ">u4"), ("of", ">u4"), ("loss", ">u4"), ("highest_seq", ">u4")),
    *(("jitter", ">u4"), ("last_sr", ">u4"), ("delay", ">u4")),
]
_REPORT_BYTES = np.dtype(_REPORT_FIELDS).itemsize


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


class SenderReports:
    """Many sender reports of one kind at once: one block each, and the CNAME; as `build` makes them one by one."""

    def __init__(self, cname: str) -> None:
        description = _description(0, cname)
        self._dtype = np.dtype(
            [*_REPORT_FIELDS, ("sdes", "V4"), ("source", ">u4"), ("name", f"V{len(description) - 8}")]
        )
        self._blank = np.zeros(1, self._dtype)
        self._blank["head"], self._blank["kind"], self._blank["length"] = 0x81, SR, _REPORT_BYTES // 4 - 1
        self._blank["sdes"] = np.void(description[:4])
        self._blank["name"] = np.void(description[8:])

    def build(self, **columns: NDArray[Any] | int) -> list[bytes]:
        """A packet for each entry of the columns `ssrc`, `ntp`, `timestamp`, `packets`, `bytes` (of `SenderInfo`) and
        `of`, `fraction_lost`, `lost`, `highest_seq`, `jitter`, `last_sr`, `delay` (of `ReportBlock`)."""
        packets = np.repeat(self._blank, len(np.atleast_1d(columns["ssrc"])))
        lost = np.clip(columns.pop("lost"), -0x800000, 0x7FFFFF) & 0xFFFFFF
        packets["loss"] = (columns.pop("fraction_lost") << 24) | lost
        packets["source"] = columns["ssrc"]
        for name, column in columns.items():
            packets[name] = column
        size, data = self._dtype.itemsize, packets.tobytes()
        return [data[at : at + size] for at in range(0, len(data), size)]


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
