"""All codecs by name: what they need of RTP, and whether their audio can be decoded here."""

import logging
from functools import cache, partial

from media.codecs import g722, l16, opus
from media.codecs.base import WIDE_HZ, Codec

log = logging.getLogger(__name__)

_WIDE_L16_PTIMES = (10, 20)
"""Longer ones are bigger than what is taken for RTP anywhere on the way."""


@cache
def codecs() -> dict[str, Codec]:
    """Every codec that can be transcoded on this machine, by name in lower case. Opus only where there is a libopus."""
    found = [
        Codec("PCMU", 8000, 8000, True),
        Codec("PCMA", 8000, 8000, True),
        Codec("G722", 8000, WIDE_HZ, True, 1.4, make_decoder=g722.G722Decoder, make_encoder=g722.make_encoder),
        Codec(
            "L16/8000",
            8000,
            l16.NARROW_HZ,
            True,
            1.0,
            (10, 20, 30, 40),
            partial(l16.L16Decoder, l16.NARROW_HZ),
            l16.make_encoder,
        ),
        Codec(
            "L16/16000",
            WIDE_HZ,
            WIDE_HZ,
            True,
            0.1,
            _WIDE_L16_PTIMES,
            partial(l16.L16Decoder, WIDE_HZ),
            l16.make_encoder,
        ),
    ]
    try:
        opus.load_library()
        found.append(Codec("opus", 48000, WIDE_HZ, True, 5.6, opus.FRAME_MS, opus.OpusDecoder, opus.make_encoder))
    except opus.OpusMissingError as error:
        log.warning("%s", error)
    return {codec.name.lower(): codec for codec in found}


def find_codec(name: str, clock_hz: int = 8000) -> Codec:
    """The codec of that name (in any case); one that is only passed through, with this clock, when it is unknown."""
    return codecs().get(name.lower()) or Codec(name, clock_hz, clock_hz, False)


def why_silent(name: str) -> str:
    """Why nothing of such a leg is heard by others or recorded: "G729 is not decoded"; "" when it is."""
    return "" if find_codec(name).is_transcodable else f"{name} is not decoded"
