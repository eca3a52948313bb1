"""Ten hours of speech nobody spoke, for the talk-off test: espeak-ng in many languages and voices, or, where that
is not installed, a formant synthesiser of our own. Made once, kept in a folder of the system's temporary directory."""

import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import wave
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.inband_dtmf import InbandDetector
from media.resample import resample
from media.tone_detector import ToneDetector

LANGUAGES = ("en-us", "cmn", "en-gb", "de", "fr", "es", "yue", "it", "pt-br", "ru", "hi", "ar", "tr", "pl", "nl", "sv")
VARIANTS = ("", "f2", "m3", "klatt2", "f5", "m7", "klatt4", "f1")
_ROOT = Path(__file__).parents[1]
_CHUNK_S = 300
_ROW_S = 30
"""Speech is listened to in rows of this length at the same time."""
_VERSION = 2


def make_speech(hours: float) -> tuple[NDArray[np.int16], str]:
    """int16[legs, samples] at 8 kHz, `hours` in all, and who speaks: "espeak-ng" or "formants"."""
    source = "espeak-ng" if shutil.which("espeak-ng") else "formants"
    n_legs = max(1, round(hours * 3600 / _CHUNK_S))
    folder = Path(tempfile.gettempdir()) / f"ringback-speech-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{source}-{_VERSION}-{n_legs}.npy"
    if not path.exists():
        speak = _espeak if source == "espeak-ng" else _formants
        speech = np.zeros((n_legs, _CHUNK_S * 8000), np.int16)
        for i in range(n_legs):
            speech[i] = _level(speak(i), i)
        temporary = path.with_suffix(f".{os.getpid()}.npy")
        np.save(temporary, speech)
        temporary.replace(path)
    loaded: NDArray[np.int16] = np.load(path, mmap_mode="r")
    return loaded, source


def false_digits(hours: float) -> dict[str, object]:
    """Digits and tones found in speech that has none."""
    speech, source = make_speech(hours)
    speech = speech.reshape(-1, _ROW_S * 8000)
    digits, tones = InbandDetector(), ToneDetector(len(speech))
    rows = np.arange(len(speech))
    for row in rows.tolist():
        tones.reset(row)
    found, others = [], []
    for begin in range(0, speech.shape[1] - 159, 160):
        frame = speech[:, begin : begin + 160].astype(np.float32)
        found += [(each.digit, each.duration_ms) for each in digits.run(rows, frame)]
        others += [each.tone for each in tones.run(rows, frame)]
    return {
        "speech": source,
        "hours": round(speech.size / 8000 / 3600, 2),
        "false_digits": len(found),
        "false_digit_list": [f"{digit} {ms} ms" for digit, ms in found],
        "false_tones": len(others),
    }


def _espeak(i: int) -> NDArray[np.float32]:
    rng = random.Random(i)
    language = LANGUAGES[i % len(LANGUAGES)]
    variant = VARIANTS[i // len(LANGUAGES) % len(VARIANTS)]
    name = "README.zh.md" if language in ("cmn", "yue") else rng.choice(("README.md", "docs/architecture.md"))
    lines = [line for line in (_ROOT / name).read_text(encoding="utf-8").splitlines() if line.strip()]
    rng.shuffle(lines)
    text = "\n".join(lines * 4)
    manner = ["-p", str(rng.randrange(15, 95)), "-s", str(rng.randrange(120, 230))]
    voice = f"{language}+{variant}" if variant else language
    said = np.zeros(0, np.float32)
    while len(said) < _CHUNK_S * 8000:
        command = ["espeak-ng", "-v", voice, *manner, "--stdout", "--stdin"]
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=120)
        if done.returncode and voice != "en-us":
            voice = language if voice != language else "en-us"  # some crash on some texts
            continue
        done.check_returncode()
        # Streamed: the header does not know the length.
        with wave.open(BytesIO(done.stdout)) as file:
            rate = file.getframerate()
        samples = np.frombuffer(done.stdout[44:][: len(done.stdout[44:]) // 2 * 2], "<i2").astype(np.float32)
        said = np.concatenate([said, resample(samples[: (_CHUNK_S + 1) * rate], rate, 8000)])
    return said


def _formants(i: int) -> NDArray[np.float32]:
    """A voice of pulses through three resonances that glide from vowel to vowel, with pauses and hisses between."""
    rng = np.random.default_rng(i)
    n = _CHUNK_S * 8000
    pitch = rng.uniform(70, 280)
    vowels = np.array([(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (660, 1720, 2410)])
    said = np.zeros(n, np.float32)
    at = 0
    while at < n:
        length = int(rng.integers(600, 2600))
        kind = rng.random()
        if kind < 0.75:
            time = np.arange(length) / 8000
            bend = pitch * (1 + rng.uniform(-0.3, 0.3) * time / time[-1] + 0.02 * np.sin(2 * np.pi * 5 * time))
            turns = 2 * np.pi * np.cumsum(bend) / 8000
            ends = vowels[rng.integers(0, 5, 2)] * rng.uniform(0.85, 1.2)
            formants = ends[0] + (ends[1] - ends[0]) * time[:, None] / time[-1]
            wave_ = np.zeros(length)
            for k in range(1, int(3800 / bend.max()) + 1):
                near = ((k * bend[:, None] - formants) / (90, 120, 200)) ** 2
                wave_ += np.sin(k * turns) * (1 / (1 + near) @ (1.0, 0.5, 0.2) + 0.3 / k)
            swell = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / rng.uniform(250, 900))
            shimmer = np.interp(time, np.arange(0, 0.5, 0.008), rng.normal(1, 0.1, 63))
            part = (wave_ * shimmer + rng.normal(0, 0.03, length)) * swell
        else:
            part = rng.normal(0, 0.1 if kind < 0.87 else 0.001, length)
        said[at : at + length] = part[: n - at]
        at += length
    return said


def _level(said: NDArray[np.float32], i: int) -> NDArray[np.int16]:
    """From loud to soft by leg, the loudest clipped a little."""
    said = said[: _CHUNK_S * 8000]
    rms = float(np.sqrt(np.mean(said**2))) or 1.0
    dbm0 = (-8, -12, -16, -20, -26)[int(hashlib.sha256(b"%d" % i).hexdigest(), 16) % 5]
    return np.asarray(np.clip(said * (22800 * 10 ** (dbm0 / 20) / rms * 0.99), -32768, 32767), np.int16)
