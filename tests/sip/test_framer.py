"""`sip.framer`: messages out of a stream, however it is cut (RFC 3261 §18.3, RFC 5626 §4.4.1), within limits.

Not covered: sockets, deadlines and what happens to the connection (test_stream.py of sip/net).
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip import limits
from sip.errors import SipParseError
from sip.framer import StreamFramer
from sip.parser import parse_message
from tests.vectors import captured, captured_names

MESSAGES = [captured(name) for name in captured_names()]
FOLDED = b"OPTIONS sip:a SIP/2.0\r\nl :\r\n  2 \r\nX: Content-Length: 7\r\n\r\nhi"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*MESSAGES, FOLDED]), min_size=1, max_size=4), st.lists(st.integers(1, 400), min_size=1)
)
def test_any_cut_gives_the_same_messages(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"\r\n\r\n".join(messages)
    framer = StreamFramer()
    found: list[bytes] = []
    at = i = 0
    while at < len(stream):
        n = cuts[i % len(cuts)]
        found += framer.feed(stream[at : at + n])
        at, i = at + n, i + 1
    assert found == messages
    assert framer.pongs == len(messages) - 1
    assert not framer.is_partial


def test_byte_by_byte() -> None:
    framer = StreamFramer()
    found = [message for octet in FOLDED for message in framer.feed(bytes([octet]))]
    assert found == [FOLDED]


def test_framed_messages_parse() -> None:
    framer = StreamFramer()
    assert [parse_message(data).method for data in framer.feed(b"".join(MESSAGES))] == ["INVITE"] * len(MESSAGES)


def test_keep_alive() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\r\n\r\n") == []
    assert framer.pongs == 1
    framer.pongs = 0
    assert framer.feed(b"\r\n") == []
    assert framer.pongs == 0
    assert not framer.is_partial
    assert framer.feed(FOLDED[:10]) == []
    assert framer.is_partial
    assert framer.feed(FOLDED[10:] + b"\r") == [FOLDED]
    assert not framer.is_partial


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n", 400),
        (b"OPTIONS sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n", 400),
        (b"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", 400),
        (b"OPTIONS sip:a SIP/2.0\r\nContent-Length:\r\n\r\n", 400),
        (b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\nl: 5\r\n\r\n", 400),
        (b"OPTIONS sip:a SIP/2.0\r\nl: " + b"9" * 30 + b"\r\n\r\n", 400),
        (b"OPTIONS sip:a SIP/2.0\r\nl: %d\r\n\r\n" % (limits.MAX_BODY_BYTES + 1), 513),
        (b"x" * (limits.MAX_HEADER_BYTES + 4), 513),
        (b"\r\n\nOPTIONS", 400),
        (b"\nOPTIONS", 400),
    ],
    ids=["no-length", "word", "negative", "empty", "two", "digits", "body", "headers", "bare-lf", "lf"],
)
def test_lost_boundary(data: bytes, status: int) -> None:
    with pytest.raises(SipParseError) as caught:
        StreamFramer().feed(data)
    assert caught.value.status == status


def test_a_flood_of_pings_is_only_counted() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\r\n" * 100_001) == []
    assert framer.pongs == 50_000
    assert framer.feed(FOLDED) == [FOLDED]
    assert framer.pongs == 50_000


def test_nothing_is_held_beyond_the_limit() -> None:
    framer = StreamFramer()
    with pytest.raises(SipParseError):
        for _ in range(limits.MAX_STREAM_BUFFER_BYTES // 1000 + 2):
            framer.feed(b"x" * 1000)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"\r\n", b"\r", b"\n", b"l: 3", b"A: b", b"\r\n\r\n", b"abc", b" ", b"\x00"]), max_size=30
    )
)
def test_only_sip_parse_error(pieces: list[bytes]) -> None:
    framer = StreamFramer()
    try:
        for piece in pieces:
            framer.feed(piece)
    except SipParseError as error:
        assert error.request_head is None


def test_messages_before_a_lost_boundary_are_not_lost() -> None:
    good = b"OPTIONS sip:a@b SIP/2.0\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    framer = StreamFramer()
    assert framer.feed(good + good + b"x y z\r\n\r\n") == [good, good]
    with pytest.raises(SipParseError):
        framer.feed(b"")
