"""Covers `media/conversion.py`: each format, what is refused and why, silence, loudness, bounds of the process."""

import hashlib
import json
import os
import random
import resource
import struct
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from media.conversion import MAX_MEMORY, RATE, ConversionError, convert, format_of
from media.wav import WavFormat, make_header, parse_layout, read_samples

VOICES = Path(__file__).parents[2] / "media" / "voices" / "zh"
FORMATS = [
    ("wav", "pcm_s16le", 44_100, "stereo"),
    ("wav", "pcm_f32le", 16_000, "mono"),
    ("wav", "pcm_alaw", 8000, "mono"),
    ("mp3", "libmp3lame", 44_100, "stereo"),
    ("mp3", "libmp3lame", 16_000, "mono"),
    ("ogg", "libopus", 48_000, "stereo"),
    ("ogg", "vorbis", 32_000, "stereo"),
    ("flac", "flac", 48_000, "stereo"),
]


def phrase(rate: int, level: float = 0.1, quiet_s: float = 1.0) -> np.ndarray:
    """A second of a tone of 440 Hz that swells like syllables, in silence."""
    at = np.arange(rate) / rate
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * at)
    quiet = np.zeros(int(quiet_s * rate))
    return np.concatenate([quiet, level * swell * np.sin(2 * np.pi * 440 * at), quiet])


def write(path: Path, container: str, codec: str, rate: int, layout: str, samples: np.ndarray) -> Path:
    n = 2 if layout == "stereo" else 1
    planes = np.ascontiguousarray(np.tile(samples.astype(np.float32), (n, 1)))
    frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
    frame.sample_rate = rate
    with av.open(str(path), "w", format=container) as made:
        stream = made.add_stream(codec, rate=rate)
        stream.codec_context.layout = layout
        stream.codec_context.options = {"strict": "experimental"}
        made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return path


def read(path: Path) -> np.ndarray:
    data = path.read_bytes()
    layout = parse_layout(data)
    assert (layout.tag, layout.channels, layout.sample_rate, layout.bits) == (1, 1, RATE, 16)
    return read_samples(data)[0] / 32768


