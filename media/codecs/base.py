"""What every codec of the desk can do. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

WIDE_HZ = 16000
"""Rate of all decoded audio."""
Pcm = NDArray[np.int16]


def to_pcm(signal: NDArray[np.float32]) -> Pcm:
    """Rounded and clipped to 16 bits."""
    pcm: Pcm = np.clip(np.rint(signal), -32768, 32767).astype(np.int16)
    return pcm


class CodecError(ValueError):
    """The bytes are no packet of the codec, or it cannot be set up as asked."""


class Decoder(Protocol):
    """One stream's decoder. Packets go in in order, int16[samples] at 16 kHz comes out."""

    def decode(self, payload: bytes) -> Pcm:
        """The audio of one packet; `CodecError` when it is none."""

    def conceal(self, samples: int) -> Pcm | None:
        """Made up audio for a packet that was lost, `samples` long; None when the codec cannot."""

    def recover(self, following: bytes, samples: int) -> Pcm | None:
        """The packet before `following`, `samples` long, out of what `following` repeats of it; None when it does not.
        `following` must still be decoded afterwards."""

    def is_silence(self, payload: bytes) -> bool:
        """The packet says that its sender is silent and may send nothing for a while (DTX)."""


class Encoder(Protocol):
    """One stream's encoder at the codec's rate."""

    def encode(self, pcm: Pcm) -> bytes:
        """One packet; empty when it need not be sent (DTX)."""

    def expect_loss(self, percent: int) -> None:
        """The peer loses this part of what it is sent (from RTCP)."""


@dataclass(frozen=True, slots=True)
class Codec:
    """What the media plane knows of a codec."""

    name: str
    """As in SDP, with the rate where one name has several: "L16/8000"."""
    clock_hz: int
    """RTP clock."""
    rate: int
    """Samples a second of the audio that is encoded."""
    is_transcodable: bool
    """Its audio can be heard by legs of other codecs, and recorded."""
    cost_ms: float = 0.0
    """Processor time of a second at the desk, both ways; to share the work out."""
    ptimes: tuple[int, ...] = (10, 20, 30, 40, 60)
    """Packet lengths that can be made, in ms."""
    make_decoder: Callable[[], Decoder] | None = None
    """None for codecs that the desk does not handle."""
    make_encoder: Callable[[str, int], Encoder] | None = None
    """Of the peer's format parameters (fmtp) and the packet length in ms."""

    @property
    def is_desked(self) -> bool:
        """The codec desk decodes and encodes it."""
        return self.make_decoder is not None

    def ptime(self, wanted_ms: int) -> int:
        """The longest packet the codec can make that is no longer than wanted, or its shortest."""
        return max((each for each in self.ptimes if each <= wanted_ms), default=self.ptimes[0])
