"""DTLS 1.2 over OpenSSL's memory BIOs, and the SRTP keys it yields (RFC 6347, RFC 5764, RFC 7714, RFC 8122).

No socket: datagrams in, datagrams out. The only clock is OpenSSL's own, behind `timeout_s`.
"""

import datetime
import secrets
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

MTU = 1200
"""Of the datagrams we send: fits every path that browsers use."""
PROFILES = ("SRTP_AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM", "SRTP_AES128_CM_SHA1_80")
"""Best first: GCM costs least."""
KEY_BYTES = {
    "SRTP_AEAD_AES_128_GCM": (16, 12),
    "SRTP_AEAD_AES_256_GCM": (32, 12),
    "SRTP_AES128_CM_SHA1_80": (16, 14),
}
"""Octets of master key and salt."""

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha-256": hashes.SHA256,
    "sha-384": hashes.SHA384,
    "sha-512": hashes.SHA512,
}
"""Weaker ones do not count (RFC 8122 §5)."""
_CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"
_LABEL = b"EXTRACTOR-dtls_srtp"
_MAX_DATAGRAM = 1 << 14
_YEARS = datetime.timedelta(days=3650)
_RECORD_HEAD = 13


class Identity:
    """A key and its self-signed certificate: what an SDP's fingerprint is about. Never written anywhere."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        # Nobody reads the name; what counts is the fingerprint.
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, secrets.token_hex(8))])
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + _YEARS)
            .sign(key, hashes.SHA256())
        )
        self.fingerprint = fingerprint(self.certificate, "sha-256")
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # Any certificate will do as long as its fingerprint is the one of the signalling.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(self.certificate)
        context.use_privatekey(key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(":".join(PROFILES).encode())
        self.context = context


class DtlsAssociation:
    """One handshake and what follows it. `state`: handshaking, connected, failed, closed."""

    def __init__(self, identity: Identity, fingerprints: Sequence[tuple[str, str]], *, is_server: bool = True) -> None:
        self._fingerprints = [(name.lower(), value.upper()) for name, value in fingerprints]
        self._is_server = is_server
        self._connection = connection = SSL.Connection(identity.context, None)
        if is_server:
            connection.set_accept_state()
        else:
            connection.set_connect_state()
        connection.set_ciphertext_mtu(MTU)
        self.state = "handshaking"
        self.why = ""
        """Of failed."""

    def receive(self, datagram: bytes) -> list[bytes]:
        """What is to be sent after a datagram of the peer."""
        if self.state in ("failed", "closed") or len(datagram) > _MAX_DATAGRAM:
            return []
        self._connection.bio_write(datagram)
        return self._step()

    def start(self) -> list[bytes]:
        """The client's first flight."""
        return self._step()

    @property
    def timeout_s(self) -> float | None:
        """Seconds until `handle_timeout` is due; None: nothing is repeated at the moment."""
        if self.state != "handshaking":
            return None
        seconds = self._connection.DTLSv1_get_timeout()
        return None if seconds is None else float(seconds)

    def handle_timeout(self) -> list[bytes]:
        """The last flight again, when it is its time."""
        if self.state != "handshaking":
            return []
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            self._fail(f"no answer: {_text(error)}")
        return self._take()

    def close(self) -> list[bytes]:
        """close_notify."""
        if self.state != "connected":
            return []
        self.state = "closed"
        try:
            self._connection.shutdown()
        except SSL.Error:
            return []
        return self._take()

    @property
    def profile(self) -> str:
        """The SRTP protection profile agreed on; "" when there is none."""
        return bytes(self._connection.get_selected_srtp_profile()).decode()

    def keys(self) -> tuple[bytes, bytes]:
        """(what we receive with, what we send with), each master key and salt in one (RFC 5764 §4.2)."""
        n_key, n_salt = KEY_BYTES[self.profile]
        made = self._connection.export_keying_material(_LABEL, 2 * (n_key + n_salt))
        salts = 2 * n_key
        client = made[:n_key] + made[salts : salts + n_salt]
        server = made[n_key:salts] + made[salts + n_salt :]
        return (client, server) if self._is_server else (server, client)

    def _step(self) -> list[bytes]:
        try:
            if self.state == "handshaking":
                self._connection.do_handshake()
                self._check()
            else:
                # Nobody has anything to say to us here; alerts are dealt with inside.
                self._connection.recv(4096)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.state = "closed"
        except SSL.Error as error:
            if self.state == "handshaking":
                self._fail(_text(error))
        return self._take()

    def _check(self) -> None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        matches = certificate is not None and any(
            name in _HASHES and fingerprint(certificate, name) == value for name, value in self._fingerprints
        )
        if not matches:
            self._fail("the certificate is not the one of the signalling")
        elif self.profile not in KEY_BYTES:
            self._fail("no SRTP protection profile in common")
        else:
            self.state = "connected"

    def _fail(self, why: str) -> None:
        self.state, self.why = "failed", why

    def _take(self) -> list[bytes]:
        made = bytearray()
        while True:
            try:
                made += self._connection.bio_read(1 << 16)
            except SSL.WantReadError:
                return split_records(bytes(made))


def fingerprint(certificate: x509.Certificate, name: str) -> str:
    """As in SDP, upper case. KeyError for a hash that does not count."""
    return certificate.fingerprint(_HASHES[name]()).hex(":").upper()


def split_records(made: bytes, mtu: int = MTU) -> list[bytes]:
    """The datagrams of a flight: the memory BIO is a stream of bytes, so it is cut where records begin."""
    out: list[bytes] = []
    current = b""
    at = 0
    while at < len(made):
        end = at + _RECORD_HEAD + int.from_bytes(made[at + 11 : at + 13], "big")
        record, at = made[at:end], end
        if current and len(current) + len(record) > mtu:
            out.append(current)
            current = b""
        current += record
    return [*out, current] if current else out


def _text(error: SSL.Error) -> str:
    """OpenSSL's reason for the first of its errors."""
    if error.args and isinstance(error.args[0], list) and error.args[0]:
        return str(error.args[0][0][-1])
    return "the handshake was cut off"
