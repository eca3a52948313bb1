"""L16: 16-bit linear PCM, big endian (RFC 3551 §4.5.11), at 8 or 16 kHz."""

import numpy as np

from media.codecs.base import WIDE_HZ, CodecError, Pcm, to_pcm
from media.rates import RateConverter

_ROW = np.zeros(1, np.int64)
NARROW_HZ = 8000


class L16Decoder:
    """One stream at `rate`, 8000 or 16000; always heard at 16 kHz."""

    def __init__(self, rate: int) -> None:
        self._converter = RateConverter(1, rate, WIDE_HZ) if rate != WIDE_HZ else None
        self._block = rate // 100

    def decode(self, payload: bytes) -> Pcm:
        if not payload or len(payload) % 2:
            raise CodecError(f"L16: {len(payload)} bytes are no samples")
        pcm = np.frombuffer(payload, ">i2")
        if self._converter is None:
            return pcm.astype(np.int16)
        if len(pcm) % self._block:
            raise CodecError(f"L16: {len(pcm)} samples are no multiple of 10 ms")
        wide = self._converter.run(_ROW, pcm.astype(np.float32)[None])[0]
        return to_pcm(wide)

    def conceal(self, samples: int) -> Pcm | None:
        return None

    def recover(self, following: bytes, samples: int) -> Pcm | None:
        return None

    def is_silence(self, payload: bytes) -> bool:
        return False


class L16Encoder:
    """One stream, whatever the rate."""

    def encode(self, pcm: Pcm) -> bytes:
        return pcm.astype(">i2").tobytes()

    def expect_loss(self, percent: int) -> None:
        """Nothing can be done about it."""


def make_encoder(fmtp: str, ptime_ms: int) -> L16Encoder:
    """The format has no parameters."""
    return L16Encoder()
