"""Covers `media/g711.py`: every entry of every table against a scalar codec written from ITU-T G.711 / G.191, the
direct µ-law/A-law tables against the transparency clause of G.711 §3.3, and the pair tables. Does not cover use in the
tick."""

import numpy as np
import pytest

from media import g711


def decode_ulaw(code: int) -> int:
    """G.711 table 2a/2b: value = ((2m + 33) * 2^e - 33) in 14 bits, here in 16."""
    inverted = ~code & 0xFF
    exponent, mantissa = (inverted >> 4) & 7, inverted & 15
    value = 4 * ((2 * mantissa + 33) * 2**exponent - 33)
    return -value if inverted & 0x80 else value


def decode_alaw(code: int) -> int:
    """G.711 table 1a/1b: the middle of the interval, in 13 bits, here in 16; even bits are inverted."""
    plain = code ^ 0x55
    segment, step = (plain >> 4) & 7, plain & 15
    value = 8 * (2 * step + 1) if segment == 0 else 8 * (2 * step + 33) * 2 ** (segment - 1)
    return value if plain & 0x80 else -value


def encode_ulaw(sample: int) -> int:
    magnitude = min(((~sample if sample < 0 else sample) >> 2) + 33, 0x1FFF)
    segment = 1
    while magnitude >> (segment + 5):
        segment += 1
    code = (8 - segment) << 4 | (15 - ((magnitude >> segment) & 15))
    return code | 0x80 if sample >= 0 else code


def encode_alaw(sample: int) -> int:
    magnitude = (~sample if sample < 0 else sample) >> 4
    exponent = 0
    if magnitude > 15:
        exponent = 1
        while magnitude > 31:
            magnitude >>= 1
            exponent += 1
        magnitude -= 16
    code = (exponent << 4) | magnitude
    return (code | 0x80 if sample >= 0 else code) ^ 0x55


SAMPLES = np.arange(65536, dtype=np.uint16).view(np.int16)


@pytest.mark.parametrize(
    ("table", "scalar"),
    [(g711.ULAW_TO_LINEAR, decode_ulaw), (g711.ALAW_TO_LINEAR, decode_alaw)],
    ids=["PCMU", "PCMA"],
)
def test_every_code_decodes_as_the_standard_says(table, scalar):
    assert table.dtype == np.int16
    assert table.tolist() == [scalar(code) for code in range(256)]


@pytest.mark.parametrize(
    ("table", "scalar"),
    [(g711.LINEAR_TO_ULAW, encode_ulaw), (g711.LINEAR_TO_ALAW, encode_alaw)],
    ids=["PCMU", "PCMA"],
)
def test_every_sample_encodes_as_the_standard_says(table, scalar):
    assert table.dtype == np.uint8
    assert table.tolist() == [scalar(sample) for sample in SAMPLES.tolist()]


@pytest.mark.parametrize(
    ("code", "law", "value"),
    [
        (0x80, "PCMU", 32124),
        (0x00, "PCMU", -32124),
        (0xFF, "PCMU", 0),
        (0x7F, "PCMU", 0),
        (0xEF, "PCMU", 132),
        (0xAA, "PCMA", 32256),
        (0x2A, "PCMA", -32256),
        (0xD5, "PCMA", 8),
        (0x55, "PCMA", -8),
        (0xC5, "PCMA", 264),
    ],
)
def test_values_named_in_the_standard(code, law, value):
    assert g711.decoder(law)[code] == value


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_a_decoded_code_encodes_to_itself(law):
    decoded = g711.decoder(law)
    again = g711.encoder(law)[decoded.view(np.uint16)]
    # µ-law has two zeros; the encoder knows only the positive one.
    expected = [0xFF if law == "PCMU" and code == 0x7F else code for code in range(256)]
    assert again.tolist() == expected


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_encoding_is_monotonic_and_close(law):
    samples = np.sort(SAMPLES).astype(int)
    heard = g711.decoder(law)[g711.encoder(law)[samples.astype(np.int16).view(np.uint16)]].astype(int)
    assert np.all(np.diff(heard) >= 0)
    inside = np.abs(samples) < 32000
    assert np.all(np.abs(heard - samples)[inside] <= (np.abs(samples[inside]) + 132) / 32 + 4)


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_silence_is_the_code_of_zero(law):
    assert g711.encoder(law)[0] == g711.SILENCE[law]
    assert abs(int(g711.decoder(law)[g711.SILENCE[law]])) <= 8


def test_ulaw_to_alaw_and_back_changes_only_what_the_standard_says():
    """G.711 §3.3: µ-law numbers 0, 2 … 14 grow by one, in bit 8 alone; everything else comes back."""
    codes = np.arange(256)
    back = g711.ALAW_TO_ULAW[g711.ULAW_TO_ALAW[codes]]
    changed = np.flatnonzero(back != codes)
    numbers = sorted({int(~code & 0x7F) for code in changed})
    assert numbers == [0, 2, 4, 6, 8, 10, 12, 14]
    assert all(int(~back[code] & 0x7F) == int(~code & 0x7F) + 1 for code in changed)
    assert all(int(back[code] ^ code) == 1 for code in changed)


def test_alaw_to_ulaw_and_back_changes_only_what_the_standard_says():
    """G.711 §3.3: A-law numbers 26, 28, 30, 32, 45, 47, 63 and 80 change, in bit 8 alone."""
    codes = np.arange(256)
    back = g711.ULAW_TO_ALAW[g711.ALAW_TO_ULAW[codes]]
    changed = np.flatnonzero(back != codes)
    assert sorted({int((code ^ 0x55) & 0x7F) + 1 for code in changed}) == [26, 28, 30, 32, 45, 47, 63, 80]
    assert all(int(back[code] ^ code) == 1 for code in changed)


@pytest.mark.parametrize(
    ("table", "source", "target"),
    [
        (g711.ULAW_TO_ALAW, g711.ULAW_TO_LINEAR, g711.ALAW_TO_LINEAR),
        (g711.ALAW_TO_ULAW, g711.ALAW_TO_LINEAR, g711.ULAW_TO_LINEAR),
    ],
    ids=["to A-law", "to µ-law"],
)
def test_direct_conversion_keeps_sign_and_loudness(table, source, target):
    before, after = source.astype(int), target[table].astype(int)
    assert np.all((before > 0) <= (after >= 0)) and np.all((before < 0) <= (after <= 0))
    # At most one quantising interval of the coarser law away: 1/16 of the value.
    assert np.all(np.abs(before - after) <= np.maximum(np.abs(before) / 16, 16))


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_pairs_decode_two_codes_at_once(law):
    pairs = {"PCMU": g711.ULAW_PAIRS, "PCMA": g711.ALAW_PAIRS}[law]
    codes = np.random.default_rng(1).integers(0, 256, 4096).astype(np.uint8)
    assert np.array_equal(pairs[codes.view(np.uint16)].view(np.int16), g711.decoder(law)[codes])


def test_tables_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        g711.ULAW_TO_LINEAR[0] = 1
