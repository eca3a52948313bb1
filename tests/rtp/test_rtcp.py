"""RTCP compound packets: built, parsed, and anything at all parsed without harm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp import rtcp
from rtp.rtcp import Report, ReportBlock, SenderInfo

u32 = st.integers(0, (1 << 32) - 1)
blocks = st.builds(
    ReportBlock,
    ssrc=u32,
    fraction_lost=st.integers(0, 255),
    lost=st.integers(-(1 << 23), (1 << 23) - 1),
    highest_seq=u32,
    jitter=u32,
    last_sr=u32,
    delay=u32,
)
reports = st.builds(
    Report,
    ssrc=u32,
    sender=st.none() | st.builds(SenderInfo, ntp=st.integers(0, (1 << 64) - 1), timestamp=u32, packets=u32, bytes=u32),
    blocks=st.lists(blocks, max_size=4).map(tuple),
    cname=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    bye=st.lists(u32, max_size=3).map(tuple),
)


@given(reports)
def test_what_is_built_is_parsed(report):
    data = rtcp.build(report)
    assert len(data) % 4 == 0
    assert rtcp.parse(data) == report


@given(
    st.lists(st.tuples(u32, st.builds(SenderInfo, ntp=u32, timestamp=u32, packets=u32, bytes=u32), blocks), min_size=1)
)
def test_many_at_once_are_built_the_same(found):
    of_all = [block for _, _, block in found]
    columns = {
        **{
            name: np.array([getattr(sender, name) for _, sender, _ in found])
            for name in ("timestamp", "packets", "bytes")
        },
        **{name: np.array([getattr(block, name) for block in of_all]) for name in ("fraction_lost", "lost", "jitter")},
        **{name: np.array([getattr(block, name) for block in of_all]) for name in ("highest_seq", "last_sr", "delay")},
    }
    ntp = found[0][1].ntp << 31
    built = rtcp.SenderReports("w0@host").build(
        ssrc=np.array([ssrc for ssrc, _, _ in found]), ntp=ntp, of=np.array([block.ssrc for block in of_all]), **columns
    )
    for packet, (ssrc, sender, block) in zip(built, found, strict=True):
        sender.ntp = ntp
        assert packet == rtcp.build(Report(ssrc, sender, (block,), "w0@host"))


@given(st.binary(max_size=200))
def test_any_bytes(data):
    rtcp.parse(data)


@given(reports, st.data())
def test_damaged_packets(report, data):
    packet = bytearray(rtcp.build(report))
    at = data.draw(st.integers(0, len(packet) - 1))
    packet[at] ^= data.draw(st.integers(1, 255))
    rtcp.parse(bytes(packet[: data.draw(st.integers(0, len(packet)))]))


def test_receiver_report_bytes():
    """Laid beside RFC 3550 §6.4.2 and §6.5."""
    report = Report(0x11223344, None, (ReportBlock(0xAABBCCDD, 64, -1, 0x10002, 8, 3, 4),), "a@b")
    assert rtcp.build(report).hex(" ", 4) == (
        "81c90007 11223344 aabbccdd 40ffffff 00010002 00000008 00000003 00000004 81ca0003 11223344 01036140 62000000"
    )


def test_loss_beyond_24_bits_is_clamped():
    block = ReportBlock(1, 0, 1 << 30, 0, 0, 0, 0)
    parsed = rtcp.parse(rtcp.build(Report(1, None, (block,))))
    assert parsed is not None and parsed.blocks[0].lost == 0x7FFFFF


@pytest.mark.parametrize(
    "data",
    [b"", bytes(8), bytes.fromhex("80ca0001 00000001"), bytes.fromhex("80c90005 00000001"), bytes(2000)],
    ids=["empty", "zeros", "SDES first", "length beyond", "too long"],
)
def test_no_rtcp(data):
    assert rtcp.parse(data) is None


def test_ntp():
    assert rtcp.ntp_time(0.5) == (2_208_988_800 << 32) + (1 << 31)
    assert rtcp.middle(0x1122334455667788) == 0x33445566
