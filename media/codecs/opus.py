"""Opus (RFC 6716, RTP payload RFC 7587) at 16 kHz mono by libopus, through ctypes.

Every call gives the interpreter's lock away while libopus works. The library is the one PyAV brings along, else the
system's. A stereo stream comes out as mono, and whatever its frame length and bandwidth are: that is up to libopus.
"""

import ctypes
import ctypes.util
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from media.codecs.base import WIDE_HZ, CodecError, Pcm

MAX_SAMPLES = WIDE_HZ * 120 // 1000
"""Of one packet (RFC 6716 §3.2: 120 ms)."""
MAX_BYTES = 700
"""Of one packet we make: with header and SRTP it fits into every buffer on the way."""
FRAME_MS = (10, 20, 40, 60)
DEFAULT_BITRATE = 28_000
"""Bits a second: RFC 7587 §3.1.1 says 16 to 20 kbit/s for wideband speech, and forward error correction takes a part.
With less libopus leaves it out at some rates of loss (measured with 1.6.1: at 24 kbit/s and 3 to 5 %)."""
COMPLEXITY = 5
"""0 to 10. Above, speech at this rate gains little for twice the time."""
EXPECTED_LOSS_PERCENT = 5
"""Before the peer has reported any: forward error correction from the first word on."""

_VOIP = 2048
_SIGNAL_VOICE = 3001
_SET_BITRATE, _SET_MAX_BANDWIDTH, _SET_VBR = 4002, 4004, 4006
_SET_COMPLEXITY, _SET_INBAND_FEC, _SET_PACKET_LOSS, _SET_DTX, _SET_SIGNAL = 4010, 4012, 4014, 4016, 4024
_BANDWIDTHS = ((8000, 1101), (12000, 1102), (16000, 1103))
_INT = ctypes.c_int
_POINTER = ctypes.c_void_p


class OpusMissingError(RuntimeError):
    """There is no libopus; the text says where it was looked for."""


@cache
def load_library() -> ctypes.CDLL:
    """libopus, ready to be called. `OpusMissingError` when there is none."""
    tried = []
    for path in _candidates():
        try:
            return _declare(ctypes.CDLL(path))
        except (OSError, AttributeError) as error:
            tried.append(f"{path}: {error}")
    looked = "; ".join(tried) or "neither PyAV's nor the system's is installed"
    raise OpusMissingError(f"Opus is not offered: no libopus ({looked})")


def _candidates() -> Iterator[str]:
    spec = importlib.util.find_spec("av")
    if spec is not None and spec.origin:
        package = Path(spec.origin).parent
        for folder in (package.parent / "av.libs", package / ".dylibs"):
            yield from sorted(str(path) for path in folder.glob("libopus*"))
    system = ctypes.util.find_library("opus")  # runs programs, so only when it must
    if system:
        yield system


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    library.opus_strerror.restype = ctypes.c_char_p
    library.opus_get_version_string.restype = ctypes.c_char_p
    library.opus_decoder_init.argtypes = [_POINTER, ctypes.c_int32, _INT]
    library.opus_encoder_init.argtypes = [_POINTER, ctypes.c_int32, _INT, _INT]
    library.opus_decode.argtypes = [_POINTER, ctypes.c_char_p, ctypes.c_int32, _POINTER, _INT, _INT]
    library.opus_encode.argtypes = [_POINTER, _POINTER, _INT, ctypes.c_char_p, ctypes.c_int32]
    if hasattr(library, "opus_packet_has_lbrr"):  # since libopus 1.4
        library.opus_packet_has_lbrr.argtypes = [ctypes.c_char_p, ctypes.c_int32]
    library.opus_encoder_ctl.argtypes = [_POINTER, _INT, ctypes.c_int32]
    return library


def version() -> str:
    """Of libopus, e.g. "libopus 1.6.1"."""
    text: bytes = load_library().opus_get_version_string()
    return text.decode()


def _check(result: int) -> int:
    if result < 0:
        raise CodecError(f"Opus: {load_library().opus_strerror(result).decode()}")
    return result


class OpusDecoder:
    """One stream. Not for two threads at a time."""

    def __init__(self) -> None:
        self._library = load_library()
        # The state lives in memory of ours, so that nothing has to be freed by hand.
        self._memory = ctypes.create_string_buffer(self._library.opus_decoder_get_size(1))
        self._state = ctypes.addressof(self._memory)
        _check(self._library.opus_decoder_init(self._state, WIDE_HZ, 1))
        self._pcm = np.zeros(MAX_SAMPLES, np.int16)
        self._out = self._pcm.ctypes.data

    def decode(self, payload: bytes) -> Pcm:
        if not payload:  # libopus would take it for a lost packet
            raise CodecError("Opus: an empty packet")
        return self._decode(payload, MAX_SAMPLES, False)

    def conceal(self, samples: int) -> Pcm | None:
        return self._decode(None, _whole(samples), False)

    def recover(self, following: bytes, samples: int) -> Pcm | None:
        has_lbrr = getattr(self._library, "opus_packet_has_lbrr", None)
        if has_lbrr is not None and has_lbrr(following, len(following)) <= 0:
            return None
        return self._decode(following, _whole(samples), True)

    def is_silence(self, payload: bytes) -> bool:
        return len(payload) <= 2  # RFC 6716 §3.1: nothing behind the table of contents

    def _decode(self, payload: bytes | None, samples: int, is_recovery: bool) -> Pcm:
        n = self._library.opus_decode(
            self._state, payload, len(payload) if payload else 0, self._out, samples, is_recovery
        )
        return self._pcm[: _check(n)].copy()


