"""SRTP and SRTCP: the vectors of RFC 3711 B.2 and B.3 and of RFC 6188 §7, libsrtp as the other side, tampering, replay,
roll-over with loss, streams that change, keys that change, one packet and batches alike.

Not here: that nothing is learned from what fails (tests/media/test_srtp_legs.py), and SDES (tests/sip/test_sdes.py).
"""

import struct

import numpy as np
import pylibsrtp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtp.srtp import MAX_TRAILER, SrtpTable
from rtp.srtp_keys import SUITES, LegKeys, derive

STRIDE = 256
SUITE = "AES_CM_128_HMAC_SHA1_80"
PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


def master(suite: str, first: int) -> bytes:
    return bytes((first + i) & 0xFF for i in range(SUITES[suite].key_bytes + 14))


def pair(n: int = 1, suite: str = SUITE) -> tuple[SrtpTable, SrtpTable]:
    """Two ends of `n` legs."""
    ours, theirs = SrtpTable(n), SrtpTable(n)
    for row in range(n):
        ours.set_keys(row, LegKeys(suite, master(suite, row), master(suite, 100 + row)))
        theirs.set_keys(row, LegKeys(suite, master(suite, 100 + row), master(suite, row)))
    return ours, theirs


def rtp(
    seq: int, payload: bytes = b"speech and more", ssrc: int = 0xCAFE, first: int = 0x80, rest: bytes = b""
) -> bytes:
    return struct.pack(">BBHII", first, 0, seq & 0xFFFF, 160 * seq & 0xFFFFFFFF, ssrc) + rest + payload


def open_one(table: SrtpTable, packet: bytes, leg: int = 0) -> bytes:
    room = bytearray(packet) + bytearray(8)
    return bytes(room[: table.unprotect_one(memoryview(room), leg, len(packet))])


def libsrtp(suite: str, first: int, direction: int) -> pylibsrtp.Session:
    return pylibsrtp.Session(pylibsrtp.Policy(master(suite, first), direction, srtp_profile=PROFILES[suite]))


class Arena:
    """Packets of a batch."""

    def __init__(self, packets: list[bytes]) -> None:
        self.array = np.zeros((len(packets), STRIDE), np.uint8)
        memory = self.array.reshape(-1).data
        self.views = [memory[i * STRIDE : (i + 1) * STRIDE] for i in range(len(packets))]
        for view, packet in zip(self.views, packets, strict=True):
            view[: len(packet)] = packet
        self.rows = np.arange(len(packets))
        self.lengths = np.array([len(packet) for packet in packets])

    def protect(self, table: SrtpTable, legs: list[int]) -> list[bytes]:
        return self._cut(table.protect(self.array, self.views, self.rows, np.array(legs), self.lengths))

    def unprotect(self, table: SrtpTable, legs: list[int]) -> list[bytes]:
        return self._cut(table.unprotect(self.array, self.views, self.rows, np.array(legs), self.lengths))

    def _cut(self, lengths: np.ndarray) -> list[bytes]:
        return [bytes(view[:length]) for view, length in zip(self.views, lengths.tolist(), strict=True)]


# -- vectors ----------------------------------------------------------------------------------------------------------

SALT = bytes.fromhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD")


@pytest.mark.parametrize(
    ("key", "keystream"),
    [
        pytest.param(
            "2B7E151628AED2A6ABF7158809CF4F3C",
            "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0",
            id="RFC 3711 B.2",
        ),
        pytest.param(
            "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
            "92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac63c4868b7096d88421b563b8c94c9a31",
            id="RFC 6188 7.1",
        ),
    ],
)
def test_keystream_of_index_and_ssrc_0(key: str, keystream: str) -> None:
    assert derive(bytes.fromhex(key), SALT, 0, 48) == bytes.fromhex(keystream)


@pytest.mark.parametrize(
    ("key", "salt", "session"),
    [
        pytest.param(
            "E1F97A0D3E018BE0D64FA32C06DE4139",
            "0EC675AD498AFEEBB6960B3AABE6",
            (
                "C61E7A93744F39EE10734AFE3FF7A087",
                "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4",
                "30CBBC08863D8C85D49DB34A9AE1",
            ),
            id="RFC 3711 B.3",
        ),
        pytest.param(
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
            "3b04803de51ee7c96423ab5b78d2",
            (
                "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
                "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
                "fa31791685ca444a9e07c6c64e93",
            ),
            id="RFC 6188 7.2",
        ),
    ],
)
def test_session_keys(key: str, salt: str, session: tuple[str, str, str]) -> None:
    for label, expected in enumerate(session):
        size = len(expected) // 2
        assert derive(bytes.fromhex(key), bytes.fromhex(salt), label, size) == bytes.fromhex(expected)


