"""G.722 at 64 kbit/s (ITU-T G.722, RTP RFC 3551 §4.5.2: the clock runs at 8000 although the audio has 16 kHz).

The package `G722` keeps the interpreter's lock while it works (0.02 ms for 20 ms of audio, either way), so more threads
do not make it faster; a packet is short enough that the tick is not held up.
"""

import numpy as np
from G722 import G722

from media.codecs.base import WIDE_HZ, CodecError, Pcm

_BITRATE = 64000


class G722Decoder:
    """One stream."""

    def __init__(self) -> None:
        self._state = G722(WIDE_HZ, _BITRATE)

    def decode(self, payload: bytes) -> Pcm:
        if not payload:
            raise CodecError("G722: an empty packet")
        return np.frombuffer(self._state.decode(payload), np.int16)

    def conceal(self, samples: int) -> Pcm | None:
        return None

    def recover(self, following: bytes, samples: int) -> Pcm | None:
        return None

    def is_silence(self, payload: bytes) -> bool:
        return False


class G722Encoder:
    """One stream."""

    def __init__(self) -> None:
        self._state = G722(WIDE_HZ, _BITRATE)

    def encode(self, pcm: Pcm) -> bytes:
        if len(pcm) % 2:
            raise CodecError(f"G722: {len(pcm)} samples are not even")
        encoded: bytes = self._state.encode(pcm)
        return encoded

    def expect_loss(self, percent: int) -> None:
        """Nothing can be done about it."""


def make_encoder(fmtp: str, ptime_ms: int) -> G722Encoder:
    """The format has no parameters, and any even number of samples is a packet."""
    return G722Encoder()