def _whole(samples: int) -> int:
    """libopus makes up audio in steps of 2.5 ms."""
    step = WIDE_HZ // 400
    return min(max(samples // step, 1) * step, MAX_SAMPLES)


@dataclass(frozen=True, slots=True)
class OpusSettings:
    """How to encode; `from_fmtp` reads what the peer wishes."""

    bitrate: int = DEFAULT_BITRATE
    complexity: int = COMPLEXITY
    has_fec: bool = False
    has_dtx: bool = False
    is_vbr: bool = True
    max_rate: int = WIDE_HZ
    """Highest sampling rate that the peer plays."""
    loss_percent: int = EXPECTED_LOSS_PERCENT

    @classmethod
    def from_fmtp(cls, fmtp: str) -> "OpusSettings":
        """RFC 7587 §6.1; what cannot be read is as if it were not there."""
        given = {name.strip().lower(): value.strip() for name, _, value in (p.partition("=") for p in fmtp.split(";"))}

        def number(name: str, otherwise: int) -> int:
            text = given.get(name, "")
            return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else otherwise

        return cls(
            bitrate=max(6000, min(DEFAULT_BITRATE, number("maxaveragebitrate", DEFAULT_BITRATE))),
            has_fec=number("useinbandfec", 0) == 1,
            has_dtx=number("usedtx", 0) == 1,
            is_vbr=number("cbr", 0) != 1,
            max_rate=number("maxplaybackrate", 48000),
        )


class OpusEncoder:
    """One stream of packets of `ptime_ms` (one of `FRAME_MS`). Not for two threads at a time."""

    def __init__(self, settings: OpusSettings, ptime_ms: int = 20) -> None:
        if ptime_ms not in FRAME_MS:
            raise CodecError(f"Opus: no packets of {ptime_ms} ms")
        self._library = load_library()
        self._memory = ctypes.create_string_buffer(self._library.opus_encoder_get_size(1))
        self._state = ctypes.addressof(self._memory)
        _check(self._library.opus_encoder_init(self._state, WIDE_HZ, 1, _VOIP))
        self._samples = WIDE_HZ * ptime_ms // 1000
        self._packet = ctypes.create_string_buffer(MAX_BYTES)
        self._has_fec = settings.has_fec
        self._has_dtx = settings.has_dtx
        self._loss = -1
        bandwidth = max((code for rate, code in _BANDWIDTHS if rate <= settings.max_rate), default=1101)
        for request, value in (
            (_SET_BITRATE, settings.bitrate),
            (_SET_COMPLEXITY, settings.complexity),
            (_SET_VBR, settings.is_vbr),
            (_SET_SIGNAL, _SIGNAL_VOICE),
            (_SET_MAX_BANDWIDTH, bandwidth),
            (_SET_INBAND_FEC, settings.has_fec),
            (_SET_DTX, settings.has_dtx),
        ):
            self._set(request, value)
        self.expect_loss(settings.loss_percent)

    def encode(self, pcm: Pcm) -> bytes:
        """int16[16 * ptime_ms], contiguous. `CodecError` for another length."""
        if len(pcm) != self._samples:
            raise CodecError(f"Opus: {len(pcm)} samples are no packet of {self._samples}")
        n = _check(self._library.opus_encode(self._state, pcm.ctypes.data, self._samples, self._packet, MAX_BYTES))
        # RFC 6716 §2.1.9: a packet of one byte, or two, need not be sent.
        return b"" if n <= 2 and self._has_dtx else self._packet.raw[:n]

    def expect_loss(self, percent: int) -> None:
        percent = max(0, min(100, percent))
        if self._has_fec and percent != self._loss:
            self._loss = percent
            self._set(_SET_PACKET_LOSS, percent)

    def _set(self, request: int, value: int) -> None:
        _check(self._library.opus_encoder_ctl(self._state, request, int(value)))


def make_encoder(fmtp: str, ptime_ms: int) -> OpusEncoder:
    """An encoder that suits the peer's format parameters."""
    return OpusEncoder(OpusSettings.from_fmtp(fmtp), ptime_ms)
