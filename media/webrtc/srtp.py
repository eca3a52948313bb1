"""SRTP of one browser by libsrtp, in place in the rows of an arena (RFC 3711, RFC 7714).

pylibsrtp's own methods copy every packet twice; its binding to the C functions does not. The binding is no public
interface, so `check_binding` says at the start whether it is what we know.
"""

from typing import Any

import pylibsrtp
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

TRAILER_BYTES = 160
"""Room behind a packet that protecting it may need."""

_PROFILES = {
    "SRTP_AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "SRTP_AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "SRTP_AES128_CM_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}
_WINDOW = 1024


def check_binding() -> None:
    """Raises RuntimeError when this pylibsrtp has another binding than ours is written for."""
    needed = ("srtp_protect", "srtp_protect_rtcp", "srtp_unprotect", "srtp_unprotect_rtcp")
    if not all(hasattr(lib, name) for name in needed) or not hasattr(Session(), "_srtp"):
        raise RuntimeError(f"pylibsrtp {pylibsrtp.__version__} is built otherwise than 1.0; install pylibsrtp 1.0")


class SrtpStreams:
    """Both directions of one association. Each method works in place and says whether it could: False is a packet
    that is not authentic, came before, or has no place in the stream."""

    __slots__ = ("_receive", "_send", "_sessions")

    def __init__(self, profile: str, receive_key: bytes, send_key: bytes) -> None:
        """Raises pylibsrtp.Error, KeyError for a profile that is not ours."""
        incoming = _policy(receive_key, Policy.SSRC_ANY_INBOUND, profile)
        outgoing = _policy(send_key, Policy.SSRC_ANY_OUTBOUND, profile)
        # The sessions own what the pointers lead to.
        self._sessions = Session(incoming), Session(outgoing)
        self._receive, self._send = (each._srtp[0] for each in self._sessions)

    def unprotect(self, packet: Any, length: Any) -> bool:
        """`packet` and `length` are pointers of a `Pointers`."""
        return not lib.srtp_unprotect(self._receive, packet, length)

    def unprotect_rtcp(self, packet: Any, length: Any) -> bool:
        return not lib.srtp_unprotect_rtcp(self._receive, packet, length)

    def protect(self, packet: Any, length: Any) -> bool:
        """`TRAILER_BYTES` behind the packet must be free."""
        return not lib.srtp_protect(self._send, packet, length)

    def protect_rtcp(self, packet: Any, length: Any) -> bool:
        return not lib.srtp_protect_rtcp(self._send, packet, length)


class Pointers:
    """What libsrtp wants to know of each row: where it begins, and where its length stands."""

    def __init__(self, rows: list[int], lengths: list[int]) -> None:
        """Addresses of the rows and of their 32-bit lengths; whoever has them must outlive this."""
        self.packets = [ffi.cast("void *", address) for address in rows]
        self.lengths = [ffi.cast("int *", address) for address in lengths]


def _policy(key: bytes, ssrc_type: int, profile: str) -> Policy:
    policy = Policy(key, ssrc_type, srtp_profile=_PROFILES[profile])
    policy.window_size = _WINDOW
    return policy
