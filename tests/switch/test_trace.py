"""Covers: what `ringback trace` shows: secrets taken out and nothing else, the ladder, captures that tshark reads.

Which messages a trace chooses is in tests/scenarios/test_trace.py.
"""

import shutil
import struct
import subprocess
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.commands_trace import TraceMessage
from switch import pcap
from switch.trace_ladder import Ladder, full_text, summary
from switch.trace_mask import mask_secrets

AUTH = (
    b'INVITE sip:1002@x SIP/2.0\r\nAuthorization: Digest username="1001", realm="ringback", nonce="n0nce",'
    b'\r\n uri="sip:1002@x", response="0123456789abcdef", cnonce="c0ffee", nc=00000001, qop=auth\r\n\r\n'
)


def sip(head: bytes, body: bytes) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    ("data", "gone", "kept"),
    [
        (AUTH, [b"0123456789abcdef", b"c0ffee"], [b'username="1001"', b"n0nce", b'uri="sip:1002@x"']),
        (AUTH.replace(b"Authorization", b"proxy-authorization"), [b"0123456789abcdef"], [b"n0nce"]),
        (b"BYE sip:x SIP/2.0\r\nAuthorization: Basic c2VjcmV0\r\n\r\n", [b"c2VjcmV0"], [b"Basic "]),
        (b'SIP/2.0 200 OK\r\nAuthentication-Info: rspauth="feed", qop=auth\r\n\r\n', [b"feed"], [b"qop=auth"]),
        (
            b'SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="r", nonce="n0nce"\r\n\r\n',
            [],
            [b'nonce="n0nce"'],
        ),
        (
            sip(
                b"INVITE sip:x SIP/2.0\r\n",
                b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgK|2^20|1:4\r\na=ice-pwd:abcdef\r\n",
            ),
            [b"WVNfX19zZW1jdGwgK", b"abcdef"],
            [b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:", b"|2^20|1:4"],
        ),
        (
            sip(b"INFO sip:x SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n", b"Signal=5\r\nDuration=160\r\n"),
            [b"Signal=5"],
            [b"Duration=160"],
        ),
        (sip(b"INFO sip:x SIP/2.0\r\nContent-Type: application/dtmf\r\n", b"7"), [b"\r\n\r\n7"], [b"\r\n\r\n*"]),
    ],
    ids=["digest", "proxy", "basic", "authentication-info", "challenge", "sdes and ice", "dtmf-relay", "dtmf"],
)
def test_secrets_are_masked_in_place_and_nothing_else_is(data, gone, kept):
    masked = mask_secrets(data)
    assert len(masked) == len(data), "Content-Length would lie"
    for secret in gone:
        assert secret not in masked
    for text in kept:
        assert text in masked


@given(st.binary(max_size=600))
def test_any_bytes_can_be_masked_and_shown(data):
    assert len(mask_secrets(data)) == len(data)
    message = seen(data, is_sent=False)
    assert full_text(message).isprintable() or "\n" in full_text(message)
    assert all(line.isprintable() for line in Ladder().add(message))


def seen(data: bytes, *, is_sent: bool, remote: str = "10.0.0.11:5060", at: float = 1_700_000_000.25) -> TraceMessage:
    return TraceMessage(
        at_utc=at, is_sent=is_sent, transport="udp", local="10.0.0.1:5060", remote=remote, call_id="c", data=data
    )


def test_the_ladder_has_callers_left_of_the_switch_and_callees_right():
    ladder = Ladder(timezone=UTC)
    invite = b"INVITE sip:1002@x SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\nv=0"
    ok = b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n"
    _, heads, first = ladder.add(seen(invite, is_sent=False))
    assert heads.split() == ["10.0.0.11:5060", "ringback"]
    assert first.startswith("22:13:20.250 ")
    assert " INVITE 1002 SDP " in first
    assert first.index("►") > first.index("INVITE")
    _, heads, second = ladder.add(seen(invite, is_sent=True, remote="10.0.0.12:5060"))
    assert heads.split() == ["10.0.0.11:5060", "ringback", "10.0.0.12:5060"]
    assert "►" in second
    assert second.index("INVITE") > first.index("INVITE")
    (third,) = ladder.add(seen(ok, is_sent=False, remote="10.0.0.12:5060"))
    assert "◄" in third
    assert " 200 OK (INVITE) " in third
    (fourth,) = ladder.add(seen(ok, is_sent=True))
    assert fourth.index("◄") < third.index("◄")
    # Every column's line stands where its head is.
    assert {line.index("│") for line in (first, second, third, fourth)} == {first.index("│")}


def test_a_peer_cannot_steer_the_terminal():
    assert "\x1b" not in summary(b"INVITE sip:\x1b[2J@x SIP/2.0\r\n\r\n")
    assert "\x1b" not in full_text(seen(b"MESSAGE sip:a@x SIP/2.0\r\n\r\n\x1b]0;x\x07", is_sent=False))
    assert summary(b"\x00\x01") == "?"


PAIRS = [
    (("10.0.0.11", 5060), ("10.0.0.1", 5060)),
    (("2001:db8::1", 5060), ("2001:db8::2", 5070)),
    (("192.0.2.1", 5060), ("2001:db8::2", 5060)),
    (("10.0.0.11", 5060), ("pbx.example.com", 5060)),
]


@pytest.mark.parametrize("pair", PAIRS, ids=["ipv4", "ipv6", "mixed", "name"])
def test_checksums_of_captured_packets_are_right(pair):
    record = pcap.packet(1.5, *pair, b"OPTIONS sip:x SIP/2.0\r\n\r\n")
    seconds, micros, kept, length = struct.unpack("<IIII", record[:16])
    data = record[16:]
    assert (seconds, micros, kept, length) == (1, 500_000, len(data), len(data))
    if data[0] >> 4 == 4:
        assert pcap._checksum(data[:20]) == 0
        addresses, datagram = data[12:20], data[20:]
        pseudo = addresses + struct.pack(">HH", 17, len(datagram))
    else:
        addresses, datagram = data[8:40], data[40:]
        pseudo = addresses + struct.pack(">II", len(datagram), 17)
    assert pcap._checksum(pseudo + datagram) == 0
    assert struct.unpack(">HH", datagram[:4]) == (pair[0][1], pair[1][1])


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_the_capture_as_sip(tmp_path):
    path = tmp_path / "a.pcap"
    message = (
        b"OPTIONS sip:x@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.11;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
        b"To: <sip:x@y>\r\nCall-ID: one@x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    path.write_bytes(pcap.file_header() + b"".join(pcap.packet(1.0, *pair, message) for pair in PAIRS))
    fields = ["-T", "fields", "-e", "sip.Method", "-e", "sip.Call-ID", "-e", "udp.srcport"]
    shown = subprocess.run(
        ["tshark", "-r", str(path), "-o", "udp.check_checksum:TRUE", *fields],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert shown.stdout.splitlines() == ["OPTIONS\tone@x\t5060"] * len(PAIRS)
