"""sip/clip.py: an answer to a stranger is never longer than the question, and stays an answer that can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.clip import clip
from sip.flow import Flow
from sip.message import Response
from sip.parser import parse_message

CHALLENGES = "".join(
    f'WWW-Authenticate: Digest realm="ringback", nonce="{"n" * 32}", algorithm={name}, qop="auth"\r\n'
    for name in ("SHA-256", "MD5")
)
ANSWER = (
    "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK1;rport=5060;received=10.0.0.9\r\n"
    'From: "a" <sip:100@10.0.0.1>;tag=1\r\nTo: <sip:100@10.0.0.1>;tag=2\r\nCall-ID: abc@10.0.0.9\r\n'
    "CSeq: 1 REGISTER\r\n"
    f"{CHALLENGES}Server: Ringback\r\nAllow: INVITE, ACK, BYE\r\nContent-Length: 0\r\n\r\n"
).encode()


def read(data: bytes) -> Response:
    message = parse_message(data, Flow("udp", "10.0.0.1", 5060))
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize(
    ("limit", "n_challenges", "has_server"),
    [(len(ANSWER), 2, True), (len(ANSWER) - 1, 2, False), (len(ANSWER) - 60, 2, False), (len(ANSWER) - 90, 1, False)],
)
def test_the_least_useful_goes_first(limit, n_challenges, has_server):
    clipped = clip(ANSWER, limit)
    assert clipped is not None and len(clipped) <= limit
    response = read(clipped)
    assert (response.status, response.cseq, response.call_id) == (401, 1, "abc@10.0.0.9")
    challenges = response.all("WWW-Authenticate")
    assert len(challenges) == n_challenges and ("Server" in response.headers) is has_server
    assert "SHA-256" in challenges[0] if n_challenges == 2 else "algorithm" not in challenges[0]


def test_what_cannot_be_that_short_is_not_sent():
    assert clip(ANSWER, 200) is None
    assert clip(ANSWER[:-2] + b"\r\nbody", 300) is None


@given(st.integers(0, 2 * len(ANSWER)))
def test_never_longer_and_always_readable(limit):
    clipped = clip(ANSWER, limit)
    if clipped is not None:
        assert len(clipped) <= limit or (clipped == ANSWER and limit >= len(ANSWER))
        assert read(clipped).status == 401
