"""A scripted browser without a browser: ICE checks, DTLS as client, SRTP by pylibsrtp's own interface.

No I/O: datagrams in, datagrams out; whoever has the socket carries them. For tests of the edge and for load.
"""

import secrets
import struct

from pylibsrtp import Error, Policy, Session

from media.webrtc.dtls import DtlsAssociation, Identity
from media.webrtc.stun import (
    BINDING_ERROR,
    BINDING_REQUEST,
    BINDING_SUCCESS,
    ICE_CONTROLLING,
    PRIORITY,
    USE_CANDIDATE,
    USERNAME,
    build_stun,
    parse_stun,
)

PROFILES = {
    "SRTP_AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "SRTP_AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "SRTP_AES128_CM_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}


class ScriptedBrowser:
    """One page's connection to the edge."""

    def __init__(self, ufrag: str, pwd: str, fingerprint: str, identity: Identity | None = None) -> None:
        """What the edge's SDP said."""
        self.identity = identity or Identity()
        self.own_ufrag, self.own_pwd = secrets.token_hex(4), secrets.token_hex(12)
        self.remote_ufrag, self.remote_pwd = ufrag, pwd
        self.fingerprint = fingerprint
        self.dtls: DtlsAssociation | None = None
        self.answers: list[int] = []
        """Kinds of STUN answers that came."""
        self.received: list[bytes] = []
        """RTP and RTCP, decrypted."""
        self.n_bad = 0
        self._in: Session | None = None
        self._out: Session | None = None
        self.ssrc = secrets.randbits(32)
        self.seq = secrets.randbits(15)
        self.timestamp = secrets.randbits(31)

    @property
    def is_connected(self) -> bool:
        return self._out is not None

    def check(self, *, nominate: bool = True, extra: tuple[tuple[int, bytes], ...] = ()) -> bytes:
        """A connectivity check, as the controlling agent."""
        attributes = [
            (USERNAME, f"{self.remote_ufrag}:{self.own_ufrag}".encode()),
            (PRIORITY, struct.pack("!I", 1 << 30)),
            (ICE_CONTROLLING, secrets.token_bytes(8)),
            *extra,
        ]
        if nominate:
            attributes.append((USE_CANDIDATE, b""))
        return build_stun(BINDING_REQUEST, secrets.token_bytes(12), attributes, self.remote_pwd.encode())

    def start_dtls(self) -> list[bytes]:
        self.dtls = DtlsAssociation(self.identity, [("sha-256", self.fingerprint)], is_server=False)
        return self.dtls.start()

    def receive(self, data: bytes) -> list[bytes]:
        """What is to be sent after a datagram of the edge."""
        if data[0] < 4:
            message = parse_stun(data)
            assert message is not None and message.kind in (BINDING_SUCCESS, BINDING_ERROR)
            self.answers.append(message.kind)
            if message.kind == BINDING_SUCCESS and self.dtls is None:
                return self.start_dtls()
            return []
        if 20 <= data[0] < 64:
            if self.dtls is None:
                return []
            out = self.dtls.receive(data)
            if self.dtls.state == "connected" and self._out is None:
                self._make_sessions()
            return out
        if self._in is None:
            return []
        try:
            is_rtcp = 192 <= data[1] < 224
            self.received.append(self._in.unprotect_rtcp(data) if is_rtcp else self._in.unprotect(data))
        except Error:
            self.n_bad += 1
        return []

    def rtp(self, payload: bytes, payload_type: int = 8) -> bytes:
        """The next packet of our stream, encrypted."""
        head = struct.pack("!BBHII", 0x80, payload_type, self.seq & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
        self.seq += 1
        self.timestamp += len(payload)
        return self.protect(head + payload)

    def protect(self, packet: bytes) -> bytes:
        assert self._out is not None
        return self._out.protect_rtcp(packet) if 192 <= packet[1] < 224 else self._out.protect(packet)

    def _make_sessions(self) -> None:
        assert self.dtls is not None
        receive_key, send_key = self.dtls.keys()
        profile = PROFILES[self.dtls.profile]
        self._in = Session(Policy(receive_key, Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
        self._out = Session(Policy(send_key, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
