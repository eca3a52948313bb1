"""SRTP of real workers' legs, with libsrtp on the phones' side: relay to and from plain legs bit by bit, mix, digits,
reports, keys that change; nothing is learned, counted or relayed of what is not verified. Both transports. Roll-over
counters and replay windows outlive a worker that is killed.

Not here: the transform itself (tests/rtp/test_srtp.py).
"""

import contextlib
import socket
import struct
import tempfile
from pathlib import Path

import pylibsrtp
import pytest

from model.media import (
    CommandRefused,
    Digit,
    GetStatistics,
    Play,
    ReleaseLeg,
    SendDigits,
    Snapshot,
    SnapshotTaken,
    SrtpKeys,
    Statistics,
)
from tests.media.test_takeover import Succession
from tests.media.worker_process import Phone, Worker, bridge, configure, fields

SUITE = "AES_CM_128_HMAC_SHA1_80"
PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
OURS, THEIRS = bytes(range(30)), bytes(range(100, 130))


class SecurePhone(Phone):
    """Sends SRTP, and understands it. Its payloads go on as a plain phone's do."""

    def __init__(self, *, suite: str = SUITE, ours: bytes = OURS, theirs: bytes = THEIRS, **more: int) -> None:
        super().__init__(**more)
        self.keys = SrtpKeys(suite, ours, theirs)
        self.seq = 60000  # a first packet after a wrap would be another one's
        policy = pylibsrtp.Policy
        self._out = pylibsrtp.Session(policy(theirs, policy.SSRC_ANY_OUTBOUND, srtp_profile=PROFILES[suite]))
        self._in = pylibsrtp.Session(policy(ours, policy.SSRC_ANY_INBOUND, srtp_profile=PROFILES[suite]))

    def packet(self, payload: bytes, *, payload_type: int | None = None, marker: bool = False) -> bytes:
        return self._out.protect(super().packet(payload, payload_type=payload_type, marker=marker))

    def plain(self) -> list[bytes]:
        """What came, decrypted; pylibsrtp.Error when it was not meant for us."""
        return [self._in.unprotect(packet) for packet in self.drain()]

    def report(self, data: bytes) -> bytes:
        return self._out.protect_rtcp(data)


@pytest.fixture(params=["own", "shared"])
def worker(request):
    with contextlib.ExitStack() as stack:
        extra = ("--shared-ports", "1") if request.param == "shared" else ()
        made = stack.enter_context(Worker(4, *extra))
        if extra:
            made.ports = [made.switch.hello.shared_ports[0]] * 4
        yield made


@pytest.fixture
def succession():
    with tempfile.TemporaryDirectory() as folder:
        one = Succession(Path(folder))
        try:
            yield one
        finally:
            one.close()


def settle(worker):
    """Everything sent before has been done; the figures of all legs."""
    worker.switch.send(GetStatistics(session="s1"))
    return worker.switch.wait(Statistics).legs


@pytest.mark.parametrize("suite", PROFILES)
def test_relay_between_srtp_and_rtp_is_bit_exact(worker, suite):
    a, b = SecurePhone(suite=suite, ssrc=1), Phone(ssrc=2)
    worker.switch.send(configure(worker, a, "a", 0, srtp=a.keys), configure(worker, b, "b", 1), bridge(("a", "b")))
    settle(worker)
    payloads = [bytes([i]) * (160 - i) for i in range(40)]
    for payload in payloads:
        a.send(payload)
        b.send(payload)
    assert [fields(packet)[4] for packet in b.wait_for(40)] == payloads
    a.wait_for(40)
    assert not any(payload in packet for packet, payload in zip(a.received, payloads[:30], strict=False))
    got = [fields(packet) for packet in a.plain()]
    assert [each[4] for each in got] == payloads
    assert [(each[1] - got[0][1]) & 0xFFFF for each in got] == list(range(40))
    assert settle(worker)["a"].packets_rejected == 0


def test_two_legs_with_keys_of_their_own(worker):
    a = SecurePhone(ssrc=1)
    b = SecurePhone(ssrc=2, suite="AES_CM_128_HMAC_SHA1_32", ours=THEIRS, theirs=OURS)
    worker.switch.send(
        configure(worker, a, "a", 0, srtp=a.keys), configure(worker, b, "b", 1, srtp=b.keys), bridge(("a", "b"))
    )
    settle(worker)
    for i in range(20):
        a.send(bytes([i]) * 160)
        b.send(bytes([100 + i]) * 160)
    a.wait_for(20)
    b.wait_for(20)
    assert [fields(packet)[4][0] for packet in b.plain()] == list(range(20))
    assert [fields(packet)[4][0] for packet in a.plain()] == list(range(100, 120))


