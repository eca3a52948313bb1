"""DTLS in memory: both ends of ours, one end aiortc's context of another maker, losses, wrong certificates, keys.

Not here: datagrams of strangers (test_peers), browsers (tests/live/test_browsers.py).
"""

import pytest
from aiortc.rtcdtlstransport import SRTP_PROFILES, RTCCertificate
from OpenSSL import SSL

from media.webrtc.dtls import MTU, DtlsAssociation, Identity, split_records

WRONG = [("sha-256", ":".join(["00"] * 32))]


def shake(client: DtlsAssociation, server: DtlsAssociation, lost: frozenset[int] = frozenset()) -> int:
    """Carries datagrams both ways until nobody says anything; how many there were. `lost`: numbers of those that get
    lost the first time."""
    n = 0
    towards_server, towards_client = client.start(), []
    while towards_server or towards_client:
        answers: list[bytes] = []
        for target, flight in ((server, towards_server), (client, towards_client)):
            for datagram in flight:
                assert len(datagram) <= MTU
                n += 1
                made = [] if n in lost else target.receive(datagram)
                answers += [(target, each) for each in made]  # type: ignore[misc]
        towards_server = [each for who, each in answers if who is client]  # type: ignore[misc]
        towards_client = [each for who, each in answers if who is server]  # type: ignore[misc]
    return n


def pair(profile_of_client: bytes = b"") -> tuple[DtlsAssociation, DtlsAssociation]:
    ours, theirs = Identity(), Identity()
    if profile_of_client:
        theirs.context.set_tlsext_use_srtp(profile_of_client)
    client = DtlsAssociation(theirs, [("sha-256", ours.fingerprint)], is_server=False)
    return client, DtlsAssociation(ours, [("sha-256", theirs.fingerprint)])


@pytest.mark.parametrize(
    ("offered", "profile", "n_octets"),
    [
        (b"", "SRTP_AEAD_AES_128_GCM", 28),
        (b"SRTP_AEAD_AES_256_GCM", "SRTP_AEAD_AES_256_GCM", 44),
        (b"SRTP_AES128_CM_SHA1_80", "SRTP_AES128_CM_SHA1_80", 30),
    ],
)
def test_both_ends_have_the_same_keys(offered: bytes, profile: str, n_octets: int) -> None:
    client, server = pair(offered)
    shake(client, server)
    assert client.state == server.state == "connected"
    assert client.profile == server.profile == profile
    receive, send = server.keys()
    assert client.keys() == (send, receive)
    assert len(receive) == len(send) == n_octets and receive != send


def test_against_the_context_of_another_maker() -> None:
    """aiortc sets OpenSSL up in its own way; its certificates, ciphers and profiles must suit us."""
    certificate = RTCCertificate.generateCertificate()
    ours = Identity()
    theirs = next(each for each in certificate.getFingerprints() if each.algorithm == "sha-256")
    server = DtlsAssociation(ours, [(theirs.algorithm, theirs.value)])
    context = certificate._create_ssl_context(SRTP_PROFILES)
    client = SSL.Connection(context)
    client.set_connect_state()
    for _ in range(6):
        try:
            client.do_handshake()
        except SSL.WantReadError:
            pass
        try:
            sent = client.bio_read(1 << 16)
        except SSL.WantReadError:
            break
        for datagram in server.receive(sent):
            client.bio_write(datagram)
    assert server.state == "connected"
    n_key, n_salt = len(server.keys()[0]) - 12, 12
    made = client.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (n_key + n_salt))
    assert server.keys()[0] == made[:n_key] + made[2 * n_key : 2 * n_key + n_salt]


def test_another_certificate_than_announced_fails() -> None:
    ours, theirs = Identity(), Identity()
    client = DtlsAssociation(theirs, [("sha-256", ours.fingerprint)], is_server=False)
    server = DtlsAssociation(ours, WRONG)
    shake(client, server)
    assert (server.state, server.why) == ("failed", "the certificate is not the one of the signalling")
    assert server.receive(b"\x16\xfe\xfd" + bytes(20)) == []


def test_one_of_several_fingerprints_is_enough_but_weak_ones_do_not_count() -> None:
    ours, theirs = Identity(), Identity()
    for fingerprints, state in (
        ([*WRONG, ("SHA-256", theirs.fingerprint.lower())], "connected"),
        ([("sha-1", "00:11"), ("md5", "00")], "failed"),
        ([], "failed"),
    ):
        client = DtlsAssociation(theirs, [("sha-256", ours.fingerprint)], is_server=False)
        server = DtlsAssociation(ours, fingerprints)
        shake(client, server)
        assert server.state == state


def test_no_common_profile_fails() -> None:
    client, server = pair(b"SRTP_AES128_CM_SHA1_32")
    shake(client, server)
    assert server.state == "failed"


def test_a_hello_in_two_datagrams_is_one() -> None:
    """Chromium's is too long for one, and they may come in any order."""
    client, server = pair()
    client._connection.set_alpn_protos([bytes([65 + n]) * 200 for n in range(8)])
    hello = client.start()
    assert len(hello) > 1
    answers = [each for piece in reversed(hello) for each in server.receive(piece)]
    assert answers
    for _ in range(4):
        back = [each for datagram in answers for each in client.receive(datagram)]
        answers = [each for datagram in back for each in server.receive(datagram)]
    assert server.state == client.state == "connected"


def test_what_was_lost_is_said_again() -> None:
    client, server = pair()
    shake(client, server, lost=frozenset((2,)))
    assert server.state == "handshaking" and server.timeout_s is not None and server.timeout_s <= 1.0
    # The client's own timer is OpenSSL's; here it simply says everything again.
    assert client.timeout_s is not None


def test_closing_is_told() -> None:
    client, server = pair()
    shake(client, server)
    for datagram in server.close():
        client.receive(datagram)
    assert (server.state, client.state) == ("closed", "closed")
    assert server.close() == []


@pytest.mark.parametrize("junk", [b"\x16", b"\x16\xfe\xfd" + bytes(10), b"\x17" * 200, bytes(2000), b"\x14" * 20000])
def test_junk_is_nothing(junk: bytes) -> None:
    client, server = pair()
    server.receive(junk)
    shake(client, server)
    assert server.state == "connected"
    server.receive(junk)
    assert server.state == "connected"


def test_records_are_cut_where_they_begin() -> None:
    records = [bytes([22, 254, 253]) + bytes(8) + size.to_bytes(2, "big") + bytes(size) for size in (500, 600, 200, 1)]
    assert split_records(b"".join(records)) == [records[0] + records[1], records[2] + records[3]]
    assert split_records(b"") == []
