"""RTP headers (RFC 3550 §5.1) as one numpy record array over an arena of packets. Pure.

An arena is `uint8[rows, stride]`, one packet a row. After `strip_options` every packet has the plain 12-byte header,
so the rest of the media plane never looks at CSRC lists, header extensions and padding again.
"""

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 12
MAX_PACKET = 768
"""Longest datagram taken as RTP: 94 ms of G.711. A longer one is rejected."""

HEADER = np.dtype([("flags", "u1"), ("marker_type", "u1"), ("seq", ">u2"), ("ts", ">u4"), ("ssrc", ">u4")])
PLAIN = 0x80
"""First byte of a header with version 2 and no options."""

Headers = NDArray[np.void]


def header_view(arena: NDArray[np.uint8]) -> Headers:
    """The headers of all rows of `arena` as a record array sharing its memory."""
    return np.ndarray((arena.shape[0],), HEADER, arena.data, strides=(arena.strides[0],))


def rows_at(rows: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """An index for `rows`, one or more and rising: a slice, which is much cheaper, where they are the first ones."""
    return slice(len(rows)) if rows[-1] == len(rows) - 1 else rows


def strip_options(packet: "memoryview[int]", length: int) -> int:
    """Removes CSRC list, header extension and padding in place; the new length, 0 when the packet is no RTP.

    RTCP multiplexed onto the RTP port (RFC 5761 §4: types 192 to 223) counts as no RTP.
    """
    if length < HEADER_BYTES or packet[0] >> 6 != 2 or 192 <= packet[1] <= 223:
        return 0
    start = HEADER_BYTES + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        if start + 4 > length:
            return 0
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    end = length
    if packet[0] & 0x20:
        padding = packet[length - 1]
        if not padding:
            return 0
        end -= padding
    if start > end:
        return 0
    packet[HEADER_BYTES : HEADER_BYTES + end - start] = bytes(packet[start:end])
    packet[0] = PLAIN
    return HEADER_BYTES + end - start