def test_what_is_not_verified_leaves_no_trace(worker):
    """Plain packets, forged ones, replayed ones, from the peer's address and from another of its host."""
    a, b = SecurePhone(ssrc=1), Phone(ssrc=2)
    worker.switch.send(
        configure(worker, a, "a", 0, srtp=a.keys, learn_from=a.host), configure(worker, b, "b", 1), bridge(("a", "b"))
    )
    settle(worker)
    genuine = [a.send(bytes([i]) * 160) for i in range(10)]
    b.wait_for(10)
    stranger = Phone(ssrc=1)
    stranger.target = a.target
    plain = Phone(ssrc=1)
    for sender in (a.socket, stranger.socket):
        for packet in genuine:
            sender.sendto(packet, a.target)
            sender.sendto(packet[:60] + bytes([packet[60] ^ 1]) + packet[61:], a.target)
        for i in range(10):
            plain.seq = (60010 + i) & 0xFFFF
            sender.sendto(plain.packet(b"\x99" * 160), a.target)
    figures = settle(worker)
    a.send(b"\x77" * 160)
    assert [fields(packet)[4] for packet in b.wait_for(11)] == [bytes([i]) * 160 for i in range(10)] + [b"\x77" * 160]
    assert b.collect() == b.received
    assert (figures["a"].packets_received, figures["a"].packets_duplicate) == (10, 0)
    assert figures["a"].packets_rejected > 0
    b.send(b"\x66" * 160)
    assert [fields(packet)[4] for packet in a.wait_for(1)] != [], "and it is the peer who is still sent to"
    assert stranger.collect() == []


def test_an_address_is_learned_from_verified_packets_alone(worker):
    """The SDP is wrong, as behind a NAT: forged packets come first, from the address that may be learned from."""
    a, b = SecurePhone(ssrc=1), Phone(ssrc=2)
    forger = Phone(ssrc=1)
    settings = configure(worker, a, "a", 0, srtp=a.keys, learn_from=a.host, remote_host="127.0.0.9", remote_port=9)
    worker.switch.send(settings, configure(worker, b, "b", 1), bridge(("a", "b")))
    settle(worker)
    b.send(b"\x55" * 160)  # on a shared port only one leg may be waiting to be heard
    while not settle(worker)["b"].packets_received:
        pass
    forger.target = a.target
    for _ in range(20):
        forger.send(b"\x99" * 160)
    assert settle(worker)["a"].packets_received == 0
    for i in range(5):
        a.send(bytes([i]) * 160)
    assert [fields(packet)[4][0] for packet in b.wait_for(5)] == list(range(5))
    assert settle(worker)["a"].remote == f"127.0.0.1:{a.port}"
    for _ in range(3):
        b.send(b"\x66" * 160)
    a.wait_for(3)
    assert [fields(packet)[4] for packet in a.plain()] == [b"\x66" * 160] * 3
    assert forger.collect() == []


def test_prompts_and_digits_are_srtp_too(worker):
    a = SecurePhone(ssrc=1)
    worker.switch.send(configure(worker, a, "a", 0, srtp=a.keys, dtmf_payload_type=101))
    worker.switch.send(Play(session="s1", leg="a", play_id="p", sources=["tone:dial/us"], is_looped=True))
    a.wait_for(20)
    worker.switch.send(SendDigits(session="s1", leg="a", digits="5"))
    a.wait_for(40)
    got = [fields(packet) for packet in a.plain()]
    assert [(each[1] - got[0][1]) & 0xFFFF for each in got] == list(range(len(got)))
    assert {each[0] & 0x7F for each in got} == {0, 101}
    a.seq, a.ts = 60100, 5000
    for duration, end in ((160, 0), (320, 0), (480, 0x80), (480, 0x80), (480, 0x80)):
        a.send(bytes((7, end | 10)) + duration.to_bytes(2, "big"), payload_type=101, step=0)
    assert worker.switch.wait(Digit).digit == "7"