# -- with libsrtp as the peer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", PROFILES)
def test_libsrtp_understands_us_and_we_it(suite: str) -> None:
    ours, _ = pair(12, suite)
    inbound, outbound = pylibsrtp.Policy.SSRC_ANY_INBOUND, pylibsrtp.Policy.SSRC_ANY_OUTBOUND
    receivers = [libsrtp(suite, row, inbound) for row in range(12)]
    senders = [libsrtp(suite, 100 + row, outbound) for row in range(12)]
    for seq in (65533, 65534, 65535, 0, 1):  # from the second on the batch way, over a wrap
        plain = [rtp(seq, bytes([row]) * (20 + 7 * row), ssrc=row + 1) for row in range(12)]
        sealed = Arena(plain).protect(ours, list(range(12)))
        assert [receiver.unprotect(packet) for receiver, packet in zip(receivers, sealed, strict=True)] == plain
        theirs = [sender.protect(packet) for sender, packet in zip(senders, plain, strict=True)]
        assert Arena(theirs).unprotect(ours, list(range(12))) == plain
    assert ours.roll_over(3) == (1, 1)


@pytest.mark.parametrize("suite", PROFILES)
def test_reports_with_libsrtp(suite: str) -> None:
    ours, _ = pair(1, suite)
    report = struct.pack(">BBHI", 0x80, 201, 1, 0xCAFE) + struct.pack(">BBHI", 0x81, 203, 1, 0xCAFE)
    receiver = libsrtp(suite, 0, pylibsrtp.Policy.SSRC_ANY_INBOUND)
    assert [receiver.unprotect_rtcp(ours.protect_rtcp(0, report)) for _ in range(3)] == [report] * 3
    sealed = libsrtp(suite, 100, pylibsrtp.Policy.SSRC_ANY_OUTBOUND).protect_rtcp(report)
    forged = sealed[:10] + bytes([sealed[10] ^ 1]) + sealed[11:]
    assert ours.unprotect_rtcp(0, forged) is None
    assert ours.unprotect_rtcp(0, sealed) == report
    assert ours.unprotect_rtcp(0, sealed) is None, "replayed"
    assert ours.unprotect_rtcp(0, sealed[:15]) is None, "cut"


def test_header_options_stay_in_the_clear_as_libsrtp_has_them() -> None:
    ours, _ = pair()
    options = struct.pack(">I", 77) + struct.pack(">HHI", 0xBEDE, 1, 0x10203040)
    plain = rtp(9, b"payload" * 9, first=0x91, rest=options)
    sealed = libsrtp(SUITE, 100, pylibsrtp.Policy.SSRC_ANY_OUTBOUND).protect(plain)
    assert sealed[:24] == plain[:24]
    assert open_one(ours, sealed) == plain


# -- what must fail ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("n", [1, 16])
def test_every_suite_there_and_back_and_nothing_tampered(suite: str, n: int) -> None:
    ours, theirs = pair(n, suite)
    legs = list(range(n))
    for seq in range(100, 104):
        plain = [rtp(seq, bytes([seq]) * 160, ssrc=row) for row in legs]
        sealed = Arena(plain).protect(ours, legs)
        assert all(160 * seq.to_bytes(1, "big") not in packet for packet in sealed)
        for place in (0, 1, 3, 7, 11, 12, 100, len(sealed[0]) - 1):
            forged = [packet[:place] + bytes([packet[place] ^ 0x20]) + packet[place + 1 :] for packet in sealed]
            assert Arena(forged).unprotect(theirs, legs) == [b""] * n, f"octet {place}"
        assert Arena([packet[:-1] for packet in sealed]).unprotect(theirs, legs) == [b""] * n
        assert Arena(sealed).unprotect(theirs, legs) == plain
        assert Arena(sealed).unprotect(theirs, legs) == [b""] * n, "replayed"
    assert theirs.replays[0] == 4


def test_another_legs_key_opens_nothing() -> None:
    ours, theirs = pair(2)
    assert open_one(theirs, ours.seal(0, rtp(1)), leg=1) == b""
    assert theirs.auth_failures.tolist() == [0, 1]


