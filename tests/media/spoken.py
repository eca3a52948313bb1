"""Speech made by espeak-ng, for what has to understand speech. Not a test."""

import subprocess
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from media.resample import resample

_RATE = 22050
_WAV_HEADER = 44


@lru_cache(maxsize=256)
def say(text: str, voice: str = "en-us", *, speed: int = 165, pitch: int = 50, level_db: float = -20.0) -> NDArray:
    """`text` spoken, float32 in 16-bit scale at 8 kHz; its RMS is `level_db` below full scale."""
    made = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text],
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout
    samples = np.frombuffer(made[_WAV_HEADER:], "<i2").astype(np.float32)
    spoken = resample(samples, _RATE, 8000)
    spoken *= 32768 * 10 ** (level_db / 20) / max(float(np.sqrt((spoken**2).mean())), 1e-3)
    spoken = np.clip(spoken, -32768, 32767)
    spoken.flags.writeable = False
    return spoken
