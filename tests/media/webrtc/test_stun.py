"""STUN: the vectors of RFC 5769, what is refused, that nothing crashes it.

Not here: who gets an answer (test_peers).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.webrtc import stun

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = "b7e7a701bc34d686fa87dfae"
REQUEST = bytes.fromhex(
    f"000100582112a442{TRANSACTION}802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RESPONSE_IPV4 = bytes.fromhex(
    f"0101003c2112a442{TRANSACTION}8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RESPONSE_IPV6 = bytes.fromhex(
    f"010100482112a442{TRANSACTION}8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def test_rfc_5769_request() -> None:
    message = stun.parse_stun(REQUEST)
    assert message is not None
    assert (message.kind, message.transaction.hex()) == (stun.BINDING_REQUEST, TRANSACTION)
    assert message.attributes[stun.USERNAME] == b"evtj:h6vY"
    assert message.local_ufrag == "evtj"
    assert stun.ICE_CONTROLLED in message.attributes
    assert message.unknown() == []
    assert stun.is_authentic(message, REQUEST, PASSWORD)
    assert not stun.is_authentic(message, REQUEST, PASSWORD + b"x")


@pytest.mark.parametrize(
    ("data", "address"),
    [(RESPONSE_IPV4, ("192.0.2.1", 32853)), (RESPONSE_IPV6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853))],
    ids=["ipv4", "ipv6"],
)
def test_rfc_5769_responses(data: bytes, address: tuple[str, int]) -> None:
    message = stun.parse_stun(data)
    assert message is not None and message.kind == stun.BINDING_SUCCESS
    assert stun.is_authentic(message, data, PASSWORD)
    value = message.attributes[stun.XOR_MAPPED_ADDRESS]
    assert stun.unxor_address(value, message.transaction) == address
    assert stun.xor_address(address, message.transaction) == value


def test_our_answer_is_read_as_it_was_meant() -> None:
    request = stun.parse_stun(REQUEST)
    assert request is not None
    for data, kind in (
        (stun.success(request, ("192.0.2.7", 9), PASSWORD), stun.BINDING_SUCCESS),
        (stun.failure(request, 420, "Unknown Attribute", PASSWORD, [0x7777]), stun.BINDING_ERROR),
    ):
        answer = stun.parse_stun(data)
        assert answer is not None and stun.is_authentic(answer, data, PASSWORD)
        assert (answer.kind, answer.transaction) == (kind, request.transaction)
        if kind == stun.BINDING_ERROR:
            assert answer.attributes[stun.ERROR_CODE] == b"\0\0\4\x14Unknown Attribute"
            assert answer.attributes[stun.UNKNOWN_ATTRIBUTES] == b"\x77\x77"
        else:
            mapped = answer.attributes[stun.XOR_MAPPED_ADDRESS]
            assert stun.unxor_address(mapped, answer.transaction) == ("192.0.2.7", 9)


# But the type of FINGERPRINT: made another one, it is an attribute behind the integrity, which does not count.
@pytest.mark.parametrize("at", [at for at in range(len(REQUEST)) if at not in (100, 101)])
def test_a_changed_bit_anywhere_is_noticed(at: int) -> None:
    data = bytearray(REQUEST)
    data[at] ^= 4
    message = stun.parse_stun(bytes(data))
    assert message is None or not stun.is_authentic(message, bytes(data), PASSWORD)


def test_what_stands_behind_the_integrity_does_not_count() -> None:
    """RFC 8489 §14.5: an attacker on the way could have put it there."""
    data = stun.build_stun(stun.BINDING_REQUEST, bytes(12), [(stun.USERNAME, b"a:b")], PASSWORD)[:-8]
    data += bytes.fromhex("00250000")
    data = data[:2] + (len(data) - 20).to_bytes(2, "big") + data[4:]
    message = stun.parse_stun(data)
    assert message is not None and stun.USE_CANDIDATE not in message.attributes


@pytest.mark.parametrize(
    "data",
    [
        b"",
        REQUEST[:19],
        REQUEST[:-1],
        REQUEST + b"\0\0\0\0",
        REQUEST[:4] + b"\0\0\0\0" + REQUEST[8:],
        bytes.fromhex(f"000100082112a442{TRANSACTION}00060009 65766474".replace(" ", "")),
        bytes.fromhex(f"000102002112a442{TRANSACTION}") + bytes.fromhex("00060000") * 128,
    ],
    ids=["empty", "short", "cut", "longer than it says", "no cookie", "attribute too long", "too many attributes"],
)
def test_what_is_malformed_is_none(data: bytes) -> None:
    assert stun.parse_stun(data) is None


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_crash_it(data: bytes, has_head: bool) -> None:
    if has_head:
        data = b"\0\1" + (len(data) & ~3).to_bytes(2, "big") + bytes.fromhex(f"2112a442{TRANSACTION}") + data
        data = data[: 20 + ((len(data) - 20) & ~3)]
    message = stun.parse_stun(data)
    if message is not None:
        assert stun.is_authentic(message, data, PASSWORD) in (True, False)
        assert message.local_ufrag is not None and message.unknown() is not None