def test_reports_are_srtcp(worker):
    a = SecurePhone(ssrc=1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp:
        rtcp.bind(("127.0.0.1", 0))
        rtcp.settimeout(20)
        port = rtcp.getsockname()[1]
        worker.switch.send(configure(worker, a, "a", 0, srtp=a.keys, remote_rtcp_port=port))
        worker.switch.send(Play(session="s1", leg="a", play_id="p", sources=["tone:dial/us"], is_looped=True))
        ssrc = fields(a.wait_for(5)[-1])[3]
        a.send(b"\x55" * 160)
        block = struct.pack(">IBBHIIII", ssrc, 128, 0, 1, 1, 0, 0, 0)
        report = struct.pack(">BBHI", 0x81, 201, 7, 1) + block + struct.pack(">BBHII", 0x81, 202, 2, 1, 0)
        to = ("127.0.0.1", a.target[1] + 1)
        rtcp.sendto(report, to)
        settle(worker)
        assert settle(worker)["a"].remote_lost_fraction == -1, "a plain report is nobody's"
        rtcp.sendto(a.report(report), to)
        while settle(worker)["a"].remote_lost_fraction < 0:
            pass
        assert settle(worker)["a"].remote_lost_fraction == 0.5
        worker.switch.send(ReleaseLeg("s1", "a"))
        farewell = rtcp.recv(1500)
        with pytest.raises(pylibsrtp.Error):
            a._in.unprotect_rtcp(farewell[:-1] + bytes([farewell[-1] ^ 1]))
        plain = a._in.unprotect_rtcp(farewell)
        assert plain[1] in (200, 201) and struct.pack(">BBHI", 0x81, 203, 1, ssrc) in plain


def test_keys_that_change_and_keys_that_stay(worker):
    a, b = SecurePhone(ssrc=1), Phone(ssrc=2)
    first = configure(worker, a, "a", 0, srtp=a.keys)
    worker.switch.send(first, configure(worker, b, "b", 1), bridge(("a", "b")))
    settle(worker)
    a.send(b"\x01" * 160)
    b.wait_for(1)
    worker.switch.send(first)  # a re-INVITE says the same again
    settle(worker)
    a.send(b"\x02" * 160)
    b.wait_for(2)
    renewed = SecurePhone(ssrc=3, ours=bytes(30), theirs=bytes(range(30, 60)))
    renewed.socket.close()
    renewed.socket, renewed.port = a.socket, a.port
    worker.switch.send(configure(worker, renewed, "a", 0, srtp=renewed.keys))
    settle(worker)
    a.send(b"\x03" * 160)
    renewed.send(b"\x04" * 160)
    assert [fields(packet)[4][0] for packet in b.wait_for(3)] == [1, 2, 4]
    b.send(b"\x05" * 160)
    renewed.wait_for(1)
    assert [fields(packet)[4][0] for packet in renewed.plain()] == [5]
    plain = configure(worker, renewed, "a", 0)
    worker.switch.send(plain)
    settle(worker)
    b.send(b"\x06" * 160)
    assert fields(renewed.wait_for(1)[0])[4] == b"\x06" * 160


def test_a_snapshot_tells_the_roll_over_counters(worker):
    a, b = SecurePhone(ssrc=1), Phone(ssrc=2)
    worker.switch.send(configure(worker, a, "a", 0, srtp=a.keys), configure(worker, b, "b", 1), bridge(("a", "b")))
    settle(worker)
    a.seq = 65530
    for i in range(20):
        a.send(bytes([i]) * 160)
    b.wait_for(20)
    worker.switch.send(Snapshot("s1"))
    legs = {settings.leg: state for settings, state in worker.switch.wait(SnapshotTaken).snapshot.legs}
    assert legs["a"].srtp_roll_over == (0, 1)
    assert legs["b"].srtp_roll_over == (0, 0)


def test_the_worker_is_killed_beyond_a_wrap(succession):
    """Both ways go on in roll-over 1; what the dead worker took is not taken again."""
    a, b = SecurePhone(ssrc=1), Phone(ssrc=2)
    succession.tell(configure(succession, a, "a", 0, srtp=a.keys), configure(succession, b, "b", 1), bridge(("a", "b")))
    a.seq = 65500
    sent = [a.send(bytes([i]) * 160) for i in range(60)]
    b.wait_for(60)
    b.send(b"\x05" * 160)
    a.wait_for(1)
    succession.kill()
    succession.take_place()
    succession.adopt()
    for packet in sent[-20:]:
        a.socket.sendto(packet, a.target)
    a.send(b"\xee" * 160)
    b.wait_for(61)
    for i in range(3):
        b.send(bytes([i]) * 160)
    a.wait_for(4)
    got = [fields(packet) for packet in a.plain()]
    assert [each[4][0] for each in got] == [5, 0, 1, 2]
    assert [(each[1] - got[0][1]) & 0xFFFF for each in got] == [0, 1, 2, 3]
    succession.switch.send(GetStatistics("s1"))
    assert succession.switch.wait(Statistics).legs["a"].packets_rejected == 20
    assert [fields(packet)[4][0] for packet in b.collect()] == [*range(60), 0xEE]


@pytest.mark.parametrize("keys", [SrtpKeys("NULL", OURS, THEIRS), SrtpKeys(SUITE, OURS[:16], THEIRS)])
def test_keys_that_cannot_be_are_refused_and_not_shown(keys):
    with Worker(1) as worker:
        worker.switch.send(configure(worker, Phone(), "a", 0, srtp=keys))
        refused = worker.switch.wait(CommandRefused)
        assert ("x01" not in refused.error and "suite" in refused.error) or "octets" in refused.error
        assert "x01" not in repr(configure(worker, Phone(), "a", 0, srtp=keys))
