"""Reading recordings back: formats, who is heard, and files that are none.

Not covered: the recorder (tests/media).
"""

import struct
from pathlib import Path

import numpy as np
import pytest

from media.g711 import encoder
from switch.demo.listening import listen
from switch.demo.speech import synthesise

SILENCE = np.zeros(96_000, np.int16)


def wav(kind: int, channels: list[np.ndarray], *, extra: bytes = b"") -> bytes:
    interleaved = np.stack(channels, axis=1).reshape(-1).astype(np.int16)
    bits = 16 if kind == 1 else 8
    codec = {6: "PCMA", 7: "PCMU"}.get(kind)
    body = encoder(codec).take(interleaved.view(np.uint16)).tobytes() if codec else interleaved.tobytes()
    align = len(channels) * bits // 8
    layout = struct.pack("<HHIIHH", kind, len(channels), 8000, 8000 * align, align, bits)
    chunks = b"fmt " + struct.pack("<I", len(layout)) + layout + extra + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


@pytest.mark.parametrize("kind", [1, 6, 7], ids=["pcm16", "A-law", "µ-law"])
def test_both_sides_are_heard(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(kind, [synthesise(1), synthesise(2)], extra=b"LIST\x03\0\0\0abc\0"))
    heard = listen(path)
    assert heard.has_both_sides, heard
    assert heard.duration_s == 12.0


@pytest.mark.parametrize(
    "channels",
    [
        [synthesise(1), SILENCE],
        [SILENCE, synthesise(1)],
        [SILENCE, SILENCE],
        [synthesise(1), synthesise(1)],
        [synthesise(1)],
        [synthesise(1), synthesise(2) // 64],
    ],
    ids=["right silent", "left silent", "both silent", "the same twice", "mono", "right too faint"],
)
def test_one_side_is_not_enough(tmp_path: Path, channels: list[np.ndarray]) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(7, channels))
    heard = listen(path)
    assert not heard.error and not heard.has_both_sides


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0xx", wav(2, [SILENCE]), b"x" * 100],
    ids=["empty", "cut", "no chunks", "short format", "another codec", "no RIFF"],
)
def test_what_is_no_recording_has_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    heard = listen(path)
    assert heard.error and not heard.has_both_sides


def test_a_missing_file_has_an_error(tmp_path: Path) -> None:
    assert "No such file" in listen(tmp_path / "none.wav").error


def test_a_file_without_audio_has_no_sides(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(7, [SILENCE[:0], SILENCE[:0]]))
    assert not listen(path).has_both_sides
