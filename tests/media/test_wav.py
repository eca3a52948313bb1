"""Covers `media/wav.py`: headers of every format, RF64, markers, reading files of others, and repair of what a killed
writer leaves, at every length it can leave. Does not cover the writing itself (`test_recorder.py`)."""

import hashlib
import io
import os
import struct
import wave

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from media.g711 import LINEAR_TO_ALAW, LINEAR_TO_ULAW
from media.wav import WavError, WavFormat, make_header, make_markers, parse_layout, read_samples, repair

FORMATS = [WavFormat(channels, encoding) for channels in (1, 2, 3) for encoding in ("pcm16", "PCMA", "PCMU")]
IDS = [f"{form.encoding}-{form.channels}" for form in FORMATS]


def chunks(data: bytes) -> dict[bytes, bytes]:
    """Every chunk of a finished RIFF file; fails when the sizes do not add up."""
    assert data[:4] == b"RIFF" and struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    found, at = {}, 12
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        assert at + 8 + size <= len(data)
        found[name] = data[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)
    assert at == len(data)
    return found


@pytest.mark.parametrize("form", FORMATS, ids=IDS)
def test_a_header_says_what_is_in_the_file(form):
    audio = bytes(range(12)) * form.frame_size
    data = make_header(form, len(audio)) + audio
    tag = {"pcm16": 1, "PCMA": 6, "PCMU": 7}[form.encoding]
    found = chunks(data)
    assert found[b"data"] == audio
    fmt = struct.unpack_from("<HHIIHH", found[b"fmt "])
    bits = 16 if tag == 1 else 8
    assert fmt == (tag, form.channels, 8000, 8000 * form.frame_size, form.frame_size, bits)
    if tag != 1:
        assert struct.unpack("<I", found[b"fact"])[0] == 12
        assert len(found[b"fmt "]) == 18
    assert len(make_header(form, 0)) == len(make_header(form, 1 << 40)) == len(data) - len(audio)


def test_the_standard_library_reads_our_pcm():
    samples = np.arange(-50, 50, dtype=np.int16).reshape(-1, 2)
    data = make_header(WavFormat(2, "pcm16"), samples.nbytes) + samples.tobytes()
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        assert file.readframes(100) == samples.tobytes()


@pytest.mark.parametrize("n_bytes", [(1 << 32) - 200, (1 << 32) - 50, 1 << 32, 5 << 40])
def test_beyond_four_gib_the_file_is_rf64(n_bytes):
    form = WavFormat(2, "PCMU")
    header = make_header(form, n_bytes)
    is_64 = n_bytes + len(header) - 8 > 0xFFFFFFFF
    assert header[:4] == (b"RF64" if is_64 else b"RIFF")
    layout = parse_layout(header)
    assert layout.data_size == n_bytes
    assert layout.riff_size == len(header) - 8 + n_bytes


def test_markers_name_positions():
    markers = make_markers([(8000, "pause"), (16001, "resume")])
    data = make_header(WavFormat(1, "PCMU"), 20000, len(markers)) + bytes(20000) + markers
    found = chunks(data)
    assert struct.unpack_from("<I", found[b"cue "])[0] == 2
    points = [struct.unpack_from("<II4sIII", found[b"cue "], 4 + 24 * i) for i in (0, 1)]
    assert [(number, at) for number, at, *_ in points] == [(1, 8000), (2, 16001)]
    assert b"pause\0" in found[b"LIST"] and b"resume\0" in found[b"LIST"]
    assert make_markers([]) == b""


# -- repair -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS, ids=IDS)
@given(written=st.integers(0, 400), announced=st.integers(0, 400), seed=st.integers(0, 9))
def test_repair_saves_every_whole_frame(form, written, announced, seed, tmp_path_factory):
    announced -= announced % form.frame_size
    # An odd number of bytes is followed by a pad byte (RIFF): one byte more than announced is none of the audio's.
    assume(announced % 2 == 0 or written != announced + 1)
    audio = np.random.default_rng(seed).integers(0, 250, written).astype(np.uint8).tobytes()
    path = str(tmp_path_factory.mktemp("wav") / "a.wav")
    with open(path, "wb") as file:
        file.write(make_header(form, announced) + audio)
    repaired = repair(path)
    whole = written - written % form.frame_size
    with open(path, "rb") as file:
        data = file.read()
    if repaired.is_changed:
        found = chunks(data)
        assert found[b"data"] == audio[:whole]
    assert (repaired.size, repaired.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert repaired.duration_s == whole / form.frame_size / 8000
    assert (repaired.channels, repaired.encoding) == (form.channels, form.encoding)
    again = repair(path)
    assert not again.is_changed
    assert again.sha256 == repaired.sha256
    os.unlink(path)


def test_a_file_that_is_right_is_left_alone(tmp_path):
    markers = make_markers([(1, "pause")])
    data = make_header(WavFormat(1, "PCMU"), 3, len(markers)) + b"abc\0" + markers
    (tmp_path / "a.wav").write_bytes(data)
    repaired = repair(str(tmp_path / "a.wav"))
    assert not repaired.is_changed
    assert repaired.size == len(data)
    assert (tmp_path / "a.wav").read_bytes() == data


@pytest.mark.parametrize("cut", [0, 1, 30])
def test_death_between_markers_and_header_costs_the_markers_only(tmp_path, cut):
    form = WavFormat(2, "PCMA")
    markers = make_markers([(1, "pause"), (2, "resume")])
    data = make_header(form, 8) + b"audio678" + markers[: len(markers) - cut]
    (tmp_path / "a.wav").write_bytes(data)
    repaired = repair(str(tmp_path / "a.wav"))
    assert repaired.is_changed
    assert chunks((tmp_path / "a.wav").read_bytes())[b"data"] == b"audio678"


@pytest.mark.parametrize("data", [b"", bytes(50), bytes(5000)], ids=["empty", "short", "zeros"])
def test_nothing_recorded_is_none(tmp_path, data):
    (tmp_path / "a.wav").write_bytes(data)
    assert repair(str(tmp_path / "a.wav")) is None
    assert repair(str(tmp_path / "missing.wav")) is None


OTHER = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 40, b"WAVE", b"fmt ", 16, 3, 1, 8000, 32000, 4, 32, b"data", 4)


