"""ITU-T G.711 as look-up tables over numpy arrays: linear 16-bit, µ-law (PCMU) and A-law (PCMA), each to each. Pure.

Linear values are left-justified in 16 bits, as in ITU-T G.191: µ-law spans ±32124, A-law ±32256. A table is applied by
`TABLE.take(index, out=…, mode="clip")`, which allocates nothing:

* `ULAW_TO_LINEAR`, `ALAW_TO_LINEAR`: int16, index = code;
* `LINEAR_TO_ULAW`, `LINEAR_TO_ALAW`: uint8, index = `samples.view(np.uint16)`;
* `ULAW_TO_ALAW`, `ALAW_TO_ULAW`: uint8, index = code (G.711 tables 3 and 4);
* `ULAW_PAIRS`, `ALAW_PAIRS`: uint32, index = `codes.view(np.uint16)`; `.view(np.int16)` of the result are the samples
  of both codes in order, on little-endian machines and big-endian ones alike. One look-up decodes two samples.
"""

from itertools import chain

import numpy as np
from numpy.typing import NDArray

SILENCE = {"PCMU": 0xFF, "PCMA": 0xD5}
"""The code of the smallest positive value: what a silent line sends."""

_MU_BIAS = 33
_MU_CLIP = 0x1FFF


def decoder(codec: str) -> NDArray[np.int16]:
    """Code -> sample of "PCMU" or "PCMA"; KeyError for any other codec."""
    return {"PCMU": ULAW_TO_LINEAR, "PCMA": ALAW_TO_LINEAR}[codec]


def encoder(codec: str) -> NDArray[np.uint8]:
    """Sample (viewed as uint16) -> code of "PCMU" or "PCMA"; KeyError for any other codec."""
    return {"PCMU": LINEAR_TO_ULAW, "PCMA": LINEAR_TO_ALAW}[codec]


def _decode_ulaw() -> NDArray[np.int16]:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0xF) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _decode_alaw() -> NDArray[np.int16]:
    code = np.arange(256) ^ 0x55
    segment = (code >> 4) & 7
    step = ((code & 0xF) << 4) + 8
    magnitude = np.where(segment == 0, step, (step + 0x100) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _segment_of(value: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.frexp(value.astype(np.float64))[1] - 1, np.int64)


def _encode_ulaw() -> NDArray[np.uint8]:
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)
    # Negative values are taken in ones' complement, so -1 falls into the same interval as 0.
    magnitude = np.minimum((np.where(sample < 0, ~sample, sample) >> 2) + _MU_BIAS, _MU_CLIP)
    segment = _segment_of(magnitude) - 5
    code = (segment << 4) | ((magnitude >> (segment + 1)) & 0xF)
    return np.asarray(~(code | np.where(sample < 0, 0x80, 0)) & 0xFF, np.uint8)


def _encode_alaw() -> NDArray[np.uint8]:
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)
    magnitude = np.where(sample < 0, ~sample, sample) >> 4
    segment = np.maximum(_segment_of(np.maximum(magnitude, 1)) - 3, 0)
    code = (segment << 4) | ((magnitude >> np.maximum(segment - 1, 0)) & 0xF)
    return np.asarray((code | np.where(sample >= 0, 0x80, 0)) ^ 0x55, np.uint8)


def _ulaw_to_alaw() -> NDArray[np.uint8]:
    # G.711 table 3: A-law decoder output value number (from 1) for µ-law number 0 … 127.
    numbers = chain(
        *([n, n] for n in range(1, 9)),
        range(9, 26),
        (27, 29, 31),
        range(33, 45),
        (46,),
        range(48, 63),
        range(64, 80),
        range(81, 129),
    )
    level = np.fromiter(numbers, np.int64, 128) - 1
    code = np.arange(256)
    return np.asarray(level[~code & 0x7F] ^ np.where(code & 0x80, 0xD5, 0x55), np.uint8)


def _alaw_to_ulaw() -> NDArray[np.uint8]:
    # G.711 table 4: µ-law decoder output value number (from 0) for A-law number 1 … 128.
    numbers = chain(
        range(1, 17, 2),
        range(16, 32),
        *([n, n] for n in range(32, 36)),
        range(36, 48),
        (48, 48, 49, 49),
        range(50, 64),
        (64, 64),
        range(65, 80),
        range(79, 128),
    )
    level = np.fromiter(numbers, np.int64, 128)
    code = np.arange(256)
    return np.asarray(level[(code ^ 0x55) & 0x7F] ^ np.where(code & 0x80, 0xFF, 0x7F), np.uint8)


def _pairs(table: NDArray[np.int16]) -> NDArray[np.uint32]:
    codes = np.arange(65536, dtype=np.uint16).view(np.uint8)
    return table[codes].view(np.uint32)


ULAW_TO_LINEAR = _decode_ulaw()
ALAW_TO_LINEAR = _decode_alaw()
LINEAR_TO_ULAW = _encode_ulaw()
LINEAR_TO_ALAW = _encode_alaw()
ULAW_TO_ALAW = _ulaw_to_alaw()
ALAW_TO_ULAW = _alaw_to_ulaw()
ULAW_PAIRS = _pairs(ULAW_TO_LINEAR)
ALAW_PAIRS = _pairs(ALAW_TO_LINEAR)

for _table in (
    ULAW_TO_LINEAR,
    ALAW_TO_LINEAR,
    LINEAR_TO_ULAW,
    LINEAR_TO_ALAW,
    ULAW_TO_ALAW,
    ALAW_TO_ULAW,
    ULAW_PAIRS,
    ALAW_PAIRS,
):
    _table.flags.writeable = False