def loudness_db(samples: np.ndarray, rate: int) -> float:
    """RMS of what is louder than 20 dB below the loudest 20 ms."""
    size = rate // 50
    power = (samples[: len(samples) // size * size].reshape(-1, size) ** 2).mean(axis=1)
    return 10 * np.log10(power[power >= power.max() / 100].mean())


def why_not(path: Path) -> str:
    target = path.with_name("target.wav")
    with pytest.raises(ConversionError) as refused:
        convert(str(path), str(target))
    assert not target.exists() and not list(path.parent.glob("*.part"))
    return str(refused.value)


@pytest.mark.parametrize(("container", "codec", "rate", "layout"), FORMATS)
def test_ivr_05_every_format_becomes_the_same(tmp_path, container, codec, rate, layout):
    path = write(tmp_path / "a", container, codec, rate, layout, phrase(rate))
    made = convert(str(path), str(tmp_path / "b.wav"))
    heard = read(tmp_path / "b.wav")
    assert made.duration_s == len(heard) / RATE
    assert made.sha256 == hashlib.sha256((tmp_path / "b.wav").read_bytes()).hexdigest()
    # The silence is gone, but for a little; the tone is as long and as high as it was.
    assert 1.0 <= made.duration_s <= 1.3
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert abs(np.argmax(spectrum) * RATE / len(heard) - 440) < 3
    assert spectrum[(np.fft.rfftfreq(len(heard), 1 / RATE) > 900)].max() < spectrum.max() / 50
    assert abs(loudness_db(heard, RATE) + 19) < 0.5


@pytest.mark.parametrize("level", [0.03, 0.2, 0.95])
def test_it_is_as_loud_as_the_built_in_prompts_and_never_clipped(tmp_path, level):
    samples, rate = read_samples((VOICES / "for_callback.wav").read_bytes())
    built_in = samples / 32768
    samples = level / np.abs(samples).max() * samples
    convert(str(write(tmp_path / "a", "wav", "pcm_s16le", rate, "mono", samples)), str(tmp_path / "b.wav"))
    heard = read(tmp_path / "b.wav")
    assert abs(loudness_db(heard, RATE) - loudness_db(built_in, rate)) < 1.0
    assert np.abs(heard).max() <= 0.9


def test_peaks_bound_the_loudness(tmp_path):
    """A click that must not be clipped leaves the rest softer."""
    samples = phrase(8000, 0.05)
    samples[12_000] = 1.0
    convert(str(write(tmp_path / "a", "wav", "pcm_s16le", 8000, "mono", samples)), str(tmp_path / "b.wav"))
    heard = read(tmp_path / "b.wav")
    assert np.abs(heard).max() == pytest.approx(0.9, abs=0.01)
    assert loudness_db(heard, RATE) < -20


def test_silence_between_words_stays(tmp_path):
    samples = np.concatenate([phrase(8000, quiet_s=0.5), phrase(8000, quiet_s=0.5)])
    made = convert(str(write(tmp_path / "a", "wav", "pcm_s16le", 8000, "mono", samples)), str(tmp_path / "b.wav"))
    assert 3.0 <= made.duration_s <= 3.3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"hello, world", "is no sound file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is no sound file"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "is no sound file"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is no sound file"),
        (b"RIFF", "is no sound file"),
        (b"RIFF\x24\0\0\0WAVE", "the WAV cannot be read"),
        (b"OggS" + bytes(60), "the OGG cannot be read"),
        (b"fLaC" + bytes(60), "the FLAC cannot be read"),
        (b"ID3" + bytes(60), "the MP3 cannot be read"),
        (make_header(WavFormat(1, "pcm16"), 0), "holds no audio"),
        (make_header(WavFormat(1, "pcm16"), 16_000) + bytes(16_000), "holds nothing but silence"),
        (make_header(WavFormat(1, "pcm16", 1000), 16_000) + bytes(16_000), "1 channels at 1000 Hz cannot be read"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_what_cannot_be_played_is_refused_with_the_reason(tmp_path, content, says):
    (tmp_path / "a").write_bytes(content)
    assert says in why_not(tmp_path / "a")


def test_what_is_too_long_is_refused_whatever_its_header_says(tmp_path):
    (tmp_path / "a").write_bytes(make_header(WavFormat(1, "PCMU"), 1000) + b"\x80\x10" * 2_500_000)
    header = bytearray((tmp_path / "a").read_bytes())
    struct.pack_into("<I", header, header.index(b"data") + 4, 0xFFFFFFFF)
    (tmp_path / "a").write_bytes(header)
    assert why_not(tmp_path / "a") == "is longer than 600 seconds"


@pytest.mark.parametrize("container", ["wav", "mp3", "ogg", "flac"])
def test_no_damage_breaks_it(tmp_path, container):
    """What is cut or changed anywhere is played as far as that goes, or refused."""
    _, codec, rate, layout = next(each for each in FORMATS if each[0] == container)
    whole = write(tmp_path / "a", container, codec, rate, layout, phrase(rate)).read_bytes()
    dice = random.Random(container)
    for i in range(40):
        damaged = bytearray(whole[: dice.randrange(1, len(whole))] if i % 2 else whole)
        for _ in range(dice.randrange(1, 60)):
            damaged[dice.randrange(min(len(damaged), 200) if i % 3 else len(damaged))] = dice.randrange(256)
        (tmp_path / "b").write_bytes(damaged)
        try:
            made = convert(str(tmp_path / "b"), str(tmp_path / "b.wav"))
        except ConversionError as error:
            assert str(error)
        else:
            heard = read(tmp_path / "b.wav")
            assert len(heard) == round(made.duration_s * RATE) and np.abs(heard).max() <= 0.9


def test_the_process_has_bounds_and_tells_in_json(tmp_path):
    path = write(tmp_path / "a", "wav", "pcm_s16le", 8000, "mono", phrase(8000))
    code = (
        "import json, os, resource as r; from media import conversion; conversion.main(); "
        "print(json.dumps([r.getrlimit(r.RLIMIT_AS)[0], r.getrlimit(r.RLIMIT_CPU)[0], os.nice(0)]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "b.wav")], capture_output=True, check=True, text=True
    )
    told, bounds = map(json.loads, run.stdout.splitlines())
    assert (told["error"], told["duration_s"] > 1.0) == ("", True)
    assert bounds == [MAX_MEMORY, 15, 19]
    run = subprocess.run(
        [sys.executable, "-m", "media.conversion", str(tmp_path / "none"), str(tmp_path / "c.wav")],
        capture_output=True,
        check=True,
        text=True,
    )
    assert json.loads(run.stdout)["error"] == "No such file or directory"
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != MAX_MEMORY and os.nice(0) < 19


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"RIFF....WAVE", "wav"), (b"RF64....WAVE", "wav"), (b"OggS", "ogg"), (b"fLaC", "flac"), (b"ID3\x04", "mp3")]
    + [(bytes([0xFF, second]), "mp3") for second in (0xFB, 0xF3, 0xE3, 0xFA)],
)
def test_the_format_is_known_by_the_first_bytes(head, name):
    assert format_of(head) == name
