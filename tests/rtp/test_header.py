"""RTP headers with every option, brought to the plain form; what is no RTP."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.header import MAX_PACKET, header_view, rows_at, strip_options

FIXED = bytes.fromhex("80001234 00000abc deadbeef")
BODY = b"audio" * 4


def packet(flags, *, options=b"", tail=b"", body=BODY):
    return bytes((flags,)) + FIXED[1:] + options + body + tail


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (packet(0x80), BODY),
        (packet(0x80, body=b""), b""),
        (packet(0x82, options=b"12345678"), BODY),
        (packet(0x90, options=b"\xbe\xde\0\1abcd"), BODY),
        (packet(0x90, options=b"\xbe\xde\0\0"), BODY),
        (packet(0xA0, tail=b"\0\0\0\4"), BODY),
        (packet(0xB1, options=b"csrc" + b"\0\0\0\1ext!", tail=b"\1"), BODY),
        (packet(0xA0, tail=b"\0\x16"), b""),
    ],
    ids=["plain", "no payload", "csrc", "extension", "empty extension", "padding", "all", "only padding"],
)
def test_options_are_stripped(data, body):
    buffer = bytearray(data + bytes(50))
    length = strip_options(memoryview(buffer), len(data))
    assert bytes(buffer[:length]) == FIXED + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FIXED[:11],
        packet(0x00),
        packet(0x40),
        packet(0xC0),
        packet(0x8F, body=b"short"),
        packet(0x90, body=b"\0\0"),
        packet(0x90, options=b"\0\0\xff\xff"),
        packet(0xA0, tail=b"\0"),
        packet(0xA0, tail=b"\xff"),
        bytes((0x80, 200)) + FIXED[2:] + BODY,
        bytes((0x81, 201)) + FIXED[2:] + BODY,
    ],
    ids=["empty", "short", "v0", "v1", "v3", "csrc", "ext-cut", "ext-long", "padding-0", "padding-long", "sr", "rr"],
)
def test_no_rtp(data):
    assert strip_options(memoryview(bytearray(data + bytes(20))), len(data)) == 0


@given(st.binary(max_size=MAX_PACKET - 1))
def test_any_bytes(data):
    buffer = bytearray(data + bytes(8))
    length = strip_options(memoryview(buffer), len(data))
    assert 0 <= length <= len(data)
    assert length == 0 or (length >= 12 and buffer[0] == 0x80)


def test_view_reads_and_writes_the_arena():
    arena = np.zeros((3, 40), np.uint8)
    arena[1, :12] = np.frombuffer(FIXED, np.uint8)
    view = header_view(arena)
    assert (view["seq"][1], view["ts"][1], view["ssrc"][1]) == (0x1234, 0xABC, 0xDEADBEEF)
    view["seq"][np.array([2])] = np.array([0x0102], np.uint16)
    assert arena[2, 2:4].tolist() == [1, 2]


@given(st.sets(st.integers(0, 30), min_size=1))
def test_rows_by_slice_or_by_number_are_the_same(chosen):
    rows = np.array(sorted(chosen), np.int64)
    assert np.arange(31)[rows_at(rows)].tolist() == rows.tolist()
    assert isinstance(rows_at(np.arange(5)), slice)
