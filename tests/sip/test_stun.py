"""sip/stun.py: the sample responses of RFC 5769 (without what a keep-alive has no use for), and what is no request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.stun import answer_binding, is_binding_request

TRANSACTION = "b7e7a701bc34d686fa87dfae"
REQUEST = bytes.fromhex(f"00010000 2112a442 {TRANSACTION}")


@pytest.mark.parametrize(
    ("host", "attribute"),
    [
        ("192.0.2.1", "00200008 0001a147 e112a643"),
        ("2001:db8:1234:5678:11:2233:4455:6677", "00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9"),
    ],
    ids=["RFC 5769 §2.2", "RFC 5769 §2.3"],
)
def test_answers(host: str, attribute: str) -> None:
    body = bytes.fromhex(attribute)
    expected = bytes.fromhex(f"0101{len(body):04x} 2112a442 {TRANSACTION}") + body
    assert answer_binding(REQUEST, host, 32853) == expected


@pytest.mark.parametrize(
    ("data", "is_request"),
    [
        (REQUEST, True),
        (bytes.fromhex(f"00010008 2112a442 {TRANSACTION} 80220004 74657374"), True),
        (REQUEST[:-1], False),
        (REQUEST + b"\0", False),
        (bytes.fromhex(f"01010000 2112a442 {TRANSACTION}"), False),
        (bytes.fromhex(f"00010000 2112a443 {TRANSACTION}"), False),
        (bytes.fromhex(f"00030000 2112a442 {TRANSACTION}"), False),
        (b"OPTIONS sip:a@b SIP/2.0\r\n", False),
    ],
    ids=["bare", "with attribute", "short", "long", "a response", "cookie", "allocate", "SIP"],
)
def test_what_is_a_request(data: bytes, is_request: bool) -> None:
    assert is_binding_request(data) == is_request


@given(st.binary(max_size=64))
def test_any_bytes(data: bytes) -> None:
    if is_binding_request(data):
        assert len(answer_binding(data, "10.0.0.1", 5060)) == 32