@pytest.mark.parametrize("data", [b"\x7fELF" + bytes(100), OTHER + bytes(4)], ids=["no WAV", "another format"])
def test_other_files_are_not_touched(tmp_path, data):
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(WavError):
        repair(str(tmp_path / "a.wav"))
    assert (tmp_path / "a.wav").read_bytes() == data


# -- reading ----------------------------------------------------------------------------------------------------------


def riff(tag: int, channels: int, rate: int, bits: int, audio: bytes, *, is_extensible: bool = False) -> bytes:
    frame_size = channels * bits // 8
    fmt = struct.pack("<HHIIHH", 0xFFFE if is_extensible else tag, channels, rate, rate * frame_size, frame_size, bits)
    if is_extensible:
        fmt += struct.pack("<HHIH", 22, bits, 0, tag) + bytes(14)
    body = b"WAVELIST" + struct.pack("<I", 3) + b"odd\0" + b"fmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(audio)) + audio
    return b"RIFF" + struct.pack("<I", len(body)) + body


WANTED = np.array([0, 1000, -1000, 32000, -32768], np.int16)


def encoded(kind: str) -> tuple[int, int, bytes]:
    wide = WANTED.astype(np.int32)
    return {
        "8 bits": (1, 8, ((wide >> 8) + 128).astype(np.uint8).tobytes()),
        "16 bits": (1, 16, WANTED.astype("<i2").tobytes()),
        "24 bits": (1, 24, (wide << 8).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()),
        "32 bits": (1, 32, (wide << 16).astype("<i4").tobytes()),
        "float": (3, 32, (WANTED / 32768).astype("<f4").tobytes()),
        "A-law": (6, 8, LINEAR_TO_ALAW[WANTED.view(np.uint16)].tobytes()),
        "µ-law": (7, 8, LINEAR_TO_ULAW[WANTED.view(np.uint16)].tobytes()),
    }[kind]


@pytest.mark.parametrize("is_extensible", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize("kind", ["8 bits", "16 bits", "24 bits", "32 bits", "float", "A-law", "µ-law"])
def test_files_of_others_are_read(kind, is_extensible):
    tag, bits, audio = encoded(kind)
    samples, rate = read_samples(riff(tag, 1, 16000, bits, audio, is_extensible=is_extensible))
    tolerance = {"8 bits": 256, "A-law": 1024, "µ-law": 1024}.get(kind, 0)
    assert rate == 16000
    assert samples.dtype == np.float32
    assert np.abs(samples - WANTED).max() <= tolerance


def test_stereo_becomes_the_mean_of_both():
    audio = np.array([[100, 300], [-5, 5]], "<i2").tobytes()
    assert read_samples(riff(1, 2, 44100, 16, audio))[0].tolist() == [200, 0]


def test_a_size_beyond_the_end_means_to_the_end():
    data = bytearray(riff(1, 1, 8000, 16, WANTED.tobytes()))
    data[-len(WANTED.tobytes()) - 4 : -len(WANTED.tobytes())] = b"\xff\xff\xff\xff"
    assert read_samples(bytes(data))[0].tolist() == WANTED.tolist()
    assert len(read_samples(bytes(data[:-1]))[0]) == 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"OggS" + bytes(60),
        riff(1, 1, 8000, 16, b"")[:30],
        riff(2, 1, 8000, 8, b"ab"),
        riff(1, 1, 8000, 12, b"ab"),
        riff(1, 0, 8000, 16, b""),
        riff(1, 1, 0, 16, b"ab"),
        b"RIFF" + struct.pack("<I", 20) + b"WAVEdata" + struct.pack("<I", 8) + bytes(8),
    ],
    ids=["empty", "cut", "Ogg", "no data", "ADPCM", "12 bits", "no channels", "no rate", "no fmt"],
)
def test_what_cannot_be_read_is_refused(data):
    with pytest.raises(WavError):
        read_samples(data)


@given(st.binary(max_size=200), st.integers(0, 60))
def test_any_bytes_are_read_or_refused(junk, at):
    data = riff(1, 1, 8000, 16, WANTED.tobytes())
    for case in (junk, data[:at] + junk, data[:at] + junk + data[at:]):
        try:
            samples, rate = read_samples(case)
        except WavError:
            continue
        assert samples.ndim == 1 and rate >= 1000