@pytest.mark.parametrize(
    "packet", [b"", b"\x80", bytes(12), b"\x80" + bytes(11), b"\x8f" + bytes(30), b"\x90" + bytes(22)]
)
def test_what_is_cut_or_no_rtp_is_dropped(packet: bytes) -> None:
    _, theirs = pair()
    assert open_one(theirs, packet) == b""
    assert Arena([packet]).unprotect(theirs, [0]) == [b""]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=80), min_size=8, max_size=12), st.booleans())
def test_junk_never_passes_and_never_raises(junk: list[bytes], has_stream: bool) -> None:
    ours, theirs = pair(len(junk))
    legs = list(range(len(junk)))
    if has_stream:
        Arena([ours.seal(row, rtp(5)) for row in legs]).unprotect(theirs, legs)
    assert Arena(junk).unprotect(theirs, legs) == [b""] * len(junk)
    sealed = [ours.seal(row, rtp(6)) for row in legs]
    assert Arena(sealed).unprotect(theirs, legs) == [rtp(6)] * len(legs), "junk has moved nothing"


def test_a_sequence_number_is_never_sent_twice() -> None:
    ours, _ = pair(10)
    legs = list(range(10))
    for first in (rtp(5), rtp(6), rtp(8)):
        assert all(Arena([first] * 10).protect(ours, legs))
    assert Arena([rtp(6, b"something else")] * 10).protect(ours, legs) == [b""] * 10
    assert ours.seal(0, rtp(8, b"something else")) == b""
    assert all(Arena([rtp(7)] * 10).protect(ours, legs)), "a late one goes out"


def test_without_room_for_the_tag_nothing_is_sent() -> None:
    ours, _ = pair()
    fits = rtp(1, bytes(STRIDE - 12 - MAX_TRAILER))
    assert Arena([fits + b"x"]).protect(ours, [0]) == [b""]
    assert len(Arena([fits]).protect(ours, [0])[0]) == STRIDE


# -- order, loss, wraps -----------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_any_order_and_loss_over_a_wrap(data: st.DataObject) -> None:
    """Whatever arrives within the window is taken once; what was taken is never taken again."""
    ours, _ = pair()
    theirs = SrtpTable(9)
    for row in range(9):
        theirs.set_keys(row, LegKeys(SUITE, master(SUITE, 100), master(SUITE, 0)))
    start = data.draw(st.integers(65450, 65535))
    sent = [rtp(start + i, b"%d" % i) for i in range(150)]
    sealed = [ours.seal(0, packet) for packet in sent]
    place = highest = 0
    taken = {0}
    assert Arena([sealed[0]] * 9).unprotect(theirs, list(range(9))) == [sent[0]] * 9
    while place < 149:
        place = min(149, place + data.draw(st.integers(1, 20)))
        at = max(0, place - data.draw(st.integers(0, 80)))
        expected = at not in taken and at > highest - 64
        result = Arena([sealed[at]] * 9).unprotect(theirs, list(range(9)))
        assert result == [sent[at] if expected else b""] * 9
        if expected:
            taken.add(at)
            highest = max(highest, at)


def test_roll_over_with_the_wrap_itself_lost() -> None:
    ours, theirs = pair()
    for seq in (65500, 65530, 65576, 98000, 130000, 2 * 65536 + 20000, 2 * 65536 + 50000, 3 * 65536 + 5):
        assert open_one(theirs, ours.seal(0, rtp(seq))) == rtp(seq)
    assert theirs.roll_over(0) == (0, 3) and ours.roll_over(0) == (3, 0)


def test_a_packet_from_before_the_wrap_that_comes_late() -> None:
    ours, theirs = pair()
    sealed = {seq: ours.seal(0, rtp(seq)) for seq in range(65530, 65540)}
    for seq in (65530, 65536, 65535, 65537, 65534):
        assert open_one(theirs, sealed[seq]) == rtp(seq)
    assert open_one(theirs, sealed[65535]) == b""


def test_a_leg_may_come_several_times_in_a_batch() -> None:
    ours, theirs = pair(9)
    legs = [0, *range(9), 0, 3, 0]
    seqs = [1] * 13
    seqs[1], seqs[10], seqs[11], seqs[12] = 2, 3, 2, 3
    for before in (-3, -2):
        Arena([ours.seal(row, rtp(before)) for row in range(9)]).unprotect(theirs, list(range(9)))
    plain = [rtp(seq) for seq in seqs]
    sealed = Arena(plain).protect(ours, legs)
    assert sealed[-1] == b"" and all(sealed[:-1])
    assert Arena([*sealed[:-1], sealed[-3]]).unprotect(theirs, legs) == [*plain[:-1], b""]


# -- streams and keys that change -------------------------------------------------------------------------------------


def test_a_new_ssrc_begins_anew_and_the_old_one_cannot_be_replayed() -> None:
    ours, theirs = pair()
    first = [ours.seal(0, rtp(seq, ssrc=1)) for seq in (65535, 65536)]
    second = [ours.seal(0, rtp(seq, ssrc=2)) for seq in (10, 11)]
    for packet in (first[0], second[0], second[1]):
        assert open_one(theirs, packet)
    for packet in (first[0], second[1]):
        assert open_one(theirs, packet) == b""
    assert open_one(theirs, first[1]) == rtp(65536, ssrc=1), "back again, where it was: roll-over 1"


def test_streams_that_ended_are_remembered_in_bounds() -> None:
    ours, theirs = pair()
    sealed = [ours.seal(0, rtp(1, ssrc=ssrc)) for ssrc in range(50)]
    assert all(open_one(theirs, packet) for packet in sealed)
    assert not any(open_one(theirs, packet) for packet in sealed[-9:])


def test_the_same_keys_again_change_nothing_and_a_new_one_only_its_direction() -> None:
    ours, theirs = pair()
    for seq in (65535, 65536):
        open_one(theirs, ours.seal(0, rtp(seq)))
        open_one(ours, theirs.seal(0, rtp(seq)))
    old = theirs.seal(0, rtp(65537))
    keys = LegKeys(SUITE, master(SUITE, 0), master(SUITE, 100))
    ours.set_keys(0, keys)
    assert ours.roll_over(0) == (1, 1)
    ours.set_keys(0, keys._replace(receive=master(SUITE, 50)))
    assert ours.roll_over(0) == (1, 0)
    assert open_one(ours, old) == b"", "the old key is gone"
    theirs.set_keys(0, LegKeys(SUITE, master(SUITE, 50), master(SUITE, 0)))
    assert open_one(ours, theirs.seal(0, rtp(65538))) == rtp(65538)
    assert open_one(theirs, ours.seal(0, rtp(65538))) == rtp(65538)


@pytest.mark.parametrize(
    "keys",
    [
        LegKeys("AEAD_AES_128_GCM", bytes(28), bytes(28)),
        LegKeys(SUITE, bytes(30), bytes(29)),
        LegKeys("AES_256_CM_HMAC_SHA1_80", bytes(30), bytes(30)),
    ],
)
def test_keys_that_do_not_fit(keys: LegKeys) -> None:
    with pytest.raises(ValueError, match=r"suite|octets"):
        SrtpTable(1).set_keys(0, keys)


def test_removed_keys_are_gone() -> None:
    ours, theirs = pair(2)
    packet = ours.seal(0, rtp(1))
    theirs.remove(0)
    assert theirs.has_keys.tolist() == [False, True] and theirs.n_keyed == 1
    theirs.set_keys(0, LegKeys(SUITE, master(SUITE, 100), master(SUITE, 0)))
    assert open_one(theirs, packet) == rtp(1)


def test_keys_are_not_shown() -> None:
    assert "AAAA" not in repr(LegKeys(SUITE, b"A" * 30, b"A" * 30))


@pytest.mark.parametrize(("their_next", "roll_over"), [(70000, 1), (131072 + 3, 1)], ids=["same", "wrapped meanwhile"])
def test_another_worker_goes_on(their_next: int, roll_over: int) -> None:
    ours, theirs = pair()
    for seq in (65535, 65536, 66000):
        open_one(theirs, ours.seal(0, rtp(seq)))
    state = ours.roll_over(0)
    heir, _ = pair()
    heir.set_roll_over(0, state[0], roll_over, 66000 & 0xFFFF)
    assert heir.seal(0, rtp(65999, b"other words")) == b"", "that number was used"
    assert open_one(theirs, heir.seal(0, rtp(66003))) == rtp(66003)
    for seq in (65535, 65536, 131071, 131072, their_next):
        packet = theirs.seal(0, rtp(seq))
    assert open_one(heir, packet) == rtp(their_next)


def test_reports_of_an_heir_use_no_index_twice() -> None:
    ours, theirs = pair()
    report = struct.pack(">BBHI", 0x80, 201, 1, 0xCAFE)
    assert theirs.unprotect_rtcp(0, ours.protect_rtcp(0, report)) == report
    heir = SrtpTable(1)
    heir.set_keys(0, LegKeys(SUITE, master(SUITE, 0), master(SUITE, 100)), rtcp_index=1000)
    assert theirs.unprotect_rtcp(0, heir.protect_rtcp(0, report)) == report
